//! The command line: one module per subject.

mod account;
mod approvals;
mod budgets;
mod expenses;
mod exports;
mod people;
mod policy;
mod rates;
mod receipts;
mod reports;
mod session;
mod snap;

use std::{
    io::{Read, Write},
    path::Path,
};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    context::Slip,
    failure::{Failure, Outcome},
};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed for another reason than those below
  2  the command line is wrong
  3  not signed in, or not any more: slip login
  4  there is no such thing, or it is not yours
  5  refused by a rule or a validation, or changed meanwhile
  6  the service cannot be reached or did not answer in time

With --json every answer of the API is one line on stdout, as the API gave it,
and so is the problem document of an error. Remarks and progress go to stderr.
Set NO_COLOR for no colours.";

/// Slipstream on the command line: receipts in, decisions out
#[derive(Debug, Parser)]
#[command(name = "slip", version, max_term_width = 100, after_long_help = EXIT_CODES)]
#[command(after_help = "`slip --help` tells the exit codes; `slip help COMMAND` has examples.")]
pub(crate) struct Cli {
    /// Which settings and sign-in to use
    #[arg(
        long,
        global = true,
        env = "SLIP_PROFILE",
        default_value = "default",
        value_name = "NAME",
        display_order = 900
    )]
    pub(crate) profile: String,
    /// Answers as the API gave them, one per line
    #[arg(long, global = true, display_order = 901)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Says which service this is
    Configure(session::Configure),
    /// Makes your account; a code is mailed
    SignUp(account::SignUp),
    /// Sets a new password where the old one is forgotten
    ResetPassword(account::ResetPassword),
    /// Signs in; the password is proved and not sent (SRP)
    Login(session::Login),
    /// Signs out here, and ends what the sign-in gave
    Logout,
    /// Sends receipts and shows the drafts that come of them
    Snap(snap::Snap),
    /// Lists expenses, the newest first
    List(expenses::List),
    /// Shows an expense: what was said, what was read, what to look at
    Show(expenses::Show),
    /// Drafts an expense by hand
    New(expenses::New),
    /// Changes what is said of an expense
    Edit(expenses::Edit),
    /// Deletes drafts
    Delete(expenses::Ids),
    /// Splits an expense into several
    Split(expenses::Split),
    /// Attaches a receipt to an expense
    Attach(expenses::Attach),
    /// Takes the receipt off an expense
    Detach(expenses::Id),
    /// Asks for approval
    Submit(expenses::Ids),
    /// Takes submissions back
    Withdraw(expenses::Ids),
    /// Shows everything that happened to an expense
    History(expenses::History),
    /// Records that approved expenses were paid out (finance)
    Reimburse(expenses::Reimburse),
    /// Says that expenses are no duplicates
    NotDuplicate(expenses::Ids),
    /// Looks at receipts
    #[command(subcommand)]
    Receipt(receipts::Receipt),
    /// Expenses that are submitted together
    #[command(subcommand)]
    Report(reports::Report),
    /// Makes CSV and zip files and fetches them
    Export(exports::Export),
    /// Lists what waits for your decision
    Approvals(approvals::Approvals),
    /// Approves submissions
    Approve(approvals::Decide),
    /// Rejects submissions, finally
    Reject(approvals::Decide),
    /// Sends submissions back to be changed
    RequestChanges(approvals::Decide),
    /// Your own profile
    Me(people::Me),
    /// Who approves for whom (administrators)
    #[command(subcommand)]
    People(people::People),
    /// The rules that finance sets
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Exchange rates
    #[command(subcommand)]
    Rates(rates::Rates),
    /// Budgets per category
    #[command(subcommand)]
    Budgets(budgets::Budgets),
    /// What was spent, by month, category and currency
    Spend(budgets::Spend),
    /// Prints completions for a shell
    ///
    /// Example: slip completions bash > ~/.local/share/bash-completion/completions/slip
    Completions {
        /// Which shell
        shell: Shell,
    },
}

/// Runs a command.
///
/// # Errors
/// What went wrong, with its exit code.
pub(crate) async fn run(slip: &Slip, command: Command) -> Outcome {
    match command {
        Command::Configure(configure) => session::configure(slip, configure),
        Command::SignUp(sign_up) => account::sign_up(slip, sign_up).await,
        Command::ResetPassword(reset) => account::reset_password(slip, reset).await,
        Command::Login(login) => session::login(slip, login).await,
        Command::Logout => session::logout(slip).await,
        Command::Snap(snap) => snap::snap(slip, snap).await,
        Command::List(list) => expenses::list(slip, list).await,
        Command::Show(show) => expenses::show(slip, show).await,
        Command::New(new) => expenses::new(slip, new).await,
        Command::Edit(edit) => expenses::edit(slip, edit).await,
        Command::Delete(ids) => expenses::delete(slip, ids).await,
        Command::Split(split) => expenses::split(slip, split).await,
        Command::Attach(attach) => expenses::attach(slip, attach).await,
        Command::Detach(id) => expenses::detach(slip, id).await,
        Command::Submit(ids) => expenses::act(slip, ids, "submit").await,
        Command::Withdraw(ids) => expenses::act(slip, ids, "withdraw").await,
        Command::History(history) => expenses::history(slip, history).await,
        Command::Reimburse(reimburse) => expenses::reimburse(slip, reimburse).await,
        Command::NotDuplicate(ids) => expenses::act(slip, ids, "not-duplicate").await,
        Command::Receipt(receipt) => receipts::run(slip, receipt).await,
        Command::Report(report) => reports::run(slip, report).await,
        Command::Export(export) => exports::run(slip, export).await,
        Command::Approvals(approvals) => approvals::list(slip, approvals).await,
        Command::Approve(decide) => approvals::decide(slip, decide, "approve").await,
        Command::Reject(decide) => approvals::decide(slip, decide, "reject").await,
        Command::RequestChanges(decide) => approvals::decide(slip, decide, "request_changes").await,
        Command::Me(me) => people::me(slip, me).await,
        Command::People(people) => people::run(slip, people).await,
        Command::Policy(policy) => policy::run(slip, policy).await,
        Command::Rates(rates) => rates::run(slip, rates).await,
        Command::Budgets(budgets) => budgets::run(slip, budgets).await,
        Command::Spend(spend) => budgets::spend(slip, spend).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "slip", &mut script);
            // Whoever closed the pipe does not want it.
            let _ = std::io::stdout().write_all(&script);
            Ok(())
        }
    }
}

/// The largest file that is taken: far above any directory of people or file of rates.
const LARGEST_TEXT: u64 = 64 * 1024 * 1024;

/// A file's text; `-` is stdin.
///
/// # Errors
/// When it cannot be read, is no UTF-8, or is larger than any such file.
pub(crate) fn read_text(path: &Path) -> Outcome<String> {
    let read = |reader: &mut dyn Read| {
        let mut text = String::new();
        reader.take(LARGEST_TEXT + 1).read_to_string(&mut text).map(|_| text)
    };
    let text = if path == Path::new("-") {
        read(&mut std::io::stdin().lock())
    } else {
        std::fs::File::open(path).and_then(|mut file| read(&mut file))
    };
    let text = text.map_err(|error| Failure::failed(format!("cannot read {}: {error}", path.display())))?;
    if text.len() as u64 > LARGEST_TEXT {
        return Err(Failure::refused(format!("{} is larger than 64 MiB: send it in parts", path.display())));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
