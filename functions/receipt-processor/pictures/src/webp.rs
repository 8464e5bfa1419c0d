//! WebP (RFC 9649): a still picture. An animation is none.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};
use slipstream_events::FailureReason;

use crate::{
    colour, exif,
    limits::{MAX_ICC_BYTES, MAX_MEMORY},
    raster::{Raster, Reducer, to_rgb},
};

/// Looks at the first chunk (2.5 to 2.7).
///
/// # Errors
/// The picture is too large or an animation, or the chunks do not fit the file.
pub fn check(bytes: &[u8]) -> Result<(), FailureReason> {
    let chunk = bytes.get(12..30).ok_or(FailureReason::Damaged)?;
    let declared = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) as usize;
    if declared > bytes.len() - 8 {
        return Err(FailureReason::Damaged);
    }
    let short = |at: usize| u64::from(u16::from_le_bytes([chunk[at], chunk[at + 1]]));
    let (width, height, each) = match &chunk[..4] {
        // Luma and chroma at a quarter, and then red, green and blue.
        b"VP8 " => (short(14) & 0x3fff, short(16) & 0x3fff, 5),
        b"VP8L" => {
            let bits = u64::from(u32::from_le_bytes([chunk[9], chunk[10], chunk[11], chunk[12]]));
            ((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1, 7)
        }
        b"VP8X" => {
            if chunk[8] & 2 != 0 {
                return Err(FailureReason::UnsupportedFormat);
            }
            let long = |at: usize| u64::from(u32::from_le_bytes([chunk[at], chunk[at + 1], chunk[at + 2], 0])) + 1;
            (long(12), long(15), 7)
        }
        _ => return Err(FailureReason::UnsupportedFormat),
    };
    if width == 0 || height == 0 {
        return Err(FailureReason::Damaged);
    }
    if width * height * each > MAX_MEMORY { Err(FailureReason::TooLarge) } else { Ok(()) }
}

fn reason(error: DecodingError) -> FailureReason {
    match error {
        DecodingError::MemoryLimitExceeded | DecodingError::ImageTooLarge => FailureReason::TooLarge,
        DecodingError::UnsupportedFeature(_) => FailureReason::UnsupportedFormat,
        _ => FailureReason::Damaged,
    }
}

/// Decodes to a long side of at least `side`, if the file has it, upright.
///
/// # Errors
/// As [`check`]; or the pixels are damaged or missing.
pub fn decode(bytes: &[u8], side: u32) -> Result<Raster, FailureReason> {
    check(bytes)?;
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(reason)?;
    decoder.set_memory_limit(MAX_ICC_BYTES);
    if decoder.is_animated() {
        return Err(FailureReason::UnsupportedFormat);
    }
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let icc = decoder.icc_profile().map_err(reason)?;
    let exif = decoder.exif_metadata().map_err(reason)?;
    let size = decoder.output_buffer_size().ok_or(FailureReason::TooLarge)?;
    if size as u64 > MAX_MEMORY {
        return Err(FailureReason::TooLarge);
    }
    let mut pixels = vec![0; size];
    decoder.read_image(&mut pixels).map_err(reason)?;
    let mut reducer = Reducer::new(width, height, side)?;
    let mut rgb = Vec::new();
    for row in pixels.chunks_exact(width * channels) {
        to_rgb(row, channels, &mut rgb);
        reducer.push(&rgb);
    }
    drop(pixels);
    let mut raster = reducer.finish();
    if let Some(icc) = icc {
        colour::convert(&mut raster, &icc);
    }
    // Some writers put JPEG's prefix before the metadata.
    let exif = exif.as_deref().map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif));
    Ok(raster.upright(exif.and_then(exif::orientation).unwrap_or(1)))
}
