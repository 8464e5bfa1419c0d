//! What a person should look at before they submit what was read for them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A field of an expense that a reading fills in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the fields of `ExpenseDetails` that they name")]
pub enum ReadField {
    Merchant,
    Date,
    Amount,
}

impl fmt::Display for ReadField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Merchant => "merchant",
            Self::Date => "date",
            Self::Amount => "amount",
        })
    }
}

/// Why a field that was read needs a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// Nothing was found.
    Missing,
    /// The reader was not sure of it.
    Unsure,
    /// It can be read in two ways, as `03/04/2026`.
    Ambiguous,
    /// The receipt says different things about it.
    Disagreement,
    /// The items, taxes and totals do not add up to it.
    Arithmetic,
    /// No currency is printed; a usual one was assumed.
    CurrencyAssumed,
    /// The file holds more than one receipt; one was taken.
    SeveralReceipts,
}

/// One thing to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ReviewFinding {
    /// Which field.
    pub field: ReadField,
    /// Why.
    pub doubt: Doubt,
}

impl ReviewFinding {
    /// What to tell the person, with the remedy.
    pub fn message(self) -> String {
        let field = self.field;
        match self.doubt {
            Doubt::Missing => format!("No {field} was found on the receipt. Enter it."),
            Doubt::Unsure => format!("The {field} is hard to read. Compare it with the receipt."),
            Doubt::Ambiguous => {
                format!("The {field} can be read in two ways, day or month first. Choose the right one.")
            }
            Doubt::Disagreement => format!("The receipt shows more than one {field}. Choose the right one."),
            Doubt::Arithmetic => {
                format!("The items and taxes do not add up to the {field}. Compare it with the receipt.")
            }
            Doubt::CurrencyAssumed => {
                format!("The receipt names no currency, so a usual one was assumed for the {field}. Check it.")
            }
            Doubt::SeveralReceipts => {
                format!("The file holds several receipts; this is the {field} of one of them. Choose the right one.")
            }
        }
    }
}
