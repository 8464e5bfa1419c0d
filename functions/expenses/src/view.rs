//! Expenses as the API shows them.

use jiff::Timestamp;
use serde::Serialize;
use slipstream_common::{
    duplicates::{Kind, Suspect},
    http::{Response, etag},
};
use slipstream_domain::{
    details,
    expense::{is_editable, owed},
};
use slipstream_events::{
    Conversion, ExpenseDetails, ExpenseId, ExpenseState, ExpenseStatus, Money, PersonId, PolicyFinding, ReceiptId,
    ReviewFinding, Split,
};

use crate::judge::Judgement;

/// An expense.
#[derive(Debug, Serialize)]
pub struct View {
    id: ExpenseId,
    version: u64,
    owner: PersonId,
    status: ExpenseStatus,
    details: ExpenseDetails,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt_id: Option<ReceiptId>,
    submission: u32,
    /// What it lacks before it can be submitted.
    missing: Vec<&'static str>,
    /// While it can be edited: whether it needs a look before it is submitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    readiness: Option<Readiness>,
    /// What to look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    review: Vec<Finding>,
    /// What the policy finds: while it can be edited, and only where one expense is asked for, now; after that, what it
    /// found when it was submitted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    findings: Vec<PolicyFinding>,
    /// The amount in the company's currency: as the findings.
    #[serde(skip_serializing_if = "Option::is_none")]
    converted: Option<Conversion>,
    /// What the company owes its owner for it once it is approved; nothing for what a company card paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    owed: Option<Money>,
    #[serde(skip_serializing_if = "Option::is_none")]
    split: Option<Split>,
    /// Others that may be the same. Only where one expense is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicates: Option<Vec<Duplicate>>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Whether a draft may be submitted as it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Readiness {
    /// It is complete, and what was read is sure and adds up.
    Ready,
    /// `missing` and `review` say what to look at.
    NeedsReview,
}

/// What to look at.
#[derive(Debug, Serialize)]
struct Finding {
    #[serde(flatten)]
    finding: ReviewFinding,
    message: String,
}

/// Another expense that may be the same.
#[derive(Debug, Serialize)]
struct Duplicate {
    kind: Kind,
    whose: Whose,
    /// Which one; not told to an owner where it is a colleague's.
    #[serde(skip_serializing_if = "Option::is_none")]
    expense_id: Option<ExpenseId>,
    dismissed: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Whose {
    /// The same owner's.
    SameOwner,
    /// A colleague's.
    SomeoneElse,
}

impl From<ExpenseState> for View {
    fn from(state: ExpenseState) -> Self {
        let missing = details::missing(&state.details);
        let editable = is_editable(state.status);
        let owed = owed(&state);
        let ready = missing.is_empty() && state.review.is_empty();
        let finding = |finding: ReviewFinding| Finding { finding, message: finding.message() };
        Self {
            missing,
            readiness: editable.then_some(if ready { Readiness::Ready } else { Readiness::NeedsReview }),
            review: state.review.into_iter().map(finding).collect(),
            findings: if editable { Vec::new() } else { state.findings },
            converted: state.converted.filter(|_| !editable),
            owed,
            id: state.id,
            version: state.version,
            owner: state.owner,
            status: state.status,
            details: state.details,
            receipt_id: state.receipt,
            submission: state.submission,
            split: state.split,
            duplicates: None,
            created_at: state.created_at,
            updated_at: state.updated_at,
        }
    }
}

impl View {
    /// With what may be the same, as `viewer` may know it.
    #[must_use]
    pub fn with_duplicates(mut self, suspects: Vec<Suspect>, viewer: PersonId) -> Self {
        let owner = self.owner;
        let duplicate = |suspect: Suspect| {
            let same_owner = suspect.owner == owner;
            Duplicate {
                kind: suspect.kind,
                whose: if same_owner { Whose::SameOwner } else { Whose::SomeoneElse },
                expense_id: (same_owner || viewer != owner).then_some(suspect.expense),
                dismissed: suspect.dismissed,
            }
        };
        self.duplicates = Some(suspects.into_iter().map(duplicate).collect());
        self
    }

    /// With what the policy finds now.
    #[must_use]
    pub fn with_judgement(mut self, judgement: Judgement) -> Self {
        self.findings = judgement.findings;
        self.converted = judgement.converted;
        self
    }

    /// The answer that it is, with its version as entity tag.
    pub fn answer(&self, status: u16) -> Response {
        Response::json(status, self).header("etag", etag(self.version))
    }
}

/// The answer that an expense is.
pub fn answer(status: u16, state: ExpenseState) -> Response {
    View::from(state).answer(status)
}
