//! Memory: the most that this process has held in RAM at once.

/// The peak resident set in bytes (`VmHWM` of Linux); none where the system does not tell.
pub fn peak_bytes() -> Option<u64> {
    peak_in(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// Begins anew: from now on the peak is of what is held from now on (`proc_pid_clear_refs(5)`). Where that is not possible the older
/// peak stays, which is never too low.
pub fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn peak_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_in_bytes() {
        assert_eq!(peak_in("Name:\tobole\nVmHWM:\t   12345 kB\nVmRSS:\t 1 kB\n"), Some(12_641_280));
        assert_eq!(peak_in("Name:\tobole\n"), None);
        assert_eq!(peak_in("VmHWM:\tmuch\n"), None);
    }
}
