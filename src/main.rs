//! The executable: reads the command line and turns the result into an exit code.

fn main() {}
