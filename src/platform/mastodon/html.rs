//! From the HTML of a status to the text that its readers see.
//!
//! A real tokenizer reads the markup (html5gum, which implements the WHATWG states), so entities, comments, broken tags and
//! odd attributes come out as in a browser. Mastodon sanitises what it passes on (the allowed elements are listed at
//! <https://docs.joinmastodon.org/spec/activitypub/#sanitization>), other servers may not, so every element has a rule here:
//!
//! | markup | becomes |
//! |---|---|
//! | `<br>`, edges of blocks, edges of paragraphs | line break, line break, blank line |
//! | link to somebody in the status' `mentions[]` | `@` and that account's `acct`, whatever the link says |
//! | mention link to nobody in that list | `@@…`, which the order language reads as a bad mention |
//! | link whose text is one hashtag | that hashtag |
//! | any other link | its address; its text is dropped (a link never pays) |
//! | `code`, `del`, `s`, `sub`, `sup`, `rt`, `q` | an aside that the language masks: `` `…` `` |
//! | `blockquote`, `pre` | lines that start with `> ` |
//! | `p.quote-inline` (the `RE: …` of a quote post) | nothing |
//! | hidden things with content (`hidden`, `.invisible`, any `style`, `script`, …) | U+200B: the language refuses the post |
//!
//! Struck text is masked, not dropped, because dropping would join its neighbours: `1<del>0</del>0€` is not 10 €. `sub` and `sup`
//! are masked because `10<sup>50</sup>€` is read by people as 10.50. Hidden content is neither read nor joined over: what one reader
//! sees and another does not is no order. Where tags are not closed or wrongly nested, a mask lasts longer than it would in a
//! browser, never shorter.

use html5gum::{StartTag, Token, Tokenizer};
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};
use url::Url;

use super::text::{Kind, Piece, assemble};
use super::wire;

/// The text of a status. `own_domain` is the instance's, to tell which link addresses mean local accounts.
pub(super) fn to_text(html: &str, mentions: &[wire::Mention], own_domain: &str) -> String {
    let mut walk = Walk { mentions, own_domain, pieces: Vec::new(), open: Vec::new(), anchor: None };
    // The error type of reading from memory has no values.
    for Ok(token) in Tokenizer::new(html) {
        match token {
            Token::StartTag(tag) => walk.start(&tag),
            Token::EndTag(tag) => walk.end(&String::from_utf8_lossy(&tag.name)),
            Token::String(text) => walk.text(&String::from_utf8_lossy(&text)),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    walk.end_anchor();
    assemble(&walk.pieces)
}

/// Nobody nests deeper; what is deeper counts as hidden.
const MAX_DEPTH: usize = 256;

/// What an element does to the text inside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Nothing,
    Aside,
    Quote,
    Hidden,
    Dropped,
}

/// What an element does to the text around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    Inline,
    Word,
    Block,
    Paragraph,
}

/// A link being read.
struct Anchor {
    href: Option<String>,
    is_mention: bool,
    text: String,
}

struct Walk<'a> {
    mentions: &'a [wire::Mention],
    own_domain: &'a str,
    pieces: Vec<Piece>,
    open: Vec<(String, Effect)>,
    anchor: Option<Anchor>,
}

impl Walk<'_> {
    fn start(&mut self, tag: &StartTag<()>) {
        let name = String::from_utf8_lossy(&tag.name).into_owned();
        let attribute = |name: &str| tag.attributes.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned());
        self.edge(&name);
        match name.as_str() {
            "br" => return self.push(Piece::Line),
            "hr" | "wbr" | "input" | "link" | "meta" | "base" | "col" | "embed" | "source" | "track" | "area" | "param" => return,
            // A picture between two digits separates them.
            "img" => return self.text("\u{FFFC}"),
            _ => {}
        }
        let classes = attribute("class").unwrap_or_default();
        let has_class = |wanted: &str| classes.split_ascii_whitespace().any(|class| class.eq_ignore_ascii_case(wanted));
        let effect = if has_class("quote-inline") {
            self.push(Piece::Paragraph);
            Effect::Dropped
        } else if has_class("invisible") || attribute("hidden").is_some() || attribute("style").is_some() {
            Effect::Hidden
        } else {
            effect_of(&name)
        };
        if name == "a" {
            // Links do not nest: the second ends the first.
            self.end("a");
            let is_mention = has_class("mention") && !has_class("hashtag");
            self.anchor = Some(Anchor { href: attribute("href"), is_mention, text: String::new() });
        }
        let effect = if self.open.len() >= MAX_DEPTH { Effect::Hidden } else { effect };
        if self.open.len() < 2 * MAX_DEPTH {
            self.open.push((name, effect));
        }
    }

    fn end(&mut self, name: &str) {
        if name == "br" {
            return self.push(Piece::Line);
        }
        if name == "a" {
            self.end_anchor();
        }
        if let Some(index) = self.open.iter().rposition(|(open, _)| open == name) {
            // What is still open inside goes too, unless it masks: then it lasts until its own end.
            let inside = self.open.split_off(index).into_iter().skip(1);
            self.open.extend(inside.filter(|(_, effect)| *effect != Effect::Nothing));
        }
        self.edge(name);
    }

    fn edge(&mut self, name: &str) {
        match edge_of(name) {
            Edge::Inline => {}
            Edge::Word => self.text(" "),
            Edge::Block => self.push(Piece::Block),
            Edge::Paragraph => self.push(Piece::Paragraph),
        }
    }

    /// The strongest effect of everything that is open.
    fn effect(&self) -> Effect {
        let has = |wanted: Effect| self.open.iter().any(|(_, effect)| *effect == wanted);
        [Effect::Dropped, Effect::Hidden, Effect::Quote, Effect::Aside]
            .into_iter()
            .find(|effect| has(*effect))
            .unwrap_or(Effect::Nothing)
    }

    fn push(&mut self, piece: Piece) {
        if let Some(anchor) = &mut self.anchor {
            anchor.text.push(' ');
        } else if !matches!(self.effect(), Effect::Dropped | Effect::Hidden) {
            self.pieces.push(piece);
        }
    }

    fn text(&mut self, text: &str) {
        let kind = match self.effect() {
            Effect::Dropped => return,
            // What a link hides is part of its address (`https://`, the end of a long path).
            Effect::Hidden if self.anchor.is_some() => return,
            Effect::Hidden => return self.hidden(text),
            Effect::Quote => Kind::Quote,
            Effect::Aside => Kind::Aside,
            Effect::Nothing => Kind::Plain,
        };
        if let Some(anchor) = &mut self.anchor {
            return anchor.text.push_str(text);
        }
        let preformatted = kind == Kind::Quote && self.open.iter().any(|(name, _)| name == "pre");
        for (index, line) in text.split(|character| preformatted && character == '\n').enumerate() {
            if index > 0 {
                self.pieces.push(Piece::Line);
            }
            self.pieces.push(Piece::Text(kind, line.to_owned()));
        }
    }

    fn hidden(&mut self, text: &str) {
        // The brackets that `rp` keeps for old browsers surprise nobody.
        let is_idle = |character: char| character.is_whitespace() || matches!(character, '(' | ')' | '（' | '）');
        if !text.chars().all(is_idle) && self.pieces.last() != Some(&Piece::Hidden) {
            self.pieces.push(Piece::Hidden);
        }
    }

    fn end_anchor(&mut self) {
        let Some(anchor) = self.anchor.take() else { return };
        let kind = match self.effect() {
            Effect::Dropped => return,
            Effect::Hidden => return self.hidden("link"),
            Effect::Quote => Kind::Quote,
            Effect::Aside => Kind::Aside,
            Effect::Nothing => Kind::Plain,
        };
        let piece = self.read_anchor(anchor, kind);
        self.pieces.push(piece);
    }

    fn read_anchor(&self, anchor: Anchor, kind: Kind) -> Piece {
        let text = anchor.text.trim();
        // Some servers write hashtags without a class, and Mastodon takes `rel` away from what others wrote.
        if !anchor.is_mention && is_hashtag(text) {
            return Piece::Text(kind, text.to_owned());
        }
        let mention = anchor.href.as_deref().and_then(|href| self.mentioned(href));
        if anchor.is_mention || (mention.is_some() && text.starts_with('@')) {
            return match mention {
                Some(handle) => Piece::Mention(kind, format!("@{handle}")),
                None => Piece::Text(kind, format!("@@{}", handle_like(text))),
            };
        }
        let address = anchor.href.as_deref().and_then(|href| Url::parse(href).ok());
        match address.filter(|url| matches!(url.scheme(), "http" | "https")) {
            Some(url) => Piece::Url(kind, url.as_str().replace('`', "%60")),
            // No address that a browser would open; its text is a link's text all the same.
            None => Piece::Text(if kind == Kind::Plain { Kind::Aside } else { kind }, text.to_owned()),
        }
    }

    /// The handle of whoever the status mentions at `href`: by the profile's address, or by the account that the address spells.
    fn mentioned(&self, href: &str) -> Option<String> {
        let by_url = self.mentions.iter().find(|mention| !mention.url.is_empty() && mention.url == href);
        let mention = by_url.or_else(|| {
            let acct = acct_of(href, self.own_domain)?;
            self.mentions.iter().find(|mention| mention.acct.eq_ignore_ascii_case(&acct))
        })?;
        let handle = mention.acct.to_ascii_lowercase();
        is_handle(&handle).then_some(handle)
    }
}

/// `https://host/@user`, `/users/user` and `/@user@domain` as an `acct`.
fn acct_of(href: &str, own_domain: &str) -> Option<String> {
    let url = Url::parse(href).ok()?;
    let host = url.host_str()?;
    let mut path = url.path_segments()?;
    let user = match path.next()? {
        "users" => path.next()?,
        first => first.strip_prefix('@')?,
    };
    if user.is_empty() || path.next().is_some_and(|rest| !rest.is_empty()) {
        return None;
    }
    let (user, domain) = user.split_once('@').unwrap_or((user, host));
    Some(if domain.eq_ignore_ascii_case(own_domain) { user.to_owned() } else { format!("{user}@{domain}") })
}

/// Could the order language read this, all of it, as one handle?
pub(super) fn is_handle(handle: &str) -> bool {
    let (user, domain) = handle.split_once('@').map_or((handle, None), |(user, domain)| (user, Some(domain)));
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let fits = |name: &str| {
        let bytes = name.as_bytes();
        edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|byte| edge(Some(byte)) || matches!(byte, b'.' | b'-'))
    };
    fits(user) && domain.is_none_or(fits)
}

/// Nothing but one hashtag, of the characters that Mastodon links: letters, marks, digits and `_·・` or U+200C, and not digits alone.
fn is_hashtag(text: &str) -> bool {
    let is_mark = |character: char| character.general_category_group() == GeneralCategoryGroup::Mark;
    let in_tag =
        |character: char| character.is_alphanumeric() || matches!(character, '_' | '·' | '・' | '\u{200C}') || is_mark(character);
    text.strip_prefix(['#', '＃']).is_some_and(|tag| tag.contains(char::is_alphabetic) && tag.chars().all(in_tag))
}

fn handle_like(text: &str) -> String {
    let name: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '@')).collect();
    let name = name.trim_matches(['@', '.', '-']);
    if name.is_empty() { "unknown".to_owned() } else { name.to_owned() }
}

fn effect_of(name: &str) -> Effect {
    match name {
        "code" | "tt" | "kbd" | "samp" | "var" | "del" | "s" | "strike" | "sub" | "sup" | "rt" | "rtc" | "q" | "bdo" | "button" => {
            Effect::Aside
        }
        "blockquote" | "pre" | "listing" => Effect::Quote,
        "rp" | "script" | "style" | "template" | "noscript" | "noembed" | "noframes" | "head" | "title" | "textarea" | "select"
        | "option" | "iframe" | "object" | "svg" | "math" | "canvas" | "audio" | "video" | "details" | "dialog" | "datalist"
        | "xmp" | "plaintext" => Effect::Hidden,
        _ => Effect::Nothing,
    }
}

fn edge_of(name: &str) -> Edge {
    match name {
        "p" | "blockquote" | "pre" | "listing" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => Edge::Paragraph,
        "address" | "article" | "aside" | "body" | "center" | "dd" | "details" | "dialog" | "div" | "dl" | "dt" | "fieldset"
        | "figcaption" | "figure" | "footer" | "form" | "header" | "hr" | "html" | "legend" | "li" | "main" | "menu" | "nav"
        | "ol" | "section" | "summary" | "table" | "tbody" | "tfoot" | "thead" | "tr" | "ul" => Edge::Block,
        "a" | "abbr" | "acronym" | "b" | "bdi" | "bdo" | "big" | "br" | "cite" | "code" | "del" | "dfn" | "em" | "font" | "i"
        | "img" | "ins" | "kbd" | "mark" | "q" | "rb" | "rp" | "rt" | "rtc" | "ruby" | "s" | "samp" | "small" | "span"
        | "strike" | "strong" | "sub" | "sup" | "time" | "tt" | "u" | "var" | "wbr" => Edge::Inline,
        // Cells, and elements nobody has told us about.
        _ => Edge::Word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mention(id: &str, acct: &str, url: &str) -> wire::Mention {
        wire::Mention { id: id.into(), acct: acct.into(), url: url.into() }
    }

    fn read(html: &str) -> String {
        let mentions = [
            mention("1", "obole", "https://pay.example/@obole"),
            mention("2", "Bob@social.example", "https://social.example/@Bob"),
            mention("3", "carol", "https://pay.example/@carol"),
        ];
        to_text(html, &mentions, "pay.example")
    }

    #[test]
    fn an_order_as_mastodon_writes_it() {
        let html = "<p><span class=\"h-card\" translate=\"no\"><a href=\"https://pay.example/@obole\" class=\"u-url mention\">@<span>obole</span></a></span> \
            <a href=\"https://social.example/tags/envoyer\" class=\"mention hashtag\" rel=\"tag\">#<span>envoyer</span></a> 20 € à \
            <span class=\"h-card\"><a href=\"https://social.example/@Bob\" class=\"u-url mention\">@<span>Bob</span></a></span><br />merci</p><p>Bises</p>";
        assert_eq!(read(html), "@obole #envoyer 20 € à @bob@social.example\nmerci\n\nBises");
    }

    #[test]
    fn entities_are_resolved_once() {
        assert_eq!(
            read("10&nbsp;&#8364; &lt;b&gt;R&amp;D&lt;/b&gt; &#x20AC; &amp;lt; &notit; &euro;"),
            "10\u{a0}€ <b>R&D</b> € &lt; ¬it; €"
        );
        assert_eq!(read("&lt;code&gt;5€&lt;/code&gt;"), "<code>5€</code>");
    }

    #[test]
    fn white_space_runs_together_and_blocks_break_words() {
        assert_eq!(read("  a \n\t b<div>c</div>d<ul><li>e</li><li>f</li></ul>"), "a b\nc\nd\ne\nf");
        assert_eq!(read("<p>10</p><p>00€</p>"), "10\n\n00€");
        assert_eq!(read("10<td>00€</td>"), "10 00€");
        assert_eq!(read("10<madeup>00€"), "10 00€");
        assert_eq!(read("10<img src=x>00€"), "10\u{FFFC}00€");
        assert_eq!(read("a<br><br><br><br>b"), "a\n\nb");
        assert_eq!(read("<b>1</b><em>0</em><!-- 0 --><wbr>€"), "10€");
    }

    #[test]
    fn hidden_content_makes_the_post_unsafe() {
        assert_eq!(read("10<span hidden>00</span>€"), "10\u{200B}€");
        assert_eq!(read("10<span class=\"x Invisible\">00<b>0</b>0</span>€"), "10\u{200B}€");
        assert_eq!(read("10<span style=\"display:none\">00</span>€"), "10\u{200B}€");
        assert_eq!(read("10<script>00</script>€"), "10 \u{200B} €");
        assert_eq!(read("10<a class=invisible href=https://x.example>0</a>€"), "10\u{200B}€");
        // What was never closed stays hidden, whatever ends around it, also in the self-closing form that HTML does not have.
        assert_eq!(read("<p>10<span hidden/></p><p>00€"), "10\u{200B}");
        // With nothing in it, nothing is hidden.
        assert_eq!(read("10<span class=invisible> </span>€"), "10€");
        // Zero-width characters of the author's own are passed on for the language to refuse.
        assert_eq!(read("1&#8203;0€"), "1\u{200B}0€");
    }

    #[test]
    fn a_link_is_its_address() {
        let link = "<a href=\"https://shop.example/a/very/long/path?q=1\" rel=\"nofollow\"><span class=\"invisible\">https://</span>\
            <span class=\"ellipsis\">shop.example/a/very</span><span class=\"invisible\">/long/path?q=1</span></a>";
        assert_eq!(read(&format!("<p>see {link} now</p>")), "see https://shop.example/a/very/long/path?q=1 now");
        // Its text never pays, and its address has no room for words or marks.
        assert_eq!(read("<a href=\"https://x.example/\">#send 10€ @bob</a>"), "https://x.example/");
        assert_eq!(read("<a href=\"https://x.example/a 10€ `b\">x</a> y"), "https://x.example/a%2010%E2%82%AC%20%60b y");
        assert_eq!(read("10<a href=\"https://x.example/\">0</a>"), "10 https://x.example/");
        assert_eq!(read("<a href=\"mailto:x\">10€ @bob</a> <a>20€</a> <a href='javascript:1'>`</a>"), "`10€ @bob 20€ '`");
    }

    #[test]
    fn a_hashtag_is_read_however_it_is_linked() {
        assert_eq!(read("<a href=\"https://m.example/tags/don\" rel=\"nofollow\">#don</a> 5€"), "#don 5€");
        assert_eq!(read("<a class=hashtag href=\"https://m.example/tags/été\">#<span>été</span></a>"), "#été");
        assert_eq!(read("<a class=\"mention hashtag\" href=\"https://m.example/\">#don 5€ @bob</a>"), "https://m.example/");
        // What only begins like one is a link's text, and would be a sum.
        assert_eq!(
            read("<a href=\"https://m.example/\">#5€</a> <a href=\"https://m.example/\">#€5、don</a>"),
            "https://m.example/ https://m.example/"
        );
        assert_eq!(
            read("<a href=\"https://m.example/tags/x\">#हिन्दी</a> <a href=\"https://m.example/tags/y\">#re·çu_1</a>"),
            "#हिन्दी #re·çu_1"
        );
    }

    #[test]
    fn a_link_never_closed_takes_the_rest_with_it() {
        assert_eq!(read("a <a href=\"https://x.example/\">b <p>#send 10€ @bob</p> c"), "a https://x.example/");
        assert_eq!(read("a <a href=\"https://x.example/"), "a");
    }

    #[test]
    fn nested_links_are_two_links() {
        let html = "<a href=\"https://x.example/\">a<a class=mention href=\"https://pay.example/@carol\">@carol</a> b</a> c";
        assert_eq!(read(html), "https://x.example/@carol b c");
        let html = "<a class=mention href=\"https://pay.example/@carol\">@carol <a href=\"https://x.example/\">a</a></a> c";
        assert_eq!(read(html), "@carol https://x.example/ c");
    }

    #[test]
    fn a_mention_is_whom_the_api_says() {
        // Whatever the link says.
        assert_eq!(read("<a class=mention href=\"https://pay.example/@carol\">@alice</a>"), "@carol");
        assert_eq!(read("<a class=mention href=\"https://pay.example/@carol\">@alice #send 10€</a>"), "@carol");
        // By the account that the address spells.
        assert_eq!(read("<a class=mention href=\"https://social.example/users/bob\">@x</a>"), "@bob@social.example");
        assert_eq!(read("<a class=mention href=\"https://pay.example/@bob@social.example\">@x</a>"), "@bob@social.example");
        assert_eq!(read("<a class=mention href=\"https://pay.example/users/carol\">@x</a>"), "@carol");
        // Without the class, if it reads like one.
        assert_eq!(read("<a href=\"https://pay.example/@carol\">@carol</a>"), "@carol");
        assert_eq!(read("<a href=\"https://pay.example/@carol\">click</a>"), "https://pay.example/@carol");
    }

    #[test]
    fn a_mention_of_nobody_is_no_handle() {
        assert_eq!(read("<a class=mention href=\"https://evil.example/@carol\">@<span>carol</span></a>"), "@@carol");
        assert_eq!(read("<a class=mention href=\"https://pay.example/@dave\">@dave 10€</a>"), "@@dave10");
        assert_eq!(read("<a class=mention>`</a>"), "@@unknown");
        assert_eq!(read("<a class=mention href=\"https://pay.example/@carol/1\">@carol</a>"), "@@carol");
        let odd = [mention("9", "carol `x", "https://pay.example/@odd")];
        assert_eq!(to_text("<a class=mention href=\"https://pay.example/@odd\">@carol</a>", &odd, "pay.example"), "@@carol");
    }

    #[test]
    fn a_mention_cannot_be_lengthened() {
        let carol = "<a class=mention href=\"https://pay.example/@carol\">@carol</a>";
        assert_eq!(read(&format!("{carol}ine")), "@carol\u{200B}ine");
        assert_eq!(read(&format!("{carol}<b>@evil.example</b>")), "@carol\u{200B}@evil.example");
        assert_eq!(read(&format!("{carol}, {carol}.")), "@carol, @carol.");
    }

    #[test]
    fn quotes_become_quoted_lines() {
        assert_eq!(read("<blockquote><p>#send 10€<br>@bob</p><p>x</p></blockquote><p>no</p>"), "> #send 10€\n> @bob\n\n> x\n\nno");
        assert_eq!(read("a<blockquote>b"), "a\n\n> b");
        assert_eq!(read("<blockquote>b<p>c</blockquote>d"), "> b\n\n> c\n\nd");
        assert_eq!(read("<blockquote>a&#8232;b&#10;```c</blockquote>"), "> a b '''c");
    }

    #[test]
    fn the_line_that_stands_for_a_quote_post_is_dropped() {
        let html = "<p class=\"quote-inline\">RE: <a href=\"https://social.example/@bob/1\">https://…</a></p><p>#send 5€</p>";
        assert_eq!(read(html), "#send 5€");
        assert_eq!(read("1<span class=quote-inline>0</span>0€"), "1\n\n0€");
    }

    #[test]
    fn code_and_struck_text_and_annotations_are_asides() {
        assert_eq!(read("<p>type <code>#send 10€ @bob</code>!</p>"), "type `#send 10€ @bob`!");
        assert_eq!(read("<pre><code>#send 10€\n  @bob</code></pre>"), "> #send 10€\n> @bob");
        assert_eq!(read("1<del>0</del>0€ <s>20€</s>"), "1 `0`0€ `20€`");
        assert_eq!(read("10<sup>50</sup>€"), "10 `50`€");
        assert_eq!(read("<ruby>送<rp>(</rp><rt>10</rt><rp>)</rp></ruby>€"), "送 `10`€");
        assert_eq!(read("<s>10€<p>20€"), "`10€`\n\n`20€`");
    }

    #[test]
    fn a_typed_backtick_cannot_open_or_close_what_the_markup_marks() {
        assert_eq!(read("` <code>#send 10€ @bob</code> `"), "` 『#send 10€ @bob』 `");
        assert_eq!(read("<code>a ` #send 10€ @bob ` b</code>"), "`a ' #send 10€ @bob ' b`");
        assert_eq!(read("「 <del>a 」 b</del>"), "「 `a ' b`");
    }
}
