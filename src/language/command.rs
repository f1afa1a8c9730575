//! What a post asks for, once it has been read: the result of the language and all that the rest of Obole sees of it.
//!
//! A command is a proposal. It says what is written, with where it is written; whether the payer may, whether the payee
//! exists and whether the author really means it are asked elsewhere.

use serde::{Serialize, Serializer};

use super::span::Span;
use crate::money::Money;

/// What a verb asks for (V1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VerbKind {
    /// Pay a person.
    Send,
    /// Give to a charity.
    Give,
    /// Ask others to pay the author.
    Request,
    /// Undo what is not paid yet.
    Cancel,
}

impl VerbKind {
    /// The name in section 10.
    pub fn as_str(self) -> &'static str {
        match self {
            VerbKind::Send => "send",
            VerbKind::Give => "give",
            VerbKind::Request => "request",
            VerbKind::Cancel => "cancel",
        }
    }
}

/// What a payment command asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Pay a person.
    Send,
    /// Give to a charity.
    Give,
    /// Ask the recipients to pay the author.
    Request,
}

impl Kind {
    /// The name in section 10.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Send => "send",
            Kind::Give => "give",
            Kind::Request => "request",
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How a sum meets two recipients or more (section 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// The sum is shared equally.
    Total,
    /// The sum is the share of every one.
    Each,
}

impl Split {
    /// The name in section 10.
    pub fn as_str(self) -> &'static str {
        match self {
            Split::Total => "total",
            Split::Each => "each",
        }
    }
}

impl Serialize for Split {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A wish about how a gift is passed on (section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Flag {
    /// The sender's name is not passed on.
    Anonymous,
    /// A tax receipt is wanted.
    Receipt,
}

impl Flag {
    /// The name in section 10.
    pub fn as_str(self) -> &'static str {
        match self {
            Flag::Anonymous => "anonymous",
            Flag::Receipt => "receipt",
        }
    }
}

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The first verb of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verb {
    /// What it asks for.
    pub kind: VerbKind,
    /// Its name, folded.
    pub name: String,
    /// The hashtag.
    pub span: Span,
}

/// How a post reached us (section 6, 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Addressed {
    /// It names the bot, or is a private message.
    ByName,
    /// It names a registered campaign and gives to it.
    ByCampaign,
}

/// Which rule of section 8 chose the recipients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecipientRule {
    /// R2, attached by (a): introduced by a *to* word, or followed by an *after* word.
    Introduced,
    /// R2, attached by (b): they follow the amount.
    AfterAmount,
    /// R2, attached by (c): they directly precede the amount.
    BeforeAmount,
    /// R3: the charity of the only campaign.
    Campaign,
    /// R4: the only handle that is left.
    OnlyMention,
}

impl RecipientRule {
    /// The section of the specification that it is a rule of.
    pub fn section(self) -> &'static str {
        match self {
            RecipientRule::Introduced => "8, R2 (a)",
            RecipientRule::AfterAmount => "8, R2 (b)",
            RecipientRule::BeforeAmount => "8, R2 (c)",
            RecipientRule::Campaign => "8, R3",
            RecipientRule::OnlyMention => "8, R4",
        }
    }

    /// What it goes by, in a few words.
    pub fn meaning(self) -> &'static str {
        match self {
            RecipientRule::Introduced => "a word introduces the recipients",
            RecipientRule::AfterAmount => "the recipients follow the sum",
            RecipientRule::BeforeAmount => "the recipients stand right before the sum",
            RecipientRule::Campaign => "the charity of the campaign",
            RecipientRule::OnlyMention => "the only handle that is left",
        }
    }
}

/// Somebody to pay (or to ask), and how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The handle without `@`, in ASCII lower case.
    pub handle: String,
    /// What this one gets.
    pub share: Money,
    /// The mention, or the campaign's hashtag.
    pub span: Span,
    /// The campaign that stood for the recipient, folded; none for a mention.
    pub campaign: Option<String>,
}

/// A post that asks for money to move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentCommand {
    /// What is asked for.
    pub kind: Kind,
    /// The first verb.
    pub verb: Verb,
    /// The sum as written.
    pub amount: Money,
    /// Where the sum is written.
    pub amount_span: Span,
    /// How the sum meets the recipients; none for a single one.
    pub split: Option<Split>,
    /// Whom to pay, each once, in the order of the text. Never empty.
    pub recipients: Vec<Recipient>,
    /// The sum of the shares.
    pub total: Money,
    /// Registered campaigns among the hashtags, folded.
    pub campaigns: Vec<String>,
    /// Hashtags without a role, folded, each once.
    pub hashtags: Vec<String>,
    /// What the author wrote after the order.
    pub memo: Option<String>,
    /// In the order of [`Flag`].
    pub flags: Vec<Flag>,
    /// How the post reached us.
    pub addressed: Addressed,
    /// How the recipients were found.
    pub chosen_by: RecipientRule,
}

/// A post that takes an order back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelCommand {
    /// The first verb.
    pub verb: Verb,
    /// Registered campaigns among the hashtags, folded.
    pub campaigns: Vec<String>,
    /// Hashtags without a role, folded, each once.
    pub hashtags: Vec<String>,
}

/// An order, in the words of the specification. (`crate::order` has orders of its own: what becomes of this one.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Money is to move.
    Payment(Box<PaymentCommand>),
    /// An order is taken back.
    Cancel(CancelCommand),
}
