//! What `--explain` and the page to try the language say: which rule decided, by its section, and what it found.

use obole::language::{Campaigns, Channel, Code, Context, Platform, Silence, read};
use obole::money::Currency;

/// A text, in public unless it starts with `DM `, and the section and finding that decide.
const DECISIONS: [(&str, &str, &str); 19] = [
    ("hello", "2", "neither the bot's name nor a gift to a campaign"),
    ("@obole #send 20€ @bob #example", "6, 1", "an example of the syntax"),
    ("never #send 20€ @bob @obole", "6, 2", "a *not* word stands at the verb"),
    ("@obole is nice", "6, 3", "not addressed to the processor"),
    ("I like how @obole lets me #send", "6, 5", "talk about paying, without a sum"),
    ("DM  ", "12", "no text"),
    ("DM yes", "12", "a phrase of the private replies"),
    ("@obole #cancel", "7, 3", "a verb that cancels"),
    ("@obole #send 20€ to @bob", "8, R2 (a)", "a word introduces the recipients"),
    ("@obole #send 20€ @bob", "8, R2 (b)", "the recipients follow the sum"),
    ("#send @bob 20€ @obole", "8, R2 (c)", "the recipients stand right before the sum"),
    ("@obole #give 20€ #telethon", "8, R3", "the charity of the campaign"),
    ("@bob! 20€ #send @obole", "8, R4", "the only handle that is left"),
    ("#give 20€ #telethon", "8, R3", "the charity of the campaign"),
    ("@obole #send 0€ @bob", "5.3", "a sum of zero"),
    ("@obole #send @bob", "7, 5", "no sum"),
    ("@obole #send 20€", "8, R4", "nobody to pay"),
    ("@obole send 20€ @bob", "6, 4", "verb without `#`"),
    ("DM 12", "12", "a code alone, twice, or not of 4 to 8 digits"),
];

#[test]
fn every_reading_names_the_rule_that_decided() {
    let campaigns: Campaigns = [("telethon", Some("afm_telethon"))].into_iter().collect();
    let post = Context {
        channel: Channel::Post,
        platform: Platform::X,
        bot: "obole",
        author: Some("alice"),
        is_repost: false,
        campaigns: &campaigns,
        currency: Currency::EUR,
    };
    for (text, section, meaning) in DECISIONS {
        let context = Context { channel: if text.starts_with("DM ") { Channel::Dm } else { Channel::Post }, ..post };
        let decision = read(text.strip_prefix("DM ").unwrap_or(text), &context).decision();
        assert_eq!((decision.section, decision.meaning), (section, meaning), "{text}");
    }
    let silent = |text: &str, context: &Context<'_>| {
        let decision = read(text, context).decision();
        assert_eq!(decision.section, "2");
        decision.meaning
    };
    let order = "@obole #send 20€ @bob";
    let nothing = Campaigns::new();
    let without = Context { campaigns: &nothing, ..post };
    assert_eq!(silent("#give 20€ @redcross", &without), "neither the bot's name nor a gift to a campaign");
    assert_eq!(silent(order, &Context { is_repost: true, ..post }), "a repost");
    assert_eq!(silent(order, &Context { author: Some("Obole"), ..post }), "the bot's own post");
    assert_eq!(silent(&format!("{order} {}", "a".repeat(1 << 15)), &post), "longer than 32 768 bytes");
}

#[test]
fn every_code_and_silence_has_a_section_and_a_meaning_of_its_own() {
    let silences = [
        Silence::Repost,
        Silence::OwnPost,
        Silence::TooLong,
        Silence::NotConcerned,
        Silence::Example,
        Silence::Negated,
        Silence::NotAddressed,
        Silence::Talk,
        Silence::Empty,
    ];
    let codes = Code::ALL.iter().map(|code| (code.section(), code.meaning()));
    let all: Vec<(&str, &str)> = codes.chain(silences.map(|silence| (silence.section(), silence.meaning()))).collect();
    for (index, (section, meaning)) in all.iter().enumerate() {
        assert!(
            section.starts_with(|c: char| c.is_ascii_digit()) && meaning.len() > 4 && meaning.trim() == *meaning,
            "{meaning:?}"
        );
        assert!(all[..index].iter().all(|(_, other)| other != meaning), "{meaning:?} stands twice");
    }
    let shown = format!("{:?}", Code::ALL.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert!(shown.starts_with("[\"E_TEXT_UNSAFE\", \"E_VERB_HASH_MISSING\""), "{shown}");
}
