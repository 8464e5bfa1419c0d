//! Events published again: those never seen delivered, or one subject's.

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use slipstream_common::{
    keys::{self, EVENT_PREFIX},
    outbox::{self, DeliveryMark, SEEN_FOR},
    records::EventRecord,
};
use slipstream_events::SubjectType;

use super::note_unreadable;
use crate::{
    failure::{Failure, Outcome},
    letters,
    named::Named,
    output::{Out, Table, Tone, count},
    rules,
    stack::Stack,
    time::Instant,
};

/// How long an event may be on its way: the sweeper's grace.
const GRACE: SignedDuration = SignedDuration::from_mins(2);
/// How far back to look where the sweeper has never been.
const FIRST_LOOK: SignedDuration = SignedDuration::from_hours(24);
/// An event is written this long after the time that it carries, at most.
const OVERLAP: SignedDuration = SignedDuration::from_mins(5);

/// Which.
#[derive(Debug, Args)]
#[command(after_help = "\
The sweeper does the same every few minutes, for a day; what it gave up is published by this.
Publishing again is harmless: consumers have guards and versions.

Examples:
  slip-ops republish --dry-run               what was never seen delivered since the sweeper's mark
  slip-ops republish --from 3d               the same of three days
  slip-ops republish exp_… --version 4       one event of an expense
  slip-ops republish policy/policy           every event of a subject")]
pub(crate) struct Republish {
    /// Every event of an expense, a receipt, a report, or another subject as <type>/<id>; seen or not
    subject: Option<String>,
    /// Only this version of the subject; may be given several times
    #[arg(long = "version", value_name = "N", requires = "subject")]
    versions: Vec<u64>,
    /// Without a subject: from when on; from the sweeper's mark without it
    #[arg(long, conflicts_with = "subject")]
    from: Option<Instant>,
    /// Without a subject: until when; two minutes ago without it, since later events may be on their way
    #[arg(long, conflicts_with = "subject")]
    to: Option<Instant>,
    /// Tells which it would publish; publishes nothing
    #[arg(long)]
    dry_run: bool,
}

/// Whose events.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Whose {
    kind: SubjectType,
    id: String,
    version: Option<u64>,
}

impl Whose {
    fn parse(text: &str) -> Outcome<Self> {
        let (kind, id, version) = match Named::parse("SUBJECT", text)? {
            Named::Expense(id) => (SubjectType::Expense, id.to_string(), None),
            Named::Submission(id) => (SubjectType::Expense, id.expense.to_string(), None),
            Named::Receipt(id) => (SubjectType::Receipt, id.to_string(), None),
            Named::Subject(kind, id, version) => (kind, id, version),
            Named::Execution(_) | Named::Batch(_) | Named::Other(_) => {
                let forms = "exp_…, rcp_…, rpt_…, or <type>/<id>, with or without /<version>";
                return Err(Failure::usage(format!("SUBJECT: `{text}` names no subject: give {forms}")));
            }
        };
        Ok(Self { kind, id, version })
    }
}

impl Republish {
    /// Refuses what is wrong whatever there is.
    ///
    /// # Errors
    /// Names the argument and the remedy.
    pub(crate) fn check(&self) -> Outcome {
        if let Some(subject) = &self.subject {
            return Whose::parse(subject).map(|_| ());
        }
        self.range(None, Timestamp::now()).map(|_| ())
    }

    fn range(&self, mark: Option<DeliveryMark>, now: Timestamp) -> Outcome<(Timestamp, Timestamp)> {
        let to = self.to.map_or(now - GRACE, |Instant(to)| to);
        let since_mark = mark.map_or(to - FIRST_LOOK, |mark| mark.delivered_until - OVERLAP);
        let from = self.from.map_or(since_mark, |Instant(from)| from);
        if from < now - SEEN_FOR {
            let given = match (self.from, mark) {
                (Some(_), _) => format!("--from {from}"),
                (None, Some(_)) => format!("the sweeper's mark, {from},"),
                (None, None) => format!("a day before --to {to}"),
            };
            return Err(Failure::refused(format!(
                "{given} is more than 35 days ago, for which seen events are remembered: all before would look lost. \
                 Replay that time, or name a subject"
            )));
        }
        if from >= to {
            return Err(Failure::usage(match self.from {
                Some(_) => format!("--from {from} is not before --to {to}"),
                None => {
                    format!("--to {to}: all until {from} was seen delivered; to look there again, give --from, too")
                }
            }));
        }
        Ok((from, to))
    }
}

/// Runs it.
///
/// # Errors
/// When the table or the bus does not answer.
pub(crate) async fn run(out: &Out, stack: &Stack, republish: Republish) -> Outcome {
    let records = match &republish.subject {
        Some(subject) => of_subject(stack, &Whose::parse(subject)?, &republish.versions).await?,
        None => {
            let projections = stack.projections()?;
            let mark: Option<DeliveryMark> = projections.get(&keys::delivery_sweep()).await?;
            let (from, to) = republish.range(mark, Timestamp::now())?;
            let mut missing = Vec::new();
            let table = stack.store()?.table;
            let no_events = outbox::events_between(&table, from, to, async |page| {
                missing.extend(outbox::unseen(&projections, page).await?);
                Ok::<_, Failure>(())
            });
            note_unreadable(out, &no_events.await?);
            missing
        }
    };
    if !republish.dry_run && !records.is_empty() {
        for rule in rules::all(stack).await?.iter().filter(|rule| !rule.enabled) {
            out.note(&format!("the rule {} is disabled: its consumer gets nothing of this", rule.name));
        }
        letters::put_on_bus(stack, &records).await?;
    }
    let listed: Vec<Value> = records.iter().map(listed).collect();
    let done = !republish.dry_run;
    out.answer(&json!({ "published": done, "events": listed }), || render(out, &records, done));
    Ok(())
}

async fn of_subject(stack: &Stack, whose: &Whose, versions: &[u64]) -> Outcome<Vec<EventRecord>> {
    let partition = keys::subject_partition(whose.kind, &whose.id);
    let all: Vec<EventRecord> = stack.store()?.table.partition(&partition, EVENT_PREFIX).await?;
    let name = format!("{}/{}", whose.kind.as_str(), whose.id);
    if all.is_empty() {
        return Err(Failure::not_found(format!("there are no events of {name}")));
    }
    let wanted: Vec<u64> = whose.version.into_iter().chain(versions.iter().copied()).collect();
    let mut records = Vec::new();
    for record in all {
        let version = record.event().map(|event| event.metadata.subject.version);
        let version = version.map_err(|fault| {
            let text = format!("{} of {name} cannot be read and would be set aside: {fault}", record.detail_type);
            Failure::refused(text)
        })?;
        if wanted.is_empty() || wanted.contains(&version) {
            records.push((version, record));
        }
    }
    match wanted.iter().find(|wanted| !records.iter().any(|(version, _)| version == *wanted)) {
        Some(missing) => Err(Failure::not_found(format!("--version: {name} has no version {missing}"))),
        None => Ok(records.into_iter().map(|(_, record)| record).collect()),
    }
}

fn event_id(record: &EventRecord) -> String {
    record.event().map(|event| event.metadata.id.to_string()).unwrap_or_default()
}

fn listed(record: &EventRecord) -> Value {
    json!({ "id": event_id(record), "type": record.detail_type, "occurred_at": record.occurred_at })
}

fn render(out: &Out, records: &[EventRecord], done: bool) -> String {
    if records.is_empty() {
        return "every event was seen delivered: there is nothing to publish".to_owned();
    }
    let mut table = Table::new(["OCCURRED", "TYPE", "EVENT"]);
    for record in records {
        let at = crate::time::instant(record.occurred_at);
        table.row(Tone::Plain, [at, record.detail_type.clone(), event_id(record)]);
    }
    let events = count(records.len(), "event", "events");
    let end = if done { format!("{events} published") } else { format!("{events} would be published") };
    format!("{}\n{end}", table.render(out))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{
        commands::{Cli, Command},
        failure::Exit,
    };

    const EXAMPLE: &str = include_str!("../../../../events/examples/ExpenseApproved.v1.json");

    fn parse(arguments: &[&str]) -> Republish {
        let all = ["slip-ops", "republish"].iter().chain(arguments);
        match Cli::try_parse_from(all).unwrap().command {
            Command::Republish(republish) => republish,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_older_than_the_memory_is_refused() {
        let refused = parse(&["--from", "36d"]).check().unwrap_err();
        assert_eq!(refused.exit, Exit::Refused);
        assert!(refused.message.contains("--from") && refused.message.contains("Replay"), "{}", refused.message);
        assert!(parse(&["--from", "34d"]).check().is_ok());
        let backwards = parse(&["--from", "1h", "--to", "2h"]).check().unwrap_err();
        assert_eq!(backwards.exit, Exit::Usage);
    }

    #[test]
    fn without_a_time_it_looks_from_the_sweepers_mark() {
        let now: Timestamp = "2026-03-12T12:00:00Z".parse().unwrap();
        let mark = DeliveryMark { delivered_until: "2026-03-12T10:00:00Z".parse().unwrap() };
        let (from, to) = parse(&[]).range(Some(mark), now).unwrap();
        assert_eq!((from.to_string(), to.to_string()), ("2026-03-12T09:55:00Z".into(), "2026-03-12T11:58:00Z".into()));
        let early = parse(&["--to", "2026-03-12T09:00"]).range(Some(mark), now).unwrap_err();
        assert!(early.exit == Exit::Usage && early.message.contains("give --from"), "{}", early.message);
        let (from, _) = parse(&[]).range(None, now).unwrap();
        assert_eq!(from.to_string(), "2026-03-11T11:58:00Z");
    }

    #[test]
    fn subjects_are_named_in_every_form() {
        let id = "exp_0123456789abcdef0123456789abcdef";
        let expense = Whose { kind: SubjectType::Expense, id: id.to_owned(), version: None };
        assert_eq!(Whose::parse(id).unwrap(), expense);
        assert_eq!(Whose::parse(&format!("{id}.2")).unwrap(), expense);
        assert_eq!(Whose::parse(&format!("expense/{id}/3")).unwrap(), Whose { version: Some(3), ..expense });
        assert!(parse(&["exp_1"]).check().unwrap_err().message.starts_with("SUBJECT"));
        let person = parse(&["person/0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11"]).check().unwrap_err();
        assert!(person.message.contains("--from"), "{}", person.message);
    }

    #[test]
    fn what_is_published_is_listed_by_id() {
        let record = EventRecord {
            detail_type: "ExpenseApproved".to_owned(),
            detail: EXAMPLE.to_owned(),
            occurred_at: "2026-03-12T12:31:05.25Z".parse().unwrap(),
        };
        let text = render(&Out::new(true), std::slice::from_ref(&record), true);
        assert!(text.contains("2026-03-12 12:31:05.250  ExpenseApproved  expense/exp_"), "{text}");
        assert!(text.ends_with("1 event published"), "{text}");
        assert!(render(&Out::new(true), &[record], false).ends_with("1 event would be published"));
        assert!(render(&Out::new(true), &[], true).contains("nothing to publish"));
    }
}
