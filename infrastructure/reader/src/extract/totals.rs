//! Which of the amounts is what: total, subtotal, tax, tip.
//!
//! Labels propose, arithmetic decides: a total that equals cash minus change, or the sum before rounding plus the rounding,
//! is believed over one that merely stands beside the right word.

use super::amounts::{self, Amount, Decimal};
use super::labels::{Label, label};
use super::words::letters_and_digits;
use super::{Field, Kind, Text};
use crate::layout::Layout;

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

/// All amounts of a page, and what labels say of them.
#[derive(Debug)]
pub(super) struct Money<'a> {
    layout: &'a Layout<'a>,
    pub places: Vec<Place>,
    pub labelled: Vec<Labelled>,
}

impl<'a> Money<'a> {
    pub fn find(layout: &'a Layout<'a>, style: Decimal) -> Self {
        let mut places = Vec::new();
        for (row, found) in layout.rows.iter().enumerate() {
            for &line in &found.cells {
                let text = &layout.page.lines[line].text;
                places.extend(amounts::find(text, style).into_iter().map(|amount| Place { row, line, amount }));
            }
        }
        let mut money = Self { layout, places, labelled: Vec::new() };
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
        money
    }

    pub fn in_row_of(&self, row: usize) -> impl DoubleEndedIterator<Item = &Place> {
        self.places.iter().filter(move |p| p.row == row)
    }

    /// The labels of a row with the amount each belongs to.
    fn in_row(&self, row: usize) -> Vec<Labelled> {
        let lines = &self.layout.page.lines;
        let money: Vec<&Place> = self.in_row_of(row).filter(|p| p.amount.is_money()).collect();
        let mut found = Vec::new();
        let cells = &self.layout.rows[row].cells;
        for (n, &cell) in cells.iter().enumerate() {
            let text = &lines[cell].text;
            let own = self.in_row_of(row).find(|p| p.line == cell && (p.amount.is_money() || p.amount.start > 0));
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
            let money_right = own.filter(|p| p.amount.is_money()).or_else(|| money.iter().rfind(right).copied());
            let place = money_right
                .cloned()
                .or_else(|| (!weak).then(|| self.below(row, cell)).flatten())
                .or_else(|| own.cloned())
                .or_else(|| {
                    let any: Vec<&Place> = self.in_row_of(row).collect();
                    any.iter().rfind(right).map(|p| (*p).clone())
                });
            if let Some(place) = place {
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
                        .find(|p| p.amount.is_money() && lines[p.line].quad.centre().x > label.quad.left())
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

    /// Total, subtotal, taxes, tip, service charge and discount, as far as they are there.
    pub fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        let total = self.total();
        let total_cents = total.as_ref().map(|(_, cents)| *cents);
        fields.extend(total.map(|(field, _)| field));
        let subtotals: Vec<&Labelled> = self.with(|l| l == Label::Subtotal).collect();
        fields.extend(subtotals.last().map(|l| self.field(Kind::Subtotal, l, 0.9)));
        fields.extend(self.taxes(total_cents, subtotals.last().map(|l| l.place.amount.cents)));
        for (label, kind) in
            [(Label::Tip, Kind::Tip), (Label::Service, Kind::ServiceCharge), (Label::Discount, Kind::Discount)]
        {
            let found = self
                .labelled
                .iter()
                .find(|l| l.kind == label && l.place.amount.is_money() && l.place.amount.cents != 0);
            fields.extend(found.map(|l| self.field(kind, l, 0.85)));
        }
        fields
    }

    /// Every tax once, the one that fits total and subtotal first.
    fn taxes(&self, total: Option<i64>, subtotal: Option<i64>) -> Vec<Field> {
        let mut seen: Vec<i64> = Vec::new();
        let mut found: Vec<(bool, Field)> = Vec::new();
        for l in self.with(|l| l == Label::Tax) {
            let place = self.tax_in_row(l, total, subtotal);
            let cents = place.amount.cents;
            if !place.amount.is_money() || seen.contains(&cents) || total.is_some_and(|t| cents >= t && t > 0) {
                continue;
            }
            seen.push(cents);
            let fits = total.zip(subtotal).is_some_and(|(t, s)| (t - s - cents).abs() <= 4);
            let tax = Labelled { place, ..l.clone() };
            found.push((fits, self.field(Kind::Tax, &tax, if fits { 0.97 } else { 0.8 })));
        }
        found.sort_by_key(|(fits, _)| !fits);
        found.into_iter().map(|(_, f)| f).take(4).collect()
    }

    /// The tax itself among the amounts of its row, which may name the taxed amount too: `SALES TAX 7.5% ON 47.54 3.57`.
    /// What total and subtotal leave is believed first, then the share that the printed rate makes of another amount.
    fn tax_in_row(&self, found: &Labelled, total: Option<i64>, subtotal: Option<i64>) -> Place {
        let row: Vec<&Place> = self.in_row_of(found.row).filter(|p| p.amount.is_money()).collect();
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

    fn field(&self, kind: Kind, found: &Labelled, sure: f32) -> Field {
        let lines = &self.layout.page.lines;
        let (line, from, to) = found.words;
        Field {
            kind,
            confidence: sure * lines[found.place.line].confidence,
            label: Some(Text::part(&lines[line], from, to)),
            value: self.text(&found.place),
        }
    }

    fn text(&self, place: &Place) -> Text {
        let line = &self.layout.page.lines[place.line];
        Text { text: place.amount.text.clone(), ..Text::part(line, place.amount.start, place.amount.end) }
    }

    /// The total and its hundredths.
    fn total(&self) -> Option<(Field, i64)> {
        let rows = self.layout.rows.len() as f32;
        let usual = self.layout.usual_height();
        let change = self.cents(|l| l == Label::Change);
        let tender = self.cents(|l| l == Label::Tender);
        let paid: Vec<i64> =
            tender.iter().flat_map(|t| change.iter().map(move |c| t - c.abs())).filter(|c| *c > 0).collect();
        let rounding = self.cents(|l| l == Label::Rounding);
        let before: Vec<i64> = self.cents(|l| matches!(l, Label::Total(_) | Label::Subtotal));
        let settled: Vec<i64> = rounding
            .iter()
            .filter(|r| **r != 0 && r.abs() <= 10)
            .flat_map(|r| before.iter().flat_map(move |b| [b + r, b - r]))
            .collect();
        let tendered_at = self.with(|l| l == Label::Tender).map(|l| l.row).min();
        let mut best: Option<(f32, &Labelled)> = None;
        for found in self.with(|l| matches!(l, Label::Total(_))) {
            let Label::Total(weight) = found.kind else { continue };
            let amount = &found.place.amount;
            let cents = amount.cents;
            let mut score = f32::from(weight);
            score += 8.0 * found.row as f32 / rows;
            let height = self.layout.page.lines[found.place.line].quad.height();
            score += (20.0 * (height / usual - 1.0)).clamp(0.0, 10.0);
            score += if paid.contains(&cents) { 25.0 } else { 0.0 };
            score += if tender.contains(&cents) { 8.0 } else { 0.0 };
            score += if settled.contains(&cents) && cents % 5 == 0 { 15.0 } else { 0.0 };
            score -= if rounding.iter().any(|r| *r != 0) && cents % 5 != 0 { 15.0 } else { 0.0 };
            score -= if found.company > 1 { 15.0 } else { 0.0 };
            score -= if tendered_at.is_some_and(|at| found.row > at + 2) { 12.0 } else { 0.0 };
            score -= if amount.is_money() { 0.0 } else { 25.0 };
            score -= if cents <= 0 { 60.0 } else { 0.0 };
            if best.is_none_or(|(most, _)| score >= most) {
                best = Some((score, found));
            }
        }
        let unlabelled = || self.unlabelled(&paid, &change, &tender);
        match best {
            Some((score, found)) if score > 15.0 => {
                let sure = if score > 70.0 {
                    0.98
                } else if score > 50.0 {
                    0.93
                } else {
                    0.75
                };
                // The rounded amount may stand without a total's label, beside the rounding or as the cash given.
                let cents = found.place.amount.cents;
                if let Some(exact) = self.rounded(cents, &rounding, &paid) {
                    let field = Field {
                        kind: Kind::Total,
                        confidence: 0.9 * self.layout.page.lines[exact.line].confidence,
                        label: Some(Text::part(&self.layout.page.lines[found.words.0], found.words.1, found.words.2)),
                        value: self.text(exact),
                    };
                    return Some((field, exact.amount.cents));
                }
                Some((self.field(Kind::Total, found, sure), cents))
            }
            _ => unlabelled(),
        }
    }

    /// If a rounding is printed and `cents` is from before it: the place of the amount after it.
    fn rounded(&self, cents: i64, rounding: &[i64], paid: &[i64]) -> Option<&Place> {
        if cents % 5 == 0 {
            return None;
        }
        rounding
            .iter()
            .filter(|r| **r != 0 && r.abs() <= 5)
            .flat_map(|r| [cents + r, cents - r])
            .filter(|c| c % 5 == 0)
            .find_map(|c| {
                let place = self.places.iter().rev().find(|p| p.amount.cents == c && p.amount.decimals == 2)?;
                (paid.is_empty() || paid.contains(&c)).then_some(place)
            })
    }

    /// Without a label: what was paid after change; else the largest amount that was not given in cash.
    fn unlabelled(&self, paid: &[i64], change: &[i64], tender: &[i64]) -> Option<(Field, i64)> {
        let money = || self.places.iter().filter(|p| p.amount.is_money() && p.amount.cents > 0);
        let place = money()
            .rev()
            .find(|p| paid.contains(&p.amount.cents))
            .or_else(|| {
                let given = || tender.iter().filter(|t| **t > 0).max();
                let card = given().filter(|_| change.iter().all(|c| *c == 0));
                card.and_then(|t| money().rev().find(|p| p.amount.cents == *t))
            })
            .or_else(|| {
                let gave_back = change.iter().any(|c| *c != 0);
                money()
                    .filter(|p| !gave_back || !tender.contains(&p.amount.cents))
                    .max_by_key(|p| (p.amount.cents, p.row))
            })?;
        let field = Field {
            kind: Kind::Total,
            confidence: 0.5 * self.layout.page.lines[place.line].confidence,
            label: None,
            value: self.text(place),
        };
        Some((field, place.amount.cents))
    }
}
