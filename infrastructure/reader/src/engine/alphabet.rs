//! The signs we read: which of the network's thousands, and which of them are one and the same to us.

/// Full-width forms and look-alikes as plain signs.
#[must_use]
pub fn plain(sign: char) -> char {
    match sign {
        '\u{3000}' => ' ',
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(sign as u32 - 0xfee0).unwrap_or(sign),
        '。' => '.',
        '、' => ',',
        '【' | '〔' => '[',
        '】' | '〕' => ']',
        '−' | '–' | '—' | '―' | '‐' | '‑' => '-',
        '‘' | '’' | '′' => '\'',
        '“' | '”' | '″' => '"',
        _ => sign,
    }
}

/// The bare letter under an accent that dirt can draw.
#[must_use]
pub fn without_accent(sign: char) -> Option<char> {
    let at = "àáâãäåèéêëìíîïòóôõöùúûüÀÁÂÃÄÅÈÉÊËÌÍÎÏÒÓÔÕÖÙÚÛÜ".chars().position(|c| c == sign)?;
    "aaaaaaeeeeiiiiooooouuuuAAAAAAEEEEIIIIOOOOOUUUU".chars().nth(at)
}

/// Latin, Greek and Cyrillic letters, digits, punctuation and currency signs. Full-width digits and punctuation too, which
/// the network also gives for wide print, but not full-width letters: they blur the case.
#[must_use]
pub fn readable(sign: char) -> bool {
    let letter = plain(sign).is_alphabetic() && plain(sign) != sign;
    !letter
        && matches!(plain(sign),
        ' '..='~' | '\u{a1}'..='\u{24f}' | '\u{370}'..='\u{52f}' | '\u{1e00}'..='\u{1fff}'
        | '\u{2010}'..='\u{2026}' | '\u{2030}' | '\u{20a0}'..='\u{20cf}' | '\u{2100}'..='\u{2122}' | '\u{2190}'..='\u{2193}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_have_bare_letters() {
        assert_eq!(without_accent('Á'), Some('A'));
        assert_eq!(without_accent('ü'), Some('u'));
        assert_eq!(without_accent('ß'), None);
    }

    #[test]
    fn stray_signs_are_not_readable_and_wide_ones_become_plain() {
        assert!(!readable('米') && !readable('一'));
        assert!("Łódź Ærø Ελλάς Київ 12,50 € £ № ™".chars().all(readable));
        assert!("：（１，２）　".chars().all(readable) && !"ＡＸｘ".chars().any(readable));
        assert_eq!("：（１，２）".chars().map(plain).collect::<String>(), ":(1,2)");
    }
}
