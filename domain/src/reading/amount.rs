//! What a printed amount and a printed currency mean.

use slipstream_events::{Currency, Money};

use crate::details;

/// What a printed amount means: the last number of the text that has decimals, or else the last one. Its last
/// separator is the decimal one when as many digits follow it as the currency has decimals, or fewer than three;
/// otherwise separators group thousands.
pub fn parse_amount(text: &str, currency: Currency) -> Option<Money> {
    let numbers = numbers(text);
    // A rate is no amount: `3,80 (19,0 %)`.
    let numbers: Vec<&str> = numbers
        .into_iter()
        .filter(|(_, after)| !after.trim_start().starts_with('%'))
        .map(|(number, _)| number)
        .collect();
    let printed = numbers.iter().rfind(|number| number.contains(['.', ','])).or(numbers.last())?;
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).collect::<String>();
    let exponent = currency.exponent() as usize;
    let (whole, fraction) = match printed.rfind(['.', ',']) {
        Some(at) => {
            let (before, after) = (digits(&printed[..at]), digits(&printed[at + 1..]));
            let decimal = after.len() < 3 || after.len() == exponent || before.trim_start_matches('0').is_empty();
            if decimal { (before, after) } else { (before + &after, String::new()) }
        }
        None => (digits(printed), String::new()),
    };
    // More decimals than the currency has are zeros, as in `1,234.00` yen, or it is no amount in it.
    let (kept, beyond) = fraction.split_at(fraction.len().min(exponent));
    if beyond.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let whole = if whole.is_empty() { "0" } else { &whole };
    let decimal = if kept.is_empty() { whole.to_owned() } else { format!("{whole}.{kept}") };
    let money = Money::from_decimal(&decimal, currency).ok()?;
    Some(if is_negative(text) { Money::new(-money.minor_units, currency) } else { money })
        .filter(|money| money.minor_units.abs() <= details::MAX_MINOR_UNITS)
}

/// A minus before the number or before its currency, one after it, or brackets as accountants write them.
fn is_negative(text: &str) -> bool {
    let text = text.trim();
    let before = text.find(|c: char| c.is_ascii_digit()).map_or("", |at| &text[..at]).trim();
    let minus = ['-', '−'];
    before.starts_with(minus)
        || before.ends_with(minus)
        || (before.contains('(') && text.ends_with(')'))
        || text.strip_suffix(minus).is_some_and(|rest| rest.ends_with(|c: char| c.is_ascii_digit()))
}

/// The numbers of a text, each with its separators and what follows it.
fn numbers(text: &str) -> Vec<(&str, &str)> {
    let mut spans: Vec<(usize, usize)> = Vec::new();
    for (at, _) in text.char_indices().filter(|(_, c)| c.is_ascii_digit()) {
        match spans.last_mut() {
            Some((start, end)) if joins(&text[*start..*end], &text[*end..at], &text[at..]) => *end = at + 1,
            _ => {
                // `.50`
                let separated = text[..at].ends_with(['.', ',']);
                spans.push((at - usize::from(separated), at + 1));
            }
        }
    }
    spans.into_iter().map(|(start, end)| (&text[start..end], &text[end..])).collect()
}

/// Whether a digit belongs to the number before it: side by side, after one separator, after a blank that groups
/// thousands, as in `1 234,50`, or after a separator with a blank that the reader saw beside it, as in `12. 50`.
fn joins(number: &str, between: &str, rest: &str) -> bool {
    let group = rest.chars().take_while(char::is_ascii_digit).count();
    let mut marks = between.chars();
    match (marks.next(), marks.next()) {
        (Some('.' | ','), Some(' ')) | (Some(' '), Some('.' | ',')) => {
            marks.next().is_none() && (2..=3).contains(&group)
        }
        (None, _) | (Some('.' | ',' | '\'' | '’'), None) => true,
        (Some(blank), None) if blank.is_whitespace() => {
            let head = number.rsplit(|c: char| !c.is_ascii_digit()).next().map_or(0, str::len);
            group == 3 && (1..=3).contains(&head) && !number.contains(['.', ','])
        }
        _ => false,
    }
}

/// A currency as far as a printed text tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Printed {
    /// Its code, or a symbol that only one currency has.
    Exactly(Currency),
    /// A symbol that several have; the one most often meant by it.
    Likely(Currency),
}

/// Symbols, the currency meant, and whether no other has it. Longer ones first, so that `HK$` is not read as `$`.
const SYMBOLS: [(&str, &str, bool); 25] = [
    ("HK$", "HKD", true),
    ("NZ$", "NZD", true),
    ("US$", "USD", true),
    ("CA$", "CAD", true),
    ("AU$", "AUD", true),
    ("SFr", "CHF", true),
    ("S$", "SGD", true),
    ("A$", "AUD", true),
    ("C$", "CAD", true),
    ("R$", "BRL", true),
    ("RM", "MYR", true),
    ("Rp", "IDR", true),
    ("zł", "PLN", true),
    ("Kč", "CZK", true),
    ("Fr.", "CHF", true),
    ("kr", "SEK", false),
    ("€", "EUR", true),
    ("£", "GBP", false),
    ("₹", "INR", true),
    ("₩", "KRW", true),
    ("₺", "TRY", true),
    ("฿", "THB", true),
    ("₫", "VND", true),
    ("$", "USD", false),
    ("¥", "JPY", false),
];

/// Codes of currencies that are words on receipts: all, top, and short for service charge and method of payment.
const WORDS: [&str; 4] = ["ALL", "TOP", "SVC", "MOP"];

/// The currency that the text names beside an amount.
pub(super) fn currency_in(text: &str) -> Option<Printed> {
    let code = text
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| word.len() == 3 && word.bytes().all(|b| b.is_ascii_uppercase()) && !WORDS.contains(word))
        .find_map(|word| word.parse().ok());
    // Letters count only where they stand alone: `RM` is not in `FARM`.
    let stands = |symbol: &str, at: usize| {
        let letter = |c: char| c.is_alphabetic();
        let (before, after) = (text[..at].chars().next_back(), text[at + symbol.len()..].chars().next());
        let joined = (symbol.starts_with(letter) && before.is_some_and(letter))
            || (symbol.ends_with(letter) && after.is_some_and(letter));
        !joined
    };
    let symbol = || {
        let found = SYMBOLS.iter().find(|(symbol, ..)| text.match_indices(symbol).any(|(at, _)| stands(symbol, at)));
        found.and_then(|(_, code, only)| {
            let currency = code.parse().ok()?;
            Some(if *only { Printed::Exactly(currency) } else { Printed::Likely(currency) })
        })
    };
    code.map(Printed::Exactly).or_else(symbol)
}

/// Whether `currency` is one of those that print the symbol of `likely`.
pub(super) fn shares_symbol(currency: Currency, likely: Currency) -> bool {
    let family: &[&str] = match likely.code() {
        "USD" => {
            &["USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP", "BND", "FJD", "JMD", "XCD"]
        }
        "SEK" => &["SEK", "NOK", "DKK", "ISK"],
        "JPY" => &["JPY", "CNY"],
        "GBP" => &["GBP", "GIP", "FKP", "SHP", "EGP"],
        code => return currency.code() == code,
    };
    family.contains(&currency.code())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().unwrap()
    }

    #[test]
    fn printed_amounts() {
        for (text, code, minor_units) in [
            ("$1,234.56", "USD", 123_456),
            ("1.234,56 €", "EUR", 123_456),
            ("1 234,56 €", "EUR", 123_456),
            ("1\u{202f}234,56\u{a0}€", "EUR", 123_456),
            ("12 345 678,90", "EUR", 1_234_567_890),
            ("1'234.50", "CHF", 123_450),
            ("CHF 7.-", "CHF", 700),
            ("6,510", "JPY", 6510),
            ("6,510.00", "JPY", 6510),
            ("¥ 6510", "JPY", 6510),
            ("1.500", "KWD", 1500),
            ("0,500", "EUR", 50),
            ("12", "EUR", 1200),
            ("12,5", "EUR", 1250),
            (".50", "USD", 50),
            ("1,234", "EUR", 123_400),
            ("-3.20", "USD", -320),
            ("3.20-", "USD", -320),
            ("(3.20)", "USD", -320),
            ("-$3.20", "USD", -320),
            ("EUR -3,20", "EUR", -320),
            ("RM 9.00", "MYR", 900),
            ("$899.99 S", "USD", 89_999),
            ("2 X P21.50", "PHP", 2150),
            ("19% 3.80", "EUR", 380),
            ("A 7,00 % 1,40", "EUR", 140),
            ("3,80 (19,0 %)", "EUR", 380),
            ("RM 12. 50", "MYR", 1250),
            ("12 .50", "USD", 1250),
            ("1, 234.50", "USD", 123_450),
        ] {
            assert_eq!(parse_amount(text, currency(code)), Some(Money::new(minor_units, currency(code))), "{text}");
        }
        for text in ["", "EUR", "n/a", "..", "99999999999", "99999999999999999999"] {
            assert_eq!(parse_amount(text, currency("EUR")), None, "{text}");
        }
        assert_eq!(parse_amount("12.345", currency("JPY")), Some(Money::new(12_345, currency("JPY"))));
        assert_eq!(parse_amount("12.50", currency("JPY")), None, "yen have no decimals");
    }

    #[test]
    fn printed_currencies() {
        let exactly = |code| Some(Printed::Exactly(currency(code)));
        for (text, expected) in [
            ("CHF 7.50", exactly("CHF")),
            ("TOTAL RM", exactly("MYR")),
            ("RM12.00", exactly("MYR")),
            ("HK$ 12", exactly("HKD")),
            ("12,00 €", exactly("EUR")),
            ("$12", Some(Printed::Likely(currency("USD")))),
            ("FARM 12", None),
            ("THE 7.50", None),
            ("SVC CHG 10%", None),
            ("7.50", None),
        ] {
            assert_eq!(currency_in(text), expected, "{text}");
        }
        assert!(shares_symbol(currency("CAD"), currency("USD")) && !shares_symbol(currency("EUR"), currency("USD")));
    }
}
