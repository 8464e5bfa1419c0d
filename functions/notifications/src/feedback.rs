//! What the mail service says of mails that it took
//! (<https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html>).
//!
//! A mailbox that is gone, and a person who complains of our mail, must not hold money up: their profile is marked, what
//! waits for them is asked of somebody else, and finance is told. What bounced for the moment changes nothing: the
//! service tries again by itself.

use jiff::Timestamp;
use serde::Deserialize;
use slipstream_common::{
    approvals::People,
    http::new_correlation_id,
    keys::{self, Index},
    records::{PersonRecord, StepRecord},
    table::IndexQuery,
};
use slipstream_events::{Actor, Cause};
use tracing::Instrument as _;

use crate::{Notifications, NotifyError, mail::Mail};

/// How often a profile is written anew because something else was faster.
const MAX_RACES: u32 = 8;
/// What the mail service sends a topic once, to try it.
const TRIAL: &str = "Successfully validated SNS topic";

/// An event of the mail service, as far as it concerns us.
#[derive(Debug, Deserialize)]
#[serde(tag = "eventType")]
enum MailEvent {
    Bounce {
        bounce: Bounce,
    },
    Complaint {
        complaint: Complaint,
    },
    Reject {
        reject: Reject,
    },
    #[serde(other)]
    Other,
}

/// The mail that an event is about.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MailOf {
    mail: MailHead,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct MailHead {
    message_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bounce {
    /// `Permanent`, `Transient` or `Undetermined`.
    bounce_type: String,
    bounced_recipients: Vec<Recipient>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Complaint {
    complained_recipients: Vec<Recipient>,
}

#[derive(Debug, Deserialize)]
struct Reject {
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recipient {
    email_address: String,
}

/// The addresses to which mail is not sent any more, after this event.
fn unreachable(event: MailEvent) -> Vec<String> {
    let recipients = match event {
        MailEvent::Bounce { bounce } if bounce.bounce_type == "Permanent" => bounce.bounced_recipients,
        MailEvent::Complaint { complaint } => complaint.complained_recipients,
        MailEvent::Reject { reject } => {
            // Our own mail, so nobody's mailbox is at fault.
            tracing::error!(reason = reject.reason, "the mail service took a mail and refused to send it");
            Vec::new()
        }
        MailEvent::Bounce { .. } | MailEvent::Other => Vec::new(),
    };
    recipients.into_iter().map(|recipient| bare(&recipient.email_address).to_owned()).collect()
}

/// The address alone, where it comes with a name (`Name <address>`).
fn bare(address: &str) -> &str {
    let inner = address.rsplit_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or(address, |(address, _)| address).trim()
}

impl Notifications {
    /// Deals with what the mail service says.
    ///
    /// # Errors
    /// [`NotifyError`]; the message is delivered again.
    pub(crate) async fn feedback(&self, body: &str, holder: &str) -> Result<(), NotifyError> {
        if body.starts_with(TRIAL) {
            return Ok(());
        }
        let event = serde_json::from_str(body).map_err(|_| NotifyError::Unknown)?;
        let of: MailOf = serde_json::from_str(body).unwrap_or_default();
        let span = tracing::info_span!("feedback", mail.id = of.mail.message_id);
        self.hear(event, holder).instrument(span).await
    }

    async fn hear(&self, event: MailEvent, holder: &str) -> Result<(), NotifyError> {
        for address in unreachable(event) {
            let people = IndexQuery::of(Index::Approver, keys::people_at(&address));
            let people: Vec<PersonRecord> = self.store.table.query_all(&people).await?;
            if people.is_empty() {
                tracing::info!("mail came back from an address that is nobody's any more");
            }
            for person in people {
                self.is_unreachable(person, holder).await?;
            }
        }
        Ok(())
    }

    async fn is_unreachable(&self, found: PersonRecord, holder: &str) -> Result<(), NotifyError> {
        let cause = Cause {
            actor: Actor::System { name: "notifications".to_owned() },
            at: Timestamp::now(),
            correlation_id: new_correlation_id(),
            causation_id: None,
        };
        let Some(person) = self.mark(&found, &cause).await? else { return Ok(()) };
        let id = person.state.id;
        let reassigned = self.ask_others(&person, &cause).await?;
        tracing::warn!(person.id = %id, reassigned, "mail to them does not arrive");
        let since = person.mail_undeliverable_since.unwrap_or(Timestamp::UNIX_EPOCH);
        let mail = Mail::undeliverable(&person.display_name(), reassigned);
        self.tell_finance(&mail, holder, |consumer| keys::undeliverable_guard(consumer, id, since)).await
    }

    /// Marks a person's profile; as it is then. None if the address is not theirs any more.
    async fn mark(&self, found: &PersonRecord, cause: &Cause) -> Result<Option<PersonRecord>, NotifyError> {
        let mut races = 0;
        loop {
            let before = self.store.person(found.state.id).await?;
            let before = before.filter(|person| person.email.eq_ignore_ascii_case(&found.email));
            let Some(before) = before else { return Ok(None) };
            if before.state.mail_undeliverable {
                return Ok(Some(before));
            }
            let mut after = PersonRecord { mail_undeliverable_since: Some(cause.at), ..before.clone() };
            after.state.mail_undeliverable = true;
            match self.store.write_person(Some(&before), after, cause).await {
                Ok(after) => return Ok(Some(after)),
                Err(error) if error.is_conflict() && races < MAX_RACES => races += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Has somebody else be asked of all that waits for a person, where there is somebody; of how much.
    async fn ask_others(&self, person: &PersonRecord, cause: &Cause) -> Result<usize, NotifyError> {
        let waiting = IndexQuery::of(Index::Approver, keys::steps_of(person.state.id));
        let waiting: Vec<StepRecord> = self.store.table.query_all(&waiting).await?;
        let mut people = People::new(&self.store, cause.at);
        let mut reassigned = 0;
        for found in waiting {
            let mut races = 0;
            loop {
                let Some(step) = self.store.step(found.submission, found.step).await? else { break };
                let Some(expense) = self.store.expense(step.submission.expense).await? else { break };
                if step.approver != person.state.id || expense.submission_id() != Some(step.submission) {
                    break;
                }
                match self.store.reassess(&step, &expense, &mut people, cause).await {
                    Ok(after) => {
                        reassigned += usize::from(after.is_some());
                        break;
                    }
                    Err(error) if error.is_conflict() && races < MAX_RACES => races += 1,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(reassigned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(body: &str) -> Vec<String> {
        unreachable(serde_json::from_str(body).unwrap())
    }

    /// The examples of the service's documentation, shortened.
    #[test]
    fn only_what_is_for_good_counts() {
        let bounce = |kind: &str| {
            addresses(&format!(
                r#"{{"eventType": "Bounce", "bounce": {{"bounceType": "{kind}", "bounceSubType": "General",
                    "bouncedRecipients": [{{"emailAddress": "recipient@example.com", "action": "failed",
                    "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}}],
                    "timestamp": "2017-08-05T00:41:02.669Z", "feedbackId": "01000157c44f053b-61b5",
                    "reportingMTA": "dsn; mta.example.com"}}, "mail": {{"timestamp": "2017-08-05T00:40:02.012Z",
                    "source": "sender@example.com", "messageId": "EXAMPLE", "destination": ["recipient@example.com"]}}}}"#
            ))
        };
        assert_eq!(bounce("Permanent"), ["recipient@example.com"]);
        assert!(bounce("Transient").is_empty());
        assert!(bounce("Undetermined").is_empty());
        let complaint = r#"{"eventType": "Complaint", "complaint": {"complainedRecipients":
            [{"emailAddress": "Rec Ipient <recipient@example.com>"}], "complaintFeedbackType": "abuse"}, "mail": {}}"#;
        assert_eq!(addresses(complaint), ["recipient@example.com"]);
        assert!(addresses(r#"{"eventType": "Reject", "mail": {}, "reject": {"reason": "Bad content"}}"#).is_empty());
        assert!(addresses(r#"{"eventType": "Delivery", "mail": {}, "delivery": {}}"#).is_empty());
    }
}
