//! What an answer to a payment initiation means for the money. Pure.
//!
//! | the bank's answer | verdict |
//! |---|---|
//! | 2xx with `paymentId` and a status | taken, in that status; refused if the status is `RJCT` or `CANC` |
//! | 400, 404, 405, 406 or 415 with an error body of the standard | refused: the bank's own interface read the request and said no |
//! | 401 or 403 whose code is about the payer, not about us | refused |
//! | 401 or 403 with another code, 401 with a challenge (RFC 9110, section 15.5.2: it "has not been applied") | not taken: our credentials |
//! | 429 | not taken: later, and when |
//! | connection never established | not taken: later |
//! | no token to call with | not taken: later, or our credentials |
//! | everything else, among it any other 401 or 403 (something in between may say that after the bank has it), 409 (which may mean "already have it"), 408, 5xx, redirects, error pages of something in between, a body that cannot be read, an answer that names another request | **unknown** |

use super::call::{Answer, NoAnswer};
use super::v1_3;
use crate::bank::{BankStatus, Submission, TryAgain};

/// Codes of 401 and 403 that speak of the payer or of what is paid with (Implementation Guidelines 1.3, section 14.11): an
/// operator has nothing to mend.
const ABOUT_THE_PAYER: &[&str] = &[
    "PSU_CREDENTIALS_INVALID",
    "CORPORATE_ID_INVALID",
    "CONSENT_INVALID",
    "CONSENT_EXPIRED",
    "CONSENT_UNKNOWN",
    "RESOURCE_UNKNOWN",
    "RESOURCE_EXPIRED",
    "PRODUCT_INVALID",
    "SERVICE_BLOCKED",
];

/// A submission's verdict, and whether the payer's authentication has to be started by us first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) submission: Submission,
    pub(super) start_authorisation: bool,
}

impl From<Submission> for Verdict {
    fn from(submission: Submission) -> Self {
        Verdict { submission, start_authorisation: false }
    }
}

/// The verdict on an attempt to initiate a payment.
pub(super) fn of(attempt: Result<Answer, NoAnswer>) -> Verdict {
    let answer = match attempt {
        Ok(answer) => answer,
        Err(NoAnswer::NotSent(why)) => return Submission::NotTaken(TryAgain::Later { after: None, why }).into(),
        Err(NoAnswer::NoToken(again)) => return Submission::NotTaken(again).into(),
        Err(NoAnswer::MaybeSent(why)) => return unknown(why),
    };
    if answer.about_another {
        return unknown("the answer names another request");
    }
    let code = v1_3::error_code(&answer.body);
    match (answer.status.as_u16(), code) {
        (200..=299, _) => taken(&answer.body),
        (401 | 403, Some(code)) if ABOUT_THE_PAYER.contains(&code.as_str()) => Submission::Refused { reason: code }.into(),
        (401 | 403, Some(code)) => Submission::NotTaken(credentials(&answer, Some(code))).into(),
        (401, None) if answer.challenges => Submission::NotTaken(credentials(&answer, None)).into(),
        (400 | 404 | 405 | 406 | 415, Some(code)) => Submission::Refused { reason: code }.into(),
        (429, _) => Submission::NotTaken(too_many(&answer)).into(),
        (status, _) => unknown(format!("the bank answered {status}")),
    }
}

fn taken(body: &[u8]) -> Verdict {
    let Ok(created) = serde_json::from_slice::<v1_3::PaymentCreated>(body) else {
        return unknown("the bank's answer cannot be read");
    };
    if created.payment_id.is_empty() {
        return unknown("the bank's answer names no payment");
    }
    let status = v1_3::status(&created.transaction_status, &created.tpp_messages);
    if let BankStatus::Rejected { reason } = status {
        return Submission::Refused { reason }.into();
    }
    let authorise_at = created.links.authorise_at();
    let start_authorisation = authorise_at.is_none() && created.links.start_authorisation.is_some();
    let submission = Submission::Taken { bank_payment_id: created.payment_id, status, authorise_at };
    Verdict { submission, start_authorisation }
}

fn unknown(why: impl Into<String>) -> Verdict {
    Submission::Unknown { why: why.into() }.into()
}

/// 429: later, and when.
pub(super) fn too_many(answer: &Answer) -> TryAgain {
    TryAgain::Later { after: answer.retry_after, why: "the bank has had too many calls from us".to_owned() }
}

/// 401 and 403: an operator has to mend something.
pub(super) fn credentials(answer: &Answer, code: Option<String>) -> TryAgain {
    TryAgain::Credentials { why: code.unwrap_or_else(|| format!("the bank answered {}", answer.status.as_u16())) }
}

/// What a failed question means: nothing about the payment, only when to ask again.
pub(super) fn ask_again(attempt: Result<Answer, NoAnswer>) -> TryAgain {
    let later = |why| TryAgain::Later { after: None, why };
    match attempt {
        Err(NoAnswer::NotSent(why) | NoAnswer::MaybeSent(why)) => later(why),
        Err(NoAnswer::NoToken(again)) => again,
        Ok(answer) => match answer.status.as_u16() {
            401 | 403 => {
                let code = v1_3::error_code(&answer.body);
                credentials(&answer, code)
            }
            429 => too_many(&answer),
            status => {
                let why = format!("the bank answered {status}");
                TryAgain::Later { after: answer.retry_after, why }
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::StatusCode;

    use super::*;

    fn answer(status: u16, body: &str) -> Result<Answer, NoAnswer> {
        let status = StatusCode::from_u16(status).unwrap();
        Ok(Answer { status, retry_after: None, about_another: false, challenges: false, body: body.as_bytes().to_vec() })
    }

    fn verdict(status: u16, body: &str) -> Submission {
        of(answer(status, body)).submission
    }

    fn refused(reason: &str) -> Submission {
        Submission::Refused { reason: reason.to_owned() }
    }

    fn is_unknown(submission: &Submission) -> bool {
        matches!(submission, Submission::Unknown { .. })
    }

    const FORMAT_ERROR: &str = r#"{"tppMessages":[{"category":"ERROR","code":"FORMAT_ERROR","text":"no"}]}"#;

    #[test]
    fn a_payment_with_an_id_and_a_status_is_taken() {
        let body = r#"{"transactionStatus":"RCVD","paymentId":"p1","_links":{"scaRedirect":{"href":"https://bank/approve"}}}"#;
        let expected = Submission::Taken {
            bank_payment_id: "p1".to_owned(),
            status: BankStatus::Received,
            authorise_at: Some("https://bank/approve".to_owned()),
        };
        assert_eq!(verdict(201, body), expected);
        let strange = verdict(201, r#"{"transactionStatus":"ZZZZ","paymentId":"p1","_links":{}}"#);
        assert!(matches!(strange, Submission::Taken { status: BankStatus::Unrecognised(_), authorise_at: None, .. }));
        let script = r#"{"transactionStatus":"RCVD","paymentId":"p1","_links":{"scaRedirect":{"href":"javascript:x"}}}"#;
        assert!(matches!(verdict(201, script), Submission::Taken { authorise_at: None, .. }));
        let explicit = r#"{"transactionStatus":"RCVD","paymentId":"p1","_links":{"startAuthorisation":{"href":"/a"}}}"#;
        assert!(of(answer(201, explicit)).start_authorisation);
    }

    #[test]
    fn only_a_sure_no_is_a_refusal() {
        let rejected =
            r#"{"transactionStatus":"RJCT","paymentId":"p1","_links":{},"tppMessages":[{"code":"WARNING","text":"AM04"}]}"#;
        assert_eq!(verdict(201, rejected), refused("AM04"));
        for status in [400, 404, 405, 406, 415] {
            assert_eq!(verdict(status, FORMAT_ERROR), refused("FORMAT_ERROR"));
            assert!(is_unknown(&verdict(status, "<html>Bad gateway</html>")), "{status}");
            assert!(is_unknown(&verdict(status, "")), "{status}");
        }
        assert_eq!(verdict(403, &FORMAT_ERROR.replace("FORMAT_ERROR", "SERVICE_BLOCKED")), refused("SERVICE_BLOCKED"));
    }

    #[test]
    fn whatever_is_not_sure_is_unknown() {
        for (status, body) in [
            (201, ""),
            (201, "{\"transactionStatus\": \"RC"),
            (201, r#"{"transactionStatus":"RCVD","_links":{}}"#),
            (201, r#"{"transactionStatus":"RJCT","_links":{}}"#),
            (201, r#"{"transactionStatus":"RCVD","paymentId":"","_links":{}}"#),
            (201, r#"{"transactionStatus":"RCVD","paymentId":"a","paymentId":"b","_links":{}}"#),
            (204, ""),
            (401, ""),
            (403, ""),
            (403, "<html>Forbidden</html>"),
            (302, ""),
            (408, FORMAT_ERROR),
            (409, FORMAT_ERROR),
            (413, FORMAT_ERROR),
            (418, FORMAT_ERROR),
            (500, FORMAT_ERROR),
            (502, "<html>"),
            (503, ""),
            (504, ""),
        ] {
            assert!(is_unknown(&verdict(status, body)), "{status} {body}");
        }
        assert!(is_unknown(&of(Err(NoAnswer::MaybeSent("cut".to_owned()))).submission));
        let mut other = answer(400, FORMAT_ERROR).unwrap();
        other.about_another = true;
        assert!(is_unknown(&of(Ok(other)).submission));
    }

    #[test]
    fn what_surely_did_not_reach_the_bank_can_be_tried_again() {
        let not_sent = of(Err(NoAnswer::NotSent("refused".to_owned()))).submission;
        assert!(matches!(not_sent, Submission::NotTaken(TryAgain::Later { after: None, .. })));
        for status in [401, 403] {
            let expired = FORMAT_ERROR.replace("FORMAT_ERROR", "CERTIFICATE_EXPIRED");
            let expected = TryAgain::Credentials { why: "CERTIFICATE_EXPIRED".to_owned() };
            assert_eq!(verdict(status, &expired), Submission::NotTaken(expected));
        }
        let challenged = |status| of(Ok(Answer { challenges: true, ..answer(status, "").unwrap() })).submission;
        assert!(matches!(challenged(401), Submission::NotTaken(TryAgain::Credentials { .. })));
        assert!(is_unknown(&challenged(403)), "no standard says that of 403");
        let mut busy = answer(429, "").unwrap();
        busy.retry_after = Some(Duration::from_secs(7));
        let waiting = of(Ok(busy)).submission;
        assert!(matches!(waiting, Submission::NotTaken(TryAgain::Later { after: Some(after), .. }) if after.as_secs() == 7));
    }
}
