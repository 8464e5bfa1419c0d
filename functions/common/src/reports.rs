//! Reports in the table: the report itself, what was submitted together, and the rule that nothing joins a report
//! behind another's back.
//!
//! Which expenses belong to a report, the marks `REPORT#<report>` / `EXPENSE#<expense>` say; they follow the expense in
//! its own transactions. Two expenses that join at once change different marks, so each joining also counts up the
//! report's `joins`, on condition of the number it counted the marks under: of two at once, one counts again. The same
//! condition keeps an expense from joining a report while that is deleted.

use std::collections::{BTreeSet, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use slipstream_events::{
    Cause, Event, EventBody, ExpenseId, ExpenseState, ExpenseStatus, PersonId, ReportId, ReportState, Subject,
    SubmissionId,
};

use crate::{
    keys::{self, Index, Open},
    records::{MarkRecord, StepRecord},
    store::{ChangeError, Store, add_event},
    table::{Condition, Item, StoreError, Transaction, item, number, text},
};

/// A report: its public state, and what only the table needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportRecord {
    /// What events and the API say of it.
    #[serde(flatten)]
    pub state: ReportState,
    /// How often an expense joined it.
    #[serde(default)]
    pub joins: u64,
}

impl ReportRecord {
    /// The item, standing among its owner's.
    ///
    /// # Errors
    /// [`StoreError::Shape`].
    pub fn to_item(&self) -> Result<Item, StoreError> {
        let state = &self.state;
        item(self, [keys::report_of_owner(state.owner, state.created_at, state.id)])
    }

    /// What remains of it once it is deleted: what leads to its events.
    ///
    /// # Errors
    /// [`StoreError::Shape`].
    pub fn to_deleted_item(&self) -> Result<Item, StoreError> {
        let state = &self.state;
        item(self, [keys::deleted_report_of_owner(state.owner, state.created_at, state.id)])
    }

    /// The report is as it was read, and nothing has joined it since.
    pub fn unchanged(&self) -> Condition {
        Condition::new("#version = :version AND #joins = :joins")
            .name("#version", "version")
            .name("#joins", "joins")
            .value(":version", number(self.state.version))
            .value(":joins", number(self.joins))
    }

    /// Adds to a transaction that something joins: nothing else may join at the same time, nor may the report be
    /// deleted. The caller has counted its marks after reading it.
    pub fn add_joining(&self, transaction: &mut Transaction) {
        let condition = Condition::new("#joins = :joins")
            .name("#joins", "joins")
            .value(":joins", number(self.joins))
            .value(":next", number(self.joins + 1));
        transaction.update(&keys::report(self.state.id), "SET #joins = :next", condition);
    }
}

/// One submission of a report: which submissions of its expenses were made together. It stands among the open work
/// until their approvers were mailed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportSubmissionRecord {
    /// Of which report.
    pub report: ReportId,
    /// The number of this submission of it, from 1.
    pub number: u32,
    /// Whose report it is.
    pub owner: PersonId,
    /// What it was called then.
    pub title: String,
    /// The version of the report that the submission made: its event's.
    pub version: u64,
    /// The submissions of its expenses.
    pub submissions: Vec<SubmissionId>,
    /// When.
    pub submitted_at: Timestamp,
    /// Set by the sweeper once it has waited long enough: the mail goes out for the steps that are there.
    #[serde(default)]
    pub overdue: bool,
    /// When the sweeper last asked for the mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_again_at: Option<Timestamp>,
    /// When the approvers had been mailed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mailed_at: Option<Timestamp>,
}

impl ReportSubmissionRecord {
    /// The item, standing among the open work.
    ///
    /// # Errors
    /// [`StoreError::Shape`].
    pub fn to_item(&self) -> Result<Item, StoreError> {
        let id = format!("{}.{}", self.report, self.number);
        item(self, [Open::ReportMail.entry(self.submitted_at, &id)])
    }
}

/// A submission that was made together with others, as it stands now.
#[derive(Debug, Clone)]
pub struct Together {
    /// Which submission.
    pub submission: SubmissionId,
    /// Its first step, once its execution has come so far.
    pub step: Option<StepRecord>,
    /// The expense.
    pub expense: ExpenseState,
}

impl Together {
    /// Whether an approver is still to be asked: the submission waits, and there is no step of it yet.
    pub fn lacks_step(&self) -> bool {
        self.step.is_none()
            && self.expense.status == ExpenseStatus::Submitted
            && self.expense.submission == self.submission.number
    }
}

/// The step that a report's mail is about: the first. Those of a second level are asked one by one, as the first level
/// decides.
pub const FIRST_STEP: u32 = 1;

impl Store {
    /// The report, as it is now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn report(&self, id: ReportId) -> Result<Option<ReportRecord>, StoreError> {
        self.table.get(&keys::report(id)).await
    }

    /// The ids of a report's expenses, as they are now (one query; at most some dozens).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn report_members(&self, id: ReportId) -> Result<Vec<ExpenseId>, StoreError> {
        let marks: Vec<MarkRecord> = self.table.partition(&keys::report_partition(id), keys::MARK_PREFIX).await?;
        Ok(marks.into_iter().map(|mark| mark.expense).collect())
    }

    /// Expenses by their ids, as they are now; those that there are, each once, in the order of the ids. A hundred a call.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn expenses(&self, ids: &[ExpenseId]) -> Result<Vec<ExpenseState>, StoreError> {
        let distinct: BTreeSet<_> = ids.iter().collect();
        let keys: Vec<_> = distinct.into_iter().map(|id| keys::expense(*id)).collect();
        let found: Vec<ExpenseState> = self.table.batch_get(&keys).await?;
        let mut by_id: HashMap<ExpenseId, ExpenseState> = found.into_iter().map(|state| (state.id, state)).collect();
        Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
    }

    /// The other parts of the split that an expense is a part of, as they are now: one read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn other_parts(&self, expense: &ExpenseState) -> Result<Vec<ExpenseState>, StoreError> {
        let Some(split) = &expense.split else { return Ok(Vec::new()) };
        let others: Vec<ExpenseId> = split.parts.iter().copied().filter(|part| *part != expense.id).collect();
        self.expenses(&others).await
    }

    /// One submission of a report.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn report_submission(
        &self,
        id: ReportId,
        number: u32,
    ) -> Result<Option<ReportSubmissionRecord>, StoreError> {
        self.table.get(&keys::report_submission(id, number)).await
    }

    /// The submission of the report that `submission` was part of; none where the expense was submitted by itself.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn submitted_together(
        &self,
        report: ReportId,
        submission: SubmissionId,
    ) -> Result<Option<ReportSubmissionRecord>, StoreError> {
        let pk = keys::report(report).pk;
        let submissions: Vec<ReportSubmissionRecord> =
            self.table.partition(&pk, keys::REPORT_SUBMISSION_PREFIX).await?;
        Ok(submissions.into_iter().rev().find(|record| record.submissions.contains(&submission)))
    }

    /// The submissions that were made together, with their first steps and expenses as they are now: two batches.
    ///
    /// The steps are read after the caller's own event was written, so that whoever reads for the last of them finds
    /// them all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn together(&self, submissions: &[SubmissionId]) -> Result<Vec<Together>, StoreError> {
        let ids: Vec<_> = submissions.iter().map(|submission| submission.expense).collect();
        // The expenses first: one whose step is not there afterwards either had none when it was seen to wait.
        let expenses = self.expenses(&ids).await?;
        let keys: Vec<_> = submissions.iter().map(|submission| keys::step(*submission, FIRST_STEP)).collect();
        let steps: Vec<StepRecord> = self.table.batch_get(&keys).await?;
        let mut steps: HashMap<SubmissionId, StepRecord> =
            steps.into_iter().map(|step| (step.submission, step)).collect();
        let mut expenses: HashMap<ExpenseId, ExpenseState> =
            expenses.into_iter().map(|expense| (expense.id, expense)).collect();
        Ok(submissions
            .iter()
            .filter_map(|submission| {
                let expense = expenses.remove(&submission.expense)?;
                Some(Together { submission: *submission, step: steps.remove(submission), expense })
            })
            .collect())
    }
}

/// Adds a report's change to a transaction: the report as long as it is as it was read, and its event.
///
/// # Errors
/// [`ChangeError`].
pub fn add_report_change(
    transaction: &mut Transaction,
    before: Option<&ReportRecord>,
    after: &ReportRecord,
    body: EventBody,
    cause: &Cause,
) -> Result<(), ChangeError> {
    let condition = before.map_or_else(Condition::absent, ReportRecord::unchanged);
    transaction.put(&keys::report(after.state.id), after.to_item()?, Some(condition));
    add_event(transaction, &Event::new(Subject::report(&after.state), body, cause))
}

/// Adds a report's deletion to a transaction. The report is in no list any more; the events stay.
///
/// # Errors
/// [`ChangeError`].
pub fn add_report_deletion(
    transaction: &mut Transaction,
    before: &ReportRecord,
    cause: &Cause,
) -> Result<(), ChangeError> {
    let report = ReportState { version: before.state.version + 1, updated_at: cause.at, ..before.state.clone() };
    let subject = Subject::report(&report);
    let body = EventBody::ReportDeleted(Box::new(slipstream_events::ReportDeleted { report }));
    transaction.delete(&keys::report(before.state.id), before.unchanged());
    transaction.put(&keys::deleted_report(before.state.id), before.to_deleted_item()?, None);
    add_event(transaction, &Event::new(subject, body, cause))
}

/// Adds to a transaction that the mails of a submitted report are out: it leaves the open work.
pub fn add_report_mailed(transaction: &mut Transaction, record: &ReportSubmissionRecord, at: Timestamp) {
    let condition = Condition::new("attribute_exists(#number)")
        .name("#number", "number")
        .name("#open_pk", Index::Open.pk())
        .name("#open_sk", Index::Open.sk())
        .value(":now", text(at));
    let update = "SET mailed_at = :now REMOVE #open_pk, #open_sk";
    transaction.update(&keys::report_submission(record.report, record.number), update, condition);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ReportRecord {
        let at = Timestamp::UNIX_EPOCH;
        ReportRecord {
            state: ReportState {
                id: ReportId::derived_from(&["test"]),
                version: 3,
                owner: "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap(),
                title: "Vienna".to_owned(),
                submission: 1,
                submitted_at: Some(at),
                created_at: at,
                updated_at: at,
            },
            joins: 7,
        }
    }

    #[test]
    fn reports_survive_the_table_form() {
        let report = record();
        let written = report.to_item().unwrap();
        assert!(written["GSI1PK"].as_s().unwrap().ends_with("#reports"), "apart from the owner's expenses");
        assert_eq!(serde_dynamo::from_item::<_, ReportRecord>(written).unwrap(), report);

        let submission = ReportSubmissionRecord {
            report: report.state.id,
            number: 1,
            owner: report.state.owner,
            title: report.state.title,
            version: 3,
            submissions: vec![SubmissionId { expense: ExpenseId::derived_from(&["x"]), number: 2 }],
            submitted_at: Timestamp::UNIX_EPOCH,
            overdue: false,
            asked_again_at: None,
            mailed_at: None,
        };
        let written = submission.to_item().unwrap();
        assert_eq!(written["GSI3PK"].as_s().unwrap(), "OPEN#report-mail");
        assert_eq!(serde_dynamo::from_item::<_, ReportSubmissionRecord>(written).unwrap(), submission);
    }
}
