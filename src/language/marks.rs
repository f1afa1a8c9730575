//! Currency marks in a text: symbols, ISO codes and words of V5, and what may touch them (section 5.2).

use super::characters::{Class, characters};
use super::vocabulary::{FoundMark, MarkId, vocabulary};

/// `mark = symbol / code`: the one at `at`, if nothing touches it that makes it a part of a word.
pub(super) fn mark(visible: &str, at: usize, buffer: &mut String) -> Option<FoundMark> {
    let here = &visible[at..];
    if !characters().first_class(here).is(Class::LETTER) {
        return symbol(here);
    }
    if !vocabulary().may_be_letters(here) {
        return None;
    }
    if edge(characters().class_before(visible, at)) || visible[..at].ends_with('_') {
        return None;
    }
    let letters = vocabulary().mark_letters(here)?;
    let ends_free = |found: &FoundMark| !runs_into(&here[..found.length], &here[found.length..]);
    if !vocabulary().may_be_symbol(letters) {
        return code(letters, buffer).filter(ends_free);
    }
    let next = here[letters.len()..].chars().next().map_or(0, char::len_utf8);
    // `Fr.` before `Fr`, `US$` before a code.
    let longer = symbol(&here[..letters.len() + next]).filter(|found| found.length > letters.len());
    longer.or_else(|| symbol(letters)).or_else(|| code(letters, buffer)).filter(ends_free)
}

/// `symbol`: the whole of `text` as a symbol of V5, exact; or its first character, which is how symbols without letters
/// are written.
fn symbol(text: &str) -> Option<FoundMark> {
    let first = text.chars().next()?;
    let whole = if characters().class(first).is(Class::LETTER) { text } else { &text[..first.len_utf8()] };
    vocabulary().exact_symbol(whole)
}

/// `code`: letters that are an ISO code of V5, or an ambiguous mark that stands on either side like one.
fn code(letters: &str, buffer: &mut String) -> Option<FoundMark> {
    vocabulary().exact_code(letters, buffer)
}

/// `money-word`, in CJK letters: they need no edge, so it may be the start of a longer run.
pub(super) fn money_word_at(run: &str) -> Option<(MarkId, usize)> {
    vocabulary().cjk_prefix(run, |word| word.money)
}

/// Whether a mark at the end of `text` would be part of a word that `after` goes on with.
pub(super) fn runs_into(text: &str, after: &str) -> bool {
    let letter_last = characters().class_before(text, text.len()).is(Class::LETTER);
    letter_last && (edge(characters().first_class(after)) || after.starts_with('_'))
}

/// Whether a neighbour is a letter or a combining mark that makes a mark part of a word; CJK letters do not.
fn edge(neighbour: Class) -> bool {
    neighbour.is(Class::LETTER.or(Class::MARK)) && !neighbour.is(Class::CJK)
}

#[cfg(test)]
mod tests {

    fn found(text: &str, at: usize) -> Option<&str> {
        super::mark(text, at, &mut String::new()).map(|found| &text[at..at + found.length])
    }

    #[test]
    fn symbols_are_exact_and_the_longest_wins() {
        for symbol in
            ["€", "US$", "$", "＄", "£", "SFr.", "Fr.", "SFr", "Fr", "¥", "Kč", "Ft", "CA$", "C$", "AU$", "A$", "R$", "MX$"]
        {
            assert_eq!(found(symbol, 0), Some(symbol));
            assert_eq!(found(&format!("{symbol}20"), 0), Some(symbol));
        }
        for symbol in ["₹", "Rs.", "Rs", "DT", "FCFA", "CFA", "₩"] {
            assert_eq!(found(symbol, 0), Some(symbol));
        }
        for text in ["us$", "fr.", "FT", "dt", "cfa", "Cfa"] {
            assert_eq!(found(text, 0), None, "{text}");
        }
    }

    #[test]
    fn codes_are_in_capitals_or_in_any_case_by_the_table() {
        for code in ["EUR", "eur", "eUr", "ＥＵＲ", "SEK", "CAD", "MAD", "SAR", "nok", "kr", "KR"] {
            assert_eq!(found(code, 0), Some(code));
        }
        for word in ["sek", "cad", "mad", "sar", "Cad", "BTC", "euro"] {
            assert_eq!(found(word, 0), None, "{word}");
        }
    }

    #[test]
    fn letters_marks_and_underscores_must_not_touch() {
        for text in ["EURx", "EUR_", "EUR\u{301}", "Frau", "Kčs", "krx"] {
            assert_eq!(found(text, 0), None, "{text}");
        }
        for (text, at) in [("xEUR", 1), ("_EUR", 1), ("éUS$", 2)] {
            assert_eq!(found(text, at), None, "{text}");
        }
        for (text, at, expected) in
            [("EURを", 0, "EUR"), ("円EUR", 3, "EUR"), ("5EUR", 1, "EUR"), ("x€y", 1, "€"), ("EUR's", 0, "EUR")]
        {
            assert_eq!(found(text, at), Some(expected), "{text}");
        }
    }
}
