//! Money: an integer of minor units and an ISO 4217 currency. Never a float.

use std::{borrow::Cow, cmp::Ordering, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// Why something is not money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The code is not one of ISO 4217.
    #[error("`{0}` is not an ISO 4217 currency code such as EUR")]
    UnknownCurrency(String),
    /// The text is not a decimal number in this currency.
    #[error("`{text}` is not an amount with at most {digits} decimals")]
    NotAnAmount {
        /// What was given.
        text: String,
        /// The decimals the currency has.
        digits: u32,
    },
}

/// An ISO 4217 currency, written as its three-letter code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Currency(iso_currency::Currency);

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(iso_currency::Currency::EUR);

    /// How many decimals the minor unit is (ISO 4217 "exponent"): EUR 2, JPY 0, KWD 3. Currencies without a
    /// minor unit (XAU and the like) count as 0.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }

    /// The three-letter code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }
}

impl PartialOrd for Currency {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Currency {
    fn cmp(&self, other: &Self) -> Ordering {
        self.code().cmp(other.code())
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code())
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(code: &str) -> Result<Self, MoneyError> {
        iso_currency::Currency::from_code(code)
            .map(Self)
            .ok_or_else(|| MoneyError::UnknownCurrency(code.chars().take(16).collect()))
    }
}

impl JsonSchema for Currency {
    fn schema_name() -> Cow<'static, str> {
        "Currency".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[A-Z]{3}$", "description": "ISO 4217 code" })
    }
}

/// An amount of money. Refunds are negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// The amount in the currency's minor unit (cents, fils; whole yen).
    pub minor_units: i64,
    /// The currency.
    pub currency: Currency,
}

impl Money {
    /// `minor_units` of `currency`.
    pub const fn new(minor_units: i64, currency: Currency) -> Self {
        Self { minor_units, currency }
    }

    /// Reads a plain decimal such as `-12.34`: a dot before the decimals, no grouping, no more decimals than the
    /// currency has.
    ///
    /// # Errors
    /// [`MoneyError::NotAnAmount`] for anything else, including what does not fit 64 bits.
    pub fn from_decimal(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let digits = currency.exponent();
        let refuse = || MoneyError::NotAnAmount { text: text.chars().take(32).collect(), digits };
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !plain(whole) || !plain(fraction) || fraction.len() > digits as usize {
            return Err(refuse());
        }
        let padded = format!("{whole}{fraction:0<width$}", width = digits as usize);
        let signed = if negative { format!("-{padded}") } else { padded };
        signed.parse().map(|minor_units| Self { minor_units, currency }).map_err(|_| refuse())
    }

    /// The amount without the currency, as [`Money::from_decimal`] reads it.
    pub fn to_decimal(self) -> String {
        let digits = self.currency.exponent() as usize;
        let sign = if self.minor_units < 0 { "-" } else { "" };
        let padded = format!("{:0>width$}", self.minor_units.unsigned_abs(), width = digits + 1);
        let (whole, fraction) = padded.split_at(padded.len() - digits);
        if digits == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn minor_units_follow_the_currency() {
        for (text, code, minor_units) in [
            ("12.34", "EUR", 1234),
            ("-0.05", "USD", -5),
            ("1200", "JPY", 1200),
            ("1.5", "KWD", 1500),
            ("7", "CHF", 700),
        ] {
            assert_eq!(
                Money::from_decimal(text, currency(code)),
                Ok(Money::new(minor_units, currency(code))),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_not_a_plain_decimal_is_refused() {
        for (text, code) in [
            ("", "EUR"),
            ("-", "EUR"),
            (".5", "EUR"),
            ("1,5", "EUR"),
            ("1.234", "EUR"),
            ("1.5", "JPY"),
            ("1e3", "EUR"),
            ("+1", "EUR"),
            ("99999999999999999999", "EUR"),
        ] {
            assert!(Money::from_decimal(text, currency(code)).is_err(), "{text} {code}");
        }
        assert!("XYZ".parse::<Currency>().is_err());
        assert!("eur".parse::<Currency>().is_err());
    }

    /// All that ISO 4217 lists, found by trying every code.
    fn every_currency() -> Vec<Currency> {
        let letters = || b'A'..=b'Z';
        let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| [a, b, c])));
        codes.filter_map(|code| std::str::from_utf8(&code).ok()?.parse().ok()).collect()
    }

    #[test]
    fn the_edges_survive_their_text_form_in_every_currency() {
        let currencies = every_currency();
        assert!(currencies.len() > 150, "{}", currencies.len());
        for currency in currencies {
            for minor_units in [i64::MIN, -1001, -1000, -1, 0, 1, 9, 10, 999, 1000, i64::MAX] {
                let money = Money::new(minor_units, currency);
                assert_eq!(Money::from_decimal(&money.to_decimal(), currency), Ok(money), "{money}");
                let decimals = money.to_decimal().split_once('.').map_or(0, |(_, decimals)| decimals.len());
                assert_eq!(decimals, currency.exponent() as usize, "{money}");
            }
        }
    }

    /// The minor units of ISO 4217, list one, that are not two. A text form that is read as it was
    /// written says nothing of where its dot belongs.
    #[test]
    fn the_exponents_are_those_of_the_standard() {
        let none = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
        // Without a minor unit at all: precious metals, units of account, and codes that are no money.
        let not_applicable = "XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX";
        let (three, four) = ("BHD IQD JOD KWD LYD OMR TND", "CLF UYW");
        for currency in every_currency() {
            let is_in = |list: &str| list.split(' ').any(|code| code == currency.code());
            let expected = match currency {
                _ if is_in(none) || is_in(not_applicable) => 0,
                _ if is_in(three) => 3,
                _ if is_in(four) => 4,
                _ => 2,
            };
            assert_eq!(currency.exponent(), expected, "{currency}");
        }
        for code in [none, not_applicable, three, four].into_iter().flat_map(|list| list.split(' ')) {
            assert!(code.parse::<Currency>().is_ok(), "{code} is known");
        }
    }

    proptest! {
        #[test]
        fn an_amount_survives_its_text_form(minor_units in any::<i64>(), currency in prop::sample::select(every_currency())) {
            let money = Money::new(minor_units, currency);
            prop_assert_eq!(Money::from_decimal(&money.to_decimal(), money.currency), Ok(money));
        }

        #[test]
        fn what_is_read_is_written_the_same(text in "-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,4})?", currency in prop::sample::select(every_currency())) {
            if let Ok(money) = Money::from_decimal(&text, currency) {
                let written = money.to_decimal();
                prop_assert_eq!(Money::from_decimal(&written, currency), Ok(money));
                // Only decimals that were left out are added, and no zero is negative.
                prop_assert!(written.trim_start_matches('-').starts_with(text.trim_start_matches('-')), "{} {}", text, written);
            }
        }
    }
}
