//! Who the issuer is: which rows of the head are the name.

use std::sync::LazyLock;

use regex::Regex;

use super::HeadRow;
use super::address::{REGISTRATION, stops};
use super::vocabulary::{FORMS, NOT_NAMES, TRADES};
use crate::extract::words::{fold, letters_and_digits, says_any};

pub(super) fn has_form(text: &str) -> bool {
    let folded = fold(text);
    let words: Vec<&str> = folded.split(' ').collect();
    FORMS.iter().any(|form| {
        let form: Vec<&str> = form.split(' ').collect();
        words.len() > form.len() && words.windows(form.len()).skip(1).any(|w| w == form)
    }) || folded.ends_with("sdnbhd")
        || folded == "sdn bhd"
}

/// The name of the issuer in the head.
pub(super) struct Name {
    /// Its first row.
    pub from: usize,
    /// The row behind its last.
    pub to: usize,
    /// Without the registration number.
    pub text: String,
    /// By how much more speaks for its main row than for any other.
    pub margin: f32,
}

/// The rows of the name.
pub(super) fn name(head: &[HeadRow<'_>], address: Option<usize>) -> Option<Name> {
    let last = address.filter(|&a| a > 0).unwrap_or(head.len()).min(8);
    let usual = head.iter().map(|r| r.height).sum::<f32>() / head.len().max(1) as f32;
    let mut best: Option<(f32, usize)> = None;
    let mut second = 0.0_f32;
    let mut place = 0u8;
    for (n, row) in head.iter().take(last).enumerate() {
        let letters = letters_and_digits(&row.text).0;
        let folded = fold(&row.text);
        let form = has_form(&row.text);
        if !may_be_name(&row.text) {
            continue;
        }
        let mut score = 30.0 - 6.0 * f32::from(place);
        place += 1;
        score += if form { 25.0 } else { 0.0 };
        score += match (says_any(&folded, TRADES), telling(&row.text)) {
            (true, 1..) => 10.0,
            (true, 0) => -4.0,
            _ => 0.0,
        };
        score -= if row.text.starts_with(['(', '[']) && !form { 15.0 } else { 0.0 };
        score += (15.0 * (row.height / usual - 1.0)).clamp(-5.0, 12.0);
        score -= (1.0 - row.confidence()) * 60.0;
        score -= if letters < 5 { 12.0 } else { 0.0 };
        // Names begin with a capital; handwriting is read without any.
        score -= if row.text.chars().any(char::is_uppercase) { 0.0 } else { 12.0 };
        if best.is_none_or(|(most, _)| score > most) {
            second = best.map_or(second, |(most, _)| most);
            best = Some((score, n));
        } else {
            second = second.max(score);
        }
    }
    let (most, n) = best?;
    let (mut from, mut to) = (n, n + 1);
    // A name in two or three lines: the last one has little more than the legal form, or closes a bracket.
    while to < last && to < n + 3 && !has_form(&head[to - 1].text) && continues(&head[to - 1], &head[to]) {
        to += 1;
    }
    if !has_form(&head[to - 1].text) {
        to = n + 1;
    }
    let body = head.get(last).map_or(usual, |r| r.height);
    while to < last && to < n + 3 && grows(&head[to - 1], &head[to], body) {
        to += 1;
    }
    while from > 0 && to - from < 3 && grows(&head[from - 1], &head[from], body) {
        from -= 1;
    }
    let joined = |from: usize, to: usize| {
        let texts: Vec<&str> = head[from..to].iter().map(|r| r.text.trim()).collect();
        texts.join("\n")
    };
    while from > 0 && to - from < 3 && incomplete(&joined(from, to)) && beneath(&head[from - 1], &head[from]) {
        from -= 1;
    }
    Some(Name { from, to, text: without_registration(&joined(from, to)), margin: most - second })
}

/// Whether a line of the head can be a name at all.
pub(super) fn may_be_name(text: &str) -> bool {
    let (letters, digits) = letters_and_digits(text);
    let form = has_form(text);
    letters >= 3 && digits <= letters && (form || !stops(text) && !says_any(&fold(text), NOT_NAMES))
}

/// Whether a text is only the end of a name: a legal form and at most one word that says who.
fn incomplete(text: &str) -> bool {
    if text.matches(')').count() > text.matches('(').count() {
        return true;
    }
    telling(text) <= 1 && has_form(&format!("x {text}"))
}

/// How many words say who it is: outside brackets, neither a trade nor part of a legal form.
fn telling(text: &str) -> usize {
    let mut depth = 0;
    let outside: String = text
        .chars()
        .filter(|c| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth == 0 && *c != ')'
        })
        .collect();
    let form = |word: &str| FORMS.iter().any(|f| f.split(' ').any(|part| part.len() > 1 && part == word));
    fold(&outside).split(' ').filter(|w| !w.is_empty() && !TRADES.contains(w) && !form(w)).count()
}

/// Whether the upper row is the same print, directly above, and can be part of a name.
fn beneath(upper: &HeadRow<'_>, lower: &HeadRow<'_>) -> bool {
    let similar = upper.height.max(lower.height) < 1.45 * upper.height.min(lower.height);
    let close = lower.top - upper.bottom < 0.4 * upper.height;
    let digits = letters_and_digits(&upper.text).1;
    similar && close && digits == 0 && may_be_name(&upper.text) && !has_form(&upper.text) && upper.confidence() > 0.85
}

/// Whether two rows are one name by their print: both larger than what follows, or the lower one only a legal form.
fn grows(upper: &HeadRow<'_>, lower: &HeadRow<'_>, body: f32) -> bool {
    let similar = upper.height.max(lower.height) < 1.25 * upper.height.min(lower.height);
    let close = lower.top - upper.bottom < 0.8 * upper.height;
    let plain = letters_and_digits(&upper.text).1 + letters_and_digits(&lower.text).1 == 0;
    let only_form = is_form(&lower.text);
    let large = upper.height.min(lower.height) > 1.12 * body;
    let names = may_be_name(&upper.text) && (only_form || may_be_name(&lower.text) && !has_form(&upper.text));
    similar && close && plain && names && (large || only_form)
}

/// Whether a text is a legal form and nothing else.
fn is_form(text: &str) -> bool {
    let folded = fold(text);
    !folded.is_empty() && FORMS.contains(&folded.as_str())
}

/// Whether the lower row goes on with the name that the upper one began.
fn continues(upper: &HeadRow<'_>, lower: &HeadRow<'_>) -> bool {
    let open = upper.text.matches('(').count() > upper.text.matches(')').count();
    beneath(upper, lower) && (open || incomplete(&lower.text) || lower.text.contains('(')) && may_be_name(&lower.text)
}

static OWNER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^(?:owned by|operated by|dimiliki(?: oleh)?|inhaber|inh|company|firma)\s*[:.]\s*")
        .expect("a constant pattern")
});
// Legal forms that recognisers confuse: `SON BHD`, `SDN 3HD`, `5/B`.
static MISREAD_SDN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\bS[DOU0]N(?P<gap>\.?\s*)[B38]HD\b").expect("a constant pattern"));
static MISREAD_SB: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b5/[B8]$").expect("a constant pattern"));
static AFTER_FORM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:sdn\.?\s*b[hn]d\.?|berhad|bhd\.?|s/b|s\.b\.|gmbh|ltd\.?|limited|llc|s\.?r\.?l\.?|sarl|b\.?v\.?|kft|lda)(?P<rest>\s*[(\[]?\s*\S*\d.*)$").expect("a constant pattern")
});

/// The name without what is registered of it: `(139386 X)`, `Co. No. 12345-K`.
fn without_registration(text: &str) -> String {
    let text = text.trim_start_matches(|c: char| c == '#' || c.is_ascii_digit() && text.starts_with('#')).trim();
    let text = AFTER_FORM.captures(text).and_then(|hit| hit.name("rest")).map_or(text, |rest| &text[..rest.start()]);
    let cut = REGISTRATION.find(text).map_or(text.len(), |m| m.start());
    let kept = text[..cut].trim();
    let kept = if letters_and_digits(kept).0 < 3 { text.trim() } else { kept };
    let kept = OWNER.replace(kept, "");
    let kept = MISREAD_SDN.replace(&kept, "SDN${gap}BHD");
    let kept = MISREAD_SB.replace(&kept, "S/B");
    kept.trim_end_matches([',', '-', '(', ':']).trim_end().to_owned()
}
