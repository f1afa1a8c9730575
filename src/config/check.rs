//! Every section with the rules for its values. Each is read to its end, whatever is wrong before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretBox};
use url::Url;

use super::iso20022::iso20022;
use super::platforms;
use super::reader::{Form, Outcome, Place, Reader, Section};
use super::sections::{
    BankSection, BerlinGroupProduct, BerlinGroupSection, CampaignSection, Config, OperatorsSection, PayeeIdentitySection,
    PayeeSection, ReconcileSection, ScreeningSection, SecretsSection, StoreSection, WebSection,
};
use super::settlement;
use crate::bank::berlin_group::Authentication;
use crate::bank::oauth::ClientCredentials;
use crate::iban::Iban;
use crate::ids::{BankName, PlatformName};
use crate::money::{Currency, Money};
use crate::order::{Limits, Timing};
use crate::people::screening::SanctionsList;
use crate::people::{Class, likeness};
use crate::store::Location;

/// The ports of the sandbox town and bank, and of the reference backend. They listen on loopback only, and a production start never speaks to them.
const SANDBOX_PORTS: [u16; 3] = [8081, 8082, 8090];

pub(super) fn config(reader: &mut Reader<'_>, mut root: Section<'_>) -> Outcome<Config> {
    let store = store(reader, &mut root);
    let web = web(reader, &mut root);
    let secrets = secrets(reader, &mut root);
    let platform_names = root.names("platforms");
    let platforms = platforms::platforms(reader, &mut root);
    let banks = banks(reader, &mut root);
    let limits = limits(reader, &mut root);
    let timing = timing(reader, &mut root);
    let screening = screening(reader, &mut root);
    let operators = operators(reader, &mut root);
    let reconcile = reconcile(reader, &mut root);
    let mut slugs = BTreeSet::new();
    let payees = payees(reader, &mut root, &platform_names, &mut slugs);
    let campaigns = campaigns(reader, &mut root, &slugs);
    reader.finish(root);
    Ok(Config {
        store: store?,
        web: web?,
        secrets: secrets?,
        platforms: platforms?,
        banks: banks?,
        limits: limits?,
        timing: timing?,
        screening: screening?,
        operators: operators?,
        reconcile: reconcile?,
        payees: payees?,
        campaigns: campaigns?,
        warnings: Vec::new(),
    })
}

fn store(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Outcome<StoreSection> {
    let mut section = reader.section(root, "store");
    let url = reader.secret(&mut section, "url", "url_file");
    let location = url.and_then(|url| match url {
        None => Err(reader.missing(&section, "url")),
        Some((url, place)) => match location(url.expose_secret()) {
            Ok(location) => Ok(StoreSection { url, location }),
            Err(why) => {
                Err(reader.note(&place, why, Some("sqlite:/path/obole.db or postgres://user:password@host/name".to_owned())))
            }
        },
    });
    reader.finish(section);
    location
}

fn location(url: &str) -> Result<Location, String> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return match path {
            "" | ":memory:" => Err("has to name a file: what is kept in memory is lost".to_owned()),
            path => Ok(Location::Sqlite(path.into())),
        };
    }
    let parsed = Url::parse(url).map_err(|why| format!("is not a database URL: {why}"))?;
    match (parsed.scheme(), parsed.host_str()) {
        ("postgres" | "postgresql", Some(_)) => Ok(Location::Postgres(url.to_owned())),
        ("postgres" | "postgresql", None) => Err("names no host".to_owned()),
        (other, _) => Err(format!("has to begin with sqlite: or postgres://, not {other}:")),
    }
}

fn web(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Outcome<WebSection> {
    let mut section = reader.section(root, "web");
    let listen = reader.required(&mut section, "listen", Form::Text, |text| {
        text.parse().map_err(|_| "has to be an address with a port, e.g. 127.0.0.1:8080 or [::]:8080".to_owned())
    });
    let public_url = reader.required(&mut section, "public_url", Form::Text, |text| {
        let url = web_address(text)?;
        if url.host_str().is_some_and(|host| host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[')) {
            return Err("has to have a name instead of an IP address, which passkeys refuse".to_owned());
        }
        if url.path() != "/" {
            return Err("has to end after the host and port".to_owned());
        }
        Ok(url)
    });
    reader.finish(section);
    Ok(WebSection { listen: listen?.0, public_url: public_url?.0 })
}

fn secrets(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Outcome<SecretsSection> {
    let mut section = reader.section(root, "secrets");
    let key = secret_bytes(reader, &mut section, "key", "key_file");
    reader.finish(section);
    Ok(SecretsSection { key: key? })
}

fn secret_bytes(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    key: &'static str,
    key_file: &'static str,
) -> Outcome<SecretBox<[u8; 32]>> {
    let Some((text, place)) = reader.secret(section, key, key_file)? else { return Err(reader.missing(section, key)) };
    let mut bytes = Box::new([0; 32]);
    let text = text.expose_secret();
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    match digits {
        Some(digits) if digits.len() == 64 => {
            for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
                *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
            }
            Ok(SecretBox::new(bytes))
        }
        _ => {
            let count = text.chars().count();
            let message = format!("has to be 64 hexadecimal digits; these are {count} characters");
            Err(reader.note(&place, message, Some("make one with: openssl rand -hex 32".to_owned())))
        }
    }
}

fn banks(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Outcome<BTreeMap<BankName, BankSection>> {
    let named = reader.named(root, "banks");
    if named.is_empty() {
        reader.note(&Place::of_key("banks"), "names no bank", Some("add a table such as [banks.main]".to_owned()));
    }
    let read = named.into_iter().map(|(name, mut section)| {
        const KINDS: [&str; 3] = ["berlin_group", "settlement", "iso20022_files"];
        let kind = reader.required(&mut section, "kind", Form::Text, |kind| one_of(kind, &KINDS).map(|()| kind.to_owned()));
        // Without a kind, the keys of the first are what is checked.
        let bank = match kind.as_ref().map(|(kind, _)| kind.as_str()) {
            Ok("settlement") => settlement::read(reader, &name, &mut section).map(BankSection::Settlement),
            Ok("iso20022_files") => iso20022(reader, &mut section).map(BankSection::Iso20022Files),
            _ => berlin_group(reader, &mut section).map(BankSection::BerlinGroup),
        };
        reader.finish(section);
        kind?;
        Ok((BankName::from(name), bank?))
    });
    all(read)
}

fn berlin_group(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Outcome<BerlinGroupSection> {
    let base_url = outside(reader, section);
    let product = reader.required(section, "product", Form::Text, |text| {
        let found = BerlinGroupProduct::ALL.into_iter().find(|product| product.as_str() == text);
        found.ok_or_else(|| must_be(&BerlinGroupProduct::ALL.map(BerlinGroupProduct::as_str)))
    });
    let psu_ip_address = reader.required(section, "psu_ip_address", Form::Text, |text| {
        // The interface's own description says `format: ipv4`.
        let address: Result<std::net::Ipv4Addr, _> = text.parse();
        address.map(Into::into).map_err(|_| "has to be an IPv4 address, e.g. 192.0.2.1".to_owned())
    });
    let bearer_token = reader.secret(section, "bearer_token", "bearer_token_file");
    let token = client_credentials(reader, section);
    let path = |text: &str| not_blank(text).map(std::path::PathBuf::from);
    let client_identity = reader.optional(section, "client_identity", Form::Text, path);
    let signing_identity = reader.optional(section, "signing_identity", Form::Text, path);
    let authentication = reader.or(section, "authentication", Form::Text, Authentication::Redirect, |text| match text {
        "redirect" => Ok(Authentication::Redirect),
        "decoupled" => Ok(Authentication::Decoupled),
        _ => Err(must_be(&["redirect", "decoupled"])),
    });
    // A credit transfer is booked by the next business day; a long weekend lies between.
    let five_days = Duration::from_hours(5 * 24);
    let look_up_horizon = reader.or(section, "look_up_horizon_seconds", Form::Whole, five_days, seconds);
    let connect_timeout = reader.or(section, "connect_timeout_seconds", Form::Whole, Duration::from_secs(5), seconds);
    let request_timeout = reader.or(section, "request_timeout_seconds", Form::Whole, Duration::from_secs(30), seconds);
    let requests_per_second = reader.or(section, "requests_per_second", Form::Whole, 10, at_least_one);
    Ok(BerlinGroupSection {
        base_url: base_url?,
        product: product?.0,
        psu_ip_address: psu_ip_address?.0,
        bearer_token: bearer_token?.map(|(token, _)| token),
        token: token?,
        client_identity: client_identity?.map(|(path, _)| path),
        signing_identity: signing_identity?.map(|(path, _)| path),
        authentication: authentication?,
        look_up_horizon: look_up_horizon?,
        connect_timeout: connect_timeout?,
        request_timeout: request_timeout?,
        requests_per_second: requests_per_second?,
    })
}

/// `token_url`, and who we are there.
fn client_credentials(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Outcome<Option<ClientCredentials>> {
    let token_url = reader.optional(section, "token_url", Form::Text, web_address);
    let client_id = reader.optional(section, "client_id", Form::Text, not_blank);
    let client_secret = reader.secret(section, "client_secret", "client_secret_file");
    let scope = reader.optional(section, "scope", Form::Text, not_blank);
    let (token_url, client_id, client_secret, scope) = (token_url?, client_id?, client_secret?, scope?);
    let Some((token_url, _)) = token_url else {
        let alone = client_id.map(|(_, place)| place).or(client_secret.map(|(_, place)| place)).or(scope.map(|(_, place)| place));
        return match alone {
            Some(place) => Err(reader.note(&place, "means nothing without token_url", None)),
            None => Ok(None),
        };
    };
    let Some((client_id, _)) = client_id else { return Err(reader.missing(section, "client_id")) };
    let client_secret = client_secret.map(|(secret, _)| secret);
    Ok(Some(ClientCredentials { token_url, client_id, client_secret, scope: scope.map(|(scope, _)| scope) }))
}

fn limits(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Outcome<Limits> {
    let mut section = reader.section(root, "limits");
    let usual = Limits::default();
    let currency = reader.or(&mut section, "currency", Form::Text, usual.currency, currency);
    let mut minor = |key, default| reader.or(&mut section, key, Form::Whole, default, minor_units);
    let low_value_order_minor = minor("low_value_order_minor", usual.low_value_order_minor);
    let low_value_sum_minor = minor("low_value_sum_minor", usual.low_value_sum_minor);
    let to_person_minor = minor("to_person_minor", usual.to_person_minor);
    let to_organisation_minor = minor("to_organisation_minor", usual.to_organisation_minor);
    let rolling_day_minor = minor("rolling_day_minor", usual.rolling_day_minor);
    let low_value_count = reader.or(&mut section, "low_value_count", Form::Whole, usual.low_value_count, at_least_one);
    let open_orders = reader.or(&mut section, "open_orders", Form::Whole, usual.open_orders, at_least_one);
    reader.finish(section);
    Ok(Limits {
        currency: currency?,
        low_value_order_minor: low_value_order_minor?,
        low_value_sum_minor: low_value_sum_minor?,
        low_value_count: low_value_count?,
        to_person_minor: to_person_minor?,
        to_organisation_minor: to_organisation_minor?,
        rolling_day_minor: rolling_day_minor?,
        open_orders: open_orders?,
    })
}

fn timing(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Outcome<Timing> {
    let mut section = reader.section(root, "timing");
    let usual = Timing::default();
    let mut time = |key, default| reader.or(&mut section, key, Form::Whole, default, seconds);
    let payer_wait = time("payer_wait_seconds", usual.payer_wait);
    let payee_wait = time("payee_wait_seconds", usual.payee_wait);
    let confirmation = time("confirmation_seconds", usual.confirmation);
    let submit_within = time("submit_within_seconds", usual.submit_within);
    let ask_first = time("ask_first_seconds", usual.ask_first);
    let ask_at_most = time("ask_at_most_seconds", usual.ask_at_most);
    let look_up_horizon = time("look_up_horizon_seconds", usual.look_up_horizon);
    let held = time("held_seconds", usual.held);
    let oldest_post = time("oldest_post_seconds", usual.oldest_post);
    let cool_off = time("cool_off_seconds", usual.cool_off);
    let place = section.place.clone();
    reader.finish(section);
    let timing = Timing {
        payer_wait: payer_wait?,
        payee_wait: payee_wait?,
        confirmation: confirmation?,
        submit_within: submit_within?,
        ask_first: ask_first?,
        ask_at_most: ask_at_most?,
        look_up_horizon: look_up_horizon?,
        held: held?,
        oldest_post: oldest_post?,
        cool_off: cool_off?,
    };
    if timing.ask_first > timing.ask_at_most {
        return Err(reader.note(&place, "has an ask_first_seconds above its ask_at_most_seconds", None));
    }
    Ok(timing)
}

fn screening(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Outcome<ScreeningSection> {
    let mut section = reader.section(root, "screening");
    let sanctions_list = reader.optional(&mut section, "sanctions_list", Form::Text, |path| {
        let path = std::path::PathBuf::from(path);
        SanctionsList::read(&path).map(|list| (path, list)).map_err(|error| format!("names a list that cannot be used: {error}"))
    });
    reader.finish(section);
    let list = sanctions_list?.map(|((path, list), _)| (path, list));
    Ok(ScreeningSection { sanctions_list: list })
}

fn operators(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Outcome<OperatorsSection> {
    let mut section = reader.section(root, "operators");
    let names = reader.or(&mut section, "names", Form::Text, Vec::new(), |text| {
        let names: Vec<String> = text.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_ascii_lowercase).collect();
        let distinct: BTreeSet<&String> = names.iter().collect();
        match distinct.len() {
            0 | 1 => Err("has to name two operators or more, e.g. \"ana, bob\": some acts need two".to_owned()),
            number if number < names.len() => Err("names somebody twice".to_owned()),
            _ => Ok(names),
        }
    });
    reader.finish(section);
    Ok(OperatorsSection { names: names? })
}

fn reconcile(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Outcome<ReconcileSection> {
    let mut section = reader.section(root, "reconcile");
    let mut time = |key| Ok(reader.optional(&mut section, key, Form::Whole, seconds)?.map(|(time, _)| time));
    let every = time("every_seconds");
    let account_every = time("account_every_seconds");
    let booking_delay = time("booking_delay_seconds");
    let look_back = time("look_back_seconds");
    reader.finish(section);
    Ok(ReconcileSection { every: every?, account_every: account_every?, booking_delay: booking_delay?, look_back: look_back? })
}

fn payees(
    reader: &mut Reader<'_>,
    root: &mut Section<'_>,
    platforms: &BTreeSet<String>,
    slugs: &mut BTreeSet<String>,
) -> Outcome<Vec<PayeeSection>> {
    let mut handles = BTreeSet::new();
    let mut accounts: BTreeMap<String, String> = BTreeMap::new();
    let mut looks: BTreeMap<(PlatformName, String), String> = BTreeMap::new();
    let read = reader.list(root, "payees").into_iter().map(|mut section| {
        let slug = reader.required(&mut section, "slug", Form::Text, not_blank).and_then(|(slug, place)| {
            let new = slugs.insert(slug.clone());
            if new { Ok(slug) } else { Err(reader.note(&place, format!("is {slug:?} a second time"), None)) }
        });
        let legal_name = reader.required(&mut section, "legal_name", Form::Text, not_blank);
        let class = reader.required(&mut section, "class", Form::Text, |text| {
            text.parse::<Class>().map_err(|_| must_be(&["person", "charity", "company"]))
        });
        let iban = reader.required(&mut section, "iban", Form::Text, |text| {
            text.parse::<Iban>().map_err(|_| "is not a valid IBAN: length or check digits are wrong".to_owned())
        });
        if let (Ok((iban, place)), Ok(slug)) = (&iban, &slug)
            && let Some(other) = accounts.insert(iban.as_str().to_owned(), slug.clone())
        {
            reader.note(place, format!("is the account of {other:?} too; two entries with one account are one payee"), None);
        }
        let registry_number = reader.optional(&mut section, "registry_number", Form::Text, not_blank);
        if let (Ok((Class::Charity, _)), Ok(None)) = (&class, &registry_number) {
            reader.missing(&section, "registry_number");
        }
        let identities = reader.list(&mut section, "identities").into_iter().map(|mut section| {
            let identity = identity(reader, &mut section, platforms);
            if let Ok(identity) = &identity
                && !handles.insert((identity.platform.clone(), identity.handle.clone()))
            {
                let message = format!("is {:?} on {} a second time", identity.handle, identity.platform);
                reader.note(&section.place, message, None);
            } else if let (Ok(identity), Ok(slug)) = (&identity, &slug) {
                let look = (identity.platform.clone(), likeness::look(likeness::name_of(&identity.handle)));
                match looks.insert(look, slug.clone()) {
                    Some(other) if other != *slug => {
                        let message =
                            format!("{:?} looks like a handle of {other:?}; nobody could tell them apart", identity.handle);
                        reader.note(&section.place, message, None);
                    }
                    _ => {}
                }
            }
            reader.finish(section);
            identity
        });
        let identities: Outcome<Vec<PayeeIdentitySection>> = all(identities);
        reader.finish(section);
        Ok(PayeeSection {
            slug: slug?,
            legal_name: legal_name?.0,
            class: class?.0,
            iban: iban?.0,
            registry_number: registry_number?.map(|(number, _)| number),
            identities: identities?,
        })
    });
    all(read)
}

fn identity(reader: &mut Reader<'_>, section: &mut Section<'_>, platforms: &BTreeSet<String>) -> Outcome<PayeeIdentitySection> {
    let platform = reader.required(section, "platform", Form::Text, |text| {
        let known = platforms.contains(text);
        if known { Ok(PlatformName::from(text)) } else { Err(format!("is {text:?}, and there is no [platforms.{text}]")) }
    });
    let handle = reader.required(section, "handle", Form::Text, |text| match not_blank(text)? {
        text if text.starts_with(['@', '＠']) => Err("has to be written without its at sign".to_owned()),
        text if text.chars().any(char::is_whitespace) => Err("has a space in it".to_owned()),
        text => Ok(text.to_ascii_lowercase()),
    });
    let account_id = reader.optional(section, "account_id", Form::Text, not_blank);
    Ok(PayeeIdentitySection { platform: platform?.0, handle: handle?.0, account_id: account_id?.map(|(id, _)| id) })
}

fn campaigns(reader: &mut Reader<'_>, root: &mut Section<'_>, slugs: &BTreeSet<String>) -> Outcome<Vec<CampaignSection>> {
    let mut tags = BTreeSet::new();
    let read = reader.list(root, "campaigns").into_iter().map(|mut section| {
        let tag = reader.required(&mut section, "tag", Form::Text, |text| match not_blank(text)? {
            text if text.starts_with(['#', '＃']) => Err("has to be written without its #".to_owned()),
            text if text.chars().any(char::is_whitespace) => Err("has a space in it".to_owned()),
            text => Ok(text),
        });
        let tag = tag.and_then(|(tag, place)| {
            let new = tags.insert(tag.to_lowercase());
            if new { Ok(tag) } else { Err(reader.note(&place, format!("is {tag:?} a second time"), None)) }
        });
        let title = reader.required(&mut section, "title", Form::Text, not_blank);
        let payee = reader.required(&mut section, "payee", Form::Text, |text| {
            let known = slugs.contains(text);
            if known { Ok(text.to_owned()) } else { Err(format!("is {text:?}, and no payee has this slug")) }
        });
        let goal = reader.optional(&mut section, "goal", Form::Text, money);
        reader.finish(section);
        Ok(CampaignSection { tag: tag?, title: title?.0, payee: payee?.0, goal: goal?.map(|(goal, _)| goal) })
    });
    all(read)
}

/// Every element, so that every mistake is found, then all of them or none.
pub(super) fn all<T, C: FromIterator<T>>(read: impl Iterator<Item = Outcome<T>>) -> Outcome<C> {
    let read: Vec<Outcome<T>> = read.collect();
    read.into_iter().collect()
}

/// `base_url`: a service that is not ours.
pub(super) fn outside(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Outcome<Url> {
    let found = reader.required(section, "base_url", Form::Text, |text| {
        let url = web_address(text)?;
        if is_loopback(&url) && url.port().is_some_and(|port| SANDBOX_PORTS.contains(&port)) {
            return Err("is the sandbox, which a production configuration does not use".to_owned());
        }
        Ok(url)
    });
    Ok(found?.0)
}

/// An `https` address; `http` on this machine only.
pub(super) fn web_address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|why| format!("is not a URL: {why}"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err("has to begin with https://, since it leaves this machine".to_owned()),
        other => return Err(format!("has to begin with https://, not {other}:")),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("names no host".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a user name in it, which does not belong here".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has to end before ? and #".to_owned());
    }
    Ok(url)
}

pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn must_be(words: &[&str]) -> String {
    format!("has to be {}", words.join(" or "))
}

pub(super) fn one_of(text: &str, words: &[&str]) -> Result<(), String> {
    if words.contains(&text) { Ok(()) } else { Err(must_be(words)) }
}

pub(super) fn not_blank(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(text.to_owned()) }
}

pub(super) fn flag(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "has to be true or false".to_owned())
}

pub(super) fn at_least_one(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|number| *number >= 1).ok_or_else(|| "has to be a whole number from 1".to_owned())
}

fn minor_units(text: &str) -> Result<i64, String> {
    text.parse()
        .ok()
        .filter(|number| *number >= 1)
        .ok_or_else(|| "has to be a whole number of minor units (cents) from 1".to_owned())
}

/// The longest time that can be set: ten years, above which a number is a slip.
const LONGEST_SECONDS: u64 = 10 * 366 * 24 * 3600;

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let number = text.parse().ok().filter(|number| (1..=LONGEST_SECONDS).contains(number));
    number.map(Duration::from_secs).ok_or_else(|| "has to be a whole number of seconds from 1".to_owned())
}

fn currency(text: &str) -> Result<Currency, String> {
    text.parse().map_err(|_| "is not an ISO 4217 currency code such as EUR".to_owned())
}

fn money(text: &str) -> Result<Money, String> {
    let (amount, code) = text.trim().split_once(' ').ok_or("has to be an amount and a currency, e.g. 50000.00 EUR")?;
    let money =
        Money::from_decimal(amount, currency(code.trim()).map_err(|_| format!("names {code:?}, which is no ISO 4217 currency"))?);
    money.ok().filter(|money| money.minor > 0).ok_or_else(|| format!("names {amount:?}, which is no amount of {code}"))
}
