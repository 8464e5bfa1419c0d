//! Profiles, roles, leavers and the directory.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use slipstream_local::{Deployment, Session};

use crate::harness::{newcomer, problem};

/// A call of the user pool as its owner.
async fn pool(world: &Deployment, operation: &str, mut input: Value) -> Result<Value> {
    input["UserPoolId"] = world.output("UserPoolId")?.as_str().into();
    world.account.call("cognito-idp", &format!("AWSCognitoIdentityProviderService.{operation}"), &input).await
}

/// An address that nobody has yet.
fn address(who: &str) -> String {
    format!("{who}.{}@example.com", uuid::Uuid::new_v4().simple())
}

/// Makes a confirmed account and signs in to it, without asking for the profile.
async fn account(world: &Deployment, email: &str) -> Result<Session> {
    let attribute = |name: &str, value: &str| json!({ "Name": name, "Value": value });
    let attributes = [attribute("email", email), attribute("email_verified", "true")];
    let input = json!({ "Username": email, "UserAttributes": attributes, "MessageAction": "SUPPRESS" });
    pool(world, "AdminCreateUser", input).await?;
    let input = json!({ "Username": email, "Password": world.password, "Permanent": true });
    pool(world, "AdminSetUserPassword", input).await?;
    world.client()?.sign_in(email, &world.password).await
}

/// Signs the person in again: a token of now.
async fn again(world: &Deployment, session: &Session) -> Result<Session> {
    let me = session.get("/me").await?.expect(200)?;
    world.client()?.sign_in(me["email"].as_str().context("an address")?, &world.password).await
}

pub async fn a_profile_is_ones_own_to_set(world: &Deployment) -> Result<()> {
    let (session, delegate) = (newcomer(world).await?, newcomer(world).await?);
    let before = session.get("/me").await?;
    let delegation = json!({ "delegate": delegate.person_id, "from": "2026-08-01", "until": "2026-08-14" });
    let wanted = json!({ "name": "Nora N.", "locale": "de-at", "currency": "CHF", "delegation": delegation });
    let after = session.put("/me", &wanted).await?;
    let profile = after.expect(200)?;
    ensure!(profile["locale"] == "de-AT" && profile["currency"] == "CHF" && profile["delegation"] == delegation);
    let version = profile["version"].to_string();
    ensure!(after.header("etag") == Some(&format!("\"{version}\"")), "{:?}", after.headers);
    // The token's name does not come back over the one that was set.
    ensure!(session.get("/me").await?.expect(200)? == profile);

    let stale = before.header("etag").context("a profile has a version")?;
    let answer = session.client.send_with(Method::PUT, "/me", &session, &[("if-match", stale)], &json!({})).await?;
    ensure!(answer.status == 412, "{}", answer.body);
    for (body, field) in [
        (
            json!({"delegation": {"delegate": session.person_id, "from": "2026-08-01", "until": "2026-08-14"}}),
            "delegate",
        ),
        (json!({"delegation": {"delegate": delegate.person_id, "from": "2026-08-02", "until": "2026-08-01"}}), "until"),
        (json!({"delegation": {"delegate": delegate.person_id, "from": "2026-08-02", "until": "2028-08-01"}}), "until"),
        (
            json!({"delegation": {"delegate": uuid::Uuid::nil(), "from": "2026-08-02", "until": "2026-08-03"}}),
            "delegate",
        ),
        (json!({"locale": "german, please"}), "locale"),
        (json!({"name": " "}), "name"),
        (json!({"currency": "XXL"}), "currency"),
    ] {
        let answer = session.put("/me", &body).await?;
        ensure!(answer.status == 422 && answer.body.contains(field), "{body}: {} {}", answer.status, answer.body);
    }
    for body in [json!({"roles": ["finance"]}), json!({"manager": null})] {
        ensure!(session.put("/me", &body).await?.status == 400, "{body}");
    }
    let cleared =
        session.put("/me", &json!({"delegation": null, "locale": null, "currency": null})).await?.expect(200)?;
    ensure!(["delegation", "locale", "currency"].iter().all(|name| cleared[name].is_null()), "{cleared}");
    ensure!(cleared["name"] == "Nora N.");
    Ok(())
}

pub async fn roles_hold_at_once_and_end_at_once(world: &Deployment) -> Result<()> {
    let administrator = world.session("administrator").await?;
    let session = newcomer(world).await?;
    let path = format!("/people/{}", session.person_id);
    ensure!(session.get("/people").await?.status == 403);
    let profile = administrator.put(&path, &json!({ "roles": ["finance"] })).await?.expect(200)?;
    ensure!(profile["roles"] == json!(["finance"]), "{profile}");
    ensure!(session.get("/people").await?.status == 403, "a token without the group gives no role");
    let finance = again(world, &session).await?;
    finance.get("/people").await?.expect(200)?;
    ensure!(finance.put(&path, &json!({ "roles": ["administrator"] })).await?.status == 403, "finance reads only");

    administrator.put(&path, &json!({ "roles": [] })).await?.expect(200)?;
    ensure!(finance.get("/people").await?.status == 403, "the role ends with the answer");
    let me = finance.get("/me").await?.expect(200)?;
    ensure!(me["roles"] == json!([]), "an older token does not bring a role back: {me}");
    let me = again(world, &session).await?.get("/me").await?.expect(200)?;
    ensure!(me["roles"] == json!([]), "{me}");
    Ok(())
}

pub async fn who_leaves_is_out_at_once_and_may_return(world: &Deployment) -> Result<()> {
    let administrator = world.session("administrator").await?;
    let session = newcomer(world).await?;
    let email = session.get("/me").await?.expect(200)?["email"].as_str().context("an address")?.to_owned();
    let path = format!("/people/{}", session.person_id);
    administrator.put(&path, &json!({ "active": false })).await?.expect(200)?;
    for path in ["/me", "/expenses", "/policy"] {
        let answer = session.get(path).await?;
        ensure!(answer.status == 403 || answer.status == 401, "{path}: {} {}", answer.status, answer.body);
    }
    ensure!(world.client()?.sign_in(&email, &world.password).await.is_err(), "the account is disabled");
    administrator.put(&path, &json!({ "active": true })).await?.expect(200)?;
    let session = world.client()?.sign_in(&email, &world.password).await?;
    session.get("/expenses").await?.expect(200)?;

    let own = format!("/people/{}", administrator.person_id);
    for body in [json!({ "active": false }), json!({ "roles": [] })] {
        let answer = administrator.put(&own, &body).await?;
        ensure!(answer.status == 409 && problem(&answer) == "last-administrator", "{}", answer.body);
    }
    administrator.get("/people").await?.expect(200)?;
    Ok(())
}

pub async fn two_administrators_who_remove_each_other_leave_one(world: &Deployment) -> Result<()> {
    let first = world.session("administrator").await?;
    let newcomer = newcomer(world).await?;
    let path = |session: &Session| format!("/people/{}", session.person_id);
    let (roles, none) = (json!({ "roles": ["administrator"] }), json!({ "roles": [] }));
    first.put(&path(&newcomer), &roles).await?.expect(200)?;
    let second = again(world, &newcomer).await?;
    for round in 0..4 {
        let (own, others) = (path(&first), path(&second));
        let (one, other) = tokio::try_join!(first.put(&others, &none), second.put(&own, &none))?;
        let (winner, loser, refused) = match (one.status, other.status) {
            (200, _) => (&first, &second, other),
            (_, 200) => (&second, &first, one),
            _ => anyhow::bail!("round {round}: {} and {}", one.body, other.body),
        };
        // Who was slower is told so, or was no administrator any more.
        ensure!([403, 409].contains(&refused.status), "round {round}: {} {}", refused.status, refused.body);
        // Whoever is left is one after the next sign-in, too: a token lives an hour only.
        let left = again(world, winner).await?;
        let me = left.get("/me").await?.expect(200)?;
        ensure!(me["roles"] == roles["roles"], "round {round}: {me}");
        left.put(&path(loser), &roles).await?.expect(200)?;
    }
    first.put(&path(&second), &none).await?.expect(200)?;
    let me = again(world, &first).await?.get("/me").await?.expect(200)?;
    ensure!(me["roles"] == roles["roles"], "the world has its administrator again: {me}");
    Ok(())
}

pub async fn an_account_that_did_not_follow_does_so_later(world: &Deployment) -> Result<()> {
    let administrator = world.session("administrator").await?;
    let session = newcomer(world).await?;
    administrator
        .put(&format!("/people/{}", session.person_id), &json!({ "roles": ["finance"] }))
        .await?
        .expect(200)?;
    let finance = again(world, &session).await?;
    // As a death leaves it between the profile, which has lost the role, and the account.
    let key = json!({ "PK": {"S": format!("PERSON#{}", session.person_id)}, "SK": {"S": "PROFILE"} }).to_string();
    let update = "SET #roles = :none, account_behind = :true REMOVE GSI1PK, GSI1SK";
    let table = world.output("TableName")?;
    world
        .aws(&[
            "dynamodb",
            "update-item",
            "--table-name",
            table,
            "--key",
            &key,
            "--update-expression",
            update,
            "--expression-attribute-names",
            r##"{"#roles": "roles"}"##,
            "--expression-attribute-values",
            r#"{":none": {"L": []}, ":true": {"BOOL": true}}"#,
        ])
        .await?;
    ensure!(finance.get("/people").await?.status == 403, "the role ended with the profile");
    let newer = again(world, &session).await?;
    let groups = async || pool(world, "AdminListGroupsForUser", json!({ "Username": session.person_id })).await;
    ensure!(groups().await?["Groups"] == json!([]), "`GET /me` lets the account follow: {}", groups().await?);
    for token in [&finance, &newer] {
        let me = token.get("/me").await?.expect(200)?;
        ensure!(me["roles"] == json!([]), "no token brings the role back: {me}");
    }
    Ok(())
}

pub async fn the_directory_is_taken_over_at_the_first_sign_in(world: &Deployment) -> Result<()> {
    let administrator = world.session("administrator").await?;
    let (known, report, chief) = (newcomer(world).await?, address("rita.report"), address("carl.chief"));
    let known_email = known.get("/me").await?.expect(200)?["email"].as_str().context("an address")?.to_uppercase();
    let rows = json!({ "people": [
        {"email": report, "name": "Rita Report", "manager_email": chief, "locale": "fr-CH", "currency": "CHF"},
        {"email": known_email, "locale": "it", "manager_email": chief},
        {"email": "nobody", "name": "No Body"},
        {"email": report, "name": "Again"},
        {"email": chief, "roles": ["finance"]},
    ]});
    let outcomes = async || -> Result<Vec<String>> {
        let answer = administrator.post("/people/import", &rows).await?.expect(200)?;
        let results = answer["results"].as_array().context("results")?;
        Ok(results.iter().filter_map(|row| row["outcome"].as_str()).map(ToOwned::to_owned).collect())
    };
    ensure!(outcomes().await? == ["created", "updated", "invalid", "invalid", "created"]);
    ensure!(
        outcomes().await? == ["unchanged", "unchanged", "invalid", "invalid", "unchanged"],
        "twice changes nothing"
    );

    let rita = account(world, &report).await?;
    let profile = rita.get("/me").await?.expect(200)?;
    ensure!(
        profile["name"] == "Rita Report" && profile["locale"] == "fr-CH" && profile["currency"] == "CHF",
        "{profile}"
    );
    ensure!(profile["manager"].is_null(), "the manager has yet to sign in: {profile}");
    let carl = account(world, &chief).await?;
    let profile = carl.get("/me").await?.expect(200)?;
    ensure!(profile["roles"] == json!(["finance"]), "{profile}");
    for session in [&rita, &known] {
        let profile = session.get("/me").await?.expect(200)?;
        ensure!(profile["manager"] == carl.person_id.as_str(), "{profile}");
    }
    again(world, &carl).await?.get(&format!("/people?manager={}", carl.person_id)).await?.expect(200)?;
    ensure!(
        outcomes().await? == ["unchanged", "unchanged", "invalid", "invalid", "unchanged"],
        "nor after the sign-in"
    );

    let too_many = json!({ "people": vec![json!({"email": "a@example.com"}); 101] });
    ensure!(administrator.post("/people/import", &too_many).await?.status == 422);
    ensure!(known.post("/people/import", &rows).await?.status == 403);
    Ok(())
}

pub async fn a_changed_address_is_followed_within_the_domains(world: &Deployment) -> Result<()> {
    let administrator = world.session("administrator").await?;
    let session = newcomer(world).await?;
    let old = session.get("/me").await?.expect(200)?["email"].as_str().context("an address")?.to_owned();
    let change = async |email: &str| {
        let attributes = json!([{ "Name": "email", "Value": email }, { "Name": "email_verified", "Value": "true" }]);
        let input = json!({ "Username": session.person_id, "UserAttributes": attributes });
        pool(world, "AdminUpdateUserAttributes", input).await?;
        world.client()?.sign_in(email, &world.password).await
    };
    let found = async |email: &str| -> Result<usize> {
        let page = administrator.get(&format!("/people?email={email}")).await?.expect(200)?;
        Ok(page["people"].as_array().map_or(0, Vec::len))
    };
    let new = address("nora.married");
    let profile = change(&new).await?.get("/me").await?.expect(200)?;
    ensure!(profile["email"] == new.as_str(), "{profile}");
    ensure!((found(&old).await?, found(&new).await?) == (0, 1));
    let profile = change("nora@elsewhere.test").await?.get("/me").await?.expect(200)?;
    ensure!(profile["email"] == new.as_str(), "links do not follow out of the company: {profile}");
    Ok(())
}

pub async fn everyone_is_listed_once_page_by_page(world: &Deployment) -> Result<()> {
    let administrator = world.session("administrator").await?;
    let session = newcomer(world).await?;
    let (mut seen, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let page = administrator.get(&format!("/people?limit=2{cursor}")).await?.expect(200)?;
        for person in page["people"].as_array().context("people")? {
            ensure!(seen.insert(person["id"].as_str().context("an id")?.to_owned()), "{person} stands there twice");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    ensure!(seen.contains(&session.person_id) && seen.contains(&administrator.person_id) && seen.len() > 4);
    let manager = &world.person("manager")?.id;
    let page = administrator.get(&format!("/people?limit=100&manager={manager}")).await?.expect(200)?;
    let people = page["people"].as_array().context("people")?;
    ensure!(people.iter().all(|person| person["manager"] == manager.as_str()), "{page}");
    ensure!(people.iter().any(|person| person["id"] == session.person_id.as_str()), "{page}");
    for query in ["limit=0", "limit=101", "cursor=x", "manager=me", "email=a@example.com&manager=x"] {
        ensure!(administrator.get(&format!("/people?{query}")).await?.status == 422, "{query}");
    }
    Ok(())
}
