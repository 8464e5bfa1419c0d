//! Text as people see it.

/// Whether a character is not seen, or changes how those around it are seen: control characters, the zero-width space,
/// the byte order mark, and what embeds, overrides or isolates a direction
/// (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>), by which an amount beside it can be read
/// backwards. Joiners and direction marks are letters' own and stay.
pub fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}' | '\u{feff}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text in one line: white space and what is not seen as single blanks.
pub fn one_line(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || is_unseen(c)).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_or_turns_others_around_is_told_apart() {
        for c in "\0\r\n\u{85}\u{200b}\u{feff}\u{202e}\u{2066}".chars() {
            assert!(is_unseen(c), "{c:?}");
        }
        for c in " aé日\u{200d}\u{200f}👩".chars() {
            assert!(!is_unseen(c), "{c:?}");
        }
    }

    #[test]
    fn a_line_has_single_blanks() {
        assert_eq!(one_line(" Café\r\nBcc: x\u{202e} \u{200b}1\t2 "), "Café Bcc: x 1 2");
    }
}
