//! From a file to a draft, or to a named reason.

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};
use slipstream_local::{Deployment, wait};

use crate::harness::{
    DEADLINE, TICKET_SECONDS, execution_succeeds, fixture, history, item, newcomer, problem, request, upload,
};

/// The whole way: photo, draft, submission, mail, link, decision, sums.
pub async fn photo_becomes_an_approved_expense(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let receipt = upload(&session, &fixture("phone-photo.jpg"), "image/jpeg").await?;
    ensure!(receipt["status"] == "read", "{receipt}");
    let id = receipt["expense_id"].as_str().context("a read receipt names its expense")?;

    let draft = session.expense(id).await?;
    let details = &draft["details"];
    ensure!(details["amount"] == json!({"minor_units": 10800, "currency": "EUR"}), "{draft}");
    ensure!(details["date"] == "2026-04-17" && details["merchant"].is_string(), "{draft}");
    ensure!(draft["missing"] == json!([]), "{draft}");

    for (view, side) in [("thumbnail", 160), ("preview", 1024)] {
        let address = receipt["views"][view].as_str().with_context(|| format!("there is a {view}"))?;
        let bytes = reqwest::get(address).await?.error_for_status()?.bytes().await?;
        let picture = image::load_from_memory(&bytes)?;
        ensure!(picture.height() == side && picture.width() < side, "the {view} is upright and {side} pixels high");
        ensure!(!bytes.windows(4).any(|window| window == b"Exif"), "the {view} carries no metadata");
    }

    session.submit(id).await?;
    let (mail, link) = request(world, id).await?;
    let manager = world.person("manager")?;
    ensure!(mail.is_to(&manager.email), "the manager is asked: {:?}", mail.to);
    ensure!(
        mail.attachments.iter().any(|part| part.content_type == "image/jpeg" && part.content_id.is_some()),
        "with the receipt"
    );
    let page = session.client.open_link(&link).await?;
    page.answer.expect(200)?;
    ensure!(
        page.answer.body.contains("108.00 EUR") && page.answer.body.contains("data:image/jpeg"),
        "{}",
        page.answer.body
    );
    session.client.decide(&page, "approve", "").await?.expect(200)?;
    session.wait_for_status(id, "approved", DEADLINE).await?;

    let events = history(&session, id).await?;
    ensure!(
        events == ["ExpenseDrafted", "ExpenseSubmitted", "ExpenseApprovalRequested", "ExpenseApproved"],
        "{events:?}"
    );
    execution_succeeds(world, id, 1).await?;
    let told = |mail: &slipstream_local::Mail| mail.mentions(id) && mail.subject.starts_with("Expense approved");
    world.mailbox().wait_for_mail("the mail that tells the owner", DEADLINE, told).await?;

    let spend = format!("SPEND#{}", session.person_id);
    let sum = format!("2026-04#{}#EUR", details["category"].as_str().unwrap_or_default());
    wait::until("the spend to be summed up", DEADLINE, async || {
        let sums = item(world, "ProjectionsTableName", &spend, &sum).await?;
        Ok(sums.filter(|sums| {
            sums["approved_out_of_pocket_minor_units"] == "10800" && sums["submitted_out_of_pocket_minor_units"] == "0"
        }))
    })
    .await?;
    Ok(())
}

/// Announced again: no ticket. Notified again: nothing changes.
pub async fn the_same_upload_twice_is_one_receipt_and_one_expense(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let bytes = fixture("taxi-gbp.png");
    let first = session.announce(&bytes, "image/png", Some("taxi.png")).await?;
    let again = session.announce(&bytes, "image/png", Some("other name.png")).await?;
    ensure!((first.status, again.status) == (201, 200) && first.receipt_id == again.receipt_id, "one receipt");
    let (ticket, spare) =
        (first.upload.context("a ticket")?, again.upload.context("a new ticket for the same receipt")?);
    ticket.send(&bytes).await?.expect(200)?;
    ensure!(spare.send(&bytes).await?.status == 412, "the second upload is told that it is there");
    let receipt = session.wait_for_receipt(&first.receipt_id, DEADLINE).await?;
    let expense = receipt["expense_id"].as_str().context("an expense")?.to_owned();

    let known = session.announce(&bytes, "image/png", None).await?;
    ensure!(known.status == 200 && known.upload.is_none(), "what is uploaded needs no ticket");

    // S3 may notify twice.
    let key = format!("receipts/{}/{}/original", session.person_id, first.receipt_id);
    let body = json!({ "Records": [{ "s3": { "object": { "key": key } } }] }).to_string();
    let queue = world.output("ReceiptQueueUrl")?;
    sqs(world, "SendMessage", json!({ "QueueUrl": queue, "MessageBody": body })).await?;
    drained(world, "ReceiptQueueUrl").await?;
    ensure!(history(&session, &expense).await? == ["ExpenseDrafted"], "one draft");
    let list = session.get("/expenses").await?.expect(200)?;
    ensure!(list["expenses"].as_array().is_some_and(|expenses| expenses.len() == 1), "{list}");
    Ok(())
}

/// Calls the queue service.
pub async fn sqs(world: &Deployment, operation: &str, input: Value) -> Result<Value> {
    world.account.call("sqs", &format!("AmazonSQS.{operation}"), &input).await
}

/// Waits until a queue holds nothing, neither visible nor being worked on.
pub async fn drained(world: &Deployment, queue: &str) -> Result<()> {
    let url = world.output(queue)?;
    wait::until(&format!("{queue} to be empty"), DEADLINE, async || {
        let answer = sqs(world, "GetQueueAttributes", json!({ "QueueUrl": url, "AttributeNames": ["All"] })).await?;
        let count = |name: &str| answer["Attributes"][name].as_str().and_then(|count| count.parse::<u32>().ok());
        let left = count("ApproximateNumberOfMessages").unwrap_or(0)
            + count("ApproximateNumberOfMessagesNotVisible").unwrap_or(0);
        Ok((left == 0).then_some(()))
    })
    .await
}

pub async fn an_unreadable_photo_fails_by_name_and_can_be_entered_by_hand(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let receipt = upload(&session, &fixture("unreadable.jpg"), "image/jpeg").await?;
    ensure!(receipt["failure"]["reason"] == "nothing_recognised", "{receipt}");
    ensure!(receipt["views"]["original"].is_string(), "the photo stays: {receipt}");
    let told = |mail: &slipstream_local::Mail| mail.subject == "Your receipt could not be read";
    let email = email_of(&session).await?;
    world.mailbox().wait_for_mail("the mail about it", DEADLINE, |mail| told(mail) && mail.is_to(&email)).await?;

    let body = json!({ "receipt_id": receipt["id"], "details": { "merchant": "Joiner", "note": "see photo" } });
    let expense = session.post("/expenses", &body).await?.expect(201)?;
    ensure!(expense["receipt_id"] == receipt["id"], "{expense}");
    let again = session.post("/expenses", &body).await?;
    ensure!(again.status == 409 && problem(&again) == "receipt-in-use", "one receipt, one claim: {}", again.body);
    Ok(())
}

async fn email_of(session: &slipstream_local::Session) -> Result<String> {
    let me = session.get("/me").await?.expect(200)?;
    me["email"].as_str().map(str::to_owned).context("a profile has an address")
}

pub async fn bad_files_fail_by_name(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let photo = fixture("cafe-eur.jpg");
    for (bytes, reason) in [
        (b"this is not a picture at all".to_vec(), "unsupported_format"),
        (photo[..photo.len() / 2].to_vec(), "damaged"),
        (b"%PDF-1.7 and nothing else".to_vec(), "damaged"),
    ] {
        let receipt = upload(&session, &bytes, "image/jpeg").await?;
        ensure!(receipt["status"] == "failed" && receipt["failure"]["reason"] == reason, "{reason}: {receipt}");
        ensure!(receipt["failure"]["message"].is_string(), "the person is told what to do: {receipt}");
    }
    let hash = "0".repeat(64);
    for (body, field) in [
        (json!({"sha256": hash, "size_bytes": 0, "media_type": "image/jpeg"}), "size_bytes"),
        (json!({"sha256": hash, "size_bytes": 21 * 1024 * 1024, "media_type": "image/jpeg"}), "size_bytes"),
        (json!({"sha256": "abc", "size_bytes": 1, "media_type": "image/jpeg"}), "sha256"),
    ] {
        let answer = session.post("/receipts", &body).await?;
        ensure!(answer.status == 422 && answer.json()["errors"][0]["field"] == field, "{}", answer.body);
    }
    Ok(())
}

pub async fn a_ticket_takes_the_announced_bytes_once_and_in_time(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let bytes = fixture("ramen-jpy.jpg");
    let announcement = session.announce(&bytes, "image/jpeg", None).await?;
    let ticket = announcement.upload.context("a ticket")?;

    let mut other = bytes.clone();
    other[2000] ^= 1;
    let refused = ticket.send(&other).await?;
    ensure!((400..=403).contains(&refused.status), "other bytes of the same length: {}", refused.status);
    let longer = [bytes.clone(), vec![0]].concat();
    ensure!((400..=403).contains(&ticket.send(&longer).await?.status), "more bytes");
    let mut renamed = ticket.clone();
    renamed.url = renamed.url.replace("/original?", "/elsewhere?");
    ensure!(renamed.send(&bytes).await?.status == 403, "another key");

    let expires = Timestamp::now().as_second() + TICKET_SECONDS;
    wait::until("the ticket to expire", DEADLINE, async || {
        Ok((Timestamp::now().as_second() > expires + 1).then_some(()))
    })
    .await?;
    ensure!(ticket.send(&bytes).await?.status == 403, "an expired ticket");
    ensure!(
        session.receipt(&announcement.receipt_id).await?["status"] == "awaiting_upload",
        "nothing was lost or begun"
    );

    let anew = session.announce(&bytes, "image/jpeg", None).await?;
    ensure!(anew.receipt_id == announcement.receipt_id, "the same receipt");
    anew.upload.context("a new ticket")?.send(&bytes).await?.expect(200)?;
    ensure!(session.wait_for_receipt(&anew.receipt_id, DEADLINE).await?["status"] == "read", "the new ticket works");
    Ok(())
}

/// Not ours, not retried for ever, not lost; and nobody waits for it.
pub async fn an_object_nobody_announced_is_set_aside(world: &Deployment) -> Result<()> {
    let queue = world.output("ReceiptQueueUrl")?;
    let input = json!({ "QueueUrl": queue, "AttributeNames": ["VisibilityTimeout"] });
    let attributes = sqs(world, "GetQueueAttributes", input).await?;
    let usual = attributes["Attributes"]["VisibilityTimeout"].as_str().context("a visibility timeout")?.to_owned();
    visibility(world, queue, "1").await?;

    let file = world.run_dir.join("stray.jpg");
    std::fs::write(&file, fixture("cafe-eur.jpg"))?;
    let key = "receipts/0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11/rcp_00000000000000000000000000000000/original";
    let body = file.to_str().context("a path is text")?;
    let bucket = world.output("ReceiptBucketName")?;
    world.aws(&["s3api", "put-object", "--bucket", bucket, "--key", key, "--body", body]).await?;

    let dead_letters = world.output("ReceiptDeadLetterQueueUrl")?;
    let receive = json!({ "QueueUrl": dead_letters, "WaitTimeSeconds": 1 });
    let found = wait::until("the notification in the dead-letter queue", DEADLINE, async || {
        let answer = sqs(world, "ReceiveMessage", receive.clone()).await?;
        Ok(answer["Messages"][0]["Body"].as_str().map(str::to_owned))
    })
    .await;
    visibility(world, queue, &usual).await?;
    ensure!(found?.contains("rcp_00000000000000000000000000000000"), "with its content");
    Ok(())
}

async fn visibility(world: &Deployment, queue: &str, seconds: &str) -> Result<()> {
    let input = json!({ "QueueUrl": queue, "Attributes": { "VisibilityTimeout": seconds } });
    sqs(world, "SetQueueAttributes", input).await.map(|_| ())
}

/// Only the media types that are listed can be announced; used by `access` as well.
pub async fn refused_media_type(session: &slipstream_local::Session) -> Result<()> {
    let body = json!({"sha256": "0".repeat(64), "size_bytes": 1, "media_type": "text/html"});
    let answer = session.client.send(Method::POST, "/receipts", Some(&session.token), Some(&body)).await?;
    ensure!(answer.status == 400 && problem(&answer) == "bad-request", "{}", answer.body);
    Ok(())
}
