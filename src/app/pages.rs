//! Where the pages are that a private message sends people to. Each but the claim asks for the passkey before
//! it shows or does anything.

use super::App;

/// The orders that wait, and how to confirm them without a message.
pub const INBOX: &str = "/me";
/// What being paid is, and how it is claimed or declined.
pub const CLAIM: &str = "/claim";
/// Every order ever given.
pub const HISTORY: &str = "/me";
/// The limits, and changing them.
pub const LIMITS: &str = "/me/settings";
/// The bank accounts, and the consents given there.
pub const BANK: &str = "/me/settings";
/// Deleting everything that is known.
pub const ERASE: &str = "/me/erase";
/// Getting everything that is known.
pub const EXPORT: &str = "/me/export";

impl App {
    /// The address of a page of ours.
    pub fn page(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }
}
