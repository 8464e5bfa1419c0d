//! Signing in: Cognito's unsigned calls, as any client may make them.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{
    failure::{Exit, Failure, Outcome},
    http::{Http, Request},
    profile::{Service, Tokens},
    srp::{self, Attempt, Challenge},
};

const PATIENCE: Duration = Duration::from_secs(20);

/// How a sign-in goes on.
#[derive(Debug)]
pub(crate) enum Step {
    /// It is done.
    SignedIn(Tokens),
    /// An administrator gave the password; a new one is wanted.
    NewPassword {
        /// Continues this sign-in.
        session: String,
        /// Who it is, as the pool says it.
        username: String,
    },
}

/// The user pool.
pub(crate) struct Cognito<'a> {
    /// How it is reached.
    pub(crate) http: &'a Http,
    /// Which one it is.
    pub(crate) service: &'a Service,
}

/// Cognito's word for what is wrong.
struct Refusal {
    kind: String,
    message: String,
}

impl Refusal {
    fn failure(self) -> Failure {
        let failed = |message: &str| Failure::not_signed_in(message.to_owned());
        let refused = |message: &str| Failure::refused(message.to_owned());
        match self.kind.as_str() {
            "NotAuthorizedException" if self.message.contains("disabled") => {
                failed("this account is disabled: ask an administrator")
            }
            "NotAuthorizedException" if self.message.contains("attempts") => {
                failed("too many wrong passwords: wait a few minutes and sign in again")
            }
            "NotAuthorizedException" if self.message.contains("CONFIRMED") => {
                refused("this sign-up is finished already: slip login, or slip reset-password")
            }
            "NotAuthorizedException" | "UserNotFoundException" => {
                failed("the address or the password is wrong (or nobody has signed up with this address)")
            }
            "UserNotConfirmedException" => {
                failed("the sign-up is not finished: slip sign-up ADDRESS --code CODE, with the code from the mail")
            }
            "PasswordResetRequiredException" => {
                failed("an administrator asks for a new password: slip reset-password ADDRESS")
            }
            "UsernameExistsException" | "AliasExistsException" => {
                refused("there is an account with this address already: slip login, or slip reset-password")
            }
            "CodeMismatchException" => refused("this is not the code: take the one from the latest mail"),
            "ExpiredCodeException" => {
                refused("the code holds no longer: have another one mailed (sign-up --resend, reset-password)")
            }
            "InvalidPasswordException" => Failure::refused(format!("the new password: {}", self.message)),
            // What our own trigger says stands behind Cognito's words.
            "UserLambdaValidationException" => {
                let (_, said) = self.message.rsplit_once(" with error ").unwrap_or(("", &self.message));
                Failure::refused(said)
            }
            "InvalidParameterException" => Failure::refused(self.message),
            "ResourceNotFoundException" => {
                Failure::usage("there is no such user pool client: check --client-id and --user-pool-id")
            }
            "TooManyRequestsException"
            | "LimitExceededException"
            | "InternalErrorException"
            | "CodeDeliveryFailureException" => {
                Failure::unavailable(format!("Cognito: {}; wait a moment and repeat", self.message))
            }
            _ => Failure::new(Exit::NotSignedIn, format!("Cognito refuses: {} ({})", self.message, self.kind)),
        }
    }
}

impl Cognito<'_> {
    /// Signs in by SRP: the password is proved and not sent.
    ///
    /// # Errors
    /// When Cognito refuses, or asks something that this program cannot answer.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Outcome<Step> {
        let attempt = Attempt::new();
        let input = json!({
            "AuthFlow": "USER_SRP_AUTH",
            "AuthParameters": { "USERNAME": email, "SRP_A": attempt.public() },
        });
        let asked = self.call("InitiateAuth", input).await?.map_err(Refusal::failure)?;
        if asked["ChallengeName"] != "PASSWORD_VERIFIER" {
            return self.step(&asked);
        }
        let parameter = |name: &str| asked["ChallengeParameters"][name].as_str().unwrap_or_default();
        let challenge = Challenge {
            pool: &self.service.pool,
            user: parameter("USER_ID_FOR_SRP"),
            salt: parameter("SALT"),
            server: parameter("SRP_B"),
            secret_block: parameter("SECRET_BLOCK"),
        };
        let timestamp = srp::timestamp(Timestamp::now());
        let proof = attempt.prove(&challenge, password, &timestamp).ok_or_else(|| {
            Failure::failed("the server's sign-in challenge is none that Cognito sends: check --cognito-url")
        })?;
        // The pool's own name of the person: an address is only an alias of it.
        let username = Some(parameter("USERNAME")).filter(|name| !name.is_empty()).unwrap_or(challenge.user);
        let mut input = json!({
            "ChallengeName": "PASSWORD_VERIFIER",
            "ChallengeResponses": {
                "USERNAME": username,
                "PASSWORD_CLAIM_SECRET_BLOCK": challenge.secret_block,
                "PASSWORD_CLAIM_SIGNATURE": proof,
                "TIMESTAMP": timestamp,
            },
        });
        if let Some(session) = asked["Session"].as_str() {
            input["Session"] = session.into();
        }
        let answer = self.call("RespondToAuthChallenge", input).await?.map_err(Refusal::failure)?;
        self.step(&answer)
    }

    /// Sets the password that Cognito asks for, and signs in with it.
    ///
    /// # Errors
    /// When Cognito refuses, for example because it is too weak.
    pub(crate) async fn choose_password(&self, username: &str, session: &str, password: &str) -> Outcome<Step> {
        let input = json!({
            "ChallengeName": "NEW_PASSWORD_REQUIRED",
            "Session": session,
            "ChallengeResponses": { "USERNAME": username, "NEW_PASSWORD": password },
        });
        let answer = self.call("RespondToAuthChallenge", input).await?.map_err(Refusal::failure)?;
        self.step(&answer)
    }

    /// A new ID token for the refresh token; `login` is how one signs in anew.
    ///
    /// # Errors
    /// When it holds no longer, or was revoked.
    pub(crate) async fn refresh(&self, tokens: &Tokens, login: &str) -> Outcome<Tokens> {
        let input = json!({
            "AuthFlow": "REFRESH_TOKEN_AUTH",
            "AuthParameters": { "REFRESH_TOKEN": tokens.refresh_token },
        });
        let answer = self.call("InitiateAuth", input).await?.map_err(|refusal| match refusal.kind.as_str() {
            "NotAuthorizedException" => Failure::not_signed_in(format!("the sign-in has ended: {login}")),
            _ => refusal.failure(),
        })?;
        self.tokens(&answer, Some(&tokens.refresh_token))
    }

    /// Makes an account, and has a code mailed.
    ///
    /// # Errors
    /// When Cognito refuses: the address is taken or not of the company, or the password is too weak.
    pub(crate) async fn sign_up(&self, email: &str, name: Option<&str>, password: &str) -> Outcome {
        let attribute = |name: &str, value: &str| json!({ "Name": name, "Value": value });
        let attributes: Vec<Value> =
            [attribute("email", email)].into_iter().chain(name.map(|name| attribute("name", name))).collect();
        let input = json!({ "Username": email, "Password": password, "UserAttributes": attributes });
        self.act("SignUp", input).await
    }

    /// Has another code mailed.
    ///
    /// # Errors
    /// When Cognito refuses.
    pub(crate) async fn resend_code(&self, email: &str) -> Outcome {
        self.act("ResendConfirmationCode", json!({ "Username": email })).await
    }

    /// Finishes a sign-up by the mailed code.
    ///
    /// # Errors
    /// When it is not the code.
    pub(crate) async fn confirm_sign_up(&self, email: &str, code: &str) -> Outcome {
        self.act("ConfirmSignUp", json!({ "Username": email, "ConfirmationCode": code })).await
    }

    /// Has a code for a new password mailed.
    ///
    /// # Errors
    /// When Cognito refuses.
    pub(crate) async fn forgot_password(&self, email: &str) -> Outcome {
        self.act("ForgotPassword", json!({ "Username": email })).await
    }

    /// Sets a new password by the mailed code.
    ///
    /// # Errors
    /// When it is not the code, or the password is too weak.
    pub(crate) async fn reset_password(&self, email: &str, code: &str, password: &str) -> Outcome {
        let input = json!({ "Username": email, "ConfirmationCode": code, "Password": password });
        self.act("ConfirmForgotPassword", input).await
    }

    async fn act(&self, operation: &str, input: Value) -> Outcome {
        self.call(operation, input).await?.map(drop).map_err(Refusal::failure)
    }

    /// Ends a refresh token and all that came of it.
    ///
    /// # Errors
    /// When Cognito cannot be told.
    pub(crate) async fn revoke(&self, tokens: &Tokens) -> Outcome {
        self.act("RevokeToken", json!({ "Token": tokens.refresh_token })).await
    }

    fn step(&self, answer: &Value) -> Outcome<Step> {
        match answer["ChallengeName"].as_str() {
            None => self.tokens(answer, None).map(Step::SignedIn),
            Some("NEW_PASSWORD_REQUIRED") => Ok(Step::NewPassword {
                session: answer["Session"].as_str().unwrap_or_default().to_owned(),
                username: answer["ChallengeParameters"]["USER_ID_FOR_SRP"].as_str().unwrap_or_default().to_owned(),
            }),
            Some(other) => Err(Failure::not_signed_in(format!(
                "this account needs a step that slip does not know ({other}): use the web client, or ask an administrator"
            ))),
        }
    }

    fn tokens(&self, answer: &Value, refresh_token: Option<&str>) -> Outcome<Tokens> {
        let result = &answer["AuthenticationResult"];
        let token = |name: &str| result[name].as_str();
        let (Some(id_token), Some(refresh_token)) = (token("IdToken"), token("RefreshToken").or(refresh_token)) else {
            return Err(Failure::failed("Cognito's answer has no tokens: check --cognito-url and --client-id"));
        };
        Ok(Tokens {
            api_url: self.service.api_url.clone(),
            client_id: self.service.client_id.clone(),
            expires_at: expiry(id_token)
                .ok_or_else(|| Failure::failed("Cognito's ID token is none: check --cognito-url"))?,
            id_token: id_token.to_owned(),
            refresh_token: refresh_token.to_owned(),
        })
    }

    async fn call(&self, operation: &str, mut input: Value) -> Outcome<Result<Value, Refusal>> {
        input["ClientId"] = self.service.client_id.as_str().into();
        let request = Request::new(Method::POST, &self.service.cognito_url)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("AWSCognitoIdentityProviderService.{operation}"))
            .body(input.to_string());
        let answer = self.http.send(request, PATIENCE).await.map_err(|error| Failure::unavailable(error.0))?;
        let body: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if answer.status == 200 {
            return Ok(Ok(body));
        }
        let kind = body["__type"].as_str().unwrap_or_default();
        if kind.is_empty() {
            return Err(Failure::new(Exit::of_status(answer.status), format!("Cognito answered {}", answer.status)));
        }
        let message = body["message"].as_str().or(body["Message"].as_str()).unwrap_or_default();
        Ok(Err(Refusal {
            kind: kind.rsplit('#').next().unwrap_or(kind).to_owned(),
            message: message.trim_end_matches('.').to_owned(),
        }))
    }
}

/// When a token ends, by its own word: checking its signature is the API's business.
fn expiry(token: &str) -> Option<Timestamp> {
    let payload = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    Timestamp::from_second(claims["exp"].as_i64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_when_it_ends() {
        let token = format!("e30.{}.x", BASE64_URL_SAFE_NO_PAD.encode(r#"{"exp":1773309600}"#));
        assert_eq!(expiry(&token), Some("2026-03-12T10:00:00Z".parse().unwrap()));
        assert_eq!(expiry("no token"), None);
    }
}
