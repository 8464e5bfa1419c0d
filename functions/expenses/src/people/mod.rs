//! Profiles: one's own, their administration, and the directory that people are imported from.
//!
//! Roles stand in two places that must agree: the groups of the user pool, which tokens carry, and the profile, which
//! is read on every call. What an administrator sets is decided by the profile's transaction; then the account follows.
//! A token made before that says nothing about roles any more. `docs/decisions/0021-directory-and-roles.md` has the
//! reasons.

mod accounts;
mod administration;
mod import;
mod listing;
mod me;

use jiff::Timestamp;
use serde::Serialize;
use slipstream_common::{
    http::{Request, Response},
    keys::{self, Index},
    mail_domains::MailDomains,
    problem::Problem,
    records::PersonRecord,
    store::{Store, add_person_check},
    table::{Condition, IndexQuery, StoreError, Transaction, text},
};
use slipstream_domain::text::is_unseen;
use slipstream_events::{Currency, Delegation, PersonId, Role};

pub use accounts::Accounts;

/// The longest name, in characters.
const MAX_NAME: usize = 100;
/// The longest language tag, in characters (RFC 5646, section 4.4.1).
const MAX_LOCALE: usize = 35;
/// The longest mail address, in characters (RFC 5321, section 4.5.3.1.3, without the angle brackets).
const MAX_EMAIL: usize = 254;

/// How often something is decided anew because someone else was faster.
const MAX_RACES: u32 = 5;

/// Profiles and the accounts behind them.
#[derive(Debug)]
pub struct People {
    store: Store,
    accounts: Accounts,
    domains: MailDomains,
}

/// A profile as the API shows it.
#[derive(Debug, Serialize)]
struct View {
    id: PersonId,
    email: String,
    name: Option<String>,
    manager: Option<PersonId>,
    delegation: Option<Delegation>,
    roles: Vec<Role>,
    currency: Option<Currency>,
    locale: Option<String>,
    active: bool,
    mail_undeliverable: bool,
    version: u64,
}

impl From<PersonRecord> for View {
    fn from(record: PersonRecord) -> Self {
        Self {
            id: record.state.id,
            email: record.email,
            name: record.name,
            manager: record.state.manager,
            delegation: record.state.delegation,
            roles: record.state.roles,
            currency: record.state.currency,
            locale: record.state.locale,
            active: record.state.active,
            mail_undeliverable: record.state.mail_undeliverable,
            version: record.state.version,
        }
    }
}

impl People {
    /// In this table, with these accounts. Addresses count that are at the domains.
    pub const fn new(store: Store, accounts: Accounts, domains: MailDomains) -> Self {
        Self { store, accounts, domains }
    }

    /// The person whom the path names.
    async fn named(&self, request: &Request) -> Result<PersonRecord, Problem> {
        let id: PersonId = request.path("person_id", "person")?;
        self.store.person(id).await?.ok_or_else(|| Problem::not_found("person"))
    }

    /// Whoever has the mail address, as they are now. More than one only while an address has passed from one to
    /// another who has yet to sign in.
    async fn at(&self, email: &str) -> Result<Vec<PersonRecord>, StoreError> {
        let found: Vec<PersonRecord> =
            self.store.table.query_all(&IndexQuery::of(Index::Approver, keys::people_at(email))).await?;
        let mut people = Vec::new();
        for person in found {
            let now = self.store.person(person.state.id).await?;
            people.extend(now.filter(|now| same_address(&now.email, email)));
        }
        Ok(people)
    }

    /// Lets the account in the user pool follow the profile: its groups, and whether it may be signed in to. Whoever
    /// finds a profile with an account that is behind calls it, so that a death on the way is made good.
    ///
    /// # Errors
    /// 503: the account is still behind.
    async fn follow(&self, id: PersonId) -> Result<(), Problem> {
        for _ in 0..=MAX_RACES {
            let Some(person) = self.store.person(id).await? else { return Ok(()) };
            self.accounts.set_roles(id, &person.state.roles).await?;
            match person.state.active {
                true => self.accounts.enable(id).await?,
                false => self.accounts.disable(id).await?,
            }
            // Not a change of the profile: it has the same version, and what is decided on it meanwhile stands.
            let condition = Condition::version(person.state.version).value(":now", text(Timestamp::now()));
            let mut transaction = Transaction::default();
            transaction.update(&keys::person(id), "SET roles_set_at = :now REMOVE account_behind", condition);
            match self.store.table.commit(transaction).await {
                Ok(()) => return Ok(()),
                // It followed a profile that is another now: once more.
                Err(StoreError::Condition(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Problem::unavailable())
    }

    /// Refuses to let somebody back who is being erased, or was: there is no way back. An erasure that is asked for at this
    /// moment changes the profile, on whose version the change depends.
    async fn let_erased_rest(&self, before: &PersonRecord, active: bool) -> Result<(), Problem> {
        if !active || before.state.active {
            return Ok(());
        }
        match self.store.table.get::<serde_json::Value>(&keys::erasure(before.state.id)).await? {
            None => Ok(()),
            Some(_) => Err(Problem::conflict("erased", "They are erased. Somebody who comes back signs up anew.")),
        }
    }

    /// Makes a transaction depend on there being another active administrator, if the change takes one away.
    ///
    /// The other's profile is checked at its version: two administrators who remove each other at the same moment
    /// cannot both succeed.
    async fn keep_an_administrator(
        &self,
        transaction: &mut Transaction,
        caller: &PersonRecord,
        before: &PersonRecord,
        after: &PersonRecord,
    ) -> Result<(), Problem> {
        if !before.administers() || after.administers() {
            return Ok(());
        }
        let mut candidates = vec![caller.state.id];
        for role in [Role::Administrator, Role::Finance] {
            // Who has both roles stands among finance.
            candidates.extend(self.store.people_with(role).await?.into_iter().map(|person| person.state.id));
        }
        for candidate in candidates.into_iter().filter(|candidate| *candidate != after.state.id) {
            if let Some(other) = self.store.person(candidate).await?.filter(PersonRecord::administers) {
                add_person_check(transaction, &other);
                return Ok(());
            }
        }
        Err(Problem::conflict("last-administrator", "This is the last active administrator. Name another one first."))
    }
}

/// Why something was not done.
enum NotDone {
    /// The table did not do it.
    Store(StoreError),
    /// Anything else.
    Problem(Problem),
}

impl From<StoreError> for NotDone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Problem> for NotDone {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

fn same_address(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

fn answer(status: u16, person: PersonRecord) -> Response {
    let etag = format!("\"{}\"", person.state.version);
    Response::json(status, &View::from(person)).header("etag", etag)
}

/// A name as it is kept.
fn name_of(text: &str) -> Result<String, Problem> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(is_unseen) {
        return Err(Problem::invalid("name", format!("give 1 to {MAX_NAME} printable characters")));
    }
    Ok(name.to_owned())
}

/// A language tag (BCP 47) in its usual spelling. Whether anybody speaks it is not looked at.
fn locale_of(text: &str) -> Result<String, Problem> {
    let parsed = (text.len() <= MAX_LOCALE).then(|| icu_locale_core::Locale::try_from_str(text).ok()).flatten();
    let locale = parsed.ok_or_else(|| Problem::invalid("locale", "give a BCP 47 tag such as de-DE"))?;
    Ok(locale.to_string())
}

/// Roles as a profile has them: in order.
fn roles_of(mut roles: Vec<Role>) -> Result<Vec<Role>, Problem> {
    roles.sort();
    match roles.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(Problem::invalid("roles", "give each role once")),
        false => Ok(roles),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_tag_is_judged_by_its_structure() {
        for (text, kept) in [("de-DE", "de-DE"), ("de-de", "de-DE"), ("en", "en"), ("zh-hant-tw", "zh-Hant-TW")] {
            assert_eq!(locale_of(text).unwrap(), kept);
        }
        for text in ["", "d", "de_DE!", "de--DE", "german, please", "de-DE-", &"a".repeat(36)] {
            assert_eq!(locale_of(text).unwrap_err().status, 422, "{text}");
        }
    }

    #[test]
    fn a_name_is_printable_and_short() {
        assert_eq!(name_of(" Ada ").unwrap(), "Ada");
        for text in ["", "  ", "a\nb", &"x".repeat(101)] {
            assert_eq!(name_of(text).unwrap_err().status, 422, "{text:?}");
        }
    }
}
