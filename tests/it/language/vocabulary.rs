//! Every word of every table does what its table says, and a file that says two things is refused with its place.

use obole::language::{LanguageSource, check_language, check_languages, languages, served_currencies, try_language};
use serde_json::{Value, json};

use super::examples::{answer, grammar};

fn read(text: &str) -> Value {
    answer(&json!({ "text": text }))
}

fn words(table: &str, role: &str) -> Vec<(String, String)> {
    let of = |language: &obole::language::Language| {
        let lists = language.lists.iter().filter(|(in_table, name, _)| *in_table == table && *name == role);
        lists.flat_map(|(_, _, words)| words.iter().map(|word| (language.code.clone(), word.clone()))).collect::<Vec<_>>()
    };
    languages().iter().flat_map(of).collect()
}

#[test]
fn the_languages_of_the_specification_are_live_and_whole() {
    let codes: Vec<&str> = languages().iter().map(|language| language.code.as_str()).collect();
    // Others may join them.
    for code in ["en", "fr", "de", "es", "it", "pt", "nl", "pl", "ja", "ar"] {
        assert!(codes.contains(&code), "{code}");
    }
    for language in languages() {
        for kind in ["send", "give", "request", "cancel"] {
            assert!(language.lists.iter().any(|(table, role, words)| *table == "hashtags" && *role == kind && !words.is_empty()));
        }
        for (table, role, words) in &language.lists {
            assert!(*table != "replies" || !words.is_empty(), "{}: [{table}] {role}", language.code);
        }
    }
}

#[test]
fn every_verb_is_its_kind() {
    for kind in ["send", "give", "request", "cancel"] {
        for (_, verb) in words("hashtags", kind) {
            let got = read(&format!("@obole #{} 20€ @bob", verb.to_uppercase()));
            assert_eq!(got["kind"], kind, "{verb} {got}");
        }
    }
}

#[test]
fn every_role_of_a_hashtag_is_known() {
    for (_, tag) in words("hashtags", "each") {
        assert_eq!(read(&format!("@obole #send 20€ @bob @carol #{tag}"))["split"], "each", "{tag}");
    }
    for (_, tag) in words("hashtags", "split") {
        assert_eq!(read(&format!("@obole #send 20€ each @bob #{tag}"))["code"], "E_SPLIT_CONFLICT", "{tag}");
    }
    for flag in ["anonymous", "receipt"] {
        for (_, tag) in words("hashtags", flag) {
            let got = read(&format!("@obole #give 20€ @bob #{tag}"));
            assert_eq!((&got["flags"], &got["hashtags"]), (&json!([flag]), &json!([])), "{tag}");
        }
    }
    for (_, tag) in words("hashtags", "recurring") {
        assert_eq!(read(&format!("@obole #give 20€ @bob #{tag}"))["code"], "E_RESERVED_RECURRING", "{tag}");
    }
    for (_, tag) in words("hashtags", "example") {
        assert_eq!(read(&format!("@obole #give 20€ @bob #{tag}"))["outcome"], "none", "{tag}");
    }
}

#[test]
fn every_small_word_does_its_work() {
    for (_, word) in words("words", "to") {
        assert_eq!(read(&format!("hi @carol @obole #send 20€ x {word} @bob"))["recipients"], json!(["bob"]), "{word}");
    }
    for (_, word) in words("words", "from") {
        assert_eq!(read(&format!("@obole #send 20€ x {word} @bob"))["code"], "E_RECIPIENT_MISSING", "{word}");
        assert_eq!(read(&format!("hi @carol @obole #request 20€ x {word} @bob"))["recipients"], json!(["bob"]), "{word}");
    }
    for role in ["aside", "thanks"] {
        for (_, word) in words("words", role) {
            assert_eq!(read(&format!("@obole #send 20€ x {word} @bob"))["code"], "E_RECIPIENT_MISSING", "{word}");
        }
    }
    for (_, word) in words("words", "and") {
        assert_eq!(read(&format!("@obole #send 20€ @bob {word} @carol"))["recipients"], json!(["bob", "carol"]), "{word}");
    }
    for (_, word) in words("words", "after") {
        assert_eq!(read(&format!("hi @carol @obole #send 20€ x @bob{word}"))["recipients"], json!(["bob"]), "{word}");
    }
    for (language, word) in words("words", "not") {
        for (_, verb) in words("hashtags", "send").into_iter().filter(|(of, _)| *of == language) {
            assert_eq!(read(&format!("@obole {word} #{verb} 20€ @bob"))["outcome"], "none", "{word} {verb}");
        }
    }
}

#[test]
fn every_phrase_is_heard_beside_the_sum() {
    for (_, phrase) in words("phrases", "each") {
        assert_eq!(read(&format!("@obole #send 20€ {phrase} @bob @carol"))["split"], "each", "{phrase}");
        assert_eq!(read(&format!("@obole #send @bob @carol {phrase} 20€"))["split"], "each", "{phrase}");
    }
    for (_, phrase) in words("phrases", "split") {
        assert_eq!(read(&format!("@obole #send 20€ {phrase} @bob #each"))["code"], "E_SPLIT_CONFLICT", "{phrase}");
    }
    for (role, code) in [("recurring", "E_RESERVED_RECURRING"), ("pledge", "E_RESERVED_PLEDGE")] {
        for (_, phrase) in words("phrases", role) {
            let got = read(&format!("@obole #give 20€ {phrase} to @bob"));
            assert_eq!((&got["code"], &got["suggestions"]), (&json!(code), &json!(["@obole #give 20€ to @bob"])), "{phrase}");
        }
    }
}

#[test]
fn every_number_word_and_scale_is_refused_with_its_digits() {
    for language in languages() {
        for (word, value) in &language.numbers {
            let got = read(&format!("@obole #send {word} euros @bob"));
            assert_eq!(got["code"], "E_AMOUNT_IN_WORDS", "{word}");
            assert_eq!(got["suggestions"], json!([format!("@obole #send {value} euros @bob")]), "{word}");
        }
        for (scale, power) in &language.scales {
            // One in CJK letters touches its numeral.
            let gap = if scale.chars().all(|c| c >= '\u{3005}') { "" } else { " " };
            let got = read(&format!("@obole #send 2{gap}{scale} € @bob"));
            assert_eq!(got["code"], "E_AMOUNT_SCALED", "{scale}");
            let digits = 2 * 10_u64.pow(*power);
            assert_eq!(got["suggestions"], json!([format!("@obole #send {digits} € @bob")]), "{scale}");
        }
    }
}

#[test]
fn every_mark_of_every_currency_is_read() {
    for served in served_currencies() {
        let code = served.currency.code();
        let written = |mark: &str| read(&format!("@obole #send 2000 {mark} @bob"));
        let expected = json!(2000 * served.currency.minor_per_unit());
        for mark in served.symbols.iter().chain(&served.words).map(String::as_str).chain([code]) {
            let got = written(mark);
            assert_eq!((&got["currency"], &got["amount_minor"]), (&json!(code), &expected), "{mark} {got}");
        }
        for symbol in &served.symbols {
            assert_eq!(read(&format!("@obole #send {symbol}2000 @bob"))["currency"], code, "{symbol}");
        }
    }
    let rows = std::fs::read_to_string(grammar().join("currencies.toml")).unwrap().matches("[[currency]]").count();
    assert_eq!(served_currencies().len(), rows);
}

#[test]
fn every_reply_asks_for_its_action() {
    for action in obole::language::Action::ALL {
        for (_, phrase) in words("replies", action.as_str()) {
            let read = |text: String| answer(&json!({ "text": text, "context": { "channel": "dm" } }));
            assert_eq!(read(format!(" {}! ", phrase.to_uppercase()))["action"], action.as_str(), "{phrase}");
            let coded = read(format!("{phrase} 482193"));
            match action.takes_ref() {
                true => assert_eq!((&coded["action"], &coded["ref"]), (&json!(action.as_str()), &json!("482193")), "{phrase}"),
                false => assert_eq!(coded["code"], "E_REPLY_UNKNOWN", "{phrase}"),
            }
        }
    }
}

pub(super) fn source(code: &str) -> String {
    std::fs::read_to_string(grammar().join("lang").join(format!("{code}.toml"))).unwrap()
}

#[test]
fn our_own_files_are_sound_and_every_word_of_them_is_heard() {
    for language in languages() {
        let file = format!("grammar/lang/{}.toml", language.code);
        assert_eq!(check_language(&file, &source(&language.code)), Ok(()));
        assert_eq!(try_language(&LanguageSource { file, text: source(&language.code) }), []);
    }
}

fn faults(file: &str, text: String) -> Vec<String> {
    let faults = check_languages(&[LanguageSource { file: file.to_owned(), text }]).err().unwrap_or_default();
    faults.iter().map(ToString::to_string).collect()
}

#[test]
fn a_file_that_is_not_sound_is_refused_with_its_place() {
    let refuse = |from: &str, to: &str| {
        let source = source("fr");
        assert!(source.contains(from), "{from}");
        let found = faults("fr.toml", source.replacen(from, to, 1));
        assert_eq!(check_language("fr.toml", &source.replacen(from, to, 1)).unwrap_err().to_string(), found[0]);
        found.join("\n")
    };
    let line = |text: &str| source("fr").lines().position(|line| line.starts_with(text)).unwrap() + 1;
    assert_eq!(
        refuse("give = [\"donner\"", "give = [\"envoyer\""),
        format!("fr.toml:{}: [hashtags] give: \"envoyer\" is already in send: a word has one role", line("give"))
    );
    assert!(refuse("give = [\"donner\"", "give = [\"DONNE\"").contains("\"donne\" stands here twice"));
    assert_eq!(
        refuse("give = [\"donner\"", "give = [\"pay\""),
        format!(
            "fr.toml:{}: [hashtags] give: \"pay\" is in [hashtags] send of en: a word has one role, in all languages together",
            line("give")
        )
    );
    for (from, to, expected) in [
        ("to = [\"à\"", "to = [\"via\"", "\"via\" is already in to"),
        ("to = [\"à\"", "to = [\"and\"", "\"and\" is in [words] and of en"),
        ("to = [\"à\"", "to = [\"never\"", "\"never\" is in [words] not of en"),
        ("not = [\"ne\"", "not = [\"et\"", "\"et\" is already in and"),
        ("not = [\"ne\"", "not = [\"and\"", "\"and\" is in [words] and of en"),
        ("[phrases]\neach = [\"chacun\"", "[phrases]\neach = [\"par mois\"", "\"par mois\" is already in each"),
        ("[phrases]\neach = [\"chacun\"", "[phrases]\neach = [\"per month\"", "is in [phrases] recurring of en"),
        ("confirm = [\"oui\"", "confirm = [\"non\"", "\"non\" is already in confirm"),
        ("confirm = [\"oui\"", "confirm = [\"nein\"", "\"nein\" is in [replies] refuse of de"),
        ("dix = 10", "dix = 10\nten = 11", "[numbers] \"ten\" is 10 in another language"),
        ("dix = 10", "dix = 10\nDix = 10", "[numbers] \"Dix\" stands in [numbers] already"),
        ("dix = 10", "dix = -10", "[numbers] \"dix\" wants a whole number"),
        ("mille = 3", "mille = 30", "a power of ten from 1 to 9"),
        ("mille = 3", "\"千万\" = 3", "one in CJK letters has one letter"),
        ("send = [\"envoyer\"", "send = [\"envoyer 20\"", "is not the name of a hashtag"),
        ("send = [\"envoyer\"", "send = [\"envoyer20\"", "holds a digit"),
        ("send = [\"envoyer\"", &format!("send = [\"{}\"", "a".repeat(65)), "is too long: 64 bytes at most"),
        ("send = [\"envoyer\"", "send = [10", "[hashtags] send: a word stands in quotes"),
        (
            "receipt = [\"reçu\", \"recu\", \"reçufiscal\", \"recufiscal\"]",
            "receipt = \"reçu\"",
            "[hashtags] receipt is a list of words",
        ),
        ("to = [\"à\"", "to = [\"à la\"", "is not one word"),
        ("to = [\"à\"", "to = [\"2a\"", "starts with a digit"),
        ("\"par mois\"", "\"par mois, vite\"", "is not a phrase"),
        ("\"par mois\"", "\"a b c d e\"", "too many words"),
        ("confirm = [\"oui\"", "confirm = [\"oui, merci\"", "is not a phrase of words"),
        ("[scales]\nmille = 3\nmillions = 6\n", "", "fr.toml: the section [scales] is missing"),
        ("human = [\"humain\", \"conseiller\"]\n", "", "[replies] human is missing"),
        ("name = \"français\"", "", "`name` is missing"),
        ("name = \"français\"", "name = 3", "`name` is what the language's speakers call it"),
        ("name = \"français\"", "name = \"français\"\ncolour = 3", "nothing is called \"colour\" here"),
        ("replies = [\"OUI 482193\", \"non merci\"]", "replies = []", "[examples] replies is missing"),
    ] {
        let found = refuse(from, to);
        assert!(found.starts_with("fr.toml:") && found.contains(expected), "{to}: {found}");
    }
    let unknown = refuse("give = [\"donner\"", "offer = []\ngive = [\"donner\"");
    assert!(unknown.starts_with(&format!("fr.toml:{}: [hashtags] has no list called \"offer\"", line("give"))), "{unknown}");
    assert!(faults("fr.toml", "name = [".to_owned())[0].starts_with("fr.toml:1: not TOML: "));
}

#[test]
fn every_mistake_of_a_file_is_named_at_once() {
    let broken = source("fr")
        .replacen("give = [\"donner\"", "give = [\"envoyer\", \"pay\"", 1)
        .replacen("and = [\"et\"]", "und = [\"et\"]", 1)
        .replacen("mille = 3", "mille = 0", 1);
    let found = faults("fr.toml", broken);
    let lines: Vec<&str> = found.iter().map(|fault| fault.split(": ").next().unwrap()).collect();
    assert_eq!(found.len(), 5, "{found:#?}");
    assert!(lines.is_sorted_by_key(|line| line.split(':').nth(1).unwrap().parse::<u32>().unwrap()), "{lines:?}");
}

#[test]
fn files_that_are_checked_together_are_compared_with_each_other() {
    let text = |name: &str| include_str!("sv.toml").replace("svenska", name);
    let pair = |second: String| {
        let files = [("sv.toml", text("svenska")), ("xx.toml", second)];
        check_languages(&files.map(|(file, text)| LanguageSource { file: file.to_owned(), text }))
    };
    assert_eq!(pair(text("other")), Ok(()));
    let clash = pair(text("other").replacen("\"skicka\"", "\"skänk\"", 1)).unwrap_err();
    assert!(clash.iter().any(|fault| fault.to_string().contains("xx.toml") && fault.message.contains("of sv")), "{clash:?}");
}
