//! What an answer means for the money. Pure.
//!
//! | the answer to `PUT /payments/{id}` | verdict |
//! |---|---|
//! | 200 or 201 with our payment in it | taken, in that state; refused if the state is `refused` or `cancelled` |
//! | 400, 410, 413, 415 or 422 with an error of class `refused` | refused |
//! | 400 `unsupported_version`, 401 or 403 with an error of class `not_taken` | not taken: an operator has to mend something |
//! | 429 or 503 with an error of class `not_taken` | not taken: later, and when |
//! | connection never established | not taken: later |
//! | everything else: 409 (somebody else's order is under our id), any status without an error body of the protocol, class and status that do not go together, an answer about another payment, redirects, half a body | **unknown** |

use super::call::{Answer, NoAnswer};
use super::wire::{ErrorClass, PaymentView, Problem};
use crate::bank::{BankStatus, Standing, Submission, TryAgain};
use crate::iban::Iban;
use crate::ids::PaymentKey;
use crate::money::Money;

/// What a payment has to say to be ours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ours<'a> {
    pub(super) key: &'a PaymentKey,
    pub(super) amount: Money,
    pub(super) debtor: &'a Iban,
    pub(super) creditor: &'a Iban,
}

impl Ours<'_> {
    /// Whether an answer speaks about our payment, and all of it: what is missing may as well be another's. A tombstone has nothing
    /// but its id and its state.
    pub(super) fn is_it(&self, view: &PaymentView) -> bool {
        let is_ours = |told: &Option<String>, iban: &Iban| {
            told.as_deref().and_then(|text| text.parse::<Iban>().ok()).is_some_and(|told| told == *iban)
        };
        if view.id != self.key.as_str() {
            return false;
        }
        let is_tombstone = view.amount.is_none() && view.debtor.is_none() && view.creditor.is_none();
        if is_tombstone {
            return matches!(view.status(), BankStatus::Rejected { .. });
        }
        view.money() == Some(self.amount)
            && is_ours(&view.debtor.as_ref().map(|debtor| debtor.iban.clone()), self.debtor)
            && is_ours(&view.creditor.as_ref().map(|creditor| creditor.iban.clone()), self.creditor)
    }
}

/// The verdict on an attempt to hand a payment over.
pub(super) fn of_submission(attempt: Result<Answer, NoAnswer>, ours: Ours<'_>) -> Submission {
    let answer = match attempt {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent(why)) => return Submission::NotTaken(TryAgain::Later { after: None, why }),
        Err(NoAnswer::MaybeSent(why)) => return Submission::Unknown { why },
    };
    let unknown = |why: String| Submission::Unknown { why };
    if matches!(answer.status, 200 | 201) {
        return match answer.read::<PaymentView>() {
            None => unknown("the bank's answer cannot be read".to_owned()),
            Some(view) if !ours.is_it(&view) => unknown("the bank answered about another payment".to_owned()),
            Some(view) => taken(view),
        };
    }
    let Some(problem) = answer.problem() else {
        return unknown(format!("the bank answered {} and not in the protocol's words", answer.status));
    };
    match (answer.status, problem.class) {
        (400 | 410 | 413 | 415 | 422, ErrorClass::Refused) => Submission::Refused { reason: code(&problem) },
        (400 | 401 | 403, ErrorClass::NotTaken) => Submission::NotTaken(credentials(&problem)),
        (429 | 503, ErrorClass::NotTaken) => Submission::NotTaken(later(&answer, &problem)),
        (status, _) => unknown(format!("the bank answered {status} {}", code(&problem))),
    }
}

fn taken(view: PaymentView) -> Submission {
    match view.status() {
        BankStatus::Rejected { reason } => Submission::Refused { reason },
        status => {
            let authorise_at = view.authorise_at();
            Submission::Taken { bank_payment_id: view.bank_reference.unwrap_or(view.id), status, authorise_at }
        }
    }
}

/// The verdict on an attempt to look a payment up. `never`: the order has run out, and whoever does not have it now will not take it.
pub(super) fn of_look_up(attempt: Result<Answer, NoAnswer>, ours: Ours<'_>, never: bool) -> Result<Standing, TryAgain> {
    let answer = match attempt {
        Ok(answer) => answer,
        failed => return Err(ask_again(failed)),
    };
    let is_not_found = answer.problem().is_some_and(|problem| problem.code == "payment_not_found");
    match answer.status {
        200 => match answer.read::<PaymentView>() {
            None => Err(soon("the bank's answer cannot be read")),
            Some(view) if !ours.is_it(&view) => Err(soon("the bank answered about another payment")),
            Some(view) => {
                let (status, authorise_at) = (view.status(), view.authorise_at());
                Ok(Standing::Known { bank_payment_id: view.bank_reference.or(Some(view.id)), status, authorise_at })
            }
        },
        404 if is_not_found && never => Ok(Standing::NeverTaken),
        404 if is_not_found => Ok(Standing::NotFound),
        _ => Err(ask_again(Ok(answer))),
    }
}

/// What a failed question means: nothing about the payment, only when to ask again.
pub(super) fn ask_again(attempt: Result<Answer, NoAnswer>) -> TryAgain {
    let answer = match attempt {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent(why) | NoAnswer::MaybeSent(why)) => return soon(&why),
    };
    match (answer.status, answer.problem()) {
        (400 | 401 | 403, Some(problem)) => credentials(&problem),
        (_, Some(problem)) => later(&answer, &problem),
        (status, None) => {
            let why = format!("the bank answered {status} and not in the protocol's words");
            TryAgain::Later { after: answer.retry_after, why }
        }
    }
}

pub(super) fn soon(why: &str) -> TryAgain {
    TryAgain::Later { after: None, why: why.to_owned() }
}

fn later(answer: &Answer, problem: &Problem) -> TryAgain {
    TryAgain::Later { after: answer.retry_after, why: format!("the bank answered {} {}", answer.status, code(problem)) }
}

fn credentials(problem: &Problem) -> TryAgain {
    TryAgain::Credentials { why: code(problem) }
}

/// The code, however long a backend makes it.
fn code(problem: &Problem) -> String {
    problem.code.chars().filter(|character| !character.is_control()).take(60).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const DEBTOR: &str = "FR7630006000011234567890189";
    const CREDITOR: &str = "DE89370400440532013000";

    fn view() -> Value {
        json!({
            "id": KEY, "state": "executing", "sequence": 2, "updated_at": "2026-11-21T10:00:00Z", "amount": "10.00",
            "currency": "EUR", "debtor": {"iban": DEBTOR}, "creditor": {"iban": CREDITOR, "name": "Croix-Rouge"},
            "bank_reference": "B1", "something_new": [1]
        })
    }

    fn error(class: &str, code: &str) -> Value {
        json!({"error": {"class": class, "code": code, "message": "no"}})
    }

    fn with<T>(told: impl FnOnce(Ours<'_>) -> T) -> T {
        let (key, debtor, creditor) = (KEY.parse().unwrap(), DEBTOR.parse().unwrap(), CREDITOR.parse().unwrap());
        let amount = Money::new(1_000, crate::money::Currency::EUR);
        told(Ours { key: &key, amount, debtor: &debtor, creditor: &creditor })
    }

    fn answer(status: u16, body: &str) -> Result<Answer, NoAnswer> {
        Ok(Answer { status, retry_after: Some(Duration::from_secs(7)), body: body.as_bytes().to_vec() })
    }

    fn submitted(status: u16, body: &Value) -> Submission {
        with(|ours| of_submission(answer(status, &body.to_string()), ours))
    }

    fn is_unknown(submission: &Submission) -> bool {
        matches!(submission, Submission::Unknown { .. })
    }

    fn changed(pointer: &str, value: Value) -> Value {
        let mut body = view();
        *body.pointer_mut(pointer).unwrap() = value;
        body
    }

    #[test]
    fn our_payment_is_taken_in_its_state() {
        let taken = Submission::Taken { bank_payment_id: "B1".to_owned(), status: BankStatus::Executing, authorise_at: None };
        assert_eq!(submitted(201, &view()), taken);
        let mut waiting = changed("/state", json!("awaiting_payer"));
        waiting["next_action"] = json!({"kind": "redirect", "url": "https://bank.example/approve"});
        let page = "https://bank.example/approve".to_owned();
        assert!(matches!(submitted(200, &waiting), Submission::Taken { authorise_at: Some(url), .. } if url == page));
        waiting["next_action"]["url"] = json!("javascript:alert(1)");
        assert!(matches!(submitted(200, &waiting), Submission::Taken { authorise_at: None, .. }));
        let mut refused = changed("/state", json!("refused"));
        refused["reason"] = json!({"code": "AM04"});
        assert_eq!(submitted(201, &refused), Submission::Refused { reason: "AM04".to_owned() });
        let strange = submitted(201, &changed("/state", json!("transmogrified")));
        assert!(matches!(strange, Submission::Taken { status: BankStatus::Unrecognised(_), .. }));
    }

    #[test]
    fn an_answer_about_anything_else_is_unknown() {
        for (pointer, value) in [
            ("/id", json!("f".repeat(32))),
            ("/amount", json!("100.00")),
            ("/amount", json!("10.0")),
            ("/amount", Value::Null),
            ("/currency", json!("USD")),
            ("/debtor/iban", json!(CREDITOR)),
            ("/creditor/iban", json!(DEBTOR)),
            ("/creditor", Value::Null),
        ] {
            assert!(is_unknown(&submitted(201, &changed(pointer, value))), "{pointer}");
            let asked = with(|ours| of_look_up(answer(200, &changed(pointer, json!(null)).to_string()), ours, true));
            assert!(asked.is_err(), "{pointer}: {asked:?}");
        }
        let twice = view().to_string().replacen("\"state\"", "\"state\":\"refused\",\"state\"", 1);
        assert!(is_unknown(&with(|ours| of_submission(answer(201, &twice), ours))), "{twice}");
    }

    #[test]
    fn only_a_sure_no_in_the_protocols_words_is_a_no() {
        for status in [400, 410, 413, 415, 422] {
            assert_eq!(submitted(status, &error("refused", "invalid")), Submission::Refused { reason: "invalid".to_owned() });
        }
        for status in [429, 503] {
            let waits = submitted(status, &error("not_taken", "busy"));
            let seven = Some(Duration::from_secs(7));
            assert!(matches!(waits, Submission::NotTaken(TryAgain::Later { after, .. }) if after == seven), "{status}");
        }
        for status in [401, 403] {
            let ours = submitted(status, &error("not_taken", "unauthenticated"));
            assert!(matches!(ours, Submission::NotTaken(TryAgain::Credentials { .. })));
        }
    }

    #[test]
    fn everything_else_is_unknown() {
        for status in [202, 204, 301, 302, 404, 405, 408, 409, 418, 500, 502, 504] {
            for class in ["refused", "not_taken", "unknown"] {
                assert!(is_unknown(&submitted(status, &error(class, "x"))), "{status} {class}");
            }
        }
        for status in [400, 401, 403, 410, 413, 415, 422, 429, 503] {
            for body in ["", "<html>no</html>", "{}", r#"{"error":{"class":"fine","code":"x","message":""}}"#] {
                assert!(is_unknown(&with(|ours| of_submission(answer(status, body), ours))), "{status} {body}");
            }
            assert!(is_unknown(&submitted(status, &error("unknown", "x"))), "{status}");
        }
        for (status, class) in [(422, "not_taken"), (429, "refused"), (401, "refused"), (503, "refused"), (410, "not_taken")] {
            assert!(is_unknown(&submitted(status, &error(class, "x"))), "{status} {class} do not go together");
        }
    }

    #[test]
    fn not_found_proves_something_only_when_the_order_has_run_out() {
        let ask = |status, body: &Value, never| with(|ours| of_look_up(answer(status, &body.to_string()), ours, never));
        let missing = error("not_taken", "payment_not_found");
        assert_eq!(ask(404, &missing, false), Ok(Standing::NotFound));
        assert_eq!(ask(404, &missing, true), Ok(Standing::NeverTaken));
        assert!(ask(404, &json!("<html>"), true).is_err());
        assert!(ask(404, &error("refused", "no_such_address"), true).is_err());
        assert!(ask(410, &missing, true).is_err());
        let tombstone = json!({"id": KEY, "state": "cancelled", "sequence": 1, "updated_at": "2026-11-21T10:00:00Z"});
        assert!(matches!(ask(200, &tombstone, false), Ok(Standing::Known { status: BankStatus::Rejected { .. }, .. })));
        let bare = json!({"id": KEY, "state": "settled", "sequence": 1, "updated_at": "2026-11-21T10:00:00Z"});
        assert!(ask(200, &bare, false).is_err(), "a settled payment says what was settled");
        let mut returned = changed("/state", json!("returned"));
        returned["reason"] = json!({"code": "AC04"});
        let back = BankStatus::Returned { reason: "AC04".to_owned() };
        assert!(matches!(ask(200, &returned, false), Ok(Standing::Known { status, .. }) if status == back));
    }
}
