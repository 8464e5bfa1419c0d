//! TIFF 6.0: the first page.

use std::io::Cursor;

use slipstream_events::FailureReason;
use tiff::{
    ColorType, TiffError,
    decoder::{Decoder, DecodingResult, Limits},
    tags::Tag,
};

use crate::{
    colour::{self, Inks},
    exif,
    limits::{MAX_ICC_BYTES, MAX_MEMORY},
    raster::{Raster, Reducer, to_rgb},
};

/// The most pages: a scanner's stack.
const MAX_DIRECTORIES: usize = 256;
/// The most entries of a page's directory; there are fewer than a hundred known tags.
const MAX_ENTRIES: usize = 512;

/// Follows the chain of directories (section 2) and looks at the sizes in the first.
///
/// # Errors
/// The chain is too long or has a loop, values lie outside the file, or pixels are beyond the limits.
pub fn check(bytes: &[u8]) -> Result<u32, FailureReason> {
    let little = bytes.starts_with(b"II");
    let short = |at: usize| {
        let bytes = *bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(FailureReason::Damaged)?;
        Ok(usize::from(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }))
    };
    let long = |at: usize| {
        let bytes = *bytes.get(at..).and_then(|rest| rest.first_chunk()).ok_or(FailureReason::Damaged)?;
        Ok(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) } as usize)
    };
    let mut seen: Vec<usize> = Vec::new();
    let mut directory = long(4)?;
    while directory != 0 {
        if seen.contains(&directory) {
            return Err(FailureReason::Damaged);
        }
        if seen.len() == MAX_DIRECTORIES {
            return Err(FailureReason::TooLarge);
        }
        let entries = short(directory)?;
        if entries > MAX_ENTRIES {
            return Err(FailureReason::TooLarge);
        }
        let (mut width, mut height) = (0_u64, 0_u64);
        for entry in (0..entries).map(|index| directory + 2 + 12 * index) {
            let (tag, kind, count) = (short(entry)?, short(entry + 2)?, long(entry + 4)?);
            let each = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4].get(kind).copied().unwrap_or(0);
            let size = count.saturating_mul(each);
            if size > 4 && long(entry + 8)?.saturating_add(size) > bytes.len() {
                return Err(FailureReason::Damaged);
            }
            let value = if kind == 3 { short(entry + 8)? } else { long(entry + 8)? } as u64;
            match tag {
                256 => width = value,
                257 => height = value,
                _ => {}
            }
        }
        if seen.is_empty() {
            if width == 0 || height == 0 {
                return Err(FailureReason::Damaged);
            }
            // A bit for each pixel at least, and then a byte.
            if width.saturating_mul(height) > MAX_MEMORY {
                return Err(FailureReason::TooLarge);
            }
        }
        seen.push(directory);
        directory = long(directory + 2 + 12 * entries)?;
    }
    if seen.is_empty() { Err(FailureReason::Damaged) } else { Ok(seen.len() as u32) }
}

fn reason(error: TiffError) -> FailureReason {
    match error {
        TiffError::LimitsExceeded => FailureReason::TooLarge,
        TiffError::UnsupportedError(_) => FailureReason::UnsupportedFormat,
        _ => FailureReason::Damaged,
    }
}

/// Decodes the first page to a long side of at least `side`, if the file has it, upright; and counts the pages.
///
/// # Errors
/// As [`check`]; or the pixels are damaged or missing.
pub fn decode(bytes: &[u8], side: u32) -> Result<(Raster, u32), FailureReason> {
    let pages = check(bytes)?;
    let most = usize::try_from(MAX_MEMORY).map_err(|_| FailureReason::TooLarge)?;
    let mut limits = Limits::default();
    limits.decoding_buffer_size = most;
    limits.intermediate_buffer_size = most / 2;
    limits.ifd_value_size = MAX_ICC_BYTES;
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(reason)?.with_limits(limits);
    let (width, height) = decoder.dimensions().map_err(reason)?;
    let (width, height) = (width as usize, height as usize);
    let colour = decoder.colortype().map_err(reason)?;
    if decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).map_err(reason)?.unwrap_or(1) != 1 {
        return Err(FailureReason::UnsupportedFormat);
    }
    let palette = match colour {
        ColorType::Palette(_) => Some(decoder.get_tag_u16_vec(Tag::ColorMap).map_err(reason)?),
        _ => None,
    };
    let icc = decoder.get_tag_u8_vec(Tag::IccProfile).ok();
    let (channels, depth) = match colour {
        ColorType::Gray(depth) | ColorType::Palette(depth) => (1, depth),
        ColorType::GrayA(depth) => (2, depth),
        ColorType::RGB(depth) | ColorType::YCbCr(depth) => (3, depth),
        ColorType::RGBA(depth) | ColorType::CMYK(depth) => (4, depth),
        _ => return Err(FailureReason::UnsupportedFormat),
    };
    let mut reducer = Reducer::new(width, height, side)?;
    let samples = match decoder.read_image().map_err(reason)? {
        DecodingResult::U8(samples) => samples,
        DecodingResult::U16(samples) => samples.into_iter().map(|sample| (sample >> 8) as u8).collect(),
        _ => return Err(FailureReason::UnsupportedFormat),
    };
    let whole = depth == 8 || depth == 16;
    let inks = match (&icc, colour) {
        (Some(icc), ColorType::CMYK(_)) => Inks::new(icc),
        _ => Inks::plain(),
    };
    let stride = if whole { width * channels } else { (width * channels * usize::from(depth)).div_ceil(8) };
    if samples.len() < stride * height {
        return Err(FailureReason::Damaged);
    }
    let (mut row, mut rgb) = (Vec::new(), Vec::new());
    for packed in samples.chunks_exact(stride.max(1)).take(height) {
        row.clear();
        if whole {
            row.extend_from_slice(packed);
        } else {
            unpack(packed, width * channels, depth, palette.is_none(), &mut row)?;
        }
        match colour {
            ColorType::Palette(_) => {
                let palette = palette.as_deref().unwrap_or_default();
                let third = palette.len() / 3;
                let at = |plane: usize, index: u8| {
                    palette.get(plane * third + usize::from(index)).map_or(0, |value| (value >> 8) as u8)
                };
                rgb.clear();
                rgb.extend(row.iter().flat_map(|index| [at(0, *index), at(1, *index), at(2, *index)]));
            }
            ColorType::CMYK(_) => {
                rgb.clear();
                rgb.extend(row.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]));
                let black: Vec<u8> = row.chunks_exact(4).map(|pixel| pixel[3]).collect();
                inks.row(&mut rgb, &black, false);
            }
            _ => to_rgb(&row, channels, &mut rgb),
        }
        reducer.push(&rgb);
    }
    drop(samples);
    let mut raster = reducer.finish();
    if let Some(icc) = icc {
        colour::convert(&mut raster, &icc);
    }
    Ok((raster.upright(exif::orientation(bytes).unwrap_or(1)), pages))
}

/// Samples of less than a byte, as they are or over the whole range.
fn unpack(packed: &[u8], count: usize, depth: u8, spread: bool, row: &mut Vec<u8>) -> Result<(), FailureReason> {
    if !matches!(depth, 1 | 2 | 4) {
        return Err(FailureReason::UnsupportedFormat);
    }
    let most = (1_u8 << depth) - 1;
    let each = 8 / usize::from(depth);
    row.extend((0..count).map(|index| {
        let shift = 8 - depth - (index % each) as u8 * depth;
        let value = packed[index / each] >> shift & most;
        if spread { value * (255 / most) } else { value }
    }));
    Ok(())
}
