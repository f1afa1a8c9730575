//! Numeral units: what carries a sum before any currency is asked for (sections 5.4 and 5.5).
//!
//! A unit is a numeral with the digit groups that single spaces may join to it, or a word that starts with a digit. This is
//! the part of the walk over a post that only looks; whose the marks are is judged in `amounts`.

use smallvec::SmallVec;

use super::amounts::Walk;
use super::characters::{Class, characters};
use super::numeral::{Numeral, read_numeral};
use super::span::Span;
use super::tokens::{Kind, Run, Token};
use super::vocabulary::MarkId;

/// A numeral, digit groups joined by spaces among them, or a word that starts with a digit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    pub(super) first: usize,
    pub(super) last: usize,
}

impl Walk<'_> {
    pub(super) fn kind(&self, token: usize) -> Option<&Kind> {
        self.tokens.get(token).map(|token| &token.kind)
    }

    pub(super) fn span(&self, first: usize, last: usize) -> Span {
        self.tokens[first].span.to(self.tokens[last].span)
    }

    pub(super) fn written(&self, token: usize) -> &str {
        self.tokens[token].span.of(self.text)
    }

    pub(super) fn same_line(&self, token: usize) -> bool {
        self.tokens.get(token).is_some_and(Token::same_line)
    }

    /// Whether the token touches what stands before it and starts with a digit.
    pub(super) fn touching_digits(&self, token: usize) -> bool {
        let numeral = matches!(self.kind(token), Some(Kind::Numeral(_) | Kind::DigitWord));
        numeral && self.tokens[token].touches() && characters().first_class(self.written(token)).is(Class::DIGIT)
    }

    pub(super) fn collect_units(&self) -> SmallVec<[Unit; 2]> {
        let mut units: SmallVec<[Unit; 2]> = SmallVec::new();
        let mut open = false;
        for (token, Token { kind, .. }) in self.tokens.iter().enumerate() {
            if !matches!(kind, Kind::Numeral(_) | Kind::DigitWord) {
                open = false;
                continue;
            }
            let numeral = matches!(kind, Kind::Numeral(_));
            match units.last_mut() {
                Some(unit) if open && numeral && self.group_space(token).is_some() && self.is_group(token) => {
                    unit.last = token;
                    open = self.digits(token) == Some(3);
                }
                _ => {
                    units.push(Unit { first: token, last: token });
                    open = numeral && self.is_head(token);
                }
            }
        }
        units
    }

    /// The single space before a token that may group digits (section 5.4).
    pub(super) fn group_space(&self, token: usize) -> Option<char> {
        let before = self.tokens.get(token.checked_sub(1)?)?;
        let gap = Span::new(before.span.end, self.tokens[token].span.start).of(self.text);
        let mut spaces = gap.chars();
        let space = spaces.next().filter(|c| *c == ' ' || characters().class(*c).is(Class::GROUPING))?;
        spaces.next().is_none().then_some(space)
    }

    /// How many digits a token has if it has nothing else.
    pub(super) fn digits(&self, token: usize) -> Option<usize> {
        let all = self.written(token).chars().all(|c| characters().class(c).is(Class::DIGIT));
        all.then(|| self.written(token).chars().count())
    }

    pub(super) fn starts_with_zero(&self, token: usize) -> bool {
        self.written(token).chars().next().is_some_and(|c| characters().is_zero(c))
    }

    /// 1–3 digits of any script, not starting with 0.
    pub(super) fn is_head(&self, token: usize) -> bool {
        self.digits(token).is_some_and(|count| count <= 3) && !self.starts_with_zero(token)
    }

    /// Three digits, with decimals or the end of `10.-` after the last group.
    pub(super) fn is_group(&self, token: usize) -> bool {
        let written = self.written(token);
        let is_digit = |c: char| characters().class(c).is(Class::DIGIT);
        let digits = written.find(|c| !is_digit(c)).unwrap_or(written.len());
        let mut tail = written[digits..].chars();
        let round = |text: &str| text.chars().all(|c| matches!(c, '-' | '–' | '—')) && text.chars().count() <= 2;
        let tail_fits = match tail.next() {
            None => true,
            Some('.' | ',' | '．' | '，' | '٫') => {
                !tail.as_str().is_empty() && (tail.as_str().chars().all(is_digit) || round(tail.as_str()))
            }
            Some(_) => false,
        };
        tail_fits && written[..digits].chars().count() == 3
    }

    /// Whether the unit's spaces can be read two ways (section 5.4).
    pub(super) fn spaces_ambiguous(&self, unit: Unit) -> bool {
        let spaces = || (unit.first + 1..=unit.last).filter_map(|token| Some((token, self.group_space(token)?)));
        let plain = spaces().filter(|(_, space)| *space == ' ').count();
        let mixed = plain > 0 && plain < spaces().count();
        mixed || spaces().any(|(token, space)| space == ' ' && !self.starts_with_zero(token))
    }

    /// The numerals of a unit without currency: a plain space joins only where every group after it starts with 0.
    pub(super) fn pieces(&self, unit: Unit) -> Vec<Unit> {
        let mut pieces = vec![Unit { first: unit.last, last: unit.last }];
        let mut must_group = true;
        for token in (unit.first..unit.last).rev() {
            let space = self.group_space(token + 1);
            must_group &= self.starts_with_zero(token + 1);
            let joins = space != Some(' ') || must_group;
            match pieces.last_mut() {
                Some(piece) if joins => piece.first = token,
                _ => pieces.push(Unit { first: token, last: token }),
            }
        }
        pieces.reverse();
        pieces
    }

    pub(super) fn numeral(&self, unit: Unit) -> Option<Numeral<'_>> {
        read_numeral(self.span(unit.first, unit.last).of(self.text))
    }

    pub(super) fn is_numeral(&self, unit: Unit) -> bool {
        matches!(self.kind(unit.last), Some(Kind::Numeral(Run::Numeral)))
    }

    /// The scale after a unit: touching, or after a space (section 5.5).
    pub(super) fn scale_after(&self, unit: Unit) -> Option<usize> {
        let next = unit.last + 1;
        let scale = match self.kind(unit.last)? {
            Kind::Numeral(Run::Numeral) => match self.kind(next)? {
                Kind::Scales(_) => true,
                Kind::Word(word) => word.scale.is_some() && self.same_line(next),
                _ => false,
            },
            _ => false,
        };
        scale.then_some(next)
    }

    /// `money-word`: a currency word at a token, if nothing touches it that makes it another word.
    pub(super) fn money_word(&self, token: usize) -> Option<MarkId> {
        match self.kind(token)? {
            Kind::MoneyWord(mark) => Some(*mark),
            Kind::Word(word) => {
                let span = self.tokens[token].span;
                let underscore = self.text[..span.start].ends_with('_') || self.text[span.end..].starts_with('_');
                word.money.filter(|_| !underscore)
            }
            _ => None,
        }
    }

    pub(super) fn symbol_or_code(&self, token: usize) -> Option<MarkId> {
        match self.kind(token)? {
            Kind::Mark(mark) => Some(*mark),
            _ => None,
        }
    }

    pub(super) fn unit_from(&self, token: usize) -> Unit {
        let found = self.units.binary_search_by_key(&token, |unit| unit.first);
        found.map_or(Unit { first: token, last: token }, |index| self.units[index])
    }

    pub(super) fn is_mark(&self, token: usize) -> bool {
        self.symbol_or_code(token).is_some() || self.money_word(token).is_some()
    }
}
