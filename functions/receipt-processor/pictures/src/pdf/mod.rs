//! PDF (ISO 32000-1): the first pages, rendered as they print.

mod budget;
mod picture;

use std::io::{self, Read};

use flate2::read::ZlibDecoder;
use hayro::{
    PixmapSettings, RenderCache, RenderSettings,
    hayro_interpret::{InterpreterSettings, TransformExt},
    hayro_syntax::{LoadPdfError, Pdf, page::Page},
    kurbo::Affine,
    vello_cpu::color::palette::css::WHITE,
};
use memchr::memmem;
use slipstream_events::FailureReason;

use crate::{MAX_PAGES, raster::Raster};

/// Pixels per inch at which a page is rendered; a PDF's own unit is 1/72 inch (8.3.2.3).
const DPI: f32 = 200.0;
/// The long side of a rendered page, in pixels.
const MAX_SIDE: f32 = 2400.0;
/// The longest side of a page in PDF units: a till roll of 20 metres. Annex C allows 14 400.
const MAX_PAGE_UNITS: f32 = 60_000.0;
/// The most bytes that a compressed stream may have inside.
const MAX_STREAM_BYTES: u64 = 64 * 1024 * 1024;
/// The most bytes that all of them may have inside.
const MAX_STREAMS_BYTES: u64 = 256 * 1024 * 1024;
/// The most objects.
const MAX_OBJECTS: usize = 200_000;
/// The most pages.
const MAX_PAGE_COUNT: usize = 10_000;

/// A PDF may have junk before its header, within the first kilobyte (annex H, note 13).
pub fn is_pdf(bytes: &[u8]) -> bool {
    memmem::find(&bytes[..bytes.len().min(1024)], b"%PDF-").is_some()
}

/// That no stream inflates to more than the limits, before anything is inflated in memory. It looks at the bytes
/// alone: the objects themselves may stand inside of such streams.
///
/// # Errors
/// [`FailureReason::TooLarge`].
pub fn check(bytes: &[u8]) -> Result<(), FailureReason> {
    if memmem::find_iter(bytes, b" obj").take(MAX_OBJECTS + 1).count() > MAX_OBJECTS {
        return Err(FailureReason::TooLarge);
    }
    let mut total = 0;
    let mut at = 0;
    while let Some(found) = memmem::find(&bytes[at..], b"stream") {
        at += found + b"stream".len();
        let start = at + bytes[at..].iter().take(2).take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let [method, flags, ..] = &bytes[start..] else { break };
        // The head of a zlib stream (RFC 1950, 2.2).
        if method & 15 != 8 || !u16::from_be_bytes([*method, *flags]).is_multiple_of(31) {
            continue;
        }
        let mut inflater = ZlibDecoder::new(&bytes[start..]).take(MAX_STREAM_BYTES + 1);
        // What does not inflate is for the parser to judge.
        let mut sink = io::sink();
        let size = match io::copy(&mut inflater, &mut sink) {
            Ok(size) => size,
            Err(_) => MAX_STREAM_BYTES + 1 - inflater.limit(),
        };
        total += size;
        if size > MAX_STREAM_BYTES || total > MAX_STREAMS_BYTES {
            return Err(FailureReason::TooLarge);
        }
    }
    Ok(())
}

/// Renders the first pages, each by itself, and hands each on; returns how many there are.
///
/// # Errors
/// [`FailureReason::Encrypted`], [`FailureReason::Damaged`], [`FailureReason::TooLarge`], or what `each` says.
pub fn decode(bytes: &[u8], mut each: impl FnMut(Raster) -> Result<(), FailureReason>) -> Result<u32, FailureReason> {
    check(bytes)?;
    let pdf = Pdf::new(bytes.to_vec()).map_err(|error| match error {
        LoadPdfError::Decryption(_) => FailureReason::Encrypted,
        LoadPdfError::Invalid => FailureReason::Damaged,
    })?;
    let pages = pdf.pages();
    if pages.len() > MAX_PAGE_COUNT {
        return Err(FailureReason::TooLarge);
    }
    if pages.is_empty() {
        return Err(FailureReason::Damaged);
    }
    for page in pages.iter().take(MAX_PAGES) {
        scale(page)?;
    }
    for page in pages.iter().take(MAX_PAGES) {
        each(render(page, bytes.len())?)?;
    }
    u32::try_from(pages.len()).map_err(|_| FailureReason::TooLarge)
}

/// How much a page is enlarged.
fn scale(page: &Page<'_>) -> Result<f32, FailureReason> {
    let (width, height) = page.render_dimensions();
    let longest = width.max(height);
    if !(longest.is_finite() && width.min(height) >= 1.0) {
        return Err(FailureReason::Damaged);
    }
    if longest > MAX_PAGE_UNITS {
        return Err(FailureReason::TooLarge);
    }
    Ok((DPI / 72.0).min(MAX_SIDE / longest))
}

fn render(page: &Page<'_>, file: usize) -> Result<Raster, FailureReason> {
    let scale = scale(page)?;
    let settings = PixmapSettings { x_scale: scale, y_scale: scale, bg_color: WHITE };
    let (width, height) = page.render_dimensions();
    let transform = Affine::scale(f64::from(scale)) * page.initial_transform(true).to_kurbo();
    let (width, height) = (f64::from(width * scale), f64::from(height * scale));
    budget::check(page, transform, (width, height), file)?;
    let cache = RenderCache::new();
    let pixmap = hayro::render(page, &cache, &InterpreterSettings::default(), &RenderSettings::default(), &settings);
    let (width, height) = (usize::from(pixmap.width()), usize::from(pixmap.height()));
    if width == 0 || height == 0 {
        return Err(FailureReason::Damaged);
    }
    // On white every pixel is opaque.
    let rgba = pixmap.data_as_u8_slice().chunks_exact(4);
    Ok(Raster { width, height, pixels: rgba.flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect() })
}
