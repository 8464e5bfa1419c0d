//! One world for all scenarios, started by the first and ended after the last, and the steps that many share.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use libtest_mimic::Failed;
use reqwest::Url;
use serde_json::{Value, json};
use slipstream_local::{
    Deployment, Mail, Options, Session, World,
    client::{Answer, Page},
    compile::Beside,
    demo, wait,
};
use tokio::runtime::Runtime;

/// How long anything may take before it counts as not happening: generous, since other work may share the machine.
pub const DEADLINE: Duration = Duration::from_secs(120);
/// How long an upload ticket is good, in seconds.
pub const TICKET_SECONDS: i64 = 15;
/// How long open work must have waited before the sweeper looks at it, in seconds.
const GRACE_SECONDS: u32 = 1;

/// Starts the world when it is first needed.
#[derive(Clone)]
pub struct Harness {
    runtime: Arc<Runtime>,
    world: Arc<Mutex<Option<World>>>,
}

impl Harness {
    /// Nothing runs yet.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
        let harness = Self { runtime: Arc::new(runtime), world: Arc::default() };
        let world = Arc::clone(&harness.world);
        harness.runtime.spawn(async move {
            // Whoever interrupts the tests must not be left with a running stack.
            if tokio::signal::ctrl_c().await.is_ok() {
                if let Ok(mut world) = world.try_lock() {
                    world.take();
                }
                std::process::exit(130);
            }
        });
        harness
    }

    /// Runs a scenario in the world.
    pub fn run(&self, scenario: impl AsyncFnOnce(&Deployment) -> Result<()>) -> Result<(), Failed> {
        let mut world = self.world.lock().map_err(|_| "an earlier scenario panicked")?;
        self.runtime
            .block_on(async {
                if world.is_none() {
                    *world = Some(World::start(options()).await?);
                }
                let world = world.as_ref().context("there is no world")?;
                scenario(world.deployment()).await
            })
            .map_err(|error| format!("{error:?}").into())
    }

    /// Ends the world.
    pub fn stop(&self) {
        if let Ok(mut world) = self.world.lock() {
            let _inside = self.runtime.enter();
            world.take();
        }
    }
}

fn options() -> Options {
    let parameters = [
        ("SweepGraceSeconds", GRACE_SECONDS.to_string()),
        ("TicketSeconds", TICKET_SECONDS.to_string()),
        // Requests made from the contract come faster than people do.
        ("ApiRateLimit", "10000".to_owned()),
        ("ApiBurstLimit", "5000".to_owned()),
        // The scenarios start the sweeper themselves.
        ("SweepSchedule", "rate(1 day)".to_owned()),
    ];
    let parameters = parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<BTreeMap<_, _>>();
    Options { parameters, build_beside: Beside::Tests, ..Options::default() }
}

/// The bytes of a fixture.
pub fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/receipts").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A new employee, whose manager is the seeded one.
pub async fn newcomer(world: &Deployment) -> Result<Session> {
    demo::sign_up(world).await
}

/// An expense of one's own, entered by hand.
pub async fn draft(session: &Session, merchant: &str, minor_units: i64) -> Result<String> {
    let details = json!({
        "merchant": merchant, "date": "2026-03-12", "category": "meals",
        "amount": {"minor_units": minor_units, "currency": "EUR"},
    });
    let answer = session.post("/expenses", &json!({ "details": details })).await?.expect(201)?;
    answer["id"].as_str().map(str::to_owned).context("an expense has an id")
}

/// Uploads a file and waits until it is read or failed.
pub async fn upload(session: &Session, bytes: &[u8], media_type: &str) -> Result<Value> {
    let announcement = session.announce(bytes, media_type, None).await?;
    let ticket = announcement.upload.context("a new receipt gets a ticket")?;
    ticket.send(bytes).await?.expect(200)?;
    session.wait_for_receipt(&announcement.receipt_id, DEADLINE).await
}

/// The mail that asks for a decision on the expense, and the link to decide on it.
pub async fn request(world: &Deployment, expense: &str) -> Result<(Mail, String)> {
    request_of(world, &format!("{expense}.1.1."), |_| true).await
}

/// The mail that asks for this step (`<submission>.<step>.`), of those that are `wanted`, and the link to decide on it.
/// What arrives together comes as one mail, so that the link may be one of a list's; and where the policy reminds within
/// seconds, the reminder may be the first to ask.
pub async fn request_of(world: &Deployment, step: &str, wanted: impl Fn(&Mail) -> bool) -> Result<(Mail, String)> {
    let expense = step.split('.').next().unwrap_or_default();
    let client = world.client()?;
    let reminds = |mail: &Mail| mail.subject.starts_with("Reminder: ") && mail.mentions(expense);
    let asks = |mail: &Mail| demo::is_request(mail, expense) || reminds(mail);
    wait::until("the mail that asks for a decision", DEADLINE, async || {
        let mails = world.mailbox().list().await?;
        for mail in mails.into_iter().filter(|mail| asks(mail) && wanted(mail)) {
            let link = demo::link_to(&client, &mail, expense).await;
            if let Some(link) = link.ok().filter(|link| link.contains(&format!("/{step}"))) {
                return Ok(Some((mail, link)));
            }
        }
        Ok(None)
    })
    .await
}

/// What the form of a list's page sends to approve all of it.
pub const APPROVE_ALL: [(&str, &str); 2] = [("decision", "approve_all"), ("confirm", "yes")];

/// Posts a form, as the buttons of a page do or otherwise: the status and the page that answers.
pub async fn press(url: &Url, fields: &[(&str, &str)]) -> Result<(u16, String)> {
    let mut form = Url::parse("http://form")?;
    form.query_pairs_mut().extend_pairs(fields);
    let body = form.query().unwrap_or_default().to_owned();
    let request = reqwest::Client::new().post(url.clone()).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.body(body).send().await?;
    Ok((answer.status().as_u16(), answer.text().await?))
}

/// How many mails ask for a decision on the expense.
pub async fn requests(world: &Deployment, expense: &str) -> Result<usize> {
    Ok(world.mailbox().list().await?.iter().filter(|mail| demo::is_request(mail, expense)).count())
}

/// Drafts and submits an expense, and opens the link that its approver is mailed.
pub async fn submitted(world: &Deployment, session: &Session, merchant: &str) -> Result<(String, Page)> {
    let id = draft(session, merchant, 2340).await?;
    session.submit(&id).await?;
    let (_, link) = request(world, &id).await?;
    let page = session.client.open_link(&link).await?;
    page.answer.expect(200)?;
    Ok((id, page))
}

/// The types of the expense's events, oldest first.
pub async fn history(session: &Session, expense: &str) -> Result<Vec<String>> {
    let events = session.history(expense).await?;
    Ok(events.iter().filter_map(|event| event["type"].as_str()).map(str::to_owned).collect())
}

/// Has the sweeper sweep once; what it did.
pub async fn sweep(world: &Deployment) -> Result<Value> {
    let out = world.run_dir.join(format!("sweep-{}.json", uuid::Uuid::new_v4()));
    let path = out.to_str().context("a path is text")?;
    let function = world.output("SweeperFunctionName")?;
    let answer = world.aws(&["lambda", "invoke", "--function-name", function, path]).await?;
    let result: Value = serde_json::from_slice(&std::fs::read(&out)?)?;
    ensure!(answer.get("FunctionError").is_none(), "the sweep failed: {result}");
    Ok(result)
}

/// Sweeps until it has done something of this kind, by its name in the summary.
pub async fn sweep_until(world: &Deployment, done: &str) -> Result<()> {
    wait::until(&format!("a sweep that has {done} something"), DEADLINE, async || {
        let summary = sweep(world).await?;
        Ok(summary[done].as_u64().filter(|count| *count > 0).map(|_| ()))
    })
    .await
}

/// The item of a table, or nothing; values without their types.
pub async fn item(world: &Deployment, table: &str, pk: &str, sk: &str) -> Result<Option<Value>> {
    let key = json!({ "PK": {"S": pk}, "SK": {"S": sk} }).to_string();
    let table = world.output(table)?;
    let arguments = ["dynamodb", "get-item", "--consistent-read", "--table-name", table, "--key", &key];
    let answer = world.aws(&arguments).await?;
    Ok(answer.get("Item").map(plain))
}

fn plain(item: &Value) -> Value {
    let member = |value: &Value| value.as_object().and_then(|typed| typed.values().next()).cloned().unwrap_or_default();
    item.as_object()
        .map(|item| item.iter().map(|(name, value)| (name.clone(), member(value))).collect())
        .unwrap_or_default()
}

/// The executions that a submission's claim and its restarts name, with their status.
pub async fn execution_status(world: &Deployment, expense: &str, submission: u32) -> Result<(String, String)> {
    let claim = item(world, "TableName", &format!("SUBMISSION#{expense}#{submission}"), "CLAIM").await?;
    let claim = claim.context("the submission is claimed")?;
    let execution = claim["execution"].as_str().context("a claim names an execution")?.to_owned();
    let answer = world.aws(&["stepfunctions", "describe-execution", "--execution-arn", &execution]).await?;
    Ok((execution, answer["status"].as_str().unwrap_or_default().to_owned()))
}

/// Waits until the execution that has the submission has ended well.
pub async fn execution_succeeds(world: &Deployment, expense: &str, submission: u32) -> Result<()> {
    wait::until("the execution to succeed", DEADLINE, async || {
        match execution_status(world, expense, submission).await?.1.as_str() {
            "SUCCEEDED" => Ok(Some(())),
            "RUNNING" => Ok(None),
            other => bail!("the execution ended {other}"),
        }
    })
    .await
}

/// Has the archive replay everything since `began`; the replay's name.
pub async fn replay(world: &Deployment, began: Timestamp) -> Result<String> {
    let arn = world.output("EventBusArn")?;
    let archive = world.aws(&["events", "describe-archive", "--archive-name", world.output("ArchiveName")?]).await?;
    let source = archive["ArchiveArn"].as_str().context("the archive has an ARN")?;
    let name = format!("again-{}", uuid::Uuid::new_v4());
    // Events carry whole seconds there.
    let start = (began - SignedDuration::from_secs(1)).to_string();
    let end = (Timestamp::now() + SignedDuration::from_mins(1)).to_string();
    let destination = json!({ "Arn": arn }).to_string();
    let replay = ["events", "start-replay", "--replay-name", &name, "--event-source-arn", source];
    let range = ["--event-start-time", &start, "--event-end-time", &end, "--destination", &destination];
    world.aws(&[&replay[..], &range[..]].concat()).await?;
    Ok(name)
}

/// Waits until a consumer has met an event in a replay and said so.
pub async fn meets(world: &Deployment, consumer: &str, replay: &str, event: &str, done: &str) -> Result<()> {
    wait::until(&format!("{consumer} to meet {event} in the replay"), DEADLINE, async || {
        let lines = world.logs(consumer, 0).await?;
        let met = lines.iter().any(|line| [replay, event, done].iter().all(|part| line.message.contains(*part)));
        Ok(met.then_some(()))
    })
    .await
}

/// An answer's problem type.
pub fn problem(answer: &Answer) -> String {
    answer.json()["type"].as_str().unwrap_or_default().rsplit(':').next().unwrap_or_default().to_owned()
}
