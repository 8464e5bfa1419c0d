//! How sure a field is: what was seen of it, weighed.

/// What speaks for a field that is found by a simple rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Its label stands beside it.
    Labelled,
    /// It has no label, but the shape that only such a value has.
    Shape,
}

/// How sure such a field is, read by the recogniser with this confidence.
pub(super) fn sure(evidence: Evidence, read: f32) -> f32 {
    read * match evidence {
        Evidence::Labelled => 0.96,
        Evidence::Shape => 0.8,
    }
}
