//! From a status to a [`Post`].
//!
//! The text is the status' content and nothing else: a content warning, the options of a poll, descriptions of pictures, a quoted
//! post and a link's preview are not read.

use crate::ids::{AccountId, Channel, PostId};
use crate::platform::{Account, Mention, Post};

use super::text::extends_handle;
use super::{html, wire};

/// Who we are, as far as reading needs to know.
#[derive(Debug, Clone)]
pub(super) struct Home {
    /// The bot's user name, lower case.
    pub(super) bot_user: String,
    /// The domain of the bot's instance, lower case.
    pub(super) domain: String,
}

/// The account as the port wants it. Handles are `acct` in ASCII lower case: `user` on our own instance, `user@domain` elsewhere.
pub(super) fn account(account: &wire::Account) -> Account {
    Account {
        id: AccountId(account.id.clone()),
        handle: account.acct.to_ascii_lowercase(),
        display_name: account.display_name.clone(),
        is_bot: account.bot,
    }
}

/// The status as a post, or one sentence why it cannot be one.
pub(super) fn post(status: wire::Status, home: &Home) -> Result<Post, String> {
    let posted_at = status.created_at.parse().map_err(|_| format!("created_at is {:?}", status.created_at))?;
    let channel = if status.visibility == "direct" { Channel::Dm } else { Channel::Post };
    let text = html::to_text(&status.content, &status.mentions, &home.domain);
    Ok(Post {
        id: PostId(status.uri),
        native_id: status.id,
        channel,
        author: account(&status.account),
        text: match channel {
            Channel::Dm => without_bot(&text, home).to_owned(),
            Channel::Post => text,
        },
        mentions: status.mentions.iter().map(mention).collect(),
        is_repost: status.reblog.is_some(),
        in_reply_to: status.in_reply_to_id,
        posted_at,
        is_edited: status.edited_at.is_some(),
        url: status.url,
        language: status.language,
    })
}

fn mention(mention: &wire::Mention) -> Mention {
    Mention { handle: mention.acct.to_ascii_lowercase(), account: AccountId(mention.id.clone()) }
}

/// The text without the bot's own mentions at its start and at its end, however many; one in the middle stays, since taking it
/// out would join what it separates.
pub(super) fn without_bot<'a>(text: &'a str, home: &Home) -> &'a str {
    let handles = [format!("@{}@{}", home.bot_user, home.domain), format!("@{}", home.bot_user)];
    let mut rest = text.trim();
    loop {
        let shorter = handles.iter().find_map(|handle| strip_first(rest, handle).or_else(|| strip_last(rest, handle)));
        match shorter {
            Some(shorter) => rest = shorter,
            None => return rest,
        }
    }
}

fn strip_first<'a>(text: &'a str, handle: &str) -> Option<&'a str> {
    let (first, rest) = text.split_at_checked(handle.len())?;
    let ends = !extends_handle(rest) && !rest.starts_with(char::is_alphanumeric);
    (ends && first.eq_ignore_ascii_case(handle)).then(|| rest.trim_start_matches([',', ':']).trim_start())
}

fn strip_last<'a>(text: &'a str, handle: &str) -> Option<&'a str> {
    let (rest, last) = text.split_at_checked(text.len().checked_sub(handle.len())?)?;
    (last.eq_ignore_ascii_case(handle) && rest.ends_with(char::is_whitespace)).then(|| rest.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bots_own_mention_leaves_a_private_message() {
        let home = Home { bot_user: "obole".into(), domain: "pay.example".into() };
        let left = |text| without_bot(text, &home);
        assert_eq!(left("@obole OUI 482193"), "OUI 482193");
        assert_eq!(left("@Obole@PAY.example: @obole\nOUI 482193 @obole"), "OUI 482193");
        assert_eq!(left(" @obole "), "");
        assert_eq!(left("OUI 482193"), "OUI 482193");
        // Somebody else, or a separator.
        assert_eq!(left("@obole@evil.example OUI"), "@obole@evil.example OUI");
        assert_eq!(left("@obole2 OUI"), "@obole2 OUI");
        assert_eq!(left("@oboleé OUI"), "@oboleé OUI");
        assert_eq!(left("@obole\u{200B}x OUI"), "\u{200B}x OUI");
        assert_eq!(left("10@obole"), "10@obole");
        assert_eq!(left("#send 1 @obole 0€ @bob"), "#send 1 @obole 0€ @bob");
        assert_eq!(left("é"), "é");
    }
}
