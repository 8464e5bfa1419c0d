//! Which service it is, signing in and out.

use std::io::BufRead;

use crate::{
    api::Call,
    cognito::{Cognito, Step},
    context::Slip,
    failure::{Failure, Outcome},
    http::Http,
    output::{ask, can_ask},
    profile::Settings,
    views,
};

/// Where the service is.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Service {
    /// The API (output ApiUrl of the stack; SLIP_API_URL)
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,
    /// The user pool (output UserPoolId; SLIP_USER_POOL_ID)
    #[arg(long, value_name = "ID")]
    user_pool_id: Option<String>,
    /// The user pool's client (output UserPoolClientId; SLIP_CLIENT_ID)
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// Cognito, where it is not that of the pool's region (SLIP_COGNITO_URL)
    #[arg(long, value_name = "URL")]
    cognito_url: Option<String>,
}

impl Service {
    fn settings(&self) -> Settings {
        Settings {
            api_url: self.api_url.clone(),
            user_pool_id: self.user_pool_id.clone(),
            client_id: self.client_id.clone(),
            cognito_url: self.cognito_url.clone(),
            email: None,
        }
    }

    /// These, and what is known of the service where they say nothing.
    ///
    /// # Errors
    /// When it is not known.
    pub(crate) fn known(&self, slip: &Slip) -> Outcome<crate::profile::Service> {
        self.settings().or(slip.settings()?).service()
    }

    /// Keeps what is said here, once it has shown to be right. What the environment says holds as long as it says so.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub(crate) fn keep(&self, slip: &Slip, email: Option<String>) -> Outcome {
        let given = Settings { email, ..self.settings() };
        if given == Settings::default() {
            return Ok(());
        }
        slip.profile.keep_settings(&given.or(slip.profile.settings()?))
    }
}

/// `slip configure`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  slip configure --api-url https://abcdefghij.execute-api.eu-central-1.amazonaws.com/v1 \\
    --user-pool-id eu-central-1_Abc123XYZ --client-id 1example23456789")]
pub(crate) struct Configure {
    #[command(flatten)]
    service: Service,
    /// Only shows what is set, and where
    #[arg(long)]
    show: bool,
}

/// Keeps the service's addresses, or shows them.
pub(crate) fn configure(slip: &Slip, configure: Configure) -> Outcome {
    let kept = slip.profile.settings()?;
    let settings = if configure.show {
        Settings::of_environment().or(kept)
    } else {
        let settings = configure.service.settings().or(Settings::of_environment()).or(kept);
        settings.service()?;
        slip.profile.keep_settings(&settings)?;
        settings
    };
    slip.out.json_text(&serde_json::json!(settings).to_string());
    let line = |name: &str, value: &Option<String>| format!("{name:<13} {}", value.as_deref().unwrap_or("-"));
    slip.out.text(&format!(
        "{}\n{}\n{}\n{}\n{}\nKept in       {}",
        line("API", &settings.api_url),
        line("User pool", &settings.user_pool_id),
        line("Client", &settings.client_id),
        line("Cognito", &settings.cognito_url),
        line("Last sign-in", &settings.email),
        slip.profile.settings_path().display(),
    ));
    Ok(())
}

/// `slip login`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  slip login emma@example.com
  slip login emma@example.com --password-stdin <password.txt")]
pub(crate) struct Login {
    /// The address you signed up with; the last one without it
    email: Option<String>,
    /// Reads the password from the first line of stdin instead of asking
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    service: Service,
}

/// Signs in and keeps the tokens.
pub(crate) async fn login(slip: &Slip, login: Login) -> Outcome {
    let service = login.service.known(slip)?;
    let email = match login.email.or(slip.settings()?.email) {
        Some(email) => email,
        None if can_ask() && !login.password_stdin => ask("Mail address: ")?,
        None => return Err(Failure::usage("who signs in? slip login ADDRESS")),
    };
    let password =
        if login.password_stdin { password_from_stdin()? } else { ask_password(&format!("Password of {email}: "))? };
    let http = Http::new()?;
    let cognito = Cognito { http: &http, service: &service };
    let mut step = cognito.sign_in(&email, &password).await?;
    while let Step::NewPassword { session, username } = step {
        let told = "an administrator set this password, and Cognito wants one of your own";
        if login.password_stdin || !can_ask() {
            return Err(Failure::not_signed_in(format!("{told}: run slip login in a terminal to choose it")));
        }
        slip.out.note(&format!("{}{}.", told[..1].to_uppercase(), &told[1..]));
        let new = new_password(slip)?;
        step = cognito.choose_password(&username, &session, &new).await?;
    }
    let Step::SignedIn(tokens) = step else { return Err(Failure::failed("the sign-in did not end")) };
    slip.profile.keep_tokens(&tokens)?;
    login.service.keep(slip, Some(email))?;

    // The first call makes the profile; without it all others are refused.
    let answer = crate::api::Api::open(slip.profile.clone(), service)?.send(Call::get("/me")).await?;
    slip.shown(&answer, |person| format!("Signed in.\n{}", views::person(person)))
}

/// Ends the sign-in at Cognito and here.
pub(crate) async fn logout(slip: &Slip) -> Outcome {
    // Whatever can be read: a file that others could read is to be removed all the more.
    let tokens = slip.profile.tokens();
    slip.profile.forget_tokens()?;
    let Ok(Some(tokens)) = tokens else {
        slip.out.text("Nobody was signed in here, or not safely; no tokens are left on this machine.");
        return Ok(());
    };
    let Some(service) = slip.service().ok().filter(|service| service.client_id == tokens.client_id) else {
        slip.out.text("Signed out here. The sign-in was for another service and ends there by itself within 30 days.");
        return Ok(());
    };
    let http = Http::new()?;
    let cognito = Cognito { http: &http, service: &service };
    cognito.revoke(&tokens).await.map_err(|failure| {
        Failure::new(
            failure.exit,
            format!(
                "signed out on this machine, but Cognito could not be told ({failure}): the tokens are gone from here \
                 and end by themselves within 30 days"
            ),
        )
    })?;
    slip.out.text("Signed out.");
    Ok(())
}

/// The first line of stdin.
///
/// # Errors
/// When there is none.
pub(crate) fn password_from_stdin() -> Outcome<String> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| Failure::failed(format!("the password cannot be read from stdin: {error}")))?;
    not_empty(line.trim_end_matches(['\n', '\r']).to_owned())
}

/// A password that a person chooses: asked for twice.
///
/// # Errors
/// When nobody can be asked, or the two differ.
pub(crate) fn new_password(slip: &Slip) -> Outcome<String> {
    slip.out.note("A password has 12 characters or more, with upper and lower case, digits and symbols.");
    let new = ask_password("New password: ")?;
    if ask_password("Once more: ")? == new {
        Ok(new)
    } else {
        Err(Failure::usage("the two differ; nothing was changed"))
    }
}

fn ask_password(question: &str) -> Outcome<String> {
    let password = rpassword::prompt_password(question).map_err(|error| {
        Failure::usage(format!("a password cannot be asked for here ({error}): use --password-stdin"))
    })?;
    not_empty(password)
}

fn not_empty(password: String) -> Outcome<String> {
    if password.is_empty() { Err(Failure::usage("the password is empty")) } else { Ok(password) }
}
