//! What administrators do to profiles.

use serde::Deserialize;
use slipstream_common::{
    act::act,
    http::{Request, Response, given},
    problem::Problem,
    records::PersonRecord,
    store::add_person_change,
    table::Transaction,
};
use slipstream_events::{Currency, PersonId, Role};

use super::{People, answer, locale_of, roles_of};

/// What an administrator may set. What is left out stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    #[serde(default, deserialize_with = "given")]
    manager: Option<Option<PersonId>>,
    #[serde(default, deserialize_with = "given")]
    active: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    currency: Option<Option<Currency>>,
    #[serde(default, deserialize_with = "given")]
    locale: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    roles: Option<Vec<Role>>,
    #[serde(default)]
    mail_undeliverable: Option<bool>,
}

impl People {
    /// A profile.
    pub async fn read(&self, request: &Request) -> Result<Response, Problem> {
        Ok(answer(200, self.named(request).await?))
    }

    /// Sets a profile's manager, activity, currency, locale or roles, or that mail arrives again.
    pub async fn write(&self, caller: &PersonRecord, request: &Request) -> Result<Response, Problem> {
        let changes: Changes = request.json()?;
        let answer = act(&self.store, request, caller.state.id, async |transaction: &mut Transaction| {
            let before = self.named(request).await?;
            request.if_match(before.state.version)?;
            let mut after = self.changed(&before, &changes).await?;
            self.let_erased_rest(&before, after.state.active).await?;
            self.keep_an_administrator(transaction, caller, &before, &after).await?;
            let roles_differ =
                changes.roles.is_some() && self.accounts.roles(after.state.id).await? != after.state.roles;
            after.account_behind |= roles_differ || after.state.active != before.state.active;
            if after != before {
                after = add_person_change(transaction, Some(&before), after, &request.cause(caller.state.id))?;
            }
            Ok(answer(200, after))
        })
        .await?;
        // A repetition that gets the first one's answer finds out whether that came so far.
        let person = self.named(request).await?;
        if person.account_behind || changes.active.is_some() {
            self.follow(person.state.id).await?;
        }
        Ok(answer)
    }

    /// The profile with the changes.
    async fn changed(&self, before: &PersonRecord, changes: &Changes) -> Result<PersonRecord, Problem> {
        let mut after = before.clone();
        if let Some(manager) = changes.manager {
            if manager == Some(before.state.id) {
                return Err(Problem::invalid("manager", "no one is their own manager; name somebody else"));
            }
            if let Some(manager) = manager
                && self.store.person(manager).await?.is_none()
            {
                return Err(Problem::invalid("manager", "name a person who has signed in once"));
            }
            after.state.manager = manager;
            after.awaited_manager = None;
        }
        if let Some(currency) = changes.currency {
            after.state.currency = currency;
        }
        if let Some(locale) = &changes.locale {
            after.state.locale = locale.as_deref().map(locale_of).transpose()?;
        }
        after.state.active = changes.active.unwrap_or(after.state.active);
        if let Some(roles) = &changes.roles {
            after.state.roles = roles_of(roles.clone())?;
        }
        match changes.mail_undeliverable {
            // Only mail that comes back sets it.
            Some(true) => return Err(Problem::invalid("mail_undeliverable", "give false, once mail arrives again")),
            Some(false) => {
                after.state.mail_undeliverable = false;
                after.mail_undeliverable_since = None;
            }
            None => {}
        }
        Ok(after)
    }
}
