//! The issuer's tax numbers, by their label or by a shape that only they have.

use std::sync::LazyLock;

use regex::Regex;

use crate::extract::confidence::{Evidence, sure};
use crate::extract::words::letters_and_digits;
use crate::extract::{Field, Kind, Text};
use crate::layout::{Layout, RowText};

/// A label, and what number it announces. The names are Textract's; a number that Textract has no name for is only a
/// `TAX_PAYER_ID`.
static LABELS: LazyLock<Vec<(Option<Kind>, Regex)>> = LazyLock::new(|| {
    let number = r"(?:\s*(?:id(?:ent(?:ifikations)?)?[\s.-]*(?:nummer|nr|no|number)?|reg(?:istration|n)?[\s.]*(?:no|nr|number|id)?|numb?er|nummer|no|nr|num|intra\w*|n[°ºo])\b)?\s*[.:#)]*\s*";
    let label = |kind, words: &str| {
        let pattern = format!(r"(?i)(?:^|[^A-Za-zÀ-ž])(?P<label>(?:n[°ºo.]\s*)?(?:{words}){number})$");
        (kind, Regex::new(&pattern).expect("a constant pattern"))
    };
    vec![
        label(Some(Kind::AbnNumber), r"a\.?b\.?n"),
        label(Some(Kind::PanNumber), r"pan"),
        label(Some(Kind::GstNumber), r"gst(?:/hst)?|hst|gstin|cukai\s+gst"),
        label(
            Some(Kind::VatNumber),
            r"vat|u\.?st\.?[\s-]*id(?:[\s.-]*nr)?|ust|uid|mwst|atu|t\.?v\.?a|p(?:artita)?\.?\s*i\.?v\.?a|i\.?v\.?a|btw|moms|cvr|dic|dič|nip|n\.?i\.?f|c\.?i\.?f|nif/cif|cif/nif",
        ),
        label(
            None,
            r"steuer[\s-]*(?:nr|nummer)|st[\s.-]*nr|siret|siren|ein|tax\s*(?:payer)?\s*id|tin|rfc|sst|service\s+tax|kvk|tax",
        ),
    ]
});
/// Letters, digits and what parts them; the digits are counted after.
static VALUE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[:#.\s]*(?P<value>(?:[A-Z]{1,4}[\s-]?)?\d[\dA-Z]*(?:[\s./-]?[\dA-Z]*\d[\dA-Z]*)*(?:-?[A-Z])?)")
        .expect("a constant pattern")
});
/// Numbers with their country in front need no label.
static SHAPED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\b(?P<value>DE\s?\d{9}|ATU\s?\d{8}|CHE-\d{3}\.\d{3}\.\d{3}|FR\s?\d{2}\s?\d{3}\s?\d{3}\s?\d{3}|ES\s?[A-Z]\d{7}[\dA-Z]|IT\s?\d{11}|BE\s?0\d{3}\.?\d{3}\.?\d{3}|NL\s?\d{9}B\d{2}|GB\s?\d{3}\s?\d{4}\s?\d{2})\b")
        .expect("a constant pattern")
});
/// Where a label ends: in front of the number.
static SPLIT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?:\b[A-Z]{1,4}[\s-]?)?\d").expect("a constant pattern"));

/// Every tax number of the issuer once, each under the name of its kind and, as Textract does, as `TAX_PAYER_ID`.
pub(super) fn fields(layout: &Layout<'_>) -> Vec<Field> {
    let mut found: Vec<Field> = Vec::new();
    for n in 0..layout.rows.len() {
        let row = layout.row_text(n);
        let Some((kind, field)) = labelled(&row).or_else(|| shaped(&row)) else { continue };
        if found.iter().any(|f| f.value.text == field.value.text) {
            continue;
        }
        let specific = kind.map(|kind| Field { kind, ..field.clone() });
        found.push(field);
        found.extend(specific);
    }
    found
}

fn labelled(row: &RowText<'_>) -> Option<(Option<Kind>, Field)> {
    // The letters in front of the digits are the number's own (`GB 123…`) or already the label (`ABN 12…`).
    for start in SPLIT.find_iter(&row.text).flat_map(|m| [m.start(), m.end() - 1]) {
        let before = row.text[..start].trim_end();
        let Some((kind, label)) = LABELS
            .iter()
            .find_map(|(kind, label)| label.captures(before).and_then(|hit| hit.name("label")).map(|m| (*kind, m)))
        else {
            continue;
        };
        let Some(value) = VALUE.captures(&row.text[start..]).and_then(|hit| hit.name("value")) else { continue };
        let printed = first_number(value.as_str());
        if !is_id(printed) {
            continue;
        }
        let at = start + value.start();
        let value = Text::of(row.part(at, at + printed.len())?);
        let confidence = sure(Evidence::Labelled, value.confidence);
        let label = row.part(label.start(), label.end()).map(Text::of);
        return Some((kind, Field { kind: Kind::TaxPayerId, confidence, label, value }));
    }
    None
}

/// Without what another number adds behind a wide gap.
fn first_number(text: &str) -> &str {
    text.find("  ").map_or(text, |gap| &text[..gap]).trim_end()
}

/// Whether it is long enough, and neither an amount nor a percentage.
fn is_id(text: &str) -> bool {
    let (_, digits) = letters_and_digits(text);
    let amount = text.len() < 10 && text.len() >= 4 && matches!(text.as_bytes()[text.len() - 3], b'.' | b',');
    (6..=16).contains(&digits) && !amount
}

fn shaped(row: &RowText<'_>) -> Option<(Option<Kind>, Field)> {
    let value = SHAPED.captures(&row.text)?.name("value")?;
    let value = Text::of(row.part(value.start(), value.end())?);
    let confidence = sure(Evidence::Shape, value.confidence);
    Some((Some(Kind::VatNumber), Field { kind: Kind::TaxPayerId, confidence, label: None, value }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Page, Quad, TextLine};

    fn read(row: &str) -> Vec<(Kind, String)> {
        let line = TextLine::new(row, 0.98, Quad::upright(10.0, 10.0, 400.0, 32.0));
        let page = Page::new(500.0, 600.0, vec![line]);
        fields(&Layout::new(&page)).into_iter().map(|f| (f.kind, f.value.text)).collect()
    }

    #[test]
    fn every_countrys_label_gives_its_kind() {
        for (row, kind, value) in [
            ("GST ID No: 000123456789", Kind::GstNumber, "000123456789"),
            ("(GST Reg No : 001234567890)", Kind::GstNumber, "001234567890"),
            ("USt-IdNr.: DE123456789", Kind::VatNumber, "DE123456789"),
            ("VAT No. GB 123 4567 89", Kind::VatNumber, "GB 123 4567 89"),
            ("TVA FR 12 345678901", Kind::VatNumber, "FR 12 345678901"),
            ("N° TVA intracom. : FR12345678901", Kind::VatNumber, "FR12345678901"),
            ("NIF: B12345678", Kind::VatNumber, "B12345678"),
            ("CHE-123.456.789 MWST", Kind::VatNumber, "CHE-123.456.789"),
            ("ABN 12 345 678 901", Kind::AbnNumber, "12 345 678 901"),
            ("VAT ID: 12-3456789", Kind::VatNumber, "12-3456789"),
        ] {
            assert_eq!(read(row), [(Kind::TaxPayerId, value.to_owned()), (kind, value.to_owned())], "{row}");
        }
        assert_eq!(read("Steuernummer 06123/45678"), [(Kind::TaxPayerId, "06123/45678".to_owned())]);
        assert_eq!(read("SST ID: W10-1808-32000123"), [(Kind::TaxPayerId, "W10-1808-32000123".to_owned())]);
    }

    #[test]
    fn taxes_and_other_numbers_are_no_tax_numbers() {
        for row in
            ["TAX 123.50", "GST 6% 12.50", "MwSt 19% 100,00 19,00", "Invoice No: 00012345", "TVA 20,00 % 1.234,56"]
        {
            assert_eq!(read(row), [], "{row}");
        }
    }
}
