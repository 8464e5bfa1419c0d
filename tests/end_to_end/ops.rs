//! The operators' tool against the real stack: the built `slip-ops` binary with a key that may do what the stack's policy for
//! operators allows, and nothing else.

use std::{collections::BTreeMap, path::PathBuf, process::Stdio};

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use slipstream_local::{
    Deployment, Mail,
    aws::Account,
    compile::{self, Beside, Checkout},
    demo,
    progress::Progress,
    wait,
};
use tokio::process::Command;

use crate::approvers::{address, link_of, team};
use crate::harness::{
    DEADLINE, draft, execution_status, execution_succeeds, fixture, history, item, meets, newcomer, requests,
    submitted, sweep, upload,
};

/// An operator at a terminal.
pub struct Operator {
    binary: PathBuf,
    account: Account,
}

/// How a command ended.
#[derive(Debug)]
struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    /// Its answer, if it ended well.
    fn json(&self) -> Result<Value> {
        ensure!(self.code == Some(0), "{:?}: {}{}", self.code, self.stdout, self.stderr);
        self.answer()
    }

    fn answer(&self) -> Result<Value> {
        serde_json::from_str(&self.stdout).with_context(|| format!("{}{}", self.stdout, self.stderr))
    }

    /// That it was refused with this code and these words.
    fn refused(&self, code: i32, words: &str) -> Result<()> {
        ensure!(self.code == Some(code), "{:?}: {}{}", self.code, self.stdout, self.stderr);
        ensure!(self.stderr.contains(words), "{words}: {}", self.stderr);
        Ok(())
    }
}

impl Operator {
    pub async fn of(world: &Deployment) -> Result<Self> {
        let binaries = compile::build(&Checkout::find().await?, Beside::Tests, &Progress::new(true)).await?;
        Ok(Self { binary: binaries.path("slip-ops")?.to_owned(), account: world.as_operator()? })
    }

    async fn run(&self, arguments: &[&str]) -> Result<Run> {
        let child = Command::new(&self.binary)
            .args(arguments)
            .env_clear()
            .envs(self.account.environment())
            .env("HOME", &self.account.home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = tokio::time::timeout(DEADLINE, child.wait_with_output()).await??;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) })
    }

    /// The answer of a command with `--json`.
    pub async fn json(&self, arguments: &[&str]) -> Result<Value> {
        self.run(&[&["--json"], arguments].concat()).await?.json()
    }

    /// A queue of the list.
    async fn waiting(&self, queue: &str) -> Result<Value> {
        let all = self.json(&["dlq", "list"]).await?;
        let found = all.as_array().context("a list")?.iter().find(|one| one["queue"] == queue).cloned();
        found.with_context(|| format!("{queue} is in {all}"))
    }
}

/// Puts a message into a queue; its id.
async fn send(world: &Deployment, queue: &str, body: &str) -> Result<String> {
    let input = json!({ "QueueUrl": queue, "MessageBody": body });
    let sent = world.account.call("sqs", "AmazonSQS.SendMessage", &input).await?;
    Ok(sent["MessageId"].as_str().context("a message has an id")?.to_owned())
}

/// Nobody, a stranger, and a stack that is not there.
pub async fn what_is_missing_is_named(world: &Deployment) -> Result<()> {
    let operator = Operator::of(world).await?;
    operator.run(&["--stack", "elsewhere", "health"]).await?.refused(3, "--stack")?;
    operator.run(&["trace", "exp_12"]).await?.refused(2, "32 hexadecimal digits")?;
    operator.run(&["replay", "start", "--from", "1d"]).await?.refused(2, "--rule")?;
    operator.run(&["replay", "start", "--from", "soon"]).await?.refused(2, "how long ago")?;
    operator.run(&["dlq", "show", "mails"]).await?.refused(4, "mail-feedback")?;

    let nobody = Operator { account: world.account.with(slipstream_local::aws::Credentials::random()), ..operator };
    let refused = nobody.run(&["health"]).await?;
    refused.refused(3, "cannot be read")
}

/// The operator's key does what the policy says, and no more.
pub async fn an_operator_writes_no_table_and_reads_no_receipt(world: &Deployment) -> Result<()> {
    let operator = world.as_operator()?;
    let table = world.output("TableName")?;
    let item = json!({ "PK": {"S": "EXPENSE#x"}, "SK": {"S": "EXPENSE"} }).to_string();
    let put = operator.cli(&["dynamodb", "put-item", "--table-name", table, "--item", &item]).await;
    ensure!(put.is_err_and(|error| error.to_string().contains("AccessDenied")), "nothing is written");
    let bucket = world.output("ReceiptBucketName")?;
    let list = operator.cli(&["s3api", "list-objects-v2", "--bucket", bucket]).await;
    ensure!(list.is_err_and(|error| error.to_string().contains("AccessDenied")), "receipts are none of theirs");
    Ok(())
}

/// A message that nobody can read ends in the dead-letter queue; it is looked at, sent back, and discarded with a reason.
pub async fn dead_letters_are_seen_redriven_and_discarded(world: &Deployment) -> Result<()> {
    let operator = Operator::of(world).await?;
    let queue = world.output("ProjectionsDeadLetterQueueUrl")?;
    // What is left of other scenarios is none of this one's.
    let before = operator.json(&["dlq", "list", "projections"]).await?;
    let before = before.as_array().context("a list")?.len();

    // The good one is an event that was lost here on its way: with its cause mended, it goes its way.
    let session = newcomer(world).await?;
    let id = draft(&session, "Letterbox", 410).await?;
    let seen = format!("SEEN#expense/{id}");
    let delivered = async || item(world, "ProjectionsTableName", &seen, "0000000001").await;
    wait::until("the event to be seen", DEADLINE, delivered).await?;
    let record = item(world, "TableName", &format!("EXPENSE#{id}"), "EVENT#0000000001").await?.context("an event")?;
    let detail: Value = serde_json::from_str(record["detail"].as_str().context("a detail")?)?;
    let good = json!({ "source": "slipstream", "detail-type": "ExpenseDrafted", "detail": detail }).to_string();
    let poison =
        json!({ "source": "slipstream", "detail-type": "ExpenseDrafted", "detail": {"canary": 1} }).to_string();
    let mut ids = Vec::new();
    for body in [&good, &poison] {
        ids.push(send(world, queue, body).await?);
    }
    let key = json!({ "PK": {"S": seen}, "SK": {"S": "0000000001"} }).to_string();
    let projections = world.output("ProjectionsTableName")?;
    world.aws(&["dynamodb", "delete-item", "--table-name", projections, "--key", &key]).await?;

    let list = operator.waiting("projections").await?;
    ensure!(list["visible"].as_u64().is_some_and(|count| count >= 2), "{list}");
    ensure!(list["oldest_at"].is_string() && list["oldest_reason"].is_string(), "{list}");
    let shown = operator.json(&["dlq", "show", "projections", &ids[0][..13]]).await?;
    ensure!(shown["about"] == format!("ExpenseDrafted expense/{id}/1"), "{shown}");
    ensure!(shown["body"]["detail"]["metadata"]["subject"]["id"] == *id, "decoded: {shown}");
    operator.run(&["dlq", "redrive", "projections", "no-such"]).await?.refused(4, "no message no-such")?;

    // One.
    let redriven = operator.json(&["dlq", "redrive", "projections", &ids[0]]).await?;
    ensure!(redriven["done"][0]["id"] == *ids[0], "{redriven}");
    wait::until("the redriven event to be seen", DEADLINE, delivered).await?;
    let text = operator.run(&["dlq", "list", "projections"]).await?;
    ensure!(!text.stdout.contains(&ids[0]) && text.stdout.contains(&ids[1]), "{}", text.stdout);

    // The poison for good.
    operator.run(&["dlq", "discard", "projections", &ids[1]]).await?.refused(2, "--reason")?;
    let reason = "a test's canary";
    let gone = operator.json(&["dlq", "discard", "projections", &ids[1], "--reason", reason]).await?;
    ensure!(gone["done"][0]["outcome"].as_str().is_some_and(|text| text.contains("discarded/projections/")), "{gone}");
    let key = gone["done"][0]["outcome"].as_str().and_then(|text| text.split(" as ").nth(1)).context("a key")?;
    let bucket = world.output("SetAsideBucketName")?;
    let deleted = world.as_operator()?.cli(&["s3api", "delete-object", "--bucket", bucket, "--key", key]).await;
    ensure!(deleted.is_err_and(|error| error.to_string().contains("AccessDenied")), "what is discarded stays");
    let kept = operator.json(&["dlq", "discarded"]).await?;
    let kept = kept.as_array().context("a list")?.iter().find(|note| note["id"] == *ids[1]).cloned();
    let kept = kept.context("what is discarded is kept")?;
    ensure!(kept["reason"] == reason && kept["by"].as_str().is_some_and(|by| by.ends_with("user/operator")), "{kept}");
    ensure!(kept["content"]["body"] == poison, "whole: {kept}");
    let after = operator.json(&["dlq", "list", "projections"]).await?;
    ensure!(after.as_array().map(Vec::len) == Some(before), "{after}");
    Ok(())
}

/// A record that the publisher could not read is set aside; once it can be read, it is published.
pub async fn what_was_set_aside_is_published(world: &Deployment) -> Result<()> {
    let operator = Operator::of(world).await?;
    let session = newcomer(world).await?;
    let id = draft(&session, "Set Aside", 520).await?;
    let seen = format!("SEEN#expense/{id}");
    let delivered = async || item(world, "ProjectionsTableName", &seen, "0000000001").await;
    wait::until("the event to be seen", DEADLINE, delivered).await?;
    let record = item(world, "TableName", &format!("EXPENSE#{id}"), "EVENT#0000000001").await?.context("an event")?;
    let text = |name: &str| json!({ "S": record[name] });
    // As the publisher keeps a record, of a version that it knows by now; and one that it will never know.
    let image =
        json!({ "detail_type": text("detail_type"), "detail": text("detail"), "occurred_at": text("occurred_at") });
    let bucket = world.output("SetAsideBucketName")?;
    let mut keys = Vec::new();
    for (name, image) in [("readable", image), ("poison", json!({ "detail": {"S": "{}"} }))] {
        let path = world.run_dir.join(format!("{name}.json"));
        std::fs::write(&path, json!({ "eventID": name, "dynamodb": { "NewImage": image } }).to_string())?;
        let key = format!("malformed-records/{name}-{id}.json");
        let body = path.to_str().context("a path is text")?;
        world.aws(&["s3api", "put-object", "--bucket", bucket, "--key", &key, "--body", body]).await?;
        keys.push(key);
    }
    let key = json!({ "PK": {"S": seen}, "SK": {"S": "0000000001"} }).to_string();
    let projections = world.output("ProjectionsTableName")?;
    world.aws(&["dynamodb", "delete-item", "--table-name", projections, "--key", &key]).await?;

    let list = operator.json(&["dlq", "list", "set-aside"]).await?.to_string();
    ensure!(list.contains("it can be read by now") && list.contains("the record has no"), "{list}");
    let trace = operator.json(&["trace", &id, "--no-logs"]).await?.to_string();
    ensure!(trace.contains("set aside") && trace.contains(&keys[0]), "{trace}");
    operator.json(&["dlq", "redrive", "set-aside", &keys[0]]).await?;
    wait::until("the event to be seen", DEADLINE, delivered).await?;
    let refused = operator.run(&["dlq", "redrive", "set-aside", &keys[1]]).await?;
    refused.refused(5, "discard it")?;
    operator.json(&["dlq", "discard", "set-aside", &keys[1], "--reason", "a test's"]).await?;
    let left = operator.json(&["dlq", "list", "set-aside"]).await?.to_string();
    ensure!(!keys.iter().any(|key| left.contains(key.as_str())), "{left}");
    Ok(())
}

/// A photo's whole way, out of table, machine, mails and logs, by each of its ids.
pub async fn a_trace_tells_the_way_from_photo_to_approval(world: &Deployment) -> Result<()> {
    let operator = Operator::of(world).await?;
    let session = newcomer(world).await?;
    let receipt = upload(&session, &fixture("cafe-eur.jpg"), "image/jpeg").await?;
    let receipt_id = receipt["id"].as_str().context("a receipt has an id")?.to_owned();
    let id = receipt["expense_id"].as_str().context("an expense was drafted")?.to_owned();
    session.submit(&id).await?;
    let (_, link) = crate::harness::request(world, &id).await?;
    let page = session.client.open_link(&link).await?;
    session.client.decide(&page, "approve", "").await?.expect(200)?;
    session.wait_for_status(&id, "approved", DEADLINE).await?;
    execution_succeeds(world, &id, 1).await?;
    let (execution, _) = execution_status(world, &id, 1).await?;

    let whats = |trace: &Value| -> Result<Vec<(String, String)>> {
        let entries = trace["entries"].as_array().context("a trace has entries")?;
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        Ok(entries.iter().map(|entry| (text(entry, "source"), text(entry, "what"))).collect())
    };
    // The mail's guard and the last log lines come a moment after the decision.
    let story = wait::until("the trace to be complete", DEADLINE, async || {
        let story = whats(&operator.json(&["trace", &id]).await?)?;
        let mailed = story.iter().any(|(source, what)| source == "mail" && what.contains("ExpenseApproved"));
        let logged = story.iter().any(|(source, what)| source == "log" && what.starts_with("projections:"));
        // Both mails to the approver are batches, which say for themselves that they are out.
        let out = |what: &str| what.starts_with("mail sent") || what == "notifications: mail of a batch sent";
        let batches = story.iter().filter(|(_, what)| out(what)).count();
        Ok((mailed && logged && batches >= 4).then_some(story))
    })
    .await?;
    let events: Vec<&str> =
        story.iter().filter(|(source, _)| source == "event").map(|(_, what)| what.as_str()).collect();
    let expected = ["ReceiptAnnounced", "ExpenseSubmitted", "ExpenseApprovalRequested", "ExpenseApproved"];
    ensure!(expected.iter().all(|kind| events.contains(kind)) && events.contains(&"ExpenseDrafted"), "{events:?}");
    let place =
        |what: &str| story.iter().position(|(_, found)| found == what).with_context(|| format!("{what}: {story:?}"));
    let order = [place("ReceiptAnnounced")?, place("ExpenseSubmitted")?, place("-> Claim")?, place("-> Ask")?];
    ensure!(order.is_sorted() && order[3] < place("execution succeeded")?, "{story:?}");
    ensure!(story.iter().any(|(source, what)| source == "step" && what.ends_with("approved")), "{story:?}");
    ensure!(story.iter().any(|(source, what)| source == "log" && what.starts_with("receipt-processor:")), "{story:?}");

    let trace = operator.json(&["trace", &id]).await?;
    ensure!(trace.to_string().contains("mail.id="), "a mail is named as the mail service does: {trace}");
    let details = trace["entries"].as_array().into_iter().flatten().filter_map(|entry| entry["detail"].as_str());
    let batch = details.filter(|detail| detail.contains("requests to")).find_map(|detail| detail.split(':').next());
    let batch = operator.json(&["trace", batch.context("the mail is a batch")?, "--no-logs", "--no-queues"]).await?;
    let about = format!("{id}.1.1");
    ensure!(whats(&batch)?.len() == 1 && batch.to_string().contains(&about), "{batch}");

    // The same story by every other id.
    for other in [&receipt_id, &format!("{id}.1"), &format!("expense/{id}/2"), &execution] {
        let story = whats(&operator.json(&["trace", other, "--no-logs", "--no-queues"]).await?)?;
        ensure!(story.iter().any(|(_, what)| what == "ExpenseApproved"), "{other}: {story:?}");
    }
    let name = execution.rsplit(':').next().context("an execution has a name")?;
    ensure!(whats(&operator.json(&["trace", name, "--no-logs"]).await?)?.len() > 5, "by the execution's name");
    // By the request that submitted it.
    let submitted = session.history(&id).await?;
    let submitted = submitted.iter().find(|event| event["type"] == "ExpenseSubmitted").context("it was submitted")?;
    let event = submitted["metadata"]["id"].as_str().context("an event has an id")?;
    let version: u64 = event.rsplit('/').next().unwrap_or_default().parse()?;
    let sk = format!("EVENT#{version:010}");
    let record = item(world, "TableName", &format!("EXPENSE#{id}"), &sk).await?.context("the event")?;
    let detail: Value = serde_json::from_str(record["detail"].as_str().context("a detail")?)?;
    let correlation = detail["metadata"]["correlation_id"].as_str().context("a correlation id")?;
    let story = whats(&operator.json(&["trace", correlation]).await?)?;
    ensure!(story.iter().any(|(_, what)| what == "ExpenseSubmitted"), "{story:?}");
    ensure!(story.iter().any(|(source, what)| source == "log" && what.starts_with("projections:")), "{story:?}");

    let text = operator.run(&["trace", &id]).await?;
    ensure!(text.code == Some(0) && text.stdout.contains("ExpenseApproved"), "{}{}", text.stdout, text.stderr);
    ensure!(!text.stdout.contains('\u{1b}'), "no colours where there is no terminal");
    operator.run(&["trace", "nothing-of-that-name"]).await?.refused(4, "nothing is known")
}

/// The dry run counts what the replay then delivers; nothing is mailed and nothing asked again.
pub async fn a_replay_is_counted_started_and_listed(world: &Deployment) -> Result<()> {
    let operator = Operator::of(world).await?;
    // What happens here, and not all that happened before.
    let began = (Timestamp::now() - SignedDuration::from_secs(1)).to_string();
    let session = newcomer(world).await?;
    let (id, page) = submitted(world, &session, "Encore").await?;
    session.client.decide(&page, "approve", "").await?.expect(200)?;
    session.wait_for_status(&id, "approved", DEADLINE).await?;
    execution_succeeds(world, &id, 1).await?;
    let events = history(&session, &id).await?.len();

    let counted = operator.json(&["replay", "start", "--from", &began, "--to", "now", "--dry-run"]).await?;
    let approvals = counted["types"]["ExpenseApproved"].as_u64().context("approvals were counted")?;
    ensure!(approvals >= 1 && counted["events"].as_u64().is_some_and(|all| all > approvals), "{counted}");
    let consumer = |name: &str| {
        let all = counted["consumers"].as_array().into_iter().flatten();
        all.filter(|one| one["rule"] == name).filter_map(|one| one["events"].as_u64()).sum::<u64>()
    };
    ensure!(consumer("projections") == counted["events"].as_u64().unwrap_or(0), "{counted}");
    ensure!(consumer("approval") < consumer("notifications") && consumer("approval") > 0, "{counted}");
    let by_type = ["--from", &began, "--to", "now", "--type", "ExpenseApproved", "--dry-run"];
    let text = operator.run(&[&["replay", "start"], &by_type[..]].concat()).await?;
    ensure!(text.stdout.contains("notifications") && !text.stdout.contains("approval  "), "{}", text.stdout);

    let range = ["--from", &began, "--to", "now", "--rule", "projections"];
    let start = [&["replay", "start"], &range[..]].concat();
    operator.run(&start).await?.refused(5, "ten minutes")?;
    operator.run(&["replay", "start", "--from", "1h", "--rule", "mails"]).await?.refused(4, "no rule mails")?;

    let name = format!("{}-encore-{}", world.stack, uuid::Uuid::new_v4().simple());
    let done = operator.json(&[&start[..], &["--force", "--name", &name]].concat()).await?;
    ensure!(done["state"] == "COMPLETED" && done["progress_percent"] == 100, "{done}");
    let rules = done["rules"].as_array().context("the replay names its rules")?;
    ensure!(rules.len() == 1 && rules[0].as_str().is_some_and(|arn| arn.ends_with("-projections")), "{done}");
    meets(world, "projections", &name, &format!("expense/{id}/{events}"), "summed up").await?;
    ensure!(requests(world, &id).await? == 1, "nobody was asked twice");
    ensure!(history(&session, &id).await?.len() == events, "and nothing happened twice");

    let listed = operator.json(&["replay", "list"]).await?.to_string();
    ensure!(listed.contains(&name), "{listed}");
    let again = operator.run(&[&start[..], &["--force", "--name", &name]].concat()).await?;
    again.refused(5, "another --name")?;
    operator.run(&["replay", "resume", &name]).await?.refused(5, "complete")?;
    operator.run(&["replay", "cancel", &name]).await?.refused(5, "over already")?;
    operator.run(&["replay", "cancel", "no-such"]).await?.refused(2, "begin with")?;
    let unknown = format!("{}-no-such", world.stack);
    operator.run(&["replay", "cancel", &unknown]).await?.refused(4, "replay list")
}

/// A replay mails nobody, and once everybody if it says so.
pub async fn mails_are_sent_again_when_an_operator_says_so(world: &Deployment) -> Result<()> {
    let operator = Operator::of(world).await?;
    let began = (Timestamp::now() - SignedDuration::from_secs(1)).to_string();
    let (employee, manager) = team(world).await?;
    let (owner, approver) = (address(&employee).await?, address(&manager).await?);
    let approved = draft(&employee, "Told Again", 1500).await?;
    employee.submit(&approved).await?;
    let page = manager.client.open_link(&link_of(world, &manager, &approved, 1).await?).await?;
    manager.client.decide(&page, "approve", "").await?.expect(200)?;
    let waiting = draft(&employee, "Asked Again", 1600).await?;
    employee.submit(&waiting).await?;
    let first = link_of(world, &manager, &waiting, 1).await?;

    // What was mailed of both, by recipient and subject.
    let mails = async || -> Result<BTreeMap<(String, String), usize>> {
        let mut count = BTreeMap::new();
        for mail in world.mailbox().list().await? {
            if mail.mentions(&approved) || mail.mentions(&waiting) {
                *count.entry((mail.to.join(","), mail.subject)).or_default() += 1;
            }
        }
        Ok(count)
    };
    let four = async || Ok(Some(mails().await?).filter(|mails| mails.len() == 4));
    let before = wait::until("two requests, an outcome and a confirmation", DEADLINE, four).await?;
    for (to, subject) in [(&owner, "Expense approved"), (&approver, "You approved"), (&approver, "Please approve")] {
        ensure!(
            before.keys().any(|(mailed, about)| mailed == to && about.starts_with(subject)),
            "{subject}: {before:?}"
        );
    }

    let start = ["replay", "start", "--from", &began, "--to", "now", "--force", "--rule", "notifications"];
    let name = |what: &str| format!("{}-{what}-{}", world.stack, &uuid::Uuid::new_v4().simple().to_string()[..8]);
    let silent = name("silent");
    operator.json(&[&start[..], &["--name", &silent]].concat()).await?;
    meets(world, "notifications", &silent, &format!("expense/{waiting}/3"), "nobody is mailed").await?;
    ensure!(mails().await? == before, "a replay mails nobody");

    let again = name("again");
    let done = operator.json(&[&start[..], &["--resend", "--name", &again]].concat()).await?;
    ensure!(done["name"] == format!("{again}.resend"), "{done}");
    // Nobody is asked for what is decided; everything else is told once more.
    let expected = before.iter().map(|((to, subject), count)| {
        let decided = subject.starts_with("Please approve") && subject.ends_with("Told Again");
        ((to.clone(), subject.clone()), if decided { *count } else { count + 1 })
    });
    let expected: BTreeMap<_, _> = expected.collect();
    let told = async || Ok((mails().await? == expected).then_some(()));
    wait::until("the mails to be sent again", DEADLINE, told).await?;

    // Both links count.
    ensure!(!manager.client.open_link(&first).await?.forms().is_empty(), "the first link goes on working");
    let newest = |mail: &Mail| mail.is_to(&approver) && demo::is_request(mail, &waiting);
    let newest = world.mailbox().list().await?.into_iter().filter(newest).max_by_key(|mail| mail.date);
    let link = demo::request_link(&newest.context("a mail that asks again")?).context("it has a link")?;
    ensure!(link != first, "it has a secret of its own");
    let page = manager.client.open_link(&link).await?;
    manager.client.decide(&page, "approve", "").await?.expect(200)?;
    let outcome = |mail: &Mail| mail.is_to(&owner) && mail.subject.starts_with("Expense approved: 16.00");
    world.mailbox().wait_for_mail("the outcome of the other", DEADLINE, outcome).await?;
    let now = mails().await?;
    ensure!(expected.iter().all(|(mail, count)| now.get(mail) == Some(count)), "each once: {now:?}");
    Ok(())
}

/// An event that nobody saw is found, told of by `health`, and published again.
pub async fn what_was_not_delivered_is_degraded_and_published_again(world: &Deployment) -> Result<()> {
    let operator = Operator::of(world).await?;
    let session = newcomer(world).await?;
    let id = draft(&session, "Overlooked", 660).await?;
    let seen = format!("SEEN#expense/{id}");
    let delivered = async || item(world, "ProjectionsTableName", &seen, "0000000001").await;
    wait::until("the event to be seen", DEADLINE, delivered).await?;
    // A sweep first, so that the mark is there; then the evidence of delivery is lost.
    sweep(world).await?;
    let right_after = operator.run(&["--json", "health"]).await?;
    ensure!(matches!(right_after.code, Some(0 | 7)), "health right after a sweep: {right_after:?}");
    let key = json!({ "PK": {"S": seen}, "SK": {"S": "0000000001"} }).to_string();
    let projections = world.output("ProjectionsTableName")?;
    world.aws(&["dynamodb", "delete-item", "--table-name", projections, "--key", &key]).await?;

    let check = async |name: &str| -> Result<Value> {
        let health = operator.run(&["--json", "health", "--grace", "0s"]).await?;
        let answer = health.answer()?;
        let degraded = answer["state"] == "degraded";
        ensure!(health.code == Some(if degraded { 7 } else { 0 }), "{:?}: {answer}", health.code);
        let checks = answer["checks"].as_array().context("checks")?;
        checks.iter().find(|check| check["name"] == name).cloned().with_context(|| format!("{name}: {answer}"))
    };
    let from = "1h";
    let found = operator.json(&["republish", "--from", from, "--to", "now", "--dry-run"]).await?;
    let wanted = format!("expense/{id}/1");
    ensure!(found["published"] == false && found.to_string().contains(&wanted), "{found}");
    ensure!(item(world, "ProjectionsTableName", &seen, "0000000001").await?.is_none(), "a dry run publishes nothing");
    let traced = operator.json(&["trace", &id, "--no-logs"]).await?.to_string();
    ensure!(traced.contains(&wanted), "{traced}");

    let published = operator.json(&["republish", "--from", from, "--to", "now"]).await?;
    ensure!(published["published"] == true && published.to_string().contains(&wanted), "{published}");
    wait::until("the event to be seen", DEADLINE, delivered).await?;
    let again = operator.json(&["republish", &id, "--version", "1"]).await?;
    ensure!(again["events"].as_array().map(Vec::len) == Some(1), "{again}");
    operator.run(&["republish", &id, "--version", "9"]).await?.refused(4, "no version 9")?;

    // With nothing in the dead-letter queue but what is put there now.
    let name = "dead letters of sweeper";
    ensure!(check(name).await?["state"] == "ok", "nothing waits there");
    let queue = world.output("SweeperDeadLetterQueueUrl")?;
    let body =
        json!({ "requestContext": { "condition": "RetriesExhausted" }, "responsePayload": { "errorMessage": "x" } });
    send(world, queue, &body.to_string()).await?;
    let bad = check(name).await?;
    ensure!(bad["state"] == "degraded" && bad["remedy"].as_str().is_some_and(|text| text.contains("dlq")), "{bad}");
    let refused = operator.run(&["dlq", "redrive", "sweeper", "--all"]).await?;
    refused.refused(5, "Discard it")?;
    operator.json(&["dlq", "discard", "sweeper", "--all", "--reason", "the test's own"]).await?;
    ensure!(check(name).await?["state"] == "ok", "and it is gone");

    // What somebody wrote among the events by hand is told of, and holds nobody up.
    let name = "items that are no events";
    ensure!(check(name).await?["state"] == "ok", "every event can be read");
    let now = jiff::Timestamp::now();
    let (pk, table) = (format!("EXPENSE#{}", uuid::Uuid::new_v4()), world.output("TableName")?);
    let key = json!({ "PK": {"S": pk}, "SK": {"S": "EVENT#0000000001"} }).to_string();
    let mut no_event: Value = serde_json::from_str(&key)?;
    no_event["GSI4PK"] = json!({"S": format!("DAY#{}", now.strftime("%Y-%m-%d"))});
    no_event["GSI4SK"] = json!({"S": now.strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string()});
    no_event["detail"] = json!({"N": "1"});
    world.aws(&["dynamodb", "put-item", "--table-name", table, "--item", &no_event.to_string()]).await?;
    let bad = check(name).await?;
    ensure!(bad["state"] == "degraded" && bad["detail"].as_str().is_some_and(|text| text.contains(&pk)), "{bad}");
    let noted = operator.run(&["republish", "--from", from, "--to", "now", "--dry-run"]).await?;
    ensure!(noted.code == Some(0) && noted.stderr.contains(&pk), "{noted:?}");
    // The grace is a second.
    wait::until("a sweep that comes past it", DEADLINE, async || {
        sweep(world).await?;
        let mark = item(world, "ProjectionsTableName", "SWEEP", "DELIVERY").await?;
        let until: Option<jiff::Timestamp> = mark.and_then(|mark| mark["delivered_until"].as_str()?.parse().ok());
        Ok(until.filter(|until| *until > now))
    })
    .await?;
    ensure!(check(name).await?["state"] == "degraded", "it is there still");
    world.aws(&["dynamodb", "delete-item", "--table-name", table, "--key", &key]).await?;
    ensure!(check(name).await?["state"] == "ok", "and it is gone");
    Ok(())
}
