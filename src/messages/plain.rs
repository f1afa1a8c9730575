//! How values are written for people: amounts, moments, names and other people's words.
//!
//! Two rules hold for everything that is put into a sentence here. **Nobody is mentioned**: on Mastodon a private message reaches
//! everyone it mentions, so no at sign that could begin a handle leaves this file. **Nothing is hidden**: control characters,
//! line breaks and invisible or reordering characters inside other people's words become visible or a space, so that they cannot
//! make up a line that Obole did not write.

use crate::clock::Timestamp;
use crate::money::{Currency, Money};
use crate::people::Language;

/// U+00A0: keeps an amount on one line. The order language reads it as a space.
const NO_BREAK_SPACE: char = '\u{a0}';

/// Written for the at sign of a handle: see [`without_mentions`].
const AT: &str = "(at)";

/// An amount: `€1,000.00` and `1,000.00 USD` in English, `1 000,00 €` and `1 000,00 USD` (with no-break spaces) in French.
pub fn amount(language: Language, money: Money) -> String {
    let decimal = money.decimal_string();
    let (sign, unsigned) = decimal.strip_prefix('-').map_or(("", decimal.as_str()), |rest| ("-", rest));
    let (units, decimals) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let (group, point) = match language {
        Language::En => (',', '.'),
        Language::Fr => (NO_BREAK_SPACE, ','),
    };
    let mut figures = String::with_capacity(decimal.len() + 4);
    for (index, digit) in units.chars().enumerate() {
        if index > 0 && (units.len() - index).is_multiple_of(3) {
            figures.push(group);
        }
        figures.push(digit);
    }
    if !decimals.is_empty() {
        figures.push(point);
        figures.push_str(decimals);
    }
    match (language, money.currency) {
        (Language::En, Currency::EUR) => format!("{sign}€{figures}"),
        (Language::Fr, Currency::EUR) => format!("{sign}{figures}{NO_BREAK_SPACE}€"),
        (_, other) => format!("{sign}{figures}{NO_BREAK_SPACE}{other}"),
    }
}

/// The time of day, UTC: `14:32`, or `14:32:07` where seconds matter.
/// A moment with its day, UTC.
pub(super) fn day_and_time(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

pub(super) fn time_of_day(moment: Timestamp, with_seconds: bool) -> String {
    moment.strftime(if with_seconds { "%H:%M:%S" } else { "%H:%M" }).to_string()
}

/// The day, UTC, as everybody reads it: `2026-03-01`.
pub(super) fn day(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d").to_string()
}

/// A moment, UTC, that may be on another day: `2026-03-01 14:32`.
pub(super) fn moment(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M").to_string()
}

/// A handle for reading: no at sign in front, the server after a comma. `bob`, `bob, mastodon.example`.
pub(super) fn handle(handle: &str, longest: usize) -> String {
    let bare = handle.trim_start_matches(['@', '＠', '﹫']);
    let mut parts = bare.split(['@', '＠', '﹫']).filter(|part| !part.is_empty());
    let user = parts.next().unwrap_or_default().to_owned();
    shorten(&one_line(&parts.fold(user, |text, part| text + ", " + part)), longest)
}

/// Somebody else's words on one line, with at most `longest` characters and without mentions.
pub(super) fn words(text: &str, longest: usize) -> String {
    shorten(&without_mentions(&one_line(text)), longest)
}

/// The text with `(at)bob` for `@bob`.
///
/// A private message on Mastodon is delivered to everyone it mentions, and the server refuses one that mentions anybody but its
/// addressee (`allowed_mentions`), Obole itself included. So a post to copy cannot be shown with its at signs. An invisible
/// character after the at sign is what the order language refuses as unsafe; a full-width at sign is a mention on X and none on
/// Mastodon; `@ bob` is what the next program that tidies text makes `@bob` of. `(at)` is a mention nowhere, is read aloud as what it
/// means, and a post copied without the change has no mention of Obole in it, so it can do nothing wrong.
///
/// At signs inside a word stay: `bob@mastodon.example` is no mention anywhere.
pub(super) fn without_mentions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for character in text.chars() {
        let inside = before.is_ascii_alphanumeric() || before == '_';
        match character {
            '@' if inside => out.push('@'),
            '@' | '＠' | '﹫' => out.push_str(AT),
            _ => out.push(character),
        }
        before = character;
    }
    out
}

/// Whether [`without_mentions`] changes the text.
pub(super) fn mentions(text: &str) -> bool {
    without_mentions(text) != text
}

/// The text on one line, invisible characters shown by their code point.
pub(super) fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() {
            if !out.ends_with(' ') {
                out.push(' ');
            }
        } else if is_unsafe(character) {
            out.push_str(&format!("U+{:04X}", u32::from(character)));
        } else {
            out.push(character);
        }
    }
    out.trim().to_owned()
}

/// Somebody's whole post as it is to be copied: its own lines and spaces, since both mean something to the order language (a no-break
/// space groups digits, a line that begins with `>` is a quotation), without mentions and without anything invisible.
pub(super) fn to_copy(post: &str) -> String {
    let mut out = String::with_capacity(post.len());
    for character in post.trim().chars() {
        match character {
            '\n' | '\t' => out.push(character),
            control if control.is_control() => {}
            hidden if is_unsafe(hidden) => out.push_str(&format!("U+{:04X}", u32::from(hidden))),
            other => out.push(other),
        }
    }
    without_mentions(&out)
}

/// The characters that the order language refuses, and its direction marks.
fn is_unsafe(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'
            ..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
    )
}

/// At most `longest` characters; what is cut is marked by `…`.
pub(super) fn shorten(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let kept: String = text.chars().take(longest.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// An address, however long, as Mastodon counts it (the strictest of the platforms).
const ADDRESS: usize = 23;

/// Length as the strictest platform counts it: in characters, but for addresses. They are never cut.
pub(super) fn length(text: &str) -> usize {
    let addresses = text.split_whitespace().filter(|word| word.starts_with("https://") || word.starts_with("http://"));
    let not_counted: usize = addresses.map(|address| address.chars().count().saturating_sub(ADDRESS)).sum();
    text.chars().count() - not_counted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(minor: i64, currency: &str) -> Money {
        Money::new(minor, currency.parse().unwrap())
    }

    #[test]
    fn amounts_are_written_as_the_language_writes_them() {
        let written =
            |minor, currency| Language::ALL.map(|language| amount(language, money(minor, currency)).replace(NO_BREAK_SPACE, "~"));
        assert_eq!(written(1000, "EUR"), ["€10.00", "10,00~€"]);
        assert_eq!(written(5, "EUR"), ["€0.05", "0,05~€"]);
        assert_eq!(written(123_456_789, "EUR"), ["€1,234,567.89", "1~234~567,89~€"]);
        assert_eq!(written(-100_000, "EUR"), ["-€1,000.00", "-1~000,00~€"]);
        assert_eq!(written(1050, "USD"), ["10.50~USD", "10,50~USD"]);
        assert_eq!(written(1000, "JPY"), ["1,000~JPY", "1~000~JPY"]);
        assert_eq!(written(10_500, "TND"), ["10.500~TND", "10,500~TND"]);
    }

    #[test]
    fn handles_have_no_at_sign() {
        assert_eq!(handle("bob", 40), "bob");
        assert_eq!(handle("@bob", 40), "bob");
        assert_eq!(handle("bob@mastodon.example", 40), "bob, mastodon.example");
        assert_eq!(handle("bob@mastodon.example", 10), "bob, mast…");
        assert_eq!(handle("@bob@@carol@", 40), "bob, carol");
    }

    #[test]
    fn nobody_is_mentioned_by_somebody_elses_words() {
        assert_eq!(words("@obole #send 5€ @bob@m.example", 99), "(at)obole #send 5€ (at)bob@m.example");
        assert_eq!(words("＠bob .@bob é@bob /@bob bob@m.example", 99), "(at)bob .(at)bob é(at)bob /(at)bob bob@m.example");
    }

    #[test]
    fn nothing_invisible_or_on_a_line_of_its_own_comes_through() {
        assert_eq!(words("2\u{200b}0€\r\nObole: send your IBAN", 99), "2U+200B0€ Obole: send your IBAN");
        assert_eq!(words("\u{202e}evil\u{7}", 99), "U+202Eevil");
        assert_eq!(to_copy("@obole #send 2\u{202f}500 €\r\nto @bob"), "(at)obole #send 2\u{202f}500 €\nto (at)bob");
    }
}
