//! DynamoDB's JSON over HTTP.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State as Extract},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Map, Value, json};

use crate::{
    Asked, Fault, Item, State,
    expression::{Given, Refusal, holds, updated},
    size,
    table::{INDEXES, Query, key_of, place_of},
};

/// The most writes of a transaction.
const MOST_WRITES: usize = 100;

/// An answer: a document, or an error by name.
enum Answer {
    Done(Value),
    Error(&'static str, Value),
}

pub fn routes(state: Arc<Mutex<State>>) -> Router {
    Router::new().route("/", post(answer)).route("/{*path}", get(object)).with_state(state)
}

/// An object, or S3's word for that there is none.
async fn object(Extract(state): Extract<Arc<Mutex<State>>>, Path(path): Path<String>) -> Response {
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let found = state.objects.get(&path).cloned();
    state.note("GetObject", &Value::Null, usize::from(found.is_some()), 0.0);
    match found {
        Some(bytes) => bytes.into_response(),
        None => {
            let error = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>";
            (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/xml")], error).into_response()
        }
    }
}

async fn answer(Extract(state): Extract<Arc<Mutex<State>>>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    let fault = state.due_fault();
    if fault.is_some_and(|fault| !fault.has_effect) {
        return unanswered();
    }
    let (status, document) = state.answer(target, &body);
    if fault.is_some() {
        return unanswered();
    }
    respond(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &document)
}

fn respond(status: StatusCode, document: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], document.to_string()).into_response()
}

fn unanswered() -> Response {
    let document = json!({ "__type": "com.amazonaws.dynamodb.v20120810#InternalServerError" });
    respond(StatusCode::INTERNAL_SERVER_ERROR, &document)
}

fn key(value: &Value) -> Result<(String, String), Refusal> {
    value.as_object().and_then(key_of).ok_or_else(|| format!("{value} is no key"))
}

impl State {
    /// The fault, if it is this request's turn.
    fn due_fault(&mut self) -> Option<Fault> {
        let fault = self.fault.as_mut()?;
        match fault.after.checked_sub(1) {
            None => self.fault.take(),
            Some(left) => {
                fault.after = left;
                None
            }
        }
    }

    /// Does what `target` says, such as `DynamoDB_20120810.GetItem`; the HTTP status and the document to answer.
    pub fn answer(&mut self, target: &str, body: &[u8]) -> (u16, Value) {
        let operation = target.rsplit('.').next().unwrap_or_default();
        let request: Value = serde_json::from_slice(body).unwrap_or_default();
        let answer = match operation {
            "GetItem" => self.get(&request),
            "BatchGetItem" => self.batch_get(&request),
            "Query" => self.query(&request),
            "TransactWriteItems" => self.transact(&request),
            other => Err(format!("the stub does not know the operation {other}")),
        };
        match answer.unwrap_or_else(|refusal| Answer::Error("ValidationException", json!({ "message": refusal }))) {
            Answer::Done(document) => (200, document),
            Answer::Error(name, mut document) => {
                document["__type"] = format!("com.amazonaws.dynamodb.v20120810#{name}").into();
                (400, document)
            }
        }
    }

    fn note(&mut self, operation: &str, request: &Value, items: usize, read_units: f64) {
        self.asked.push(Asked {
            operation: operation.to_owned(),
            index: request["IndexName"].as_str().map(str::to_owned),
            limit: request["Limit"].as_u64(),
            consistent: request["ConsistentRead"] == true,
            items,
            read_units,
        });
    }

    fn get(&mut self, request: &Value) -> Result<Answer, Refusal> {
        let item = self.table.get(&key(&request["Key"])?).cloned();
        let units = size::read_units(item.as_ref().map_or(0, size::of), request["ConsistentRead"] == true);
        self.note("GetItem", request, usize::from(item.is_some()), units);
        Ok(Answer::Done(item.map_or_else(|| json!({}), |item| json!({ "Item": item }))))
    }

    fn batch_get(&mut self, request: &Value) -> Result<Answer, Refusal> {
        let tables = request["RequestItems"].as_object().ok_or("there are no RequestItems")?;
        let (mut responses, mut units, mut count) = (Map::new(), 0.0, 0);
        let mut consistent = false;
        for (name, wanted) in tables {
            consistent = wanted["ConsistentRead"] == true;
            let mut found: Vec<Item> = Vec::new();
            for wanted in wanted["Keys"].as_array().into_iter().flatten() {
                let item = self.table.get(&key(wanted)?).cloned();
                units += size::read_units(item.as_ref().map_or(0, size::of), consistent);
                found.extend(item);
            }
            count += found.len();
            responses.insert(name.clone(), json!(found));
        }
        self.note("BatchGetItem", &json!({ "ConsistentRead": consistent }), count, units);
        Ok(Answer::Done(json!({ "Responses": responses, "UnprocessedKeys": {} })))
    }

    fn query(&mut self, request: &Value) -> Result<Answer, Refusal> {
        let index = match request["IndexName"].as_str() {
            None => None,
            Some(name) => Some(INDEXES.iter().position(|known| *known == name).ok_or("there is no such index")?),
        };
        if request.get("FilterExpression").is_some() || request.get("ProjectionExpression").is_some() {
            return Err("the stub knows neither filters nor projections".to_owned());
        }
        let consistent = request["ConsistentRead"] == true;
        if consistent && index.is_some() {
            return Err("Consistent reads are not supported on global secondary indexes".to_owned());
        }
        let (partition, range) = key_condition(request, index)?;
        let start = match request.get("ExclusiveStartKey").and_then(Value::as_object) {
            None => None,
            Some(start) => {
                let place = place_of(start, index).ok_or("The provided starting key is invalid")?;
                if place.0 != partition {
                    return Err("The provided starting key is outside query boundaries".to_owned());
                }
                Some(place)
            }
        };
        let limit = request["Limit"].as_u64();
        if limit == Some(0) {
            return Err("Limit must be at least 1".to_owned());
        }
        let descending = request["ScanIndexForward"] == false;
        let page = self.table.query(&Query { index, partition, range, descending, limit, start });
        self.note("Query", request, page.items.len(), size::read_units(page.bytes, consistent));
        let count = page.items.len();
        let mut document = json!({ "Items": page.items, "Count": count, "ScannedCount": count });
        if let Some((pk, sk, own)) = page.last {
            let mut last = json!({ "PK": {"S": own.0}, "SK": {"S": own.1} });
            if let Some(name) = index.and_then(|index| INDEXES.get(index)) {
                last[format!("{name}PK")] = json!({ "S": pk });
                last[format!("{name}SK")] = json!({ "S": sk });
            }
            document["LastEvaluatedKey"] = last;
        }
        Ok(Answer::Done(document))
    }

    fn transact(&mut self, request: &Value) -> Result<Answer, Refusal> {
        let writes = request["TransactItems"].as_array().ok_or("there are no TransactItems")?;
        if writes.is_empty() || writes.len() > MOST_WRITES {
            return Err(format!("a transaction has 1 to {MOST_WRITES} writes, not {}", writes.len()));
        }
        let mut reasons = Vec::new();
        let mut effects: Vec<((String, String), Option<Item>)> = Vec::new();
        let mut touched = HashSet::new();
        for write in writes {
            let (kind, write) = write.as_object().and_then(|write| write.iter().next()).ok_or("a write is empty")?;
            let key = key(if kind == "Put" { &write["Item"] } else { &write["Key"] })?;
            if !touched.insert(key.clone()) {
                return Err("Transaction request cannot include multiple operations on one item".to_owned());
            }
            let before = self.table.get(&key);
            let passed = match write["ConditionExpression"].as_str() {
                None => true,
                Some(condition) => holds(condition, Given::of(write), before)?,
            };
            reasons.push(json!({ "Code": if passed { "None" } else { "ConditionalCheckFailed" } }));
            match kind.as_str() {
                "Put" => {
                    let item = write["Item"].as_object().cloned().unwrap_or_default();
                    within_limits(&key, &item)?;
                    effects.push((key, Some(item)));
                }
                "Delete" => effects.push((key, None)),
                "ConditionCheck" => {}
                "Update" => {
                    let update = write["UpdateExpression"].as_str().ok_or("an update says nothing")?;
                    let fresh = || write["Key"].as_object().cloned().unwrap_or_default();
                    let item = before.cloned().unwrap_or_else(fresh);
                    effects.push((key, Some(updated(update, Given::of(write), item)?)));
                }
                other => return Err(format!("the stub does not know the write {other}")),
            }
        }
        self.note("TransactWriteItems", request, writes.len(), 0.0);
        if reasons.iter().any(|reason| reason["Code"] != "None") {
            let document = json!({ "Message": "Transaction cancelled", "CancellationReasons": reasons });
            return Ok(Answer::Error("TransactionCanceledException", document));
        }
        for (key, item) in effects {
            match item {
                Some(item) => self.table.put(item),
                None => self.table.delete(&key),
            }
        }
        Ok(Answer::Done(json!({})))
    }
}

/// The limits of keys and items, in bytes
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html>).
fn within_limits(key: &(String, String), item: &Item) -> Result<(), Refusal> {
    if key.0.len() > 2048 || key.1.len() > 1024 {
        return Err("One or more parameter values were invalid: Size of a key has exceeded the limit".to_owned());
    }
    if size::of(item) > 400 * 1024 {
        return Err("Item size has exceeded the maximum allowed size".to_owned());
    }
    Ok(())
}

/// The least and the most of sort keys, where they are limited.
type SortKeys = (Option<String>, Option<String>);

/// The partition, and the sort keys, of a key condition.
fn key_condition(request: &Value, index: Option<usize>) -> Result<(String, SortKeys), Refusal> {
    let condition = request["KeyConditionExpression"].as_str().ok_or("there is no key condition")?;
    let refuse = || format!("the stub does not know the key condition `{condition}`");
    let (pk, sk) = match index.and_then(|index| INDEXES.get(index)) {
        None => ("PK".to_owned(), "SK".to_owned()),
        Some(name) => (format!("{name}PK"), format!("{name}SK")),
    };
    let value =
        |name: &str| request["ExpressionAttributeValues"][name]["S"].as_str().map(str::to_owned).ok_or_else(refuse);
    let names = |name: &str, expected: &str| request["ExpressionAttributeNames"][name] == expected;
    let (partition, rest) = match condition.split_once(" AND ") {
        None => (condition, None),
        Some((partition, rest)) => (partition, Some(rest)),
    };
    if partition != "#pk = :pk" || !names("#pk", &pk) || (rest.is_some() && !names("#sk", &sk)) {
        return Err(refuse());
    }
    let range = match rest {
        None => (None, None),
        Some("#sk BETWEEN :from AND :until") => (Some(value(":from")?), Some(value(":until")?)),
        Some("#sk >= :from") => (Some(value(":from")?), None),
        Some("#sk <= :until") => (None, Some(value(":until")?)),
        Some("begins_with(#sk, :prefix)") => {
            let prefix = value(":prefix")?;
            let last = format!("{prefix}\u{10ffff}");
            (Some(prefix), Some(last))
        }
        Some(_) => return Err(refuse()),
    };
    Ok((value(":pk")?, range))
}
