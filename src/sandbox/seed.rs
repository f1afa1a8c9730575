//! The first inhabitants: people with accounts, charities, Obole's own account in the town, and what Obole has to be told of them.
//!
//! Everybody is made through the servers' helper addresses, and only if they are not there yet, so every start may sow again.

use secrecy::SecretString;

use super::person::{Person, Sandbox};
use crate::app::directory::{CampaignEntry, PayeeEntry, PayeeHandle};
use crate::ids::PlatformName;
use crate::money::{Currency, Money};
use crate::people::Class;

/// The name of Obole's account in the town.
pub const BOT: &str = "obole";

/// Who plays: name in the town and at the bank, legal name, opening balance in euros.
pub const PEOPLE: [(&str, &str, &str); 3] =
    [("ana", "Ana Moreau", "250.00"), ("bob", "Bob Martin", "120.00"), ("chloe", "Chloé Dubois", "80.00")];

/// Who collects: name in the town, legal name, number in the registry.
const CHARITIES: [(&str, &str, &str); 2] =
    [("croixrouge", "Croix-Rouge du bac à sable", "W000000001"), ("wateraid", "WaterAid Sandbox", "W000000002")];

/// The hashtag, what it is called, who collects, and the goal in cents.
const CAMPAIGNS: [(&str, &str, &str, i64); 2] =
    [("telethon", "Téléthon du bac à sable", "croixrouge", 50_000), ("water4all", "Water for all", "wateraid", 20_000)];

/// What the sowing came to.
#[derive(Debug)]
pub struct Seeded {
    /// What Obole proves itself with in the town.
    pub bot_token: SecretString,
    /// Who plays, each with an account at the bank.
    pub people: Vec<Person>,
    /// Who may be paid.
    pub payees: Vec<PayeeEntry>,
    /// Under which hashtags.
    pub campaigns: Vec<CampaignEntry>,
}

/// Makes everybody. `platform` is the name under which Obole is connected to the town.
pub async fn sow(sandbox: &Sandbox, platform: &PlatformName) -> anyhow::Result<Seeded> {
    let bot = sandbox.join_town(BOT, "Obole (bac à sable · sandbox)", true).await?;
    let handle = |handle: &str| vec![PayeeHandle { platform: platform.clone(), handle: handle.to_owned(), account: None }];
    let mut people = Vec::with_capacity(PEOPLE.len());
    let mut payees = Vec::with_capacity(PEOPLE.len() + CHARITIES.len());
    for (slug, legal_name, registry_number) in CHARITIES {
        sandbox.join_town(slug, legal_name, false).await?;
        let iban = sandbox.account_of(slug, legal_name, "0.00").await?;
        let registry_number = Some(registry_number.to_owned());
        let (slug, legal_name) = (slug.to_owned(), legal_name.to_owned());
        payees.push(PayeeEntry { accounts: handle(&slug), slug, legal_name, class: Class::Charity, iban, registry_number });
    }
    for (slug, legal_name, opening) in PEOPLE {
        let person = Person::sign_up(sandbox, slug, legal_name, opening).await?;
        let (slug, legal_name, iban) = (slug.to_owned(), legal_name.to_owned(), person.iban().clone());
        payees.push(PayeeEntry { accounts: handle(&slug), slug, legal_name, class: Class::Person, iban, registry_number: None });
        people.push(person);
    }
    let campaign = |(tag, title, payee, goal): (&str, &str, &str, i64)| CampaignEntry {
        tag: tag.to_owned(),
        title: title.to_owned(),
        payee: payee.to_owned(),
        goal: Some(Money::new(goal, Currency::EUR)),
    };
    Ok(Seeded { bot_token: bot.token, people, payees, campaigns: CAMPAIGNS.map(campaign).to_vec() })
}
