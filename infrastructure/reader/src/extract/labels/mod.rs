//! What the words beside an amount say it is, in the languages of our receipts.

mod vocabulary;

use std::sync::LazyLock;

use regex::Regex;

use super::words::{fold, says, says_any};
use vocabulary::{
    BALANCE, CHANGE, COUNTS, DISCOUNT, INCLUDING, PLAIN, ROUNDING, SERVICE, STRONG, SUBTOTAL, TAX, TENDER, TIP,
    TOTAL_TENDER, WEAK,
};

/// A total with the number of things in brackets.
static COUNTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)total\W*\(\s*\d+\s*(?:items?|pcs|articles|artikel|art[ií]culos|articoli|posten|positionen)\s*\)")
        .expect("a constant pattern")
});

/// What an amount is, by its label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// What is to be paid; the number grows with how surely.
    Total(u8),
    /// Before tax, tip or rounding.
    Subtotal,
    /// Value added or sales tax.
    Tax,
    /// A tip or gratuity.
    Tip,
    /// A charge for service.
    Service,
    /// A discount.
    Discount,
    /// What rounding to coins adds or takes.
    Rounding,
    /// What the customer gave.
    Tender,
    /// What the customer got back.
    Change,
    /// What was open before.
    Balance,
    /// Something counted or summed that is none of these.
    Other,
}

/// What a text says about the amount beside it; `None` if nothing known.
#[must_use]
pub fn label(text: &str) -> Option<Label> {
    // `0%supplies` is two words.
    let folded: String = fold(text)
        .replace('%', "% ")
        .split(' ')
        .filter(|w| !w.chars().any(|c| c.is_ascii_digit()) || *w == "tota1" || *w == "t0tal")
        .collect::<Vec<_>>()
        .join(" ");
    if folded.is_empty() {
        return None;
    }
    let has = |phrases: &[&str]| says_any(&folded, phrases);
    // Recognisers lose spaces: `TOTALAMOUNT`, `GRANDTOTAL`.
    let glued = folded.replace(' ', "");
    let total = has(PLAIN) || glued.starts_with("total") && !glued.starts_with("totally") || glued.ends_with("total");
    let strong = has(STRONG) || STRONG.iter().any(|s| s.len() > 8 && glued.contains(&s.replace(' ', "")));
    let rounded = has(ROUNDING) || folded.contains("rounding") || folded.contains("rounded");
    if has(SUBTOTAL) || glued.starts_with("subtotal") || glued.starts_with("subtota") {
        return Some(if folded.contains("incl") && !folded.contains("excl") && !has(&["subtotal", "sub total"]) {
            Label::Total(45)
        } else {
            Label::Subtotal
        });
    }
    if has(BALANCE) {
        return Some(Label::Balance);
    }
    // `TOTAL (3 ITEMS)`: what is counted stands in the label.
    if total && COUNTED.is_match(text) {
        return Some(Label::Total(40));
    }
    if (has(COUNTS) || glued.contains("supplies")) && !strong {
        return Some(Label::Other);
    }
    if has(CHANGE) && !strong && !(total && rounded) {
        return Some(Label::Change);
    }
    if rounded {
        let settled = strong
            || total
                && !folded.ends_with("adj")
                && (says(&folded, "rounded") || folded.contains("after") || folded.contains("round d"));
        return Some(if settled { Label::Total(65) } else { Label::Rounding });
    }
    if has(TIP) && !total {
        return Some(Label::Tip);
    }
    if has(DISCOUNT) && !strong {
        return Some(Label::Discount);
    }
    if has(TAX) || glued.contains("mwst") {
        return Some(taxed(&folded, total, strong));
    }
    if strong {
        return Some(Label::Total(60));
    }
    if has(TOTAL_TENDER) {
        return Some(Label::Tender);
    }
    if total {
        return Some(if has(TENDER) && !folded.starts_with("total") { Label::Tender } else { Label::Total(50) });
    }
    if has(SERVICE) {
        return Some(Label::Service);
    }
    if matches!(folded.as_str(), "due" | "pay" | "due pay") {
        return Some(Label::Total(40));
    }
    if has(TENDER) {
        return Some(Label::Tender);
    }
    has(WEAK).then_some(Label::Total(25))
}

/// Whether only a word that also stands in names of things says that it is a discount: `MEAL DEAL`.
#[must_use]
pub fn is_weak_discount(text: &str) -> bool {
    const WEAK: &[&str] = &["deal", "promo", "promotion", "aktion", "oferta"];
    let folded = fold(text);
    says_any(&folded, WEAK) && !DISCOUNT.iter().any(|d| !WEAK.contains(d) && says(&folded, d))
}

/// A label with a tax in it: the tax itself, or a total with or without it.
fn taxed(folded: &str, total: bool, strong: bool) -> Label {
    let first = |phrases: &[&str]| folded.split(' ').position(|w| phrases.contains(&w)).unwrap_or(usize::MAX);
    // `Total includes GST` names the part, not the whole.
    if !strong
        && says_any(
            folded,
            &["includes gst", "included gst", "includes tax", "included tax", "includes vat", "included vat"],
        )
    {
        return Label::Tax;
    }
    let including = says_any(folded, INCLUDING) || folded.contains("clusiv") && !folded.contains("exclusiv");
    if strong {
        return Label::Total(55);
    }
    if !total {
        return if including && says_any(folded, &["sales", "amount"]) { Label::Total(45) } else { Label::Tax };
    }
    // `GST included in total` is the tax, `Total incl. GST` is a total, `Total GST` is the tax again.
    if first(TAX) < first(PLAIN) {
        if including && says_any(folded, &["inclusive", "incl"]) && folded.ends_with("total") {
            Label::Total(45)
        } else {
            Label::Tax
        }
    } else if including {
        Label::Total(48)
    } else {
        Label::Tax
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_in_many_languages() {
        for (text, expected) in [
            ("TOTAL", Label::Total(50)),
            ("Total Payable:", Label::Total(60)),
            ("Round D Total (RM):", Label::Total(65)),
            ("TOTAL ROUNDED", Label::Total(65)),
            ("Total Incl. GST@6%", Label::Total(48)),
            ("Zu zahlen EUR", Label::Total(60)),
            ("Summe", Label::Total(50)),
            ("NET À PAYER", Label::Total(60)),
            ("Totale complessivo", Label::Total(60)),
            ("DO ZAPŁATY", Label::Total(60)),
            ("Zwischensumme", Label::Subtotal),
            ("SUB-TOTAL:", Label::Subtotal),
            ("Total Excl GST", Label::Subtotal),
            ("MwSt 19%", Label::Tax),
            ("GST @6% included in total", Label::Tax),
            ("Total GST", Label::Tax),
            ("TOTAL INCLUDES 6% GST", Label::Tax),
            ("TVA 20,00 %", Label::Tax),
            ("ROUNDING ADJ", Label::Rounding),
            ("Rundung", Label::Rounding),
            ("Trinkgeld", Label::Tip),
            ("CASH", Label::Tender),
            ("Rückgeld", Label::Change),
            ("TOTAL QTY:", Label::Other),
            ("Total 6% supplies (Inc. GST):", Label::Other),
            ("Discount", Label::Discount),
            ("TOTAL PAID", Label::Tender),
            ("TOTAL TENDERED", Label::Tender),
            ("TOTAL CASH", Label::Tender),
            ("TOTAL (3 ITEMS)", Label::Total(40)),
            ("TOTAL ITEMS", Label::Other),
            ("CGST 9%", Label::Tax),
            ("IGST", Label::Tax),
        ] {
            assert_eq!(label(text), Some(expected), "{text}");
        }
        assert_eq!(label("SATIN BIAS TAPE"), None);
        assert!(is_weak_discount("MEAL DEAL 3.50") && is_weak_discount("AKTION Poulet"));
        assert!(!is_weak_discount("Promo discount") && !is_weak_discount("Rabatt"));
    }
}
