//! The tests that need more than one module, as one binary.

mod mastodon;
