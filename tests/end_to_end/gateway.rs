//! What the gateway answers by itself, in the form of the functions' own errors.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use slipstream_local::{Deployment, client::Answer, wait};

use crate::harness::{DEADLINE, newcomer, problem};

/// An answer of the gateway: a problem document with the request's id, never to be kept, for the web client to read.
fn is_the_gateways(answer: &Answer, status: u16, kind: &str) -> Result<()> {
    ensure!(answer.status == status && problem(answer) == kind, "{} {}", answer.status, answer.body);
    ensure!(answer.header("content-type") == Some("application/problem+json"), "{:?}", answer.headers);
    ensure!(answer.header("cache-control") == Some("no-store"), "{:?}", answer.headers);
    ensure!(answer.header("access-control-allow-origin") == Some("http://localhost:5173"), "{:?}", answer.headers);
    let body = answer.json();
    ensure!(body["request_id"].is_string() && body["title"].is_string() && body["detail"].is_string(), "{body}");
    ensure!(body["status"] == status, "{body}");
    Ok(())
}

pub async fn its_own_errors_are_problem_documents(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let anonymous = session.client.send(Method::GET, "/expenses", None, None).await?;
    is_the_gateways(&anonymous, 401, "unauthenticated")?;
    let nonsense = session.client.send(Method::GET, "/expenses", Some("nonsense"), None).await?;
    is_the_gateways(&nonsense, 401, "unauthenticated")?;
    is_the_gateways(&session.get("/no/such/thing").await?, 404, "not-found")?;
    // A function has an end before the gateway has one.
    let large = Value::String("x".repeat(1024 * 1024));
    let answer = session.post("/expenses", &large).await?;
    ensure!(answer.status == 413 && problem(&answer) == "too-large", "{} {}", answer.status, answer.body);
    let long = Value::String("x".repeat(10 * 1024 * 1024));
    is_the_gateways(&session.post("/expenses", &long).await?, 413, "too-large")?;
    Ok(())
}

pub async fn who_asks_too_often_is_told_to_wait(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    let (api, path) = (world.output("ApiId")?, "/~1policy/GET/throttling");
    let limit = async |changes: &[String]| {
        let mut arguments = vec!["apigateway", "update-stage", "--rest-api-id", api, "--stage-name", "v1"];
        arguments.push("--patch-operations");
        arguments.extend(changes.iter().map(String::as_str));
        world.aws(&arguments).await
    };
    let set = |name: &str, value: u32| format!("op=replace,path={path}/{name},value={value}");
    limit(&[set("rateLimit", 1), set("burstLimit", 1)]).await?;
    let refused = wait::until("a refusal", DEADLINE, async || {
        let answer = session.get("/policy").await?;
        Ok((answer.status != 200).then_some(answer))
    })
    .await;
    limit(&[set("rateLimit", 10_000), set("burstLimit", 5_000)]).await?;
    let refused = refused?;
    is_the_gateways(&refused, 429, "too-many-requests")?;
    ensure!(refused.header("retry-after") == Some("1"), "{:?}", refused.headers);
    Ok(())
}

pub async fn only_the_web_client_may_read_across_origins(world: &Deployment) -> Result<()> {
    let session = newcomer(world).await?;
    for origin in ["http://localhost:5173", "https://elsewhere.test"] {
        let preflight = [("origin", origin), ("access-control-request-method", "DELETE")];
        for answer in [
            session.client.send_with(Method::OPTIONS, "/expenses", &session, &preflight, &Value::Null).await?,
            session.client.send_with(Method::GET, "/me", &session, &[("origin", origin)], &Value::Null).await?,
            session.client.send_with(Method::GET, "/policy", &session, &[("origin", origin)], &json!(null)).await?,
        ] {
            // The browser compares it with its own origin, and keeps the answer from everybody else.
            let allowed = answer.header("access-control-allow-origin");
            ensure!(allowed == Some("http://localhost:5173"), "{origin}: {:?}", answer.headers);
            ensure!(answer.header("access-control-allow-credentials").is_none(), "{:?}", answer.headers);
        }
    }
    let answer = session.client.send(Method::OPTIONS, "/expenses", None, None).await?;
    let methods = answer.header("access-control-allow-methods").context("a preflight names methods")?;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        ensure!(methods.contains(method), "{methods}");
    }
    let headers = answer.header("access-control-allow-headers").context("a preflight names headers")?;
    for header in ["authorization", "content-type", "idempotency-key", "if-match"] {
        ensure!(headers.contains(header), "{headers}");
    }
    Ok(())
}
