//! Profiles: one's own, and everyone's for administrators.

use clap::{Subcommand, ValueEnum};
use jiff::civil::Date;
use serde_json::{Map, Value, json};
use slipstream_events::PersonId;

use crate::{
    api::{Api, Call},
    context::{Paging, Slip},
    directory,
    failure::{Exit, Failure, Outcome},
    fields::date,
    output::{ask, can_ask},
    views,
};

/// `slip me`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  slip me
  slip me set --currency CHF --locale de-CH
  slip me set --currency ''
  slip me set --delegate mark@example.com --from 2026-07-01 --until 2026-07-14
  slip me set --no-delegate")]
pub(crate) struct Me {
    #[command(subcommand)]
    set: Option<MeCommand>,
}

/// Below `slip me`.
#[derive(Debug, Subcommand)]
enum MeCommand {
    /// Changes your profile; what is not named stays
    Set(Box<SetMe>),
}

/// `slip me set`.
#[derive(Debug, clap::Args)]
struct SetMe {
    /// What you are called
    #[arg(long)]
    name: Option<String>,
    /// Language and region, such as de-AT
    #[arg(long)]
    locale: Option<String>,
    /// The currency meant where a receipt names none
    #[arg(long)]
    currency: Option<String>,
    /// Who decides in your place (an id, or for administrators an address); with --from and --until
    #[arg(long, value_name = "PERSON", requires_all = ["from", "until"])]
    delegate: Option<String>,
    /// The delegation's first day
    #[arg(long, value_name = "DATE", value_parser = date, requires = "delegate")]
    from: Option<Date>,
    /// The delegation's last day
    #[arg(long, value_name = "DATE", value_parser = date, requires = "delegate")]
    until: Option<Date>,
    /// Nobody decides in your place any more
    #[arg(long, conflicts_with = "delegate")]
    no_delegate: bool,
}

/// Shows or changes one's own profile.
pub(crate) async fn me(slip: &Slip, me: Me) -> Outcome {
    let Some(MeCommand::Set(set)) = me.set else {
        return slip.show(Call::get("/me"), views::person).await;
    };
    let api = slip.api()?;
    let mut body = Map::new();
    insert(&mut body, "name", set.name);
    insert(&mut body, "locale", set.locale);
    insert(&mut body, "currency", set.currency.map(|code| code.to_ascii_uppercase()));
    if let Some(delegate) = &set.delegate {
        let delegate = resolve(&api, delegate).await?;
        body.insert("delegation".to_owned(), json!({ "delegate": delegate, "from": set.from, "until": set.until }));
    }
    if set.no_delegate {
        body.insert("delegation".to_owned(), Value::Null);
    }
    if body.is_empty() {
        return Err(Failure::usage("nothing to change was named: slip help me set"));
    }
    let answer = api.send(Call::put("/me", &body.into())).await?;
    slip.shown(&answer, views::person)
}

/// An empty value takes away.
fn insert(body: &mut Map<String, Value>, name: &str, value: Option<String>) {
    let member = |value: String| if value.is_empty() { Value::Null } else { value.into() };
    body.extend(value.map(|value| (name.to_owned(), member(value))));
}

/// A person by id, or by address for those who may look one up.
///
/// # Errors
/// When there is nobody.
pub(crate) async fn resolve(api: &Api, person: &str) -> Outcome<PersonId> {
    if let Ok(id) = person.parse() {
        return Ok(id);
    }
    if !person.contains('@') {
        return Err(Failure::usage(format!("`{person}` is neither a person's id nor a mail address")));
    }
    let found =
        api.json(Call::get("/people").query("email", Some(person))).await.map_err(|failure| match failure.exit {
            // 403: looking people up is for finance and administrators.
            Exit::Refused => {
                Failure { message: format!("{failure}\nGive {person} by id: they see it by slip me"), ..failure }
            }
            _ => failure,
        })?;
    let id = found["people"][0]["id"].as_str().and_then(|id| id.parse().ok());
    id.ok_or_else(|| Failure::new(Exit::NotFound, format!("nobody has the address {person}")))
}

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Sets policy, reimburses, decides where nobody else can
    Finance,
    /// Administers people
    Administrator,
}

/// `slip people`.
#[derive(Debug, Subcommand)]
pub(crate) enum People {
    /// Lists people
    List {
        /// Only whoever has this address
        #[arg(long)]
        email: Option<String>,
        /// Only those whose manager this is
        #[arg(long, value_name = "PERSON")]
        manager: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows someone's profile
    Show {
        /// An id or a mail address
        person: String,
    },
    /// Changes someone's profile; what is not named stays
    ///
    /// Example: slip people set emma@example.com --manager mark@example.com
    Set(Box<Set>),
    /// Brings people up to date with a CSV directory
    ///
    /// Columns, in any order: email, name, manager_email, currency, locale, active (true or false), roles (finance,
    /// administrator; several with a semicolon). Only email is needed, and an empty cell changes nothing. Importing a
    /// file again is harmless. The exit code is 5 if any row is not valid.
    ///
    /// Example: slip people import directory.csv --dry-run
    Import(directory::Import),
    /// Erases what is known of someone, for which there is no way back
    ///
    /// At once they are out and their profile is nameless; drafts and their receipts follow. What was submitted stays as
    /// long as the law wants it, and is named.
    ///
    /// Example: slip people erase emma@example.com
    Erase {
        /// An id or a mail address
        person: String,
        /// Does not ask whether you mean it
        #[arg(long)]
        yes: bool,
    },
    /// Shows how an erasure stands, and what is kept
    Erasure {
        /// The person's id
        person: PersonId,
    },
}

/// `slip people set`.
#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    /// An id or a mail address
    person: String,
    /// Who approves for them: an id or a mail address
    #[arg(long, value_name = "PERSON")]
    manager: Option<String>,
    /// Nobody: finance decides
    #[arg(long, conflicts_with = "manager")]
    no_manager: bool,
    /// Whether they may use Slipstream at all
    #[arg(long, value_name = "true|false")]
    active: Option<bool>,
    /// Mail to them arrives again, after it came back
    #[arg(long)]
    mail_arrives: bool,
    /// The currency meant where a receipt names none
    #[arg(long)]
    currency: Option<String>,
    /// Language and region, such as de-AT
    #[arg(long)]
    locale: Option<String>,
    /// All their roles; several times for several
    #[arg(long = "role", value_enum)]
    roles: Vec<Role>,
    /// No role at all
    #[arg(long, conflicts_with = "roles")]
    no_roles: bool,
}

/// Runs a command about people.
pub(crate) async fn run(slip: &Slip, people: People) -> Outcome {
    match people {
        People::List { email, manager, paging } => {
            let manager = match manager {
                Some(manager) => Some(resolve(&slip.api()?, &manager).await?),
                None => None,
            };
            let call = Call::get("/people").query("email", email).query("manager", manager);
            slip.list(call, "people", &paging, views::people, "There is nobody.").await
        }
        People::Show { person } => {
            let api = slip.api()?;
            let id = resolve(&api, &person).await?;
            let answer = api.send(Call::get(format!("/people/{id}"))).await?;
            slip.shown(&answer, views::person)
        }
        People::Set(set) => self::set(slip, *set).await,
        People::Import(import) => directory::import(slip, import).await,
        People::Erase { person, yes } => erase(slip, &person, yes).await,
        People::Erasure { person } => slip.show(Call::get(format!("/people/{person}/erasure")), views::erasure).await,
    }
}

async fn erase(slip: &Slip, person: &str, yes: bool) -> Outcome {
    let api = slip.api()?;
    let id = resolve(&api, person).await?;
    if !yes {
        if !can_ask() {
            return Err(Failure::usage("there is no way back: if you mean it, repeat it with --yes"));
        }
        let name = views::person_line(&api.json(Call::get(format!("/people/{id}"))).await?);
        if ask(&format!("Erase {name}? There is no way back. Type yes: "))? != "yes" {
            return Err(Failure::refused("nothing was erased"));
        }
    }
    let answer = api.send(Call::post(format!("/people/{id}/erasure"), &json!({}))).await?;
    slip.shown(&answer, views::erasure)
}

async fn set(slip: &Slip, set: Set) -> Outcome {
    let api = slip.api()?;
    let id = resolve(&api, &set.person).await?;
    let mut body = Map::new();
    if let Some(manager) = &set.manager {
        body.insert("manager".to_owned(), json!(resolve(&api, manager).await?));
    }
    if set.no_manager {
        body.insert("manager".to_owned(), Value::Null);
    }
    body.extend(set.active.map(|active| ("active".to_owned(), active.into())));
    if set.mail_arrives {
        body.insert("mail_undeliverable".to_owned(), false.into());
    }
    insert(&mut body, "currency", set.currency.map(|code| code.to_ascii_uppercase()));
    insert(&mut body, "locale", set.locale);
    if set.no_roles || !set.roles.is_empty() {
        let role = |role: &Role| match role {
            Role::Finance => "finance",
            Role::Administrator => "administrator",
        };
        body.insert("roles".to_owned(), json!(set.roles.iter().map(role).collect::<Vec<_>>()));
    }
    if body.is_empty() {
        return Err(Failure::usage("nothing to change was named: slip help people set"));
    }
    let path = format!("/people/{id}");
    let seen = api.send(Call::get(path.clone())).await?;
    let answer = api.send(Call::put(path, &body.into()).if_match(seen.header("etag"))).await?;
    slip.shown(&answer, views::person)
}
