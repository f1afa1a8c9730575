//! Mentions: the handles of each platform, and the ones that are nearly such (section 4.3).
//!
//! A handle that could be read two ways (`@bob.Thanks`: a name and a sentence, or a domain?) is *bad*: it is a mention, but
//! nobody is ever paid by it.

use nom::IResult;
use nom::Parser as _;
use nom::bytes::complete::{tag, take_while_m_n, take_while1};
use nom::character::complete::{char, satisfy};
use nom::combinator::{opt, recognize, verify};
use nom::multi::many0_count;
use nom::sequence::{pair, preceded};

use super::Platform;
use super::characters::{Class, ascii_run, characters};

/// The longest label of a domain name (RFC 1035).
const LABEL_LENGTH: usize = 63;

/// What stands at a place that begins a mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FoundMention<'t> {
    /// How many bytes it takes, sign included.
    pub(super) length: usize,
    /// The handle without its sign, as written; none if the mention is bad.
    pub(super) handle: Option<&'t str>,
}

/// The mention at `at`, if one stands there; `visible` ends where the next mask starts.
pub(super) fn mention_at(visible: &str, at: usize, platform: Platform) -> Option<FoundMention<'_>> {
    let (before, here) = visible.split_at(at);
    let before = before.chars().next_back();
    if before.is_some_and(goes_before_e_mail) {
        return None;
    }
    let link = platform == Platform::Nostr && here.starts_with(NOSTR_LINK);
    let hindered = before.is_some_and(makes_bad);
    let shape = if link { handle(here, platform) } else { mention(here, platform) };
    match shape {
        Ok((rest, handle)) if !hindered && !goes_on(rest) => {
            Some(FoundMention { length: here.len() - rest.len(), handle: Some(handle) })
        }
        // Every shape begins with a letter, a digit or `_`; a sign before anything else is no mention at all.
        _ if link || begins_name(here) => Some(FoundMention { length: bad_length(here), handle: None }),
        _ => None,
    }
}

/// Whether a sign and what could be a name stand here.
fn begins_name(here: &str) -> bool {
    at(here).is_ok_and(|(name, _)| name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
}

/// Whether a sign right after `before` begins no mention of a handle.
pub(super) fn is_hindered(before: &str) -> bool {
    before.chars().next_back().is_some_and(|c| goes_before_e_mail(c) || makes_bad(c))
}

/// What makes the sign after it a part of an address.
fn goes_before_e_mail(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// What makes the mention after it bad.
fn makes_bad(c: char) -> bool {
    matches!(c, '!' | '#' | '＃' | '$' | '%' | '&' | '*' | '@' | '＠' | '=' | '/')
}

/// How Nostr clients write a handle as a link.
const NOSTR_LINK: &str = "nostr:npub1";

/// Whether what follows a handle makes it a part of something else.
fn goes_on(rest: &str) -> bool {
    let word = |text: &str| characters().first_class(text).is(Class::WORD);
    let mut after = rest.chars();
    match after.next() {
        Some('_' | '@' | '＠') => true,
        Some(':') => rest.starts_with("://"),
        Some('.' | '-') => word(after.as_str()) || after.as_str().starts_with('_'),
        Some('/') => word(after.as_str()) || after.as_str().starts_with(['@', '＠']),
        _ => word(rest),
    }
}

/// A bad mention runs to white space, less what usually ends a sentence.
fn bad_length(here: &str) -> usize {
    let space = here.char_indices().find(|(_, c)| characters().class(*c).is(Class::SPACE));
    let run = space.map_or(here, |(end, _)| &here[..end]);
    run.trim_end_matches(['.', ',', ':', ';', '!', '?', '\'', '"', ')', '(', '-', '/']).len()
}

/// One shape per platform. Gives the handle without signs.
#[inline]
fn handle(input: &str, platform: Platform) -> IResult<&str, &str> {
    match platform {
        Platform::X => x_name(input),
        Platform::Mastodon => fedi_name(input),
        Platform::Bluesky => domain(input),
        Platform::Nostr => preceded(opt(tag("nostr:")), npub).parse(input),
    }
}

/// `mention = at ( x-name / fedi-name / domain / npub )`, by platform.
fn mention(input: &str, platform: Platform) -> IResult<&str, &str> {
    preceded(at, |name| handle(name, platform)).parse(input)
}

/// `at = "@" / %xFF20`
pub(super) fn at(input: &str) -> IResult<&str, char> {
    satisfy(|c| matches!(c, '@' | '＠')).parse(input)
}

/// `x-name = 1*15( ALPHA / DIGIT / "_" )`
pub(super) fn x_name(input: &str) -> IResult<&str, &str> {
    ascii_run(1, 15, name_char)(input)
}

/// `fedi-name = fedi-user [ "@" domain ]`
pub(super) fn fedi_name(input: &str) -> IResult<&str, &str> {
    recognize(pair(fedi_user, opt(preceded(char('@'), domain)))).parse(input)
}

/// `fedi-user = 1*name-char *( 1*( "." / "-" ) 1*name-char )`
pub(super) fn fedi_user(input: &str) -> IResult<&str, &str> {
    let name = || ascii_run(1, usize::MAX, name_char);
    let more = pair(take_while1(|c| matches!(c, '.' | '-')), name());
    recognize(pair(name(), many0_count(more))).parse(input)
}

/// `domain = 1*( label "." ) tld`, the longest that fits.
pub(super) fn domain(input: &str) -> IResult<&str, &str> {
    let mut longest = None;
    let mut rest = input;
    let mut labels = 0;
    while let Ok((after, _)) = label(rest) {
        if labels > 0 && tld(rest).is_ok() {
            longest = Some(input.len() - after.len());
        }
        labels += 1;
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None => break,
        }
    }
    match longest {
        Some(end) => Ok((&input[end..], &input[..end])),
        None => Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Verify))),
    }
}

/// `label = alnum [ *61( alnum / "-" ) alnum ]`
pub(super) fn label(input: &str) -> IResult<&str, &str> {
    let letters = input.find(|c: char| !(alnum(c) || c == '-')).map_or(input, |end| &input[..end]);
    let label = letters.trim_end_matches('-');
    if label.is_empty() || label.starts_with('-') || label.len() > LABEL_LENGTH {
        return Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::Verify)));
    }
    Ok((&input[label.len()..], label))
}

/// `tld = ALPHA [ *61( alnum / "-" ) alnum ]`
pub(super) fn tld(input: &str) -> IResult<&str, &str> {
    verify(label, |label: &str| label.starts_with(|c: char| c.is_ascii_alphabetic())).parse(input)
}

/// `npub = %s"npub1" 58bech32`
pub(super) fn npub(input: &str) -> IResult<&str, &str> {
    recognize(pair(tag("npub1"), take_while_m_n(58, 58, bech32))).parse(input)
}

/// `name-char = ALPHA / DIGIT / "_"`
pub(super) fn name_char(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

/// `alnum = ALPHA / DIGIT`
pub(super) fn alnum(c: char) -> bool {
    c.is_ascii_alphanumeric()
}

/// `bech32 = "0" / %x32-39 / %x61 / %x63-68 / %x6A-6E / %x70-7A`
pub(super) fn bech32(c: char) -> bool {
    matches!(c, '0' | '2'..='9' | 'a' | 'c'..='h' | 'j'..='n' | 'p'..='z')
}

/// A bot's own name, as it is compared: its handle, and its user name alone where the handle has a domain.
pub(super) fn bot_name(handle: &str, bot: &str) -> bool {
    let starts = bot.get(..handle.len()).is_some_and(|start| handle.eq_ignore_ascii_case(start));
    starts && !handle.is_empty() && matches!(bot.as_bytes().get(handle.len()), None | Some(b'@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, platform: Platform) -> Option<(&str, bool)> {
        let at = text.find(['@', '＠']).or_else(|| text.find("nostr:"))?;
        let found = mention_at(text, at, platform)?;
        Some((&text[at..at + found.length], found.handle.is_some()))
    }

    fn good(text: &str, platform: Platform) -> Option<&str> {
        found(text, platform).filter(|(_, good)| *good).map(|(mention, _)| mention)
    }

    fn bad(text: &str, platform: Platform) -> Option<&str> {
        found(text, platform).filter(|(_, good)| !*good).map(|(mention, _)| mention)
    }

    #[test]
    fn a_handle_has_its_platforms_shape() {
        use Platform::{Bluesky, Mastodon, Nostr, X};
        assert_eq!(good("@Bob_1, x", X), Some("@Bob_1"));
        assert_eq!(good("＠bobに", X), Some("＠bob"));
        assert_eq!(good("@bob.", X), Some("@bob"));
        assert_eq!(good("@abcdefghijklmno", X), Some("@abcdefghijklmno"));
        assert_eq!(bad("@abcdefghijklmnop!", X), Some("@abcdefghijklmnop"));
        assert_eq!(good("@a.b-c@mastodon.example.", Mastodon), Some("@a.b-c@mastodon.example"));
        assert_eq!(good("@bob", Mastodon), Some("@bob"));
        assert_eq!(good("@bob.Thanks", Mastodon), Some("@bob.Thanks"));
        assert_eq!(bad("@bob@mastodon", Mastodon), Some("@bob@mastodon"));
        assert_eq!(bad("@bob@mastodon.1x ", Mastodon), Some("@bob@mastodon.1x"));
        assert_eq!(good("@bob.example", Bluesky), Some("@bob.example"));
        assert_eq!(good("@b-b.x1.example!", Bluesky), Some("@b-b.x1.example"));
        assert_eq!(bad("@bob", Bluesky), Some("@bob"));
        assert_eq!(bad("@bob.example.1", Bluesky), Some("@bob.example.1"));
        let npub = format!("npub1{}", "q".repeat(58));
        assert_eq!(good(&format!("@{npub} x"), Nostr), Some(format!("@{npub}").as_str()));
        assert_eq!(good(&format!("nostr:{npub}"), Nostr), Some(format!("nostr:{npub}").as_str()));
        assert_eq!(bad(&format!("@{npub}q"), Nostr), Some(format!("@{npub}q").as_str()));
        assert_eq!(bad("@bob", Nostr), Some("@bob"));
    }

    #[test]
    fn what_touches_a_mention_spoils_it_or_makes_it_none() {
        for text in ["a@bob", "1@bob", "_@bob", "@ bob", "@é"] {
            assert_eq!(found(text, Platform::X), None, "{text}");
        }
        for sign in "!#＃$%&*=/".chars() {
            let text = format!("{sign}@bob.");
            assert_eq!(bad(&text, Platform::X), Some("@bob"), "{text}");
        }
        for (text, span) in [
            ("@bobé", "@bobé"),
            ("@bob@x", "@bob@x"),
            ("@bob://x", "@bob://x"),
            ("@bob.Thanks", "@bob.Thanks"),
            ("@bob._", "@bob._"),
            ("@bob-x)", "@bob-x"),
            ("@bob/list,", "@bob/list"),
            ("@bob/@x", "@bob/@x"),
            ("@bob\u{fe0f}", "@bob\u{fe0f}"),
        ] {
            assert_eq!(bad(text, Platform::X), Some(span), "{text}");
        }
        for text in ["@bob: ", "@bob...", "@bob/ ", "@bob's", "@bob)", "(@bob", "é@bob", "@bob🍕", "@bob円"] {
            assert!(good(text, Platform::X).is_some(), "{text}");
        }
    }

    #[test]
    fn the_bot_is_known_by_its_handle_or_its_user_name_alone() {
        assert!(
            bot_name("Obole", "obole")
                && bot_name("obole", "obole@pay.example")
                && bot_name("OBOLE@Pay.example", "obole@pay.example")
        );
        assert!(
            !bot_name("obole@other.example", "obole@pay.example") && !bot_name("obole@x.example", "obole") && !bot_name("", "")
        );
    }

    #[test]
    fn a_mention_of_the_grammar_is_a_sign_and_a_shape() {
        assert_eq!(mention("＠bob x", Platform::X), Ok((" x", "bob")));
        assert!(mention("bob", Platform::X).is_err());
    }
}
