//! The four people every world starts with, and its operator.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    aws::{Account, Credentials},
    client::{Client, Session},
};

/// The password of everyone seeded. The world listens on this machine only and is gone when it stops.
pub const PASSWORD: &str = "Laptop-only-1";

/// Someone who can sign in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Person {
    /// `employee`, `manager`, `finance` or `administrator`.
    pub role: String,
    /// The full name.
    pub name: String,
    /// The address to sign in with.
    pub email: String,
    /// The id in the API: the subject of the ID token.
    pub id: String,
}

struct Seed {
    role: &'static str,
    name: &'static str,
    email: &'static str,
    group: Option<&'static str>,
}

const SEEDS: [Seed; 4] = [
    Seed { role: "employee", name: "Emma Employee", email: "emma.employee@example.com", group: None },
    Seed { role: "manager", name: "Mark Manager", email: "mark.manager@example.com", group: None },
    Seed { role: "finance", name: "Fiona Finance", email: "fiona.finance@example.com", group: Some("finance") },
    Seed {
        role: "administrator",
        name: "Ada Administrator",
        email: "ada.administrator@example.com",
        group: Some("administrators"),
    },
];

/// Who is whose manager, by role.
const MANAGERS: [(&str, &str); 2] = [("employee", "manager"), ("manager", "finance")];

/// Creates the four, lets each sign in once (which makes the profile), and has the administrator name the managers.
///
/// # Errors
/// What Cognito or the API says.
pub async fn seed(account: &Account, client: &Client, pool: &str) -> Result<Vec<Person>> {
    let sessions = futures_util::future::try_join_all(SEEDS.iter().map(async |seed| {
        create(account, pool, seed).await.with_context(|| format!("cannot create {}", seed.email))?;
        let session = client.sign_in(seed.email, PASSWORD).await?;
        session.get("/me").await?.expect(200).with_context(|| format!("{} has no profile", seed.email))?;
        anyhow::Ok(session)
    }))
    .await?;
    let session = |role: &str| -> Result<&Session> {
        let index = SEEDS.iter().position(|seed| seed.role == role).context("no such role")?;
        sessions.get(index).context("no such session")
    };
    for (role, manager) in MANAGERS {
        session("administrator")?.name_manager(&session(role)?.person_id, &session(manager)?.person_id).await?;
    }
    let person = |(seed, session): (&Seed, &Session)| Person {
        role: seed.role.to_owned(),
        name: seed.name.to_owned(),
        email: seed.email.to_owned(),
        id: session.person_id.clone(),
    };
    Ok(SEEDS.iter().zip(&sessions).map(person).collect())
}

/// Makes a user of the account who may do what the stack's policy for operators allows, and nothing else; their key.
///
/// # Errors
/// What IAM says.
pub async fn operator(account: &Account, policy: &str) -> Result<Credentials> {
    const NAME: &str = "operator";
    let iam = async |operation: &str, more: &[(&str, &str)]| {
        account.query("iam", "2010-05-08", operation, &[&[("UserName", NAME)], more].concat()).await
    };
    iam("CreateUser", &[]).await?;
    iam("AttachUserPolicy", &[("PolicyArn", policy)]).await?;
    let key = iam("CreateAccessKey", &[]).await?;
    let part = |name: &str| {
        let text = key.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split('<').next());
        text.map(ToOwned::to_owned).with_context(|| format!("the operator's key has no {name}"))
    };
    Ok(Credentials { access_key_id: part("AccessKeyId")?, secret_access_key: part("SecretAccessKey")? })
}

/// As an administrator of the pool would: created, confirmed, with a permanent password and without a mail.
async fn create(account: &Account, pool: &str, seed: &Seed) -> Result<()> {
    let call = async |operation: &str, mut input: serde_json::Value| {
        input["UserPoolId"] = pool.into();
        input["Username"] = seed.email.into();
        account.call("cognito-idp", &format!("AWSCognitoIdentityProviderService.{operation}"), &input).await
    };
    let attribute = |name: &str, value: &str| json!({ "Name": name, "Value": value });
    let attributes =
        [attribute("email", seed.email), attribute("email_verified", "true"), attribute("name", seed.name)];
    call("AdminCreateUser", json!({ "UserAttributes": attributes, "MessageAction": "SUPPRESS" })).await?;
    call("AdminSetUserPassword", json!({ "Password": PASSWORD, "Permanent": true })).await?;
    if let Some(group) = seed.group {
        call("AdminAddUserToGroup", json!({ "GroupName": group })).await?;
    }
    Ok(())
}
