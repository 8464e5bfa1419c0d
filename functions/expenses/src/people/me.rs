//! One's own profile.

use jiff::{ToSpan, civil::Date};
use serde::Deserialize;
use slipstream_common::{
    act::act,
    caller::{self, Identity},
    http::{Request, Response, given},
    keys::{self, Index},
    problem::Problem,
    records::{DirectoryRecord, PersonRecord},
    store::add_person_change,
    table::{Condition, IndexQuery, StoreError, Transaction},
};
use slipstream_events::{Cause, Currency, Delegation, PersonId, PersonState};

use super::{MAX_NAME, MAX_RACES, NotDone, People, answer, locale_of, name_of, same_address};

/// What people may set of their own profile. What is left out stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    #[serde(default, deserialize_with = "given")]
    name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    locale: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    currency: Option<Option<Currency>>,
    #[serde(default, deserialize_with = "given")]
    delegation: Option<Option<Delegation>>,
}

/// The profile before the first call.
fn unknown(identity: &Identity) -> PersonRecord {
    let state = PersonState {
        id: identity.person,
        version: 0,
        manager: None,
        delegation: None,
        roles: identity.roles.clone(),
        currency: None,
        locale: None,
        active: true,
        mail_undeliverable: false,
    };
    let name = identity.name.as_ref().map(|name| name.chars().take(MAX_NAME).collect());
    let email = identity.email.clone();
    PersonRecord {
        state,
        email,
        name,
        awaited_manager: None,
        roles_set_at: None,
        mail_undeliverable_since: None,
        account_behind: false,
    }
}

/// Whether the token's roles are newer than what an administrator set.
fn knows_roles(identity: &Identity, person: &PersonRecord) -> bool {
    match (identity.issued_at, person.roles_set_at) {
        _ if person.account_behind => false,
        (_, None) => true,
        // Tokens know their time to the second.
        (Some(issued), Some(set)) => issued.as_second() > set.as_second(),
        (None, Some(_)) => false,
    }
}

/// A delegation that can be: to somebody else, from a day to the same or a later one, for a year at most.
fn check_delegation(person: PersonId, delegation: &Delegation) -> Result<(), Problem> {
    let last = |from: Date| from.checked_add(1.year()).unwrap_or(Date::MAX);
    if delegation.delegate == person {
        return Err(Problem::invalid("delegation.delegate", "name somebody else"));
    }
    if delegation.until < delegation.from {
        return Err(Problem::invalid("delegation.until", "name the first day or a later one"));
    }
    if delegation.until > last(delegation.from) {
        return Err(Problem::invalid("delegation.until", "name a day at most a year after the first"));
    }
    Ok(())
}

impl People {
    /// The caller's own profile. The first call makes it; every one brings it up to date with the ID token and takes
    /// over what the directory says of a confirmed mail address.
    pub async fn me(&self, request: &Request) -> Result<Response, Problem> {
        let identity = caller::identity(request)?;
        let cause = request.cause(identity.person);
        let mut races = 0;
        let person = loop {
            let before = self.store.person(identity.person).await?;
            if let Some(person) = before.as_ref().filter(|person| !person.state.active) {
                if person.account_behind {
                    self.follow(person.state.id).await?;
                }
                return Err(deactivated());
            }
            request.check_form()?;
            match self.up_to_date(&identity, before, &cause).await {
                Ok(person) => break person,
                Err(NotDone::Store(StoreError::Condition(_))) if races < MAX_RACES => races += 1,
                Err(NotDone::Store(error)) => return Err(error.into()),
                Err(NotDone::Problem(problem)) => return Err(problem),
            }
        };
        if person.account_behind {
            self.follow(person.state.id).await?;
        }
        if !person.state.active {
            return Err(deactivated());
        }
        if identity.email_verified {
            self.adopt(&person, &cause).await?;
        }
        Ok(answer(200, person))
    }

    /// The profile after what the token and the directory say.
    async fn up_to_date(
        &self,
        identity: &Identity,
        before: Option<PersonRecord>,
        cause: &Cause,
    ) -> Result<PersonRecord, NotDone> {
        let mut after = before.clone().unwrap_or_else(|| unknown(identity));
        let mut transaction = Transaction::default();
        if knows_roles(identity, &after) {
            after.state.roles.clone_from(&identity.roles);
        }
        if identity.email_verified {
            // Links go to the address: one that moved out of the company's domains is not followed.
            if self.domains.allow(&identity.email) {
                after.email.clone_from(&identity.email);
            }
            let key = keys::directory(&identity.email);
            if let Some(entry) = self.store.table.get::<DirectoryRecord>(&key).await? {
                let manager = match &entry.manager_email {
                    Some(email) => Some(self.manager_at(email, &after).await?),
                    None => None,
                };
                self.apply(&entry, manager, &mut after).await?;
                transaction.delete(&key, Condition::version(entry.version));
            }
        }
        if before.as_ref() != Some(&after) {
            after = add_person_change(&mut transaction, before.as_ref(), after, cause).map_err(Problem::from)?;
        }
        if !transaction.is_empty() {
            self.store.table.commit(transaction).await?;
        }
        Ok(after)
    }

    /// Becomes the manager of those whose directory entry names this mail address.
    async fn adopt(&self, manager: &PersonRecord, cause: &Cause) -> Result<(), Problem> {
        let waiting = IndexQuery::of(Index::Open, keys::people_awaiting(&manager.email));
        for person in self.store.table.query_all::<PersonRecord>(&waiting).await? {
            let Some(before) = self.store.person(person.state.id).await? else { continue };
            let awaits = before.awaited_manager.as_ref().is_some_and(|email| same_address(email, &manager.email));
            if !awaits || before.state.id == manager.state.id {
                continue;
            }
            let mut after = PersonRecord { awaited_manager: None, ..before.clone() };
            after.state.manager = Some(manager.state.id);
            match self.store.write_person(Some(&before), after, cause).await {
                // Whoever was faster has changed what was awaited, or the next call finds it again.
                Err(error) if error.is_conflict() => {}
                written => written.map(|_| ()).map_err(Problem::from)?,
            }
        }
        Ok(())
    }

    /// Changes the caller's own profile.
    pub async fn update_me(&self, me: PersonId, request: &Request) -> Result<Response, Problem> {
        let changes: Changes = request.json()?;
        act(&self.store, request, me, async |transaction: &mut Transaction| {
            // As it is kept: of the caller's, only the roles that the token has, too.
            let before = self.store.person(me).await?.ok_or_else(|| Problem::not_found("person"))?;
            request.if_match(before.state.version)?;
            let mut after = self.with_own_changes(&before, &changes).await?;
            if after != before {
                after = add_person_change(transaction, Some(&before), after, &request.cause(me))?;
            }
            Ok(answer(200, after))
        })
        .await
    }

    /// The profile with what its owner changes.
    async fn with_own_changes(&self, before: &PersonRecord, changes: &Changes) -> Result<PersonRecord, Problem> {
        let mut after = before.clone();
        if let Some(name) = &changes.name {
            after.name = Some(name_of(name)?);
        }
        if let Some(locale) = &changes.locale {
            after.state.locale = locale.as_deref().map(locale_of).transpose()?;
        }
        if let Some(currency) = changes.currency {
            after.state.currency = currency;
        }
        if let Some(delegation) = &changes.delegation {
            if let Some(delegation) = delegation {
                check_delegation(before.state.id, delegation)?;
                let delegate = self.store.person(delegation.delegate).await?;
                if !delegate.is_some_and(|delegate| delegate.state.active) {
                    let remedy = "name an active person who has signed in once";
                    return Err(Problem::invalid("delegation.delegate", remedy));
                }
            }
            after.state.delegation.clone_from(delegation);
        }
        Ok(after)
    }
}

fn deactivated() -> Problem {
    Problem::forbidden("deactivated", "Your account is deactivated. Ask an administrator.")
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn id(n: u8) -> PersonId {
        format!("00000000-0000-4000-8000-0000000000{n:02x}").parse().unwrap()
    }

    #[test]
    fn a_delegation_is_to_somebody_else_and_ends_within_a_year() {
        let to = |delegate, from, until| check_delegation(id(1), &Delegation { delegate: id(delegate), from, until });
        let day = date(2028, 2, 29);
        assert!(to(2, day, day).is_ok());
        assert!(to(2, day, date(2029, 2, 28)).is_ok());
        assert_eq!(to(1, day, day).unwrap_err().errors[0].field, "delegation.delegate");
        assert_eq!(to(2, day, date(2028, 2, 28)).unwrap_err().errors[0].field, "delegation.until");
        assert_eq!(to(2, day, date(2029, 3, 1)).unwrap_err().errors[0].field, "delegation.until");
    }

    #[test]
    fn a_token_older_than_the_roles_says_nothing_about_them() {
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        let identity = |issued_at| Identity {
            person: id(1),
            email: "a@example.com".to_owned(),
            email_verified: true,
            issued_at,
            name: None,
            roles: vec![],
        };
        let person = PersonRecord { roles_set_at: Some(at(10)), ..unknown(&identity(None)) };
        assert!(knows_roles(&identity(Some(at(11))), &person));
        assert!(!knows_roles(&identity(Some(at(10))), &person));
        assert!(!knows_roles(&identity(None), &person));
        let behind = PersonRecord { account_behind: true, ..person.clone() };
        assert!(!knows_roles(&identity(Some(at(11))), &behind), "the account has yet to follow");
        assert!(knows_roles(&identity(None), &PersonRecord { roles_set_at: None, ..person }));
    }
}
