//! What is said about a post that nearly is an order: one code, one place, and whole posts that would have worked.

use std::fmt;

use serde::{Serialize, Serializer};

use super::span::Span;
use super::{hashtag, marks, mention};

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $section:literal;)+) => {
        /// The codes of section 11.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Code {
            /// Every code, in the order of section 11.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// The name that the wire and the documents use.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$variant => $name,)+
                }
            }

            /// What is wrong, in a few words.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Code::$variant => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// The section of the specification that decides it.
            pub fn section(self) -> &'static str {
                match self {
                    $(Code::$variant => $section,)+
                }
            }
        }
    };
}

codes! {
    /// invisible or reordering character
    TextUnsafe = "E_TEXT_UNSAFE", "7, 1";
    /// verb without `#`
    VerbHashMissing = "E_VERB_HASH_MISSING", "6, 4";
    /// verb, sum and currency in one hashtag
    VerbGlued = "E_VERB_GLUED", "6, 4";
    /// verbs of two kinds
    VerbConflict = "E_VERB_CONFLICT", "7, 2";
    /// a recurring gift, reserved for later versions
    ReservedRecurring = "E_RESERVED_RECURRING", "7, 4";
    /// a pledge per event, reserved for later versions
    ReservedPledge = "E_RESERVED_PLEDGE", "7, 4";
    /// two sums
    TooManyAmounts = "E_TOO_MANY_AMOUNTS", "7, 5";
    /// a sum that can be read in two ways
    AmountAmbiguous = "E_AMOUNT_AMBIGUOUS", "5.2–5.4";
    /// not a sum we can read
    AmountUnreadable = "E_AMOUNT_UNREADABLE", "5.3, 5.5";
    /// more decimals than the currency has
    AmountPrecision = "E_AMOUNT_PRECISION", "5.3";
    /// more than nine digits
    AmountTooLarge = "E_AMOUNT_TOO_LARGE", "5.3";
    /// a sum of zero
    AmountZero = "E_AMOUNT_ZERO", "5.3";
    /// a sum with a scale, such as 5k or 10 mille
    AmountScaled = "E_AMOUNT_SCALED", "5.5";
    /// a sum in words
    AmountInWords = "E_AMOUNT_IN_WORDS", "5.7";
    /// no sum
    AmountMissing = "E_AMOUNT_MISSING", "7, 5";
    /// a number without a currency
    CurrencyMissing = "E_CURRENCY_MISSING", "5.8";
    /// money that is not served
    CurrencyUnknown = "E_CURRENCY_UNKNOWN", "5.6";
    /// a mark of several currencies
    CurrencyAmbiguous = "E_CURRENCY_AMBIGUOUS", "5.2";
    /// marks of two currencies at one number
    CurrencyConflict = "E_CURRENCY_CONFLICT", "5.2";
    /// nobody to pay
    RecipientMissing = "E_RECIPIENT_MISSING", "8, R4";
    /// not a handle of this platform
    RecipientInvalid = "E_RECIPIENT_INVALID", "4.3";
    /// several possible recipients
    RecipientAmbiguous = "E_RECIPIENT_AMBIGUOUS", "8, R1–R4";
    /// the author as recipient
    RecipientSelf = "E_RECIPIENT_SELF", "7, 6";
    /// more than ten recipients
    TooManyRecipients = "E_TOO_MANY_RECIPIENTS", "7, 6";
    /// both each and total
    SplitConflict = "E_SPLIT_CONFLICT", "8, shares";
    /// less than one minor unit for each
    ShareTooSmall = "E_SHARE_TOO_SMALL", "8, shares";
    /// private message not understood
    ReplyUnknown = "E_REPLY_UNKNOWN", "12";
    /// a code alone, twice, or not of 4 to 8 digits
    ReplyCode = "E_REPLY_CODE", "12";
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A near miss, answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {} at {}..{}", code.meaning(), span.start, span.end)]
pub struct Rejection {
    /// What is wrong.
    pub code: Code,
    /// Where.
    pub span: Span,
    /// Whole corrected posts, at most three.
    pub suggestions: Vec<String>,
}

/// A replacement in a post: what a suggestion changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) span: Span,
    pub(super) text: String,
}

impl Edit {
    pub(super) fn replace(span: Span, text: impl Into<String>) -> Edit {
        Edit { span, text: text.into() }
    }

    pub(super) fn insert(at: usize, text: &str) -> Edit {
        Edit { span: Span::new(at, at), text: text.to_owned() }
    }

    pub(super) fn delete(span: Span) -> Edit {
        Edit { span, text: String::new() }
    }

    /// The post with the change. Where the change would undo a hashtag or mention that it now touches (`#send 20@bob` with a currency,
    /// `/send` with a hash sign), or the word after it would undo the change (`20www.` with a currency), a space stands between.
    fn apply(&self, post: &str) -> String {
        let (before, after) = (Span::new(0, self.span.start).of(post), Span::new(self.span.end, post.len()).of(post));
        let mut changed = before.to_owned();
        if undoes(before, &self.text) {
            changed.push(' ');
        }
        changed.push_str(&self.text);
        let is_undone = undoes(&changed, after) && !undoes(Span::new(0, self.span.end).of(post), after);
        if is_undone || marks::runs_into(&self.text, after) {
            changed.push(' ');
        }
        changed.push_str(after);
        changed
    }
}

/// Whether `before` makes the sign of a hashtag or mention that `after` starts with something else.
fn undoes(before: &str, after: &str) -> bool {
    match after.chars().next() {
        Some('#' | '＃') => hashtag::is_hindered(before),
        Some('@' | '＠') => mention::is_hindered(before),
        _ => false,
    }
}

/// A fault that was found: as a [`Rejection`], but its suggestions are not yet written out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) span: Span,
    /// One for each suggestion.
    pub(super) edits: Vec<Edit>,
}

impl Fault {
    pub(super) fn new(code: Code, span: Span) -> Fault {
        Fault { code, span, edits: Vec::new() }
    }

    pub(super) fn with(code: Code, span: Span, edits: Vec<Edit>) -> Fault {
        Fault { code, span, edits }
    }

    pub(super) fn reject(self, post: &str) -> Rejection {
        let suggestions = self.edits.iter().map(|edit| edit.apply(post)).collect();
        Rejection { code: self.code, span: self.span, suggestions }
    }
}
