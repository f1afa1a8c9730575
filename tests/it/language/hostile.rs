//! Posts that want to be read as something else than they show. Where the list of attacks and the specification differ, the
//! specification stands; the ones that the text alone cannot decide (copies, edits, look-alikes of known payees) are not here.

use serde_json::json;

use super::examples::answer;

/// A post in the place of the base post's sum, and what it gives: a code, `none`, or minor units.
const SUMS: [(&str, &str); 41] = [
    // Full-width and other served digits are read (5.1); the list would refuse them.
    ("１０€", "1000"),
    ("١٠€", "1000"),
    ("१०€", "1000"),
    ("߁߀€", "E_AMOUNT_UNREADABLE"),
    ("10²€", "E_AMOUNT_UNREADABLE"),
    ("𝟏𝟎€", "E_AMOUNT_UNREADABLE"),
    // Not numerals at all.
    ("①⓪€", "E_AMOUNT_MISSING"),
    ("Ⅹ€", "E_AMOUNT_MISSING"),
    ("½€", "E_AMOUNT_MISSING"),
    ("1️⃣0️⃣€", "E_AMOUNT_UNREADABLE"),
    ("1\u{200b}0€", "E_TEXT_UNSAFE"),
    ("1\u{2060}0€", "E_TEXT_UNSAFE"),
    ("1\u{ad}0€", "E_TEXT_UNSAFE"),
    ("\u{202e}01€", "E_TEXT_UNSAFE"),
    ("1\u{200f}0€", "E_TEXT_UNSAFE"),
    ("1\u{e0030}5€", "E_TEXT_UNSAFE"),
    ("1\u{1d173}5€", "E_TEXT_UNSAFE"),
    ("1\u{3164}5€", "E_AMOUNT_UNREADABLE"),
    ("10Є", "E_AMOUNT_MISSING"),
    ("10 ₠", "E_CURRENCY_UNKNOWN"),
    ("1.000€", "E_AMOUNT_AMBIGUOUS"),
    ("1,000€", "E_AMOUNT_AMBIGUOUS"),
    ("1\u{a0}000€", "100000"),
    ("1\u{202f}000€", "100000"),
    ("-10€", "E_AMOUNT_UNREADABLE"),
    ("+10€", "E_AMOUNT_UNREADABLE"),
    ("1e3€", "E_AMOUNT_UNREADABLE"),
    ("0x10€", "E_AMOUNT_UNREADABLE"),
    ("NaN€", "E_AMOUNT_MISSING"),
    ("0€", "E_AMOUNT_ZERO"),
    ("0,00€", "E_AMOUNT_ZERO"),
    ("0,001€", "E_AMOUNT_PRECISION"),
    ("99999999999999999999€", "E_AMOUNT_TOO_LARGE"),
    ("10€ 20€", "E_TOO_MANY_AMOUNTS"),
    ("10€ 10€", "E_TOO_MANY_AMOUNTS"),
    ("&#49;&#48;€", "E_CURRENCY_MISSING"),
    ("&#49;0€", "E_AMOUNT_ZERO"),
    ("10&euro;", "E_CURRENCY_MISSING"),
    ("<b>10€</b>", "E_AMOUNT_UNREADABLE"),
    ("1,0,0€", "E_AMOUNT_UNREADABLE"),
    ("١0€", "E_AMOUNT_UNREADABLE"),
];

#[test]
fn a_hostile_sum_is_refused_or_what_it_shows() {
    for (sum, expected) in SUMS {
        let text = format!("@obole #donner {sum} @croixrouge #telethon");
        let got = answer(&json!({ "text": text }));
        let found = match got["outcome"].as_str().unwrap() {
            "order" => got["amount_minor"].to_string(),
            "rejected" => got["code"].as_str().unwrap().to_owned(),
            other => other.to_owned(),
        };
        assert_eq!(found, expected, "{sum}");
    }
}

#[test]
fn a_hostile_post_pays_nobody_it_does_not_name() {
    let read = |text: &str| {
        let got = answer(&json!({ "text": text }));
        match got["outcome"].as_str().unwrap() {
            "order" => got["recipients"].to_string(),
            "rejected" => got["code"].as_str().unwrap().to_owned(),
            other => other.to_owned(),
        }
    };
    for (text, expected) in [
        // Two payees share the sum (section 8); the list would refuse.
        ("@obole #donner 10€ @croixrouge @msf", r#"["croixrouge","msf"]"#),
        ("@obole #donner 10€ @croixrouge @obole #donner 5€ @msf", "E_TOO_MANY_AMOUNTS"),
        // Cyrillic с: no ASCII letter begins the handle, so it is no mention.
        ("@obole #donner 10€ @сroixrouge", "E_RECIPIENT_MISSING"),
        ("@obole #donner 10€ @croixrougе", "E_RECIPIENT_INVALID"),
        ("@obole #donner 10€ @croixrouge@evil.example", "E_RECIPIENT_INVALID"),
        ("@obole #donner 10€ @croix\u{200b}rouge", "E_TEXT_UNSAFE"),
        ("@obole #donner 10€ @croix\u{2060}rouge", "E_TEXT_UNSAFE"),
        ("\u{202e}@obole #donner 10€ @croixrouge", "E_TEXT_UNSAFE"),
        ("> @obole #donner 10€ @croixrouge", "none"),
        ("`@obole #donner 10€ @croixrouge`", "none"),
        ("RT @x: @obole #donner 10€ @croixrouge", "none"),
        ("@obole #donner 10€", "E_RECIPIENT_MISSING"),
        ("I will never #donner 10€ @croixrouge", "none"),
        ("@obole je ne vais pas #donner 10€ @croixrouge", "none"),
        ("@obole #donner 10€ @croixrouge <script>alert(1)</script>", r#"["croixrouge"]"#),
        ("@obole #donner 10€ @croixrouge\u{0}", "E_TEXT_UNSAFE"),
        ("@oboIe #donner 10€ @croixrouge", "none"),
        ("@оbole #donner 10€ @croixrouge", "none"),
    ] {
        assert_eq!(read(text), expected, "{text}");
    }
}

#[test]
fn size_alone_is_no_attack() {
    let read = |text: String| answer(&json!({ "text": text }))["outcome"].as_str().unwrap().to_owned();
    assert_eq!(read(format!("@obole #donner 10€ @croixrouge {}", "x".repeat(1 << 20))), "none");
    assert_eq!(read(format!("@obole #donner 10€ @croixrouge {}", "#a ".repeat(10_000))), "order");
    assert_eq!(read(format!("@obole #donner 10€ @croixrouge {}", "\u{301}".repeat(10_000))), "order");
    assert_eq!(read(format!("@obole #donner 10€ @croixrouge {}", "@a ".repeat(10_000))), "order");
}
