//! A response as tables for a terminal.

use std::fmt::Write as _;

use slipstream_reader::textract::{AnalyzeExpenseResponse, ExpenseField, LineItem};

/// The fields, the currency and the line items of every document in a response.
pub fn shown(response: &AnalyzeExpenseResponse) -> String {
    let mut out = String::new();
    for document in &response.expense_documents {
        let fields: Vec<&ExpenseField> = document.summary_fields.iter().filter(|f| !is_repeated(f)).collect();
        if fields.is_empty() {
            out.push_str("nothing found that looks like a receipt\n\n");
            continue;
        }
        let rows = fields.iter().map(|f| {
            let label = f.label_detection.as_ref().map_or("", |l| l.text.as_str());
            [
                f.r#type.text.clone(),
                one_line(&f.value_detection.text),
                percent(f.value_detection.confidence),
                one_line(label),
            ]
        });
        out.push_str(&table(["field", "value", "confidence", "label"], [false, false, true, false], rows));
        if let Some(currency) = fields.iter().find_map(|f| f.currency.as_ref()) {
            let _ = write!(out, "\ncurrency {} ({})\n", currency.code, percent(currency.confidence));
        }
        let items: Vec<&LineItem> = document.line_item_groups.iter().flat_map(|g| &g.line_items).collect();
        if !items.is_empty() {
            let rows = items.iter().map(|item| {
                ["ITEM", "PRODUCT_CODE", "QUANTITY", "UNIT_PRICE", "PRICE"].map(|kind| one_line(text_of(item, kind)))
            });
            let headings = ["item", "code", "quantity", "unit price", "price"];
            out.push('\n');
            out.push_str(&table(headings, [false, false, true, true, true], rows));
        }
        out.push('\n');
    }
    out
}

/// Textract answers parts of a party twice: as `NAME` in a group and as `VENDOR_NAME`. Once is enough here.
fn is_repeated(field: &ExpenseField) -> bool {
    !field.group_properties.is_empty() && !field.r#type.text.starts_with("VENDOR_")
}

fn text_of<'a>(item: &'a LineItem, kind: &str) -> &'a str {
    let found = item.line_item_expense_fields.iter().find(|f| f.r#type.text == kind);
    found.map_or("", |f| f.value_detection.text.as_str())
}

fn one_line(text: &str) -> String {
    text.split('\n').map(str::trim).collect::<Vec<_>>().join(", ")
}

fn percent(confidence: f32) -> String {
    format!("{confidence:.1}")
}

/// Columns as wide as their widest cell, two spaces apart; `right` says which are aligned right.
fn table<const N: usize>(headings: [&str; N], right: [bool; N], rows: impl Iterator<Item = [String; N]>) -> String {
    let rows: Vec<[String; N]> = std::iter::once(headings.map(str::to_owned)).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut out = String::new();
    for row in &rows {
        let cells = (0..N).map(|n| {
            let (cell, wide) = (&row[n], widths[n]);
            if right[n] { format!("{cell:>wide$}") } else { format!("{cell:<wide$}") }
        });
        let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use slipstream_reader::extract::expense;
    use slipstream_reader::page::{Page, Quad, TextLine};

    fn response(lines: &[(&str, f32, f32)]) -> AnalyzeExpenseResponse {
        let page = Page::new(
            400.0,
            600.0,
            lines
                .iter()
                .map(|(text, left, top)| {
                    let right = left + text.chars().count() as f32 * 10.0;
                    TextLine::new(*text, 0.99, Quad::upright(*left, *top, right, top + 20.0))
                })
                .collect(),
        );
        AnalyzeExpenseResponse::new(&page, &expense(&page))
    }

    #[test]
    fn fields_stand_in_columns_and_only_once() {
        let shown = shown(&response(&[
            ("Gasthaus Wetterhahn", 20.0, 10.0),
            ("12.03.2025", 20.0, 60.0),
            ("Apfelkuchen", 20.0, 100.0),
            ("4,50", 320.0, 100.0),
            ("Summe EUR", 20.0, 140.0),
            ("4,50", 320.0, 140.0),
        ]));
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[0].starts_with("field") && lines[0].ends_with("label"), "{shown}");
        assert_eq!(lines.iter().filter(|l| l.contains("Gasthaus Wetterhahn")).count(), 1, "{shown}");
        let total = lines.iter().find(|l| l.starts_with("TOTAL")).expect("a total");
        assert!(total.contains("4,50") && total.ends_with("Summe EUR"), "{shown}");
        assert_eq!(lines[0].find("value"), total.find("4,50"), "{shown}");
        assert!(lines.iter().any(|l| l.starts_with("currency EUR")), "{shown}");
        assert!(lines.iter().any(|l| l.starts_with("Apfelkuchen")), "{shown}");
    }

    #[test]
    fn nothing_is_told_as_nothing() {
        assert_eq!(shown(&response(&[])), "nothing found that looks like a receipt\n\n");
    }
}
