//! The executable with bugs on purpose: `obole-planted simulate --planted` has to find every one of them.
//!
//! It has a name of its own, so that nobody takes it for the real one.

use obole::exit::ExitCode;

fn main() -> ExitCode {
    obole::cli::main()
}
