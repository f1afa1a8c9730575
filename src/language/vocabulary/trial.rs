//! Language files that are not ours yet: checked beside our own, served by a process that asks for them, and tried word by word.
//!
//! [`file`](super::file) and [`compile`](super::compile) refuse what contradicts itself. Whether a word is ever *heard* depends on every
//! rule of the language (a word that is also a currency code is read as money, for one), so nothing is proven about it here: each word
//! is put into a text as a person would write it, and the text is read.

use super::compile::{Source, embedded};
use super::file::{Entry, LanguageFile, Valued, VocabularyError, is_cjk, line_of};
use super::{VOCABULARY, Vocabulary, currencies};
use crate::language::{Campaigns, Channel, Code, Command, Context, PaymentCommand, Platform, Reading, Silence, Split, read};
use crate::money::Currency;

/// A language file as somebody wrote it.
#[derive(Debug, Clone)]
pub struct LanguageSource {
    /// What faults call it. Its stem is the language's code; one of ours is replaced by it.
    pub file: String,
    /// What it says.
    pub text: String,
}

/// The code that a file's name gives its language: `some/where/sv.toml` is `sv`.
fn code_of(file: &str) -> &str {
    file.rsplit(['/', '\\']).next().unwrap_or(file).split('.').next().unwrap_or(file)
}

/// Our own files but those that are replaced, then these: a clash is told in the file that came later.
fn beside_ours(files: &[LanguageSource]) -> Vec<Source<'_>> {
    let given = files.iter().map(|file| Source { code: code_of(&file.file), file: &file.file, text: &file.text });
    let given: Vec<Source<'_>> = given.collect();
    let ours = embedded().filter(|ours| !given.iter().any(|file| file.code == ours.code));
    ours.chain(given.iter().copied()).collect()
}

/// Checks language files as the test suite checks ours: each alone, and together with the other languages and the currencies. Names
/// every mistake.
pub fn check_languages(files: &[LanguageSource]) -> Result<(), Vec<VocabularyError>> {
    Vocabulary::compile(&beside_ours(files), currencies::SOURCE).map(|_| ())
}

/// Checks one language file, and names its first mistake.
pub fn check_language(file: &str, source: &str) -> Result<(), VocabularyError> {
    let first = |faults: Vec<VocabularyError>| faults.into_iter().next();
    match check_languages(&[LanguageSource { file: file.to_owned(), text: source.to_owned() }]).map_err(first) {
        Err(Some(fault)) => Err(fault),
        _ => Ok(()),
    }
}

/// Has this process read texts with further languages, or with another version of one of ours.
///
/// All texts of a process are read with the same words, so this works once, and only before the first text is read; after that it is
/// refused.
pub fn serve_languages(files: &[LanguageSource]) -> Result<(), Vec<VocabularyError>> {
    let compiled = Vocabulary::compile(&beside_ours(files), currencies::SOURCE)?;
    VOCABULARY.set(compiled).map_err(|_| {
        let file = files.first().map(|file| file.file.clone()).unwrap_or_default();
        vec![VocabularyError { file, line: 0, message: "texts have been read in this process before".to_owned() }]
    })
}

/// Puts every word of a file into a text and reads that, and reads the file's own examples; gives those that are not understood.
///
/// The file's language is to be served already ([`serve_languages`]).
pub fn try_language(file: &LanguageSource) -> Vec<VocabularyError> {
    let (parsed, _) = LanguageFile::read(&file.text);
    let trial = Trial::of(&parsed);
    let mut faults: Vec<(usize, String)> = Vec::new();
    for Entry { role, word, at, .. } in &parsed.entries {
        let text = trial.text(role.table, role.name, word);
        let channel = if role.table == "replies" { Channel::Dm } else { Channel::Post };
        let reading = read_as(channel, &text);
        if !is_heard(role.table, role.name, word, &reading) {
            faults.push((*at, format!("{role}: {word:?} is never heard: {text:?} is {}", outcome(&reading))));
        }
    }
    let wanted = [("numbers", &parsed.numbers, Code::AmountInWords), ("scales", &parsed.scales, Code::AmountScaled)];
    for (table, list, code) in wanted {
        for Valued { word, at, folded, .. } in list {
            let text = match (table, is_cjk(folded)) {
                ("numbers", _) => format!("@obole #{} {word} EUR @bob", trial.send),
                (_, true) => format!("@obole #{} 2{word} € @bob", trial.send),
                (_, false) => format!("@obole #{} 2 {word} € @bob", trial.send),
            };
            let reading = read_as(Channel::Post, &text);
            if !is_rejected(&reading, code) {
                faults.push((*at, format!("[{table}] {word:?} is never heard: {text:?} is {}", outcome(&reading))));
            }
        }
    }
    for example in &parsed.orders {
        let reading = read_as(Channel::Post, &example.text);
        if !matches!(reading, Reading::Order(_)) {
            faults.push((example.at, format!("[examples] orders: {:?} is {}", example.text, outcome(&reading))));
        }
    }
    for example in &parsed.replies {
        let reading = read_as(Channel::Dm, &example.text);
        if !matches!(reading, Reading::Reply(_)) {
            faults.push((example.at, format!("[examples] replies: {:?} is {}", example.text, outcome(&reading))));
        }
    }
    faults.sort();
    let place = |(at, message)| VocabularyError { file: file.file.clone(), line: line_of(&file.text, at), message };
    faults.into_iter().map(place).collect()
}

/// The verb that the texts of a trial are written with: *not* words undo only verbs of their own language.
struct Trial<'f> {
    send: &'f str,
}

impl<'f> Trial<'f> {
    fn of(file: &'f LanguageFile) -> Self {
        let verb = file.entries.iter().find(|entry| entry.role.table == "hashtags" && entry.role.name == "send");
        Trial { send: verb.map_or("send", |entry| entry.word.as_str()) }
    }

    /// A text in which the word does its work.
    fn text(&self, table: &str, role: &str, word: &str) -> String {
        let send = self.send;
        match (table, role) {
            ("hashtags", "send" | "give" | "request" | "cancel") => format!("@obole #{word} 20 EUR @bob"),
            ("hashtags", _) => format!("@obole #{send} 20 EUR @bob @carol #{word}"),
            ("words", "and") => format!("@obole #{send} 20 EUR @bob {word} @carol"),
            ("words", "after") => format!("hi @carol @obole #{send} 20 EUR x @bob{word}"),
            ("words", "not") => format!("@obole {word} #{send} 20 EUR @bob"),
            ("words", "to") => format!("hi @carol @obole #{send} 20 EUR x {word} @bob"),
            ("words", _) => format!("@obole #{send} 20 EUR x {word} @bob"),
            // Recipients behind it would make an RT mask of `per rt`.
            ("phrases", "recurring" | "pledge") => format!("@obole #{send} @bob 20 EUR {word}"),
            ("phrases", _) => format!("@obole #{send} 20 EUR {word} @bob @carol"),
            _ => word.to_owned(),
        }
    }
}

fn read_as(channel: Channel, text: &str) -> Reading {
    let campaigns = Campaigns::new();
    let context = Context {
        channel,
        platform: Platform::X,
        bot: "obole",
        author: None,
        is_repost: false,
        campaigns: &campaigns,
        currency: Currency::EUR,
    };
    read(text, &context)
}

fn is_rejected(reading: &Reading, code: Code) -> bool {
    matches!(reading, Reading::Rejected(rejection) if rejection.code == code)
}

/// Whether the text of a trial was read as its word has it.
fn is_heard(table: &str, role: &str, word: &str, reading: &Reading) -> bool {
    let payment = |fits: &dyn Fn(&PaymentCommand) -> bool| match reading {
        Reading::Order(Command::Payment(order)) => fits(order),
        _ => false,
    };
    let pays =
        |handles: &[&str]| payment(&|order| order.recipients.iter().map(|to| to.handle.as_str()).eq(handles.iter().copied()));
    match (table, role) {
        ("hashtags", "cancel") => matches!(reading, Reading::Order(Command::Cancel(_))),
        ("hashtags", "send" | "give" | "request") => payment(&|order| order.kind.as_str() == role),
        ("hashtags", "recurring") | ("phrases", "recurring") => is_rejected(reading, Code::ReservedRecurring),
        ("hashtags", "example") => *reading == Reading::None(Silence::Example),
        // A hashtag with a role is not listed among those without.
        ("hashtags", _) => payment(&|order| order.hashtags.is_empty()),
        ("words", "to" | "after") => pays(&["bob"]),
        ("words", "and") => pays(&["bob", "carol"]),
        ("words", "not") => *reading == Reading::None(Silence::Negated),
        ("words", _) => is_rejected(reading, Code::RecipientMissing),
        ("phrases", "each") => payment(&|order| order.split == Some(Split::Each)),
        // An unheard word between sum and recipients leaves them unattached, and ambiguous.
        ("phrases", "split") => pays(&["bob", "carol"]),
        ("phrases", _) => is_rejected(reading, Code::ReservedPledge),
        _ => matches!(reading, Reading::Reply(reply) if reply.action.as_str() == role && !word.is_empty()),
    }
}

fn outcome(reading: &Reading) -> String {
    match reading {
        Reading::None(silence) => format!("no order ({})", silence.meaning()),
        Reading::Order(Command::Payment(order)) => format!("an order to {} {}", order.kind.as_str(), order.total),
        Reading::Order(Command::Cancel(_)) => "an order to cancel".to_owned(),
        Reading::Reply(reply) => format!("the reply {}", reply.action.as_str()),
        Reading::Rejected(rejection) => format!("refused ({}, {})", rejection.code, rejection.code.meaning()),
    }
}
