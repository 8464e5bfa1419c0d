//! Mails of submitted reports that wait for a step too long are sent for the steps that there are.

use jiff::{SignedDuration, Timestamp};
use slipstream_common::{
    bus::publish,
    keys::{self, Open},
    records::EventRecord,
    reports::{ReportSubmissionRecord, add_report_mailed},
    table::{Condition, StoreError, Transaction, text},
};
use slipstream_events::{Subject, SubjectType};

use crate::{SweepError, Sweeper, Tally, approvals::waiting_since};

/// How long to wait before asking again for a mail that did not go out then either.
const AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// How long to ask. What nobody could mail for a day needs a person: it is told as an error, on which an alarm stands.
const GIVE_UP: SignedDuration = SignedDuration::from_hours(24);

impl Sweeper {
    /// Has the approvers mailed of reports that were submitted before `before` and whose mail still waits.
    pub(crate) async fn ask_for_reports(&self, before: Timestamp) -> Result<usize, SweepError> {
        let query = waiting_since(Open::ReportMail, before);
        let waiting: Vec<ReportSubmissionRecord> = self.store.table.query_all(&query).await?;
        let mut tally = Tally::default();
        for record in waiting {
            tally.note(record.report, self.ask_for_report(&record).await);
        }
        tally.finish()
    }

    async fn ask_for_report(&self, found: &ReportSubmissionRecord) -> Result<bool, SweepError> {
        // The index may be behind: the record itself says how it stands.
        let record = self.store.report_submission(found.report, found.number).await?;
        let Some(record) = record.filter(|record| record.mailed_at.is_none()) else { return Ok(false) };
        let now = Timestamp::now();
        if record.submitted_at + GIVE_UP < now {
            tracing::error!(report.id = %record.report, "the approvers of a report could not be mailed within a day");
            let mut transaction = Transaction::default();
            add_report_mailed(&mut transaction, &record, now);
            self.store.table.commit(transaction).await?;
            return Ok(false);
        }
        if record.asked_again_at.is_some_and(|at| now < at + AGAIN) {
            return Ok(false);
        }
        // Overdue before the event is published again: whoever deals with it must find it so.
        let condition = Condition::new("attribute_not_exists(mailed_at)")
            .name("#overdue", "overdue")
            .name("#asked", "asked_again_at")
            .value(":overdue", slipstream_common::table::flag(true))
            .value(":now", text(now));
        let mut transaction = Transaction::default();
        let key = keys::report_submission(record.report, record.number);
        transaction.update(&key, "SET #overdue = :overdue, #asked = :now", condition);
        match self.store.table.commit(transaction).await {
            Ok(()) => {}
            Err(StoreError::Condition(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let subject =
            Subject { subject_type: SubjectType::Report, id: record.report.to_string(), version: record.version };
        let event: Option<EventRecord> = self.store.table.get(&keys::event(&subject)).await?;
        let event = event.ok_or(SweepError::NoSubmission)?;
        match publish(&self.bus, &[event]).await.len() {
            0 => Ok(true),
            refused => Err(SweepError::Refused(refused)),
        }
    }
}
