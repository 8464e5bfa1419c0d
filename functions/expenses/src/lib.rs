//! Expenses over HTTP, and the people, the policy, the rates, the budgets and the sums that go with them.
//!
//! It translates: requests into commands of the domain, states into answers. What may happen is decided in
//! `slipstream-domain`. What is not the caller's does not exist for them (404, never 403).
//!
//! To test: `cargo test -p expenses`; every route end to end in `tests/`.

mod budgets;
mod expense;
mod judge;
mod lists;
mod people;
mod policy;
mod rates;
mod reports;
mod spend;
mod view;

use aws_config::SdkConfig;
use expense::Context;
use serde_json::Value;
use slipstream_common::{
    Fault, caller,
    http::{Request, Response, serve},
    mail_domains::MailDomains,
    problem::Problem,
    records::PersonRecord,
    settings::{Settings, SettingsError},
    store::Store,
    table::Table,
};
use slipstream_events::{Currency, Role};

use crate::people::{Accounts, People};

/// The function's configuration and clients.
#[derive(Debug)]
pub struct Expenses {
    store: Store,
    people: People,
    /// The sums; read only.
    projections: Table,
    company_currency: Currency,
    web_origin: String,
}

impl Expenses {
    /// From the environment.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, SettingsError> {
        Self::new(sdk, Settings::new())
    }

    /// By these settings.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn new(sdk: &SdkConfig, mut settings: Settings) -> Result<Self, SettingsError> {
        let table = settings.text("TABLE_NAME");
        let web_origin = settings.text("WEB_ORIGIN");
        let projections = settings.text("PROJECTIONS_TABLE_NAME");
        let company_currency = settings.parsed("COMPANY_CURRENCY", "an ISO 4217 code", Currency::EUR);
        let pool = settings.text("USER_POOL_ID");
        let domains = MailDomains::new(&settings.text("ALLOWED_MAIL_DOMAINS"));
        let store = Store::new(Table::new(sdk, table));
        let people = People::new(store.clone(), Accounts::new(sdk, pool), domains);
        let projections = Table::new(sdk, projections);
        settings.finish(Self { store, people, projections, company_currency, web_origin })
    }

    /// Answers a request of the gateway.
    ///
    /// # Errors
    /// Only when `event` is not one.
    pub async fn handle(&self, event: Value) -> Result<Response, Fault> {
        serve(event, &self.web_origin, async |request| {
            if (request.http_method.as_str(), request.resource.as_str()) == ("GET", "/me") {
                return self.people.me(&request).await;
            }
            let caller = caller::authenticate(&request, &self.store).await?;
            self.route(&caller, &request).await
        })
        .await
    }

    async fn route(&self, caller: &PersonRecord, request: &Request) -> Result<Response, Problem> {
        let store = &self.store;
        let context = Context { store, company_currency: self.company_currency };
        let me = caller.state.id;
        let may_any = |roles: &[Role]| match roles.iter().any(|role| caller.state.roles.contains(role)) {
            true => Ok(()),
            false => Err(Problem::role()),
        };
        let may = |role: Role| may_any(&[role]);
        match (request.http_method.as_str(), request.resource.as_str()) {
            ("GET", "/expenses") => lists::own(store, me, request).await,
            ("POST", "/expenses") => expense::create(context, me, request).await,
            ("GET", "/expenses/{expense_id}") => expense::read(context, caller, request).await,
            ("PATCH", "/expenses/{expense_id}") => expense::edit(context, me, request).await,
            ("DELETE", "/expenses/{expense_id}") => expense::delete(store, me, request).await,
            ("PUT", "/expenses/{expense_id}/receipt") => expense::attach(context, me, request).await,
            ("DELETE", "/expenses/{expense_id}/receipt") => expense::detach(store, me, request).await,
            ("POST", "/expenses/{expense_id}/split") => expense::split(store, me, request).await,
            ("DELETE", "/expenses/{expense_id}/split") => expense::undo_split(store, me, request).await,
            ("POST", "/expenses/{expense_id}/not-duplicate") => expense::not_duplicate(context, me, request).await,
            ("POST", "/expenses/{expense_id}/submit") => expense::submit(context, me, request).await,
            ("POST", "/expenses/{expense_id}/withdraw") => expense::withdraw(store, me, request).await,
            ("POST", "/expenses/{expense_id}/reimburse") => {
                may(Role::Finance)?;
                expense::reimburse(store, caller, request).await
            }
            ("GET", "/expenses/{expense_id}/history") => expense::history(store, caller, request).await,
            ("GET", "/finance/expenses") => {
                may(Role::Finance)?;
                lists::everyone(store, request).await
            }
            ("GET", "/reports") => reports::list(store, me, request).await,
            ("POST", "/reports") => reports::create(store, me, request).await,
            ("GET", "/reports/{report_id}") => reports::read(store, me, request).await,
            ("PATCH", "/reports/{report_id}") => reports::edit(store, me, request).await,
            ("DELETE", "/reports/{report_id}") => reports::delete(store, me, request).await,
            ("POST", "/reports/{report_id}/submit") => reports::submit(context, me, request).await,
            ("PUT", "/me") => self.people.update_me(me, request).await,
            ("GET", "/people") => {
                may_any(&[Role::Administrator, Role::Finance])?;
                self.people.list(request).await
            }
            ("GET", "/people/{person_id}") => {
                may_any(&[Role::Administrator, Role::Finance])?;
                self.people.read(request).await
            }
            ("PUT", "/people/{person_id}") => {
                may(Role::Administrator)?;
                self.people.write(caller, request).await
            }
            ("POST", "/people/import") => {
                may(Role::Administrator)?;
                self.people.import(caller, request).await
            }
            ("GET", "/policy") => policy::read(store).await,
            ("GET", "/policy/versions/{version}") => policy::read_version(store, request).await,
            ("PUT", "/policy") => {
                may(Role::Finance)?;
                policy::write(store, self.company_currency, me, request).await
            }
            ("GET", "/exchange-rates") => rates::read(store, request).await,
            ("PUT", "/exchange-rates") => {
                may(Role::Finance)?;
                rates::load(store, me, request).await
            }
            ("GET", "/budgets") => {
                may(Role::Finance)?;
                budgets::list(store, &self.projections).await
            }
            ("PUT", "/budgets/{category}") => {
                may(Role::Finance)?;
                budgets::write(store, self.company_currency, me, request).await
            }
            ("DELETE", "/budgets/{category}") => {
                may(Role::Finance)?;
                budgets::delete(store, me, request).await
            }
            ("GET", "/spend") => spend::read(store, &self.projections, caller, request).await,
            _ => Err(Problem::method_not_allowed()),
        }
    }
}
