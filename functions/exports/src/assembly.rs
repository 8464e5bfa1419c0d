//! Putting the files of an export together, in parts that can be resumed.
//!
//! A file is an S3 multipart upload. Rows and receipts are appended to a buffer; when it holds a part
//! ([`Sizes::part`]), the part is uploaded and a [`Checkpoint`] is written: where the walk stands, which parts there are, how
//! many rows. A worker that dies leaves its work since the last checkpoint to be done again, with the same result; one
//! whose time runs out puts the rest of the buffer aside first, so that it always gets on.
//!
//! Memory: one part, one page of the walk, and one receipt. Nothing grows with the number of expenses but the central
//! directory of one zip file, which is put aside with every checkpoint and read once, at the end of the file.
//!
//! It knows neither DynamoDB nor S3: [`Source`], [`Files`] and [`Ledger`] do.

use crc32fast::Hasher;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use slipstream_events::{ExpenseId, ExpenseState};

use crate::{
    archive::{self, Entry, Header, Limits},
    cells::{self, Row},
    error::{Result, WorkError},
};

/// The least that S3 takes as a part that is not the last
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
pub const PART: usize = 5 * 1024 * 1024;

/// Where a walk through the expenses stands: after which place of which list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Which of the walk's lists.
    pub list: usize,
    /// The last place in it that was dealt with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A page of a walk.
#[derive(Debug)]
pub struct Page {
    /// The expenses, each with the place after it.
    pub expenses: Vec<(ExpenseState, Place)>,
    /// Where the walk goes on, if it does.
    pub next: Option<Place>,
}

/// Where the contents come from.
pub trait Source {
    /// The expenses after `place`; a page may be empty and still not be the last.
    fn page(&self, place: &Place) -> impl Future<Output = Result<Page>> + Send;
    /// The rows of expenses, in their order; nothing for one that does not belong in the export.
    fn rows(&self, expenses: Vec<ExpenseState>) -> impl Future<Output = Result<Vec<Option<Row>>>> + Send;
    /// What stands at the beginning of the first zip file.
    fn front(&self) -> impl Future<Output = Result<Vec<Entry>>> + Send;
    /// What a zip file holds of an expense.
    fn entries(&self, expense: &ExpenseState) -> impl Future<Output = Result<Vec<Entry>>> + Send;
    /// What comes after `place` and belongs to no expense, and the place after it; nothing at the end.
    fn rest(&self, place: &Place) -> impl Future<Output = Result<Option<(Vec<Entry>, Place)>>> + Send;
}

/// An uploaded part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// What S3 calls it.
    pub etag: String,
    /// Its CRC-32, in base64 of the bytes from high to low.
    pub crc32: String,
}

/// Where files go.
pub trait Files {
    /// Begins the upload of a file.
    fn begin(&self, file: &str) -> impl Future<Output = Result<String>> + Send;
    /// Uploads a part, over one of the same number that may be there; numbers begin at 1.
    fn part(&self, file: &str, upload: &str, number: usize, bytes: &[u8]) -> impl Future<Output = Result<Part>> + Send;
    /// Makes the file of its parts. That it was done before is no error.
    fn complete(&self, file: &str, upload: &str, parts: &[Part]) -> impl Future<Output = Result<()>> + Send;
    /// Writes a small file at once, over one that may be there.
    fn put(&self, file: &str, bytes: &[u8]) -> impl Future<Output = Result<()>> + Send;
    /// Reads a file, or as much of it as there is from `offset` on, at most `length` bytes.
    fn read(&self, file: &str, offset: u64, length: usize) -> impl Future<Output = Result<Vec<u8>>> + Send;
}

/// Where checkpoints are kept.
pub trait Ledger {
    /// Keeps the checkpoint in place of the one before.
    ///
    /// # Errors
    /// [`WorkError::TakenOver`] when that one is not the latest any more.
    fn save(&mut self, checkpoint: &Checkpoint) -> impl Future<Output = Result<()>> + Send;
}

/// How many expenses are remembered that changed while the walk was under way. More would not fit the checkpoint.
const MOST_CHANGED: usize = 4000;

/// What an export consists of.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// Whether the CSV begins with a byte order mark.
    pub bom: bool,
    /// Whether there are zip files, and what they are called before `-1.zip`.
    pub archive: Option<String>,
    /// The CSV's name.
    pub table: String,
    /// How large things become.
    pub sizes: Sizes,
}

/// How large things become.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// From how many bytes on the buffer is uploaded as a part.
    pub part: usize,
    /// When a zip file is full.
    pub archive: Limits,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { part: PART, archive: Limits::default() }
    }
}

/// What is being done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The CSV is written.
    #[default]
    Table,
    /// The CSV is copied into the first zip file, from this byte on.
    Copy {
        /// How much of it is there.
        offset: u64,
    },
    /// What stands at the beginning is put into the first zip file.
    Front,
    /// What belongs to each expense is put into zip files.
    Walk,
    /// What belongs to none is put into zip files.
    Rest,
    /// Everything is there.
    Done,
}

/// A file that is being written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenFile {
    /// Its name.
    pub name: String,
    /// The multipart upload, once there is a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<String>,
    /// Its parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// How many bytes it has, the tail included.
    pub bytes: u64,
    /// Their CRC-32.
    pub crc32: u32,
    /// Which checkpoint put the bytes aside that are not in a part yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<u64>,
    /// Of a zip file: which checkpoints put pieces of its central directory aside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub directory: Vec<u64>,
    /// Of a zip file: how many entries it has.
    #[serde(default)]
    pub entries: u32,
    /// Of a zip file: how many bytes its central directory has.
    #[serde(default)]
    pub directory_bytes: u64,
    /// Once all parts are there: what comes after it. What remains is to have S3 make the file of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Step>,
}

/// A finished file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinishedFile {
    /// Its name.
    pub name: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// Their CRC-32.
    pub crc32: u32,
}

/// Up to where the work is done and need not be done again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// How many there were before.
    pub number: u64,
    /// What is being done.
    pub step: Step,
    /// Where the step's walk stands.
    pub place: Place,
    /// How many rows were written.
    pub rows: u64,
    /// What the step's walk met that had changed since the export was asked for. Such an expense may have moved to a list
    /// that the walk comes to later; it is dealt with once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<ExpenseId>,
    /// The file that is being written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenFile>,
    /// The finished ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FinishedFile>,
}

/// How a piece of work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Everything is there.
    Finished,
    /// The time ran out; there is a checkpoint to go on from.
    Paused,
}

/// One worker at an export.
pub struct Assembly<'a, S, F, L> {
    plan: &'a Plan,
    source: &'a S,
    files: &'a F,
    ledger: &'a mut L,
    checkpoint: Checkpoint,
    /// Of the open file: the bytes that are in no part.
    buffer: Vec<u8>,
    /// Of the open zip file: the central directory since the last checkpoint.
    directory: Vec<u8>,
}

impl<'a, S: Source, F: Files, L: Ledger> Assembly<'a, S, F, L> {
    /// Goes on at `checkpoint`; the first one is the default.
    ///
    /// # Errors
    /// [`WorkError`].
    pub async fn resume(
        plan: &'a Plan,
        source: &'a S,
        files: &'a F,
        ledger: &'a mut L,
        checkpoint: Checkpoint,
    ) -> Result<Self> {
        let buffer = match &checkpoint.open {
            Some(OpenFile { name, tail: Some(tail), .. }) => files.read(&tail_name(name, *tail), 0, usize::MAX).await?,
            _ => Vec::new(),
        };
        Ok(Self { plan, source, files, ledger, checkpoint, buffer, directory: Vec::new() })
    }

    /// Works until everything is there or `in_time` says no.
    ///
    /// # Errors
    /// [`WorkError`]; the next worker goes on at the last checkpoint.
    pub async fn run(mut self, in_time: impl Fn() -> bool) -> Result<End> {
        loop {
            if let Some(OpenFile { then: Some(then), .. }) = self.checkpoint.open {
                self.complete(then).await?;
            }
            let finished = match self.checkpoint.step {
                Step::Table => self.table(&in_time).await?,
                Step::Copy { offset } => self.copy(offset, &in_time).await?,
                Step::Front => self.front().await?,
                Step::Walk => self.walk(&in_time).await?,
                Step::Rest => self.rest(&in_time).await?,
                Step::Done => return Ok(End::Finished),
            };
            if !finished {
                self.save().await?;
                return Ok(End::Paused);
            }
        }
    }

    /// Writes the CSV; `false` when the time ran out.
    async fn table(&mut self, in_time: &impl Fn() -> bool) -> Result<bool> {
        if self.checkpoint.open.is_none() {
            self.open(self.plan.table.clone());
            let mut head = Vec::new();
            if self.plan.bom {
                head.extend(cells::BOM);
            }
            cells::write_header(&mut head);
            self.append(&head);
        }
        let mut line = Vec::new();
        loop {
            let page = self.source.page(&self.checkpoint.place).await?;
            let (expenses, places): (Vec<_>, Vec<_>) = page.expenses.into_iter().unzip();
            let rows = self.source.rows(expenses).await?;
            for (row, place) in rows.into_iter().zip(places) {
                if !in_time() {
                    return Ok(false);
                }
                if let Some(row) = row
                    && !self.was_dealt_with(&row.expense)
                {
                    line.clear();
                    cells::write_row(&mut line, &row);
                    self.append(&line);
                    self.checkpoint.rows += 1;
                    self.note_dealt_with(&row.expense);
                }
                self.checkpoint.place = place;
                self.save_if_full().await?;
            }
            match page.next {
                Some(next) => self.checkpoint.place = next,
                None => break,
            }
            if !in_time() {
                return Ok(false);
            }
        }
        let bytes = self.checkpoint.open.as_ref().map_or(0, |open| open.bytes);
        let taken = bytes + archive::overhead(&self.plan.table) + archive::END;
        let then = match &self.plan.archive {
            None => Step::Done,
            Some(_) if taken <= self.plan.sizes.archive.bytes => Step::Copy { offset: 0 },
            // It is there beside the zip files.
            Some(_) => Step::Front,
        };
        self.close(then).await?;
        Ok(true)
    }

    /// Puts the CSV into the first zip file.
    async fn copy(&mut self, from: u64, in_time: &impl Fn() -> bool) -> Result<bool> {
        let table = self.checkpoint.files.first().cloned().ok_or(WorkError::Hopeless("there is no CSV to put in"))?;
        let size =
            u32::try_from(table.bytes).map_err(|_| WorkError::Hopeless("the CSV is too large for a zip file"))?;
        let mut offset = from;
        if self.checkpoint.open.is_none() {
            self.open_archive();
            let modified = self.plan.asked_at;
            self.note_entry(&Header { name: &table.name, modified, crc32: table.crc32, size });
        }
        while offset < table.bytes {
            if !in_time() {
                return Ok(false);
            }
            let bytes = self.files.read(&table.name, offset, self.plan.sizes.part).await?;
            if bytes.is_empty() {
                return Err(WorkError::Hopeless("the CSV is shorter than it was written"));
            }
            offset += bytes.len() as u64;
            self.append(&bytes);
            self.checkpoint.step = Step::Copy { offset };
            self.save_if_full().await?;
        }
        self.checkpoint.step = Step::Front;
        Ok(true)
    }

    /// Puts into the first zip file what stands at its beginning.
    async fn front(&mut self) -> Result<bool> {
        let entries = self.source.front().await?;
        self.put(&entries).await?;
        self.turn_to(Step::Walk);
        self.save_if_full().await?;
        Ok(true)
    }

    /// Puts into zip files what belongs to each expense.
    async fn walk(&mut self, in_time: &impl Fn() -> bool) -> Result<bool> {
        loop {
            let page = self.source.page(&self.checkpoint.place).await?;
            for (expense, place) in page.expenses {
                if !in_time() {
                    return Ok(false);
                }
                if !self.was_dealt_with(&expense) {
                    let entries = self.source.entries(&expense).await?;
                    self.put(&entries).await?;
                    self.note_dealt_with(&expense);
                }
                self.checkpoint.place = place;
                self.save_if_full().await?;
            }
            match page.next {
                Some(next) => self.checkpoint.place = next,
                None => break,
            }
            if !in_time() {
                return Ok(false);
            }
        }
        self.turn_to(Step::Rest);
        Ok(true)
    }

    /// Puts into zip files what belongs to no expense.
    async fn rest(&mut self, in_time: &impl Fn() -> bool) -> Result<bool> {
        while let Some((entries, place)) = self.source.rest(&self.checkpoint.place).await? {
            self.put(&entries).await?;
            self.checkpoint.place = place;
            self.save_if_full().await?;
            if !in_time() {
                return Ok(false);
            }
        }
        self.close(Step::Done).await?;
        Ok(true)
    }

    /// Goes on with another step in the same file.
    fn turn_to(&mut self, step: Step) {
        (self.checkpoint.step, self.checkpoint.place) = (step, Place::default());
        self.checkpoint.changed.clear();
    }

    /// Whether the step has met the expense before, in another list.
    fn was_dealt_with(&self, expense: &ExpenseState) -> bool {
        self.checkpoint.changed.contains(&expense.id)
    }

    /// Remembers the expense if the step may meet it again. Only once what it adds to the files has been added: a
    /// checkpoint in between would have the next worker leave it out.
    fn note_dealt_with(&mut self, expense: &ExpenseState) {
        if expense.updated_at > self.plan.asked_at && self.checkpoint.changed.len() < MOST_CHANGED {
            self.checkpoint.changed.push(expense.id);
        }
    }

    fn open(&mut self, name: String) {
        self.checkpoint.open = Some(OpenFile { name, ..OpenFile::default() });
    }

    fn open_archive(&mut self) {
        let tables = self.checkpoint.files.iter().filter(|file| file.name == self.plan.table).count();
        let number = self.checkpoint.files.len() - tables + 1;
        let name = self.plan.archive.as_deref().unwrap_or_default();
        self.open(format!("{name}-{number}.zip"));
    }

    fn append(&mut self, bytes: &[u8]) {
        self.buffer.extend(bytes);
        if let Some(open) = &mut self.checkpoint.open {
            let mut hasher = Hasher::new_with_initial_len(open.crc32, open.bytes);
            hasher.update(bytes);
            open.crc32 = hasher.finalize();
            open.bytes += bytes.len() as u64;
        }
    }

    /// Puts entries that belong together into the open zip file, or into the next one if they do not fit. They are never
    /// split over two, so that a checkpoint never stands between them.
    async fn put(&mut self, entries: &[Entry]) -> Result<()> {
        if !entries.is_empty() && !self.fits(entries) {
            self.close(self.checkpoint.step).await?;
            self.open_archive();
        }
        entries.iter().try_for_each(|entry| self.add(entry))
    }

    fn fits(&self, entries: &[Entry]) -> bool {
        let Some(open) = &self.checkpoint.open else { return false };
        let wanted: u64 = entries.iter().map(|entry| entry.bytes.len() as u64 + archive::overhead(&entry.name)).sum();
        let limits = self.plan.sizes.archive;
        let is_new = open.entries == 0;
        let count = open.entries as usize + entries.len();
        let bytes = open.bytes + open.directory_bytes + wanted + archive::END;
        is_new || (bytes <= limits.bytes && count <= limits.entries as usize)
    }

    fn add(&mut self, entry: &Entry) -> Result<()> {
        let size =
            u32::try_from(entry.bytes.len()).map_err(|_| WorkError::Hopeless("a file is too large to put in"))?;
        let crc32 = crc32fast::hash(&entry.bytes);
        self.note_entry(&Header { name: &entry.name, modified: entry.modified, crc32, size });
        self.append(&entry.bytes);
        Ok(())
    }

    /// Appends an entry's header, and notes it in the central directory.
    fn note_entry(&mut self, header: &Header<'_>) {
        let before = self.directory.len();
        if let Some(open) = &mut self.checkpoint.open {
            // A zip file ends before 4 GiB.
            let offset = u32::try_from(open.bytes).unwrap_or(u32::MAX);
            header.central(&mut self.directory, offset);
            open.entries += 1;
            open.directory_bytes += (self.directory.len() - before) as u64;
        }
        let mut local = Vec::new();
        header.local(&mut local);
        self.append(&local);
    }

    async fn save_if_full(&mut self) -> Result<()> {
        if self.buffer.len() >= self.plan.sizes.part { self.save().await } else { Ok(()) }
    }

    /// Writes a checkpoint: all of the open file is in parts, or put aside.
    async fn save(&mut self) -> Result<()> {
        let number = self.checkpoint.number + 1;
        if self.buffer.len() >= self.plan.sizes.part {
            self.upload_part().await?;
        }
        if let Some(open) = &mut self.checkpoint.open {
            open.tail = None;
            if !self.buffer.is_empty() {
                self.files.put(&tail_name(&open.name, number), &self.buffer).await?;
                open.tail = Some(number);
            }
            if !self.directory.is_empty() {
                self.files.put(&directory_name(&open.name, number), &self.directory).await?;
                open.directory.push(number);
                self.directory.clear();
            }
        }
        self.checkpoint.number = number;
        self.ledger.save(&self.checkpoint).await
    }

    async fn upload_part(&mut self) -> Result<()> {
        let Some(open) = &mut self.checkpoint.open else { return Ok(()) };
        let upload = match &open.upload {
            Some(upload) => upload.clone(),
            // If this worker dies before the next checkpoint, the upload is left to the bucket's own cleaning.
            None => open.upload.insert(self.files.begin(&open.name).await?).clone(),
        };
        let part = self.files.part(&open.name, &upload, open.parts.len() + 1, &self.buffer).await?;
        open.parts.push(part);
        self.buffer.clear();
        Ok(())
    }

    /// Ends the open file; `then` is what comes after it.
    async fn close(&mut self, then: Step) -> Result<()> {
        let is_archive = self.checkpoint.open.as_ref().is_some_and(|open| open.entries > 0);
        if is_archive {
            self.append_directory().await?;
        }
        let Some(open) = &mut self.checkpoint.open else { return self.go_on(then).await };
        open.tail = None;
        if open.upload.is_none() {
            // One call writes it; done again it writes the same.
            self.files.put(&open.name, &self.buffer).await?;
            self.buffer.clear();
            return self.finish(then).await;
        }
        open.then = Some(then);
        if !self.buffer.is_empty() {
            self.upload_part().await?;
        }
        // From here on nothing is written to the file: a worker that finds it made need not know by whom.
        self.checkpoint.number += 1;
        self.ledger.save(&self.checkpoint).await?;
        self.complete(then).await
    }

    /// Has the file made of its parts.
    async fn complete(&mut self, then: Step) -> Result<()> {
        if let Some(OpenFile { name, upload: Some(upload), parts, .. }) = &self.checkpoint.open {
            self.files.complete(name, upload, parts).await?;
        }
        self.finish(then).await
    }

    async fn finish(&mut self, then: Step) -> Result<()> {
        if let Some(open) = self.checkpoint.open.take() {
            let file = FinishedFile { name: open.name, bytes: open.bytes, crc32: open.crc32 };
            self.checkpoint.files.push(file);
        }
        self.go_on(then).await
    }

    async fn go_on(&mut self, then: Step) -> Result<()> {
        if then != self.checkpoint.step {
            self.turn_to(then);
        }
        self.checkpoint.number += 1;
        self.ledger.save(&self.checkpoint).await
    }

    async fn append_directory(&mut self) -> Result<()> {
        let Some(open) = self.checkpoint.open.clone() else { return Ok(()) };
        let mut directory = Vec::new();
        for number in &open.directory {
            directory.extend(self.files.read(&directory_name(&open.name, *number), 0, usize::MAX).await?);
        }
        directory.append(&mut self.directory);
        let too_large = || WorkError::Hopeless("a zip file became too large");
        let offset = u32::try_from(open.bytes).map_err(|_| too_large())?;
        let size = u32::try_from(directory.len()).map_err(|_| too_large())?;
        let entries = u16::try_from(open.entries).map_err(|_| too_large())?;
        archive::end(&mut directory, entries, size, offset);
        self.append(&directory);
        Ok(())
    }
}

/// Where the bytes are put aside that are not in a part yet.
fn tail_name(file: &str, number: u64) -> String {
    format!("work/{file}.{number}.tail")
}

/// Where a piece of a central directory is put aside.
fn directory_name(file: &str, number: u64) -> String {
    format!("work/{file}.{number}.directory")
}

#[cfg(test)]
mod tests;
