//! The wire form of section 10: one JSON object in, one JSON object out, on strings alone.
//!
//! The command line reads and writes the lines; what they mean is settled here, so that every field is always present and
//! a line that is no question gets an `error` that says why.

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::command::{CancelCommand, Command, Flag, PaymentCommand, Split};
use super::error::{Code, Rejection};
use super::replies::{Action, Reply};
use super::span::Span;
use super::vocabulary::vocabulary;
use super::{Campaigns, Channel, Context, Platform, Reading, read};
use crate::money::Currency;

/// The answer to one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// One JSON object, without a line break.
    pub line: String,
    /// Whether its outcome is `error`.
    pub is_error: bool,
}

/// Answers one line of input as it came; one that is not UTF-8 is no question, and its answer says so.
pub fn answer_bytes(line: &[u8]) -> Option<Answer> {
    match std::str::from_utf8(line) {
        Ok(line) => answer_line(line),
        Err(_) => {
            let outcome = Outcome::Error { message: "the line is not UTF-8".to_owned() };
            Some(Answer { line: serde_json::to_string(&Line { id: None, outcome }).unwrap_or_default(), is_error: true })
        }
    }
}

/// Answers one line of input; nothing for an empty line.
pub fn answer_line(line: &str) -> Option<Answer> {
    let line = line.trim_matches(|c: char| c.is_ascii_whitespace());
    if line.is_empty() {
        return None;
    }
    // Strings, numbers and lists always serialise.
    let write = |id, outcome| serde_json::to_string(&Line { id, outcome }).unwrap_or_default();
    Some(match Question::parse(line) {
        Ok((id, question)) => Answer { line: write(id, Outcome::of(&question.read())), is_error: false },
        Err((id, message)) => Answer { line: write(id, Outcome::Error { message }), is_error: true },
    })
}

/// What a text was read as, as a JSON object without `id`.
pub fn to_value(reading: &Reading) -> Value {
    serde_json::to_value(Outcome::of(reading)).unwrap_or_default()
}

/// The members of an input line, not yet looked into.
#[derive(Deserialize)]
struct RawLine<'l> {
    #[serde(borrow, default)]
    id: Option<&'l RawValue>,
    #[serde(default)]
    text: Value,
    #[serde(default = "empty_object")]
    context: Value,
}

fn empty_object() -> Value {
    Value::Object(serde_json::Map::new())
}

/// A text with its context, defaults filled in.
struct Question {
    text: String,
    channel: Channel,
    platform: Platform,
    bot: String,
    author: Option<String>,
    is_repost: bool,
    campaigns: Campaigns,
    currency: Currency,
}

/// An `id` with what came of its line.
type WithId<'l, T, E> = Result<(Option<&'l RawValue>, T), (Option<&'l RawValue>, E)>;

impl Question {
    fn parse(line: &str) -> WithId<'_, Question, String> {
        if !line.starts_with('{') {
            return Err((None, "the line is not a JSON object".to_owned()));
        }
        let raw: RawLine<'_> = serde_json::from_str(line).map_err(|error| (None, format!("the line is not read: {error}")))?;
        let id = raw.id;
        Question::from_members(raw.text, raw.context).map(|question| (id, question)).map_err(|message| (id, message))
    }

    fn from_members(text: Value, context: Value) -> Result<Question, String> {
        let Value::String(text) = text else { return Err("`text` is not a string".to_owned()) };
        let Value::Object(mut members) = context else { return Err("`context` is not an object".to_owned()) };
        let mut string = |name: &str, default: &str| match members.remove(name) {
            None => Ok(default.to_owned()),
            Some(Value::String(value)) => Ok(value),
            Some(_) => Err(format!("`context.{name}` is not a string")),
        };
        let channel = match string("channel", "post")?.as_str() {
            "post" => Channel::Post,
            "dm" => Channel::Dm,
            other => return Err(format!("{other:?} is not a channel: post or dm")),
        };
        let name = string("platform", "x")?;
        let platform =
            Platform::named(&name).ok_or_else(|| format!("{name:?} is not a platform: x, mastodon, bluesky or nostr"))?;
        let bot = string("bot", "obole")?;
        let code = string("currency", Currency::EUR.code())?;
        let served = code.parse().ok().filter(|currency| vocabulary().serves(*currency));
        let currency = served.ok_or_else(|| format!("{code:?} is not a currency that is served"))?;
        let author = match members.remove("author") {
            None | Some(Value::Null) => None,
            Some(Value::String(author)) => Some(author),
            Some(_) => return Err("`context.author` is neither a string nor null".to_owned()),
        };
        let is_repost = match members.remove("is_repost") {
            None => false,
            Some(Value::Bool(is_repost)) => is_repost,
            Some(_) => return Err("`context.is_repost` is neither true nor false".to_owned()),
        };
        let campaigns = match members.remove("campaigns") {
            None => Campaigns::new(),
            Some(Value::Object(registered)) => campaigns(&registered)?,
            Some(_) => return Err("`context.campaigns` is not an object".to_owned()),
        };
        Ok(Question { text, channel, platform, bot, author, is_repost, campaigns, currency })
    }

    fn read(&self) -> Reading {
        let context = Context {
            channel: self.channel,
            platform: self.platform,
            bot: &self.bot,
            author: self.author.as_deref(),
            is_repost: self.is_repost,
            campaigns: &self.campaigns,
            currency: self.currency,
        };
        read(&self.text, &context)
    }
}

fn campaigns(registered: &serde_json::Map<String, Value>) -> Result<Campaigns, String> {
    let mut campaigns = Campaigns::new();
    for (hashtag, charity) in registered {
        match charity {
            Value::Null => campaigns.insert(hashtag, None),
            Value::String(charity) => campaigns.insert(hashtag, Some(charity)),
            _ => return Err(format!("the campaign {hashtag:?} is neither a handle nor null")),
        }
    }
    Ok(campaigns)
}

/// An output line.
#[derive(Serialize)]
struct Line<'l> {
    id: Option<&'l RawValue>,
    #[serde(flatten)]
    outcome: Outcome<'l>,
}

/// Exactly the fields of section 10, in its order.
#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Outcome<'r> {
    Order(Box<Order<'r>>),
    Reply {
        action: Action,
        #[serde(rename = "ref")]
        reference: Option<&'r str>,
    },
    None,
    Rejected {
        code: Code,
        span: Span,
        suggestions: &'r [String],
    },
    Error {
        message: String,
    },
}

#[derive(Serialize)]
struct Order<'r> {
    kind: &'static str,
    verb: &'r str,
    amount_minor: Option<i64>,
    currency: Option<Currency>,
    split: Option<Split>,
    recipients: Vec<&'r str>,
    shares_minor: Vec<i64>,
    total_minor: Option<i64>,
    campaigns: &'r [String],
    hashtags: &'r [String],
    memo: Option<&'r str>,
    flags: &'r [Flag],
    spans: Spans,
}

struct Spans {
    verb: Span,
    amount: Option<Span>,
    recipients: Vec<Span>,
}

impl Serialize for Spans {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("verb", &self.verb)?;
        map.serialize_entry("amount", &self.amount)?;
        map.serialize_entry("recipients", &self.recipients)?;
        map.end()
    }
}

impl<'r> Outcome<'r> {
    fn of(reading: &'r Reading) -> Outcome<'r> {
        match reading {
            Reading::None(_) => Outcome::None,
            Reading::Order(Command::Payment(command)) => Outcome::Order(Box::new(payment(command))),
            Reading::Order(Command::Cancel(command)) => Outcome::Order(Box::new(cancel(command))),
            Reading::Reply(Reply { action, reference }) => Outcome::Reply { action: *action, reference: reference.as_deref() },
            Reading::Rejected(Rejection { code, span, suggestions }) => Outcome::Rejected { code: *code, span: *span, suggestions },
        }
    }
}

fn payment(command: &PaymentCommand) -> Order<'_> {
    Order {
        kind: command.kind.as_str(),
        verb: &command.verb.name,
        amount_minor: Some(command.amount.minor),
        currency: Some(command.amount.currency),
        split: command.split,
        recipients: command.recipients.iter().map(|recipient| recipient.handle.as_str()).collect(),
        shares_minor: command.recipients.iter().map(|recipient| recipient.share.minor).collect(),
        total_minor: Some(command.total.minor),
        campaigns: &command.campaigns,
        hashtags: &command.hashtags,
        memo: command.memo.as_deref(),
        flags: &command.flags,
        spans: Spans {
            verb: command.verb.span,
            amount: Some(command.amount_span),
            recipients: command.recipients.iter().map(|recipient| recipient.span).collect(),
        },
    }
}

fn cancel(command: &CancelCommand) -> Order<'_> {
    Order {
        kind: command.verb.kind.as_str(),
        verb: &command.verb.name,
        amount_minor: None,
        currency: None,
        split: None,
        recipients: Vec::new(),
        shares_minor: Vec::new(),
        total_minor: None,
        campaigns: &command.campaigns,
        hashtags: &command.hashtags,
        memo: None,
        flags: &[],
        spans: Spans { verb: command.verb.span, amount: None, recipients: Vec::new() },
    }
}
