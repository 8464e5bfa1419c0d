//! Which amount is the total.

use super::{Labelled, Money, Place, subset_sums};
use crate::extract::confidence::{Evidence, sure};
use crate::extract::labels::Label;
use crate::extract::{Field, Kind, Text};

impl Money<'_> {
    /// The total and its hundredths.
    pub(super) fn total(&self, bought: Option<i64>) -> Option<(Field, i64)> {
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
            score -= if found.is_money(self.decimals) { 0.0 } else { 25.0 };
            score -= if cents == 0 || cents < 0 && !self.refund { 60.0 } else { 0.0 };
            score += if bought.is_some_and(|b| self.ends_at(b, found)) { 12.0 } else { 0.0 };
            if best.is_none_or(|(most, _)| score >= most) {
                best = Some((score, found));
            }
        }
        let unlabelled = || self.unlabelled(&paid, &change, &tender);
        match best {
            Some((score, found)) if score > 15.0 => {
                let evidence = if score > 70.0 {
                    Evidence::Proven
                } else if score > 50.0 {
                    Evidence::Labelled
                } else {
                    Evidence::Shape
                };
                // The rounded amount may stand without a total's label, beside the rounding or as the cash given.
                let cents = found.place.amount.cents;
                if let Some(exact) = self.rounded(cents, &rounding, &paid) {
                    let field = Field {
                        kind: Kind::Total,
                        confidence: sure(Evidence::Labelled, self.layout.page.lines[exact.line].confidence),
                        label: Some(Text::part(&self.layout.page.lines[found.words.0], found.words.1, found.words.2)),
                        value: self.text(exact),
                    };
                    return Some((field, exact.amount.cents));
                }
                Some((self.field(Kind::Total, found, evidence), cents))
            }
            _ => unlabelled(),
        }
    }

    /// Whether the things bought come to this total, with what is printed as added or taken off between them.
    fn ends_at(&self, bought: i64, found: &Labelled) -> bool {
        let added = |l: Label| matches!(l, Label::Tax | Label::Tip | Label::Service | Label::Rounding);
        let mut extras: Vec<i64> = self.with(added).map(Labelled::thousandths).collect();
        extras.extend(self.with(|l| l == Label::Discount).map(|l| -l.thousandths().abs()));
        extras.truncate(8);
        subset_sums(&extras).contains(&(found.thousandths() - bought))
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
        let money = || self.places.iter().filter(|p| p.is_money(self.decimals) && p.amount.cents > 0);
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
            confidence: sure(Evidence::Guess, self.layout.page.lines[place.line].confidence),
            label: None,
            value: self.text(place),
        };
        Some((field, place.amount.cents))
    }
}
