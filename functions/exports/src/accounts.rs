//! The accounts of the user pool, as far as erasure goes: the mail address and the password of a person are there.

use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::{
    Client, error::DisplayErrorContext, operation::admin_delete_user::AdminDeleteUserError,
};
use slipstream_events::PersonId;

use crate::error::{Result, WorkError};

/// The user pool. A person's id is their user name there: pools whose users sign in by mail address make it so.
#[derive(Debug, Clone)]
pub struct Accounts {
    client: Client,
    pool: String,
}

impl Accounts {
    /// The pool of that id.
    pub fn new(sdk: &SdkConfig, pool: String) -> Self {
        Self { client: Client::new(sdk), pool }
    }

    /// Deletes the person's account; that there is none any more is no error.
    ///
    /// # Errors
    /// [`WorkError::Unavailable`].
    pub async fn delete(&self, person: PersonId) -> Result<()> {
        let delete = self.client.admin_delete_user().user_pool_id(&self.pool).username(person.to_string());
        match delete.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(AdminDeleteUserError::is_user_not_found_exception) => {
                Ok(())
            }
            Err(error) => Err(WorkError::Unavailable("the user pool", DisplayErrorContext(error).to_string())),
        }
    }
}
