//! Who calls: the claims of an ID token, and the profile that says whether they still may.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use slipstream_events::{PersonId, Role};

use crate::{http::Request, problem::Problem, records::PersonRecord, store::Store};

/// Who the ID token says is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The `sub` claim.
    pub person: PersonId,
    /// The `email` claim.
    pub email: String,
    /// Whether its mailbox has confirmed the address: the `email_verified` claim.
    pub email_verified: bool,
    /// When the token was made: the `iat` claim. What changed after that, it does not know.
    pub issued_at: Option<Timestamp>,
    /// The `name` claim.
    pub name: Option<String>,
    /// The roles that the `cognito:groups` claim gives.
    pub roles: Vec<Role>,
}

/// The caller, from the claims that the authorizer verified. Access tokens are refused.
///
/// # Errors
/// 401.
pub fn identity(request: &Request) -> Result<Identity, Problem> {
    let claims = &request.request_context.authorizer.claims;
    let text = |name: &str| claims.get(name).and_then(serde_json::Value::as_str);
    if text("token_use") != Some("id") {
        return Err(Problem::unauthenticated("Send the ID token, not the access token, in the Authorization header."));
    }
    let person = text("sub")
        .and_then(|sub| sub.parse().ok())
        .ok_or_else(|| Problem::unauthenticated("The ID token names no person."))?;
    let email = text("email").ok_or_else(|| Problem::unauthenticated("The ID token names no mail address."))?;
    let mut roles = Vec::new();
    // The gateway gives the groups as a list, or as text separated by commas or blanks.
    let groups = claims.get("cognito:groups").map(ToString::to_string).unwrap_or_default();
    for group in groups.split([',', ' ', '[', ']', '"']) {
        match group {
            "finance" => roles.push(Role::Finance),
            "administrators" => roles.push(Role::Administrator),
            _ => {}
        }
    }
    roles.sort();
    roles.dedup();
    Ok(Identity {
        person,
        email: email.to_owned(),
        email_verified: claims.get("email_verified").is_some_and(|value| value == true || value == "true"),
        issued_at: claims.get("iat").and_then(instant),
        name: text("name").map(str::to_owned),
        roles,
    })
}

/// An instant among the claims: seconds since 1970 as a number or text, or, as the gateway writes them for a Cognito
/// authorizer, `Wed Aug 10 15:32:34 UTC 2022`.
fn instant(claim: &serde_json::Value) -> Option<Timestamp> {
    let seconds = claim.as_i64().or_else(|| claim.as_str()?.parse().ok());
    if let Some(seconds) = seconds {
        return Timestamp::from_second(seconds).ok();
    }
    let written = DateTime::strptime("%a %b %d %H:%M:%S UTC %Y", claim.as_str()?).ok()?;
    Some(written.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The caller's profile. Whether a person is active is read on every call, not believed from a token minted an hour
/// ago. Only then is the form of what they ask looked at.
///
/// # Errors
/// 401 without an ID token; 403 when the person is deactivated or has no profile yet; as [`Request::check_form`].
pub async fn authenticate(request: &Request, store: &Store) -> Result<PersonRecord, Problem> {
    let identity = identity(request)?;
    let person = store.person(identity.person).await?;
    let person = person.ok_or_else(|| Problem::forbidden("no-profile", "Call GET /me once: it makes your profile."))?;
    if !person.state.active {
        return Err(Problem::forbidden("deactivated", "Your account is deactivated. Ask an administrator."));
    }
    // Roles are what the token's groups say, as long as the profile has them too: both must agree.
    let mut person = person;
    person.state.roles.retain(|role| identity.roles.contains(role));
    request.check_form()?;
    Ok(person)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(claims: serde_json::Value) -> Request {
        serde_json::from_value(json!({
            "httpMethod": "GET", "resource": "/", "requestContext": {"authorizer": {"claims": claims}},
        }))
        .unwrap()
    }

    #[test]
    fn the_time_of_a_token_is_read_in_every_form() {
        let expected: Timestamp = "2022-08-10T15:32:34Z".parse().unwrap();
        for claim in [json!(1_660_145_554), json!("1660145554"), json!("Wed Aug 10 15:32:34 UTC 2022")] {
            assert_eq!(instant(&claim), Some(expected), "{claim}");
        }
        assert_eq!(instant(&json!("yesterday")), None);
    }

    #[test]
    fn only_an_id_token_identifies() {
        let claims = |token_use: &str, groups: serde_json::Value| json!({"token_use": token_use, "sub": "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11", "email": "e@example.com", "cognito:groups": groups});
        assert_eq!(identity(&request(claims("access", json!("")))).unwrap_err().status, 401);
        assert_eq!(identity(&request(json!({}))).unwrap_err().status, 401);
        for groups in
            [json!("finance,administrators"), json!(["administrators", "finance"]), json!("[finance administrators]")]
        {
            let who = identity(&request(claims("id", groups))).unwrap();
            assert_eq!(who.roles, [Role::Finance, Role::Administrator]);
        }
        for groups in ["financeX", "emea.finance", "finance:read", "no-administrators"] {
            assert_eq!(identity(&request(claims("id", json!(groups)))).unwrap().roles, [], "{groups}");
        }
    }
}
