//! Replays: events of the past again, to consumers that were chosen.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_eventbridge::{
    Client,
    operation::{
        cancel_replay::CancelReplayError,
        describe_replay::{DescribeReplayError, DescribeReplayOutput},
        start_replay::{StartReplayError, builders::StartReplayFluentBuilder},
    },
    primitives::DateTime,
    types::{ReplayDestination, ReplayState},
};
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};
use slipstream_common::{
    outbox,
    replays::{LONGEST_GIVEN_NAME, LONGEST_NAME, RESEND, may_be_given, resumed_name},
};
use slipstream_events::EventType;

use super::note_unreadable;
use crate::{
    failure::{Exit, Failure, Outcome},
    output::{Out, Table, Tone, count},
    rules::{self, Rule},
    stack::Stack,
    time::{self, Instant},
};

/// How close to now a range may end: it takes up to so long until an event is in the archive
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive.html>).
const ARCHIVED_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// How far back an archive reaches, at most: what the template allows for `ArchiveRetentionDays`.
const LONGEST_ARCHIVE: SignedDuration = SignedDuration::from_hours(1000 * 24);
/// The consumer that sends mails.
const MAILS: &str = "notifications";
/// How often a replay is looked at while it is followed.
const GLANCE: Duration = Duration::from_secs(2);

/// What to do about replays.
#[derive(Debug, Subcommand)]
pub(crate) enum Replay {
    /// Starts a replay and follows it; --dry-run tells what it would deliver
    ///
    /// A chosen consumer gets every event of the range that its rule takes, of whatever type. Nothing is decided twice,
    /// and nobody is mailed without --resend.
    ///
    /// Example: slip-ops replay start --from 2026-03-01 --to 2026-04-01 --rule projections --dry-run
    Start(Start),
    /// Follows a replay, or shows how it stands
    Status {
        /// Its name
        name: String,
        /// Only shows how it stands
        #[arg(long)]
        once: bool,
    },
    /// Lists replays, the latest first; EventBridge remembers them for 90 days
    List,
    /// Stops a replay; what was replayed stays so
    Cancel {
        /// Its name
        name: String,
    },
    /// Goes on where a cancelled or failed replay ended, as a new replay to the same consumers
    Resume {
        /// The name of the one that ended
        name: String,
        /// Does not follow it
        #[arg(long)]
        detach: bool,
    },
}

/// Which events, to whom.
#[derive(Debug, Args)]
pub(crate) struct Start {
    /// From when on: 2026-03-01, 2026-03-01T14:00:00Z, or 36h ago; by the time that events carry
    #[arg(long)]
    from: Instant,
    /// Until when; ten minutes ago without it
    #[arg(long)]
    to: Option<Instant>,
    /// A consumer, by the name of its rule, for example projections; may be given several times
    #[arg(long = "rule", value_name = "NAME")]
    rules: Vec<String>,
    /// An event type, for example ExpenseApproved: every consumer whose rule takes it
    #[arg(long = "type", value_name = "TYPE", value_parser = rules::event_type)]
    types: Vec<EventType>,
    /// Counts the events by type and says who would get them; starts nothing
    #[arg(long)]
    dry_run: bool,
    /// Has the mails of the range sent again, each once: who waits for an answer is asked, owners, deciders and finance
    /// are told; needs --rule notifications
    #[arg(long)]
    resend: bool,
    /// The replay's name; made of the stack's and the time without it
    #[arg(long)]
    name: Option<String>,
    /// Even if the range ends less than ten minutes ago, when events may not be in the archive yet
    #[arg(long)]
    force: bool,
    /// Does not follow it
    #[arg(long)]
    detach: bool,
}

impl Replay {
    /// Refuses what is wrong whatever there is.
    ///
    /// # Errors
    /// Names the argument and the remedy.
    pub(crate) fn check(&self) -> Outcome {
        let Self::Start(start) = self else { return Ok(()) };
        start.range(Timestamp::now())?;
        if start.rules.is_empty() && start.types.is_empty() && !start.dry_run {
            return Err(Failure::usage(
                "name the consumers: --rule projections, or --type and an event type; --dry-run tells who would get what",
            ));
        }
        if start.resend && !start.rules.iter().any(|rule| rule == MAILS) {
            return Err(Failure::usage(format!("--resend has mails sent again: say so by --rule {MAILS}")));
        }
        let Some(name) = &start.name else { return Ok(()) };
        if !may_be_given(name) {
            return Err(Failure::usage(format!(
                "--name: at most {LONGEST_GIVEN_NAME} characters, and neither {RESEND} nor a number after a dot at its end: \
                 these are added by --resend and by resuming"
            )));
        }
        check_name(name)
    }
}

/// Whether EventBridge takes a name.
fn check_name(name: &str) -> Outcome {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
        return Err(Failure::usage(format!("--name: 1 to {LONGEST_NAME} letters, digits, dots, hyphens, underscores")));
    }
    Ok(())
}

impl Start {
    /// The time whose events are meant.
    fn range(&self, now: Timestamp) -> Outcome<(Timestamp, Timestamp)> {
        let safe = now - ARCHIVED_WITHIN;
        let Instant(from) = self.from;
        let to = self.to.map_or(safe, |Instant(to)| to);
        if from >= to {
            let text = format!("--from {from} is not before --to {to}: give an earlier --from or a later --to");
            return Err(Failure::usage(text));
        }
        if from < now - LONGEST_ARCHIVE {
            let days = LONGEST_ARCHIVE.as_hours() / 24;
            return Err(Failure::usage(format!("--from {from}: no archive reaches back more than {days} days")));
        }
        if to > safe && !self.force && !self.dry_run {
            return Err(Failure::refused(format!(
                "--to {to} is less than ten minutes ago: events may not be in the archive yet and would be missed. Give a \
                 --to before {}, or --force",
                time::second(safe)
            )));
        }
        Ok((from, to))
    }
}

/// Runs one.
///
/// # Errors
/// What EventBridge says.
pub(crate) async fn run(out: &Out, stack: &Stack, replay: Replay) -> Outcome {
    let client = Client::new(&stack.sdk);
    if let Replay::Status { name, .. } | Replay::Cancel { name } | Replay::Resume { name, .. } = &replay {
        ours(stack, name)?;
    }
    match replay {
        Replay::Start(start) => self::start(out, stack, &client, &start).await,
        Replay::Status { name, once } => {
            let described = describe(&client, &name).await?;
            if once || ended(&described) {
                out.answer(&status(&name, &described), || status_text(stack, &name, &described));
                return Ok(());
            }
            follow(out, stack, &client, &name).await
        }
        Replay::List => list(out, stack, &client).await,
        Replay::Cancel { name } => cancel(out, &client, &name).await,
        Replay::Resume { name, detach } => resume(out, stack, &client, &name, detach).await,
    }
}

/// How the names of replays begin that the operators' policy covers.
fn beginning(stack: &Stack) -> String {
    format!("{}-", stack.name)
}

/// Refuses a name that no replay of the stack's operators has.
fn ours(stack: &Stack, name: &str) -> Outcome {
    let beginning = beginning(stack);
    if name.starts_with(&beginning) {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "`{name}`: the names of replays begin with {beginning}, and operators may use no others"
    )))
}

/// What is asked of EventBridge.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plan {
    name: String,
    description: String,
    archive: String,
    bus: String,
    rules: Vec<String>,
    from: Timestamp,
    to: Timestamp,
}

/// The request of a plan.
fn request(client: &Client, plan: &Plan) -> Outcome<StartReplayFluentBuilder> {
    let destination = ReplayDestination::builder().arn(&plan.bus).set_filter_arns(Some(plan.rules.clone())).build();
    let destination = destination.map_err(|error| Failure::failed(error.to_string()))?;
    // The bus knows whole seconds: events carry no finer time there.
    Ok(client
        .start_replay()
        .replay_name(&plan.name)
        .description(&plan.description)
        .event_source_arn(&plan.archive)
        .event_start_time(DateTime::from_secs(plan.from.as_second()))
        .event_end_time(DateTime::from_secs(second_from(plan.to)))
        .destination(destination))
}

/// The first whole second that is not before `at`.
fn second_from(at: Timestamp) -> i64 {
    at.as_second() + i64::from(at.subsec_nanosecond() > 0)
}

async fn start(out: &Out, stack: &Stack, client: &Client, start: &Start) -> Outcome {
    let now = Timestamp::now();
    let (from, to) = start.range(now)?;
    let all = rules::all(stack).await?;
    let chosen = rules::select(&all, &start.rules, &start.types)?;
    if start.dry_run {
        let consumers = if chosen.is_empty() { all } else { chosen };
        let counts = count_by_type(out, stack, from, to).await?;
        out.answer(&dry_run_json(&counts, &consumers, from, to), || dry_run_text(out, &counts, &consumers, from, to));
        return Ok(());
    }
    if let Some(off) = chosen.iter().find(|rule| !rule.enabled) {
        let text = format!("the rule {} is disabled and would deliver nothing: enable it first", off.name);
        return Err(Failure::refused(text));
    }
    let name = start.name.clone().unwrap_or_else(|| format!("{}{}", beginning(stack), now.strftime("%Y%m%dT%H%M%SZ")));
    let plan = Plan {
        name: if start.resend { name + RESEND } else { name },
        description: format!("slip-ops: to {}", names(&chosen)),
        archive: archive(stack, client).await?,
        bus: stack.output("EventBusArn")?.to_owned(),
        rules: chosen.iter().map(|rule| rule.arn.clone()).collect(),
        from,
        to,
    };
    ours(stack, &plan.name)?;
    begin(out, stack, client, &plan, start.detach).await
}

fn names(rules: &[Rule]) -> String {
    rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>().join(", ")
}

async fn archive(stack: &Stack, client: &Client) -> Outcome<String> {
    let name = stack.output("ArchiveName")?;
    let described = client.describe_archive().archive_name(name).send().await;
    let described =
        described.map_err(|error| Failure::of(&format!("the archive {name} cannot be looked at"), error))?;
    described.archive_arn().map(ToOwned::to_owned).ok_or_else(|| Failure::failed(format!("{name} has no ARN")))
}

async fn begin(out: &Out, stack: &Stack, client: &Client, plan: &Plan, detach: bool) -> Outcome {
    check_name(&plan.name)?;
    request(client, plan)?.send().await.map_err(|error| match error.as_service_error() {
        Some(StartReplayError::ResourceAlreadyExistsException(_)) => Failure::refused(format!(
            "there was a replay {} before: give another --name, or resume that one",
            plan.name
        )),
        _ => Failure::of("the replay is not started", error),
    })?;
    let to = Timestamp::from_second(second_from(plan.to)).unwrap_or(plan.to);
    out.note(&format!("{} replays {} to {}", plan.name, time::second(plan.from), time::second(to)));
    if detach {
        out.answer(&json!({ "name": plan.name, "state": "STARTING" }), || plan.name.clone());
        return Ok(());
    }
    follow(out, stack, client, &plan.name).await
}

async fn describe(client: &Client, name: &str) -> Outcome<DescribeReplayOutput> {
    client.describe_replay().replay_name(name).send().await.map_err(|error| match error.as_service_error() {
        Some(DescribeReplayError::ResourceNotFoundException(_)) => {
            Failure::not_found(format!("there is no replay {name}: `slip-ops replay list` tells which there are"))
        }
        _ => Failure::of(&format!("the replay {name} cannot be looked at"), error),
    })
}

fn ended(replay: &DescribeReplayOutput) -> bool {
    matches!(replay.state(), Some(ReplayState::Completed | ReplayState::Cancelled | ReplayState::Failed))
}

fn instant(at: Option<&DateTime>) -> Option<Timestamp> {
    at.and_then(|at| Timestamp::from_nanosecond(at.as_nanos()).ok())
}

/// How far a replay is, of a hundred. One that is complete is so even if there was nothing to replay.
fn progress(from: Timestamp, to: Timestamp, last: Option<Timestamp>, complete: bool) -> i128 {
    let whole = to.duration_since(from).as_millis().max(1);
    let done = last.map_or(0, |last| last.duration_since(from).as_millis().clamp(0, whole));
    if complete { 100 } else { done * 100 / whole }
}

/// A replay as JSON.
fn status(name: &str, replay: &DescribeReplayOutput) -> Value {
    let (from, to) = (instant(replay.event_start_time()), instant(replay.event_end_time()));
    let last = instant(replay.event_last_replayed_time());
    let complete = replay.state() == Some(&ReplayState::Completed);
    json!({
        "name": name,
        "state": replay.state().map(ReplayState::as_str),
        "reason": replay.state_reason(),
        "from": from, "to": to, "last_replayed_at": last,
        "progress_percent": from.zip(to).and_then(|(from, to)| i64::try_from(progress(from, to, last, complete)).ok()),
        "rules": replay.destination().map(ReplayDestination::filter_arns),
        "started_at": instant(replay.replay_start_time()),
        "ended_at": instant(replay.replay_end_time()),
    })
}

fn status_text(stack: &Stack, name: &str, replay: &DescribeReplayOutput) -> String {
    let status = status(name, replay);
    let text = |member: &str| status[member].as_str().unwrap_or("-").to_owned();
    let when = |at: Option<&DateTime>| instant(at).map_or_else(|| "-".to_owned(), time::second);
    let percent = status["progress_percent"].as_i64().unwrap_or(0);
    let rules = replay.destination().map(ReplayDestination::filter_arns).unwrap_or_default();
    let consumers: Vec<&str> =
        rules.iter().map(|arn| stack.short(arn.rsplit('/').next().unwrap_or_default())).collect();
    let consumers = if consumers.is_empty() { "every rule".to_owned() } else { consumers.join(", ") };
    let reason = replay.state_reason().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!(
        "{name}  {}{reason}  {percent} %  {} to {}, last {}, for {consumers}",
        text("state"),
        when(replay.event_start_time()),
        when(replay.event_end_time()),
        when(replay.event_last_replayed_time()),
    )
}

/// Follows a replay to its end. Whoever interrupts it ends the looking, not the replay.
async fn follow(out: &Out, stack: &Stack, client: &Client, name: &str) -> Outcome {
    let mut told = String::new();
    loop {
        let replay = describe(client, name).await?;
        if ended(&replay) {
            out.answer(&status(name, &replay), || status_text(stack, name, &replay));
            let reason = replay.state_reason().unwrap_or("no reason given");
            return match replay.state() {
                Some(ReplayState::Completed) => Ok(()),
                state => Err(Failure::failed(format!(
                    "the replay is {} ({reason}); `slip-ops replay resume {name}` goes on where it ended",
                    state.map_or("over", ReplayState::as_str)
                ))),
            };
        }
        let text = status_text(stack, name, &replay);
        if text != told {
            out.note(&text);
            told = text;
        }
        tokio::time::sleep(GLANCE).await;
    }
}

async fn list(out: &Out, stack: &Stack, client: &Client) -> Outcome {
    let archive = archive(stack, client).await?;
    let ours = beginning(stack);
    let mut found = Vec::new();
    let mut next = None;
    loop {
        let page = client.list_replays().event_source_arn(&archive).set_next_token(next).send().await;
        let page = page.map_err(|error| Failure::of("replays cannot be listed", error))?;
        let named = page.replays().iter().filter_map(|replay| {
            let started = replay.replay_start_time().map_or(0, DateTime::secs);
            // Of other names are those that were not begun with this tool: the policy lets nobody look at them.
            let name = replay.replay_name().filter(|name| name.starts_with(&ours))?;
            Some((started, name.to_owned()))
        });
        found.extend(named);
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    found.sort_by(|a, b| b.cmp(a));
    // The list leaves out to whom they go.
    let mut replays = Vec::new();
    for (_, name) in found.into_iter().take(25) {
        replays.push((describe(client, &name).await?, name));
    }
    let all: Vec<Value> = replays.iter().map(|(replay, name)| status(name, replay)).collect();
    out.answer(&all, || {
        if replays.is_empty() {
            return "there was no replay in the last 90 days".to_owned();
        }
        replays.iter().map(|(replay, name)| status_text(stack, name, replay)).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

fn over(name: &str) -> Failure {
    Failure::refused(format!("the replay {name} is over already"))
}

async fn cancel(out: &Out, client: &Client, name: &str) -> Outcome {
    if ended(&describe(client, name).await?) {
        return Err(over(name));
    }
    client.cancel_replay().replay_name(name).send().await.map_err(|error| match error.as_service_error() {
        Some(CancelReplayError::ResourceNotFoundException(_)) => {
            Failure::not_found(format!("there is no replay {name}: `slip-ops replay list` tells which there are"))
        }
        Some(CancelReplayError::IllegalStatusException(_)) => over(name),
        _ => Failure::of(&format!("the replay {name} is not cancelled"), error),
    })?;
    out.answer(&json!({ "name": name, "state": "CANCELLING" }), || {
        format!("{name} is being cancelled; `slip-ops replay resume {name}` goes on where it ends")
    });
    Ok(())
}

/// Where a resumed replay begins: at the minute of the last replayed event. Within a minute events come in no order, so
/// that some of it may be missing yet (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_StartReplay.html>).
fn resumed_from(from: Timestamp, last: Option<Timestamp>) -> Timestamp {
    let minute = |at: Timestamp| Timestamp::from_second(at.as_second() - at.as_second().rem_euclid(60)).unwrap_or(at);
    last.map_or(from, |last| minute(last).max(from))
}

async fn resume(out: &Out, stack: &Stack, client: &Client, name: &str, detach: bool) -> Outcome {
    let old = describe(client, name).await?;
    match old.state() {
        Some(ReplayState::Cancelled | ReplayState::Failed) => {}
        Some(ReplayState::Completed) => {
            return Err(Failure::refused(format!("{name} is complete: there is nothing to go on with")));
        }
        _ => {
            let text = format!("{name} is not over: follow it with `slip-ops replay status {name}`, or cancel it");
            return Err(Failure::refused(text));
        }
    }
    let missing = |what: &str| Failure::new(Exit::Failed, format!("EventBridge does not say {what} of {name}"));
    let from = instant(old.event_start_time()).ok_or_else(|| missing("the beginning"))?;
    let destination = old.destination().ok_or_else(|| missing("the destination"))?;
    let plan = Plan {
        name: resumed_name(name),
        description: format!("slip-ops: goes on with {name}"),
        archive: old.event_source_arn().ok_or_else(|| missing("the archive"))?.to_owned(),
        bus: destination.arn().to_owned(),
        rules: destination.filter_arns().to_vec(),
        from: resumed_from(from, instant(old.event_last_replayed_time())),
        to: instant(old.event_end_time()).ok_or_else(|| missing("the end"))?,
    };
    begin(out, stack, client, &plan, detach).await
}

/// How many events of each type happened. The archive cannot be listed; the table has all of them.
async fn count_by_type(out: &Out, stack: &Stack, from: Timestamp, to: Timestamp) -> Outcome<BTreeMap<String, usize>> {
    let store = stack.store()?;
    let mut counts = BTreeMap::new();
    let no_events = outbox::events_between(&store.table, from, to, async |page| {
        for record in page {
            *counts.entry(record.detail_type).or_insert(0) += 1;
        }
        Ok::<_, Failure>(())
    });
    note_unreadable(out, &no_events.await?);
    Ok(counts)
}

/// A consumer in a dry run.
#[derive(Debug, Serialize)]
struct Consumer<'a> {
    rule: &'a str,
    events: usize,
    effect: &'a str,
    enabled: bool,
}

fn consumers<'a>(counts: &BTreeMap<String, usize>, rules: &'a [Rule]) -> Vec<Consumer<'a>> {
    let events = |rule: &Rule| counts.iter().filter(|(kind, _)| rule.takes(kind)).map(|(_, count)| count).sum();
    let consumer = |rule: &'a Rule| Consumer {
        rule: &rule.name,
        events: events(rule),
        effect: rule.effect(),
        enabled: rule.enabled,
    };
    rules.iter().map(consumer).collect()
}

fn dry_run_json(counts: &BTreeMap<String, usize>, rules: &[Rule], from: Timestamp, to: Timestamp) -> Value {
    json!({
        "from": from, "to": to, "events": counts.values().sum::<usize>(), "types": counts,
        "consumers": consumers(counts, rules),
    })
}

fn dry_run_text(out: &Out, counts: &BTreeMap<String, usize>, rules: &[Rule], from: Timestamp, to: Timestamp) -> String {
    let total: usize = counts.values().sum();
    let head = format!("{} from {} to {}", count(total, "event", "events"), time::second(from), time::second(to));
    if total == 0 {
        return format!("{head}: there is nothing to replay");
    }
    let mut types = Table::new(["TYPE", "EVENTS", "GO TO"]);
    for (kind, number) in counts {
        let takers: Vec<&str> = rules.iter().filter(|rule| rule.takes(kind)).map(|rule| rule.name.as_str()).collect();
        types.row(Tone::Plain, [kind.clone(), number.to_string(), takers.join(", ")]);
    }
    let mut takers = Table::new(["CONSUMER", "EVENTS", "WHAT THEY DO THERE"]);
    for consumer in consumers(counts, rules) {
        let tone = if consumer.enabled { Tone::Plain } else { Tone::Warning };
        let off = if consumer.enabled { "" } else { "disabled: gets nothing; otherwise it " };
        let effect = format!("{off}{}", consumer.effect);
        takers.row(tone, [consumer.rule.to_owned(), consumer.events.to_string(), effect]);
    }
    format!("{head}\n\n{}\n\n{}", types.render(out), takers.render(out))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use aws_config::{BehaviorVersion, Region, SdkConfig};
    use aws_sdk_eventbridge::config::{Credentials, SharedCredentialsProvider};
    use aws_smithy_runtime_api::client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
    };
    use clap::Parser;

    use super::*;
    use crate::commands::{Cli, Command};

    const TEMPLATE: &str = include_str!("../../../../infrastructure/template.yaml");

    #[test]
    fn no_archive_reaches_back_further_than_the_template_lets_it() {
        let parameter = TEMPLATE.split("\n  ArchiveRetentionDays:\n").nth(1).unwrap();
        let most = parameter.lines().find_map(|line| line.trim().strip_prefix("MaxValue: ")).unwrap();
        assert_eq!(LONGEST_ARCHIVE, SignedDuration::from_hours(24 * most.parse::<i64>().unwrap()));
        let far = parse(&["start", "--from", "1001d", "--rule", "projections"]).check().unwrap_err();
        assert_eq!(far.exit, Exit::Usage);
    }

    fn parse(arguments: &[&str]) -> Replay {
        let all = ["slip-ops", "replay"].iter().chain(arguments);
        match Cli::try_parse_from(all).unwrap().command {
            Command::Replay(replay) => replay,
            other => panic!("{other:?}"),
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Keeps the requests of the SDK and answers as EventBridge does.
    #[derive(Debug, Clone, Default)]
    struct Wire(Arc<Mutex<Vec<(String, Value)>>>);

    impl HttpConnector for Wire {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
            let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
            self.0.lock().unwrap().push((target.clone(), body));
            let answer = if target.ends_with("DescribeReplay") { cancelled() } else { started() };
            let response = HttpResponse::new(200.try_into().unwrap(), answer.to_string().into());
            HttpConnectorFuture::ready(Ok(response))
        }
    }

    fn started() -> Value {
        json!({ "ReplayArn": "arn:aws:events:eu-central-1:123456789012:replay/x", "State": "STARTING" })
    }

    /// A replay of 1 March that was cancelled at 10:07:42.
    fn cancelled() -> Value {
        json!({
            "ReplayName": "slipstream-1", "State": "CANCELLED", "EventSourceArn": "arn:archive",
            "EventStartTime": 1_772_323_200, "EventEndTime": 1_772_409_600, "EventLastReplayedTime": 1_772_359_662,
            "Destination": { "Arn": "arn:bus", "FilterArns": ["arn:rule"] },
        })
    }

    impl Wire {
        fn client(&self) -> Client {
            Client::new(&self.sdk())
        }

        fn sdk(&self) -> SdkConfig {
            let connector = SharedHttpConnector::new(self.clone());
            SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("eu-central-1"))
                .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
                .http_client(http_client_fn(move |_, _| connector.clone()))
                .build()
        }
    }

    /// The emulator ignores the filter and fires every rule: only the request itself can be held against the API
    /// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_StartReplay.html>).
    #[tokio::test]
    async fn the_request_names_the_rules_and_only_them() {
        let wire = Wire::default();
        let plan = Plan {
            name: "slipstream-20260401T000000Z".to_owned(),
            description: "slip-ops: to projections".to_owned(),
            archive: "arn:aws:events:eu-central-1:123456789012:archive/slipstream-archive".to_owned(),
            bus: "arn:aws:events:eu-central-1:123456789012:event-bus/slipstream".to_owned(),
            rules: vec!["arn:aws:events:eu-central-1:123456789012:rule/slipstream/slipstream-projections".to_owned()],
            from: at("2026-03-01T00:00:00.5Z"),
            to: at("2026-03-31T23:59:59.25Z"),
        };
        request(&wire.client(), &plan).unwrap().send().await.unwrap();
        let sent = wire.0.lock().unwrap().clone();
        let expected = json!({
            "ReplayName": "slipstream-20260401T000000Z",
            "Description": "slip-ops: to projections",
            "EventSourceArn": "arn:aws:events:eu-central-1:123456789012:archive/slipstream-archive",
            // Seconds since 1970, the range widened to whole ones.
            "EventStartTime": 1_772_323_200,
            "EventEndTime": 1_775_001_600,
            "Destination": {
                "Arn": "arn:aws:events:eu-central-1:123456789012:event-bus/slipstream",
                "FilterArns": ["arn:aws:events:eu-central-1:123456789012:rule/slipstream/slipstream-projections"],
            },
        });
        assert_eq!(sent, [("AWSEvents.StartReplay".to_owned(), expected)]);
    }

    #[tokio::test]
    async fn a_resumed_replay_asks_for_the_rest_and_the_same_rules() {
        let wire = Wire::default();
        let stack = Stack::example(&[], &[], wire.sdk());
        resume(&Out::new(true), &stack, &wire.client(), "slipstream-1", true).await.unwrap();
        let sent = wire.0.lock().unwrap().clone();
        let (asked, request) = (&sent[0], &sent[1]);
        assert_eq!(*asked, ("AWSEvents.DescribeReplay".to_owned(), json!({ "ReplayName": "slipstream-1" })));
        assert_eq!(request.0, "AWSEvents.StartReplay");
        let body = &request.1;
        // From 10:07:00, the whole minute, to the old end.
        assert_eq!((&body["EventStartTime"], &body["EventEndTime"]), (&json!(1_772_359_620), &json!(1_772_409_600)));
        assert_eq!(body["Destination"], json!({ "Arn": "arn:bus", "FilterArns": ["arn:rule"] }));
        assert_eq!(body["EventSourceArn"], "arn:archive");
        assert_eq!(body["ReplayName"], "slipstream-1.2");
    }

    #[test]
    fn a_range_too_close_to_now_is_refused_unless_forced() {
        let now = Timestamp::now();
        let text = (now - SignedDuration::from_mins(9)).to_string();
        let arguments = ["start", "--from", "2d", "--rule", "projections", "--to", &text];
        let refused = parse(&arguments).check().unwrap_err();
        assert_eq!(refused.exit, Exit::Refused);
        assert!(refused.message.contains("--force") && refused.message.contains("--to"), "{}", refused.message);
        assert!(parse(&[&arguments[..], &["--force"]].concat()).check().is_ok());
        assert!(parse(&[&arguments[..], &["--dry-run"]].concat()).check().is_ok(), "it only counts");
        let without = ["start", "--from", "2d", "--rule", "projections"];
        assert!(parse(&without).check().is_ok(), "the default end is far enough");
    }

    #[test]
    fn consumers_are_named() {
        let nobody = parse(&["start", "--from", "2d"]).check().unwrap_err();
        assert_eq!(nobody.exit, Exit::Usage);
        assert!(nobody.message.contains("--rule") && nobody.message.contains("--type"));
        assert!(parse(&["start", "--from", "2d", "--dry-run"]).check().is_ok());
        let backwards = parse(&["start", "--from", "1d", "--to", "2d", "--rule", "projections"]).check().unwrap_err();
        assert!(backwards.message.contains("--from") && backwards.exit == Exit::Usage);
        let odd = parse(&["start", "--from", "1d", "--rule", "projections", "--name", "a/b"]).check().unwrap_err();
        assert!(odd.message.starts_with("--name"));
    }

    #[test]
    fn a_resumed_replay_begins_at_the_minute_of_the_last_event() {
        let from = at("2026-03-01T00:00:30Z");
        assert_eq!(resumed_from(from, Some(at("2026-03-02T10:07:59.5Z"))), at("2026-03-02T10:07:00Z"));
        assert_eq!(resumed_from(from, Some(at("2026-03-01T00:00:45Z"))), from, "but not before it began");
        assert_eq!(resumed_from(from, None), from);
    }

    #[test]
    fn mails_are_sent_again_only_where_that_is_said_twice() {
        let given = |more: &[&str]| parse(&[&["start", "--from", "2d"], more].concat()).check();
        assert!(given(&["--rule", "notifications", "--resend", "--name", "slipstream-again"]).is_ok());
        for wrong in [
            &["--resend", "--rule", "projections"][..],
            &["--resend", "--type", "ExpenseApproved"],
            &["--rule", "notifications", "--name", "slipstream-again.resend"],
            &["--resend", "--rule", "notifications", "--name", "slipstream-again.resend"],
            &["--rule", "notifications", "--name", "slipstream-again.2"],
        ] {
            assert_eq!(given(wrong).unwrap_err().exit, Exit::Usage, "{wrong:?}");
        }
    }

    #[test]
    fn progress_is_how_far_the_last_event_is() {
        let (from, to) = (at("2026-03-01T00:00:00Z"), at("2026-03-02T00:00:00Z"));
        assert_eq!(progress(from, to, None, false), 0);
        assert_eq!(progress(from, to, Some(at("2026-03-01T06:00:00Z")), false), 25);
        assert_eq!(progress(from, to, Some(at("2026-04-01T06:00:00Z")), false), 100);
        assert_eq!(progress(from, to, None, true), 100);
    }

    #[test]
    fn a_dry_run_says_who_gets_what() {
        let rule = |name: &str, pattern: Value| Rule {
            name: name.to_owned(),
            arn: String::new(),
            enabled: name != "notifications",
            pattern,
        };
        let rules = [
            rule("notifications", json!({ "detail-type": ["ExpenseApproved"] })),
            rule("projections", json!({ "source": ["slipstream"] })),
        ];
        let counts = BTreeMap::from([("ExpenseApproved".to_owned(), 3), ("ExpenseDrafted".to_owned(), 4)]);
        let (from, to) = (at("2026-03-01T00:00:00Z"), at("2026-03-02T00:00:00Z"));
        let json = dry_run_json(&counts, &rules, from, to);
        assert_eq!(
            (&json["events"], &json["consumers"][0]["events"], &json["consumers"][1]["events"]),
            (&json!(7), &json!(3), &json!(7))
        );
        let text = dry_run_text(&Out::new(true), &counts, &rules, from, to);
        assert!(text.contains("ExpenseApproved  3       notifications, projections"), "{text}");
        assert!(text.contains("ExpenseDrafted   4       projections"), "{text}");
        assert!(text.contains("disabled: gets nothing"), "{text}");
        assert!(dry_run_text(&Out::new(true), &BTreeMap::new(), &rules, from, to).contains("nothing to replay"));
    }
}
