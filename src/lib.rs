//! Obole: payments that start from a public post.

pub mod clock;
pub mod entropy;
pub mod ids;
pub mod language;
pub mod money;
