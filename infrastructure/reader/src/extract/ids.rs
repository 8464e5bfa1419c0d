//! The receipt's own number.

use std::sync::LazyLock;

use regex::Regex;

use super::confidence::{Evidence, sure};
use super::dates;
use super::words::letters_and_digits;
use super::{Field, Kind, Text};
use crate::layout::{Layout, RowText};

// A noun for the paper, with a word for "number" before or behind it, then the number itself; in English, German,
// French, Italian, Spanish, Portuguese, the languages of the north, Polish, Czech, Hungarian and Malay.
static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?ix)(?:^|[^a-zà-ž])
        (?P<label>
          (?P<before>n[°ºo]\.?|nr\.?|nos?\.?|num[ée]ro|n[úu]mero|number)?\s*(?:de\s+|d')?
          (?P<noun>
            (?:tax\s+|cash\s+|sales\s+)?(?:invoice|inv|involce)|receipt|rcpt|bill?|document|doc|slip|check|cheque|chk
            |trans(?:action)?|trn|tr|ticket|order|folio|credit\s+note|refund
            |(?:kassen)?beleg|(?:kassen)?bon|rechnungs?|quittungs?|gutschrifts?
            |facture|note|re[çc]u|avoir|fattura|scontrino|ricevuta|documento
            |factura(?:\s+simplificada)?|recibo|abono|fatura|kvitto|kvittering|kuitti|paragon|faktura|rachunek|uctenka|nyugta
            |resit|invois|nota\s+kredit|cs
          )
          (?:\s*-?\s*(?P<behind>number|nummer|no|nr|num|id|n[°ºo]|č|c\.|\#|№)\b?\.?)?
          \s*[.:\#]*
        )
        \s*[.:\#]*\s*
        (?P<value>[A-Z0-9][A-Z0-9/_.-]*)",
    )
    .expect("a constant pattern")
});
/// Nouns that stand for other numbers as well.
const WEAK: &[&str] =
    &["order", "trans", "transaction", "trn", "tr", "check", "cs", "slip", "note", "bon", "folio", "refund", "abono"];

/// The number of the receipt or invoice, if labelled: the best label wins, the upper one of two alike.
pub(super) fn field(layout: &Layout<'_>) -> Option<Field> {
    let mut best: Option<(u32, Field)> = None;
    for n in 0..layout.rows.len() {
        let Some((score, found)) = in_row(&layout.row_text(n)) else { continue };
        if best.as_ref().is_none_or(|(most, _)| score > *most) {
            best = Some((score, found));
        }
    }
    best.map(|(_, field)| field)
}

/// Whether a row says the receipt's number.
pub(super) fn is_said(row: &RowText<'_>) -> bool {
    in_row(row).is_some_and(|(score, _)| score >= 2)
}

fn in_row(row: &RowText<'_>) -> Option<(u32, Field)> {
    let mut from = 0;
    while let Some(hit) = LABEL.captures_at(&row.text, from) {
        let (label, noun, printed) = (hit.name("label")?, hit.name("noun")?, hit.name("value")?);
        from = noun.end();
        let value = printed.as_str().trim_end_matches(['.', '-', '/', '_']);
        let numbered = hit.name("before").is_some()
            || hit.name("behind").is_some()
            || label.as_str().trim_end().ends_with([':', '#', '.']);
        let weak = WEAK.contains(&noun.as_str().to_lowercase().as_str());
        if !is_number(value, numbered, weak) {
            continue;
        }
        let Some(value) = row.part(printed.start(), printed.start() + value.len()).map(Text::of) else { continue };
        let score = 1 + u32::from(!weak) + u32::from(numbered);
        let evidence = if score >= 3 { Evidence::Labelled } else { Evidence::Shape };
        let confidence = sure(evidence, value.confidence);
        let label = row.part(label.start(), label.end()).map(Text::of);
        return Some((score, Field { kind: Kind::ReceiptId, confidence, label, value }));
    }
    None
}

/// Whether a text behind a label can be the receipt's number rather than a date, an amount or a word.
fn is_number(text: &str, numbered: bool, weak: bool) -> bool {
    let digits = letters_and_digits(text).1;
    let amount = text.len() >= 4 && matches!(text.as_bytes()[text.len() - 3], b'.' | b',');
    let enough = if numbered { 2 } else { 3 + usize::from(weak) };
    digits >= enough && !amount && dates::find(text).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Page, Quad, TextLine};

    fn read(cells: &[&str]) -> Option<String> {
        let line = |(n, text): (usize, &&str)| {
            TextLine::new(*text, 0.98, Quad::upright(n as f32 * 300.0, 10.0, n as f32 * 300.0 + 200.0, 32.0))
        };
        let page = Page::new(700.0, 100.0, cells.iter().enumerate().map(line).collect());
        field(&Layout::new(&page)).map(|f| f.value.text)
    }

    #[test]
    fn numbers_of_receipts() {
        for (cells, expected) in [
            (&["Rechnung Nr. 2025-1187"][..], "2025-1187"),
            (&["KASSENBON NR.", "A25269"], "A25269"),
            (&["Invoice No: INV-575797"], "INV-575797"),
            (&["Note n° A46990"], "A46990"),
            (&["Nº ticket 0012-77"], "0012-77"),
            (&["NO. BIL", "99829980"], "99829980"),
            (&["Trans 85/63509"], "85/63509"),
            (&["11:54Quittung Nr. A83661"], "A83661"),
            (&["Doc No.", "QX7719053"], "QX7719053"),
            (&["TR# 21772"], "21772"),
        ] {
            assert_eq!(read(cells).as_deref(), Some(expected), "{cells:?}");
        }
    }

    #[test]
    fn what_is_no_number_of_a_receipt() {
        for cells in
            [&["Invoice date 12.03.2025"][..], &["Bon 12.50"], &["Order 12"], &["Tax Invoice"], &["TOTAL", "12.50"]]
        {
            assert_eq!(read(cells), None, "{cells:?}");
        }
    }
}
