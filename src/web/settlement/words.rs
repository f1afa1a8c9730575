//! What the page for banks says, in every language: one file per language, all with the same keys.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::people::Language;
use crate::web::words::with_french_spaces;

/// Every text of the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Words {
    pub(super) title: String,
    pub(super) lead: String,
    pub(super) download: String,
    pub(super) contents: String,
    pub(super) begin: String,
    pub(super) begin_lead: String,
    pub(super) begin_own: String,
    pub(super) rules: String,
    pub(super) rule: Vec<String>,
    pub(super) addresses: String,
    pub(super) example: String,
    pub(super) signing: String,
    pub(super) signing_request: String,
    pub(super) signing_mtls: String,
    pub(super) signing_webhook: String,
    pub(super) errors: String,
    pub(super) errors_lead: String,
    pub(super) not_taken: String,
    pub(super) refused: String,
    pub(super) unknown: String,
    /// By `operationId`.
    pub(super) operation: BTreeMap<String, String>,
    /// By code.
    pub(super) error: BTreeMap<String, String>,
}

static ENGLISH: LazyLock<Words> = LazyLock::new(|| compiled_in(include_str!("en.toml")));
static FRENCH: LazyLock<Words> = LazyLock::new(|| compiled_in(&with_french_spaces(include_str!("fr.toml"))));

/// Everything the page says in `language`.
pub(super) fn words(language: Language) -> &'static Words {
    match language {
        Language::En => &ENGLISH,
        Language::Fr => &FRENCH,
    }
}

#[expect(clippy::expect_used, reason = "the files are part of the executable, and a test reads every one of them")]
fn compiled_in(file: &str) -> Words {
    toml::from_str(file).expect("the language files in the executable are readable")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bank::settlement::openapi::{DOCUMENT, ERRORS};

    #[test]
    fn every_address_and_every_error_is_explained_in_every_language() {
        let api: serde_json::Value = serde_json::from_str(DOCUMENT).unwrap();
        let operations = api["paths"].as_object().unwrap().values().flat_map(|methods| methods.as_object().unwrap().values());
        let mut ids: Vec<&str> = operations.map(|operation| operation["operationId"].as_str().unwrap()).collect();
        ids.sort_unstable();
        let mut codes: Vec<&str> = ERRORS.iter().map(|error| error.code).collect();
        codes.sort_unstable();
        for language in Language::ALL {
            let words = words(language);
            assert_eq!(words.operation.keys().collect::<Vec<_>>(), ids, "{language:?}");
            assert_eq!(words.error.keys().collect::<Vec<_>>(), codes, "{language:?}");
            assert_eq!(words.rule.len(), 7);
        }
    }
}
