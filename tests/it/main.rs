//! Everything that is tested from outside a module, in one binary.

mod order;
mod town;
