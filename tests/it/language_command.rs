//! `obole language` and `obole parse` as somebody at a terminal finds them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use obole::language::languages;
use serde_json::Value;

struct Ended {
    code: i32,
    out: String,
    err: String,
}

fn obole(args: &[&str]) -> Ended {
    obole_with(args, b"")
}

fn obole_with(args: &[&str], input: &[u8]) -> Ended {
    let mut child = Command::new(env!("CARGO_BIN_EXE_obole"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input has closed it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// A directory of files that is gone afterwards.
struct Desk(PathBuf);

impl Desk {
    fn new(name: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("obole-language-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        Desk(directory)
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path: &Path = &self.0.join(name);
        std::fs::write(path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const SWEDISH: &str = include_str!("language/sv.toml");

#[test]
fn the_tables_have_every_language_and_examples_that_are_read() {
    let shown = obole(&["language"]);
    assert_eq!(shown.code, 0);
    for title in ["V1", "V2", "V3", "V4", "V5", "V6", "Examples, read just now"] {
        assert!(shown.out.contains(title), "{title}");
    }
    for language in languages() {
        assert!(
            shown.out.contains(&language.name) && shown.out.contains(&language.words("hashtags", "send")[0]),
            "{}",
            language.code
        );
    }
    let one = obole(&["language", "--language", "fr"]).out;
    assert!(one.contains("envoyer") && !one.contains("überweisen"), "{one}");
    let listed: Value = serde_json::from_str(&obole(&["language", "--json"]).out).unwrap();
    assert_eq!(listed["languages"].as_array().unwrap().len(), languages().len());
    for language in listed["languages"].as_array().unwrap() {
        for example in language["examples"].as_array().unwrap() {
            let wanted = if example["channel"] == "dm" { "reply" } else { "order" };
            assert_eq!(example["reading"]["outcome"], wanted, "{example}");
        }
    }
    let unknown = obole(&["language", "--language", "xx"]);
    assert!(unknown.code == 2 && unknown.err.contains("no language \"xx\" is served"), "{}", unknown.err);
}

#[test]
fn a_translator_checks_a_file_and_tries_texts_with_it() {
    let desk = Desk::new("sound");
    let file = desk.file("sv.toml", SWEDISH.as_bytes());
    let checked = obole(&["language", "check", &file]);
    assert_eq!(checked.code, 0, "{}", checked.err);
    assert!(checked.out.contains("can be used: svenska (sv)") && checked.out.contains("send 100.00 SEK to bob"), "{}", checked.out);
    let tried = obole(&["language", "try", &file, "@obole #skicka 10 € till @bob och @carol", "--explain"]);
    assert!(tried.code == 0 && tried.out.contains("5.00 EUR to carol") && tried.out.contains("8, R2 (a)"), "{}", tried.out);
    let negated = obole_with(&["language", "try", &file, "--explain"], "@obole inte #skicka 10 € till @bob".as_bytes());
    assert!(negated.out.contains("section 6, 2"), "{}", negated.out);
    let without = obole(&["parse", "@obole #skicka 10 € till @bob"]);
    assert!(without.out.contains("Obole says nothing"), "{}", without.out);
}

#[test]
fn every_mistake_of_a_file_is_a_line_and_the_exit_code_is_1() {
    let desk = Desk::new("broken");
    let broken = SWEDISH.replacen("give = [\"skänk\"", "give = [\"skicka\", \"pay\"", 1).replacen("och\"]", "och\"]\nor = []", 1);
    let file = desk.file("sv.toml", broken.as_bytes());
    let checked = obole(&["language", "check", &file]);
    let place = |text: &str| broken.lines().position(|line| line.starts_with(text)).unwrap() + 1;
    let expected = [
        format!("{file}:{}: [hashtags] give: \"skicka\" is already in send: a word has one role", place("give")),
        format!(
            "{file}:{0}: [hashtags] give: \"pay\" is in [hashtags] send of en: a word has one role, in all languages together",
            place("give")
        ),
        format!("{file}:{}: [words] has no list called \"or\": to, from, aside, thanks, and, not, after", place("or =")),
        "3 mistakes".to_owned(),
    ];
    assert_eq!((checked.code, checked.err.lines().collect::<Vec<_>>()), (1, expected.iter().map(String::as_str).collect()));
    let json: Value = serde_json::from_str(&obole(&["language", "check", "--json", &file]).out).unwrap();
    assert_eq!((&json["ok"], json["mistakes"].as_array().unwrap().len()), (&Value::Bool(false), 3));
    assert_eq!(obole(&["language", "try", &file, "hej"]).code, 1);

    // Sound, but no such word ever reaches the tables: it is read as money before.
    let deaf = desk.file("sw.toml", SWEDISH.replacen("\"åt\"", "\"eur\"", 1).as_bytes());
    let checked = obole(&["language", "check", &deaf]);
    assert!(checked.code == 1 && checked.err.contains("[words] to: \"eur\" is never heard"), "{}", checked.err);
    let wrong = desk.file("sx.toml", SWEDISH.replacen("100 kronor till @bob\"", "100 kronor\"", 1).as_bytes());
    let checked = obole(&["language", "check", &wrong]);
    assert!(
        checked.code == 1 && checked.err.contains("[examples] orders:") && checked.err.contains("nobody to pay"),
        "{}",
        checked.err
    );
}

#[test]
fn what_cannot_be_read_is_one_sentence() {
    let desk = Desk::new("unreadable");
    let bytes = desk.file("bytes.toml", b"name = \"x\"\n\xff");
    let prose = desk.file("prose.toml", b"this is no TOML\n");
    let folder = desk.0.to_str().unwrap().to_owned();
    for (file, expected) in [
        (bytes.as_str(), "is not UTF-8 text: line 2"),
        (prose.as_str(), ":1: not TOML"),
        (folder.as_str(), "is a directory, not a file"),
        ("/nowhere/sv.toml", "there is no file /nowhere/sv.toml"),
    ] {
        let checked = obole(&["language", "check", file]);
        assert!(checked.code == 1 && checked.err.contains(expected), "{file}: {}", checked.err);
        assert_eq!(checked.err.lines().count(), 2, "{}", checked.err);
    }
    for (args, expected) in [
        (["parse", "--file", bytes.as_str()], "is not UTF-8 text: line 2"),
        (["parse", "--file", folder.as_str()], "is a directory, not a file"),
        (["parse", "--file", "/nowhere"], "there is no file /nowhere"),
    ] {
        let ended = obole(&args);
        assert!(ended.code == 1 && ended.err.contains(expected) && ended.err.lines().count() == 1, "{}", ended.err);
    }
    let piped = obole_with(&["parse"], b"@obole \xff");
    assert!(piped.code == 1 && piped.err.contains("standard input is not UTF-8 text"), "{}", piped.err);
    let lines = obole_with(&["parse", "--json"], b"{\"text\":\"\xff\"}\n{\"text\":\"hi\"}\n");
    assert_eq!(lines.code, 1);
    assert_eq!(
        lines.out.lines().collect::<Vec<_>>(),
        [r#"{"id":null,"outcome":"error","message":"the line is not UTF-8"}"#, r#"{"id":null,"outcome":"none"}"#,]
    );
    assert_eq!(obole(&["parse", "--campaign", "x", "hi"]).code, 2);
}
