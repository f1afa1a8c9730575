//! Our own name in a private message: adapters take it out before anybody reads the message, since it orders nothing.

/// The text without the bot's own mentions at its start and at its end, however many.
pub(super) fn without_bot<'a>(text: &'a str, bot: &str) -> &'a str {
    let mut rest = text.trim();
    while let Some(shorter) = strip_first(rest, bot).or_else(|| strip_last(rest, bot)) {
        rest = shorter;
    }
    rest
}

fn strip_first<'a>(text: &'a str, bot: &str) -> Option<&'a str> {
    let (name, rest) = text.strip_prefix('@')?.split_at_checked(bot.len())?;
    let ends = !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '＠' | '.' | '-'));
    (!bot.is_empty() && ends && name.eq_ignore_ascii_case(bot)).then(|| rest.trim_start_matches([',', ':']).trim_start())
}

fn strip_last<'a>(text: &'a str, bot: &str) -> Option<&'a str> {
    let (rest, name) = text.split_at_checked(text.len().checked_sub(bot.len())?)?;
    let rest = rest.strip_suffix('@')?;
    (!bot.is_empty() && rest.ends_with(char::is_whitespace) && name.eq_ignore_ascii_case(bot)).then(|| rest.trim_end())
}
