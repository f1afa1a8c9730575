//! What the stories are told with: databases to tell them on, and an application whose verbs a person would say.

pub(crate) mod app;
pub(crate) mod authenticator;
pub(crate) mod connected;
pub(crate) mod database;
pub(crate) mod proxy;
pub(crate) mod stories;
