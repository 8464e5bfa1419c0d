//! The day a receipt was printed.

use std::sync::LazyLock;

use regex::Regex;

use super::words::{fold, says_any};
use super::{Field, Kind, Text, confidence};
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

// The months in English, German, French, Spanish, Malay, Italian, Portuguese, Dutch, Swedish, Danish, Polish and Czech,
// then their abbreviations, mostly without accents: only whole names, since `Marlboro` begins with a month too.
const MONTHS: &str = "january|february|march|april|may|june|july|august|september|october|november|december|\
              januar|februar|marz|maerz|mai|juni|juli|oktober|dezember|\
              janvier|fevrier|mars|avril|juin|juillet|aout|septembre|octobre|novembre|decembre|\
              enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|setiembre|octubre|noviembre|diciembre|\
              januari|februari|mac|mei|julai|ogos|disember|\
              gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|\
              janeiro|fevereiro|março|marco|maio|junho|julho|setembro|outubro|novembro|dezembro|\
              maart|augustus|maj|augusti|marts|\
              stycznia|lutego|marca|kwietnia|maja|czerwca|lipca|sierpnia|września|wrzesnia|października|pazdziernika|listopada|grudnia|\
              ledna|února|unora|března|brezna|dubna|května|kvetna|června|cervna|července|cervence|srpna|září|zari|října|rijna|listopadu|prosince|\
              janv|fevr|juil|sept|\
              jan|gen|ene|sty|led|feb|fev|lut|mar|mrz|mrt|apr|avr|abr|kwi|jun|giu|cze|jul|lug|lip|aug|ago|sie|sep|set|wrz|oct|okt|ott|out|paz|nov|lis|dec|dez|dic|dis|gru|des";

static NUMERIC: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?P<a>\d{4}|\d{1,2})\s?(?P<s>[-/.])\s?(?P<b>\d{1,2})\s?(?P<s2>[-/.])\s?'?(?P<c>20\d{2}|19\d{2}|\d{2})")
        .expect("a constant pattern")
});
static DAY_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s?[-/. ]?\s?(?:de |of )?(?P<m>{MONTHS})\.?\s?[-/., ]?\s?(?:de )?'?(?P<y>20\d{{2}}|\d{{2}})"
    ))
    .expect("a constant pattern")
});
static MONTH_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?i)\b(?P<m>{MONTHS})\.?[-/ ]?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[-/, ]+'?(?P<y>20\d{{2}}|\d{{2}})"
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
/// Words beside the day by which to pay, folded.
const DUE: &[&str] = &[
    "due",
    "due date",
    "payment due",
    "pay by",
    "payable by",
    "fallig",
    "faellig",
    "fallig am",
    "falligkeit",
    "zahlbar bis",
    "zahlungsziel",
    "echeance",
    "date d echeance",
    "d echeance",
    "a regler avant",
    "vencimiento",
    "fecha de vencimiento",
    "scadenza",
    "vervaldatum",
    "akhir bayaran",
    "tarikh akhir",
];
const OTHER_DAYS: &[&str] = &[
    "please pay by",
    "zahlbar",
    "falligkeit",
    "regler avant",
    "akhir",
    "abreise",
    "anreise",
    "arrival",
    "departure",
    "check in",
    "check out",
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
        // A number that belongs to something else may hide the date behind it: `OP 11- 06/11/2022`.
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
    // `OP #07-23/09/2021` is a date behind a dash, `1-23-09-2021` is none.
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
        // `1 DEC 12oz` is a size; only the time of ISO 8601 has a letter in front.
        Some(c)
            if hit.name("m").is_some_and(|m| !m.as_str().starts_with(|c: char| c.is_ascii_digit()))
                && c.is_alphabetic()
                && !(c == 'T' && rest.clone().next().is_some_and(|c| c.is_ascii_digit())) =>
        {
            return;
        }
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

/// Whether day or month stands first in a date of digits alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `31/12/2025`
    DayFirst,
    /// `12/31/2025`
    MonthFirst,
    /// Nothing on the receipt tells.
    Open,
}

/// How dates of digits alone are to be read on this page: any date that can be read in one way only decides, else the
/// currency's country. Nothing else is asked: where this leaves it open, a person has to.
#[must_use]
pub fn order<'a>(texts: impl IntoIterator<Item = &'a str>, currency: Option<&str>) -> Order {
    let (mut day, mut month) = (0, 0);
    for date in texts.into_iter().flat_map(find) {
        if let Some((a, b)) = digits(&date.text) {
            day += u32::from(a > 12 && b <= 12);
            month += u32::from(b > 12 && a <= 12);
        }
    }
    match (day, month, currency) {
        (1.., 0, _) => Order::DayFirst,
        (0, 1.., _) | (0, 0, Some("USD")) => Order::MonthFirst,
        // Canadians write both.
        (0, 0, Some(code)) if code != "CAD" => Order::DayFirst,
        _ => Order::Open,
    }
}

/// The two numbers in front of the year, if both are digits and the year does not stand first.
fn digits(date: &str) -> Option<(u32, u32)> {
    let hit = NUMERIC.captures(date)?;
    (hit["a"].len() <= 2).then(|| Some((hit["a"].parse().ok()?, hit["b"].parse().ok()?)))?
}

/// Whether a date can be read as two days: `05/03/2025` where nothing tells which number is the month. Points stand
/// between day and month only where the day comes first.
#[must_use]
pub fn is_ambiguous(date: &str, order: Order) -> bool {
    let open = |(a, b): (u32, u32)| a <= 12 && b <= 12 && a != b;
    order == Order::Open && !date.contains('.') && digits(date).is_some_and(open)
}

/// What is seen of a date.
struct Candidate {
    score: f32,
    field: Field,
}

/// The most likely date of the receipt, and the day by which to pay. The text stays as printed, since an answer has no
/// place to say how it is read; a date that can be read as two days is sure by less than a half.
pub(super) fn fields(layout: &Layout<'_>, currency: Option<&str>) -> Vec<Field> {
    let order = order(layout.page.lines.iter().map(|l| l.text.as_str()), currency);
    let mut found: Vec<Field> = Vec::new();
    let best = (0..layout.rows.len())
        .flat_map(|n| candidates(layout, n))
        .reduce(|best, next| if next.score > best.score { next } else { best });
    if let Some(Candidate { score, mut field }) = best {
        field.confidence = confidence::date(score, field.value.confidence, is_ambiguous(&field.value.text, order));
        found.push(field);
    }
    found.extend((0..layout.rows.len()).find_map(|n| due(layout, n, order)));
    found
}

fn candidates(layout: &Layout<'_>, n: usize) -> Vec<Candidate> {
    let row = fold(&layout.text(n));
    let above = if n > 0 { fold(&layout.text(n - 1)) } else { String::new() };
    let mut found = Vec::new();
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
            let label = layout
                .lines(n)
                .find(|l| says_any(&fold(&l.text), LABELS) && find(&l.text).is_empty())
                .map(Text::whole)
                .or_else(|| label_before(line, date.start));
            let mut value = Text::part(line, date.start, date.end);
            value.text = repaired(&value.text);
            found.push(Candidate { score, field: Field { kind: Kind::Date, confidence: 0.0, label, value } });
        }
    }
    found
}

/// The label in front of a date in the same line.
fn label_before(line: &crate::page::TextLine, start: usize) -> Option<Text> {
    let words: String = line.text.chars().take(start).collect();
    let length = words.trim_end().chars().count();
    says_any(&fold(&words), LABELS).then(|| Text::part(line, 0, length))
}

/// A separator that the recogniser lost: `14May/2017`.
fn repaired(date: &str) -> String {
    static LOST: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?P<d>\d{1,2})(?P<m>[A-Za-z]{3,9})(?P<s>[-/.])(?P<y>\d{2,4})$").expect("a constant pattern")
    });
    LOST.replace(date, "${d}${s}${m}${s}${y}").into_owned()
}

/// The day by which to pay, if the row says so.
fn due(layout: &Layout<'_>, n: usize, order: Order) -> Option<Field> {
    let row = layout.row_text(n);
    if !says_any(&fold(&row.text), DUE) {
        return None;
    }
    layout.lines(n).find_map(|line| {
        let date = find(&line.text).pop()?;
        let value = Text::part(line, date.start, date.end);
        let label = layout.lines(n).find(|l| says_any(&fold(&l.text), DUE)).map(|l| {
            let own = find(&l.text).first().map_or(usize::MAX, |d| d.start);
            Text::part(l, 0, l.text.chars().take(own).collect::<String>().trim_end().chars().count())
        });
        let ambiguous = is_ambiguous(&value.text, order);
        let confidence = confidence::date(16.0, value.confidence, ambiguous);
        Some(Field { kind: Kind::DueDate, confidence, label, value })
    })
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
            ("4 Disember 2023", "4 Disember 2023"),
            ("Sept. 9, 2024", "Sept. 9, 2024"),
            ("18 Okt. 2024", "18 Okt. 2024"),
            ("20240131", "20240131"),
            ("27032018", "27032018"),
            ("TILL #4 -OP #07-23/09/2021 08:15:40", "23/09/2021"),
            ("TILL #8 -OP #11- 06/11/2022 17:48:02", "06/11/2022"),
        ] {
            assert_eq!(texts(text), [expected], "{text}");
        }
    }

    #[test]
    fn another_date_or_the_country_tells_which_number_is_the_day() {
        assert_eq!(order(["05/03/2025", "Exit 14/03/2025"], None), Order::DayFirst);
        assert_eq!(order(["05/03/2025", "due 03/25/2025"], Some("MYR")), Order::MonthFirst);
        assert_eq!(order(["05/03/2025"], Some("USD")), Order::MonthFirst);
        assert_eq!(order(["05/03/2025"], Some("MYR")), Order::DayFirst);
        assert_eq!(order(["05/03/2025"], Some("CAD")), Order::Open);
        assert_eq!(order(["05/03/2025"], None), Order::Open);
    }

    #[test]
    fn only_a_date_with_two_readings_is_ambiguous() {
        assert!(is_ambiguous("05/03/2025", Order::Open));
        for date in ["05/05/2025", "25/03/2025", "2025-03-05", "5 Mar 2025", "05.03.2025"] {
            assert!(!is_ambiguous(date, Order::Open), "{date}");
        }
        assert!(!is_ambiguous("05/03/2025", Order::DayFirst));
    }

    #[test]
    fn a_lost_separator_is_put_back() {
        assert_eq!(repaired("14May/2017"), "14/May/2017");
        assert_eq!(repaired("14 May 2017"), "14 May 2017");
    }

    #[test]
    fn what_is_no_date() {
        for text in [
            "03-55423228",
            "192.168.10.12",
            "45/13/2018",
            "1.234,56",
            "No. 12-34",
            "60-30-20",
            "2 DESPERADOS 33cl",
            "1 PROSECCO 75cl",
            "1 DECAF 12oz",
            "2 MARS 45g",
            "1 Marlboro 20",
            "1 DEC 12oz",
        ] {
            assert!(texts(text).is_empty(), "{text}: {:?}", texts(text));
        }
    }
}
