//! Money in sight that is no sum we can take: currencies that are not served, and sums in words (sections 5.6 and 5.7).

use super::amounts::{Dressed, Walk};
use super::characters::{Class, characters};
use super::error::{Code, Edit, Fault};
use super::span::Span;
use super::tokens::{Kind, Token, is_three_capitals};
use super::vocabulary::vocabulary;
use crate::money::Currency;

impl Walk<'_> {
    /// Section 5.6.
    pub(super) fn unserved(&self, dressed: &Dressed) -> Option<Fault> {
        let Dressed { unit, left, scale, right } = *dressed;
        let unknown = |span| Fault::new(Code::CurrencyUnknown, span);
        if let Some((mark, _)) = left
            && let Some(span) = self.longer_symbol(mark)
        {
            return Some(unknown(span));
        }
        let before = unit.first.checked_sub(1).filter(|token| self.is_foreign_sign(*token) && self.same_line(unit.first));
        if let Some(sign) = before {
            return Some(unknown(self.tokens[sign].span));
        }
        let next = unit.last + 1;
        let carried = right.is_some() || scale.is_some_and(|scale| self.tokens[scale].touches() || left.is_some());
        if carried || !self.same_line(next) {
            return None;
        }
        if self.is_foreign_sign(next) && !self.touching_digits(next + 1) {
            return Some(unknown(self.tokens[next].span));
        }
        let Some(Kind::Word(word)) = self.kind(next) else { return None };
        let Token { span, .. } = self.tokens[next];
        let touches = self.tokens[next].touches();
        // A numeral with a mark before it is an amount already (`€20 FOR @bob`), unless what follows says other money.
        let marked = left.filter(|_| !touches).map(|(_, mark)| vocabulary().mark(mark));
        match word.slang {
            Some(Some(code)) => match marked {
                Some(mark) if mark.names.contains(&code) => None,
                Some(_) => Some(unknown(span)),
                None => {
                    let space = if touches { " " } else { "" };
                    let edit = Edit::replace(span, format!("{space}{code}"));
                    Some(Fault::with(Code::CurrencyUnknown, span, vec![edit]))
                }
            },
            Some(None) => Some(unknown(span)),
            None => {
                let written = span.of(self.text);
                let money = is_three_capitals(written) && (marked.is_none() || written.parse::<Currency>().is_ok());
                money.then(|| unknown(span))
            }
        }
    }

    fn is_foreign_sign(&self, token: usize) -> bool {
        matches!(self.kind(token), Some(Kind::Punctuation(c)) if characters().class(*c).is(Class::CURRENCY))
    }

    /// `HK$`: capitals that touch a sign make it the sign of a currency that is not served; to read `HK$50` as 50 USD would
    /// be a guess.
    fn longer_symbol(&self, mark: usize) -> Option<Span> {
        let before = mark.checked_sub(1)?;
        let touched = self.tokens[mark].touches() && matches!(self.kind(before), Some(Kind::Word(_)));
        let sign = characters().first_class(self.written(mark)).is(Class::CURRENCY);
        let capitals = self.written(before).bytes().all(|byte| byte.is_ascii_uppercase());
        (touched && sign && capitals).then(|| self.span(before, mark))
    }

    /// Section 5.7: the first number word with a mark or currency word after it.
    pub(super) fn words_for_sums(&self) -> Option<Fault> {
        let number = |token: usize| match self.kind(token) {
            Some(Kind::Word(word)) => word.number,
            _ => None,
        };
        let (token, value) = (0..self.tokens.len()).find_map(|token| {
            let next = self.tokens.get(token + 1)?;
            let spaced = next.same_line() && !next.touches();
            Some((token, number(token).filter(|_| spaced && self.is_mark(token + 1))?))
        })?;
        let span = self.span(token, token + 1);
        // "twenty five euros" is not 5 euros: of a number in several words no part is suggested.
        let hyphen = |token: usize| matches!(self.kind(token), Some(Kind::Punctuation('-')));
        let before = token.checked_sub(1).map(|before| if hyphen(before) { before.saturating_sub(1) } else { before });
        let alone = before.is_none_or(|before| number(before).is_none());
        let edit = Edit::replace(self.tokens[token].span, value.to_string());
        Some(Fault::with(Code::AmountInWords, span, if alone { vec![edit] } else { Vec::new() }))
    }
}
