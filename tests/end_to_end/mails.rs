//! What people are mailed, how often, and what happens when mail does not arrive.

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use reqwest::Url;
use serde_json::{Value, json};
use slipstream_local::{Deployment, Mail, Session, demo, wait};

use crate::{
    approvers::{address, happens, link_of, name_manager, team, under},
    harness::{APPROVE_ALL, DEADLINE, draft, history, item, newcomer, press, request_of, submitted, sweep_until},
    receipts::{drained, sqs},
};

/// The mails to somebody whose subject begins so.
async fn mails_to(world: &Deployment, to: &str, subject: &str) -> Result<Vec<Mail>> {
    let all = world.mailbox().list().await?;
    Ok(all.into_iter().filter(|mail| mail.is_to(to) && mail.subject.starts_with(subject)).collect())
}

async fn mail_to(world: &Deployment, to: &str, subject: &str, about: &str) -> Result<Mail> {
    let wanted = |mail: &Mail| mail.is_to(to) && mail.subject.starts_with(subject) && mail.mentions(about);
    world.mailbox().wait_for_mail(&format!("the mail {subject:?}"), DEADLINE, wanted).await
}

/// Has mails of a kind to somebody wait: there seems to be one that is due and whose message got lost. Others join it, until
/// the sweeper sends the message anew. The message.
async fn hold_mails(world: &Deployment, person: &str, kind: &str) -> Result<Value> {
    let batch = format!("bat_{}", uuid::Uuid::new_v4().simple());
    let (now, nobodys) = (Timestamp::now().to_string(), "exp_00000000000000000000000000000000.1.1");
    let gathering = json!({
        "PK": {"S": format!("MAIL#{person}")}, "SK": {"S": kind},
        "GSI3PK": {"S": "OPEN#mail"}, "GSI3SK": {"S": format!("{:.6}#{batch}", Timestamp::now())},
        "person": {"S": person}, "kind": {"S": kind}, "batch": {"S": batch}, "due_at": {"S": now},
        "joins": {"N": "0"}, "steps": {"SS": [nobodys]},
    });
    let table = world.output("TableName")?;
    let item = gathering.to_string();
    let arguments = ["dynamodb", "put-item", "--table-name", table, "--item", &item];
    let condition = ["--condition-expression", "attribute_not_exists(PK)"];
    world.aws(&[&arguments[..], &condition[..]].concat()).await?;
    Ok(json!({ "mail_due": { "person": person, "kind": kind, "batch": batch } }))
}

/// Waits until so many steps have joined the mails that wait.
async fn joined(world: &Deployment, person: &str, kind: &str, count: u32) -> Result<()> {
    wait::until(&format!("{count} {kind} to be noted"), DEADLINE, async || {
        let gathering = item(world, "TableName", &format!("MAIL#{person}"), kind).await?;
        let joins = gathering.and_then(|gathering| gathering["joins"].as_str()?.parse::<u32>().ok());
        Ok((joins == Some(count)).then_some(()))
    })
    .await
}

async fn send_again(world: &Deployment, message: &Value) -> Result<()> {
    let queue = world.output("NotificationsQueueUrl")?;
    sqs(world, "SendMessage", json!({ "QueueUrl": queue, "MessageBody": message.to_string() })).await?;
    drained(world, "NotificationsQueueUrl").await
}

pub async fn what_arrives_together_comes_as_one_mail(world: &Deployment) -> Result<()> {
    let (employee, manager) = team(world).await?;
    let to = address(&manager).await?;
    let message = hold_mails(world, &manager.person_id, "requests").await?;
    let mut ids = Vec::new();
    for (merchant, amount) in
        [("Hotel <b>Sacher</b>\r\nBcc: all@example.com", 18_900), ("Westbahn", 4_200), ("Taxi", 1_850)]
    {
        let id = draft(&employee, merchant.lines().next().unwrap_or_default(), amount).await?;
        employee.submit(&id).await?;
        ids.push(id);
    }
    joined(world, &manager.person_id, "requests", 3).await?;
    ensure!(mails_to(world, &to, "Please approve").await?.is_empty(), "they wait for each other");
    sweep_until(world, "nudged").await?;
    let mail = mail_to(world, &to, "Please approve: 3 expenses, 249.50 EUR", &ids[0]).await?;
    for text in ["Westbahn", "42.00 EUR", &ids[1], &ids[2]] {
        ensure!(mail.mentions(text), "{text} is missing: {:?}", mail.text);
    }
    ensure!(mail.html.as_deref().is_some_and(|html| !html.contains("<b>")), "escaped");
    send_again(world, &message).await?;
    ensure!(mails_to(world, &to, "Please approve").await?.len() == 1, "one mail, whatever is delivered twice");

    // One page for all of them, which shows and changes nothing by itself.
    let link = demo::request_link(&mail).context("the mail has a link")?;
    let page = employee.client.open_link(&link).await?;
    page.answer.expect(200)?;
    for text in ["Westbahn", "249.50 EUR", "Approve all 3"] {
        ensure!(page.answer.body.contains(text), "{text} is missing: {}", page.answer.body);
    }
    ensure!(!page.answer.body.contains("<b>") && !page.answer.body.contains("<script"), "escaped");
    for header in ["content-security-policy", "referrer-policy", "cache-control"] {
        ensure!(page.answer.header(header).is_some(), "{header} is set");
    }
    let (prefix, secret) = link.rsplit_once('.').context("a link has a secret")?;
    for forged in [format!("{prefix}.{}", "A".repeat(secret.len())), link.replace("bat_", "bat_0")] {
        ensure!(press(&Url::parse(&forged)?, &APPROVE_ALL).await?.0 == 404, "{forged} is nobody's");
    }

    // One is rejected by itself, the others are approved together; the decider is told of all three in one mail.
    let confirmation = hold_mails(world, &manager.person_id, "confirmations").await?;
    let own = demo::link_to(&employee.client, &mail, &ids[2]).await?;
    let own = employee.client.open_link(&own).await?;
    employee.client.decide(&own, "reject", "By foot, please").await?.expect(200)?;
    let (status, body) = press(&page.url, &APPROVE_ALL).await?;
    ensure!(status == 200 && body.matches("Approved now").count() == 2, "{status}: {body}");
    for (id, status) in ids.iter().zip(["approved", "approved", "rejected"]) {
        employee.wait_for_status(id, status, DEADLINE).await?;
        mail_to(world, &address(&employee).await?, "Expense ", id).await?;
    }
    joined(world, &manager.person_id, "confirmations", 3).await?;
    send_again(world, &confirmation).await?;
    let mail = mail_to(world, &to, "You decided on 3 expenses", &ids[2]).await?;
    ensure!(mail.mentions("rejected") && mail.mentions("approved"), "{:?}", mail.text);
    let link = demo::request_link(&mail).context("the mail has a link")?;
    let page = employee.client.open_link(&link).await?;
    ensure!(page.forms().is_empty() && page.answer.body.contains("Already rejected"), "{}", page.answer.body);
    let own = employee.client.open_link(&demo::link_to(&employee.client, &mail, &ids[0]).await?).await?;
    ensure!(own.answer.body.contains("That was not me"), "{}", own.answer.body);
    Ok(())
}

pub async fn a_disowned_decision_is_told_and_asked_for_anew(world: &Deployment) -> Result<()> {
    let (employee, manager) = team(world).await?;
    let (to, owner) = (address(&manager).await?, address(&employee).await?);
    let id = draft(&employee, "Not Me", 2500).await?;
    employee.submit(&id).await?;
    let link = link_of(world, &manager, &id, 1).await?;
    let page = manager.client.open_link(&link).await?;
    manager.client.decide(&page, "approve", "").await?.expect(200)?;
    employee.wait_for_status(&id, "approved", DEADLINE).await?;
    let mail = mail_to(world, &to, "You approved: 25.00 EUR at Not Me", &id).await?;
    let link = demo::request_link(&mail).context("the mail has a link")?;
    let page = manager.client.open_link(&link).await?;
    ensure!(employee.expense(&id).await?["status"] == "approved", "looking changes nothing");
    manager.client.decide(&page, "disown", "").await?.expect(200)?;
    happens(&employee, &id, "ExpenseReopened").await?;
    mail_to(world, &owner, "Expense open again", &id).await?;
    let finance = world.person("finance")?.email.clone();
    let told = mail_to(world, &finance, "Not their decision", &id).await?;
    ensure!(told.mentions("Not Me") && told.mentions(&to), "{:?}", told.text);
    let (_, link) = request_of(world, &format!("{id}.2.1."), |mail| mail.is_to(&to)).await?;
    let page = manager.client.open_link(&link).await?;
    manager.client.decide(&page, "reject", "Really not").await?.expect(200)?;
    employee.wait_for_status(&id, "rejected", DEADLINE).await?;
    Ok(())
}

pub async fn an_approver_is_reminded_once_a_day_of_all_that_waits(world: &Deployment) -> Result<()> {
    let (employee, manager) = team(world).await?;
    let to = address(&manager).await?;
    // This one waits, too, but is not to be reminded of by itself.
    let patient = draft(&employee, "Patient", 1000).await?;
    employee.submit(&patient).await?;
    let earlier = link_of(world, &manager, &patient, 1).await?;
    let times = json!({ "reminder_after_seconds": 4, "escalation_after_seconds": 600, "decision_due_seconds": 900 });
    under(world, times, async || {
        // The second is submitted when the reminder of the first is out, and due for one on the same day.
        let mut ids = Vec::new();
        for merchant in ["First", "Second"] {
            let id = draft(&employee, merchant, 1000).await?;
            employee.submit(&id).await?;
            happens(&employee, &id, "ExpenseApprovalReminded").await?;
            ids.push(id);
        }
        let mail = mail_to(world, &to, "Reminder: ", &patient).await?;
        ensure!(mail.mentions(&ids[0]), "all that waits is listed: {:?}", mail.text);
        drained(world, "NotificationsQueueUrl").await?;
        let day = |mail: &Mail| mail.date.strftime("%Y-%m-%d").to_string();
        let reminders = mails_to(world, &to, "Reminder: ").await?;
        ensure!(reminders.iter().filter(|other| day(other) == day(&mail)).count() == 1, "one a day: {reminders:?}");
        // Earlier links go on working, and so does that of the reminder.
        let page = manager.client.open_link(&earlier).await?;
        manager.client.decide(&page, "approve", "").await?.expect(200)?;
        employee.wait_for_status(&patient, "approved", DEADLINE).await?;
        let link = demo::request_link(&mail).context("the mail has a link")?;
        let page = manager.client.open_link(&link).await?;
        ensure!(press(&page.url, &APPROVE_ALL).await?.0 == 200);
        employee.wait_for_status(&ids[0], "approved", DEADLINE).await?;
        Ok(())
    })
    .await
}

/// The mail that comes back, as the mail service names it.
const BOUNCED: &str = "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000";

/// An event of the mail service about a mail to somebody, in the form in which it comes.
fn bounce(to: &str, kind: &str) -> Value {
    json!({
        "eventType": "Bounce",
        "bounce": {
            "feedbackId": uuid::Uuid::new_v4().to_string(), "bounceType": kind, "bounceSubType": "General",
            "bouncedRecipients": [{
                "emailAddress": to, "action": "failed", "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 user unknown",
            }],
            "timestamp": "2026-03-12T10:41:02.669Z", "reportingMTA": "dsn; mta.example.com",
        },
        "mail": {
            "timestamp": "2026-03-12T10:40:02.012Z", "source": "expenses@example.com",
            "sourceArn": "arn:aws:ses:eu-central-1:123456789012:identity/expenses@example.com",
            "sendingAccountId": "123456789012", "messageId": BOUNCED,
            "destination": [to], "headersTruncated": false, "headers": [], "commonHeaders": { "to": [to] },
            "tags": { "ses:configuration-set": ["slipstream"] },
        },
    })
}

async fn feed_back(world: &Deployment, body: &str) -> Result<()> {
    let queue = world.output("MailFeedbackQueueUrl")?;
    sqs(world, "SendMessage", json!({ "QueueUrl": queue, "MessageBody": body })).await?;
    drained(world, "MailFeedbackQueueUrl").await
}

async fn profile(administrator: &Session, person: &str) -> Result<Value> {
    administrator.get(&format!("/people/{person}")).await?.expect(200)
}

pub async fn a_dead_mailbox_holds_nothing_up(world: &Deployment) -> Result<()> {
    let (employee, manager) = team(world).await?;
    let boss = newcomer(world).await?;
    name_manager(world, &manager, &boss).await?;
    let to = address(&manager).await?;
    let id = draft(&employee, "Held Up", 3300).await?;
    employee.submit(&id).await?;
    let old = link_of(world, &manager, &id, 1).await?;
    let before = item(world, "TableName", &format!("PERSON#{}", manager.person_id), "PROFILE").await?;

    // What the service sends to try the topic, and what bounced for the moment, changes nothing.
    feed_back(world, "Successfully validated SNS topic for Amazon SES event publishing.").await?;
    feed_back(world, &bounce(&to, "Transient").to_string()).await?;
    feed_back(world, &bounce("nobody@example.com", "Permanent").to_string()).await?;
    let now = item(world, "TableName", &format!("PERSON#{}", manager.person_id), "PROFILE").await?;
    ensure!(now == before, "{now:?}");
    ensure!(!history(&employee, &id).await?.contains(&"ExpenseApprovalReassigned".to_owned()));

    feed_back(world, &bounce(&to.to_uppercase(), "Permanent").to_string()).await?;
    let change = happens(&employee, &id, "ExpenseApprovalReassigned").await?;
    ensure!(change.to_string().contains("mail_undeliverable"), "{change}");
    ensure!(manager.client.open_link(&old).await?.answer.body.contains("Somebody else"), "the old link is dead");
    let asked = mail_to(world, &address(&boss).await?, "Please approve", &id).await?;
    ensure!(asked.mentions("does not arrive") && asked.mentions(&to), "it says why they are asked: {:?}", asked.text);
    let finance = world.person("finance")?.email.clone();
    mail_to(world, &finance, "Mail to ", &to).await?;

    let told =
        |line: &str| line.contains("does not arrive") && line.contains(BOUNCED) && line.contains(&manager.person_id);
    wait::until("the log to name the mail", DEADLINE, async || {
        let lines = world.logs("notifications", 0).await?;
        Ok(lines.iter().any(|line| told(&line.message)).then_some(()))
    })
    .await?;

    // A complaint on top is nothing new; nobody is told twice.
    let complaint = json!({
        "eventType": "Complaint",
        "complaint": { "complainedRecipients": [{ "emailAddress": to }], "complaintFeedbackType": "abuse" },
        "mail": { "destination": [to] },
    });
    feed_back(world, &complaint.to_string()).await?;
    let told = mails_to(world, &finance, "Mail to ").await?;
    ensure!(told.iter().filter(|mail| mail.mentions(&to)).count() == 1, "finance is told once");

    // Nobody is mailed there any more, nor asked, until an administrator says that it works again.
    let administrator = world.session("administrator").await?;
    ensure!(profile(&administrator, &manager.person_id).await?["mail_undeliverable"] == true);
    let (other, _) = submitted(world, &employee, "To the Boss").await?;
    link_of(world, &boss, &other, 1).await?;
    let cleared = json!({ "mail_undeliverable": false });
    administrator.put(&format!("/people/{}", manager.person_id), &cleared).await?.expect(200)?;
    ensure!(profile(&administrator, &manager.person_id).await?["mail_undeliverable"] == false);
    let id = draft(&employee, "Back Again", 3400).await?;
    employee.submit(&id).await?;
    link_of(world, &manager, &id, 1).await?;
    Ok(())
}
