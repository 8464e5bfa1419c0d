//! A CSV directory of people: read, checked, put in an order that works, sent in parts.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use serde_json::{Map, Value, json};

use crate::{
    api::Call,
    commands::read_text,
    context::Slip,
    failure::{Exit, Failure, Outcome},
    output::{Align, Table},
    views::text,
};

/// How many rows one request may carry.
const ROWS: usize = 100;
/// The columns that are known.
const COLUMNS: [&str; 7] = ["email", "name", "manager_email", "currency", "locale", "active", "roles"];

/// `slip people import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Import {
    /// The file; `-` for stdin
    file: PathBuf,
    /// Only checks the file and shows what would be sent
    #[arg(long)]
    dry_run: bool,
}

/// A row and the line it begins on.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    line: u64,
    person: Map<String, Value>,
}

impl Row {
    fn email(&self) -> &str {
        self.person["email"].as_str().unwrap_or_default()
    }

    fn manager(&self) -> Option<&str> {
        self.person.get("manager_email")?.as_str()
    }
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wrong {
    line: u64,
    message: String,
}

/// Checks a directory and sends it.
pub(crate) async fn import(slip: &Slip, import: Import) -> Outcome {
    let (rows, wrong) = parse(&read_text(&import.file)?)
        .map_err(|message| Failure::refused(format!("{}: {message}", import.file.display())))?;
    for Wrong { line, message } in &wrong {
        slip.out.note(&format!("line {line}: {message}"));
    }
    let rows = managers_first(rows);
    if import.dry_run {
        let people: Vec<&Map<String, Value>> = rows.iter().map(|row| &row.person).collect();
        slip.out.json_text(&json!({ "people": people }).to_string());
        slip.out.text(&format!("{} rows would be sent, {} are not valid.", rows.len(), wrong.len()));
        return outcome(wrong.len());
    }
    if !wrong.is_empty() {
        return Err(Failure::refused(format!(
            "{} of {} rows are not valid; nothing was sent",
            wrong.len(),
            wrong.len() + rows.len()
        )));
    }

    let api = slip.api()?;
    let bar = slip.out.steps_bar("people", rows.len() as u64);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut refused = Table::new(&[("LINE", Align::Right), ("EMAIL", Align::Left), ("WHY", Align::Left)]);
    for part in rows.chunks(ROWS) {
        let people: Vec<&Map<String, Value>> = part.iter().map(|row| &row.person).collect();
        let answer = api.send(Call::post("/people/import", &json!({ "people": people }))).await?;
        slip.out.json_text(&answer.body);
        let results = crate::api::parse(&answer)?;
        let results = results["results"].as_array().cloned().unwrap_or_default();
        if results.len() != part.len() {
            return Err(Failure::failed(format!(
                "the service answered for {} of {} rows from line {} on: run the command again",
                results.len(),
                part.len(),
                part[0].line
            )));
        }
        for (row, result) in part.iter().zip(&results) {
            let outcome = text(result, "outcome");
            if outcome == "invalid" {
                refused.row([row.line.to_string(), row.email().to_owned(), text(result, "reason")]);
            }
            *counts.entry(outcome).or_default() += 1;
        }
        bar.inc(part.len() as u64);
    }
    bar.finish_and_clear();
    let told: Vec<String> = counts.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    slip.out.text(&format!("{}.", told.join(", ")));
    let invalid = counts.get("invalid").copied().unwrap_or(0);
    if invalid > 0 {
        slip.out.note(&refused.render(""));
    }
    outcome(invalid)
}

fn outcome(invalid: usize) -> Outcome {
    if invalid == 0 { Ok(()) } else { Err(Failure::new(Exit::Refused, "")) }
}

/// The rows that are valid, and what is wrong with the others.
fn parse(csv: &str) -> Result<(Vec<Row>, Vec<Wrong>), String> {
    // One kind of line end: the reader's count of lines goes by one of the two characters.
    let csv = csv.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(csv.as_bytes());
    let heading = reader.headers().map_err(|error| format!("is no CSV: {error}"))?.clone();
    let columns: Vec<String> = heading.iter().map(str::to_ascii_lowercase).collect();
    if let Some(other) = columns.iter().find(|column| !COLUMNS.contains(&column.as_str())) {
        return Err(format!("has a column `{other}`; there are {}", COLUMNS.join(", ")));
    }
    if columns.iter().collect::<BTreeSet<_>>().len() != columns.len() {
        return Err("has a column twice".to_owned());
    }
    if !columns.iter().any(|column| column == "email") {
        return Err("has no column `email`".to_owned());
    }
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    let mut seen = BTreeMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(0, csv::Position::line);
                wrong.push(Wrong { line, message: "has another number of cells than the heading".to_owned() });
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let cells = columns.iter().map(String::as_str).zip(record.iter());
        match person(cells) {
            Ok(person) => {
                let row = Row { line, person };
                if let Some(first) = seen.insert(row.email().to_lowercase(), line) {
                    wrong.push(Wrong { line, message: format!("{} stands on line {first} already", row.email()) });
                } else {
                    rows.push(row);
                }
            }
            Err(message) => wrong.push(Wrong { line, message }),
        }
    }
    if rows.is_empty() && wrong.is_empty() {
        return Err("has no rows".to_owned());
    }
    Ok((rows, wrong))
}

fn person<'a>(cells: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Map<String, Value>, String> {
    let mut person = Map::new();
    for (column, cell) in cells.filter(|(_, cell)| !cell.is_empty()) {
        let value = match column {
            "email" | "manager_email" => address(column, cell)?.into(),
            "currency" => match cell.to_ascii_uppercase().parse::<slipstream_events::Currency>() {
                Ok(currency) => json!(currency),
                Err(error) => return Err(format!("currency: {error}")),
            },
            "active" => match cell.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => true.into(),
                "false" | "no" | "0" => false.into(),
                _ => return Err(format!("active: `{cell}` is neither true nor false")),
            },
            "roles" => {
                let roles: Vec<String> = cell.split([';', ' ']).map(|role| role.trim().to_ascii_lowercase()).collect();
                let roles: Vec<String> = roles.into_iter().filter(|role| !role.is_empty()).collect();
                if let Some(other) = roles.iter().find(|role| !matches!(role.as_str(), "finance" | "administrator")) {
                    return Err(format!("roles: there is no role `{other}`; there are finance and administrator"));
                }
                json!(roles)
            }
            _ => cell.into(),
        };
        person.insert(column.to_owned(), value);
    }
    match person.get("email") {
        None => Err("email: is missing".to_owned()),
        Some(email) if person.get("manager_email") == Some(email) => {
            Err("manager_email: nobody is their own manager".to_owned())
        }
        Some(_) => Ok(person),
    }
}

fn address(column: &str, cell: &str) -> Result<String, String> {
    let parts = cell.split_once('@').filter(|(name, domain)| {
        !name.is_empty() && domain.contains('.') && !domain.contains('@') && !cell.contains(char::is_whitespace)
    });
    match parts {
        Some(_) if cell.len() <= 254 => Ok(cell.to_lowercase()),
        _ => Err(format!("{column}: `{cell}` is no mail address")),
    }
}

/// Managers before those they manage, so that each is known when named; otherwise in the file's order. Those who manage
/// each other in a circle come last: the service says what is wrong with them.
fn managers_first(rows: Vec<Row>) -> Vec<Row> {
    let mut waiting = rows;
    let mut placed = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let absent: BTreeSet<String> = waiting.iter().map(|row| row.email().to_owned()).collect();
        let (ready, rest): (Vec<Row>, Vec<Row>) =
            waiting.into_iter().partition(|row| row.manager().is_none_or(|manager| !absent.contains(manager)));
        if ready.is_empty() {
            placed.extend(rest);
            break;
        }
        placed.extend(ready);
        waiting = rest;
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_what_the_api_takes() {
        let csv = "\u{feff}Email,name,manager_email,currency,active,roles\r\n\
                   Emma@Example.com,\"Employee, Emma\",mark@example.com,chf,,\r\n\
                   mark@example.com,Mark,,,yes,finance; administrator\r\n";
        let (rows, wrong) = parse(csv).unwrap();
        assert_eq!(wrong, []);
        let rows = managers_first(rows);
        assert_eq!(
            json!(rows.iter().map(|row| &row.person).collect::<Vec<_>>()),
            json!([
                {"email": "mark@example.com", "name": "Mark", "active": true, "roles": ["finance", "administrator"]},
                {"email": "emma@example.com", "name": "Employee, Emma", "manager_email": "mark@example.com", "currency": "CHF"},
            ])
        );
        assert_eq!(rows[1].line, 2);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let csv = "email,manager_email,currency,active,roles\n\
                   no address,,,,\n\
                   a@example.com,a@example.com,,,\n\
                   b@example.com,,XYZ,,\n\
                   c@example.com,,,perhaps,\n\
                   d@example.com,,,,boss\n\
                   ,,,,finance\n\
                   e@example.com,,,\n\
                   f@example.com,,,,\n\
                   F@example.com,,,,\n";
        let (rows, wrong) = parse(csv).unwrap();
        assert_eq!(rows.len(), 1);
        let told: Vec<String> = wrong.iter().map(|wrong| format!("{}: {}", wrong.line, wrong.message)).collect();
        for (told, expected) in told.iter().zip([
            "2: email: `no address` is no mail address",
            "3: manager_email: nobody is their own manager",
            "4: currency:",
            "5: active: `perhaps`",
            "6: roles: there is no role `boss`",
            "7: email: is missing",
            "8: has another number of cells",
            "10: f@example.com stands on line 9 already",
        ]) {
            assert!(told.starts_with(expected), "{told}");
        }
        assert_eq!(wrong.len(), 8);
    }

    #[test]
    fn a_file_that_is_no_directory_is_refused() {
        for (csv, says) in [
            ("name\nx\n", "no column `email`"),
            ("email,phone\n", "a column `phone`"),
            ("email\n", "no rows"),
            ("", "email"),
        ] {
            let message = parse(csv).unwrap_err();
            assert!(message.contains(says), "{message}");
        }
    }

    #[test]
    fn a_circle_of_managers_ends() {
        let row = |email: &str, manager: &str| {
            let person = json!({ "email": email, "manager_email": manager });
            Row { line: 1, person: person.as_object().unwrap().clone() }
        };
        let rows = managers_first(vec![row("a", "b"), row("b", "a"), row("c", "d"), row("d", "e")]);
        assert_eq!(rows.iter().map(Row::email).collect::<Vec<_>>(), ["d", "c", "a", "b"]);
    }
}
