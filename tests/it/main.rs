//! Everything that is tested from outside a module, in one binary. Without the feature `service` it holds the tests of the pure
//! rooms alone, which is what mutation testing builds again and again.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod language;
mod layers;
mod lifecycle;
mod order;

#[cfg(feature = "service")]
mod account;
#[cfg(feature = "service")]
mod audit;
#[cfg(feature = "service")]
mod bank;
#[cfg(feature = "service")]
mod bench;
#[cfg(feature = "service")]
mod bluesky;
#[cfg(feature = "service")]
mod browser;
#[cfg(feature = "service")]
mod commands;
#[cfg(feature = "service")]
mod directory;
#[cfg(feature = "service")]
mod invitations;
#[cfg(feature = "service")]
mod jetstream;
#[cfg(feature = "service")]
mod language_command;
#[cfg(feature = "service")]
mod language_pages;
#[cfg(feature = "service")]
mod mastodon;
#[cfg(feature = "service")]
mod mirror;
#[cfg(feature = "service")]
mod operate;
#[cfg(feature = "service")]
mod payees;
#[cfg(feature = "service")]
mod person;
#[cfg(feature = "service")]
mod reconcile;
#[cfg(feature = "service")]
mod replay;
#[cfg(feature = "service")]
mod settlement;
#[cfg(feature = "service")]
mod story;
#[cfg(feature = "service")]
mod support;
#[cfg(feature = "service")]
mod together;
#[cfg(feature = "service")]
mod town;
#[cfg(feature = "service")]
mod web;
#[cfg(feature = "service")]
mod webhook;
#[cfg(feature = "service")]
mod x;
