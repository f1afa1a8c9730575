//! Tests of the whole, from outside.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that meets the unexpected shall fail there")]

mod town;
