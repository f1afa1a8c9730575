//! The OpenAPI document against itself, against the types that speak it, and against what was really answered.

use jsonschema::Validator;
use obole::bank::settlement::capabilities::Capabilities;
use obole::bank::settlement::openapi::{DOCUMENT, ERRORS};
use obole::bank::settlement::wire::{
    AccountLink, EntryPage, ErrorBody, EventPage, LinkWish, PayeeAnswer, PayeeQuestion, PaymentOrder, PaymentView, VERSION, Webhook,
};
use obole::conformance::report::Report;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn api() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

/// A validator of one of the document's schemas.
fn schema(api: &Value, name: &str) -> Validator {
    let root = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$ref": format!("#/components/schemas/{name}"),
        "components": api["components"]
    });
    jsonschema::options().build(&root).unwrap()
}

/// Every body in the document: where, its schema's name, and its examples.
fn bodies(api: &Value) -> Vec<(String, String, Vec<Value>)> {
    let mut found = Vec::new();
    let mut take = |place: String, content: &Value| {
        let json = &content["content"]["application/json"];
        let Some(name) = json["schema"]["$ref"].as_str().and_then(|name| name.rsplit('/').next()) else { return };
        let examples = json["examples"].as_object().unwrap_or_else(|| panic!("{place} has no examples"));
        found.push((place, name.to_owned(), examples.values().map(|example| example["value"].clone()).collect()));
    };
    let groups = [api["paths"].as_object().unwrap(), api["webhooks"].as_object().unwrap()];
    for (path, operations) in groups.into_iter().flatten() {
        for (method, operation) in operations.as_object().unwrap() {
            take(format!("{method} {path} request"), &operation["requestBody"]);
            for (status, response) in operation["responses"].as_object().unwrap() {
                take(format!("{method} {path} {status}"), response);
            }
        }
    }
    found
}

/// Reads an example into its type and writes it again: nothing may be lost.
fn survives<T: DeserializeOwned + Serialize>(place: &str, example: &Value) {
    let read: T = serde_json::from_value(example.clone()).unwrap_or_else(|error| panic!("{place}: {error}: {example}"));
    let written = serde_json::to_value(&read).unwrap();
    for (key, value) in example.as_object().unwrap() {
        let is_empty = value.as_array().is_some_and(Vec::is_empty);
        assert!(written.get(key) == Some(value) || is_empty, "{place}: {key} was {value} and became {:?}", written.get(key));
    }
}

#[test]
fn every_example_fits_its_schema_and_our_types() {
    let api = api();
    assert_eq!((api["openapi"].as_str(), api["info"]["version"].as_str()), (Some("3.1.0"), Some(VERSION)));
    let mut examples = 0;
    for (place, name, bodies) in bodies(&api) {
        assert!(!bodies.is_empty(), "{place} has no example");
        let validator = schema(&api, &name);
        for body in bodies {
            examples += 1;
            if let Err(error) = validator.validate(&body) {
                panic!("{place}: the example does not fit {name}: {error}: {body}");
            }
            match name.as_str() {
                "Capabilities" => {
                    survives::<Capabilities>(&place, &body);
                    let declared: Capabilities = serde_json::from_value(body).unwrap();
                    assert_eq!(declared.hindrance(), None);
                }
                "PaymentOrder" => survives::<PaymentOrder>(&place, &body),
                "Payment" => survives::<PaymentView>(&place, &body),
                "Error" => survives::<ErrorBody>(&place, &body),
                "EventPage" => survives::<EventPage>(&place, &body),
                "Event" => survives::<obole::bank::settlement::wire::Event>(&place, &body),
                "Webhook" => survives::<Webhook>(&place, &body),
                "EntryPage" => survives::<EntryPage>(&place, &body),
                "PayeeQuestion" => survives::<PayeeQuestion>(&place, &body),
                "PayeeAnswer" => survives::<PayeeAnswer>(&place, &body),
                "LinkWish" => survives::<LinkWish>(&place, &body),
                "AccountLink" => survives::<AccountLink>(&place, &body),
                other => panic!("{place}: no type for {other}"),
            }
        }
    }
    assert!(examples > 60, "{examples} examples");
}

#[test]
fn the_documents_errors_are_the_crates_errors() {
    let api = api();
    let mut ours: Vec<&str> = ERRORS.iter().map(|error| error.code).collect();
    ours.sort_unstable();
    assert_eq!(api["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]["enum"], json!(ours));
    for (place, _, examples) in bodies(&api).into_iter().filter(|(_, name, _)| name == "Error") {
        for example in examples {
            let body: ErrorBody = serde_json::from_value(example).unwrap();
            let error = ERRORS.iter().find(|error| error.code == body.error.code).unwrap();
            assert_eq!(error.class, body.error.class, "{place}");
            assert!(place.ends_with(&error.status.to_string()), "{place} {}", error.code);
        }
    }
}

/// Holds every answer of a run to the document: the status has to be declared there, and the body has to fit. Gives how many were.
pub(super) fn answers_are_in_the_document(exchanges: &[obole::conformance::report::Exchange]) -> usize {
    let api = api();
    let mut checked = 0;
    let mut validators = std::collections::HashMap::new();
    for exchange in exchanges {
        let Some(status) = exchange.status else { continue };
        let path = exchange.path.split('?').next().unwrap();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let template = match parts.as_slice() {
            ["payments", _] => "/payments/{id}".to_owned(),
            ["payments", _, "cancel"] => "/payments/{id}/cancel".to_owned(),
            ["account-links", _] => "/account-links/{link}".to_owned(),
            ["test", ..] => continue,
            _ => path.to_owned(),
        };
        let operation = &api["paths"][&template][exchange.method.to_lowercase()];
        assert!(operation.is_object(), "{} {path} is not in the document", exchange.method);
        let response = &operation["responses"][status.to_string()];
        assert!(response.is_object(), "{} {template} is not declared to answer {status}: {}", exchange.method, exchange.response);
        let Some(name) = response["content"]["application/json"]["schema"]["$ref"].as_str() else { continue };
        // Long bodies are recorded in part.
        let Ok(body) = serde_json::from_str::<Value>(&exchange.response) else { continue };
        let name = name.rsplit('/').next().unwrap().to_owned();
        let validator = validators.entry(name.clone()).or_insert_with(|| schema(&api, &name));
        if let Err(error) = validator.validate(&body) {
            panic!("{} {path} {status} does not fit {name}: {error}: {body}", exchange.method);
        }
        checked += 1;
    }
    checked
}

#[test]
fn a_report_is_read_back_as_it_was_written() {
    let text = r#"{"url":"u","backend":"b","version":"1.0","seed":1,"began_at":"2026-11-21T10:00:00Z","milliseconds":1,
        "checks":[{"id":"C1","title":"t","outcome":"failed","why":"w","milliseconds":1}],"exchanges":[]}"#;
    let report: Report = serde_json::from_str(text).unwrap();
    assert!(!report.is_green());
}
