//! Hashtags: the twitter-text rule of section 4.2.

use nom::IResult;
use nom::Parser as _;
use nom::character::complete::satisfy;
use nom::combinator::verify;
use nom::sequence::preceded;

use super::characters::{Class, characters};

/// The name of the hashtag at `at`, if one stands there; `visible` ends where the next mask starts.
pub(super) fn hashtag_at(visible: &str, at: usize) -> Option<&str> {
    if is_hindered(&visible[..at]) {
        return None;
    }
    let (rest, name) = hashtag(&visible[at..]).ok()?;
    let goes_on = rest.starts_with(['#', '＃']) || rest.starts_with("://");
    (!goes_on).then_some(name)
}

/// Whether a hash sign right after `before` begins no hashtag.
pub(super) fn is_hindered(before: &str) -> bool {
    before.chars().next_back().is_some_and(|c| {
        let class = characters().class(c);
        let follows = matches!(c, '_' | '&' | '/' | '#' | '＃') || class.is(Class::LETTER.or(Class::DIGIT));
        follows || (class.is(Class::MARK) && !class.is(Class::EMOJI_MARK))
    })
}

/// `hashtag = hash 1*tag-char`, with at least one letter or mark. Gives the name.
pub(super) fn hashtag(input: &str) -> IResult<&str, &str> {
    let has_letter = |name: &str| name.chars().any(|c| characters().class(c).is(Class::LETTER.or(Class::MARK)));
    let begins = |name: &str| !characters().first_class(name).is(Class::EMOJI_MARK);
    preceded(hash, verify(tag_chars, move |name: &str| has_letter(name) && begins(name))).parse(input)
}

/// `hash = "#" / %xFF03`
fn hash(input: &str) -> IResult<&str, char> {
    satisfy(|c| matches!(c, '#' | '＃')).parse(input)
}

/// `1*tag-char`; an empty name has no letter.
fn tag_chars(input: &str) -> IResult<&str, &str> {
    let (name, rest) = input.split_at(characters().run(input, Class::TAG));
    Ok((rest, name))
}

/// `tag-char`: category L, M or Nd, `_`, or one of the joiners.
pub(super) fn tag_char(c: char) -> bool {
    characters().class(c).is(Class::TAG)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&str> {
        text.char_indices().filter(|(_, c)| matches!(c, '#' | '＃')).filter_map(|(at, _)| hashtag_at(text, at)).collect()
    }

    #[test]
    fn a_hashtag_is_what_twitter_text_calls_one() {
        assert_eq!(names("#send ＃SEND #send20€ #été_2 (#a)\"#b #１a"), ["send", "SEND", "send20", "été_2", "a", "b", "１a"]);
        assert_eq!(names("#送金 #تبرّع #re·çu"), ["送金", "تبرّع", "re·çu"]);
        assert_eq!(names("❤\u{fe0f}#send n'#envoie"), ["send", "envoie"]);
    }

    #[test]
    fn what_touches_it_can_undo_it() {
        assert!(names("a#send é#send 1#send _#send &#send /#send e\u{301}#send 日#send").is_empty());
        assert!(names("#20 #_ #\u{fe0f}\u{20e3} #\u{20e3} # send").is_empty());
        assert!(names("#a#b ##c #send://x").is_empty());
    }
}
