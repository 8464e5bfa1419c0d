//! Replays of everything there is: three times over what is there, and once into an empty projections table. How much there
//! is says `SLIPSTREAM_REPLAY_EXPENSES`; the figures of a larger run are in `docs/operations.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use slipstream_local::{Deployment, Session, wait};

use crate::{
    approvers::{happens, team, under},
    harness::DEADLINE,
    ops::Operator,
    receipts::drained,
};

/// How many expenses there are unless the environment says otherwise.
const EXPENSES: usize = 15;
/// How many are under way at once.
const TOGETHER: usize = 8;
/// How long all of a replay may take to be dealt with, for each expense.
const PATIENCE_SECONDS: u64 = 4;

/// One expense, as far as its number says: a draft, approved by the policy, approved, rejected, or waiting.
async fn live(employee: &Session, manager: &Session, number: usize) -> Result<()> {
    let kind = number % 5;
    let category = ["meals", "travel", "lodging"][number % 3];
    let currency = ["EUR", "JPY", "USD"][number / 3 % 3];
    let amount = i64::try_from(number)? + if kind == 1 { 100 } else { 5000 };
    let details = json!({
        "merchant": format!("Merchant {}", number % 7), "date": format!("2026-0{}-12", number % 4 + 1),
        "category": category, "amount": { "minor_units": amount, "currency": if kind == 1 { "EUR" } else { currency } },
        "paid_by": if number.is_multiple_of(4) { "company_card" } else { "out_of_pocket" }, "note": format!("Number {number}"),
    });
    let answer = employee.post("/expenses", &json!({ "details": details })).await?.expect(201)?;
    let id = answer["id"].as_str().context("an expense has an id")?;
    if kind == 0 {
        return Ok(());
    }
    employee.submit(id).await?;
    let (decision, status) = match kind {
        1 => return employee.wait_for_status(id, "approved", DEADLINE).await.map(|_| ()),
        2 => (json!({ "decision": "approve" }), "approved"),
        3 => (json!({ "decision": "reject", "comment": "Not this one" }), "rejected"),
        _ => return happens(employee, id, "ExpenseApprovalRequested").await.map(|_| ()),
    };
    happens(employee, id, "ExpenseApprovalRequested").await?;
    manager.post(&format!("/submissions/{id}.1/decision"), &decision).await?.expect(200)?;
    employee.wait_for_status(id, status, DEADLINE).await.map(|_| ())
}

/// All items of a table by their keys, without when they expire.
async fn items(world: &Deployment, table: &str) -> Result<BTreeMap<(String, String), Map<String, Value>>> {
    let mut all = BTreeMap::new();
    let mut input = json!({ "TableName": world.output(table)?, "ConsistentRead": true });
    loop {
        let page = world.account.call("dynamodb", "DynamoDB_20120810.Scan", &input).await?;
        for item in page["Items"].as_array().into_iter().flatten() {
            let mut item = item.as_object().context("an item")?.clone();
            item.remove("expires_at");
            let key = |name: &str| item[name]["S"].as_str().map(str::to_owned).context("a key");
            all.insert((key("PK")?, key("SK")?), item);
        }
        match page.get("LastEvaluatedKey") {
            Some(key) if !key.is_null() => input["ExclusiveStartKey"] = key.clone(),
            _ => return Ok(all),
        }
    }
}

/// Every execution of the approval, with its status.
async fn executions(world: &Deployment) -> Result<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    let mut input = json!({ "stateMachineArn": world.output("StateMachineArn")?, "maxResults": 1000 });
    loop {
        let page = world.account.call("states", "AWSStepFunctions.ListExecutions", &input).await?;
        for one in page["executions"].as_array().into_iter().flatten() {
            let text = |name: &str| one[name].as_str().map(str::to_owned).context("an execution");
            all.insert(text("executionArn")?, text("status")?);
        }
        match page["nextToken"].as_str() {
            Some(token) => input["nextToken"] = token.into(),
            None => return Ok(all),
        }
    }
}

/// What a replay must leave as it is.
#[derive(Debug, PartialEq)]
struct State {
    main: BTreeMap<(String, String), Map<String, Value>>,
    projections: BTreeMap<(String, String), Map<String, Value>>,
    mails: usize,
}

impl State {
    async fn of(world: &Deployment) -> Result<Self> {
        let mut projections = items(world, "ProjectionsTableName").await?;
        // How far sweeps have come is nothing that events say; and a sum that has come to zero counts as none: a
        // rebuild may go past what was there for a while.
        projections.retain(|(partition, _), item| {
            item.retain(|_, value| value["N"] != "0");
            partition.starts_with("SEEN#") || (partition != "SWEEP" && item.len() > 2)
        });
        let (main, mails) = (items(world, "TableName").await?, world.mailbox().list().await?.len());
        Ok(Self { main, projections, mails })
    }

    /// The keys of the marks that all events are seen by.
    fn events(&self) -> impl Iterator<Item = (String, String)> {
        let events = self.main.iter().filter(|((_, sort), _)| sort.starts_with("EVENT#"));
        events.filter_map(|(_, item)| {
            let detail: Value = serde_json::from_str(item["detail"]["S"].as_str()?).ok()?;
            let subject = &detail["metadata"]["subject"];
            let (kind, id) = (subject["type"].as_str()?, subject["id"].as_str()?);
            Some((format!("SEEN#{kind}/{id}"), format!("{:010}", subject["version"].as_u64()?)))
        })
    }

    /// Whether everything that happened is dealt with, but for what waits for people.
    fn settled(&self) -> bool {
        let open = |item: &Map<String, Value>| {
            let work = item.get("GSI3PK").and_then(|key| key["S"].as_str()).unwrap_or("OPEN#submission");
            work.starts_with("OPEN#") && work != "OPEN#submission"
        };
        self.events().all(|event| self.projections.contains_key(&event)) && !self.main.values().any(open)
    }

    fn same_as(&self, before: &Self, after: &str) -> Result<()> {
        let differences = |now: &BTreeMap<_, Map<String, Value>>, then: &BTreeMap<_, Map<String, Value>>| {
            let keys: BTreeSet<&(String, String)> = now.keys().chain(then.keys()).collect();
            let differ = keys.into_iter().filter(|key| now.get(*key) != then.get(*key));
            differ.map(|key| json!([key, then.get(key), now.get(key)]).to_string()).collect::<Vec<_>>()
        };
        let main = differences(&self.main, &before.main);
        ensure!(main.is_empty(), "{after} the table differs: {main:?}");
        let projections = differences(&self.projections, &before.projections);
        ensure!(projections.is_empty(), "{after} the sums differ: {projections:?}");
        ensure!(self.mails == before.mails, "{after} there are {} mails, not {}", self.mails, before.mails);
        Ok(())
    }
}

async fn settled(world: &Deployment) -> Result<State> {
    for queue in ["NotificationsQueueUrl", "ProjectionsQueueUrl"] {
        drained(world, queue).await?;
    }
    wait::until("everything to be dealt with", DEADLINE, async || {
        let state = State::of(world).await?;
        Ok(state.settled().then_some(state))
    })
    .await
}

/// Has everything since `began` replayed to every consumer, and waits until they have dealt with it; how many events.
async fn replay(world: &Deployment, operator: &Operator, began: &str, patience: std::time::Duration) -> Result<usize> {
    let name = format!("{}-whole-{}", world.stack, uuid::Uuid::new_v4().simple());
    let before = executions(world).await?;
    let since = Timestamp::now().as_millisecond();
    let range = ["--from", began, "--to", "now", "--force", "--name", &name];
    let rules = ["--rule", "projections", "--rule", "notifications", "--rule", "approval"];
    let counted = operator.json(&[&["replay", "start", "--dry-run"], &range[..4], &rules[..]].concat()).await?;
    let events = usize::try_from(counted["events"].as_u64().context("events are counted")?)?;
    let submissions =
        usize::try_from(counted["types"]["ExpenseSubmitted"].as_u64().context("submissions are counted")?)?;
    operator.json(&[&["replay", "start"], &range[..], &rules[..]].concat()).await?;
    wait::until("the projections to meet every event again", patience, async || {
        let lines = world.logs("projections", since).await?;
        let met = lines.iter().filter(|line| line.message.contains(&name) && line.message.contains("\"event.id\""));
        let ids = met.filter_map(|line| serde_json::from_str::<Value>(&line.message).ok());
        let ids: BTreeSet<_> = ids.map(|line| line["span"]["event.id"].to_string()).collect();
        Ok((ids.len() >= events).then_some(()))
    })
    .await?;
    drained(world, "NotificationsQueueUrl").await?;
    wait::until("the executions of the replay to end", patience, async || {
        let now = executions(world).await?;
        let new: Vec<_> = now.iter().filter(|(arn, _)| !before.contains_key(*arn)).collect();
        for (arn, status) in &new {
            ensure!(["RUNNING", "SUCCEEDED"].contains(&status.as_str()), "{arn} ended {status}");
        }
        let ended = new.iter().filter(|(_, status)| *status == "SUCCEEDED").count();
        Ok((ended >= submissions && ended == new.len()).then_some(()))
    })
    .await?;
    Ok(events)
}

/// Takes everything out of the projections table.
async fn empty_projections(world: &Deployment) -> Result<()> {
    let table = world.output("ProjectionsTableName")?;
    let keys: Vec<_> = items(world, "ProjectionsTableName").await?.into_keys().collect();
    for some in keys.chunks(25) {
        let delete = |(partition, sort): &(String, String)| json!({ "DeleteRequest": { "Key": { "PK": { "S": partition }, "SK": { "S": sort } } } });
        let requests: Vec<_> = some.iter().map(delete).collect();
        let input = json!({ "RequestItems": { table: requests } });
        let answer = world.account.call("dynamodb", "DynamoDB_20120810.BatchWriteItem", &input).await?;
        let left = answer["UnprocessedItems"].as_object().is_some_and(|left| !left.is_empty());
        ensure!(!left, "{answer}");
    }
    ensure!(items(world, "ProjectionsTableName").await?.is_empty(), "the table is empty");
    Ok(())
}

pub async fn all_of_it_again_changes_nothing(world: &Deployment) -> Result<()> {
    let count = match std::env::var("SLIPSTREAM_REPLAY_EXPENSES") {
        Ok(count) => count.parse().context("SLIPSTREAM_REPLAY_EXPENSES is a number")?,
        Err(_) => EXPENSES,
    };
    let operator = Operator::of(world).await?;
    // Whatever else there is in this world is replayed, too: sums of the company are rebuilt from all of it.
    let began = (Timestamp::now() - SignedDuration::from_hours(6)).to_string();
    let teams = [team(world).await?, team(world).await?, team(world).await?];
    let start = Instant::now();
    let policy = json!({ "auto_approve_below": { "minor_units": 1000, "currency": "EUR" } });
    under(world, policy, async || {
        let lives = (0..count).map(|number| {
            let (employee, manager) = &teams[number % teams.len()];
            live(employee, manager, number)
        });
        stream::iter(lives).buffer_unordered(TOGETHER).try_collect::<Vec<()>>().await.map(|_| ())
    })
    .await?;
    let before = settled(world).await?;
    let approvals = executions(world).await?.len();
    println!(
        "{count} expenses: {} events, {} mails, {approvals} executions, {} items in {:.0?}",
        before.events().count(),
        before.mails,
        before.main.len() + before.projections.len(),
        start.elapsed()
    );

    let patience = DEADLINE.max(std::time::Duration::from_secs(PATIENCE_SECONDS * u64::try_from(count)?));
    for time in ["once", "twice", "three times"] {
        let start = Instant::now();
        let events = replay(world, &operator, &began, patience).await?;
        ensure!(events == before.events().count(), "all of them are replayed: {events}");
        State::of(world).await?.same_as(&before, &format!("replayed {time},"))?;
        println!("replayed {time}: {events} events in {:.0?}; the same items, no mail", start.elapsed());
    }
    empty_projections(world).await?;
    let start = Instant::now();
    let events = replay(world, &operator, &began, patience).await?;
    State::of(world).await?.same_as(&before, "into an empty table,")?;
    println!("rebuilt from nothing by {events} events in {:.0?}", start.elapsed());
    Ok(())
}
