use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;
use crate::cells::tests::row;

/// `count` expenses in two lists, the same at every reading.
#[derive(Default)]
struct Walk {
    count: u64,
    page: u64,
    receipt: usize,
    /// Changed after the export was asked for, all of them.
    changed: bool,
    faults: Faults,
}

/// Fails the call with this number, and counts.
#[derive(Default)]
struct Faults {
    calls: AtomicUsize,
    at: Option<usize>,
}

impl Faults {
    /// A call: whether it fails before it has an effect, or after it.
    fn call(&self) -> (Result<()>, Result<()>) {
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        let fail =
            |fails: bool| if fails { Err(WorkError::Unavailable("the fake", "told to".to_owned())) } else { Ok(()) };
        (fail(self.at == Some(2 * number)), fail(self.at == Some(2 * number + 1)))
    }
}

/// How many receipts belong to no expense.
const REST: u64 = 3;
const CHANGED_AT: &str = "2026-01-01T00:00:00Z";
const TEXT: &str = "=Café \"Zürich\", 12 people; two\nlines";

impl Source for Walk {
    async fn page(&self, place: &Place) -> Result<Page> {
        let (before, _) = self.faults.call();
        before?;
        let half = self.count / 2;
        let (begin, end) = if place.list == 0 { (0, half) } else { (half, self.count) };
        let from = place.after.as_ref().map_or(begin, |after| after.parse::<u64>().unwrap() + 1);
        let until = (from + self.page).min(end);
        let after = |n: u64| Place { list: place.list, after: Some(n.to_string()) };
        let expense = |n| {
            let updated_at = if self.changed { CHANGED_AT.parse().unwrap() } else { Timestamp::UNIX_EPOCH };
            ExpenseState { updated_at, ..row(n, TEXT).expense }
        };
        let expenses = (from..until).map(|n| (expense(n), after(n))).collect();
        let next = match (until < end, place.list) {
            (true, _) => Some(after(until - 1)),
            (false, 0) => Some(Place { list: 1, after: None }),
            (false, _) => None,
        };
        Ok(Page { expenses, next })
    }

    async fn rows(&self, expenses: Vec<ExpenseState>) -> Result<Vec<Option<Row>>> {
        Ok(expenses.into_iter().map(|expense| Some(Row { expense, ..row(0, TEXT) })).collect())
    }

    async fn front(&self) -> Result<Vec<Entry>> {
        Ok(vec![Entry { name: "profile.json".to_owned(), modified: Timestamp::UNIX_EPOCH, bytes: b"{}".to_vec() }])
    }

    async fn entries(&self, expense: &ExpenseState) -> Result<Vec<Entry>> {
        let (before, _) = self.faults.call();
        before?;
        let bytes = expense.id.to_string().into_bytes().into_iter().cycle().take(self.receipt).collect();
        let name = format!("receipts/2026-03-12_cafe_{}.jpg", expense.id);
        Ok(vec![Entry { name, modified: Timestamp::UNIX_EPOCH, bytes }])
    }

    async fn rest(&self, place: &Place) -> Result<Option<(Vec<Entry>, Place)>> {
        let (before, _) = self.faults.call();
        before?;
        let number = place.after.as_ref().map_or(0, |after| after.parse::<u64>().unwrap() + 1);
        if number >= REST {
            return Ok(None);
        }
        let entry = Entry {
            name: format!("receipts/{number}.jpg"),
            modified: Timestamp::UNIX_EPOCH,
            bytes: vec![b'r'; self.receipt],
        };
        Ok(Some((vec![entry], Place { list: 0, after: Some(number.to_string()) })))
    }
}

/// A bucket in memory that takes what S3 takes, and nothing else.
#[derive(Default)]
struct Memory {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    uploads: Mutex<BTreeMap<String, BTreeMap<usize, Vec<u8>>>>,
    largest: AtomicUsize,
    least_part: usize,
    faults: Faults,
}

impl Memory {
    fn finished(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.files.lock().unwrap();
        files.iter().filter(|(name, _)| !name.starts_with("work/")).map(|(n, b)| (n.clone(), b.clone())).collect()
    }
}

impl Files for Memory {
    async fn begin(&self, file: &str) -> Result<String> {
        let (before, after) = self.faults.call();
        before?;
        let mut uploads = self.uploads.lock().unwrap();
        let upload = format!("{file}/{}", uploads.len());
        uploads.insert(upload.clone(), BTreeMap::new());
        after.map(|()| upload)
    }

    async fn part(&self, _: &str, upload: &str, number: usize, bytes: &[u8]) -> Result<Part> {
        let (before, after) = self.faults.call();
        before?;
        self.largest.fetch_max(bytes.len(), Ordering::Relaxed);
        let mut uploads = self.uploads.lock().unwrap();
        uploads.get_mut(upload).expect("there is such an upload").insert(number, bytes.to_vec());
        after.map(|()| Part { etag: format!("{:08x}", crc32fast::hash(bytes)), crc32: String::new() })
    }

    async fn complete(&self, file: &str, upload: &str, parts: &[Part]) -> Result<()> {
        let (before, after) = self.faults.call();
        before?;
        let Some(uploaded) = self.uploads.lock().unwrap().remove(upload) else {
            assert!(self.files.lock().unwrap().contains_key(file), "a completed upload has left its file");
            return Ok(());
        };
        let mut whole = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            let bytes = &uploaded[&(at + 1)];
            assert_eq!(part.etag, format!("{:08x}", crc32fast::hash(bytes)), "the part is the one that was noted");
            assert!(at + 1 == parts.len() || bytes.len() >= self.least_part, "only the last part may be small");
            whole.extend(bytes);
        }
        self.files.lock().unwrap().insert(file.to_owned(), whole);
        after
    }

    async fn put(&self, file: &str, bytes: &[u8]) -> Result<()> {
        let (before, after) = self.faults.call();
        before?;
        self.largest.fetch_max(bytes.len(), Ordering::Relaxed);
        self.files.lock().unwrap().insert(file.to_owned(), bytes.to_vec());
        after
    }

    async fn read(&self, file: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
        let (before, _) = self.faults.call();
        before?;
        let files = self.files.lock().unwrap();
        let bytes = files.get(file).expect("there is such a file");
        let offset = usize::try_from(offset).unwrap();
        Ok(bytes[offset..bytes.len().min(offset.saturating_add(length))].to_vec())
    }
}

/// Keeps the last checkpoint in the form in which the table has it.
#[derive(Default)]
struct Notes {
    last: Option<String>,
    saves: usize,
    /// Dies at every checkpoint once it is written.
    dies: bool,
}

impl Ledger for Notes {
    async fn save(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let before = self.read();
        assert_eq!(checkpoint.number, before.number + 1, "checkpoints follow each other");
        self.last = Some(serde_json::to_string(checkpoint).unwrap());
        self.saves += 1;
        if self.dies { Err(WorkError::Unavailable("the fake", "dies".to_owned())) } else { Ok(()) }
    }
}

impl Notes {
    fn read(&self) -> Checkpoint {
        self.last.as_ref().map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default()
    }
}

fn plan(archive: bool, part: usize, limits: Limits) -> Plan {
    Plan {
        asked_at: Timestamp::UNIX_EPOCH,
        bom: true,
        archive: archive.then(|| "receipts".to_owned()),
        table: "expenses.csv".to_owned(),
        sizes: Sizes { part, archive: limits },
    }
}

/// Works until it is finished, however often the worker dies; how many workers it took.
async fn to_the_end(plan: &Plan, walk: &Walk, memory: &Memory, notes: &mut Notes, in_time: impl Fn() -> bool) -> usize {
    for workers in 1..100_000 {
        let checkpoint = notes.read();
        let Ok(assembly) = Assembly::resume(plan, walk, memory, notes, checkpoint).await else { continue };
        if matches!(assembly.run(&in_time).await, Ok(End::Finished)) {
            return workers;
        }
    }
    panic!("it does not come to an end");
}

/// The CSV fits, and what is not the CSV fills several files.
const SMALL: Limits = Limits { bytes: 40_000, entries: 12 };

async fn undisturbed(archive: bool, count: u64, part: usize, changed: bool) -> (BTreeMap<String, Vec<u8>>, usize) {
    let walk = Walk { count, page: 7, receipt: 150, changed, ..Walk::default() };
    let memory = Memory { least_part: part, ..Memory::default() };
    let workers = to_the_end(&plan(archive, part, SMALL), &walk, &memory, &mut Notes::default(), || true).await;
    assert_eq!(workers, 1);
    let calls = memory.faults.calls.load(Ordering::Relaxed).max(walk.faults.calls.load(Ordering::Relaxed));
    (memory.finished(), calls)
}

#[tokio::test]
async fn a_fault_at_any_call_before_or_after_its_effect_changes_no_byte() {
    let cases = [(false, 700, false), (true, 700, false), (true, 1_000_000, false), (true, 700, true)];
    for (archive, part, changed) in cases {
        let (wanted, calls) = undisturbed(archive, 40, part, changed).await;
        for at in 0..2 * calls {
            for in_the_walk in [false, true] {
                let faults = |own: bool| Faults { at: (own == in_the_walk).then_some(at), ..Faults::default() };
                let walk = Walk { count: 40, page: 7, receipt: 150, changed, faults: faults(true) };
                let memory = Memory { least_part: part, faults: faults(false), ..Memory::default() };
                let mut notes = Notes::default();
                to_the_end(&plan(archive, part, SMALL), &walk, &memory, &mut notes, || true).await;
                assert!(memory.finished() == wanted, "fault {at}, in the walk: {in_the_walk}, changed: {changed}");
                assert_eq!(notes.read().rows, 40);
            }
        }
    }
}

#[tokio::test]
async fn a_worker_without_time_gets_on_and_changes_no_byte() {
    for (archive, part) in [(false, 700), (true, 700), (true, 1_000_000)] {
        let (wanted, _) = undisturbed(archive, 40, part, false).await;
        let walk = Walk { count: 40, page: 7, receipt: 150, ..Walk::default() };
        let memory = Memory { least_part: part, ..Memory::default() };
        // Each worker has time for a single row or receipt.
        let asked = AtomicUsize::new(0);
        let in_time = || asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let workers = to_the_end(&plan(archive, part, SMALL), &walk, &memory, &mut Notes::default(), in_time).await;
        assert!(workers > 20, "{workers}");
        assert!(memory.finished() == wanted);
    }
}

#[tokio::test]
async fn a_hundred_thousand_rows_are_never_in_memory() {
    let walk = || Walk { count: 100_000, page: 100, receipt: 0, ..Walk::default() };
    let plan = plan(false, PART, Limits::default());
    let memory = Memory { least_part: PART, ..Memory::default() };
    to_the_end(&plan, &walk(), &memory, &mut Notes::default(), || true).await;
    let whole = memory.finished().remove("expenses.csv").unwrap();
    let largest = memory.largest.load(Ordering::Relaxed);
    assert!(whole.len() > 5 * PART, "{}", whole.len());
    assert!(largest < PART + 4096, "the buffer held {largest} bytes");
    let mut reader = csv::Reader::from_reader(&whole[cells::BOM.len()..]);
    let mut number = 0;
    for record in reader.records() {
        assert_eq!(&record.unwrap()[0], row(number, TEXT).expense.id.to_string());
        number += 1;
    }
    assert_eq!(number, 100_000);

    // The worker is killed after every checkpoint.
    let memory = Memory { least_part: PART, ..Memory::default() };
    let mut notes = Notes { dies: true, ..Notes::default() };
    let workers = to_the_end(&plan, &walk(), &memory, &mut notes, || true).await;
    assert!(workers > 5 && workers == notes.saves + 1, "{workers}");
    assert!(memory.finished().remove("expenses.csv").unwrap() == whole);
}

#[tokio::test]
async fn zip_files_are_split_and_every_reader_finds_what_is_in_them() {
    let walk = Walk { count: 60, page: 7, receipt: 150, ..Walk::default() };
    let memory = Memory { least_part: 700, ..Memory::default() };
    let limits = Limits { bytes: 60_000, entries: 20 };
    to_the_end(&plan(true, 700, limits), &walk, &memory, &mut Notes::default(), || true).await;
    let files = memory.finished();
    let table = &files["expenses.csv"];
    let mut names = Vec::new();
    let archives: Vec<_> = files.iter().filter(|(name, _)| name.ends_with(".zip")).collect();
    assert!(archives.len() > 3, "{}", archives.len());
    for (number, (name, bytes)) in archives.iter().enumerate() {
        assert_eq!(**name, format!("receipts-{}.zip", number + 1));
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        for at in 0..archive.len() {
            let mut entry = archive.by_index(at).unwrap();
            let mut content = Vec::new();
            // The reader checks the CRC.
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            let entry_name = entry.name().unwrap().into_owned();
            match entry_name.as_str() {
                "expenses.csv" => assert!(content == *table),
                "profile.json" => assert_eq!(content, b"{}"),
                _ => assert_eq!(content.len(), 150),
            }
            assert!(entry.enclosed_name().is_some(), "{entry_name}");
            names.push(entry_name);
        }
        assert!(archive.len() <= 20 && bytes.len() <= 60_000, "{name}: {}", bytes.len());
    }
    assert_eq!(names[..2], ["expenses.csv", "profile.json"]);
    assert_eq!(names.len(), 65);
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 65, "none is there twice");
    python_agrees(archives[0].1);
}

/// Python's reader is another one than Rust's.
fn python_agrees(archive: &[u8]) {
    let path = std::env::temp_dir().join(format!("slipstream-{}.zip", uuid::Uuid::new_v4()));
    std::fs::write(&path, archive).unwrap();
    let output = std::process::Command::new("python3").args(["-m", "zipfile", "-t"]).arg(&path).output();
    std::fs::remove_file(&path).unwrap();
    let output = output.unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"Done testing"), "{output:?}");
}

#[tokio::test]
async fn what_changes_while_it_is_walked_is_there_once() {
    struct Moving(Walk);
    impl Source for Moving {
        async fn page(&self, place: &Place) -> Result<Page> {
            let mut page = self.0.page(place).await?;
            // The first expense of the first list has moved on to the second one.
            let mut moved = row(0, TEXT).expense;
            moved.updated_at = CHANGED_AT.parse().unwrap();
            match (place.list, &place.after) {
                (0, None) => page.expenses[0].0 = moved,
                (1, None) => page.expenses.insert(0, (moved, Place { list: 1, after: Some("9".to_owned()) })),
                _ => {}
            }
            Ok(page)
        }
        async fn rows(&self, expenses: Vec<ExpenseState>) -> Result<Vec<Option<Row>>> {
            self.0.rows(expenses).await
        }
        async fn front(&self) -> Result<Vec<Entry>> {
            self.0.front().await
        }
        async fn entries(&self, expense: &ExpenseState) -> Result<Vec<Entry>> {
            self.0.entries(expense).await
        }
        async fn rest(&self, place: &Place) -> Result<Option<(Vec<Entry>, Place)>> {
            self.0.rest(place).await
        }
    }
    let source = Moving(Walk { count: 20, page: 50, receipt: 10, ..Walk::default() });
    let (memory, mut notes) = (Memory::default(), Notes::default());
    let plan = plan(true, 1_000_000, Limits::default());
    let assembly = Assembly::resume(&plan, &source, &memory, &mut notes, Checkpoint::default()).await.unwrap();
    assert_eq!(assembly.run(|| true).await.unwrap(), End::Finished);
    assert_eq!(notes.read().rows, 20);
    let archive = memory.finished().remove("receipts-1.zip").unwrap();
    assert_eq!(zip::ZipArchive::new(std::io::Cursor::new(archive)).unwrap().len(), 25);
}

#[tokio::test]
async fn a_csv_that_fits_no_zip_file_stands_beside_them() {
    for receipt in [150, 0] {
        let walk = Walk { count: 40, page: 7, receipt, ..Walk::default() };
        let memory = Memory::default();
        let limits = Limits { bytes: 1000, entries: 100 };
        to_the_end(&plan(true, 700, limits), &walk, &memory, &mut Notes::default(), || true).await;
        let files = memory.finished();
        assert!(files["expenses.csv"].len() > 1000);
        for (name, bytes) in files.iter().filter(|(name, _)| name.ends_with(".zip")) {
            assert!(bytes.len() <= 1000, "{name}: {}", bytes.len());
            let archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
            assert!(!archive.is_empty() && archive.index_for_name("expenses.csv").is_none(), "{name}");
        }
    }
}
