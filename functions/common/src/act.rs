//! Carrying out what a request asks for, once.
//!
//! A handler reads, decides, and adds what it decided to a transaction; [`act`] commits it. Where the request names an
//! `Idempotency-Key` (<https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/>), the answer is
//! written in the same transaction: it is there exactly if the effect is, so that a repetition gets the same answer and
//! has no second effect, whenever the first one's answer got lost. Only answers that had an effect are kept; a request
//! that was refused is judged anew.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use slipstream_events::PersonId;

use crate::{
    http::{Request, Response},
    keys::{self, EXPIRES_AT},
    problem::Problem,
    records::AnswerRecord,
    store::Store,
    table::{Condition, StoreError, Transaction, item, number},
};

/// The longest idempotency key, in characters.
const MAX_KEY: usize = 128;
/// How long an answer is kept, in seconds.
const KEPT_SECONDS: i64 = 24 * 60 * 60;
/// How often a decision is made anew because someone else was faster.
const MAX_RACES: u32 = 8;

/// Carries out `request` of `person`: `attempt` adds its writes to the transaction and says the answer. It is called
/// again, with an empty transaction, when something that it read has changed before the commit.
///
/// # Errors
/// What `attempt` says; 409 where the key was used for another request, or others were faster every time.
pub async fn act(
    store: &Store,
    request: &Request,
    person: PersonId,
    mut attempt: impl AsyncFnMut(&mut Transaction) -> Result<Response, Problem>,
) -> Result<Response, Problem> {
    let once = Once::of(request, person)?;
    if let Some(once) = &once
        && let Some(answer) = once.answered(store).await?
    {
        return Ok(answer);
    }
    let mut races = 0;
    loop {
        let mut transaction = Transaction::default();
        let response = match (attempt(&mut transaction).await, &once) {
            (Ok(response), _) => response,
            // The same request, come twice at once, may have done what makes this one impossible.
            (Err(problem), Some(once)) => return once.answered(store).await?.ok_or(problem),
            (Err(problem), None) => return Err(problem),
        };
        if let Some(once) = &once {
            once.add(&mut transaction, &response)?;
        }
        if transaction.is_empty() {
            return Ok(response);
        }
        match store.table.commit(transaction).await {
            Ok(()) => return Ok(response),
            Err(StoreError::Condition(_)) if races < MAX_RACES => {
                races += 1;
                if let Some(once) = &once
                    && let Some(answer) = once.answered(store).await?
                {
                    return Ok(answer);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether an answer of [`act`] is that of an earlier request: then what the attempts of this one began is not there.
pub fn is_replay(response: &Response) -> bool {
    response.headers.contains_key(REPLAYED)
}

/// A request that names an idempotency key.
struct Once {
    key: keys::Key,
    fingerprint: String,
}

impl Once {
    fn of(request: &Request, person: PersonId) -> Result<Option<Self>, Problem> {
        let Some(key) = request.header("idempotency-key") else { return Ok(None) };
        if key.is_empty() || key.len() > MAX_KEY || !key.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            let remedy = format!("give 1 to {MAX_KEY} printable ASCII characters, such as a UUID");
            return Err(Problem::invalid("Idempotency-Key", remedy));
        }
        let path: BTreeMap<_, _> = request.path_parameters.iter().collect();
        let query: BTreeMap<_, _> = request.query_string_parameters.iter().collect();
        let told = serde_json::json!([request.http_method, request.resource, path, query, request.body]);
        let fingerprint = hex::encode(Sha256::digest(told.to_string()));
        Ok(Some(Self { key: keys::idempotency(person, key), fingerprint }))
    }

    /// The answer that was given before, if one was.
    async fn answered(&self, store: &Store) -> Result<Option<Response>, Problem> {
        let known: Option<AnswerRecord> = store.table.get(&self.key).await?;
        let Some(known) = known.filter(|known| known.expires_at > Timestamp::now().as_second()) else {
            return Ok(None);
        };
        if known.fingerprint != self.fingerprint {
            return Err(Problem::conflict(
                "idempotency-key-reused",
                "Another request was sent with this Idempotency-Key. Use a new key for a new request.",
            ));
        }
        let mut answer = Response::new(known.status, "application/json", known.body);
        for (name, value) in known.headers {
            if let Some(name) = KEPT_HEADERS.into_iter().find(|kept| *kept == name) {
                answer = answer.header(name, value);
            }
        }
        Ok(Some(answer.header(REPLAYED, "true")))
    }

    fn add(&self, transaction: &mut Transaction, response: &Response) -> Result<(), Problem> {
        let now = Timestamp::now().as_second();
        let kept = response.headers.iter().filter(|(name, _)| KEPT_HEADERS.contains(name));
        let record = AnswerRecord {
            fingerprint: self.fingerprint.clone(),
            status: response.status_code,
            headers: kept.map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            body: response.body.clone(),
            expires_at: now + KEPT_SECONDS,
        };
        // Time to live deletes late: what is over counts as gone.
        let condition = Condition::new("attribute_not_exists(#pk) OR #expires_at <= :now")
            .name("#pk", keys::PK)
            .name("#expires_at", EXPIRES_AT)
            .value(":now", number(now));
        transaction.put(&self.key, item(&record, [])?, Some(condition));
        Ok(())
    }
}

/// The header that tells a repetition.
const REPLAYED: &str = "idempotency-replayed";
/// The headers of an answer that a repetition gets too.
const KEPT_HEADERS: [&str; 3] = ["content-type", "etag", "location"];

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn once(key: &str, body: &str) -> Result<Option<Once>, Problem> {
        let event: Value = json!({
            "httpMethod": "POST", "resource": "/expenses", "requestContext": {}, "body": body,
            "headers": {"Idempotency-Key": key},
        });
        let person = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap();
        Once::of(&serde_json::from_value(event).unwrap(), person)
    }

    #[test]
    fn a_request_is_told_by_its_body() {
        let print = |body| once("k", body).unwrap().unwrap().fingerprint;
        assert_eq!(print("{}"), print("{}"));
        assert_ne!(print("{}"), print("{ }"));
    }

    #[test]
    fn a_key_has_a_form() {
        assert!(once("0d9f0c1e 1", "").unwrap().is_some());
        for key in ["", "a\u{0}", "ä", &"x".repeat(MAX_KEY + 1)] {
            assert_eq!(once(key, "").err().map(|problem| problem.status), Some(422), "{key}");
        }
    }
}
