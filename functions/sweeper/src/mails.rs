//! Mails that are due and were not sent: their message got lost, or was set aside.

use aws_sdk_sqs::error::DisplayErrorContext;
use jiff::{SignedDuration, Timestamp};
use slipstream_common::{
    keys::Open,
    mailing::{Nudge, NudgeMessage},
};

use crate::{SweepError, Sweeper, Tally, approvals::waiting_since};

/// How long to wait before asking again for a mail that did not go out then either. Its message is set aside meanwhile,
/// on which an alarm stands.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);

impl Sweeper {
    /// Sends anew the messages of mails that were due before `before`.
    pub(crate) async fn nudge(&self, before: Timestamp) -> Result<usize, SweepError> {
        let waiting: Vec<Nudge> = self.store.table.query_all(&waiting_since(Open::Mail, before)).await?;
        let mut tally = Tally::default();
        for nudge in waiting {
            tally.note(nudge.batch, self.nudge_one(nudge).await);
        }
        tally.finish()
    }

    async fn nudge_one(&self, nudge: Nudge) -> Result<bool, SweepError> {
        // The index may be behind: the item itself says how it stands.
        if !self.store.note_nudge(&nudge, Timestamp::now() - AGAIN).await? {
            return Ok(false);
        }
        let body = serde_json::to_string(&NudgeMessage { mail_due: nudge })?;
        let message = self.sqs.send_message().queue_url(&self.notifications_queue).message_body(body);
        let sent = message.send().await;
        sent.map_err(|error| SweepError::Unavailable("the queue", DisplayErrorContext(error).to_string()))?;
        Ok(true)
    }
}
