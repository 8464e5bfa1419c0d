//! A first suggestion of a category, from words on the receipt. Its owner has the last word.

use serde::{Deserialize, Serialize};
use slipstream_events::{Category, ExpenseDetails};

use crate::merchant;

/// Words that speak for a category, in the languages that receipts here are written in. Generic words only: no
/// names of shops.
const WORDS: &[(Category, &[&str])] = &[
    (
        Category::Lodging,
        &[
            "hotel",
            "hostel",
            "motel",
            "pension",
            "inn",
            "gasthof",
            "lodging",
            "room",
            "übernachtung",
            "nuitée",
            "chambre",
        ],
    ),
    (
        Category::Travel,
        &[
            "taxi",
            "cab",
            "train",
            "bahn",
            "rail",
            "airline",
            "flight",
            "bus",
            "metro",
            "tram",
            "ticket",
            "fare",
            "fahrkarte",
            "billet",
        ],
    ),
    (
        Category::Vehicle,
        &[
            "parking",
            "parkhaus",
            "parken",
            "petrol",
            "fuel",
            "diesel",
            "tankstelle",
            "benzin",
            "unleaded",
            "toll",
            "garage",
            "station-service",
            "litre",
            "liter",
        ],
    ),
    (
        Category::Communication,
        &["phone", "mobile", "telecom", "prepaid", "postage", "post", "stamp", "courier", "porto"],
    ),
    (
        Category::Training,
        &["course", "seminar", "conference", "training", "book", "bookshop", "buchhandlung", "librairie"],
    ),
    (
        Category::Equipment,
        &["computer", "electronics", "elektronik", "hardware", "software", "license", "monitor", "keyboard", "cable"],
    ),
    (
        Category::OfficeSupplies,
        &["stationery", "paper", "office", "büro", "printer", "toner", "ink", "pen", "papeterie", "tulis"],
    ),
    (
        Category::Meals,
        &[
            "restaurant",
            "restoran",
            "ristorante",
            "café",
            "cafe",
            "coffee",
            "kaffee",
            "bar",
            "bistro",
            "grill",
            "kitchen",
            "bakery",
            "bäckerei",
            "boulangerie",
            "pizza",
            "ramen",
            "sushi",
            "burger",
            "lunch",
            "dinner",
            "menu",
            "food",
            "supermarket",
            "market",
            "nasi",
            "ayam",
            "teh",
            "beer",
            "bier",
            "wine",
            "gratuity",
            "tip",
            "bread",
            "milk",
        ],
    ),
];

/// A category that is suggested, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// What is suggested.
    pub category: Category,
    /// Why.
    pub because: Because,
    /// The words on the receipt that speak for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
}

/// Why a category is suggested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Because {
    /// The person chose it for this merchant the last time.
    Corrected,
    /// Words on the receipt speak for it.
    Words,
    /// Nothing speaks for another one.
    NothingElse,
}

impl Suggestion {
    /// What the person chose for the merchant the last time.
    pub fn corrected(category: Category) -> Self {
        Self { category, because: Because::Corrected, words: Vec::new() }
    }
}

/// The category that most of the words on the receipt speak for. The merchant's name counts thrice.
pub fn suggest(merchant: Option<&str>, items: &[&str]) -> Suggestion {
    let words = |text: &str| -> Vec<String> {
        text.to_lowercase()
            .split(|c: char| !(c.is_alphanumeric() || c == '-'))
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let mut seen: Vec<(String, u32)> = Vec::new();
    seen.extend(words(merchant.unwrap_or_default()).into_iter().map(|word| (word, 3)));
    seen.extend(items.iter().flat_map(|item| words(item)).map(|word| (word, 1)));
    let speaking = |list: &[&str]| -> (u32, Vec<String>) {
        let found = seen.iter().filter(|(word, _)| list.contains(&word.as_str()));
        let (weights, mut words): (Vec<u32>, Vec<String>) = found.map(|(word, weight)| (*weight, word.clone())).unzip();
        words.sort_unstable();
        words.dedup();
        (weights.iter().sum(), words)
    };
    WORDS
        .iter()
        .map(|(category, list)| (speaking(list), *category))
        .filter(|((score, _), _)| *score > 0)
        .max_by_key(|((score, _), _)| *score)
        .map_or(
            Suggestion { category: Category::Other, because: Because::NothingElse, words: Vec::new() },
            |((_, words), category)| Suggestion { category, because: Because::Words, words },
        )
}

/// What a correction teaches: for which merchants, by their keys, which category is meant. Where the merchant's spelling
/// was corrected, too, its next receipt may be read like the last one; another merchant teaches nothing about the first.
pub fn lessons(before: &ExpenseDetails, after: &ExpenseDetails) -> Vec<(String, Category)> {
    let Some(category) = after.category.filter(|_| before.category != after.category) else { return Vec::new() };
    let key = |details: &ExpenseDetails| details.merchant.as_deref().map(merchant::key).filter(|key| !key.is_empty());
    let Some(now) = key(after) else { return Vec::new() };
    let mut keys: Vec<String> = key(before).filter(|read| merchant::is_spelling(read, &now)).into_iter().collect();
    keys.push(now);
    keys.dedup();
    keys.into_iter().map(|key| (key, category)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_on_the_receipt_suggest_a_category() {
        let suggested = |merchant, items: &[&str]| suggest(merchant, items).category;
        assert_eq!(suggested(Some("Café Lindenhof"), &[]), Category::Meals);
        assert_eq!(suggested(Some("Hotel Seeblick"), &["Room", "Breakfast", "Parking"]), Category::Lodging);
        assert_eq!(suggested(Some("City Parkhaus GmbH"), &["Parken 2 h"]), Category::Vehicle);
        assert_eq!(suggested(Some("Meyer & Sons"), &["NASI GORENG", "TEH TARIK"]), Category::Meals);
        assert_eq!(suggested(Some("Meyer & Sons"), &[]), Category::Other);
        assert_eq!(suggested(None, &[]), Category::Other);
    }

    #[test]
    fn a_suggestion_says_why() {
        let suggestion = suggest(Some("Taxi Nord"), &["Fare", "Fare", "Tip"]);
        assert_eq!(
            (suggestion.because, suggestion.words),
            (Because::Words, vec!["fare".to_owned(), "taxi".to_owned()])
        );
        assert_eq!(suggest(None, &[]).because, Because::NothingElse);
    }

    #[test]
    fn a_correction_teaches_both_spellings() {
        let details = |merchant: &str, category| ExpenseDetails {
            merchant: Some(merchant.to_owned()),
            category: Some(category),
            ..ExpenseDetails::default()
        };
        let taught = |before, after| lessons(&before, &after);
        let (meals, travel) = (Category::Meals, Category::Travel);
        let both = [("cafelindcnhof".to_owned(), travel), ("cafelindenhof".to_owned(), travel)];
        assert_eq!(taught(details("CAFE LINDCNHOF", meals), details("Cafe Lindenhof", travel)), both);
        assert_eq!(taught(details("Taxi AG", meals), details("TAXI", travel)), [("taxi".to_owned(), travel)]);
        assert_eq!(taught(details("Taxi", travel), details("Cab", travel)), [], "the category was right");
        let chosen = taught(details("Taxi Nord", travel), details("Hotel Seeblick", Category::Lodging));
        assert_eq!(chosen, [("hotelseeblick".to_owned(), Category::Lodging)], "another merchant");
        assert_eq!(taught(details("--", meals), details("--", travel)), []);
    }
}
