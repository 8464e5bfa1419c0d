//! The things bought, where the rows are simple: words on the left, their price on the right.

use std::sync::LazyLock;

use regex::Regex;

use super::labels::label;
use super::totals::{Money, Place};
use super::words::letters_and_digits;
use super::{Field, Item, Kind, Text};
use crate::layout::Layout;
use crate::page::Quad;

static QUANTITY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)(?:^|\s)(?P<n>\d{1,3}(?:[.,]\d{1,3})?)\s*(?:x|\*|@|pcs?|stk|st)(?:\s|\d|$)")
        .expect("a constant pattern")
});

/// What was bought, from top to bottom.
pub(super) fn find(layout: &Layout<'_>, money: &Money<'_>) -> Vec<Item> {
    let end = money.labelled.iter().map(|l| l.row).min().unwrap_or(layout.rows.len());
    let mut items = Vec::new();
    // A row of words without a price may name what the next row prices.
    let mut pending: Option<usize> = None;
    for row in 0..end {
        let price = money.in_row_of(row).rfind(|p| p.amount.decimals >= 2 && p.amount.cents != 0);
        let words = description(layout, row, price);
        match (price, words) {
            (Some(price), Some(words)) => {
                items.push(item(layout, money, row, &words, price, row));
                pending = None;
            }
            (Some(price), None) => {
                if let Some(above) = pending.take()
                    && let Some(words) = description(layout, above, None)
                {
                    items.push(item(layout, money, row, &words, price, above));
                }
            }
            (None, Some(_)) => pending = Some(row),
            (None, None) => {}
        }
    }
    items
}

/// The words of a row that may name a thing.
fn description(layout: &Layout<'_>, row: usize, price: Option<&Place>) -> Option<Text> {
    let mut best: Option<Text> = None;
    for &n in &layout.rows[row].cells {
        let line = &layout.page.lines[n];
        let end = match price {
            Some(p) if p.line == n => p.amount.start,
            _ => usize::MAX,
        };
        let text: String = line.text.chars().take(end).collect();
        let text = text.trim_end();
        let (letters, digits) = letters_and_digits(text);
        let count = text.chars().count();
        if letters < 3 || digits > 2 * letters || label(text).is_some() {
            continue;
        }
        if best.as_ref().is_none_or(|b| letters_and_digits(&b.text).0 < letters) {
            best = Some(Text::part(line, 0, count));
        }
    }
    best
}

fn item(layout: &Layout<'_>, money: &Money<'_>, row: usize, words: &Text, price: &Place, from: usize) -> Item {
    let lines = &layout.page.lines;
    let field = |kind: Kind, value: Text| Field { kind, confidence: 0.85 * value.confidence, label: None, value };
    let priced = Text::part(&lines[price.line], price.amount.start, price.amount.end);
    let mut fields = vec![field(Kind::Item, words.clone()), field(Kind::Price, priced)];
    let said = layout.rows[row].cells.iter().find_map(|&n| {
        let hit = QUANTITY.captures(&lines[n].text)?;
        let n_text = hit.name("n")?;
        let start = lines[n].text[..n_text.start()].chars().count();
        Some(Text::part(&lines[n], start, start + n_text.as_str().chars().count()))
    });
    let counted = || {
        money
            .in_row_of(row)
            .find(|p| {
                p.amount.decimals == 0
                    && p.amount.sign.is_none()
                    && (100..100_000).contains(&p.amount.cents)
                    && lines[p.line].text.trim().chars().count() <= 3
            })
            .map(|p| Text::part(&lines[p.line], p.amount.start, p.amount.end))
    };
    fields.extend(said.or_else(counted).map(|t| field(Kind::Quantity, t)));
    let whole: Vec<usize> = layout.rows[from..=row].iter().flat_map(|r| r.cells.iter().copied()).collect();
    if let Some(quad) = Quad::around(whole.iter().map(|&n| &lines[n].quad)) {
        let text = (from..=row).map(|r| layout.text(r)).collect::<Vec<_>>().join("\n");
        let confidence = whole.iter().map(|&n| lines[n].confidence).fold(1.0, f32::min);
        fields.push(field(Kind::Row, Text { text, quad, confidence }));
    }
    Item { fields }
}
