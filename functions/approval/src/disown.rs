//! "That was not me": a decider takes back what was decided in their name, by the link in the mail that confirms it to them.
//!
//! The expense is submitted anew, with the next number, and asked for from the beginning. The link works as long as the
//! expense stands as the decision left it and nothing was paid out.

use askama::Template;
use slipstream_common::{
    approvals::Beginning,
    http::{Request, Response},
    keys,
    records::{StepOutcome, StepRecord, StepStatus},
    store::{ChangeError, add_expense_change, add_step_closing},
    table::{Condition, StoreError, Transaction, text},
};
use slipstream_domain::expense::{Command, Rejection, decide};
use slipstream_events::{EventBody, ExpenseState, ExpenseStatus};

use crate::{
    Approval,
    link::Link,
    page::{Behind, REASSIGNED, html, message, unavailable, unknown},
};

/// What the form says.
pub(crate) const DECISION: &str = "disown";
/// How often it is tried anew because something else was faster.
const MAX_RACES: u32 = 8;

#[derive(Template)]
#[template(path = "disown.html")]
struct DisownPage<'a> {
    decided: &'static str,
    merchant: &'a str,
    amount: String,
    date: String,
    when: String,
    fault: Option<&'a str>,
}

impl Approval {
    /// Why a decision cannot be taken back any more, if so.
    async fn settled(
        &self,
        step: &StepRecord,
        expense: &ExpenseState,
    ) -> Result<Option<(&'static str, &'static str)>, StoreError> {
        if step.disowned_at.is_some() || expense.submission != step.submission.number {
            return Ok(Some((
                "Already open again",
                "This expense is being decided anew, or was. There is nothing left to do.",
            )));
        }
        Ok(match expense.status {
            ExpenseStatus::Reimbursed => Some((
                "Already paid out",
                "The money has gone, so it cannot be reopened here. Please tell finance at once.",
            )),
            ExpenseStatus::Draft | ExpenseStatus::Deleted => {
                Some(("No longer waiting", "Its owner has taken the expense back. There is nothing left to do."))
            }
            // Reopened is what was submitted and looked at by the policy, and nothing else.
            ExpenseStatus::ChangesRequested if self.has_changed(expense).await? => Some((
                "No longer waiting",
                "Its owner has changed the expense meanwhile. Whoever is asked next decides it anew.",
            )),
            _ => None,
        })
    }

    /// Whether an expense that was sent back has changed since.
    async fn has_changed(&self, expense: &ExpenseState) -> Result<bool, StoreError> {
        let latest = self.store.latest_history(expense, 1).await?;
        let latest = latest.last().and_then(|record| record.event().ok());
        Ok(!latest.is_some_and(|event| matches!(event.data, EventBody::ExpenseChangesRequested(_))))
    }

    /// The page that asks whether it was them.
    pub(crate) async fn disown_page(&self, step: &StepRecord, expense: &ExpenseState, fault: Option<&str>) -> Response {
        match self.settled(step, expense).await {
            Ok(Some((title, text))) => return message(if fault.is_some() { 409 } else { 200 }, title, text, None),
            Ok(None) => {}
            Err(error) => return unavailable(&error),
        }
        let details = &expense.details;
        let page = DisownPage {
            decided: match step.outcome {
                Some(StepOutcome::Rejected) => "rejected",
                Some(StepOutcome::ChangesRequested) => "sent back for changes",
                _ => "approved",
            },
            merchant: details.merchant.as_deref().unwrap_or("–"),
            amount: details.amount.map(|amount| amount.to_string()).unwrap_or_default(),
            date: details.date.map(|date| date.to_string()).unwrap_or_default(),
            when: step.decided_at.map(crate::page::moment).unwrap_or_default(),
            fault,
        };
        html(if fault.is_some() { 422 } else { 200 }, &page)
    }

    /// Reopens what was decided in the name of whoever the link was mailed to.
    pub(crate) async fn disown(&self, link: &Link, request: &Request) -> Response {
        let mut races = 0;
        loop {
            let (step, expense) = match self.behind(link).await {
                Ok(Behind::Decided { step, expense }) => (step, expense),
                Ok(Behind::Reassigned) => return message(409, REASSIGNED.0, REASSIGNED.1, None),
                Ok(Behind::Asked { .. } | Behind::Unknown) => return unknown(),
                Err(error) => return unavailable(&error),
            };
            match self.settled(&step, &expense).await {
                Ok(Some((title, text))) => return message(409, title, text, None),
                Ok(None) => {}
                Err(error) => return unavailable(&error),
            }
            match self.reopen(link, &step, &expense, request).await {
                Ok(()) => {
                    tracing::warn!(step = step.step, "a decision was disowned: the expense is open again");
                    let text =
                        "Thank you. The decision no longer counts, and the expense is asked for anew. Finance is told.";
                    return message(200, "Open again", text, None);
                }
                Err(error) if error.is_conflict() && races < MAX_RACES => races += 1,
                Err(ChangeError::Rejected(Rejection::NotAllowed { .. })) => {
                    return message(409, "Not possible", "The expense stands where nothing can be reopened.", None);
                }
                Err(ChangeError::Store(error)) => return unavailable(&error),
                Err(error) => {
                    tracing::error!(%error, "a decision cannot be taken back");
                    let text = "Nothing was changed. The fault was recorded.";
                    return message(500, "Something went wrong", text, None);
                }
            }
        }
    }

    /// One transaction: the expense is submitted anew, the step disowned, and a later step that waits closed.
    async fn reopen(
        &self,
        link: &Link,
        step: &StepRecord,
        expense: &ExpenseState,
        request: &Request,
    ) -> Result<(), ChangeError> {
        let Beginning { policy_version, .. } = self.store.beginning(expense).await?;
        let correlation_id = self.correlation_of(expense).await.unwrap_or_else(|| request.correlation_id());
        let cause = Self::cause_of(step, expense, &correlation_id);
        let (submission, disowned_by) = (step.submission.number, step.approver);
        let command = Command::Reopen { submission, step: step.step, disowned_by, policy_version };
        let mut transaction = Transaction::default();
        add_expense_change(&mut transaction, Some(expense), decide(Some(expense), command)?, &cause)?;
        let condition = Condition::new("contains(#hashes, :hash) AND attribute_not_exists(disowned_at)")
            .name("#hashes", "disown_hashes")
            .value(":hash", text(link.hash()))
            .value(":now", text(cause.at));
        transaction.update(&keys::step(step.submission, step.step), "SET disowned_at = :now", condition);
        let steps = self.store.steps(step.submission).await?;
        for later in steps.iter().filter(|later| later.status == StepStatus::Pending) {
            add_step_closing(&mut transaction, later, cause.at);
        }
        self.store.table.commit(transaction).await.map_err(ChangeError::from)
    }
}
