//! Cursors while expenses are added and deleted.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::world::{EMPLOYEE, World, another_expense, read};

/// What happens between two pages.
#[derive(Debug, Clone)]
enum Meanwhile {
    Added(Vec<u8>),
    Nothing,
}

fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    prop_oneof![prop::collection::vec(1u8..29, 1..6).prop_map(Meanwhile::Added), Just(Meanwhile::Nothing),]
}

/// Goes through the list; how often each expense was on it.
async fn seen(first: &[u8], limit: usize, between: &[Meanwhile]) -> (Vec<String>, BTreeMap<String, usize>) {
    let world = World::new().await;
    let own = world.draft().await;
    let like = world.expense_item(&own);
    let mut number = 0;
    let mut add = |day: &u8| {
        number += 1;
        let item = another_expense(&like, number, &format!("2026-10-{day:02}"));
        let id = item["id"]["S"].as_str().unwrap().to_owned();
        world.stub.put(item);
        id
    };
    let mut throughout: Vec<String> = first.iter().map(&mut add).collect();
    throughout.push(own);
    let (mut seen, mut cursor, mut between) = (BTreeMap::new(), None::<String>, between.iter());
    let limit = limit.to_string();
    loop {
        let mut query = vec![("limit", limit.as_str())];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = read(&world.get(EMPLOYEE, "/expenses", &[], &query).await);
        for expense in page["expenses"].as_array().unwrap() {
            *seen.entry(expense["id"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return (throughout, seen),
        }
        if let Some(Meanwhile::Added(days)) = between.next() {
            days.iter().for_each(|day| drop(add(day)));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn what_was_there_throughout_is_seen_once_and_nothing_twice(
        first in prop::collection::vec(1u8..29, 0..25),
        limit in 1usize..9,
        between in prop::collection::vec(meanwhile(), 0..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (throughout, seen) = runtime.block_on(seen(&first, limit, &between));
        for id in throughout {
            prop_assert_eq!(seen.get(&id), Some(&1), "{} was there throughout", id);
        }
        prop_assert!(seen.values().all(|times| *times == 1), "nothing is seen twice: {:?}", seen);
    }
}
