//! Amounts of money as receipts print them: `1.234,56`, `RM 5.00`, `12,-`, `€ 3`, and as recognisers misread them.

use std::sync::LazyLock;

use regex::Regex;

/// The sign between units and hundredths; the page decides it, since `1.234` alone is ambiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decimal {
    /// `1,234.56`
    Point,
    /// `1.234,56`
    Comma,
}

/// An amount found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    /// In hundredths of the unit.
    pub cents: i64,
    /// In thousandths of the unit: some currencies and all prices of fuel need them.
    pub thousandths: i64,
    /// How many decimals were printed.
    pub decimals: usize,
    /// The currency sign or code beside it, as printed.
    pub sign: Option<String>,
    /// Where it starts, in characters; the currency sign included.
    pub start: usize,
    /// Where it ends, in characters.
    pub end: usize,
    /// As printed, misread digits repaired.
    pub text: String,
}

impl Amount {
    /// Whether it is surely money: with hundredths or a currency sign.
    #[must_use]
    pub fn is_money(&self) -> bool {
        self.decimals == 2 || self.sign.is_some()
    }
}

pub(super) const SIGNS: &str = r"(?:RM|MYR|KWD|KD|BHD|OMR|JOD|TND|EUR|USD|GBP|CHF|SEK|NOK|DKK|ISK|PLN|CZK|HUF|RON|BGN|TRY|UAH|CAD|AUD|NZD|SGD|JPY|INR|ZAR|THB|IDR|PHP|HKD|AED|BRL|MXN|US\$|S\$|A\$|C\$|HK\$|NZ\$|R\$|Fr\.|kr\.?|KR|z[łl]|ZŁ|ZL|K[čc]|KČ|Ft|lei|LEI|Rp|[€$£¥₹₺₴₽₩₪฿])";

static AMOUNT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?P<before>{SIGNS}\s?)?(?P<minus>-\s?)?(?P<after_minus>{SIGNS}\s?)?(?P<number>\d{{1,3}}(?:[ '’]\d{{3}})+[.,]\d{{2}}|\d{{1,3}}(?:[.,'’]\d{{3}})+(?:[.,]\d{{1,2}})?|\d+[.,:]\s?\d{{1,3}}|[.,]\d{{2}}|\d+(?:[.,]-)?)(?P<minus_after>-)?(?P<behind>\s?{SIGNS})?"
    ))
    .expect("a constant pattern")
});

static MISREAD: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(r"^(?P<sign>{SIGNS})?(?P<rest>-?[0-9OoQlIBSZ]{{1,6}}[.,:][0-9OoQlIBSZ]{{2}})$"))
        .expect("a constant pattern")
});

/// How decimals are printed, by the majority of amounts that leave no doubt.
#[must_use]
pub fn decimal_style<'a>(texts: impl IntoIterator<Item = &'a str>) -> Decimal {
    let (mut points, mut commas) = (0, 0);
    for text in texts {
        for amount in find(text, Decimal::Point) {
            let printed: Vec<char> = text.chars().take(amount.end).skip(amount.start).collect();
            if amount.decimals == 2 {
                match printed.iter().rev().find(|c| matches!(c, '.' | ',')) {
                    Some('.') => points += 1,
                    Some(',') => commas += 1,
                    _ => {}
                }
            }
        }
    }
    if commas > points { Decimal::Comma } else { Decimal::Point }
}

/// How many decimals amounts of the page have: two nearly everywhere, three where a thousandth is the smallest coin
/// (Kuwait, Bahrain, Oman, Jordan, Tunisia), none where the unit is (Japan, Korea, Iceland, Hungary).
#[must_use]
pub fn usual_decimals<'a>(texts: impl IntoIterator<Item = &'a str>, style: Decimal) -> usize {
    let mut counts = [0usize; 4];
    for text in texts {
        for amount in find(text, style) {
            // A bare whole number may be anything; with a currency's sign it is an amount.
            if amount.decimals > 0 || amount.sign.is_some() {
                counts[amount.decimals.min(3)] += 1;
            }
        }
    }
    let [none, _, two, three] = counts;
    match () {
        () if two >= none && 2 * two >= three || two + none + three == 0 => 2,
        () if three > none => 3,
        () => 0,
    }
}

/// Every amount in a text, from left to right. Dates, times, percentages, codes and sizes are none.
#[must_use]
pub fn find(text: &str, style: Decimal) -> Vec<Amount> {
    let repaired = repair(text);
    let text = repaired.as_str();
    let mut found = Vec::new();
    for hit in AMOUNT.captures_iter(text) {
        let Some(number) = hit.name("number") else {
            continue;
        };
        let before = hit.name("before").filter(|m| starts_word(text, m.start())).or(hit.name("after_minus"));
        let behind = hit.name("behind").filter(|m| ends_word(text, m.end()));
        let sign = before.or(behind);
        let start = match before {
            Some(m) => m.start().min(hit.name("minus").map_or(m.start(), |n| n.start())),
            None => {
                hit.name("minus").filter(|m| !text[..m.start()].ends_with(':')).map_or(number.start(), |m| m.start())
            }
        };
        let end = match (&behind, hit.name("minus_after")) {
            (Some(m), _) => m.end(),
            (None, Some(m)) => m.end(),
            _ => number.end(),
        };
        let alone = text[..start].trim().is_empty() && text[end..].trim().is_empty();
        let printed = number.as_str();
        if printed.contains(':') && before.is_none() || printed.contains(' ') && !alone && !grouped(printed) {
            continue;
        }
        if !stands_free(text, if before.is_some() { start } else { number.start() }, end, printed) {
            continue;
        }
        if sign.is_none() && is_measured(&text[end..]) {
            continue;
        }
        if printed.starts_with(['.', ',']) && !alone {
            continue;
        }
        let Some((thousandths, decimals)) = value(printed, style) else {
            continue;
        };
        // `:-51.88` is a colon and a smudge.
        let minus = hit.name("minus").filter(|m| !text[..m.start()].ends_with(':'));
        let negative = minus.is_some() || hit.name("minus_after").is_some();
        found.push(Amount {
            cents: if negative { -thousandths / 10 } else { thousandths / 10 },
            thousandths: if negative { -thousandths } else { thousandths },
            decimals,
            sign: sign.map(|m| m.as_str().trim().to_owned()),
            start: text[..start].chars().count(),
            end: text[..end].trim_end().chars().count(),
            text: text[start..end].trim_end().replace(':', "."),
        });
    }
    found
}

/// `1 234,56`, not `3, 40`.
fn grouped(number: &str) -> bool {
    number.split(' ').skip(1).all(|g| g.len() >= 3 && g.as_bytes()[..3].iter().all(u8::is_ascii_digit))
}

fn starts_word(text: &str, at: usize) -> bool {
    text[..at].chars().next_back().is_none_or(|c| !c.is_alphabetic())
}

fn ends_word(text: &str, at: usize) -> bool {
    text[at..].chars().next().is_none_or(|c| !c.is_alphanumeric())
}

/// Whether the number is no part of something longer: a date, a code, a percentage, a size.
fn stands_free(text: &str, start: usize, end: usize, printed: &str) -> bool {
    let mut before = text[..start].chars().rev();
    match before.next() {
        Some(c) if c.is_alphanumeric() || c == '#' => return false,
        Some('.' | ',' | '/' | '-' | ':' | '\'') if before.next().is_some_and(|c| c.is_ascii_digit()) => {
            return false;
        }
        Some('/') => return false,
        _ => {}
    }
    let mut after = text[end..].chars();
    match after.next() {
        None => true,
        Some('%') => false,
        Some(' ') => after.next() != Some('%'),
        Some('.' | ',' | '/' | '-' | ':') => !after.next().is_some_and(|c| c.is_ascii_digit()),
        // A tax code may stick to a price: `7.50Z`.
        Some(c) if c.is_alphanumeric() => {
            let rest = text[end..].trim();
            c.is_ascii_uppercase()
                && rest.len() <= 2
                && rest.chars().all(|c| c.is_ascii_uppercase())
                && printed.len() >= 4
                && printed.as_bytes()[printed.len() - 3].is_ascii_punctuation()
                && text[..start].trim().is_empty()
        }
        Some(_) => true,
    }
}

/// Whether a unit follows, as in `0,75 L`: what comes before it is how much there is of something.
fn is_measured(behind: &str) -> bool {
    const UNITS: [&str; 12] = ["l", "ml", "cl", "dl", "ltr", "kg", "g", "oz", "lb", "lbs", "cm", "kwh"];
    let Some(behind) = behind.strip_prefix(' ') else { return false };
    let word = behind.split(' ').next().unwrap_or_default().trim_end_matches(['.', ',']);
    // A single capital is a tax letter, but for L.
    let unit = word.to_lowercase();
    UNITS.contains(&unit.as_str()) && (word != "G")
}

/// Thousandths and printed decimals.
pub(super) fn value(printed: &str, style: Decimal) -> Option<(i64, usize)> {
    let printed =
        printed.trim_end_matches('-').trim_end_matches(['.', ',']).replace(':', ".").replace([' ', '\'', '’'], "");
    let separators: Vec<(usize, char)> = printed.char_indices().filter(|(_, c)| matches!(c, '.' | ',')).collect();
    let decimals = match separators.last() {
        None => 0,
        Some(&(at, sign)) => {
            let behind = printed.len() - at - 1;
            let decimal = match style {
                Decimal::Point => '.',
                Decimal::Comma => ',',
            };
            let mixed = separators.iter().any(|&(_, c)| c != sign);
            let repeated = separators.len() > 1 && !mixed;
            if behind == 3 && (repeated || sign != decimal) { 0 } else { behind }
        }
    };
    let digits: String = printed.chars().filter(char::is_ascii_digit).collect();
    if digits.len() > 12 {
        return None;
    }
    let number: i64 = digits.parse().ok()?;
    let thousandths = match decimals {
        0 => number.checked_mul(1000)?,
        1 => number.checked_mul(100)?,
        2 => number.checked_mul(10)?,
        _ => number / 10i64.pow(u32::try_from(decimals).ok()? - 3),
    };
    Some((thousandths, decimals))
}

/// Letters that stand where digits must: `RMO.28`, `15.9B`. Keeps the number of characters.
fn repair(text: &str) -> String {
    text.split(' ')
        .map(|token| match MISREAD.captures(token) {
            Some(hit)
                if hit["rest"].chars().filter(char::is_ascii_digit).count() >= 2
                    || hit.name("sign").is_some() && hit["rest"].contains(|c: char| c.is_ascii_digit()) =>
            {
                let rest: String = hit["rest"]
                    .chars()
                    .map(|c| match c {
                        'O' | 'o' | 'Q' => '0',
                        'l' | 'I' => '1',
                        'B' => '8',
                        'S' => '5',
                        'Z' => '2',
                        c => c,
                    })
                    .collect();
                format!("{}{rest}", hit.name("sign").map_or("", |m| m.as_str()))
            }
            _ => token.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cents(text: &str, style: Decimal) -> Vec<i64> {
        find(text, style).iter().map(|a| a.cents).collect()
    }

    #[test]
    fn number_styles() {
        use Decimal::{Comma, Point};
        for (text, style, expected) in [
            ("1.234,56", Comma, 123_456),
            ("1.234,56", Point, 123_456),
            ("1,234.56", Point, 123_456),
            ("1 234,56", Comma, 123_456),
            ("1'234.50", Point, 123_450),
            ("12,5", Comma, 1_250),
            ("1.234", Comma, 123_400),
            ("9.000", Point, 900),
            ("1.234.567", Comma, 123_456_700),
            ("€ 3", Comma, 300),
            ("12,- €", Comma, 1_200),
            ("RM5.00", Point, 500),
            ("RM 1,250.00", Point, 125_000),
            ("$50.00", Point, 5_000),
            ("-2.50", Point, -250),
            ("2,50-", Comma, -250),
            ("170. 00", Point, 17_000),
            ("129,00 kr", Comma, 12_900),
            ("45,99 zł", Comma, 4_599),
            (".02", Point, 2),
            ("-.02", Point, -2),
            (":-51.88", Point, 5_188),
        ] {
            assert_eq!(cents(text, style), [expected], "{text}");
        }
    }

    #[test]
    fn misread_digits_are_repaired() {
        assert_eq!(cents("RMO.28", Decimal::Point), [28]);
        assert_eq!(cents("15.9B Z", Decimal::Point), [1_598]);
        assert_eq!(cents("RM5:00", Decimal::Point), [500]);
    }

    #[test]
    fn what_is_no_amount() {
        for text in [
            "12.03.2025",
            "14:51",
            "2018/05/16",
            "6%",
            "6.00 %",
            "19,00%",
            "250G",
            "Wasser 0,75 L",
            "MILK 1.50 l",
            "RICE 2.50 KG",
            "A4/A3",
            "TD01167104",
            "#7259",
            "03-4043",
        ] {
            let found = cents(text, Decimal::Point);
            assert!(found.is_empty(), "{text}: {found:?}");
        }
    }

    #[test]
    fn places_and_signs() {
        let found = find("TOTAL EUR 12,30 A", Decimal::Comma);
        assert_eq!((found[0].start, found[0].end), (6, 15));
        assert_eq!(found[0].sign.as_deref(), Some("EUR"));
        let found = find("1 x 5.50 5.50", Decimal::Point);
        assert_eq!(found.iter().map(|a| a.cents).collect::<Vec<_>>(), [100, 550, 550]);
    }

    #[test]
    fn the_page_decides_how_many_decimals_are_usual() {
        assert_eq!(usual_decimals(["1.50", "0.532 kg x 3.99", "¥ 3"], Decimal::Point), 2);
        assert_eq!(usual_decimals(["KD 1.250", "0.750", "2.000"], Decimal::Point), 3);
        assert_eq!(usual_decimals(["¥1,200", "¥300", "¥ 900"], Decimal::Point), 0);
        assert_eq!(usual_decimals([], Decimal::Point), 2);
    }

    #[test]
    fn the_page_decides_the_style() {
        assert_eq!(decimal_style(["1,50", "2,30", "1.234"]), Decimal::Comma);
        assert_eq!(decimal_style(["1.50", "x"]), Decimal::Point);
    }
}
