//! The CSV of an export: RFC 4180, one row per expense, columns that keep their names and their order.
//!
//! A text that a spreadsheet would take for a formula gets an apostrophe before it
//! (<https://owasp.org/www-community/attacks/CSV_Injection>). Only texts that people write: numbers, dates, ids and fixed
//! words are written as they are, so that a refund stays a negative number.

use std::borrow::Cow;

use csv::{Terminator, WriterBuilder};
use jiff::Timestamp;
use slipstream_domain::expense::owed;
use slipstream_events::{ExpenseState, Money, PersonId};

/// What makes a spreadsheet read UTF-8 as such.
pub const BOM: &[u8] = "\u{feff}".as_bytes();

/// The columns, in their order. A new one comes last; none is renamed, moved or taken away.
pub const COLUMNS: [&str; 36] = [
    "expense_id",
    "version",
    "status",
    "owner_id",
    "owner_name",
    "owner_email",
    "merchant",
    "date",
    "category",
    "amount",
    "currency",
    "tax",
    "original_amount",
    "original_currency",
    "paid_by",
    "owed",
    "converted_amount",
    "converted_currency",
    "rate",
    "rate_base",
    "rate_quote",
    "rate_date",
    "rate_source",
    "cost_centre",
    "project",
    "note",
    "report_id",
    "report_title",
    "created_at",
    "submitted_at",
    "approved_at",
    "approved_by",
    "reimbursed_at",
    "payment_reference",
    "receipt_id",
    "findings",
];

/// An expense with everything that a row says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The expense.
    pub expense: ExpenseState,
    /// What its owner calls themselves.
    pub owner_name: Option<String>,
    /// Its owner's mail address.
    pub owner_email: Option<String>,
    /// The title of the report it belongs to.
    pub report_title: Option<String>,
    /// What its events say.
    pub trail: Trail,
}

/// When an expense came to where it is, from its events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    /// When it was last submitted.
    pub submitted_at: Option<Timestamp>,
    /// When it was approved.
    pub approved_at: Option<Timestamp>,
    /// Who approved it last.
    pub approved_by: Option<PersonId>,
    /// When it was paid out.
    pub reimbursed_at: Option<Timestamp>,
    /// The payment's reference.
    pub payment_reference: Option<String>,
}

/// What ends a cell for some reader: spreadsheets of some countries separate by semicolons and, of a file that
/// separates by commas, take quotes for ordinary characters.
const fn ends_cell(c: char) -> bool {
    matches!(c, ';' | '|' | '\t' | '\n' | '\r')
}

/// Whether a spreadsheet would take `text`, standing at the beginning of a cell, for a formula. Blanks, quotes and what
/// cannot be seen are looked through.
fn is_formula(text: &str) -> bool {
    let unseen = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}');
    let first = text.trim_start_matches(|c| unseen(c) || matches!(c, '"' | '\'' | '`' | '\u{2018}'..='\u{201f}'));
    first.starts_with([
        '=', '+', '-', '@', '＝', '＋', '－', '＠', '\u{2212}', '\u{fe63}', '\u{fe62}', '\u{fe66}', '\u{fe6b}',
    ])
}

/// Whether the text of a cell must have an apostrophe before it.
fn needs_defusing(text: &str, at_start: bool) -> bool {
    is_formula(text) || (at_start && text.trim_start_matches('\'').starts_with(['\t', '\r', '\n']))
}

/// The text with an apostrophe before everything that could be taken for a formula. [`restored`] takes them away again.
pub fn defused(text: &str) -> Cow<'_, str> {
    if !pieces(text).any(|(piece, at_start)| needs_defusing(piece, at_start)) {
        return Cow::Borrowed(text);
    }
    let mut defused = String::with_capacity(text.len() + 4);
    for (piece, at_start) in pieces(text) {
        if needs_defusing(piece, at_start) {
            defused.push('\'');
        }
        defused.push_str(piece);
    }
    Cow::Owned(defused)
}

/// The text as it was before [`defused`].
pub fn restored(text: &str) -> String {
    let restore = |(piece, at_start)| match str::strip_prefix(piece, '\'') {
        Some(rest) if needs_defusing(rest, at_start) => rest,
        _ => piece,
    };
    pieces(text).map(restore).collect()
}

/// The text's pieces, each of which some reader takes for a cell of its own.
fn pieces(text: &str) -> impl Iterator<Item = (&str, bool)> {
    text.split_inclusive(ends_cell).enumerate().map(|(at, piece)| (piece, at == 0))
}

impl Row {
    /// The cells, as many as there are [`COLUMNS`].
    fn cells(&self) -> [String; COLUMNS.len()] {
        let (expense, details, trail) = (&self.expense, &self.expense.details, &self.trail);
        let text = |text: &Option<String>| text.as_deref().map(|text| defused(text).into_owned()).unwrap_or_default();
        let amount = |money: Option<Money>| money.map(Money::to_decimal).unwrap_or_default();
        let currency = |money: Option<Money>| money.map(|money| money.currency.to_string()).unwrap_or_default();
        fn plain(value: Option<impl ToString>) -> String {
            value.map(|value| value.to_string()).unwrap_or_default()
        }
        let converted = expense.converted.as_ref();
        [
            expense.id.to_string(),
            expense.version.to_string(),
            expense.status.to_string(),
            expense.owner.to_string(),
            text(&self.owner_name),
            text(&self.owner_email),
            text(&details.merchant),
            plain(details.date),
            plain(details.category),
            amount(details.amount),
            currency(details.amount),
            amount(details.tax),
            amount(details.original_amount),
            currency(details.original_amount),
            details.paid_by.to_string(),
            amount(owed(expense)),
            amount(converted.map(|converted| converted.amount)),
            currency(converted.map(|converted| converted.amount)),
            plain(converted.map(|converted| &converted.rate)),
            plain(converted.map(|converted| converted.base)),
            plain(converted.map(|converted| converted.quote)),
            plain(converted.map(|converted| converted.date)),
            converted.map(|converted| defused(&converted.source).into_owned()).unwrap_or_default(),
            text(&details.cost_centre),
            text(&details.project),
            text(&details.note),
            plain(details.report),
            text(&self.report_title),
            expense.created_at.to_string(),
            plain(trail.submitted_at),
            plain(trail.approved_at),
            plain(trail.approved_by),
            plain(trail.reimbursed_at),
            text(&trail.payment_reference),
            plain(expense.receipt),
            expense.findings.iter().map(|finding| finding.rule.to_string()).collect::<Vec<_>>().join(" "),
        ]
    }
}

fn write<'a>(buffer: &mut Vec<u8>, cells: impl IntoIterator<Item = &'a str>) {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(buffer);
    // Writing to memory does not fail, and every record has the same length.
    let written = writer.write_record(cells).and_then(|()| Ok(writer.flush()?));
    debug_assert!(written.is_ok(), "{written:?}");
}

/// Appends the line with the columns' names.
pub fn write_header(buffer: &mut Vec<u8>) {
    write(buffer, COLUMNS);
}

/// Appends a row.
pub fn write_row(buffer: &mut Vec<u8>, row: &Row) {
    write(buffer, row.cells().iter().map(String::as_str));
}

#[cfg(test)]
pub(crate) mod tests {
    use csv::ReaderBuilder;
    use proptest::prelude::*;
    use slipstream_events::{Category, ExpenseDetails, ExpenseId, ExpenseStatus, PaidBy};

    use super::*;

    /// A row whose texts are all `text`.
    pub fn row(number: u64, text: &str) -> Row {
        let some = || Some(text.to_owned());
        let money = Some(Money::new(-1234, "EUR".parse().unwrap()));
        Row {
            expense: ExpenseState {
                id: ExpenseId::derived_from(&["export", &number.to_string()]),
                version: 7,
                owner: "0b7ad7a5-6b0f-4f0e-9c38-0d2f3f5f7a11".parse().unwrap(),
                status: ExpenseStatus::Approved,
                details: ExpenseDetails {
                    merchant: some(),
                    date: Some("2026-03-12".parse().unwrap()),
                    amount: money,
                    original_amount: Some(Money::new(-150_000, "KWD".parse().unwrap())),
                    tax: money,
                    category: Some(Category::Meals),
                    paid_by: PaidBy::OutOfPocket,
                    cost_centre: some(),
                    project: some(),
                    note: some(),
                    report: None,
                },
                receipt: None,
                review: Vec::new(),
                submission: 1,
                receipt_sha256: None,
                distinct_from: Vec::new(),
                split: None,
                findings: Vec::new(),
                converted: None,
                created_at: Timestamp::UNIX_EPOCH,
                updated_at: Timestamp::UNIX_EPOCH,
            },
            owner_name: some(),
            owner_email: some(),
            report_title: some(),
            trail: Trail { payment_reference: some(), ..Trail::default() },
        }
    }

    fn read(bytes: &[u8]) -> Vec<Vec<String>> {
        let reader = ReaderBuilder::new().has_headers(false).terminator(csv::Terminator::CRLF).from_reader(bytes);
        reader.into_records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
    }

    fn at(name: &str) -> usize {
        COLUMNS.iter().position(|column| *column == name).unwrap()
    }

    #[test]
    fn formulas_are_defused_and_negative_numbers_stay_numbers() {
        let hostile = "=HYPERLINK(\"http://evil\",\"Click\")";
        let mut buffer = Vec::new();
        write_header(&mut buffer);
        write_row(&mut buffer, &row(1, hostile));
        assert!(buffer.ends_with(b"\r\n") && !buffer.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r'));
        let records = read(&buffer);
        assert_eq!(records[0], COLUMNS);
        for text in ["merchant", "note", "owner_name", "project", "payment_reference", "report_title"] {
            assert_eq!(records[1][at(text)], format!("'{hostile}"), "{text}");
        }
        assert_eq!(records[1][at("amount")], "-12.34");
        assert_eq!(records[1][at("owed")], "-12.34");
        assert_eq!(records[1][at("original_amount")], "-150.000");
    }

    #[test]
    fn what_a_spreadsheet_looks_through_hides_nothing() {
        for hostile in [
            "=1",
            "+1",
            "-1",
            "@x",
            "\t=1",
            "\rx",
            "\nx",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            " =1",
            "\"=1",
            "'=1",
            "\u{feff}=1",
            "\u{200b}=1",
            "“=1",
            "\u{2212}1",
        ] {
            assert!(defused(hostile).starts_with('\''), "{hostile:?}");
        }
        assert_eq!(defused("a;=1+1"), "a;'=1+1", "a reader that separates by semicolons");
        assert_eq!(defused("a\n=1"), "a\n'=1");
        for harmless in ["Café", "'quoted'", "a=b", "3-course dinner", "a; b", "two\n\nlines", "", "O'Neill & Sons"] {
            assert_eq!(defused(harmless), harmless);
        }
    }

    /// Whether a reader may begin a formula with the cell: what leads there, told apart from how [`defused`] goes about it.
    fn begins_a_formula(cell: &str) -> bool {
        let looked_through =
            |c: &char| c.is_whitespace() || c.is_control() || "\"`‘’‚‛“”„‟\u{200b}\u{200d}\u{feff}".contains(*c);
        let first = cell.chars().find(|c| !looked_through(c));
        cell.starts_with(['\t', '\r', '\n']) || first.is_some_and(|first| "=+-@＝＋－＠\u{2212}".contains(first))
    }

    fn hostile_text() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            Just("=".to_owned()),
            Just("'".to_owned()),
            Just("\"".to_owned()),
            Just(",".to_owned()),
            Just(";".to_owned()),
            Just("\r\n".to_owned()),
            Just("\t".to_owned()),
            Just("＝".to_owned()),
            Just("@".to_owned()),
            Just("-".to_owned()),
            Just("+".to_owned()),
            Just(" ".to_owned()),
            Just("\u{200b}".to_owned()),
            any::<char>().prop_map(String::from),
            "[ -~]{0,8}",
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    /// Python's reader is another one than Rust's.
    #[test]
    fn python_reads_what_was_written() {
        use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
        let mut runner = TestRunner::deterministic();
        let texts: Vec<String> = (0..500).map(|_| hostile_text().new_tree(&mut runner).unwrap().current()).collect();
        let mut buffer = BOM.to_vec();
        write_header(&mut buffer);
        texts.iter().zip(0..).for_each(|(text, number)| write_row(&mut buffer, &row(number, text)));
        let path = std::env::temp_dir().join(format!("slipstream-{}.csv", uuid::Uuid::new_v4()));
        std::fs::write(&path, &buffer).unwrap();
        let script = "import csv, json, sys\n\
            rows = list(csv.DictReader(open(sys.argv[1], encoding='utf-8-sig', newline=''), strict=True))\n\
            print(json.dumps([[row['merchant'], row['note'], row['amount'], len(row)] for row in rows]))";
        let output = std::process::Command::new("python3").args(["-c", script]).arg(&path).output().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let rows: Vec<(String, String, String, usize)> = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(rows.len(), texts.len());
        for ((merchant, note, amount, columns), text) in rows.iter().zip(&texts) {
            assert_eq!((restored(merchant), restored(note)), (text.clone(), text.clone()));
            assert_eq!((amount.as_str(), *columns), ("-12.34", COLUMNS.len()));
        }
    }

    proptest! {
        #[test]
        fn hostile_text_survives_and_is_no_formula(text in hostile_text()) {
            let mut buffer = Vec::new();
            write_row(&mut buffer, &row(1, &text));
            let records = read(&buffer);
            prop_assert_eq!(records.len(), 1);
            prop_assert_eq!(records[0].len(), COLUMNS.len());
            for name in ["merchant", "note", "owner_name", "owner_email", "cost_centre", "report_title"] {
                let cell = &records[0][at(name)];
                prop_assert_eq!(restored(cell), text.as_str());
                // Whatever a reader takes for the end of a cell. Where a cell of the file begins, a line break does, too.
                prop_assert!(!begins_a_formula(cell), "{:?}", cell);
                for piece in cell.split([';', '|', '\t', '\n', '\r']) {
                    prop_assert!(piece.is_empty() || !begins_a_formula(piece), "{:?}", cell);
                }
            }
            prop_assert_eq!(&records[0][at("amount")], "-12.34");
        }
    }
}
