//! The example, and every kind of mistake.

use super::*;
use secrecy::ExposeSecret as _;

const EXAMPLE: &str = include_str!("../../obole.example.toml");
const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// The example's secrets lie in files that the tests do not have.
fn environment() -> Environment {
    let variables = [("OBOLE_SECRETS_KEY", KEY), ("OBOLE_PLATFORMS_MASTODON_ACCESS_TOKEN", "hush"), ("PATH", "/bin")];
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect()
}

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::read("obole.toml", text, Path::new("/nowhere"), &environment())
}

/// The example with one line changed.
fn changed(line: &str, instead: &str) -> String {
    assert_eq!(EXAMPLE.matches(line).count(), 1, "{line}");
    EXAMPLE.replace(line, instead)
}

/// Every mistake of the text as one line.
fn mistakes(text: &str) -> String {
    let error = read(text).expect_err("this has mistakes");
    let line = |mistake: &Mistake| match &mistake.help {
        Some(help) => format!("{mistake} ({help})"),
        None => mistake.to_string(),
    };
    error.mistakes.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_is_a_configuration_with_the_defaults() {
    let config = read(EXAMPLE).unwrap_or_else(|error| panic!("{}", serde_json::to_string_pretty(&error.to_json()).unwrap()));
    assert_eq!(config.limits, crate::order::Limits::default());
    assert_eq!(config.timing, crate::order::Timing::default());
    assert_eq!(config.web.public_url.as_str(), "https://pay.example.org/");
    assert_eq!(config.payees[0].identities[1].handle, "croixrouge@charity.example");
    assert_eq!(config.campaigns[0].goal.unwrap().to_string(), "50000.00 EUR");
    assert!(config.warnings.is_empty());
    assert_eq!(config.secrets.key.expose_secret()[..3], [0x00, 0x11, 0x22]);
}

#[test]
fn the_example_names_every_key() {
    let environment = environment();
    let mut reader = Reader::new(Path::new(""), &environment);
    let document = DeTable::parse(EXAMPLE).unwrap();
    check::config(&mut reader, Section::root(document.get_ref())).unwrap();
    for (section, key) in &reader.asked {
        let named =
            |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = ")) || line.contains(&format!(" {key} = "));
        assert!(EXAMPLE.lines().any(named), "obole.example.toml does not name {section}.{key}");
    }
}

/// The example with banks of every kind.
fn with_all_banks(banks: &str) -> String {
    format!("{EXAMPLE}\n{banks}")
}

#[test]
fn the_other_banks_example_names_every_key_with_its_default() {
    let banks = include_str!("../../docs/obole.banks.example.toml");
    let text = with_all_banks(banks);
    let environment = environment();
    let mut reader = Reader::new(Path::new(""), &environment);
    let document = DeTable::parse(&text).unwrap();
    check::config(&mut reader, Section::root(document.get_ref())).unwrap();
    for (section, key) in reader.asked.iter().filter(|(section, _)| section.starts_with("banks.") && section != "banks.main") {
        let named = |line: &str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
        assert!(banks.lines().any(named), "docs/obole.banks.example.toml does not name {section}.{key}");
    }
    let setting = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if rest.contains(" = ") && !rest.contains('…') && !rest.contains("_file = ") => rest.to_owned(),
        _ => line.to_owned(),
    };
    let uncommented: Vec<String> = banks.lines().map(setting).collect();
    let config = |text: &str| read(text).unwrap_or_else(|error| panic!("{}", error.to_json()));
    let (shown, usual) = (config(&with_all_banks(&uncommented.join("\n"))), config(&text));
    assert_eq!(format!("{:?}", shown.banks), format!("{:?}", usual.banks));
}

#[test]
fn mistakes_about_files_are_named() {
    let banks = r#"
[banks.files]
kind = "iso20022_files"
mandate_page = "http://bank.example/mandate?id={mandate}"
bic = "agrifrpp"
time_zone = "Paris"
windows = "9h30"
cut_off = "25:00"
closed_days = "tomorrow"
largest_file_bytes = 0
"#;
    let named: Vec<String> =
        mistakes(&with_all_banks(banks)).lines().map(|line| line.split_once(": ").unwrap().1.to_owned()).collect();
    insta::assert_snapshot!(named.join("\n"), @r#"
    banks.files.directory is missing (or set the environment variable OBOLE_BANKS_FILES_DIRECTORY)
    banks.files.mandate_page has to be an https:// address
    banks.files.bic has to be a BIC of 8 or 11 characters such as AGRIFRPP
    banks.files.time_zone has to be a time zone such as Europe/Paris
    banks.files.windows names "9h30", which is no time of day such as 16:00
    banks.files.cut_off names "25:00", which is no time of day such as 16:00
    banks.files.closed_days names "tomorrow", which is no day such as 2026-12-24
    banks.files.largest_file_bytes has to be a whole number from 1
    "#);
}

#[test]
fn defaults_shown_in_the_example_are_the_defaults() {
    let setting = |line: &str| match line.strip_prefix("# ") {
        // A list of names that this machine does not have.
        Some(rest) if rest.starts_with("sanctions_list") => line.to_owned(),
        Some(rest) if rest.contains(" = ") && !rest.contains('…') && !rest.contains("_file = ") => rest.to_owned(),
        _ => line.to_owned(),
    };
    let uncommented: Vec<String> = EXAMPLE.lines().map(setting).collect();
    let config = read(&uncommented.join("\n")).unwrap_or_else(|error| panic!("{}", error.to_json()));
    let usual = read(EXAMPLE).unwrap();
    assert_eq!((config.limits, config.timing), (usual.limits, usual.timing));
    assert_eq!(
        format!("{:?}", config.banks),
        format!("{:?}", usual.banks),
        "a default in obole.example.toml is not the default of the code"
    );
    let windows = |platforms: &std::collections::BTreeMap<_, PlatformSection>| {
        let Some(PlatformSection::Mastodon(mastodon)) = platforms.values().next() else { panic!("{platforms:?}") };
        MastodonSection { send_windows: Vec::new(), ..mastodon.clone() }
    };
    assert_eq!(format!("{:?}", windows(&config.platforms)), format!("{:?}", windows(&usual.platforms)));
}

#[test]
fn every_mistake_is_named_with_its_key_and_line() {
    let text = r##"
[store]
url = "mysql://host/db"
[web]
listen = 8080
public_ulr = "https://pay.example.org"
[secrets]
key = "abc"
colour = "blue"
[platforms.Town]
kind = "mastodon"
[platforms.town]
kind = "mastdon"
base_url = "http://social.example.org"
send_windows = [{ limit = 0, period = 3 }]
[banks.main]
kind = "berlin_group"
base_url = "http://localhost:8082/"
product = "cheque"
psu_ip_address = "here"
requests_per_second = "many"
[limits]
currency = "EURO"
to_person_minor = 2.5
[timing]
confirmation_seconds = 0
[[payees]]
slug = "a"
legal_name = ""
class = "church"
iban = "FR7630006000011234567890188"
identities = [{ platform = "tow", handle = "@bob" }]
[[payees]]
slug = "a"
legal_name = "B"
class = "charity"
iban = "FR7630006000011234567890189"
[[campaigns]]
tag = "#telethon"
title = "T"
payee = "nobody"
goal = "50.000 EUR"
"##;
    insta::assert_snapshot!(mistakes(text), @r#"
    line 3: store.url has to begin with sqlite: or postgres://, not mysql: (sqlite:/path/obole.db or postgres://user:password@host/name)
    line 4: web.public_url is missing (or set the environment variable OBOLE_WEB_PUBLIC_URL)
    line 5: web.listen has to be a text in quotation marks, not integer
    line 6: web.public_ulr is not a key that Obole knows (did you mean public_url?)
    line 9: secrets.colour is not a key that Obole knows (known here: key, key_file)
    line 10: platforms.Town is not a name (names have the characters a-z 0-9 - and _ only)
    line 12: platforms.town.access_token is missing (or set the environment variable OBOLE_PLATFORMS_TOWN_ACCESS_TOKEN)
    line 13: platforms.town.kind has to be mastodon or bluesky or x or webhook
    line 14: platforms.town.base_url has to begin with https://, since it leaves this machine
    line 15: platforms.town.send_windows[0].period_seconds is missing
    line 15: platforms.town.send_windows[0].limit has to be a whole number from 1
    line 15: platforms.town.send_windows[0].period is not a key that Obole knows (known here: limit, period_seconds)
    line 18: banks.main.base_url is the sandbox, which a production configuration does not use
    line 19: banks.main.product has to be sepa-credit-transfers or instant-sepa-credit-transfers
    line 20: banks.main.psu_ip_address has to be an IPv4 address, e.g. 192.0.2.1
    line 21: banks.main.requests_per_second has to be a whole number, not string
    line 23: limits.currency is not an ISO 4217 currency code such as EUR
    line 24: limits.to_person_minor has to be a whole number, not float
    line 26: timing.confirmation_seconds has to be a whole number of seconds from 1
    line 29: payees[0].legal_name is empty
    line 30: payees[0].class has to be person or charity or company
    line 31: payees[0].iban is not a valid IBAN: length or check digits are wrong
    line 32: payees[0].identities[0].platform is "tow", and there is no [platforms.tow]
    line 32: payees[0].identities[0].handle has to be written without its at sign
    line 33: payees[1].registry_number is missing
    line 34: payees[1].slug is "a" a second time
    line 39: campaigns[0].tag has to be written without its #
    line 41: campaigns[0].payee is "nobody", and no payee has this slug
    line 42: campaigns[0].goal names "50.000", which is no amount of EUR
    environment variable OBOLE_PLATFORMS_MASTODON_ACCESS_TOKEN: means nothing to Obole (a setting of a named table is read from the environment only if the file has that table)
    "#);
}

#[test]
fn an_empty_file_lists_all_that_is_missing() {
    let error = Config::read("obole.toml", "", Path::new(""), &Environment::default()).unwrap_err();
    let list: Vec<String> = error.mistakes.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(list.join("\n"), @"
    banks names no bank
    platforms names no social network
    secrets.key is missing
    store.url is missing
    web.listen is missing
    web.public_url is missing
    ");
}

#[test]
fn what_is_not_toml_is_named_by_line_and_nothing_else_is_said() {
    insta::assert_snapshot!(mistakes("[store]\nurl = \"sqlite:a.db\n[web\nlisten = 1"), @r#"
    line 2: this is not TOML: invalid basic string, expected `"`
    line 3: this is not TOML: unclosed table, expected `]`
    "#);
}

#[test]
fn addresses_that_leave_the_machine_have_to_be_https() {
    let base = "base_url = \"https://social.example.org\"";
    assert!(read(&changed(base, "base_url = \"http://localhost:3000\"")).is_ok());
    assert!(read(&changed(base, "base_url = \"http://[::1]:3000\"")).is_ok());
    for bad in [
        "http://social.example.org",
        "http://localhost.example.org",
        "http://localhost:8081",
        "https://127.0.0.1:8082",
        "ftp://social.example.org",
        "social.example.org",
        "https://me:pw@social.example.org",
        "https://social.example.org/?a=b",
    ] {
        let text = mistakes(&changed(base, &format!("base_url = \"{bad}\"")));
        assert!(text.contains("platforms.mastodon.base_url") && !text.contains('\n'), "{text}");
    }
    let public = "public_url = \"https://pay.example.org\"";
    assert!(read(&changed(public, "public_url = \"http://localhost:8080\"")).is_ok());
    for bad in ["https://192.0.2.7", "https://[2001:db8::1]/", "https://pay.example.org/obole", "http://pay.example.org"] {
        assert!(mistakes(&changed(public, &format!("public_url = \"{bad}\""))).contains("web.public_url"));
    }
}

#[test]
fn the_environment_wins_and_its_mistakes_name_the_variable() {
    let mut environment = environment();
    environment.0.insert("OBOLE_WEB_LISTEN".to_owned(), "[::]:80".to_owned());
    let read = |environment: &Environment| Config::read("obole.toml", EXAMPLE, Path::new(""), environment);
    assert_eq!(read(&environment).unwrap().web.listen.to_string(), "[::]:80");

    environment.0.insert("OBOLE_WEB_LISTEN".to_owned(), "eighty".to_owned());
    let error = read(&environment).unwrap_err();
    insta::assert_snapshot!(error.mistakes[0], @"environment variable OBOLE_WEB_LISTEN: web.listen has to be an address with a port, e.g. 127.0.0.1:8080 or [::]:8080");

    environment.0.insert("OBOLE_WEB_LISTEN".to_owned(), "[::]:80".to_owned());
    environment.0.insert("OBOLE_WEB_LISTN".to_owned(), "[::]:80".to_owned());
    environment.0.insert("OBOLE_LOG".to_owned(), "debug".to_owned());
    let warnings: Vec<String> = read(&environment).unwrap().warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["environment variable OBOLE_WEB_LISTN: means nothing to Obole"]);
}

#[test]
fn secrets_come_from_files_too() {
    let directory = std::env::temp_dir().join(format!("obole-config-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("key"), format!("{KEY}\n")).unwrap();
    let mut environment = environment();
    environment.0.remove("OBOLE_SECRETS_KEY");
    let relative = changed("key_file = \"/run/secrets/obole/key\"", "key_file = \"key\"");
    let config = Config::read("obole.toml", &relative, &directory, &environment).unwrap();
    assert_eq!(config.secrets.key.expose_secret()[1], 0x11);
    environment.0.insert("OBOLE_SECRETS_KEY_FILE".to_owned(), directory.join("gone").display().to_string());
    let error = Config::read("obole.toml", &relative, &directory, &environment).unwrap_err();
    let text = error.mistakes[0].to_string();
    assert!(
        text.starts_with("environment variable OBOLE_SECRETS_KEY_FILE: secrets.key_file names a file that cannot be read"),
        "{text}"
    );
    std::fs::remove_dir_all(&directory).unwrap();

    let both = changed("key_file = \"/run/secrets/obole/key\"", &format!("key = \"{KEY}\"\nkey_file = \"/k\""));
    environment.0.remove("OBOLE_SECRETS_KEY_FILE");
    let error = Config::read("obole.toml", &both, Path::new(""), &environment).unwrap_err();
    insta::assert_snapshot!(error.mistakes[0], @"line 28: secrets.key_file and secrets.key are both given");
}

#[test]
fn a_secret_is_shown_nowhere() {
    let postgres = changed("url = \"sqlite:/var/lib/obole/obole.db\"", "url = \"postgres://me:pa55@db/obole\"");
    let config = read(&postgres).unwrap();
    let printed = format!("{config:?}");
    for secret in ["pa55", "hush", &KEY[..8]] {
        assert!(!printed.contains(secret), "{printed}");
    }

    let wrong = postgres.replace("key_file = \"/run/secrets/obole/key\"", "key = \"5ec7e7\"").replace("postgres://", "postgrs://");
    let mut environment = environment();
    environment.0.remove("OBOLE_SECRETS_KEY");
    let error = Config::read("obole.toml", &wrong, Path::new(""), &environment).unwrap_err();
    let drawn = drawing(error);
    assert!(!drawn.contains("5ec7e7") && !drawn.contains("pa55"), "{drawn}");
    assert!(drawn.contains("secrets.key") && drawn.contains("store.url"), "{drawn}");
}

fn drawing(error: ConfigError) -> String {
    let mut drawn = String::new();
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor()).with_width(100);
    handler.render_report(&mut drawn, &error).unwrap();
    drawn
}

#[test]
fn people_get_a_drawing_and_machines_get_json() {
    let text = changed("product = \"instant-sepa-credit-transfers\"", "prodct = \"instant-sepa-credit-transfers\"");
    let error = read(&text).unwrap_err();
    insta::assert_snapshot!(serde_json::to_string_pretty(&error.to_json()).unwrap(), @r#"
    {
      "file": "obole.toml",
      "mistakes": [
        {
          "column": 1,
          "help": "or set the environment variable OBOLE_BANKS_MAIN_PRODUCT",
          "key": "banks.main.product",
          "line": 55,
          "message": "is missing",
          "severity": "error",
          "variable": null
        },
        {
          "column": 1,
          "help": "did you mean product?",
          "key": "banks.main.prodct",
          "line": 61,
          "message": "is not a key that Obole knows",
          "severity": "error",
          "variable": null
        }
      ]
    }
    "#);
    insta::assert_snapshot!(drawing(error), @r#"
      × obole.toml has 2 mistakes

    Error: 
      × line 55: banks.main.product is missing
        ╭─[obole.toml:55:1]
     54 │ # One table per bank. The name is yours and stays.
     55 │ [banks.main]
        · ──────┬─────
        ·       ╰── here
     56 │ # Berlin Group NextGenPSD2 1.3.
        ╰────
      help: or set the environment variable OBOLE_BANKS_MAIN_PRODUCT

    Error: 
      × line 61: banks.main.prodct is not a key that Obole knows
        ╭─[obole.toml:61:1]
     60 │ # sepa-credit-transfers or instant-sepa-credit-transfers.
     61 │ prodct = "instant-sepa-credit-transfers"
        · ───┬──
        ·    ╰── here
     62 │ # Sent as PSU-IP-Address, which the interface requires, where the payer is not on a page of ours: this server's own IPv4
        ╰────
      help: did you mean product?
    "#);
}

#[test]
fn the_platform_page_is_read_without_mistakes_and_names_every_key() {
    let page = include_str!("../../docs/platforms.md");
    let snippets: Vec<&str> = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(snippets.len(), 4);
    for snippet in snippets {
        // Defaults are uncommented; files that this machine does not have are values instead.
        let line = |line: &str| {
            let line = line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line);
            match line.split_once("_file = ") {
                Some((key, _)) => format!("{key} = \"whsec_dHdlbnR5LWZvdXIgYnl0ZXMgb2Yga2V5\""),
                None => line.to_owned(),
            }
        };
        let text: String = snippet.lines().map(|text| line(text) + "\n").collect();
        let (environment, document) = (environment(), DeTable::parse(&text).unwrap());
        let mut reader = Reader::new(Path::new(""), &environment);
        let mut root = Section::root(document.get_ref());
        let read = platforms::platforms(&mut reader, &mut root).unwrap_or_else(|_| panic!("{:#?}\n{text}", reader.mistakes));
        let (_, section) = read.iter().next().unwrap();
        for (section_name, key) in &reader.asked {
            let named =
                snippet.contains(&format!("{key} = ")) || snippet.contains(&format!("{}_file = ", key.trim_end_matches("_file")));
            // Told once for all platforms, or, for the oldest of them, in obole.example.toml.
            let elsewhere = *key == "send_windows" || matches!(section, PlatformSection::Mastodon(_));
            assert!(named || elsewhere, "docs/platforms.md does not name {section_name}.{key}");
        }
        let usual = platforms_of(snippet);
        assert_eq!(format!("{read:?}"), format!("{usual:?}"), "a default in docs/platforms.md is not the default of the code");
    }
}

/// The same with what is commented out left out, but for the secret before.
fn platforms_of(snippet: &str) -> std::collections::BTreeMap<crate::ids::PlatformName, PlatformSection> {
    let line = |line: &str| match line.split_once("_file = ") {
        Some((key, _)) => format!("{} = \"whsec_dHdlbnR5LWZvdXIgYnl0ZXMgb2Yga2V5\"", key.trim_start_matches("# ")),
        None => line.to_owned(),
    };
    let text: String = snippet.lines().map(|text| line(text) + "\n").collect();
    let (environment, document) = (environment(), DeTable::parse(&text).unwrap());
    let mut reader = Reader::new(Path::new(""), &environment);
    platforms::platforms(&mut reader, &mut Section::root(document.get_ref())).unwrap()
}
