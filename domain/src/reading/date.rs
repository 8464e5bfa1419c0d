//! What a printed date means.

use jiff::{ToSpan as _, civil::Date};

/// How the numbers of a date stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// Only one order is possible: a named month, a four-digit year in front.
    Certain,
    /// `12/03/2026` is 12 March.
    DayFirst,
    /// `12/03/2026` is 3 December.
    MonthFirst,
    /// `26/03/12` is 12 March 2026.
    YearFirst,
}

/// Every date that a printed text can mean, none after `latest`. Separators, names of months and impossible numbers
/// decide; what they leave open is answered with every order that is possible.
pub fn readings(text: &str, latest: Date) -> Vec<(Date, Order)> {
    let parts = parts(text);
    let found = parts.windows(3).find_map(|window| {
        let [a, b, c] = window else { return None };
        Some(of_parts(a, b, c, latest)).filter(|found| !found.is_empty())
    });
    found.or_else(|| compact(&parts, latest)).unwrap_or_default()
}

fn of_parts(a: &Part, b: &Part, c: &Part, latest: Date) -> Vec<(Date, Order)> {
    let make = |year: Option<i16>, month: Option<i8>, day: Option<i8>| {
        Date::new(year?, month?, day?).ok().filter(|date| *date <= latest)
    };
    let certain = |date: Option<Date>| date.into_iter().map(|date| (date, Order::Certain)).collect();
    if a.text.len() == 4 && a.year().is_some() {
        return certain(make(a.year(), b.number().or_else(|| b.month()), c.number()));
    }
    if let Some(month) = b.month() {
        return certain(make(c.year(), Some(month), a.number()));
    }
    // `Mar. 12/05/26` is a Tuesday: no year is followed by what parts the numbers of a date.
    if let Some(month) = a.month()
        && (c.text.len() == 4 || !matches!(b.after, '/' | '.' | '-'))
    {
        return certain(make(c.year(), Some(month), b.number()));
    }
    let day_first = make(c.year(), b.number(), a.number()).map(|date| (date, Order::DayFirst));
    if let (Some((date, _)), '.') = (day_first, a.after) {
        // 12.03.2026: wherever dots separate, the day stands first.
        return certain(Some(date));
    }
    let month_first = make(c.year(), a.number(), b.number()).map(|date| (date, Order::MonthFirst));
    let mut found: Vec<_> = day_first.into_iter().chain(month_first).collect();
    if found.len() == 2 && found[0].0 == found[1].0 {
        found = vec![(found[0].0, Order::Certain)];
    }
    // With two digits each, the year may stand first. Receipts are claimed soon: a recent year speaks for it, and
    // against orders that make the receipt old.
    let recent = |date: &Date| latest.checked_sub(2.years()).is_ok_and(|earliest| *date >= earliest);
    if a.text.len() == 2 && c.text.len() <= 2 && !found.iter().any(|(date, _)| recent(date)) {
        let year_first = make(a.year(), b.number(), c.number()).filter(recent);
        if let Some(date) = year_first {
            return vec![(date, Order::YearFirst)];
        }
    }
    found
}

/// 20260312, as some tills print it.
fn compact(parts: &[Part], latest: Date) -> Option<Vec<(Date, Order)>> {
    let text = &parts.iter().find(|part| part.text.len() == 8 && part.number_text().is_some())?.text;
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
    let small = |from, to| number(from, to).and_then(|number| i8::try_from(number).ok());
    let year = number(0, 4).filter(|year| (1990..2100).contains(year))?;
    let date = Date::new(year, small(4, 6)?, small(6, 8)?).ok().filter(|date| *date <= latest)?;
    Some(vec![(date, Order::Certain)])
}

/// A run of digits or letters.
#[derive(Debug)]
struct Part {
    text: String,
    /// The character that follows it; a blank where none does.
    after: char,
}

impl Part {
    fn number_text(&self) -> Option<&str> {
        self.text.bytes().all(|b| b.is_ascii_digit()).then_some(self.text.as_str())
    }

    fn number(&self) -> Option<i8> {
        self.number_text()?.parse().ok()
    }

    fn year(&self) -> Option<i16> {
        let year: i16 = self.number_text()?.parse().ok()?;
        match self.text.len() {
            2 => Some(2000 + year),
            4 if (1990..2100).contains(&year) => Some(year),
            _ => None,
        }
    }

    fn month(&self) -> Option<i8> {
        let word = self.text.to_lowercase();
        let letters = word.chars().count();
        // A name or how it is shortened, and no word that merely begins alike: `mardi` is a day.
        let named = |names: &[&str]| {
            names.iter().any(|name| *name == word || ((3..=4).contains(&letters) && name.starts_with(&word)))
        };
        let found = MONTHS.iter().zip(1i8..).filter(|(names, _)| named(names)).map(|(_, number)| number);
        // `jui` is none: juin or juillet.
        let found: Vec<i8> = found.collect();
        let [month] = found.as_slice() else { return None };
        Some(*month)
    }
}

/// The digits and words of a text, without times of day.
fn parts(text: &str) -> Vec<Part> {
    let is_time = |word: &&str| {
        let clock = word.trim_end_matches(['a', 'p', 'm', 'A', 'P', 'M', '.']);
        clock.contains(':') && clock.chars().all(|c| c.is_ascii_digit() || c == ':')
    };
    let mut parts: Vec<Part> = Vec::new();
    for word in text.split_whitespace().filter(|word| !is_time(word)) {
        let mut previous = None;
        for c in word.chars() {
            let kind = (c.is_ascii_digit(), c.is_alphabetic());
            match parts.last_mut() {
                Some(last) if previous == Some(kind) && kind != (false, false) => last.text.push(c),
                Some(last) if kind == (false, false) => last.after = if last.after == ' ' { c } else { last.after },
                _ if kind != (false, false) => parts.push(Part { text: c.to_string(), after: ' ' }),
                _ => {}
            }
            previous = Some(kind);
        }
    }
    parts
}

/// The months' names and what they are shortened to, in English, German, French, Spanish and Malay.
const MONTHS: [&[&str]; 12] = [
    &["january", "januar", "jänner", "janvier", "enero", "januari"],
    &["february", "februar", "feber", "février", "fevrier", "febrero", "februari"],
    &["march", "märz", "maerz", "mrz", "mars", "marzo", "mac"],
    &["april", "avril", "abril"],
    &["may", "mai", "mayo", "mei"],
    &["june", "juni", "juin", "junio", "jun"],
    &["july", "juli", "juillet", "julio", "julai", "jul"],
    &["august", "août", "aout", "agosto", "ogos"],
    &["september", "septembre", "septiembre", "sept"],
    &["october", "oktober", "octobre", "octubre"],
    &["november", "novembre", "noviembre"],
    &["december", "dezember", "décembre", "decembre", "diciembre", "disember"],
];

#[cfg(test)]
mod tests {
    use jiff::civil::date as day;

    use super::*;

    fn latest() -> Date {
        day(2026, 11, 22)
    }

    #[test]
    fn printed_dates_with_one_meaning() {
        for (text, expected) in [
            ("12.03.2026", day(2026, 3, 12)),
            ("12.03.26", day(2026, 3, 12)),
            ("03/28/2026", day(2026, 3, 28)),
            ("28/03/2026", day(2026, 3, 28)),
            ("05/05/2026", day(2026, 5, 5)),
            ("2026-03-12", day(2026, 3, 12)),
            ("2026/3/2", day(2026, 3, 2)),
            ("12 MAR 25", day(2025, 3, 12)),
            ("Mar 12, 2025", day(2025, 3, 12)),
            ("Thursday, 26 March 2020", day(2020, 3, 26)),
            ("12. März 2026", day(2026, 3, 12)),
            ("3 juin 2026", day(2026, 6, 3)),
            ("3 juillet 2026", day(2026, 7, 3)),
            ("3 ogos 2026", day(2026, 8, 3)),
            ("20260312", day(2026, 3, 12)),
            ("DATE: 13/03/26 14:05:11", day(2026, 3, 13)),
            ("14:05 13/03/26", day(2026, 3, 13)),
            ("12MAR2026", day(2026, 3, 12)),
            ("26/03/12", day(2026, 3, 12)),
            ("mardi 13/03/2026", day(2026, 3, 13)),
            ("mar. 13/05/26", day(2026, 5, 13)),
            ("OUT 13/03/26", day(2026, 3, 13)),
            ("10:05:12AM 13/03/2026", day(2026, 3, 13)),
            ("4 Sept. 2026", day(2026, 9, 4)),
            // 3 December 2026 is still to come.
            ("12/03/2026", day(2026, 3, 12)),
        ] {
            let found: Vec<Date> = readings(text, latest()).into_iter().map(|(date, _)| date).collect();
            assert_eq!(found, [expected], "{text}");
        }
        for text in ["", "31.02.2026", "12.03.2027", "12:03:20", "1.2", "hello 2026", "4711/0815/1234567"] {
            assert_eq!(readings(text, latest()), [], "{text}");
        }
    }

    #[test]
    fn printed_dates_with_two_meanings() {
        let found = readings("03/04/2026", latest());
        assert_eq!(found, [(day(2026, 4, 3), Order::DayFirst), (day(2026, 3, 4), Order::MonthFirst)]);
    }
}
