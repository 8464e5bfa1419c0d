//! Who may sign up: the user pool asks before it makes an account (the PreSignUp trigger,
//! <https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-lambda-pre-sign-up.html>).
//!
//! Only addresses of the allowed mail domains may. What an administrator creates is not asked about.
//!
//! To test: `cargo test -p sign-up`.

use serde_json::Value;
use slipstream_common::{
    Fault,
    mail_domains::MailDomains,
    settings::{Settings, SettingsError},
};

/// The allowed domains.
#[derive(Debug)]
pub struct SignUp {
    domains: MailDomains,
}

impl SignUp {
    /// From the environment.
    ///
    /// # Errors
    /// [`SettingsError`] names what is missing.
    pub fn from_env() -> Result<Self, SettingsError> {
        let mut settings = Settings::new();
        let domains = settings.text("ALLOWED_MAIL_DOMAINS");
        settings.finish(Self::new(&domains))
    }

    fn new(domains: &str) -> Self {
        Self { domains: MailDomains::new(domains) }
    }

    /// Lets the sign-up pass, unchanged, or refuses it.
    ///
    /// # Errors
    /// What the person is told.
    pub fn handle(&self, event: Value) -> Result<Value, Fault> {
        let by_administrator = event["triggerSource"] == "PreSignUp_AdminCreateUser";
        let email = event["request"]["userAttributes"]["email"].as_str().unwrap_or_default();
        if by_administrator || self.domains.allow(email) {
            return Ok(event);
        }
        tracing::info!("a sign-up from another mail domain is refused");
        Err(format!("Sign up with an address at {}.", self.domains).into())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_allowed_domains_sign_up() {
        let sign_up = SignUp::new("example.com, Example.org");
        let ask = |email: &str| {
            let event = json!({"triggerSource": "PreSignUp_SignUp", "request": {"userAttributes": {"email": email}}});
            sign_up.handle(event).is_ok()
        };
        for email in ["emma@example.com", "EMMA@EXAMPLE.COM", "e@example.org"] {
            assert!(ask(email), "{email}");
        }
        for email in [
            "emma@evil.com",
            "emma@sub.example.com",
            "emma@example.com.evil.com",
            "a@evil.com@example.com",
            "@example.com",
            "",
        ] {
            assert!(!ask(email), "{email}");
        }
    }
}
