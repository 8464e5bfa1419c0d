//! Every place where the emulator (MiniStack 1.5.33) needs help that AWS does not: one function each, and nowhere else.
//!
//! Each says what is missing and what stands in for it, so that it can be dropped when the emulator learns it.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{HeaderName, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use crate::aws::{Account, http};

/// How the emulator is started: with the evaluation of `TimeoutSeconds`, the gateway responses and the ANY methods of an
/// imported OpenAPI document, and the limit of a request's body, all of which it lacks. The file says more.
pub const EMULATOR: &str = include_str!("../emulator.py");

/// The largest request body that API Gateway takes.
const LARGEST_BODY: usize = 10 * 1024 * 1024;

/// API Gateway's address holds an id that exists only after the deployment, but the template needs the address in
/// `PublicBaseUrl`; on AWS a template without that parameter takes the API's own address, which the emulator writes in
/// a form that no laptop resolves. So the front server's `/api` is the public address, and it passes everything on
/// untouched: method, headers, body, status, redirects. Of a body that is too long, only as much that the gateway says so.
pub async fn forward(target: &str, prefix: &str, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{target}{}", path.strip_prefix(prefix).unwrap_or(path));
    let body = match to_bytes(body, LARGEST_BODY).await {
        Ok(body) => body,
        Err(_) => vec![b' '; LARGEST_BODY + 1].into(),
    };
    let is_head = head.method == Method::HEAD;
    let mut outgoing = http().request(head.method, url);
    for (name, value) in head.headers.iter().filter(|(name, _)| !is_of_the_connection(name)) {
        outgoing = outgoing.header(name, value);
    }
    let answer = match outgoing.body(body).send().await {
        Ok(answer) => answer,
        Err(error) => {
            return (StatusCode::BAD_GATEWAY, format!("the emulator does not answer: {error}")).into_response();
        }
    };
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        if !is_of_the_connection(name) || (is_head && name == header::CONTENT_LENGTH) {
            response = response.header(name, value);
        }
    }
    let bytes = answer.bytes().await.unwrap_or_default();
    response
        .body(Body::from(bytes))
        .unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, error.to_string()).into_response())
}

fn is_of_the_connection(name: &HeaderName) -> bool {
    [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::EXPECT].contains(name)
}

/// An event archive that the template asks for.
#[derive(Debug, PartialEq)]
pub struct Archive {
    name: String,
    description: Option<String>,
    pattern: Option<Value>,
}

/// `AWS::Events::Archive` is no resource type of the emulator: takes it out of the packaged template (JSON), together
/// with whatever refers to it. [`create_archives`] makes it by the API.
pub fn take_archives(template: &mut Value, stack: &str) -> Vec<Archive> {
    let Some(resources) = template.get_mut("Resources").and_then(Value::as_object_mut) else {
        return Vec::new();
    };
    let ids: Vec<String> = resources
        .iter()
        .filter(|(_, resource)| resource["Type"] == "AWS::Events::Archive")
        .map(|(id, _)| id.clone())
        .collect();
    let mut archives = Vec::new();
    for id in &ids {
        let Some(resource) = resources.remove(id) else { continue };
        let properties = &resource["Properties"];
        archives.push(Archive {
            name: text(&properties["ArchiveName"], stack).unwrap_or_else(|| format!("{stack}-{id}")),
            description: text(&properties["Description"], stack),
            pattern: properties.get("EventPattern").cloned(),
        });
    }
    for (id, archive) in ids.iter().zip(&archives) {
        forget(template, id, &archive.name);
    }
    archives
}

/// A text property: literal, or `Fn::Sub` over the stack's name.
fn text(value: &Value, stack: &str) -> Option<String> {
    let literal = value.as_str().or_else(|| value["Fn::Sub"].as_str())?;
    Some(literal.replace("${AWS::StackName}", stack))
}

/// Replaces references to a resource that is gone by its name, and drops dependencies on it.
fn forget(value: &mut Value, id: &str, name: &str) {
    match value {
        Value::Object(object) => {
            if is_reference(object, id) {
                *value = name.into();
                return;
            }
            let depends_on_it_only = object.get("DependsOn").is_some_and(|on| on == id);
            if depends_on_it_only {
                object.remove("DependsOn");
            }
            if let Some(Value::Array(list)) = object.get_mut("DependsOn") {
                list.retain(|on| on != id);
            }
            object.values_mut().for_each(|inner| forget(inner, id, name));
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| forget(inner, id, name)),
        Value::String(text) => *text = text.replace(&format!("${{{id}}}"), name),
        _ => {}
    }
}

fn is_reference(object: &Map<String, Value>, id: &str) -> bool {
    object.len() == 1 && object.get("Ref").is_some_and(|reference| reference == id)
}

/// A parameter is text to the emulator even where a resource needs a number: `MaximumConcurrency` of an SQS trigger,
/// given as `!Ref`, makes its poller fail at every turn. So the number itself is written into the packaged template.
pub fn write_concurrency(template: &mut Value, parameters: &BTreeMap<String, String>) {
    let defaults = template["Parameters"].clone();
    let number = |parameter: &str| {
        let given = parameters.get(parameter).map(String::as_str).or_else(|| defaults[parameter]["Default"].as_str());
        given.and_then(|given| given.parse().ok()).or_else(|| defaults[parameter]["Default"].as_i64())
    };
    write_numbers(template, "MaximumConcurrency", &number);
}

fn write_numbers(value: &mut Value, name: &str, number: &dyn Fn(&str) -> Option<i64>) {
    match value {
        Value::Object(object) => {
            if let Some(property) = object.get_mut(name)
                && let Some(found) = property["Ref"].as_str().and_then(number)
            {
                *property = found.into();
            }
            object.values_mut().for_each(|inner| write_numbers(inner, name, number));
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| write_numbers(inner, name, number)),
        _ => {}
    }
}

/// Creates by the API the archives that were taken out of the template.
///
/// # Errors
/// When the bus does not exist or the emulator refuses.
pub async fn create_archives(account: &Account, archives: &[Archive], bus_arn: &str) -> Result<()> {
    for archive in archives {
        // Retention needs no care: the world is gone before a day has passed.
        let mut input = json!({ "ArchiveName": archive.name, "EventSourceArn": bus_arn, "RetentionDays": 1 });
        if let Some(description) = &archive.description {
            input["Description"] = description.as_str().into();
        }
        if let Some(pattern) = &archive.pattern {
            input["EventPattern"] = pattern.to_string().into();
        }
        account
            .call("events", "AWSEvents.CreateArchive", &input)
            .await
            .with_context(|| format!("cannot create the archive {}", archive.name))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_concurrency_given_by_a_parameter_becomes_a_number() {
        let template = json!({
            "Parameters": { "ReaderConcurrency": { "Type": "Number", "Default": 5 } },
            "Resources": { "F": { "Properties": { "ScalingConfig": { "MaximumConcurrency": { "Ref": "ReaderConcurrency" } } } } },
        });
        let written = |parameters: &[(&str, &str)]| {
            let mut template = template.clone();
            let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            write_concurrency(&mut template, &parameters);
            template.pointer("/Resources/F/Properties/ScalingConfig/MaximumConcurrency").cloned()
        };
        assert_eq!(written(&[]), Some(json!(5)));
        assert_eq!(written(&[("ReaderConcurrency", "2")]), Some(json!(2)));
    }

    #[test]
    fn an_archive_leaves_the_template_with_everything_that_names_it() {
        let mut template = json!({
            "Resources": {
                "EventArchive": { "Type": "AWS::Events::Archive", "Properties": {
                    "ArchiveName": { "Fn::Sub": "${AWS::StackName}-events" }, "SourceArn": { "Fn::GetAtt": ["EventBus", "Arn"] },
                    "EventPattern": { "source": ["slipstream"] } } },
                "EventBus": { "Type": "AWS::Events::EventBus" },
                "Last": { "Type": "X", "DependsOn": ["EventArchive", "EventBus"], "Properties": { "A": { "Fn::Sub": "arn/${EventArchive}" } } },
            },
            "Outputs": { "ArchiveName": { "Value": { "Ref": "EventArchive" } } },
        });
        let archives = take_archives(&mut template, "slip");
        let expected = Archive {
            name: "slip-events".to_owned(),
            description: None,
            pattern: Some(json!({ "source": ["slipstream"] })),
        };
        assert_eq!(archives, [expected]);
        assert_eq!(
            template,
            json!({
                "Resources": {
                    "EventBus": { "Type": "AWS::Events::EventBus" },
                    "Last": { "Type": "X", "DependsOn": ["EventBus"], "Properties": { "A": { "Fn::Sub": "arn/slip-events" } } },
                },
                "Outputs": { "ArchiveName": { "Value": "slip-events" } },
            })
        );
    }
}
