//! The item of an export: what was asked for, and how far it is.

use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use slipstream_common::{
    background::Background,
    keys::{self, EXPIRES_AT, Open},
    table::{Item, StoreError, item, number},
};
use slipstream_events::{ExpenseStatus, ExportId, PersonId};

use crate::{
    archive::safe_name,
    assembly::{Checkpoint, Plan, Sizes, Step},
};

/// How long an export is kept. The bucket's lifecycle says the same.
pub const KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What kind of export it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A CSV.
    Expenses,
    /// A CSV, and zip files with it and the receipts.
    Receipts,
    /// Everything about one person.
    PersonalData,
}

/// Whose expenses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One person's.
    Own,
    /// Everyone's.
    Company,
}

/// Where an export stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has begun.
    Queued,
    /// It is being made.
    Running,
    /// The files are there.
    Done,
    /// It was given up.
    Failed,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// What kind.
    pub kind: Kind,
    /// Whose.
    pub scope: Scope,
    /// Whose, where it is one person's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonId>,
    /// From this receipt date on; none for personal data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// Up to and with this receipt date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// Only these; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statuses: Vec<ExpenseStatus>,
    /// Whether the CSV begins with a byte order mark.
    pub bom: bool,
}

/// An export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportRecord {
    /// What all background work has.
    #[serde(flatten)]
    pub background: Background,
    /// Its id.
    pub id: ExportId,
    /// Who asked for it, and alone may have it.
    pub owner: PersonId,
    /// What was asked for.
    pub wanted: Wanted,
    /// Where it stands.
    pub status: Status,
    /// Why it was given up, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// How far it is.
    #[serde(default)]
    pub checkpoint: Checkpoint,
}

impl ExportRecord {
    /// When it ceases to exist.
    pub fn expires_at(&self) -> Timestamp {
        self.background.created_at + KEPT
    }

    /// Whether somebody still has to do something for it.
    pub const fn is_open(&self) -> bool {
        matches!(self.status, Status::Queued | Status::Running)
    }

    /// The item, standing among its owner's and, until it is done, among the open work.
    ///
    /// # Errors
    /// [`StoreError::Shape`].
    pub fn to_item(&self) -> Result<Item, StoreError> {
        let id = self.id.to_string();
        let own = keys::export_of_owner(self.owner, self.background.created_at, self.id);
        let open = self.is_open().then(|| Open::Background.entry(self.background.updated_at, &id));
        let mut item = item(self, std::iter::once(own).chain(open).collect::<Vec<_>>())?;
        item.insert(EXPIRES_AT.to_owned(), number(self.expires_at().as_second()));
        Ok(item)
    }

    /// Where an object of it is in the bucket.
    pub fn object_key(&self, file: &str) -> String {
        format!("{}{}/{file}", folder_of(self.owner), self.id)
    }

    /// What it consists of. The same at every attempt.
    pub fn plan(&self) -> Plan {
        let date = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
        let range = safe_name(&format!("{} {}", date(self.wanted.from), date(self.wanted.until)));
        let archive = match self.wanted.kind {
            Kind::Expenses => None,
            Kind::Receipts => Some(format!("receipts-{range}")),
            Kind::PersonalData => Some("personal-data".to_owned()),
        };
        let table = match self.wanted.kind {
            Kind::PersonalData => "expenses.csv".to_owned(),
            _ => format!("expenses-{range}.csv"),
        };
        Plan { asked_at: self.background.created_at, bom: self.wanted.bom, archive, table, sizes: Sizes::default() }
    }

    /// How much is done, from 0 to 100: how much of the walk through the expenses lies behind, `share` being that of the
    /// walk under way. Where there are zip files, the CSV counts for a fifth. It says nothing about bytes.
    pub fn progress(&self, share: u8) -> u8 {
        let has_archive = self.wanted.kind != Kind::Expenses;
        match (self.status, self.checkpoint.step) {
            (Status::Done, _) => 100,
            (_, Step::Table) if has_archive => share / 5,
            (_, Step::Table) => share.min(99),
            (_, Step::Copy { .. } | Step::Front) => 20,
            (_, Step::Walk) => (20 + u16::from(share) * 4 / 5).min(99) as u8,
            (_, Step::Done) => 99,
        }
    }
}

/// Where a person's exports are in the bucket.
pub fn folder_of(owner: PersonId) -> String {
    format!("exports/{owner}/")
}
