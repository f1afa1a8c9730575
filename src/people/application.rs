//! An application to become a payee, as it comes from the page, and what is asked of its fields.

use serde::{Deserialize, Serialize};

use super::{Class, Language};
use crate::clock::Timestamp;
use crate::iban::Iban;
use crate::ids::{AccountId, PlatformName};

pub use crate::ids::ApplicationId;

/// The longest legal name: what a credit transfer carries.
pub const LONGEST_NAME: usize = 70;
/// The longest registry number, contact or handle.
pub const LONGEST_FIELD: usize = 120;

/// Somebody who wants to be a payee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Which.
    pub id: ApplicationId,
    /// The legal name, as claimed.
    pub legal_name: String,
    /// Charity or company, as claimed.
    pub class: Class,
    /// The number in the registry, as claimed.
    pub registry_number: Option<String>,
    /// The account, as claimed.
    pub iban: Iban,
    /// Where they are named.
    pub platform: PlatformName,
    /// By which handle.
    pub handle: String,
    /// The immutable id that the platform said the handle has.
    pub account: AccountId,
    /// How the operators reach them.
    pub contact: String,
    /// In which language.
    pub language: Language,
    /// `open`, `accepted` or `refused`.
    pub state: String,
    /// When it came.
    pub submitted_at: Timestamp,
}

/// The fields of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `legal_name`
    LegalName,
    /// `class`
    Class,
    /// `registry_number`
    RegistryNumber,
    /// `iban`
    Iban,
    /// `handle`
    Handle,
    /// `contact`
    Contact,
}

/// What a person wrote, before anything is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Written {
    /// The legal name.
    pub legal_name: String,
    /// `charity` or `company`.
    pub class: String,
    /// The number in the registry.
    pub registry_number: String,
    /// The account.
    pub iban: String,
    /// The connection.
    pub platform: String,
    /// The handle, with or without its at sign.
    pub handle: String,
    /// How they are reached.
    pub contact: String,
}

/// What can be believed without asking anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// The legal name.
    pub legal_name: String,
    /// Charity or company.
    pub class: Class,
    /// The number in the registry.
    pub registry_number: Option<String>,
    /// The account.
    pub iban: Iban,
    /// The handle, without its at sign, in lower case.
    pub handle: String,
    /// How they are reached.
    pub contact: String,
}

impl Written {
    /// Reads every field, or names those that cannot be right.
    pub fn read(&self) -> Result<Sound, Vec<Field>> {
        let line = |text: &str, longest: usize| {
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            let fits = !text.is_empty() && text.chars().count() <= longest && !text.chars().any(char::is_control);
            fits.then_some(text)
        };
        let legal_name = line(&self.legal_name, LONGEST_NAME);
        let class = self.class.parse::<Class>().ok().filter(|class| *class != Class::Person);
        let registry_number = line(&self.registry_number, LONGEST_FIELD);
        // A charity is known by its number; a company may have none that we can look up.
        let has_number = registry_number.is_some() || (class == Some(Class::Company) && self.registry_number.trim().is_empty());
        let iban = self.iban.parse::<Iban>().ok();
        let handle = line(self.handle.trim().trim_start_matches(['@', '＠']), LONGEST_FIELD);
        let handle = handle.filter(|handle| !handle.contains(' ')).map(|handle| handle.to_ascii_lowercase());
        let contact = line(&self.contact, LONGEST_FIELD)
            .filter(|contact| contact.contains('@') || contact.chars().filter(char::is_ascii_digit).count() >= 6);
        let wrong = [
            (legal_name.is_none(), Field::LegalName),
            (class.is_none(), Field::Class),
            (!has_number, Field::RegistryNumber),
            (iban.is_none(), Field::Iban),
            (handle.is_none(), Field::Handle),
            (contact.is_none(), Field::Contact),
        ];
        match (legal_name, class, iban, handle, contact, has_number) {
            (Some(legal_name), Some(class), Some(iban), Some(handle), Some(contact), true) => {
                Ok(Sound { legal_name, class, registry_number, iban, handle, contact })
            }
            _ => Err(wrong.into_iter().filter_map(|(is_wrong, field)| is_wrong.then_some(field)).collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Written {
        Written {
            legal_name: "  Les amis   du musée ".to_owned(),
            class: "charity".to_owned(),
            registry_number: "W751234567".to_owned(),
            iban: "FR76 3000 6000 0112 3456 7890 189".to_owned(),
            platform: "town".to_owned(),
            handle: "@AmisDuMusee".to_owned(),
            contact: "tresor@musee.example".to_owned(),
        }
    }

    #[test]
    fn what_is_sound_is_read_as_it_is_meant() {
        let sound = written().read().unwrap();
        assert_eq!((sound.legal_name.as_str(), sound.handle.as_str()), ("Les amis du musée", "amisdumusee"));
        assert_eq!(sound.iban.as_str(), "FR7630006000011234567890189");
        let company = Written { class: "company".to_owned(), registry_number: String::new(), ..written() };
        assert_eq!(company.read().unwrap().registry_number, None);
    }

    #[test]
    fn each_field_that_cannot_be_right_is_named() {
        let none = Written::default().read().unwrap_err();
        use Field::{Class, Contact, Handle, Iban, LegalName, RegistryNumber};
        assert_eq!(none, [LegalName, Class, RegistryNumber, Iban, Handle, Contact]);
        for (change, field) in [
            (Written { legal_name: "x".repeat(71), ..written() }, LegalName),
            (Written { class: "person".to_owned(), ..written() }, Class),
            (Written { registry_number: " ".to_owned(), ..written() }, RegistryNumber),
            (Written { iban: "FR7630006000011234567890188".to_owned(), ..written() }, Iban),
            (Written { handle: "les amis".to_owned(), ..written() }, Handle),
            (Written { contact: "ring me".to_owned(), ..written() }, Contact),
            (Written { legal_name: "a\u{7}b".to_owned(), ..written() }, LegalName),
        ] {
            assert_eq!(change.read(), Err(vec![field]), "{change:?}");
        }
    }
}
