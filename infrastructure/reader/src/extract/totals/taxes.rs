//! Taxes: one for each rate, from lines that name them and from tables of rates.

use std::sync::LazyLock;

use regex::Regex;

use super::{Labelled, Money, Place};
use crate::extract::confidence::{Evidence, sure};
use crate::extract::labels::Label;
use crate::extract::words::{fold, letters_and_digits};
use crate::extract::{Field, Kind, Text};

static RATE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|[^\d.,])(?P<rate>\d{1,2}(?:[.,]\d{1,3})?)\s?%").expect("a constant pattern"));

/// A tax that was found.
pub(super) struct Tax {
    /// Of its amount.
    pub row: usize,
    /// Whether it stands in a table of rates.
    pub table: bool,
    /// In thousandths of a per cent, if printed.
    rate: Option<i64>,
    cents: i64,
    pub proven: bool,
    pub field: Field,
}

impl Tax {
    /// The letters of its label, folded.
    fn name(&self) -> Option<String> {
        let label = self.field.label.as_ref()?;
        Some(fold(&label.text).chars().filter(|c| c.is_alphabetic()).collect())
    }
}

impl Money<'_> {
    /// Every tax once, one that fits total and subtotal first.
    pub(super) fn taxes(&self, total: Option<i64>, subtotal: Option<i64>) -> Vec<Tax> {
        let mut found: Vec<Tax> = Vec::new();
        let table = (0..self.layout.rows.len()).filter_map(|row| self.tax_of_table(row, total));
        let lines = self.with(|l| l == Label::Tax).filter_map(|l| self.tax_of_line(l, total, subtotal));
        for tax in table.chain(lines) {
            let too_much = total.is_some_and(|t| tax.cents.abs() >= t.abs() && t != 0);
            // The same tax may be told as a line and again in a table.
            let told = found.iter().any(|f| {
                f.row == tax.row
                    || f.cents == tax.cents
                        && (f.table != tax.table || f.name() == tax.name())
                        && (f.rate.is_none() || tax.rate.is_none() || f.rate == tax.rate)
            });
            if !too_much && !told {
                found.push(tax);
            }
        }
        drop_sums(&mut found);
        found.sort_by_key(|t| (!t.proven, t.row));
        found.truncate(6);
        found
    }

    /// A row with a rate, and net, tax and gross in any order, or two of them: arithmetic tells which is the tax.
    fn tax_of_table(&self, row: usize, total: Option<i64>) -> Option<Tax> {
        let text = self.layout.text(row);
        let rate = rate(&text);
        let places: Vec<&Place> = self.in_row_of(row).filter(|p| p.is_money(self.decimals)).collect();
        if places.len() < 2 || places.len() > 5 || letters_and_digits(&text).0 > 24 {
            return None;
        }
        let cents = |p: &Place| p.amount.cents;
        let whole = |net: &Place, tax: &Place| {
            places.iter().any(|gross| cents(gross) == cents(net) + cents(tax) && !std::ptr::eq(*gross, net))
        };
        let fits = |net: &Place, tax: &Place| match rate {
            Some(rate) => is_rate(cents(tax), cents(net), rate),
            None => (0.01..0.30).contains(&(cents(tax) as f32 / cents(net).max(1) as f32)),
        };
        let pairs = || {
            places
                .iter()
                .flat_map(|net| places.iter().map(move |tax| (*net, *tax)))
                .filter(|(n, t)| !std::ptr::eq(*n, *t) && cents(n) != 0 && cents(t) != 0)
        };
        let tax = pairs()
            .find(|(net, tax)| whole(net, tax) && fits(net, tax))
            .or_else(|| {
                // Net and tax, or gross and tax: only a printed rate tells them from two other amounts.
                let rate = rate?;
                pairs().find(|(base, tax)| {
                    is_rate(cents(tax), cents(base), rate) || is_rate(cents(tax), cents(base) - cents(tax), rate)
                })
            })
            .map(|(_, tax)| tax)?;
        if total.is_some_and(|t| cents(tax).abs() >= t.abs()) {
            return None;
        }
        let line = &self.layout.page.lines[tax.line];
        let first = self.layout.lines(row).next().filter(|l| !std::ptr::eq(*l, line) && rate_or_letters(&l.text));
        let field = Field {
            kind: Kind::Tax,
            confidence: sure(Evidence::Proven, line.confidence),
            label: first.map(Text::whole),
            value: self.text(tax),
        };
        Some(Tax { row, table: true, rate, cents: cents(tax), proven: true, field })
    }

    /// A row whose words name a tax.
    fn tax_of_line(&self, found: &Labelled, total: Option<i64>, subtotal: Option<i64>) -> Option<Tax> {
        let place = self.tax_in_row(found, total, subtotal);
        let cents = place.amount.cents;
        if !place.is_money(self.decimals) {
            return None;
        }
        let rate = rate(&self.layout.text(found.row));
        let makes = |total: i64| rate.is_some_and(|rate| is_rate(cents, total - cents, rate) && cents != 0);
        let proven = total.zip(subtotal).is_some_and(|(t, s)| (t - s - cents).abs() <= 4)
            || total.is_some_and(makes)
            || subtotal.is_some_and(|net| rate.is_some_and(|rate| is_rate(cents, net, rate) && cents != 0));
        let evidence = if proven { Evidence::Proven } else { Evidence::Labelled };
        let row = place.row;
        let field = self.field(Kind::Tax, &Labelled { place, ..found.clone() }, evidence);
        Some(Tax { row, table: false, rate, cents, proven, field })
    }

    /// The tax itself among the amounts of its row, which may name the taxed amount too: `SALES TAX 7.5% ON 47.54 3.57`.
    /// What total and subtotal leave is believed first, then the share that the printed rate makes of another amount.
    fn tax_in_row(&self, found: &Labelled, total: Option<i64>, subtotal: Option<i64>) -> Place {
        let row: Vec<&Place> = self.in_row_of(found.row).filter(|p| p.is_money(self.decimals)).collect();
        let left = total.zip(subtotal).map(|(total, subtotal)| total - subtotal);
        let is_left = |p: &&&Place| left.is_some_and(|left| (left - p.amount.cents).abs() <= 4);
        let is_share = |p: &&&Place| {
            row.iter().any(|base| {
                let share = p.amount.cents as f32 / base.amount.cents.max(1) as f32;
                p.amount.cents > 0 && base.amount.cents > p.amount.cents && (0.02..0.28).contains(&share)
            })
        };
        row.iter().find(is_left).or_else(|| row.iter().find(is_share)).map_or(&found.place, |place| place).clone()
    }
}

/// The rate a text names, in thousandths of a per cent.
fn rate(text: &str) -> Option<i64> {
    let printed = RATE.captures(text)?.name("rate")?.as_str().replace(',', ".");
    let (whole, part) = printed.split_once('.').unwrap_or((&printed, ""));
    Some(whole.parse::<i64>().ok()? * 1000 + format!("{part:0<3}").parse::<i64>().ok()?)
}

/// Whether a tax is this rate of a net amount, rounded line by line perhaps.
fn is_rate(tax: i64, net: i64, rate: i64) -> bool {
    (i128::from(net) * i128::from(rate) - i128::from(tax) * 100_000).abs() <= 2 * 100_000
        && tax.signum() == net.signum()
}

/// Whether a cell names a rate: `A`, `19 %`, `B = 7,0%`.
fn rate_or_letters(text: &str) -> bool {
    let (letters, digits) = letters_and_digits(text);
    letters + digits > 0 && letters <= 16
}

/// Drops what is only the sum of the taxes at single rates.
fn drop_sums(found: &mut Vec<Tax>) {
    let rated: i64 = found.iter().filter(|t| t.rate.is_some()).map(|t| t.cents).sum();
    if found.iter().filter(|t| t.rate.is_some()).count() >= 2 {
        found.retain(|t| t.rate.is_some() || t.cents != rated);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_as_printed() {
        assert_eq!(rate("MwSt 19%"), Some(19_000));
        assert_eq!(rate("TVA 5,5 %"), Some(5_500));
        assert_eq!(rate("QST 9.975%"), Some(9_975));
        assert_eq!(rate("TOTAL 12.50"), None);
    }

    #[test]
    fn a_tax_is_its_rate_of_the_net_amount_within_a_cent_or_two() {
        assert!(is_rate(190, 1000, 19_000) && is_rate(191, 1000, 19_000));
        assert!(!is_rate(210, 1000, 19_000) && !is_rate(-190, 1000, 19_000));
        assert!(is_rate(-190, -1000, 19_000));
    }
}
