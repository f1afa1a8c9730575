//! What may be written into a SEPA credit transfer.
//!
//! The character set is the one every SEPA bank must carry (EPC implementation guidelines, section 1.4: a-z A-Z 0-9
//! / - ? : ( ) . , ' + and space). Other characters are lost or rejected on the way, so text is fitted to it here, before
//! it is shown to the payer and before it is sent. Replacements follow EPC217-08, but for `#` and `@`:
//! they mark a word for a network and say nothing on a statement, so they leave no trace.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// The longest reference (`EndToEndId`).
pub const REFERENCE_MAX: usize = 35;
/// The longest name.
pub const NAME_MAX: usize = 70;
/// The longest line of remittance information.
pub const REMITTANCE_MAX: usize = 140;

/// The most that one transfer may carry, in cents: 999,999,999.99 €.
pub const LARGEST_MINOR: i64 = 99_999_999_999;

/// Whether every character is in the SEPA set.
pub fn is_sepa_text(text: &str) -> bool {
    text.chars().all(is_sepa)
}

fn is_sepa(character: char) -> bool {
    character.is_ascii_alphanumeric() || "/-?:().,'+ ".contains(character)
}

/// Whether this can stand as a reference: SEPA set, 1 to 35 characters, no slash at an end and no two in a row.
pub fn is_reference(text: &str) -> bool {
    !text.is_empty() && text.len() <= REFERENCE_MAX && is_sepa_text(text) && slashes_fit(text)
}

fn slashes_fit(text: &str) -> bool {
    !text.starts_with('/') && !text.ends_with('/') && !text.contains("//")
}

/// The nearest text in the SEPA set: accents go, signs become their likeness, white space becomes one space, and what is
/// longer than `max` characters is cut.
pub fn fit(text: &str, max: usize) -> String {
    let mut fitted = String::with_capacity(text.len().min(max));
    for character in text.nfkd().filter(|character| !is_combining_mark(*character)) {
        if character.is_whitespace() {
            if !fitted.ends_with(' ') {
                fitted.push(' ');
            }
        } else if is_sepa(character) {
            if character != '/' || !fitted.ends_with('/') {
                fitted.push(character);
            }
        } else if !character.is_control() {
            fitted.push_str(likeness(character));
        }
    }
    let ends = [' ', '/'];
    let cut: String = fitted.trim_matches(ends).chars().take(max).collect();
    cut.trim_end_matches(ends).to_owned()
}

fn likeness(character: char) -> &'static str {
    match character {
        'œ' => "oe",
        'Œ' => "OE",
        'æ' => "ae",
        'Æ' => "AE",
        'ß' => "ss",
        'ø' => "o",
        'Ø' => "O",
        'ł' => "l",
        'Ł' => "L",
        'đ' | 'ð' => "d",
        'Đ' | 'Ð' => "D",
        'ı' => "i",
        '#' | '@' => "",
        '€' => "E",
        '&' => "+",
        '_' | '~' | '‐' | '‑' | '–' | '—' | '−' => "-",
        '`' | '’' | '‘' | 'ʼ' => "'",
        '[' | '{' => "(",
        ']' | '}' => ")",
        '\\' | '|' => "-",
        ';' => ",",
        _ => ".",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_texts_become_what_banks_carry() {
        assert_eq!(fit("Croix-Rouge française", NAME_MAX), "Croix-Rouge francaise");
        assert_eq!(fit("Les Restos du Cœur & Cie", NAME_MAX), "Les Restos du Coeur + Cie");
        assert_eq!(fit("#telethon  10€\n“merci”", REMITTANCE_MAX), "telethon 10E .merci.");
        assert_eq!(fit("https://a//b/", REMITTANCE_MAX), "https:/a/b");
        assert_eq!(fit("abc /def", 5), "abc");
    }

    #[test]
    fn references_keep_their_slashes_inside() {
        assert!(is_reference("0123456789abcdef0123456789abcdef"));
        for bad in ["", "/a", "a/", "a//b", "a_b", "é", "0123456789abcdef0123456789abcdef0123"] {
            assert!(!is_reference(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_fitted_is_sepa_text_of_the_right_length(text: String, max in 1_usize..80) {
            let fitted = fit(&text, max);
            prop_assert!(is_sepa_text(&fitted) && slashes_fit(&fitted));
            prop_assert!(fitted.len() <= max);
            prop_assert_eq!(fit(&fitted, max), fitted);
        }
    }
}
