//! Arithmetic as evidence: a total that its parts add up to was read well.

use serde::{Deserialize, Serialize};
use slipstream_events::Money;

/// What the printed parts say of a total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arithmetic {
    /// The parts add up to it.
    Agrees,
    /// There are parts, and they do not.
    Contradicts,
    /// No parts are printed.
    NothingToCheck,
}

/// What a receipt prints beside its total, in minor units of one currency.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) items: Option<i64>,
    pub(super) subtotal: Option<i64>,
    pub(super) tax: i64,
    pub(super) tip: i64,
    pub(super) service: i64,
    pub(super) discount: i64,
}

/// Totals are rounded to what coins there are: to multiples of 0.05 in Switzerland and Malaysia, of 0.10 in New Zealand.
/// With currencies that have no smaller unit, nothing is rounded.
const COIN_MINOR_UNITS: i64 = 5;

impl Parts {
    /// Whether more than one figure leads to the total, so that agreeing is no accident.
    pub(super) fn are_several(&self) -> bool {
        self.items.is_some() || (self.subtotal.is_some() && [self.tax, self.tip, self.service].iter().any(|&p| p != 0))
    }

    /// Whether the parts add up to `total`.
    pub(super) fn check(&self, total: Money) -> Arithmetic {
        match (self.explains(total), self.subtotal.or(self.items)) {
            (Some(_), _) => Arithmetic::Agrees,
            (None, Some(_)) => Arithmetic::Contradicts,
            (None, None) => Arithmetic::NothingToCheck,
        }
    }

    /// How many parts lead to `total` from the subtotal or the items, with tax included or on top, with or without what
    /// may already be in them; the most, if there are several ways.
    pub(super) fn explains(&self, total: Money) -> Option<usize> {
        let parts = [self.tax, self.tip, self.service, -self.discount.abs()];
        let meets = |sum: i64| {
            let off = sum.abs_diff(total.minor_units);
            let rounds = total.currency.exponent() > 0 && total.minor_units % COIN_MINOR_UNITS == 0;
            off == 0 || (rounds && off <= COIN_MINOR_UNITS.unsigned_abs())
        };
        let bases = self.subtotal.into_iter().chain(self.items);
        let ways = bases.flat_map(|base| {
            // Every subset of the parts: sixteen sums.
            (0..1usize << parts.len()).filter_map(move |subset| {
                let chosen = parts.iter().enumerate().filter(|(n, part)| subset & (1 << n) != 0 && **part != 0);
                let (sum, used) =
                    chosen.fold((base, 0), |(sum, used), (_, part)| (sum.saturating_add(*part), used + 1));
                meets(sum).then_some(used)
            })
        });
        ways.max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(parts: &Parts, total: i64) -> Arithmetic {
        parts.check(Money::new(total, "MYR".parse().unwrap()))
    }

    #[test]
    fn parts_add_up_or_do_not() {
        let none = Parts::default();
        assert_eq!(check(&none, 1000), Arithmetic::NothingToCheck);
        assert_eq!(check(&Parts { tax: 60, ..none.clone() }, 1060), Arithmetic::NothingToCheck);
        let taxed = Parts { subtotal: Some(1000), tax: 60, ..none.clone() };
        assert_eq!(check(&taxed, 1060), Arithmetic::Agrees, "tax on top");
        assert_eq!(check(&taxed, 1000), Arithmetic::Agrees, "tax included");
        assert_eq!(check(&taxed, 1160), Arithmetic::Contradicts);
        let rounded = Parts { items: Some(1058), ..none.clone() };
        assert_eq!(check(&rounded, 1060), Arithmetic::Agrees, "rounded to five sen");
        assert_eq!(check(&rounded, 1061), Arithmetic::Contradicts, "which no coin makes");
        let meal = Parts { items: Some(2000), tax: 160, tip: 300, ..none.clone() };
        assert_eq!(check(&meal, 2460), Arithmetic::Agrees);
        let reduced = Parts { items: Some(2000), discount: -500, ..none };
        assert_eq!(check(&reduced, 1500), Arithmetic::Agrees, "a discount counts off, however it is printed");
    }

    #[test]
    fn yen_are_not_rounded() {
        let parts = Parts { items: Some(998), ..Parts::default() };
        assert_eq!(parts.check(Money::new(1000, "JPY".parse().unwrap())), Arithmetic::Contradicts);
    }
}
