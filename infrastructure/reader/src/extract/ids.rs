//! The receipt's own number.

use std::sync::LazyLock;

use regex::Regex;

use super::dates;
use super::{Field, Kind, Text};
use crate::layout::Layout;
use crate::page::TextLine;

// A noun for the paper, a word for "number", then the number; either the noun is explicit or the number sign is.
static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?P<noun>(?:tax\s+|cash\s+|sales\s+)?(?:invoice|inv|involce)|receipt|rcpt|bill|document|doc|slip|check|cheque|chk|trans(?:action)?|trn|tr|ticket|order|rechnungs?|beleg|bon|quittungs?|facture|fattura|scontrino|ricevuta|documento|factura|recibo|fatura|kvitto|kvittering|kuitti|paragon|faktura|rachunek|uctenka|nyugta|resit|cs)\s*-?\s*(?P<number>number|nummer|no|nr|num|id|n[°ºo]|č|c\.|#|№)?\s*[.:#]*\s*")
        .expect("a constant pattern")
});
static NUMBER: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^[A-Za-z0-9][A-Za-z0-9/_.-]*\d[A-Za-z0-9/_.-]*").expect("a constant pattern"));

/// The number of the receipt or invoice, if labelled.
pub(super) fn field(layout: &Layout<'_>) -> Option<Field> {
    let mut best: Option<(u32, Field)> = None;
    for n in 0..layout.rows.len() {
        let lines: Vec<&TextLine> = layout.lines(n).collect();
        for (at, line) in lines.iter().enumerate() {
            let Some((score, found)) = in_line(line, lines.get(at + 1).copied()) else {
                continue;
            };
            if best.as_ref().is_none_or(|(most, _)| score > *most) {
                best = Some((score, found));
            }
        }
    }
    best.map(|(_, field)| field)
}

fn in_line(line: &TextLine, next: Option<&TextLine>) -> Option<(u32, Field)> {
    for hit in LABEL.captures_iter(&line.text) {
        let whole = hit.get(0)?;
        let noun = hit["noun"].to_lowercase();
        let numbered = hit.name("number").is_some() || whole.as_str().trim_end().ends_with([':', '#', '.']);
        let rest = &line.text[whole.end()..];
        let label_end = line.text[..whole.end()].trim_end().chars().count();
        let label = Text::part(line, line.text[..whole.start()].chars().count(), label_end);
        let (value, text) =
            if let Some(number) = NUMBER.find(rest).map(|m| m.as_str().trim_end_matches(['.', '-', '/'])) {
                let from = line.text[..whole.end()].chars().count();
                (Text::part(line, from, from + number.chars().count()), number.to_owned())
            } else if rest.trim().is_empty() {
                let Some(next) = next else { continue };
                let trimmed = next.text.trim_start_matches([':', '#', ' ', '.']);
                let Some(number) = NUMBER.find(trimmed) else { continue };
                let from = next.text.chars().count() - trimmed.chars().count();
                (Text::part(next, from, from + number.as_str().chars().count()), number.as_str().to_owned())
            } else {
                continue;
            };
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let weak_noun =
            matches!(noun.as_str(), "order" | "trans" | "transaction" | "trn" | "tr" | "check" | "cs" | "slip");
        let amount_like = text.len() >= 4 && text.as_bytes()[text.len() - 3] == b'.';
        if digits < 2 || !numbered && (digits < 4 || weak_noun) || !dates::find(&text).is_empty() || amount_like {
            continue;
        }
        let score = if weak_noun { 1 } else { 2 } + u32::from(numbered);
        let confidence = value.confidence * if score >= 3 { 0.95 } else { 0.75 };
        return Some((score, Field { kind: Kind::ReceiptId, confidence, label: Some(label), value }));
    }
    None
}
