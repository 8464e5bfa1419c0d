//! When an answer is right: exact match after normalising, as published benchmarks of receipt services do it on SROIE
//! (ICDAR 2019).
//!
//! - Text: Unicode NFKC, lower case, punctuation stripped, white space collapsed. Whether punctuation leaves a space
//!   is told differently in different places: either reading counts.
//! - Amounts: the same to half a cent, whatever the separators; a lone separator before exactly three digits groups,
//!   except in currencies of three decimals.
//! - Dates: the same calendar day, day first where both are possible.
//!
//! A missing answer is wrong; a field counts where its label is there.

use std::sync::LazyLock;

use regex::Regex;
use unicode_normalization::UnicodeNormalization as _;

/// A regular expression that is compiled once; the tests below use every one.
macro_rules! pattern {
    ($expression:literal) => {
        LazyLock::new(|| Regex::new($expression).expect("a valid expression"))
    };
}

/// An amount in ten-thousandths of its unit.
pub type Amount = i64;

const UNIT: i64 = 10_000;
/// Half a cent.
const TOLERANCE: Amount = 50;

fn folded(value: &str) -> Vec<char> {
    value.nfkc().collect::<String>().to_lowercase().chars().collect()
}

fn collapsed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Normalised text; punctuation leaves a space.
#[must_use]
pub fn spaced(value: &str) -> String {
    collapsed(&folded(value).into_iter().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect::<String>())
}

/// Normalised text; punctuation leaves nothing.
#[must_use]
pub fn stripped(value: &str) -> String {
    collapsed(&folded(value).into_iter().filter(|c| c.is_alphanumeric() || c.is_whitespace()).collect::<String>())
}

/// Letters and digits alone, for numbers that people group as they like.
#[must_use]
pub fn solid(value: &str) -> String {
    folded(value).into_iter().filter(|c| c.is_alphanumeric()).collect()
}

/// Whether two texts are the same.
#[must_use]
pub fn same_text(answer: &str, label: &str) -> bool {
    spaced(answer) == spaced(label) || stripped(answer) == stripped(label)
}

/// An amount, in a currency with two decimals or none.
#[must_use]
pub fn amount(value: &str) -> Option<Amount> {
    amount_with(value, 2)
}

/// An amount in a currency with so many decimals. A minus may stand on either side; brackets mean one, too.
#[must_use]
pub fn amount_with(value: &str, decimals: usize) -> Option<Amount> {
    static THOUSANDS: LazyLock<Regex> = pattern!(r"^\d{1,3}([.,]\d{3})+$");
    let value = value.replace('−', "-");
    let first = value.find(|c: char| c.is_ascii_digit())?;
    // A point right before the first digit belongs to the number (`.50`), unless it ends an abbreviation or leaders.
    let leads = value[..first]
        .strip_suffix(['.', ','])
        .is_some_and(|rest| !rest.ends_with(|c: char| c.is_alphabetic() || ".,".contains(c)));
    let from = first - usize::from(leads);
    let digits: String = value[from..].chars().filter(|c| c.is_ascii_digit() || ".,".contains(*c)).collect();
    let digits = digits.trim_end_matches(['.', ',']);
    let separators: Vec<&str> = digits.matches(['.', ',']).collect();
    let three = decimals == 3 && (separators.len() == 1 || separators.first() != separators.last());
    let number = if THOUSANDS.is_match(digits) && !three {
        number(&digits.replace(['.', ','], ""), "")?
    } else {
        match digits.rfind(['.', ',']) {
            Some(cut) => number(&digits[..cut].replace(['.', ','], ""), &digits[cut + 1..])?,
            None => number(digits, "")?,
        }
    };
    Some(if is_negative(&value) { -number } else { number })
}

/// A quantity: the first number in the text; its last separator is the decimal one.
#[must_use]
pub fn quantity(value: &str) -> Option<Amount> {
    static NUMBER: LazyLock<Regex> = pattern!(r"(\d+)(?:[.,](\d+))?");
    let found = NUMBER.captures(value)?;
    let quantity = number(&found[1], found.get(2).map_or("", |m| m.as_str()))?;
    Some(if is_negative(value) { -quantity } else { quantity })
}

fn is_negative(value: &str) -> bool {
    // A hyphen between digits or letters joins; before the first digit or after the last it is a sign.
    let value = value.trim();
    let first = value.find(|c: char| c.is_ascii_digit()).unwrap_or(value.len());
    let last = value.rfind(|c: char| c.is_ascii_digit()).map_or(0, |at| at + 1);
    value[..first].trim_end_matches([' ', '.', ',', '€', '$', '£', '¥']).ends_with('-')
        || value[last..].starts_with('-')
        || (value.starts_with('(') && value.ends_with(')'))
}

/// From the digits before and behind the separator; further than four decimals are cut.
fn number(whole: &str, fraction: &str) -> Option<Amount> {
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: i64 = format!("{fraction:0<4}")[..4].parse().ok()?;
    whole.checked_mul(UNIT)?.checked_add(fraction)
}

/// Whether two amounts are the same to half a cent.
#[must_use]
pub fn same_amount(answer: Amount, label: Amount) -> bool {
    (answer - label).abs() <= TOLERANCE
}

/// A calendar day as (year, month, day).
pub type Day = (u32, u32, u32);

/// A printed date, day first where both are possible.
#[must_use]
pub fn calendar(value: &str) -> Option<Day> {
    static YEAR_FIRST: LazyLock<Regex> = pattern!(r"(\d{4})[-/. ](\d{1,2})[-/. ](\d{1,2})|^(\d{4})(\d{2})(\d{2})$");
    static NAMED: LazyLock<Regex> = pattern!(r"(\d{1,2})(?: de |[-/. ])+([^\W\d_]{3,})(?: de |[-/., ])+(\d{2,4})");
    static NAME_FIRST: LazyLock<Regex> = pattern!(r"([^\W\d_]{3,})\.? (\d{1,2}),? (\d{2,4})");
    let value = value.trim().to_lowercase();
    if let Some(m) = YEAR_FIRST.captures(&value) {
        let [year, month, day] = [1, 2, 3].map(|n| m.get(n).or_else(|| m.get(n + 3)).map_or("", |m| m.as_str()));
        day_of(year, month.parse().ok()?, day)
    } else if let Some(m) = NAMED.captures(&value) {
        day_of(&m[3], month(&m[2])?, &m[1])
    } else if let Some(m) = NAME_FIRST.captures(&value) {
        day_of(&m[3], month(&m[1])?, &m[2])
    } else {
        let m = NUMBERS.captures(&value)?;
        let [first, second] = [1, 3].map(|n| m[n].parse::<u32>());
        let (first, second) = (first.ok()?, second.ok()?);
        if second > 12 && first <= 12 { day_of(&m[4], first, &m[3]) } else { day_of(&m[4], second, &m[1]) }
    }
}

/// Every day that a printed date can mean: with slashes or hyphens between numbers the month may come first, too.
#[must_use]
pub fn readings(value: &str) -> Vec<Day> {
    let first = calendar(value);
    let swapped = first.and_then(|(year, month, day)| {
        let m = NUMBERS.captures(value.trim())?;
        let numeric = !m[2].contains(['.', ' ']) && m[1].parse() == Ok(day) && m[3].parse() == Ok(month);
        (numeric && day <= 12 && day != month).then_some((year, day, month))
    });
    first.into_iter().chain(swapped).collect()
}

static NUMBERS: LazyLock<Regex> = pattern!(r"(\d{1,2})([-/. ])(\d{1,2})[-/. ](\d{2,4})");

fn day_of(year: &str, month: u32, day: &str) -> Option<Day> {
    let (year, day) = (year.parse::<u32>().ok()?, day.parse::<u32>().ok()?);
    let year = if year < 100 { year + 2000 } else { year };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (1..=longest).contains(&day).then_some((year, month, day))
}

/// The month whose name, or the beginning of it, the text begins with: English, German, French, Spanish, Malay.
fn month(text: &str) -> Option<u32> {
    const STEMS: [&[&str]; 12] = [
        &["jan", "ene", "jän"],
        &["feb", "fév"],
        &["mar", "mär", "mac"],
        &["apr", "avr", "abr"],
        &["may", "mai", "mei"],
        &["jun", "juin"],
        &["jul", "juil"],
        &["aug", "aoû", "ago", "ogo"],
        &["sep"],
        &["oct", "okt"],
        &["nov"],
        &["dec", "dez", "déc", "dic", "dis"],
    ];
    (1..).zip(STEMS).find(|(_, stems)| stems.iter().any(|stem| text.starts_with(stem))).map(|(number, _)| number)
}

/// How alike two texts are, 0 to 1: twice the length of what they share (the longest common piece, and so on to both
/// sides of it: Ratcliff and Obershelp) over the sum of their lengths.
#[must_use]
pub fn similarity(one: &str, other: &str) -> f64 {
    let (a, b): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    2.0 * shared(&a, &b) as f64 / (a.len() + b.len()) as f64
}

fn shared(a: &[char], b: &[char]) -> usize {
    let (mut best, mut at) = (0, (0, 0));
    let mut before = vec![0; b.len() + 1];
    for (i, one) in a.iter().enumerate() {
        let mut row = vec![0; b.len() + 1];
        for (j, other) in b.iter().enumerate() {
            if one == other {
                row[j + 1] = before[j] + 1;
                if row[j + 1] > best {
                    (best, at) = (row[j + 1], (i + 1 - row[j + 1], j + 1 - row[j + 1]));
                }
            }
        }
        before = row;
    }
    if best == 0 {
        return 0;
    }
    let (i, j) = at;
    shared(&a[..i], &b[..j]) + best + shared(&a[i + best..], &b[j + best..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_folded_and_punctuation_may_or_may_not_leave_a_space() {
        assert!(same_text("ＡＢＣ  Trading, Sdn.Bhd.", "abc trading sdn bhd"));
        assert!(same_text("L'Olivier", "LOLIVIER"));
        assert!(same_text("NO.5 JLN 7/2", "No 5, Jln 7 2."));
        assert!(!same_text("ABC TRADING", "ABCTRADING"));
    }

    #[test]
    fn amounts_whatever_the_separators() {
        for (text, cents) in [
            ("12.50", 1250),
            ("RM 1,234.56", 123_456),
            ("1.234,56 €", 123_456),
            ("1'234.50", 123_450),
            ("1 234,5", 123_450),
            ("1,234", 123_400),
            ("9", 900),
            ("-4,89", -489),
            ("4.89-", -489),
            ("(4.89)", -489),
            ("€-4.89", -489),
            ("5.", 500),
            (".50", 50),
            ("$ .50", 50),
            ("-,05", -5),
            ("Rs.500", 50_000),
            ("Fr. 1,234", 123_400),
            ("....5.00", 500),
        ] {
            assert_eq!(amount(text), Some(cents * 100), "{text}");
        }
        assert_eq!(amount("TOTAL"), None);
        assert_eq!(amount_with("KD 4.650", 3), Some(46_500));
        assert_eq!(amount_with("1,204.650", 3), Some(12_046_500));
        assert!(same_amount(125_000, 125_050) && !same_amount(125_000, 125_100));
    }

    #[test]
    fn quantities_have_one_number() {
        for (text, expected) in
            [("2", 20_000), ("2 x", 20_000), ("0,532 kg", 5_320), ("24.69 Ltr", 246_900), ("-2", -20_000)]
        {
            assert_eq!(quantity(text), Some(expected), "{text}");
        }
        assert_eq!(quantity("x"), None);
    }

    #[test]
    fn dates_day_first_where_both_are_possible() {
        for text in [
            "2025-03-12",
            "12/03/2025",
            "12.03.25",
            "12-3-2025 10:12",
            "12 MAR 2025",
            "12-Mar-25",
            "12. März 2025",
            "12 de marzo de 2025",
            "Mar 12, 2025",
            "12 mars 2025",
            "12 Mac 2025",
            "20250312",
        ] {
            assert_eq!(calendar(text), Some((2025, 3, 12)), "{text}");
        }
        assert_eq!(calendar("03/25/2025"), Some((2025, 3, 25)));
        assert_eq!(calendar("31/02/2025"), None);
        assert_eq!(calendar("29/02/2024"), Some((2024, 2, 29)));
        assert_eq!(calendar("5 juillet 2025"), Some((2025, 7, 5)));
        assert_eq!(calendar("5 juin 2025"), Some((2025, 6, 5)));
        assert_eq!(calendar("soon"), None);
        assert_eq!(readings("05/06/2025"), [(2025, 6, 5), (2025, 5, 6)]);
        assert_eq!(readings("25/06/2025"), [(2025, 6, 25)]);
        assert_eq!(readings("05.06.2025"), [(2025, 6, 5)]);
    }

    #[test]
    fn similarity_is_that_of_ratcliff_and_obershelp() {
        // python3 -c 'import difflib; print(difflib.SequenceMatcher(None, "WIKIMEDIA", "WIKIMANIA").ratio())'
        assert!((similarity("WIKIMEDIA", "WIKIMANIA") - 14.0 / 18.0).abs() < 1e-9);
        assert!((similarity("abc", "abc") - 1.0).abs() < 1e-9);
        assert!(similarity("abc", "xyz").abs() < 1e-9);
        assert!((similarity("", "") - 1.0).abs() < 1e-9);
    }
}
