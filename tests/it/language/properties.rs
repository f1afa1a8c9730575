//! What holds for every text, tried on texts made of what the language is made of.

use obole::language::json::{answer_line, to_value};
use obole::language::{Campaigns, Channel, Context, Platform, Reading, read, would_concern};
use obole::money::Currency;
use proptest::prelude::*;
use serde_json::json;

use super::promises::{check_digits_outside, check_reading};

const PIECES: &[&str] = &[
    "@obole",
    "@bob",
    "@carol",
    "@bob.x",
    "＠obole",
    "@alice",
    "@bob@m.example",
    "#send",
    "#donate",
    "#cancel",
    "#envoyer",
    "#送金",
    "＃SEND",
    "#telethon",
    "#floods",
    "#each",
    "#split",
    "#monthly",
    "#example",
    "#send20€",
    "#x",
    "20",
    "€",
    "$",
    "EUR",
    "kr",
    "euros",
    "円",
    "k",
    "万",
    "10.500",
    "1 000",
    "2 500",
    "1\u{202f}000",
    "10€50",
    "5 € 10",
    "0",
    ".5",
    "-3",
    "1/2",
    "٢٠",
    "２０",
    "߁",
    "1O",
    "3個",
    "dix euros",
    "BTC",
    "balles",
    "₺",
    "to",
    "à",
    "from",
    "via",
    "thanks",
    "and",
    "et",
    "と",
    "に",
    "never",
    "ne",
    "each",
    "par mois",
    "per goal",
    "/month",
    "ずつ",
    "毎月",
    "send",
    "pizza",
    "\"",
    "“",
    "”",
    "`",
    "```",
    ">",
    "\n",
    "\n> ",
    "RT @x",
    "https://x.example",
    "www.",
    "'",
    "’",
    ",",
    ".",
    ":",
    "→",
    "-",
    "&",
    "/",
    "(",
    "🍕",
    "\u{fe0f}",
    "\u{200d}",
    "\u{200b}",
    "\u{200e}",
    "\u{301}",
    " ",
    " ",
    " ",
    " ",
    "yes",
    "4821",
    "?",
];

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => proptest::sample::select(PIECES).prop_map(|piece| format!("{piece} ")),
        8 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "\\PC{1,3}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::collection::vec(piece(), 0..14).prop_map(|pieces| pieces.concat()),
        proptest::collection::vec(piece(), 0..10).prop_map(|pieces| format!("@obole #send {}", pieces.concat())),
        proptest::collection::vec(piece(), 0..6).prop_map(|pieces| format!("@obole #send 20€ @bob {}", pieces.concat())),
    ]
}

fn platform() -> impl Strategy<Value = Platform> {
    proptest::sample::select(vec![Platform::X, Platform::Mastodon, Platform::Bluesky, Platform::Nostr])
}

fn campaigns() -> Campaigns {
    [("telethon", Some("afm_telethon")), ("floods", None)].into_iter().collect()
}

fn context(channel: Channel, platform: Platform, campaigns: &Campaigns) -> Context<'_> {
    Context { channel, platform, bot: "obole", author: Some("alice"), is_repost: false, campaigns, currency: Currency::EUR }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(800), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_text_is_read_as_promised(text in text(), platform in platform(), dm: bool) {
        let campaigns = campaigns();
        let channel = if dm { Channel::Dm } else { Channel::Post };
        let context = context(channel, platform, &campaigns);
        let reading = to_value(&check_reading(&text, &context));
        let asked = json!({ "channel": channel.as_str(), "platform": platform.as_str(), "author": "alice", "campaigns": { "telethon": "afm_telethon", "floods": null } });
        let answer = answer_line(&json!({ "text": text, "context": asked }).to_string()).unwrap();
        let mut answer: serde_json::Value = serde_json::from_str(&answer.line).unwrap();
        prop_assert_eq!(answer.as_object_mut().unwrap().remove("id"), Some(serde_json::Value::Null));
        prop_assert_eq!(answer, reading);
    }

    #[test]
    fn without_a_trigger_there_is_silence(text in text()) {
        let quiet = text.replace(['#', '＃', '@', '＠'], "x");
        let campaigns = campaigns();
        prop_assert!(!would_concern(&quiet, "obole"));
        prop_assert!(matches!(read(&quiet, &context(Channel::Post, Platform::X, &campaigns)), Reading::None(_)));
    }

    #[test]
    fn the_gate_drops_nothing_that_would_be_answered(text in text()) {
        let campaigns = campaigns();
        let answered = !matches!(read(&text, &context(Channel::Post, Platform::X, &campaigns)), Reading::None(_));
        prop_assert!(!answered || would_concern(&text, "obole"));
    }

    #[test]
    fn digits_outside_the_sum_do_not_change_it(text in text(), digits in "[0-9]{1,4}", place: prop::sample::Index) {
        let campaigns = campaigns();
        let context = context(Channel::Post, Platform::X, &campaigns);
        check_digits_outside(&read(&text, &context), &text, &context, place.index(1 << 16), &digits);
    }

    #[test]
    fn any_line_gets_one_line(line in "\\PC{0,40}") {
        if let Some(answer) = answer_line(&line) {
            prop_assert!(!answer.line.contains('\n'));
            let value: serde_json::Value = serde_json::from_str(&answer.line).unwrap();
            prop_assert_eq!(answer.is_error, value["outcome"] == "error");
        }
    }
}

/// Beginnings and repeated parts that make the most work.
#[test]
fn the_worst_ten_kilobytes_are_read_in_linear_time() {
    let campaigns = campaigns();
    let context = context(Channel::Post, Platform::X, &campaigns);
    let long = |start: &str, part: &str, length: usize| {
        let mut text = start.to_owned();
        while text.len() + part.len() <= length {
            text.push_str(part);
        }
        text
    };
    // What this thread has worked, whatever else the machine does meanwhile.
    let worked = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        time.tv_sec * 1_000_000 + time.tv_nsec / 1_000
    };
    let time = |text: &str| {
        let start = worked();
        std::hint::black_box(read(text, &context));
        worked() - start
    };
    // Without optimisation the code takes some thirty times as long.
    let most = if cfg!(debug_assertions) { 600_000 } else { 5_000 };
    // Caches are shared, so a time that is too long is taken again; a real one stays.
    let in_time = |short: &str, long: &str| {
        (0..8).any(|_| {
            let short = time(short);
            short < most && time(long) < 8 * short + 5_000
        })
    };
    for start in ["@obole #send ", "@obole #send 20€ @bob ", "@obole "] {
        for part in PIECES.iter().chain(&[
            "5 € ",
            "10€50 ",
            "@bob and ",
            "#a1 ",
            "20 € each ",
            "1万5千",
            ".",
            "-",
            "1.",
            "@a.",
            "\n>x",
            "\u{200e}",
        ]) {
            assert!(in_time(&long(start, part, 10_000), &long(start, part, 32_000)), "{start:?} {part:?}");
        }
    }
}
