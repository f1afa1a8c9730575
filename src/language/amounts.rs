//! Sums: which numerals carry a currency, and which of them can be taken (sections 5.2 and 5.4 to 5.8).
//!
//! A post is walked once, numeral by numeral. Every mark is given to one numeral; what then stands between the marks is a
//! *candidate*: either an amount, or refused with the code, place and corrections that the author is shown. What is money
//! in sight but no candidate (slang, number words, plain numerals) is kept for the case that there is none.

use super::characters::{Class, characters};
use super::error::{Code, Edit, Fault};
use super::numeral::{Numeral, Unreadable, read_numeral};
use super::span::Span;
use super::tokens::{Kind, Run, Token, is_three_capitals, numeral_end, run_of};
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
    pub(super) candidates: Vec<Candidate>,
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
    let mut walk = Walk { text, tokens, units: Vec::new(), found: Amounts::default() };
    walk.units = walk.collect_units();
    walk.judge_units();
    if walk.found.candidates.is_empty() {
        walk.found.in_words = walk.words_for_sums();
    }
    walk.found
}

/// A numeral, digit groups joined by spaces among them, or a word that starts with a digit.
#[derive(Debug, Clone, Copy)]
struct Unit {
    first: usize,
    last: usize,
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

struct Walk<'t> {
    text: &'t str,
    tokens: &'t [Token],
    units: Vec<Unit>,
    found: Amounts,
}

/// A unit with what stands around it.
#[derive(Debug, Clone, Copy)]
struct Dressed {
    unit: Unit,
    left: Option<(usize, MarkId)>,
    scale: Option<usize>,
    right: Option<(usize, MarkId)>,
}

impl Walk<'_> {
    fn kind(&self, token: usize) -> Option<&Kind> {
        self.tokens.get(token).map(|token| &token.kind)
    }

    fn span(&self, first: usize, last: usize) -> Span {
        self.tokens[first].span.to(self.tokens[last].span)
    }

    fn written(&self, token: usize) -> &str {
        self.tokens[token].span.of(self.text)
    }

    fn same_line(&self, token: usize) -> bool {
        self.tokens.get(token).is_some_and(Token::same_line)
    }

    /// Whether the token touches what stands before it and starts with a digit.
    fn touching_digits(&self, token: usize) -> bool {
        let numeral = matches!(self.kind(token), Some(Kind::Numeral(_) | Kind::DigitWord));
        numeral && self.tokens[token].touches() && characters().first_class(self.written(token)).is(Class::DIGIT)
    }

    fn collect_units(&self) -> Vec<Unit> {
        let mut units: Vec<Unit> = Vec::new();
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
    fn group_space(&self, token: usize) -> Option<char> {
        let before = self.tokens.get(token.checked_sub(1)?)?;
        let gap = Span::new(before.span.end, self.tokens[token].span.start).of(self.text);
        let mut spaces = gap.chars();
        let space = spaces.next().filter(|c| *c == ' ' || characters().class(*c).is(Class::GROUPING))?;
        spaces.next().is_none().then_some(space)
    }

    /// How many digits a token has if it has nothing else.
    fn digits(&self, token: usize) -> Option<usize> {
        let all = self.written(token).chars().all(|c| characters().class(c).is(Class::DIGIT));
        all.then(|| self.written(token).chars().count())
    }

    fn starts_with_zero(&self, token: usize) -> bool {
        self.written(token).chars().next().is_some_and(|c| characters().is_zero(c))
    }

    /// 1–3 digits of any script, not starting with 0.
    fn is_head(&self, token: usize) -> bool {
        self.digits(token).is_some_and(|count| count <= 3) && !self.starts_with_zero(token)
    }

    /// Three digits, with decimals or the end of `10.-` after the last group.
    fn is_group(&self, token: usize) -> bool {
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
    fn spaces_ambiguous(&self, unit: Unit) -> bool {
        let spaces = || (unit.first + 1..=unit.last).filter_map(|token| Some((token, self.group_space(token)?)));
        let plain = spaces().filter(|(_, space)| *space == ' ').count();
        let mixed = plain > 0 && plain < spaces().count();
        mixed || spaces().any(|(token, space)| space == ' ' && !self.starts_with_zero(token))
    }

    /// The numerals of a unit without currency: a plain space joins only where every group after it starts with 0.
    fn pieces(&self, unit: Unit) -> Vec<Unit> {
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

    fn numeral(&self, unit: Unit) -> Option<Numeral> {
        read_numeral(self.span(unit.first, unit.last).of(self.text))
    }

    fn is_numeral(&self, unit: Unit) -> bool {
        matches!(self.kind(unit.last), Some(Kind::Numeral(Run::Numeral)))
    }

    /// The scale after a unit: touching, or after a space (section 5.5).
    fn scale_after(&self, unit: Unit) -> Option<usize> {
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
    fn money_word(&self, token: usize) -> Option<MarkId> {
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

    fn symbol_or_code(&self, token: usize) -> Option<MarkId> {
        match self.kind(token)? {
            Kind::Mark(mark) => Some(*mark),
            _ => None,
        }
    }

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
        let edits = vec![Edit::delete(before), Edit::delete(after)];
        let fault = Fault::with(Code::AmountAmbiguous, span, edits);
        self.refuse(unit.first, last, fault);
    }

    fn unit_from(&self, token: usize) -> Unit {
        let found = self.units.binary_search_by_key(&token, |unit| unit.first);
        found.map_or(Unit { first: token, last: token }, |index| self.units[index])
    }

    /// `10€50`, or digits on both sides of a mark that cannot be read. Gives the last token that it takes.
    fn judge_both(&mut self, before: &Dressed, mark: usize, id: MarkId) -> usize {
        let first = before.left.map_or(before.unit.first, |(token, _)| token);
        let buffer = &mut String::new();
        let start = self.tokens[first].span.start;
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
        let mut amount = self.sum_with_mark_between(before, mark, id, end);
        let mut taken = Span::new(start, end);
        if let (Some(Ok(_)), Some((extra, other))) = (&amount, self.extra_mark(last + 1)) {
            taken = self.tokens[first].span.to(self.tokens[extra].span);
            last = extra;
            if vocabulary().name(id, Some(other)) == Named::Conflict {
                amount = Some(Err(Fault::new(Code::CurrencyConflict, taken)));
            }
        }
        let amount = amount.unwrap_or_else(|| Err(Fault::new(Code::AmountUnreadable, span)));
        self.found.candidates.push(Candidate { span: taken, first, last, amount });
        last
    }

    /// A mark after white space that no numeral follows.
    fn extra_mark(&self, token: usize) -> Option<(usize, MarkId)> {
        let spaced = self.same_line(token) && !self.tokens[token].touches();
        let word = self.money_word(token);
        let alone = || !(self.same_line(token + 1) && matches!(self.kind(token + 1), Some(Kind::Numeral(_) | Kind::DigitWord)));
        let mark = word.or_else(|| self.symbol_or_code(token).filter(|_| alone()));
        mark.filter(|_| spaced).map(|mark| (token, mark))
    }

    /// An integer, a symbol that may stand between, and exactly two digits that nothing touches up to `end`.
    fn sum_with_mark_between(&self, before: &Dressed, mark: usize, id: MarkId, end: usize) -> Option<Result<Money, Fault>> {
        let Dressed { unit, left: None, scale: None, .. } = before else { return None };
        let currency = vocabulary().mark(id).alone.filter(|_| vocabulary().mark(id).between)?;
        let cents = self.unit_from(mark + 1);
        let single = unit.first == unit.last && cents.first == cents.last && self.digits(cents.first) == Some(2);
        let free = self.tokens[cents.last].span.end == end
            && matches!(self.kind(cents.last), Some(Kind::Numeral(Run::Numeral)))
            && !self.tokens.get(cents.last + 1).is_some_and(|next| next.touches() && self.is_mark(cents.last + 1));
        if !single || !free {
            return None;
        }
        self.digits(unit.first)?;
        let numeral = read_numeral(&[self.written(unit.first), ".", self.written(cents.first)].concat())?;
        let span = self.span(unit.first, cents.last);
        let minor = numeral.minor_units(currency.decimals());
        Some(minor.map(|minor| Money::new(minor, currency)).map_err(|fault| Fault::new(fault.code, span)))
    }

    fn is_mark(&self, token: usize) -> bool {
        self.symbol_or_code(token).is_some() || self.money_word(token).is_some()
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
        let amount = self.sum(dressed, span);
        self.found.candidates.push(Candidate { span, first, last, amount });
    }

    /// Section 5.6.
    fn unserved(&self, dressed: &Dressed) -> Option<Fault> {
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
        let span = self.tokens[next].span;
        match word.slang {
            Some(Some(code)) => {
                let space = if self.tokens[next].touches() { " " } else { "" };
                let edit = Edit::replace(span, format!("{space}{code}"));
                Some(Fault::with(Code::CurrencyUnknown, span, vec![edit]))
            }
            Some(None) => Some(unknown(span)),
            None => is_three_capitals(span.of(self.text)).then(|| unknown(span)),
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

    /// Spaces first, then marks, then the numeral (section 7, 5).
    fn sum(&self, dressed: &Dressed, span: Span) -> Result<Money, Fault> {
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

    /// Section 5.7: the first number word with a mark or currency word after it.
    fn words_for_sums(&self) -> Option<Fault> {
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
