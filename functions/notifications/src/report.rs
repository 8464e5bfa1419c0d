//! The one mail that asks an approver for the expenses of a report that were submitted together.
//!
//! Every expense keeps its own submission, execution and step. Whoever deals with an event of one of them looks whether
//! all the steps are there: a step is written before its event, so whoever deals with the event of the last one finds
//! them all, and it need not be known beforehand which is the last. A guard for the report's submission and the
//! approver makes what several find the mail of one.
//!
//! An execution that lags or fails must not hold the mail up: the sweeper sets the submission overdue, and from then
//! on it goes out for the steps that are there. What comes later is asked for by itself.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use slipstream_common::{
    guard::{self, Begin},
    keys,
    mailing::{Kind, StepId},
    records::{PersonRecord, StepRecord, StepStatus},
    reports::{FIRST_STEP, ReportSubmissionRecord, Together, add_report_mailed},
    table::{Condition, StoreError, Transaction, text, text_set},
    warnings::warnings,
};
use slipstream_events::{ApprovalRequested, ExpenseEvent, ExpenseState, PersonId, SubmissionId};

use crate::{
    CONSUMER, LEASE, Notifications, NotifyError,
    mail::{Asking, Mail, Part},
};

/// How often the steps are read anew because one of them ended while its mail was prepared.
const MAX_RACES: u32 = 8;

/// How far the mails of a submitted report are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Steps are missing that may yet come.
    Waiting,
    /// Every approver was mailed; of what was there in time.
    Mailed,
    /// Another invocation is sending the mail for every step that there is.
    ByAnother,
}

/// A fresh secret, and the hash that the table holds of it.
pub(crate) fn secret() -> (String, String) {
    let secret = BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
    let hash = hex::encode(Sha256::digest(secret.as_bytes()));
    (secret, hash)
}

/// The write that adds a link's hash to a step that still waits for this approver.
pub(crate) fn add_link(transaction: &mut Transaction, submission: SubmissionId, step: u32, by: PersonId, hash: &str) {
    let condition = Condition::new("#status = :pending AND #approver = :approver")
        .name("#status", "status")
        .name("#approver", "approver")
        .name("#hashes", "link_hashes")
        .value(":pending", text("pending"))
        .value(":approver", text(by))
        .value(":hash", text_set([hash.to_owned()]));
    transaction.update(&keys::step(submission, step), "ADD #hashes :hash", condition);
}

/// The pending steps among them, with their expenses.
fn pending(together: &[Together]) -> impl Iterator<Item = (&StepRecord, &ExpenseState)> {
    together
        .iter()
        .filter_map(|one| Some((one.step.as_ref()?, &one.expense)))
        .filter(|(step, _)| step.status == StepStatus::Pending)
}

/// Whoever is asked, each once, in the order of the expenses.
fn approvers(together: &[Together]) -> Vec<PersonId> {
    let mut asked = Vec::new();
    for (step, _) in pending(together) {
        if !asked.contains(&step.approver) {
            asked.push(step.approver);
        }
    }
    asked
}

impl Notifications {
    /// The submission of a report that this step belongs to; none where it is asked for by itself.
    async fn report_of(
        &self,
        expense: &ExpenseState,
        submission: SubmissionId,
    ) -> Result<Option<ReportSubmissionRecord>, NotifyError> {
        match expense.details.report {
            Some(report) => Ok(self.store.submitted_together(report, submission).await?),
            None => Ok(None),
        }
    }

    /// Deals with a step of a report. The answer is whether it must be asked for by itself.
    ///
    /// # Errors
    /// When it is not known yet who asks for it; the event is delivered again.
    pub(crate) async fn asked_by_itself(
        &self,
        data: &ExpenseEvent<ApprovalRequested>,
        holder: &str,
    ) -> Result<bool, NotifyError> {
        let (expense, change) = (&data.expense, &data.change);
        let submission = SubmissionId { expense: expense.id, number: change.submission };
        if change.step != FIRST_STEP {
            return Ok(true);
        }
        let Some(record) = self.report_of(expense, submission).await? else { return Ok(true) };
        match self.ask_together(&record, holder).await? {
            Progress::Waiting | Progress::ByAnother => Ok(false),
            // A step without a link came after the mail.
            Progress::Mailed => {
                let step = self.store.step(submission, change.step).await?;
                Ok(step.is_some_and(|step| step.status == StepStatus::Pending && step.link_hashes.is_empty()))
            }
        }
    }

    /// Looks whether a report's mail waited for this submission alone, which will have no step any more.
    ///
    /// # Errors
    /// [`NotifyError`].
    pub(crate) async fn settled(&self, expense: &ExpenseState, holder: &str) -> Result<(), NotifyError> {
        let Some(submission) = expense.submission_id() else { return Ok(()) };
        if let Some(record) = self.report_of(expense, submission).await? {
            self.ask_together(&record, holder).await?;
        }
        Ok(())
    }

    /// Sends the mails of a submitted report, if it is time for them and they were not sent before.
    ///
    /// # Errors
    /// [`NotifyError`].
    pub(crate) async fn ask_together(
        &self,
        record: &ReportSubmissionRecord,
        holder: &str,
    ) -> Result<Progress, NotifyError> {
        if record.mailed_at.is_some() {
            return Ok(Progress::Mailed);
        }
        // The record was read before the steps: whoever sees it overdue and begins a guard has begun it after it was.
        let together = self.store.together(&record.submissions).await?;
        if !record.overdue && together.iter().any(Together::lacks_step) {
            return Ok(Progress::Waiting);
        }
        for approver in approvers(&together) {
            let key = keys::report_guard(CONSUMER, record.report, record.number, approver);
            match guard::begin(&self.store.table, &key, LEASE, holder).await? {
                Begin::Done => {}
                Begin::Ours(guard) => {
                    if self.person(approver).await?.state.mail_undeliverable {
                        // Once the mark is cleared they are asked by another mail.
                        for (step, _) in pending(&together).filter(|(step, _)| step.approver == approver) {
                            self.gather(approver, Kind::Requests, StepId::of(step)).await?;
                        }
                    } else if let Some((to, mail)) = self.report_mail(record, approver).await? {
                        let sent = self.send(&to, &mail).await?;
                        let report = record.report;
                        tracing::info!(report.id = %report, mail.id = sent, attempts = guard.attempts, "mail of a report sent");
                    }
                    guard::end(&self.store.table, &key, guard).await?;
                }
                Begin::Held => {
                    let now = self.store.report_submission(record.report, record.number).await?;
                    if now.is_some_and(|now| !now.overdue) {
                        // Not overdue even now: its holder found every step, ours among them, and is answerable for
                        // all by the event it deals with, which comes back until the guard is done.
                        return Ok(Progress::ByAnother);
                    }
                    return Err(NotifyError::Leased);
                }
            }
        }
        let mut transaction = Transaction::default();
        add_report_mailed(&mut transaction, record, Timestamp::now());
        match self.store.table.commit(transaction).await {
            Ok(()) | Err(StoreError::Condition(_)) => Ok(Progress::Mailed),
            Err(error) => Err(error.into()),
        }
    }

    /// The mail for one approver, with a link that works from now on in every step that it covers. None if nothing
    /// waits for them any more.
    async fn report_mail(
        &self,
        record: &ReportSubmissionRecord,
        approver: PersonId,
    ) -> Result<Option<(PersonRecord, Mail)>, NotifyError> {
        let (secret, hash) = secret();
        let mut races = 0;
        let (expenses, due_at) = loop {
            let together = self.store.together(&record.submissions).await?;
            let theirs: Vec<_> = pending(&together).filter(|(step, _)| step.approver == approver).collect();
            let Some(due_at) = theirs.iter().map(|(step, _)| step.due_at).min() else { return Ok(None) };
            let mut transaction = Transaction::default();
            for (step, _) in &theirs {
                add_link(&mut transaction, step.submission, step.step, approver, &hash);
            }
            match self.store.table.commit(transaction).await {
                Ok(()) => break (theirs.into_iter().map(|(_, expense)| expense.clone()).collect::<Vec<_>>(), due_at),
                // One of them ended meanwhile.
                Err(StoreError::Condition(_)) if races < MAX_RACES => races += 1,
                Err(error) => return Err(error.into()),
            }
        };
        let mut parts = Vec::new();
        for expense in expenses {
            let warnings = warnings(&self.store, &expense).await?;
            parts.push(Part { expense, warnings, owner: None, why: None, decided: None });
        }
        let approver = self.person(approver).await?;
        let owner = self.person(record.owner).await?;
        let link = format!("{}/approvals/{}.{}.{secret}", self.public_base_url, record.report, record.number);
        let asking = Asking { due_at, link: &link, reminder: false, sign_in: self.links_require_sign_in };
        Ok(Some((approver, Mail::ask_together(record, &parts, &owner.display_name(), asking))))
    }
}
