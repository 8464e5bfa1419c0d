//! Approvals: the tasks of `workflows/expenseApproval.asl.json`, the pages behind mailed links, the approver's queue over
//! the API, and the decision.
//!
//! **One transaction decides**: the step goes from pending to decided and the expense, still submitted with this
//! submission, goes to its outcome, both events in the outbox. Whatever is faster than it wins: a withdrawal, a
//! timeout, another decision. Then the task token lets the state machine go on; should that fail, the sweeper does
//! it.
//!
//! It must not send mail and must not log tokens.
//!
//! To test: `cargo test -p approval`; links, races and restarts end to end in `tests/`.

mod decision;
mod disown;
mod link;
mod list_page;
mod page;
mod queue;
mod task;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use serde_json::Value;
use slipstream_common::{
    Fault,
    execution::Executions,
    http::{Request, serve},
    settings::{Settings, SettingsError},
    store::Store,
    table::Table,
};

/// The resource behind which the mailed links lie. It is the only one that takes no ID token.
const LINK: &str = "/approvals/{link}";

/// The function's configuration and clients.
#[derive(Debug)]
pub struct Approval {
    store: Store,
    executions: Executions,
    s3: Client,
    bucket: String,
    web_origin: String,
    links_require_sign_in: bool,
}

impl Approval {
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
        let approval = Self {
            store: Store::new(Table::new(sdk, table)),
            executions: Executions::new(sdk),
            s3: Client::new(sdk),
            bucket: settings.text("RECEIPT_BUCKET"),
            web_origin: settings.text("WEB_ORIGIN"),
            links_require_sign_in: settings.parsed("LINKS_REQUIRE_SIGN_IN", "true or false", false),
        };
        settings.finish(approval)
    }

    /// Carries out a task of the state machine, or answers a request of the gateway.
    ///
    /// # Errors
    /// When a task cannot be carried out (the state machine tries again), or when `event` is neither.
    pub async fn handle(&self, event: Value) -> Result<Value, Fault> {
        if event.get("task").is_some() {
            return self.task(serde_json::from_value(event)?).await;
        }
        if event["resource"] == LINK {
            return Ok(serde_json::to_value(self.page(serde_json::from_value(event)?).await)?);
        }
        let answer = serve(event, &self.web_origin, async |request: Request| self.api(request).await).await?;
        Ok(serde_json::to_value(answer)?)
    }
}
