//! Expenses, reports and receipts that nobody has changed for the legal term are erased, with their events, steps and
//! claims. The files of receipts go by the bucket's own rule.
//!
//! The sweep goes through the days on which something happened, from the one it came to up to the last day that the term
//! leaves behind. Whose last event is of such a day has outlived the term; whoever changed since is met again on the day of
//! that change. So nothing is scanned, and another term holds for what is there already.
//!
//! People stay, since they may still be here; their administrators erase them. Policies, rates and budgets are nobody's.

use std::collections::BTreeSet;

use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use slipstream_common::{
    keys::{self, Index},
    outbox::day_of,
    records::EventRecord,
    table::{Condition, IndexQuery, Item, StoreError, Take, Transaction, item, number},
};
use slipstream_events::{ExpenseId, ExpenseStatus, ReceiptId, ReportId, SubjectType, SubmissionId};

use crate::{SweepError, Sweeper, Tally};

/// Before this day there was nothing to keep.
const FIRST_DAY: Date = jiff::civil::date(2026, 1, 1);
/// How many days a sweep goes through at most, so that a shortened term leaves time for the other parts.
const MOST_DAYS: usize = 50;
/// After how many erased subjects a sweep leaves the rest to the next one.
const ENOUGH: usize = 200;

/// From which day on what has outlived the term may still be there.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    day: Date,
}

/// What is kept for a term, and not for ever.
enum Kept {
    Expense(ExpenseId),
    Receipt(ReceiptId),
    Report(ReportId),
}

impl Sweeper {
    /// Erases what has not changed since `retention_days` before `now`; how many subjects.
    pub(crate) async fn expire(&self, now: Timestamp) -> Result<usize, SweepError> {
        // What changed on this day or later is kept.
        let kept_from = day_of(now).checked_sub(jiff::Span::new().days(self.retention_days)).unwrap_or(Date::MIN);
        let key = keys::retention_sweep();
        let mark: Option<Mark> = self.store.table.get(&key).await?;
        let first = mark.map_or(FIRST_DAY, |mark| mark.day);
        let mut tally = Tally::default();
        let mut over = first;
        for day in first.series(jiff::Span::new().days(1)).take_while(|day| *day < kept_from).take(MOST_DAYS) {
            let whole = self.expire_day(day, kept_from, &mut tally).await?;
            if !whole || tally.failed > 0 {
                break;
            }
            over = day.tomorrow().unwrap_or(Date::MAX);
        }
        if over != first {
            self.store.table.put(&key, item(&Mark { day: over }, [])?).await?;
        }
        tally.finish()
    }

    /// Goes through what happened on a day; whether through all of it.
    async fn expire_day(&self, day: Date, kept_from: Date, tally: &mut Tally) -> Result<bool, SweepError> {
        let query = IndexQuery::of(Index::Day, keys::events_on(day));
        let (mut start, mut met) = (None, BTreeSet::new());
        loop {
            let page = self.store.table.query_items(&query, start).await?;
            let partition = |item: &Item| item.get(keys::PK).and_then(|pk| pk.as_s().ok()).cloned();
            for pk in page.items.iter().filter_map(partition) {
                if met.insert(pk.clone()) {
                    tally.note(&pk, self.expire_subject(&pk, kept_from).await);
                }
                if tally.done >= ENOUGH {
                    return Ok(false);
                }
            }
            start = page.next;
            if start.is_none() {
                return Ok(true);
            }
        }
    }

    /// Erases the subject whose partition it is, if it has outlived the term; whether it did.
    async fn expire_subject(&self, pk: &str, kept_from: Date) -> Result<bool, SweepError> {
        let until = format!("{}~", keys::EVENT_PREFIX);
        let latest =
            self.store.table.range::<EventRecord>(pk, keys::EVENT_PREFIX, &until, Some(Take::Latest(1))).await?;
        let Some(latest) = latest.first().filter(|event| day_of(event.occurred_at) < kept_from) else {
            return Ok(false);
        };
        let subject = keys::subject_of(pk).and_then(|(subject_type, id)| match subject_type {
            SubjectType::Expense => id.parse().map(Kept::Expense).ok(),
            SubjectType::Receipt => id.parse().map(Kept::Receipt).ok(),
            SubjectType::Report => id.parse().map(Kept::Report).ok(),
            _ => None,
        });
        match subject {
            Some(Kept::Expense(id)) => self.expire_expense(id, latest, kept_from).await,
            Some(Kept::Receipt(id)) => self.expire_receipt(id).await,
            Some(Kept::Report(id)) => self.expire_report(id).await,
            None => Ok(false),
        }
    }

    /// Erases an expense: the steps and claims of its submissions, itself with what follows it, then what stayed because of
    /// it, and at last its events. They say all that is to be done, so that a sweep that dies leaves it to the next one.
    async fn expire_expense(&self, id: ExpenseId, latest: &EventRecord, kept_from: Date) -> Result<bool, SweepError> {
        let table = &self.store.table;
        let event = latest.event()?;
        let Some(expense) = event.data.expense() else { return Ok(false) };
        // Somebody is asked about it.
        if expense.status == ExpenseStatus::Submitted {
            return Ok(false);
        }
        // The first part of a split has the receipt of all: it goes after the last of the others, and with it.
        let first = expense.split.as_ref().map(|split| split.of);
        if first == Some(id) && !self.store.other_parts(expense).await?.is_empty() {
            return Ok(false);
        }
        for number in 1..=expense.submission {
            let claim = keys::claim(SubmissionId { expense: id, number });
            table.erase(&claim.pk, keys::STEP_PREFIX).await?;
            table.delete(&[claim]).await?;
        }
        let mut transaction = Transaction::default();
        for mark in keys::marks(expense) {
            transaction.delete(&mark.key, Condition::default());
        }
        let unchanged = Condition::new("attribute_not_exists(#pk) OR #version = :version")
            .name("#pk", keys::PK)
            .name("#version", "version")
            .value(":version", number(expense.version));
        transaction.delete(&keys::expense(id), unchanged);
        match table.commit(transaction).await {
            Ok(()) => {}
            // Somebody changes it at this very moment.
            Err(StoreError::Condition(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        let first = first.filter(|first| *first != id).map(|first| keys::expense(first).pk);
        let report = expense.details.report.map(keys::report_partition);
        let receipt = expense.receipt.map(|receipt| keys::receipt(receipt).pk);
        for pk in first.into_iter().chain(report).chain(receipt) {
            Box::pin(self.expire_subject(&pk, kept_from)).await?;
        }
        table.erase(&keys::expense(id).pk, keys::EVENT_PREFIX).await?;
        Ok(true)
    }

    /// Erases a receipt that no expense has.
    async fn expire_receipt(&self, id: ReceiptId) -> Result<bool, SweepError> {
        let key = keys::receipt(id);
        if self.store.receipt_use(id).await?.is_some() {
            return Ok(false);
        }
        self.store.table.delete(std::slice::from_ref(&key)).await?;
        self.store.table.erase(&key.pk, keys::EVENT_PREFIX).await?;
        Ok(true)
    }

    /// Erases a report in which no expense is.
    async fn expire_report(&self, id: ReportId) -> Result<bool, SweepError> {
        let (table, pk) = (&self.store.table, keys::report_partition(id));
        if !self.store.report_members(id).await?.is_empty() {
            return Ok(false);
        }
        table.delete(&[keys::report(id), keys::deleted_report(id)]).await?;
        table.erase(&pk, keys::REPORT_SUBMISSION_PREFIX).await?;
        table.erase(&pk, keys::EVENT_PREFIX).await?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
