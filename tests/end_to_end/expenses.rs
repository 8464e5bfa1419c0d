//! Expenses over the API: carried out once, listed, split, compared.

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::try_join_all;
use reqwest::Method;
use serde_json::{Value, json};
use slipstream_local::{Deployment, Session};

use crate::harness::{DEADLINE, draft, fixture, history, newcomer, problem, sweep, upload};

fn id_of(expense: &Value) -> Result<&str> {
    expense["id"].as_str().context("an expense has an id")
}

fn details(merchant: &str, date: &str, category: &str, minor_units: i64) -> Value {
    let amount = json!({ "minor_units": minor_units, "currency": "EUR" });
    json!({ "details": { "merchant": merchant, "date": date, "category": category, "amount": amount } })
}

/// The same key, the same request: one effect, the same answer. A hundred at once: still one.
pub async fn a_request_is_carried_out_once(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let key = ("idempotency-key", "a key of mine");
    let body = details("Once", "2026-03-12", "meals", 100);
    let first = session.with(key, Method::POST, "/expenses", Some(&body)).await?;
    let expense = first.expect(201)?;
    let again = session.with(key, Method::POST, "/expenses", Some(&body)).await?;
    ensure!(again.expect(201)? == expense && again.header("idempotency-replayed") == Some("true"), "{}", again.body);
    ensure!(
        again.header("location") == first.header("location") && again.header("etag") == first.header("etag"),
        "whole"
    );
    let other = session.with(key, Method::POST, "/expenses", Some(&details("Else", "2026-03-12", "meals", 1))).await?;
    ensure!(other.status == 409 && problem(&other) == "idempotency-key-reused", "{}", other.body);
    let stranger = newcomer(world).await?;
    let theirs = stranger.with(key, Method::POST, "/expenses", Some(&body)).await?.expect(201)?;
    ensure!(theirs["id"] != expense["id"], "a key is its person's own");

    for (what, keys) in [("one key", 1), ("a key each", 100)] {
        let id = draft(&session, what, 2340).await?;
        let path = format!("/expenses/{id}/submit");
        let submits = (0..100).map(|n| {
            let (session, path, key) = (&session, &path, format!("{id} {}", n % keys));
            async move { session.with(("idempotency-key", &key), Method::POST, path, Some(&json!({}))).await }
        });
        let answers = try_join_all(submits).await?;
        let accepted = answers.iter().filter(|answer| answer.status == 200).count();
        ensure!(accepted == 100 / keys, "{what}: {accepted} were accepted");
        let refused = answers.iter().filter(|answer| answer.status != 200);
        for answer in refused {
            ensure!(answer.status == 409 && problem(answer) == "wrong-state", "{what}: {}", answer.body);
        }
        let submitted = history(&session, &id).await?.iter().filter(|kind| *kind == "ExpenseSubmitted").count();
        ensure!(submitted == 1, "{what}: one submission, one event, not {submitted}");
    }
    Ok(())
}

/// `If-Match` holds for every change; a deleted draft is gone, with its receipt.
pub async fn a_change_goes_by_the_version_it_knows(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let id = draft(&session, "Versions", 100).await?;
    let path = format!("/expenses/{id}");
    let note = json!({ "details": { "note": "a" } });
    let changed = session.with(("if-match", "\"1\""), Method::PATCH, &path, Some(&note)).await?;
    changed.expect(200)?;
    ensure!(changed.header("etag") == Some("\"2\""), "{:?}", changed.headers);
    for (method, path, body) in [
        (Method::PATCH, path.clone(), Some(&note)),
        (Method::DELETE, path.clone(), None),
        (Method::POST, format!("{path}/submit"), None),
    ] {
        let answer = session.with(("if-match", "\"1\""), method.clone(), &path, body).await?;
        ensure!(answer.status == 412 && problem(&answer) == "version-mismatch", "{method}: {}", answer.body);
    }
    session.with(("if-match", "\"2\""), Method::DELETE, &path, None).await?.expect(204)?;
    for (method, path) in
        [(Method::GET, path.clone()), (Method::DELETE, path.clone()), (Method::GET, format!("{path}/history"))]
    {
        let answer = session.client.send(method.clone(), &path, Some(&session.token), None).await?;
        ensure!(answer.status == 404, "{method} {path}: {}", answer.status);
    }
    let body = json!({ "surprise": 1 });
    let id = draft(&session, "No body", 100).await?;
    let answer = session.post(&format!("/expenses/{id}/submit"), &body).await?;
    ensure!(answer.status == 400, "a body where none belongs: {}", answer.body);
    Ok(())
}

/// How many versions of files there are below a prefix of the receipt bucket, delete markers included.
async fn files(world: &Deployment, prefix: &str) -> Result<usize> {
    let bucket = world.output("ReceiptBucketName")?;
    let listed = world.aws(&["s3api", "list-object-versions", "--bucket", bucket, "--prefix", prefix]).await?;
    let count = |member: &str| listed[member].as_array().map_or(0, Vec::len);
    Ok(count("Versions") + count("DeleteMarkers"))
}

/// Detached, attached elsewhere, deleted, erased, and sent once more: and no reading overwrites what a person said.
pub async fn a_receipt_goes_where_its_owner_puts_it(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let bytes = fixture("taxi-gbp.png");
    let receipt = upload(&session, &bytes, "image/png").await?;
    let receipt_id = receipt["id"].as_str().context("a receipt has an id")?;
    let drafted = receipt["expense_id"].as_str().context("it was drafted")?;
    let by_hand = draft(&session, "Cab by hand", 4711).await?;
    let attach = json!({ "receipt_id": receipt_id });
    let path = format!("/expenses/{by_hand}/receipt");
    let answer = session.put(&path, &attach).await?;
    ensure!(answer.status == 409 && answer.body.contains(drafted), "it says which has it: {}", answer.body);
    let alone = session.delete(&format!("/expenses/{drafted}/receipt")).await?.expect(200)?;
    ensure!(alone.get("receipt_id").is_none(), "{alone}");
    let whole = session.put(&path, &attach).await?.expect(200)?;
    ensure!(whole["receipt_id"] == receipt_id && whole["details"]["merchant"] == "Cab by hand", "{whole}");
    ensure!(session.receipt(receipt_id).await?["expense_id"] == *by_hand, "the receipt knows");
    let stranger = newcomer(world).await?;
    let theirs = draft(&stranger, "Not mine", 1).await?;
    let answer = stranger.put(&format!("/expenses/{theirs}/receipt"), &attach).await?;
    ensure!(answer.status == 422, "somebody else's receipt is none: {}", answer.body);

    let prefix = format!("receipts/{}/{receipt_id}/", session.person_id);
    ensure!(files(world, &prefix).await? >= 4, "there are files");
    let path = format!("/receipts/{receipt_id}");
    session.delete(&path).await?.expect(204)?;
    ensure!(session.get(&path).await?.status == 404 && session.delete(&path).await?.status == 404, "it is gone");
    ensure!(session.expense(&by_hand).await?.get("receipt_id").is_none(), "its expense has lost it");
    slipstream_local::wait::until("its files to be erased", DEADLINE, async || {
        sweep(world).await?;
        Ok((files(world, &prefix).await? == 0).then_some(()))
    })
    .await?;

    let again = upload(&session, &bytes, "image/png").await?;
    let anew = again["expense_id"].as_str().context("it is drafted anew")?;
    ensure!(again["id"] == receipt_id && anew != drafted, "the same receipt, another draft: {again}");
    session.delete(&format!("/expenses/{anew}")).await?.expect(204)?;
    ensure!(session.get(&path).await?.status == 404, "a draft that was never submitted takes its receipt along");

    let kept = upload(&session, &fixture("cafe-eur.jpg"), "image/jpeg").await?;
    let expense = kept["expense_id"].as_str().context("it was drafted")?;
    session.edit(expense, &details("Café", "2026-03-12", "meals", 100)["details"]).await?;
    session.submit(expense).await?;
    let answer = session.delete(&format!("/receipts/{}", kept["id"].as_str().unwrap_or_default())).await?;
    ensure!(answer.status == 409 && problem(&answer) == "receipt-in-use", "what was shown stays: {}", answer.body);
    Ok(())
}

pub async fn the_parts_of_a_split_add_up(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let id = draft(&session, "Hotel and minibar", 20_000).await?;
    let part = |minor_units: i64| json!({ "amount": { "minor_units": minor_units, "currency": "EUR" } });
    let path = format!("/expenses/{id}/split");
    let answer = session.post(&path, &json!({ "parts": [part(10_000), part(9_000)] })).await?;
    ensure!(answer.status == 422 && answer.body.contains("10.00 EUR is missing"), "{}", answer.body);
    let mut travel = part(7_500);
    travel["category"] = "travel".into();
    travel["cost_centre"] = "0815".into();
    let personal = json!({ "minor_units": 500, "currency": "EUR" });
    let split = json!({ "parts": [part(12_000), travel], "personal": personal });
    let parts = session.post(&path, &split).await?.expect(200)?;
    let other = id_of(&parts["expenses"][1])?.to_owned();
    ensure!(parts["expenses"][0]["id"] == *id && parts["expenses"][1]["details"]["cost_centre"] == "0815", "{parts}");
    ensure!(session.expense(&other).await?["duplicates"] == json!([]), "parts are no duplicates of each other");
    let amount = json!({ "details": { "amount": { "minor_units": 1, "currency": "EUR" } } });
    let answer = session.patch(&format!("/expenses/{other}"), &amount).await?;
    ensure!(answer.status == 409 && problem(&answer) == "split", "{}", answer.body);
    ensure!(
        session.delete(&format!("/expenses/{id}")).await?.status == 409,
        "the first part stays while there are others"
    );
    session.submit(&other).await?;
    let answer = session.delete(&path).await?;
    ensure!(answer.status == 409 && answer.body.contains(&other), "a part that waits stays: {}", answer.body);
    session.post(&format!("/expenses/{other}/withdraw"), &json!({})).await?.expect(200)?;
    let whole = session.delete(&path).await?.expect(200)?;
    ensure!(whole["details"]["amount"]["minor_units"] == 20_000 && whole.get("split").is_none(), "{whole}");
    ensure!(session.get(&format!("/expenses/{other}")).await?.status == 404, "the other part is gone");
    Ok(())
}

/// All ids of a list, page by page.
async fn ids(session: &Session, path: &str) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    let mut cursor = String::new();
    for _ in 0..50 {
        let page = session.get(&format!("{path}{cursor}")).await?.expect(200)?;
        for expense in page["expenses"].as_array().context("a page of expenses")? {
            ids.push(id_of(expense)?.to_owned());
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(ids),
        }
    }
    bail!("{path} does not end: {ids:?} and then {cursor}")
}

pub async fn lists_are_keyed_and_sifted(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let mut made = Vec::new();
    for (merchant, date, category, minor_units) in [
        ("Alpha Hotel", "2026-01-05", "lodging", 9_000),
        ("Beta Taxi", "2026-02-05", "travel", 1_500),
        ("Gamma Café GmbH", "2026-02-05", "meals", 500),
        ("Delta Café", "2026-03-05", "meals", 700),
    ] {
        let expense = session.post("/expenses", &details(merchant, date, category, minor_units)).await?.expect(201)?;
        made.push(id_of(&expense)?.to_owned());
    }
    let [alpha, beta, gamma, delta] = &made[..] else { unreachable!("four were made") };
    session.submit(beta).await?;
    let mut of_february = vec![beta.clone(), gamma.clone()];
    of_february.sort_unstable_by(|a, b| b.cmp(a));
    let all = [vec![delta.clone()], of_february.clone(), vec![alpha.clone()]].concat();
    for (query, expected) in [
        ("limit=1", all.clone()),
        ("limit=3", all.clone()),
        ("status=submitted", vec![beta.clone()]),
        ("status=draft&limit=2", vec![delta.clone(), gamma.clone(), alpha.clone()]),
        ("from=2026-02-01&until=2026-02-28", of_february),
        ("category=meals&limit=1", vec![delta.clone(), gamma.clone()]),
        ("merchant=caf%C3%A9", vec![delta.clone(), gamma.clone()]),
        ("currency=EUR&min_minor_units=700&max_minor_units=1500", vec![delta.clone(), beta.clone()]),
        ("currency=USD", vec![]),
        ("paid_by=company_card", vec![]),
    ] {
        let found = ids(&session, &format!("/expenses?{query}")).await?;
        ensure!(found == expected, "{query}: {found:?} is not {expected:?}");
    }
    for (query, field) in [
        ("status=lost", "status"),
        ("from=yesterday", "from"),
        ("from=2026-03-01&until=2026-02-01", "until"),
        ("min_minor_units=1", "currency"),
        ("limit=0", "limit"),
        ("cursor=abc", "cursor"),
    ] {
        let answer = session.get(&format!("/expenses?{query}")).await?;
        ensure!(answer.status == 422 && answer.json()["errors"][0]["field"] == field, "{query}: {}", answer.body);
    }
    let page = session.get("/expenses?limit=1").await?.expect(200)?;
    let cursor = page["next_cursor"].as_str().context("there is more")?;
    let misplaced = session.get(&format!("/expenses?status=draft&cursor={cursor}")).await?;
    ensure!(misplaced.status == 422, "a cursor goes with its own list: {}", misplaced.body);
    // What is added before the place of the cursor neither repeats nor hides what comes after it.
    session.post("/expenses", &details("Omega", "2026-04-01", "meals", 1)).await?.expect(201)?;
    let rest = session.get(&format!("/expenses?limit=1&cursor={cursor}")).await?.expect(200)?;
    ensure!(id_of(&rest["expenses"][0])? == all[1], "{rest}");

    let finance = world.session("finance").await?;
    let path =
        format!("/finance/expenses?status=submitted&from=2026-01-01&until=2026-03-31&owner={}", session.person_id);
    ensure!(ids(&finance, &path).await? == [beta.clone()], "finance sees what was submitted");
    ensure!(session.get(&path).await?.status == 403, "an employee does not");
    ensure!(finance.get("/finance/expenses?status=draft").await?.status == 422, "drafts are their owner's affair");
    ensure!(finance.get(&format!("/expenses/{alpha}")).await?.status == 404, "one by one, too");
    ensure!(finance.get(&format!("/expenses/{beta}")).await?.status == 200, "but not what was submitted");
    Ok(())
}

/// Two colleagues, one photo; and one's own second claim typed by hand.
pub async fn one_dinner_claimed_twice_is_seen(world: &Deployment) -> Result<()> {
    let (first, second) = (newcomer(world).await?, newcomer(world).await?);
    let bytes = fixture("supermarket-usd.jpg");
    let mine = upload(&first, &bytes, "image/jpeg").await?["expense_id"].as_str().context("drafted")?.to_owned();
    let theirs = upload(&second, &bytes, "image/jpeg").await?["expense_id"].as_str().context("drafted")?.to_owned();
    for session in [(&first, &mine, &theirs), (&second, &theirs, &mine)] {
        let (session, own, others) = session;
        let answer = session.get(&format!("/expenses/{own}")).await?;
        let duplicates = answer.expect(200)?["duplicates"].clone();
        ensure!(
            duplicates == json!([{ "kind": "same_file", "whose": "someone_else", "dismissed": false }]),
            "{duplicates}"
        );
        ensure!(!answer.body.contains(others.as_str()), "an owner never learns which");
        let history = session.get(&format!("/expenses/{own}/history")).await?;
        ensure!(!history.body.contains(others.as_str()), "nor by the history");
    }
    let dismissed = second.post(&format!("/expenses/{theirs}/not-duplicate"), &json!({})).await?.expect(200)?;
    ensure!(dismissed["duplicates"][0]["dismissed"] == true, "{dismissed}");
    let third = newcomer(world).await?;
    upload(&third, &bytes, "image/jpeg").await?;
    let seen = second.expense(&theirs).await?["duplicates"].clone();
    let open = seen.as_array().map_or(0, |seen| seen.iter().filter(|one| one["dismissed"] == false).count());
    ensure!(open == 1, "what comes later is told again: {seen}");

    let mut wanted = details("Grocer", "2026-03-12", "meals", 990)["details"].clone();
    wanted["tax"] = Value::Null;
    let wanted = first.edit(&mine, &wanted).await?;
    ensure!(wanted["duplicates"].as_array().map(Vec::len) == Some(2), "{wanted}");
    let typed = first.post("/expenses", &details("GROCER Ltd.", "2026-03-12", "meals", 990)).await?.expect(201)?;
    ensure!(
        typed["duplicates"]
            == json!([{ "kind": "same_purchase", "whose": "same_owner", "expense_id": mine, "dismissed": false }]),
        "one's own is named: {typed}"
    );
    first.submit(&mine).await?;
    let finance = world.session("finance").await?;
    let shown = finance.get(&format!("/expenses/{mine}")).await?;
    ensure!(shown.expect(200)?["duplicates"].to_string().contains(&theirs), "finance sees which: {}", shown.body);
    second.delete(&format!("/expenses/{theirs}")).await?.expect(204)?;
    let left = first.expense(&mine).await?["duplicates"].clone();
    ensure!(left.as_array().map(Vec::len) == Some(2), "a deleted expense is suspected no more: {left}");
    Ok(())
}

pub async fn what_the_company_paid_is_not_owed(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let mut body = details("Paid by card", "2026-03-12", "travel", 5_000);
    body["details"]["paid_by"] = "company_card".into();
    let expense = session.post("/expenses", &body).await?.expect(201)?;
    ensure!(expense["owed"]["minor_units"] == 0, "{expense}");
    let id = id_of(&expense)?;
    session.submit(id).await?;
    let (_, link) = crate::harness::request(world, id).await?;
    let page = session.client.open_link(&link).await?;
    session.client.decide(&page, "approve", "").await?.expect(200)?;
    let finance = world.session("finance").await?;
    let answer = finance.post(&format!("/expenses/{id}/reimburse"), &json!({})).await?;
    ensure!(answer.status == 409 && problem(&answer) == "nothing-owed", "{}", answer.body);
    Ok(())
}
