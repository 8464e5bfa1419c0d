//! Whether the contract says everything that a client must know, whatever the running system does: rules that no checker
//! of OpenAPI has, and what API Gateway refuses of it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value};
use slipstream_local::Deployment;

use crate::contract;

/// The pages behind mailed links are for people: they answer with HTML.
const PAGES: &str = "/approvals/{link}";
/// What API Gateway does not take, or takes and forgets
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html>).
const REFUSED: [&str; 9] =
    ["allOf", "anyOf", "discriminator", "example", "examples", "exclusiveMinimum", "nullable", "oneOf", "readOnly"];

/// What is wrong, each with its place.
struct Faults<'a> {
    contract: &'a Value,
    found: Vec<String>,
    /// The schemas that were gone through.
    seen: BTreeSet<String>,
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

impl<'a> Faults<'a> {
    fn unless(&mut self, right: bool, place: &str, what: &str) {
        if !right {
            self.found.push(format!("{place}: {what}"));
        }
    }

    fn schema(&self, value: &'a Value) -> Option<(&'a str, &'a Value)> {
        let name = value["$ref"].as_str()?.strip_prefix("#/components/schemas/")?;
        Some((name, &self.contract["components"]["schemas"][name]))
    }

    /// Every text, list and number that a client sends has an end.
    fn limited(&mut self, value: &'a Value, place: &str) {
        if let Some((name, schema)) = self.schema(value) {
            if self.seen.insert(name.to_owned()) {
                self.limited(schema, name);
            }
            return;
        }
        let has = |name: &str| value.get(name).is_some();
        match value["type"].as_str() {
            Some("string") => {
                let ends = ["enum", "pattern", "maxLength", "format"].into_iter().any(has);
                self.unless(ends, place, "a text without an end");
            }
            Some("integer" | "number") => {
                self.unless(has("minimum") && has("maximum"), place, "a number without bounds");
            }
            Some("array") => {
                self.unless(has("maxItems"), place, "a list without an end");
                self.limited(&value["items"], &format!("{place}[]"));
            }
            Some("object") => {
                // The members of the others are described in words, because their names are data.
                let described =
                    has("properties") || value["description"].as_str().is_some_and(|it| it.contains("1 to"));
                self.unless(described, place, "an object without members");
                for (name, member) in members(&value["properties"]) {
                    self.limited(member, &format!("{place}.{name}"));
                }
            }
            _ => self.unless(value["type"] == "boolean", place, "it has no type"),
        }
    }

    fn operation(&mut self, path: &str, method: &str, operation: &'a Value) {
        let place = operation["operationId"].as_str().unwrap_or("?").to_owned();
        for member in ["operationId", "summary", "tags", "security"] {
            self.unless(operation.get(member).is_some(), &format!("{method} {path}"), &format!("no {member}"));
        }
        let parameters = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        for parameter in parameters {
            let name = parameter["name"].as_str().unwrap_or_default();
            self.limited(&parameter["schema"], &format!("{place} {name}"));
            self.unless(parameter["description"].is_string(), &place, &format!("{name} is not described"));
        }
        for (media_type, body) in members(&operation["requestBody"]["content"]) {
            self.limited(&body["schema"], &format!("{place} {media_type}"));
        }
        if path == PAGES {
            return;
        }
        let security = &operation["security"];
        self.unless(security[0]["IdToken"].is_array(), &place, "it takes no ID token");
        let statuses: BTreeSet<&str> = members(&operation["responses"]).map(|(status, _)| status.as_str()).collect();
        let (body, get) = (operation.get("requestBody").is_some(), method == "get");
        for (status, needed) in [
            ("400", !get),
            ("401", true),
            ("403", true),
            ("404", path.contains('{')),
            ("409", !get),
            ("413", body),
            ("422", true),
            ("429", true),
            ("500", true),
            ("503", true),
        ] {
            self.unless(!needed || statuses.contains(status), &place, &format!("{status} is not described"));
        }
        for (status, answer) in members(&operation["responses"]) {
            let document = answer["content"]["application/problem+json"]["schema"]["$ref"].as_str();
            let is_problem = document == Some("#/components/schemas/Problem");
            self.unless(is_problem == (status.as_str() >= "400"), &place, &format!("{status} is a problem or not"));
        }
        let answer = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let pages = self.schema(answer).is_some_and(|(_, schema)| schema["properties"].get("next_cursor").is_some());
        for name in ["limit", "cursor"] {
            let has = parameters.iter().any(|parameter| parameter["name"] == name);
            self.unless(has == (pages && get), &place, &format!("{name} goes with next_cursor"));
        }
    }
}

/// The names of members that API Gateway refuses, anywhere below, but for the names of what is described.
fn refused(value: &Value, place: &str, found: &mut Vec<String>) {
    for (name, inner) in members(value) {
        let place = format!("{place}/{name}");
        if name == "properties" {
            members(inner).for_each(|(name, inner)| refused(inner, &format!("{place}/{name}"), found));
            continue;
        }
        if REFUSED.contains(&name.as_str()) {
            found.push(format!("{place}: API Gateway does not take it"));
        }
        refused(inner, &place, found);
    }
    for inner in value.as_array().into_iter().flatten() {
        refused(inner, place, found);
    }
}

/// What is wrong with what the gateway says by itself: of every kind it is a problem document that the web client may read
/// and nobody keeps.
fn gateway_faults(source: &Value) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let responses = &source["x-amazon-apigateway-gateway-responses"];
    for kind in ["DEFAULT_4XX", "DEFAULT_5XX", "UNAUTHORIZED", "ACCESS_DENIED", "REQUEST_TOO_LARGE", "THROTTLED"] {
        if responses.get(kind).is_none() {
            found.push(format!("the gateway's {kind} is not described"));
        }
    }
    for (kind, response) in members(responses) {
        let template = response["responseTemplates"]["application/json"].as_str().context("a template")?;
        let told = template.replace("$context.error.messageString", "\"told\"").replace("$context.requestId", "r-1");
        let problem: Value = serde_json::from_str(&told).with_context(|| format!("{kind}: {told}"))?;
        let status = response["statusCode"].as_str().and_then(|status| status.parse::<u16>().ok());
        let header = |name: &str| response["responseParameters"][format!("gatewayresponse.header.{name}")].clone();
        let right = problem["type"].as_str().is_some_and(|it| it.starts_with("urn:slipstream:problem:"))
            && ["title", "detail", "request_id"].iter().all(|member| problem[*member].is_string())
            && problem["status"].as_u64() == status.map(u64::from)
            && header("Content-Type") == "'application/problem+json'"
            && header("Cache-Control") == "'no-store'"
            && header("Vary") == "'Origin'"
            && header("Access-Control-Allow-Origin")["Fn::Sub"] == "'${WebOrigin}'"
            && (status != Some(429) || header("Retry-After") == "'1'");
        if !right {
            found.push(format!("the gateway's {kind} is not a problem document: {problem}"));
        }
    }
    Ok(found)
}

pub async fn the_contract_says_what_a_client_must_know(_: &Deployment) -> Result<()> {
    let document = contract::document().await?;
    let mut faults = Faults { contract: &document, found: Vec::new(), seen: BTreeSet::new() };
    let mut ids = Map::new();
    for (path, item) in members(&document["paths"]) {
        for (method, operation) in members(item) {
            faults.operation(path, method, operation);
            let id = operation["operationId"].as_str().context("an operation has an id")?;
            let known = ids.insert(id.to_owned(), path.clone().into());
            faults.unless(known.is_none(), path, &format!("{id} is there twice"));
        }
    }
    let mut found = faults.found;
    // As it stands: what tools read of it has `nullable` for `x-nullable`.
    let source = contract::source().await?;
    refused(&source["components"]["schemas"], "schemas", &mut found);
    refused(&source["paths"], "paths", &mut found);
    found.extend(gateway_faults(&source)?);
    ensure!(found.is_empty(), "{}", found.join("\n"));
    ensure!(ids.len() >= 50, "the contract was gone through: {}", ids.len());
    Ok(())
}
