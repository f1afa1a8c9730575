//! Every word of every table does what its table says, and a file that says two things is refused with its place.

use obole::language::{check_language, languages, served_currencies};
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
fn all_ten_languages_are_live() {
    let codes: Vec<&str> = languages().iter().map(|language| language.code.as_str()).collect();
    assert_eq!(codes, ["en", "fr", "de", "es", "it", "pt", "nl", "pl", "ja", "ar"]);
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
            let gap = if language.code == "ja" { "" } else { " " };
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
    assert_eq!(served_currencies().len(), 25);
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
fn our_own_files_are_sound_one_by_one() {
    for language in languages() {
        let file = format!("grammar/lang/{}.toml", language.code);
        assert_eq!(check_language(&file, &source(&language.code)), Ok(()));
    }
}

#[test]
fn a_file_that_is_not_sound_is_refused_with_its_place() {
    let refuse = |from: &str, to: &str| {
        let source = source("fr");
        assert!(source.contains(from), "{from}");
        check_language("fr.toml", &source.replacen(from, to, 1)).unwrap_err().to_string()
    };
    let line = |text: &str| source("fr").lines().position(|line| line.starts_with(text)).unwrap() + 1;
    assert_eq!(
        refuse("give = [\"donner\"", "give = [\"envoyer\""),
        format!("fr.toml:{}: [hashtags] give: \"envoyer\" is already in send: a word has one role", line("give"))
    );
    assert!(refuse("give = [\"donner\"", "give = [\"donne\"").contains("\"donne\" stands here twice"));
    // English has it as a verb that sends.
    assert!(refuse("give = [\"donner\"", "give = [\"pay\"").contains("[hashtags] give: \"pay\" is Verb(Send"));
    assert!(refuse("to = [\"à\"", "to = [\"via\"").contains("via"));
    assert!(refuse("not = [\"ne\"", "not = [\"et\"").contains("et"));
    assert!(refuse("[phrases]\neach = [\"chacun\"", "[phrases]\neach = [\"par mois\"").contains("par mois"));
    assert!(refuse("confirm = [\"oui\"", "confirm = [\"non\"").contains("non"));
    // English has the one as a refusal, the other as a word that joins.
    assert!(
        refuse("confirm = [\"oui\"", "confirm = [\"oui\", \"no\"")
            .contains("[replies] confirm: \"no\" is refuse in another language")
    );
    assert!(refuse("not = [\"ne\"", "not = [\"ne\", \"and\"").contains("[words] \"and\" has another role in another language"));
    assert!(refuse("dix = 10", "dix = 11\nten = 11").contains("\"ten\" is 10 in another language"));
    assert!(refuse("mille = 3", "mille = 30").contains("a power of ten from 1 to 9"));
    assert!(refuse("send = [\"envoyer\"", "send = [\"envoyer 20\"").contains("is not the name of a hashtag"));
    assert!(refuse("send = [\"envoyer\"", "send = [\"envoyer20\"").contains("holds a digit"));
    assert!(refuse("to = [\"à\"", "to = [\"à la\"").contains("is not one word"));
    assert!(refuse("\"par mois\"", "\"par mois, vite\"").contains("is not a phrase"));
    assert!(refuse("\"par mois\"", "\"a b c d e\"").contains("too many words"));
    let unknown = refuse("give = [\"donner\"", "offer = []\ngive = [\"donner\"");
    assert!(unknown.starts_with(&format!("fr.toml:{}: unknown field `offer`", line("give"))), "{unknown}");
    let missing = refuse("[scales]\nmille = 3\nmillions = 6\n", "");
    assert!(missing.contains("missing field `scales`"), "{missing}");
    let missing = refuse("human = [\"humain\", \"conseiller\"]\n", "");
    assert!(missing.contains("missing field `human`"), "{missing}");
    assert!(refuse("name = ", "name = [").starts_with("fr.toml:"));
}
