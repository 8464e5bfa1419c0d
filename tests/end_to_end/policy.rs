//! What finance sets and sees: the policy, exchange rates, budgets, spend.

use anyhow::{Context as _, Result, ensure};
use jiff::{Timestamp, tz::TimeZone};
use reqwest::Method;
use serde_json::{Value, json};
use slipstream_local::{Deployment, Mail, Session, client::Answer, wait};

use crate::harness::{DEADLINE, item, meets, newcomer, problem, replay, request};

fn fields(answer: &Answer) -> Vec<String> {
    let errors = answer.json()["errors"].as_array().cloned().unwrap_or_default();
    errors.iter().filter_map(|error| error["field"].as_str()).map(str::to_owned).collect()
}

pub async fn a_policy_has_versions_that_stay(world: &Deployment) -> Result<()> {
    let finance = world.session("finance").await?;
    let employee = world.session("employee").await?;
    let answer = finance.get("/policy").await?;
    let before = answer.expect(200)?;
    let etag = answer.header("etag").context("a policy has a version")?.to_owned();
    let wanted = json!({
        "decision_due_seconds": before["decision_due_seconds"],
        "receipt_required_from": {"amount": {"minor_units": 2500, "currency": "EUR"}, "severity": "warns"},
        "category_limits": [{"category": "meals", "per_day": {"minor_units": 9000, "currency": "EUR"}, "severity": "warns"}],
        "max_age": {"days": 3650, "severity": "warns"},
        "future_dates": {"severity": "blocks"},
        "allowed_currencies": {"currencies": ["EUR", "USD"], "severity": "warns"},
        "second_level_from": {"minor_units": 1_000_000, "currency": "EUR"},
    });
    let put = async |session: &Session, headers: &[(&str, &str)], body: &Value| {
        session.call(Method::PUT, "/policy", headers, body.to_string()).await
    };
    ensure!(put(&employee, &[], &wanted).await?.status == 403, "only finance sets the policy");
    let set = put(&finance, &[("if-match", &etag), ("idempotency-key", "policy-1")], &wanted).await?;
    let after = set.expect(200)?;
    ensure!(after["version"].as_u64() == before["version"].as_u64().map(|version| version + 1), "{after}");
    for (name, value) in wanted.as_object().context("an object")? {
        ensure!(after[name] == *value, "{name}: {after}");
    }
    let again = put(&finance, &[("if-match", &etag), ("idempotency-key", "policy-1")], &wanted).await?;
    ensure!(again.expect(200)? == after, "the same key has the same answer");
    let stale = put(&finance, &[("if-match", &etag)], &wanted).await?;
    ensure!(stale.status == 412 && problem(&stale) == "version-mismatch", "{}", stale.body);

    let wrong = json!({
        "decision_due_seconds": 60,
        "category_limits": [{"category": "meals", "severity": "warns"}],
        "max_age": {"days": 99_999, "severity": "warns"},
    });
    let refused = put(&finance, &[], &wrong).await?;
    ensure!(refused.status == 422, "{}", refused.body);
    ensure!(fields(&refused) == ["category_limits[0]", "max_age.days"], "{}", refused.body);
    let unknown = put(&finance, &[], &json!({"decision_due_seconds": 60, "per_diem": true})).await?;
    ensure!(unknown.status == 400, "unknown members are refused: {}", unknown.body);

    // As it was, for the other scenarios: a version of its own, and the one between stays readable.
    let mut restored = before.clone();
    restored.as_object_mut().context("an object")?.remove("version");
    put(&finance, &[], &restored).await?.expect(200)?;
    let version = |policy: &Value| format!("/policy/versions/{}", policy["version"]);
    ensure!(employee.get(&version(&after)).await?.expect(200)? == after, "every version stays");
    ensure!(employee.get(&version(&before)).await?.expect(200)? == before, "every version stays");
    ensure!(employee.get("/policy/versions/4000000000").await?.status == 404, "there is no such version");
    Ok(())
}

/// What the policy says is on the draft, and a submission is held to the policy of its moment, not of the draft's.
pub async fn a_submission_is_held_to_the_policy_of_its_moment(world: &Deployment) -> Result<()> {
    let finance = world.session("finance").await?;
    let session = newcomer(world).await?;
    let before = finance.get("/policy").await?.expect(200)?;
    let euros = |minor_units: i64| json!({"minor_units": minor_units, "currency": "EUR"});
    let set = async |per_item: i64| -> Result<Value> {
        let limit = json!({"category": "communication", "per_item": euros(per_item), "severity": "blocks"});
        let policy = json!({
            "decision_due_seconds": before["decision_due_seconds"], "category_limits": [limit],
            "receipt_required_from": {"amount": euros(2500), "severity": "warns"},
            "future_dates": {"severity": "blocks"},
        });
        finance.put("/policy", &policy).await?.expect(200)
    };
    let draft = async |date: &str, minor_units: i64, currency: &str| -> Result<Value> {
        let amount = json!({"minor_units": minor_units, "currency": currency});
        let details = json!({"merchant": "Telco", "date": date, "category": "communication", "amount": amount});
        session.post("/expenses", &json!({ "details": details })).await?.expect(201)
    };
    let rules = |expense: &Value| -> Vec<String> {
        let findings = expense["findings"].as_array().cloned().unwrap_or_default();
        findings.iter().map(|found| format!("{} {}", found["rule"], found["severity"]).replace('"', "")).collect()
    };

    set(5000).await?;
    let expense = draft("2019-07-01", 4500, "EUR").await?;
    ensure!(rules(&expense) == ["receipt_required warns"], "{expense}");
    let id = expense["id"].as_str().context("an id")?;
    let report = session.post("/reports", &json!({"title": "Phone", "expenses": [id]})).await?.expect(201)?;

    // Finance lowers the limit between the draft and its submission.
    set(4000).await?;
    let shown = session.expense(id).await?;
    ensure!(rules(&shown) == ["receipt_required warns", "item_limit blocks"], "{shown}");
    let refused = session.post(&format!("/expenses/{id}/submit"), &json!({})).await?;
    ensure!(refused.status == 422 && problem(&refused) == "policy", "{}", refused.body);
    ensure!(fields(&refused) == ["amount"] && refused.body.contains("at most 40.00 EUR"), "{}", refused.body);
    let path = format!("/reports/{}", report["id"].as_str().context("an id")?);
    let refused = session.post(&format!("{path}/submit"), &json!({})).await?;
    ensure!(refused.status == 422 && problem(&refused) == "policy", "{}", refused.body);
    ensure!(fields(&refused) == [format!("expenses/{id}/amount")], "{}", refused.body);

    let edited = session.edit(id, &json!({"amount": euros(4000)})).await?;
    ensure!(rules(&edited) == ["receipt_required warns"], "the limit itself is within it: {edited}");
    session.submit(id).await?;
    // What it was submitted with stays, whatever finance sets then; the approver is told.
    set(1).await?;
    ensure!(rules(&session.expense(id).await?) == ["receipt_required warns"], "as it was submitted");
    let (mail, _) = request(world, id).await?;
    ensure!(mail.text.as_deref().is_some_and(|text| text.contains("A receipt is needed from 25.00 EUR")), "{mail:?}");

    // Another currency by the rates of the last day before a Sunday; without rates the limit is not silently passed.
    set(4000).await?;
    let rates = "Date,USD,\n2018-06-01,1.1658,\n".to_owned();
    finance.call(Method::PUT, "/exchange-rates", &[("content-type", "text/csv")], rates).await?.expect(200)?;
    let within = draft("2018-06-03", 4663, "USD").await?;
    let conversion = json!({
        "amount": euros(4000), "rate": "1.1658", "base": "EUR", "quote": "USD", "date": "2018-06-01", "source": "ECB",
    });
    ensure!(within["converted"] == conversion && rules(&within) == ["receipt_required warns"], "{within}");
    let over = draft("2018-06-03", 4665, "USD").await?;
    ensure!(rules(&over) == ["receipt_required warns", "item_limit blocks"], "{over}");
    let unknown = draft("2018-08-03", 4665, "USD").await?;
    ensure!(unknown["converted"].is_null() && rules(&unknown) == ["no_exchange_rate warns"], "{unknown}");
    let refund = draft("2018-08-03", -4665, "USD").await?;
    ensure!(rules(&refund) == [""; 0], "a refund is within every limit: {refund}");
    let future = draft("2199-12-31", 100, "EUR").await?;
    ensure!(rules(&future) == ["future_date blocks"], "{future}");

    let mut restored = before.clone();
    restored.as_object_mut().context("an object")?.remove("version");
    finance.put("/policy", &restored).await?.expect(200)?;
    Ok(())
}

pub async fn rates_loaded_twice_change_nothing(world: &Deployment) -> Result<()> {
    let finance = world.session("finance").await?;
    let employee = world.session("employee").await?;
    let file =
        |friday: &str| format!("Date,USD,JPY,CYP,\n2019-03-08,{friday},125.08,N/A,\n2019-03-07,1.1271,126.06,N/A,\n");
    let load = async |session: &Session, file: String| {
        session.call(Method::PUT, "/exchange-rates", &[("content-type", "text/csv")], file).await
    };
    ensure!(load(&employee, file("1.1222")).await?.status == 403, "only finance loads rates");
    let first = load(&finance, file("1.1222")).await?.expect(200)?;
    ensure!(first["loaded"].as_array().is_some_and(|days| days.len() == 2), "{first}");
    let again = load(&finance, file("1.12220")).await?.expect(200)?;
    ensure!(again == json!({"loaded": [], "unchanged": 2}), "{again}");

    // On a Sunday Friday's rates hold; two weeks later none.
    let rates = employee.get("/exchange-rates?date=2019-03-10&currency=USD").await?.expect(200)?;
    ensure!(rates["date"] == "2019-03-08" && rates["rates"] == json!({"USD": "1.1222"}), "{rates}");
    ensure!(employee.get("/exchange-rates?date=2019-03-19").await?.status == 404, "no rates that old");

    let corrected = load(&finance, file("1.1223")).await?.expect(200)?;
    let expected = json!({"loaded": [{"date": "2019-03-08", "version": 2, "replaces": 1}], "unchanged": 1});
    ensure!(corrected == expected, "{corrected}");
    let event = |sort: &'static str| item(world, "TableName", "RATES#2019-03-08", sort);
    let written = event("EVENT#0000000002").await?.context("a new version has its event")?;
    let detail = written["detail"].as_str().unwrap_or_default();
    ensure!(detail.contains(r#""replaces":1"#) && detail.contains(r#""USD":"1.1223""#), "{detail}");
    ensure!(event("EVENT#0000000003").await?.is_none(), "one event per version");

    let refused = load(&finance, "Date,USD\n2019-03-08,cheap\n".to_owned()).await?;
    ensure!(refused.status == 422 && fields(&refused) == ["line 2"], "{}", refused.body);
    Ok(())
}

/// An expense of today.
async fn spend(session: &Session, category: &str, minor_units: i64, paid_by: &str) -> Result<String> {
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let details = json!({
        "merchant": "Academy", "date": today, "category": category, "paid_by": paid_by,
        "amount": {"minor_units": minor_units, "currency": "EUR"},
    });
    let answer = session.post("/expenses", &json!({ "details": details })).await?.expect(201)?;
    let id = answer["id"].as_str().context("an expense has an id")?.to_owned();
    session.submit(&id).await?;
    Ok(id)
}

pub async fn a_budget_tells_of_each_threshold_once(world: &Deployment) -> Result<()> {
    let began = Timestamp::now();
    let finance = world.session("finance").await?;
    let fiona = &world.person("finance")?.email;
    let session = newcomer(world).await?;
    ensure!(session.get("/budgets").await?.status == 403, "budgets are for finance");
    let budget = |minor_units: i64, code: &str| json!({"amount": {"minor_units": minor_units, "currency": code}, "period": "year"});
    let refused = finance.put("/budgets/training", &budget(0, "USD")).await?;
    ensure!(fields(&refused) == ["amount.minor_units", "amount.currency"], "{}", refused.body);
    ensure!(finance.put("/budgets/bribes", &budget(1, "EUR")).await?.status == 404, "there is no such category");
    let set = finance.put("/budgets/training", &budget(10_000, "EUR")).await?.expect(200)?;
    ensure!(finance.put("/budgets/training", &budget(10_000, "EUR")).await?.expect(200)? == set, "nothing new");

    let expense = spend(&session, "training", 10_500, "company_card").await?;
    let (_, link) = request(world, &expense).await?;
    let page = session.client.open_link(&link).await?;
    session.client.decide(&page, "approve", "").await?.expect(200)?;
    let told = |percent: &str| {
        let subject = match percent {
            "80" => "80 % of the budget for training",
            _ => "The budget for training",
        };
        move |mail: &Mail| mail.is_to(fiona) && mail.subject.starts_with(subject)
    };
    for percent in ["80", "100"] {
        world.mailbox().wait_for_mail(&format!("the mail at {percent} %"), DEADLINE, told(percent)).await?;
    }
    let list = finance.get("/budgets").await?.expect(200)?;
    let shown = list["budgets"].as_array().and_then(|all| all.iter().find(|budget| budget["category"] == "training"));
    let current = &shown.context("the budget is listed")?["current"];
    ensure!(current["used"]["minor_units"] == 10_500 && current["percent"] == 105, "{current}");

    // A budget that is raised tells of itself; set back, it has told already, and so says a replay.
    let year = Timestamp::now().to_zoned(TimeZone::UTC).date().year();
    let event = format!("BUDGET#training:{year}:10000-EUR:80");
    let first = item(world, "TableName", &event, "EVENT#0000000001").await?.context("the threshold has its event")?;
    let mails = async |percent: &str| -> Result<usize> {
        let told = told(percent);
        Ok(world.mailbox().list().await?.iter().filter(|mail| told(mail)).count())
    };
    finance.put("/budgets/training", &budget(12_000, "EUR")).await?.expect(200)?;
    wait::until(
        "the mail at 80 % of the raised budget",
        DEADLINE,
        async || Ok((mails("80").await? == 2).then_some(())),
    )
    .await?;
    let changed = finance.put("/budgets/training", &budget(10_000, "EUR")).await?.expect(200)?;
    let version = changed["version"].as_u64().context("a budget has a version")?;
    let name = replay(world, began).await?;
    meets(world, "projections", &name, &format!("expense/{expense}/4"), "summed up").await?;
    meets(world, "projections", &name, &format!("budget/training/{version}"), "summed up").await?;
    for told in ["10000-EUR:100", "12000-EUR:80"] {
        meets(world, "notifications", &name, &format!("budget/training:{year}:{told}/1"), "nobody is mailed").await?;
    }
    ensure!((mails("80").await?, mails("100").await?) == (2, 1), "one mail for each amount and threshold");
    ensure!(item(world, "TableName", &event, "EVENT#0000000001").await? == Some(first), "the same event");

    let gone = async || finance.delete("/budgets/training").await;
    ensure!(gone().await?.status == 204, "it can be taken away");
    ensure!(gone().await?.status == 404, "once");
    Ok(())
}

pub async fn spend_is_shown_to_whom_it_concerns(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (manager, finance) = (world.session("manager").await?, world.session("finance").await?);
    let stranger = newcomer(world).await?;
    spend(&session, "equipment", 4000, "company_card").await?;
    spend(&session, "equipment", 1500, "out_of_pocket").await?;
    let euros = |minor_units: i64| json!({"minor_units": minor_units, "currency": "EUR"});
    let summed = wait::until("the spend to be summed up", DEADLINE, async || {
        let spend = session.get("/spend").await?.expect(200)?;
        let sum = &spend["months"][0]["sums"][0];
        Ok((sum["submitted"]["count"] == 2).then(|| spend.clone()))
    })
    .await?;
    let sum = &summed["months"][0]["sums"][0];
    ensure!(sum["category"] == "equipment" && sum["currency"] == "EUR", "{sum}");
    ensure!(sum["submitted"]["amount"] == euros(5500) && sum["submitted"]["owed"] == euros(1500), "{sum}");
    ensure!(sum["approved"] == json!({"count": 0, "amount": euros(0), "owed": euros(0)}), "{sum}");

    let of = format!("/spend?person={}", session.person_id);
    ensure!(manager.get(&of).await?.expect(200)? == summed, "a manager sees whom they manage");
    ensure!(finance.get(&of).await?.expect(200)? == summed, "finance sees everyone");
    ensure!(stranger.get(&of).await?.status == 404, "to others there is no such person");
    ensure!(stranger.get("/spend?scope=company").await?.status == 403, "the company's sums are for finance");
    let all = finance.get("/spend?scope=company").await?.expect(200)?;
    ensure!(!all["months"].as_array().context("months")?.is_empty(), "{all}");
    ensure!(session.get("/spend?from=2020-01&until=2022-01").await?.status == 422, "at most 24 months");
    Ok(())
}
