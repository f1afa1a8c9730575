//! What the language promises for every text, however odd: asked of texts made of its own pieces (`properties`), of the corpus
//! that fuzzing has found (`corpus`), and of what the fuzzer makes up (`fuzz/`).
//!
//! Each promise is written from the specification and looks only at the text and the result, so it would notice a reading that the
//! parser believes in.

use std::collections::HashSet;
use std::sync::LazyLock;

use obole::language::{
    Action, CancelCommand, Channel, Code, Command, Context, PaymentCommand, Platform, Reading, Rejection, Reply, Silence, Span,
    Split, Verb, check_language, fold, languages, read, would_concern,
};
use obole::money::Money;

/// The longest text that is read (section 2), in bytes.
const LONGEST_TEXT: usize = 32_768;

/// The zeros of the digit systems of section 5.1.
const ZEROS: [u32; 5] = [0x30, 0xFF10, 0x660, 0x6F0, 0x966];

/// Reads a text and holds the result against everything that is promised; gives it back.
pub(super) fn check_reading(text: &str, context: &Context<'_>) -> Reading {
    let reading = read(text, context);
    assert_eq!(reading, read(text, context), "the same text was read differently");
    check_silence(text, context, &reading);
    match &reading {
        Reading::None(_) => {}
        Reading::Order(command) => {
            assert_eq!(text.chars().find(|c| is_unsafe(*c)), None, "an order with an invisible character");
            assert!(text.contains(['#', '＃']), "an order without a verb");
            match command {
                Command::Payment(command) => check_payment(text, context, command),
                Command::Cancel(CancelCommand { verb, hashtags, campaigns }) => {
                    check_verb(text, verb);
                    check_hashtags(context, hashtags, campaigns);
                }
            }
        }
        Reading::Reply(reply) => check_reply(text, reply),
        Reading::Rejected(rejection) => check_rejection(text, context, rejection),
    }
    reading
}

/// Section 1: digits outside of the sum may make it doubtful, but never another one. `place` chooses among the places where a number
/// of their own can stand.
pub(super) fn check_digits_outside(reading: &Reading, text: &str, context: &Context<'_>, place: usize, digits: &str) {
    let Some((amount, span)) = sum(reading) else { return };
    let outside: Vec<usize> = text
        .char_indices()
        .map(|(at, _)| at)
        .filter(|at| *at < span.start || *at > span.end)
        // Within a numeral's reach the digits would be part of a sum, not outside it: `€50 004` has a space in its thousands.
        .filter(|at| !text[..*at].trim_end().ends_with(|c: char| c.is_numeric()))
        .filter(|at| text[..*at].ends_with(' ') && text[*at..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '@'))
        .collect();
    if outside.is_empty() {
        return;
    }
    let at = outside[place % outside.len()];
    let changed = format!("{}{digits} {}", &text[..at], &text[at..]);
    let again = sum(&read(&changed, context));
    assert!(again.is_none_or(|(again, _)| again == amount), "{text:?} is {amount:?}, {changed:?} is {again:?}");
}

fn sum(reading: &Reading) -> Option<(Money, Span)> {
    match reading {
        Reading::Order(Command::Payment(command)) => Some((command.amount, command.amount_span)),
        _ => None,
    }
}

/// Section 2: what cannot concern us is passed over.
fn check_silence(text: &str, context: &Context<'_>, reading: &Reading) {
    let is_own = context.author.is_some_and(|author| author.eq_ignore_ascii_case(context.bot));
    let in_public = context.channel == Channel::Post;
    let no_trigger = in_public && !would_concern(text, context.bot);
    let silent = matches!(reading, Reading::None(_));
    assert!(silent || !(context.is_repost || is_own || no_trigger || text.len() > LONGEST_TEXT), "{reading:?}");
    assert!(!(in_public && matches!(reading, Reading::Reply(_))), "a post was read as a reply");
    assert!(!in_public || silent || text.contains(['#', '＃', '@', '＠']) || text.contains("nostr:"), "{reading:?}");
}

fn check_payment(text: &str, context: &Context<'_>, command: &PaymentCommand) {
    check_verb(text, &command.verb);
    assert_eq!(command.kind.as_str(), command.verb.kind.as_str());
    check_amount(written(text, command.amount_span), command.amount);
    check_shares(command);
    check_recipients(text, context, command);
    check_hashtags(context, &command.hashtags, &command.campaigns);
    if let Some(memo) = &command.memo {
        assert!(text.contains(memo.as_str()) && memo.chars().count() <= 140 && memo.trim() == memo && !memo.is_empty(), "{memo:?}");
    }
    assert!(command.flags.is_sorted() && command.flags.len() <= 2, "{:?}", command.flags);
    let parts = command.recipients.iter().map(|recipient| recipient.span).chain([command.verb.span, command.amount_span]);
    for part in parts {
        assert!(!is_quoted(text, part.start), "{part:?} stands in a quoted line");
    }
    let amount = command.amount_span;
    for recipient in &command.recipients {
        assert!(recipient.span.end <= amount.start || amount.end <= recipient.span.start, "a recipient inside the sum");
    }
}

/// The digits of the sum are those of the text, in their order, with nothing but zeros added for the minor units.
fn check_amount(written: &str, amount: Money) {
    assert!(!written.contains(['\n', '\r', '\u{2028}']), "a sum over two lines: {written:?}");
    let digits: String = written.chars().filter_map(served_digit).collect();
    let minor = amount.minor.to_string();
    let zeros = minor.strip_prefix(digits.trim_start_matches('0')).unwrap_or("-");
    let decimals = usize::try_from(amount.currency.decimals()).unwrap();
    assert!(zeros.chars().all(|c| c == '0') && zeros.len() <= decimals, "{written:?} was read as {amount:?}");
    let most = 1_000_000_000 * amount.currency.minor_per_unit();
    assert!((1..most).contains(&amount.minor), "{amount:?}");
}

/// Section 8, shares.
fn check_shares(command: &PaymentCommand) {
    let shares: Vec<Money> = command.recipients.iter().map(|recipient| recipient.share).collect();
    assert_eq!(Money::sum(command.amount.currency, shares.iter().copied()), Ok(command.total), "the shares are not the total");
    assert!(shares.iter().all(|share| share.minor > 0));
    match command.split {
        Some(Split::Each) => assert!(shares.iter().all(|share| *share == command.amount)),
        Some(Split::Total) | None => {
            assert_eq!(command.total, command.amount);
            // One odd minor unit each, for the first ones.
            let (first, last) = (shares.first().unwrap().minor, shares.last().unwrap().minor);
            assert!(first - last <= 1 && shares.is_sorted_by(|a, b| a.minor >= b.minor), "{shares:?}");
        }
    }
    assert_eq!(command.split.is_some(), shares.len() > 1, "{:?} for {} recipients", command.split, shares.len());
}

/// Whoever is paid is named in the text, at the span, by the whole name; or is the charity of a campaign that is.
fn check_recipients(text: &str, context: &Context<'_>, command: &PaymentCommand) {
    let handles: HashSet<&str> = command.recipients.iter().map(|recipient| recipient.handle.as_str()).collect();
    assert!(handles.len() == command.recipients.len() && (1..=10).contains(&handles.len()), "{handles:?}");
    for recipient in &command.recipients {
        let written = written(text, recipient.span);
        let handle = recipient.handle.as_str();
        assert!(context.author.is_none_or(|author| !author.eq_ignore_ascii_case(handle)), "the author is paid");
        assert!(!context.bot.eq_ignore_ascii_case(handle), "the processor is paid");
        match &recipient.campaign {
            Some(campaign) => {
                assert_eq!(&fold(&written[first_length(written)..]), campaign);
                assert!(written.starts_with(['#', '＃']) && command.campaigns.contains(campaign));
            }
            None => {
                let name = written.strip_prefix(['@', '＠']).unwrap_or(written);
                let name = name.strip_prefix("nostr:").unwrap_or(name);
                assert!(name.eq_ignore_ascii_case(handle) && is_handle(handle, context.platform), "{written:?} is not {handle:?}");
                assert_eq!(handle, handle.to_ascii_lowercase());
                let after = text[recipient.span.end..].chars().next();
                assert!(!after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_'), "{handle:?} is cut off");
            }
        }
    }
}

fn check_verb(text: &str, verb: &Verb) {
    let written = written(text, verb.span);
    assert!(written.starts_with(['#', '＃']), "{written:?}");
    assert_eq!(fold(&written[first_length(written)..]), verb.name);
    static VERBS: LazyLock<HashSet<(&str, String)>> = LazyLock::new(|| listed("hashtags", fold));
    assert!(VERBS.contains(&(verb.kind.as_str(), verb.name.clone())), "{verb:?} is no verb");
}

/// The words of a table with their roles, each as `form` writes it.
fn listed(table: &str, form: fn(&str) -> String) -> HashSet<(&'static str, String)> {
    let lists = languages().iter().flat_map(|language| &language.lists).filter(|(in_table, _, _)| *in_table == table);
    lists.flat_map(|(_, role, words)| words.iter().map(|word| (*role, form(word)))).collect()
}

fn check_hashtags(context: &Context<'_>, hashtags: &[String], campaigns: &[String]) {
    let once: HashSet<&String> = hashtags.iter().collect();
    assert_eq!(once.len(), hashtags.len(), "{hashtags:?}");
    assert!(hashtags.iter().all(|hashtag| fold(hashtag) == *hashtag));
    assert!(campaigns.iter().all(|campaign| once.contains(campaign)), "{campaigns:?} are not all among {hashtags:?}");
    assert!(campaigns.is_empty() || !context.campaigns.is_empty());
}

/// Section 12: a reply is a phrase of V6, with a code or without, and not a letter or digit more.
fn check_reply(text: &str, reply: &Reply) {
    static PHRASES: LazyLock<HashSet<(&str, String)>> = LazyLock::new(|| listed("replies", letters));
    let written = letters(text);
    let is_question = reply.action == Action::Help && written.is_empty();
    assert!(is_question || PHRASES.contains(&(reply.action.as_str(), written)), "{text:?} is no {reply:?}");
    let digits: String = text.chars().filter_map(served_digit).collect();
    assert_eq!(digits, reply.reference.clone().unwrap_or_default());
    assert!(reply.reference.as_ref().is_none_or(|code| (4..=8).contains(&code.len()) && reply.action.takes_ref()));
}

fn letters(text: &str) -> String {
    fold(text).chars().filter(|c| c.is_alphabetic()).collect()
}

/// Section 11: a place in the text, and suggestions that cure the fault.
fn check_rejection(text: &str, context: &Context<'_>, rejection: &Rejection) {
    let Rejection { code, span, suggestions } = rejection;
    let inside = span.start <= span.end && text.is_char_boundary(span.start) && text.is_char_boundary(span.end);
    assert!(inside && span.start < span.end, "{code} has no place: {span:?}");
    assert!(suggestions.len() <= 3 && (suggestions.is_empty() || suggests(*code)), "{code} suggests {suggestions:?}");
    let once: HashSet<&String> = suggestions.iter().collect();
    assert_eq!(once.len(), suggestions.len(), "twice the same suggestion");
    assert!(context.channel == Channel::Dm || !matches!(code, Code::ReplyCode | Code::ReplyUnknown));
    for suggestion in suggestions.iter().filter(|suggestion| suggestion.len() <= LONGEST_TEXT) {
        assert_ne!(suggestion, text);
        check_cure(text, context, rejection, suggestion);
    }
}

/// A suggestion becomes an order, or shows the other fault of the post, or of its second sum; it is not passed over.
fn check_cure(text: &str, context: &Context<'_>, rejection: &Rejection, suggestion: &str) {
    match read(suggestion, context) {
        Reading::Order(_) | Reading::Reply(_) => {}
        Reading::Rejected(again) => {
            // `#weekly #weekly`: what is left out makes place for its like.
            let moved_up = suggestion.len() < text.len() && matches!(again.code, Code::ReservedRecurring | Code::ReservedPledge);
            let is_same = (again.code, again.span) == (rejection.code, rejection.span) && !moved_up;
            assert!(!is_same, "{text:?}: {suggestion:?} is not cured");
            assert!(rejection.code != Code::TextUnsafe || again.code != Code::TextUnsafe, "{text:?}: {suggestion:?} is unsafe");
        }
        // What an invisible character held apart may be one word without it, and that word not the bot's name.
        Reading::None(_) if rejection.code == Code::TextUnsafe => {}
        // `#send20sek`: section 6, 4 knows the code in any case, and behind its space section 5.2 wants capitals.
        Reading::None(Silence::Talk) if rejection.code == Code::VerbGlued => {}
        // The suggestion's space may end a numeral before its last sign (`1,kr`, section 4.5), or a hashtag after its digits (`#x30kr#`).
        Reading::None(Silence::Talk) if touches_sign(text, rejection.span) => {}
        // So may what a phrase without spaces around it held apart, and that word no sum.
        Reading::None(_) if held_apart(text, rejection) => {}
        Reading::None(silence) => panic!("{text:?}: {suggestion:?} is passed over: {silence:?}"),
    }
}

fn touches_sign(text: &str, span: Span) -> bool {
    let touching = text[..span.start].rsplit(char::is_whitespace).next().unwrap_or_default();
    touching.contains(['#', '＃']) || touching.ends_with(|c: char| c.is_ascii_punctuation())
}

fn held_apart(text: &str, rejection: &Rejection) -> bool {
    let is_left_out = matches!(rejection.code, Code::ReservedRecurring | Code::ReservedPledge);
    let (before, after) = (&text[..rejection.span.start], &text[rejection.span.end..]);
    is_left_out && before.ends_with(|c: char| !c.is_whitespace()) && after.starts_with(|c: char| !c.is_whitespace())
}

/// The codes of section 11 with suggestions.
fn suggests(code: Code) -> bool {
    matches!(
        code,
        Code::TextUnsafe
            | Code::VerbHashMissing
            | Code::VerbGlued
            | Code::ReservedRecurring
            | Code::ReservedPledge
            | Code::AmountAmbiguous
            | Code::AmountScaled
            | Code::AmountInWords
            | Code::CurrencyMissing
            | Code::CurrencyUnknown
            | Code::CurrencyAmbiguous
            | Code::ReplyCode
    )
}

/// The text of a span, which must be one of this text, and not empty.
fn written(text: &str, span: Span) -> &str {
    let written = text.get(span.start..span.end).unwrap_or_else(|| panic!("{span:?} is no place of the text"));
    assert!(!written.is_empty(), "{span:?} is empty");
    written
}

fn first_length(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

fn served_digit(c: char) -> Option<char> {
    ZEROS.iter().find_map(|zero| u32::from(c).checked_sub(*zero).and_then(|value| char::from_digit(value, 10)))
}

/// Section 7, step 1, as far as one character alone decides.
fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{180E}' | '\u{200B}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2064}' | '\u{206A}'..='\u{206F}'
        | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
        || (c.is_control() && !c.is_whitespace())
}

/// Section 3, 1, where no mask of several lines could begin before: the line's first visible character says so.
fn is_quoted(text: &str, at: usize) -> bool {
    let before = &text[..at];
    let line = before.rsplit(['\n', '\r', '\u{B}', '\u{C}', '\u{85}', '\u{2028}', '\u{2029}']).next().unwrap_or_default();
    !before.contains("```") && line.trim_start().starts_with(['>', '＞'])
}

/// Section 4.3.
fn is_handle(handle: &str, platform: Platform) -> bool {
    let name = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let user = |text: &str| text.split(['.', '-']).all(|part| part.is_empty() || name(part)) && name(&text[..1]);
    let domain = |text: &str| {
        let label = |label: &str| {
            let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            letters && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
        };
        let last = text.rsplit('.').next().unwrap_or_default();
        text.contains('.') && text.split('.').all(label) && last.starts_with(|c: char| c.is_ascii_alphabetic())
    };
    match platform {
        Platform::X => name(handle) && handle.len() <= 15,
        Platform::Bluesky => domain(handle),
        Platform::Mastodon => handle.split_once('@').map_or_else(|| user(handle), |(name, at)| user(name) && domain(at)),
        Platform::Nostr => handle.len() == 63 && handle.starts_with("npub1") && name(handle),
    }
}

/// What a check of a language file promises: a fault has its place in the file, and a sound file gives no word of a table two roles.
pub(super) fn check_file(file: &str, source: &str) {
    match check_language(file, source) {
        Err(error) => {
            assert!(error.file == file && error.line <= source.lines().count() + 1, "{error}");
            assert!(!error.message.is_empty());
        }
        Ok(()) => check_sound_file(source),
    }
}

/// Written once more, over the bare TOML: which words stand in the lists of each table.
fn check_sound_file(source: &str) {
    let tables: toml::Table = source.parse().unwrap();
    for name in ["hashtags", "words", "phrases", "replies"] {
        let lists = tables[name].as_table().unwrap().values().flat_map(|list| list.as_array().unwrap());
        let mut seen = HashSet::new();
        for word in lists.map(|word| fold(word.as_str().unwrap())) {
            let letters = |c: char| !c.is_whitespace() || (c == ' ' && matches!(name, "phrases" | "replies"));
            assert!(!word.is_empty() && word.trim() == word && word.chars().all(letters), "[{name}] {word:?}");
            assert!(name != "hashtags" || !word.contains(|c: char| c.is_numeric() || matches!(c, '#' | '@')), "[{name}] {word:?}");
            assert!(seen.insert(word.clone()), "[{name}] {word:?} has two roles");
        }
    }
    for name in ["numbers", "scales"] {
        let values = tables[name].as_table().unwrap().values();
        assert!(values.into_iter().all(|value| value.as_integer().is_some_and(|value| value >= 0)), "[{name}]");
    }
}
