//! The life cycle of an expense: [`decide`] what a command leads to, [`apply`] what happened.
//!
//! [`next_status`] is the transition table and the only place that knows it.

use jiff::Timestamp;
use slipstream_events::{
    ApprovalRequested, Approved, ChangesRequested, Deleted, Drafted, Edited, ExpenseChange, ExpenseDetails, ExpenseId,
    ExpenseState, ExpenseStatus, PersonId, ReadField, ReceiptId, Reimbursed, Rejected, ReviewFinding,
    SubmissionExpired, Submitted, Withdrawn,
};

use crate::details::{self, FieldProblem};

/// What someone wants to happen to an expense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begin it, from a receipt or by hand.
    Draft {
        /// Its id.
        id: ExpenseId,
        /// Whose it is.
        owner: PersonId,
        /// What is known of it.
        details: ExpenseDetails,
        /// The receipt it was read from.
        receipt: Option<ReceiptId>,
        /// What the reading was in doubt of.
        review: Vec<ReviewFinding>,
    },
    /// Say something else of it.
    Edit {
        /// What is said now.
        details: ExpenseDetails,
    },
    /// Ask for approval.
    Submit {
        /// The policy that holds now.
        policy_version: u32,
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
        /// The payment's reference.
        reference: Option<String>,
    },
    /// Delete it.
    Delete,
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
    Approve,
    Reject,
    RequestChanges,
    Withdraw,
    Expire,
    Reimburse,
    Delete,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 11] = [
        Self::Draft,
        Self::Edit,
        Self::Submit,
        Self::RequestApproval,
        Self::Approve,
        Self::Reject,
        Self::RequestChanges,
        Self::Withdraw,
        Self::Expire,
        Self::Reimburse,
        Self::Delete,
    ];

    const fn verb(self) -> &'static str {
        match self {
            Self::Draft => "drafted",
            Self::Edit => "edited",
            Self::Submit => "submitted",
            Self::RequestApproval => "put to an approver",
            Self::Approve => "approved",
            Self::Reject => "rejected",
            Self::RequestChanges => "sent back for changes",
            Self::Withdraw => "withdrawn",
            Self::Expire => "expired",
            Self::Reimburse => "reimbursed",
            Self::Delete => "deleted",
        }
    }
}

impl Command {
    /// Which row of the transition table it is.
    pub const fn action(&self) -> Action {
        match self {
            Self::Draft { .. } => Action::Draft,
            Self::Edit { .. } => Action::Edit,
            Self::Submit { .. } => Action::Submit,
            Self::RequestApproval { .. } => Action::RequestApproval,
            Self::Decide { decision: Decision::Approve { .. }, .. } => Action::Approve,
            Self::Decide { decision: Decision::Reject { .. }, .. } => Action::Reject,
            Self::Decide { decision: Decision::RequestChanges { .. }, .. } => Action::RequestChanges,
            Self::Withdraw => Action::Withdraw,
            Self::Expire { .. } => Action::Expire,
            Self::Reimburse { .. } => Action::Reimburse,
            Self::Delete => Action::Delete,
        }
    }
}

/// Why a command leads to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The transition table has no such arrow.
    #[error("an expense that is {status} cannot be {verb}")]
    NotAllowed {
        /// Where the expense stands.
        status: ExpenseStatus,
        /// What was wanted.
        verb: &'static str,
    },
    /// There is no such expense, or there is one already.
    #[error("{0}")]
    Existence(&'static str),
    /// The submission lacks something.
    #[error("the expense cannot be submitted without {}", .0.join(", "))]
    Missing(Vec<&'static str>),
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
    #[error("no one decides on their own expense")]
    OwnExpense,
}

/// The transition table: the status after `action`, or `None` where there is no such arrow. `None` as the status
/// stands for an expense that does not exist yet.
pub const fn next_status(status: Option<ExpenseStatus>, action: Action) -> Option<ExpenseStatus> {
    use Action as A;
    use ExpenseStatus as S;
    match (status, action) {
        (None, A::Draft) => Some(S::Draft),
        (Some(S::Draft), A::Edit) => Some(S::Draft),
        (Some(S::ChangesRequested), A::Edit) => Some(S::ChangesRequested),
        (Some(S::Draft | S::ChangesRequested), A::Submit) => Some(S::Submitted),
        (Some(S::Draft | S::ChangesRequested), A::Delete) => Some(S::Deleted),
        (Some(S::Submitted), A::RequestApproval) => Some(S::Submitted),
        (Some(S::Submitted), A::Approve) => Some(S::Approved),
        (Some(S::Submitted), A::Reject) => Some(S::Rejected),
        (Some(S::Submitted), A::RequestChanges) => Some(S::ChangesRequested),
        (Some(S::Submitted), A::Withdraw | A::Expire) => Some(S::Draft),
        (Some(S::Approved), A::Reimburse) => Some(S::Reimbursed),
        _ => None,
    }
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
            Some(state) => Rejection::NotAllowed { status: state.status, verb: action.verb() },
            None => Rejection::Existence("there is no such expense"),
        });
    }
    let valid = |details: &ExpenseDetails| match details::problems(details) {
        problems if problems.is_empty() => Ok(()),
        problems => Err(Rejection::Invalid(problems)),
    };
    let Some(state) = state else {
        let Command::Draft { id, owner, details, receipt, review } = command else {
            return Err(Rejection::Existence("there is no such expense"));
        };
        valid(&details)?;
        return Ok(ExpenseChange::Drafted(Drafted { id, owner, details, receipt, review }));
    };
    let current = |submission: u32| match submission {
        submission if submission == state.submission => Ok(()),
        submission => Err(Rejection::SubmissionOver { submission }),
    };
    Ok(match command {
        Command::Draft { .. } => return Err(Rejection::Existence("the expense exists already")),
        Command::Edit { details } => {
            valid(&details)?;
            ExpenseChange::Edited(Edited { before: state.details.clone(), after: details })
        }
        Command::Submit { policy_version } => {
            let missing = details::missing(&state.details);
            if !missing.is_empty() {
                return Err(Rejection::Missing(missing));
            }
            ExpenseChange::Submitted(Submitted { submission: state.submission + 1, policy_version })
        }
        Command::RequestApproval { submission, step, approver, due_at } => {
            current(submission)?;
            if approver == state.owner {
                return Err(Rejection::OwnExpense);
            }
            ExpenseChange::ApprovalRequested(ApprovalRequested { submission, step, approver, due_at })
        }
        Command::Decide { submission, step, by, decision } => {
            current(submission)?;
            if by == state.owner {
                return Err(Rejection::OwnExpense);
            }
            match decision {
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
        Command::Reimburse { reference } => ExpenseChange::Reimbursed(Reimbursed { reference }),
        Command::Delete => ExpenseChange::Deleted(Deleted {}),
    })
}

/// Which row of the transition table a change is.
const fn action_of(change: &ExpenseChange) -> Action {
    match change {
        ExpenseChange::Drafted(_) => Action::Draft,
        ExpenseChange::Edited(_) => Action::Edit,
        ExpenseChange::Submitted(_) => Action::Submit,
        ExpenseChange::ApprovalRequested(_) => Action::RequestApproval,
        ExpenseChange::Approved(_) => Action::Approve,
        ExpenseChange::Rejected(_) => Action::Reject,
        ExpenseChange::ChangesRequested(_) => Action::RequestChanges,
        ExpenseChange::Withdrawn(_) => Action::Withdraw,
        ExpenseChange::SubmissionExpired(_) => Action::Expire,
        ExpenseChange::Reimbursed(_) => Action::Reimburse,
        ExpenseChange::Deleted(_) => Action::Delete,
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
                review: drafted.review.clone(),
                findings: Vec::new(),
                converted: None,
                submission: 0,
                created_at: at,
                updated_at: at,
            });
        }
        (Some(state), _, Some(status)) => (state, status),
        (Some(state), _, None) => {
            return Err(Rejection::NotAllowed { status: state.status, verb: action.verb() });
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
    use slipstream_events::{Category, Money};

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
            review: Vec::new(),
            findings: Vec::new(),
            converted: None,
            submission: 2,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn command(action: Action) -> Command {
        let decide = |decision| Command::Decide { submission: 2, step: 1, by: manager(), decision };
        match action {
            Action::Draft => Command::Draft {
                id: ExpenseId::derived_from(&["test"]),
                owner: owner(),
                details: complete(),
                receipt: None,
                review: Vec::new(),
            },
            Action::Edit => Command::Edit { details: ExpenseDetails { note: Some("n".to_owned()), ..complete() } },
            Action::Submit => Command::Submit { policy_version: 1 },
            Action::RequestApproval => {
                Command::RequestApproval { submission: 2, step: 1, approver: manager(), due_at: Timestamp::UNIX_EPOCH }
            }
            Action::Approve => decide(Decision::Approve { comment: None }),
            Action::Reject => decide(Decision::Reject { reason: "no".to_owned() }),
            Action::RequestChanges => decide(Decision::RequestChanges { comment: "why".to_owned() }),
            Action::Withdraw => Command::Withdraw,
            Action::Expire => Command::Expire { submission: 2, step: 1 },
            Action::Reimburse => Command::Reimburse { reference: None },
            Action::Delete => Command::Delete,
        }
    }

    /// The arrows as the design draws them, written down a second time so that the table is held against something.
    const ARROWS: [(Option<ExpenseStatus>, Action, ExpenseStatus); 13] = {
        use Action as A;
        use ExpenseStatus as S;
        [
            (None, A::Draft, S::Draft),
            (Some(S::Draft), A::Edit, S::Draft),
            (Some(S::Draft), A::Submit, S::Submitted),
            (Some(S::Draft), A::Delete, S::Deleted),
            (Some(S::Submitted), A::RequestApproval, S::Submitted),
            (Some(S::Submitted), A::Approve, S::Approved),
            (Some(S::Submitted), A::Reject, S::Rejected),
            (Some(S::Submitted), A::RequestChanges, S::ChangesRequested),
            (Some(S::Submitted), A::Withdraw, S::Draft),
            (Some(S::Submitted), A::Expire, S::Draft),
            (Some(S::ChangesRequested), A::Edit, S::ChangesRequested),
            (Some(S::ChangesRequested), A::Submit, S::Submitted),
            (Some(S::ChangesRequested), A::Delete, S::Deleted),
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
                let state = status.map(expense);
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
            decide(Some(&state), Command::Submit { policy_version: 0 }),
            Err(Rejection::Missing(vec!["merchant", "date", "amount", "category"]))
        );
    }

    #[test]
    fn a_decision_on_an_earlier_submission_leads_to_nothing() {
        let state = expense(ExpenseStatus::Submitted);
        let decision = Decision::Approve { comment: None };
        let command = Command::Decide { submission: 1, step: 1, by: manager(), decision };
        assert_eq!(decide(Some(&state), command), Err(Rejection::SubmissionOver { submission: 1 }));
    }

    #[test]
    fn no_one_decides_on_their_own_expense() {
        let state = expense(ExpenseStatus::Submitted);
        let decision = Decision::Approve { comment: None };
        let own = Command::Decide { submission: 2, step: 1, by: owner(), decision };
        assert_eq!(decide(Some(&state), own), Err(Rejection::OwnExpense));
        let asked =
            Command::RequestApproval { submission: 2, step: 1, approver: owner(), due_at: Timestamp::UNIX_EPOCH };
        assert_eq!(decide(Some(&state), asked), Err(Rejection::OwnExpense));
    }

    #[test]
    fn each_submission_has_the_next_number() {
        let state = expense(ExpenseStatus::ChangesRequested);
        let change = decide(Some(&state), Command::Submit { policy_version: 3 }).unwrap();
        let after = apply(Some(&state), &change, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(after.submission, 3);
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
                    | Command::Decide { submission, .. }
                    | Command::Expire { submission, .. } => *submission = submission_now,
                    _ => {}
                }
                if let Ok(change) = decide(state.as_ref(), wanted) {
                    state = Some(apply(state.as_ref(), &change, Timestamp::UNIX_EPOCH).unwrap());
                    changes += 1;
                    approved |= action == Action::Approve;
                }
                if let Some(state) = &state {
                    prop_assert_eq!(state.version, changes);
                    prop_assert!(approved || !matches!(state.status, ExpenseStatus::Approved | ExpenseStatus::Reimbursed));
                }
            }
        }
    }
}
