//! The worst posts: families of text that a scanner could be made to read again and again.
//!
//! Each family grows to any length. What doubles the length may double the cost, and no more; a family that does worse is a way to stop
//! the service with one post. Every family begins as an order, so that the gate lets it through and every rule sees it.

use crate::language::Channel;

/// A way to write a long post.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// What it repeats.
    pub name: &'static str,
    /// Public or private.
    pub channel: Channel,
    opening: &'static str,
    repeated: Repeated,
}

#[derive(Debug, Clone, Copy)]
enum Repeated {
    /// The same again and again.
    Same(&'static str),
    /// Something, a number that counts up, and something.
    Counted(&'static str, &'static str),
}

const ORDER: &str = "@obole #send 5€ @bob ";
/// Without a recipient, so that all that follows is looked at for one.
const OPEN: &str = "@obole #give 5€ ";
/// Without a sum.
const SUMLESS: &str = "@obole #send @bob ";
/// Without a verb, so that one is looked for.
const VERBLESS: &str = "@obole ";

const fn same(name: &'static str, opening: &'static str, repeated: &'static str) -> Family {
    Family { name, channel: Channel::Post, opening, repeated: Repeated::Same(repeated) }
}

const fn counted(name: &'static str, opening: &'static str, before: &'static str, after: &'static str) -> Family {
    Family { name, channel: Channel::Post, opening, repeated: Repeated::Counted(before, after) }
}

/// All of them.
pub const FAMILIES: [Family; 40] = [
    same("opened quotations", ORDER, "“„«「『"),
    same("opened quotations and lines", ORDER, "“\n"),
    same("backticks", ORDER, "`` ` "),
    same("quoted lines", ORDER, "\n> a"),
    same("angles on one line", ORDER, " > "),
    same("reposts of nobody", ORDER, "RT  "),
    same("links", ORDER, "http://a "),
    same("touching links", ORDER, "éhttp://"),
    same("spaces", ORDER, " "),
    same("line breaks", ORDER, "\r\n"),
    same("direction marks", ORDER, "\u{200e}\u{200f}"),
    same("split by direction marks", ORDER, "a\u{200e}"),
    same("combining marks", ORDER, "\u{301}"),
    same("accents to compose", ORDER, "A\u{327}\u{301} "),
    same("full-width capitals", ORDER, "ＳＥＮＤ "),
    same("one word", ORDER, "É"),
    same("apostrophes", ORDER, "a'"),
    same("one hashtag", OPEN, "#a "),
    counted("hashtags", OPEN, "#tag", " "),
    counted("hashtags glued", OPEN, "#send", "€"),
    counted("campaigns", OPEN, "#cause", " "),
    same("one hashtag name", OPEN, "#ＡÀ日"),
    same("one mention", OPEN, "@bob "),
    counted("mentions", OPEN, "@user", ", "),
    same("bad mentions", OPEN, "@a.@b-"),
    counted("people after campaigns", "@obole #give 5€ #cause1 #cause2 ", "@user", " #cause3 "),
    same("the bot", OPEN, "@obole "),
    same("lists without end", OPEN, "@a, and to "),
    same("digits", SUMLESS, "7"),
    same("groups of digits", SUMLESS, "000 "),
    same("separators", SUMLESS, "1.1,1'"),
    same("dashes of round sums", SUMLESS, "10.-"),
    same("sums", SUMLESS, "1€ "),
    same("sums that touch", SUMLESS, "1€1$"),
    same("marks between numbers", SUMLESS, "€ 1 "),
    same("scales", SUMLESS, "1万億兆"),
    same("Japanese without spaces", SUMLESS, "5円ずつに"),
    same("number words", SUMLESS, "twenty-"),
    same("almost verbs", VERBLESS, "send 5 "),
    Family { name: "a private message", channel: Channel::Dm, opening: "yes ", repeated: Repeated::Same("oui 4821 ") },
];

impl Family {
    /// A post of this family of at most `bytes` bytes, and nearly so many.
    pub fn write(self, bytes: usize) -> String {
        let mut post = String::with_capacity(bytes + 32);
        post.push_str(self.opening);
        let mut number = 0_u32;
        loop {
            let length = post.len();
            match self.repeated {
                Repeated::Same(text) => post.push_str(text),
                Repeated::Counted(before, after) => {
                    post.push_str(before);
                    post.push_str(&number.to_string());
                    post.push_str(after);
                }
            }
            number += 1;
            if post.len() > bytes {
                post.truncate(length);
                return post;
            }
        }
    }
}

/// How many campaigns are registered under `cause` and a number, so that a post can name many.
pub const CAUSES: u32 = 2_000;
