//! Profiles: one's own, and their administration.

use serde::{Deserialize, Serialize};
use slipstream_common::{
    caller,
    http::{Request, Response},
    keys::{self, Index},
    problem::Problem,
    records::PersonRecord,
    store::Store,
    table::IndexQuery,
};
use slipstream_events::{Currency, PersonId, PersonState, Role};

/// The longest name, in characters.
const MAX_NAME: usize = 100;

/// A profile as the API shows it.
#[derive(Debug, Serialize)]
struct View {
    id: PersonId,
    email: String,
    name: Option<String>,
    manager: Option<PersonId>,
    roles: Vec<Role>,
    currency: Option<Currency>,
    locale: Option<String>,
    active: bool,
    version: u64,
}

impl From<PersonRecord> for View {
    fn from(record: PersonRecord) -> Self {
        Self {
            id: record.state.id,
            email: record.email,
            name: record.name,
            manager: record.state.manager,
            roles: record.state.roles,
            currency: record.state.currency,
            locale: record.state.locale,
            active: record.state.active,
            version: record.state.version,
        }
    }
}

/// What an administrator may set. What is left out stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    #[serde(default)]
    manager: Option<PersonId>,
    #[serde(default)]
    active: Option<bool>,
    #[serde(default)]
    currency: Option<Currency>,
    #[serde(default)]
    locale: Option<String>,
}

/// The caller's own profile; the first call makes it, and a later one brings it up to date with the ID token.
pub async fn me(store: &Store, request: &Request) -> Result<Response, Problem> {
    let identity = caller::identity(request)?;
    let mut attempts = 0;
    loop {
        let before = store.person(identity.person).await?;
        if before.as_ref().is_some_and(|person| !person.state.active) {
            return Err(Problem::forbidden("deactivated", "Your account is deactivated. Ask an administrator."));
        }
        let mut after = before.clone().unwrap_or_else(|| PersonRecord {
            state: PersonState {
                id: identity.person,
                version: 0,
                manager: None,
                delegation: None,
                roles: Vec::new(),
                currency: None,
                locale: None,
                active: true,
            },
            email: identity.email.clone(),
            name: None,
        });
        // The address stays the one of the sign-up, which the mail domains were checked for: links go there.
        after.state.roles.clone_from(&identity.roles);
        let name = identity.name.as_ref().map(|name| name.chars().take(MAX_NAME).collect());
        after.name = name.or(after.name);
        if before.as_ref() == Some(&after) {
            return Ok(Response::json(200, &View::from(after)));
        }
        match store.write_person(before.as_ref(), after, &request.cause(identity.person)).await {
            Ok(after) => return Ok(Response::json(200, &View::from(after))),
            Err(error) if error.is_conflict() && attempts < 5 => attempts += 1,
            Err(error) => return Err(error.into()),
        }
    }
}

/// The person with the mail address in the query.
pub async fn find(store: &Store, request: &Request) -> Result<Response, Problem> {
    let email = request.query_string_parameters.get("email");
    let email = email.ok_or_else(|| Problem::invalid("email", "name the mail address to look for"))?;
    let query = IndexQuery::of(Index::Approver, keys::people_at(email));
    let people: Vec<PersonRecord> = store.table.query_all(&query).await?;
    let people: Vec<View> = people.into_iter().map(View::from).collect();
    Ok(Response::json(200, &serde_json::json!({ "people": people })))
}

async fn person(store: &Store, request: &Request) -> Result<PersonRecord, Problem> {
    let id: PersonId = request.path("person_id", "person")?;
    store.person(id).await?.ok_or_else(|| Problem::not_found("person"))
}

/// A profile.
pub async fn read(store: &Store, request: &Request) -> Result<Response, Problem> {
    Ok(Response::json(200, &View::from(person(store, request).await?)))
}

/// Sets a profile's manager, currency, locale or activity.
pub async fn write(store: &Store, administrator: PersonId, request: &Request) -> Result<Response, Problem> {
    let changes: Changes = request.json()?;
    let before = person(store, request).await?;
    if let Some(manager) = changes.manager {
        if manager == before.state.id {
            return Err(Problem::invalid("manager", "no one is their own manager; name somebody else"));
        }
        if store.person(manager).await?.is_none() {
            return Err(Problem::invalid("manager", "name a person who has signed in once"));
        }
    }
    if changes.locale.as_ref().is_some_and(|locale| locale.is_empty() || locale.len() > 35) {
        return Err(Problem::invalid("locale", "give a BCP 47 tag such as de-DE"));
    }
    let mut after = before.clone();
    after.state.manager = changes.manager.or(after.state.manager);
    after.state.active = changes.active.unwrap_or(after.state.active);
    after.state.currency = changes.currency.or(after.state.currency);
    after.state.locale = changes.locale.or(after.state.locale);
    if after == before {
        return Ok(Response::json(200, &View::from(before)));
    }
    let after = store.write_person(Some(&before), after, &request.cause(administrator)).await?;
    Ok(Response::json(200, &View::from(after)))
}
