//! The texts of the page to play on, as `web::words` reads those of the product.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::people::Language;
use crate::web::words::{language_file, with_french_spaces};

language_file! {
    page: Page {
        title, lead, sections, to_who, to_post, to_messages, to_orders, to_money, town, bank, language, try_language, trouble, back,
    }
    who: Who {
        title, choose, be, new, name, name_hint, join, you_are, at_bank, linked, other,
    }
    enrol: Enrol {
        title, lead, phrase, phrase_hint, phrase_example, begin, one, one_go, one_page, two, two_go,
        two_copy, two_wait, three, three_yes, three_no, ended, choose, own_page,
    }
    post: Post {
        title, lead, label, go, or_try, timeline, nothing, delete, edited, not_linked,
    }
    messages: Messages {
        title, lead, nothing, label, go, quick, you, older,
    }
    orders: Orders {
        title, lead, nothing, see,
    }
    money: Money {
        title, lead, yours, balance, nothing,
    }
    happened: Happened {
        title, start, ready, enrol, posted, asked, answered, paid, waits, under_way, ended, explained,
    }
}

const EN: &str = include_str!("en.toml");
const FR: &str = include_str!("fr.toml");

static ENGLISH: LazyLock<Texts> = LazyLock::new(|| compiled_in(EN));
static FRENCH: LazyLock<Texts> = LazyLock::new(|| compiled_in(&with_french_spaces(FR)));

/// Everything said in `language`.
pub(super) fn texts(language: Language) -> &'static Texts {
    match language {
        Language::En => &ENGLISH,
        Language::Fr => &FRENCH,
    }
}

#[expect(clippy::expect_used, reason = "the files are part of the executable, and a test reads every one of them")]
fn compiled_in(file: &str) -> Texts {
    toml::from_str(file).expect("the language files in the executable are readable")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::words::placeholders;

    #[test]
    fn every_language_file_of_the_playground_has_every_text_and_no_other() {
        for file in [EN, FR] {
            toml::from_str::<Texts>(file).unwrap();
        }
        assert_eq!(placeholders(EN), placeholders(FR));
    }
}
