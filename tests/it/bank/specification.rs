//! The recorded exchanges against the Berlin Group's own OpenAPI file, version 1.3.12 of 2022-07-06 (CC BY 4.0; it is not in
//! this repository).
//!
//! The file is looked for beside the repository, in `../shared/specs/berlin-group/`, or where `OBOLE_BERLIN_GROUP_SPEC`
//! says. Where it is not at hand the recordings themselves, which were checked against it, hold adapter and sandbox to it.
//! Checked are: path and method exist; required parameters are there; parameters, bodies and answers match their schemas.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::recorded::{Exchange, directory};

fn specification() -> Option<Value> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/specs/berlin-group/bg-psd2-api-1.3.12-2022-07-06.yaml");
    let path = std::env::var_os("OBOLE_BERLIN_GROUP_SPEC").map_or(beside, PathBuf::from);
    let text = std::fs::read_to_string(path).ok()?;
    Some(serde_norway::from_str(&text).unwrap())
}

struct Specification(Value);

impl Specification {
    /// Follows a `$ref` to a component.
    fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        match value["$ref"].as_str() {
            Some(reference) => self.resolve(self.0.pointer(reference.trim_start_matches('#')).unwrap()),
            None => value,
        }
    }

    /// The operation that a request is, by the template with the most fixed segments.
    fn operation(&self, method: &str, path: &str) -> &Value {
        let fits = |template: &str| {
            let (left, right): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
            left.len() == right.len() && left.iter().zip(&right).all(|(left, right)| left.starts_with('{') || left == right)
        };
        let templates = self.0["paths"].as_object().unwrap();
        let best = templates
            .iter()
            .filter(|(template, _)| fits(template.trim()))
            .min_by_key(|(template, _)| template.matches('{').count());
        &best.unwrap_or_else(|| panic!("{path} is not in the specification")).1[method.to_lowercase()]
    }

    /// What is wrong with `instance` by `schema`.
    fn errors(&self, schema: &Value, instance: &Value) -> Vec<String> {
        let mut schema = match schema {
            Value::Object(fields) if !fields.contains_key("$ref") => fields.clone(),
            // Beside a `$ref` nothing else counts.
            other => Map::from_iter([("allOf".to_owned(), json!([other]))]),
        };
        schema.insert("components".to_owned(), self.0["components"].clone());
        let validator = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft4)
            .should_validate_formats(true)
            .with_format("uuid", |text: &str| text.len() == 36 && uuid::Uuid::try_parse(text).is_ok())
            .with_format("date", |text: &str| text.parse::<jiff::civil::Date>().is_ok())
            .build(&Value::Object(schema))
            .unwrap();
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    fn check_request(&self, exchange: &Exchange, operation: &Value, wrong: &mut Vec<String>) {
        for parameter in operation["parameters"].as_array().unwrap() {
            let parameter = self.resolve(parameter);
            let name = parameter["name"].as_str().unwrap();
            let given = match parameter["in"].as_str().unwrap() {
                "header" => exchange.request.headers.get(&name.to_lowercase()),
                "query" => exchange.request.query.get(name),
                _ => continue,
            };
            match given {
                Some(text) => {
                    let schema = self.resolve(&parameter["schema"]);
                    let value = match schema["type"].as_str() {
                        Some("boolean" | "integer") => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
                        _ => json!(text),
                    };
                    wrong.extend(self.errors(schema, &value).into_iter().map(|error| format!("parameter {name}: {error}")));
                }
                None if parameter["required"] == json!(true) => wrong.push(format!("parameter {name} is missing")),
                None => {}
            }
        }
        if !exchange.request.body.is_null() {
            let content = &self.resolve(&operation["requestBody"])["content"]["application/json"];
            let schema = self.body_schema(exchange, &content["schema"]);
            wrong.extend(self.errors(&schema, &exchange.request.body).into_iter().map(|error| format!("request {error}")));
        }
    }

    /// The file allows any of several bodies for a payment, and `{}` for an authorisation, which fits everything; the path
    /// says which one it is.
    fn body_schema(&self, exchange: &Exchange, schema: &Value) -> Value {
        match exchange.request.path.as_str() {
            path if path.ends_with("authorisations") => json!({}),
            path if path.starts_with("/v1/payments/") => json!({"$ref": "#/components/schemas/paymentInitiation_json"}),
            _ => schema.clone(),
        }
    }

    fn check_response(&self, exchange: &Exchange, operation: &Value, wrong: &mut Vec<String>) {
        let response = &exchange.response;
        let described = self.resolve(&operation["responses"][response.status.to_string()]);
        if described.is_null() {
            wrong.push(format!("status {} is not in the specification", response.status));
            return;
        }
        for (name, header) in described["headers"].as_object().into_iter().flatten() {
            let header = self.resolve(header);
            match response.headers.get(&name.to_lowercase()) {
                Some(text) => wrong.extend(
                    self.errors(&header["schema"], &json!(text)).into_iter().map(|error| format!("header {name}: {error}")),
                ),
                None if header["required"] == json!(true) => wrong.push(format!("header {name} is missing")),
                None => {}
            }
        }
        let schema = &described["content"]["application/json"]["schema"];
        if schema.is_null() {
            if !response.body.is_null() {
                wrong.push(format!("a {} has no body in the specification", response.status));
            }
            return;
        }
        let schema = self.answer_schema(exchange, schema);
        wrong.extend(self.errors(&schema, &response.body).into_iter().map(|error| format!("answer {error}")));
    }

    /// The answers to reading a payment are `oneOf` three that overlap; ours is the first.
    fn answer_schema(&self, exchange: &Exchange, schema: &Value) -> Value {
        let single_payment = exchange.request.method == "GET" && exchange.request.path.split('/').count() == 5;
        if single_payment && exchange.request.path.starts_with("/v1/payments/") && exchange.response.status == 200 {
            return json!({"$ref": "#/components/schemas/paymentInitiationWithStatusResponse"});
        }
        schema.clone()
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "nothing is left out silently")]
fn recorded_exchanges_are_as_the_specification_has_them() {
    let Some(specification) = specification().map(Specification) else {
        eprintln!("the Berlin Group's OpenAPI file is not at hand: recordings are not checked against it this time");
        return;
    };
    let mut wrong = Vec::new();
    let mut checked = 0;
    for file in std::fs::read_dir(directory()).unwrap() {
        let file = file.unwrap().path();
        let exchanges: Vec<Exchange> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        for (place, exchange) in exchanges.iter().enumerate() {
            let operation = specification.operation(&exchange.request.method, &exchange.request.path);
            let mut found = Vec::new();
            // A request that is meant to be refused may be wrong.
            if exchange.response.status < 400 {
                specification.check_request(exchange, operation, &mut found);
            }
            specification.check_response(exchange, operation, &mut found);
            let name = file.file_stem().unwrap().to_string_lossy();
            wrong.extend(found.into_iter().map(|error| format!("{name} {place}: {error}")));
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} exchanges were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every error of every kind of call, in both forms, as sandbox and adapter would exchange it.
#[tokio::test]
async fn every_error_body_is_as_the_specification_has_it() {
    let Some(specification) = specification().map(Specification) else { return };
    let town = super::TestBank::start().await;
    let consent = town.consent().await;
    let calls = [
        ("POST", "/v1/payments/sepa-credit-transfers".to_owned()),
        ("GET", "/v1/payments/sepa-credit-transfers/p1".to_owned()),
        ("GET", "/v1/payments/sepa-credit-transfers/p1/status".to_owned()),
        ("DELETE", "/v1/payments/sepa-credit-transfers/p1".to_owned()),
        ("POST", "/v1/payments/sepa-credit-transfers/p1/authorisations".to_owned()),
        ("POST", "/v1/payments/sepa-credit-transfers/p1/cancellation-authorisations".to_owned()),
        ("POST", "/v1/consents".to_owned()),
        ("GET", format!("/v1/consents/{consent}/status")),
        ("DELETE", format!("/v1/consents/{consent}")),
        ("GET", "/v1/accounts".to_owned()),
        ("GET", "/v1/accounts/a1/balances".to_owned()),
        ("GET", "/v1/accounts/a1/transactions".to_owned()),
        ("POST", "/v1/funds-confirmations".to_owned()),
    ];
    let mut checked = 0;
    for (method, path) in calls {
        let operation = specification.operation(method, &path);
        for (status, described) in operation["responses"].as_object().unwrap() {
            let Some(status) = status.parse().ok().filter(|status: &u16| *status >= 400) else { continue };
            let contents = &specification.resolve(described)["content"];
            for form in ["application/json", "application/problem+json"] {
                town.bank.misbehave(obole::bank::fake::FaultKind::ErrorBefore { status });
                let call = town.call(method.parse().unwrap(), &path).header("Accept", form);
                let answer = call.send().await.unwrap();
                assert_eq!(answer.status().as_u16(), status);
                let told = answer.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
                let body = answer.bytes().await.unwrap();
                let schema = &contents[form]["schema"];
                if schema.is_null() {
                    assert!(body.is_empty(), "{method} {path} {status} {form}: {body:?}");
                    continue;
                }
                assert_eq!(told.as_deref(), Some(form), "{method} {path} {status}");
                let body: Value = serde_json::from_slice(&body).unwrap();
                let wrong = specification.errors(schema, &body);
                assert!(wrong.is_empty(), "{method} {path} {status} {form}: {wrong:?} in {body}");
                checked += 1;
            }
        }
    }
    assert!(checked > 100, "only {checked} bodies were checked");
}

/// The check must be able to fail.
#[test]
fn the_specification_check_finds_planted_mistakes() {
    let Some(specification) = specification().map(Specification) else { return };
    let file = directory().join("payment-executed-at-once.json");
    let exchanges: Vec<Exchange> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let good = &exchanges[0];
    let operation = specification.operation(&good.request.method, &good.request.path);
    let found = |change: &dyn Fn(&mut Exchange)| {
        let (mut bad, mut found) = (good.clone(), Vec::new());
        change(&mut bad);
        specification.check_request(&bad, operation, &mut found);
        specification.check_response(&bad, operation, &mut found);
        found
    };
    assert_eq!(found(&|_| {}), Vec::<String>::new());
    type Mistake<'a> = (&'a str, &'a dyn Fn(&mut Exchange));
    let mistakes: [Mistake<'_>; 7] = [
        ("no request id", &|bad| drop(bad.request.headers.remove("x-request-id"))),
        ("a request id that is none", &|bad| drop(bad.request.headers.insert("x-request-id".to_owned(), "1".to_owned()))),
        ("no payer address", &|bad| drop(bad.request.headers.remove("psu-ip-address"))),
        ("a number as amount", &|bad| bad.request.body["instructedAmount"]["amount"] = json!(12.5)),
        ("no creditor name", &|bad| drop(bad.request.body.as_object_mut().unwrap().remove("creditorName"))),
        ("a made-up status", &|bad| bad.response.body["transactionStatus"] = json!("DONE")),
        ("a teapot", &|bad| bad.response.status = 418),
    ];
    for (what, change) in mistakes {
        assert!(!found(change).is_empty(), "{what} was not found");
    }
}
