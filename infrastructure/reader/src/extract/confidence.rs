//! How sure a field is: what was seen of it, weighed.

/// What speaks for a field that is found by a simple rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Its label stands beside it, and arithmetic agrees.
    Proven,
    /// Its label stands beside it.
    Labelled,
    /// It has no label, but the shape that only such a value has.
    Shape,
    /// It is what is left.
    Guess,
}

/// How sure such a field is, read by the recogniser with this confidence.
pub(super) fn sure(evidence: Evidence, read: f32) -> f32 {
    read * match evidence {
        Evidence::Proven => 0.98,
        Evidence::Labelled => 0.93,
        Evidence::Shape => 0.75,
        Evidence::Guess => 0.5,
    }
}

/// How sure the date of a receipt is. `score` is what its place and label say for it; a date with two readings is right
/// in one of them only.
pub(super) fn date(score: f32, read: f32, ambiguous: bool) -> f32 {
    let base = if score > 12.0 { 0.98 } else { 0.85 };
    base * read * if ambiguous { 0.5 } else { 1.0 }
}

/// What speaks for a thing bought.
#[derive(Debug, Clone, Copy)]
pub(super) struct ItemSigns {
    /// All things together come to a sum that is printed.
    pub sum_agrees: bool,
    /// Quantity times price of one is its amount.
    pub product_agrees: bool,
    /// It stands in a table with headings.
    pub headed: bool,
}

/// How sure a thing bought is, read by the recogniser with this confidence.
pub(super) fn item(signs: ItemSigns, read: f32) -> f32 {
    let base = match (signs.sum_agrees, signs.product_agrees, signs.headed) {
        (true, ..) => 0.98,
        (false, true, _) => 0.85,
        (false, false, true) => 0.72,
        (false, false, false) => 0.6,
    };
    base * read
}
