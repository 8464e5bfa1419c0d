//! What is degraded right now.
//!
//! Ages are those of the work in the table, not of messages: the table says what is not finished, whatever became of the
//! message for it. CloudWatch's figures are minutes behind, and the alarms have them already.

use std::{borrow::Cow, cmp::Reverse, collections::HashMap};

use aws_sdk_sfn::types::ExecutionStatus;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use slipstream_common::{
    execution::Executions,
    keys::{self, Index, Key, Open},
    outbox::{self, DeliveryMark},
    records::{ClaimRecord, EventRecord, ReceiptRecord},
    store::Store,
    table::{IndexQuery, StoreError},
};
use slipstream_events::{ExpenseState, SubmissionId};

use crate::{
    failure::{Exit, Failure, Outcome},
    letters::{self, Bucket, kebab},
    output::{Out, Table, Tone, count},
    rules,
    stack::Stack,
    time::{self, Span},
};

/// How long the sweeper may be silent: it comes every five minutes.
const SWEEPER_SILENT: SignedDuration = SignedDuration::from_mins(20);
/// How far back events are looked for that were not delivered, at most.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);

/// How to look.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit code 7 says that something is degraded, so that a script or a cron job can act on it.

Example: slip-ops health --json | jq '.checks[] | select(.state == \"degraded\")'")]
pub(crate) struct Health {
    /// How old work may be before it counts as stuck; longer than the sweeper's grace
    #[arg(long, default_value = "5m")]
    grace: Span,
    /// How far back failed executions are looked for
    #[arg(long, default_value = "24h")]
    since: Span,
}

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// To be known, and nothing to be done.
    Note,
    Degraded,
}

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: String,
    state: State,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_at: Option<Timestamp>,
    /// What to do about it.
    #[serde(skip_serializing_if = "str::is_empty")]
    remedy: Cow<'static, str>,
}

impl Check {
    fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, detail: detail.into(), oldest_at: None, remedy: Cow::Borrowed("") }
    }

    fn note(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { state: State::Note, ..Self::ok(name, detail) }
    }

    fn degraded(name: impl Into<String>, detail: impl Into<String>, remedy: impl Into<Cow<'static, str>>) -> Self {
        Self { state: State::Degraded, remedy: remedy.into(), ..Self::ok(name, detail) }
    }

    fn since(self, oldest: Option<Timestamp>) -> Self {
        Self { oldest_at: oldest, ..self }
    }
}

/// Runs it.
///
/// # Errors
/// [`Exit::Degraded`] when something is; others when a service does not answer.
pub(crate) async fn run(out: &Out, stack: &Stack, health: Health) -> Outcome {
    let now = Timestamp::now();
    let examiner = Examiner { stack, store: stack.store()?, now, before: now - health.grace.0 };
    let mut checks = examiner.dead_letters().await?;
    checks.push(examiner.set_aside().await?);
    checks.extend(examiner.queues().await?);
    checks.push(disabled(&rules::all(stack).await?, stack.output("EventBusName")?));
    checks.extend(examiner.deliveries().await?);
    checks.push(examiner.receipts().await?);
    checks.extend(examiner.open_work().await?);
    checks.push(examiner.submissions().await?);
    checks.push(examiner.executions(now - health.since.0).await?);
    // What is wrong first; otherwise in this order.
    checks.sort_by_key(|check| Reverse(check.state));
    let degraded = checks.iter().filter(|check| check.state == State::Degraded).count();
    let state = if degraded > 0 { State::Degraded } else { State::Ok };
    out.answer(&json!({ "state": state, "checks": checks }), || render(out, &checks, now));
    match degraded {
        0 => Ok(()),
        some => Err(Failure::new(Exit::Degraded, format!("{} degraded", count(some, "check is", "checks are")))),
    }
}

/// Open work that is only counted.
const OPEN_WORK: [(Open, &str, &str); 5] = [
    (Open::Resumption, "decisions whose execution waits", "the sweeper resumes them; slip-ops trace tells more of one"),
    (
        Open::ReportMail,
        "reports whose approvers were not mailed",
        "slip-ops dlq list notifications; slip-ops trace rpt_…",
    ),
    (
        Open::Mail,
        "mails that are due",
        "slip-ops trace bat_… tells why; once SES takes mail again, slip-ops dlq redrive notifications --all",
    ),
    (Open::Erasure, "deleted receipts whose files are there", "the sweeper erases them; look at its log"),
    (Open::Background, "exports and erasures that do not get on", "slip-ops dlq list exports"),
];

struct Examiner<'a> {
    stack: &'a Stack,
    store: Store,
    now: Timestamp,
    /// What has waited since before is stuck.
    before: Timestamp,
}

/// A piece of open work, as the index has it.
#[derive(Debug, Deserialize)]
struct Piece {
    #[serde(rename = "GSI3SK")]
    place: String,
}

impl Piece {
    /// Since when it waits.
    fn since(&self) -> Option<Timestamp> {
        self.place.split('#').next().and_then(|text| text.parse().ok())
    }

    /// What it is.
    fn id(&self) -> &str {
        self.place.split_once('#').map_or(&self.place, |(_, id)| id)
    }
}

impl Examiner<'_> {
    async fn dead_letters(&self) -> Outcome<Vec<Check>> {
        let mut checks = Vec::new();
        for queue in letters::queues(self.stack) {
            let name = format!("dead letters of {}", queue.name);
            let depth = letters::depth(self.stack, &queue.name, &queue.url).await?;
            let waiting = depth.visible + depth.in_flight;
            if waiting == 0 {
                checks.push(Check::ok(name, "none"));
                continue;
            }
            let list = format!("slip-ops dlq list {} tells how old and why; mend the cause, then ", queue.name);
            let remedy =
                list + if queue.work.is_some() { "redrive" } else { "discard; the sweeper does what they were for" };
            checks.push(Check::degraded(name, count(waiting, "message", "messages"), remedy));
        }
        Ok(checks)
    }

    async fn set_aside(&self) -> Outcome<Check> {
        let waiting = Bucket::of(self.stack)?.waiting().await?;
        let name = "records set aside";
        Ok(match waiting.first() {
            None => Check::ok(name, "none"),
            Some(oldest) => {
                let detail = count(waiting.len(), "object", "objects");
                Check::degraded(name, detail, "slip-ops dlq list set-aside").since(Some(oldest.at))
            }
        })
    }

    /// How much waits in the queues; how long, the work itself tells.
    async fn queues(&self) -> Outcome<Vec<Check>> {
        let mut checks = Vec::new();
        for (name, url) in self.stack.outputs_ending("QueueUrl").filter(|(name, _)| !name.ends_with("DeadLetter")) {
            let name = kebab(name);
            let depth = letters::depth(self.stack, &name, url).await?;
            let detail = format!("{} waiting, {} held, {} for later", depth.visible, depth.in_flight, depth.delayed);
            let check = if depth.visible + depth.in_flight == 0 { Check::ok } else { Check::note };
            checks.push(check(format!("queue {name}"), detail));
        }
        Ok(checks)
    }

    /// Events that were not seen delivered, and whether the sweeper looks after them.
    async fn deliveries(&self) -> Outcome<Vec<Check>> {
        let projections = self.stack.projections()?;
        let mark: Option<DeliveryMark> = projections.get(&keys::delivery_sweep()).await?;
        let floor = self.now - LOOK_BACK;
        let since = mark.map_or(floor, |mark| mark.delivered_until.max(floor));
        let mut missing: Vec<EventRecord> = Vec::new();
        // The mark goes past what is no event: that is looked for behind it, too.
        let strangers = outbox::events_between(&self.store.table, floor, self.now, async |mut page| {
            page.retain(|record| record.occurred_at >= since && record.occurred_at <= self.before);
            missing.extend(outbox::unseen(&projections, page).await?);
            Ok::<_, StoreError>(())
        });
        let strangers = strangers.await?;
        Ok(vec![delivered(&missing), no_events(&strangers), swept(mark, self.now)])
    }

    /// Receipts whose bytes are there and that are not read.
    async fn receipts(&self) -> Outcome<Check> {
        let waiting: Vec<ReceiptRecord> = self.store.table.query_all(&self.old(Open::Receipt)).await?;
        Ok(unread(&waiting, self.now))
    }

    fn old(&self, open: Open) -> IndexQuery {
        IndexQuery { until: Some(keys::instant(self.before)), ..IndexQuery::of(Index::Open, open.pk()) }
    }

    async fn open_work(&self) -> Outcome<Vec<Check>> {
        let mut checks = Vec::new();
        for (open, name, remedy) in OPEN_WORK {
            let old: Vec<Piece> = self.store.table.query_all(&self.old(open)).await?;
            checks.push(stuck(name, remedy, &old));
        }
        Ok(checks)
    }

    /// Submissions that nobody works on: the claimed execution does not run, or there is none.
    async fn submissions(&self) -> Outcome<Check> {
        let name = "submissions without a running execution";
        let waiting: Vec<ExpenseState> = self.store.table.query_all(&self.old(Open::Submission)).await?;
        if waiting.is_empty() {
            return Ok(Check::ok(name, "none"));
        }
        let machine = self.stack.output("StateMachineArn")?;
        let running = Executions::new(&self.stack.sdk).running(machine).await;
        let running = running.map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
        let submissions: Vec<SubmissionId> = waiting.iter().filter_map(ExpenseState::submission_id).collect();
        let keys: Vec<_> = submissions.iter().map(|submission| keys::claim(*submission)).collect();
        #[derive(Deserialize)]
        struct Claimed {
            #[serde(rename = "PK")]
            pk: String,
            #[serde(flatten)]
            claim: ClaimRecord,
        }
        let claims: Vec<Claimed> = self.store.table.batch_get(&keys).await?;
        let claims: HashMap<String, String> =
            claims.into_iter().map(|claimed| (claimed.pk, claimed.claim.execution)).collect();
        let lost: Vec<String> = submissions
            .iter()
            .zip(&keys)
            .filter(|(_, key)| claims.get(&key.pk).is_none_or(|execution| !running.contains(execution)))
            .map(|(submission, _)| submission.to_string())
            .collect();
        let all = count(waiting.len(), "submission waits", "submissions wait");
        Ok(match lost.first() {
            None => Check::ok(name, format!("none; {all} for a decision")),
            Some(first) => {
                let remedy = "the sweeper starts them again, at growing intervals; slip-ops trace tells why they end";
                let detail = format!("{} of {}, the first {first}", lost.len(), waiting.len());
                let oldest = waiting.iter().map(|expense| expense.updated_at).min();
                Check::degraded(name, detail, remedy).since(oldest)
            }
        })
    }

    /// Executions that failed or ran out of time: to be known. What they worked on is degraded if nobody does by now: above.
    async fn executions(&self, since: Timestamp) -> Outcome<Check> {
        let client = aws_sdk_sfn::Client::new(&self.stack.sdk);
        let machine = self.stack.output("StateMachineArn")?;
        let mut failed = Vec::new();
        for status in [ExecutionStatus::Failed, ExecutionStatus::TimedOut] {
            let listed = client.list_executions().state_machine_arn(machine).status_filter(status.clone());
            let listed = listed.max_results(100).send().await;
            let listed = listed.map_err(|error| Failure::of("executions cannot be listed", error))?;
            let ended = listed.executions().iter().filter_map(|execution| {
                let at = execution.stop_date().unwrap_or(execution.start_date());
                let at = Timestamp::from_second(at.secs()).ok()?;
                (at >= since).then(|| (at, execution.name().to_owned()))
            });
            failed.extend(ended);
        }
        failed.sort();
        let name = "failed executions";
        Ok(match failed.last() {
            None => Check::ok(name, "none"),
            Some((at, last)) => {
                let detail = format!("{} since {}, the last {last}", failed.len(), time::second(since));
                let oldest = failed.first().map_or(*at, |(at, _)| *at);
                let remedy = Cow::Borrowed("slip-ops trace and the execution's name tells the cause");
                Check { remedy, ..Check::note(name, detail) }.since(Some(oldest))
            }
        })
    }
}

fn disabled(all: &[rules::Rule], bus: &str) -> Check {
    let name = "rules";
    let off: Vec<&rules::Rule> = all.iter().filter(|rule| !rule.enabled).collect();
    let Some(first) = off.first() else { return Check::ok(name, "all are enabled") };
    let names: Vec<&str> = off.iter().map(|rule| rule.name.as_str()).collect();
    let physical = first.arn.rsplit('/').next().unwrap_or_default();
    let remedy = format!("no events go there: aws events enable-rule --event-bus-name {bus} --name {physical}");
    Check::degraded(name, format!("disabled: {}", names.join(", ")), remedy)
}

fn delivered(missing: &[EventRecord]) -> Check {
    let name = "events not seen delivered";
    match missing.first() {
        None => Check::ok(name, "none"),
        Some(oldest) => {
            let remedy =
                "look at event-publisher, dlq projections and the rules; slip-ops republish publishes them again";
            let events = count(missing.len(), "event", "events");
            let id = oldest.event().map(|event| event.metadata.id.to_string()).unwrap_or_default();
            Check::degraded(name, format!("{events}, the first {id}"), remedy).since(Some(oldest.occurred_at))
        }
    }
}

fn no_events(keys: &[Key]) -> Check {
    let name = "items that are no events";
    match keys.first() {
        None => Check::ok(name, "none"),
        Some(first) => {
            let detail = format!("{}, the first {} / {}", keys.len(), first.pk, first.sk);
            Check::degraded(name, detail, "somebody wrote into the table by hand: mend or delete the items")
        }
    }
}

fn swept(mark: Option<DeliveryMark>, now: Timestamp) -> Check {
    let name = "sweeper";
    match mark {
        None => Check::note(name, "it has not swept yet"),
        Some(mark) if mark.delivered_until < now - SWEEPER_SILENT => {
            let remedy = "it does not run, or waits for an event that is not delivered; look at its log";
            let detail = format!("its mark is {} old", time::age(mark.delivered_until, now));
            Check::degraded(name, detail, remedy).since(Some(mark.delivered_until))
        }
        Some(mark) => Check::ok(name, format!("all was delivered until {}", time::second(mark.delivered_until))),
    }
}

fn unread(waiting: &[ReceiptRecord], now: Timestamp) -> Check {
    let name = "receipts that are not read";
    // Where nothing was uploaded yet, it is the client's turn. Whoever has the lease is at it.
    let at_it = |record: &&ReceiptRecord| record.lease.as_ref().is_some_and(|lease| lease.until > now);
    let stuck: Vec<_> = waiting.iter().filter(|record| record.uploaded_at.is_some() && !at_it(record)).collect();
    let announced = waiting.iter().filter(|record| record.uploaded_at.is_none()).count();
    let oldest = stuck.iter().filter_map(|record| record.uploaded_at).min();
    match stuck.first() {
        Some(first) => {
            let detail = format!("{}, the first {}", stuck.len(), first.state.id);
            Check::degraded(name, detail, "slip-ops dlq list receipt; slip-ops trace rcp_…").since(oldest)
        }
        None if announced > 0 => Check::ok(name, format!("none; {announced} announced and not seen uploaded")),
        None => Check::ok(name, "none"),
    }
}

fn stuck(name: &str, remedy: &'static str, old: &[Piece]) -> Check {
    match old.first() {
        None => Check::ok(name, "none"),
        Some(oldest) => {
            let detail = format!("{}, the first {}", old.len(), oldest.id());
            Check::degraded(name, detail, remedy).since(oldest.since())
        }
    }
}

fn render(out: &Out, checks: &[Check], now: Timestamp) -> String {
    let mut table = Table::new(["", "CHECK", "FOUND", "OLDEST", "WHAT TO DO"]);
    for check in checks {
        let (mark, tone) = match check.state {
            State::Ok => ("ok", Tone::Good),
            State::Note => ("--", Tone::Plain),
            State::Degraded => ("!!", Tone::Bad),
        };
        let age = check.oldest_at.map(|at| time::age(at, now)).unwrap_or_default();
        let cells = [mark.to_owned(), check.name.clone(), check.detail.clone(), age, check.remedy.to_string()];
        table.row(tone, cells);
    }
    table.render(out)
}

#[cfg(test)]
mod tests {
    use slipstream_common::records::Lease;
    use slipstream_events::{MediaType, PersonId, ReceiptId, ReceiptState, ReceiptStatus};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn receipt(uploaded: Option<&str>, leased_until: Option<&str>) -> ReceiptRecord {
        let person: PersonId = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap();
        ReceiptRecord {
            state: ReceiptState {
                id: ReceiptId::derived_from(&["test"]),
                version: 1,
                owner: person,
                status: ReceiptStatus::AwaitingUpload,
                sha256: "00".to_owned(),
                size_bytes: 12,
                media_type: MediaType::Jpeg,
                failure: None,
                expense: None,
                created_at: Timestamp::UNIX_EPOCH,
            },
            correlation_id: "c".to_owned(),
            announced_at: Timestamp::UNIX_EPOCH,
            lease: leased_until.map(|until| Lease { holder: "me".to_owned(), until: at(until) }),
            object_version: None,
            deaths: 0,
            requeued_at: None,
            pages: 0,
            page_count: 0,
            uploaded_at: uploaded.map(at),
            generation: 0,
            submitted: false,
            deleted_at: None,
            erased_at: None,
        }
    }

    #[test]
    fn a_receipt_is_stuck_when_its_bytes_are_there_and_nobody_is_at_it() {
        let now = at("2026-03-12T12:00:00Z");
        let announced = receipt(None, None);
        let read_now = receipt(Some("2026-03-12T11:00:00Z"), Some("2026-03-12T12:01:00Z"));
        let check = unread(&[announced, read_now.clone()], now);
        assert_eq!((check.state, check.detail.as_str()), (State::Ok, "none; 1 announced and not seen uploaded"));
        let died = receipt(Some("2026-03-12T11:00:00Z"), Some("2026-03-12T11:05:00Z"));
        let check = unread(&[read_now, died], now);
        assert_eq!((check.state, check.oldest_at), (State::Degraded, Some(at("2026-03-12T11:00:00Z"))));
    }

    #[test]
    fn the_sweeper_is_missed_when_its_mark_grows_old() {
        let now = at("2026-03-12T12:00:00Z");
        let mark = |text: &str| Some(DeliveryMark { delivered_until: at(text) });
        assert_eq!(swept(mark("2026-03-12T11:55:00Z"), now).state, State::Ok);
        let silent = swept(mark("2026-03-12T11:00:00Z"), now);
        assert_eq!((silent.state, silent.detail.as_str()), (State::Degraded, "its mark is 1 h 0 min old"));
        assert_eq!(swept(None, now).state, State::Note);
    }

    #[test]
    fn a_rule_that_is_off_is_named_with_the_command_that_turns_it_on() {
        let rule = |name: &str, enabled| rules::Rule {
            name: name.to_owned(),
            arn: format!("arn:aws:events:us-east-1:1:rule/slipstream/slipstream-{name}"),
            enabled,
            pattern: json!({}),
        };
        assert_eq!(disabled(&[rule("approval", true)], "slipstream").state, State::Ok);
        let off = disabled(&[rule("approval", true), rule("projections", false)], "slipstream");
        assert_eq!((off.state, off.detail.as_str()), (State::Degraded, "disabled: projections"));
        assert!(
            off.remedy.ends_with("enable-rule --event-bus-name slipstream --name slipstream-projections"),
            "{}",
            off.remedy
        );
    }

    #[test]
    fn open_work_tells_since_when_it_waits() {
        let old = [Piece { place: "2026-03-12T11:00:00.000000Z#exp_1".to_owned() }];
        let check = stuck("mails that are due", "look", &old);
        assert_eq!((check.state, check.oldest_at), (State::Degraded, Some(at("2026-03-12T11:00:00Z"))));
        assert_eq!(check.detail, "1, the first exp_1");
        assert_eq!(stuck("mails that are due", "look", &[]).state, State::Ok);
    }

    #[test]
    fn the_table_says_what_to_do() {
        let bad = Check::degraded("records set aside", "1 object", "slip-ops dlq list set-aside");
        let checks = [Check::ok("sweeper", "fine"), bad.since(Some(at("2026-03-12T11:00:00Z")))];
        let text = render(&Out::new(true), &checks, at("2026-03-12T12:00:00Z"));
        assert!(text.contains("ok  sweeper"), "{text}");
        assert!(text.contains("!!  records set aside  1 object  1 h 0 min  slip-ops dlq list set-aside"), "{text}");
    }
}
