//! Line items: which of those read are among those printed.

use crate::{
    answer::Item,
    rules::{self, Amount},
};

/// Descriptions this alike, letters and digits alone, are the same.
const ALIKE: f64 = 0.9;

/// A printed line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// What was bought, as printed.
    pub description: String,
    /// How many of it.
    pub quantity: Amount,
    /// The line's amount.
    pub price: Amount,
}

/// Counts over one or many receipts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Read and printed.
    pub matched: usize,
    /// Read.
    pub read: usize,
    /// Printed.
    pub printed: usize,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            matched: self.matched + other.matched,
            read: self.read + other.read,
            printed: self.printed + other.printed,
        }
    }

    /// The share of what was read that is printed.
    #[must_use]
    pub fn precision(self) -> f64 {
        self.matched as f64 / self.read.max(1) as f64
    }

    /// The share of what is printed that was read.
    #[must_use]
    pub fn recall(self) -> f64 {
        self.matched as f64 / self.printed.max(1) as f64
    }

    /// The harmonic mean of both.
    #[must_use]
    pub fn f1(self) -> f64 {
        2.0 * self.matched as f64 / (self.read + self.printed).max(1) as f64
    }
}

/// Counts the triples (description, quantity, price) of one receipt. Prices must be the same to half a cent, quantities
/// exactly; where no quantity was read it counts as one. `reductions` are the amounts of discounts printed under items:
/// to answer one as an item of its own is neither right nor wrong.
#[must_use]
pub fn tally(read: &[Item], printed: &[Printed], reductions: &[Amount], decimals: usize) -> Tally {
    let mut open: Vec<&Printed> = printed.iter().collect();
    let mut spare: Vec<Amount> = reductions.to_vec();
    let mut tally = Tally { printed: printed.len(), ..Tally::default() };
    for item in read {
        let price = item.price.as_deref().and_then(|p| rules::amount_with(p, decimals));
        if let Some(at) = open.iter().position(|p| is_same(item, price, p)) {
            open.swap_remove(at);
            tally.matched += 1;
        } else if let Some(at) = spare.iter().position(|&r| price.is_some_and(|p| rules::same_amount(p, -r.abs()))) {
            spare.swap_remove(at);
            continue;
        }
        tally.read += 1;
    }
    tally
}

fn is_same(item: &Item, price: Option<Amount>, printed: &Printed) -> bool {
    let quantity = match item.quantity.as_deref() {
        Some(text) => rules::quantity(text),
        None => rules::quantity("1"),
    };
    price.is_some_and(|price| rules::same_amount(price, printed.price))
        && quantity == Some(printed.quantity)
        && rules::similarity(&rules::solid(&item.description), &rules::solid(&printed.description)) >= ALIKE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(description: &str, quantity: Option<&str>, price: &str) -> Item {
        Item {
            description: description.into(),
            quantity: quantity.map(Into::into),
            price: Some(price.into()),
            unit_price: None,
        }
    }

    fn printed(description: &str, quantity: Amount, price: Amount) -> Printed {
        Printed { description: description.into(), quantity: quantity * 10_000, price: price * 100 }
    }

    #[test]
    fn all_three_must_be_right() {
        let label = [printed("Müsli Früchte 750g", 2, 598)];
        let of = |item: Item| tally(&[item], &label, &[], 2).matched;
        assert_eq!(of(read("MÜSLI FRÜCHTE 750 g", Some("2 x"), "5,98 A")), 1);
        assert_eq!(of(read("Musli Früchte 750g", Some("2"), "5.98")), 1, "one letter of sixteen");
        assert_eq!(of(read("Müsli Früchte 750g", None, "5.98")), 0);
        assert_eq!(of(read("Müsli Früchte 750g", Some("2"), "5.99")), 0);
        assert_eq!(of(read("Früchte", Some("2"), "5.98")), 0);
    }

    #[test]
    fn each_line_counts_once() {
        let label = [printed("Tea", 1, 250), printed("Tea", 1, 250)];
        let tea = || read("Tea", None, "2.50");
        let counted = tally(&[tea(), tea(), tea()], &label, &[], 2);
        assert_eq!(counted, Tally { matched: 2, read: 3, printed: 2 });
        assert!((counted.f1() - 0.8).abs() < 1e-9 && (counted.precision() - 2.0 / 3.0).abs() < 1e-9);
        assert!((counted.recall() - 1.0).abs() < 1e-9);
        assert!(Tally::default().f1().abs() < 1e-9);
    }

    #[test]
    fn discounts_under_items_are_left_out() {
        let label = [printed("Tea", 1, 250)];
        let items = [read("Tea", None, "2.50"), read("Rabatt", None, "-0,25"), read("Rabatt", None, "-0,25")];
        assert_eq!(tally(&items, &label, &[2_500], 2), Tally { matched: 1, read: 2, printed: 1 });
    }

    #[test]
    fn three_decimals_where_the_currency_has_them() {
        let label = [Printed { description: "Dish Soap".into(), quantity: 10_000, price: 3_500 }];
        assert_eq!(tally(&[read("Dish Soap", None, "0.350")], &label, &[], 3).matched, 1);
    }
}
