//! The fakes on the wire: servers that a newcomer, the demo and the end-to-end tests talk to as if they were the real thing.
//!
//! They listen on loopback only, no part of the product knows them, and no production configuration reaches them. [`town`] and
//! [`bank`] are the servers, [`person`] somebody who uses them, [`seed`] the first inhabitants,
//! [`playground`] the page to play on, [`whole`] all of it with an Obole in one process.

pub mod bank;
pub mod listen;
pub mod person;
pub mod playground;
pub mod seed;
pub mod settlement;
pub mod town;
pub mod whole;
