//! Which of the amounts is what: total, subtotal, tax, tip.
//!
//! Labels propose, arithmetic decides: a total that equals cash minus change, or the sum before rounding plus the rounding,
//! or what the things bought come to, is believed over one that merely stands beside the right word.

mod taxes;
mod total;

use super::amounts::{self, Amount, Decimal};
use super::confidence::{Evidence, sure};
use super::items::Bought;
use super::labels::{Label, is_weak_discount, label};
use super::words::{fold, letters_and_digits, says_any};
use super::{Field, Kind, Text};
use crate::layout::Layout;

/// Words of receipts that give money back, folded.
const REFUNDS: &[&str] = &[
    "refund",
    "refunds",
    "refunded",
    "credit note",
    "return receipt",
    "gutschrift",
    "storno",
    "ruckgabe",
    "erstattung",
    "erstattet",
    "avoir",
    "remboursement",
    "rembourse",
    "abono",
    "devolucion",
    "devuelto",
    "nota kredit",
    "bayaran balik",
    "dipulangkan",
    "nota di credito",
];

/// An amount on the page.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub row: usize,
    /// Index into the page's lines.
    pub line: usize,
    pub amount: Amount,
}

/// An amount with a label.
#[derive(Debug, Clone)]
pub(super) struct Labelled {
    pub kind: Label,
    /// Index into the page's lines, and the characters that say it.
    words: (usize, usize, usize),
    /// The row of the label.
    pub row: usize,
    place: Place,
    /// How many amounts of money stand in its row.
    company: usize,
}

impl Labelled {
    /// Whether it is surely an amount of money, on a page whose amounts have this many decimals.
    pub fn is_money(&self, decimals: usize) -> bool {
        self.place.is_money(decimals)
    }

    fn thousandths(&self) -> i64 {
        self.place.amount.thousandths
    }
}

impl Place {
    fn is_money(&self, decimals: usize) -> bool {
        self.amount.sign.is_some() || self.amount.decimals == decimals
    }
}

/// All amounts of a page, and what labels say of them.
#[derive(Debug)]
pub(super) struct Money<'a> {
    layout: &'a Layout<'a>,
    pub places: Vec<Place>,
    pub labelled: Vec<Labelled>,
    /// How many decimals amounts of the page have.
    pub decimals: usize,
    /// Whether the receipt gives money back.
    pub refund: bool,
}

impl<'a> Money<'a> {
    pub fn find(layout: &'a Layout<'a>, style: Decimal) -> Self {
        let texts = || layout.page.lines.iter().map(|l| l.text.as_str());
        let decimals = amounts::usual_decimals(texts(), style);
        let refund = texts().any(|t| says_any(&fold(t), REFUNDS));
        let mut places = Vec::new();
        for (row, found) in layout.rows.iter().enumerate() {
            for &line in &found.cells {
                let text = &layout.page.lines[line].text;
                places.extend(amounts::find(text, style).into_iter().map(|amount| Place { row, line, amount }));
            }
        }
        let mut money = Self { layout, places, labelled: Vec::new(), decimals, refund };
        let mut labelled: Vec<Labelled> = (0..layout.rows.len()).flat_map(|row| money.in_row(row)).collect();
        // `Rounding 13.60` beside a total of 13.58 is the total after rounding.
        let totals: Vec<i64> =
            labelled.iter().filter(|l| matches!(l.kind, Label::Total(_))).map(|l| l.place.amount.cents).collect();
        for found in &mut labelled {
            let cents = found.place.amount.cents;
            if found.kind == Label::Rounding && cents > 50 && totals.iter().any(|t| (t - cents).abs() <= 5) {
                found.kind = Label::Total(65);
            }
        }
        money.labelled = labelled;
        money.drop_bought();
        money.demote();
        money
    }

    /// Things bought stand above the sums, whatever words their names have: `Asparagus tips 2.49`, `Birthday card 3.50`.
    fn drop_bought(&mut self) {
        let is_sum = |l: &&Labelled| match l.kind {
            Label::Total(weight) => weight >= 40,
            kind => matches!(kind, Label::Subtotal | Label::Tax),
        };
        let sums = self.labelled.iter().filter(is_sum).filter(|l| l.is_money(self.decimals));
        let Some(first) = sums.map(|l| l.row.min(l.place.row)).min() else { return };
        self.labelled.retain(|l| {
            let added =
                matches!(l.kind, Label::Tip | Label::Service | Label::Discount | Label::Tender | Label::Rounding);
            !(added && l.row < first && l.place.amount.cents > 0)
        });
    }

    /// A total from which tax, tip or service still lead to a later total is a subtotal: `Net total`, `Total` above them.
    fn demote(&mut self) {
        let added =
            |l: &Labelled| matches!(l.kind, Label::Tax | Label::Tip | Label::Service) && l.is_money(self.decimals);
        let is_total = |l: &Labelled| matches!(l.kind, Label::Total(_)) && l.is_money(self.decimals);
        let leads = |from: &Labelled, to: &Labelled| {
            let mut between: Vec<i64> = self
                .labelled
                .iter()
                .filter(|l| added(l) && l.row > from.row && l.row < to.row)
                .map(Labelled::thousandths)
                .collect();
            between.truncate(8);
            let more = to.thousandths() - from.thousandths();
            more > 0 && subset_sums(&between).contains(&more)
        };
        let demoted: Vec<usize> = (0..self.labelled.len())
            .filter(|&n| {
                let from = &self.labelled[n];
                is_total(from) && self.labelled.iter().any(|to| is_total(to) && leads(from, to))
            })
            .collect();
        for n in demoted {
            self.labelled[n].kind = Label::Subtotal;
        }
    }

    pub fn in_row_of(&self, row: usize) -> impl DoubleEndedIterator<Item = &Place> {
        self.places.iter().filter(move |p| p.row == row)
    }

    /// The labels of a row with the amount each belongs to.
    fn in_row(&self, row: usize) -> Vec<Labelled> {
        let lines = &self.layout.page.lines;
        let money: Vec<&Place> = self.in_row_of(row).filter(|p| p.is_money(self.decimals)).collect();
        let mut found = Vec::new();
        let cells = &self.layout.rows[row].cells;
        for (n, &cell) in cells.iter().enumerate() {
            let text = &lines[cell].text;
            let in_cell = || self.in_row_of(row).filter(|p| p.line == cell);
            let own = in_cell()
                .find(|p| p.is_money(self.decimals) && p.amount.start > 0)
                .or_else(|| in_cell().find(|p| p.is_money(self.decimals) || p.amount.start > 0));
            let end = own.map_or(usize::MAX, |p| p.amount.start);
            let mut words: String = text.chars().take(end).collect();
            if letters_and_digits(&words).0 < 2 {
                continue;
            }
            // A label may be cut in two: `TOTAL` `(RM)`, `Net` `Total`.
            if own.is_none() {
                for &next in &cells[n + 1..] {
                    let next = &lines[next];
                    if letters_and_digits(&next.text).1 > 0 || letters_and_digits(&next.text).0 < 2 {
                        break;
                    }
                    words = format!("{words} {}", next.text);
                }
            }
            let Some(kind) = label(&words) else { continue };
            let weak = matches!(kind, Label::Total(w) if w < 40);
            let right = |p: &&&Place| p.line != cell && lines[p.line].quad.centre().x > lines[cell].quad.centre().x;
            let money_right = own.filter(|p| p.is_money(self.decimals)).or_else(|| money.iter().rfind(right).copied());
            let place = money_right
                .cloned()
                .or_else(|| (!weak).then(|| self.below(row, cell)).flatten())
                .or_else(|| own.cloned())
                .or_else(|| {
                    let any: Vec<&Place> = self.in_row_of(row).collect();
                    any.iter().rfind(right).map(|p| (*p).clone())
                });
            if let Some(place) = place {
                // What costs something is no discount: `MEAL DEAL 3.50`.
                if kind == Label::Discount && place.amount.cents > 0 && !self.refund && is_weak_discount(&words) {
                    continue;
                }
                let letters = text.chars().take(end).collect::<String>();
                found.push(Labelled {
                    kind,
                    words: (cell, 0, letters.trim_end().chars().count()),
                    row,
                    place,
                    company: money.len(),
                });
            }
        }
        found
    }

    /// The amount under or beside a label that has none in its own row: large print, a wavy page.
    fn below(&self, row: usize, cell: usize) -> Option<Place> {
        let lines = &self.layout.page.lines;
        let label = &lines[cell];
        let near = |other: usize| {
            let alone = self.layout.rows[other].cells.iter().all(|&c| letters_and_digits(&lines[c].text).0 <= 3);
            let distance = (self.layout.rows[other].middle - self.layout.rows[row].middle).abs();
            (alone && distance < 1.6 * label.quad.height())
                .then(|| {
                    self.in_row_of(other)
                        .find(|p| p.is_money(self.decimals) && lines[p.line].quad.centre().x > label.quad.left())
                })
                .flatten()
        };
        let next = (row + 1 < self.layout.rows.len()).then(|| near(row + 1)).flatten();
        let previous = (row > 0).then(|| near(row - 1)).flatten();
        next.or(previous).cloned()
    }

    fn with(&self, wanted: fn(Label) -> bool) -> impl Iterator<Item = &Labelled> {
        self.labelled.iter().filter(move |l| wanted(l.kind))
    }

    fn cents(&self, wanted: fn(Label) -> bool) -> Vec<i64> {
        self.with(wanted).map(|l| l.place.amount.cents).collect()
    }

    /// Whether things bought that come to `sum` thousandths, printed above the row `end`, make a sum printed from there on,
    /// with or without what is added to it: tax, tip, service, rounding, less discounts.
    pub fn comes_to(&self, sum: i64, end: usize) -> bool {
        let below = || self.labelled.iter().filter(move |l| l.row >= end && l.is_money(self.decimals));
        let mut sums = below().filter(|l| matches!(l.kind, Label::Total(_) | Label::Subtotal | Label::Tender));
        let taxes: Vec<i64> = below().filter(|l| l.kind == Label::Tax).map(Labelled::thousandths).collect();
        let mut extras: Vec<i64> = vec![taxes.iter().sum()];
        extras.extend(taxes.iter().filter(|_| taxes.len() > 1));
        for l in below() {
            match l.kind {
                Label::Tip | Label::Service => extras.push(l.thousandths()),
                Label::Rounding => extras.extend([l.thousandths(), -l.thousandths()]),
                Label::Discount => extras.push(-l.thousandths().abs()),
                _ => {}
            }
        }
        extras.retain(|e| *e != 0);
        extras.truncate(8);
        let differences = subset_sums(&extras);
        sum != 0 && sums.any(|l| differences.contains(&(l.thousandths() - sum)))
    }

    /// Total, subtotal, taxes, tip, service charge, discount and what was paid, as far as they are there. `bought`: what
    /// the things bought come to is evidence where it agrees with a printed sum.
    pub fn fields(&self, bought: &Bought) -> Vec<Field> {
        let mut fields = Vec::new();
        let agreed = bought.agreed;
        let total = self.total(agreed);
        let total_cents = total.as_ref().map(|(_, cents)| *cents);
        fields.extend(total.map(|(field, _)| field));
        let subtotal = self.subtotal(agreed);
        let taxes = self.taxes(total_cents, subtotal.map(|l| l.place.amount.cents));
        // What stands in a table of taxes is the base of one rate.
        let subtotal = subtotal.filter(|l| !taxes.iter().any(|t| t.proven && t.table && t.row == l.place.row));
        fields.extend(subtotal.map(|l| self.field(Kind::Subtotal, l, self.sum_evidence(l, agreed))));
        fields.extend(taxes.into_iter().map(|t| t.field));
        for (label, kind) in
            [(Label::Tip, Kind::Tip), (Label::Service, Kind::ServiceCharge), (Label::Discount, Kind::Discount)]
        {
            let money = |l: &&Labelled| {
                l.kind == label
                    && l.is_money(self.decimals)
                    && l.place.amount.cents != 0
                    && !bought.reduced.contains(&l.row)
            };
            fields.extend(self.labelled.iter().find(money).map(|l| self.field(kind, l, Evidence::Labelled)));
        }
        fields.extend(self.paid(total_cents).map(|l| self.field(Kind::AmountPaid, l, Evidence::Labelled)));
        for l in self.labelled.iter().filter(|l| l.is_money(self.decimals)) {
            match l.kind {
                Label::Balance => fields.push(self.field(Kind::PriorBalance, l, Evidence::Labelled)),
                Label::Change | Label::Rounding => fields.push(self.field(Kind::Other, l, Evidence::Labelled)),
                _ => {}
            }
        }
        fields
    }

    /// The subtotal: the one that the things bought come to, else the last.
    fn subtotal(&self, bought: Option<i64>) -> Option<&Labelled> {
        let all = || self.with(|l| l == Label::Subtotal).filter(|l| l.is_money(self.decimals));
        all().find(|l| bought == Some(l.thousandths())).or_else(|| all().last())
    }

    fn sum_evidence(&self, found: &Labelled, bought: Option<i64>) -> Evidence {
        if bought == Some(found.thousandths()) { Evidence::Proven } else { Evidence::Labelled }
    }

    /// What the customer gave: cash that the change was given back from, else what equals the total, else the first.
    fn paid(&self, total: Option<i64>) -> Option<&Labelled> {
        let all = || self.with(|l| l == Label::Tender).filter(|l| l.is_money(self.decimals));
        let change = self.cents(|l| l == Label::Change);
        let gave_back = |l: &&Labelled| {
            total.is_some_and(|t| change.iter().any(|c| *c != 0 && l.place.amount.cents - c.abs() == t))
        };
        all()
            .find(gave_back)
            .or_else(|| all().find(|l| Some(l.place.amount.cents) == total))
            .or_else(|| all().find(|l| l.place.amount.cents != 0))
    }

    fn field(&self, kind: Kind, found: &Labelled, evidence: Evidence) -> Field {
        let lines = &self.layout.page.lines;
        let (line, from, to) = found.words;
        Field {
            kind,
            confidence: sure(evidence, lines[found.place.line].confidence),
            label: Some(Text::part(&lines[line], from, to)),
            value: self.text(&found.place),
        }
    }

    fn text(&self, place: &Place) -> Text {
        let line = &self.layout.page.lines[place.line];
        Text { text: place.amount.text.clone(), ..Text::part(line, place.amount.start, place.amount.end) }
    }
}

/// What any of the numbers, at most eight, add up to; nothing is one of these sums.
fn subset_sums(numbers: &[i64]) -> Vec<i64> {
    let mut sums = vec![0];
    for n in numbers {
        let with: Vec<i64> = sums.iter().map(|s| s + n).collect();
        sums.extend(with);
    }
    sums
}

#[cfg(test)]
mod tests {
    use crate::extract::{Expense, Kind, expense};
    use crate::page::{Page, Quad, TextLine};

    fn read(rows: &[(&str, &str)]) -> Expense {
        let lines = rows.iter().enumerate().flat_map(|(n, (words, amount))| {
            let y = 40.0 * n as f32;
            [
                TextLine::new(*words, 0.98, Quad::upright(0.0, y, 12.0 * words.len() as f32, y + 22.0)),
                TextLine::new(*amount, 0.98, Quad::upright(500.0, y, 500.0 + 12.0 * amount.len() as f32, y + 22.0)),
            ]
        });
        expense(&Page::new(600.0, 800.0, lines.collect()))
    }

    #[test]
    fn what_is_bought_is_no_sum() {
        for words in [
            "MEAL DEAL",
            "AKTION Poulet",
            "Asparagus tips",
            "Car service",
            "Birthday card",
            "Chocolate bar",
            "Beef round steak",
        ] {
            let found = read(&[(words, "3.50"), ("Milk", "1.20"), ("TOTAL", "4.70")]);
            assert_eq!(found.value(Kind::Total), Some("4.70"), "{words}");
            for kind in [Kind::Tip, Kind::ServiceCharge, Kind::Discount, Kind::AmountPaid, Kind::Other] {
                assert_eq!(found.value(kind), None, "{words}");
            }
        }
    }

    #[test]
    fn what_was_paid_is_not_the_total() {
        let found = read(&[("Milk", "18.40"), ("TOTAL", "18.40"), ("TOTAL TENDERED", "20.00"), ("CHANGE", "1.60")]);
        assert_eq!(found.value(Kind::Total), Some("18.40"));
        assert_eq!(found.value(Kind::AmountPaid), Some("20.00"));
    }

    #[test]
    fn two_taxes_of_one_amount_stay_two() {
        let rows = [("Milk", "20.00"), ("State tax", "1.20"), ("City tax", "1.20"), ("TOTAL", "22.40")];
        assert_eq!(read(&rows).fields.iter().filter(|f| f.kind == Kind::Tax).count(), 2);
    }

    #[test]
    fn a_total_with_the_number_of_things_stays_a_total() {
        assert_eq!(read(&[("Milk", "12.50"), ("TOTAL (3 ITEMS)", "£12.50")]).value(Kind::Total), Some("£12.50"));
    }
}
