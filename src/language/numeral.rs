//! Numerals: which shapes can be read, and as what (sections 5.1 and 5.3).
//!
//! A numeral is first written with ASCII digits, `.` and `,`; its shape is then one production of the grammar. What it is
//! worth depends on the decimals of its currency, and is decided last.

use std::borrow::Cow;

use nom::branch::alt;
use nom::bytes::complete::tag;
use nom::character::complete::{char, digit1, one_of, satisfy};
use nom::combinator::{all_consuming, recognize};
use nom::multi::many1_count;
use nom::sequence::{pair, preceded, terminated};
use nom::{IResult, Parser as _};

use super::characters::{ascii_run, characters};
use super::error::Code;

/// The most digits that a sum has before its decimals.
const UNIT_DIGITS: usize = 9;

/// What a numeral's shape says, in ASCII digits: a slice of the text where it is written so, without groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Numeral<'n> {
    /// Whole units.
    Units(Cow<'n, str>),
    /// Units, and decimals as written.
    Decimals(Cow<'n, str>, Cow<'n, str>),
    /// `1.000`: 1000, or 1 and three decimals.
    TwoReadings(Cow<'n, str>, Cow<'n, str>),
}

/// A sum that cannot be taken as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// Why.
    pub(super) code: Code,
    /// What could be written instead, smaller first.
    pub(super) readings: Vec<String>,
}

/// Reads the text of a numeral; none if it has no readable shape, or mixes or uses digits that are not served.
pub(super) fn read_numeral(written: &str) -> Option<Numeral<'_>> {
    if written.is_ascii() {
        return numeral(written).ok().map(|(_, numeral)| numeral);
    }
    let mut system = None;
    let mut ascii = String::with_capacity(written.len());
    for c in written.chars() {
        match c {
            '，' => ascii.push(','),
            '．' => ascii.push('.'),
            _ => match characters().served_digit(c) {
                Some((this, value)) if system.is_none_or(|other| other == this) => {
                    system = Some(this);
                    ascii.push(char::from(b'0' + value));
                }
                Some(_) => return None,
                // A digit that is not served fits no production.
                None => ascii.push(c),
            },
        }
    }
    numeral(&ascii).ok().map(|(_, numeral)| numeral.into_owned())
}

impl Numeral<'_> {
    fn into_owned(self) -> Numeral<'static> {
        let owned = |digits: Cow<'_, str>| Cow::Owned(digits.into_owned());
        match self {
            Numeral::Units(units) => Numeral::Units(owned(units)),
            Numeral::Decimals(units, fraction) => Numeral::Decimals(owned(units), owned(fraction)),
            Numeral::TwoReadings(head, tail) => Numeral::TwoReadings(owned(head), owned(tail)),
        }
    }

    /// The sum in minor units of a currency with so many decimals.
    pub(super) fn minor_units(&self, decimals: u32) -> Result<i64, Unreadable> {
        let refuse = |code| Err(Unreadable { code, readings: Vec::new() });
        let (units, thousands, fraction) = match self {
            Numeral::Units(units) => (units, "", ""),
            Numeral::Decimals(units, fraction) => (units, "", fraction.as_ref()),
            Numeral::TwoReadings(head, tail) if decimals == 0 => (head, tail.as_ref(), ""),
            Numeral::TwoReadings(head, tail) => {
                let readings = two_readings(head, tail, decimals);
                return Err(Unreadable { code: Code::AmountAmbiguous, readings });
            }
        };
        if units.len() + thousands.len() > UNIT_DIGITS {
            return refuse(Code::AmountTooLarge);
        }
        let Some(missing) = (decimals as usize).checked_sub(fraction.len()) else { return refuse(Code::AmountPrecision) };
        let digits = units.bytes().chain(thousands.bytes()).chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', missing));
        let minor = digits.fold(0, |sum: i64, digit| sum * 10 + i64::from(digit - b'0'));
        if minor == 0 { refuse(Code::AmountZero) } else { Ok(minor) }
    }

    /// The number times a power of ten, if that is whole.
    pub(super) fn scaled(&self, power: u32) -> Option<String> {
        let (units, fraction) = match self {
            Numeral::Units(units) => (units, ""),
            Numeral::Decimals(units, fraction) => (units, fraction.trim_end_matches('0')),
            Numeral::TwoReadings(..) => return None,
        };
        let places = (power as usize).checked_sub(fraction.len())?;
        let digits = format!("{units}{fraction}{}", "0".repeat(places));
        let whole = digits.trim_start_matches('0');
        Some(if whole.is_empty() { "0".to_owned() } else { whole.to_owned() })
    }
}

/// Both readings of `1.000` as plain numerals, or nothing if the small one would be read two ways again.
fn two_readings(head: &str, tail: &str, decimals: u32) -> Vec<String> {
    let fraction = match decimals {
        // Two decimals, as prices are written.
        2 if tail.ends_with('0') => &tail[..2],
        3 if tail.ends_with('0') => tail.trim_end_matches('0'),
        _ => return Vec::new(),
    };
    let small = if fraction.bytes().all(|digit| digit == b'0') { head.to_owned() } else { format!("{head}.{fraction}") };
    vec![small, [head, tail].concat()]
}

/// The digits of a shape, without what groups them.
fn digits(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.into();
    }
    text.chars().filter(char::is_ascii_digit).collect()
}

/// `numeral = integer / tail3 / grouped / decimal / mixed / round`
pub(super) fn numeral(input: &str) -> IResult<&str, Numeral<'_>> {
    let units = |text| Numeral::Units(digits(text));
    let parts = |(units, fraction)| Numeral::Decimals(digits(units), digits(fraction));
    alt((
        all_consuming(integer).map(units),
        all_consuming(decimal).map(parts),
        all_consuming(tail3).map(|(head, tail)| Numeral::TwoReadings(head.into(), tail.into())),
        all_consuming(grouped).map(units),
        all_consuming(mixed).map(parts),
        all_consuming(round).map(units),
    ))
    .parse(input)
}

/// `integer = "0" / NZ *DIGIT`
pub(super) fn integer(input: &str) -> IResult<&str, &str> {
    alt((tag("0"), recognize(pair(nz, more_digits)))).parse(input)
}

/// `tail3 = head ( "." / "," ) g3`: two readings, 1.000 is 1000 or 1
pub(super) fn tail3(input: &str) -> IResult<&str, (&str, &str)> {
    pair(head, preceded(one_of(".,"), g3)).parse(input)
}

/// `grouped`: groups of three after two or more points or commas, or even one apostrophe, space or Arabic separator;
/// or the Indian way.
pub(super) fn grouped(input: &str) -> IResult<&str, &str> {
    alt((
        recognize((head, preceded(char('.'), g3), many1_count(preceded(char('.'), g3)))),
        indian,
        recognize((head, preceded(char(','), g3), many1_count(preceded(char(','), g3)))),
        recognize((head, many1_count(preceded(apos, g3)))),
        spaced,
        recognize((head, many1_count(preceded(char('\u{66C}'), g3)))),
    ))
    .parse(input)
}

/// The two alternatives of `grouped` and `mixed` with spaces: `head 1*( nbsp g3 ) / head 1*( SP z3 )`
fn spaced(input: &str) -> IResult<&str, &str> {
    let hard = recognize((head, many1_count(preceded(nbsp, g3))));
    alt((hard, recognize((head, many1_count(preceded(char(' '), z3)))))).parse(input)
}

/// `indian = NZ [ DIGIT ] 1*( "," 2DIGIT ) "," g3`
pub(super) fn indian(input: &str) -> IResult<&str, &str> {
    // A group of two is one that does not go on: the last group has three.
    let two = terminated(digits_of(2, 2), nom::combinator::peek(char(',')));
    recognize((nz, digits_of(0, 1), many1_count(preceded(char(','), two)), char(','), g3)).parse(input)
}

/// `decimal`: an integer and decimals, except where three of them could be a group.
pub(super) fn decimal(input: &str) -> IResult<&str, (&str, &str)> {
    let point = || one_of(".,");
    alt((
        all_consuming(pair(terminated(integer, point()), digits_of(1, 2))),
        all_consuming(pair(terminated(alt((tag("0"), recognize((nz, digits_of(3, usize::MAX))))), point()), g3)),
        all_consuming(pair(terminated(integer, point()), digits_of(4, usize::MAX))),
        pair(terminated(integer, char('\u{66B}')), digit1),
    ))
    .parse(input)
}

/// `mixed`: groups of one kind and decimals of another.
pub(super) fn mixed(input: &str) -> IResult<&str, (&str, &str)> {
    let points = recognize((head, many1_count(preceded(char('.'), g3))));
    let commas = alt((indian, recognize((head, many1_count(preceded(char(','), g3))))));
    let apostrophes = recognize((head, many1_count(preceded(apos, g3))));
    let arabic = recognize((head, many1_count(preceded(char('\u{66C}'), g3))));
    alt((
        pair(terminated(points, char(',')), digit1),
        pair(terminated(commas, char('.')), digit1),
        pair(terminated(apostrophes, one_of(".,")), digit1),
        pair(terminated(spaced, one_of(".,\u{66B}")), digit1),
        pair(terminated(arabic, char('\u{66B}')), digit1),
    ))
    .parse(input)
}

/// `round = ( integer / tail3 / grouped ) ( "." / "," ) 1*2dash`, as in `10.-`
pub(super) fn round(input: &str) -> IResult<&str, &str> {
    let end = || (one_of(".,"), dash, nom::combinator::opt(dash));
    // The longest number first: `1.000.-` also starts with an integer.
    alt((
        all_consuming(terminated(grouped, end())),
        all_consuming(terminated(recognize(tail3), end())),
        all_consuming(terminated(integer, end())),
    ))
    .parse(input)
}

/// `head = NZ *2DIGIT`
pub(super) fn head(input: &str) -> IResult<&str, &str> {
    recognize(pair(nz, digits_of(0, 2))).parse(input)
}

/// `g3 = 3DIGIT`
pub(super) fn g3(input: &str) -> IResult<&str, &str> {
    digits_of(3, 3)(input)
}

/// `z3 = "0" 2DIGIT`
pub(super) fn z3(input: &str) -> IResult<&str, &str> {
    recognize(pair(char('0'), digits_of(2, 2))).parse(input)
}

/// `apos = %x27 / %x2019`
pub(super) fn apos(input: &str) -> IResult<&str, char> {
    one_of("'’")(input)
}

/// `nbsp = %xA0 / %x2009 / %x202F`
pub(super) fn nbsp(input: &str) -> IResult<&str, char> {
    one_of("\u{A0}\u{2009}\u{202F}")(input)
}

/// `dash = "-" / %x2013 / %x2014`
pub(super) fn dash(input: &str) -> IResult<&str, char> {
    one_of("-–—")(input)
}

/// `NZ = %x31-39`
pub(super) fn nz(input: &str) -> IResult<&str, char> {
    satisfy(|c| matches!(c, '1'..='9'))(input)
}

/// `*DIGIT`. Not nom's own: at the end of the input that one gives an empty rest of the wrong place, which misleads
/// `recognize` (nom 8.0.0).
fn more_digits(input: &str) -> IResult<&str, &str> {
    digits_of(0, usize::MAX)(input)
}

/// From `least` to `most` digits, as many as there are.
fn digits_of<'t>(least: usize, most: usize) -> impl Fn(&'t str) -> IResult<&'t str, &'t str> {
    ascii_run(least, most, u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn euros(written: &str) -> Result<i64, Code> {
        read_numeral(written).ok_or(Code::AmountUnreadable)?.minor_units(2).map_err(|fault| fault.code)
    }

    #[test]
    fn every_row_of_5_3_is_read() {
        for (written, minor) in [
            ("20", 2000),
            ("10,5", 1050),
            ("10.50", 1050),
            ("10٫5", 1050),
            ("1234,50", 123_450),
            ("1.000.000", 100_000_000),
            ("1,000,000", 100_000_000),
            ("1'000", 100_000),
            ("1’000’000", 100_000_000),
            ("1٬000", 100_000),
            ("1\u{a0}000", 100_000),
            ("1\u{2009}000\u{2009}000", 100_000_000),
            ("2\u{202f}500", 250_000),
            ("1 000", 100_000),
            ("10 050", 1_005_000),
            ("1,00,000", 10_000_000),
            ("12,34,567", 123_456_700),
            ("1.000,5", 100_050),
            ("1,000.50", 100_050),
            ("1,00,000.50", 10_000_050),
            ("1'000.50", 100_050),
            ("1'000,50", 100_050),
            ("1 000,50", 100_050),
            ("1\u{202f}000.5", 100_050),
            ("1\u{a0}000٫5", 100_050),
            ("1٬000٫5", 100_050),
            ("10.-", 1000),
            ("20,--", 2000),
            ("1.000,–", 100_000),
            ("1'000.—", 100_000),
            ("0.-", 0),
            ("２０", 2000),
            ("１，０００．５０", 100_050),
            ("٢٠", 2000),
            ("۲۰٫۵", 2050),
            ("२०", 2000),
        ] {
            let expected = if minor == 0 { Err(Code::AmountZero) } else { Ok(minor) };
            assert_eq!(euros(written), expected, "{written}");
        }
    }

    #[test]
    fn other_shapes_and_mixtures_are_not_read() {
        for written in [
            ".50",
            "-10",
            "10-20",
            "1/2",
            "05",
            "1.0.0",
            "00",
            "1.0000,5",
            "1.000.00",
            "1,000,00",
            "0.000.000",
            "1.000٬000",
            "+10",
            "1e3",
            "10.---",
            "10-",
            ".",
            "1٬00",
            "1 500",
            "1 000\u{a0}000",
            "01 000",
            "1.000,000.000",
            "1'00",
            "２0",
            "1٠",
            "߁߀",
            "𝟏𝟎",
            "1,000٫5",
            "10%",
            "1_000",
        ] {
            assert_eq!(read_numeral(written), None, "{written}");
        }
    }

    #[test]
    fn three_digits_after_one_separator_depend_on_the_currency() {
        let read = |written: &str, decimals| read_numeral(written).unwrap().minor_units(decimals);
        let ambiguous = |readings: &[&str]| {
            let readings = readings.iter().map(|reading| (*reading).to_owned()).collect();
            Err(Unreadable { code: Code::AmountAmbiguous, readings })
        };
        assert_eq!(read("1.000", 0), Ok(1000));
        assert_eq!(read("10.500", 2), ambiguous(&["10.50", "10500"]));
        assert_eq!(read("10,000", 2), ambiguous(&["10", "10000"]));
        assert_eq!(read("10,555", 2), ambiguous(&[]));
        assert_eq!(read("10,500", 3), ambiguous(&["10.5", "10500"]));
        assert_eq!(read("10,550", 3), ambiguous(&["10.55", "10550"]));
        assert_eq!(read("10,555", 3), ambiguous(&[]));
        assert_eq!(read("1.000", 3), ambiguous(&["1", "1000"]));
        assert_eq!(read("1234,500", 3), Ok(1_234_500));
        assert_eq!(read("0.500", 3), Ok(500));
        assert_eq!(read("1,000.500", 3), Ok(1_000_500));
    }

    #[test]
    fn size_comes_before_precision_and_precision_before_zero() {
        assert_eq!(euros("999999999"), Ok(99_999_999_900));
        assert_eq!(euros("1000000000"), Err(Code::AmountTooLarge));
        assert_eq!(euros("1000000000.001"), Err(Code::AmountTooLarge));
        assert_eq!(euros("0,000"), Err(Code::AmountPrecision));
        assert_eq!(euros("0.001"), Err(Code::AmountPrecision));
        assert_eq!(euros("1234.567"), Err(Code::AmountPrecision));
        assert_eq!(euros("0.00"), Err(Code::AmountZero));
        assert_eq!(read_numeral("10.5").unwrap().minor_units(0), Err(Unreadable { code: Code::AmountPrecision, readings: vec![] }));
    }

    #[test]
    fn a_scale_moves_the_point_if_the_result_is_whole() {
        let scaled = |written: &str, power| read_numeral(written).unwrap().scaled(power);
        assert_eq!(scaled("5", 3).as_deref(), Some("5000"));
        assert_eq!(scaled("1,5", 3).as_deref(), Some("1500"));
        assert_eq!(scaled("0.5", 3).as_deref(), Some("500"));
        assert_eq!(scaled("1.5000", 3).as_deref(), Some("1500"));
        assert_eq!(scaled("1.5555", 3), None);
        assert_eq!(scaled("1.500", 3), None);
        assert_eq!(scaled("0", 3).as_deref(), Some("0"));
        assert_eq!(scaled("1'000", 3).as_deref(), Some("1000000"));
    }
}
