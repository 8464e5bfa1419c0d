//! Who there is: by mail address, by manager, or everyone; each from an index, a page at a time.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use slipstream_common::{
    http::{Request, Response},
    keys::{self, Index, PK, SK},
    problem::Problem,
    records::PersonRecord,
    table::{IndexQuery, Item, text},
};
use slipstream_events::PersonId;

use super::{MAX_EMAIL, People, View};

/// The most people on a page.
const MAX_PAGE: i32 = 100;

/// Which people, as the index that holds them knows them.
fn chosen(request: &Request) -> Result<(Index, String), Problem> {
    let query = &request.query_string_parameters;
    match (query.get("email"), query.get("manager")) {
        (Some(_), Some(_)) => Err(Problem::invalid("manager", "ask by mail address or by manager, not by both")),
        (Some(email), None) if email.chars().count() > MAX_EMAIL => {
            Err(Problem::invalid("email", format!("give at most {MAX_EMAIL} characters")))
        }
        (Some(email), None) => Ok((Index::Approver, keys::people_at(email))),
        (None, Some(manager)) => {
            let manager = manager.parse().map_err(|_| Problem::invalid("manager", "give a person's id"))?;
            Ok((Index::Open, keys::people_under(manager)))
        }
        (None, None) => Ok((Index::Day, keys::people())),
    }
}

/// Where a page begins. A cursor cannot leave the partition of its query, whatever it says.
fn start_of(index: Index, partition: &str, cursor: &str) -> Result<Item, Problem> {
    let invalid = || Problem::invalid("cursor", "use the next_cursor of an earlier page, unchanged");
    let sort = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let sort = sort.ok_or_else(invalid)?;
    let id: PersonId = sort.rsplit('#').next().and_then(|id| id.parse().ok()).ok_or_else(invalid)?;
    let key = keys::person(id);
    Ok(Item::from([
        (PK.to_owned(), text(key.pk)),
        (SK.to_owned(), text(key.sk)),
        (index.pk().to_owned(), text(partition)),
        (index.sk().to_owned(), text(sort)),
    ]))
}

impl People {
    /// A page of people, by mail address.
    pub async fn list(&self, request: &Request) -> Result<Response, Problem> {
        let query = &request.query_string_parameters;
        let limit = match query.get("limit") {
            None => 25,
            Some(limit) => limit
                .parse()
                .ok()
                .filter(|limit| (1..=MAX_PAGE).contains(limit))
                .ok_or_else(|| Problem::invalid("limit", format!("give a number from 1 to {MAX_PAGE}")))?,
        };
        let (index, partition) = chosen(request)?;
        let start = query.get("cursor").map(|cursor| start_of(index, &partition, cursor)).transpose()?;
        let query = IndexQuery { limit, ..IndexQuery::of(index, partition) };
        let page = self.store.table.query::<PersonRecord>(&query, start).await?;
        let cursor = page.next.and_then(|key| {
            let sort = key.get(index.sk())?.as_s().ok()?;
            Some(BASE64_URL_SAFE_NO_PAD.encode(sort))
        });
        let people: Vec<View> = page.items.into_iter().map(View::from).collect();
        Ok(Response::json(200, &serde_json::json!({ "people": people, "next_cursor": cursor })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_stays_in_its_partition() {
        let id = "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11";
        let cursor = BASE64_URL_SAFE_NO_PAD.encode(format!("a#b@example.com#{id}"));
        let start = start_of(Index::Day, "PEOPLE", &cursor).unwrap();
        assert_eq!((&start["GSI4PK"], &start["PK"]), (&text("PEOPLE"), &text(format!("PERSON#{id}"))));
        for cursor in ["", "%%", "YWJj"] {
            assert_eq!(start_of(Index::Day, "PEOPLE", cursor).unwrap_err().status, 422, "{cursor}");
        }
    }
}
