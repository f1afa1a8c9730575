//! The fakes on the wire, for the default run, the demonstration and the end-to-end tests. No part of the product knows them.

pub mod town;
