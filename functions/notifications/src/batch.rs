//! Mails about approval steps: several that arrive together come as one.
//!
//! A request, and the confirmation of a decision, are noted first ([`slipstream_common::mailing`]) and mailed when their
//! batch is due. A batch of one step is mailed as that step; one of several as a list, whose link leads to a page with
//! all of them. Either way one secret: its hash stands in every step that the mail covers.
//!
//! A reminder is mailed at most once a day to an approver, and lists all that waits for them.

use aws_sdk_sqs::error::DisplayErrorContext;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use slipstream_common::{
    guard::{self, Begin},
    keys::{self, Index},
    mailing::{BatchRecord, Kind, Nudge, NudgeMessage, StepId},
    records::{PersonRecord, StepOutcome, StepRecord, StepStatus},
    table::{Condition, IndexQuery, StoreError, Transaction, text, text_set},
    warnings::warnings,
};
use slipstream_events::{BatchId, EventBody, ExpenseState, ExpenseStatus, PersonId, ReassignmentReason, SubmissionId};

use crate::{
    CONSUMER, LEASE, Notifications, NotifyError,
    mail::{Asking, Mail, Part},
    report,
};

/// A step that a mail covers, with its expense, as they are now.
struct Covered {
    step: StepRecord,
    expense: ExpenseState,
}

/// The write by which the decider can say, with this link, that a decision was not theirs.
fn add_disown_link(transaction: &mut Transaction, step: &StepRecord, by: PersonId, hash: &str) {
    let condition = Condition::new("#decided_by = :by AND attribute_not_exists(disowned_at)")
        .name("#decided_by", "decided_by")
        .name("#hashes", "disown_hashes")
        .value(":by", text(by))
        .value(":hash", text_set([hash.to_owned()]));
    transaction.update(&keys::step(step.submission, step.step), "ADD #hashes :hash", condition);
}

/// What was decided, as a mail says it.
const fn decided(step: &StepRecord) -> &'static str {
    match step.outcome {
        Some(StepOutcome::Rejected) => "rejected",
        Some(StepOutcome::ChangesRequested) => "sent back for changes",
        Some(StepOutcome::Approved | StepOutcome::Passed) | None => "approved",
    }
}

/// Why somebody is asked instead of `before`.
fn because(reason: ReassignmentReason, before: &str) -> String {
    match reason {
        ReassignmentReason::Escalated => format!("{before} has not answered, so you are asked"),
        ReassignmentReason::Delegated => format!("you stand in for {before} these days"),
        ReassignmentReason::Left => format!("{before} has left"),
        ReassignmentReason::MailUndeliverable => format!("mail to {before} does not arrive"),
        ReassignmentReason::ResponsibilityChanged => format!("you decide on this now instead of {before}"),
    }
}

impl Notifications {
    /// Has a person be mailed of a step, together with what else there is for them in the next seconds.
    ///
    /// # Errors
    /// [`NotifyError`]; doing it again is harmless.
    pub(crate) async fn gather(&self, person: PersonId, kind: Kind, step: StepId) -> Result<(), NotifyError> {
        let due_at = Timestamp::now() + SignedDuration::from_secs(i64::from(self.batch_seconds));
        let gathered = self.store.gather(person, kind, step, due_at).await?;
        tracing::info!(batch.id = %gathered.nudge.batch, "the step is in a batch of mail");
        if !gathered.needs_message {
            return Ok(());
        }
        let body = serde_json::to_string(&NudgeMessage { mail_due: gathered.nudge })
            .map_err(|error| NotifyError::Queue(error.to_string()))?;
        let message = self.sqs.send_message().queue_url(&self.queue).message_body(body);
        let sent = message.delay_seconds(i32::from(self.batch_seconds)).send().await;
        sent.map(|_| ()).map_err(|error| NotifyError::Queue(DisplayErrorContext(error).to_string()))
    }

    /// Mails a batch, if it is due and was not mailed before.
    ///
    /// # Errors
    /// [`NotifyError`]; the message is delivered again.
    pub(crate) async fn mail_due(&self, nudge: &Nudge, holder: &str) -> Result<(), NotifyError> {
        self.mail_batch(nudge, holder).await.map_err(|error| NotifyError::Batch(nudge.batch, Box::new(error)))
    }

    async fn mail_batch(&self, nudge: &Nudge, holder: &str) -> Result<(), NotifyError> {
        let batch = self.store.take_batch(nudge).await?;
        let Some(batch) = batch.filter(|batch| batch.sent_at.is_none()) else { return Ok(()) };
        if self.person(batch.nudge.person).await?.state.mail_undeliverable {
            // It stays among the open work: the sweeper asks for it again until the mark is cleared.
            tracing::info!(batch.id = %batch.nudge.batch, "mail to them comes back: the batch waits");
            return Ok(());
        }
        let key = keys::batch_guard(CONSUMER, batch.nudge.batch);
        match guard::begin(&self.store.table, &key, LEASE, holder).await? {
            // Its holder's message comes back until the mail is out.
            Begin::Held => return Ok(()),
            Begin::Done => {}
            Begin::Ours(guard) => {
                // What has a link already was in another mail; or in this one, if it was begun before.
                let only_new = guard.attempts == 1;
                let mail = match batch.nudge.kind {
                    Kind::Confirmations => self.confirmation(&batch, only_new).await?,
                    Kind::ConfirmationsAgain => self.confirmation(&batch, false).await?,
                    Kind::Requests => self.request(&batch, only_new).await?,
                    Kind::RequestsAgain | Kind::Reminder => self.request(&batch, false).await?,
                };
                if let Some((to, mail)) = mail {
                    let sent = self.send(&to, &mail).await?;
                    let batch = batch.nudge.batch;
                    tracing::info!(batch.id = %batch, mail.id = sent, attempts = guard.attempts, "mail of a batch sent");
                }
                guard::end(&self.store.table, &key, guard).await?;
            }
        }
        Ok(self.store.batch_sent(batch.nudge.batch).await?)
    }

    /// Reminds an approver of all that waits for them, once a day (UTC).
    ///
    /// # Errors
    /// [`NotifyError`].
    pub(crate) async fn remind(&self, approver: PersonId, of: StepId, holder: &str) -> Result<(), NotifyError> {
        if self.person(approver).await?.state.mail_undeliverable {
            return Ok(());
        }
        let now = Timestamp::now();
        let today = now.to_zoned(TimeZone::UTC).date();
        let key = keys::reminder_guard(CONSUMER, approver, today);
        let guard = match guard::begin(&self.store.table, &key, LEASE, holder).await? {
            // Whoever holds it lists this step, too: it waits.
            Begin::Held | Begin::Done => {
                tracing::info!("the approver is reminded once a day");
                return Ok(());
            }
            Begin::Ours(guard) => guard,
        };
        let waiting = IndexQuery::of(Index::Approver, keys::steps_of(approver));
        let waiting: Vec<StepRecord> = self.store.table.query_all(&waiting).await?;
        let mut steps: Vec<_> = waiting.iter().map(StepId::of).collect();
        // The index may be behind.
        if !steps.contains(&of) {
            steps.push(of);
        }
        let batch = BatchId::derived_from(&["reminder", &approver.to_string(), &today.to_string()]);
        let nudge = Nudge { person: approver, kind: Kind::Reminder, batch };
        let batch = BatchRecord { nudge, due_at: now, steps, sent_at: Some(now) };
        self.store.table.put(&keys::batch(nudge.batch), batch.to_item()?).await?;
        match self.request(&batch, false).await? {
            Some((to, mail)) => {
                let sent = self.send(&to, &mail).await?;
                tracing::info!(batch.id = %nudge.batch, mail.id = sent, attempts = guard.attempts, "reminder sent");
                guard::end(&self.store.table, &key, guard).await?;
            }
            // Nothing waits any more: what comes today may be reminded of.
            None => guard::clear(&self.store.table, &key, &guard).await?,
        }
        Ok(())
    }

    /// The steps of a batch with their expenses, as they are now.
    async fn covered(&self, batch: &BatchRecord) -> Result<Vec<Covered>, StoreError> {
        let steps = self.store.steps_named(&batch.steps).await?;
        let ids: Vec<_> = steps.iter().map(|step| step.submission.expense).collect();
        let expenses = self.store.expenses(&ids).await?;
        let covered = steps.into_iter().filter_map(|step| {
            let expense = expenses.iter().find(|expense| expense.id == step.submission.expense)?.clone();
            Some(Covered { step, expense })
        });
        Ok(covered.collect())
    }

    /// Makes a write to every step, and keeps those where its condition held: the others have changed meanwhile.
    async fn linked(
        &self,
        covered: Vec<Covered>,
        add: impl Fn(&mut Transaction, &StepRecord),
    ) -> Result<Vec<Covered>, StoreError> {
        let mut linked = Vec::new();
        for one in covered {
            let mut transaction = Transaction::default();
            add(&mut transaction, &one.step);
            match self.store.table.commit(transaction).await {
                Ok(()) => linked.push(one),
                Err(StoreError::Condition(_)) => tracing::info!(submission.id = %one.step.submission, "it has changed"),
                Err(error) => return Err(error),
            }
        }
        Ok(linked)
    }

    fn link_to(&self, batch: BatchId, covered: &[Covered], secret: &str) -> String {
        match covered {
            [Covered { step, .. }] => {
                format!("{}/approvals/{}.{secret}", self.public_base_url, StepId::of(step))
            }
            _ => format!("{}/approvals/{batch}.{secret}", self.public_base_url),
        }
    }

    /// The mail that asks for what waits of a batch, with a link that works from now on; none if nothing does.
    async fn request(&self, batch: &BatchRecord, only_new: bool) -> Result<Option<(PersonRecord, Mail)>, NotifyError> {
        let approver = batch.nudge.person;
        let waits = |one: &Covered| {
            one.step.status == StepStatus::Pending
                && one.step.approver == approver
                && (one.step.link_hashes.is_empty() || !only_new)
                && one.expense.status == ExpenseStatus::Submitted
                && one.expense.submission == one.step.submission.number
        };
        let covered = self.covered(batch).await?.into_iter().filter(waits).collect();
        let (secret, hash) = report::secret();
        let add = |transaction: &mut Transaction, step: &StepRecord| {
            report::add_link(transaction, step.submission, step.step, approver, &hash);
        };
        let covered = self.linked(covered, add).await?;
        let Some(due_at) = covered.iter().map(|one| one.step.due_at).min() else {
            tracing::info!("the steps wait for nobody any more, or were asked for before: no mail");
            return Ok(None);
        };
        let approver = self.person(approver).await?;
        let mut parts = Vec::new();
        for one in &covered {
            let why = self.why(one).await?;
            let owner = self.person(one.expense.owner).await?.display_name();
            let warnings = warnings(&self.store, &one.expense).await?;
            parts.push(Part { expense: one.expense.clone(), warnings, owner: Some(owner), why, decided: None });
        }
        let link = self.link_to(batch.nudge.batch, &covered, &secret);
        let picture = match covered.as_slice() {
            [one] => self.thumbnail(&one.expense).await,
            _ => None,
        };
        let reminder = batch.nudge.kind == Kind::Reminder;
        Ok(Some((
            approver,
            Mail::ask(&parts, Asking { due_at, link: &link, reminder, sign_in: self.links_require_sign_in }, picture),
        )))
    }

    /// Why this approver is asked and not the first, as the history says.
    async fn why(&self, Covered { step, expense }: &Covered) -> Result<Option<String>, NotifyError> {
        for record in self.store.history(expense.id).await?.iter().rev() {
            let Ok(event) = record.event() else { continue };
            let EventBody::ExpenseApprovalReassigned(data) = event.data else { continue };
            let change = data.change;
            if (change.submission, change.step, change.approver) == (step.submission.number, step.step, step.approver) {
                let before = self.store.person(change.from).await?;
                let before = before.map_or_else(|| "somebody else".to_owned(), |person| person.display_name());
                return Ok(Some(because(change.reason, &before)));
            }
        }
        Ok(None)
    }

    /// The mail that confirms decisions to whoever made them, with a link that takes them back.
    async fn confirmation(
        &self,
        batch: &BatchRecord,
        only_new: bool,
    ) -> Result<Option<(PersonRecord, Mail)>, NotifyError> {
        let decider = batch.nudge.person;
        let theirs = |one: &Covered| {
            one.step.decided_by == Some(decider)
                && one.step.disowned_at.is_none()
                && (one.step.disown_hashes.is_empty() || !only_new)
        };
        let covered = self.covered(batch).await?.into_iter().filter(theirs).collect();
        let (secret, hash) = report::secret();
        let add = |transaction: &mut Transaction, step: &StepRecord| {
            add_disown_link(transaction, step, decider, &hash);
        };
        let covered = self.linked(covered, add).await?;
        if covered.is_empty() {
            return Ok(None);
        }
        let decider = self.person(decider).await?;
        let mut parts = Vec::new();
        for Covered { step, expense } in &covered {
            let owner = self.person(expense.owner).await?.display_name();
            let decided = Some(decided(step));
            parts.push(Part { expense: expense.clone(), warnings: Vec::new(), owner: Some(owner), why: None, decided });
        }
        let link = self.link_to(batch.nudge.batch, &covered, &secret);
        Ok(Some((decider, Mail::confirm(&parts, &link))))
    }
}

/// The step of a submission.
pub(crate) const fn step_id(expense: &ExpenseState, number: u32, step: u32) -> StepId {
    StepId { submission: SubmissionId { expense: expense.id, number }, step }
}
