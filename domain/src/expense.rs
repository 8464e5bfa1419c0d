//! The life cycle of an expense: [`decide`] what a command leads to, [`apply`] what happened.
//!
//! [`next_status`] is the transition table and the only place that knows it.

use jiff::Timestamp;
use slipstream_events::{
    ApprovalReassigned, ApprovalReminded, ApprovalRequested, Approved, AutoApproved, ChangesRequested, Conversion,
    Deleted, Drafted, DuplicatesDismissed, Edited, ExpenseChange, ExpenseDetails, ExpenseState, ExpenseStatus, Money,
    PaidBy, PersonId, PolicyFinding, ReadField, ReassignmentReason, ReceiptAttached, ReceiptDetached, Reimbursed,
    Rejected, Reopened, Severity, Split, SplitUndone, SplitUp, StepApproved, SubmissionExpired, Submitted, Withdrawn,
};

use crate::details::{self, FieldProblem};

/// What someone wants to happen to an expense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begin it: from a receipt, by hand, or as a part of another.
    Draft(Box<Drafted>),
    /// Say something else of it.
    Edit {
        /// What is said now.
        details: ExpenseDetails,
    },
    /// Ask for approval.
    Submit {
        /// The policy that holds now.
        policy_version: u32,
        /// What it finds.
        findings: Vec<PolicyFinding>,
        /// What the amount is in the company's currency, where it stands in another one and a rate is known.
        converted: Option<Conversion>,
    },
    /// Record that an approver is asked.
    RequestApproval {
        /// In which submission.
        submission: u32,
        /// Which step of it.
        step: u32,
        /// Who is asked.
        approver: PersonId,
        /// Until when an answer counts.
        due_at: Timestamp,
    },
    /// Record that somebody else is asked.
    ReassignApproval {
        /// In which submission.
        submission: u32,
        /// Which step of it.
        step: u32,
        /// Who was asked.
        from: PersonId,
        /// Who is asked now.
        approver: PersonId,
        /// Why.
        reason: ReassignmentReason,
        /// Until when an answer counts.
        due_at: Timestamp,
    },
    /// Record that the approver is reminded.
    RemindApprover {
        /// In which submission.
        submission: u32,
        /// Which step of it.
        step: u32,
        /// Who is asked.
        approver: PersonId,
    },
    /// Decide it.
    Decide {
        /// In which submission.
        submission: u32,
        /// At which step.
        step: u32,
        /// Who decides.
        by: PersonId,
        /// What they say.
        decision: Decision,
        /// Whether another one is asked after a yes.
        more_to_ask: bool,
    },
    /// Approve it without asking anybody, as the policy says.
    AutoApprove {
        /// In which submission.
        submission: u32,
        /// The policy that says so.
        policy_version: u32,
    },
    /// Take a decision back because it was not made by the person in whose name it was.
    Reopen {
        /// The submission that was decided.
        submission: u32,
        /// At which step.
        step: u32,
        /// In whose name.
        disowned_by: PersonId,
        /// The policy that the submission began with.
        policy_version: u32,
    },
    /// Take the submission back.
    Withdraw,
    /// Send it back because nobody decided in time.
    Expire {
        /// In which submission.
        submission: u32,
        /// At which step.
        step: u32,
    },
    /// Record that it was paid out.
    Reimburse {
        /// Who paid it out.
        by: PersonId,
        /// The payment's reference.
        reference: Option<String>,
    },
    /// Delete it.
    Delete,
    /// Give it a receipt.
    AttachReceipt(ReceiptAttached),
    /// Take its receipt away.
    DetachReceipt,
    /// Say that all that is suspected now is no duplicate, each by its digest.
    DismissDuplicates(DuplicatesDismissed),
    /// Split it: [`crate::split::plan`] says into what.
    SplitUp(Box<SplitUp>),
    /// Take its split back.
    UndoSplit,
}

/// What an approver says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Approve {
        /// What they add.
        comment: Option<String>,
    },
    /// No, for good.
    Reject {
        /// Why.
        reason: String,
    },
    /// Not like this.
    RequestChanges {
        /// What should change.
        comment: String,
    },
}

/// The kinds of command that the transition table tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the command or decision of that name")]
pub enum Action {
    Draft,
    Edit,
    Submit,
    RequestApproval,
    ReassignApproval,
    RemindApprover,
    ApproveStep,
    Approve,
    AutoApprove,
    Reopen,
    Reject,
    RequestChanges,
    Withdraw,
    Expire,
    Reimburse,
    Delete,
    AttachReceipt,
    DetachReceipt,
    DismissDuplicates,
    SplitUp,
    UndoSplit,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 21] = [
        Self::Draft,
        Self::Edit,
        Self::Submit,
        Self::RequestApproval,
        Self::ReassignApproval,
        Self::RemindApprover,
        Self::ApproveStep,
        Self::Approve,
        Self::AutoApprove,
        Self::Reopen,
        Self::Reject,
        Self::RequestChanges,
        Self::Withdraw,
        Self::Expire,
        Self::Reimburse,
        Self::Delete,
        Self::AttachReceipt,
        Self::DetachReceipt,
        Self::DismissDuplicates,
        Self::SplitUp,
        Self::UndoSplit,
    ];

    const fn verb(self) -> &'static str {
        match self {
            Self::Draft => "drafted",
            Self::Edit => "edited",
            Self::Submit => "submitted",
            Self::RequestApproval => "put to an approver",
            Self::ReassignApproval => "put to another approver",
            Self::RemindApprover => "brought to its approver's mind",
            Self::ApproveStep | Self::Approve | Self::AutoApprove => "approved",
            Self::Reopen => "reopened",
            Self::Reject => "rejected",
            Self::RequestChanges => "sent back for changes",
            Self::Withdraw => "withdrawn",
            Self::Expire => "expired",
            Self::Reimburse => "reimbursed",
            Self::Delete => "deleted",
            Self::AttachReceipt => "given a receipt",
            Self::DetachReceipt => "parted from its receipt",
            Self::DismissDuplicates => "marked as no duplicate",
            Self::SplitUp => "split",
            Self::UndoSplit => "put together again",
        }
    }
}

impl Command {
    /// Which row of the transition table it is.
    pub const fn action(&self) -> Action {
        match self {
            Self::Draft(_) => Action::Draft,
            Self::Edit { .. } => Action::Edit,
            Self::Submit { .. } => Action::Submit,
            Self::RequestApproval { .. } => Action::RequestApproval,
            Self::ReassignApproval { .. } => Action::ReassignApproval,
            Self::RemindApprover { .. } => Action::RemindApprover,
            Self::AutoApprove { .. } => Action::AutoApprove,
            Self::Reopen { .. } => Action::Reopen,
            Self::Decide { decision: Decision::Approve { .. }, more_to_ask: true, .. } => Action::ApproveStep,
            Self::Decide { decision: Decision::Approve { .. }, .. } => Action::Approve,
            Self::Decide { decision: Decision::Reject { .. }, .. } => Action::Reject,
            Self::Decide { decision: Decision::RequestChanges { .. }, .. } => Action::RequestChanges,
            Self::Withdraw => Action::Withdraw,
            Self::Expire { .. } => Action::Expire,
            Self::Reimburse { .. } => Action::Reimburse,
            Self::Delete => Action::Delete,
            Self::AttachReceipt(_) => Action::AttachReceipt,
            Self::DetachReceipt => Action::DetachReceipt,
            Self::DismissDuplicates(_) => Action::DismissDuplicates,
            Self::SplitUp(_) => Action::SplitUp,
            Self::UndoSplit => Action::UndoSplit,
        }
    }
}

/// Why a command leads to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The transition table has no such arrow.
    #[error("an expense that is {status} cannot be {}", .action.verb())]
    NotAllowed {
        /// Where the expense stands.
        status: ExpenseStatus,
        /// What was wanted.
        action: Action,
    },
    /// There is no such expense, or there is one already.
    #[error("{0}")]
    Existence(&'static str),
    /// The submission lacks something.
    #[error("the expense cannot be submitted without {}", .0.join(", "))]
    Missing(Vec<&'static str>),
    /// The policy forbids it.
    #[error("the policy does not allow it")]
    Blocked(Vec<PolicyFinding>),
    /// A field is wrong.
    #[error("{} is not valid", .0.first().map_or("a field", |problem| problem.field))]
    Invalid(Vec<FieldProblem>),
    /// The command is about a submission that is over.
    #[error("submission {submission} is over")]
    SubmissionOver {
        /// The submission the command names.
        submission: u32,
    },
    /// No one decides on their own money.
    #[error("no one decides on or pays out their own expense")]
    OwnExpense,
    /// It has a receipt, or none.
    #[error("{0}")]
    Receipt(&'static str),
    /// The company paid for it.
    #[error("the expense was paid with a company card: nothing is owed")]
    NothingOwed,
    /// It is a part of a split, or none.
    #[error("{0}")]
    Split(&'static str),
}

/// What the company owes the owner of an expense, or did until it paid: what they paid themselves, unless it was
/// rejected. `None` while there is no amount.
pub fn owed(state: &ExpenseState) -> Option<Money> {
    let amount = state.details.amount?;
    let is_owed = state.details.paid_by == PaidBy::OutOfPocket && state.status != ExpenseStatus::Rejected;
    Some(if is_owed { amount } else { Money::new(0, amount.currency) })
}

/// The transition table: the status after `action`, or `None` where there is no such arrow. `None` as the status
/// stands for an expense that does not exist yet.
pub const fn next_status(status: Option<ExpenseStatus>, action: Action) -> Option<ExpenseStatus> {
    use Action as A;
    use ExpenseStatus as S;
    match (status, action) {
        (None, A::Draft) => Some(S::Draft),
        (Some(S::Draft), A::Edit | A::AttachReceipt | A::DetachReceipt | A::SplitUp | A::UndoSplit) => Some(S::Draft),
        (Some(S::ChangesRequested), A::Edit | A::AttachReceipt | A::DetachReceipt | A::SplitUp | A::UndoSplit) => {
            Some(S::ChangesRequested)
        }
        // Whoever is asked may be told while the approver waits, too.
        (Some(status @ (S::Draft | S::ChangesRequested | S::Submitted)), A::DismissDuplicates) => Some(status),
        (Some(S::Draft | S::ChangesRequested), A::Submit) => Some(S::Submitted),
        (Some(S::Draft | S::ChangesRequested), A::Delete) => Some(S::Deleted),
        (Some(S::Submitted), A::RequestApproval | A::ReassignApproval | A::RemindApprover | A::ApproveStep) => {
            Some(S::Submitted)
        }
        (Some(S::Submitted), A::Approve | A::AutoApprove) => Some(S::Approved),
        // Only what an approver decided, and only while no money has gone.
        (Some(S::Submitted | S::Approved | S::Rejected | S::ChangesRequested), A::Reopen) => Some(S::Submitted),
        (Some(S::Submitted), A::Reject) => Some(S::Rejected),
        (Some(S::Submitted), A::RequestChanges) => Some(S::ChangesRequested),
        (Some(S::Submitted), A::Withdraw | A::Expire) => Some(S::Draft),
        (Some(S::Approved), A::Reimburse) => Some(S::Reimbursed),
        _ => None,
    }
}

/// Whether what is said of an expense may change.
pub const fn is_editable(status: ExpenseStatus) -> bool {
    next_status(Some(status), Action::Edit).is_some()
}

/// What `command` leads to from `state`; `None` is an expense that does not exist yet.
///
/// # Errors
/// A [`Rejection`] that says why it leads to nothing.
pub fn decide(state: Option<&ExpenseState>, command: Command) -> Result<ExpenseChange, Rejection> {
    let action = command.action();
    if next_status(state.map(|state| state.status), action).is_none() {
        return Err(match state {
            Some(_) if action == Action::Draft => Rejection::Existence("the expense exists already"),
            Some(state) => Rejection::NotAllowed { status: state.status, action },
            None => Rejection::Existence("there is no such expense"),
        });
    }
    let valid = |details: &ExpenseDetails| match details::problems(details) {
        problems if problems.is_empty() => Ok(()),
        problems => Err(Rejection::Invalid(problems)),
    };
    let Some(state) = state else {
        let Command::Draft(drafted) = command else {
            return Err(Rejection::Existence("there is no such expense"));
        };
        valid(&drafted.details)?;
        return Ok(ExpenseChange::Drafted(*drafted));
    };
    let current = |submission: u32| match submission {
        submission if submission == state.submission => Ok(()),
        submission => Err(Rejection::SubmissionOver { submission }),
    };
    Ok(match command {
        Command::Draft(_) => return Err(Rejection::Existence("the expense exists already")),
        Command::Edit { details } => {
            valid(&details)?;
            if state.split.is_some() && details.amount != state.details.amount {
                return Err(Rejection::Split(
                    "the amount of a part is changed by splitting the whole anew: undo the split first",
                ));
            }
            ExpenseChange::Edited(Edited { before: state.details.clone(), after: details })
        }
        Command::Submit { policy_version, findings, converted } => {
            let missing = details::missing(&state.details);
            if !missing.is_empty() {
                return Err(Rejection::Missing(missing));
            }
            let (blocking, findings): (Vec<_>, Vec<_>) =
                findings.into_iter().partition(|finding| finding.severity == Severity::Blocks);
            if !blocking.is_empty() {
                return Err(Rejection::Blocked(blocking));
            }
            let submission = state.submission + 1;
            ExpenseChange::Submitted(Submitted { submission, policy_version, findings, converted })
        }
        Command::RequestApproval { submission, step, approver, due_at } => {
            current(submission)?;
            if approver == state.owner {
                return Err(Rejection::OwnExpense);
            }
            ExpenseChange::ApprovalRequested(ApprovalRequested { submission, step, approver, due_at })
        }
        Command::ReassignApproval { submission, step, from, approver, reason, due_at } => {
            current(submission)?;
            if approver == state.owner {
                return Err(Rejection::OwnExpense);
            }
            ExpenseChange::ApprovalReassigned(ApprovalReassigned { submission, step, from, approver, reason, due_at })
        }
        Command::RemindApprover { submission, step, approver } => {
            current(submission)?;
            ExpenseChange::ApprovalReminded(ApprovalReminded { submission, step, approver })
        }
        Command::AutoApprove { submission, policy_version } => {
            current(submission)?;
            ExpenseChange::AutoApproved(AutoApproved { submission, policy_version })
        }
        Command::Reopen { submission, step, disowned_by, policy_version } => {
            current(submission)?;
            let submission = submission + 1;
            ExpenseChange::Reopened(Reopened { submission, policy_version, step, disowned_by })
        }
        Command::Decide { submission, step, by, decision, more_to_ask } => {
            current(submission)?;
            if by == state.owner {
                return Err(Rejection::OwnExpense);
            }
            match decision {
                Decision::Approve { comment } if more_to_ask => {
                    ExpenseChange::StepApproved(StepApproved { submission, step, decided_by: by, comment })
                }
                Decision::Approve { comment } => {
                    ExpenseChange::Approved(Approved { submission, step, decided_by: by, comment })
                }
                Decision::Reject { reason } => {
                    ExpenseChange::Rejected(Rejected { submission, step, decided_by: by, reason })
                }
                Decision::RequestChanges { comment } => {
                    ExpenseChange::ChangesRequested(ChangesRequested { submission, step, decided_by: by, comment })
                }
            }
        }
        Command::Withdraw => ExpenseChange::Withdrawn(Withdrawn { submission: state.submission }),
        Command::Expire { submission, step } => {
            current(submission)?;
            ExpenseChange::SubmissionExpired(SubmissionExpired { submission, step })
        }
        Command::Reimburse { by, .. } if by == state.owner => return Err(Rejection::OwnExpense),
        Command::Reimburse { .. } if state.details.paid_by == PaidBy::CompanyCard => {
            return Err(Rejection::NothingOwed);
        }
        Command::Reimburse { reference, .. } => ExpenseChange::Reimbursed(Reimbursed { reference }),
        Command::Delete => match &state.split {
            Some(split) if split.of == state.id => {
                return Err(Rejection::Split("the first part holds the receipt of all: undo the split first"));
            }
            _ => ExpenseChange::Deleted(Deleted {}),
        },
        Command::AttachReceipt(attached) => match (&state.receipt, &state.split) {
            (Some(_), _) => return Err(Rejection::Receipt("the expense has a receipt: detach that one first")),
            (None, Some(_)) => return Err(Rejection::Split("a part of a split has no receipt of its own")),
            (None, None) => ExpenseChange::ReceiptAttached(attached),
        },
        Command::DetachReceipt => match (state.receipt, &state.split) {
            (_, Some(_)) => {
                return Err(Rejection::Split("the parts of a split share the receipt: undo the split first"));
            }
            (None, None) => return Err(Rejection::Receipt("the expense has no receipt")),
            (Some(receipt), None) => ExpenseChange::ReceiptDetached(ReceiptDetached { receipt }),
        },
        Command::DismissDuplicates(dismissed) => ExpenseChange::DuplicatesDismissed(dismissed),
        Command::SplitUp(split) => {
            if state.split.is_some() {
                return Err(Rejection::Split("the expense is a part of a split: undo the split first"));
            }
            valid(&split.after)?;
            ExpenseChange::SplitUp(*split)
        }
        Command::UndoSplit => match &state.split {
            Some(split) if split.of == state.id => {
                let before = state.details.clone();
                let Split { total, original_amount, tax, .. } = split;
                let (amount, original_amount, tax) = (Some(*total), *original_amount, *tax);
                let after = ExpenseDetails { amount, original_amount, tax, ..before.clone() };
                ExpenseChange::SplitUndone(SplitUndone { before, after })
            }
            Some(_) => return Err(Rejection::Split("the split is undone from its first part")),
            None => return Err(Rejection::Split("the expense is not split")),
        },
    })
}

/// Which row of the transition table a change is.
const fn action_of(change: &ExpenseChange) -> Action {
    match change {
        ExpenseChange::Drafted(_) => Action::Draft,
        ExpenseChange::Edited(_) => Action::Edit,
        ExpenseChange::Submitted(_) => Action::Submit,
        ExpenseChange::ApprovalRequested(_) => Action::RequestApproval,
        ExpenseChange::ApprovalReassigned(_) => Action::ReassignApproval,
        ExpenseChange::ApprovalReminded(_) => Action::RemindApprover,
        ExpenseChange::StepApproved(_) => Action::ApproveStep,
        ExpenseChange::AutoApproved(_) => Action::AutoApprove,
        ExpenseChange::Reopened(_) => Action::Reopen,
        ExpenseChange::Approved(_) => Action::Approve,
        ExpenseChange::Rejected(_) => Action::Reject,
        ExpenseChange::ChangesRequested(_) => Action::RequestChanges,
        ExpenseChange::Withdrawn(_) => Action::Withdraw,
        ExpenseChange::SubmissionExpired(_) => Action::Expire,
        ExpenseChange::Reimbursed(_) => Action::Reimburse,
        ExpenseChange::Deleted(_) => Action::Delete,
        ExpenseChange::ReceiptAttached(_) => Action::AttachReceipt,
        ExpenseChange::ReceiptDetached(_) => Action::DetachReceipt,
        ExpenseChange::DuplicatesDismissed(_) => Action::DismissDuplicates,
        ExpenseChange::SplitUp(_) => Action::SplitUp,
        ExpenseChange::SplitUndone(_) => Action::UndoSplit,
    }
}

/// The expense after `change`, which happened at `at`.
///
/// # Errors
/// [`Rejection`] when the change cannot follow on `state`: then the history is not one that [`decide`] made.
pub fn apply(state: Option<&ExpenseState>, change: &ExpenseChange, at: Timestamp) -> Result<ExpenseState, Rejection> {
    let action = action_of(change);
    let status = next_status(state.map(|state| state.status), action);
    let (state, status) = match (state, change, status) {
        (None, ExpenseChange::Drafted(drafted), Some(status)) => {
            return Ok(ExpenseState {
                id: drafted.id,
                version: 1,
                owner: drafted.owner,
                status,
                details: drafted.details.clone(),
                receipt: drafted.receipt,
                receipt_sha256: drafted.receipt_sha256.clone(),
                review: drafted.review.clone(),
                findings: Vec::new(),
                converted: None,
                distinct_from: Vec::new(),
                split: drafted.split.clone(),
                submission: 0,
                created_at: at,
                updated_at: at,
            });
        }
        (Some(state), _, Some(status)) => (state, status),
        (Some(state), _, None) => {
            return Err(Rejection::NotAllowed { status: state.status, action });
        }
        (None, _, _) => return Err(Rejection::Existence("there is no such expense")),
    };
    let mut after = ExpenseState { version: state.version + 1, status, updated_at: at, ..state.clone() };
    match change {
        ExpenseChange::Edited(edited) => {
            after.review.retain(|finding| !settles(edited, finding.field));
            after.details = edited.after.clone();
        }
        ExpenseChange::Submitted(submitted) => {
            after.review.clear();
            after.submission = submitted.submission;
            after.findings = submitted.findings.clone();
            after.converted = submitted.converted.clone();
        }
        ExpenseChange::Reopened(reopened) => after.submission = reopened.submission,
        ExpenseChange::ReceiptAttached(attached) => {
            after.receipt = Some(attached.receipt);
            after.receipt_sha256 = Some(attached.sha256.clone());
        }
        ExpenseChange::ReceiptDetached(_) => {
            after.receipt = None;
            after.receipt_sha256 = None;
        }
        ExpenseChange::DuplicatesDismissed(dismissed) => {
            after.distinct_from = dismissed.distinct_from.clone();
        }
        ExpenseChange::SplitUp(split) => {
            after.details = split.after.clone();
            after.split = Some(split.split.clone());
        }
        ExpenseChange::SplitUndone(undone) => {
            after.details = undone.after.clone();
            after.split = None;
        }
        _ => {}
    }
    Ok(after)
}

/// Whether an edit says something new of `field`.
fn settles(edited: &Edited, field: ReadField) -> bool {
    let (before, after) = (&edited.before, &edited.after);
    match field {
        ReadField::Merchant => before.merchant != after.merchant,
        ReadField::Date => before.date != after.date,
        ReadField::Amount => before.amount != after.amount,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use slipstream_events::{Category, Currency, ExpenseId, PolicyRule, ReceiptId};

    use super::*;

    const OWNER: &str = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11";
    const MANAGER: &str = "5e1f0c22-3a4b-4c5d-8e6f-7a8b9c0d1e2f";

    fn owner() -> PersonId {
        OWNER.parse().unwrap()
    }

    fn manager() -> PersonId {
        MANAGER.parse().unwrap()
    }

    fn complete() -> ExpenseDetails {
        ExpenseDetails {
            merchant: Some("Café Lindenhof".to_owned()),
            date: Some(jiff::civil::date(2026, 3, 12)),
            amount: Some(Money::new(2340, "EUR".parse().unwrap())),
            category: Some(Category::Meals),
            ..ExpenseDetails::default()
        }
    }

    fn expense(status: ExpenseStatus) -> ExpenseState {
        ExpenseState {
            id: ExpenseId::derived_from(&["test"]),
            version: 7,
            owner: owner(),
            status,
            details: complete(),
            receipt: None,
            receipt_sha256: None,
            review: Vec::new(),
            findings: Vec::new(),
            converted: None,
            distinct_from: Vec::new(),
            split: None,
            submission: 2,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn submit(policy_version: u32) -> Command {
        Command::Submit { policy_version, findings: Vec::new(), converted: None }
    }

    fn command(action: Action) -> Command {
        let decide = |decision| Command::Decide { submission: 2, step: 1, by: manager(), decision, more_to_ask: false };
        match action {
            Action::Draft => Command::Draft(Box::new(Drafted {
                id: ExpenseId::derived_from(&["test"]),
                owner: owner(),
                details: complete(),
                receipt: None,
                receipt_sha256: None,
                review: Vec::new(),
                split: None,
            })),
            Action::Edit => Command::Edit { details: ExpenseDetails { note: Some("n".to_owned()), ..complete() } },
            Action::Submit => submit(1),
            Action::RequestApproval => {
                Command::RequestApproval { submission: 2, step: 1, approver: manager(), due_at: Timestamp::UNIX_EPOCH }
            }
            Action::ReassignApproval => Command::ReassignApproval {
                submission: 2,
                step: 1,
                from: manager(),
                approver: "7c3d2e1f-4b5a-4c6d-9e8f-0a1b2c3d4e5f".parse().unwrap(),
                reason: ReassignmentReason::Escalated,
                due_at: Timestamp::UNIX_EPOCH,
            },
            Action::RemindApprover => Command::RemindApprover { submission: 2, step: 1, approver: manager() },
            Action::ApproveStep => Command::Decide {
                submission: 2,
                step: 1,
                by: manager(),
                decision: Decision::Approve { comment: None },
                more_to_ask: true,
            },
            Action::AutoApprove => Command::AutoApprove { submission: 2, policy_version: 1 },
            Action::Reopen => Command::Reopen { submission: 2, step: 1, disowned_by: manager(), policy_version: 1 },
            Action::Approve => decide(Decision::Approve { comment: None }),
            Action::Reject => decide(Decision::Reject { reason: "no".to_owned() }),
            Action::RequestChanges => decide(Decision::RequestChanges { comment: "why".to_owned() }),
            Action::Withdraw => Command::Withdraw,
            Action::Expire => Command::Expire { submission: 2, step: 1 },
            Action::Reimburse => Command::Reimburse { by: manager(), reference: None },
            Action::Delete => Command::Delete,
            Action::AttachReceipt => {
                Command::AttachReceipt(ReceiptAttached { receipt: receipt(), sha256: "00".to_owned() })
            }
            Action::DetachReceipt => Command::DetachReceipt,
            Action::DismissDuplicates => {
                Command::DismissDuplicates(DuplicatesDismissed { distinct_from: vec!["d".to_owned()] })
            }
            Action::SplitUp => Command::SplitUp(Box::new(SplitUp {
                before: complete(),
                after: ExpenseDetails { amount: Some(Money::new(1000, Currency::EUR)), ..complete() },
                split: halves(),
            })),
            Action::UndoSplit => Command::UndoSplit,
        }
    }

    /// What an action needs of an expense beside its status.
    fn ready_for(action: Action, mut state: ExpenseState) -> ExpenseState {
        match action {
            Action::DetachReceipt => state.receipt = Some(receipt()),
            Action::UndoSplit => state.split = Some(halves()),
            _ => {}
        }
        state
    }

    fn receipt() -> ReceiptId {
        ReceiptId::derived_from(&["test"])
    }

    fn halves() -> Split {
        let (of, other) = (ExpenseId::derived_from(&["test"]), ExpenseId::derived_from(&["other"]));
        let (total, tax) = (Money::new(2340, Currency::EUR), Some(Money::new(374, Currency::EUR)));
        Split { of, parts: vec![of, other], total, original_amount: None, tax, personal: None }
    }

    /// The arrows as the design draws them, written down a second time so that the table is held against something.
    const ARROWS: [(Option<ExpenseStatus>, Action, ExpenseStatus); 32] = {
        use Action as A;
        use ExpenseStatus as S;
        [
            (None, A::Draft, S::Draft),
            (Some(S::Draft), A::Edit, S::Draft),
            (Some(S::Draft), A::Submit, S::Submitted),
            (Some(S::Draft), A::Delete, S::Deleted),
            (Some(S::Submitted), A::RequestApproval, S::Submitted),
            (Some(S::Submitted), A::ReassignApproval, S::Submitted),
            (Some(S::Submitted), A::RemindApprover, S::Submitted),
            (Some(S::Submitted), A::ApproveStep, S::Submitted),
            (Some(S::Submitted), A::AutoApprove, S::Approved),
            (Some(S::Submitted), A::Reopen, S::Submitted),
            (Some(S::Approved), A::Reopen, S::Submitted),
            (Some(S::Rejected), A::Reopen, S::Submitted),
            (Some(S::ChangesRequested), A::Reopen, S::Submitted),
            (Some(S::Submitted), A::Approve, S::Approved),
            (Some(S::Submitted), A::Reject, S::Rejected),
            (Some(S::Submitted), A::RequestChanges, S::ChangesRequested),
            (Some(S::Submitted), A::Withdraw, S::Draft),
            (Some(S::Submitted), A::Expire, S::Draft),
            (Some(S::ChangesRequested), A::Edit, S::ChangesRequested),
            (Some(S::ChangesRequested), A::Submit, S::Submitted),
            (Some(S::ChangesRequested), A::Delete, S::Deleted),
            (Some(S::Draft), A::AttachReceipt, S::Draft),
            (Some(S::Draft), A::DetachReceipt, S::Draft),
            (Some(S::Draft), A::SplitUp, S::Draft),
            (Some(S::Draft), A::UndoSplit, S::Draft),
            (Some(S::Draft), A::DismissDuplicates, S::Draft),
            (Some(S::Submitted), A::DismissDuplicates, S::Submitted),
            (Some(S::ChangesRequested), A::AttachReceipt, S::ChangesRequested),
            (Some(S::ChangesRequested), A::DetachReceipt, S::ChangesRequested),
            (Some(S::ChangesRequested), A::SplitUp, S::ChangesRequested),
            (Some(S::ChangesRequested), A::UndoSplit, S::ChangesRequested),
            (Some(S::ChangesRequested), A::DismissDuplicates, S::ChangesRequested),
        ]
    };
    const PAYOUT: (Option<ExpenseStatus>, Action, ExpenseStatus) =
        (Some(ExpenseStatus::Approved), Action::Reimburse, ExpenseStatus::Reimbursed);

    #[test]
    fn every_command_in_every_state_does_what_the_arrows_say() {
        let states = std::iter::once(None).chain(ExpenseStatus::ALL.map(Some));
        for status in states {
            for action in Action::ALL {
                let arrow = ARROWS.iter().chain([&PAYOUT]).find(|(from, by, _)| (*from, *by) == (status, action));
                let state = status.map(expense).map(|state| ready_for(action, state));
                match (decide(state.as_ref(), command(action)), arrow) {
                    (Ok(change), Some((_, _, to))) => {
                        let after = apply(state.as_ref(), &change, Timestamp::UNIX_EPOCH).unwrap();
                        assert_eq!(after.status, *to, "{status:?} {action:?}");
                        assert_eq!(after.version, state.map_or(0, |state| state.version) + 1);
                    }
                    (Err(_), None) => {}
                    (outcome, arrow) => panic!("{status:?} {action:?}: {outcome:?}, the arrows say {arrow:?}"),
                }
            }
        }
    }

    #[test]
    fn a_submission_needs_everything_an_approver_asks_for() {
        let state = ExpenseState { details: ExpenseDetails::default(), ..expense(ExpenseStatus::Draft) };
        assert_eq!(
            decide(Some(&state), submit(0)),
            Err(Rejection::Missing(vec!["merchant", "date", "amount", "category"]))
        );
    }

    #[test]
    fn what_the_policy_forbids_is_not_submitted_and_what_it_warns_of_goes_along() {
        let state = expense(ExpenseStatus::Draft);
        let finding = |severity| PolicyFinding {
            rule: PolicyRule::ItemLimit,
            severity,
            field: "amount".to_owned(),
            message: "Too much.".to_owned(),
        };
        let (warns, blocks) = (finding(Severity::Warns), finding(Severity::Blocks));
        let command = |findings: &[&PolicyFinding]| Command::Submit {
            policy_version: 1,
            findings: findings.iter().map(|finding| (*finding).clone()).collect(),
            converted: None,
        };
        assert_eq!(decide(Some(&state), command(&[&warns, &blocks])), Err(Rejection::Blocked(vec![blocks])));
        let change = decide(Some(&state), command(&[&warns])).unwrap();
        assert_eq!(apply(Some(&state), &change, Timestamp::UNIX_EPOCH).unwrap().findings, [warns]);
    }

    #[test]
    fn a_decision_on_an_earlier_submission_leads_to_nothing() {
        let state = expense(ExpenseStatus::Submitted);
        let decision = Decision::Approve { comment: None };
        let command = Command::Decide { submission: 1, step: 1, by: manager(), decision, more_to_ask: false };
        assert_eq!(decide(Some(&state), command), Err(Rejection::SubmissionOver { submission: 1 }));
    }

    #[test]
    fn no_one_decides_on_their_own_expense() {
        let state = expense(ExpenseStatus::Submitted);
        let decision = Decision::Approve { comment: None };
        let own = Command::Decide { submission: 2, step: 1, by: owner(), decision, more_to_ask: false };
        assert_eq!(decide(Some(&state), own), Err(Rejection::OwnExpense));
        let asked =
            Command::RequestApproval { submission: 2, step: 1, approver: owner(), due_at: Timestamp::UNIX_EPOCH };
        assert_eq!(decide(Some(&state), asked), Err(Rejection::OwnExpense));
        let reassigned = Command::ReassignApproval {
            submission: 2,
            step: 1,
            from: manager(),
            approver: owner(),
            reason: ReassignmentReason::Left,
            due_at: Timestamp::UNIX_EPOCH,
        };
        assert_eq!(decide(Some(&state), reassigned), Err(Rejection::OwnExpense));
        let paid_out = Command::Reimburse { by: owner(), reference: None };
        assert_eq!(decide(Some(&expense(ExpenseStatus::Approved)), paid_out), Err(Rejection::OwnExpense));
    }

    #[test]
    fn what_is_reopened_is_another_submission() {
        let state = expense(ExpenseStatus::Approved);
        let change = decide(Some(&state), command(Action::Reopen)).unwrap();
        let after = apply(Some(&state), &change, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((after.status, after.submission), (ExpenseStatus::Submitted, 3));
        let earlier = Command::Reopen { submission: 1, step: 1, disowned_by: manager(), policy_version: 1 };
        assert_eq!(decide(Some(&state), earlier), Err(Rejection::SubmissionOver { submission: 1 }));
    }

    #[test]
    fn each_submission_has_the_next_number() {
        let state = expense(ExpenseStatus::ChangesRequested);
        let change = decide(Some(&state), submit(3)).unwrap();
        let after = apply(Some(&state), &change, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(after.submission, 3);
    }

    #[test]
    fn what_the_company_paid_is_not_paid_back() {
        let details = ExpenseDetails { paid_by: PaidBy::CompanyCard, ..complete() };
        let state = ExpenseState { details, ..expense(ExpenseStatus::Approved) };
        assert_eq!(decide(Some(&state), command(Action::Reimburse)), Err(Rejection::NothingOwed));
    }

    #[test]
    fn only_what_somebody_paid_themselves_and_was_not_rejected_is_owed() {
        for status in ExpenseStatus::ALL {
            let own = expense(status);
            let amount = own.details.amount.unwrap();
            let nothing = Money::new(0, amount.currency);
            let expected = if status == ExpenseStatus::Rejected { nothing } else { amount };
            assert_eq!(owed(&own), Some(expected), "{status}");
            let details = ExpenseDetails { paid_by: PaidBy::CompanyCard, ..complete() };
            assert_eq!(owed(&ExpenseState { details, ..own }), Some(nothing), "{status}");
        }
        let details = ExpenseDetails { amount: None, ..complete() };
        assert_eq!(owed(&ExpenseState { details, ..expense(ExpenseStatus::Draft) }), None);
    }

    #[test]
    fn the_parts_of_a_split_stay_together() {
        let part = ExpenseState { split: Some(halves()), receipt: Some(receipt()), ..expense(ExpenseStatus::Draft) };
        let rejected = |command| matches!(decide(Some(&part), command), Err(Rejection::Split(_)));
        assert!(rejected(Command::Delete), "the first part holds the receipt");
        assert!(rejected(Command::DetachReceipt));
        assert!(rejected(command(Action::SplitUp)));
        let amount = Some(Money::new(1, Currency::EUR));
        assert!(rejected(Command::Edit { details: ExpenseDetails { amount, ..complete() } }));
        let other = ExpenseState { id: ExpenseId::derived_from(&["other"]), ..part.clone() };
        assert!(decide(Some(&other), Command::Delete).is_ok());
        assert!(matches!(decide(Some(&other), Command::UndoSplit), Err(Rejection::Split(_))));
        let change = decide(Some(&part), Command::UndoSplit).unwrap();
        let whole = apply(Some(&part), &change, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((whole.details.amount, whole.details.tax), (Some(halves().total), halves().tax));
        assert_eq!(whole.split, None);
    }

    proptest! {
        /// Whatever is tried, in whatever order: versions count every change, and what is paid out was approved.
        #[test]
        fn any_sequence_of_commands_keeps_the_laws(actions in prop::collection::vec(prop::sample::select(Action::ALL.to_vec()), 0..60)) {
            let mut state: Option<ExpenseState> = None;
            let mut changes = 0;
            let mut approved = false;
            for action in actions {
                let mut wanted = command(action);
                let submission_now = state.as_ref().map_or(0, |state| state.submission);
                match &mut wanted {
                    Command::RequestApproval { submission, .. }
                    | Command::ReassignApproval { submission, .. }
                    | Command::RemindApprover { submission, .. }
                    | Command::AutoApprove { submission, .. }
                    | Command::Reopen { submission, .. }
                    | Command::Decide { submission, .. }
                    | Command::Expire { submission, .. } => *submission = submission_now,
                    _ => {}
                }
                if let Ok(change) = decide(state.as_ref(), wanted) {
                    state = Some(apply(state.as_ref(), &change, Timestamp::UNIX_EPOCH).unwrap());
                    changes += 1;
                    approved |= [Action::Approve, Action::AutoApprove].contains(&action);
                }
                if let Some(state) = &state {
                    prop_assert_eq!(state.version, changes);
                    prop_assert!(approved || !matches!(state.status, ExpenseStatus::Approved | ExpenseStatus::Reimbursed));
                }
            }
        }
    }
}
