//! When two printed names are the same merchant.

/// Legal forms, which one receipt prints and the next leaves out.
const LEGAL_FORMS: [&str; 28] = [
    "ab", "ag", "as", "bhd", "bv", "co", "company", "corp", "gmbh", "inc", "kg", "limited", "llc", "llp", "ltd", "mbh",
    "nv", "ohg", "oy", "plc", "pte", "pty", "sa", "sarl", "sas", "sdn", "sl", "srl",
];

/// What is left of a merchant's name when case, spacing, punctuation, legal form and branch number are taken away:
/// equal for two spellings of the same merchant. Empty only when `name` has neither letters nor digits.
pub fn key(name: &str) -> String {
    let lower = name.to_lowercase();
    // `S.A.` is one word, `Shop-24` two.
    let joined: String = lower.chars().filter(|c| !matches!(c, '.' | '\'' | '’')).collect();
    let words: Vec<&str> = joined.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let telling = |word: &&&str| !LEGAL_FORMS.contains(word) && !word.chars().all(char::is_numeric);
    let kept: String = words.iter().filter(telling).copied().collect();
    if kept.is_empty() { words.concat() } else { kept }
}

/// Whether two keys are spellings of one name, as a misread letter makes them: at most every fifth letter differs.
pub fn is_spelling(a: &str, b: &str) -> bool {
    strsim::normalized_levenshtein(a, b) >= 0.8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_merchant_have_one_key() {
        for (a, b) in [
            ("Café Lindenhof GmbH", "CAFÉ LINDENHOF"),
            ("Harbour Coffee-Bar", "HARBOUR COFFEE BAR"),
            ("Northgate Books Ltd.", "NorthgateBooks"),
            ("Los Arcos S.A.", "Los Arcos"),
            ("Kiosk 24 #0017", "Kiosk #0023"),
        ] {
            assert_eq!(key(a), key(b), "{a} and {b}");
        }
        assert_ne!(key("Café Lindenhof"), key("Café Lindenberg"));
        assert_eq!(key("7/11"), "711", "a name of numbers is its numbers");
        assert_eq!(key("--"), "");
    }
}
