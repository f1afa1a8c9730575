//! Sums: which numerals carry a currency, and which of them can be taken (sections 5.2 and 5.4 to 5.8).
//!
//! A post is walked once, numeral by numeral. Every mark is given to one numeral; what then stands between the marks is a
//! *candidate*: either an amount, or refused with the code, place and corrections that the author is shown. What is money
//! in sight but no candidate (slang, number words, plain numerals) is kept for the case that there is none.

use smallvec::SmallVec;

use super::characters::Class;
use super::error::{Code, Edit, Fault};
use super::hashtag::tag_char;
use super::numeral::{Unreadable, read_numeral};
use super::span::Span;
use super::tokens::{Kind, Run, Token, numeral_end, run_of};
use super::units::Unit;
use super::vocabulary::{MarkId, Named, vocabulary};
use crate::money::Money;

/// A numeral that carries a currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Numeral, scale and marks.
    pub(super) span: Span,
    /// Its first token.
    pub(super) first: usize,
    /// Its last token.
    pub(super) last: usize,
    /// The sum, or why it is refused.
    pub(super) amount: Result<Money, Fault>,
}

/// Something that would be said of a post without candidates, and the token where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) token: usize,
    pub(super) fault: Fault,
}

/// All sums of a post.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Amounts {
    /// Section 5.8, in the order of the text.
    pub(super) candidates: SmallVec<[Candidate; 1]>,
    /// Section 5.6: the first.
    pub(super) unserved: Option<Fault>,
    /// Section 5.5: scaled numerals without a currency.
    pub(super) scaled: Vec<Hint>,
    /// Section 5.7: the first.
    pub(super) in_words: Option<Fault>,
    /// Section 5.8: plain numerals; the faults lack their suggestion, which depends on the context.
    pub(super) plain: Vec<Hint>,
}

/// Finds the sums among the tokens of a post.
pub(super) fn amounts(text: &str, tokens: &[Token]) -> Amounts {
    let mut walk = Walk { text, tokens, units: SmallVec::new(), found: Amounts::default() };
    walk.units = walk.collect_units();
    walk.judge_units();
    if walk.found.candidates.is_empty() {
        walk.found.in_words = walk.words_for_sums();
    }
    walk.found
}

/// Whose a symbol or code is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belongs {
    Left,
    Right,
    /// It touches on both sides: `10€50`.
    Both,
    /// Nobody can say: `5 € 10`.
    Ambiguous,
    /// It is spent already.
    Nobody,
}

pub(super) struct Walk<'t> {
    pub(super) text: &'t str,
    pub(super) tokens: &'t [Token],
    pub(super) units: SmallVec<[Unit; 2]>,
    found: Amounts,
}

/// A unit with what stands around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dressed {
    pub(super) unit: Unit,
    pub(super) left: Option<(usize, MarkId)>,
    pub(super) scale: Option<usize>,
    pub(super) right: Option<(usize, MarkId)>,
}

impl Walk<'_> {
    fn judge_units(&mut self) {
        // The mark that was judged last, and whose it is.
        let mut judged: (usize, Belongs) = (usize::MAX, Belongs::Nobody);
        let mut index = 0;
        while let Some(unit) = self.units.get(index).copied() {
            index += 1;
            let left = unit.first.checked_sub(1).filter(|_| self.same_line(unit.first));
            let left = left.and_then(|token| Some((token, self.symbol_or_code(token)?)));
            let left = left.filter(|(token, _)| *token != judged.0 || judged.1 == Belongs::Right);
            let scale = self.scale_after(unit);
            let after = scale.unwrap_or(unit.last) + 1;
            let mut dressed = Dressed { unit, left, scale, right: None };
            if self.same_line(after) {
                dressed.right = self.money_word(after).map(|mark| (after, mark));
                if let Some(mark) = self.symbol_or_code(after) {
                    let belongs = self.belongs(after, &dressed, self.units.get(index).copied());
                    judged = (after, belongs);
                    match belongs {
                        Belongs::Left => dressed.right = Some((after, mark)),
                        Belongs::Right | Belongs::Nobody => {}
                        Belongs::Both => {
                            let last = self.judge_both(&dressed, after, mark);
                            index += self.units[index..].iter().take_while(|unit| unit.first <= last).count();
                            // A mark that still touches what was taken is no other numeral's.
                            let spent = self.tokens.get(last + 1).is_some_and(Token::touches);
                            judged = (if spent { last + 1 } else { usize::MAX }, Belongs::Nobody);
                            continue;
                        }
                        Belongs::Ambiguous => {
                            self.judge_between(unit, after);
                            index += 1;
                            continue;
                        }
                    }
                }
            }
            self.judge(&dressed);
        }
    }

    /// Whose the symbol or code at `token` is, which stands after the dressed unit (section 5.2).
    fn belongs(&self, token: usize, before: &Dressed, next: Option<Unit>) -> Belongs {
        let after = next.filter(|unit| unit.first == token + 1 && self.same_line(unit.first));
        let touches_before = self.tokens[token].touches();
        if self.touching_digits(token + 1) {
            return if touches_before { Belongs::Both } else { Belongs::Right };
        }
        let Some(after) = after.filter(|unit| !touches_before && self.is_numeral(*unit)) else { return Belongs::Left };
        if before.left.is_some() {
            return Belongs::Right;
        }
        let beyond = self.scale_after(after).unwrap_or(after.last) + 1;
        let code_beyond = self.symbol_or_code(beyond).is_some() && !self.touching_digits(beyond + 1);
        let marked = self.same_line(beyond) && (code_beyond || self.money_word(beyond).is_some());
        let readable = |unit: Unit| self.is_numeral(unit) && self.numeral(unit).is_some();
        if !marked
            && before.scale.is_none()
            && readable(before.unit)
            && self.pieces(after).first().is_some_and(|unit| readable(*unit))
        {
            return Belongs::Ambiguous;
        }
        Belongs::Left
    }

    /// `5 € 10`: the mark could be moved to either side.
    fn judge_between(&mut self, unit: Unit, mark: usize) {
        let second = self.pieces(Unit { first: mark + 1, last: self.unit_from(mark + 1).last });
        let last = second.first().map_or(mark + 1, |piece| piece.last);
        let span = self.span(unit.first, last);
        let before = Span::new(self.tokens[mark - 1].span.end, self.tokens[mark].span.start);
        let after = Span::new(self.tokens[mark].span.end, self.tokens[mark + 1].span.start);
        // In `#5 EUR 10` the mark at the left numeral would make a hashtag of both.
        let after_hash = self.text[..span.start].ends_with(['#', '＃']) && self.written(mark).starts_with(tag_char);
        let to_left = (!after_hash).then(|| Edit::delete(before));
        let fault = Fault::with(Code::AmountAmbiguous, span, to_left.into_iter().chain([Edit::delete(after)]).collect());
        self.refuse(unit.first, last, fault);
    }

    /// `10€50`, or digits on both sides of a mark that cannot be read. Gives the last token that it takes.
    fn judge_both(&mut self, before: &Dressed, mark: usize, id: MarkId) -> usize {
        let first = before.left.map_or(before.unit.first, |(token, _)| token);
        let start = self.tokens[first].span.start;
        // What the cents' own numeral does not hold (`10€50/month`, `10€50's`) is not part of the sum.
        if let Some((cents, amount)) = self.sum_with_mark_between(before, mark, id) {
            return self.take_with_mark_between(start, first, cents, id, amount);
        }
        let buffer = &mut String::new();
        let mut end = self.tokens[mark].span.end;
        let mut last = mark;
        // One turn for every further mark with digits on both sides.
        while self.symbol_or_code(last).is_some() && self.touching_digits(last + 1) {
            let run = run_of(self.text, self.tokens[last].span.end, Class::WORD.or(Class::SIGN));
            end = numeral_end(self.text, start, run, buffer);
            while self.tokens.get(last + 1).is_some_and(|token| token.span.start < end) {
                last += 1;
            }
            if self.symbol_or_code(last + 1).is_some() && self.touching_digits(last + 2) && self.tokens[last + 1].touches() {
                last += 1;
            }
        }
        let span = Span::new(start, end);
        let amount = Err(Fault::new(Code::AmountUnreadable, span));
        self.found.candidates.push(Candidate { span, first, last, amount });
        last
    }

    /// `10€50` up to the token of its cents, with a further mark where one follows. Gives the last token that it takes.
    fn take_with_mark_between(
        &mut self,
        start: usize,
        first: usize,
        cents: usize,
        id: MarkId,
        mut amount: Result<Money, Fault>,
    ) -> usize {
        let mut last = cents;
        let mut span = Span::new(start, self.tokens[cents].span.end);
        if let (Ok(_), Some((extra, other))) = (&amount, self.extra_mark(cents + 1)) {
            last = extra;
            span = self.tokens[first].span.to(self.tokens[extra].span);
            if vocabulary().name(id, Some(other)) == Named::Conflict {
                amount = Err(Fault::new(Code::CurrencyConflict, span));
            }
        }
        self.found.candidates.push(Candidate { span, first, last, amount });
        last
    }

    /// A mark after white space that no numeral follows.
    fn extra_mark(&self, token: usize) -> Option<(usize, MarkId)> {
        let spaced = self.tokens.get(token).is_some_and(|token| !token.touches());
        self.free_mark(token).filter(|_| spaced).map(|mark| (token, mark))
    }

    /// An integer, a symbol that may stand between, and exactly two digits that no mark touches: the token of these, and the sum.
    fn sum_with_mark_between(&self, before: &Dressed, mark: usize, id: MarkId) -> Option<(usize, Result<Money, Fault>)> {
        let Dressed { unit, left: None, scale: None, .. } = before else { return None };
        let currency = vocabulary().mark(id).alone.filter(|_| vocabulary().mark(id).between)?;
        let cents = self.unit_from(mark + 1);
        let single = unit.first == unit.last && cents.first == cents.last && self.digits(cents.first) == Some(2);
        let free = matches!(self.kind(cents.last), Some(Kind::Numeral(Run::Numeral)))
            && !self.tokens.get(cents.last + 1).is_some_and(|next| next.touches() && self.is_mark(cents.last + 1));
        if !single || !free {
            return None;
        }
        self.digits(unit.first)?;
        let joined = [self.written(unit.first), ".", self.written(cents.first)].concat();
        let numeral = read_numeral(&joined)?;
        let span = self.span(unit.first, cents.last);
        let minor = numeral.minor_units(currency.decimals());
        Some((cents.last, minor.map(|minor| Money::new(minor, currency)).map_err(|fault| Fault::new(fault.code, span))))
    }

    fn refuse(&mut self, first: usize, last: usize, fault: Fault) {
        let span = self.span(first, last);
        self.found.candidates.push(Candidate { span, first, last, amount: Err(fault) });
    }

    fn judge(&mut self, dressed: &Dressed) {
        let Dressed { unit, left, scale, right } = *dressed;
        let first = left.map_or(unit.first, |(token, _)| token);
        let last = right.map_or(unit.last, |(token, _)| token);
        let marked = left.is_some() || right.is_some();
        match self.kind(unit.last) {
            Some(Kind::DigitWord) if marked => {
                let fault = Fault::new(Code::AmountUnreadable, self.span(first, last));
                return self.refuse(first, last, fault);
            }
            Some(Kind::Numeral(Run::Numeral)) => {}
            _ => return,
        }
        if let Some(fault) = self.unserved(dressed) {
            self.found.unserved.get_or_insert(fault);
            return;
        }
        if let Some(scale) = scale {
            let touches = self.tokens[scale].touches();
            if marked || touches {
                let last = last.max(scale);
                let span = self.span(first, last);
                let edits = if marked { self.unscaled(unit, scale) } else { Vec::new() };
                let fault = Fault::with(Code::AmountScaled, span, edits);
                if marked {
                    self.refuse(first, last, fault);
                } else {
                    self.found.scaled.push(Hint { token: unit.first, fault });
                }
                return;
            }
        }
        if !marked {
            for piece in self.pieces(unit) {
                if self.numeral(piece).is_some() {
                    let fault = Fault::new(Code::CurrencyMissing, self.span(piece.first, piece.last));
                    self.found.plain.push(Hint { token: piece.first, fault });
                }
            }
            return;
        }
        let span = self.span(first, last);
        let amount = self.amount(dressed, span);
        let amount = amount.and_then(|money| self.stray_mark(dressed, money).map_or(Ok(money), Err));
        self.found.candidates.push(Candidate { span, first, last, amount });
    }

    /// `10 $ CAD`, `CAD $10`, `10€ USD`: a mark beside a mark on the same side. A numeral carries one on each side, so the outer one is
    /// not part of the sum; but where it names another currency, to pay in the inner one would be a guess.
    fn stray_mark(&self, dressed: &Dressed, money: Money) -> Option<Fault> {
        let decides = |inner, (place, outer): (usize, MarkId)| match vocabulary().name(inner, Some(outer)) {
            Named::Currency(currency) => currency != money.currency,
            // `Fr. Meier` and `DT` may be anything; a code or a sign is money.
            Named::Conflict => {
                let written = self.tokens[place].span.of(self.text);
                let is_code = written.len() == 3 && written.bytes().all(|byte| byte.is_ascii_uppercase());
                is_code || !written.chars().any(char::is_alphabetic)
            }
            Named::Ambiguous(_) => false,
        };
        let Dressed { unit, left, right, .. } = *dressed;
        let (first, last) = (left.map_or(unit.first, |(token, _)| token), right.map_or(unit.last, |(token, _)| token));
        if let Some((inner, mark)) = right
            && self.free_mark(inner + 1).is_some_and(|outer| decides(mark, (inner + 1, outer)))
        {
            return Some(Fault::new(Code::CurrencyConflict, self.span(first, inner + 1)));
        }
        let (inner, mark) = left?;
        let outer = inner.checked_sub(1).filter(|_| self.same_line(inner))?;
        // If the outer one is another sum's, there are two sums, and nobody asks what is wrong with either.
        let strays = self.symbol_or_code(outer).is_some_and(|strays| decides(mark, (outer, strays)));
        strays.then(|| Fault::new(Code::CurrencyConflict, self.span(outer, last)))
    }

    /// A mark at a token that no numeral after it can claim.
    fn free_mark(&self, token: usize) -> Option<MarkId> {
        let claimed = self.same_line(token + 1) && matches!(self.kind(token + 1), Some(Kind::Numeral(_) | Kind::DigitWord));
        let mark = self.money_word(token).or_else(|| self.symbol_or_code(token).filter(|_| !claimed));
        mark.filter(|_| self.same_line(token))
    }

    /// The numeral and its scale as digits, if there is one scale and the result is whole.
    fn unscaled(&self, unit: Unit, scale: usize) -> Vec<Edit> {
        let power = match self.kind(scale) {
            Some(Kind::Scales(power)) => *power,
            Some(Kind::Word(word)) => word.scale,
            _ => None,
        };
        let digits = power.and_then(|power| self.numeral(unit)?.scaled(power));
        digits.map(|digits| Edit::replace(self.span(unit.first, scale), digits)).into_iter().collect()
    }

    /// `amount`: spaces first, then marks, then the numeral (section 7, 5).
    fn amount(&self, dressed: &Dressed, span: Span) -> Result<Money, Fault> {
        let Dressed { unit, left, right, .. } = *dressed;
        let written = self.span(unit.first, unit.last);
        if self.spaces_ambiguous(unit) {
            let joined: String = written.of(self.text).chars().filter(|c| !c.is_whitespace()).collect();
            return Err(Fault::with(Code::AmountAmbiguous, span, vec![Edit::replace(written, joined)]));
        }
        let (mark, second) = match (left, right) {
            (Some(left), right) => (left, right.map(|(_, mark)| mark)),
            (None, Some(right)) => (right, None),
            // Only marked units are summed.
            (None, None) => return Err(Fault::new(Code::CurrencyMissing, span)),
        };
        let currency = match vocabulary().name(mark.1, second) {
            Named::Currency(currency) => currency,
            Named::Conflict => return Err(Fault::new(Code::CurrencyConflict, span)),
            Named::Ambiguous(codes) => {
                let place = self.tokens[mark.0].span;
                let (before, after) = match left {
                    Some(_) if self.tokens[unit.first].touches() => ("", " "),
                    None if self.tokens[mark.0].touches() => (" ", ""),
                    _ => ("", ""),
                };
                let edits = codes.iter().map(|code| Edit::replace(place, format!("{before}{code}{after}"))).collect();
                return Err(Fault::with(Code::CurrencyAmbiguous, place, edits));
            }
        };
        let numeral = self.numeral(unit).ok_or_else(|| Fault::new(Code::AmountUnreadable, span))?;
        numeral.minor_units(currency.decimals()).map(|minor| Money::new(minor, currency)).map_err(
            |Unreadable { code, readings }| {
                let edits = readings.into_iter().map(|reading| Edit::replace(written, reading)).collect();
                Fault::with(code, span, edits)
            },
        )
    }
}
