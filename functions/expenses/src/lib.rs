//! Expenses over HTTP, and the people and the policy that they need.
//!
//! It translates: requests into commands of the domain, states into answers. What may happen is decided in
//! `slipstream-domain`. What is not the caller's does not exist for them (404, never 403).
//!
//! To test: `cargo test -p expenses`; every route end to end in `tests/`.

mod expense;
mod lists;
mod people;
mod policy;
mod view;

use aws_config::SdkConfig;
use serde_json::Value;
use slipstream_common::{
    Fault, caller,
    http::{Request, Response, serve},
    problem::Problem,
    records::PersonRecord,
    settings::{Settings, SettingsError},
    store::Store,
    table::Table,
};
use slipstream_events::Role;

/// The function's configuration and clients.
#[derive(Debug)]
pub struct Expenses {
    store: Store,
    web_origin: String,
}

impl Expenses {
    /// From the environment.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, SettingsError> {
        let mut settings = Settings::new();
        let table = settings.text("TABLE_NAME");
        let web_origin = settings.text("WEB_ORIGIN");
        settings.finish(Self { store: Store::new(Table::new(sdk, table)), web_origin })
    }

    /// Answers a request of the gateway.
    ///
    /// # Errors
    /// Only when `event` is not one.
    pub async fn handle(&self, event: Value) -> Result<Response, Fault> {
        serve(event, &self.web_origin, async |request| {
            if (request.http_method.as_str(), request.resource.as_str()) == ("GET", "/me") {
                return people::me(&self.store, &request).await;
            }
            let caller = caller::authenticate(&request, &self.store).await?;
            self.route(&caller, &request).await
        })
        .await
    }

    async fn route(&self, caller: &PersonRecord, request: &Request) -> Result<Response, Problem> {
        let store = &self.store;
        let me = caller.state.id;
        let may = |role: Role| match caller.state.roles.contains(&role) {
            true => Ok(()),
            false => Err(Problem::forbidden("role", "Only people with another role may do this.")),
        };
        match (request.http_method.as_str(), request.resource.as_str()) {
            ("GET", "/expenses") => lists::own(store, me, request).await,
            ("POST", "/expenses") => expense::create(store, me, request).await,
            ("GET", "/expenses/{expense_id}") => expense::read(store, caller, request).await,
            ("PATCH", "/expenses/{expense_id}") => expense::edit(store, me, request).await,
            ("DELETE", "/expenses/{expense_id}") => expense::delete(store, me, request).await,
            ("PUT", "/expenses/{expense_id}/receipt") => expense::attach(store, me, request).await,
            ("DELETE", "/expenses/{expense_id}/receipt") => expense::detach(store, me, request).await,
            ("POST", "/expenses/{expense_id}/split") => expense::split(store, me, request).await,
            ("DELETE", "/expenses/{expense_id}/split") => expense::undo_split(store, me, request).await,
            ("POST", "/expenses/{expense_id}/not-duplicate") => expense::not_duplicate(store, me, request).await,
            ("POST", "/expenses/{expense_id}/submit") => expense::submit(store, me, request).await,
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
            ("GET", "/people") => {
                may(Role::Administrator)?;
                people::find(store, request).await
            }
            ("GET", "/people/{person_id}") => {
                may(Role::Administrator)?;
                people::read(store, request).await
            }
            ("PUT", "/people/{person_id}") => {
                may(Role::Administrator)?;
                people::write(store, me, request).await
            }
            ("GET", "/policy") => policy::read(store).await,
            ("PUT", "/policy") => {
                may(Role::Finance)?;
                policy::write(store, me, request).await
            }
            _ => Err(Problem::method_not_allowed()),
        }
    }
}
