//! The order language: from the text of a post to what its author asks for.
//!
//! A post pays only if it says so in a fixed way: it names the bot (or a campaign), it holds a verb as a hashtag, one sum
//! and somebody to pay, in any order and any language that has a file in `grammar/`. [`read`] turns the text into a [`Command`], into an answer
//! to the author of a near miss ([`Rejection`]), or into nothing. It never guesses about money: what can be read two ways
//! is refused with the corrections to copy.
//!
//! It promises to depend on the text and the [`Context`] alone (no clock, network or locale), never to panic, and to take
//! time linear in the text. Whether the author may pay, and whom, is decided elsewhere.
//!
//! The specification is normative, and doc comments name its sections. What belongs to a language or a currency is data in
//! `grammar/`, compiled once; adding one needs no Rust. The way of a post through the modules:
//!
//! | module | question |
//! |---|---|
//! | `gate` | can it concern us at all? |
//! | `masks` | which words are the author's own? |
//! | `tokens`, with `hashtag`, `mention`, `marks` | what stands there? |
//! | `amounts`, with `units`, `unserved`, `numeral` | which sums are in sight, and which can be taken? |
//! | `addressing` | is it meant for us? |
//! | `diagnosis`, with `recipients`, `phrases`, `shares`, `memo` | what does it ask, or what is wrong first? |
//! | `replies` | what does a private message answer? |
//! | `json` | the same, one line in, one line out |

mod addressing;
mod amounts;
mod characters;
mod command;
#[cfg(test)]
mod conformance;
mod diagnosis;
mod error;
mod gate;
mod hashtag;
pub mod json;
mod marks;
mod masks;
mod memo;
mod mention;
mod numeral;
mod phrases;
mod post;
mod recipients;
mod replies;
mod shares;
mod span;
mod tokens;
mod units;
mod unserved;
mod vocabulary;

use std::collections::HashMap;

pub use characters::fold;
pub use command::{Addressed, CancelCommand, Command, Flag, Kind, PaymentCommand, Recipient, RecipientRule, Split, Verb, VerbKind};
pub use error::{Code, Rejection};
pub use gate::{may_order, would_concern};
pub use replies::{Action, Reply};
pub use span::Span;
pub use vocabulary::{
    AmbiguousMark, Language, LanguageSource, ServedCurrency, Slang, VocabularyError, ambiguous_marks, check_language,
    check_languages, languages, serve_languages, served_currencies, slang, try_language,
};

use addressing::Standing;
use post::Post;
use vocabulary::WordHasher;

pub use crate::ids::Channel;
use crate::money::Currency;

/// The networks whose handles are known (section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Platform {
    /// X, formerly Twitter.
    X,
    /// Mastodon and the rest of the fediverse.
    Mastodon,
    /// Bluesky.
    Bluesky,
    /// Nostr.
    Nostr,
}

impl Platform {
    /// All of them.
    pub const ALL: [Platform; 4] = [Platform::X, Platform::Mastodon, Platform::Bluesky, Platform::Nostr];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Platform> {
        Platform::ALL.into_iter().find(|platform| platform.as_str() == name)
    }

    /// The name in section 2.
    pub fn as_str(self) -> &'static str {
        match self {
            Platform::X => "x",
            Platform::Mastodon => "mastodon",
            Platform::Bluesky => "bluesky",
            Platform::Nostr => "nostr",
        }
    }
}

/// Registered hashtags, folded, and the handle of the charity that each stands for, if it stands for one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Campaigns(HashMap<String, Option<String>, WordHasher>);

impl Campaigns {
    /// None yet.
    pub fn new() -> Self {
        Campaigns::default()
    }

    /// Registers a hashtag (without `#`) for a charity's handle (without `@`), or as a mere label.
    pub fn insert(&mut self, hashtag: &str, charity: Option<&str>) {
        self.0.insert(fold(hashtag), charity.map(str::to_owned));
    }

    /// Whether none is registered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A folded hashtag as it is registered, and its charity; none if it is not.
    fn get(&self, folded: &str) -> Option<(&str, Option<&str>)> {
        self.0.get_key_value(folded).map(|(name, charity)| (name.as_str(), charity.as_deref()))
    }
}

impl<'a> FromIterator<(&'a str, Option<&'a str>)> for Campaigns {
    fn from_iter<I: IntoIterator<Item = (&'a str, Option<&'a str>)>>(pairs: I) -> Self {
        let mut campaigns = Campaigns::new();
        for (hashtag, charity) in pairs {
            campaigns.insert(hashtag, charity);
        }
        campaigns
    }
}

/// What is known about a post beside its text (section 2). Handles are written without `@`.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Public post or private message.
    pub channel: Channel,
    /// Whose handles are written.
    pub platform: Platform,
    /// The processor's handle there.
    pub bot: &'a str,
    /// Who wrote it, if that is known.
    pub author: Option<&'a str>,
    /// Whether somebody else's text is only passed on.
    pub is_repost: bool,
    /// The registered hashtags.
    pub campaigns: &'a Campaigns,
    /// Used in suggestions only.
    pub currency: Currency,
}

/// Why nothing is said about a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Silence {
    /// It is a repost.
    Repost,
    /// The bot wrote it.
    OwnPost,
    /// It is longer than 32 768 bytes.
    TooLong,
    /// It holds neither the bot's name nor a verb that gives to a campaign.
    NotConcerned,
    /// It documents the syntax.
    Example,
    /// A *not* word stands at a verb.
    Negated,
    /// It has a verb or the bot's name, but is not addressed to the processor.
    NotAddressed,
    /// It talks about paying, without a sum.
    Talk,
    /// It is a private message without text.
    Empty,
}

impl Silence {
    /// The section of the specification that decides it.
    pub fn section(self) -> &'static str {
        match self {
            Silence::Repost | Silence::OwnPost | Silence::TooLong | Silence::NotConcerned => "2",
            Silence::Example => "6, 1",
            Silence::Negated => "6, 2",
            Silence::NotAddressed => "6, 3",
            Silence::Talk => "6, 5",
            Silence::Empty => "12",
        }
    }

    /// Why nothing is said, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            Silence::Repost => "a repost",
            Silence::OwnPost => "the bot's own post",
            Silence::TooLong => "longer than 32 768 bytes",
            Silence::NotConcerned => "neither the bot's name nor a gift to a campaign",
            Silence::Example => "an example of the syntax",
            Silence::Negated => "a *not* word stands at the verb",
            Silence::NotAddressed => "not addressed to the processor",
            Silence::Talk => "talk about paying, without a sum",
            Silence::Empty => "no text",
        }
    }
}

/// Which rule decided what a text was read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The section of the specification.
    pub section: &'static str,
    /// What it found, in a few words.
    pub meaning: &'static str,
}

/// What a text was read as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Nothing that concerns us.
    None(Silence),
    /// An order.
    Order(Command),
    /// An answer in private.
    Reply(Reply),
    /// A near miss.
    Rejected(Rejection),
}

impl Reading {
    /// The rule that decided; for an order, the one that chose whom to pay.
    pub fn decision(&self) -> Decision {
        let (section, meaning) = match self {
            Reading::None(silence) => (silence.section(), silence.meaning()),
            Reading::Order(Command::Payment(command)) => (command.chosen_by.section(), command.chosen_by.meaning()),
            Reading::Order(Command::Cancel(_)) => ("7, 3", "a verb that cancels"),
            Reading::Reply(_) => ("12", "a phrase of the private replies"),
            Reading::Rejected(rejection) => (rejection.code.section(), rejection.code.meaning()),
        };
        Decision { section, meaning }
    }
}

/// Without the suggestions that cure nothing: those that would be passed over in silence (`#&send 30€` with a hash before the word is
/// no hashtag), and those that would be answered with the same words.
fn with_cures(mut rejection: Rejection, context: &Context<'_>) -> Rejection {
    let Rejection { code, span, suggestions } = &mut rejection;
    // What is left out may make place for its like (`#weekly #weekly`), which is no longer the same fault.
    let may_move_up = matches!(code, Code::ReservedRecurring | Code::ReservedPledge);
    suggestions.retain(|suggestion| match read_post(suggestion, context) {
        Err(Standing::Silent(_)) => false,
        Err(Standing::Fault(again)) => may_move_up || again.code != *code || (again.span != *span && *code != Code::TextUnsafe),
        _ => true,
    });
    rejection
}

/// Reads one post or private message.
pub fn read(text: &str, context: &Context<'_>) -> Reading {
    if context.is_repost {
        return Reading::None(Silence::Repost);
    }
    if context.author.is_some_and(|author| mention::bot_name(author, context.bot)) {
        return Reading::None(Silence::OwnPost);
    }
    if text.len() > gate::LONGEST_TEXT {
        return Reading::None(Silence::TooLong);
    }
    if !gate::concerns(text, context) {
        return Reading::None(Silence::NotConcerned);
    }
    let silence = match read_post(text, context) {
        Ok(command) => return Reading::Order(command),
        Err(Standing::Fault(fault)) => return Reading::Rejected(with_cures(fault.reject(text), context)),
        Err(Standing::Silent(silence)) => silence,
        Err(Standing::Addressed(_)) => Silence::NotAddressed,
    };
    if context.channel == Channel::Post {
        return Reading::None(silence);
    }
    match replies::reply(text) {
        None => Reading::None(Silence::Empty),
        Some(Ok(reply)) => Reading::Reply(reply),
        Some(Err(fault)) => Reading::Rejected(fault.reject(text)),
    }
}

fn read_post(text: &str, context: &Context<'_>) -> Result<Command, Standing> {
    let post = Post::take(text, context);
    match addressing::standing(&post) {
        Standing::Addressed(how) => diagnosis::diagnose(post, how).map_err(Standing::Fault),
        other => Err(other),
    }
}
