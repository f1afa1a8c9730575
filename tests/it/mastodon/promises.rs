//! What the way from a status' HTML to its text promises for every status, however odd: asked of the corpus that fuzzing has found
//! (`corpus`), and of what the fuzzer makes up (`fuzz/`).

use obole::language::{Campaigns, Channel, Context, Platform, Reading, read};
use obole::money::Currency;

/// Whom every status here mentions: id, `acct` and address. The instance is `pay.example`.
pub(super) const MENTIONS: [(&str, &str, &str); 3] = [
    ("1", "obole", "https://pay.example/@obole"),
    ("2", "Bob@social.example", "https://social.example/@Bob"),
    ("3", "carol", "https://pay.example/@carol"),
];

/// Elements whose content never orders anything. A link is here, too: its text never pays.
const COVERED: [(&str, &str); 18] = [
    ("<code>", "</code>"),
    ("<del>", "</del>"),
    ("<s>", "</s>"),
    ("<sub>", "</sub>"),
    ("<sup>", "</sup>"),
    ("<q>", "</q>"),
    ("<kbd>", "</kbd>"),
    ("<blockquote>", "</blockquote>"),
    ("<pre>", "</pre>"),
    ("<ruby><rt>", "</rt></ruby>"),
    ("<span hidden>", "</span>"),
    ("<span class=\"x invisible\">", "</span>"),
    ("<b style=\"color:white\">", "</b>"),
    ("<template>", "</template>"),
    ("<p class=quote-inline>", "</p>"),
    ("<a href=\"https://x.example/\">", "</a>"),
    ("<a>", "</a>"),
    ("<a class=mention href=\"https://pay.example/@nobody\">", "</a>"),
];

/// The first byte chooses what is asked of the text that follows; `text_of` reads a status' HTML.
pub(super) fn check(bytes: &[u8], text_of: fn(&str) -> String) {
    let Some((question, rest)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    match usize::from(*question).checked_sub(2) {
        None if *question == 0 => check_any_html(&text, text_of),
        None => check_plain_text(&text, text_of),
        Some(place) => check_covered(&text, COVERED[place % COVERED.len()], text_of),
    }
}

fn reading(text: &str, channel: Channel) -> Reading {
    let campaigns: Campaigns = [("telethon", Some("afm@social.example"))].into_iter().collect();
    let context = Context {
        channel,
        platform: Platform::Mastodon,
        bot: "obole@pay.example",
        author: Some("alice@social.example"),
        is_repost: false,
        campaigns: &campaigns,
        currency: Currency::EUR,
    };
    read(text, &context)
}

/// Whatever it is, it is read, always in the same way, and does not grow beyond what its mentions and marks add.
fn check_any_html(html: &str, text_of: fn(&str) -> String) {
    let text = text_of(html);
    assert_eq!(text, text_of(html), "the same status gave two texts");
    assert!(text.len() <= 4 * html.len() + 32, "{html:?} became {text:?}");
    reading(&text, Channel::Post);
}

/// Text in which nothing is marked comes out as it was typed, but for its white space.
fn check_plain_text(typed: &str, text_of: fn(&str) -> String) {
    let words =
        |text: &str| text.split([' ', '\t', '\n', '\r', '\u{C}']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let typed: String = typed.chars().filter(|c| *c != '\0').collect();
    let text = text_of(&format!("<p>{}</p>", escaped(&typed)));
    assert_eq!(words(&text), words(&typed));
}

/// A sum, a recipient or a whole order inside of a covered element is neither read nor completes what stands around it.
fn check_covered(inner: &str, (open, close): (&str, &str), text_of: fn(&str) -> String) {
    let covered = format!("{open}{}{close}", escaped(inner));
    for (before, after) in [("", ""), ("@obole #send ", " @bob@social.example"), ("@obole #send 1", "€"), ("@obole #send 1", "0€")]
    {
        let text = text_of(&format!("<p>{before}{covered}{after}</p>"));
        for channel in [Channel::Post, Channel::Dm] {
            assert!(!matches!(reading(&text, channel), Reading::Order(_)), "{before}{covered}{after} became {text:?}, an order");
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
