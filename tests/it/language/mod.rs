//! The order language, read through the line that the command line reads and writes.

#![allow(clippy::unwrap_used, reason = "a helper of a test that cannot go on is a failed test")]

mod abnf;
mod corpus;
mod decisions;
mod examples;
mod grammar;
mod hostile;
mod inputs;
mod promises;
mod properties;
mod suggestions;
mod vocabulary;
mod wire;
