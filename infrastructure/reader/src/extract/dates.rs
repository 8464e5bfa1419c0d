//! The day a receipt was printed.

use std::sync::LazyLock;

use regex::Regex;

use super::words::{fold, says_any};
use super::{Field, Kind, Text};
use crate::layout::Layout;

/// A date found in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Date {
    /// As printed, without the time.
    pub text: String,
    /// Where it starts, in characters.
    pub start: usize,
    /// Where it ends, in characters.
    pub end: usize,
    /// Whether the year has four digits or the month is a word.
    pub clear: bool,
}

// The first letters of the months in English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Swedish,
// Danish, Czech and Malay, without accents.
const MONTHS: &str = "jan|gen|ene|sty|led|feb|fev|lut|uno|mar|mrz|maerz|mac|brez|apr|avr|abr|kwi|dub|mai|may|mei|maj|mag|kve|jun|juin|giu|cze|cer|jul|juil|lug|lip|aug|aou|ago|aout|sie|ogos|sep|set|wrz|zar|oct|okt|ott|out|paz|rij|nov|lis|dec|dez|dic|dis|gru|des|pro";

static NUMERIC: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?P<a>\d{4}|\d{1,2})\s?(?P<s>[-/.])\s?(?P<b>\d{1,2})\s?(?P<s2>[-/.])\s?'?(?P<c>20\d{2}|19\d{2}|\d{2})")
        .expect("a constant pattern")
});
static DAY_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s?[-/. ]?\s?(?:de |of )?(?P<m>{MONTHS})[a-zçûé]*\.?\s?[-/., ]?\s?(?:de )?'?(?P<y>20\d{{2}}|\d{{2}})"
    ))
    .expect("a constant pattern")
});
static MONTH_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)\b(?P<m>{MONTHS})[a-z]*\.?[-/ ]?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[-/, ]+'?(?P<y>20\d{{2}}|\d{{2}})"
    ))
    .expect("a constant pattern")
});
static COMPACT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(?P<y>20[0-4]\d)(?P<m>0[1-9]|1[0-2])(?P<d>0[1-9]|[12]\d|3[01])\b").expect("a constant pattern")
});
static COMPACT_DAY_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?P<d>0[1-9]|[12]\d|3[01])(?P<m>0[1-9]|1[0-2])(?P<y>20[0-4]\d)$").expect("a constant pattern")
});
static TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b\d{1,2}[:.]\d{2}(:\d{2})?\b").expect("a constant pattern"));

static CLOCK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|[^\d:])(?:[01]?\d|2[0-3]):[0-5]\d(?:$|[^\d])").expect("a constant pattern"));

/// Whether a text has a time of day in it.
pub(super) fn has_time(text: &str) -> bool {
    CLOCK.is_match(text)
}

const LABELS: &[&str] = &[
    "date",
    "datum",
    "data",
    "fecha",
    "dato",
    "dt",
    "tarikh",
    "pvm",
    "kelt",
    "ημερομηνια",
    "time",
    "uhrzeit",
    "issued",
    "date time",
    "bill date",
    "invoice date",
    "rechnungsdatum",
    "belegdatum",
];
const OTHER_DAYS: &[&str] = &[
    "due",
    "due date",
    "exp",
    "expiry",
    "expires",
    "valid",
    "until",
    "faellig",
    "fallig",
    "gultig",
    "bis",
    "echeance",
    "scadenza",
    "vencimiento",
    "vervaldatum",
    "birth",
    "dob",
    "delivery",
    "lieferdatum",
    "best before",
    "member since",
    "exchange",
    "return",
    "before",
    "from",
    "since",
    "seit",
    "permit",
    "approved",
];

/// Every date in a text, from left to right.
#[must_use]
pub fn find(text: &str) -> Vec<Date> {
    let folded: String = text
        .chars()
        .map(|c| match c {
            'é' | 'è' => 'e',
            'û' | 'ü' => 'u',
            'ä' => 'a',
            'ź' => 'z',
            c => c,
        })
        .collect();
    let mut found: Vec<Date> = Vec::new();
    let mut from = 0;
    while let Some(hit) = NUMERIC.captures_at(&folded, from) {
        // A number that belongs to something else may hide the date behind it: `REG 19- 24/07/2016`.
        from = hit.name("a").map_or(folded.len(), |a| a.end());
        let number = |name: &str| hit[name].parse::<u32>().unwrap_or(0);
        let (a, b, c) = (number("a"), number("b"), number("c"));
        let year_first = hit["a"].len() == 4;
        let plausible = if year_first {
            hit["c"].len() <= 2 && day_and_month(c, b) && (1990..2100).contains(&a)
        } else {
            day_and_month(a, b) || day_and_month(b, a)
        };
        if plausible && hit["s"] == hit["s2"] {
            push(&mut found, text, &folded, &hit, year_first || hit["c"].len() == 4);
        }
    }
    for pattern in [&*DAY_FIRST, &*MONTH_FIRST, &*COMPACT, &*COMPACT_DAY_FIRST] {
        for hit in pattern.captures_iter(&folded) {
            if (1..=31).contains(&hit["d"].parse::<u32>().unwrap_or(0)) {
                push(&mut found, text, &folded, &hit, true);
            }
        }
    }
    found.sort_by_key(|d| d.start);
    found
}

fn day_and_month(day: u32, month: u32) -> bool {
    (1..=31).contains(&day) && (1..=12).contains(&month)
}

fn push(found: &mut Vec<Date>, text: &str, folded: &str, hit: &regex::Captures<'_>, clear: bool) {
    let Some(whole) = hit.get(0) else { return };
    let before = folded[..whole.start()].chars().next_back();
    // `REG #19-18/01/2018` is a date behind a dash, `1-18-01-2018` is none.
    let separator = hit.name("s").map(|m| m.as_str());
    let dash = before == Some('-') && separator.is_some_and(|s| s != "-");
    if !dash && before.is_some_and(|c| c.is_ascii_digit() || matches!(c, '.' | '/' | '-' | '+')) {
        return;
    }
    // A time may stick to the year; any other digit means that this is no date.
    let after = &folded[whole.end()..];
    let glued_time = TIME.find(after).is_some_and(|m| m.start() == 0);
    let mut rest = after.chars();
    match rest.next() {
        Some(c) if c.is_ascii_digit() && !glued_time => return,
        Some('.' | '-' | '/') if rest.next().is_some_and(|c| c.is_ascii_digit()) => return,
        _ => {}
    }
    let start = folded[..whole.start()].chars().count();
    let end = start + whole.as_str().trim_end().chars().count();
    if found.iter().any(|d| d.start < end && start < d.end) {
        return;
    }
    found.push(Date { text: text.chars().skip(start).take(end - start).collect(), start, end, clear });
}

/// The most likely date of the receipt.
pub(super) fn field(layout: &Layout<'_>) -> Option<Field> {
    let mut best: Option<(f32, Field)> = None;
    for n in 0..layout.rows.len() {
        let row = fold(&layout.text(n));
        let above = if n > 0 { fold(&layout.text(n - 1)) } else { String::new() };
        for line in layout.lines(n) {
            for date in find(&line.text) {
                let own = fold(&line.text.chars().take(date.start).collect::<String>());
                let mut score = 10.0 - 3.0 * n as f32 / layout.rows.len() as f32;
                let labelled = says_any(&row, LABELS);
                score += if labelled { 6.0 } else { 0.0 };
                score += if !labelled && says_any(&above, LABELS) { 2.0 } else { 0.0 };
                score += if TIME.is_match(&layout.text(n).replace(&date.text, " ")) { 3.0 } else { 0.0 };
                score += if date.clear { 2.0 } else { 0.0 };
                score -= if says_any(&own, OTHER_DAYS) || says_any(&row, OTHER_DAYS) { 9.0 } else { 0.0 };
                score += line.confidence;
                if best.as_ref().is_none_or(|(most, _)| score > *most) {
                    let label = layout
                        .lines(n)
                        .find(|l| says_any(&fold(&l.text), LABELS) && find(&l.text).is_empty())
                        .map(Text::whole);
                    best = Some((
                        score,
                        Field {
                            kind: Kind::Date,
                            confidence: line.confidence * if score > 12.0 { 0.98 } else { 0.85 },
                            label,
                            value: Text::part(line, date.start, date.end),
                        },
                    ));
                }
            }
        }
    }
    best.map(|(_, field)| field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        find(text).into_iter().map(|d| d.text).collect()
    }

    #[test]
    fn styles() {
        for (text, expected) in [
            ("Date: 25/12/2018 8:13:39 PM", "25/12/2018"),
            ("12.03.2025", "12.03.2025"),
            ("28-04-18 15:40 SH01", "28-04-18"),
            ("2016/05/01", "2016/05/01"),
            ("2025-03-12T10:00", "2025-03-12"),
            ("12 MAR 25", "12 MAR 25"),
            ("10 OCT 2017", "10 OCT 2017"),
            ("14/JUN/2017", "14/JUN/2017"),
            ("05-AUG-2017", "05-AUG-2017"),
            ("March 5, 2024", "March 5, 2024"),
            ("3. März 2024", "3. März 2024"),
            ("12 décembre 2023", "12 décembre 2023"),
            ("7 de marzo de 2024", "7 de marzo de 2024"),
            ("21/03/201814:23", "21/03/2018"),
            ("01.02.24", "01.02.24"),
            ("20240131", "20240131"),
            ("27032018", "27032018"),
            ("ORD #50 -REG #19-18/01/2018 10:27:03", "18/01/2018"),
            ("ORD #95 -REG #19- 24/07/2016 14:21:51", "24/07/2016"),
        ] {
            assert_eq!(texts(text), [expected], "{text}");
        }
    }

    #[test]
    fn what_is_no_date() {
        for text in ["03-55423228", "192.168.10.12", "45/13/2018", "1.234,56", "No. 12-34", "60-30-20"] {
            assert!(texts(text).is_empty(), "{text}: {:?}", texts(text));
        }
    }
}
