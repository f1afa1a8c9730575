//! Everything that is tested from outside a module, in one binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bank;
mod bench;
mod browser;
mod directory;
mod language;
mod language_command;
mod language_pages;
mod layers;
mod lifecycle;
mod mastodon;
mod order;
mod person;
mod replay;
mod story;
mod support;
mod town;
mod web;
