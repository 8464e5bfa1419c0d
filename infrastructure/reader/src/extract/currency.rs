//! Which currency the amounts are in: by code, by sign, by clear evidence of the country; otherwise it is not said.

use super::amounts::Amount;
use super::words::{fold, says_any};
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
    "AUD", "NZD", "SGD", "MYR", "JPY", "INR", "ZAR", "THB", "IDR", "PHP", "HKD", "AED", "BRL", "MXN",
];

/// Words that stand for one country's currency, folded.
const COUNTRIES: &[(&str, &[&str])] = &[
    ("MYR", &["sdn bhd", "sdn", "malaysia", "selangor", "kuala lumpur", "johor", "ringgit"]),
    ("CHF", &["schweiz", "suisse", "svizzera", "switzerland", "che", "franken"]),
    ("GBP", &["united kingdom", "england", "scotland", "wales", "london", "pounds sterling"]),
    ("SEK", &["sverige", "stockholm", "goteborg", "oresavrundning", "moms sek", "org nr"]),
    ("NOK", &["norge", "oslo", "bergen", "mva", "foretaksregisteret"]),
    ("DKK", &["danmark", "kobenhavn", "cvr"]),
    ("PLN", &["polska", "sp z o o", "paragon fiskalny", "nip", "warszawa", "krakow", "ptu"]),
    ("CZK", &["ceska", "praha", "s r o", "brno"]),
    ("HUF", &["magyarorszag", "budapest", "adoszam", "nyugta", "kft"]),
    ("RON", &["romania", "bucuresti", "bon fiscal"]),
    ("SGD", &["singapore", "pte ltd"]),
    ("CAD", &["canada", "ontario", "hst", "toronto"]),
    ("AUD", &["australia", "abn", "sydney", "melbourne"]),
    (
        "EUR",
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
            "gmbh",
            "mwst",
            "tva",
            "sarl",
            "srl",
            "btw",
            "kvk",
            "siret",
            "partita iva",
            "ustid",
            "ust idnr",
            "lda",
            "alv",
        ],
    ),
];

/// The currency of a page with these amounts.
#[must_use]
pub fn find(page: &Page, amounts: &[&Amount]) -> Option<Found> {
    let mut votes: Vec<(&'static str, usize)> = Vec::new();
    let mut vote = |code: &'static str, weight: usize| match votes.iter_mut().find(|(c, _)| *c == code) {
        Some((_, n)) => *n += weight,
        None => votes.push((code, weight)),
    };
    let (mut dollars, mut crowns) = (0, 0);
    for sign in amounts.iter().filter_map(|a| a.sign.as_deref()) {
        match by_sign(sign) {
            Sign::Code(code) => vote(code, 2),
            Sign::Dollar => dollars += 1,
            Sign::Crown => crowns += 1,
        }
    }
    for line in &page.lines {
        for word in line.text.split(|c: char| !c.is_alphanumeric() && !"€£".contains(c)) {
            if let Some(code) = CODES.iter().find(|c| **c == word) {
                vote(code, 2);
            } else if word == "RM" {
                vote("MYR", 2);
            } else if word == "€" || word == "EURO" {
                vote("EUR", 2);
            } else if word == "£" {
                vote("GBP", 2);
            }
        }
    }
    if let Some((code, count)) = votes.iter().max_by_key(|(_, n)| *n) {
        let confidence = if *count >= 4 { 0.98 } else { 0.93 };
        return Some(Found { code, confidence });
    }
    let text = page.lines.iter().map(|l| fold(&l.text)).collect::<Vec<_>>().join(" ");
    let country = COUNTRIES
        .iter()
        .map(|(code, words)| (*code, words.iter().filter(|w| says_any(&text, &[w])).count()))
        .max_by_key(|(_, n)| *n)
        .filter(|(_, n)| *n > 0)
        .map(|(code, _)| code);
    match country {
        Some(code) if crowns > 0 && matches!(code, "SEK" | "NOK" | "DKK") => Some(Found { code, confidence: 0.95 }),
        Some(code) if dollars > 0 && matches!(code, "CAD" | "AUD" | "SGD" | "MYR") => {
            Some(Found { code, confidence: 0.7 })
        }
        _ if dollars > 0 => Some(Found { code: "USD", confidence: 0.8 }),
        Some(code) => Some(Found { code, confidence: 0.75 }),
        None => None,
    }
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
