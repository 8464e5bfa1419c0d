//! Which amount is the total.

use super::{Labelled, Money, Place, subset_sums};
use crate::extract::confidence::{self, TotalSigns};
use crate::extract::labels::Label;
use crate::extract::{Field, Kind, Text};

/// What other amounts of the page say of the total, in hundredths.
struct Witnesses {
    /// What the things bought come to, in thousandths.
    bought: Option<i64>,
    /// Cash less change.
    paid: Vec<i64>,
    /// What was given.
    tender: Vec<i64>,
    /// What was given back.
    change: Vec<i64>,
    rounding: Vec<i64>,
    /// A printed sum with its rounding.
    settled: Vec<i64>,
    /// The first row with something given.
    tendered_at: Option<usize>,
}

impl Witnesses {
    fn new(money: &Money<'_>, bought: Option<i64>) -> Self {
        let change = money.cents(|l| l == Label::Change);
        let tender = money.cents(|l| l == Label::Tender);
        let paid = tender.iter().flat_map(|t| change.iter().map(move |c| t - c.abs())).filter(|c| *c > 0).collect();
        let rounding = money.cents(|l| l == Label::Rounding);
        let before: Vec<i64> = money.cents(|l| matches!(l, Label::Total(_) | Label::Subtotal));
        let settled = rounding
            .iter()
            .filter(|r| **r != 0 && r.abs() <= 10)
            .flat_map(|r| before.iter().flat_map(move |b| [b + r, b - r]))
            .collect();
        let tendered_at = money.with(|l| l == Label::Tender).map(|l| l.row).min();
        Self { bought, paid, tender, change, rounding, settled, tendered_at }
    }

    /// Whether arithmetic leads to this amount: cash less change, or what was bought.
    fn prove(&self, money: &Money<'_>, found: &Labelled) -> bool {
        self.paid.contains(&found.place.amount.cents) || self.bought.is_some_and(|b| money.ends_at(b, found))
    }
}

impl Money<'_> {
    /// The total and its hundredths.
    pub(super) fn total(&self, bought: Option<i64>) -> Option<(Field, i64)> {
        let witnesses = Witnesses::new(self, bought);
        let scored: Vec<(f32, &Labelled)> = self
            .with(|l| matches!(l, Label::Total(_)))
            .map(|found| (self.total_score(found, &witnesses), found))
            .collect();
        let best = scored.iter().copied().reduce(|best, next| if next.0 >= best.0 { next } else { best });
        let Some((score, found)) = best.filter(|(score, _)| *score > 15.0) else {
            return self.unlabelled(&witnesses);
        };
        let cents = found.place.amount.cents;
        let other = scored.iter().filter(|(_, l)| l.place.amount.cents != cents).map(|(s, _)| *s).fold(0.0, f32::max);
        // The rounded amount may stand without a total's label, beside the rounding or as the cash given.
        let rounded = self.rounded(cents, &witnesses);
        let place = rounded.unwrap_or(&found.place);
        let value = self.text(place);
        let (line, from, to) = found.words;
        let signs = TotalSigns {
            read: value.confidence,
            score: if rounded.is_some() { score.min(60.0) } else { score },
            margin: score - other,
            proven: witnesses.prove(self, found) || rounded.is_some() && !witnesses.paid.is_empty(),
            labelled: true,
        };
        let label = Some(Text::part(&self.layout.page.lines[line], from, to));
        let field = Field { kind: Kind::Total, confidence: confidence::total(signs), label, value };
        Some((field, place.amount.cents))
    }

    /// How much speaks for a labelled amount being the total.
    fn total_score(&self, found: &Labelled, witnesses: &Witnesses) -> f32 {
        let Label::Total(weight) = found.kind else { return 0.0 };
        let cents = found.place.amount.cents;
        let height = self.layout.page.lines[found.place.line].quad.height();
        let late = witnesses.tendered_at.is_some_and(|at| found.row > at + 2);
        let unrounded = witnesses.rounding.iter().any(|r| *r != 0) && cents % 5 != 0;
        let settled = witnesses.settled.contains(&cents) && cents % 5 == 0;
        let nothing = cents == 0 || cents < 0 && !self.refund;
        let counts = |holds: bool, points: f32| if holds { points } else { 0.0 };
        f32::from(weight)
            + 8.0 * found.row as f32 / self.layout.rows.len() as f32
            + (20.0 * (height / self.layout.usual_height() - 1.0)).clamp(0.0, 10.0)
            + counts(witnesses.paid.contains(&cents), 25.0)
            + counts(witnesses.tender.contains(&cents), 8.0)
            + counts(settled, 15.0)
            + counts(witnesses.bought.is_some_and(|b| self.ends_at(b, found)), 12.0)
            - counts(unrounded, 15.0)
            - counts(found.company > 1, 15.0)
            - counts(late, 12.0)
            - counts(!found.is_money(self.decimals), 25.0)
            - counts(nothing, 60.0)
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
    fn rounded(&self, cents: i64, witnesses: &Witnesses) -> Option<&Place> {
        let Witnesses { rounding, paid, .. } = witnesses;
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
    fn unlabelled(&self, witnesses: &Witnesses) -> Option<(Field, i64)> {
        let Witnesses { paid, change, tender, .. } = witnesses;
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
        let value = self.text(place);
        let proven = paid.contains(&place.amount.cents);
        let signs = TotalSigns { read: value.confidence, score: 0.0, margin: 0.0, proven, labelled: false };
        let field = Field { kind: Kind::Total, confidence: confidence::total(signs), label: None, value };
        Some((field, place.amount.cents))
    }
}
