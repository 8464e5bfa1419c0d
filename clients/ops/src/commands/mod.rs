//! The command line: one module per subject.

mod dlq;
mod health;
mod replay;
mod republish;
mod trace;

use clap::{Parser, Subcommand};
use slipstream_common::keys::Key;

use crate::{failure::Outcome, output::Out, stack::Stack};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed for another reason than those below
  2  the command line is wrong
  3  no AWS credentials, or they may not do this
  4  there is no such thing
  5  refused: it would do harm, or cannot be done as things stand
  6  AWS cannot be reached or did not answer in time
  7  health found something degraded

Credentials and region are those of the AWS SDKs: AWS_PROFILE, AWS_REGION and so
on. The stack's output OperatorPolicyArn allows all of it. With --json answers are
JSON on stdout, one value a line. Times are UTC. Set NO_COLOR for no colours.";

/// Slipstream for operators: what happened, what is stuck, and how to mend it
#[derive(Debug, Parser)]
#[command(name = "slip-ops", version, max_term_width = 100, after_long_help = EXIT_CODES)]
#[command(after_help = "`slip-ops --help` tells the exit codes; `slip-ops help COMMAND` has examples.")]
pub(crate) struct Cli {
    /// The CloudFormation stack
    #[arg(
        long,
        global = true,
        env = "SLIP_STACK",
        default_value = "slipstream",
        value_name = "NAME",
        display_order = 900
    )]
    pub(crate) stack: String,
    /// Answers as JSON, one value a line
    #[arg(long, global = true, display_order = 901)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Says what is degraded right now; exit code 7 if anything is
    Health(health::Health),
    /// Shows everything that happened to something, as one timeline
    Trace(trace::Trace),
    /// Dead-letter queues and what was set aside
    #[command(subcommand)]
    Dlq(dlq::Dlq),
    /// Delivers events of the past again, to consumers that you choose
    #[command(subcommand)]
    Replay(replay::Replay),
    /// Publishes events again that were never seen delivered, or those of one subject
    Republish(republish::Republish),
}

/// Runs a command.
///
/// # Errors
/// What went wrong, with its exit code.
pub(crate) async fn run(out: &Out, cli: Cli) -> Outcome {
    // What is wrong with the command line alone is told without asking AWS.
    match &cli.command {
        Command::Replay(replay) => replay.check()?,
        Command::Republish(republish) => republish.check()?,
        Command::Dlq(dlq) => dlq.check()?,
        Command::Health(_) | Command::Trace(_) => {}
    }
    let stack = Stack::find(&cli.stack).await?;
    match cli.command {
        Command::Health(health) => health::run(out, &stack, health).await,
        Command::Trace(trace) => trace::run(out, &stack, trace).await,
        Command::Dlq(dlq) => dlq::run(out, &stack, dlq).await,
        Command::Replay(replay) => replay::run(out, &stack, replay).await,
        Command::Republish(republish) => republish::run(out, &stack, republish).await,
    }
}

/// Says which items among the events are none.
fn note_unreadable(out: &Out, no_events: &[Key]) {
    for key in no_events {
        out.note(&format!("{} / {} cannot be read as an event and is left out", key.pk, key.sk));
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
