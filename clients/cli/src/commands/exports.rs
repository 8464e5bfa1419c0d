//! Exports: asked for, waited for, fetched.

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;
use jiff::civil::Date;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    api::{Api, Call},
    context::{Paging, Slip},
    failure::{Failure, Outcome},
    fields::{date, word},
    transfer::{self, Downloaded, Remote},
    views,
};

/// How often is asked how far it is.
const POLL: Duration = Duration::from_secs(2);
/// How often a file's address is asked for anew.
const ADDRESSES: u32 = 20;

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A CSV file of expenses
    Expenses,
    /// Zip files with the receipts and the CSV file
    Receipts,
    /// Everything that is kept of a person
    PersonalData,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Expenses => "expenses",
            Self::Receipts => "receipts",
            Self::PersonalData => "personal_data",
        }
    }
}

/// `slip export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A download that broke off goes on where it stopped: slip export --id expt_…

Examples:
  slip export --from 2026-01-01 --until 2026-03-31
  slip export --kind receipts --company --from 2026-03-01 --until 2026-03-31 --output march
  slip export --kind personal-data
  slip export --id expt_…
  slip export --list")]
pub(crate) struct Export {
    /// What to export
    #[arg(long, value_enum, default_value_t = Kind::Expenses)]
    kind: Kind,
    /// The first day; needed but for personal data, which are exported whole
    #[arg(long, value_name = "DATE", value_parser = date)]
    from: Option<Date>,
    /// The last day; likewise
    #[arg(long, value_name = "DATE", value_parser = date)]
    until: Option<Date>,
    /// Everyone's (finance); without it your own
    #[arg(long)]
    company: bool,
    /// Only expenses of this status; several times for several
    #[arg(long = "status", value_parser = word)]
    statuses: Vec<String>,
    /// Begins the CSV file with a byte order mark, as Excel likes it
    #[arg(long)]
    bom: bool,
    /// Whose personal data, by id or mail address (administrators); your own without it
    #[arg(long)]
    person: Option<String>,
    /// Goes on with an export that was asked for before
    #[arg(long, value_parser = export_id, conflicts_with_all = ["from", "until", "company", "statuses", "bom", "person", "list"])]
    id: Option<String>,
    /// Lists your exports
    #[arg(long)]
    list: bool,
    /// Where the files go
    #[arg(long, short, default_value = ".", value_name = "FOLDER")]
    output: PathBuf,
    /// Replaces files of the same name
    #[arg(long)]
    force: bool,
    /// Does not wait: fetch it later with --id
    #[arg(long)]
    no_wait: bool,
    /// How long to wait, in seconds
    #[arg(long, default_value_t = 3600, value_name = "SECONDS")]
    timeout: u64,
    #[command(flatten)]
    paging: Paging,
}

fn export_id(text: &str) -> Result<String, String> {
    let plain = text.strip_prefix("expt_").is_some_and(|id| {
        !id.is_empty() && id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    if plain { Ok(text.to_owned()) } else { Err(format!("`{text}` is no export's id; one begins with expt_")) }
}

/// Asks for an export or goes on with one; waits; fetches its files.
pub(crate) async fn run(slip: &Slip, export: Export) -> Outcome {
    if export.list {
        let view = |exports: &[Value]| exports.iter().map(views::export).collect::<Vec<_>>().join("\n");
        return slip.list(Call::get("/exports"), "exports", &export.paging, view, "There are no exports.").await;
    }
    check(&export)?;
    let api = slip.api()?;
    let id = match &export.id {
        Some(id) => id.clone(),
        None => {
            let asked = api.send(Call::post("/exports", &order(&api, &export).await?)).await?;
            let answer = crate::api::parse(&asked)?;
            if export.no_wait {
                slip.out.answer(&asked, || {
                    format!(
                        "{}\nFetch it with: slip export --id {}",
                        views::export(&answer),
                        views::text(&answer, "id")
                    )
                });
                return Ok(());
            }
            answer["id"].as_str().map(ToOwned::to_owned).ok_or_else(|| Failure::failed("the export has no id"))?
        }
    };
    let finished = wait(slip, &api, &id, export.no_wait, Duration::from_secs(export.timeout)).await?;
    let value = crate::api::parse(&finished)?;
    if value["status"] != "done" {
        slip.out.answer(&finished, || views::export(&value));
        return Ok(());
    }
    transfer::make_folder(&export.output).await?;
    let count = value["files"].as_array().map_or(0, Vec::len);
    for index in 0..count {
        let path = fetch(slip, &api, &id, index, &export).await?;
        slip.out.text(&path.display().to_string());
    }
    slip.out.json_text(&finished.body);
    slip.out.text(&format!(
        "{} rows, {count} {}",
        views::text(&value, "rows"),
        if count == 1 { "file" } else { "files" }
    ));
    Ok(())
}

/// Personal data are exported whole; everything else is of a range of days.
fn check(export: &Export) -> Outcome {
    let dated = export.from.is_some() || export.until.is_some();
    if export.kind == Kind::PersonalData {
        let others =
            [(dated, "--from and --until"), (export.company, "--company"), (!export.statuses.is_empty(), "--status")];
        return match others.iter().find(|(given, _)| *given) {
            Some((_, name)) => Err(Failure::usage(format!("personal data are exported whole: leave out {name}"))),
            None => Ok(()),
        };
    }
    if export.person.is_some() {
        return Err(Failure::usage("--person is for --kind personal-data"));
    }
    if export.id.is_none() && (export.from.is_none() || export.until.is_none()) {
        return Err(Failure::usage("which days? --from 2026-03-01 --until 2026-03-31"));
    }
    Ok(())
}

async fn order(api: &Api, export: &Export) -> Outcome<Value> {
    let mut order = json!({ "kind": export.kind.name(), "scope": if export.company { "company" } else { "own" } });
    if let (Some(from), Some(until)) = (export.from, export.until) {
        order["from"] = json!(from);
        order["until"] = json!(until);
    }
    if !export.statuses.is_empty() {
        order["statuses"] = json!(export.statuses);
    }
    if export.bom {
        order["bom"] = true.into();
    }
    if let Some(person) = &export.person {
        order["person"] = json!(super::people::resolve(api, person).await?);
    }
    Ok(order)
}

async fn wait(slip: &Slip, api: &Api, id: &str, once: bool, patience: Duration) -> Outcome<crate::http::Answer> {
    let bar = slip.out.steps_bar("export", 100);
    let deadline = Instant::now() + patience;
    loop {
        let answer = api.send(Call::get(format!("/exports/{id}"))).await?;
        let export = crate::api::parse(&answer)?;
        bar.set_position(export["progress"].as_u64().unwrap_or(0));
        bar.set_message(views::text(&export, "status"));
        match export["status"].as_str() {
            Some("done") => {
                bar.finish_and_clear();
                return Ok(answer);
            }
            Some("failed") => {
                let why = views::text(&export, "failure");
                return Err(Failure::failed(format!("the export {id} failed: {why}\nAsk for a new one.")));
            }
            _ if once => return Ok(answer),
            _ if Instant::now() >= deadline => {
                return Err(Failure::unavailable(format!(
                    "the export is not ready within {} s and goes on: slip export --id {id}",
                    patience.as_secs()
                )));
            }
            _ => tokio::time::sleep(POLL).await,
        }
    }
}

/// Fetches one file; an address that ends meanwhile is asked for anew.
async fn fetch(slip: &Slip, api: &Api, id: &str, index: usize, options: &Export) -> Outcome<PathBuf> {
    for _ in 0..ADDRESSES {
        // The addresses of the files before may have taken longer than this one's holds.
        let export = api.json(Call::get(format!("/exports/{id}"))).await?;
        let remote = Remote::parse(id, &export["files"][index])
            .ok_or_else(|| Failure::failed(format!("the files of {id} are gone: ask for a new export")))?;
        let bar = slip.out.bytes_bar(&remote.name, remote.size.unwrap_or(0));
        let done = transfer::download(&api.http, &remote, &options.output, options.force, &bar).await?;
        bar.finish_and_clear();
        if done == Downloaded::There {
            return remote.path(&options.output);
        }
    }
    Err(Failure::unavailable(format!("the files' addresses end too early: slip export --id {id}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exports_id_is_no_path() {
        assert!(export_id("expt_0123456789abcdef0123456789abcdef").is_ok());
        for wrong in ["", "expt_", "exp_1", "expt_../me", "expt_a?b"] {
            assert!(export_id(wrong).is_err(), "{wrong}");
        }
    }
}
