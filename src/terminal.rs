//! What a person at the terminal sees and does: sentences in, Ctrl-C out.

use crate::exit::ExitCode;

/// One sentence on standard error: what could not be done, and because of what.
#[expect(clippy::print_stderr, reason = "this is the program's voice on the command line")]
pub fn complain(error: &anyhow::Error, code: ExitCode) -> ExitCode {
    eprintln!("obole: {error:#}");
    code
}

/// Something that was asked for, on standard output. Whoever reads it may have read enough (`obole … | head`).
pub fn say(text: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Something beside what was asked for, on standard error, so that a program can read standard output.
#[expect(clippy::print_stderr, reason = "for the person at the terminal, beside what a program reads")]
pub fn say_aside(text: &str) {
    eprintln!("{text}");
}

/// How many columns a person sees; where nobody looks, as many as are read with ease.
pub fn width() -> u16 {
    terminal_size::terminal_size().map_or(100, |(width, _)| width.0)
}

/// Returns on Ctrl-C or SIGTERM. A second Ctrl-C ends the process at once, which is as safe as a crash.
pub async fn asked_to_stop() {
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
    tokio::spawn(async {
        let _ = tokio::signal::ctrl_c().await;
        std::process::exit(130);
    });
}
