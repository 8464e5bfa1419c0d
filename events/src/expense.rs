//! What an expense is, and every change it can go through.

use std::fmt;

use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{Conversion, ExpenseId, Money, PersonId, PolicyFinding, ReceiptId, ReportId, ReviewFinding, SubmissionId};

/// Where an expense stands in its life cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpenseStatus {
    /// Being written; its owner may edit, submit or delete it.
    Draft,
    /// Waiting for a decision.
    Submitted,
    /// Approved, not yet paid out.
    Approved,
    /// Refused for good.
    Rejected,
    /// Sent back with a comment; its owner may edit and submit it again.
    ChangesRequested,
    /// Paid out.
    Reimbursed,
    /// Deleted by its owner. The events stay.
    Deleted,
}

impl ExpenseStatus {
    /// Every status, in life-cycle order.
    pub const ALL: [Self; 7] = [
        Self::Draft,
        Self::Submitted,
        Self::Approved,
        Self::Rejected,
        Self::ChangesRequested,
        Self::Reimbursed,
        Self::Deleted,
    ];
}

impl fmt::Display for ExpenseStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::ChangesRequested => "changes_requested",
            Self::Reimbursed => "reimbursed",
            Self::Deleted => "deleted",
        })
    }
}

/// What an expense was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Restaurants, cafés, groceries for the team.
    Meals,
    /// Hotels and the like.
    Lodging,
    /// Trains, flights, taxis, public transport.
    Travel,
    /// Fuel, parking, tolls, hired cars.
    Vehicle,
    /// Consumables for the office.
    OfficeSupplies,
    /// Devices, software and subscriptions.
    Equipment,
    /// Telephone, internet, postage.
    Communication,
    /// Courses, conferences, books.
    Training,
    /// Anything else.
    Other,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 9] = [
        Self::Meals,
        Self::Lodging,
        Self::Travel,
        Self::Vehicle,
        Self::OfficeSupplies,
        Self::Equipment,
        Self::Communication,
        Self::Training,
        Self::Other,
    ];
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Meals => "meals",
            Self::Lodging => "lodging",
            Self::Travel => "travel",
            Self::Vehicle => "vehicle",
            Self::OfficeSupplies => "office_supplies",
            Self::Equipment => "equipment",
            Self::Communication => "communication",
            Self::Training => "training",
            Self::Other => "other",
        })
    }
}

/// Whose money was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaidBy {
    /// The employee's: the company owes it back.
    #[default]
    OutOfPocket,
    /// The company's: nothing is owed.
    CompanyCard,
}

impl fmt::Display for PaidBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfPocket => "out_of_pocket",
            Self::CompanyCard => "company_card",
        })
    }
}

/// What is said of an expense. Everything that a reading may miss is optional; what a submission needs is a rule
/// of the domain.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpenseDetails {
    /// Who was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchant: Option<String>,
    /// The date on the receipt: a calendar date, not an instant.
    #[serde(default, deserialize_with = "calendar_date", skip_serializing_if = "Option::is_none")]
    pub date: Option<Date>,
    /// What is claimed, in the currency in which it is paid back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    /// What the receipt says, where that is another currency than `amount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_amount: Option<Money>,
    /// The tax that the amount includes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Money>,
    /// What it was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// Whose money was spent.
    #[serde(default)]
    pub paid_by: PaidBy,
    /// The cost centre that bears it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_centre: Option<String>,
    /// The project it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// What the owner wants the approver to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The report it is submitted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<ReportId>,
}

/// An expense after one of its changes. Events carry it whole, so that consumers never read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpenseState {
    /// Which expense.
    pub id: ExpenseId,
    /// How many changes it has gone through; the optimistic lock.
    pub version: u64,
    /// Whose expense it is.
    pub owner: PersonId,
    /// Where it stands.
    pub status: ExpenseStatus,
    /// What is said of it.
    pub details: ExpenseDetails,
    /// The receipt it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptId>,
    /// The SHA-256 of the receipt's bytes, in lower-case hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_sha256: Option<String>,
    /// What its owner should look at before submitting it. An edit of a field settles what was found on it; a
    /// submission settles all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub review: Vec<ReviewFinding>,
    /// What the policy found when it was last submitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<PolicyFinding>,
    /// What the amount was in the company's currency when it was last submitted, where it stands in another one and a
    /// rate was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converted: Option<Conversion>,
    /// Which suspected duplicates its owner last said are none, each by a digest of the pair that they cannot make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub distinct_from: Vec<String>,
    /// Of what it is a part, if its receipt was split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// The number of the latest submission; 0 before the first.
    pub submission: u32,
    /// When it was drafted.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A date as `2026-03-12`. Other forms of ISO 8601 carry a time and an offset, which would be lost without a word.
fn calendar_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    let date = text.parse().ok().filter(|date: &Date| date.to_string() == text);
    date.map(Some).ok_or_else(|| D::Error::custom("this is no date such as 2026-03-12"))
}

impl ExpenseState {
    /// The latest submission, if there has been one.
    pub fn submission_id(&self) -> Option<SubmissionId> {
        (self.submission > 0).then_some(SubmissionId { expense: self.id, number: self.submission })
    }
}

/// A new expense, drafted from a receipt or by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drafted {
    /// Its id.
    pub id: ExpenseId,
    /// Whose it is.
    pub owner: PersonId,
    /// What is known of it.
    pub details: ExpenseDetails,
    /// The receipt it was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<ReceiptId>,
    /// The SHA-256 of the receipt's bytes, in lower-case hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_sha256: Option<String>,
    /// What its owner should look at, where a reading was in doubt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub review: Vec<ReviewFinding>,
    /// Of what it is a part, if it was made by splitting another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
}

/// A receipt that is claimed in parts: an expense each, on two cost centres say, and perhaps a personal part that is
/// not claimed. Every part says the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The expense that was split; it is the first part and holds the receipt.
    pub of: ExpenseId,
    /// All parts, the first one included.
    pub parts: Vec<ExpenseId>,
    /// What the parts and the personal part add up to.
    pub total: Money,
    /// What the receipt says, where that is another currency than `total`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_amount: Option<Money>,
    /// The tax that the total includes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<Money>,
    /// What is not claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal: Option<Money>,
}

/// The whole, and what of it is claimed: `30.00 EUR in 2 parts, 15.00 EUR of it personal`.
impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = self.parts.len();
        write!(f, "{} in {parts} {}", self.total, if parts == 1 { "part" } else { "parts" })?;
        self.personal.map_or(Ok(()), |personal| write!(f, ", {personal} of it personal"))
    }
}

/// Its owner split it; its own part is what is left in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SplitUp {
    /// What was said before.
    pub before: ExpenseDetails,
    /// What is said of the first part.
    pub after: ExpenseDetails,
    /// The parts.
    pub split: Split,
}

/// Its owner took the split back; the other parts are deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SplitUndone {
    /// What was said of the first part.
    pub before: ExpenseDetails,
    /// What is said now: the whole amount.
    pub after: ExpenseDetails,
}

/// Its owner gave it a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptAttached {
    /// Which receipt.
    pub receipt: ReceiptId,
    /// The SHA-256 of its bytes, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// Its receipt was taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReceiptDetached {
    /// Which receipt.
    pub receipt: ReceiptId,
}

/// Its owner said that what was suspected then is no duplicate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DuplicatesDismissed {
    /// The digests of all pairs that were suspected then, as in [`ExpenseState::distinct_from`].
    pub distinct_from: Vec<String>,
}

/// Its owner changed what is said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edited {
    /// What was said before.
    pub before: ExpenseDetails,
    /// What is said now.
    pub after: ExpenseDetails,
}

/// Its owner asked for approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Submitted {
    /// The number of this submission, from 1.
    pub submission: u32,
    /// The policy it is judged by, to its end.
    pub policy_version: u32,
    /// What that policy warns of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<PolicyFinding>,
    /// What the amount is in the company's currency, where it stands in another one and a rate was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub converted: Option<Conversion>,
}

/// An approver was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalRequested {
    /// In which submission.
    pub submission: u32,
    /// Which step of it, from 1.
    pub step: u32,
    /// Who was asked.
    pub approver: PersonId,
    /// Until when an answer counts.
    pub due_at: Timestamp,
}

/// Why somebody else is asked than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReassignmentReason {
    /// Whoever was asked did not answer in time: the next one up is asked.
    Escalated,
    /// Whoever was asked has a delegate for these days.
    Delegated,
    /// Whoever was asked has left.
    Left,
    /// Mail to whoever was asked does not arrive.
    MailUndeliverable,
    /// Somebody else is responsible by now: another manager, another role, a delegation that ended.
    ResponsibilityChanged,
}

/// Somebody else is asked, at the same step. Links that were mailed before lead to nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalReassigned {
    /// In which submission.
    pub submission: u32,
    /// Which step of it, from 1.
    pub step: u32,
    /// Who was asked before.
    pub from: PersonId,
    /// Who is asked now.
    pub approver: PersonId,
    /// Why.
    pub reason: ReassignmentReason,
    /// Until when an answer counts; as before.
    pub due_at: Timestamp,
}

/// An approver who has not answered is reminded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalReminded {
    /// In which submission.
    pub submission: u32,
    /// Which step of it, from 1.
    pub step: u32,
    /// Who is reminded.
    pub approver: PersonId,
}

/// An approver said yes, and another one is asked after them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepApproved {
    /// In which submission.
    pub submission: u32,
    /// At which step.
    pub step: u32,
    /// Who decided.
    pub decided_by: PersonId,
    /// What they added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// It was approved without asking anybody, because the policy says so of such an amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AutoApproved {
    /// In which submission.
    pub submission: u32,
    /// The policy that says so.
    pub policy_version: u32,
}

/// Somebody in whose name it was decided says that it was not them: it is submitted anew, and asked for anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reopened {
    /// The number of the submission that begins.
    pub submission: u32,
    /// The policy it is judged by, as the submission before.
    pub policy_version: u32,
    /// At which step of the submission before the decision stood.
    pub step: u32,
    /// In whose name it was decided.
    pub disowned_by: PersonId,
}

/// The last approver said yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approved {
    /// In which submission.
    pub submission: u32,
    /// At which step.
    pub step: u32,
    /// Who decided.
    pub decided_by: PersonId,
    /// What they added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// An approver said no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rejected {
    /// In which submission.
    pub submission: u32,
    /// At which step.
    pub step: u32,
    /// Who decided.
    pub decided_by: PersonId,
    /// Why.
    pub reason: String,
}

/// An approver sent it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangesRequested {
    /// In which submission.
    pub submission: u32,
    /// At which step.
    pub step: u32,
    /// Who decided.
    pub decided_by: PersonId,
    /// What should change.
    pub comment: String,
}

/// Its owner took the submission back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Withdrawn {
    /// Which submission ended.
    pub submission: u32,
}

/// Nobody decided in time; it went back to its owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SubmissionExpired {
    /// Which submission ended.
    pub submission: u32,
    /// At which step.
    pub step: u32,
}

/// Finance paid it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reimbursed {
    /// The payment's reference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Its owner deleted it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deleted {}

/// Data of an expense event: what changed, and the expense after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpenseEvent<C> {
    /// What changed.
    pub change: C,
    /// The expense after the change.
    pub expense: ExpenseState,
}

/// Every change an expense can go through.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named after the documented struct it holds")]
pub enum ExpenseChange {
    Drafted(Drafted),
    Edited(Edited),
    Submitted(Submitted),
    ApprovalRequested(ApprovalRequested),
    ApprovalReassigned(ApprovalReassigned),
    ApprovalReminded(ApprovalReminded),
    StepApproved(StepApproved),
    AutoApproved(AutoApproved),
    Reopened(Reopened),
    Approved(Approved),
    Rejected(Rejected),
    ChangesRequested(ChangesRequested),
    Withdrawn(Withdrawn),
    SubmissionExpired(SubmissionExpired),
    Reimbursed(Reimbursed),
    Deleted(Deleted),
    ReceiptAttached(ReceiptAttached),
    ReceiptDetached(ReceiptDetached),
    DuplicatesDismissed(DuplicatesDismissed),
    SplitUp(SplitUp),
    SplitUndone(SplitUndone),
}
