//! How to reach the issuer: telephone and web address.

use std::sync::LazyLock;

use regex::Regex;

use crate::extract::confidence::{Evidence, sure};
use crate::extract::words::{fold, letters_and_digits, says_any};
use crate::extract::{Field, Kind, Text};
use crate::layout::Layout;

static LABELLED_PHONE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?ix)
        (?:^|[^a-z])
        (?P<label>(?:customer\s+(?:service|care)\s+)?(?:tel(?:\.?/fax|efon|ephone|efono|éfono|éphone|ekom|p|efax)?|te1|phone|ph|mobile|mobil|hp|h/p|fon|tlf|tél(?:éphone)?|tfno|tlfno|no\.?\s*tel|hotline|call|☎|t))
        \s*(?:no\b\.?|nr\b\.?|\#)?[:.\#\s]*
        (?P<number>\(?\+?\(?\d[\d\s()./\-–]{4,18}\d)")
        .expect("a constant pattern")
});
/// A number that is written as nothing but a telephone number is.
static PLAIN_PHONE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?P<number>\+\d{1,3}[\d\s()./-]{6,15}\d|\(0?\d{2,4}\)\s?\d{3,4}[\s-]?\d{3,5}|\(?[2-9]\d{2}[)\s.-]{1,2}\d{3}[\s.-]\d{4}|0\d{1,4}[\s/-]\d{3,8}(?:[\s-]\d{2,4}){0,3})$")
        .expect("a constant pattern")
});
static URL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:https?\s?:\s?//\s?\S+|\bwww\s?[.,]\s?[a-z0-9-]+(?:\.[a-z0-9-]+)+(?:/\S*)?|(?:^|[\s:])(?P<bare>[a-z0-9][a-z0-9-]+(?:\.[a-z0-9-]{2,})*\.(?:com|net|org|eu|de|at|ch|fr|be|lu|es|it|nl|uk|ie|my|sg|us|ca|au|nz|jp|io|shop|store|cafe|info)(?:\.[a-z]{2})?)(?:$|[\s/]))")
        .expect("a constant pattern")
});
const FAX: &[&str] = &["fax", "telefax", "faks"];
/// A telephone that is not the issuer's.
const OTHERS: &[&str] = &["customer name", "cust", "member", "bill to", "ship to", "guest", "kunde", "client", "ship"];

/// The telephone number: one that is said to be it, else one that stands alone in the head.
pub(super) fn phone(layout: &Layout<'_>) -> Option<Field> {
    let rows = layout.rows.len();
    (0..rows).find_map(|n| labelled_phone(layout, n)).or_else(|| (0..rows.min(10)).find_map(|n| plain_phone(layout, n)))
}

fn labelled_phone(layout: &Layout<'_>, n: usize) -> Option<Field> {
    let row = layout.row_text(n);
    if says_any(&fold(&row.text), OTHERS) {
        return None;
    }
    let hit = LABELLED_PHONE.captures_iter(&row.text).find(|hit| is_phone_number(&hit["number"]))?;
    let (label, number) = (hit.name("label")?, hit.name("number")?);
    // `Fax` first, then the telephone without a word of its own, is no telephone.
    if says_any(&fold(&row.text[..label.start()]), FAX) && says_any(&fold(label.as_str()), FAX) {
        return None;
    }
    let value = Text::of(row.part(number.start(), number.start() + one_number(number.as_str()))?);
    let confidence = sure(Evidence::Labelled, value.confidence);
    Some(Field {
        kind: Kind::VendorPhone,
        confidence,
        label: row.part(label.start(), label.end()).map(Text::of),
        value,
    })
}

fn plain_phone(layout: &Layout<'_>, n: usize) -> Option<Field> {
    layout.lines(n).find_map(|line| {
        let hit = PLAIN_PHONE.captures(line.text.trim())?;
        is_phone_number(&hit["number"]).then(|| {
            let value = Text::whole(line);
            Field { kind: Kind::VendorPhone, confidence: sure(Evidence::Shape, value.confidence), label: None, value }
        })
    })
}

fn is_phone_number(text: &str) -> bool {
    (6..=15).contains(&letters_and_digits(&text[..one_number(text)]).1)
}

/// The bytes of the first of two numbers: `03-1234567 / 03-7654321`, or of the one there is.
fn one_number(text: &str) -> usize {
    let cut = [" / ", " /", "/ ", "  "].iter().filter_map(|gap| text.find(gap)).min().unwrap_or(text.len());
    let (first, whole) = (&text[..cut], text.len());
    // `0711 / 123456` is one number with its area code apart.
    if letters_and_digits(first).1 >= 6 { first.trim_end().len() } else { whole }
}

/// The web address.
pub(super) fn url(layout: &Layout<'_>) -> Option<Field> {
    (0..layout.rows.len()).find_map(|n| {
        layout.lines(n).find_map(|line| {
            if line.text.contains('@') {
                return None;
            }
            let hit = URL.captures(&line.text)?;
            let found = hit.name("bare").or_else(|| hit.get(0))?;
            let from = line.text[..found.start()].chars().count();
            let length = found.as_str().trim_end_matches(['.', ',', ')']).chars().count();
            let value = Text::part(line, from, from + length);
            let confidence = sure(Evidence::Labelled, value.confidence);
            Some(Field { kind: Kind::VendorUrl, confidence, label: None, value })
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Page, Quad, TextLine};

    fn page(rows: &[&str]) -> Page {
        let line = |(n, text): (usize, &&str)| {
            let top = n as f32 * 30.0;
            TextLine::new(*text, 0.98, Quad::upright(10.0, top, 10.0 + 10.0 * text.len() as f32, top + 22.0))
        };
        Page::new(500.0, 600.0, rows.iter().enumerate().map(line).collect())
    }

    fn read(rows: &[&str], find: fn(&Layout<'_>) -> Option<Field>) -> Option<String> {
        let page = page(rows);
        find(&Layout::new(&page)).map(|f| f.value.text)
    }

    #[test]
    fn telephone_numbers() {
        for (row, expected) in [
            ("Tel. 0761 445566", "0761 445566"),
            ("TEL: 03-8076 3535 FAX: 03-8076 3536", "03-8076 3535"),
            ("Tel : 0711 / 123456", "0711 / 123456"),
            ("Tel 03-33411234 / 03-33415678", "03-33411234"),
            ("Tél. +33 4 78 00 11 22", "+33 4 78 00 11 22"),
            ("Phone (555) 010-4477", "(555) 010-4477"),
            ("800-532-2918", "800-532-2918"),
            ("+41 31 555 01 02", "+41 31 555 01 02"),
        ] {
            assert_eq!(read(&[row], phone).as_deref(), Some(expected), "{row}");
        }
    }

    #[test]
    fn what_is_no_telephone() {
        for row in [
            "Fax: 03-8076 3536",
            "Hotel 12345 678",
            "12.03.2025 19:30",
            "4243 1234 5678 9012",
            "Customer Tel: 03-80763535 Cust",
        ] {
            assert_eq!(read(&[row], phone), None, "{row}");
        }
    }

    #[test]
    fn web_addresses() {
        assert_eq!(read(&["www.hofladen-sonne.de"], url).as_deref(), Some("www.hofladen-sonne.de"));
        assert_eq!(read(&["Web: cafe-luna.fr"], url).as_deref(), Some("cafe-luna.fr"));
        assert_eq!(read(&["info@hofladen-sonne.de"], url), None);
        assert_eq!(read(&["TOTAL 12.50"], url), None);
    }
}
