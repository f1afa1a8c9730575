//! The words of NextGenPSD2 1.3 (`psd2-api 1.3.x` OpenAPI): paths, headers, fields. Nothing else here knows them, so that
//! openFinance 2.x, which renames many, can become a second file like this one.
//!
//! Answers are read leniently about what we do not need and strictly about what we do: a field of the wrong type, or the
//! same field twice, makes the whole answer unreadable.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::bank::BankStatus;
use crate::iban::Iban;
use crate::money::{Currency, Money};

/// Headers.
pub(super) mod header {
    pub(in super::super) const REQUEST_ID: &str = "X-Request-ID";
    pub(in super::super) const PAYER_ADDRESS: &str = "PSU-IP-Address";
    pub(in super::super) const CONSENT: &str = "Consent-ID";
    pub(in super::super) const REDIRECT_PREFERRED: &str = "TPP-Redirect-Preferred";
    pub(in super::super) const DECOUPLED_PREFERRED: &str = "TPP-Decoupled-Preferred";
    pub(in super::super) const REDIRECT: &str = "TPP-Redirect-URI";
    pub(in super::super) const REDIRECT_REFUSED: &str = "TPP-Nok-Redirect-URI";
    pub(in super::super) const EXPLICIT_AUTHORISATION: &str = "TPP-Explicit-Authorisation-Preferred";
    pub(in super::super) const REJECT_WITHOUT_FUNDS: &str = "TPP-Rejection-NoFunds-Preferred";
}

/// Path segments after the bank's base address.
pub(super) mod path {
    pub(in super::super) fn payments(product: &str) -> [&str; 3] {
        ["v1", "payments", product]
    }

    pub(in super::super) fn payment<'a>(product: &'a str, id: &'a str) -> [&'a str; 4] {
        ["v1", "payments", product, id]
    }

    pub(in super::super) fn payment_status<'a>(product: &'a str, id: &'a str) -> [&'a str; 5] {
        ["v1", "payments", product, id, "status"]
    }

    pub(in super::super) fn payment_authorisations<'a>(product: &'a str, id: &'a str) -> [&'a str; 5] {
        ["v1", "payments", product, id, "authorisations"]
    }

    pub(in super::super) fn cancellation_authorisations<'a>(product: &'a str, id: &'a str) -> [&'a str; 5] {
        ["v1", "payments", product, id, "cancellation-authorisations"]
    }

    pub(in super::super) fn consent(id: &str) -> [&str; 3] {
        ["v1", "consents", id]
    }

    pub(in super::super) fn funds_confirmations() -> [&'static str; 2] {
        ["v1", "funds-confirmations"]
    }

    pub(in super::super) fn consents() -> [&'static str; 2] {
        ["v1", "consents"]
    }

    pub(in super::super) fn consent_status(id: &str) -> [&str; 4] {
        ["v1", "consents", id, "status"]
    }

    pub(in super::super) fn accounts() -> [&'static str; 2] {
        ["v1", "accounts"]
    }

    pub(in super::super) fn transactions(account: &str) -> [&str; 4] {
        ["v1", "accounts", account, "transactions"]
    }

    pub(in super::super) fn balances(account: &str) -> [&str; 4] {
        ["v1", "accounts", account, "balances"]
    }
}

/// An account on the wire.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AccountReference {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) iban: Option<String>,
}

impl AccountReference {
    pub(super) fn of(iban: &Iban) -> Self {
        AccountReference { iban: Some(iban.as_str().to_owned()) }
    }

    /// The account, where it is named by a readable IBAN.
    pub(super) fn parsed(&self) -> Option<Iban> {
        self.iban.as_deref().and_then(|text| text.parse().ok())
    }
}

/// An amount on the wire.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Amount {
    currency: String,
    amount: String,
}

impl Amount {
    pub(super) fn of(money: Money) -> Self {
        Amount { currency: money.currency.code().to_owned(), amount: money.decimal_string() }
    }

    /// The money, if it is of a currency we know and written exactly.
    pub(super) fn money(&self) -> Option<Money> {
        let currency: Currency = self.currency.parse().ok()?;
        Money::from_decimal(&self.amount, currency).ok()
    }
}

/// `paymentInitiation_json`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentInitiation {
    pub(super) end_to_end_identification: String,
    pub(super) debtor_account: AccountReference,
    pub(super) instructed_amount: Amount,
    pub(super) creditor_account: AccountReference,
    pub(super) creditor_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remittance_information_unstructured: Option<String>,
}

/// A link.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Link {
    pub(super) href: Option<String>,
}

/// The links we look at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Links {
    pub(super) sca_redirect: Option<Link>,
    pub(super) start_authorisation: Option<Link>,
    pub(super) next: Option<Link>,
}

impl Links {
    /// Where the payer authenticates: an absolute web address, or nothing.
    pub(super) fn authorise_at(&self) -> Option<String> {
        let address = self.sca_redirect.as_ref()?.href.as_deref()?;
        let url = url::Url::parse(address).ok()?;
        matches!(url.scheme(), "https" | "http").then(|| address.to_owned())
    }
}

/// A message beside an answer, or in an error.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Message {
    pub(super) category: Option<String>,
    pub(super) code: String,
    pub(super) text: Option<String>,
}

/// `paymentInitiationRequestResponse-201`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentCreated {
    pub(super) transaction_status: String,
    pub(super) payment_id: String,
    #[serde(rename = "_links", default)]
    pub(super) links: Links,
    #[serde(default)]
    pub(super) tpp_messages: Vec<Message>,
}

/// `paymentInitiationWithStatusResponse`, and `paymentInitiationStatusResponse-200_json`, which has the status alone.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentRead {
    pub(super) transaction_status: Option<String>,
    pub(super) end_to_end_identification: Option<String>,
    pub(super) instructed_amount: Option<Amount>,
    pub(super) creditor_account: Option<AccountReference>,
    pub(super) debtor_account: Option<AccountReference>,
    #[serde(rename = "_links", default)]
    pub(super) links: Links,
    #[serde(default)]
    pub(super) tpp_messages: Vec<Message>,
}

/// `paymentInitiationCancelResponse-202`
#[derive(Debug, Default, Deserialize)]
pub(super) struct CancellationBegun {
    #[serde(rename = "_links", default)]
    pub(super) links: Links,
}

/// `confirmationOfFunds`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FundsQuestion {
    pub(super) account: AccountReference,
    pub(super) instructed_amount: Amount,
}

/// `inline_response_200` of `funds-confirmations`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct FundsAnswer {
    pub(super) funds_available: bool,
}

/// `startScaprocessResponse`
#[derive(Debug, Deserialize)]
pub(super) struct AuthorisationStarted {
    #[serde(rename = "_links")]
    pub(super) links: Links,
}

/// What a status means to us. `RJCT` and `CANC` take their reason from the messages beside them; nothing follows from a
/// code that is not in the standard's list, nor from `PART`, which only bulk payments have.
pub(super) fn status(code: &str, messages: &[Message]) -> BankStatus {
    match code {
        "RCVD" | "PDNG" | "ACTC" | "PATC" | "ACCP" | "ACFC" | "ACWC" => BankStatus::Received,
        "ACSP" | "ACWP" => BankStatus::Executing,
        "ACSC" | "ACCC" => BankStatus::Settled,
        "RJCT" | "CANC" => BankStatus::Rejected { reason: reason(messages).unwrap_or_else(|| code.to_owned()) },
        _ => BankStatus::Unrecognised(clipped(code)),
    }
}

/// The bank's reason in a line for the record: the ISO 20022 code, if a message is one, else the message's own code.
pub(super) fn reason(messages: &[Message]) -> Option<String> {
    let iso = messages.iter().filter_map(|message| message.text.as_deref()).find(|text| is_iso_reason(text));
    let own = || messages.iter().find(|message| message.code != "WARNING").map(|message| message.code.as_str());
    iso.or_else(own).map(clipped)
}

/// ISO 20022 external reason codes have four characters, capitals and digits.
fn is_iso_reason(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Foreign text for a record of ours is kept short.
pub(super) fn clipped(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(64).collect()
}

/// An error body, of either form the standard has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody {
    tpp_messages: Option<Vec<Message>>,
    code: Option<String>,
}

/// The code of an error body: the first message of category ERROR, or the code of `application/problem+json`. Anything
/// else is no error body of the standard.
pub(super) fn error_code(body: &[u8]) -> Option<String> {
    let body: ErrorBody = serde_json::from_slice(body).ok()?;
    let is_error = |message: &&Message| message.category.as_deref() == Some("ERROR");
    let message = body.tpp_messages.as_ref().and_then(|messages| messages.iter().find(is_error)).map(|message| &message.code);
    message.or(body.code.as_ref()).filter(|code| !code.is_empty()).map(|code| clipped(code))
}

/// `consents`: access to accounts that the holder chooses at the bank.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsentWish {
    access: OfferedAccess,
    recurring_indicator: bool,
    valid_until: Date,
    frequency_per_day: u32,
    combined_service_indicator: bool,
}

#[derive(Debug, Serialize)]
struct OfferedAccess {
    accounts: [AccountReference; 0],
    balances: [AccountReference; 0],
    transactions: [AccountReference; 0],
}

impl ConsentWish {
    /// Recurring, as often as the law lets us ask without the payer (four times a day, RTS (EU) 2018/389 article 36).
    pub(super) fn until(valid_until: Date) -> Self {
        ConsentWish {
            access: OfferedAccess { accounts: [], balances: [], transactions: [] },
            recurring_indicator: true,
            valid_until,
            frequency_per_day: 4,
            combined_service_indicator: false,
        }
    }
}

/// `consentsResponse-201`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsentCreated {
    pub(super) consent_id: String,
    #[serde(rename = "_links", default)]
    pub(super) links: Links,
}

/// `consentStatusResponse-200`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConsentRead {
    pub(super) consent_status: String,
}

/// `accountList`
#[derive(Debug, Deserialize)]
pub(super) struct AccountList {
    pub(super) accounts: Vec<AccountDetails>,
}

/// `accountDetails`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountDetails {
    pub(super) resource_id: Option<String>,
    pub(super) iban: Option<String>,
    pub(super) currency: String,
    pub(super) name: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) owner_name: Option<String>,
}

/// `readAccountBalanceResponse-200`
#[derive(Debug, Deserialize)]
pub(super) struct BalanceList {
    pub(super) balances: Vec<BalanceRead>,
}

/// `balance`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BalanceRead {
    pub(super) balance_amount: Amount,
    pub(super) balance_type: String,
}

/// `transactionsResponse-200_json`
#[derive(Debug, Deserialize)]
pub(super) struct Statement {
    pub(super) transactions: Report,
}

/// `accountReport`
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    #[serde(default)]
    pub(super) booked: Vec<Transaction>,
    #[serde(default)]
    pub(super) pending: Vec<Transaction>,
    #[serde(rename = "_links", default)]
    pub(super) links: Links,
}

/// `transactions`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Transaction {
    pub(super) transaction_id: Option<String>,
    pub(super) entry_reference: Option<String>,
    pub(super) end_to_end_id: Option<String>,
    pub(super) booking_date: Option<Date>,
    pub(super) transaction_amount: Amount,
    pub(super) creditor_account: Option<AccountReference>,
    pub(super) debtor_account: Option<AccountReference>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_fold_to_what_changes_our_mind_and_unknown_ones_never_fail() {
        for (code, expected) in [
            ("RCVD", BankStatus::Received),
            ("PATC", BankStatus::Received),
            ("ACSP", BankStatus::Executing),
            ("ACWP", BankStatus::Executing),
            ("ACSC", BankStatus::Settled),
            ("ACCC", BankStatus::Settled),
            ("RJCT", BankStatus::Rejected { reason: "RJCT".to_owned() }),
            ("CANC", BankStatus::Rejected { reason: "CANC".to_owned() }),
            ("PART", BankStatus::Unrecognised("PART".to_owned())),
            ("rjct", BankStatus::Unrecognised("rjct".to_owned())),
            ("", BankStatus::Unrecognised(String::new())),
        ] {
            assert_eq!(status(code, &[]), expected, "{code}");
        }
        let message = |code: &str, text: &str| Message { category: None, code: code.to_owned(), text: Some(text.to_owned()) };
        let reason = |messages: &[Message]| match status("RJCT", messages) {
            BankStatus::Rejected { reason } => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(&[message("FUNDS_NOT_AVAILABLE", "AM04")]), "AM04");
        assert_eq!(reason(&[message("FUNDS_NOT_AVAILABLE", "Not enough money.")]), "FUNDS_NOT_AVAILABLE");
        assert_eq!(reason(&[message("WARNING", "Sorry.")]), "RJCT");
    }

    #[test]
    fn error_bodies_of_both_forms_are_read_and_nothing_else_is() {
        let code = |body: &str| error_code(body.as_bytes());
        assert_eq!(code(r#"{"tppMessages":[{"category":"ERROR","code":"FORMAT_ERROR"}]}"#).as_deref(), Some("FORMAT_ERROR"));
        assert_eq!(code(r#"{"type":"https://bank/x","code":"PRODUCT_UNKNOWN"}"#).as_deref(), Some("PRODUCT_UNKNOWN"));
        for body in ["", "<html>", "{}", "[]", r#"{"tppMessages":[]}"#, r#"{"tppMessages":[{"category":"WARNING","code":"X"}]}"#] {
            assert_eq!(code(body), None, "{body}");
        }
    }
}
