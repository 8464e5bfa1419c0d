//! Typed ids. Their text form is `<prefix>_<32 hexadecimal digits>`, so that an id in a log says what it names.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, de::Error as _};
use uuid::Uuid;

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind} id; it has the form {form}")]
pub struct IdError {
    text: String,
    kind: &'static str,
    form: &'static str,
}

/// Every name-based id (UUID version 5, RFC 9562) is derived within this namespace.
const NAMESPACE: Uuid = Uuid::from_u128(0x0d3f_8f6c_5a61_4b0e_9a3a_7c11_51f0_2a77);

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// The id that these bytes are.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The id that follows from `parts`: the same parts give the same id, so that whatever is
            /// delivered twice names the same thing twice.
            pub fn derived_from(parts: &[&str]) -> Self {
                let mut name = String::from($prefix);
                for part in parts {
                    name.push('\u{1f}');
                    name.push_str(part);
                }
                Self(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .filter(|hex| hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
                    .and_then(|hex| Uuid::try_parse(hex).ok())
                    .map(Self)
                    .ok_or_else(|| IdError {
                        text: text.chars().take(64).collect(),
                        kind: $kind,
                        form: concat!($prefix, "_ and 32 hexadecimal digits"),
                    })
            }
        }

        string_form!($name, concat!("^", $prefix, "_[0-9a-f]{32}$"));
    };
}

macro_rules! string_form {
    ($name:ident, $pattern:expr) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

typed_id!(
    /// An expense.
    ExpenseId, "exp", "expense"
);
typed_id!(
    /// A receipt: one uploaded photograph or document.
    ReceiptId, "rcp", "receipt"
);
typed_id!(
    /// A report: expenses submitted together.
    ReportId, "rpt", "report"
);
typed_id!(
    /// An export.
    ExportId, "expt", "export"
);
typed_id!(
    /// What one person gets one mail about: approval steps that arrived together.
    BatchId, "bat", "batch"
);

/// A person: the `sub` claim of the user pool, a UUID with hyphens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonId(Uuid);

impl PersonId {
    /// The id that these bytes are.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PersonId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Some(text)
            .filter(|text| text.len() == 36)
            .and_then(|text| Uuid::try_parse(text).ok())
            .map(Self)
            .ok_or_else(|| IdError { text: text.chars().take(64).collect(), kind: "person", form: "a UUID" })
    }
}

string_form!(PersonId, "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$");

/// One submission of an expense: the expense and the number of this submission, counted from 1.
///
/// An approval is bound to a submission and not to a version, so that a reminder or a comment does not end it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubmissionId {
    /// The expense that was submitted.
    pub expense: ExpenseId,
    /// Which submission of it, counted from 1.
    pub number: u32,
}

impl fmt::Display for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.expense, self.number)
    }
}

impl fmt::Debug for SubmissionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for SubmissionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.split_once('.')
            .and_then(|(expense, number)| {
                let expense = expense.parse().ok()?;
                let number = number.parse().ok().filter(|number| *number > 0)?;
                Some(Self { expense, number })
            })
            .ok_or_else(|| IdError {
                text: text.chars().take(64).collect(),
                kind: "submission",
                form: "an expense id, a dot and a number from 1",
            })
    }
}

string_form!(SubmissionId, "^exp_[0-9a-f]{32}\\.[1-9][0-9]*$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_form() {
        let id = ExpenseId::derived_from(&["a", "b"]);
        assert_eq!(id.to_string().parse(), Ok(id));
        let submission = SubmissionId { expense: id, number: 12 };
        assert_eq!(submission.to_string().parse(), Ok(submission));
    }

    #[test]
    fn derived_ids_keep_their_parts_apart() {
        assert_ne!(ExpenseId::derived_from(&["ab", "c"]), ExpenseId::derived_from(&["a", "bc"]));
        assert_ne!(ExpenseId::derived_from(&["a"]).to_string()[4..], ReceiptId::derived_from(&["a"]).to_string()[4..]);
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for text in ["", "exp_", "rcp_0123456789abcdef0123456789abcdef", "exp_0123456789ABCDEF0123456789abcdef"] {
            assert!(text.parse::<ExpenseId>().is_err(), "{text}");
        }
        for text in ["", "0", "{0123456789abcdef0123456789abcdef}", "urn:uuid:0"] {
            assert!(text.parse::<PersonId>().is_err(), "{text}");
        }
        for text in ["exp_0123456789abcdef0123456789abcdef", "exp_0123456789abcdef0123456789abcdef.0"] {
            assert!(text.parse::<SubmissionId>().is_err(), "{text}");
        }
    }
}
