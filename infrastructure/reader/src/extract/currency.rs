//! Which currency the amounts are in: by code, by sign, by evidence of the country; otherwise it is not said.
//!
//! A code is all but proof. `$` and `kr` leave several countries open, so that the country decides; where no sign is
//! printed at all, the country alone does. What speaks for a country: its name and regions, legal forms, names of taxes,
//! prefixes of telephone and tax numbers, and, weakest, the language of the labels.

use std::sync::LazyLock;

use regex::Regex;

use super::amounts::Amount;
use super::labels::{Label, label};
use super::words::{fold, says_any};
use crate::layout::Layout;
use crate::page::Page;

/// A currency and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// ISO 4217.
    pub code: &'static str,
    /// 0 to 1.
    pub confidence: f32,
}

const CODES: &[&str] = &[
    "EUR", "USD", "GBP", "CHF", "SEK", "NOK", "DKK", "ISK", "PLN", "CZK", "HUF", "RON", "BGN", "TRY", "UAH", "CAD",
    "AUD", "NZD", "SGD", "MYR", "JPY", "INR", "ZAR", "THB", "IDR", "PHP", "HKD", "AED", "BRL", "MXN", "KWD", "BHD",
    "OMR", "JOD", "TND", "KRW", "CNY",
];
/// Currencies that `$` stands for.
const DOLLARS: &[&str] = &["USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN"];
/// Currencies that `kr` stands for.
const CROWNS: &[&str] = &["SEK", "NOK", "DKK", "ISK"];

/// Words that speak for a country, folded, and how loudly: names of places, legal forms and taxes that only it has (3),
/// words that it shares with few others (1).
const WORDS: &[(&str, u32, &[&str])] = &[
    (
        "MYR",
        3,
        &[
            "sdn bhd",
            "sdn",
            "bhd",
            "malaysia",
            "selangor",
            "kuala lumpur",
            "johor",
            "johor bahru",
            "pulau pinang",
            "melaka",
            "ringgit",
        ],
    ),
    ("MYR", 1, &["jalan", "jumlah", "tunai", "baki", "resit", "sst", "cukai"]),
    (
        "CHF",
        3,
        &["schweiz", "suisse", "svizzera", "switzerland", "franken", "zurich", "basel", "geneve", "luzern", "rappen"],
    ),
    ("GBP", 3, &["united kingdom", "england", "scotland", "wales", "london", "pounds sterling", "great britain"]),
    ("GBP", 1, &["vat no", "vat reg", "vat reg no"]),
    ("SEK", 3, &["sverige", "stockholm", "goteborg", "oresavrundning", "moms sek", "org nr"]),
    ("NOK", 3, &["norge", "oslo", "bergen", "mva", "foretaksregisteret"]),
    ("DKK", 3, &["danmark", "kobenhavn", "cvr"]),
    ("PLN", 3, &["polska", "sp z o o", "paragon fiskalny", "nip", "warszawa", "krakow", "ptu"]),
    ("CZK", 3, &["ceska", "praha", "s r o", "brno"]),
    ("HUF", 3, &["magyarorszag", "budapest", "adoszam", "nyugta", "kft"]),
    ("RON", 3, &["romania", "bucuresti", "bon fiscal"]),
    ("SGD", 3, &["singapore", "pte ltd"]),
    ("CAD", 3, &["canada", "ontario", "quebec", "hst", "pst", "qst", "tvq", "tps", "toronto", "montreal", "vancouver"]),
    ("AUD", 3, &["australia", "abn", "a b n", "sydney", "melbourne", "brisbane"]),
    ("NZD", 3, &["new zealand", "auckland"]),
    ("JPY", 3, &["japan", "tokyo", "osaka", "kyoto", "yokohama", "consumption tax"]),
    ("KWD", 3, &["kuwait", "salmiya", "kd"]),
    ("USD", 3, &["usa", "united states"]),
    ("USD", 2, &["sales tax"]),
    (
        "EUR",
        3,
        &[
            "deutschland",
            "germany",
            "osterreich",
            "austria",
            "france",
            "italia",
            "espana",
            "nederland",
            "belgique",
            "belgie",
            "portugal",
            "ireland",
            "suomi",
            "finland",
            "berlin",
            "wien",
            "paris",
            "madrid",
            "barcelona",
            "roma",
            "milano",
            "dublin",
            "amsterdam",
            "sarl",
            "siret",
            "ustid",
            "ust idnr",
            "p iva",
            "partita iva",
            "nif",
            "cif",
            "kvk",
            "euro",
            "euros",
        ],
    ),
    (
        "EUR",
        1,
        &["gmbh", "mwst", "tva", "srl", "btw", "lda", "alv", "iva", "ust", "summe", "gesamt", "importe", "montant"],
    ),
];
/// Prefixes of telephone and tax numbers.
static PREFIXES: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    let prefix = |code, pattern: &str| (code, Regex::new(pattern).expect("a constant pattern"));
    vec![
        prefix(
            "EUR",
            r"\+\s?(?:49|43|33|34|39|31|32|351|353|358|352)\b|\b(?:DE\d{9}|ATU\d{8}|IE\d{7}|FR\s?\d{2}\s?\d{9}|FR\d{11})",
        ),
        prefix("CHF", r"\+\s?41\b|\bCHE-\d|\bCH-\d{4}\b"),
        prefix("GBP", r"\+\s?44\b|\bGB\s?\d{3}\s?\d{4}|\b[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2}\b"),
        prefix("MYR", r"\+\s?60\b"),
        prefix("SGD", r"\+\s?65\b|(?i:singapore)\s\d{6}"),
        prefix("JPY", r"\+\s?81\b"),
        prefix("KWD", r"\+\s?965\b"),
        prefix("AUD", r"\+\s?61\b|\b(?:NSW|VIC|QLD|WA|SA|TAS|ACT|NT)\s\d{4}\b"),
        prefix("CAD", r"\b[A-Z]{2}\s+[A-Z]\d[A-Z]\s?\d[A-Z]\d\b"),
        prefix(
            "USD",
            r"\b(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|PA|RI|S[CD]|T[NX]|UT|V[AT]|W[AIVY])\s\d{5}(?:-\d{4})?\b",
        ),
    ]
});

/// Signs that are also short for something else, beside what can only be an amount.
static SHORT: LazyLock<[(&str, Regex); 2]> = LazyLock::new(|| {
    [
        ("HUF", Regex::new(r"\d(?:\d\d|[.,]\d{2}|[ .]\d{3})\s?Ft\b").expect("a constant pattern")),
        ("CHF", Regex::new(r"\bFr\.\s?\d+(?:['’]\d{3})*[.,]\d{2}\b|\d[.,]\d{2}\s?Fr\.").expect("a constant pattern")),
    ]
});
static CODE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b[A-Z]{3}\b").expect("a constant pattern"));
static BEFORE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[.,]\d{2,3}\s*$").expect("a constant pattern"));
static BEHIND: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\s*-?\s*\d[\d ]*[.,]\d{2}").expect("a constant pattern"));

/// What speaks for each currency.
#[derive(Debug, Default)]
struct Votes(Vec<(&'static str, u32)>);

impl Votes {
    fn add(&mut self, code: &'static str, weight: u32) {
        match self.0.iter_mut().find(|(c, _)| *c == code) {
            Some((_, n)) => *n += weight,
            None => self.0.push((code, weight)),
        }
    }

    /// The loudest and its share of all votes.
    fn winner(&self, among: Option<&[&str]>) -> Option<(&'static str, f32)> {
        let allowed = |c: &str| among.is_none_or(|list| list.contains(&c));
        let all: u32 = self.0.iter().filter(|(c, _)| allowed(c)).map(|(_, n)| n).sum();
        let (code, most) = self.0.iter().filter(|(c, _)| allowed(c)).max_by_key(|(_, n)| *n)?;
        Some((code, *most as f32 / all.max(1) as f32))
    }
}

/// The currency of a page with these amounts.
#[must_use]
pub fn find(page: &Page, amounts: &[&Amount]) -> Option<Found> {
    let (mut signs, mut words, mut dollars, mut crowns) = (Votes::default(), Votes::default(), 0, 0);
    for sign in amounts.iter().filter_map(|a| a.sign.as_deref()) {
        match by_sign(sign) {
            // Feet and Fridays look alike: `SHORT` tells.
            Sign::Code(_) if matches!(sign, "Ft" | "Fr.") => {}
            Sign::Code(code) => signs.add(code, 2),
            Sign::Dollar => dollars += 1,
            Sign::Crown => crowns += 1,
        }
    }
    for line in &page.lines {
        for (code, pattern) in SHORT.iter() {
            signs.add(code, u32::try_from(2 * pattern.find_iter(&line.text).count()).unwrap_or(0));
        }
        for word in line.text.split(|c: char| !c.is_alphanumeric() && !"€£".contains(c)) {
            match word {
                "RM" => signs.add("MYR", 2),
                "€" | "EURO" => signs.add("EUR", 2),
                "£" => signs.add("GBP", 2),
                _ => {}
            }
        }
    }
    // `TRY` and `RON` are also words: a bare code counts alone, beside an amount or in the row of a sum.
    let layout = Layout::new(page);
    for text in (0..layout.rows.len()).map(|row| layout.text(row)) {
        let summed = || label(&text).is_some_and(|l| l != Label::Other);
        for hit in CODE.find_iter(&text) {
            let Some(code) = CODES.iter().find(|c| **c == hit.as_str()) else { continue };
            let beside = BEFORE.is_match(&text[..hit.start()]) || BEHIND.is_match(&text[hit.end()..]);
            if text.trim() == *code || beside || summed() {
                words.add(code, 2);
            }
        }
    }
    signs.0.retain(|(_, n)| *n > 0);
    let dollars_win = dollars > 0 && signs.0.iter().all(|(_, n)| 2 * dollars > *n);
    let among = dollars_win.then_some(DOLLARS);
    if let Some((code, share)) = signs.winner(among).or_else(|| words.winner(among)) {
        return Some(Found { code, confidence: 0.9 + 0.08 * share });
    }
    let country = country(page);
    if dollars > 0 {
        let found = country.winner(Some(DOLLARS));
        return Some(found.map_or(Found { code: "USD", confidence: 0.7 }, |(code, share)| Found {
            code,
            confidence: 0.6 + 0.35 * share,
        }));
    }
    if crowns > 0
        && let Some((code, share)) = country.winner(Some(CROWNS))
    {
        return Some(Found { code, confidence: 0.6 + 0.35 * share });
    }
    country.winner(None).map(|(code, share)| Found { code, confidence: 0.45 + 0.4 * share })
}

/// What speaks for a country where no sign does.
fn country(page: &Page) -> Votes {
    let mut votes = Votes::default();
    let folded: Vec<String> = page.lines.iter().map(|l| fold(&l.text)).collect();
    for (code, weight, words) in WORDS {
        let said = words.iter().filter(|w| folded.iter().any(|text| says_any(text, &[w]))).count();
        votes.add(code, weight * u32::try_from(said).unwrap_or(0));
    }
    for (code, pattern) in PREFIXES.iter() {
        if page.lines.iter().any(|l| pattern.is_match(&l.text)) {
            votes.add(code, 4);
        }
    }
    votes.0.retain(|(_, n)| *n > 0);
    votes
}

enum Sign {
    Code(&'static str),
    Dollar,
    Crown,
}

fn by_sign(sign: &str) -> Sign {
    if let Some(code) = CODES.iter().find(|c| **c == sign) {
        return Sign::Code(code);
    }
    Sign::Code(match sign {
        "€" => "EUR",
        "£" => "GBP",
        "RM" => "MYR",
        "KD" => "KWD",
        "¥" => "JPY",
        "₹" => "INR",
        "₺" => "TRY",
        "₴" => "UAH",
        "฿" => "THB",
        "₩" => "KRW",
        "₪" => "ILS",
        "₽" => "RUB",
        "Fr." => "CHF",
        "zł" | "zl" | "ZŁ" | "ZL" => "PLN",
        "Kč" | "Kc" | "KČ" => "CZK",
        "Ft" => "HUF",
        "lei" | "LEI" => "RON",
        "Rp" => "IDR",
        "US$" => "USD",
        "S$" => "SGD",
        "A$" => "AUD",
        "C$" => "CAD",
        "HK$" => "HKD",
        "NZ$" => "NZD",
        "R$" => "BRL",
        "$" => return Sign::Dollar,
        _ => return Sign::Crown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::amounts::{self, Decimal};
    use crate::page::{Quad, TextLine};

    fn read(rows: &[&str]) -> Option<&'static str> {
        let lines = rows
            .iter()
            .enumerate()
            .map(|(n, t)| TextLine::new(*t, 0.98, Quad::upright(0.0, 40.0 * n as f32, 200.0, 40.0 * n as f32 + 20.0)))
            .collect();
        let page = Page::new(300.0, 300.0, lines);
        let amounts: Vec<Amount> = rows.iter().flat_map(|t| amounts::find(t, Decimal::Point)).collect();
        find(&page, &amounts.iter().collect::<Vec<_>>()).map(|f| f.code)
    }

    #[test]
    fn codes_and_signs_come_first() {
        assert_eq!(read(&["Malaysia", "TOTAL EUR 12.50"]), Some("EUR"));
        assert_eq!(read(&["TOTAL £12.50"]), Some("GBP"));
        assert_eq!(read(&["TOTAL KD 1.250"]), Some("KWD"));
    }

    #[test]
    fn words_that_look_like_codes_are_none() {
        assert_eq!(read(&["TRY OUR NEW BURGER", "TOTAL $12.50"]), Some("USD"));
        assert_eq!(read(&["SERVER: RON", "12.50"]), None);
        assert_eq!(read(&["6 Ft USB CABLE", "TOTAL $12.50"]), Some("USD"));
        assert_eq!(read(&["Mo-Fr. 8:00 - 20:00", "TOTAL 12.50 EUR"]), Some("EUR"));
        assert_eq!(read(&["1250 Ft"]), Some("HUF"));
        assert_eq!(read(&["Fr. 12.50"]), Some("CHF"));
        assert_eq!(read(&["TOTAL (EUR)"]), Some("EUR"));
        assert_eq!(read(&["TOTAL CAD", "$12.50"]), Some("CAD"));
    }

    #[test]
    fn the_country_tells_whose_dollars() {
        assert_eq!(read(&["Halifax, NS B3J 0Z0", "HST 13%", "TOTAL $12.50"]), Some("CAD"));
        assert_eq!(read(&["ABN 12 345 678 901", "TOTAL $12.50"]), Some("AUD"));
        assert_eq!(read(&["Boise, ID 83799", "TOTAL $12.50"]), Some("USD"));
        assert_eq!(read(&["TOTAL $12.50"]), Some("USD"));
    }

    #[test]
    fn the_country_tells_where_no_sign_is_printed() {
        assert_eq!(read(&["CHE-123.456.789 MWST", "SUMME 3.30"]), Some("CHF"));
        assert_eq!(read(&["Boise, ID 83799", "TOTAL 12.50"]), Some("USD"));
        assert_eq!(read(&["10999 Berlin", "MwSt 19%", "Summe 12,50"]), Some("EUR"));
        assert_eq!(read(&["SHOP", "12.50"]), None);
    }
}
