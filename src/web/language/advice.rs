//! What to do about each code, and a text that gives it.
//!
//! One arm per code: a code that the language gains does not build until somebody has written what to do.

use crate::language::{Code, languages};
use crate::people::Language;
use crate::web::words::Advice;

/// Who writes the examples: for one code it matters.
pub(super) const AUTHOR: &str = "ana";

/// What to do about a code.
pub(super) fn advice(words: &Advice, code: Code) -> &str {
    match code {
        Code::TextUnsafe => &words.text_unsafe,
        Code::VerbHashMissing => &words.verb_hash_missing,
        Code::VerbGlued => &words.verb_glued,
        Code::VerbConflict => &words.verb_conflict,
        Code::ReservedRecurring => &words.reserved_recurring,
        Code::ReservedPledge => &words.reserved_pledge,
        Code::TooManyAmounts => &words.too_many_amounts,
        Code::AmountAmbiguous => &words.amount_ambiguous,
        Code::AmountUnreadable => &words.amount_unreadable,
        Code::AmountPrecision => &words.amount_precision,
        Code::AmountTooLarge => &words.amount_too_large,
        Code::AmountZero => &words.amount_zero,
        Code::AmountScaled => &words.amount_scaled,
        Code::AmountInWords => &words.amount_in_words,
        Code::AmountMissing => &words.amount_missing,
        Code::CurrencyMissing => &words.currency_missing,
        Code::CurrencyUnknown => &words.currency_unknown,
        Code::CurrencyAmbiguous => &words.currency_ambiguous,
        Code::CurrencyConflict => &words.currency_conflict,
        Code::RecipientMissing => &words.recipient_missing,
        Code::RecipientInvalid => &words.recipient_invalid,
        Code::RecipientAmbiguous => &words.recipient_ambiguous,
        Code::RecipientSelf => &words.recipient_self,
        Code::TooManyRecipients => &words.too_many_recipients,
        Code::SplitConflict => &words.split_conflict,
        Code::ShareTooSmall => &words.share_too_small,
        Code::ReplyUnknown => &words.reply_unknown,
        Code::ReplyCode => &words.reply_code,
    }
}

/// Whether a code is about private messages; the others are about posts.
pub(super) fn is_private(code: Code) -> bool {
    matches!(code, Code::ReplyUnknown | Code::ReplyCode)
}

/// A text that gives the code, with the words of the reader's language.
pub(super) fn example(language: Language, code: Code) -> String {
    let pattern = match code {
        Code::TextUnsafe => "@obole #{send} 2\u{200b}0€ @bob",
        Code::VerbHashMissing => "@obole {send} 20€ @bob",
        Code::VerbGlued => "@obole #{send}20€ @bob",
        Code::VerbConflict => "@obole #{send} #{give} 20€ @bob",
        Code::ReservedRecurring => "@obole #{give} 10 € {recurring} @redcross",
        Code::ReservedPledge => "@obole #{give} 5€ {pledge} @redcross",
        Code::TooManyAmounts => "@obole #{send} 10€ 20€ @bob",
        Code::AmountAmbiguous => "@obole #{send} 1.000 € @bob",
        Code::AmountUnreadable => "@obole #{send} 10-20€ @bob",
        Code::AmountPrecision => "@obole #{send} 0,555 € @bob",
        Code::AmountTooLarge => "@obole #{send} 1234567890 € @bob",
        Code::AmountZero => "@obole #{send} 0,00 € @bob",
        Code::AmountScaled => "@obole #{send} 5k€ @bob",
        Code::AmountInWords => "@obole #{send} {ten} euros @bob",
        Code::AmountMissing => "@obole #{send} @bob",
        Code::CurrencyMissing => "@obole #{send} 20 @bob",
        Code::CurrencyUnknown => "@obole #{send} 10 BTC @bob",
        Code::CurrencyAmbiguous => "@obole #{send} 100 kr @bob",
        Code::CurrencyConflict => "@obole #{send} $10 EUR @bob",
        Code::RecipientMissing => "@obole #{send} 20€",
        Code::RecipientInvalid => "@obole #{send} 20€ @bob/{thanks}",
        Code::RecipientAmbiguous => "@bob @carol @obole #{send} 5€",
        Code::RecipientSelf => "@obole #{send} 5€ @ana",
        Code::TooManyRecipients => "@obole #{send} 11€ @a1 @b1 @c1 @d1 @e1 @f1 @g1 @h1 @i1 @j1 @k1",
        Code::SplitConflict => "@obole #{send} 10€ @bob @carol #{each} #{split}",
        Code::ShareTooSmall => "@obole #{send} 0,02 € @bob @carol @dave",
        Code::ReplyUnknown => "{unclear}",
        Code::ReplyCode => "482193",
    };
    let words = languages().iter().find(|words| words.code == language.code());
    let word = |table: &str, role: &str, place: usize| {
        let found = words.and_then(|words| words.words(table, role).get(place));
        found.map_or_else(|| role.to_owned(), Clone::clone)
    };
    let number = words.and_then(|words| words.numbers.iter().find(|(_, value)| *value == 10));
    let unclear = match language {
        Language::En => "yes but no",
        Language::Fr => "oui mais non",
    };
    pattern
        .replace("{send}", &word("hashtags", "send", 0))
        .replace("{give}", &word("hashtags", "give", 0))
        .replace("{each}", &word("hashtags", "each", 0))
        .replace("{split}", &word("hashtags", "split", 0))
        .replace("{thanks}", &word("words", "thanks", 0))
        .replace("{ten}", number.map_or("ten", |(word, _)| word))
        .replace("{recurring}", &word("phrases", "recurring", 0))
        .replace("{pledge}", &word("phrases", "pledge", 0))
        .replace("{unclear}", unclear)
}

#[cfg(test)]
mod tests {
    use super::super::Ground;
    use super::*;
    use crate::language::{Channel, Reading, read};

    #[test]
    fn every_example_gives_its_code() {
        let ground = Ground::of_examples();
        for language in Language::ALL {
            for code in Code::ALL {
                let channel = if is_private(*code) { Channel::Dm } else { Channel::Post };
                let text = example(language, *code);
                let mut context = ground.context(channel);
                context.author = Some(AUTHOR);
                let reading = read(&text, &context);
                assert!(matches!(&reading, Reading::Rejected(rejection) if rejection.code == *code), "{text}: {reading:?}");
            }
        }
    }
}
