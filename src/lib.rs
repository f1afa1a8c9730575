//! Obole: payments that start from a public post.

pub mod clock;
pub mod entropy;
pub mod iban;
pub mod ids;
pub mod language;
pub mod money;
pub mod order;
pub mod people;

#[cfg(feature = "service")]
pub mod app;
#[cfg(feature = "service")]
pub mod bank;
#[cfg(feature = "service")]
pub mod config;
#[cfg(feature = "service")]
pub mod exit;
#[cfg(feature = "service")]
pub mod limits;
#[cfg(feature = "service")]
pub mod messages;
#[cfg(feature = "service")]
pub mod platform;
#[cfg(feature = "service")]
pub mod replay;
#[cfg(feature = "service")]
pub mod sandbox;
#[cfg(feature = "service")]
pub mod serve;
#[cfg(feature = "service")]
pub mod store;
#[cfg(feature = "service")]
pub mod telemetry;
#[cfg(feature = "service")]
pub mod terminal;
