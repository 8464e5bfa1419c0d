//! One timeline of all that happened to something: events, steps, the state machine, mails, queues, logs.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_sfn::{
    Client,
    operation::{describe_execution::DescribeExecutionError, get_execution_history::GetExecutionHistoryError},
    types::{HistoryEvent, HistoryEventType},
};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use slipstream_common::{
    keys::{self, EVENT_PREFIX, Index, Key, Open},
    mailing::{Gathering, Kind, Nudge, StepId},
    outbox,
    records::{EventRecord, GuardRecord, ReceiptRecord, StepRecord, StepStatus},
    store::Store,
    table::IndexQuery,
};
use slipstream_events::{BatchId, Event, ExpenseId, ReceiptId, SubjectType, SubmissionId};

use super::note_unreadable;
use crate::{
    failure::{Failure, Outcome},
    letters::{self, Bucket},
    logs,
    named::Named,
    output::{Out, Tone},
    stack::Stack,
    story::{Entry, Source, Story, as_json, render},
    time::{self, Instant},
};

/// How long an event may be on its way before its not being seen is worth a word.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_mins(2);
/// Before the first event its request was logged.
const BEFORE: SignedDuration = SignedDuration::from_mins(1);
/// How far back a request is looked for, at most: ten years, the most that `LogRetentionDays` allows.
const LONGEST_LOOK: SignedDuration = SignedDuration::from_hours(3660 * 24);
/// The function that mails.
const MAILER: &str = "notifications";
/// How many dead letters of a queue are looked through.
const MOST_LETTERS: usize = 200;
/// How many set-aside objects are looked through.
const MOST_OBJECTS: usize = 50;
/// By which names `notifications` guards what it does about one event, and what that is.
const MAIL_GUARDS: [(&str, &str); 2] =
    [("notifications", "dealt with"), ("notifications/decider", "to be confirmed to the decider")];

/// Of what.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  slip-ops trace exp_0b7ad7a56b0f4f0e9c380d2f3f5f7a11      an expense
  slip-ops trace exp_0b7ad7a56b0f4f0e9c380d2f3f5f7a11.2    its second submission
  slip-ops trace rcp_…                                     a receipt, and the expense drafted of it
  slip-ops trace expense/exp_…/4                           an event, among its subject's
  slip-ops trace arn:aws:states:…:execution:…              an execution, or its name
  slip-ops trace bat_…                                     a mail about several approvals
  slip-ops trace 0d9c1f1e-5a3b-4a55-9a53-2f1f4f0b7c11      a request, or a correlation id")]
pub(crate) struct Trace {
    /// An id: of an expense, a submission, a receipt, a report, an event, an execution, a batch of mail, a request, or a
    /// correlation id
    id: String,
    /// For requests and correlation ids: how far back to look
    #[arg(long, default_value = "2d", value_name = "WHEN")]
    since: Instant,
    /// Leaves the logs out
    #[arg(long)]
    no_logs: bool,
    /// Does not look into dead-letter queues, which hides their messages from others for a moment
    #[arg(long)]
    no_queues: bool,
}

/// Runs it.
///
/// # Errors
/// When there is nothing of that id, or a service does not answer.
pub(crate) async fn run(out: &Out, stack: &Stack, trace: Trace) -> Outcome {
    let named = Named::parse("ID", &trace.id)?;
    if trace.since.0 < Timestamp::now() - LONGEST_LOOK {
        return Err(Failure::usage("--since: no log is kept longer than ten years"));
    }
    let teller = Teller { stack, store: stack.store()?, client: Client::new(&stack.sdk), now: Timestamp::now() };
    let mut story = Story::default();
    let mut window = None;
    let mut lines = None;
    match named {
        Named::Expense(id) => teller.expense(&mut story, id).await?,
        Named::Submission(id) => {
            teller.expense(&mut story, id.expense).await?;
            window = Some(teller.window(&story, id)?);
        }
        Named::Receipt(id) => teller.receipt_and_expense(&mut story, id).await?,
        Named::Subject(kind, id, version) => teller.subject(&mut story, kind, &id, version).await?,
        Named::Batch(id) => {
            story.ids.insert(id.to_string());
            teller.batches(&mut story, BTreeSet::from([id])).await?;
        }
        Named::Execution(arn) => teller.of_execution(&mut story, &arn).await?,
        Named::Other(id) => {
            let machine = stack.output("StateMachineArn")?;
            let arn = format!("{}:{id}", machine.replacen(":stateMachine:", ":execution:", 1));
            if !teller.known_execution(&mut story, &arn).await? {
                lines = Some(teller.request(out, &mut story, &id, trace.since.0).await?);
            }
        }
    }
    let since = story.earliest().unwrap_or(trace.since.0) - BEFORE;
    if !trace.no_queues {
        teller.dead_letters(&mut story).await?;
    }
    if !trace.no_logs {
        let found = match lines {
            Some(lines) => lines,
            None => logs::naming(stack, &logs::groups(stack, None), &story.ids, since).await?,
        };
        add_lines(&mut story, &found);
        let batches: BTreeSet<BatchId> =
            found.iter().filter_map(|line| line.field("batch.id")).filter_map(|id| id.parse().ok()).collect();
        let ids: BTreeSet<String> = batches.iter().map(ToString::to_string).collect();
        let asked_for = &story.ids;
        let batches = batches.into_iter().filter(|id| !asked_for.contains(&id.to_string())).collect();
        teller.batches(&mut story, batches).await?;
        let told = |line: &logs::Line| found.contains(line);
        let further = logs::naming(stack, &logs::groups(stack, Some(MAILER)), &ids, since).await?;
        add_lines(&mut story, &further.into_iter().filter(|line| !told(line)).collect::<Vec<_>>());
    }
    if let Some((from, until)) = window {
        story.narrow(from, until);
    }
    if story.entries.is_empty() {
        let id = &trace.id;
        return Err(Failure::not_found(format!(
            "nothing is known of {id}: no event, no execution, and no log line since {}; --since looks further back",
            time::second(trace.since.0)
        )));
    }
    story.sort();
    out.answer(&as_json(&trace.id, &story.entries), || render(out, &story.entries, teller.now));
    Ok(())
}

/// Gathers a story.
struct Teller<'a> {
    stack: &'a Stack,
    store: Store,
    client: Client,
    now: Timestamp,
}

/// A guard, and what it guards.
#[derive(Debug, Deserialize)]
struct Guarded {
    #[serde(rename = "PK")]
    pk: String,
    #[serde(flatten)]
    guard: GuardRecord,
}

impl Teller<'_> {
    /// Everything about an expense: its events, those of its receipts, its approvals.
    async fn expense(&self, story: &mut Story, id: ExpenseId) -> Outcome {
        let history = self.store.history(id).await?;
        if history.is_empty() {
            return Err(Failure::not_found(format!("there is no expense {id}, or its legal term is over")));
        }
        story.ids.insert(id.to_string());
        let events = self.events(story, history).await?;
        let mut receipts = BTreeSet::new();
        let mut submissions = 0;
        for state in events.iter().filter_map(|event| event.data.expense()) {
            receipts.extend(state.receipt);
            submissions = submissions.max(state.submission);
        }
        for receipt in receipts {
            self.receipt(story, receipt).await?;
        }
        for number in 1..=submissions {
            self.submission(story, SubmissionId { expense: id, number }).await?;
        }
        Ok(())
    }

    /// From when until when a submission lasted.
    fn window(&self, story: &Story, id: SubmissionId) -> Outcome<(Timestamp, Option<Timestamp>)> {
        let begun = |entry: &&Entry| {
            entry.source == Source::Event && matches!(entry.what.as_str(), "ExpenseSubmitted" | "ExpenseReopened")
        };
        let mut starts: Vec<Timestamp> = story.entries.iter().filter(begun).map(|entry| entry.at).collect();
        starts.sort();
        let at = usize::try_from(id.number).unwrap_or(usize::MAX) - 1;
        let from = *starts.get(at).ok_or_else(|| {
            Failure::not_found(format!("{} has no submission {}; there are {}", id.expense, id.number, starts.len()))
        })?;
        Ok((from, starts.get(at + 1).copied()))
    }

    /// A receipt, and the expense that was drafted of it.
    async fn receipt_and_expense(&self, story: &mut Story, id: ReceiptId) -> Outcome {
        let record = self.store.receipt(id).await?;
        let expense = match record.and_then(|record| record.state.expense) {
            Some(expense) => Some(expense),
            None => self.store.receipt_use(id).await?,
        };
        match expense {
            // It may have another receipt by now.
            Some(expense) if !self.store.history(expense).await?.is_empty() => self.expense(story, expense).await?,
            _ => {}
        }
        if !story.ids.contains(&id.to_string()) {
            self.receipt(story, id).await?;
        }
        if story.entries.is_empty() {
            return Err(Failure::not_found(format!("there is no receipt {id}, or its legal term is over")));
        }
        Ok(())
    }

    async fn receipt(&self, story: &mut Story, id: ReceiptId) -> Outcome {
        story.ids.insert(id.to_string());
        let partition = keys::subject_partition(SubjectType::Receipt, &id.to_string());
        let history: Vec<EventRecord> = self.store.table.partition(&partition, EVENT_PREFIX).await?;
        self.events(story, history).await?;
        if let Some(record) = self.store.receipt(id).await? {
            about_receipt(story, &record, self.now);
        }
        Ok(())
    }

    /// Any other subject of events.
    async fn subject(&self, story: &mut Story, kind: SubjectType, id: &str, version: Option<u64>) -> Outcome {
        match kind {
            SubjectType::Expense => {
                let id = id.parse().map_err(|_| Failure::usage(format!("ID: `{id}` is no expense id")))?;
                self.expense(story, id).await?;
            }
            SubjectType::Receipt => {
                let id = id.parse().map_err(|_| Failure::usage(format!("ID: `{id}` is no receipt id")))?;
                self.receipt_and_expense(story, id).await?;
            }
            _ => {
                let partition = keys::subject_partition(kind, id);
                let history: Vec<EventRecord> = self.store.table.partition(&partition, EVENT_PREFIX).await?;
                // Reports have ids of their own; of others only their events' ids are in logs.
                let own = matches!(kind, SubjectType::Report);
                story.ids.insert(if own { id.to_owned() } else { format!("{}/{id}/", kind.as_str()) });
                self.events(story, history).await?;
            }
        }
        let Some(version) = version else { return Ok(()) };
        let wanted = format!("{}/{id}/{version}", kind.as_str());
        let found = story.entries.iter_mut().find(|entry| entry.id.as_ref() == Some(&wanted));
        match found {
            Some(entry) => {
                entry.detail.push_str("  <- this one");
                Ok(())
            }
            None => Err(Failure::not_found(format!("there is no event {wanted}"))),
        }
    }

    /// Events, whether they were delivered, and the mails that they led to.
    async fn events(&self, story: &mut Story, history: Vec<EventRecord>) -> Outcome<Vec<Event>> {
        let mut events = Vec::new();
        for record in history {
            match record.event() {
                Ok(event) => events.push(event),
                Err(fault) => {
                    let what = record.detail_type;
                    story.note(record.occurred_at, Source::Event, Tone::Bad, what, format!("cannot be read: {fault}"));
                }
            }
        }
        let marks: Vec<Key> = events.iter().map(|event| keys::seen(&event.metadata.subject)).collect();
        let seen = outbox::seen_of(&self.stack.projections()?, &marks).await?;
        let oldest_known = self.now - outbox::SEEN_FOR;
        for (event, mark) in events.iter().zip(&marks) {
            let metadata = &event.metadata;
            let lost = !seen.contains(mark)
                && metadata.occurred_at < self.now - ON_ITS_WAY
                && metadata.occurred_at > oldest_known;
            let (tone, remark) = if lost { (Tone::Bad, "; not seen delivered") } else { (Tone::Plain, "") };
            story.entries.push(Entry {
                at: metadata.occurred_at,
                source: Source::Event,
                what: metadata.event_type.to_string(),
                detail: format!("{} by {}{remark}", metadata.id, metadata.actor),
                tone,
                id: Some(metadata.id.to_string()),
            });
        }
        self.mails(story, &events).await?;
        Ok(events)
    }

    async fn mails(&self, story: &mut Story, events: &[Event]) -> Outcome {
        let mut about = BTreeMap::new();
        for event in events {
            for (consumer, what) in MAIL_GUARDS {
                let pk = keys::guard(consumer, &event.metadata.id).pk;
                about.insert(pk, format!("{} {what}", event.metadata.event_type));
            }
        }
        let wanted: Vec<Key> = about.keys().map(|pk| Key { pk: pk.clone(), sk: "DONE".to_owned() }).collect();
        let found: Vec<Guarded> = self.store.table.batch_get(&wanted).await?;
        for Guarded { pk, guard } in found {
            let Some(what) = about.get(&pk) else { continue };
            let tries = if guard.attempts > 1 { format!(" at attempt {}", guard.attempts) } else { String::new() };
            match guard.done_at {
                // What asks for something is in a batch, which says for itself whether it is out.
                Some(at) => story.note(at, Source::Mail, Tone::Plain, format!("{what}{tries}"), ""),
                None => {
                    let what = format!("{what}? Begun and not ended, attempt {}", guard.attempts);
                    story.note(guard.lease.until, Source::Mail, Tone::Warning, what, "the end of its lease");
                }
            }
        }
        Ok(())
    }

    /// Mails about what falls together, and whether they are out.
    async fn batches(&self, story: &mut Story, batches: BTreeSet<BatchId>) -> Outcome {
        let about = |nudge: &Nudge, steps: &[StepId]| {
            let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
            format!("{}: {} to {}, about {}", nudge.batch, nudge.kind.name(), nudge.person, steps.join(", "))
        };
        let mut gathered = BTreeSet::new();
        for id in batches {
            let Some(batch) = self.store.batch(id).await? else {
                gathered.insert(id);
                continue;
            };
            let (at, tone, what) = match batch.sent_at {
                // It is noted before it is sent: its log line tells of that.
                Some(at) if batch.nudge.kind == Kind::Reminder => (at, Tone::Plain, "a reminder is begun"),
                Some(at) => (at, Tone::Good, "mail sent, unless nothing waited any more"),
                None => (batch.due_at, Tone::Bad, "mail due, and not sent"),
            };
            story.note(at, Source::Mail, tone, what, about(&batch.nudge, &batch.steps));
        }
        if gathered.is_empty() {
            return Ok(());
        }
        // What is no batch yet stands under the person that it is for.
        let open = IndexQuery::of(Index::Open, Open::Mail.pk());
        let open: Vec<Gathering> = self.store.table.query_all(&open).await?;
        for gathering in open.iter().filter(|gathering| gathered.contains(&gathering.nudge.batch)) {
            let about = about(&gathering.nudge, &gathering.steps);
            story.note(gathering.due_at, Source::Mail, Tone::Warning, "mail gathered; due", about);
        }
        Ok(())
    }

    /// What was asked, and the executions that did.
    async fn submission(&self, story: &mut Story, id: SubmissionId) -> Outcome {
        story.ids.insert(id.to_string());
        for step in self.store.steps(id).await? {
            about_step(story, &step);
        }
        let Some(claim) = self.store.claim(id).await? else { return Ok(()) };
        let mut executions = BTreeSet::from([claim.execution.clone()]);
        if let Some((machine, _)) = claim.execution.rsplit_once(':') {
            let name = |restart| format!("{machine}:{}-{}-restart-{restart}", id.expense, id.number);
            executions.extend((1..=claim.restarts).map(name));
        }
        for arn in executions {
            self.execution(story, &arn).await?;
        }
        Ok(())
    }

    /// An execution's history; of one that is forgotten there is none.
    async fn execution(&self, story: &mut Story, arn: &str) -> Outcome {
        if !story.executions.insert(arn.to_owned()) {
            return Ok(());
        }
        let request = self.client.get_execution_history().execution_arn(arn).include_execution_data(false);
        let mut pages = request.into_paginator().items().send();
        let name = arn.rsplit(':').next().unwrap_or(arn);
        while let Some(event) = pages.next().await {
            match event {
                Ok(event) => story.entries.extend(of_machine(name, &event)),
                Err(error)
                    if error.as_service_error().is_some_and(GetExecutionHistoryError::is_execution_does_not_exist) =>
                {
                    return Ok(());
                }
                Err(error) => return Err(Failure::of(&format!("the history of {arn} cannot be read"), error)),
            }
        }
        Ok(())
    }

    async fn of_execution(&self, story: &mut Story, arn: &str) -> Outcome {
        if self.known_execution(story, arn).await? {
            return Ok(());
        }
        Err(Failure::not_found(format!("there is no execution {arn}; Step Functions forgets them after 90 days")))
    }

    /// The execution and the expense that it is about, if there is such an execution.
    async fn known_execution(&self, story: &mut Story, arn: &str) -> Outcome<bool> {
        let described = self.client.describe_execution().execution_arn(arn).send().await;
        let described = match described {
            Ok(described) => described,
            Err(error) => {
                return match error.as_service_error() {
                    Some(DescribeExecutionError::ExecutionDoesNotExist(_) | DescribeExecutionError::InvalidArn(_)) => {
                        Ok(false)
                    }
                    _ => Err(Failure::of(&format!("the execution {arn} cannot be looked at"), error)),
                };
            }
        };
        let input: Value = described.input().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let expense = input.pointer("/detail/data/expense/id").and_then(Value::as_str);
        if let Some(id) = expense.and_then(|id| id.parse().ok()) {
            self.expense(story, id).await?;
        }
        self.execution(story, arn).await?;
        Ok(true)
    }

    /// Everything that one request set in motion: its log lines, and the events that carry its correlation id.
    async fn request(&self, out: &Out, story: &mut Story, id: &str, since: Timestamp) -> Outcome<Vec<logs::Line>> {
        let groups = logs::groups(self.stack, None);
        let mut lines = logs::naming(self.stack, &groups, &BTreeSet::from([id.to_owned()]), since).await?;
        let mut correlations: BTreeSet<String> =
            lines.iter().filter_map(|line| line.field("correlation.id")).map(ToOwned::to_owned).collect();
        // An API request's id is the correlation id where the client gave none.
        correlations.insert(id.to_owned());
        let further: BTreeSet<String> = correlations.iter().filter(|known| *known != id).cloned().collect();
        if !further.is_empty() {
            lines.extend(logs::naming(self.stack, &groups, &further, since).await?);
            lines.sort_by_key(|line| line.at);
            lines.dedup();
        }
        let mut records = Vec::new();
        let no_events = outbox::events_between(&self.store.table, since, self.now, async |page| {
            let carries = |record: &EventRecord| {
                correlations.iter().any(|id| record.detail.contains(&format!("\"correlation_id\":\"{id}\"")))
            };
            records.extend(page.into_iter().filter(carries));
            Ok::<_, Failure>(())
        });
        note_unreadable(out, &no_events.await?);
        self.events(story, records).await?;
        story.ids.extend(correlations);
        Ok(lines)
    }

    /// Dead letters and set-aside records that name it.
    async fn dead_letters(&self, story: &mut Story) -> Outcome {
        let ids = story.ids.clone();
        let names = |text: &str| ids.iter().any(|id| text.contains(id));
        for queue in letters::queues(self.stack) {
            let depth = letters::depth(self.stack, &queue.name, &queue.url).await?;
            if depth.visible == 0 {
                continue;
            }
            let held = letters::hold(self.stack, &queue, MOST_LETTERS, |_| false).await?;
            let found = held.letters.clone();
            held.give_back().await;
            for letter in found.iter().filter(|letter| names(&letter.body)) {
                let reason = letter.own_reason().unwrap_or_else(|| "its reason is in the log".to_owned());
                let what = format!("in the dead-letter queue {}", queue.name);
                story.note(letter.sent_at, Source::Queue, Tone::Bad, what, format!("{}: {reason}", letter.id));
            }
        }
        let bucket = Bucket::of(self.stack)?;
        for object in bucket.waiting().await?.into_iter().take(MOST_OBJECTS) {
            let content = bucket.find(&object.key).await?;
            if content.is_some_and(|content| names(&content.to_string())) {
                story.note(object.at, Source::Queue, Tone::Bad, "set aside", object.key);
            }
        }
        Ok(())
    }
}

/// What only the receipt's item tells.
fn about_receipt(story: &mut Story, record: &ReceiptRecord, now: Timestamp) {
    let id = record.state.id;
    if let Some(at) = record.uploaded_at {
        story.note(at, Source::Receipt, Tone::Plain, "the upload is seen", id.to_string());
    }
    if let Some(at) = record.requeued_at {
        story.note(at, Source::Receipt, Tone::Warning, "queued again by the sweeper", id.to_string());
    }
    if let Some(lease) = record.lease.as_ref().filter(|lease| lease.until > now) {
        let what = "the lease of its reader ends";
        story.note(lease.until, Source::Receipt, Tone::Plain, what, format!("{id}, held by {}", lease.holder));
    }
    if record.deaths > 0 {
        let what = format!("{} readers have died over it", record.deaths);
        story.note(record.announced_at, Source::Receipt, Tone::Bad, what, id.to_string());
    }
}

/// What a step waits for, or that its execution has yet to go on.
fn about_step(story: &mut Story, step: &StepRecord) {
    let name = format!("step {} of {}", step.step, step.submission);
    match step.status {
        StepStatus::Pending => {
            let who = format!("asks {}", step.approver);
            if let Some(at) = step.remind_at {
                story.note(at, Source::Step, Tone::Faint, format!("{name}: to be reminded"), who.clone());
            }
            if let Some(at) = step.escalate_at {
                story.note(at, Source::Step, Tone::Faint, format!("{name}: to be escalated"), who.clone());
            }
            story.note(step.due_at, Source::Step, Tone::Warning, format!("{name}: due"), who);
        }
        StepStatus::Decided => {
            let outcome = serde_json::to_value(step.outcome).ok();
            let outcome = outcome.as_ref().and_then(Value::as_str).unwrap_or("decided").to_owned();
            let who = step.decided_by.map(|who| format!("by {who}")).unwrap_or_default();
            if let Some(at) = step.decided_at {
                story.note(at, Source::Step, Tone::Good, format!("{name}: {outcome}"), who);
            }
        }
        // What closed it is an event.
        StepStatus::Closed => {}
    }
}

/// What of an execution's history is worth a line.
fn of_machine(name: &str, event: &HistoryEvent) -> Option<Entry> {
    use HistoryEventType as T;
    let at = Timestamp::from_nanosecond(event.timestamp().as_nanos()).ok()?;
    let kind = event.r#type();
    let entered = event.state_entered_event_details().map(|details| details.name().to_owned());
    let failed = |error: Option<&str>, cause: Option<&str>| {
        [error.map(str::to_owned), cause.map(said)].into_iter().flatten().collect::<Vec<_>>().join(": ")
    };
    let aborted = || event.execution_aborted_event_details().map(|why| failed(why.error(), why.cause()));
    let timed_out = || event.execution_timed_out_event_details().map(|why| failed(why.error(), why.cause()));
    let execution = || event.execution_failed_event_details().map(|why| failed(why.error(), why.cause()));
    let task = || event.task_failed_event_details().map(|why| failed(why.error(), why.cause()));
    let detail = aborted().or_else(timed_out).or_else(execution).or_else(task).unwrap_or_default();
    let (tone, what) = match kind {
        T::ExecutionStarted => (Tone::Plain, "execution started".to_owned()),
        T::ExecutionSucceeded => (Tone::Good, "execution succeeded".to_owned()),
        T::ExecutionAborted => (Tone::Bad, "execution stopped".to_owned()),
        T::ExecutionTimedOut => (Tone::Bad, "execution timed out".to_owned()),
        T::ExecutionFailed => (Tone::Bad, "execution failed".to_owned()),
        T::TaskFailed => (Tone::Warning, "task failed".to_owned()),
        T::TaskTimedOut => (Tone::Plain, "task timed out".to_owned()),
        _ => (Tone::Plain, format!("-> {}", entered?)),
    };
    let detail = if detail.is_empty() { name.to_owned() } else { format!("{detail} ({name})") };
    Some(Entry { at, source: Source::Machine, what, detail, tone, id: None })
}

/// What a cause says: of a function's failure only its message, of all that Lambda puts around it.
fn said(cause: &str) -> String {
    let lambda: Option<Value> = serde_json::from_str(cause).ok();
    let message = lambda.as_ref().and_then(|value| value["errorMessage"].as_str());
    message.unwrap_or(cause).to_owned()
}

fn add_lines(story: &mut Story, lines: &[logs::Line]) {
    for line in lines {
        let tone = match line.level() {
            "ERROR" => Tone::Bad,
            "WARN" => Tone::Warning,
            _ => Tone::Faint,
        };
        let about = line.field("event.id").map(|id| format!("{id} ")).unwrap_or_default();
        let detail = format!("{about}{}", line.details()).trim_end().to_owned();
        story.note(line.at, Source::Log, tone, format!("{}: {}", line.function, line.message()), detail);
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::{
        primitives::DateTime,
        types::{ExecutionFailedEventDetails, StateEnteredEventDetails},
    };

    use super::*;

    #[test]
    fn requests_are_looked_for_as_far_back_as_logs_can_reach() {
        let template = include_str!("../../../../infrastructure/template.yaml");
        let parameter = template.split("\n  LogRetentionDays:\n").nth(1).unwrap();
        let values = parameter.lines().find_map(|line| line.trim().strip_prefix("AllowedValues: [")?.strip_suffix(']'));
        let most: i64 = values.unwrap().rsplit(", ").next().unwrap().parse().unwrap();
        assert!(LONGEST_LOOK >= SignedDuration::from_hours(24 * most));
    }

    #[test]
    fn of_a_machine_the_states_and_the_ends_are_told() {
        let event = |kind: HistoryEventType| {
            HistoryEvent::builder().timestamp(DateTime::from_secs(1)).r#type(kind).id(1).previous_event_id(0)
        };
        let entered = StateEnteredEventDetails::builder().name("Ask").build().unwrap();
        let ask = event(HistoryEventType::TaskStateEntered).state_entered_event_details(entered).build().unwrap();
        assert_eq!(of_machine("x", &ask).unwrap().what, "-> Ask");
        let exited = event(HistoryEventType::TaskStateExited).build().unwrap();
        assert_eq!(of_machine("x", &exited), None, "the next state tells it");
        let details = ExecutionFailedEventDetails::builder().error("NobodyToAsk").cause("no manager").build();
        let failed = event(HistoryEventType::ExecutionFailed).execution_failed_event_details(details).build().unwrap();
        let failed = of_machine("x", &failed).unwrap();
        assert_eq!((failed.tone, failed.detail.as_str()), (Tone::Bad, "NobodyToAsk: no manager (x)"));
    }
}
