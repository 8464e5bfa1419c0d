//! Where the issuer is: which rows of the head are an address, and where it ends.

use std::sync::LazyLock;

use regex::Regex;

use super::HeadRow;
use super::name::has_form;
use super::name::may_be_name;
use super::regions::is_region;
use super::vocabulary::{NOT_NAMES, PLACES, STOPS};
use crate::extract::dates;
use crate::extract::words::{fold, letters_and_digits, says_any};

static POSTCODE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:^|[\s,.-])(?:[A-Z]{1,2}-)?(?:\d{5}|\d{4}|\d{3}\s?\d{2}|\d{2}-\d{3}|\d{4}\s?[A-Z]{2}|\d{4}-\d{3}|[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2})[\s,.]+[A-Za-zÀ-ž]{2}")
        .expect("a constant pattern")
});
/// A plot's or house's number, which may be as long as a postcode.
static PLOT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:lot|no|unit|p\.?t\.?d?|plot)\b[\s.:]*(?:(?:no|p\.?t\.?d?)\b[\s.:]*)?\d+")
        .expect("a constant pattern")
});
static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s*(?:(?:no|nos|lot|unit|suite|block|blk|g)\b[\s.,:]*(?:no|pt|p\.t)?[\s.,:]*[A-Z]{0,2}-?\d|\d{1,5}[A-Z]?\s*[,&/-]|\d{1,5}[A-Z]?(?:-\d+)?\s*,?\s+[A-Z][a-zA-Z]+)")
        .expect("a constant pattern")
});
static STREET_NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)[a-zß](?:str\.|straße|strasse|straat|weg|platz|gasse|allee|gatan|vägen|vej|gade|katu)\s*\d|\b(?:str|ul|rue|via|calle|rua)\b\.?.*\d").expect("a constant pattern")
});
pub(super) static REGISTRATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)[\s,]*[\(\[{]?\s*(?:(?:co|company|business|roc|reg|regn|registration)\b[\s.:]*)*(?:(?:no|nr|id)\b[\s.:]*)?[:#]?\s*(?:[A-Z]{1,3}\s?)?\d{4,}[\d ]*\s*-?\s*[A-Z0-9]{0,2}\s*[\)\]}]?\s*$").expect("a constant pattern")
});
pub(super) static ADDRESS_LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?:hq\s+)?(?:add|address|adresse|addr|alamat|indirizzo|direccion)\s*[:.]\s*")
        .expect("a constant pattern")
});

/// A town with its postcode at the end: `Springfield, IL 62701`, `Leeds LS2 9JT`, `Sydney NSW 2000`, `Tokyo 110-0005`.
static TOWN_FIRST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"[A-Za-zÀ-ž][A-Za-zÀ-ž.'-]+,?\s+(?:[A-Z]{2,3}\s+\d{4,5}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}|(?:[A-Z]{2}\s+)?[A-Z]\d[A-Z]\s?\d[A-Z]\d|[A-Z]\d{2}\s[A-Z\d]{4}|\d{3}-\d{4})[.,]?\s*$|^[A-Za-zÀ-ž][A-Za-zÀ-ž .'-]+\s\d{5,6}[.,]?$")
        .expect("a constant pattern")
});

pub(super) fn has_postcode(text: &str) -> bool {
    POSTCODE.is_match(&PLOT.replace_all(text, " ")) && !is_street(text) || has_town_first(text)
}

/// Whether an address begins as most do: with a number, or with a word that only addresses have.
pub(super) fn begins_as_street(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default();
    NUMBERED.is_match(first) || STREET_NUMBER.is_match(first) || says_any(&fold(first), PLACES)
}

/// An amount of money: such a row is no part of an address.
static AMOUNT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|[^\d.,/-])\d+[.,]\d{2}(?:$|[^\d.,/-])").expect("a constant pattern"));

fn has_town_first(text: &str) -> bool {
    TOWN_FIRST.is_match(PLOT.replace_all(text, " ").trim_end())
}

/// A house number of four or five digits in front of its street: `2937 Copper Road`.
fn is_street(text: &str) -> bool {
    let folded = fold(text);
    let mut words = folded.split(' ');
    let number = words.next().is_some_and(|w| (3..=5).contains(&w.len()) && w.chars().all(|c| c.is_ascii_digit()));
    number && words.next_back().is_some_and(|w| STREETS.contains(&w))
}

/// What English streets end with, folded.
const STREETS: &[&str] = &[
    "street",
    "st",
    "road",
    "rd",
    "avenue",
    "ave",
    "lane",
    "ln",
    "drive",
    "dr",
    "boulevard",
    "blvd",
    "highway",
    "hwy",
    "way",
    "court",
    "ct",
    "place",
    "pl",
    "square",
    "sq",
    "terrace",
    "row",
    "parade",
    "crescent",
    "close",
    "quay",
    "circle",
    "parkway",
    "pkwy",
];

pub(super) fn stops(text: &str) -> bool {
    let folded = fold(text);
    let mut words = folded.split(' ');
    let first = words.next().unwrap_or_default();
    let second = words.next().unwrap_or_default();
    let two = format!("{first} {second}");
    // `ST# 1477 TE# 20`: numbers of the till, not of a house.
    text.matches('#').count() > 1
        || STOPS.contains(&first)
        || STOPS.contains(&two.as_str())
        || text.contains('@')
        || folded.contains("www")
        || !dates::find(text).is_empty()
        || is_phone(text)
        || REGISTRATION.find(text).is_some_and(|m| m.start() == 0) && !has_postcode(text)
        || folded.replace(' ', "").contains("taxinvoice")
        || says_any(
            &folded,
            &[
                "gst",
                "gst id",
                "gst reg",
                "reg no",
                "tax invoice",
                "co no",
                "company no",
                "reg id",
                "cashier",
                "gst no",
            ],
        )
        || ["tel:", "tel.", "fax:", "tel :"].iter().any(|s| text.to_lowercase().contains(s))
}

fn is_phone(text: &str) -> bool {
    let (letters, digits) = letters_and_digits(text);
    letters <= 4 && digits >= 7
}

/// How much a line looks like part of an address.
fn address_score(text: &str) -> u32 {
    let folded = fold(text);
    let digits = letters_and_digits(text).1;
    let mut score = 0;
    if says_any(&folded, PLACES) {
        score += if digits > 0 { 2 } else { 1 };
    }
    if has_postcode(text) {
        score += 2;
    }
    if NUMBERED.is_match(text) {
        score += 1;
    }
    if STREET_NUMBER.is_match(text) {
        score += 2;
    }
    if text.trim_end().ends_with(',') || text.matches(',').count() > 1 {
        score += 1;
    }
    score
}

pub(super) fn begins_address(head: &[HeadRow<'_>], n: usize) -> bool {
    let text = &head[n].text;
    let (letters, _) = letters_and_digits(text);
    if stops(text) || AMOUNT.is_match(text) || letters < 2 || says_any(&fold(text), NOT_NAMES) {
        return false;
    }
    if has_form(text) && !has_postcode(text) && !NUMBERED.is_match(text) {
        return false;
    }
    let score = address_score(text);
    let next = head.get(n + 1).map_or(0, |r| if stops(&r.text) { 0 } else { address_score(&r.text) });
    // Weak signs count only below something that can be the name.
    let named = || head[..n].iter().any(|r| may_be_name(&r.text));
    score >= 2 && letters >= 3 || score >= 1 && next >= 2 && named()
}

/// Where the address that a later row at `start` shows begins: the street above its town, in whatever language.
pub(super) fn address_start(head: &[HeadRow<'_>], start: usize, name_end: usize) -> usize {
    let mut from = start;
    while from > name_end && from + 3 > start && has_postcode(&head[start].text) {
        let (row, below) = (&head[from - 1], &head[from]);
        let (letters, digits) = letters_and_digits(&row.text);
        let close = below.top - row.bottom < 1.2 * row.height;
        let street = letters >= 3
            && !row.text.starts_with(['(', '['])
            && (digits > 0 && digits <= 6 || row.text.trim_end().ends_with(','));
        if !close || !street || stops(&row.text) || has_form(&row.text) || says_any(&fold(&row.text), NOT_NAMES) {
            break;
        }
        from -= 1;
    }
    from
}

/// Where the address that begins at `start` ends: the first row that is none of it.
pub(super) fn address_end(head: &[HeadRow<'_>], start: usize) -> usize {
    let mut end = start + 1;
    let first = head[start].text.trim_end();
    let mut complete = has_postcode(first) || first.ends_with('.') && first.matches(',').count() > 1;
    while end < head.len() && end < start + 7 {
        let row = &head[end];
        if ends_block(&head[end - 1], row) || complete && !follows_postcode(&head[end - 1], row) {
            break;
        }
        complete |= has_postcode(&row.text) || row.text.trim_end().ends_with('.') && row.text.contains(',');
        end += 1;
    }
    end
}

/// Whether a row is no longer part of the block of print above it.
fn ends_block(above: &HeadRow<'_>, row: &HeadRow<'_>) -> bool {
    let gap = row.top - above.bottom;
    stops(&row.text)
        || gap > 1.2 * row.height
        || row.text.starts_with(['*', '-', '='])
        || says_any(&fold(&row.text), NOT_NAMES)
        || letters_and_digits(&row.text).0 < 2
}

/// Behind the postcode only a region, a country or a short name of the place.
fn follows_postcode(above: &HeadRow<'_>, row: &HeadRow<'_>) -> bool {
    let folded = fold(&row.text);
    if is_region(&folded) || has_town_first(&row.text) && !has_town_first(&above.text) {
        return true;
    }
    let last = above.text.trim_end();
    if last.ends_with(',') {
        return true;
    }
    let (letters, digits) = letters_and_digits(&row.text);
    let short = digits == 0 && letters <= 20 && folded.split(' ').count() <= 2;
    short && !has_form(&row.text) && !last.contains(',') && has_postcode(last)
}
