//! Exports and the erasure of a person.

use std::{collections::BTreeMap, io::Read as _};

use anyhow::{Context as _, Result, bail, ensure};
use jiff::{Span, Timestamp, tz::TimeZone};
use reqwest::Method;
use serde_json::{Value, json};
use slipstream_local::{Deployment, Session, demo, wait};

use crate::harness::{DEADLINE, draft, fixture, item, newcomer, problem, request, submitted, sweep_until, upload};

const FORMULA: &str = "=HYPERLINK(\"http://evil.test\";\"Click, please\")";

/// Asks for an export and waits until it is done.
async fn export(session: &Session, wanted: &Value) -> Result<Value> {
    let asked = session.post("/exports", wanted).await?.expect(202)?;
    done(session, asked["id"].as_str().context("an export has an id")?).await
}

async fn done(session: &Session, id: &str) -> Result<Value> {
    wait::until("the export to be done", DEADLINE, async || {
        let export = session.get(&format!("/exports/{id}")).await?.expect(200)?;
        match export["status"].as_str() {
            Some("done") => Ok(Some(export)),
            Some("queued" | "running") => Ok(None),
            _ => bail!("{export}"),
        }
    })
    .await
}

/// The export's files, by name.
async fn files(export: &Value) -> Result<BTreeMap<String, Vec<u8>>> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut files = BTreeMap::new();
    for file in export["files"].as_array().context("a list")? {
        let response = client.get(file["url"].as_str().context("a link")?).send().await?.error_for_status()?;
        let name = file["name"].as_str().context("a name")?.to_owned();
        let disposition = response.headers()["content-disposition"].to_str()?.to_owned();
        ensure!(disposition == format!("attachment; filename=\"{name}\""), "{disposition}");
        let bytes = response.bytes().await?.to_vec();
        ensure!(file["size_bytes"] == json!(bytes.len()), "{file}");
        files.insert(name, bytes);
    }
    Ok(files)
}

/// The rows of a CSV, by their columns.
fn rows(table: &[u8]) -> Result<Vec<BTreeMap<String, String>>> {
    let mut reader = csv::Reader::from_reader(table);
    reader.deserialize().map(|row| Ok(row?)).collect()
}

/// What is in the zip files, by name.
fn unzipped(files: &BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for (_, bytes) in files.iter().filter(|(name, _)| name.ends_with(".zip")) {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes))?;
        for at in 0..archive.len() {
            let mut entry = archive.by_index(at)?;
            let name = entry.name()?.into_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            ensure!(found.insert(name.clone(), content).is_none(), "{name} is there twice");
        }
    }
    Ok(found)
}

fn range(kind: &str, scope: &str) -> Value {
    json!({ "kind": kind, "scope": scope, "from": "2026-03-01", "until": "2026-03-31" })
}

/// An expense with a receipt of three megabytes that nothing can be read from; its id and the receipt's bytes.
async fn with_large_receipt(session: &Session, merchant: &str, seed: u8) -> Result<(String, Vec<u8>)> {
    let mut state = u32::from(seed) + 1;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(3_000_000)
    .collect();
    let receipt = upload(session, &bytes, "image/jpeg").await?;
    ensure!(receipt["status"] == "failed", "{receipt}");
    let details = json!({
        "merchant": merchant, "date": "2026-03-12", "category": "meals",
        "amount": {"minor_units": 1200, "currency": "EUR"},
    });
    let body = json!({ "details": details, "receipt_id": receipt["id"] });
    let expense = session.post("/expenses", &body).await?.expect(201)?;
    Ok((expense["id"].as_str().context("an id")?.to_owned(), bytes))
}

pub async fn ones_own_expenses_become_a_csv(world: &Deployment) -> Result<()> {
    let (session, stranger) = (newcomer(world).await?, newcomer(world).await?);
    let hostile = draft(&session, FORMULA, -1250).await?;
    let plain = draft(&session, "Café, \"Zürich\"", 990).await?;
    let mut wanted = range("expenses", "own");
    wanted["bom"] = json!(true);
    // Two at once are two, and have the same in them; the same request twice is one.
    let (done, other) = tokio::try_join!(export(&session, &wanted), export(&session, &wanted))?;
    ensure!(done["id"] != other["id"] && done["progress"] == 100 && done["rows"] == 2, "{done} {other}");
    let files = files(&done).await?;
    ensure!(self::files(&other).await? == files, "the same bytes");
    let key = uuid::Uuid::new_v4().to_string();
    let ask = || session.with(("idempotency-key", &key), Method::POST, "/exports", Some(&wanted));
    let (one, two) = (ask().await?.expect(202)?, ask().await?.expect(202)?);
    ensure!(one["id"] == two["id"], "{one} {two}");
    let one = self::done(&session, one["id"].as_str().unwrap_or_default()).await?;
    // A link is for its file, and for ten minutes.
    let link = one["files"][0]["url"].as_str().context("a link")?;
    ensure!(link.contains("X-Amz-Expires=600"), "{link}");
    let another = link.replace(one["id"].as_str().context("an id")?, done["id"].as_str().context("an id")?);
    let answer = reqwest::Client::builder().no_proxy().build()?.get(&another).send().await?;
    ensure!(another != *link && answer.status() == 403, "{another}: {}", answer.status());
    let table = &files["expenses-2026-03-01-2026-03-31.csv"];
    let table = table.strip_prefix("\u{feff}".as_bytes()).context("a byte order mark")?;
    let rows = rows(table)?;
    let row = |id: &str| rows.iter().find(|row| row["expense_id"] == id).context("a row");
    ensure!(row(&hostile)?["merchant"] == FORMULA.replacen("=H", "'=H", 1), "{rows:?}");
    ensure!(row(&hostile)?["amount"] == "-12.50" && row(&hostile)?["owed"] == "-12.50", "{rows:?}");
    ensure!(row(&plain)?["merchant"] == "Café, \"Zürich\"" && row(&plain)?["status"] == "draft", "{rows:?}");

    // Other days, other statuses, other people.
    let mut none = range("expenses", "own");
    none["statuses"] = json!(["approved"]);
    ensure!(export(&session, &none).await?["rows"] == 0, "there is no approved one");
    let path = format!("/exports/{}", done["id"].as_str().unwrap_or_default());
    for session in [&stranger, &world.session("administrator").await?] {
        let answer = session.get(&path).await?;
        ensure!(answer.status == 404 && problem(&answer) == "not-found", "{}", answer.body);
    }
    let list = session.get("/exports?limit=1").await?.expect(200)?;
    ensure!(list["exports"].as_array().is_some_and(|list| list.len() == 1 && list[0]["rows"] == 0), "{list}");
    let cursor = list["next_cursor"].as_str().context("a cursor")?;
    let list = session.get(&format!("/exports?limit=1&cursor={cursor}")).await?.expect(200)?;
    ensure!(list["exports"][0]["id"] == one["id"], "{list}");
    ensure!(stranger.get("/exports").await?.expect(200)?["exports"] == json!([]), "nobody else's");

    for (body, status, named) in [
        (range("expenses", "company"), 403, "role"),
        (json!({"kind": "personal_data", "scope": "own", "person": stranger.person_id}), 403, "role"),
        (json!({"kind": "expenses", "scope": "own"}), 422, "from"),
        (json!({"kind": "expenses", "scope": "own", "rows": 3}), 400, "rows"),
    ] {
        let answer = session.post("/exports", &body).await?;
        ensure!(answer.status == status && answer.body.contains(named), "{body}: {}", answer.body);
    }
    Ok(())
}

pub async fn finance_exports_the_company(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (submitted, private) = (draft(&session, FORMULA, -4200).await?, draft(&session, "Private", 100).await?);
    session.submit(&submitted).await?;
    let finance = world.session("finance").await?;
    // The index follows.
    let rows = wait::until("the expense to be in the export", DEADLINE, async || {
        let done = export(&finance, &range("expenses", "company")).await?;
        let rows = rows(&files(&done).await?["expenses-2026-03-01-2026-03-31.csv"])?;
        Ok(rows.iter().any(|row| row["expense_id"] == submitted).then_some(rows))
    })
    .await?;
    let row = rows.iter().find(|row| row["expense_id"] == submitted).context("a row")?;
    ensure!(row["merchant"].starts_with("'=") && row["amount"] == "-42.00", "{row:?}");
    ensure!(row["owner_id"] == session.person_id && row["owner_email"].contains('@'), "{row:?}");
    ensure!(row["status"] == "submitted" && !row["submitted_at"].is_empty(), "{row:?}");
    ensure!(!rows.iter().any(|row| row["expense_id"] == private || row["status"] == "draft"), "no drafts");
    Ok(())
}

pub async fn an_export_ends_with_the_role_it_needs(world: &Deployment) -> Result<()> {
    let administrator = world.session("administrator").await?;
    let session = newcomer(world).await?;
    let email = session.get("/me").await?.expect(200)?["email"].as_str().context("an address")?.to_owned();
    let path = format!("/people/{}", session.person_id);
    administrator.put(&path, &json!({ "roles": ["finance"] })).await?.expect(200)?;
    let finance = world.client()?.sign_in(&email, &world.password).await?;
    let done = export(&finance, &range("expenses", "company")).await?;
    let id = done["id"].as_str().context("an id")?;
    administrator.put(&path, &json!({ "roles": [] })).await?.expect(200)?;
    let answer = finance.get(&format!("/exports/{id}")).await?;
    ensure!(answer.status == 403 && problem(&answer) == "role", "{}", answer.body);
    // One that is still being made is made no further.
    worker_died(world, id).await?;
    sweep_until(world, "continued").await?;
    wait::until("the export to be given up", DEADLINE, async || {
        let export = item(world, "TableName", &format!("EXPORT#{id}"), "EXPORT").await?.context("the item")?;
        Ok((export["status"] == "failed" && export["GSI3PK"].is_null()).then_some(()))
    })
    .await
}

pub async fn receipts_come_in_zip_files(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (first, first_bytes) = with_large_receipt(&session, "../../etc/passwd", 1).await?;
    let (second, second_bytes) = with_large_receipt(&session, "Café Zürich", 2).await?;
    let done = export(&session, &range("receipts", "own")).await?;
    let files = files(&done).await?;
    ensure!(files.keys().eq(["expenses-2026-03-01-2026-03-31.csv", "receipts-2026-03-01-2026-03-31-1.zip"]), "{done}");
    let found = unzipped(&files)?;
    ensure!(found["expenses-2026-03-01-2026-03-31.csv"] == files["expenses-2026-03-01-2026-03-31.csv"], "the same CSV");
    ensure!(found[&format!("receipts/2026-03-12_etc-passwd_{first}.jpg")] == first_bytes, "byte for byte");
    ensure!(found[&format!("receipts/2026-03-12_cafe-zurich_{second}.jpg")] == second_bytes, "byte for byte");
    ensure!(found.len() == 3, "{:?}", found.keys());

    // A worker died in the middle, long ago; its part of the work is done again.
    let id = done["id"].as_str().context("an id")?;
    worker_died(world, id).await?;
    ensure!(
        session.get(&format!("/exports/{id}")).await?.expect(200)?["files"] == json!([]),
        "nothing half done is shown"
    );
    sweep_until(world, "continued").await?;
    let again = self::done(&session, id).await?;
    ensure!(self::files(&again).await? == files, "byte for byte the same");

    // The queue delivers a message of an earlier checkpoint again, and one of an export that is over.
    let before = item(world, "TableName", &format!("EXPORT#{id}"), "EXPORT").await?.context("the item")?;
    for message in [json!({"export": {"id": id, "checkpoint": 0}}), json!({"export": {"id": id}})] {
        let input = json!({ "QueueUrl": world.output("ExportsQueueUrl")?, "MessageBody": message.to_string() });
        world.account.call("sqs", "AmazonSQS.SendMessage", &input).await?;
    }
    drained(world).await?;
    let after = item(world, "TableName", &format!("EXPORT#{id}"), "EXPORT").await?.context("the item")?;
    ensure!(before == after, "nothing happened: {after}");
    Ok(())
}

/// Makes an export one whose worker died at the beginning, long ago.
async fn worker_died(world: &Deployment, id: &str) -> Result<()> {
    let set = "SET #status = :running, lease = :lease, GSI3PK = :open, GSI3SK = :since REMOVE checkpoint";
    let values = json!({
        ":running": {"S": "running"}, ":open": {"S": "OPEN#background"}, ":since": {"S": "2026-01-01T00:00:00.000000Z#x"},
        ":lease": {"M": {"holder": {"S": "a dead one"}, "until": {"S": "2026-01-01T00:00:00Z"}}},
    });
    update(world, &format!("EXPORT#{id}"), "EXPORT", set, &values).await
}

/// Changes an item of the main table. In the expression `#x` is the attribute `x`.
async fn update(world: &Deployment, pk: &str, sk: &str, expression: &str, values: &Value) -> Result<()> {
    let names = expression.split(' ').filter_map(|word| Some((word, word.strip_prefix('#')?)));
    let names: BTreeMap<_, _> = names.collect();
    let mut input = json!({
        "TableName": world.output("TableName")?, "Key": {"PK": {"S": pk}, "SK": {"S": sk}},
        "UpdateExpression": expression, "ExpressionAttributeValues": values,
    });
    if !names.is_empty() {
        input["ExpressionAttributeNames"] = json!(names);
    }
    world.account.call("dynamodb", "DynamoDB_20120810.UpdateItem", &input).await.map(|_| ())
}

/// Waits until the queue of exports holds nothing, neither visible nor being worked on.
async fn drained(world: &Deployment) -> Result<()> {
    let url = world.output("ExportsQueueUrl")?;
    wait::until("the queue of exports to be empty", DEADLINE, async || {
        let input = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
        let answer = world.account.call("sqs", "AmazonSQS.GetQueueAttributes", &input).await?;
        let none = |name: &str| answer["Attributes"][name] == "0";
        let empty = none("ApproximateNumberOfMessages") && none("ApproximateNumberOfMessagesNotVisible");
        Ok(empty.then_some(()))
    })
    .await
}

pub async fn personal_data_are_complete_and_ones_own(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let receipt = upload(&session, &fixture("parking.pdf"), "application/pdf").await?;
    let read = receipt["expense_id"].as_str().context("a draft")?.to_owned();
    let by_hand = draft(&session, "Bakery", 450).await?;
    session.submit(&by_hand).await?;
    let wanted = json!({ "kind": "personal_data", "scope": "own" });
    let found = unzipped(&files(&export(&session, &wanted).await?).await?)?;
    let profile: Value = serde_json::from_slice(&found["profile.json"])?;
    ensure!(profile["profile"]["id"] == session.person_id && profile["history"].is_array(), "{profile}");
    let told: Value = serde_json::from_slice(&found[&format!("expenses/{by_hand}.json")])?;
    let types = told["history"].as_array().context("a history")?.iter().map(|event| &event["metadata"]["type"]);
    ensure!(types.take(2).eq(["ExpenseDrafted", "ExpenseSubmitted"]), "{told}");
    let receipt =
        found.iter().find(|(name, _)| name.starts_with("receipts/") && name.ends_with(&format!("{read}.pdf")));
    ensure!(receipt.context("the receipt")?.1 == &fixture("parking.pdf"), "byte for byte");
    ensure!(found.contains_key("expenses.csv") && found.contains_key("habits.json"), "{:?}", found.keys());
    let beside =
        found.iter().find(|(name, _)| name.ends_with(&format!("{read}.json")) && name.starts_with("receipts/"));
    let beside: Value = serde_json::from_slice(beside.context("what was made out")?.1)?;
    ensure!(beside["reading"].is_object() && beside["history"].is_array(), "{beside}");
    // What belongs to no expense is theirs, too.
    let unreadable = b"\xff\xd8\xff\xe0 no photo at all".to_vec();
    let alone = upload(&session, &unreadable, "image/jpeg").await?;
    let report = session.post("/reports", &json!({ "title": "Vienna", "expenses": [] })).await?.expect(201)?;
    let found = unzipped(&files(&export(&session, &wanted).await?).await?)?;
    let alone = alone["id"].as_str().context("an id")?;
    ensure!(found.get(&format!("receipts/{alone}.jpg")) == Some(&unreadable), "{:?}", found.keys());
    ensure!(found.contains_key(&format!("receipts/{alone}.json")), "{:?}", found.keys());
    let reports: Value = serde_json::from_slice(&found["reports.json"])?;
    ensure!(reports[0]["id"] == report["id"] && reports[0]["title"] == "Vienna", "{reports}");
    // The seeded manager is asked about the one that was submitted.
    let manager = world.session("manager").await?;
    wait::until("the manager's data to name the step", DEADLINE, async || {
        let found = unzipped(&files(&export(&manager, &wanted).await?).await?)?;
        let approvals = String::from_utf8(found["approvals.json"].clone())?;
        ensure!(!approvals.contains("token"), "{approvals}");
        Ok(approvals.contains(&by_hand).then_some(()))
    })
    .await?;

    let administrator = world.session("administrator").await?;
    let of_another = json!({ "kind": "personal_data", "scope": "own", "person": session.person_id });
    let found = unzipped(&files(&export(&administrator, &of_another).await?).await?)?;
    ensure!(found.contains_key(&format!("expenses/{read}.json")), "{:?}", found.keys());
    Ok(())
}

/// All versions of the objects under a prefix of the receipt bucket.
async fn versions(world: &Deployment, prefix: &str) -> Result<Vec<String>> {
    let bucket = world.output("ReceiptBucketName")?;
    let answer = world.aws(&["s3api", "list-object-versions", "--bucket", bucket, "--prefix", prefix]).await?;
    let lists = ["Versions", "DeleteMarkers"].into_iter().filter_map(|name| answer[name].as_array());
    Ok(lists.flatten().filter_map(|version| version["Key"].as_str()).map(str::to_owned).collect())
}

pub async fn erasure_leaves_what_the_law_wants(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let read = upload(&session, &fixture("hotel-chf.jpg"), "image/jpeg").await?;
    let never_submitted = read["expense_id"].as_str().context("a draft")?.to_owned();
    let erased_receipt = read["id"].as_str().context("an id")?.to_owned();
    session.edit(&never_submitted, &json!({ "category": "training" })).await?;
    let (submitted, _) = with_large_receipt(&session, "Kept", 3).await?;
    session.submit(&submitted).await?;
    let kept_receipt = session.expense(&submitted).await?["receipt_id"].as_str().context("a receipt")?.to_owned();
    export(&session, &range("expenses", "own")).await?;
    let report = session.post("/reports", &json!({ "title": "Secret", "expenses": [] })).await?.expect(201)?;
    let report = format!("REPORT#{}", report["id"].as_str().context("an id")?);
    let email = session.get("/me").await?.expect(200)?["email"].as_str().context("an address")?.to_owned();
    let folder = format!("receipts/{}/", session.person_id);
    ensure!(versions(world, &format!("{folder}{erased_receipt}/")).await?.len() > 3, "pictures and a reading");

    let path = format!("/people/{}/erasure", session.person_id);
    let administrator = world.session("administrator").await?;
    for (who, path, status) in [
        (&session, path.clone(), 403),
        (&world.session("finance").await?, path.clone(), 403),
        (&administrator, format!("/people/{}/erasure", administrator.person_id), 409),
        (&administrator, format!("/people/{}/erasure", uuid::Uuid::new_v4()), 404),
    ] {
        let answer = who.client.send(Method::POST, &path, Some(&who.token), Some(&json!({}))).await?;
        ensure!(answer.status == status, "{path}: {}", answer.body);
    }
    let answer = administrator.get(&path).await?;
    ensure!(answer.status == 404 && session.get(&path).await?.status == 403, "{}", answer.body);
    // Asked twice at once, it is one.
    let ask = || async { administrator.post(&path, &json!({})).await?.expect(202) };
    let (begun, again) = tokio::try_join!(ask(), ask())?;
    ensure!(begun["asked_at"] == again["asked_at"], "{begun} {again}");
    ensure!(begun["kept"][0]["what"] == "submitted_expenses" && begun["kept"][0]["until"].is_string(), "{begun}");
    let answer = session.get("/me").await?;
    ensure!(answer.status == 403 && problem(&answer) == "deactivated", "at once: {}", answer.body);
    let ended = wait::until("the person to be erased", DEADLINE, async || {
        let erasure = administrator.get(&path).await?.expect(200)?;
        Ok((erasure["status"] == "done").then_some(erasure))
    })
    .await?;
    let erased = json!({ "drafts": 1, "reports": 1, "receipts": 1, "habits": 1, "exports": 1 });
    ensure!(ended["erased"] == erased, "{ended}");
    ensure!(administrator.post(&path, &json!({})).await?.expect(200)? == ended, "once more: nothing");
    ensure!(world.client()?.sign_in(&email, &world.password).await.is_err(), "there is no account any more");
    ensure!(item(world, "TableName", &report, "REPORT").await?.is_none(), "nor the report");
    ensure!(item(world, "TableName", &report, &format!("EVENT#{:010}", 1)).await?.is_none(), "nor its title");

    let person = item(world, "TableName", &format!("PERSON#{}", session.person_id), "PROFILE").await?;
    let person = person.context("the profile stays")?;
    ensure!(
        person.get("name").is_none() && person["email"].as_str().is_some_and(|it| it.ends_with("@erased.invalid")),
        "{person}"
    );
    let expense = async |id: &str| item(world, "TableName", &format!("EXPENSE#{id}"), "EXPENSE").await;
    ensure!(expense(&never_submitted).await?.is_none(), "the draft is gone");
    let first = format!("EVENT#{:010}", 1);
    ensure!(item(world, "TableName", &format!("EXPENSE#{never_submitted}"), &first).await?.is_none(), "and its events");
    ensure!(
        item(world, "TableName", &format!("RECEIPT#{erased_receipt}"), "RECEIPT").await?.is_none(),
        "and its receipt"
    );
    ensure!(versions(world, &format!("{folder}{erased_receipt}/")).await?.is_empty(), "in all versions");
    let kept = expense(&submitted).await?.context("what was submitted stays")?;
    ensure!(kept["details"].is_object(), "{kept}");
    let versions = versions(world, &format!("{folder}{kept_receipt}/")).await?;
    ensure!(versions == [format!("{folder}{kept_receipt}/original")], "{versions:?}");
    Ok(())
}

pub async fn who_was_to_decide_may_be_erased(world: &Deployment) -> Result<()> {
    let (session, boss) = (newcomer(world).await?, newcomer(world).await?);
    let administrator = world.session("administrator").await?;
    administrator.name_manager(&session.person_id, &boss.person_id).await?;
    let address = boss.get("/me").await?.expect(200)?["email"].as_str().context("an address")?.to_owned();
    let (expense, page) = submitted(world, &session, "Orphaned").await?;
    let (mail, _) = request(world, &expense).await?;
    ensure!(mail.to.contains(&address), "{:?}", mail.to);
    administrator.post(&format!("/people/{}/erasure", boss.person_id), &json!({})).await?.expect(202)?;
    let answer = session.client.decide(&page, "approve", "").await?;
    ensure!(answer.status != 200 && session.expense(&expense).await?["status"] == "submitted", "{}", answer.body);
    // The way out: somebody else is asked.
    session.post(&format!("/expenses/{expense}/withdraw"), &json!({})).await?.expect(200)?;
    session.submit(&expense).await?;
    let mail = world
        .mailbox()
        .wait_for_mail("the mail to somebody else", DEADLINE, |mail| {
            demo::is_request(mail, &expense) && !mail.to.contains(&address)
        })
        .await?;
    ensure!(!mail.to.iter().any(|to| to.ends_with(".invalid")), "{:?}", mail.to);
    let link = demo::request_link(&mail).context("the mail has a link")?;
    let page = session.client.open_link(&link).await?;
    session.client.decide(&page, "approve", "").await?.expect(200)?;
    session.wait_for_status(&expense, "approved", DEADLINE).await?;
    Ok(())
}

pub async fn what_has_outlived_the_legal_term_goes(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let receipt = upload(&session, &fixture("parking.pdf"), "application/pdf").await?;
    let (old, receipt) = (receipt["expense_id"].as_str().context("a draft")?, receipt["id"].as_str().context("an id")?);
    let young = draft(&session, "Young", 100).await?;
    // The clock cannot be set back: what happened to the old ones is said to have happened one day before the term.
    let day = Timestamp::now().to_zoned(TimeZone::UTC).date().checked_sub(Span::new().days(3651))?;
    for (pk, events) in [(format!("EXPENSE#{old}"), 1), (format!("RECEIPT#{receipt}"), 2)] {
        for number in 1..=events {
            let at = format!("{day}T12:00:00.00000{number}Z");
            let values =
                json!({ ":at": {"S": at}, ":day": {"S": format!("DAY#{day}")}, ":sk": {"S": format!("{at}#{pk}")} });
            let set = "SET occurred_at = :at, GSI4PK = :day, GSI4SK = :sk";
            update(world, &pk, &format!("EVENT#{number:010}"), set, &values).await?;
        }
    }
    let last = format!("EVENT#{:010}", 2);
    ensure!(item(world, "TableName", &format!("EXPENSE#{old}"), &last).await?.is_none(), "the draft has one event");
    let values = json!({ ":day": {"S": day.to_string()} });
    update(world, "SWEEP", "RETENTION", "SET #day = :day", &values).await?;
    sweep_until(world, "expired").await?;
    for (pk, sk) in [
        (format!("EXPENSE#{old}"), "EXPENSE"),
        (format!("EXPENSE#{old}"), "EVENT#0000000001"),
        (format!("RECEIPT#{receipt}"), "RECEIPT"),
        (format!("RECEIPT#{receipt}"), "USE"),
        (format!("RECEIPT#{receipt}"), "EVENT#0000000002"),
    ] {
        ensure!(item(world, "TableName", &pk, sk).await?.is_none(), "{pk}/{sk} is still there");
    }
    ensure!(session.get(&format!("/expenses/{old}")).await?.status == 404);
    session.get(&format!("/expenses/{young}")).await?.expect(200)?;
    Ok(())
}
