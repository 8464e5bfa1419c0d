//! Who there is: by mail address, by manager, or everyone; each from an index, a page at a time.

use slipstream_common::{
    http::{Request, Response},
    keys::{self, Index},
    page::{Budget, Listing},
    problem::Problem,
    records::PersonRecord,
    table::IndexQuery,
};

use super::{MAX_EMAIL, People, View};

/// Which people, as the index that holds them knows them.
fn chosen(request: &Request) -> Result<IndexQuery, Problem> {
    let query = &request.query_string_parameters;
    match (query.get("email"), query.get("manager")) {
        (Some(_), Some(_)) => Err(Problem::invalid("manager", "ask by mail address or by manager, not by both")),
        (Some(email), None) if email.chars().count() > MAX_EMAIL => {
            Err(Problem::invalid("email", format!("give at most {MAX_EMAIL} characters")))
        }
        (Some(email), None) => Ok(IndexQuery::of(Index::Approver, keys::people_at(email))),
        (None, Some(manager)) => {
            let manager = manager.parse().map_err(|_| Problem::invalid("manager", "give a person's id"))?;
            Ok(IndexQuery::of(Index::Open, keys::people_under(manager)))
        }
        (None, None) => Ok(IndexQuery::of(Index::Day, keys::people())),
    }
}

impl People {
    /// A page of people, by mail address.
    pub async fn list(&self, request: &Request) -> Result<Response, Problem> {
        let listing = Listing {
            partitions: vec![chosen(request)?],
            filters: String::new(),
            filtered: false,
            budget: Budget { queries: 1 },
        };
        let page = listing.page::<PersonRecord>(&self.store.table, request, |_| true).await?;
        let people: Vec<View> = page.items.into_iter().map(View::from).collect();
        Ok(Response::json(200, &serde_json::json!({ "people": people, "next_cursor": page.next_cursor })))
    }
}
