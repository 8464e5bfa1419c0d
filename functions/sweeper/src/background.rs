//! Exports and erasures that nobody is at: their message got lost, or their worker died.

use aws_sdk_sqs::error::DisplayErrorContext;
use jiff::{SignedDuration, Timestamp};
use slipstream_common::{
    background::{Background, Work},
    keys::{Index, Open},
    table::{Condition, IndexQuery, StoreError, Transaction, text},
};

use crate::{SweepError, Sweeper, Tally};

/// How long an export is tried before it is given up. An erasure is never given up: somebody has a right to it.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);
/// How long work that was put in the queue again is left there: longer than the queue hides a message.
const PAUSE: SignedDuration = SignedDuration::from_mins(35);
/// What an export says that was given up.
const GAVE_UP: &str = "The export could not be finished for a day, through no fault of yours. Ask for it again.";

impl Sweeper {
    /// Puts work in the queue again that has not got on since `before` and is in nobody's hands.
    pub(crate) async fn go_on(&self, before: Timestamp) -> Result<usize, SweepError> {
        let query = IndexQuery {
            until: Some(slipstream_common::keys::instant(before)),
            ..IndexQuery::of(Index::Open, Open::Background.pk())
        };
        let waiting: Vec<Background> = self.store.table.query_all(&query).await?;
        let mut tally = Tally::default();
        for found in waiting {
            let key = found.work.key();
            tally.note(format!("{}/{}", key.pk, key.sk), self.go_on_with(&found.work, Timestamp::now()).await);
        }
        tally.finish()
    }

    async fn go_on_with(&self, work: &Work, now: Timestamp) -> Result<bool, SweepError> {
        let key = work.key();
        let Some(known) = self.store.table.get::<Background>(&key).await? else { return Ok(false) };
        let held = known.lease.as_ref().is_some_and(|lease| lease.until > now);
        let queued = known.requeued_at.is_some_and(|at| now < at + PAUSE);
        if held || queued {
            return Ok(false);
        }
        let mut transaction = Transaction::default();
        if matches!(work, Work::Export { .. }) && known.created_at + GIVE_UP < now {
            let condition = Condition::version(known.version)
                .name("#status", "status")
                .name("#failure", "failure")
                .name("#updated_at", "updated_at")
                .name("#pk", Index::Open.pk())
                .name("#sk", Index::Open.sk())
                .value(":failed", text("failed"))
                .value(":why", text(GAVE_UP))
                .value(":now", text(now))
                .value(":next", slipstream_common::table::number(known.version + 1));
            let update = "SET #status = :failed, #failure = :why, #updated_at = :now, #version = :next REMOVE #pk, #sk";
            transaction.update(&key, update, condition);
            tracing::error!(export.id = key.pk, "an export could not be finished for a day and is given up");
            return self.unless_changed(transaction).await.map(|()| false);
        }
        let condition = Condition::new("#version = :version AND attribute_exists(#pk)")
            .name("#version", "version")
            .name("#pk", Index::Open.pk())
            .value(":version", slipstream_common::table::number(known.version))
            .value(":now", text(now));
        transaction.update(&key, "SET requeued_at = :now", condition);
        match self.store.table.commit(transaction).await {
            Ok(()) => {}
            // Somebody got on with it at this very moment.
            Err(StoreError::Condition(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let body = serde_json::to_string(work)?;
        let message = self.sqs.send_message().queue_url(&self.exports_queue).message_body(body);
        let sent = message.send().await;
        sent.map_err(|error| SweepError::Unavailable("the queue", DisplayErrorContext(error).to_string()))?;
        tracing::info!(work.key = key.pk, "put in the queue again");
        Ok(true)
    }
}
