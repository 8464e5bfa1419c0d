//! Dead-letter queues and the set-aside bucket: looked at, redriven, discarded.

use std::collections::BTreeSet;

use clap::Subcommand;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    failure::{Exit, Failure, Outcome},
    letters::{self, Bucket, Depth, Discard, Held, Letter, MOST_HELD, Queue, SET_ASIDE, SetAside},
    logs,
    output::{Out, Table, Tone, count},
    stack::Stack,
    time,
};

/// How much of an id must be given.
const SHORTEST_ID: usize = 4;

/// What to do with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum Dlq {
    /// Lists the queues, with count, age and reason of the oldest; or the messages of one
    ///
    /// Example: slip-ops dlq list; slip-ops dlq list notifications
    List {
        /// A queue's name, or set-aside
        queue: Option<String>,
    },
    /// Shows a message whole, decoded, with the reason from the log
    Show {
        /// A queue's name, or set-aside
        queue: String,
        /// The message's id or its beginning; in set-aside the key. Without it, the oldest
        id: Option<String>,
    },
    /// Sends messages back to where they came from, once the cause is mended
    ///
    /// Doing it twice is harmless: mails are guarded, sums go by versions. What was set aside is published.
    ///
    /// Example: slip-ops dlq redrive notifications --all
    Redrive {
        /// A queue's name, or set-aside
        queue: String,
        /// Which: ids, or beginnings of ids
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// Every message
        #[arg(long, conflicts_with = "ids")]
        all: bool,
    },
    /// Takes messages away for good; they and the reason are kept in the set-aside bucket for 90 days
    Discard {
        /// A queue's name, or set-aside
        queue: String,
        /// Which: ids, or beginnings of ids
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// Every message
        #[arg(long, conflicts_with = "ids")]
        all: bool,
        /// Why; whoever looks later will want to know
        #[arg(long)]
        reason: String,
    },
    /// Lists what was discarded, by whom and why
    Discarded,
}

impl Dlq {
    /// Refuses what is wrong whatever there is.
    ///
    /// # Errors
    /// Names the argument.
    pub(crate) fn check(&self) -> Outcome {
        match self {
            Self::Discard { reason, .. } if reason.trim().len() < 3 => {
                Err(Failure::usage("--reason: say in a few words why it is not wanted"))
            }
            Self::Redrive { ids, .. } | Self::Discard { ids, .. } => ids.iter().try_for_each(|id| long_enough(id)),
            Self::Show { id: Some(id), .. } => long_enough(id),
            Self::Show { id: None, .. } | Self::List { .. } | Self::Discarded => Ok(()),
        }
    }
}

/// Whether it is enough of an id: what a script left empty must not mean whatever is there.
fn long_enough(id: &str) -> Outcome {
    if id.chars().count() < SHORTEST_ID {
        return Err(Failure::usage(format!(
            "ID: `{id}` is too little of an id; give {SHORTEST_ID} characters or more"
        )));
    }
    Ok(())
}

/// Runs one.
///
/// # Errors
/// What the services say.
pub(crate) async fn run(out: &Out, stack: &Stack, dlq: Dlq) -> Outcome {
    match dlq {
        Dlq::List { queue: None } => list(out, stack).await,
        Dlq::List { queue: Some(queue) } if queue == SET_ASIDE => list_set_aside(out, stack).await,
        Dlq::List { queue: Some(queue) } => list_messages(out, stack, &queue).await,
        Dlq::Show { queue, id } if queue == SET_ASIDE => show_set_aside(out, stack, id.as_deref()).await,
        Dlq::Show { queue, id } => show(out, stack, &queue, id.as_ref()).await,
        Dlq::Redrive { queue, ids, all: _ } if queue == SET_ASIDE => redrive_set_aside(out, stack, &ids).await,
        Dlq::Redrive { queue, ids, all: _ } => redrive(out, stack, &queue, &ids).await,
        Dlq::Discard { queue, ids, all: _, reason } if queue == SET_ASIDE => {
            discard_set_aside(out, stack, &ids, &reason).await
        }
        Dlq::Discard { queue, ids, all: _, reason } => discard(out, stack, &queue, &ids, &reason).await,
        Dlq::Discarded => discarded(out, stack).await,
    }
}

/// A queue in the list.
#[derive(Debug, Serialize)]
struct Summary {
    queue: String,
    #[serde(flatten)]
    depth: Depth,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_about: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_reason: Option<String>,
}

async fn list(out: &Out, stack: &Stack) -> Outcome {
    let mut summaries = Vec::new();
    for queue in letters::queues(stack) {
        let depth = letters::depth(stack, &queue.name, &queue.url).await?;
        let mut summary =
            Summary { queue: queue.name.clone(), depth, oldest_at: None, oldest_about: None, oldest_reason: None };
        if depth.visible > 0 {
            let held = letters::hold(stack, &queue, MOST_HELD, |_| false).await?;
            if let Some(oldest) = held.letters.first().cloned() {
                summary.oldest_at = Some(oldest.sent_at);
                summary.oldest_about = Some(oldest.about());
                summary.oldest_reason = Some(reason(stack, &oldest).await);
            }
            held.give_back().await;
        }
        summaries.push(summary);
    }
    let bucket = Bucket::of(stack)?;
    let waiting = bucket.waiting().await?;
    let oldest = waiting.first();
    let content = match oldest {
        Some(oldest) => bucket.find(&oldest.key).await?,
        None => None,
    };
    summaries.push(Summary {
        queue: SET_ASIDE.to_owned(),
        depth: Depth { visible: waiting.len(), in_flight: 0, delayed: 0 },
        oldest_at: oldest.map(|oldest| oldest.at),
        oldest_about: oldest.map(|oldest| oldest.key.clone()),
        oldest_reason: content.as_ref().map(letters::set_aside_reason),
    });
    out.answer(&summaries, || render(out, &summaries, Timestamp::now()));
    Ok(())
}

fn render(out: &Out, summaries: &[Summary], now: Timestamp) -> String {
    let mut table = Table::new(["QUEUE", "WAITING", "HELD", "OLDEST", "ABOUT", "REASON"]);
    for summary in summaries {
        let tone = if summary.depth.visible + summary.depth.in_flight > 0 { Tone::Bad } else { Tone::Plain };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        table.row(
            tone,
            [
                summary.queue.clone(),
                summary.depth.visible.to_string(),
                summary.depth.in_flight.to_string(),
                summary.oldest_at.map(|at| time::age(at, now)).unwrap_or_default(),
                text(&summary.oldest_about),
                text(&summary.oldest_reason),
            ],
        );
    }
    table.render(out)
}

/// Why a message is here: what it says itself, or what the function said of it in its log.
async fn reason(stack: &Stack, letter: &Letter) -> String {
    if let Some(reason) = letter.own_reason() {
        return reason;
    }
    if letters::queue(stack, &letter.queue).is_ok_and(|queue| queue.work.is_none()) {
        return "it could not be delivered, and nobody said why".to_owned();
    }
    let groups = logs::groups(stack, Some(&letter.queue));
    let since = letter.sent_at - SignedDuration::from_mins(1);
    match logs::naming(stack, &groups, &BTreeSet::from([letter.id.clone()]), since).await {
        Ok(lines) => {
            // The latest first. That of the last attempt may only say that another was at it.
            let mut errors: Vec<&str> = lines.iter().rev().filter_map(logs::Line::error).collect();
            let mut known = BTreeSet::new();
            errors.retain(|error| known.insert(*error));
            if errors.is_empty() {
                return "nothing in the log names it: the function may have died over it, or the log is gone"
                    .to_owned();
            }
            errors.join("; before: ")
        }
        Err(failure) => failure.message,
    }
}

/// A message in a list.
#[derive(Debug, Serialize)]
struct Line {
    id: String,
    sent_at: Timestamp,
    receives: u32,
    about: String,
    reason: String,
}

/// How many messages of a queue there were beside those that were `found`: SQS counts about, and a minute or so late.
fn hidden(depth: Depth, found: usize) -> usize {
    (depth.visible + depth.in_flight).saturating_sub(found)
}

/// What is to be said of messages that nobody can see now.
fn held_by_others(name: &str, hidden: usize) -> String {
    let messages = count(hidden, "message", "messages");
    format!("{messages} of {name} may be held by somebody else, or by a look that died, and be back within two minutes")
}

/// Whether there is nothing because nothing waits.
///
/// # Errors
/// When it may only be hidden.
fn nothing_waits(name: &str, hidden: usize) -> Outcome<String> {
    match hidden {
        0 => Ok(format!("nothing waits in {name}")),
        some => Err(Failure::refused(format!("{}: look again", held_by_others(name, some)))),
    }
}

async fn list_messages(out: &Out, stack: &Stack, name: &str) -> Outcome {
    let queue = letters::queue(stack, name)?;
    let depth = letters::depth(stack, name, &queue.url).await?;
    let held = letters::hold(stack, &queue, MOST_HELD, |_| false).await?;
    let found = held.letters.clone();
    held.give_back().await;
    let mut lines = Vec::new();
    for letter in &found {
        lines.push(Line {
            id: letter.id.clone(),
            sent_at: letter.sent_at,
            receives: letter.receives,
            about: letter.about(),
            reason: reason(stack, letter).await,
        });
    }
    let now = Timestamp::now();
    // No more are listed than are held at once.
    let hidden = if lines.len() < MOST_HELD { hidden(depth, lines.len()) } else { 0 };
    out.answer(&lines, || {
        if lines.is_empty() {
            return nothing_waits(name, hidden).unwrap_or_default();
        }
        let mut table = Table::new(["ID", "AGE", "TAKEN OUT", "ABOUT", "REASON"]);
        for line in &lines {
            let age = time::age(line.sent_at, now);
            let cells = [line.id.clone(), age, line.receives.to_string(), line.about.clone(), line.reason.clone()];
            table.row(Tone::Plain, cells);
        }
        table.render(out)
    });
    if hidden > 0 {
        out.note(&held_by_others(name, hidden));
    }
    Ok(())
}

async fn list_set_aside(out: &Out, stack: &Stack) -> Outcome {
    let bucket = Bucket::of(stack)?;
    let mut rows = Vec::new();
    for object in bucket.waiting().await? {
        if let Some(content) = bucket.find(&object.key).await? {
            rows.push((object, letters::set_aside_reason(&content)));
        }
    }
    let now = Timestamp::now();
    let row = |(object, reason): &(SetAside, String)| json!({ "key": object.key, "at": object.at, "reason": reason });
    out.answer(&rows.iter().map(row).collect::<Vec<_>>(), || {
        if rows.is_empty() {
            return "nothing is set aside".to_owned();
        }
        let mut table = Table::new(["KEY", "AGE", "REASON"]);
        for (object, reason) in &rows {
            table.row(Tone::Plain, [object.key.clone(), time::age(object.at, now), reason.clone()]);
        }
        table.render(out)
    });
    Ok(())
}

async fn show(out: &Out, stack: &Stack, name: &str, id: Option<&String>) -> Outcome {
    let queue = letters::queue(stack, name)?;
    let depth = letters::depth(stack, name, &queue.url).await?;
    let held = letters::hold(stack, &queue, MOST_HELD, |_| false).await?;
    let held = match id {
        Some(id) => held.choose(std::slice::from_ref(id)).await?,
        None => held,
    };
    let letter = held.letters.first().cloned();
    held.give_back().await;
    let Some(letter) = letter else {
        return Err(Failure::not_found(nothing_waits(name, hidden(depth, 0))?));
    };
    let reason = reason(stack, &letter).await;
    let body = letter.json().unwrap_or_else(|| Value::String(letter.body.clone()));
    let shown = json!({
        "queue": letter.queue, "id": letter.id, "sent_at": letter.sent_at, "receives": letter.receives,
        "about": letter.about(), "reason": reason, "attributes": letter.attributes, "body": body,
    });
    out.answer(&shown, || {
        let mut lines = vec![
            format!("queue     {}", letter.queue),
            format!("id        {}", letter.id),
            format!("sent      {} ({} ago)", time::second(letter.sent_at), time::age(letter.sent_at, Timestamp::now())),
            format!("taken out {} times, here and where it comes from", letter.receives),
            format!("about     {}", letter.about()),
            format!("reason    {reason}"),
        ];
        lines.extend(letter.attributes.iter().map(|(name, value)| format!("{name}  {value}")));
        let mut lines: Vec<String> = lines.iter().map(|line| crate::output::clean(line)).collect();
        lines.push(pretty(&body));
        lines.join("\n")
    });
    Ok(())
}

/// JSON over several lines; what would steer the terminal is escaped by JSON itself, or is taken out.
fn pretty(body: &Value) -> String {
    let text = serde_json::to_string_pretty(body).unwrap_or_default();
    text.lines().map(crate::output::clean).collect::<Vec<_>>().join("\n")
}

async fn show_set_aside(out: &Out, stack: &Stack, key: Option<&str>) -> Outcome {
    let bucket = Bucket::of(stack)?;
    let waiting = bucket.waiting().await?;
    let object = match key {
        Some(key) => waiting.iter().find(|object| object.key == key),
        None => waiting.first(),
    };
    let missing = || Failure::not_found(key.map_or("nothing is set aside".to_owned(), no_such_key));
    let object = object.ok_or_else(missing)?;
    let content = bucket.read(&object.key).await?;
    let reason = letters::set_aside_reason(&content);
    let shown = json!({ "queue": SET_ASIDE, "key": object.key, "at": object.at, "reason": reason, "body": content });
    out.answer(&shown, || {
        let at = time::second(object.at);
        let head = [format!("key     {}", object.key), format!("at      {at}"), format!("reason  {reason}")];
        format!("{}\n{}", head.map(|line| crate::output::clean(&line)).join("\n"), pretty(&content))
    });
    Ok(())
}

fn no_such_key(key: &str) -> String {
    if key.starts_with(letters::DISCARDED) {
        return format!(
            "{key} was discarded: `slip-ops dlq discarded --json` has it whole; it is not redriven from there"
        );
    }
    format!("there is no {key} in the set-aside bucket; `slip-ops dlq list set-aside` tells the keys")
}

/// Takes the messages out that are to be dealt with: these, or all without any.
async fn taken(stack: &Stack, queue: &Queue, ids: &[String]) -> Outcome<Held> {
    let wanted = ids.to_vec();
    let held = letters::hold(stack, queue, MOST_HELD, |letters| {
        // A whole id is looked for until it is found; its beginning may be that of another one.
        let found = |id: &String| letters.iter().any(|letter| letter.id == *id);
        !wanted.is_empty() && wanted.iter().all(found)
    });
    let held = held.await?;
    if ids.is_empty() { Ok(held) } else { held.choose(ids).await }
}

/// What was done to one of several.
#[derive(Debug, Serialize)]
struct Done {
    id: String,
    outcome: String,
}

/// Tells what was done, and of the failures; those that failed are where they were.
fn told(out: &Out, done: &[Done], failed: &[(String, Failure)], nothing: &str) -> Outcome {
    out.answer(&json!({ "done": done, "failed": failed.len() }), || {
        if done.is_empty() && failed.is_empty() {
            return nothing.to_owned();
        }
        let line = |done: &Done| crate::output::clean(&format!("{}  {}", done.id, done.outcome));
        done.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    for (id, failure) in failed {
        out.note(&format!("error: {id}: {}", failure.message));
    }
    let Some((_, first)) = failed.first() else { return Ok(()) };
    let (failures, all) = (failed.len(), failed.len() + done.len());
    Err(Failure::new(first.exit, format!("{failures} of {all} are still where they were")))
}

/// Does something to each of the messages with these ids, or to all without any, and tells what became of each.
async fn each(
    out: &Out,
    stack: &Stack,
    name: &str,
    ids: &[String],
    act: impl AsyncFn(&Held, &Letter) -> Outcome<String>,
) -> Outcome {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    let queue = letters::queue(stack, name)?;
    let depth = letters::depth(stack, name, &queue.url).await?;
    // All of them may be more than are held at once.
    loop {
        let mut held = taken(stack, &queue, ids).await?;
        let batch = held.letters.len();
        let mut rest = Vec::new();
        for letter in std::mem::take(&mut held.letters) {
            match act(&held, &letter).await {
                Ok(outcome) => done.push(Done { id: letter.id, outcome }),
                Err(failure) => {
                    failed.push((letter.id.clone(), failure));
                    rest.push(letter);
                }
            }
        }
        held.letters = rest;
        held.give_back().await;
        if !ids.is_empty() || batch < MOST_HELD || !failed.is_empty() {
            break;
        }
    }
    // Whoever asks for all must know of those that cannot be seen.
    let hidden = if ids.is_empty() && failed.is_empty() { hidden(depth, done.len()) } else { 0 };
    let nothing = if done.is_empty() && failed.is_empty() { nothing_waits(name, hidden)? } else { String::new() };
    if hidden > 0 {
        out.note(&held_by_others(name, hidden));
    }
    told(out, &done, &failed, &nothing)
}

async fn redrive(out: &Out, stack: &Stack, name: &str, ids: &[String]) -> Outcome {
    each(out, stack, name, ids, async |held, letter| Ok(held.redrive(stack, letter).await?.to_owned())).await
}

async fn discard(out: &Out, stack: &Stack, name: &str, ids: &[String], reason: &str) -> Outcome {
    let bucket = Bucket::of(stack)?;
    let by = letters::caller(stack).await?;
    let discard = async |held: &Held, letter: &Letter| {
        let content = serde_json::to_value(letter).map_err(|error| Failure::failed(error.to_string()))?;
        let note = Discard { queue: name, id: &letter.id, reason, by: &by, at: Timestamp::now(), content: &content };
        let key = letters::record_discard(&bucket, &note).await?;
        held.delete(letter).await?;
        Ok(format!("discarded; kept as {key}"))
    };
    each(out, stack, name, ids, discard).await
}

/// The set-aside objects with these keys, or all without any.
async fn chosen(bucket: &Bucket, keys: &[String]) -> Outcome<Vec<SetAside>> {
    let waiting = bucket.waiting().await?;
    if keys.is_empty() {
        return Ok(waiting);
    }
    let find = |key: &String| {
        let found = waiting.iter().find(|object| object.key == *key).cloned();
        found.ok_or_else(|| Failure::not_found(no_such_key(key)))
    };
    keys.iter().map(find).collect()
}

async fn redrive_set_aside(out: &Out, stack: &Stack, keys: &[String]) -> Outcome {
    let bucket = Bucket::of(stack)?;
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for object in chosen(&bucket, keys).await? {
        let published = async {
            let content = bucket.read(&object.key).await?;
            let events = letters::set_aside_events(&content).map_err(|fault| {
                let remedy = "deploy code that can read it and a slip-ops of the same version, or discard it";
                Failure::new(Exit::Refused, format!("{fault}; {remedy}"))
            })?;
            letters::put_on_bus(stack, &events).await?;
            bucket.delete(&object.key).await?;
            Ok(events.len())
        };
        match published.await {
            Ok(events) => {
                let outcome = format!("{} published", count(events, "event", "events"));
                done.push(Done { id: object.key, outcome });
            }
            Err(failure) => failed.push((object.key, failure)),
        }
    }
    told(out, &done, &failed, "nothing is set aside")
}

async fn discard_set_aside(out: &Out, stack: &Stack, keys: &[String], reason: &str) -> Outcome {
    let bucket = Bucket::of(stack)?;
    let by = letters::caller(stack).await?;
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for object in chosen(&bucket, keys).await? {
        let gone = async {
            let content = bucket.read(&object.key).await?;
            let at = Timestamp::now();
            let note = Discard { queue: SET_ASIDE, id: &object.key, reason, by: &by, at, content: &content };
            let kept = letters::record_discard(&bucket, &note).await?;
            bucket.delete(&object.key).await?;
            Ok(kept)
        };
        match gone.await {
            Ok(kept) => done.push(Done { id: object.key, outcome: format!("discarded; kept as {kept}") }),
            Err(failure) => failed.push((object.key, failure)),
        }
    }
    told(out, &done, &failed, "nothing is set aside")
}

async fn discarded(out: &Out, stack: &Stack) -> Outcome {
    let bucket = Bucket::of(stack)?;
    let mut notes = Vec::new();
    for object in bucket.below(letters::DISCARDED).await? {
        let Some(mut note) = bucket.find(&object.key).await? else { continue };
        if !note.is_object() {
            note = json!({ "content": note });
        }
        note["key"] = object.key.into();
        notes.push(note);
    }
    notes.sort_by_key(|note| note["at"].as_str().unwrap_or_default().to_owned());
    out.answer(&notes, || {
        if notes.is_empty() {
            return "nothing was discarded in the last 90 days".to_owned();
        }
        let mut table = Table::new(["AT", "QUEUE", "ID", "BY", "REASON"]);
        for note in &notes {
            let text = |name: &str| note[name].as_str().unwrap_or_default().to_owned();
            let at = text("at").parse().map_or_else(|_| text("at"), time::second);
            table.row(Tone::Plain, [at, text("queue"), text("id"), text("by"), text("reason")]);
        }
        table.render(out)
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::commands::{Cli, Command};

    fn parse(arguments: &[&str]) -> Result<Dlq, clap::Error> {
        let all = ["slip-ops", "dlq"].iter().chain(arguments);
        match Cli::try_parse_from(all)?.command {
            Command::Dlq(dlq) => Ok(dlq),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn everything_is_redriven_only_if_it_is_said() {
        assert!(parse(&["redrive", "notifications"]).is_err());
        assert!(parse(&["redrive", "notifications", "--all"]).is_ok());
        assert!(parse(&["redrive", "notifications", "--all", "id"]).is_err(), "all and some is a mistake");
        assert!(parse(&["discard", "sweeper", "--all"]).is_err(), "a reason must be given");
        let blank = parse(&["discard", "sweeper", "--all", "--reason", " "]).unwrap();
        assert!(blank.check().unwrap_err().message.starts_with("--reason"));
        assert!(parse(&["discard", "sweeper", "--all", "--reason", "seen"]).unwrap().check().is_ok());
        for left_empty in [
            &["redrive", "sweeper", ""][..],
            &["discard", "sweeper", "3f2", "--reason", "seen"],
            &["show", "sweeper", ""],
        ] {
            let refused = parse(left_empty).unwrap().check().unwrap_err();
            assert!(refused.exit == Exit::Usage && refused.message.starts_with("ID"), "{}", refused.message);
        }
        assert!(parse(&["redrive", "sweeper", "3f2b"]).unwrap().check().is_ok());
    }

    #[test]
    fn the_list_shows_what_waits_and_why() {
        let depth = |visible| Depth { visible, in_flight: 0, delayed: 0 };
        let none = Summary {
            queue: "exports".to_owned(),
            depth: depth(0),
            oldest_at: None,
            oldest_about: None,
            oldest_reason: None,
        };
        let some = Summary {
            queue: "notifications".to_owned(),
            depth: depth(3),
            oldest_at: Some("2026-03-12T10:00:00Z".parse().unwrap()),
            oldest_about: Some("ExpenseApproved expense/exp_1/4".to_owned()),
            oldest_reason: Some("the mail cannot be sent: throttled".to_owned()),
        };
        let now = "2026-03-12T13:05:00Z".parse().unwrap();
        let text = render(&Out::new(true), &[none, some], now);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("QUEUE") && lines[1].starts_with("exports        0"), "{text}");
        assert!(lines[2].contains("3 h 5 min  ExpenseApproved expense/exp_1/4  the mail cannot"), "{text}");
    }

    #[test]
    fn what_failed_decides_the_exit_code() {
        let failed = [("m".to_owned(), Failure::refused("no"))];
        let failure = told(&Out::new(true), &[], &failed, "nothing").unwrap_err();
        assert_eq!((failure.exit, failure.message.as_str()), (Exit::Refused, "1 of 1 are still where they were"));
        assert!(told(&Out::new(true), &[], &[], "nothing").is_ok());
        let depth = Depth { visible: 4, in_flight: 56, delayed: 0 };
        assert_eq!((hidden(depth, 0), hidden(depth, 4), hidden(depth, 60), hidden(depth, 70)), (60, 56, 0, 0));
        assert!(nothing_waits("sweeper", 0).unwrap().contains("nothing waits"));
        assert_eq!(nothing_waits("sweeper", 56).unwrap_err().exit, Exit::Refused);
    }
}
