//! The DynamoDB table: consistent reads, queries by page, and transactions that say which condition failed.

use std::{collections::HashMap, time::Duration};

use aws_config::SdkConfig;
use aws_sdk_dynamodb::{
    Client,
    error::{DisplayErrorContext, ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{
        AttributeValue, CancellationReason, ConditionCheck, Delete, KeysAndAttributes, Put, TransactWriteItem, Update,
    },
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use uuid::Uuid;

use crate::keys::{Entry, Index, Key, PK, SK};

/// An item as DynamoDB holds it.
pub type Item = HashMap<String, AttributeValue>;

/// Why the table did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A condition did not hold: someone else was here first. Trying the same again cannot help.
    #[error("the condition of write {0:?} did not hold")]
    Condition(Vec<usize>),
    /// The service did not answer as it should; trying again can help.
    #[error("the table is not available: {0}")]
    Unavailable(String),
    /// An item is not what this code writes.
    ///
    /// Its text does not say what stands in the item: that may be contents, which logs must not have.
    #[error("an item cannot be read or written")]
    Shape(#[from] serde_dynamo::Error),
}

fn unavailable<E: std::error::Error + Send + Sync + 'static, R: std::fmt::Debug + Send + Sync + 'static>(
    error: SdkError<E, R>,
) -> StoreError {
    StoreError::Unavailable(DisplayErrorContext(error).to_string())
}

/// A page of a query.
#[derive(Debug)]
pub struct Page<T> {
    /// What it holds.
    pub items: Vec<T>,
    /// Where the next page begins, if there may be one.
    pub next: Option<Item>,
}

/// A query on an index: one partition, from a point on.
#[derive(Debug, Clone)]
pub struct IndexQuery {
    /// Which index.
    pub index: Index,
    /// Its partition.
    pub pk: String,
    /// From this sort key on (inclusive).
    pub from: Option<String>,
    /// Up to this sort key (inclusive).
    pub until: Option<String>,
    /// The latest first.
    pub descending: bool,
    /// At most so many items a page.
    pub limit: i32,
}

impl IndexQuery {
    /// The whole partition, oldest first, a hundred at a time.
    pub fn of(index: Index, pk: impl Into<String>) -> Self {
        Self { index, pk: pk.into(), from: None, until: None, descending: false, limit: 100 }
    }
}

/// How many items, and from which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// So many from the beginning.
    First(i32),
    /// So many from the end, the latest first.
    Latest(i32),
}

/// One table.
#[derive(Debug, Clone)]
pub struct Table {
    client: Client,
    name: String,
}

impl Table {
    /// The table of that name.
    pub fn new(sdk: &SdkConfig, name: impl Into<String>) -> Self {
        Self { client: Client::new(sdk), name: name.into() }
    }

    /// The item at `key`, as it is now (a strongly consistent read).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<T>, StoreError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.name)
            .key(PK, AttributeValue::S(key.pk.clone()))
            .key(SK, AttributeValue::S(key.sk.clone()))
            .consistent_read(true)
            .send()
            .await
            .map_err(unavailable)?;
        Ok(answer.item.map(serde_dynamo::from_item).transpose()?)
    }

    /// Writes one item, whatever was there.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put(&self, key: &Key, item: Item) -> Result<(), StoreError> {
        let mut transaction = Transaction::default();
        transaction.put(key, item, None);
        self.commit(transaction).await
    }

    /// A page of an index. Indexes are eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn query<T: DeserializeOwned>(
        &self,
        query: &IndexQuery,
        start: Option<Item>,
    ) -> Result<Page<T>, StoreError> {
        let page = self.query_items(query, start).await?;
        Ok(Page { items: serde_dynamo::from_items(page.items)?, next: page.next })
    }

    /// A page of an index, as the items are. Indexes are eventually consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn query_items(&self, query: &IndexQuery, start: Option<Item>) -> Result<Page<Item>, StoreError> {
        let sort = match (&query.from, &query.until) {
            (Some(_), Some(_)) => " AND #sk BETWEEN :from AND :until",
            (Some(_), None) => " AND #sk >= :from",
            (None, Some(_)) => " AND #sk <= :until",
            (None, None) => "",
        };
        let mut request = self
            .client
            .query()
            .table_name(&self.name)
            .index_name(query.index.name())
            .key_condition_expression(format!("#pk = :pk{sort}"))
            .expression_attribute_names("#pk", query.index.pk())
            .expression_attribute_values(":pk", AttributeValue::S(query.pk.clone()))
            .scan_index_forward(!query.descending)
            .limit(query.limit)
            .set_exclusive_start_key(start);
        if !sort.is_empty() {
            request = request.expression_attribute_names("#sk", query.index.sk());
        }
        for (name, value) in [(":from", &query.from), (":until", &query.until)] {
            if let Some(value) = value {
                request = request.expression_attribute_values(name, AttributeValue::S(value.clone()));
            }
        }
        let answer = request.send().await.map_err(unavailable)?;
        Ok(Page { items: answer.items.unwrap_or_default(), next: answer.last_evaluated_key })
    }

    /// The items at `keys` (strongly consistent), in no order; those that do not exist are left out. A hundred a call.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn batch_get<T: DeserializeOwned>(&self, keys: &[Key]) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        for chunk in keys.chunks(MAX_BATCH) {
            let mut wanted: Vec<Item> = chunk.iter().map(key_item).collect();
            let mut attempt = 0;
            while !wanted.is_empty() {
                if attempt > 0 {
                    pause(attempt).await;
                }
                if attempt > MAX_CONFLICTS {
                    return Err(StoreError::Unavailable("keys stayed unprocessed".to_owned()));
                }
                attempt += 1;
                let keys = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
                // The builder fails only without keys; they are given.
                let keys = keys.map_err(|error| StoreError::Unavailable(error.to_string()))?;
                let answer = self.client.batch_get_item().request_items(&self.name, keys).send().await;
                let answer = answer.map_err(unavailable)?;
                let found = answer.responses.and_then(|mut tables| tables.remove(&self.name)).unwrap_or_default();
                all.extend(serde_dynamo::from_items::<_, T>(found)?);
                let left = answer.unprocessed_keys.and_then(|mut tables| tables.remove(&self.name));
                wanted = left.map(|left| left.keys).unwrap_or_default();
            }
        }
        Ok(all)
    }

    /// Everything in an index's partition, page by page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn query_all<T: DeserializeOwned>(&self, query: &IndexQuery) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        let mut start = None;
        loop {
            let page = self.query(query, start).await?;
            all.extend(page.items);
            start = page.next;
            if start.is_none() {
                return Ok(all);
            }
        }
    }

    /// The items of one partition whose sort key begins with `prefix`, in order, as they are now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn partition<T: DeserializeOwned>(&self, pk: &str, prefix: &str) -> Result<Vec<T>, StoreError> {
        let mut all = Vec::new();
        let mut start = None;
        loop {
            let (items, next) = self.prefixed(pk, prefix, None, start).await?;
            all.extend(items);
            start = next;
            if start.is_none() {
                return Ok(all);
            }
        }
    }

    /// The first items, at most `limit`, of one partition whose sort key begins with `prefix`, as they are now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn beginning_with<T: DeserializeOwned>(
        &self,
        pk: &str,
        prefix: &str,
        limit: i32,
    ) -> Result<Vec<T>, StoreError> {
        Ok(self.prefixed(pk, prefix, Some(limit), None).await?.0)
    }

    async fn prefixed<T: DeserializeOwned>(
        &self,
        pk: &str,
        prefix: &str,
        limit: Option<i32>,
        start: Option<Item>,
    ) -> Result<(Vec<T>, Option<Item>), StoreError> {
        let answer = self
            .client
            .query()
            .table_name(&self.name)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)")
            .expression_attribute_names("#pk", PK)
            .expression_attribute_names("#sk", SK)
            .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
            .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
            .consistent_read(true)
            .set_limit(limit)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(unavailable)?;
        Ok((serde_dynamo::from_items(answer.items.unwrap_or_default())?, answer.last_evaluated_key))
    }

    /// The items of one partition between two sort keys (both inclusive), as they are now. With `take`, only so many;
    /// they fit a page.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn range<T: DeserializeOwned>(
        &self,
        pk: &str,
        from: &str,
        until: &str,
        take: Option<Take>,
    ) -> Result<Vec<T>, StoreError> {
        let limit = match take {
            None => None,
            Some(Take::First(limit) | Take::Latest(limit)) => Some(limit),
        };
        let mut all = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .client
                .query()
                .table_name(&self.name)
                .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :until")
                .expression_attribute_names("#pk", PK)
                .expression_attribute_names("#sk", SK)
                .expression_attribute_values(":pk", text(pk))
                .expression_attribute_values(":from", text(from))
                .expression_attribute_values(":until", text(until))
                .scan_index_forward(!matches!(take, Some(Take::Latest(_))))
                .set_limit(limit)
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(unavailable)?;
            all.extend(serde_dynamo::from_items(answer.items.unwrap_or_default())?);
            start = answer.last_evaluated_key;
            if start.is_none() || take.is_some() {
                return Ok(all);
            }
        }
    }

    /// Deletes items, whatever they say; not all at once.
    ///
    /// # Errors
    /// [`StoreError`]; what is deleted stays deleted.
    pub async fn delete(&self, keys: &[Key]) -> Result<(), StoreError> {
        for chunk in keys.chunks(MAX_WRITES) {
            let mut transaction = Transaction::default();
            for key in chunk {
                transaction.delete(key, Condition::default());
            }
            self.commit(transaction).await?;
        }
        Ok(())
    }

    /// Deletes the items of one partition whose sort key begins with `prefix`; how many there were.
    ///
    /// # Errors
    /// [`StoreError`]; what is deleted stays deleted.
    pub async fn erase(&self, pk: &str, prefix: &str) -> Result<u64, StoreError> {
        let items: Vec<Value> = self.partition(pk, prefix).await?;
        let sort_keys = items.iter().filter_map(|item| item[SK].as_str());
        let keys: Vec<Key> = sort_keys.map(|sk| Key { pk: pk.to_owned(), sk: sk.to_owned() }).collect();
        self.delete(&keys).await?;
        Ok(keys.len() as u64)
    }

    /// Carries out all writes or none. A conflict with another transaction is tried again.
    ///
    /// # Errors
    /// [`StoreError::Condition`] with the indexes of the writes whose condition failed, in the order in which they
    /// were added.
    pub async fn commit(&self, transaction: Transaction) -> Result<(), StoreError> {
        let items: Vec<_> = transaction.writes.into_iter().map(|write| write.into_item(&self.name)).collect();
        let mut attempt = 0;
        // The token makes a repetition the same request: one that is still in progress must not fail its own conditions.
        let mut token = Uuid::new_v4();
        loop {
            let request = self.client.transact_write_items().client_request_token(token.to_string());
            let error = match request.set_transact_items(Some(items.clone())).send().await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            let verdict = match error.as_service_error() {
                Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                    token = Uuid::new_v4();
                    judge(cancelled.cancellation_reasons())
                }
                Some(other) if other.code() == Some("TransactionInProgressException") => Verdict::Again,
                _ => Verdict::Other,
            };
            match verdict {
                Verdict::Condition(failed) => return Err(StoreError::Condition(failed)),
                Verdict::Again if attempt < MAX_CONFLICTS => {
                    attempt += 1;
                    pause(attempt).await;
                }
                Verdict::Again | Verdict::Other => return Err(unavailable(error)),
            }
        }
    }
}

/// How often a transaction that conflicts with another is tried again: about two seconds in all.
const MAX_CONFLICTS: u32 = 6;
/// The most keys of a `BatchGetItem`.
const MAX_BATCH: usize = 100;

/// Waits before attempt `attempt`, with full jitter.
async fn pause(attempt: u32) {
    let ceiling = 20u64 << attempt;
    tokio::time::sleep(Duration::from_millis(rand::random_range(5..ceiling))).await;
}

fn key_item(key: &Key) -> Item {
    HashMap::from([(PK.to_owned(), text(&key.pk)), (SK.to_owned(), text(&key.sk))])
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Condition(Vec<usize>),
    Again,
    Other,
}

/// What a cancelled transaction means
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>): a failed condition
/// is an answer; a conflict or throttling alone is a reason to try again.
fn judge(reasons: &[CancellationReason]) -> Verdict {
    let codes = reasons.iter().map(|reason| reason.code().unwrap_or("None"));
    let failed: Vec<usize> =
        codes.clone().enumerate().filter(|(_, code)| *code == "ConditionalCheckFailed").map(|(at, _)| at).collect();
    let passing = |code: &str| {
        matches!(code, "None" | "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
    };
    if !failed.is_empty() {
        Verdict::Condition(failed)
    } else if codes.clone().all(passing) && codes.clone().any(|code| code != "None") {
        Verdict::Again
    } else {
        Verdict::Other
    }
}

/// A condition on a write, with its names and values.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    expression: String,
    names: HashMap<String, String>,
    values: Item,
}

impl Condition {
    /// A condition such as `#status = :pending`.
    pub fn new(expression: &str) -> Self {
        Self { expression: expression.to_owned(), ..Self::default() }
    }

    /// There is no such item yet.
    pub fn absent() -> Self {
        Self::new("attribute_not_exists(#pk)").name("#pk", PK)
    }

    /// The item has this version.
    pub fn version(version: u64) -> Self {
        Self::new("#version = :version").name("#version", "version").value(":version", number(version))
    }

    /// Names an attribute.
    #[must_use]
    pub fn name(mut self, name: &str, attribute: &str) -> Self {
        self.names.insert(name.to_owned(), attribute.to_owned());
        self
    }

    /// Gives a value.
    #[must_use]
    pub fn value(mut self, name: &str, value: AttributeValue) -> Self {
        self.values.insert(name.to_owned(), value);
        self
    }
}

/// A number as an attribute.
pub fn number(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// A text as an attribute.
pub fn text(value: impl std::fmt::Display) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

/// A truth value as an attribute.
pub const fn flag(value: bool) -> AttributeValue {
    AttributeValue::Bool(value)
}

/// A set of texts as an attribute.
pub fn text_set(values: impl IntoIterator<Item = String>) -> AttributeValue {
    AttributeValue::Ss(values.into_iter().collect())
}

#[derive(Debug, Clone)]
enum Write {
    Put { item: Item, condition: Option<Condition> },
    Update { key: Key, update: String, condition: Condition },
    Delete { key: Key, condition: Condition },
    Check { key: Key, condition: Condition },
}

impl Write {
    fn into_item(self, table: &str) -> TransactWriteItem {
        let some = |map: HashMap<String, String>| (!map.is_empty()).then_some(map);
        let values = |map: Item| (!map.is_empty()).then_some(map);
        let item = TransactWriteItem::builder();
        // The builders fail only where a required member is missing; all of them are given here.
        match self {
            Self::Put { item: content, condition } => {
                let condition = condition.unwrap_or_default();
                let put = Put::builder()
                    .table_name(table)
                    .set_item(Some(content))
                    .set_condition_expression(Some(condition.expression).filter(|expression| !expression.is_empty()))
                    .set_expression_attribute_names(some(condition.names))
                    .set_expression_attribute_values(values(condition.values));
                item.set_put(put.build().ok())
            }
            Self::Update { key, update, condition } => {
                let update = Update::builder()
                    .table_name(table)
                    .set_key(Some(key_item(&key)))
                    .update_expression(update)
                    .set_condition_expression(Some(condition.expression).filter(|expression| !expression.is_empty()))
                    .set_expression_attribute_names(some(condition.names))
                    .set_expression_attribute_values(values(condition.values));
                item.set_update(update.build().ok())
            }
            Self::Delete { key, condition } => {
                let delete = Delete::builder()
                    .table_name(table)
                    .set_key(Some(key_item(&key)))
                    .set_condition_expression(Some(condition.expression).filter(|expression| !expression.is_empty()))
                    .set_expression_attribute_names(some(condition.names))
                    .set_expression_attribute_values(values(condition.values));
                item.set_delete(delete.build().ok())
            }
            Self::Check { key, condition } => {
                let check = ConditionCheck::builder()
                    .table_name(table)
                    .set_key(Some(key_item(&key)))
                    .condition_expression(condition.expression)
                    .set_expression_attribute_names(some(condition.names))
                    .set_expression_attribute_values(values(condition.values));
                item.set_condition_check(check.build().ok())
            }
        }
        .build()
    }
}

/// The most writes and checks of a transaction
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html>).
pub const MAX_WRITES: usize = 100;

/// Writes that happen together or not at all. At most [`MAX_WRITES`].
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    writes: Vec<Write>,
}

impl Transaction {
    /// Writes an item.
    pub fn put(&mut self, key: &Key, mut item: Item, condition: Option<Condition>) {
        item.insert(PK.to_owned(), text(&key.pk));
        item.insert(SK.to_owned(), text(&key.sk));
        self.writes.push(Write::Put { item, condition });
    }

    /// Changes an item. `condition` carries the names and values of the update expression too.
    pub fn update(&mut self, key: &Key, update: &str, condition: Condition) {
        self.writes.push(Write::Update { key: key.clone(), update: update.to_owned(), condition });
    }

    /// Deletes an item.
    pub fn delete(&mut self, key: &Key, condition: Condition) {
        self.writes.push(Write::Delete { key: key.clone(), condition });
    }

    /// Lets the writes happen only if `condition` holds of an item that they do not touch.
    pub fn check(&mut self, key: &Key, condition: Condition) {
        self.writes.push(Write::Check { key: key.clone(), condition });
    }

    /// How many writes and checks it has; a transaction takes at most 100.
    pub fn len(&self) -> usize {
        self.writes.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

/// An item from `value`, standing at `entries` in the indexes.
///
/// # Errors
/// [`StoreError::Shape`] when `value` is not a map.
pub fn item(value: &impl Serialize, entries: impl IntoIterator<Item = Entry>) -> Result<Item, StoreError> {
    let mut item: Item = serde_dynamo::to_item(value)?;
    for entry in entries {
        item.insert(entry.index.pk().to_owned(), text(entry.pk));
        item.insert(entry.index.sk().to_owned(), text(entry.sk));
    }
    Ok(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(codes: &[&str]) -> Vec<CancellationReason> {
        codes.iter().map(|code| CancellationReason::builder().code(*code).build()).collect()
    }

    #[test]
    fn a_failed_condition_is_an_answer_even_beside_a_conflict() {
        let verdict = judge(&reasons(&["None", "ConditionalCheckFailed", "TransactionConflict"]));
        assert_eq!(verdict, Verdict::Condition(vec![1]));
    }

    #[test]
    fn conflicts_and_throttling_alone_are_tried_again() {
        assert_eq!(judge(&reasons(&["None", "TransactionConflict"])), Verdict::Again);
        assert_eq!(judge(&reasons(&["ThrottlingError", "None"])), Verdict::Again);
    }

    #[test]
    fn anything_else_is_told() {
        assert_eq!(judge(&reasons(&["ValidationError"])), Verdict::Other);
        assert_eq!(judge(&reasons(&["None"])), Verdict::Other);
        assert_eq!(judge(&[]), Verdict::Other);
    }
}
