//! Obole from outside: adapters, sandbox and stories, in one binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bank;
