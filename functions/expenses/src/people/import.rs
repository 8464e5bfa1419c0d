//! The directory: people by mail address, as another system lists them. Who has signed in is changed; who has not yet
//! gets an entry that their first `GET /me` takes over. A row counts for itself, and importing twice changes nothing.

use std::collections::HashSet;

use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use slipstream_common::{
    act::act,
    http::{Request, Response, given},
    keys,
    problem::Problem,
    records::{DirectoryRecord, PersonRecord},
    store::add_person_change,
    table::{Condition, StoreError, Transaction, item},
};
use slipstream_events::{PersonId, Role};

use super::{MAX_EMAIL, MAX_LOCALE, MAX_NAME, MAX_RACES, NotDone, People, locale_of, name_of, roles_of, same_address};

/// The most rows of one import.
const MAX_ROWS: usize = 100;
/// How many rows are worked on at the same time.
const ROWS_AT_ONCE: usize = 8;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Import {
    people: Vec<Row>,
}

/// A row. What is left out is not said: it stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    email: String,
    #[serde(default, deserialize_with = "given")]
    name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    manager_email: Option<String>,
    #[serde(default, deserialize_with = "given")]
    currency: Option<String>,
    #[serde(default, deserialize_with = "given")]
    locale: Option<String>,
    #[serde(default, deserialize_with = "given")]
    active: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    roles: Option<Vec<Role>>,
}

/// What became of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// There is an entry now for somebody who has yet to sign in.
    Created,
    /// The profile or the entry is another now.
    Updated,
    /// It was so already.
    Unchanged,
    /// Nothing was done; the reason says why.
    Invalid,
}

#[derive(Debug, Serialize)]
struct RowResult {
    /// The row, from 1.
    row: usize,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    person_id: Option<PersonId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Whose manager a mail address makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Manager {
    /// Somebody who has signed in.
    Known(PersonId),
    /// Whoever will sign in with this address.
    Awaited(String),
}

/// A mail address as far as its form goes: something on both sides of one `@`, and nothing that ends it.
fn is_address(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric()));
    let parts = text.split_once('@').filter(|(local, domain)| !local.is_empty() && !domain.contains('@'));
    plain && text.len() <= MAX_EMAIL && parts.is_some_and(|(_, domain)| domain.contains('.') && !domain.ends_with('.'))
}

/// A row as an entry, its values as they are kept; else what is wrong with it.
fn entry_of(row: Row) -> Result<DirectoryRecord, String> {
    let reason = |problem: Problem| problem.detail;
    if !is_address(&row.email) {
        return Err("email: give a mail address".to_owned());
    }
    if let Some(manager) = &row.manager_email {
        if !is_address(manager) {
            return Err("manager_email: give a mail address".to_owned());
        }
        if same_address(manager, &row.email) {
            return Err("manager_email: no one is their own manager; name somebody else".to_owned());
        }
    }
    Ok(DirectoryRecord {
        version: 0,
        name: row.name.map(|name| name_of(&name)).transpose().map_err(reason)?,
        manager_email: row.manager_email.map(|email| email.to_lowercase()),
        currency: row.currency.map(|code| code.parse()).transpose().map_err(|error| format!("currency: {error}"))?,
        locale: row.locale.map(|locale| locale_of(&locale)).transpose().map_err(reason)?,
        active: row.active,
        roles: row.roles.map(roles_of).transpose().map_err(reason)?,
        email: row.email.to_lowercase(),
    })
}

/// What an entry says after a row that says something else.
fn merged(before: &DirectoryRecord, row: &DirectoryRecord) -> DirectoryRecord {
    DirectoryRecord {
        email: before.email.clone(),
        version: before.version,
        name: row.name.clone().or_else(|| before.name.clone()),
        manager_email: row.manager_email.clone().or_else(|| before.manager_email.clone()),
        currency: row.currency.or(before.currency),
        locale: row.locale.clone().or_else(|| before.locale.clone()),
        active: row.active.or(before.active),
        roles: row.roles.clone().or_else(|| before.roles.clone()),
    }
}

impl People {
    /// Imports up to a hundred rows.
    pub async fn import(&self, caller: &PersonRecord, request: &Request) -> Result<Response, Problem> {
        let import: Import = request.json()?;
        check_limits(&import)?;
        let mut seen = HashSet::new();
        let rows: Vec<_> = import
            .people
            .into_iter()
            .map(|row| {
                let repeated = !seen.insert(row.email.to_lowercase());
                let repeated = repeated.then(|| "email: an earlier row has the same address".to_owned());
                repeated.map_or_else(|| entry_of(row), Err)
            })
            .collect();
        // Each row is a transaction of its own: the one here holds the answer only.
        act(&self.store, request, caller.state.id, async |_: &mut Transaction| {
            let results = self.import_rows(caller, &rows, request).await?;
            Ok(Response::json(200, &serde_json::json!({ "results": results })))
        })
        .await
    }

    async fn import_rows(
        &self,
        caller: &PersonRecord,
        rows: &[Result<DirectoryRecord, String>],
        request: &Request,
    ) -> Result<Vec<RowResult>, Problem> {
        let results: Vec<Result<RowResult, Problem>> = stream::iter(rows.iter().enumerate())
            .map(async |(index, entry)| {
                let done = match entry {
                    Ok(entry) => self.import_row(caller, entry, request).await?,
                    Err(reason) => Err(reason.clone()),
                };
                let (outcome, person_id, reason) = match done {
                    Ok((outcome, person)) => (outcome, person, None),
                    Err(reason) => (Outcome::Invalid, None, Some(reason)),
                };
                Ok(RowResult { row: index + 1, outcome, person_id, reason })
            })
            .buffered(ROWS_AT_ONCE)
            .collect()
            .await;
        results.into_iter().collect()
    }

    /// Imports a row: what became of it and whose profile it is, or why it is not valid.
    async fn import_row(
        &self,
        caller: &PersonRecord,
        entry: &DirectoryRecord,
        request: &Request,
    ) -> Result<Result<(Outcome, Option<PersonId>), String>, Problem> {
        let mut races = 0;
        loop {
            let done = match self.at(&entry.email).await?.as_slice() {
                [] => self.import_entry(entry).await,
                [person] => self.import_person(caller, person, entry, request).await,
                _ => return Ok(Err("email: several people have it now; change each by its id".to_owned())),
            };
            match done {
                Ok(done) => return Ok(Ok(done)),
                Err(NotDone::Store(StoreError::Condition(_))) if races < MAX_RACES => races += 1,
                Err(NotDone::Store(error)) => return Err(error.into()),
                Err(NotDone::Problem(problem)) if matches!(problem.status, 409 | 422) => {
                    return Ok(Err(problem.detail));
                }
                Err(NotDone::Problem(problem)) => return Err(problem),
            }
        }
    }

    /// Writes an entry for somebody who has yet to sign in.
    async fn import_entry(&self, row: &DirectoryRecord) -> Result<(Outcome, Option<PersonId>), NotDone> {
        let key = keys::directory(&row.email);
        let before: Option<DirectoryRecord> = self.store.table.get(&key).await?;
        let mut after = before.as_ref().map_or_else(|| row.clone(), |before| merged(before, row));
        if before.as_ref() == Some(&after) {
            return Ok((Outcome::Unchanged, None));
        }
        let condition = before.as_ref().map_or_else(Condition::absent, |before| Condition::version(before.version));
        after.version += 1;
        let mut transaction = Transaction::default();
        transaction.put(&key, item(&after, [])?, Some(condition));
        self.store.table.commit(transaction).await?;
        Ok((if before.is_some() { Outcome::Updated } else { Outcome::Created }, None))
    }

    /// Changes the profile of somebody who has signed in.
    async fn import_person(
        &self,
        caller: &PersonRecord,
        before: &PersonRecord,
        row: &DirectoryRecord,
        request: &Request,
    ) -> Result<(Outcome, Option<PersonId>), NotDone> {
        let id = Some(before.state.id);
        let manager = match &row.manager_email {
            Some(email) => Some(self.manager_at(email, before).await?),
            None => None,
        };
        let mut after = before.clone();
        let mut transaction = Transaction::default();
        let mut wanted = before.clone();
        wanted.state.roles = row.roles.clone().unwrap_or(wanted.state.roles);
        wanted.state.active = row.active.unwrap_or(wanted.state.active);
        self.let_erased_rest(before, wanted.state.active).await?;
        self.keep_an_administrator(&mut transaction, caller, before, &wanted).await?;
        self.apply(row, manager, &mut after).await?;
        let mut outcome = Outcome::Unchanged;
        if *before != after {
            let cause = request.cause(caller.state.id);
            after = add_person_change(&mut transaction, Some(before), after, &cause).map_err(Problem::from)?;
            self.store.table.commit(transaction).await?;
            outcome = Outcome::Updated;
        }
        if after.account_behind {
            self.follow(after.state.id).await?;
        }
        Ok((outcome, id))
    }

    /// Whom a mail address makes the manager of `person`.
    pub(super) async fn manager_at(&self, email: &str, person: &PersonRecord) -> Result<Manager, Problem> {
        if same_address(email, &person.email) {
            return Err(Problem::invalid("manager_email", "no one is their own manager; name somebody else"));
        }
        match self.at(email).await?.as_slice() {
            [] => Ok(Manager::Awaited(email.to_lowercase())),
            [manager] if manager.state.id != person.state.id => Ok(Manager::Known(manager.state.id)),
            _ => Err(Problem::invalid("manager_email", "several people have it now; name the manager by PUT")),
        }
    }

    /// Applies an entry to a profile, and notes whether the account has to follow.
    pub(super) async fn apply(
        &self,
        entry: &DirectoryRecord,
        manager: Option<Manager>,
        after: &mut PersonRecord,
    ) -> Result<(), Problem> {
        after.name = entry.name.clone().or(after.name.take());
        after.state.currency = entry.currency.or(after.state.currency);
        after.state.locale = entry.locale.clone().or(after.state.locale.take());
        if let Some(active) = entry.active {
            after.account_behind |= active != after.state.active;
            after.state.active = active;
        }
        match manager {
            Some(Manager::Known(manager)) => {
                after.state.manager = Some(manager);
                after.awaited_manager = None;
            }
            Some(Manager::Awaited(email)) => {
                after.state.manager = None;
                after.awaited_manager = Some(email);
            }
            None => {}
        }
        if let Some(roles) = &entry.roles {
            after.state.roles.clone_from(roles);
            after.account_behind |= self.accounts.roles(after.state.id).await? != *roles;
        }
        Ok(())
    }
}

/// The most roles there are.
const MAX_ROLES: usize = 2;

/// Limits that hold for the whole import: one wrong row does not get here, one that is too long does.
fn check_limits(import: &Import) -> Result<(), Problem> {
    if !(1..=MAX_ROWS).contains(&import.people.len()) {
        return Err(Problem::invalid("people", format!("give 1 to {MAX_ROWS} rows")));
    }
    for (index, row) in import.people.iter().enumerate() {
        let texts = [
            ("email", Some(&row.email), MAX_EMAIL),
            ("name", row.name.as_ref(), MAX_NAME),
            ("manager_email", row.manager_email.as_ref(), MAX_EMAIL),
            ("currency", row.currency.as_ref(), 3),
            ("locale", row.locale.as_ref(), MAX_LOCALE),
        ];
        for (name, text, longest) in texts {
            if text.is_some_and(|text| text.chars().count() > longest) {
                let remedy = format!("give at most {longest} characters");
                return Err(Problem::invalid(format!("people[{index}].{name}"), remedy));
            }
        }
        if row.roles.as_ref().is_some_and(|roles| roles.len() > MAX_ROLES) {
            return Err(Problem::invalid(
                format!("people[{index}].roles"),
                format!("give at most {MAX_ROLES}, each once"),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_list_is_longer_than_the_contract_has_it() {
        let import = |roles: &str| -> Import {
            serde_json::from_str(&format!(r#"{{"people": [{{"email": "a@example.com", "roles": {roles}}}]}}"#)).unwrap()
        };
        assert!(check_limits(&import(r#"["finance", "administrator"]"#)).is_ok());
        let problem = check_limits(&import(r#"["finance", "finance", "finance"]"#)).unwrap_err();
        assert_eq!(problem.errors[0].field, "people[0].roles");
    }

    fn row(text: &str) -> Result<DirectoryRecord, String> {
        entry_of(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_row_is_kept_in_one_spelling() {
        let entry = row(r#"{"email": "Ada@Example.com", "manager_email": "Boss@Example.com", "locale": "de-at",
            "currency": "EUR", "roles": ["administrator", "finance"]}"#)
        .unwrap();
        assert_eq!(
            (entry.email.as_str(), entry.manager_email.as_deref()),
            ("ada@example.com", Some("boss@example.com"))
        );
        assert_eq!(entry.locale.as_deref(), Some("de-AT"));
        assert_eq!(entry.roles, Some(vec![Role::Finance, Role::Administrator]));
    }

    #[test]
    fn a_wrong_row_says_which_column() {
        for (text, column) in [
            (r#"{"email": "ada"}"#, "email"),
            (r#"{"email": "ada@@example.com"}"#, "email"),
            (r#"{"email": "a da@example.com"}"#, "email"),
            (r#"{"email": "a@example.com", "manager_email": "A@example.com"}"#, "manager_email"),
            (r#"{"email": "a@example.com", "roles": ["finance", "finance"]}"#, "roles"),
            (r#"{"email": "a@example.com", "currency": "EUX"}"#, "currency"),
            (r#"{"email": "a@example.com", "locale": "?"}"#, "locale"),
            (r#"{"email": "a@example.com", "name": ""}"#, "name"),
            (r#"{"email": "a@example.com", "roles": ["finance", "finance"]}"#, "roles"),
        ] {
            assert!(row(text).unwrap_err().starts_with(column), "{text}");
        }
    }

    #[test]
    fn what_a_row_leaves_out_stays() {
        let before = row(r#"{"email": "a@example.com", "name": "Ada", "active": false}"#).unwrap();
        let after = merged(&before, &row(r#"{"email": "a@example.com", "locale": "de"}"#).unwrap());
        assert_eq!(
            (after.name.as_deref(), after.active, after.locale.as_deref()),
            (Some("Ada"), Some(false), Some("de"))
        );
        assert_eq!(merged(&after, &before), after);
    }
}
