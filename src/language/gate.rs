//! The gate: posts that cannot concern us are dropped for next to nothing (section 2).
//!
//! Nearly all posts end here, so nothing is allocated and no token is made. The gate only ever errs by letting a post
//! through; what it drops, the language would have answered with silence.

use memchr::{memchr3_iter, memmem};
use unicode_normalization::UnicodeNormalization as _;

use super::characters::{Class, characters};
use super::command::VerbKind;
use super::hashtag::tag_char;
use super::vocabulary::{TagRole, vocabulary};
use super::{Channel, Context};

/// The longest text that is read, in bytes.
pub(super) const LONGEST_TEXT: usize = 32_768;

/// Longer names of hashtags are not compared with verbs.
pub(super) const LONGEST_VERB: usize = 64;

/// Whether a public post can concern the processor: it holds a hash sign or the bot's handle.
pub fn would_concern(text: &str, bot: &str) -> bool {
    let bytes = text.as_bytes();
    let user = bot.split_once('@').map_or(bot, |(user, _)| user);
    memchr3_iter(b'#', b'@', FULL_WIDTH, bytes).any(|at| match sign_at(bytes, at) {
        Some((Sign::Hash, _)) => true,
        Some((Sign::At, name)) => starts_with(bytes, name, user),
        None => false,
    }) || linked(bytes, bot)
}

/// Whether a public post can be an order, whatever campaigns there are: it names the bot, or holds a verb that gives. Where a whole network's
/// posts pass, this leaves next to nothing of those that merely hold a hash sign.
pub fn may_order(text: &str, bot: &str) -> bool {
    let bytes = text.as_bytes();
    let user = bot.split_once('@').map_or(bot, |(user, _)| user);
    memchr3_iter(b'#', b'@', FULL_WIDTH, bytes).any(|at| match sign_at(bytes, at) {
        Some((Sign::Hash, name)) => gives(&text[name..]),
        Some((Sign::At, name)) => starts_with(bytes, name, user),
        None => false,
    }) || linked(bytes, bot)
}

/// As [`would_concern`], and, where the bot is not named, it holds a verb that gives.
pub(super) fn concerns(text: &str, context: &Context<'_>) -> bool {
    if context.channel == Channel::Dm {
        return true;
    }
    let bytes = text.as_bytes();
    let user = context.bot.split_once('@').map_or(context.bot, |(user, _)| user);
    let campaigns = !context.campaigns.is_empty();
    memchr3_iter(b'#', b'@', FULL_WIDTH, bytes).any(|at| match sign_at(bytes, at) {
        Some((Sign::Hash, name)) => campaigns && gives(&text[name..]),
        Some((Sign::At, name)) => starts_with(bytes, name, user),
        None => false,
    }) || linked(bytes, context.bot)
}

/// The lead byte of `＃` and `＠`.
const FULL_WIDTH: u8 = 0xEF;

enum Sign {
    Hash,
    At,
}

/// The sign at a byte that could begin one, and where the name after it starts.
fn sign_at(bytes: &[u8], at: usize) -> Option<(Sign, usize)> {
    match bytes[at..] {
        [b'#', ..] => Some((Sign::Hash, at + 1)),
        [b'@', ..] => Some((Sign::At, at + 1)),
        [FULL_WIDTH, 0xBC, 0x83, ..] => Some((Sign::Hash, at + 3)),
        [FULL_WIDTH, 0xBC, 0xA0, ..] => Some((Sign::At, at + 3)),
        _ => None,
    }
}

fn starts_with(bytes: &[u8], at: usize, name: &str) -> bool {
    let here = bytes.get(at..at + name.len());
    // Nostr's handles may carry their scheme behind the sign.
    here.is_some_and(|here| here.eq_ignore_ascii_case(name.as_bytes())) || bytes[at..].starts_with(b"nostr:")
}

/// Nostr's handles are also written as links, without a sign.
fn linked(bytes: &[u8], bot: &str) -> bool {
    bot.starts_with("npub1") && memmem::find(bytes, bot.as_bytes()).is_some()
}

/// Whether a verb that gives starts here.
fn gives(text: &str) -> bool {
    let end = text.find(|c| !tag_char(c)).unwrap_or(text.len());
    let mut folded = [0; LONGEST_VERB];
    let name = fold_name(&text[..end], &mut folded);
    matches!(name.and_then(|name| vocabulary().tag(name)), Some(TagRole::Verb(VerbKind::Give, _)))
}

/// The folded name, without allocating; none if it is too long for a verb.
fn fold_name<'b>(name: &str, buffer: &'b mut [u8; LONGEST_VERB]) -> Option<&'b str> {
    if name.is_ascii() || name.chars().all(|c| c.is_ascii() || characters().class(c).is(Class::FOLDED)) {
        let place = buffer.get_mut(..name.len())?;
        place.copy_from_slice(name.as_bytes());
        place.make_ascii_lowercase();
        return std::str::from_utf8(place).ok();
    }
    let mut length = 0;
    for c in name.nfkc().flat_map(char::to_lowercase).nfkc() {
        let place = buffer.get_mut(length..length + c.len_utf8())?;
        length += c.encode_utf8(place).len();
    }
    std::str::from_utf8(&buffer[..length]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_sign_or_the_bots_handle_opens_the_gate() {
        for text in ["#a", "＃a", "x # y", "hi @Obole", "＠OBOLE", "@obole@pay.example"] {
            assert!(would_concern(text, "obole@pay.example"), "{text}");
        }
        for text in ["", "obole", "@ob", "@bob hi", "！＠x", "20€"] {
            assert!(!would_concern(text, "obole"), "{text}");
        }
        let npub = format!("npub1{}", "q".repeat(58));
        assert!(would_concern(&format!("gm nostr:{npub}"), &npub));
        assert!(would_concern(&format!("gm @nostr:{npub}"), &npub));
    }

    #[test]
    fn a_hashtag_without_a_verb_that_gives_orders_nothing() {
        for text in ["#donner 10€ #telethon", "＃give 5€", "#GIVE", "@obole.example hi", "x #chat #donner"] {
            assert!(may_order(text, "obole.example"), "{text}");
        }
        for text in ["#caturday", "#pay 5€ @bob", "10 # donner", "@bob #monday"] {
            assert!(!may_order(text, "obole.example"), "{text}");
        }
    }

    #[test]
    fn names_fold_in_place() {
        let mut buffer = [0; LONGEST_VERB];
        assert_eq!(fold_name("ＤOＮＡTE", &mut buffer), Some("donate"));
        assert_eq!(fold_name("Doac\u{327}a\u{303}o", &mut buffer), Some("doação"));
        assert_eq!(fold_name("Überweisen", &mut buffer), Some("überweisen"));
        assert_eq!(fold_name("ПЕРЕВОД", &mut buffer), Some("перевод"));
        assert_eq!(fold_name("Été寄付", &mut buffer), Some("été寄付"));
        assert_eq!(fold_name("SEND送金", &mut buffer), Some("send送金"));
        assert_eq!(fold_name(&"a".repeat(65), &mut buffer), None);
        assert_eq!(fold_name(&"円".repeat(22), &mut buffer), None);
    }
}
