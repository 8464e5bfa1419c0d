//! The bytes of a zip file: local headers, central directory and its end, as PKWARE's APPNOTE.TXT 6.3.10 says
//! (<https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>).
//!
//! Entries are stored, not deflated: photographs and PDFs do not become smaller. Sizes and CRC are known before an entry is
//! written, so that there are no data descriptors, which some readers do not take with stored entries. No ZIP64: a
//! file ends before it would be needed ([`Limits`]).
//!
//! Why not a library: those of today keep the directory in memory until the end, and cannot go on in another process.

use jiff::{Timestamp, tz::TimeZone};

/// When a zip file is full.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The most bytes; below 4 GiB.
    pub bytes: u64,
    /// The most entries; below 65 535.
    pub entries: u32,
}

impl Default for Limits {
    /// What FAT and old readers take, too: less than 2 GiB.
    fn default() -> Self {
        Self { bytes: 2_000_000_000, entries: 60_000 }
    }
}

/// A file to put in, whole in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, with folders; see [`safe_name`].
    pub name: String,
    /// When it was last changed.
    pub modified: Timestamp,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// What the headers say of an entry.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    /// Its name.
    pub name: &'a str,
    /// When it was last changed.
    pub modified: Timestamp,
    /// Its CRC-32.
    pub crc32: u32,
    /// How many bytes it has.
    pub size: u32,
}

/// The bytes that an entry takes beside its own: both headers.
pub const fn overhead(name: &str) -> u64 {
    (30 + 46 + 2 * name.len()) as u64
}

/// The bytes of the end of a central directory.
pub const END: u64 = 22;

/// Version 2.0: folders in names. Flag 11: names are UTF-8. Method 0: stored.
const MADE_BY_AND_NEEDED: u16 = 20;
const UTF8: u16 = 1 << 11;

impl Header<'_> {
    fn common(&self, buffer: &mut Vec<u8>) {
        let (date, time) = dos(self.modified);
        for value in [MADE_BY_AND_NEEDED, UTF8, 0, time, date] {
            buffer.extend(value.to_le_bytes());
        }
        for value in [self.crc32, self.size, self.size] {
            buffer.extend(value.to_le_bytes());
        }
        buffer.extend(name_length(self.name).to_le_bytes());
        buffer.extend(0u16.to_le_bytes());
    }

    /// Appends what stands before the entry's bytes.
    pub fn local(&self, buffer: &mut Vec<u8>) {
        buffer.extend(b"PK\x03\x04");
        self.common(buffer);
        buffer.extend(self.name.as_bytes());
    }

    /// Appends what stands in the central directory; `offset` is where the local header begins.
    pub fn central(&self, buffer: &mut Vec<u8>, offset: u32) {
        buffer.extend(b"PK\x01\x02");
        // Made on UNIX, so that the permissions below are taken for such.
        buffer.extend((MADE_BY_AND_NEEDED | (3 << 8)).to_le_bytes());
        self.common(buffer);
        // No comment, first disk, no internal attributes; an ordinary file that its owner may write.
        buffer.extend([0u8; 6]);
        buffer.extend((0o100_644u32 << 16).to_le_bytes());
        buffer.extend(offset.to_le_bytes());
        buffer.extend(self.name.as_bytes());
    }
}

/// Appends the end of the central directory, which has `entries` and begins at `offset`.
pub fn end(buffer: &mut Vec<u8>, entries: u16, size: u32, offset: u32) {
    buffer.extend(b"PK\x05\x06");
    buffer.extend([0u8; 4]);
    buffer.extend(entries.to_le_bytes());
    buffer.extend(entries.to_le_bytes());
    buffer.extend(size.to_le_bytes());
    buffer.extend(offset.to_le_bytes());
    buffer.extend(0u16.to_le_bytes());
}

fn name_length(name: &str) -> u16 {
    u16::try_from(name.len()).unwrap_or(u16::MAX)
}

/// Date and time as MS-DOS had them, in UTC: from 1980 to 2107, to two seconds.
fn dos(at: Timestamp) -> (u16, u16) {
    let at = at.to_zoned(TimeZone::UTC);
    let part = |value: i8| u16::try_from(value).unwrap_or_default();
    let Some(year) = u16::try_from(at.year() - 1980).ok().filter(|year| *year < 128) else { return (0x21, 0) };
    let date = (year << 9) | (part(at.month()) << 5) | part(at.day());
    let time = (part(at.hour()) << 11) | (part(at.minute()) << 5) | (part(at.second()) / 2);
    (date, time)
}

/// A part of a file name from a text that people write: lower case letters, digits and hyphens of ASCII, so that it is no
/// path and means the same on every system.
pub fn safe_name(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut name = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            'ä' | 'à' | 'á' | 'â' | 'å' | 'ã' => name.push('a'),
            'é' | 'è' | 'ê' | 'ë' => name.push('e'),
            'í' | 'ì' | 'î' | 'ï' => name.push('i'),
            'ö' | 'ó' | 'ò' | 'ô' | 'õ' | 'ø' => name.push('o'),
            'ü' | 'ú' | 'ù' | 'û' => name.push('u'),
            'ñ' => name.push('n'),
            'ç' => name.push('c'),
            'ß' => name.push_str("ss"),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
        if name.len() >= LONGEST {
            break;
        }
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() { "receipt".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        for (text, name) in [
            ("../../etc/passwd", "etc-passwd"),
            ("C:\\Windows\\x", "c-windows-x"),
            ("Café Zürich", "cafe-zurich"),
            ("\u{202e}gpj.exe", "gpj-exe"),
            ("...", "receipt"),
            ("株式会社", "receipt"),
            ("", "receipt"),
        ] {
            assert_eq!(safe_name(text), name, "{text:?}");
        }
        assert!(safe_name(&"long name ".repeat(30)).len() <= 40);
    }

    #[test]
    fn times_before_and_after_what_dos_knew_are_its_first_day() {
        assert_eq!(dos(Timestamp::UNIX_EPOCH), (0x21, 0));
        assert_eq!(
            dos("2026-03-12T10:20:30Z".parse().unwrap()),
            ((46 << 9) | (3 << 5) | 12, (10 << 11) | (20 << 5) | 15)
        );
    }
}
