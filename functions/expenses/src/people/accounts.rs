//! The accounts of the user pool, as far as administrators change them here: the groups that tokens carry, and whether
//! somebody may sign in. Every call can be repeated.

use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
};
use slipstream_common::problem::Problem;
use slipstream_events::{PersonId, Role};

/// The user pool. A person's id is their user name there: pools whose users sign in by mail address make it so.
#[derive(Debug, Clone)]
pub struct Accounts {
    client: Client,
    pool: String,
}

const fn group(role: Role) -> &'static str {
    match role {
        Role::Finance => "finance",
        Role::Administrator => "administrators",
    }
}

/// What a call that failed means: nothing where there is no such account any more, else that one should try again.
fn judge<T, E: ProvideErrorMetadata, R>(result: Result<T, SdkError<E, R>>) -> Result<Option<T>, Problem> {
    match result {
        Ok(answer) => Ok(Some(answer)),
        Err(error) => match error.as_service_error().and_then(ProvideErrorMetadata::code) {
            Some("UserNotFoundException") => Ok(None),
            code => {
                tracing::warn!(error.code = code.unwrap_or("none"), "the user pool did not do what it was asked");
                Err(Problem::unavailable())
            }
        },
    }
}

impl Accounts {
    /// The pool of that id.
    pub fn new(sdk: &SdkConfig, pool: impl Into<String>) -> Self {
        Self { client: Client::new(sdk), pool: pool.into() }
    }

    /// The roles whose groups the person is in, in order; nothing where there is no account.
    async fn known_roles(&self, person: PersonId) -> Result<Option<Vec<Role>>, Problem> {
        let call = self.client.admin_list_groups_for_user().user_pool_id(&self.pool).username(person.to_string());
        let Some(listed) = judge(call.send().await)? else { return Ok(None) };
        // A person is in the two groups that there are, and at most in some that mean nothing here.
        let is_in = |role: &Role| listed.groups().iter().any(|listed| listed.group_name() == Some(group(*role)));
        Ok(Some([Role::Finance, Role::Administrator].into_iter().filter(is_in).collect()))
    }

    /// The roles whose groups the person is in, in order.
    ///
    /// # Errors
    /// 409 when they have no account; 503.
    pub async fn roles(&self, person: PersonId) -> Result<Vec<Role>, Problem> {
        self.known_roles(person).await?.ok_or_else(|| {
            Problem::conflict("no-account", "The user pool has no account of this person any more, so no roles either.")
        })
    }

    /// Puts the person into the groups of these roles and takes them out of the others.
    ///
    /// # Errors
    /// 503.
    pub async fn set_roles(&self, person: PersonId, roles: &[Role]) -> Result<(), Problem> {
        let name = person.to_string();
        let Some(known) = self.known_roles(person).await? else { return Ok(()) };
        for role in [Role::Finance, Role::Administrator] {
            let (is, should) = (known.contains(&role), roles.contains(&role));
            if is == should {
                continue;
            }
            if should {
                let call = self.client.admin_add_user_to_group().group_name(group(role));
                judge(call.user_pool_id(&self.pool).username(&name).send().await)?;
            } else {
                let call = self.client.admin_remove_user_from_group().group_name(group(role));
                judge(call.user_pool_id(&self.pool).username(&name).send().await)?;
            }
        }
        Ok(())
    }

    /// Ends every session and lets nobody sign in any more.
    ///
    /// # Errors
    /// 503.
    pub async fn disable(&self, person: PersonId) -> Result<(), Problem> {
        let name = person.to_string();
        judge(self.client.admin_user_global_sign_out().user_pool_id(&self.pool).username(&name).send().await)?;
        judge(self.client.admin_disable_user().user_pool_id(&self.pool).username(&name).send().await)?;
        Ok(())
    }

    /// Lets the person sign in again.
    ///
    /// # Errors
    /// 503.
    pub async fn enable(&self, person: PersonId) -> Result<(), Problem> {
        judge(self.client.admin_enable_user().user_pool_id(&self.pool).username(person.to_string()).send().await)?;
        Ok(())
    }
}
