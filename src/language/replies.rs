//! Private replies: yes, no, help and the like, as whole phrases and nothing less (section 12).

use serde::{Serialize, Serializer};

use super::characters::{Class, characters, fold};
use super::diagnosis::first_unsafe;
use super::error::{Code, Edit, Fault};
use super::span::Span;
use super::vocabulary::vocabulary;

macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal;)+) => {
        /// What a private reply asks for (V6).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Action {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Action {
            /// Every action, in the order of V6.
            pub const ALL: &'static [Action] = &[$(Action::$variant,)+];

            /// The name in section 10 and in the language files.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Action::$variant => $name,)+
                }
            }
        }
    };
}

actions! {
    /// Yes to an order.
    Confirm = "confirm";
    /// No to an order, or to all open ones.
    Refuse = "refuse";
    /// No more messages.
    Stop = "stop";
    /// Messages again.
    Start = "start";
    /// What is left of the limits' sums.
    Balance = "balance";
    /// What was paid.
    History = "history";
    /// How this works.
    Help = "help";
    /// The limits.
    Limits = "limits";
    /// A payment back.
    Refund = "refund";
    /// Forget the person.
    Erase = "erase";
    /// All that is known of the person.
    Export = "export";
    /// Where an order stands.
    Status = "status";
    /// Somebody who is not a machine.
    Human = "human";
}

impl Action {
    pub(super) fn named(name: &str) -> Option<Action> {
        Action::ALL.iter().copied().find(|action| action.as_str() == name)
    }

    /// Whether a code may stand beside it.
    pub fn takes_ref(self) -> bool {
        matches!(self, Action::Confirm | Action::Refuse | Action::Refund)
    }
}

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A private reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What it asks for.
    pub action: Action,
    /// The code that it names, in ASCII digits.
    pub reference: Option<String>,
}

/// A word of a reply: folded, and where it stands.
struct ReplyWord {
    folded: String,
    span: Span,
}

impl ReplyWord {
    fn is_digits(&self) -> bool {
        self.folded.chars().all(|c| characters().class(c).is(Class::DIGIT))
    }
}

/// `reply = phrase / coded [ SP ref ] / ref SP coded`; nothing for an empty text.
pub(super) fn reply(text: &str) -> Option<Result<Reply, Fault>> {
    let outer = trimmed(text);
    if outer.start == outer.end {
        return None;
    }
    if matches!(outer.of(text), "?" | "？") {
        return Some(Ok(Reply { action: Action::Help, reference: None }));
    }
    // A direction mark between visible characters is no white space, and in no phrase.
    let hidden = first_unsafe(text).is_some_and(|at| characters().first_class(&text[at..]).is(Class::DIRECTION));
    if hidden {
        return Some(Err(Fault::new(Code::ReplyUnknown, outer)));
    }
    let words = words(text);
    Some(answer(&words).unwrap_or_else(|| Err(Fault::new(Code::ReplyUnknown, outer))))
}

fn trimmed(text: &str) -> Span {
    let space = |c: char| characters().class(c).is(Class::SPACE);
    let start = text.len() - text.trim_start_matches(space).len();
    Span::new(start, start + text[start..].trim_end_matches(space).len())
}

/// None if it is not a reply that we know.
fn answer(words: &[ReplyWord]) -> Option<Result<Reply, Fault>> {
    let mut numbers = words.iter().filter(|word| word.is_digits());
    let (number, second) = (numbers.next(), numbers.next());
    if let Some(second) = second {
        return Some(Err(Fault::new(Code::ReplyCode, second.span)));
    }
    let (rest, code) = match (number, words) {
        (None, rest) => (rest, None),
        (Some(_), [code, rest @ ..]) if code.is_digits() => (rest, Some(code)),
        (Some(_), [rest @ .., code]) if code.is_digits() => (rest, Some(code)),
        // A number in the middle is no code.
        (Some(_), _) => return None,
    };
    let reference = code.map(|code| (code, r#ref(&code.folded)));
    match reference {
        Some((code, None)) => return Some(Err(Fault::new(Code::ReplyCode, code.span))),
        Some((code, Some(digits))) if rest.is_empty() => {
            let edits = ["YES", "NO"].map(|answer| Edit::replace(code.span, format!("{answer} {digits}")));
            return Some(Err(Fault::with(Code::ReplyCode, code.span, edits.to_vec())));
        }
        _ => {}
    }
    let action = phrase(rest)?;
    let reference = reference.and_then(|(_, digits)| digits);
    (reference.is_none() || coded(action)).then_some(Ok(Reply { action, reference }))
}

/// `phrase`: the words as one phrase of V6.
fn phrase(words: &[ReplyWord]) -> Option<Action> {
    let phrase: Vec<&str> = words.iter().map(|word| word.folded.as_str()).collect();
    vocabulary().reply(&phrase.join(" "))
}

/// `coded`: only some phrases take a code.
fn coded(action: Action) -> bool {
    action.takes_ref()
}

/// `ref = 4*8DIGIT`, of one served system, in ASCII.
fn r#ref(digits: &str) -> Option<String> {
    let mut system = None;
    let ascii: Option<String> = digits
        .chars()
        .map(|c| {
            let (this, value) = characters().served_digit(c)?;
            (*system.get_or_insert(this) == this).then_some(char::from(b'0' + value))
        })
        .collect();
    ascii.filter(|ascii| (4..=8).contains(&ascii.len()))
}

/// What a reply is cut at: white space, punctuation, symbols, and the two characters that emoji are glued with.
fn is_separator(c: char) -> bool {
    matches!(c, '\u{FE0F}' | '\u{200D}') || characters().class(c).is(Class::SPACE.or(Class::PUNCTUATION).or(Class::SYMBOL))
}

/// The words of a text, folded. Folding comes first, so a character that folds to a separator is one.
fn words(text: &str) -> Vec<ReplyWord> {
    let mut words: Vec<ReplyWord> = Vec::new();
    let mut open: Option<usize> = None;
    let ends = text.char_indices().map(|(at, c)| (at, Some(c))).chain([(text.len(), None)]);
    for (at, c) in ends {
        let separates = c.is_none_or(|c| fold(c.encode_utf8(&mut [0; 4])).chars().all(is_separator));
        match (open, separates) {
            (Some(start), true) => {
                let span = Span::new(start, at);
                let folded = fold(span.of(text));
                let parts = folded.split(is_separator).filter(|part| !part.is_empty());
                words.extend(parts.map(|part| ReplyWord { folded: part.to_owned(), span }));
                open = None;
            }
            (None, false) => open = Some(at),
            _ => {}
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match reply(text) {
            None => "none".to_owned(),
            Some(Ok(Reply { action, reference })) => {
                reference.map_or_else(|| action.as_str().to_owned(), |reference| format!("{} {reference}", action.as_str()))
            }
            Some(Err(fault)) => {
                let suggestions = fault.clone().reject(text).suggestions;
                format!("{} {:?} {suggestions:?}", fault.code, fault.span.of(text))
            }
        }
    }

    #[test]
    fn a_phrase_and_its_code_are_understood_whatever_is_around() {
        for (text, expected) in [
            ("OUI 4821", "confirm 4821"),
            ("4821 oui !", "confirm 4821"),
            ("**Yes**, 482193.", "confirm 482193"),
            ("نعم ٤٨٢١", "confirm 4821"),
            ("はい４８２１", "E_REPLY_UNKNOWN \"はい４８２１\" []"),
            ("はい ４８２１", "confirm 4821"),
            ("no, thanks", "refuse"),
            ("✅ yes", "confirm"),
            ("yes\u{fe0f}", "confirm"),
            ("?", "help"),
            (" ？ ", "help"),
            ("refund 12345678", "refund 12345678"),
            ("REMBOURSER", "refund"),
            ("Delete my data", "erase"),
            ("données", "E_REPLY_UNKNOWN \"données\" []"),
            ("statut", "status"),
            ("conseiller", "human"),
            ("", "none"),
            (" \n", "none"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn nothing_else_is_an_answer() {
        for (text, expected) in [
            ("ok", "E_REPLY_UNKNOWN \"ok\" []"),
            (" oui mais non ", "E_REPLY_UNKNOWN \"oui mais non\" []"),
            ("👍", "E_REPLY_UNKNOWN \"👍\" []"),
            ("??", "E_REPLY_UNKNOWN \"??\" []"),
            ("help 4821", "E_REPLY_UNKNOWN \"help 4821\" []"),
            ("oui 4821 merci", "E_REPLY_UNKNOWN \"oui 4821 merci\" []"),
            ("yes 12", "E_REPLY_CODE \"12\" []"),
            ("yes 123456789", "E_REPLY_CODE \"123456789\" []"),
            ("yes 48٢١", "E_REPLY_CODE \"48٢١\" []"),
            ("yes ৪৮২১", "E_REPLY_CODE \"৪৮২১\" []"),
            ("4821", "E_REPLY_CODE \"4821\" [\"YES 4821\", \"NO 4821\"]"),
            ("12", "E_REPLY_CODE \"12\" []"),
            ("yes 4821 4822", "E_REPLY_CODE \"4822\" []"),
            ("4821 yes 4822", "E_REPLY_CODE \"4822\" []"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
