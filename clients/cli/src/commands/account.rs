//! Accounts: signing up, and a new password where the old one is forgotten. Cognito mails the codes.

use crate::{
    cognito::Cognito,
    commands::session::{Service, new_password, password_from_stdin},
    context::Slip,
    failure::Outcome,
    http::Http,
    output::{ask, can_ask},
};

/// `slip sign-up`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Asks for a password, has a code mailed, and asks for it. Without a terminal, in two steps.

Examples:
  slip sign-up emma@example.com --name 'Emma Employee'
  slip sign-up emma@example.com --code 123456
  slip sign-up emma@example.com --resend")]
pub(crate) struct SignUp {
    /// Your address, in a domain of the company
    email: String,
    /// What you are called
    #[arg(long, conflicts_with_all = ["code", "resend"])]
    name: Option<String>,
    /// The code from the mail, to finish a sign-up
    #[arg(long)]
    code: Option<String>,
    /// Has another code mailed
    #[arg(long, conflicts_with = "code")]
    resend: bool,
    /// Reads the password from the first line of stdin instead of asking
    #[arg(long, conflicts_with_all = ["code", "resend"])]
    password_stdin: bool,
    #[command(flatten)]
    service: Service,
}

/// Makes an account, or finishes making it.
pub(crate) async fn sign_up(slip: &Slip, sign_up: SignUp) -> Outcome {
    let (service, http, email) = (sign_up.service.known(slip)?, Http::new()?, sign_up.email);
    let cognito = Cognito { http: &http, service: &service };
    let code = if sign_up.resend {
        cognito.resend_code(&email).await?;
        None
    } else if let Some(code) = sign_up.code {
        Some(code)
    } else {
        let password = if sign_up.password_stdin { password_from_stdin()? } else { new_password(slip)? };
        cognito.sign_up(&email, sign_up.name.as_deref(), &password).await?;
        None
    };
    let again = format!("slip sign-up{} {email} --code CODE", slip.profile.option());
    if code.is_none() {
        sign_up.service.keep(slip, None)?;
    }
    let Some(code) = mailed(slip, &email, code, &again)? else { return Ok(()) };
    cognito.confirm_sign_up(&email, &code).await?;
    sign_up.service.keep(slip, None)?;
    slip.out.text(&format!("Signed up. Now sign in: slip login{} {email}", slip.profile.option()));
    Ok(())
}

/// `slip reset-password`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Has a code mailed, asks for it and for a new password. Without a terminal, in two steps.

Examples:
  slip reset-password emma@example.com
  slip reset-password emma@example.com --code 123456 --password-stdin <password.txt")]
pub(crate) struct ResetPassword {
    /// The address you signed up with
    email: String,
    /// The code from the mail
    #[arg(long)]
    code: Option<String>,
    /// Reads the new password from the first line of stdin instead of asking
    #[arg(long, requires = "code")]
    password_stdin: bool,
    #[command(flatten)]
    service: Service,
}

/// Sets a new password by a mailed code.
pub(crate) async fn reset_password(slip: &Slip, reset: ResetPassword) -> Outcome {
    let (service, http, email) = (reset.service.known(slip)?, Http::new()?, reset.email);
    let cognito = Cognito { http: &http, service: &service };
    if reset.code.is_none() {
        cognito.forgot_password(&email).await?;
        reset.service.keep(slip, None)?;
    }
    let again = format!("slip reset-password{} {email} --code CODE", slip.profile.option());
    let Some(code) = mailed(slip, &email, reset.code, &again)? else { return Ok(()) };
    let password = if reset.password_stdin { password_from_stdin()? } else { new_password(slip)? };
    cognito.reset_password(&email, &code, &password).await?;
    slip.out.text(&format!("The new password holds. Now sign in: slip login{} {email}", slip.profile.option()));
    Ok(())
}

/// The code: the one given, or the one that a person types; `None` where nobody can, once it was said how to go on.
fn mailed(slip: &Slip, email: &str, given: Option<String>, again: &str) -> Outcome<Option<String>> {
    if given.is_some() {
        return Ok(given);
    }
    slip.out.note(&format!("A code was mailed to {email}, if it can be. With the code: {again}"));
    if !can_ask() {
        return Ok(None);
    }
    Ok(Some(ask("Code (empty: later): ")?).filter(|code| !code.is_empty()))
}
