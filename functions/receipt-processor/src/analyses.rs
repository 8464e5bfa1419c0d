//! Analyses, each paid for once: they are kept by the hash of the bytes, for every receipt that has the same ones.
//!
//! Reading takes no idempotency token. Whoever asks for it holds a guard on the bytes; who finds them guarded waits
//! for the answer of the other. One window remains: the service has answered, and its answer is not kept yet. A death
//! in it is paid for again, once the guard's lease is over; [`CALLS_IN_DOUBT`] counts it.

use std::time::Duration;

use slipstream_common::{
    guard::{self, Begin},
    keys::{self, Key},
    metrics::Metrics,
    records::GuardRecord,
    table::{StoreError, Table},
};
use slipstream_domain::analysis::Analysis;

use crate::{
    LEASE,
    objects::{Objects, Unavailable},
    textract::{self, ReadingError},
};

/// The metric of pages that were read. Each is paid for.
pub const CALLS: &str = "AnalysisCalls";
/// The metric of calls for bytes that an earlier call may have read already. At most these were paid for twice.
pub const CALLS_IN_DOUBT: &str = "AnalysisCallsInDoubt";
/// The metric of pages for which a kept analysis was used.
pub const REUSED: &str = "AnalysesReused";

/// The metric of pages that the service did not read because it was asked too often.
pub const THROTTLED: &str = "AnalysesThrottled";

/// How long to wait for the answer that another is waiting for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why there is no analysis.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// Another is having the same bytes read.
    #[error("another invocation is having the same bytes read")]
    Held,
    /// The service did not read it.
    #[error(transparent)]
    Reading(#[from] ReadingError),
    /// The bucket did not give or take it.
    #[error(transparent)]
    Bucket(#[from] Unavailable),
    /// The table did not give or take the guard.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where analyses come from.
#[derive(Debug)]
pub struct Analyses<'a> {
    /// Where they are kept.
    pub objects: &'a Objects,
    /// Where the guards are.
    pub table: &'a Table,
    /// Who makes them.
    pub textract: &'a aws_sdk_textract::Client,
    /// Who asks.
    pub holder: &'a str,
}

impl Analyses<'_> {
    /// The analysis of a file's `pages`, each a JPEG: the kept one, or a new one, kept before anything is made of it.
    ///
    /// # Errors
    /// [`AnalysisError`]; [`ReadingError::Refused`] when the service will never read any of the pages.
    pub async fn of(&self, sha256: &str, mut pages: Vec<Vec<u8>>) -> Result<Analysis, AnalysisError> {
        let patient = tokio::time::Instant::now() + PATIENCE;
        loop {
            let kept = self.kept(sha256, pages.len()).await?;
            if kept.iter().all(Option::is_some) {
                Metrics::new().count(REUSED, count(&kept)).emit();
                return Ok(merged(kept));
            }
            let key = keys::analysis(sha256);
            match guard::begin(self.table, &key, LEASE, self.holder).await? {
                Begin::Ours(guard) => return self.guarded(sha256, &mut pages, &key, guard).await,
                Begin::Done | Begin::Held if tokio::time::Instant::now() < patient => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Begin::Done | Begin::Held => return Err(AnalysisError::Held),
            }
        }
    }

    /// The analyses that are kept of a file's pages.
    async fn kept(&self, sha256: &str, pages: usize) -> Result<Vec<Option<Vec<u8>>>, Unavailable> {
        let mut kept = Vec::new();
        for page in 1..=pages {
            let object = self.objects.get(&object_key(sha256, page), None).await?;
            kept.push(match object {
                Some(object) => Some(object.bytes().await?),
                None => None,
            });
        }
        Ok(kept)
    }

    /// Has the pages read that are not kept, under the guard.
    async fn guarded(
        &self,
        sha256: &str,
        pages: &mut [Vec<u8>],
        key: &Key,
        guard: GuardRecord,
    ) -> Result<Analysis, AnalysisError> {
        // Looked for again: another may have kept them and cleared its guard in between.
        let mut kept = self.kept(sha256, pages.len()).await?;
        Metrics::new().count(REUSED, count(&kept)).emit();
        // The one before died in the middle: it may have had one page read.
        let mut in_doubt = usize::from(guard.attempts > 1);
        if in_doubt > 0 {
            tracing::warn!(attempts = guard.attempts, "the bytes may have been read before");
        }
        let mut refused = None;
        for (page, known) in kept.iter_mut().enumerate().filter(|(_, known)| known.is_none()) {
            Metrics::new().count(CALLS_IN_DOUBT, std::mem::take(&mut in_doubt)).emit();
            match textract::analyse(self.textract, std::mem::take(&mut pages[page])).await {
                Ok(answer) => {
                    Metrics::new().count(CALLS, 1).emit();
                    let object = object_key(sha256, page + 1);
                    self.objects.put(object, "application/json", answer.clone()).await?;
                    *known = Some(answer);
                }
                Err(error @ ReadingError::Unavailable(_)) => {
                    guard::release(self.table, key, guard).await?;
                    return Err(error.into());
                }
                Err(error @ (ReadingError::Throttled(_) | ReadingError::Denied(_))) => {
                    let throttled = matches!(error, ReadingError::Throttled(_));
                    Metrics::new().count(THROTTLED, usize::from(throttled)).emit();
                    guard::clear(self.table, key, &guard).await?;
                    return Err(error.into());
                }
                // A page that cannot be read must not keep the others from it.
                Err(error @ ReadingError::Refused(_)) => refused = Some(error),
            }
        }
        guard::clear(self.table, key, &guard).await?;
        if let Some(error) = refused.filter(|_| kept.iter().all(Option::is_none)) {
            return Err(error.into());
        }
        Ok(merged(kept))
    }
}

/// Where the analysis of a page is kept, counted from 1.
fn object_key(sha256: &str, page: usize) -> String {
    format!("analyses/{sha256}/{page}.json")
}

fn count(kept: &[Option<Vec<u8>>]) -> usize {
    kept.iter().flatten().count()
}

/// One analysis of a file's pages. What cannot be parsed holds nothing; asking again would not change it.
fn merged(pages: Vec<Option<Vec<u8>>>) -> Analysis {
    let mut whole = Analysis::default();
    for (page, number) in pages.into_iter().zip(1..).filter_map(|(page, number)| Some((page?, number))) {
        match serde_json::from_slice::<Analysis>(&page) {
            Ok(analysis) => whole.expense_documents.extend(analysis.on_page(number).expense_documents),
            // The text of the error may quote the receipt.
            Err(_) => tracing::error!(page = number, "an analysis cannot be parsed"),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_numbered_and_a_broken_one_does_not_take_the_others_with_it() {
        let page = br#"{"ExpenseDocuments":[{"SummaryFields":[{"Type":{"Text":"TOTAL"},"PageNumber":1}]}]}"#;
        let whole = merged(vec![Some(page.to_vec()), Some(b"{".to_vec()), None, Some(page.to_vec())]);
        let numbers = |analysis: &Analysis| -> Vec<Option<i32>> {
            let fields = analysis.expense_documents.iter().flat_map(|document| &document.summary_fields);
            fields.map(|field| field.page_number).collect()
        };
        assert_eq!(numbers(&whole), [Some(1), Some(4)]);
    }
}
