//! Mails: approvers are asked and reminded, deciders get a confirmation, owners are told, finance is told of budgets, of
//! decisions that were disowned and of mailboxes that are dead.
//!
//! One mail per event (where finance is told, one per person), one per approver of a submitted report ([`report`]), and
//! one for what is asked of a person, or confirmed to them, within some seconds ([`batch`]). Each is guarded by a record
//! in the table. A guard begins with a lease and ends as done; a redelivery
//! or a replay finds it done and does nothing. Mail takes no idempotency key: a death between the mail service's
//! answer and the guard's end has the mail sent again once the lease is over. That is the one window.
//!
//! A link's secret exists only in the mail. The table holds its hash, added to the step before the mail goes out, so
//! that a mail never carries a link that does not work.
//!
//! An event that a replay delivers is mailed of only if the replay was begun to have mails sent again; then once for that
//! replay, guarded under its name.
//!
//! What the mail service says of mails that did not arrive comes by a queue of its own ([`feedback`]).
//!
//! It must not decide anything, and must not log addresses or secrets.
//!
//! To test: `cargo test -p notifications`; mails as sent end to end in `tests/`.

mod batch;
mod feedback;
mod mail;
mod report;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use slipstream_common::{
    Fault,
    guard::{self, Begin},
    keys::{self, Key},
    mailing::{Kind, NudgeMessage, StepId},
    metrics::Metrics,
    queue::{BatchResponse, EnvelopeError, Message, bus_event, each, event_span},
    records::PersonRecord,
    replays,
    settings::{Settings, SettingsError},
    store::{ChangeError, Store},
    table::{StoreError, Table},
};
use slipstream_events::{BatchId, Event, EventBody, ExpenseState, ExpenseStatus, PersonId, ReceiptFailed, Role};
use tracing::Instrument as _;

use batch::step_id;
use mail::{Mail, Picture};

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
    sqs: aws_sdk_sqs::Client,
    queue: String,
    feedback_queue: String,
    /// How long what arrives together is waited for, in seconds.
    batch_seconds: u16,
    bucket: String,
    mail_from: String,
    public_base_url: String,
    links_require_sign_in: bool,
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
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// Of the approvals that are mailed together, so that the log line names them.
    #[error("{0}: {1}")]
    Batch(BatchId, Box<NotifyError>),
    #[error("the queue does not answer: {0}")]
    Queue(String),
    #[error("the message is neither an event nor what the mail service says")]
    Unknown,
    #[error("the person to tell has no profile")]
    NoProfile,
}

/// An event as it was delivered.
#[derive(Debug, Clone, Copy)]
struct Delivery<'a> {
    event: &'a Event,
    /// Who deals with it.
    holder: &'a str,
    /// Under which name its mails are sent again, if a replay was begun for that.
    again: Option<&'a str>,
}

impl Delivery<'_> {
    /// The guard of what this consumer does about it.
    fn guard(&self, consumer: &str) -> Key {
        let id = &self.event.metadata.id;
        self.again.map_or_else(|| keys::guard(consumer, id), |round| keys::guard(&format!("{consumer}/{round}"), id))
    }
}

impl Notifications {
    /// From the environment.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, SettingsError> {
        Self::new(sdk, Settings::new())
    }

    /// By these settings.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn new(sdk: &SdkConfig, mut settings: Settings) -> Result<Self, SettingsError> {
        let table = settings.text("TABLE_NAME");
        let notifications = Self {
            store: Store::new(Table::new(sdk, table)),
            s3: Client::new(sdk),
            ses: aws_sdk_ses::Client::new(sdk),
            sqs: aws_sdk_sqs::Client::new(sdk),
            queue: settings.text("NOTIFICATIONS_QUEUE_URL"),
            batch_seconds: settings.parsed("MAIL_BATCH_SECONDS", "a number of seconds", 30),
            feedback_queue: settings.text("MAIL_FEEDBACK_QUEUE_ARN"),
            bucket: settings.text("RECEIPT_BUCKET"),
            mail_from: settings.text("MAIL_FROM"),
            public_base_url: settings.text("PUBLIC_BASE_URL").trim_end_matches('/').to_owned(),
            links_require_sign_in: settings.parsed("LINKS_REQUIRE_SIGN_IN", "true or false", false),
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
        let holder = format!("{invocation}/{}", message.id);
        if message.source == self.feedback_queue {
            return self.feedback(&message.body, &holder).await;
        }
        if let Ok(NudgeMessage { mail_due }) = serde_json::from_str(&message.body) {
            return self.mail_due(&mail_due, &holder).await;
        }
        let (event, replay) = bus_event(message)?;
        let span = event_span(&event, replay.as_deref());
        let again = match replay.as_deref().map(replays::resending) {
            None => None,
            Some(Some(round)) => Some(round),
            Some(None) => {
                span.in_scope(|| tracing::info!("replayed: nobody is mailed"));
                return Ok(());
            }
        };
        self.event(&Delivery { event: &event, holder: &holder, again }).instrument(span).await
    }

    async fn event(&self, delivery: &Delivery<'_>) -> Result<(), NotifyError> {
        let &Delivery { event, holder, again } = delivery;
        let about_owner = async || self.once(delivery, CONSUMER, async || self.mail_of(delivery).await).await;
        match &event.data {
            EventBody::BudgetThresholdReached(threshold) => {
                self.tell_finance(&Mail::budget(threshold), holder, |consumer| delivery.guard(consumer)).await
            }
            // Its steps are asked for again by their own events, and a reminder is sent by the day.
            EventBody::ReportSubmitted(_) | EventBody::ExpenseApprovalReminded(_) if again.is_some() => Ok(()),
            EventBody::ExpenseApprovalRequested(data) if again.is_some() => {
                let step = step_id(&data.expense, data.change.submission, data.change.step);
                self.gather_again(delivery, data.change.approver, Kind::RequestsAgain, step).await
            }
            EventBody::ExpenseApprovalReassigned(data) if again.is_some() => {
                let step = step_id(&data.expense, data.change.submission, data.change.step);
                self.gather_again(delivery, data.change.approver, Kind::RequestsAgain, step).await
            }
            // Guarded by report and approver, not by the event: the sweeper publishes it again when it is overdue.
            EventBody::ReportSubmitted(data) => {
                if let Some(record) = self.store.report_submission(data.report.id, data.submission).await? {
                    self.ask_together(&record, holder).await?;
                }
                Ok(())
            }
            EventBody::ExpenseReopened(data) => {
                let told = about_owner().await;
                let name = self.person(data.change.disowned_by).await?.display_name();
                let mail = Mail::disowned(&data.expense, &name);
                let finance = self.tell_finance(&mail, holder, |consumer| delivery.guard(consumer)).await;
                told.and(finance)
            }
            _ => {
                // Whichever of the two fails, it keeps nothing from the other, and its repetition does not repeat it.
                let told = about_owner().await;
                let confirmed = self.confirm(delivery).await;
                told.and(confirmed)
            }
        }
    }

    /// Has a decision confirmed to whoever made it.
    async fn confirm(&self, delivery: &Delivery<'_>) -> Result<(), NotifyError> {
        let (expense, submission, step, decided_by) = match &delivery.event.data {
            EventBody::ExpenseApproved(data) => {
                (&data.expense, data.change.submission, data.change.step, data.change.decided_by)
            }
            EventBody::ExpenseStepApproved(data) => {
                (&data.expense, data.change.submission, data.change.step, data.change.decided_by)
            }
            EventBody::ExpenseRejected(data) => {
                (&data.expense, data.change.submission, data.change.step, data.change.decided_by)
            }
            EventBody::ExpenseChangesRequested(data) => {
                (&data.expense, data.change.submission, data.change.step, data.change.decided_by)
            }
            _ => return Ok(()),
        };
        let step = step_id(expense, submission, step);
        if delivery.again.is_some() {
            return self.gather_again(delivery, decided_by, Kind::ConfirmationsAgain, step).await;
        }
        let consumer = format!("{CONSUMER}/decider");
        let gather = async || self.gather(decided_by, Kind::Confirmations, step).await.map(|()| None);
        self.once(delivery, &consumer, gather).await
    }

    /// Has a person be mailed of a step again, once for the replay, however often it asked them.
    async fn gather_again(
        &self,
        delivery: &Delivery<'_>,
        person: PersonId,
        kind: Kind,
        step: StepId,
    ) -> Result<(), NotifyError> {
        let Some(round) = delivery.again else { return Ok(()) };
        let key = keys::resent_guard(CONSUMER, round, kind.name(), person, &step.to_string());
        let gather = async || self.gather(person, kind, step).await.map(|()| None);
        self.once_by(&key, delivery.holder, gather).await
    }

    /// Does what an event calls for, once under this guard: sends the mail, if there is one.
    async fn once(
        &self,
        delivery: &Delivery<'_>,
        consumer: &str,
        mail: impl AsyncFnOnce() -> Result<Option<(PersonRecord, Mail)>, NotifyError>,
    ) -> Result<(), NotifyError> {
        self.once_by(&delivery.guard(consumer), delivery.holder, mail).await
    }

    /// Does something once under a guard, and sends the mail that it makes, if it makes one.
    async fn once_by(
        &self,
        key: &Key,
        holder: &str,
        mail: impl AsyncFnOnce() -> Result<Option<(PersonRecord, Mail)>, NotifyError>,
    ) -> Result<(), NotifyError> {
        let guard = match guard::begin(&self.store.table, key, LEASE, holder).await? {
            Begin::Ours(guard) => guard,
            Begin::Done => {
                tracing::info!("this was done before");
                return Ok(());
            }
            Begin::Held => return Err(NotifyError::Leased),
        };
        if let Some((to, mail)) = mail().await? {
            let sent = self.send(&to, &mail).await?;
            tracing::info!(mail.id = sent, attempts = guard.attempts, "mail sent");
        }
        guard::end(&self.store.table, key, guard).await?;
        Ok(())
    }

    /// Tells everyone in finance, each under a guard of their own: a mail that fails keeps none from the others, and its
    /// repetition does not repeat theirs. `guard` gives the guard's key for a consumer's name.
    async fn tell_finance(&self, mail: &Mail, holder: &str, guard: impl Fn(&str) -> Key) -> Result<(), NotifyError> {
        let finance = self.store.people_with(Role::Finance).await?;
        let mut outcome = Ok(());
        for person in finance.into_iter().filter(|person| person.state.active) {
            let key = guard(&format!("{CONSUMER}/{}", person.state.id));
            let sent = self.once_by(&key, holder, async || Ok(Some((person, mail.clone())))).await;
            outcome = outcome.and(sent);
        }
        outcome
    }

    async fn person(&self, id: PersonId) -> Result<PersonRecord, NotifyError> {
        self.store.person(id).await?.ok_or(NotifyError::NoProfile)
    }

    /// The mail that the event calls for, if it still does.
    async fn mail_of(&self, delivery: &Delivery<'_>) -> Result<Option<(PersonRecord, Mail)>, NotifyError> {
        let &Delivery { event, holder, again } = delivery;
        if let Some(expense) = event.data.expense()
            && expense.status != ExpenseStatus::Submitted
            && again.is_none()
        {
            self.settled(expense, holder).await?;
        }
        match &event.data {
            EventBody::ExpenseApprovalRequested(data) => {
                if self.asked_by_itself(data, holder).await? {
                    let step = step_id(&data.expense, data.change.submission, data.change.step);
                    self.gather(data.change.approver, Kind::Requests, step).await?;
                }
                Ok(None)
            }
            EventBody::ExpenseApprovalReassigned(data) => {
                let step = step_id(&data.expense, data.change.submission, data.change.step);
                self.gather(data.change.approver, Kind::Requests, step).await?;
                Ok(None)
            }
            EventBody::ExpenseApprovalReminded(data) => {
                let step = step_id(&data.expense, data.change.submission, data.change.step);
                self.remind(data.change.approver, step, holder).await?;
                Ok(None)
            }
            EventBody::ExpenseAutoApproved(data) => {
                let text = "Your expense was approved by the policy, without anybody being asked.";
                self.tell(&data.expense, "approved", text, None).await
            }
            EventBody::ExpenseReopened(data) => {
                let text = "A decision on your expense was taken back: it was not made by the person in whose name it \
                            was. It is asked for anew; there is nothing for you to do.";
                self.tell(&data.expense, "open again", text, None).await
            }
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

    /// Sends a mail: its id at the mail service, or nothing if mail does not reach them.
    async fn send(&self, to: &PersonRecord, mail: &Mail) -> Result<Option<String>, NotifyError> {
        if to.state.mail_undeliverable {
            tracing::info!("mail to them comes back: none is sent until that is cleared");
            return Ok(None);
        }
        // The address of a person who was erased. Nobody has one in this domain (RFC 6761, section 6.4).
        if to.email.ends_with(".invalid") {
            tracing::info!("there is nobody to mail any more");
            return Ok(None);
        }
        let raw = mail.to_mime(&self.mail_from, &to.email).map_err(|error| NotifyError::Mail(error.to_string()))?;
        let message = aws_sdk_ses::types::RawMessage::builder().data(aws_sdk_ses::primitives::Blob::new(raw)).build();
        let message = message.map_err(|error| NotifyError::Mail(error.to_string()))?;
        let request = self.ses.send_raw_email().source(&self.mail_from).destinations(&to.email).raw_message(message);
        match request.send().await {
            Ok(sent) => {
                Metrics::new().count("MailsSent", 1).emit();
                Ok(Some(sent.message_id))
            }
            Err(error) => {
                // The service's message may repeat the address: only its code is told.
                let code = aws_sdk_ses::error::ProvideErrorMetadata::code(&error);
                Metrics::new().count("MailsRefused", 1).by("Reason", code.unwrap_or("NoAnswer")).emit();
                Err(NotifyError::Mail(code.unwrap_or("the mail service does not answer").to_owned()))
            }
        }
    }
}

/// When something happened or is due, for people.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
