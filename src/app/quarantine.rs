//! Quarantine: one message that cannot be taken in does not stop the stream it came with.
//!
//! A stream's cursor moves with the commit of what it brought. So a message that no commit will ever take (a name that no database
//! holds, a bug in deciding about it) would be read again for ever, and everything behind it would wait. Two things prevent that: names
//! that cannot be kept are recognised at the door ([`sound`]), and a batch that fails by what it says, not by the state of the
//! database, is taken apart by the ledger ([`parts`]): each event alone, and only what fails alone is left out, loudly.

use crate::ids::PlatformName;
use crate::platform::{Account, Batch, PlatformEvent, Post};
use crate::store::StoreError;

/// The longest name of a post or an account: longer than any platform's, short enough for every index.
const LONGEST_NAME: usize = 1_024;

/// The batch without events whose names cannot be kept, and without characters in its other words that no database takes.
pub(super) fn sound(platform: &PlatformName, mut batch: Batch) -> Batch {
    batch.events.retain_mut(|event| {
        let is_sound = match event {
            PlatformEvent::Posted(post) => is_sound_post(post),
            PlatformEvent::Edited { native_id } | PlatformEvent::Deleted { native_id } => is_name(native_id),
            PlatformEvent::AccountChanged(account) => is_sound_account(account),
            PlatformEvent::Missed { .. } => true,
        };
        if !is_sound {
            tracing::warn!(platform.name = %platform, "an event whose names cannot be kept was left out");
        }
        is_sound
    });
    batch
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_control)
}

/// Mends what is only shown, and says whether what names something can be kept.
fn is_sound_post(post: &mut Post) -> bool {
    post.mentions.retain(|mention| is_name(&mention.account.0) && is_name(&mention.handle));
    post.url = post.url.take().filter(|url| is_name(url));
    post.in_reply_to = post.in_reply_to.take().filter(|id| is_name(id));
    post.language = post.language.take().filter(|tag| is_name(tag));
    is_sound_account(&mut post.author) && is_name(&post.id.0) && is_name(&post.native_id)
}

fn is_sound_account(account: &mut Account) -> bool {
    account.display_name = account.display_name.replace('\0', "\u{fffd}");
    is_name(&account.id.0) && (account.handle.is_empty() || is_name(&account.handle))
}

/// Each event of a batch alone, and its cursor at the end.
pub(super) fn parts(batch: &Batch) -> impl Iterator<Item = Batch> {
    let events = batch.events.iter().map(|event| Batch { events: vec![event.clone()], cursor: None });
    events.chain([Batch { events: Vec::new(), cursor: batch.cursor.clone() }])
}

/// Says which part was left out.
pub(super) fn leave_out(platform: &PlatformName, part: &Batch, error: &StoreError) {
    let event = part.events.first().map_or("cursor", name);
    tracing::error!(platform.name = %platform, event, %error, "an event cannot be taken in and was left out");
}

/// Which event it was, for whoever looks it up on the platform. No text of a person stands in the log.
fn name(event: &PlatformEvent) -> &str {
    match event {
        PlatformEvent::Posted(post) => &post.native_id,
        PlatformEvent::Edited { native_id } | PlatformEvent::Deleted { native_id } => native_id,
        PlatformEvent::AccountChanged(account) => &account.id.0,
        PlatformEvent::Missed { .. } => "gap",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Cursor;

    fn deleted(native_id: &str) -> PlatformEvent {
        PlatformEvent::Deleted { native_id: native_id.to_owned() }
    }

    fn batch(names: &[&str]) -> Batch {
        Batch { events: names.iter().map(|name| deleted(name)).collect(), cursor: Some(Cursor("7".to_owned())) }
    }

    #[test]
    fn names_that_no_database_keeps_are_left_out() {
        let long = "x".repeat(LONGEST_NAME + 1);
        assert_eq!(
            sound(&PlatformName::from("town"), batch(&["1", "a\0b", "", &long, "2\n", "3"])).events,
            [deleted("1"), deleted("3")]
        );
    }

    #[test]
    fn the_cursor_moves_last() {
        let parts: Vec<_> = parts(&batch(&["1", "2"])).map(|part| (part.events.len(), part.cursor.is_some())).collect();
        assert_eq!(parts, [(1, false), (1, false), (0, true)]);
    }
}
