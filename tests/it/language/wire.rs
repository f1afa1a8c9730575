//! The line form of section 10: defaults, echoes and what is no question.

use obole::language::json::answer_line;
use serde_json::{Value, json};

use super::examples::answer;

fn line(line: &str) -> Value {
    serde_json::from_str(&answer_line(line).unwrap().line).unwrap()
}

#[test]
fn every_field_is_always_present_in_its_order() {
    let order = answer_line(r#"{"text":"@obole #send 20€ @bob"}"#).unwrap();
    assert!(!order.is_error);
    assert_eq!(
        order.line,
        concat!(
            r#"{"id":null,"outcome":"order","kind":"send","verb":"send","amount_minor":2000,"currency":"EUR","split":null,"#,
            r#""recipients":["bob"],"shares_minor":[2000],"total_minor":2000,"campaigns":[],"hashtags":[],"memo":null,"flags":[],"#,
            r#""spans":{"verb":[7,12],"amount":[13,18],"recipients":[[19,23]]}}"#
        )
    );
    let none = answer_line(r#"{"text":"hello","id":"7"}"#).unwrap();
    assert_eq!(none.line, r#"{"id":"7","outcome":"none"}"#);
    let reply = answer_line(r#"{"text":"?","id":7,"context":{"channel":"dm"}}"#).unwrap();
    assert_eq!(reply.line, r#"{"id":7,"outcome":"reply","action":"help","ref":null}"#);
    let rejected = answer_line(r#"{"text":"@obole #send @bob","id":null}"#).unwrap();
    assert_eq!(rejected.line, r##"{"id":null,"outcome":"rejected","code":"E_AMOUNT_MISSING","span":[7,12],"suggestions":[]}"##);
}

#[test]
fn the_id_is_echoed_as_it_came() {
    for id in ["12345678901234567890123", "1.10", "\"a\\u0062\"", "[1, {\"b\":2,\"a\":1}]", "true", "-0"] {
        let answer = answer_line(&format!(r#"{{"id":{id},"text":""}}"#)).unwrap();
        assert_eq!(answer.line, format!(r#"{{"id":{id},"outcome":"none"}}"#));
    }
    assert_eq!(line(r#"{"id":5,"text":7}"#)["id"], 5);
}

#[test]
fn empty_lines_are_skipped() {
    for empty in ["", " ", "\t\r"] {
        assert_eq!(answer_line(empty), None);
    }
}

#[test]
fn what_is_no_question_is_an_error() {
    for bad in [
        "x",
        "[]",
        r#"["@obole #send 20€ @bob"]"#,
        "null",
        "{",
        "{}",
        r#"{"text":null}"#,
        r#"{"text":5}"#,
        r#"{"text":"\ud800"}"#,
        r#"{"text":"","context":null}"#,
        r#"{"text":"","context":[]}"#,
        r#"{"text":"","context":{"channel":"mail"}}"#,
        r#"{"text":"","context":{"channel":null}}"#,
        r#"{"text":"","context":{"platform":"facebook"}}"#,
        r#"{"text":"","context":{"platform":1}}"#,
        r#"{"text":"","context":{"bot":null}}"#,
        r#"{"text":"","context":{"author":7}}"#,
        r#"{"text":"","context":{"is_repost":"no"}}"#,
        r#"{"text":"","context":{"is_repost":null}}"#,
        r#"{"text":"","context":{"campaigns":[]}}"#,
        r#"{"text":"","context":{"campaigns":{"a":1}}}"#,
        r#"{"text":"","context":{"currency":"XXQ"}}"#,
        r#"{"text":"","context":{"currency":"eur"}}"#,
        r#"{"text":"","context":{"currency":978}}"#,
    ] {
        let answer = answer_line(bad).unwrap();
        let value: Value = serde_json::from_str(&answer.line).unwrap();
        assert!(answer.is_error && value["outcome"] == "error" && value["message"].is_string(), "{bad} {}", answer.line);
        assert!(value.as_object().unwrap().contains_key("id"));
    }
}

#[test]
fn unknown_keys_and_given_defaults_change_nothing() {
    let plain = answer(&json!({ "text": "@obole #send 20 @bob" }));
    let full = json!({
        "text": "@obole #send 20 @bob",
        "note": 1,
        "context": {
            "channel": "post", "platform": "x", "bot": "obole", "author": null, "is_repost": false, "campaigns": {}, "currency": "EUR",
            "weather": "fine",
        },
    });
    assert_eq!(answer(&full), plain);
}
