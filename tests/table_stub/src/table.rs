//! The items and their order.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use crate::{Item, size};

/// Where an item stands in the table or in an index: partition, sort key, and the table's own key to tell apart those
/// with the same sort key.
type Place = (String, String, (String, String));

/// What a page holds at most, in bytes.
const LARGEST_PAGE: usize = 1024 * 1024;

/// The indexes, by name.
pub const INDEXES: [&str; 4] = ["GSI1", "GSI2", "GSI3", "GSI4"];

/// The table itself among the places.
const OWN: usize = INDEXES.len();

/// One table with its indexes.
#[derive(Debug, Clone, Default)]
pub struct Table {
    items: BTreeMap<(String, String), Item>,
    /// Of each index, and of the table itself.
    places: [BTreeSet<Place>; 5],
}

/// A query on the table or an index.
#[derive(Debug)]
pub struct Query {
    /// The index's number, or the table itself.
    pub index: Option<usize>,
    /// The partition.
    pub partition: String,
    /// The least and the most sort key, both included.
    pub range: (Option<String>, Option<String>),
    /// The latest first.
    pub descending: bool,
    /// At most so many.
    pub limit: Option<u64>,
    /// After this place.
    pub start: Option<Place>,
}

/// A page of a query.
#[derive(Debug)]
pub struct Page {
    /// Its items.
    pub items: Vec<Item>,
    /// How large they are together, in bytes.
    pub bytes: usize,
    /// The place of the last one, if there may be more.
    pub last: Option<Place>,
}

fn text(item: &Item, name: &str) -> Option<String> {
    Some(item.get(name)?["S"].as_str()?.to_owned())
}

/// An item's key.
pub fn key_of(item: &Item) -> Option<(String, String)> {
    Some((text(item, "PK")?, text(item, "SK")?))
}

/// Where an item stands in an index, if it does.
pub fn place_of(item: &Item, index: Option<usize>) -> Option<Place> {
    let key = key_of(item)?;
    match index {
        None | Some(OWN) => Some((key.0.clone(), key.1.clone(), key)),
        Some(index) => {
            let name = INDEXES.get(index)?;
            Some((text(item, &format!("{name}PK"))?, text(item, &format!("{name}SK"))?, key))
        }
    }
}

impl Table {
    /// The item with this key.
    pub fn get(&self, key: &(String, String)) -> Option<&Item> {
        self.items.get(key)
    }

    /// All items.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.values()
    }

    /// Puts an item in the place of one with the same key.
    pub fn put(&mut self, item: Item) {
        let Some(key) = key_of(&item) else { return };
        self.delete(&key);
        for (index, places) in self.places.iter_mut().enumerate() {
            places.extend(place_of(&item, Some(index)));
        }
        self.items.insert(key, item);
    }

    /// Deletes an item, if it is there.
    pub fn delete(&mut self, key: &(String, String)) {
        let Some(item) = self.items.remove(key) else { return };
        for (index, places) in self.places.iter_mut().enumerate() {
            if let Some(place) = place_of(&item, Some(index)) {
                places.remove(&place);
            }
        }
    }

    /// A page of a query.
    pub fn query(&self, query: &Query) -> Page {
        let (least, most) = &query.range;
        let lowest = (String::new(), String::new());
        // No key goes beyond this character.
        let highest = (char::MAX.to_string(), char::MAX.to_string());
        let first = (query.partition.clone(), least.clone().unwrap_or_default(), lowest);
        let last = (query.partition.clone(), most.clone().unwrap_or_else(|| char::MAX.to_string()), highest);
        let (mut from, mut until) = (Bound::Included(first.clone()), Bound::Included(last.clone()));
        match &query.start {
            Some(start) if query.descending => until = Bound::Excluded(start.clone().min(last)),
            Some(start) => from = Bound::Excluded(start.clone().max(first)),
            None => {}
        }
        let mut page = Page { items: Vec::new(), bytes: 0, last: None };
        if !ordered(&from, &until) {
            return page;
        }
        let places = self.places[query.index.unwrap_or(OWN)].range((from, until));
        let chosen: Box<dyn Iterator<Item = &Place>> =
            if query.descending { Box::new(places.rev()) } else { Box::new(places) };
        for place in chosen {
            let Some(item) = self.items.get(&place.2) else { continue };
            page.bytes += size::of(item);
            page.items.push(item.clone());
            let full = query.limit.is_some_and(|limit| page.items.len() as u64 >= limit) || page.bytes >= LARGEST_PAGE;
            if full {
                // As DynamoDB does: a page that is full names a next one, be there anything on it or not.
                page.last = Some(place.clone());
                break;
            }
        }
        page
    }
}

/// Whether there can be anything between the bounds.
fn ordered(from: &Bound<Place>, until: &Bound<Place>) -> bool {
    match (from, until) {
        (Bound::Excluded(from), Bound::Excluded(until)) => from < until,
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(until) | Bound::Excluded(until)) => {
            from <= until
        }
        _ => true,
    }
}
