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

/// Totals are rounded to what coins there are: to 0.05 in Switzerland and Malaysia, to 0.10 in New Zealand. With
/// currencies that have no smaller unit, nothing is rounded.
const ROUNDING_MINOR_UNITS: u64 = 5;

impl Parts {
    /// Whether more than one figure leads to the total, so that agreeing is no accident.
    pub(super) fn are_several(&self) -> bool {
        self.items.is_some() || (self.subtotal.is_some() && [self.tax, self.tip, self.service].iter().any(|&p| p != 0))
    }

    /// Whether the parts add up to `total`: from the subtotal or the items, with tax included or on top, with or
    /// without what may already be in them.
    pub(super) fn check(&self, total: Money) -> Arithmetic {
        let tolerance = if total.currency.exponent() == 0 { 0 } else { ROUNDING_MINOR_UNITS };
        let mut bases = self.subtotal.into_iter().chain(self.items).peekable();
        if bases.peek().is_none() {
            return Arithmetic::NothingToCheck;
        }
        let parts = [self.tax, self.tip, self.service, -self.discount.abs()];
        let agrees = bases.any(|base| {
            // Every subset of the parts: sixteen sums.
            (0..1usize << parts.len()).any(|subset| {
                let chosen = parts.iter().enumerate().filter(|(n, _)| subset & (1 << n) != 0);
                let sum = chosen.fold(base, |sum, (_, part)| sum.saturating_add(*part));
                sum.abs_diff(total.minor_units) <= tolerance
            })
        });
        if agrees { Arithmetic::Agrees } else { Arithmetic::Contradicts }
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
