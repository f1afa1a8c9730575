//! V5: the currencies that are served, and the marks that name them, compiled from `grammar/currencies.toml`.

use std::collections::HashMap;

use serde::Deserialize;

use super::super::characters::fold;
use super::WordHasher;
use crate::money::Currency;

pub(super) const SOURCE: &str = include_str!("../../../grammar/currencies.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    currency: Vec<CurrencyRow>,
    ambiguous: Vec<AmbiguousRow>,
    shared: Vec<SharedRow>,
    between: BetweenRow,
    slang: Vec<SlangRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CurrencyRow {
    code: Currency,
    decimals: u32,
    #[serde(default)]
    any_case: bool,
    #[serde(default)]
    symbols: Vec<String>,
    #[serde(default)]
    words: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AmbiguousRow {
    marks: Vec<String>,
    #[serde(default)]
    either_side: bool,
    codes: Vec<Currency>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SharedRow {
    symbols: Vec<String>,
    codes: Vec<Currency>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BetweenRow {
    symbols: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlangRow {
    words: Vec<String>,
    code: Option<Currency>,
}

/// Which mark of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct MarkId(u16);

/// What a mark says about the currency.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Mark {
    /// Every currency that it may name.
    pub(in super::super) names: Vec<Currency>,
    /// The one that it names when it stands alone; none for an ambiguous mark.
    pub(in super::super) alone: Option<Currency>,
    /// Whether it may stand between units and two digits: `10€50`.
    pub(in super::super) between: bool,
}

/// What one or two marks at a numeral come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Named {
    /// This currency.
    Currency(Currency),
    /// One of these; nothing says which.
    Ambiguous(Vec<Currency>),
    /// No currency that both can name.
    Conflict,
}

/// A code as it stands in a text: ISO codes, and the ambiguous marks that may stand on either side.
#[derive(Debug, Clone, Copy)]
pub(super) struct CodeEntry {
    pub(super) mark: MarkId,
    pub(super) capitals_only: bool,
}

/// The compiled table.
pub(super) struct Currencies {
    marks: Vec<Mark>,
    /// Exact.
    pub(super) symbols: HashMap<Box<str>, MarkId, WordHasher>,
    /// Folded.
    pub(super) codes: HashMap<Box<str>, CodeEntry, WordHasher>,
    /// Folded.
    pub(super) words: HashMap<Box<str>, MarkId, WordHasher>,
    /// Folded, with the code to suggest.
    pub(super) slang: HashMap<Box<str>, Option<Currency>, WordHasher>,
    /// In the order of the file, with their decimals.
    pub(super) served: Vec<(Currency, u32)>,
}

impl Currencies {
    pub(super) fn compile(source: &str) -> Result<Currencies, String> {
        let file: File = toml::from_str(source).map_err(|error| error.to_string())?;
        let mut compiled = Currencies {
            marks: Vec::new(),
            symbols: HashMap::default(),
            codes: HashMap::default(),
            words: HashMap::default(),
            slang: HashMap::default(),
            served: Vec::new(),
        };
        for row in &file.currency {
            compiled.add_currency(row, &file.shared, &file.between)?;
        }
        for row in &file.ambiguous {
            let mark = compiled.add(Mark { names: row.codes.clone(), alone: None, between: false })?;
            for word in &row.marks {
                once(compiled.words.insert(fold(word).into(), mark), word)?;
                if row.either_side {
                    once(compiled.codes.insert(fold(word).into(), CodeEntry { mark, capitals_only: false }), word)?;
                }
            }
        }
        for row in &file.slang {
            for word in &row.words {
                once(compiled.slang.insert(fold(word).into(), row.code), word)?;
                if compiled.words.contains_key(fold(word).as_str()) {
                    return Err(format!("{word:?} is served and slang"));
                }
            }
        }
        let unserved = |code: &Currency| !compiled.served.iter().any(|(served, _)| served == code);
        let named = file.ambiguous.iter().flat_map(|row| &row.codes).chain(file.shared.iter().flat_map(|row| &row.codes));
        match named.chain(file.slang.iter().filter_map(|row| row.code.as_ref())).find(|code| unserved(code)) {
            Some(code) => Err(format!("{code} is named but has no row")),
            None => Ok(compiled),
        }
    }

    fn add_currency(&mut self, row: &CurrencyRow, shared: &[SharedRow], between: &BetweenRow) -> Result<(), String> {
        let code = row.code;
        if row.decimals != code.decimals() {
            return Err(format!("{code} has {} decimals, not {}", code.decimals(), row.decimals));
        }
        self.served.push((code, row.decimals));
        let iso = self.add(Mark { names: vec![code], alone: Some(code), between: false })?;
        let entry = CodeEntry { mark: iso, capitals_only: !row.any_case };
        once(self.codes.insert(fold(code.code()).into(), entry), code.code())?;
        for symbol in &row.symbols {
            let others = shared.iter().find(|row| row.symbols.contains(symbol)).map(|row| row.codes.clone());
            let between = between.symbols.contains(symbol);
            let mark = self.add(Mark { names: others.unwrap_or_else(|| vec![code]), alone: Some(code), between })?;
            once(self.symbols.insert(symbol.as_str().into(), mark), symbol)?;
        }
        let word_mark = self.add(Mark { names: vec![code], alone: Some(code), between: false })?;
        for word in &row.words {
            once(self.words.insert(fold(word).into(), word_mark), word)?;
        }
        Ok(())
    }

    fn add(&mut self, mark: Mark) -> Result<MarkId, String> {
        let id = u16::try_from(self.marks.len()).map_err(|_| "too many marks".to_owned())?;
        self.marks.push(mark);
        Ok(MarkId(id))
    }

    pub(super) fn mark(&self, id: MarkId) -> &Mark {
        &self.marks[usize::from(id.0)]
    }

    /// Which currency one or two marks name (section 5.2).
    pub(super) fn name(&self, first: MarkId, second: Option<MarkId>) -> Named {
        let first = self.mark(first);
        let Some(second) = second.map(|id| self.mark(id)) else {
            return first.alone.map_or_else(|| Named::Ambiguous(first.names.clone()), Named::Currency);
        };
        let common: Vec<Currency> = first.names.iter().copied().filter(|code| second.names.contains(code)).collect();
        match common.as_slice() {
            [] => Named::Conflict,
            // An ISO code names one currency, so it decides here too.
            [only] => Named::Currency(*only),
            _ if first.alone == second.alone => first.alone.map_or(Named::Ambiguous(common), Named::Currency),
            _ => Named::Ambiguous(common),
        }
    }
}

fn once<T>(before: Option<T>, word: &str) -> Result<(), String> {
    before.map_or(Ok(()), |_| Err(format!("{word:?} stands in the table twice")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Currencies {
        Currencies::compile(SOURCE).unwrap()
    }

    fn named(first: &str, second: &str) -> String {
        let table = table();
        let find = |text: &str| {
            let code = table.codes.get(fold(text).as_str()).map(|entry| entry.mark);
            table.symbols.get(text).copied().or(code).or(table.words.get(fold(text).as_str()).copied()).unwrap()
        };
        match table.name(find(first), (!second.is_empty()).then(|| find(second))) {
            Named::Currency(code) => code.to_string(),
            Named::Ambiguous(codes) => codes.iter().map(|code| code.code()).collect::<Vec<_>>().join("|"),
            Named::Conflict => "conflict".to_owned(),
        }
    }

    #[test]
    fn two_marks_name_what_they_have_in_common() {
        for (first, second, expected) in [
            ("$", "", "USD"),
            ("$", "CAD", "CAD"),
            ("$", "EUR", "conflict"),
            ("$", "$", "USD"),
            ("$", "＄", "USD"),
            ("C$", "$", "CAD"),
            ("$", "peso", "MXN"),
            ("¥", "", "JPY"),
            ("¥", "元", "CNY"),
            ("¥", "円", "JPY"),
            ("￥", "¥", "JPY"),
            ("kr", "", "SEK|NOK|DKK"),
            ("kr", "kroner", "NOK|DKK"),
            ("SEK", "kr", "SEK"),
            ("CHF", "francs", "CHF"),
            ("€", "franc", "conflict"),
            ("€", "euros", "EUR"),
        ] {
            assert_eq!(named(first, second), expected, "{first} {second}");
        }
    }

    #[test]
    fn a_table_that_contradicts_itself_is_refused() {
        let refuse = |from: &str, to: &str| Currencies::compile(&SOURCE.replace(from, to)).err().unwrap_or_default();
        assert!(refuse("decimals = 3", "decimals = 2").contains("TND has 3 decimals"));
        assert!(refuse("words = [\"yuan\", \"元\"]", "words = [\"yuan\", \"円\"]").contains("\"円\" stands in the table twice"));
        assert!(refuse("words = [\"quid\"]", "words = [\"Euro\"]").contains("served and slang"));
        assert!(refuse("any_case", "anycase").contains("anycase"));
        assert!(refuse("codes = [\"MXN\"]", "codes = [\"VND\"]").contains("VND is named but has no row"));
    }
}
