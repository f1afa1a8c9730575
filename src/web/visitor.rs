//! Who looks at a page, as far as the page needs to know: language, address, page or JSON.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};

use crate::people::Language;

/// The cookie of somebody who chose a language by hand.
pub(crate) const LANGUAGE_COOKIE: &str = "obole-lang";

/// What a page knows of whoever looks at it.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// Chosen by `?lang=`, else by the cookie that remembers it, else by the browser's wish.
    pub(crate) language: Language,
    /// A program rather than a browser.
    pub(crate) wants_json: bool,
    /// Path without query, for links that only change the language.
    pub(crate) path: String,
}

impl Visitor {
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Self {
        let chosen = asked_language(uri).or_else(|| cookie(headers, LANGUAGE_COOKIE).and_then(Language::from_tag));
        Visitor {
            language: chosen.unwrap_or_else(|| wished_language(headers)),
            wants_json: wants_json(headers),
            path: uri.path().to_owned(),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Visitor::of(&parts.uri, &parts.headers))
    }
}

/// The language that `?lang=` asks for.
pub(crate) fn asked_language(uri: &Uri) -> Option<Language> {
    let query = url::form_urlencoded::parse(uri.query()?.as_bytes());
    query.into_iter().filter(|(name, _)| name == "lang").find_map(|(_, tag)| Language::from_tag(&tag))
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// The language the browser likes best among those we write; English if it likes none.
fn wished_language(headers: &HeaderMap) -> Language {
    let wishes = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut best: Option<(Language, u32)> = None;
    for wish in wishes.split(',') {
        let (tag, weight) = wish.split_once(';').unwrap_or((wish, ""));
        let Some(language) = Language::from_tag(tag.trim()) else { continue };
        let weight = thousandths(weight.trim().strip_prefix("q=").unwrap_or("1"));
        if weight > 0 && best.is_none_or(|(_, most)| weight > most) {
            best = Some((language, weight));
        }
    }
    best.map_or(Language::default(), |(language, _)| language)
}

/// `0.85` as 850.
fn thousandths(weight: &str) -> u32 {
    let (whole, decimals) = weight.split_once('.').unwrap_or((weight, ""));
    let decimals: String = decimals.chars().chain("000".chars()).take(3).collect();
    whole.parse::<u32>().unwrap_or(0).min(1) * 1000 + decimals.parse::<u32>().unwrap_or(0)
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("application/json") && !accept.contains("text/html")
}

/// Where a request came from. Of an IPv6 address the first 64 bits count, since the rest is one household's to change.
pub(crate) fn address(headers: &HeaderMap, extensions: &axum::http::Extensions, behind_proxy: bool) -> IpAddr {
    let connected = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let forwarded = || {
        let last = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
        last.rsplit(',').next()?.trim().parse().ok()
    };
    let address = if behind_proxy { forwarded().or(connected) } else { connected };
    match address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn language(uri: &str, headers: &[(&'static str, &'static str)]) -> Language {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Visitor::of(&uri.parse().unwrap(), &headers).language
    }

    #[test]
    fn a_chosen_language_goes_before_the_browsers_wish() {
        assert_eq!(language("/", &[]), Language::En);
        assert_eq!(language("/", &[("accept-language", "de, fr-CH;q=0.8, en;q=0.7")]), Language::Fr);
        assert_eq!(language("/", &[("accept-language", "fr;q=0.2, en")]), Language::En);
        assert_eq!(language("/", &[("accept-language", "en"), ("cookie", "a=b; obole-lang=fr")]), Language::Fr);
        assert_eq!(language("/x?lang=en", &[("cookie", "obole-lang=fr")]), Language::En);
        assert_eq!(language("/x?lang=tlh", &[("accept-language", "fr;q=0")]), Language::En);
    }

    #[test]
    fn a_forwarded_address_counts_behind_a_proxy_only() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "10.0.0.1, 2001:db8:1:2:3:4:5:6".parse().unwrap());
        let mut extensions = axum::http::Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 1], 9))));
        assert_eq!(address(&headers, &extensions, false).to_string(), "192.0.2.1");
        assert_eq!(address(&headers, &extensions, true).to_string(), "2001:db8:1:2::");
    }
}
