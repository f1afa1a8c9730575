//! The executable: reads the command line and turns the result into an exit code.

use obole::exit::ExitCode;

fn main() -> ExitCode {
    obole::cli::main()
}
