//! Losses, deaths, repetitions: nothing is lost and no state changes twice.

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde_json::{Value, json};
use slipstream_local::{Deployment, wait};

use crate::harness::{
    DEADLINE, draft, execution_status, execution_succeeds, fixture, history, item, meets, newcomer, replay, request,
    requests, submitted, sweep_until,
};

/// The rules of the stack's bus.
async fn rules(world: &Deployment) -> Result<Vec<String>> {
    let bus = world.output("EventBusName")?;
    let answer = world.aws(&["events", "list-rules", "--event-bus-name", bus]).await?;
    let rules = answer["Rules"].as_array().context("the bus has rules")?;
    // An archive is a rule of the service's own.
    let ours = rules.iter().filter(|rule| rule.get("ManagedBy").is_none());
    Ok(ours.filter_map(|rule| rule["Name"].as_str()).map(str::to_owned).collect())
}

async fn switch(world: &Deployment, rules: &[String], operation: &str) -> Result<()> {
    let bus = world.output("EventBusName")?;
    for rule in rules {
        world.aws(&["events", operation, "--name", rule, "--event-bus-name", bus]).await?;
    }
    Ok(())
}

pub async fn an_execution_stopped_in_the_middle_is_restarted(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (id, page) = submitted(world, &session, "Interrupted").await?;
    let (first, _) = execution_status(world, &id, 1).await?;
    world.aws(&["stepfunctions", "stop-execution", "--execution-arn", &first]).await?;
    sweep_until(world, "restarted").await?;
    let (second, status) = execution_status(world, &id, 1).await?;
    ensure!(second != first && status == "RUNNING", "{second} is {status}");

    // The new execution has taken the step over when the step has another token; the link stays good.
    session.client.decide(&page, "approve", "").await?.expect(200)?;
    session.wait_for_status(&id, "approved", DEADLINE).await?;
    execution_succeeds(world, &id, 1).await?;
    ensure!(requests(world, &id).await? == 1, "nobody was asked twice");
    ensure!(history(&session, &id).await?.len() == 4, "and nothing happened twice");
    Ok(())
}

pub async fn an_event_lost_on_the_way_is_published_again(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let id = draft(&session, "Lost and Found", 770).await?;
    // Everything before is delivered, so that what the publisher publishes next is the submission.
    let person = format!("SEEN#person/{}", session.person_id);
    for (pk, sk) in [(person.as_str(), "0000000002"), (&format!("SEEN#expense/{id}"), "0000000001")] {
        wait::until("what is before to be delivered", DEADLINE, async || {
            item(world, "ProjectionsTableName", pk, sk).await
        })
        .await?;
    }
    let rules = rules(world).await?;
    ensure!(rules.len() >= 3, "{rules:?}");
    // With every rule off, the bus takes the event and nobody gets it.
    switch(world, &rules, "disable-rule").await?;
    let submitted = session.submit(&id).await;
    let lost = async {
        submitted?;
        published(world, &id).await
    }
    .await;
    switch(world, &rules, "enable-rule").await?;
    lost?;
    let seen = format!("SEEN#expense/{id}");
    ensure!(item(world, "ProjectionsTableName", &seen, "0000000002").await?.is_none(), "the event is lost");

    sweep_until(world, "republished").await?;
    let (_, link) = request(world, &id).await?;
    let page = session.client.open_link(&link).await?;
    session.client.decide(&page, "approve", "").await?.expect(200)?;
    session.wait_for_status(&id, "approved", DEADLINE).await?;
    wait::until("the event to be seen", DEADLINE, async || {
        item(world, "ProjectionsTableName", &seen, "0000000002").await
    })
    .await?;
    execution_succeeds(world, &id, 1).await?;
    ensure!(requests(world, &id).await? == 1, "nobody was asked twice");
    Ok(())
}

/// Waits until the publisher has put the submission on the bus: its log counts what it published.
async fn published(world: &Deployment, expense: &str) -> Result<()> {
    let record = item(world, "TableName", &format!("EXPENSE#{expense}"), "EVENT#0000000002").await?;
    let at: Timestamp =
        record.context("the event is in the table")?["occurred_at"].as_str().unwrap_or_default().parse()?;
    wait::until("the publisher to publish it", DEADLINE, async || {
        let lines = world.logs("event-publisher", at.as_millisecond()).await?;
        let after = |line: &&slipstream_local::aws::LogLine| line.message.contains("\"message\":\"published\"");
        Ok(lines.iter().find(after).map(|_| ()))
    })
    .await
}

/// S3's notification is lost: the sweeper finds the bytes.
pub async fn a_receipt_that_nobody_noticed_is_read(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let bucket = world.output("ReceiptBucketName")?;
    let get = ["s3api", "get-bucket-notification-configuration", "--bucket", bucket];
    let usual = world.aws(&get).await?;
    let put = |configuration: Value| async move {
        let text = configuration.to_string();
        let arguments = [
            "s3api",
            "put-bucket-notification-configuration",
            "--bucket",
            bucket,
            "--notification-configuration",
            &text,
        ];
        world.aws(&arguments).await.map(|_| ())
    };
    put(json!({})).await?;
    let bytes = fixture("dark-photo.jpg");
    let uploaded = async {
        let announcement = session.announce(&bytes, "image/jpeg", None).await?;
        announcement.upload.context("a ticket")?.send(&bytes).await?.expect(200)?;
        anyhow::Ok(announcement.receipt_id)
    }
    .await;
    put(usual).await?;
    let id = uploaded?;
    sweep_until(world, "requeued").await?;
    let receipt = session.wait_for_receipt(&id, DEADLINE).await?;
    ensure!(receipt["status"] == "read", "{receipt}");
    Ok(())
}

pub async fn a_malformed_record_is_set_aside_and_its_neighbours_go_on(world: &Deployment) -> Result<()> {
    let table = world.output("TableName")?;
    let poison = json!({
        "PK": {"S": "EXPENSE#poison"}, "SK": {"S": "EVENT#0000000001"},
        "detail_type": {"S": "ExpenseApproved"}, "detail": {"S": "{\"canary\": true}"},
        "occurred_at": {"S": Timestamp::now().to_string()},
    })
    .to_string();
    world.aws(&["dynamodb", "put-item", "--table-name", table, "--item", &poison]).await?;
    let session = newcomer(world).await?;
    let (id, page) = submitted(world, &session, "Neighbour").await?;
    session.client.decide(&page, "approve", "").await?.expect(200)?;
    session.wait_for_status(&id, "approved", DEADLINE).await?;

    let bucket = world.output("SetAsideBucketName")?;
    let key = wait::until("the record to be set aside", DEADLINE, async || {
        let answer =
            world.aws(&["s3api", "list-objects-v2", "--bucket", bucket, "--prefix", "malformed-records/"]).await?;
        Ok(answer["Contents"][0]["Key"].as_str().map(str::to_owned))
    })
    .await?;
    let out = world.run_dir.join("set-aside.json");
    let path = out.to_str().context("a path is text")?;
    world.aws(&["s3api", "get-object", "--bucket", bucket, "--key", &key, path]).await?;
    ensure!(std::fs::read_to_string(&out)?.contains("canary"), "with its whole content");

    // An event on the bus that is none of ours ends in the consumers' dead-letter queues; their neighbours went on
    // in the scenarios around this one. Here: the queue goes on at once.
    let bus = world.output("EventBusName")?;
    let entry = json!([{ "Source": "slipstream", "DetailType": "ReceiptFailed", "Detail": "{\"canary\": 1}", "EventBusName": bus }]);
    world.aws(&["events", "put-events", "--entries", &entry.to_string()]).await?;
    let (id, page) = submitted(world, &session, "Next").await?;
    session.client.decide(&page, "approve", "").await?.expect(200)?;
    session.wait_for_status(&id, "approved", DEADLINE).await?;
    Ok(())
}

/// Every event again, to every consumer: no mail, no approval, the same sums.
pub async fn a_replay_changes_nothing(world: &Deployment) -> Result<()> {
    let began = Timestamp::now();
    let session = newcomer(world).await?;
    let (id, page) = submitted(world, &session, "Groundhog").await?;
    session.client.decide(&page, "approve", "").await?.expect(200)?;
    session.wait_for_status(&id, "approved", DEADLINE).await?;
    execution_succeeds(world, &id, 1).await?;
    let told = |mail: &slipstream_local::Mail| mail.mentions(&id) && mail.subject.starts_with("Expense approved");
    world.mailbox().wait_for_mail("the mail that tells the owner", DEADLINE, told).await?;
    let confirmed = |mail: &slipstream_local::Mail| mail.mentions(&id) && mail.subject.starts_with("You ");
    world.mailbox().wait_for_mail("the mail that confirms it to the decider", DEADLINE, confirmed).await?;
    let spend = format!("SPEND#{}", session.person_id);
    let summed = wait::until("the spend to be summed up", DEADLINE, async || {
        let sums = item(world, "ProjectionsTableName", &spend, "2026-03#meals#EUR").await?;
        Ok(sums.filter(|sums| sums["approved_out_of_pocket_count"] == "1"))
    })
    .await?;
    let events = history(&session, &id).await?;
    let mails = |all: Vec<slipstream_local::Mail>| all.iter().filter(|mail| mail.mentions(&id)).count();
    let before = mails(world.mailbox().list().await?);

    let executions = executions(world).await?;
    let name = replay(world, began).await?;

    // Each consumer has met the last event of this expense in the replay.
    let last = format!("expense/{id}/4");
    for (consumer, done) in [("notifications", "nobody is mailed"), ("projections", "summed up")] {
        meets(world, consumer, &name, &last, done).await?;
    }
    ensure!(history(&session, &id).await? == events, "no event");
    ensure!(mails(world.mailbox().list().await?) == before, "no mail");
    let now = item(world, "ProjectionsTableName", &spend, "2026-03#meals#EUR").await?;
    ensure!(now == Some(summed), "the same sums");

    // The replay starts executions; all of them end at the claim.
    let started = wait::until("the executions of the replay to end", DEADLINE, async || {
        let all = self::executions(world).await?;
        let new: Vec<_> =
            all.into_iter().filter(|(arn, _)| !executions.iter().any(|(known, _)| known == arn)).collect();
        Ok((!new.is_empty() && new.iter().all(|(_, status)| status != "RUNNING")).then_some(new))
    })
    .await?;
    for (arn, status) in started {
        ensure!(status == "SUCCEEDED", "{arn} ended {status}");
        let input = json!({ "executionArn": arn });
        let history = world.account.call("states", "AWSStepFunctions.GetExecutionHistory", &input).await?.to_string();
        ensure!(history.contains("ClaimedByAnother") && !history.contains("\"Ask\""), "{arn} asked somebody");
    }
    Ok(())
}

/// Every execution of the approval, with its status.
async fn executions(world: &Deployment) -> Result<Vec<(String, String)>> {
    let input = json!({ "stateMachineArn": world.output("StateMachineArn")? });
    let answer = world.account.call("states", "AWSStepFunctions.ListExecutions", &input).await?;
    let all = answer["executions"].as_array().context("a list of executions")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(all.iter().map(|execution| (text(&execution["executionArn"]), text(&execution["status"]))).collect())
}

/// Looks through everything that the scenarios before have left behind.
pub async fn no_secret_and_no_address_is_in_logs_or_events(world: &Deployment) -> Result<()> {
    const CANARY: &str = "Canary Wharf Diner";
    let session = newcomer(world).await?;
    let (id, page) = submitted(world, &session, CANARY).await?;
    session.client.decide(&page, "approve", "canary comment").await?.expect(200)?;
    session.wait_for_status(&id, "approved", DEADLINE).await?;
    execution_succeeds(world, &id, 1).await?;

    let links = world.mailbox().list().await?;
    let links = links.iter().filter_map(slipstream_local::demo::request_link);
    let mut secrets: Vec<String> =
        links.filter_map(|link| link.rsplit_once('.').map(|(_, secret)| secret.to_owned())).collect();
    ensure!(!secrets.is_empty(), "the mails have links");
    let step = item(world, "TableName", &format!("SUBMISSION#{id}#1"), "STEP#1").await?.context("the step")?;
    secrets.push(step["task_token"].as_str().context("a task token")?.to_owned());
    // `eyJ` is how every JSON Web Token begins.
    let others = [CANARY, "canary comment", "@example.com", "X-Amz-Signature", "eyJ"];
    secrets.extend(others.map(str::to_owned));

    for function in world.functions().await? {
        let lines = world.logs(&function, 0).await?;
        let used = ["expenses", "approval", "notifications", "projections", "event-publisher"];
        ensure!(!lines.is_empty() || !used.contains(&function.as_str()), "{function} has logged nothing");
        for line in lines {
            let leak = secrets.iter().find(|secret| line.message.contains(*secret));
            ensure!(leak.is_none(), "{function} logs {leak:?}");
        }
    }
    // Events carry merchants and comments, but no address and no secret.
    secrets.retain(|secret| !secret.to_lowercase().contains("canary"));
    let table = world.output("TableName")?;
    let scan = [
        "dynamodb",
        "scan",
        "--table-name",
        table,
        "--projection-expression",
        "detail",
        "--filter-expression",
        "begins_with(SK, :event)",
        "--expression-attribute-values",
        "{\":event\": {\"S\": \"EVENT#\"}}",
    ];
    let events = world.aws(&scan).await?.to_string();
    ensure!(events.contains(CANARY), "the events were looked at");
    let leak = secrets.iter().find(|secret| events.contains(*secret));
    ensure!(leak.is_none(), "an event carries {leak:?}");
    Ok(())
}
