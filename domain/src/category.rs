//! A first suggestion of a category, from words on the receipt. Its owner has the last word.

use slipstream_events::Category;

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
        &["stationery", "paper", "office", "büro", "printer", "toner", "ink", "pen", "papeterie", "alat tulis"],
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

/// The category that most of the words on the receipt speak for. The merchant's name counts thrice.
pub fn suggest(merchant: Option<&str>, items: &[String]) -> Category {
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
    let score = |list: &[&str]| -> u32 {
        seen.iter().filter(|(word, _)| list.contains(&word.as_str())).map(|(_, weight)| weight).sum()
    };
    WORDS
        .iter()
        .map(|(category, list)| (score(list), *category))
        .filter(|(score, _)| *score > 0)
        .max_by_key(|(score, _)| *score)
        .map_or(Category::Other, |(_, category)| category)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_on_the_receipt_suggest_a_category() {
        let items = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
        assert_eq!(suggest(Some("Café Lindenhof"), &[]), Category::Meals);
        assert_eq!(suggest(Some("Hotel Seeblick"), &items(&["Room", "Breakfast", "Parking"])), Category::Lodging);
        assert_eq!(suggest(Some("City Parkhaus GmbH"), &items(&["Parken 2 h"])), Category::Vehicle);
        assert_eq!(suggest(Some("Meyer & Sons"), &items(&["NASI GORENG", "TEH TARIK"])), Category::Meals);
        assert_eq!(suggest(Some("Meyer & Sons"), &[]), Category::Other);
        assert_eq!(suggest(None, &[]), Category::Other);
    }
}
