//! The item of an export: what was asked for, and how far it is.

use jiff::{SignedDuration, Span, Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use slipstream_common::{
    background::Background,
    keys::{self, EXPIRES_AT, Index, Open},
    records::PersonRecord,
    table::{IndexQuery, Item, StoreError, item, number},
};
use slipstream_events::{ExpenseStatus, ExportId, PersonId, Role};

use crate::{
    archive::safe_name,
    assembly::{Checkpoint, Place, Plan, Sizes, Step},
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

/// What of the whole company is exported if nothing else is asked for: all that was ever submitted and not taken back.
const SUBMITTED: [ExpenseStatus; 5] = [
    ExpenseStatus::Submitted,
    ExpenseStatus::ChangesRequested,
    ExpenseStatus::Approved,
    ExpenseStatus::Rejected,
    ExpenseStatus::Reimbursed,
];

impl Wanted {
    /// The index partitions to walk through, in this order: one person's expenses by date, and those that they deleted where
    /// everything is wanted; everyone's by month, within a month by status, within a status by date.
    pub fn lists(&self) -> Vec<IndexQuery> {
        let (from, until) = (self.from.map(keys::from_date), self.until.map(keys::until_date));
        let of = |index, pk| IndexQuery { from: from.clone(), until: until.clone(), ..IndexQuery::of(index, pk) };
        match (self.scope, self.person, self.from, self.until) {
            (Scope::Own, Some(person), ..) => {
                let deleted = (self.kind == Kind::PersonalData)
                    .then(|| of(Index::Approver, keys::expenses_of_status(person, ExpenseStatus::Deleted)));
                std::iter::once(of(Index::Owner, keys::expenses_of(person))).chain(deleted).collect()
            }
            (Scope::Company, _, Some(from), Some(until)) => {
                let statuses = if self.statuses.is_empty() { &SUBMITTED[..] } else { &self.statuses };
                let months = std::iter::successors(Some(from.first_of_month()), |month| {
                    month.checked_add(Span::new().months(1)).ok().filter(|month| *month <= until)
                });
                let partition = |(month, status): (Date, &ExpenseStatus)| {
                    of(Index::Day, keys::expenses_of_month(&month.strftime("%Y-%m").to_string(), *status))
                };
                months.flat_map(|month| statuses.iter().map(move |status| (month, status))).map(partition).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Which role `me` needs to have it: finance for everyone's, administrator for what is known of somebody else.
    pub fn needs(&self, me: PersonId) -> Option<Role> {
        match (self.scope, self.person) {
            (Scope::Company, _) => Some(Role::Finance),
            (Scope::Own, Some(person)) if person != me => Some(Role::Administrator),
            (Scope::Own, _) => None,
        }
    }

    /// Whether an expense that stands in one of the lists is wanted.
    pub fn wants(&self, status: ExpenseStatus) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&status)
    }

    /// How much of the lists lies before `place`, in percent; by days where there is one list only.
    fn share(&self, place: &Place) -> u64 {
        let lists = self.lists().len();
        if lists > 1 {
            return (place.list * 100 / lists) as u64;
        }
        let at = place.after.as_deref().and_then(|after| after.get(..10)?.parse::<Date>().ok());
        let (Some(at), Some(from), Some(until)) = (at, self.from, self.until) else { return 0 };
        let days = |from: Date, until: Date| u64::try_from(from.duration_until(until).as_hours() / 24).unwrap_or(0);
        days(from, at) * 100 / (days(from, until) + 1)
    }
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
    /// Whether the person may still have what they asked for: roles may have been taken away since.
    pub fn is_for(&self, person: &PersonRecord) -> bool {
        let state = &person.state;
        let needed = self.wanted.needs(self.owner);
        state.id == self.owner && state.active && needed.is_none_or(|role| state.roles.contains(&role))
    }

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

    /// How much is done, from 0 to 100: how many of the days that were asked for lie behind at the last checkpoint. Where
    /// there are zip files, the CSV counts for a fifth. It says nothing about bytes.
    pub fn progress(&self) -> u8 {
        let share = self.wanted.share(&self.checkpoint.place);
        let has_archive = self.wanted.kind != Kind::Expenses;
        let percent = match (self.status, self.checkpoint.step) {
            (Status::Done, _) => return 100,
            (_, Step::Table) if has_archive => share / 5,
            (_, Step::Table) => share,
            (_, Step::Copy { .. } | Step::Front) => 20,
            (_, Step::Walk) => 20 + share * 4 / 5,
            (_, Step::Rest | Step::Done) => 99,
        };
        u8::try_from(percent.min(99)).unwrap_or(99)
    }
}

/// Where a person's exports are in the bucket.
pub fn folder_of(owner: PersonId) -> String {
    format!("exports/{owner}/")
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn wanted(scope: Scope) -> Wanted {
        Wanted {
            kind: Kind::Expenses,
            scope,
            person: Some("0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap()),
            from: Some(date(2025, 12, 15)),
            until: Some(date(2026, 2, 3)),
            statuses: Vec::new(),
            bom: false,
        }
    }

    #[test]
    fn the_company_is_walked_through_month_by_month() {
        let mut company = wanted(Scope::Company);
        let lists = company.lists();
        assert_eq!(lists.len(), 3 * SUBMITTED.len());
        assert_eq!(lists[0].pk, "MONTH#2025-12#submitted");
        assert_eq!(lists.last().unwrap().pk, "MONTH#2026-02#reimbursed");
        assert!(lists.iter().all(|list| list.from.as_deref() == Some("2025-12-15")), "days outside are left out");
        company.statuses = vec![ExpenseStatus::Approved];
        assert_eq!(company.lists().len(), 3);
        assert!(!lists.iter().any(|list| list.pk.contains("draft")));
    }

    #[test]
    fn progress_counts_days_or_lists() {
        let own = wanted(Scope::Own);
        let place = |list, after: &str| Place { list, after: Some(after.to_owned()) };
        assert_eq!(own.lists()[0].pk, "OWNER#0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11");
        assert_eq!(own.share(&Place::default()), 0);
        assert_eq!(own.share(&place(0, "2026-01-09#exp_1")), 49);
        assert_eq!(own.share(&place(0, "2026-02-03#exp_1")), 98);
        assert_eq!(wanted(Scope::Company).share(&place(14, "2026-02-03#exp_1")), 93);
    }
}
