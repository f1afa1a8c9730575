//! The sections of social networks: one table each, its keys by its kind.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::check::{all, at_least_one, flag, is_loopback, not_blank, one_of, outside, seconds, web_address};
use super::reader::{Form, Outcome, Place, Reader, Section};
use super::sections::{MastodonSection, PlatformSection};
use crate::ids::PlatformName;
use crate::platform::Window;
use crate::platform::bluesky::BlueskyConfig;
use crate::platform::webhook::WebhookConfig;
use crate::platform::x::XConfig;

/// What a connection can be.
const KINDS: [&str; 4] = ["mastodon", "bluesky", "x", "webhook"];

pub(super) fn platforms(reader: &mut Reader<'_>, root: &mut Section<'_>) -> Outcome<BTreeMap<PlatformName, PlatformSection>> {
    let named = reader.named(root, "platforms");
    if named.is_empty() {
        let help = "add a table such as [platforms.mastodon]".to_owned();
        reader.note(&Place::of_key("platforms"), "names no social network", Some(help));
    }
    let read = named.into_iter().map(|(name, mut section)| {
        let kind = reader.required(&mut section, "kind", Form::Text, |kind| one_of(kind, &KINDS).map(|()| kind.to_owned()));
        let platform = match kind.as_ref().map_or("mastodon", |(kind, _)| kind.as_str()) {
            "bluesky" => bluesky(reader, &mut section).map(PlatformSection::Bluesky),
            "x" => x(reader, &mut section).map(PlatformSection::X),
            "webhook" => webhook(reader, &mut section).map(PlatformSection::Webhook),
            // Without a kind, the keys of the one that is most common are checked, so that their mistakes are found too.
            _ => mastodon(reader, &mut section).map(PlatformSection::Mastodon),
        };
        reader.finish(section);
        kind?;
        Ok((PlatformName::from(name), platform?))
    });
    all(read)
}

fn windows(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Outcome<Vec<Window>> {
    let windows = reader.list(section, "send_windows").into_iter().map(|mut window| {
        let limit = reader.required(&mut window, "limit", Form::Whole, at_least_one);
        let period = reader.required(&mut window, "period_seconds", Form::Whole, seconds);
        reader.finish(window);
        Ok(Window { limit: limit?.0, period: period?.0 })
    });
    all(windows)
}

fn required_secret(
    reader: &mut Reader<'_>,
    section: &mut Section<'_>,
    key: &'static str,
    key_file: &'static str,
) -> Outcome<SecretString> {
    match reader.secret(section, key, key_file)? {
        Some((secret, _)) => Ok(secret),
        None => Err(reader.missing(section, key)),
    }
}

fn mastodon(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Outcome<MastodonSection> {
    let base_url = outside(reader, section);
    let access_token = required_secret(reader, section, "access_token", "access_token_file");
    let send_windows = windows(reader, section);
    let from_beginning = reader.or(section, "from_beginning", Form::Flag, false, flag);
    let connect_timeout = reader.or(section, "connect_timeout_seconds", Form::Whole, Duration::from_secs(5), seconds);
    let request_timeout = reader.or(section, "request_timeout_seconds", Form::Whole, Duration::from_secs(20), seconds);
    let silence = reader.or(section, "silence_seconds", Form::Whole, Duration::from_secs(45), seconds);
    let poll = reader.or(section, "poll_seconds", Form::Whole, Duration::from_secs(60), seconds);
    Ok(MastodonSection {
        base_url: base_url?,
        access_token: access_token?,
        send_windows: send_windows?,
        from_beginning: from_beginning?,
        connect_timeout: connect_timeout?,
        request_timeout: request_timeout?,
        silence: silence?,
        poll: poll?,
    })
}

fn bluesky(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Outcome<BlueskyConfig> {
    let service =
        reader.or(section, "service", Form::Text, Url::parse("https://bsky.social").ok(), |text| web_address(text).map(Some));
    let identifier = reader.required(section, "identifier", Form::Text, handle);
    let app_password = required_secret(reader, section, "app_password", "app_password_file");
    let jetstreams = reader.optional(section, "jetstreams", Form::Text, |text| {
        let all: Vec<&str> = text.split([',', ' ']).filter(|address| !address.is_empty()).collect();
        all.into_iter().map(stream_address).collect::<Result<Vec<_>, _>>()
    });
    let send_windows = windows(reader, section);
    let connect_timeout = reader.optional(section, "connect_timeout_seconds", Form::Whole, seconds);
    let request_timeout = reader.optional(section, "request_timeout_seconds", Form::Whole, seconds);
    let silence = reader.optional(section, "silence_seconds", Form::Whole, seconds);
    let poll = reader.optional(section, "poll_seconds", Form::Whole, seconds);
    let service = service?.map(|service| service.as_str().to_owned()).unwrap_or_default();
    let mut config = BlueskyConfig::new(service, identifier?.0, app_password?);
    if let Some((jetstreams, _)) = jetstreams?.filter(|(all, _)| !all.is_empty()) {
        config.jetstreams = jetstreams;
    }
    let send_windows = send_windows?;
    if !send_windows.is_empty() {
        config.windows = send_windows;
    }
    set(&mut config.connect_timeout, connect_timeout?);
    set(&mut config.request_timeout, request_timeout?);
    set(&mut config.silence, silence?);
    set(&mut config.poll, poll?);
    Ok(config)
}

fn x(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Outcome<XConfig> {
    let bearer_token = required_secret(reader, section, "bearer_token", "bearer_token_file");
    let consumer_key = required_secret(reader, section, "consumer_key", "consumer_key_file");
    let consumer_secret = required_secret(reader, section, "consumer_secret", "consumer_secret_file");
    let access_token = required_secret(reader, section, "access_token", "access_token_file");
    let access_token_secret = required_secret(reader, section, "access_token_secret", "access_token_secret_file");
    let api_url = reader.optional(section, "api_url", Form::Text, web_address);
    let send_windows = windows(reader, section);
    let connect_timeout = reader.optional(section, "connect_timeout_seconds", Form::Whole, seconds);
    let request_timeout = reader.optional(section, "request_timeout_seconds", Form::Whole, seconds);
    let silence = reader.optional(section, "silence_seconds", Form::Whole, seconds);
    let poll = reader.optional(section, "poll_seconds", Form::Whole, seconds);
    let dm_poll = reader.optional(section, "dm_poll_seconds", Form::Whole, seconds);
    let mut config = XConfig::new(bearer_token?, (consumer_key?, consumer_secret?), (access_token?, access_token_secret?));
    if let Some((api_url, _)) = api_url? {
        config.api_url = api_url.as_str().trim_end_matches('/').to_owned();
    }
    let send_windows = send_windows?;
    if !send_windows.is_empty() {
        config.windows = send_windows;
    }
    set(&mut config.connect_timeout, connect_timeout?);
    set(&mut config.request_timeout, request_timeout?);
    set(&mut config.silence, silence?);
    set(&mut config.poll, poll?);
    set(&mut config.dm_poll, dm_poll?);
    Ok(config)
}

fn webhook(reader: &mut Reader<'_>, section: &mut Section<'_>) -> Outcome<WebhookConfig> {
    let url = reader.required(section, "url", Form::Text, web_address);
    let secret = required_secret(reader, section, "secret", "secret_file");
    let previous_secret = reader.secret(section, "previous_secret", "previous_secret_file");
    let bot_id = reader.required(section, "bot_id", Form::Text, not_blank);
    let bot_handle = reader.required(section, "bot_handle", Form::Text, handle);
    let dm_characters = reader.optional(section, "dm_characters", Form::Whole, at_least_one);
    let send_windows = windows(reader, section);
    let connect_timeout = reader.optional(section, "connect_timeout_seconds", Form::Whole, seconds);
    let request_timeout = reader.optional(section, "request_timeout_seconds", Form::Whole, seconds);
    let mut config = WebhookConfig::new(url?.0.as_str(), secret?, bot_id?.0, bot_handle?.0);
    config.previous_secret = previous_secret?.map(|(secret, _)| secret);
    if let Some((characters, _)) = dm_characters? {
        config.dm_characters = usize::try_from(characters).unwrap_or(usize::MAX);
    }
    config.windows = send_windows?;
    set(&mut config.connect_timeout, connect_timeout?);
    set(&mut config.request_timeout, request_timeout?);
    // The shape of the secrets is the connection's own business; it says what is wrong with them.
    if let Err(why) = config.check() {
        return Err(reader.note(&section.place, format!("cannot be used: {why}"), None));
    }
    Ok(config)
}

/// A handle without its at sign.
fn handle(text: &str) -> Result<String, String> {
    match not_blank(text)? {
        text if text.starts_with(['@', '＠']) => Err("has to be written without its at sign".to_owned()),
        text if text.chars().any(char::is_whitespace) => Err("has a space in it".to_owned()),
        text => Ok(text.to_ascii_lowercase()),
    }
}

/// What is configured, in place of the default.
fn set(value: &mut Duration, configured: Option<(Duration, Place)>) {
    if let Some((configured, _)) = configured {
        *value = configured;
    }
}

/// A WebSocket address: `wss`, or `ws` on this machine.
fn stream_address(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|why| format!("has {text:?} in it, which is not a URL: {why}"))?;
    match url.scheme() {
        "wss" => Ok(text.to_owned()),
        "ws" if is_loopback(&url) => Ok(text.to_owned()),
        _ => Err(format!("has {text:?} in it, which has to begin with wss://")),
    }
}
