//! Comparing words as people do: case, accents and punctuation apart.

/// Lower case, no accents, anything but letters and digits one space.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            '%' => out.push('%'),
            '\'' | '`' | '\u{300}'..='\u{36f}' => {}
            _ => {
                let c = bare(c);
                if c.is_alphanumeric() {
                    out.push(c);
                } else if !out.ends_with(' ') && !out.is_empty() {
                    out.push(' ');
                }
            }
        }
    }
    out.truncate(out.trim_end().len());
    out
}

fn bare(c: char) -> char {
    match c {
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'ď' | 'đ' => 'd',
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ė' | 'ę' | 'ě' => 'e',
        'ğ' | 'ģ' => 'g',
        'ì' | 'í' | 'î' | 'ï' | 'ī' | 'į' | 'ı' => 'i',
        'ķ' => 'k',
        'ĺ' | 'ļ' | 'ľ' | 'ł' => 'l',
        'ñ' | 'ń' | 'ņ' | 'ň' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ő' => 'o',
        'ŕ' | 'ř' => 'r',
        'ś' | 'ş' | 'š' | 'ș' => 's',
        'ţ' | 'ť' | 'ț' => 't',
        'ù' | 'ú' | 'û' | 'ü' | 'ū' | 'ů' | 'ű' | 'ų' => 'u',
        'ý' | 'ÿ' => 'y',
        'ź' | 'ż' | 'ž' => 'z',
        'ά' => 'α',
        'έ' => 'ε',
        'ή' => 'η',
        'ί' => 'ι',
        'ό' => 'ο',
        'ύ' => 'υ',
        'ώ' => 'ω',
        _ => c,
    }
}

/// Whether the words of `phrase` stand in `folded`, side by side.
#[must_use]
pub fn says(folded: &str, phrase: &str) -> bool {
    let mut from = 0;
    while let Some(at) = folded[from..].find(phrase) {
        let (start, end) = (from + at, from + at + phrase.len());
        if (start == 0 || folded.as_bytes()[start - 1] == b' ')
            && (end == folded.len() || folded.as_bytes()[end] == b' ')
        {
            return true;
        }
        from = start + phrase.chars().next().map_or(1, char::len_utf8);
    }
    false
}

/// Whether any of the phrases stands in `folded`.
#[must_use]
pub fn says_any(folded: &str, phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| says(folded, phrase))
}

/// How many letters, and how many digits.
#[must_use]
pub fn letters_and_digits(text: &str) -> (usize, usize) {
    text.chars().fold((0, 0), |(l, d), c| (l + usize::from(c.is_alphabetic()), d + usize::from(c.is_ascii_digit())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_accents_and_punctuation() {
        assert_eq!(fold("  Größe: À payer!"), "grosse a payer");
        assert_eq!(fold("Do zapłaty (PLN)"), "do zaplaty pln");
        assert_eq!(fold("GST@6%"), "gst 6%");
    }

    #[test]
    fn phrases_match_whole_words() {
        assert!(says("sub total rm", "total"));
        assert!(!says("subtotal", "total"));
        assert!(says("total", "total"));
        assert!(!says("totally total2", "total"));
    }
}
