//! Instructions: this program started again under valgrind, with and without the work that is counted.
//!
//! callgrind says how many instructions a whole run took. Two runs that differ only in a pass over the same data differ by what the pass
//! costs; start, corpus and tables fall out. The counts repeat to within a few instructions, whoever else uses the machine.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// valgrind, and this program.
pub(super) struct Callgrind {
    program: std::path::PathBuf,
}

impl Callgrind {
    /// Looks whether it is there.
    pub(super) fn find() -> anyhow::Result<Callgrind> {
        let there = Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !there.is_ok_and(|status| status.success()) {
            bail!("instructions are counted by valgrind, which is not here; install it (Debian, Ubuntu: apt install valgrind)");
        }
        let program = std::env::current_exe().context("where this program lies cannot be told, so it cannot be started again")?;
        Ok(Callgrind { program })
    }

    /// The instructions of `obole bench` with these words.
    pub(super) fn instructions(&self, words: &[&str]) -> anyhow::Result<f64> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(&self.program)
            .arg("bench")
            .args(words)
            .stdin(Stdio::null())
            .output()
            .context("valgrind cannot be started")?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            bail!("valgrind ended with {}: {}", output.status, said.lines().last().unwrap_or_default());
        }
        collected(&said).with_context(|| format!("valgrind counted nothing: {}", said.lines().last().unwrap_or_default()))
    }
}

/// The number after `Collected :` in what callgrind says.
fn collected(said: &str) -> Option<f64> {
    let count = said.lines().find_map(|line| line.split_once("Collected :"))?.1;
    count.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_callgrind_collected_is_read() {
        let said = "==7== Callgrind, a call-graph generating cache profiler\n==7== \n==7== Collected : 123456\n";
        assert_eq!(collected(said), Some(123_456.0));
        assert_eq!(collected("valgrind: no such file\n"), None);
    }
}
