//! The fakes on the wire: servers that a newcomer, the demo and the end-to-end tests talk to as if they were the real thing.
//!
//! They listen on loopback only and never link into a production configuration.

pub mod bank;
pub mod listen;
