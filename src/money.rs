//! Money: whole minor units of one currency, and nothing else.
//!
//! An amount is a checked `i64` of minor units (cents, fils, yen) beside its ISO 4217 currency. There is no floating
//! point, no conversion and no default: two amounts of different currencies do not add, and an overflow is an error that
//! the caller has to name. What an amount looks like in a post is the language's business (`crate::language`); what it
//! looks like to a person is `crate::messages`'. Here stand only the plain forms that machines exchange.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An ISO 4217 currency with its number of decimals.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The euro, which the SEPA rails carry and nothing else.
    pub const EUR: Currency = Currency(iso_currency::Currency::EUR);

    /// The three-letter ISO 4217 code, in capitals.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals an amount has: 2 for EUR, 0 for JPY, 3 for TND. Currencies without a minor unit count as 0.
    pub fn decimals(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or(0))
    }

    /// What is put between amount and reader where a symbol is understood: `€`, else the code.
    pub fn minor_per_unit(self) -> i64 {
        10_i64.pow(self.decimals())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_code(code).map(Currency).ok_or_else(|| MoneyError::UnknownCurrency(code.to_owned()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An amount of money. May be zero or negative in sums; what a person can order is checked where orders are made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Whole minor units, e.g. 1250 for 12.50 EUR.
    pub minor: i64,
    /// The currency they are units of.
    pub currency: Currency,
}

impl Money {
    /// `minor` units of `currency`.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Money { minor, currency }
    }

    /// Nothing, in `currency`.
    pub const fn zero(currency: Currency) -> Self {
        Money { minor: 0, currency }
    }

    /// The sum, unless the currencies differ or it does not fit.
    pub fn checked_add(self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_add(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Money { minor, ..self })
    }

    /// The difference, unless the currencies differ or it does not fit.
    pub fn checked_sub(self, other: Money) -> Result<Money, MoneyError> {
        self.same_currency(other)?;
        let minor = self.minor.checked_sub(other.minor).ok_or(MoneyError::Overflow)?;
        Ok(Money { minor, ..self })
    }

    /// The sum of many amounts, all of `currency`.
    pub fn sum(currency: Currency, amounts: impl IntoIterator<Item = Money>) -> Result<Money, MoneyError> {
        amounts.into_iter().try_fold(Money::zero(currency), Money::checked_add)
    }

    /// The amount as banks write it: no grouping, a point, all decimals. `12.50`, `1000` for yen.
    pub fn decimal_string(self) -> String {
        let decimals = self.currency.decimals() as usize;
        let sign = if self.minor < 0 { "-" } else { "" };
        let digits = format!("{:0width$}", self.minor.unsigned_abs(), width = decimals + 1);
        let (units, rest) = digits.split_at(digits.len() - decimals);
        if decimals == 0 { format!("{sign}{units}") } else { format!("{sign}{units}.{rest}") }
    }

    /// Reads what banks write (`12.50`, `12.5`, `12`, `-12.50`); at most the currency's decimals, no grouping, no exponent.
    pub fn from_decimal(text: &str, currency: Currency) -> Result<Money, MoneyError> {
        let unreadable = || MoneyError::Unreadable(text.to_owned());
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (units, decimals) = match unsigned.split_once('.') {
            Some((_, "")) => return Err(unreadable()),
            Some(parts) => parts,
            None => (unsigned, ""),
        };
        let places = currency.decimals() as usize;
        if units.is_empty() || decimals.len() > places {
            return Err(unreadable());
        }
        let padding = std::iter::repeat_n(b'0', places - decimals.len());
        let mut minor: i64 = 0;
        for digit in units.bytes().chain(decimals.bytes()).chain(padding) {
            if !digit.is_ascii_digit() {
                return Err(unreadable());
            }
            minor = minor.checked_mul(10).and_then(|m| m.checked_add(i64::from(digit - b'0'))).ok_or(MoneyError::Overflow)?;
        }
        Ok(Money { minor: if negative { -minor } else { minor }, currency })
    }

    fn same_currency(self, other: Money) -> Result<(), MoneyError> {
        if self.currency == other.currency { Ok(()) } else { Err(MoneyError::CurrencyMismatch(self.currency, other.currency)) }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.decimal_string(), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Why an amount could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not an ISO 4217 code.
    #[error("{0:?} is not an ISO 4217 currency code")]
    UnknownCurrency(String),
    /// Two currencies in one sum.
    #[error("{0} and {1} are not added to each other")]
    CurrencyMismatch(Currency, Currency),
    /// More than 64 bits of minor units.
    #[error("the amount does not fit into 64 bits of minor units")]
    Overflow,
    /// Not a plain decimal number with the decimals of its currency.
    #[error("{0:?} is not a plain decimal amount")]
    Unreadable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn amounts_are_written_with_the_decimals_of_their_currency() {
        assert_eq!(Money::new(1250, Currency::EUR).to_string(), "12.50 EUR");
        assert_eq!(Money::new(5, Currency::EUR).to_string(), "0.05 EUR");
        assert_eq!(Money::new(-5, Currency::EUR).to_string(), "-0.05 EUR");
        assert_eq!(Money::new(1000, currency("JPY")).to_string(), "1000 JPY");
        assert_eq!(Money::new(10_500, currency("TND")).to_string(), "10.500 TND");
    }

    #[test]
    fn what_a_bank_writes_is_read_exactly_or_refused() {
        let read = |text| Money::from_decimal(text, Currency::EUR).map(|money| money.minor);
        assert_eq!(read("12.50"), Ok(1250));
        assert_eq!(read("12.5"), Ok(1250));
        assert_eq!(read("12"), Ok(1200));
        assert_eq!(read("-0.01"), Ok(-1));
        for bad in ["", ".5", "1.", "1.234", "1,50", "1e3", "+1", " 1", "1 000", "٢٠", "--1"] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
        assert_eq!(read("99999999999999999999"), Err(MoneyError::Overflow));
    }

    #[test]
    fn sums_refuse_other_currencies_and_overflow() {
        let one = Money::new(1, Currency::EUR);
        assert_eq!(
            one.checked_add(Money::new(1, currency("USD"))),
            Err(MoneyError::CurrencyMismatch(Currency::EUR, currency("USD")))
        );
        assert_eq!(Money::new(i64::MAX, Currency::EUR).checked_add(one), Err(MoneyError::Overflow));
        assert_eq!(Money::sum(Currency::EUR, [one, one, one]).unwrap().minor, 3);
    }
}
