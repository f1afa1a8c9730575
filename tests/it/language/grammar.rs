//! The grammar is live: the parser has its productions, takes its sentences, and takes no sum that is none.

use std::collections::BTreeSet;

use obole::language::languages;
use serde_json::{Value, json};

use super::abnf::{Dice, Grammar, Node};
use super::examples::{answer, examples, grammar as folder};

/// Productions without a parser function of their own, and why.
const WITHOUT_FUNCTION: [(&str, &str); 9] = [
    ("strict", "one of many arrangements; sections 6 to 8 decide, so it is only made here and read as any post"),
    ("free", "the same: any order of items is a post"),
    ("item", "the same"),
    ("bot", "a mention whose handle is a bot-name (tokens)"),
    ("verb-name", "a look-up in the vocabulary (Vocabulary::tag)"),
    ("sign", "data: [between] in currencies.toml (Mark::between)"),
    ("gap", "what stands before a token (tokens::Gap)"),
    ("ws", "the same"),
    ("hsp", "the same"),
];

/// Functions that return a nom result and are no production, and why.
const WITHOUT_PRODUCTION: [(&str, &str); 6] = [
    ("spaced", "two alternatives that grouped and mixed share"),
    ("more_digits", "*DIGIT"),
    ("digits_of", "so many DIGIT"),
    ("ascii_run", "so many of an ASCII class"),
    ("tag_chars", "1*tag-char"),
    ("handle", "the alternatives of mention, by platform"),
];

fn abnf() -> Grammar {
    Grammar::read(&std::fs::read_to_string(folder().join("obole.abnf")).unwrap())
}

fn sources() -> String {
    let folder = folder().parent().unwrap().join("src/language");
    let mut all = String::new();
    for entry in [folder.clone(), folder.join("vocabulary")].iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()) {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    all
}

#[test]
fn productions_and_parser_functions_are_the_same_list() {
    let sources = sources();
    let grammar = abnf();
    let excused: BTreeSet<&str> = WITHOUT_FUNCTION.iter().map(|(name, _)| *name).collect();
    let function = |name: &str| {
        let name = name.to_lowercase().replace('-', "_");
        [format!("fn {name}("), format!("fn {name}<"), format!("fn r#{name}(")].iter().any(|text| sources.contains(text))
    };
    for name in grammar.rules.keys() {
        assert_ne!(function(name), excused.contains(name.as_str()), "{name}: a function, or a reason for none");
    }
    let names: BTreeSet<String> = grammar.rules.keys().map(|name| name.to_lowercase().replace('-', "_")).collect();
    for line in sources.lines().filter(|line| line.contains("-> IResult<")) {
        let name = line.trim_start().trim_start_matches("pub(super) ").trim_start_matches("fn ");
        let name = &name[..name.find(['(', '<']).unwrap()];
        let excused = WITHOUT_PRODUCTION.iter().any(|(helper, _)| *helper == name);
        assert!(names.contains(name) != excused, "{name}: a production, or a reason why not");
    }
}

fn read(text: &str, platform: &str) -> Value {
    let bot = if platform == "bluesky" { "obole.example" } else { "obole" };
    answer(&json!({ "text": text, "context": { "platform": platform, "bot": bot } }))
}

/// What the grammar's comments and section 5.3 say of a numeral, worked out again in the plainest way.
fn expected_minor(production: &str, numeral: &str, decimals: usize) -> Result<i64, &'static str> {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let separator = numeral.rfind(['.', ',', '\u{66B}']);
    let (units, fraction) = match (production, separator) {
        ("tail3", _) if decimals > 0 => return Err("E_AMOUNT_AMBIGUOUS"),
        ("decimal" | "mixed", Some(at)) => (digits(&numeral[..at]), digits(&numeral[at..])),
        _ => (digits(numeral), String::new()),
    };
    if units.len() > 9 {
        return Err("E_AMOUNT_TOO_LARGE");
    }
    if fraction.len() > decimals {
        return Err("E_AMOUNT_PRECISION");
    }
    match format!("{units}{fraction:0<decimals$}").parse() {
        Ok(0) => Err("E_AMOUNT_ZERO"),
        minor => Ok(minor.unwrap()),
    }
}

#[test]
fn every_numeral_of_the_grammar_is_read_as_its_production_says() {
    let grammar = abnf();
    let mut dice = Dice(0x0b01e);
    let no_prose = |words: &str, _: &mut Dice| -> String { panic!("{words}") };
    for round in 0..3000 {
        let production = *dice.pick(&["integer", "tail3", "grouped", "decimal", "mixed", "round"]);
        let numeral = grammar.make(production, &mut dice, &no_prose);
        let (code, decimals) = *dice.pick(&[("EUR", 2), ("JPY", 0), ("TND", 3)]);
        let zero = *dice.pick(&['0', '０', '٠', '۰', '०']);
        let written: String =
            numeral.chars().map(|c| c.to_digit(10).map_or(c, |digit| char::from_u32(zero as u32 + digit).unwrap())).collect();
        let text = format!("@obole #send {code} {written} @bob");
        let got = read(&text, "x");
        match expected_minor(production, &numeral, decimals) {
            Ok(minor) => assert_eq!((&got["outcome"], &got["amount_minor"]), (&json!("order"), &json!(minor)), "{round} {text}"),
            Err(code) => assert_eq!(got["code"], code, "{round} {production} {text} {got}"),
        }
    }
}

#[test]
fn what_was_taken_as_a_numeral_is_one_of_the_grammar() {
    let grammar = abnf();
    let mut dice = Dice(0x5eed);
    let no_prose = |words: &str, _: &mut Dice| -> String { panic!("{words}") };
    let signs: Vec<char> = ".,'’:/+%~*^_<>-–—−٬٫ 0159x".chars().collect();
    let mut refused = 0;
    for round in 0..4000 {
        let mut numeral: Vec<char> = grammar.make("numeral", &mut dice, &no_prose).chars().collect();
        for _ in 0..=dice.below(2) {
            let at = dice.below(numeral.len());
            match dice.below(3) {
                0 => numeral.insert(at, *dice.pick(&signs)),
                1 => numeral[at] = *dice.pick(&signs),
                _ if numeral.len() > 1 => drop(numeral.remove(at)),
                _ => {}
            }
        }
        let text = format!("@obole #send {}€ @bob", String::from_iter(&numeral));
        let got = read(&text, "x");
        if got["outcome"] == "order" {
            let span = |index: usize| usize::try_from(got["spans"]["amount"][index].as_u64().unwrap()).unwrap();
            let taken = text[span(0)..span(1)].trim_end_matches('€').trim_end();
            assert!(grammar.accepts("numeral", taken), "{round} {text}: {taken:?}");
        } else {
            refused += 1;
        }
    }
    assert!(refused > 1000, "{refused}");
}

#[test]
fn every_handle_of_the_grammar_is_one_on_its_platform() {
    let grammar = abnf();
    let mut dice = Dice(0xbeef);
    let no_prose = |words: &str, _: &mut Dice| -> String { panic!("{words}") };
    for (production, platform) in [("x-name", "x"), ("fedi-name", "mastodon"), ("domain", "bluesky"), ("npub", "nostr")] {
        for _ in 0..300 {
            let handle = grammar.make(production, &mut dice, &no_prose);
            // Masks come first: `www.` begins a link.
            if handle.to_ascii_lowercase().contains("www.") || handle.eq_ignore_ascii_case("obole") {
                continue;
            }
            let bot = if platform == "bluesky" { "obole.example" } else { "obole" };
            let bot = if platform == "nostr" { format!("npub1{}", "q".repeat(58)) } else { bot.to_owned() };
            let text = format!("@{bot} #send 20€ @{handle}");
            let got = answer(&json!({ "text": text, "context": { "platform": platform, "bot": bot } }));
            assert_eq!(got["recipients"], json!([handle.to_ascii_lowercase()]), "{text} {got}");
        }
    }
}

/// Something for each word list and class in angle brackets.
fn words(prose: &str, dice: &mut Dice) -> String {
    let one = |list: &[&str], dice: &mut Dice| (*dice.pick(list)).to_owned();
    match prose {
        "a symbol of V5" => one(&["€"], dice),
        "an ISO code of V5" => one(&["EUR", "eur"], dice),
        "a word of V5" => one(&["euro", "Euros", "يورو"], dice),
        "the processor's handle" => one(&["obole", "OBOLE"], dice),
        "a verb of V1" => {
            let language = dice.pick(languages());
            let verbs: Vec<&String> = language
                .lists
                .iter()
                .filter(|(table, role, _)| *table == "hashtags" && matches!(*role, "send" | "give"))
                .flat_map(|(_, _, words)| words)
                .collect();
            (*dice.pick(&verbs)).clone()
        }
        "an \"and\" word of V2" => one(&["and", "et", "und", "y", "i", "و"], dice),
        "a \"to\" word of V2" => one(&["to", "à", "an", "do"], dice),
        "an \"each\" phrase of V3" => one(&["each", "par personne", "pro Kopf"], dice),
        "category L, M or Nd, \"_\", or one of the joiners of section 4.2" => one(&["k", "é", "ж", "語", "7", "_", "·"], dice),
        "any other text" => one(&["pizza", "resto", "昼食"], dice),
        "the rest of the post" => one(&["pizza", "le resto de samedi"], dice),
        "any other white space that breaks no line" => one(&["\u{3000}", "\u{2003}"], dice),
        _ => panic!("{prose}"),
    }
}

#[test]
fn the_strict_shape_is_an_order() {
    let mut grammar = abnf();
    // One platform at a time: its handles are the others' bad mentions.
    grammar.rules.insert("mention".to_owned(), Node::All(vec![Node::Rule("at".to_owned()), Node::Rule("x-name".to_owned())]));
    let mut dice = Dice(0xca5e);
    let mut orders = 0;
    for _ in 0..1500 {
        let text = grammar.make("strict", &mut dice, &words);
        let campaign = text.rsplit(['#', '＃']).next().unwrap_or_default();
        let context = json!({ "campaigns": { campaign: "charity" } });
        let got = answer(&json!({ "text": text, "context": context }));
        match got["outcome"].as_str().unwrap() {
            "order" => {
                orders += 1;
                let shares: i64 = got["shares_minor"].as_array().unwrap().iter().map(|share| share.as_i64().unwrap()).sum();
                assert_eq!(got["total_minor"], shares, "{text}");
            }
            // Numerals are made without regard to size; handles may repeat, be the bot's or be spoilt by what stands beside.
            "rejected" => {
                let code = got["code"].as_str().unwrap();
                let numeral = code.starts_with("E_AMOUNT") || code == "E_SHARE_TOO_SMALL" || code == "E_CURRENCY_CONFLICT";
                assert!(numeral || matches!(code, "E_RECIPIENT_MISSING" | "E_TOO_MANY_RECIPIENTS"), "{text:?} {got}");
            }
            // A gift through a campaign by a verb that does not give.
            _ => assert!(!text.contains(['@', '＠']), "{text:?} {got}"),
        }
    }
    assert!(orders > 300, "{orders}");
}

#[test]
fn replies_of_the_grammar_are_understood() {
    let grammar = abnf();
    let mut dice = Dice(0x9e91);
    for _ in 0..500 {
        let language = dice.pick(languages()).clone();
        let list = |coded: bool, dice: &mut Dice| {
            let takes_code = |role: &str| matches!(role, "confirm" | "refuse" | "refund");
            let lists: Vec<_> = language
                .lists
                .iter()
                .filter(|(table, role, words)| *table == "replies" && takes_code(role) == coded && !words.is_empty())
                .collect();
            let (_, role, words) = dice.pick(&lists);
            (role.to_string(), dice.pick(words).clone())
        };
        let (plain, coded) = (list(false, &mut dice), list(true, &mut dice));
        let text = grammar.make("reply", &mut dice, &|prose, _| match prose.contains("other than") {
            true => plain.1.to_uppercase(),
            false => coded.1.clone(),
        });
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let action = if digits.is_empty() && text == plain.1.to_uppercase() { &plain.0 } else { &coded.0 };
        let got = answer(&json!({ "text": text, "context": { "channel": "dm" } }));
        let reference = if digits.is_empty() { Value::Null } else { json!(digits) };
        assert_eq!((&got["action"], &got["ref"]), (&json!(action), &reference), "{text:?} {got}");
    }
}

#[test]
fn the_section_of_every_example_is_covered() {
    let sections: BTreeSet<String> =
        examples().iter().map(|example| example.section.split(',').next().unwrap().to_owned()).collect();
    for section in [
        "2", "3", "4.1", "4.2", "4.3", "4.4", "4.5", "5.1", "5.2", "5.3", "5.4", "5.5", "5.6", "5.7", "5.8", "6", "7", "8", "9",
        "12", "15",
    ] {
        assert!(sections.contains(section), "{section}");
    }
}
