//! Exchange rates: exact decimals by day, and what became of an amount by them.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use jiff::civil::Date;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{Currency, Money};

/// An exchange rate: a positive decimal with at most 15 significant digits, `mantissa / 10^scale`. Written without
/// zeros at its ends, so that equal rates are equal texts. Never a float.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExchangeRate {
    mantissa: u64,
    scale: u32,
}

/// Why a text is not an exchange rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an exchange rate is a plain positive decimal such as 1.0876, with at most {} significant digits and {} decimals",
    ExchangeRate::MAX_DIGITS,
    ExchangeRate::MAX_SCALE
)]
pub struct RateError;

impl ExchangeRate {
    /// The most significant digits.
    pub const MAX_DIGITS: u32 = 15;
    /// The most decimals.
    pub const MAX_SCALE: u32 = 30;
    /// One for one.
    pub const ONE: Self = Self { mantissa: 1, scale: 0 };

    /// `mantissa / 10^scale`.
    ///
    /// # Errors
    /// [`RateError`] when it is not positive, or has too many digits or decimals.
    pub const fn new(mut mantissa: u64, mut scale: u32) -> Result<Self, RateError> {
        while scale > 0 && mantissa != 0 && mantissa.is_multiple_of(10) {
            mantissa /= 10;
            scale -= 1;
        }
        if mantissa == 0 || mantissa >= 10u64.pow(Self::MAX_DIGITS) || scale > Self::MAX_SCALE {
            return Err(RateError);
        }
        Ok(Self { mantissa, scale })
    }

    /// The digits, as a whole number.
    pub const fn mantissa(self) -> u64 {
        self.mantissa
    }

    /// How many of them are decimals.
    pub const fn scale(self) -> u32 {
        self.scale
    }
}

impl fmt::Display for ExchangeRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = self.scale as usize;
        let digits = format!("{:0>width$}", self.mantissa, width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        f.write_str(whole)?;
        if scale > 0 { write!(f, ".{fraction}") } else { Ok(()) }
    }
}

impl FromStr for ExchangeRate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if text.len() > 64 || whole.is_empty() || text.ends_with('.') || !plain(whole) || !plain(fraction) {
            return Err(RateError);
        }
        let fraction = fraction.trim_end_matches('0');
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches('0');
        let mantissa = significant.parse().map_err(|_| RateError)?;
        Self::new(mantissa, u32::try_from(fraction.len()).map_err(|_| RateError)?)
    }
}

impl Serialize for ExchangeRate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ExchangeRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for ExchangeRate {
    fn schema_name() -> Cow<'static, str> {
        "ExchangeRate".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9]+(\\.[0-9]+)?$",
            "description": "A plain positive decimal with at most 15 significant digits",
        })
    }
}

/// The exchange rates of one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DayRates {
    /// Which day.
    pub date: Date,
    /// How often the day was loaded with something new, from 1.
    pub version: u64,
    /// One unit of this currency …
    pub base: Currency,
    /// … is so much of each of these.
    pub rates: BTreeMap<Currency, ExchangeRate>,
    /// Who published them.
    pub source: String,
}

/// Data of a rates event: the day's rates after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RatesEvent {
    /// The rates of the day.
    pub rates: DayRates,
    /// The version that they replace, where the day had other rates before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<u64>,
}

/// What an amount is in another currency, and by which rate: one unit of `base` is `rate` units of `quote`. The
/// original amount stands in one of the two: in `base` it was multiplied, in `quote` divided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conversion {
    /// What it comes to.
    pub amount: Money,
    /// The rate used.
    pub rate: ExchangeRate,
    /// One unit of this currency …
    pub base: Currency,
    /// … is `rate` of this one.
    pub quote: Currency,
    /// The day the rate is of: the receipt's, or the last one before it with rates.
    pub date: Date,
    /// Who published it.
    pub source: String,
}

/// The amount and the rate behind it: `36.57 EUR (1 EUR = 1.1658 USD, ECB, 2018-06-01)`.
impl fmt::Display for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { amount, rate, base, quote, date, source } = self;
        write!(f, "{amount} (1 {base} = {rate} {quote}, {source}, {date})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_rates_are_equal_texts() {
        for (text, canonical) in [
            ("1.0876", "1.0876"),
            ("1.08760", "1.0876"),
            ("0017000.50", "17000.5"),
            ("0.000000123", "0.000000123"),
            ("130", "130"),
            ("130.0", "130"),
        ] {
            assert_eq!(text.parse::<ExchangeRate>().unwrap().to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_positive_decimal_is_refused() {
        for text in ["", ".", "1.", ".5", "0", "0.00", "-1", "+1", "1e3", "1,5", "N/A", "1234567890123456", "٣"] {
            assert_eq!(text.parse::<ExchangeRate>(), Err(RateError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_rate_survives_its_text_form(mantissa in 1u64..1_000_000_000_000_000, scale in 0u32..31) {
            let rate = ExchangeRate::new(mantissa, scale).unwrap();
            prop_assert_eq!(rate.to_string().parse::<ExchangeRate>(), Ok(rate));
            let json = serde_json::to_value(rate).unwrap();
            prop_assert_eq!(serde_json::from_value::<ExchangeRate>(json).unwrap(), rate);
        }
    }
}
