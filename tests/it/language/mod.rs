//! The order language, read through the line that the command line reads and writes.

mod examples;
