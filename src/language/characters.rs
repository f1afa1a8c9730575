//! What a character is: the classes of sections 3, 4 and 7, compiled from `grammar/characters.toml` and the Unicode tables.
//!
//! Everything here answers about one code point at a time, from tables of one stated Unicode version; locale and platform
//! have no say. Small code points (Latin, Greek, Cyrillic, Hebrew, Arabic) are looked up, the others computed.

use std::sync::LazyLock;

use nom::IResult;
use serde::Deserialize;
use unicode_normalization::UnicodeNormalization as _;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory as _};

const SOURCE: &str = include_str!("../../grammar/characters.toml");

/// Code points below this are classified once: all that posts are full of, up to currency signs, punctuation and kana.
const TABLE_END: u32 = 0x3100;

/// Scripts with letters that change when they are folded, and are common, end here (with Arabic).
const CASED_END: u32 = 0x800;

/// The unified ideographs, which are all alike.
const IDEOGRAPHS: std::ops::RangeInclusive<char> = '\u{4E00}'..='\u{9FFF}';

/// Bytes that begin nothing unsafe and that posts are full of: ASCII that is seen, the second bytes of letters, and the first ones of Latin
/// letters with accents.
const fn is_harmless(byte: u8) -> bool {
    ((byte >= b' ') & (byte <= b'~')) | ((byte >= 0x80) & (byte <= 0xBF)) | ((byte >= 0xC3) & (byte <= 0xCB))
}

/// How many bytes are compared without a branch between them, which compilers turn into a few instructions.
pub(super) const STRIDE: usize = 16;

/// A set of classes, as bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Class(u32);

impl Class {
    /// Category L.
    pub(super) const LETTER: Class = Class(1);
    /// Category M.
    pub(super) const MARK: Class = Class(1 << 1);
    /// Category Nd, of any script.
    pub(super) const DIGIT: Class = Class(1 << 2);
    /// Category N.
    pub(super) const NUMBER: Class = Class(1 << 3);
    /// A word character of section 4.1 (CJK letters are none).
    pub(super) const WORD: Class = Class(1 << 4);
    /// A CJK letter of section 4.1.
    pub(super) const CJK: Class = Class(1 << 5);
    /// White space, and direction marks, which count as such.
    pub(super) const SPACE: Class = Class(1 << 6);
    /// White space that ends a line.
    pub(super) const LINE_BREAK: Class = Class(1 << 7);
    /// A direction mark.
    pub(super) const DIRECTION: Class = Class(1 << 8);
    /// A sign of a numeral run (section 4.5).
    pub(super) const SIGN: Class = Class(1 << 9);
    /// A sign that a numeral run does not start with.
    pub(super) const LEADING: Class = Class(1 << 10);
    /// A sign that a numeral run does not end with.
    pub(super) const TRAILING: Class = Class(1 << 11);
    /// Category P.
    pub(super) const PUNCTUATION: Class = Class(1 << 12);
    /// Category S.
    pub(super) const SYMBOL: Class = Class(1 << 13);
    /// Category Sc.
    pub(super) const CURRENCY: Class = Class(1 << 14);
    /// A character inside a hashtag (section 4.2).
    pub(super) const TAG: Class = Class(1 << 15);
    /// Never legal in an order (section 7, step 1); direction marks are judged by their neighbours.
    pub(super) const UNSAFE: Class = Class(1 << 16);
    /// A variation selector or U+20E3 (section 4.4).
    pub(super) const VARIATION: Class = Class(1 << 17);
    /// U+FE0E, U+FE0F, U+20E3 (section 4.2).
    pub(super) const EMOJI_MARK: Class = Class(1 << 18);
    /// A space other than the plain one that may group digits (section 5.4).
    pub(super) const GROUPING: Class = Class(1 << 19);

    /// A tag: legal where it spells a flag.
    pub(super) const FLAG_TAG: Class = Class(1 << 21);
    /// Folds to itself, whatever stands beside it (among such characters and ASCII).
    pub(super) const FOLDED: Class = Class(1 << 20);

    /// Whether one of the classes of `other` is among these.
    pub(super) const fn is(self, other: Class) -> bool {
        self.0 & other.0 != 0
    }

    /// The classes that are among both.
    const fn and(self, other: Class) -> Class {
        Class(self.0 & other.0)
    }

    /// These classes and those.
    pub(super) const fn or(self, other: Class) -> Class {
        Class(self.0 | other.0)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    unicode: String,
    digit_zeros: Vec<CodePoints>,
    direction_marks: Vec<CodePoints>,
    cjk_letters: Vec<CodePoints>,
    word_joiners: Vec<CodePoints>,
    hashtag_joiners: Vec<CodePoints>,
    emoji_marks: Vec<CodePoints>,
    variation_selectors: Vec<CodePoints>,
    numeral_signs: Vec<CodePoints>,
    leading_signs: Vec<CodePoints>,
    trailing_signs: Vec<CodePoints>,
    grouping_spaces: Vec<CodePoints>,
    line_breaks: Vec<CodePoints>,
    #[serde(rename = "unsafe")]
    unsafe_characters: Vec<CodePoints>,
    flag: CodePoints,
    flag_tags: Vec<CodePoints>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum CodePoints {
    One(String),
    Range([String; 2]),
}

impl CodePoints {
    fn range(&self) -> Result<(u32, u32), String> {
        let parse = |hex: &str| u32::from_str_radix(hex, 16).map_err(|_| format!("{hex:?} is not a code point in hex"));
        match self {
            CodePoints::One(one) => parse(one).map(|code| (code, code)),
            CodePoints::Range([first, last]) => Ok((parse(first)?, parse(last)?)),
        }
    }
}

/// The compiled classes.
pub(super) struct Characters {
    table: Box<[Class]>,
    /// By bytes: ASCII, and nothing for what longer characters are made of.
    ascii: Box<[Class; 256]>,
    ideograph: Class,
    /// Disjoint, ascending: what the file adds to the general category, from this code point up to the next entry.
    specials: Box<[(u32, Class)]>,
    digit_zeros: Box<[u32]>,
    flag: u32,
    /// The bytes that unsafe characters and direction marks begin with in UTF-8.
    unsafe_leads: Box<[bool; 256]>,
}

/// The classes of the embedded file.
pub(super) fn characters() -> &'static Characters {
    #[expect(clippy::expect_used, reason = "the file is embedded and the first test reads it; there is nobody to report to")]
    static CHARACTERS: LazyLock<Characters> =
        LazyLock::new(|| Characters::compile(SOURCE).expect("grammar/characters.toml is sound"));
    &CHARACTERS
}

impl Characters {
    fn compile(source: &str) -> Result<Characters, String> {
        let file: File = toml::from_str(source).map_err(|error| error.to_string())?;
        let (major, minor, patch) = unicode_properties::UNICODE_VERSION;
        if file.unicode != format!("{major}.{minor}.{patch}") {
            return Err(format!("unicode: written for {}, but the tables are of {major}.{minor}.{patch}", file.unicode));
        }
        let classes = [
            (&file.direction_marks, Class::DIRECTION.or(Class::SPACE)),
            (&file.cjk_letters, Class::CJK),
            (&file.word_joiners, Class::WORD),
            (&file.hashtag_joiners, Class::TAG),
            (&file.emoji_marks, Class::EMOJI_MARK.or(Class::VARIATION)),
            (&file.variation_selectors, Class::VARIATION),
            (&file.numeral_signs, Class::SIGN),
            (&file.leading_signs, Class::LEADING),
            (&file.trailing_signs, Class::TRAILING),
            (&file.grouping_spaces, Class::GROUPING),
            (&file.line_breaks, Class::LINE_BREAK),
            (&file.unsafe_characters, Class::UNSAFE),
            (&file.flag_tags, Class::FLAG_TAG),
        ];
        let mut ranges = Vec::new();
        for (list, class) in classes {
            for entry in list {
                let (first, last) = entry.range()?;
                ranges.push((first, last, class));
            }
        }
        let mut borders: Vec<u32> = ranges.iter().flat_map(|&(first, last, _)| [first, last + 1]).chain([0]).collect();
        borders.sort_unstable();
        borders.dedup();
        let class_at = |code: u32| {
            let covering = ranges.iter().filter(|(first, last, _)| (*first..=*last).contains(&code));
            covering.fold(Class(0), |all, &(_, _, class)| all.or(class))
        };
        let specials = borders.into_iter().map(|border| (border, class_at(border))).collect();
        let zeros = file.digit_zeros.iter().map(|zero| zero.range().map(|(code, _)| code));
        let digit_zeros = zeros.collect::<Result<Box<[u32]>, String>>()?;
        let mut compiled = Characters {
            table: Box::default(),
            ascii: Box::new([Class(0); 256]),
            ideograph: Class(0),
            specials,
            digit_zeros,
            flag: file.flag.range()?.0,
            unsafe_leads: Box::new([false; 256]),
        };
        compiled.table = (0..TABLE_END).map(|code| char::from_u32(code).map_or(Class(0), |c| compiled.compute(c))).collect();
        compiled.ascii[..0x80].copy_from_slice(&compiled.table[..0x80]);
        let marked = ranges.iter().filter(|(_, _, class)| class.is(Class::UNSAFE.or(Class::DIRECTION)));
        let marked = marked.flat_map(|&(first, last, _)| first..=last);
        // Control characters are all at the start.
        let leads = marked.chain((0..0xA0).filter(|code| compiled.table[*code as usize].is(Class::UNSAFE)));
        for c in leads.filter_map(char::from_u32) {
            let lead = c.encode_utf8(&mut [0; 4]).as_bytes()[0];
            compiled.unsafe_leads[usize::from(lead)] = true;
        }
        if let Some(byte) = (0..=u8::MAX).find(|byte| is_harmless(*byte) && compiled.unsafe_leads[usize::from(*byte)]) {
            return Err(format!("unsafe: what begins with the byte {byte:#x} is passed over"));
        }
        compiled.ideograph = compiled.compute(*IDEOGRAPHS.start());
        Ok(compiled)
    }

    /// The classes of `c`.
    pub(super) fn class(&self, c: char) -> Class {
        match self.table.get(c as usize) {
            Some(class) => *class,
            None if IDEOGRAPHS.contains(&c) => self.ideograph,
            None => self.compute(c),
        }
    }

    /// The classes of the first character of `text`; none at the end.
    pub(super) fn first_class(&self, text: &str) -> Class {
        text.chars().next().map_or(Class(0), |c| self.class(c))
    }

    /// The classes of the character before `at`; none at the start.
    pub(super) fn class_before(&self, text: &str, at: usize) -> Class {
        text.get(..at).and_then(|before| before.chars().next_back()).map_or(Class(0), |c| self.class(c))
    }

    /// The length of the longest prefix of `text` whose characters are all of one of `classes`.
    #[inline]
    pub(super) fn run(&self, text: &str, classes: Class) -> usize {
        self.folded_run(text, classes).0
    }

    /// As [`Characters::run`], and whether all of it folds to itself, which is seen on the way.
    #[inline]
    pub(super) fn folded_run(&self, text: &str, classes: Class) -> (usize, bool) {
        let mut shared = Class::FOLDED;
        let ascii = text.bytes().map(|byte| self.ascii[usize::from(byte)]).take_while(|class| class.is(classes));
        let length = ascii.map(|class| shared = shared.and(class)).count();
        match text.as_bytes().get(length) {
            Some(byte) if !byte.is_ascii() => self.folded_run_on(text, length, classes, shared),
            _ => (length, shared == Class::FOLDED),
        }
    }

    /// As [`Characters::folded_run`], for a text whose first bytes are known to belong to it and share these classes.
    fn folded_run_on(&self, text: &str, from: usize, classes: Class, mut shared: Class) -> (usize, bool) {
        for (at, c) in text[from..].char_indices() {
            let class = self.class(c);
            if !class.is(classes) {
                return (from + at, shared == Class::FOLDED);
            }
            shared = shared.and(class);
        }
        (text.len(), shared == Class::FOLDED)
    }

    /// What the file says of `c`.
    fn special(&self, c: char) -> Class {
        let after = self.specials.partition_point(|&(from, _)| from <= c as u32);
        after.checked_sub(1).map_or(Class(0), |index| self.specials[index].1)
    }

    fn compute(&self, c: char) -> Class {
        let mut class = self.special(c);
        let category = c.general_category();
        class = class.or(match category {
            GeneralCategory::UppercaseLetter
            | GeneralCategory::LowercaseLetter
            | GeneralCategory::TitlecaseLetter
            | GeneralCategory::ModifierLetter
            | GeneralCategory::OtherLetter => Class::LETTER.or(Class::TAG),
            GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark | GeneralCategory::EnclosingMark => {
                Class::MARK.or(Class::TAG)
            }
            GeneralCategory::DecimalNumber => Class::NUMBER.or(Class::DIGIT).or(Class::TAG),
            GeneralCategory::LetterNumber | GeneralCategory::OtherNumber => Class::NUMBER,
            GeneralCategory::CurrencySymbol => Class::SYMBOL.or(Class::CURRENCY),
            GeneralCategory::MathSymbol | GeneralCategory::ModifierSymbol | GeneralCategory::OtherSymbol => Class::SYMBOL,
            GeneralCategory::ConnectorPunctuation
            | GeneralCategory::DashPunctuation
            | GeneralCategory::OpenPunctuation
            | GeneralCategory::ClosePunctuation
            | GeneralCategory::InitialPunctuation
            | GeneralCategory::FinalPunctuation
            | GeneralCategory::OtherPunctuation => Class::PUNCTUATION,
            GeneralCategory::Control if !c.is_whitespace() => Class::UNSAFE,
            _ => Class(0),
        });
        if class.is(Class::LETTER.or(Class::MARK).or(Class::NUMBER)) && !class.is(Class::CJK) {
            class = class.or(Class::WORD);
        }
        if c.is_whitespace() {
            class = class.or(Class::SPACE);
        }
        if c == '_' {
            class = class.or(Class::TAG);
        }
        // Marks and Hangul letters join what stands before them; kana and unified ideographs never change.
        let folds_to_itself = match c as u32 {
            0..CASED_END => !class.is(Class::MARK) && fully_folded(c.encode_utf8(&mut [0; 4])) == c.to_string(),
            0x3041..=0x3096 | 0x30A1..=0x30FA | 0x30FC | 0x4E00..=0x9FFF => true,
            _ => false,
        };
        if folds_to_itself { class.or(Class::FOLDED) } else { class }
    }

    /// Whether an unsafe character or a direction mark is in a text; most bytes are passed over undecoded.
    pub(super) fn may_be_unsafe(&self, text: &str) -> bool {
        let suspicious = Class::UNSAFE.or(Class::DIRECTION);
        let is_suspicious = |at: usize| text.get(at..).is_some_and(|here| self.first_class(here).is(suspicious));
        let holds_suspicious = |bytes: &[u8], start: usize| {
            bytes.iter().zip(start..).any(|(byte, at)| self.unsafe_leads[usize::from(*byte)] && is_suspicious(at))
        };
        let (strides, rest) = text.as_bytes().as_chunks::<STRIDE>();
        let mut starts = strides.iter().zip((0..).step_by(STRIDE));
        starts.any(|(bytes, start)| {
            let harmless = bytes.iter().fold(true, |harmless, byte| harmless & is_harmless(*byte));
            !harmless && holds_suspicious(bytes, start)
        }) || holds_suspicious(rest, text.len() - rest.len())
    }

    /// Whether a flag that is spelled in tags begins with `c`.
    pub(super) fn begins_flag(&self, c: char) -> bool {
        c as u32 == self.flag
    }

    /// The value of a decimal digit of one of the served systems, and which system (section 5.1).
    pub(super) fn served_digit(&self, c: char) -> Option<(usize, u8)> {
        let code = c as u32;
        self.digit_zeros.iter().enumerate().find_map(|(system, &zero)| {
            let value = u8::try_from(code.checked_sub(zero)?).ok().filter(|value| *value < 10)?;
            Some((system, value))
        })
    }

    /// Whether `c`, a decimal digit of any script, is that script's zero: digits stand in tens from their zero on.
    pub(super) fn is_zero(&self, c: char) -> bool {
        if let Some((_, value)) = self.served_digit(c) {
            return value == 0;
        }
        // The longest unbroken run of digits are the five mathematical alphabets.
        let before = (1..50).take_while(|back| {
            let code = (c as u32).checked_sub(*back).and_then(char::from_u32);
            code.is_some_and(|c| self.class(c).is(Class::DIGIT))
        });
        before.count() % 10 == 0
    }
}

/// From `least` to `most` ASCII characters that are `wanted`, as many as there are. (nom's own decodes and counts characters.)
pub(super) fn ascii_run<'t, W>(least: usize, most: usize, wanted: W) -> impl Fn(&'t str) -> IResult<&'t str, &'t str>
where
    W: Fn(&u8) -> bool,
{
    move |input| {
        let length = input.bytes().take(most).take_while(|byte| byte.is_ascii() && wanted(byte)).count();
        match input.split_at_checked(length).filter(|_| length >= least) {
            Some((run, rest)) => Ok((rest, run)),
            None => Err(nom::Err::Error(nom::error::Error::new(input, nom::error::ErrorKind::TakeWhileMN))),
        }
    }
}

/// `fold(s) = NFKC(lowercase(NFKC(s)))`, section 2.
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    if !fold_simply(text, &mut folded) {
        return fully_folded(text);
    }
    folded
}

fn fully_folded(text: &str) -> String {
    text.nfkc().collect::<String>().to_lowercase().nfkc().collect()
}

/// Folds ASCII and what folds to itself; gives up at anything else.
fn fold_simply(text: &str, folded: &mut String) -> bool {
    folded.push_str(text);
    folded.make_ascii_lowercase();
    text.is_ascii() || text.chars().all(|c| c.is_ascii() || characters().class(c).is(Class::FOLDED))
}

/// As [`fold`], with `’` as `'` (words, section 2), into a buffer that the caller uses again.
pub(super) fn fold_word_into(text: &str, buffer: &mut String) {
    buffer.clear();
    if !fold_simply(text, buffer) {
        let folded = fully_folded(text);
        buffer.clear();
        buffer.extend(folded.chars().map(|c| if c == '’' { '\'' } else { c }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unicode_version_is_the_stated_one_in_every_table() {
        assert_eq!(unicode_properties::UNICODE_VERSION, (18, 0, 0));
        assert_eq!(unicode_normalization::UNICODE_VERSION, (18, 0, 0));
        assert!(SOURCE.contains("unicode = \"18.0.0\""));
        let other = SOURCE.replace("18.0.0", "17.0.0");
        assert!(Characters::compile(&other).is_err_and(|why| why.contains("17.0.0")));
    }

    #[test]
    fn looked_up_and_computed_classes_agree() {
        let characters = characters();
        for c in (0..0x1_0000).filter_map(char::from_u32) {
            assert!(characters.class(c) == characters.compute(c), "{c:?}");
        }
    }

    #[test]
    fn characters_are_what_section_4_says() {
        let is = |c: char, class| characters().class(c).is(class);
        for c in ['a', 'é', 'ß', 'ت', '5', '²', '½', 'Ⅹ', '\u{301}', '\u{fe0f}', '\u{200c}', '\u{200d}', 'ａ', '２'] {
            assert!(is(c, Class::WORD), "{c:?}");
        }
        for c in ['々', '〇', 'ぁ', 'ー', '円', 'ｦ', '\u{3099}', '\u{20000}'] {
            assert!(is(c, Class::CJK) && !is(c, Class::WORD), "{c:?}");
        }
        for c in ['・', '゠', '_', '€', '🍕', '\u{200b}', '\u{3097}'] {
            assert!(!is(c, Class::CJK.or(Class::WORD)), "{c:?}");
        }
        for c in ['\u{ad}', '\u{34f}', '\u{200b}', '\u{202e}', '\u{feff}', '\u{0}', '\u{7f}', '\u{9f}'] {
            assert!(is(c, Class::UNSAFE), "{c:?}");
        }
        for c in ['\t', '\n', '\u{85}', '\u{200e}', '\u{2066}', 'a', ' '] {
            assert!(!is(c, Class::UNSAFE), "{c:?}");
        }
        for c in [' ', '\u{a0}', '\u{3000}', '\u{200f}', '\u{61c}'] {
            assert!(is(c, Class::SPACE) && !is(c, Class::LINE_BREAK), "{c:?}");
        }
        for c in ['\n', '\r', '\u{b}', '\u{85}', '\u{2028}'] {
            assert!(is(c, Class::SPACE) && is(c, Class::LINE_BREAK), "{c:?}");
        }
    }

    #[test]
    fn five_digit_systems_are_served_and_zero_is_known_in_all() {
        let served = |c| characters().served_digit(c);
        assert_eq!(served('7'), Some((0, 7)));
        assert_eq!(served('２'), Some((1, 2)));
        assert_eq!(served('٠'), Some((2, 0)));
        assert_eq!(served('۹'), Some((3, 9)));
        assert_eq!(served('५'), Some((4, 5)));
        assert_eq!(served('߁'), None);
        assert_eq!(served('²'), None);
        for (zero, one) in [('0', '1'), ('߀', '߁'), ('𝟎', '𝟏'), ('𝟘', '𝟙'), ('০', '১')] {
            assert!(characters().is_zero(zero) && !characters().is_zero(one), "{zero}");
        }
    }

    #[test]
    fn the_short_way_of_folding_gives_the_same() {
        let folded: Vec<char> = ('\u{80}'..='\u{ffff}').filter(|c| characters().class(*c).is(Class::FOLDED)).collect();
        assert!(folded.len() > 21_000);
        for pair in folded.windows(2).map(String::from_iter).chain(folded.iter().map(|c| format!("A{c}z"))) {
            assert_eq!(fold(&pair), fully_folded(&pair), "{pair}");
        }
    }

    #[test]
    fn folding_is_nfkc_of_lower_case_of_nfkc() {
        assert_eq!(fold("ＳＥＮＤ"), "send");
        assert_eq!(fold("ÜBERWEISEN"), "überweisen");
        assert_eq!(fold("U\u{308}ber"), "über");
        assert_eq!(fold("ｷｬﾝｾﾙ"), "キャンセル");
        assert_eq!(fold("ΟΔΟΣ"), "οδος");
        let mut buffer = String::from("old");
        fold_word_into("Can’t", &mut buffer);
        assert_eq!(buffer, "can't");
    }
}
