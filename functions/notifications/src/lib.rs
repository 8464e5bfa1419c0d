//! Mails: approvers are asked, owners are told, finance is told of budgets.
//!
//! One mail per event (where finance is told, one per person) and one per approver of a submitted report ([`report`]),
//! each guarded by a record in the table. A guard begins with a lease and ends as done; a redelivery
//! or a replay finds it done and does nothing. Mail takes no idempotency key: a death between the mail service's
//! answer and the guard's end has the mail sent again once the lease is over. That is the one window.
//!
//! A link's secret exists only in the mail. The table holds its hash, added to the step before the mail goes out, so
//! that a mail never carries a link that does not work.
//!
//! It must not decide anything, and must not log addresses or secrets.
//!
//! To test: `cargo test -p notifications`; mails as sent end to end in `tests/`.

mod mail;
mod report;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use slipstream_common::{
    Fault,
    guard::{self, Begin},
    keys,
    queue::{BatchResponse, EnvelopeError, Message, bus_event, each, event_span},
    records::PersonRecord,
    settings::{Settings, SettingsError},
    store::Store,
    table::{StoreError, Table, Transaction},
    warnings::warnings,
};
use slipstream_events::{
    ApprovalRequested, BudgetThreshold, Event, EventBody, ExpenseEvent, ExpenseState, ExpenseStatus, PersonId,
    ReceiptFailed, Role, SubmissionId,
};
use tracing::Instrument as _;

use mail::{Mail, Part, Picture};

/// The name under which this function guards.
const CONSUMER: &str = "notifications";
/// How long an invocation may be at a mail before another may send it: longer than the function's timeout.
const LEASE: SignedDuration = SignedDuration::from_secs(90);

/// The function's configuration and clients.
#[derive(Debug)]
pub struct Notifications {
    store: Store,
    s3: Client,
    ses: aws_sdk_ses::Client,
    bucket: String,
    mail_from: String,
    public_base_url: String,
}

/// Why an event is not dealt with; its message is delivered again.
#[derive(Debug, thiserror::Error)]
enum NotifyError {
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error("another invocation is sending this mail")]
    Leased,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the mail cannot be sent: {0}")]
    Mail(String),
    #[error("the person to tell has no profile")]
    NoProfile,
}

impl Notifications {
    /// From the environment.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, SettingsError> {
        let mut settings = Settings::new();
        let table = settings.text("TABLE_NAME");
        let notifications = Self {
            store: Store::new(Table::new(sdk, table)),
            s3: Client::new(sdk),
            ses: aws_sdk_ses::Client::new(sdk),
            bucket: settings.text("RECEIPT_BUCKET"),
            mail_from: settings.text("MAIL_FROM"),
            public_base_url: settings.text("PUBLIC_BASE_URL").trim_end_matches('/').to_owned(),
        };
        settings.finish(notifications)
    }

    /// Deals with a batch of events.
    ///
    /// # Errors
    /// When `event` is not a batch of messages.
    pub async fn handle(&self, event: Value, invocation: String) -> Result<BatchResponse, Fault> {
        Ok(each(&event, async |message: Message| self.message(&message, &invocation).await).await?)
    }

    async fn message(&self, message: &Message, invocation: &str) -> Result<(), NotifyError> {
        let (event, replay) = bus_event(message)?;
        let span = event_span(&event, replay.as_deref());
        self.event(&event, &format!("{invocation}/{}", message.id)).instrument(span).await
    }

    async fn event(&self, event: &Event, holder: &str) -> Result<(), NotifyError> {
        match &event.data {
            EventBody::BudgetThresholdReached(threshold) => self.tell_finance(event, threshold, holder).await,
            // Guarded by report and approver, not by the event: the sweeper publishes it again when it is overdue.
            EventBody::ReportSubmitted(data) => {
                if let Some(record) = self.store.report_submission(data.report.id, data.submission).await? {
                    self.ask_together(&record, holder).await?;
                }
                Ok(())
            }
            _ => self.once(event, CONSUMER, holder, async || self.mail_of(event, holder).await).await,
        }
    }

    /// Sends the mail that an event calls for, once under this guard.
    async fn once(
        &self,
        event: &Event,
        consumer: &str,
        holder: &str,
        mail: impl AsyncFnOnce() -> Result<Option<(PersonRecord, Mail)>, NotifyError>,
    ) -> Result<(), NotifyError> {
        let key = keys::guard(consumer, &event.metadata.id);
        let guard = match guard::begin(&self.store.table, &key, LEASE, holder).await? {
            Begin::Ours(guard) => guard,
            Begin::Done => {
                tracing::info!("the mail was sent before");
                return Ok(());
            }
            Begin::Held => return Err(NotifyError::Leased),
        };
        if let Some((to, mail)) = mail().await? {
            self.send(&to, mail).await?;
            tracing::info!(event.kind = %event.metadata.event_type, attempts = guard.attempts, "mail sent");
        }
        guard::end(&self.store.table, &key, guard).await?;
        Ok(())
    }

    /// Tells everyone in finance that so much of a budget is used, each under a guard of their own: a mail that fails keeps
    /// none from the others, and its repetition does not repeat theirs.
    async fn tell_finance(&self, event: &Event, threshold: &BudgetThreshold, holder: &str) -> Result<(), NotifyError> {
        let finance = self.store.people_with(Role::Finance).await?;
        let mut outcome = Ok(());
        for person in finance.into_iter().filter(|person| person.state.active) {
            let consumer = format!("{CONSUMER}/{}", person.state.id);
            let mail = async || Ok(Some((person, Mail::budget(threshold))));
            let sent = self.once(event, &consumer, holder, mail).await;
            outcome = outcome.and(sent);
        }
        outcome
    }

    async fn person(&self, id: PersonId) -> Result<PersonRecord, NotifyError> {
        self.store.person(id).await?.ok_or(NotifyError::NoProfile)
    }

    /// The mail that the event calls for, if it still does.
    async fn mail_of(&self, event: &Event, holder: &str) -> Result<Option<(PersonRecord, Mail)>, NotifyError> {
        if let Some(expense) = event.data.expense()
            && expense.status != ExpenseStatus::Submitted
        {
            self.settled(expense, holder).await?;
        }
        match &event.data {
            EventBody::ExpenseApprovalRequested(data) => match self.asked_by_itself(data, holder).await? {
                true => self.ask(data).await,
                false => Ok(None),
            },
            EventBody::ExpenseApproved(data) => {
                let comment = data.change.comment.as_deref();
                self.tell(&data.expense, "approved", "Your expense was approved.", comment).await
            }
            EventBody::ExpenseRejected(data) => {
                self.tell(&data.expense, "rejected", "Your expense was rejected.", Some(&data.change.reason)).await
            }
            EventBody::ExpenseChangesRequested(data) => {
                let text = "Your approver asks for a change. Edit the expense and submit it again.";
                self.tell(&data.expense, "sent back", text, Some(&data.change.comment)).await
            }
            EventBody::ExpenseSubmissionExpired(data) => {
                let text = "Nobody decided in time. The expense is a draft again; submit it once more.";
                self.tell(&data.expense, "not decided in time", text, None).await
            }
            EventBody::ReceiptFailed(data) => self.tell_of_receipt(data).await,
            _ => Ok(None),
        }
    }

    /// Asks the approver, with a link that works from now on.
    async fn ask(&self, data: &ExpenseEvent<ApprovalRequested>) -> Result<Option<(PersonRecord, Mail)>, NotifyError> {
        let (expense, change) = (&data.expense, &data.change);
        let submission = SubmissionId { expense: expense.id, number: change.submission };
        let (secret, hash) = report::secret();
        let mut transaction = Transaction::default();
        report::add_link(&mut transaction, submission, change.step, change.approver, &hash);
        match self.store.table.commit(transaction).await {
            Ok(()) => {}
            Err(StoreError::Condition(_)) => {
                tracing::info!("the step waits for nobody any more: no mail");
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        }
        let approver = self.person(change.approver).await?;
        let owner = self.person(expense.owner).await?;
        let link = format!("{}/approvals/{submission}.{}.{secret}", self.public_base_url, change.step);
        let picture = self.thumbnail(expense).await;
        let part = Part { expense: expense.clone(), warnings: warnings(&self.store, expense).await? };
        let mail = Mail::ask(&part, &owner.display_name(), change.due_at, link, picture);
        Ok(Some((approver, mail)))
    }

    async fn tell(
        &self,
        expense: &ExpenseState,
        outcome: &str,
        text: &str,
        comment: Option<&str>,
    ) -> Result<Option<(PersonRecord, Mail)>, NotifyError> {
        let owner = self.person(expense.owner).await?;
        Ok(Some((owner, Mail::tell(expense, outcome, text, comment))))
    }

    async fn tell_of_receipt(&self, data: &ReceiptFailed) -> Result<Option<(PersonRecord, Mail)>, NotifyError> {
        let owner = self.person(data.receipt.owner).await?;
        let day = moment(data.receipt.created_at);
        Ok(Some((owner, Mail::receipt_failed(&day, data.reason))))
    }

    /// The receipt's thumbnail; a mail without one is better than none.
    async fn thumbnail(&self, expense: &ExpenseState) -> Option<Picture> {
        let receipt = self.store.receipt(expense.receipt?).await.ok().flatten().filter(|receipt| receipt.pages > 0)?;
        let key = receipt.object_key("thumbnail.jpg");
        let object = self.s3.get_object().bucket(&self.bucket).key(key).send().await.ok()?;
        Some(Picture(object.body.collect().await.ok()?.into_bytes().to_vec()))
    }

    async fn send(&self, to: &PersonRecord, mail: Mail) -> Result<(), NotifyError> {
        // The address of a person who was erased. Nobody has one in this domain (RFC 6761, section 6.4).
        if to.email.ends_with(".invalid") {
            tracing::info!("there is nobody to mail any more");
            return Ok(());
        }
        let raw = mail.to_mime(&self.mail_from, &to.email).map_err(|error| NotifyError::Mail(error.to_string()))?;
        let message = aws_sdk_ses::types::RawMessage::builder().data(aws_sdk_ses::primitives::Blob::new(raw)).build();
        let message = message.map_err(|error| NotifyError::Mail(error.to_string()))?;
        let request = self.ses.send_raw_email().source(&self.mail_from).destinations(&to.email).raw_message(message);
        request.send().await.map(|_| ()).map_err(|error| {
            // The service's message may repeat the address: only its code is told.
            let code = aws_sdk_ses::error::ProvideErrorMetadata::code(&error);
            NotifyError::Mail(code.unwrap_or("the mail service does not answer").to_owned())
        })
    }
}

/// When something happened or is due, for people.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
