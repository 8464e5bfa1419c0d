//! Money in another currency, by the rates of a day: exact decimals on integers, rounded once.

use slipstream_events::{Conversion, Currency, DayRates, ExchangeRate, Money};

/// How old the rates may be that an amount is converted by, in days before the receipt's date: over the longest run of
/// days without rates (weekends with public holidays around them), and little enough that nobody takes a forgotten
/// file for today's.
pub const MAX_RATE_AGE_DAYS: i32 = 10;

/// `amount` in the currency `to`, by the rates of a day.
///
/// A published rate is used as it was published: amounts in the rates' base are multiplied, amounts in a quoted currency
/// that go to the base are divided. Between two quoted currencies the rate is the quotient of the two, rounded to
/// [`ExchangeRate::MAX_DIGITS`] significant digits; that rate is the one used and the one named. The result is rounded
/// once, half away from zero, to the minor unit of `to` (ISO 4217 exponent). So the conversion can be worked out again
/// from what it says itself.
///
/// `None` where a rate is missing or the result does not fit. An amount that would come to nothing has none either: what
/// costs something is below no limit for want of a coin small enough, or for a rate in which somebody mistyped.
pub fn convert(amount: Money, to: Currency, rates: &DayRates) -> Option<Conversion> {
    let from = amount.currency;
    let published = |currency: Currency| rates.rates.get(&currency).copied();
    let (base, quote, rate) = if from == to {
        (from, to, ExchangeRate::ONE)
    } else if from == rates.base {
        (from, to, published(to)?)
    } else if to == rates.base {
        (to, from, published(from)?)
    } else {
        (from, to, quotient(published(to)?, published(from)?)?)
    };
    let amount = by_rate(amount, to, base, rate)?;
    Some(Conversion { amount, rate, base, quote, date: rates.date, source: rates.source.clone() })
}

/// Another amount in the currency that was converted from, by the rate of that conversion. `None` where it is of
/// neither of its currencies, or the result does not fit.
pub fn convert_alike(amount: Money, conversion: &Conversion) -> Option<Money> {
    let of_it = [conversion.base, conversion.quote].contains(&amount.currency);
    if !of_it {
        return None;
    }
    by_rate(amount, conversion.amount.currency, conversion.base, conversion.rate)
}

/// An amount in another currency, where one unit of `base`, which is one of the two, is `rate` of the other.
fn by_rate(amount: Money, to: Currency, base: Currency, rate: ExchangeRate) -> Option<Money> {
    let from = amount.currency;
    // minor units × rate × 10^(decimals of `to`) / 10^(decimals of `from`), as one fraction.
    let minor_units = i128::from(amount.minor_units);
    let mantissa = i128::from(rate.mantissa());
    let scale = ten(rate.scale())?;
    let (multiplier, divisor) = if base == from { (mantissa, scale) } else { (scale, mantissa) };
    let common = from.exponent().min(to.exponent());
    let numerator = minor_units.checked_mul(multiplier)?.checked_mul(ten(to.exponent() - common)?)?;
    let denominator = divisor.checked_mul(ten(from.exponent() - common)?)?;
    let converted = i64::try_from(rounded(numerator, denominator)).ok()?;
    let vanished = converted == 0 && minor_units != 0;
    (!vanished).then_some(Money::new(converted, to))
}

/// `10^exponent`.
const fn ten(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

/// `numerator / denominator` (positive), rounded half away from zero.
const fn rounded(numerator: i128, denominator: i128) -> i128 {
    let (whole, rest) = (numerator / denominator, numerator % denominator);
    // `rest` is smaller than `denominator`: the comparison cannot overflow where a doubling could.
    let up = rest.abs() >= denominator - rest.abs();
    if up { whole + numerator.signum() } else { whole }
}

/// `a / b`, rounded half away from zero to as many significant digits as a rate has.
fn quotient(a: ExchangeRate, b: ExchangeRate) -> Option<ExchangeRate> {
    let (numerator, denominator) = (i128::from(a.mantissa()), i128::from(b.mantissa()));
    let limit = ten(ExchangeRate::MAX_DIGITS)?;
    // The quotient of the mantissas lies between 10^-15 and 10^15: some shift gives it exactly the digits.
    let mut shift = 0;
    while (numerator * ten(shift)?) / denominator < limit / 10 {
        shift += 1;
    }
    let mut digits = rounded(numerator * ten(shift)?, denominator);
    if digits == limit {
        // 999…9.5 has become 1000…0.
        digits /= 10;
        shift = shift.checked_sub(1)?;
    }
    let scale = i64::from(shift) + i64::from(a.scale()) - i64::from(b.scale());
    let (mut digits, mut scale) = (digits, scale);
    while scale < 0 {
        digits = digits.checked_mul(10)?;
        scale += 1;
    }
    while scale > i64::from(ExchangeRate::MAX_SCALE) {
        // Digits beyond what a rate may have at all; only for quotients below 10^-15.
        digits = rounded(digits, 10);
        scale -= 1;
    }
    ExchangeRate::new(u64::try_from(digits).ok()?, u32::try_from(scale).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    fn money(text: &str, code: &str) -> Money {
        Money::from_decimal(text, currency(code)).unwrap()
    }

    fn rates(quotes: &[(&str, &str)]) -> DayRates {
        DayRates {
            date: date(2026, 3, 12),
            version: 1,
            base: currency("EUR"),
            rates: quotes.iter().map(|(code, rate)| (currency(code), rate.parse().unwrap())).collect(),
            source: "ECB".to_owned(),
        }
    }

    fn day() -> DayRates {
        rates(&[("USD", "1.0876"), ("JPY", "161.27"), ("KWD", "0.33412"), ("CLF", "0.0258"), ("CHF", "0.9438")])
    }

    #[test]
    fn amounts_follow_the_published_rate_and_each_currencys_decimals() {
        // The expected values are worked out by hand from the rate that the conversion names.
        for (amount, to, expected, named) in [
            (money("100.00", "EUR"), "USD", "108.76", ("EUR", "USD", "1.0876")),
            (money("25.40", "USD"), "EUR", "23.35", ("EUR", "USD", "1.0876")),
            (money("10000", "JPY"), "EUR", "62.01", ("EUR", "JPY", "161.27")),
            (money("1.00", "EUR"), "JPY", "161", ("EUR", "JPY", "161.27")),
            (money("10.00", "EUR"), "KWD", "3.341", ("EUR", "KWD", "0.33412")),
            (money("3.341", "KWD"), "EUR", "10.00", ("EUR", "KWD", "0.33412")),
            (money("100.00", "EUR"), "CLF", "2.5800", ("EUR", "CLF", "0.0258")),
            (money("1.0000", "CLF"), "JPY", "6251", ("CLF", "JPY", "6250.77519379845")),
            (money("100.00", "USD"), "CHF", "86.78", ("USD", "CHF", "0.867782272894446")),
            (money("-25.40", "USD"), "EUR", "-23.35", ("EUR", "USD", "1.0876")),
            (money("12.34", "CHF"), "CHF", "12.34", ("CHF", "CHF", "1")),
        ] {
            let conversion = convert(amount, currency(to), &day()).unwrap();
            assert_eq!(conversion.amount, money(expected, to), "{amount}");
            let (base, quote, rate) = named;
            assert_eq!((conversion.base, conversion.quote), (currency(base), currency(quote)), "{amount}");
            assert_eq!(conversion.rate.to_string(), rate, "{amount}");
            assert_eq!((conversion.date, conversion.source.as_str()), (date(2026, 3, 12), "ECB"));
        }
    }

    #[test]
    fn half_a_minor_unit_goes_away_from_zero() {
        let rates = rates(&[("USD", "0.5"), ("JPY", "2")]);
        for (amount, to, expected) in [
            (money("0.01", "EUR"), "USD", "0.01"),
            (money("-0.01", "EUR"), "USD", "-0.01"),
            (money("0.03", "EUR"), "USD", "0.02"),
            (money("0.25", "EUR"), "JPY", "1"),
            (money("0.00", "EUR"), "JPY", "0"),
            (money("-0.25", "EUR"), "JPY", "-1"),
        ] {
            assert_eq!(convert(amount, currency(to), &rates).unwrap().amount, money(expected, to), "{amount}");
        }
    }

    #[test]
    fn without_a_rate_or_room_there_is_no_conversion() {
        let only = rates(&[("USD", "1.0876"), ("VND", "999999999999999")]);
        assert_eq!(convert(money("1.00", "EUR"), currency("GBP"), &only), None);
        assert_eq!(convert(money("1.00", "GBP"), currency("EUR"), &only), None);
        assert_eq!(convert(money("1.00", "GBP"), currency("USD"), &only), None);
        assert_eq!(convert(Money::new(i64::MAX, currency("EUR")), currency("VND"), &only), None);
        assert_eq!(convert(money("1", "VND"), currency("EUR"), &only), None, "it would come to nothing");
    }

    fn rate() -> impl Strategy<Value = ExchangeRate> {
        // What is published has up to about eight significant digits, between 10^-5 and 10^6.
        (1u64..100_000_000, 0u32..8)
            .prop_map(|(mantissa, scale)| ExchangeRate::new(mantissa, scale).unwrap())
            .prop_filter("a rate of this world", |rate| {
                let ten_to_the_fifth = u128::from(rate.mantissa()) * 100_000;
                let one = 10u128.pow(rate.scale());
                ten_to_the_fifth >= one && u128::from(rate.mantissa()) <= one * 1_000_000
            })
    }

    /// The conversion worked out again from what it says itself: whether `amount` × or ÷ the rate is nearest to it.
    fn is_reproducible(original: Money, conversion: &Conversion) -> bool {
        let scale = 10i128.pow(conversion.rate.scale());
        let mantissa = i128::from(conversion.rate.mantissa());
        let (up, down) = if conversion.base == original.currency { (mantissa, scale) } else { (scale, mantissa) };
        let exact = i128::from(original.minor_units) * up * 10i128.pow(conversion.amount.currency.exponent());
        let unit = down * 10i128.pow(original.currency.exponent());
        (exact - i128::from(conversion.amount.minor_units) * unit).abs() * 2 <= unit
    }

    proptest! {
        #[test]
        fn a_conversion_can_be_worked_out_again_and_turns_with_the_sign(
            minor_units in -1_000_000_000_000i64..1_000_000_000_000,
            usd in rate(), jpy in rate(), kwd in rate(), clf in rate(),
            from in prop::sample::select(vec!["EUR", "USD", "JPY", "KWD", "CLF"]),
            to in prop::sample::select(vec!["EUR", "USD", "JPY", "KWD", "CLF"]),
        ) {
            let mut day = day();
            day.rates = BTreeMap::from([("USD", usd), ("JPY", jpy), ("KWD", kwd), ("CLF", clf)].map(|(code, rate)| (currency(code), rate)));
            let amount = Money::new(minor_units, currency(from));
            if let Some(conversion) = convert(amount, currency(to), &day) {
                prop_assert!(is_reproducible(amount, &conversion), "{amount}: {conversion:?}");
                let negative = convert(Money::new(-minor_units, currency(from)), currency(to), &day).unwrap();
                prop_assert_eq!(negative.amount.minor_units, -conversion.amount.minor_units);
            }
        }

        /// There and back loses at most what half a minor unit of the other currency is worth, and half of one's own.
        #[test]
        fn a_round_trip_stays_within_a_minor_unit_of_the_coarser_currency(
            minor_units in -1_000_000_000i64..1_000_000_000,
            rate in rate(),
            code in prop::sample::select(vec!["USD", "JPY", "KWD", "CLF"]),
        ) {
            let mut day = day();
            day.rates = BTreeMap::from([(currency(code), rate)]);
            let there = Money::new(minor_units, day.base);
            if let Some(other) = convert(there, currency(code), &day) {
                let back = convert(other.amount, day.base, &day).unwrap().amount;
                // One minor unit of the other currency, in minor units of one's own, rounded up.
                let unit = 10i128.pow(rate.scale()) * 10i128.pow(day.base.exponent());
                let divisor = i128::from(rate.mantissa()) * 10i128.pow(currency(code).exponent());
                let worth = (unit + divisor - 1) / divisor;
                let lost = i128::from(back.minor_units) - i128::from(minor_units);
                prop_assert!(lost.abs() <= worth.max(1), "{there} → {} → {back}", other.amount);
            }
        }
    }
}
