//! What is made of a reading: doubts, candidates, learning; and that it is paid for once.

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use slipstream_local::{Deployment, Session};

use crate::harness::{DEADLINE, fixture, history, item, newcomer, upload};

/// A fixture that nobody has uploaded before: the same picture, other bytes after its end.
fn unseen(name: &str) -> Vec<u8> {
    [fixture(name), uuid::Uuid::new_v4().into_bytes().to_vec()].concat()
}

async fn reading(session: &Session, receipt: &Value) -> Result<Value> {
    let id = receipt["id"].as_str().context("a receipt has an id")?;
    session.get(&format!("/receipts/{id}/reading")).await?.expect(200)
}

/// The sum of a metric over what the receipt processor has logged since an instant.
async fn counted(world: &Deployment, metric: &str, since: Timestamp) -> Result<u64> {
    let lines = world.logs("receipt-processor", since.as_millisecond()).await?;
    let values = lines.iter().filter_map(|line| serde_json::from_str::<Value>(line.message.trim()).ok());
    Ok(values.filter_map(|line| line[metric].as_u64()).sum())
}

pub async fn a_reading_says_how_sure_it_is_and_where_it_looked(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let receipt = upload(&session, &unseen("cafe-eur.jpg"), "image/jpeg").await?;
    let reading = reading(&session, &receipt).await?;
    ensure!(reading["ready"] == true && reading["review"] == json!([]), "{reading}");
    let read = &reading["receipts"][0];
    ensure!(read["arithmetic"] == "agrees" && read["items"].as_array().is_some_and(|items| items.len() == 6), "{read}");
    for field in ["merchant", "date", "amount", "tax"] {
        let best = &read[field][0];
        let ratio = |name: &str| best["place"][name].as_f64().is_some_and(|ratio| (0.0..=1.0).contains(&ratio));
        ensure!(["left", "top", "width", "height"].into_iter().all(ratio) && best["place"]["page"] == 1, "{best}");
        ensure!(best["confidence"].as_f64().is_some_and(|confidence| confidence > 0.8), "{field}: {best}");
    }
    ensure!(read["amount"][0]["value"] == json!({"minor_units": 115_260, "currency": "EUR"}), "{read}");
    ensure!(receipt["pages"][0]["preview"].is_string() && receipt["page_count"] == 1, "{receipt}");

    let id = receipt["expense_id"].as_str().context("an expense")?;
    let draft = session.expense(id).await?;
    ensure!(draft["readiness"] == "ready" && draft.get("review").is_none(), "{draft}");

    let stranger = newcomer(world).await?;
    let path = format!("/receipts/{}/reading", receipt["id"].as_str().unwrap_or_default());
    ensure!(stranger.get(&path).await?.status == 404, "it is nobody else's");
    Ok(())
}

/// Each page is a candidate; one is drafted, and the person is told that there are more.
pub async fn several_receipts_in_one_file_are_all_there_to_choose_from(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let receipt = upload(&session, &fixture("two-receipts.pdf"), "application/pdf").await?;
    ensure!(
        receipt["page_count"] == 2 && receipt["pages"].as_array().is_some_and(|pages| pages.len() == 2),
        "{receipt}"
    );
    let second = receipt["pages"][1]["preview"].as_str().context("a picture of the second page")?;
    image::load_from_memory(&reqwest::get(second).await?.error_for_status()?.bytes().await?)?;

    let reading = reading(&session, &receipt).await?;
    let amounts: Vec<&Value> =
        reading["receipts"].as_array().into_iter().flatten().map(|read| &read["amount"][0]["value"]).collect();
    let taxi = json!({"minor_units": 3400, "currency": "GBP"});
    let ramen = json!({"minor_units": 6510, "currency": "JPY"});
    ensure!(amounts == [&taxi, &ramen], "{amounts:?}");
    ensure!(reading["receipts"][1]["amount"][0]["place"]["page"] == 2, "{reading}");

    let id = receipt["expense_id"].as_str().context("an expense")?;
    let draft = session.expense(id).await?;
    let doubts = draft["review"].to_string();
    ensure!(draft["readiness"] == "needs_review" && doubts.contains("several_receipts"), "{draft}");
    // Choosing settles it.
    let drafted = reading["drafted"].as_u64().context("one was drafted")?;
    let other = if drafted == 0 { ramen } else { taxi };
    let edited = session.edit(id, &json!({ "amount": other, "tax": null })).await?;
    ensure!(!edited["review"].to_string().contains("amount"), "{edited}");
    Ok(())
}

/// Two people, one dinner: the same bytes, sent at the same time.
pub async fn the_same_bytes_are_paid_for_once(world: &Deployment) -> Result<()> {
    let (one, other) = (newcomer(world).await?, newcomer(world).await?);
    let bytes = unseen("taxi-gbp.png");
    let since = Timestamp::now();
    let (first, second) = tokio::try_join!(upload(&one, &bytes, "image/png"), upload(&other, &bytes, "image/png"))?;
    ensure!(first["status"] == "read" && second["status"] == "read" && first["id"] != second["id"], "{first} {second}");
    ensure!(counted(world, "AnalysisCalls", since).await? == 1, "one page, read once");
    ensure!(counted(world, "AnalysisCallsInDoubt", since).await? == 0);
    ensure!(counted(world, "AnalysesReused", since).await? == 1);
    Ok(())
}

/// What a reader leaves behind that dies between the service's answer and keeping it: a guard that nobody takes away.
/// The next one waits for its lease to end, reads once more, and counts that.
pub async fn a_reading_that_may_be_paid_for_twice_is_counted(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let bytes = unseen("taxi-gbp.png");
    let since = Timestamp::now();
    let ends = since + SignedDuration::from_secs(6);
    let announced = session.announce(&bytes, "image/png", None).await?;
    let sha256 = session.receipt(&announced.receipt_id).await?["sha256"].as_str().unwrap_or_default().to_owned();
    let text = |text: &str| json!({ "S": text });
    let dead = json!({
        "PK": text(&format!("HASH#{sha256}")), "SK": text("ANALYSIS"), "attempts": { "N": "1" },
        "lease": { "M": { "holder": text("a reader that died"), "until": text(&ends.to_string()) } },
    });
    let table = world.output("TableName")?;
    world.aws(&["dynamodb", "put-item", "--table-name", table, "--item", &dead.to_string()]).await?;

    announced.upload.context("a ticket")?.send(&bytes).await?.expect(200)?;
    let receipt = session.wait_for_receipt(&announced.receipt_id, DEADLINE).await?;
    ensure!(receipt["status"] == "read" && Timestamp::now() >= ends, "not before the lease is over: {receipt}");
    ensure!(counted(world, "AnalysisCalls", since).await? == 1);
    ensure!(counted(world, "AnalysisCallsInDoubt", since).await? == 1, "it may have been paid for before");
    let expense = receipt["expense_id"].as_str().context("an expense")?;
    ensure!(history(&session, expense).await? == ["ExpenseDrafted"], "one draft");
    let left = item(world, "TableName", &format!("HASH#{sha256}"), "ANALYSIS").await?;
    ensure!(left.is_none(), "the guard is gone: {left:?}");
    Ok(())
}

pub async fn a_correction_is_learned_from(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let first = upload(&session, &unseen("taxi-gbp.png"), "image/png").await?;
    let id = first["expense_id"].as_str().context("an expense")?;
    let suggested = reading(&session, &first).await?["category"].clone();
    ensure!(suggested["category"] == "travel" && suggested["because"] == "words", "{suggested}");
    session.edit(id, &json!({ "category": "training" })).await?;

    let next = upload(&session, &unseen("taxi-gbp.png"), "image/png").await?;
    let suggested = reading(&session, &next).await?["category"].clone();
    ensure!(suggested == json!({ "category": "training", "because": "corrected" }), "{suggested}");
    let draft = session.expense(next["expense_id"].as_str().context("an expense")?).await?;
    ensure!(draft["details"]["category"] == "training", "{draft}");

    let other = newcomer(world).await?;
    let theirs = upload(&other, &unseen("taxi-gbp.png"), "image/png").await?;
    ensure!(reading(&other, &theirs).await?["category"]["category"] == "travel", "one's habits are one's own");
    Ok(())
}
