//! The meter: what a stretch of work has cost this process in time, processor time and bytes handed to the disk.
//!
//! Read from `/proc`, as Linux tells it: processor time of all threads in hundredths of a second (`proc_pid_stat(5)`, fields 14 and
//! 15), and bytes that were sent towards the disk, sockets not counted (`proc_pid_io(5)`, `write_bytes`). Where the system does not
//! tell, a figure is not a number, which meets no target.

use std::time::{Duration, Instant};

/// `USER_HZ`: in which part of a second Linux counts processor time towards programs, whatever the kernel's own tick.
const TICKS_PER_SECOND: f64 = 100.0;

/// Readings at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    at: Instant,
    cpu_seconds: f64,
    written_bytes: f64,
}

/// What was spent since then.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// How long it took.
    pub took: Duration,
    /// Processor time of every thread of this process.
    pub cpu_seconds: f64,
    /// Bytes handed to the disk by this process.
    pub written_bytes: f64,
}

impl Meter {
    /// Reads now.
    pub fn read() -> Self {
        let text = |file: &str| std::fs::read_to_string(format!("/proc/self/{file}")).ok();
        Meter {
            at: Instant::now(),
            cpu_seconds: text("stat").and_then(|stat| cpu_in(&stat)).unwrap_or(f64::NAN),
            written_bytes: text("io").and_then(|io| written_in(&io)).unwrap_or(f64::NAN),
        }
    }

    /// What was spent since this reading.
    pub fn spent(&self) -> Spent {
        let now = Meter::read();
        Spent {
            took: now.at - self.at,
            cpu_seconds: now.cpu_seconds - self.cpu_seconds,
            written_bytes: now.written_bytes - self.written_bytes,
        }
    }
}

/// User and system time in the text of `/proc/self/stat`. The program's name, in brackets, may hold spaces.
fn cpu_in(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

fn written_in(io: &str) -> Option<f64> {
    io.lines().find_map(|line| line.strip_prefix("write_bytes:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_tells_is_read() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 3 4 20 0 8 0 100 1000 10";
        assert_eq!(cpu_in(stat), Some(3.0));
        assert_eq!(cpu_in("7 (obole) S 1"), None);
        assert_eq!(written_in("rchar: 5\nwrite_bytes: 8192\ncancelled_write_bytes: 1\n"), Some(8192.0));
        assert_eq!(written_in("rchar: 5\n"), None);
    }

    #[test]
    fn work_costs_processor_time() {
        let meter = Meter::read();
        let mut sum = 0_u64;
        while meter.spent().took < Duration::from_millis(60) {
            sum = std::hint::black_box((0..10_000).fold(sum, u64::wrapping_add));
        }
        assert!(meter.spent().cpu_seconds > 0.0, "{:?}", meter.spent());
    }
}
