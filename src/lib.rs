//! Obole: payments that start from a public post.
//!
//! A payer writes `@obole #donner 10€ @croixrouge #telethon`; Obole reads it in the stream, asks the payer by private message, and,
//! once the payer has answered with the code, has the payer's bank pay. It never holds money: it *initiates* payments.
//!
//! # The life of one post
//!
//! ```text
//!  platform ─▶ app::intake ─▶ language ─▶ order ─▶ store      text → command → order, audit and effects in one commit
//!     ▲                                     ▲
//!     │ dispatch: private message           │ the payer's OUI 482193 (app::confirm)
//!     │                                     │
//!  app::dispatch ◀── effects ◀── store ─────┘
//!     │
//!     └─▶ app::settle ─▶ bank ─▶ order ─▶ store ─▶ receipt     `Submitting` and the key are committed before the bank is called
//! ```
//!
//! # The rooms, from the ground up
//!
//! | room | what is in it |
//! |---|---|
//! | [`money`], [`iban`], [`ids`], [`clock`], [`entropy`] | values everyone may use; time and chance are parameters |
//! | [`language`] | text → command, near miss or nothing; pure |
//! | [`people`] | who pays, who is paid, how one becomes known; pure |
//! | [`order`] | states, events, effects, and the one function that decides; pure |
//! | [`store`] | SQLite or PostgreSQL: the truth |
//! | [`platform`], [`bank`] | the ports: trait, real adapters, and a fake with memory |
//! | [`limits`], [`messages`] | the rates we keep to; every sentence sent to a person |
//! | [`app`] | the verbs that join the above |
//! | [`web`], [`serve`], [`config`], [`cli`] and what they stand on | the edges |
//! | [`sandbox`], [`demo`], [`mod@bench`] | the fakes on the wire, people who use them, what it all costs; named by `cli` only |
//! | [`conformance`] | whether a settlement backend keeps Obole's protocol; named by `cli` only |
//! | [`simulate`] | the whole lifecycle in worlds where everything goes wrong; named by `cli` only |
//!
//! Imports go one way, from the bottom of this table to its top; a test keeps it so (`tests/it/layers.rs`).

pub mod clock;
pub mod entropy;
pub mod iban;
pub mod ids;
pub mod language;
pub mod money;
pub mod order;
pub mod people;
mod planted;

#[cfg(feature = "service")]
pub mod app;
#[cfg(feature = "service")]
pub mod bank;
#[cfg(feature = "service")]
pub mod bench;
#[cfg(feature = "service")]
pub mod cli;
#[cfg(feature = "service")]
pub mod config;
#[cfg(feature = "service")]
pub mod conformance;
#[cfg(feature = "service")]
mod crash;
#[cfg(feature = "service")]
pub mod demo;
#[cfg(feature = "service")]
pub mod exit;
#[cfg(feature = "service")]
pub mod limits;
#[cfg(feature = "service")]
pub mod messages;
#[cfg(feature = "service")]
mod ownership;
#[cfg(feature = "service")]
pub mod platform;
#[cfg(feature = "service")]
pub mod replay;
#[cfg(feature = "service")]
pub mod sandbox;
#[cfg(feature = "service")]
pub mod serve;
#[cfg(feature = "service")]
pub mod simulate;
#[cfg(feature = "service")]
pub mod store;
#[cfg(feature = "service")]
pub mod telemetry;
#[cfg(feature = "service")]
pub mod terminal;
#[cfg(feature = "service")]
pub mod web;
