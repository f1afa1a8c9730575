//! From what a person typed to what Mastodon makes of it: mentions, hashtags, links, HTML.
//!
//! Follows Mastodon's own formatter, because adapters have to read exactly this markup: a mention hides its domain, a link
//! hides its scheme and its tail, a tag is folded to ASCII. Characters are counted as code points where Mastodon counts
//! grapheme clusters, which differs for a few emoji only.

use std::fmt::Write as _;

use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// The host by which a mention may name this town: `@bob@localhost:8081` is `@bob`.
const OWN_HOST: &str = "localhost";
/// Every link counts as this many characters, however long it is.
const LINK_LENGTH: usize = 23;
/// How much of a link is shown.
const SHOWN_LINK: usize = 30;

/// A stretch of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Just text.
    Plain(&'a str),
    /// `@name` or `@name@domain`; whether somebody has that name is not known here.
    Mention {
        /// As written.
        written: &'a str,
        /// Without `@`.
        username: &'a str,
        /// After the second `@`.
        domain: Option<&'a str>,
    },
    /// `#name`.
    Hashtag {
        /// As written, with its sign.
        written: &'a str,
        /// Without the sign.
        name: &'a str,
    },
    /// `http://…` or `https://…`.
    Link(&'a str),
}

/// Cuts a text into its pieces.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let (mut plain, mut at) = (0, 0);
    let mut previous = None;
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        let piece = match next {
            '@' if !previous.is_some_and(|before| is_word(before) || before == '=' || before == '/') => mention(rest),
            '#' | '＃' if !previous.is_some_and(|before| is_word(before) || matches!(before, '=' | '/' | ')' | '&')) => {
                hashtag(rest)
            }
            'h' | 'H' if !previous.is_some_and(is_word) => link(rest),
            _ => None,
        };
        let Some((piece, length)) = piece else {
            previous = Some(next);
            at += next.len_utf8();
            continue;
        };
        if plain < at {
            found.push(Piece::Plain(&text[plain..at]));
        }
        found.push(piece);
        previous = text[at..at + length].chars().next_back();
        at += length;
        plain = at;
    }
    if plain < text.len() {
        found.push(Piece::Plain(&text[plain..]));
    }
    found
}

/// The name of somebody of this town that a mention may mean.
pub fn local_name<'a>(username: &'a str, domain: Option<&str>) -> Option<&'a str> {
    let here = domain.is_none_or(|domain| domain.split(':').next().is_some_and(|host| host.eq_ignore_ascii_case(OWN_HOST)));
    here.then_some(username)
}

/// The key of a hashtag: compatibility forms, case and Latin accents are folded away.
pub fn normalise_tag(name: &str) -> String {
    name.nfkc().flat_map(char::to_lowercase).map(fold_accent).filter(|&letter| in_tag(letter)).collect()
}

/// How much of the length limit a text uses.
pub fn counted_length(text: &str) -> usize {
    pieces(text)
        .iter()
        .map(|piece| match piece {
            Piece::Plain(text) | Piece::Hashtag { written: text, .. } => text.chars().count(),
            Piece::Mention { username, .. } => username.chars().count() + 1,
            Piece::Link(_) => LINK_LENGTH,
        })
        .sum()
}

/// The HTML of a text. `known` tells the handle of a mentioned inhabitant, given the name as typed.
pub fn html(text: &str, base_url: &str, known: impl Fn(&str) -> Option<String>) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    let mut line = String::with_capacity(text.len() * 2);
    for piece in pieces(text) {
        match piece {
            Piece::Plain(text) => escape(text, &mut line),
            Piece::Link(url) => anchor(url, &mut line),
            Piece::Hashtag { name, .. } => {
                let path: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
                let _ = write!(line, r#"<a href="{base_url}/tags/{path}" class="mention hashtag" rel="tag">#<span>"#);
                escape(name, &mut line);
                line.push_str("</span></a>");
            }
            Piece::Mention { written, username, domain } => match local_name(username, domain).and_then(&known) {
                None => escape(written, &mut line),
                Some(handle) => {
                    let _ = write!(
                        line,
                        r#"<span class="h-card" translate="no"><a href="{base_url}/@{handle}" class="u-url mention">@<span>{handle}</span></a></span>"#
                    );
                }
            },
        }
    }
    let line = line.replace("\r\n", "\n").replace('\r', "\n");
    let paragraphs = line.split("\n\n").map(|paragraph| paragraph.trim_matches('\n')).filter(|paragraph| !paragraph.is_empty());
    paragraphs.fold(String::with_capacity(line.len() + 7), |mut page, paragraph| {
        let _ = write!(page, "<p>{}</p>", paragraph.replace('\n', "<br />"));
        page
    })
}

/// Escapes as Ruby's `h` does.
pub fn escape(text: &str, into: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            other => into.push(other),
        }
    }
}

fn anchor(url: &str, into: &mut String) {
    let scheme = url.find("://").map_or(0, |at| at + 3);
    let start = if url[scheme..].starts_with("www.") { scheme + 4 } else { scheme };
    let cut = url[start..].char_indices().nth(SHOWN_LINK).map(|(at, _)| start + at);
    let (shown, hidden) = (&url[start..cut.unwrap_or(url.len())], &url[cut.unwrap_or(url.len())..]);
    into.push_str("<a href=\"");
    escape(url, into);
    into.push_str(r#"" target="_blank" rel="nofollow noopener" translate="no"><span class="invisible">"#);
    escape(&url[..start], into);
    let _ = write!(into, r#"</span><span class="{}">"#, if cut.is_some() { "ellipsis" } else { "" });
    escape(shown, into);
    into.push_str(r#"</span><span class="invisible">"#);
    escape(hidden, into);
    into.push_str("</span></a>");
}

/// Name parts joined by dots or hyphens: `[a-z0-9_]+([.-]+[a-z0-9_]+)*`.
fn joined_length(text: &str, part: impl Fn(char) -> bool) -> usize {
    let mut end = 0;
    for (at, letter) in text.char_indices() {
        if part(letter) {
            end = at + letter.len_utf8();
        } else if at == 0 || !matches!(letter, '.' | '-') {
            break;
        }
    }
    end
}

fn mention(text: &str) -> Option<(Piece<'_>, usize)> {
    let name_length = joined_length(&text[1..], |letter| letter.is_ascii_alphanumeric() || letter == '_');
    if name_length == 0 {
        return None;
    }
    let username = &text[1..=name_length];
    let after = &text[1 + name_length..];
    let domain = after.strip_prefix('@').map(|domain| &domain[..domain_length(domain)]).filter(|domain| !domain.is_empty());
    let length = 1 + name_length + domain.map_or(0, |domain| domain.len() + 1);
    Some((Piece::Mention { written: &text[..length], username, domain }, length))
}

/// A host and, which Mastodon has no need of, a port.
fn domain_length(text: &str) -> usize {
    let host = joined_length(text, is_word);
    let port = text[host..].strip_prefix(':').map_or(0, |port| port.bytes().take_while(u8::is_ascii_digit).count());
    if host == 0 || port == 0 { host } else { host + 1 + port }
}

fn hashtag(text: &str) -> Option<(Piece<'_>, usize)> {
    let sign = text.chars().next()?.len_utf8();
    let end = text[sign..].find(|letter| !in_tag(letter)).map_or(text.len(), |at| sign + at);
    let name = &text[sign..end];
    let says_something = name.chars().any(|letter| letter.is_alphabetic() || letter == '_');
    says_something.then_some((Piece::Hashtag { written: &text[..end], name }, end))
}

fn link(text: &str) -> Option<(Piece<'_>, usize)> {
    let scheme = ["https://", "http://"]
        .iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
    let end = text.find(|letter: char| letter.is_whitespace() || matches!(letter, '<' | '>' | '"')).unwrap_or(text.len());
    let mut url = &text[..end];
    // What ends a sentence does not end a link; a closing bracket does if the link opened it.
    while let Some(last) = url.chars().next_back() {
        let unbalanced = last == ')' && url.matches(')').count() > url.matches('(').count();
        if !unbalanced && !matches!(last, '.' | ',' | ';' | ':' | '!' | '?' | '\'' | '…' | '»') {
            break;
        }
        url = &url[..url.len() - last.len_utf8()];
    }
    (url.len() > scheme.len()).then_some((Piece::Link(url), url.len()))
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter.general_category_group() == GeneralCategoryGroup::Mark
}

fn in_tag(letter: char) -> bool {
    is_word(letter) || letter == '·'
}

/// `é` is `e`; letters whose base is not Latin stay whole.
fn fold_accent(letter: char) -> char {
    match std::iter::once(letter).nfd().next() {
        Some(base) if base.is_ascii_alphabetic() => base,
        _ => letter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(text: &str) -> String {
        html(text, "http://localhost:8081", |name| {
            ["obole", "croixrouge"].iter().find(|known| known.eq_ignore_ascii_case(name)).map(|name| (*name).to_owned())
        })
    }

    #[test]
    fn mentions_and_hashtags_become_anchors_and_unknown_names_stay_text() {
        insta::assert_snapshot!(format("@obole #donner 10€ @croixrouge #Téléthon @nobody"), @r#"<p><span class="h-card" translate="no"><a href="http://localhost:8081/@obole" class="u-url mention">@<span>obole</span></a></span> <a href="http://localhost:8081/tags/donner" class="mention hashtag" rel="tag">#<span>donner</span></a> 10€ <span class="h-card" translate="no"><a href="http://localhost:8081/@croixrouge" class="u-url mention">@<span>croixrouge</span></a></span> <a href="http://localhost:8081/tags/T%C3%A9l%C3%A9thon" class="mention hashtag" rel="tag">#<span>Téléthon</span></a> @nobody</p>"#);
    }

    #[test]
    fn paragraphs_breaks_and_special_characters_are_as_mastodon_writes_them() {
        assert_eq!(format("a < b & \"c\"\nd\n\n\ne"), "<p>a &lt; b &amp; &quot;c&quot;<br />d</p><p>e</p>");
    }

    #[test]
    fn a_long_link_hides_scheme_and_tail() {
        assert_eq!(
            format("(https://www.example.org/a/very/long/path/to/a/page?x=1&y=2)."),
            "<p>(<a href=\"https://www.example.org/a/very/long/path/to/a/page?x=1&amp;y=2\" target=\"_blank\" rel=\"nofollow noopener\" translate=\"no\"><span class=\"invisible\">https://www.</span><span class=\"ellipsis\">example.org/a/very/long/path/t</span><span class=\"invisible\">o/a/page?x=1&amp;y=2</span></a>).</p>"
        );
    }

    #[test]
    fn words_glued_to_other_words_are_neither_mention_nor_hashtag() {
        let text = "mail@obole x#tag #10 /@obole #１０ éa#b";
        assert!(pieces(text).iter().all(|piece| matches!(piece, Piece::Plain(_))), "{:?}", pieces(text));
        assert_eq!(
            pieces("@obole@localhost:8081.")[0],
            Piece::Mention { written: "@obole@localhost:8081", username: "obole", domain: Some("localhost:8081") }
        );
        assert_eq!(pieces("@obole.")[0], Piece::Mention { written: "@obole", username: "obole", domain: None });
    }

    #[test]
    fn tags_are_folded_and_lengths_are_counted_as_the_server_counts() {
        assert_eq!(normalise_tag("TÉLÉthon"), "telethon");
        assert_eq!(normalise_tag("ＰＡＹ"), "pay");
        assert_eq!(normalise_tag("が"), "が");
        assert_eq!(counted_length("@bob@example.social https://example.org/very/long/path/indeed"), 4 + 1 + 23);
    }
}
