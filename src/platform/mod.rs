//! Social networks: posts in, replies and private messages out.

pub mod fake;
