//! Who may see and do what.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use slipstream_local::{Deployment, Session};

use crate::{
    harness::{draft, fixture, newcomer, problem, request, upload},
    receipts::refused_media_type,
};

pub async fn strangers_see_nothing(world: &Deployment) -> Result<()> {
    let (owner, stranger) = (newcomer(world).await?, newcomer(world).await?);
    let id = draft(&owner, "Private", 100).await?;
    let receipt = owner.announce(b"some bytes of mine", "image/jpeg", None).await?.receipt_id;
    for session in [&stranger, &world.session("manager").await?] {
        for (method, path, body) in [
            (Method::GET, format!("/expenses/{id}"), None),
            (Method::GET, format!("/expenses/{id}/history"), None),
            (Method::PATCH, format!("/expenses/{id}"), Some(json!({"details": {"note": "mine"}}))),
            (Method::POST, format!("/expenses/{id}/submit"), Some(json!({}))),
            (Method::POST, format!("/expenses/{id}/withdraw"), Some(json!({}))),
            (Method::GET, format!("/receipts/{receipt}"), None),
        ] {
            let answer = session.client.send(method.clone(), &path, Some(&session.token), body.as_ref()).await?;
            ensure!(answer.status == 404 && problem(&answer) == "not-found", "{method} {path}: {}", answer.status);
        }
    }
    let list = stranger.get("/expenses").await?.expect(200)?;
    ensure!(list["expenses"] == json!([]), "{list}");
    let with_receipt = json!({ "receipt_id": receipt, "details": {} });
    ensure!(stranger.post("/expenses", &with_receipt).await?.status == 422, "somebody else's receipt");
    for (method, path, body) in [
        (Method::GET, format!("/people/{}", owner.person_id), None),
        (Method::GET, "/people?email=emma.employee@example.com".to_owned(), None),
        (Method::PUT, format!("/people/{}", owner.person_id), Some(json!({"active": false}))),
        (Method::PUT, "/policy".to_owned(), Some(json!({"decision_due_seconds": 1}))),
        (Method::POST, format!("/expenses/{id}/reimburse"), Some(json!({}))),
    ] {
        let answer = stranger.client.send(method.clone(), &path, Some(&stranger.token), body.as_ref()).await?;
        ensure!(answer.status == 403, "{method} {path}: {}", answer.status);
    }
    Ok(())
}

/// An approver and finance see the receipt of what they see, and of nothing else.
pub async fn a_receipt_is_seen_by_whoever_sees_its_expense(world: &Deployment) -> Result<()> {
    let (owner, stranger) = (newcomer(world).await?, newcomer(world).await?);
    let receipt = upload(&owner, &fixture("parking.pdf"), "application/pdf").await?;
    let id = receipt["id"].as_str().context("a receipt has an id")?;
    let expense = receipt["expense_id"].as_str().context("it is read")?;
    let paths = [format!("/receipts/{id}"), format!("/receipts/{id}/reading")];
    let (manager, finance) = (world.session("manager").await?, world.session("finance").await?);
    let administrator = world.session("administrator").await?;
    let answers = async |session: &Session, status: u16| {
        for path in &paths {
            let answer = session.get(path).await?;
            ensure!(answer.status == status, "{path}: {} instead of {status}: {}", answer.status, answer.body);
        }
        Ok(())
    };
    for session in [&manager, &finance, &administrator, &stranger] {
        answers(session, 404).await.context("a draft is its owner's affair")?;
    }
    owner.submit(expense).await?;
    let (_, _) = request(world, expense).await?;
    for session in [&owner, &manager, &finance] {
        answers(session, 200).await.context("submitted")?;
    }
    for session in [&administrator, &stranger] {
        answers(session, 404).await.context("submitted, and nobody asked them")?;
    }
    let seen = manager.get(&paths[0]).await?.expect(200)?;
    let original = seen["views"]["original"].as_str().context("the approver gets a link to it")?;
    let bytes = reqwest::get(original).await?.error_for_status()?.bytes().await?;
    ensure!(bytes.as_ref() == fixture("parking.pdf"), "the link leads to the receipt");
    ensure!(seen["expense_id"] == expense, "{seen}");
    let gone = manager.client.send(Method::DELETE, &paths[0], Some(&manager.token), None).await?;
    ensure!(gone.status == 404, "seeing is not having: {}", gone.status);
    Ok(())
}

pub async fn only_id_tokens_of_active_people_count(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    for (token, what) in [(None, "no token"), (Some("nonsense"), "a nonsense token")] {
        let answer = session.client.send(Method::GET, "/expenses", token, None).await?;
        ensure!(answer.status == 401, "{what}: {}", answer.status);
    }
    let employee = world.person("employee")?;
    let parameters = json!({ "USERNAME": employee.email, "PASSWORD": world.password });
    let input = json!({ "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters });
    let tokens = session.client.cognito("InitiateAuth", input).await?;
    let access = tokens["AuthenticationResult"]["AccessToken"].as_str().context("an access token")?;
    let answer = session.client.send(Method::GET, "/expenses", Some(access), None).await?;
    ensure!(answer.status == 401, "an access token: {}", answer.status);

    let administrator = world.session("administrator").await?;
    let path = format!("/people/{}", session.person_id);
    administrator.put(&path, &json!({ "active": false })).await?.expect(200)?;
    for path in ["/expenses", "/me"] {
        let answer = session.get(path).await?;
        ensure!(answer.status == 403 && problem(&answer) == "deactivated", "{path}: {}", answer.body);
    }
    Ok(())
}

pub async fn only_allowed_mail_domains_sign_up(world: &Deployment) -> Result<()> {
    let client = world.client()?;
    let refused = client.sign_up("eve@elsewhere.test", "Correct-Horse-9-Battery", "Eve").await;
    let message = refused.err().context("another domain is refused")?;
    ensure!(format!("{message:?}").contains("example.com"), "{message:?}");
    Ok(())
}

pub async fn bad_input_names_the_field(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    refused_media_type(&session).await?;
    let id = draft(&session, "Plain", 100).await?;
    let details = |details: Value| json!({ "details": details });
    for (body, status, named) in [
        (details(json!({"merchant": "x".repeat(201)})), 422, "merchant"),
        (details(json!({"amount": {"minor_units": 1, "currency": "XXL"}})), 422, "amount.currency"),
        (details(json!({"amount": {"minor_units": 1.5, "currency": "EUR"}})), 400, "amount.minor_units"),
        (details(json!({"owner": "me"})), 400, "owner"),
        (details(json!({"date": "2026-02-30"})), 422, "date"),
        (json!({"details": {}, "status": "approved"}), 400, "status"),
    ] {
        let answer = session.patch(&format!("/expenses/{id}"), &body).await?;
        ensure!(answer.status == status, "{body}: {} {}", answer.status, answer.body);
        ensure!(answer.header("content-type") == Some("application/problem+json"), "{:?}", answer.headers);
        let error = &answer.json()["errors"][0];
        ensure!(error["field"] == named && error["remedy"].is_string(), "{body}: {}", answer.body);
    }
    let empty = session.post("/expenses", &details(json!({}))).await?.expect(201)?;
    let path = format!("/expenses/{}/submit", empty["id"].as_str().unwrap_or_default());
    let answer = session.post(&path, &json!({})).await?;
    ensure!(
        answer.status == 422 && answer.json()["errors"].as_array().is_some_and(|errors| errors.len() == 4),
        "{}",
        answer.body
    );
    Ok(())
}
