//! A small bank with accounts and memory.
