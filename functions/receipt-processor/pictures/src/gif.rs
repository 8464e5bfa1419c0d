//! GIF89a: the first frame. Animations tell nothing that a receipt needs.

use std::io::Cursor;

use gif::{ColorOutput, DecodeOptions, MemoryLimit};
use slipstream_events::FailureReason;

use crate::{
    limits::MAX_PIXELS,
    raster::{Raster, Reducer},
};

/// The most blocks that are looked through; a first frame stands behind a few.
const MAX_BLOCKS: usize = 4096;

/// Looks the blocks through up to the end of the file (the specification, 12 and 18 to 27).
///
/// # Errors
/// There are too many of them, pixels are beyond the limits, or the first frame is not whole.
pub fn check(bytes: &[u8]) -> Result<(), FailureReason> {
    let small = |at: usize| bytes.get(at).copied().map(usize::from).ok_or(FailureReason::Damaged);
    let short = |at: usize| Ok(small(at)? + (small(at + 1)? << 8));
    let pixels = |at: usize| Ok(short(at)? as u64 * short(at + 2)? as u64);
    if pixels(6)? > MAX_PIXELS {
        return Err(FailureReason::TooLarge);
    }
    let table = |flags: usize| if flags & 0x80 != 0 { 3 << ((flags & 7) + 1) } else { 0 };
    let mut at = 13 + table(small(10)?);
    let mut frames = 0;
    for _ in 0..MAX_BLOCKS {
        // After the first frame anything may break off.
        let complete = |fault| if frames > 0 { Ok(()) } else { Err(fault) };
        match bytes.get(at) {
            Some(0x21) => at += 2,
            Some(0x2c) => {
                if bytes.len() < at + 11 {
                    return complete(FailureReason::Damaged);
                }
                let size = pixels(at + 5)?;
                if size > MAX_PIXELS {
                    return Err(FailureReason::TooLarge);
                }
                if size == 0 && frames == 0 {
                    return Err(FailureReason::Damaged);
                }
                at += 10 + table(small(at + 9)?) + 1;
                let (first, mut data) = (at, at);
                while let Some(length) = bytes.get(data).filter(|length| **length > 0) {
                    data += usize::from(*length) + 1;
                }
                // A code of 12 bits stands for at most 4096 pixels.
                if data >= bytes.len() || size > (data - first) as u64 * 4096 {
                    return complete(FailureReason::Damaged);
                }
                frames += 1;
            }
            Some(0x3b) => return complete(FailureReason::Damaged),
            _ => return complete(FailureReason::Damaged),
        }
        while let Some(length) = bytes.get(at).filter(|length| **length > 0) {
            at += usize::from(*length) + 1;
        }
        at += 1;
    }
    Err(FailureReason::TooLarge)
}

/// Decodes to a long side of at least `side`, if the file has it.
///
/// # Errors
/// As [`check`]; or the pixels are damaged or missing.
pub fn decode(bytes: &[u8], side: u32) -> Result<Raster, FailureReason> {
    check(bytes)?;
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Bytes(MAX_PIXELS.try_into().map_err(|_| FailureReason::TooLarge)?));
    let mut decoder = options.read_info(Cursor::new(bytes)).map_err(|_| FailureReason::Damaged)?;
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let frame = decoder.read_next_frame().map_err(|_| FailureReason::Damaged)?.ok_or(FailureReason::Damaged)?;
    let palette = frame.palette.clone().or(global).ok_or(FailureReason::Damaged)?;
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    let mut colours = [255_u8; 256 * 3];
    let known = palette.len().min(colours.len());
    colours[..known].copy_from_slice(&palette[..known]);
    if let Some(transparent) = frame.transparent {
        let entry = usize::from(transparent) * 3;
        colours[entry..entry + 3].fill(255);
    }
    let mut reducer = Reducer::new(width, height, side)?;
    let mut rgb = Vec::with_capacity(width * 3);
    for row in frame.buffer.chunks_exact(width.max(1)).take(height) {
        rgb.clear();
        rgb.extend(row.iter().flat_map(|index| {
            let entry = usize::from(*index) * 3;
            [colours[entry], colours[entry + 1], colours[entry + 2]]
        }));
        reducer.push(&rgb);
    }
    Ok(reducer.finish())
}
