//! From the bytes of a file to upright sRGB pictures: what is read, and what is shown.
//!
//! The format is decided by content, never by name or declared type. Sizes are checked in the header before a decoder
//! runs; what is beyond the limits is refused at once. Nothing of the file's metadata survives.
//!
//! - [`prepare`]: everything that the receipt processor needs of a file;
//! - [`thumbnail`]: one small picture;
//! - `jpeg`: an own decoder for reduced scales; the other formats are decoded by libraries, in safe Rust as far as the
//!   bytes of a file reach.
//!
//! A fault inside of a decoder becomes [`FailureReason::Damaged`]: decoding runs on a thread of its own with a known
//! stack, and a panic there ends that thread alone. How long it may take is for the caller to say.
//!
//! It must not know AWS, queues or what a receipt is.
//!
//! To test: `cargo test -p slipstream-pictures`; `tests/fuzz/README.md` says how to fuzz, and
//! `tests/benchmarks/thumbnails/README.md` how fast it is.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "samples, coefficients and sizes are bounded before they are narrowed; no money and no ids here"
)]

mod colour;
mod exif;
mod gif;
mod heic;
mod jpeg;
mod limits;
mod output;
mod pdf;
mod png;
mod raster;
mod tiff;
mod webp;

use std::thread;

use output::{Purpose, shrink};
use raster::Raster;
use slipstream_events::FailureReason;

/// How many pages of a document are made pictures of; each may be a receipt of its own.
pub const MAX_PAGES: usize = 5;
/// The long side of what is sent to be read, in pixels: finer detail costs time and does not help.
pub const READING_SIDE: u32 = 2000;
/// The long side of the preview, in pixels.
pub const PREVIEW_SIDE: u32 = 1024;
/// The long side of the thumbnail, in pixels.
pub const THUMBNAIL_SIDE: u32 = 160;
/// The stack of the decoding thread, in bytes. Address space only: what is not used costs nothing.
const STACK: usize = 64 * 1024 * 1024;

/// What the bytes turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG (ITU-T T.81), sequential or progressive.
    Jpeg,
    /// PNG (ISO/IEC 15948).
    Png,
    /// WebP (RFC 9649), not animated.
    WebP,
    /// TIFF 6.0, the first page.
    Tiff,
    /// GIF, the first frame.
    Gif,
    /// HEIC (ISO/IEC 23008-12), the primary picture.
    Heic,
    /// PDF (ISO 32000-1).
    Pdf,
}

impl Format {
    /// What the bytes begin like.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let begins = |signature: &[u8]| bytes.starts_with(signature);
        Some(if begins(b"\xff\xd8\xff") {
            Self::Jpeg
        } else if begins(png::SIGNATURE) {
            Self::Png
        } else if begins(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            Self::WebP
        } else if begins(b"II*\0") || begins(b"MM\0*") {
            Self::Tiff
        } else if begins(b"GIF87a") || begins(b"GIF89a") {
            Self::Gif
        } else if heic::is_heic(bytes) {
            Self::Heic
        } else if pdf::is_pdf(bytes) {
            Self::Pdf
        } else {
            return None;
        })
    }
}

/// The pictures of a file.
#[derive(Debug)]
pub struct Prepared {
    /// What the file is.
    pub format: Format,
    /// The first [`MAX_PAGES`] pages of a PDF; one of anything else. Never empty.
    pub pages: Vec<Page>,
    /// How many pages the file has.
    pub page_count: u32,
}

/// One page: upright sRGB pictures without metadata.
#[derive(Debug)]
pub struct Page {
    /// What is sent to be read: a JPEG of at most [`READING_SIDE`] pixels a side and far below 10 MB.
    pub reading: Vec<u8>,
    /// For looking at: a JPEG of at most [`PREVIEW_SIDE`] pixels a side.
    pub preview: Vec<u8>,
    /// For lists: a JPEG of at most [`THUMBNAIL_SIDE`] pixels a side.
    pub thumbnail: Vec<u8>,
}

/// Makes the pictures of a file. It computes for a fifth of a second or more: not for an async thread.
///
/// # Errors
/// The reason why the file cannot be shown: [`FailureReason::Empty`], [`FailureReason::TooLarge`],
/// [`FailureReason::UnsupportedFormat`], [`FailureReason::Damaged`] or [`FailureReason::Encrypted`].
pub fn prepare(bytes: &[u8]) -> Result<Prepared, FailureReason> {
    isolated(|| {
        let mut pages = Vec::new();
        let (format, page_count) = decode(bytes, READING_SIDE, |raster| {
            pages.push(page(raster)?);
            Ok(())
        })?;
        Ok(Prepared { format, pages, page_count })
    })
}

/// One picture of a file, or of its first page, with a long side of at most `side` pixels: an upright sRGB JPEG
/// without metadata.
///
/// # Errors
/// As [`prepare`].
pub fn thumbnail(bytes: &[u8], side: u32) -> Result<Vec<u8>, FailureReason> {
    isolated(|| {
        let mut first = None;
        decode(bytes, side.max(1), |raster| {
            if first.is_none() {
                first = Some(output::jpeg(&shrink(&raster, side.max(1))?.unwrap_or(raster), Purpose::Showing)?);
            }
            Ok(())
        })?;
        first.ok_or(FailureReason::Damaged)
    })
}

/// Looks at the headers alone, as [`prepare`] does before it decodes.
///
/// # Errors
/// As [`prepare`]; a file that passes may still be damaged further on.
pub fn check(bytes: &[u8]) -> Result<Format, FailureReason> {
    if bytes.is_empty() {
        return Err(FailureReason::Empty);
    }
    if bytes.len() > limits::MAX_FILE_BYTES {
        return Err(FailureReason::TooLarge);
    }
    let format = Format::of(bytes).ok_or(FailureReason::UnsupportedFormat)?;
    match format {
        Format::Jpeg => jpeg::Header::read(bytes).map(|_| ()),
        Format::Png => png::Header::read(bytes).map(|_| ()),
        Format::WebP => webp::check(bytes),
        Format::Tiff => tiff::check(bytes).map(|_| ()),
        Format::Gif => gif::check(bytes),
        Format::Heic => heic::check(bytes),
        Format::Pdf => pdf::check(bytes),
    }?;
    Ok(format)
}

/// Runs what looks at untrusted bytes.
fn isolated<T: Send>(work: impl FnOnce() -> Result<T, FailureReason> + Send) -> Result<T, FailureReason> {
    thread::scope(|scope| {
        let started = thread::Builder::new().name("pictures".to_owned()).stack_size(STACK).spawn_scoped(scope, work);
        // Without a thread there is no memory for a picture either.
        started.map_err(|_| FailureReason::TooLarge)?.join().unwrap_or(Err(FailureReason::Damaged))
    })
}

/// Hands on each page with a long side of at least `side`, if it has it; returns what it is and the number of pages.
fn decode(
    bytes: &[u8],
    side: u32,
    mut each: impl FnMut(Raster) -> Result<(), FailureReason>,
) -> Result<(Format, u32), FailureReason> {
    let format = check(bytes)?;
    let count = match format {
        Format::Jpeg => {
            let (header, mut raster) = jpeg::decode(bytes, side)?;
            if let Some(icc) = &header.icc {
                colour::convert(&mut raster, icc);
            }
            each(raster.upright(header.orientation))?;
            1
        }
        Format::Png => {
            each(png::decode(bytes, side)?)?;
            1
        }
        Format::WebP => {
            each(webp::decode(bytes, side)?)?;
            1
        }
        Format::Tiff => {
            let (raster, count) = tiff::decode(bytes, side)?;
            each(raster)?;
            count
        }
        Format::Gif => {
            each(gif::decode(bytes, side)?)?;
            1
        }
        Format::Heic => {
            each(heic::decode(bytes, side)?)?;
            1
        }
        Format::Pdf => pdf::decode(bytes, each)?,
    };
    Ok((format, count))
}

fn page(raster: Raster) -> Result<Page, FailureReason> {
    let reading = shrink(&raster, READING_SIDE)?.unwrap_or(raster);
    let preview = shrink(&reading, PREVIEW_SIDE)?;
    let preview = preview.as_ref().unwrap_or(&reading);
    let thumbnail = shrink(preview, THUMBNAIL_SIDE)?;
    let thumbnail = thumbnail.as_ref().unwrap_or(preview);
    Ok(Page {
        reading: output::jpeg(&reading, Purpose::Reading)?,
        preview: output::jpeg(preview, Purpose::Showing)?,
        thumbnail: output::jpeg(thumbnail, Purpose::Showing)?,
    })
}
