//! Reading a payment initiation as strictly as NextGenPSD2 1.3.12 and the SEPA rulebook have it.
//!
//! Fields are those of `paymentInitiation_json`; unknown ones are refused, so that a misspelt field is not silently lost.
//! The official patterns are unanchored and let `12,5` pass; banks do not, and neither does this.

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::BgError;
use crate::bank::fake::{Instruction, LARGEST, Product};
use crate::bank::sepa;
use crate::iban::Iban;
use crate::money::{Currency, Money};

/// An account as a request names it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountReference {
    iban: Option<String>,
    currency: Option<String>,
    #[serde(rename = "cashAccountType")]
    _cash_account_type: Option<IgnoredAny>,
}

impl AccountReference {
    /// Its IBAN, in electronic form and with right check digits.
    pub(super) fn iban(&self, path: &str) -> Result<Iban, BgError> {
        let text = self.iban.as_deref().ok_or_else(|| BgError::format(path, "only accounts named by IBAN are held here"))?;
        let iban: Iban = text.parse().map_err(|_| BgError::format(format!("{path}.iban"), "this is not a valid IBAN"))?;
        if iban.as_str() != text {
            return Err(BgError::format(format!("{path}.iban"), "an IBAN is written without spaces"));
        }
        if self.currency.as_deref().is_some_and(|currency| currency != "EUR") {
            return Err(BgError::format(format!("{path}.currency"), "accounts here are held in EUR"));
        }
        Ok(iban)
    }
}

/// An amount as a request writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Amount {
    currency: String,
    amount: String,
}

impl Amount {
    /// The euros it comes to: more than nothing, at most what SEPA carries, at most two decimals.
    pub(super) fn euros(&self, path: &str) -> Result<Money, BgError> {
        let wrong = |field: &str, text: &str| BgError::format(format!("{path}.{field}"), text);
        if self.currency != "EUR" {
            return Err(wrong("currency", "SEPA carries EUR only"));
        }
        let money = Money::from_decimal(&self.amount, Currency::EUR)
            .map_err(|_| wrong("amount", "an amount is written with a point and at most two decimals, as in 12.50"))?;
        if money.minor < 1 || money.minor > LARGEST.minor {
            return Err(wrong("amount", "an amount is between 0.01 and 999999999.99"));
        }
        Ok(money)
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Body {
    debtor_account: AccountReference,
    instructed_amount: Amount,
    creditor_account: AccountReference,
    creditor_name: String,
    end_to_end_identification: Option<String>,
    remittance_information_unstructured: Option<String>,
    requested_execution_date: Option<String>,
    // Of the standard, read and not used here.
    #[serde(rename = "instructionIdentification")]
    _instruction_identification: Option<IgnoredAny>,
    #[serde(rename = "debtorName")]
    _debtor_name: Option<IgnoredAny>,
    #[serde(rename = "ultimateDebtor")]
    _ultimate_debtor: Option<IgnoredAny>,
    #[serde(rename = "creditorAgent")]
    _creditor_agent: Option<IgnoredAny>,
    #[serde(rename = "creditorAgentName")]
    _creditor_agent_name: Option<IgnoredAny>,
    #[serde(rename = "creditorAddress")]
    _creditor_address: Option<IgnoredAny>,
    #[serde(rename = "creditorId")]
    _creditor_id: Option<IgnoredAny>,
    #[serde(rename = "ultimateCreditor")]
    _ultimate_creditor: Option<IgnoredAny>,
    #[serde(rename = "purposeCode")]
    _purpose_code: Option<IgnoredAny>,
    #[serde(rename = "chargeBearer")]
    _charge_bearer: Option<IgnoredAny>,
    #[serde(rename = "remittanceInformationUnstructuredArray")]
    _remittance_array: Option<IgnoredAny>,
    #[serde(rename = "remittanceInformationStructured")]
    _remittance_structured: Option<IgnoredAny>,
    #[serde(rename = "remittanceInformationStructuredArray")]
    _remittance_structured_array: Option<IgnoredAny>,
}

/// The instruction in `body`.
pub(super) fn read(product: Product, body: &[u8], today: Date) -> Result<Instruction, BgError> {
    let body: Body = read_json(body)?;
    let debtor = body.debtor_account.iban("debtorAccount")?;
    let amount = body.instructed_amount.euros("instructedAmount")?;
    let creditor = body.creditor_account.iban("creditorAccount")?;
    text_fits("creditorName", &body.creditor_name, sepa::NAME_MAX)?;
    if let Some(reference) = &body.end_to_end_identification
        && !sepa::is_reference(reference)
    {
        return Err(BgError::format(
            "endToEndIdentification",
            "a reference has 1 to 35 characters of the SEPA set, no slash at an end and no two in a row",
        ));
    }
    if let Some(remittance) = &body.remittance_information_unstructured {
        text_fits("remittanceInformationUnstructured", remittance, sepa::REMITTANCE_MAX)?;
    }
    if let Some(day) = &body.requested_execution_date {
        let day: Date = day.parse().map_err(|_| BgError::format("requestedExecutionDate", "a date is written as in 2026-11-20"))?;
        if day != today {
            let status = axum::http::StatusCode::BAD_REQUEST;
            return Err(BgError::new(status, "EXECUTION_DATE_INVALID", "payments are executed on the day they come in"));
        }
    }
    Ok(Instruction {
        product,
        debtor,
        creditor,
        creditor_name: body.creditor_name,
        amount,
        end_to_end: body.end_to_end_identification,
        remittance: body.remittance_information_unstructured,
    })
}

/// A JSON body, or a FORMAT_ERROR that says what is wrong with it.
pub(super) fn read_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, BgError> {
    serde_json::from_slice(body).map_err(|error| BgError::format("body", error.to_string()))
}

fn text_fits(path: &str, text: &str, max: usize) -> Result<(), BgError> {
    if text.trim().is_empty() || text.len() > max || !sepa::is_sepa_text(text) {
        return Err(BgError::format(path, format!("this text has 1 to {max} characters of the SEPA set")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn good() -> Value {
        json!({
            "endToEndIdentification": "0123456789abcdef0123456789abcdef",
            "debtorAccount": {"iban": "FR7630006000011234567890189"},
            "instructedAmount": {"currency": "EUR", "amount": "12.50"},
            "creditorAccount": {"iban": "FR7630006000011234567890189"},
            "creditorName": "Croix-Rouge francaise",
            "remittanceInformationUnstructured": "DON TELETHON"
        })
    }

    fn read_value(value: &Value) -> Result<Instruction, BgError> {
        read(Product::SepaCreditTransfers, value.to_string().as_bytes(), "2026-11-20".parse().unwrap())
    }

    #[test]
    fn a_good_request_is_read() {
        let instruction = read_value(&good()).unwrap();
        assert_eq!(instruction.amount.to_string(), "12.50 EUR");
        assert_eq!(instruction.remittance.as_deref(), Some("DON TELETHON"));
    }

    #[test]
    fn what_a_bank_would_refuse_is_refused() {
        let wrong = [
            ("/instructedAmount/amount", json!("12,50")),
            ("/instructedAmount/amount", json!("-5.00")),
            ("/instructedAmount/amount", json!("0.00")),
            ("/instructedAmount/amount", json!("1.234")),
            ("/instructedAmount/amount", json!("1000000000.00")),
            ("/instructedAmount/amount", json!(12.5)),
            ("/instructedAmount/currency", json!("EURO")),
            ("/instructedAmount/currency", json!("USD")),
            ("/debtorAccount/iban", json!("FR7630006000011234567890188")),
            ("/debtorAccount/iban", json!("FR76 3000 6000 0112 3456 7890 189")),
            ("/creditorAccount/iban", json!("nonsense")),
            ("/creditorName", json!("")),
            ("/creditorName", json!("Croix-Rouge française")),
            ("/creditorName", json!("x".repeat(71))),
            ("/endToEndIdentification", json!("0123456789abcdef0123456789abcdef0123")),
            ("/endToEndIdentification", json!("/abc")),
            ("/endToEndIdentification", json!("#telethon")),
            ("/remittanceInformationUnstructured", json!("10 €")),
            ("/remittanceInformationUnstructured", json!("x".repeat(141))),
        ];
        for (pointer, value) in wrong {
            let mut request = good();
            *request.pointer_mut(pointer).unwrap() = value.clone();
            assert!(read_value(&request).is_err(), "{pointer} = {value}");
        }
        for missing in ["debtorAccount", "instructedAmount", "creditorAccount", "creditorName"] {
            let mut request = good();
            request.as_object_mut().unwrap().remove(missing);
            assert!(read_value(&request).is_err(), "without {missing}");
        }
        let mut request = good();
        request["creditorname"] = json!("x");
        assert!(read_value(&request).is_err(), "an unknown field");
        let twice = r#"{"creditorName":"a","creditorName":"b"}"#;
        assert!(read(Product::SepaCreditTransfers, twice.as_bytes(), "2026-11-20".parse().unwrap()).is_err());
    }
}
