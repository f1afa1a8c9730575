//! Everything that is tested from outside a module, in one binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit;
mod bank;
mod browser;
mod directory;
mod language;
mod layers;
mod mastodon;
mod operate;
mod order;
mod person;
mod reconcile;
mod replay;
mod story;
mod support;
mod town;
mod web;
