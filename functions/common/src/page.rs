//! Lists by page: keyed partitions of an index, one after the other, with a filter and a budget.
//!
//! A page reads at most [`Budget::queries`] index pages, whatever there is: so its cost does not depend on how many
//! items there are, and it may be short, or empty, and still name a next one. A cursor is the place of the last item
//! that was looked at, not a count: items that come or go elsewhere neither repeat nor hide others.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use crate::{
    http::Request,
    keys::{Index, PK, SK},
    problem::Problem,
    table::{IndexQuery, Item, StoreError, Table, text},
};

/// The most items on a page.
pub const MAX_LIMIT: usize = 100;
/// How many items a page has if the request does not say.
const DEFAULT_LIMIT: usize = 25;
/// The longest cursor, in characters.
const MAX_CURSOR: usize = 2048;

/// How much a page may read.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Index pages, each with a `Limit` of [`MAX_LIMIT`] or, without a filter, of what is still missing.
    pub queries: usize,
}

/// What is listed: partitions of one index, in the order in which they are gone through.
#[derive(Debug, Clone)]
pub struct Listing {
    /// The partitions, all of one index and one direction.
    pub partitions: Vec<IndexQuery>,
    /// What was asked for beside the partitions, as it was asked: a cursor goes with its own listing only. What is filled
    /// in by the clock does not belong here, or a cursor would be refused once the clock has gone on.
    pub filters: String,
    /// Whether items may be left out.
    pub filtered: bool,
    /// How much a page may read.
    pub budget: Budget,
}

/// A page of a listing.
#[derive(Debug)]
pub struct Listed<T> {
    /// What it holds.
    pub items: Vec<T>,
    /// What to ask the next page with; `None` on the last one.
    pub next_cursor: Option<String>,
}

/// How many items the request wants.
///
/// # Errors
/// 422.
pub fn limit(request: &Request) -> Result<usize, Problem> {
    let Some(limit) = request.query_string_parameters.get("limit") else { return Ok(DEFAULT_LIMIT) };
    let known = limit.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    known.ok_or_else(|| Problem::invalid("limit", format!("give a number from 1 to {MAX_LIMIT}")))
}

/// 422: the cursor is none.
fn invalid_cursor() -> Problem {
    Problem::invalid("cursor", "use the next_cursor of an earlier page of the same list, unchanged")
}

/// The partition that a cursor stands in, as it says itself: for a listing that takes in another one for its sake.
pub fn partition_of(cursor: &str) -> Option<String> {
    Some(Place::read(cursor)?.p)
}

/// A place in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// The listing's digest.
    l: String,
    /// The partition.
    p: String,
    /// The last item that was looked at. `None` before the first.
    i: Option<Looked>,
}

impl Place {
    fn read(cursor: &str) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok().filter(|_| cursor.len() <= MAX_CURSOR)?;
        serde_json::from_slice(&bytes).ok()
    }
}

/// An item that was looked at: its sort key in the index, and its own key.
type Looked = (String, String, String);

fn looked(index: Index, item: &Item) -> Option<Looked> {
    let of = |name: &str| item.get(name)?.as_s().ok().cloned();
    Some((of(index.sk())?, of(PK)?, of(SK)?))
}

impl Listing {
    fn digest(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(&Sha256::digest(&self.filters)[..9])
    }

    /// The place that a cursor names. It cannot lead out of the listing, whatever it says.
    fn place(&self, cursor: &str) -> Result<(usize, Option<Item>), Problem> {
        let place = Place::read(cursor).filter(|place| place.l == self.digest()).ok_or_else(invalid_cursor)?;
        let at = self.partitions.iter().position(|partition| partition.pk == place.p).ok_or_else(invalid_cursor)?;
        let partition = &self.partitions[at];
        let Some((sort, pk, sk)) = place.i else { return Ok((at, None)) };
        let inside = partition.from.as_ref().is_none_or(|from| *from <= sort)
            && partition.until.as_ref().is_none_or(|until| sort <= *until);
        if !inside || [&sort, &pk, &sk].iter().any(|part| part.is_empty() || part.len() > MAX_CURSOR / 2) {
            return Err(invalid_cursor());
        }
        let start = Item::from([
            (PK.to_owned(), text(pk)),
            (SK.to_owned(), text(sk)),
            (partition.index.pk().to_owned(), text(place.p)),
            (partition.index.sk().to_owned(), text(sort)),
        ]);
        Ok((at, Some(start)))
    }

    /// The cursor that names a place: after an item, or before the first of the partition.
    fn cursor(&self, partition: &IndexQuery, after: Option<Looked>) -> Option<String> {
        let place = Place { l: self.digest(), p: partition.pk.clone(), i: after };
        Some(BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&place).ok()?))
    }

    /// The page that `request` asks for (`limit`, `cursor`), of those items that `keep` keeps.
    ///
    /// # Errors
    /// 422 where the limit or the cursor is not one; 503.
    pub async fn page<T: DeserializeOwned>(
        &self,
        table: &Table,
        request: &Request,
        keep: impl Fn(&T) -> bool,
    ) -> Result<Listed<T>, Problem> {
        let kept = |item: T| keep(&item).then_some(item);
        self.page_of(table, request, async |items: Vec<T>| Ok(items.into_iter().map(&kept).collect())).await
    }

    /// The same of what `shown` makes of the items of each index page that is read: of each something, or nothing.
    ///
    /// # Errors
    /// 422 where the limit or the cursor is not one; what `shown` says; 503.
    pub async fn page_of<T: DeserializeOwned, S>(
        &self,
        table: &Table,
        request: &Request,
        shown: impl AsyncFn(Vec<T>) -> Result<Vec<Option<S>>, Problem>,
    ) -> Result<Listed<S>, Problem> {
        let limit = limit(request)?;
        let cursor = request.query_string_parameters.get("cursor");
        let (mut at, mut start) = cursor.map(|cursor| self.place(cursor)).transpose()?.unwrap_or((0, None));
        let mut items = Vec::new();
        for _ in 0..self.budget.queries {
            let Some(partition) = self.partitions.get(at) else { return Ok(Listed { items, next_cursor: None }) };
            let size = if self.filtered { MAX_LIMIT } else { limit - items.len() };
            let query = IndexQuery { limit: i32::try_from(size).unwrap_or(i32::MAX), ..partition.clone() };
            let page = table.query_items(&query, start.take()).await?;
            let places: Vec<_> = page.items.iter().map(|item| looked(partition.index, item)).collect();
            let found = serde_dynamo::from_items(page.items).map_err(StoreError::from)?;
            let mut left = places.len();
            for (place, item) in places.into_iter().zip(shown(found).await?) {
                left -= 1;
                items.extend(item);
                if items.len() == limit {
                    let over = left == 0 && page.next.is_none() && at + 1 == self.partitions.len();
                    let next_cursor = self.cursor(partition, place).filter(|_| !over);
                    return Ok(Listed { items, next_cursor });
                }
            }
            match page.next {
                Some(next) => start = Some(next),
                None => at += 1,
            }
        }
        // The budget is used up.
        let next_cursor = self.partitions.get(at).and_then(|partition| {
            self.cursor(partition, start.as_ref().and_then(|start| looked(partition.index, start)))
        });
        Ok(Listed { items, next_cursor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(filters: &str) -> Listing {
        let partition = IndexQuery {
            from: Some("2026-01-01".to_owned()),
            until: Some("2026-02-01#~".to_owned()),
            ..IndexQuery::of(Index::Owner, "OWNER#me")
        };
        Listing {
            partitions: vec![partition],
            filters: filters.to_owned(),
            filtered: true,
            budget: Budget { queries: 3 },
        }
    }

    fn item(sk: &str) -> Item {
        [(PK, "EXPENSE#x"), (SK, "EXPENSE"), ("GSI1PK", "OWNER#me"), ("GSI1SK", sk)]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), text(value)))
            .collect()
    }

    #[test]
    fn a_cursor_may_stand_before_everything() {
        let listing = listing("");
        let cursor = listing.cursor(&listing.partitions[0], None).unwrap();
        assert_eq!(listing.place(&cursor).unwrap(), (0, None));
    }

    #[test]
    fn a_cursor_leads_back_to_its_place_and_nowhere_else() {
        let listing = super::tests::listing("");
        let after = |sort: &str| {
            let place = looked(Index::Owner, &item(sort));
            listing.cursor(&listing.partitions[0], place).unwrap()
        };
        let cursor = after("2026-01-05#exp_1");
        let (at, start) = listing.place(&cursor).unwrap();
        assert_eq!((at, start), (0, Some(item("2026-01-05#exp_1"))));
        assert_eq!(super::tests::listing("category=meals").place(&cursor).unwrap_err().status, 422, "another list");
        assert_eq!(listing.place(&after("2026-03-05#exp_1")).unwrap_err().status, 422, "out of the range");
        let too_long = after(&format!("2026-01-05#{}", "x".repeat(1024)));
        assert_eq!(listing.place(&too_long).unwrap_err().status, 422, "longer than a key can be");
        let mut foreign = listing.clone();
        foreign.partitions[0].pk = "OWNER#you".to_owned();
        assert_eq!(foreign.place(&cursor).unwrap_err().status, 422, "someone else's");
        for cursor in ["", "%%", "YWJj"] {
            assert_eq!(listing.place(cursor).unwrap_err().status, 422, "{cursor}");
        }
    }
}
