//! A file that one process at a time owns, by a lock that ends with the process.

use std::fs::{File, TryLockError};
use std::time::{Duration, Instant};

/// For how long an owner who is on the way out is waited for. A process that was just killed, or one that somebody starts (it holds a
/// copy of every lock until it is its own program), lets go within milliseconds.
const PATIENCE: Duration = Duration::from_millis(500);

/// Takes the lock of an open file. [`TryLockError::WouldBlock`]: somebody else owns it and goes on.
pub(crate) fn own(file: &File) -> Result<(), TryLockError> {
    let end = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_on_the_way_out_is_waited_for_and_another_is_not() {
        let path = std::env::temp_dir().join(format!("obole-owned-{}", std::process::id()));
        let open = || File::options().create(true).truncate(false).write(true).open(&path).unwrap();
        let (first, second) = (open(), open());
        own(&first).unwrap();
        assert!(matches!(own(&second), Err(TryLockError::WouldBlock)));
        let going = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            drop(first);
        });
        own(&second).unwrap();
        going.join().unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}
