//! The boxes of the container (ISO/IEC 14496-12), looked through before the decoder's parser runs: that one trusts the
//! counts in them, and a few hundred bytes can ask for gigabytes.

use std::collections::BTreeSet;

use slipstream_events::FailureReason;

use crate::limits::MAX_PIXELS;

/// The most boxes in one place. A phone's photo has a dozen of properties and of boxes in the file.
const MAX_BOXES: usize = 4096;
/// The most items: the tiles of 200 megapixels, and their metadata.
const MAX_ITEMS: usize = 2048;
/// The most pieces that items are stored in, and the most references between items.
const MAX_ENTRIES: usize = 8192;
/// The most properties of one item.
const MAX_PROPERTIES: usize = 32;
/// The most bytes of the description of all items.
const MAX_META_BYTES: usize = 4 * 1024 * 1024;
/// The most bytes of a decoder configuration, which each tile is decoded with anew.
const MAX_CONFIGURATION_BYTES: usize = 16 * 1024;

/// A number from the front.
fn number(bytes: &mut &[u8], size: usize) -> Result<u64, FailureReason> {
    let (front, rest) = bytes.split_at_checked(size).ok_or(FailureReason::Damaged)?;
    *bytes = rest;
    Ok(front.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

/// The kind and content of each box (4.2).
fn each<'a>(
    mut bytes: &'a [u8],
    mut look: impl FnMut(&[u8], &'a [u8]) -> Result<(), FailureReason>,
) -> Result<(), FailureReason> {
    for _ in 0..MAX_BOXES {
        if bytes.is_empty() {
            return Ok(());
        }
        let mut content = bytes;
        let mut size = number(&mut content, 4)?;
        let (kind, rest) = content.split_at_checked(4).ok_or(FailureReason::Damaged)?;
        content = rest;
        if size == 1 {
            size = number(&mut content, 8)?;
        } else if size == 0 {
            size = bytes.len() as u64;
        }
        if kind == b"uuid" {
            content = content.get(16..).ok_or(FailureReason::Damaged)?;
        }
        let size = usize::try_from(size).ok().filter(|size| *size <= bytes.len()).ok_or(FailureReason::Damaged)?;
        let header = bytes.len() - content.len();
        look(kind, bytes.get(header..size).ok_or(FailureReason::Damaged)?)?;
        bytes = &bytes[size..];
    }
    Err(FailureReason::TooLarge)
}

/// Looks at every count and size that the parser would trust.
///
/// # Errors
/// [`FailureReason::Damaged`] if boxes do not fit into each other, [`FailureReason::TooLarge`] if there are too many of
/// them, or pixels are beyond the limits.
pub fn check(bytes: &[u8]) -> Result<(), FailureReason> {
    let mut meta = None;
    each(bytes, |kind, content| match kind {
        b"ftyp" if content.len() > MAX_ENTRIES => Err(FailureReason::TooLarge),
        b"meta" if meta.replace(content).is_some() => Err(FailureReason::Damaged),
        _ => Ok(()),
    })?;
    // After a version and flags (8.11.1).
    let meta = meta.and_then(|meta| meta.get(4..)).ok_or(FailureReason::Damaged)?;
    if meta.len() > MAX_META_BYTES {
        return Err(FailureReason::TooLarge);
    }
    let mut kinds = BTreeSet::new();
    each(meta, |kind, content| {
        let expected: fn(&[u8], usize) -> Result<(), FailureReason> = match kind {
            b"iinf" => |content, _| items(content),
            b"iloc" => locations,
            b"iref" => |content, _| references(content),
            b"iprp" => |content, _| properties(content),
            b"idat" | b"pitm" => |_, _| Ok(()),
            _ => return Ok(()),
        };
        if !kinds.insert(kind.to_vec()) {
            return Err(FailureReason::Damaged);
        }
        expected(content, bytes.len())
    })
}

/// The items (8.11.6): none twice.
fn items(mut content: &[u8]) -> Result<(), FailureReason> {
    let version = number(&mut content, 4)? >> 24;
    number(&mut content, if version == 0 { 2 } else { 4 })?;
    let mut ids = BTreeSet::new();
    each(content, |kind, mut entry| {
        if kind != b"infe" {
            return Ok(());
        }
        let version = number(&mut entry, 4)? >> 24;
        if !ids.insert(number(&mut entry, if version == 2 { 2 } else { 4 })?) {
            return Err(FailureReason::Damaged);
        }
        if ids.len() > MAX_ITEMS { Err(FailureReason::TooLarge) } else { Ok(()) }
    })
}

/// Where items are stored (8.11.3). Sizes may be declared as none, and then entries take no bytes.
fn locations(mut content: &[u8], file: usize) -> Result<(), FailureReason> {
    let version = number(&mut content, 4)? >> 24;
    let sizes = number(&mut content, 2)?;
    let size = |shift: u64| usize::try_from(sizes >> shift & 15).unwrap_or_default();
    let index = if version >= 1 { size(0) } else { 0 };
    let name = if version < 2 { 2 } else { 4 };
    let count = number(&mut content, name)?;
    if count > MAX_ITEMS as u64 {
        return Err(FailureReason::TooLarge);
    }
    let (mut pieces, mut total) = (0, 0_u64);
    for _ in 0..count {
        number(&mut content, name)?;
        // Put together from the data of other items: no camera writes it.
        if version >= 1 && number(&mut content, 2)? & 15 > 1 {
            return Err(FailureReason::UnsupportedFormat);
        }
        number(&mut content, 2 + size(4))?;
        let own = number(&mut content, 2)?;
        pieces += own;
        if pieces > MAX_ENTRIES as u64 {
            return Err(FailureReason::TooLarge);
        }
        for _ in 0..own {
            number(&mut content, index + size(12))?;
            let length = number(&mut content, size(8))?;
            // None is all of it.
            total = total.saturating_add(if length == 0 { file as u64 } else { length });
        }
    }
    // Items may share bytes, but not all of them all bytes.
    if total > 4 * file as u64 { Err(FailureReason::TooLarge) } else { Ok(()) }
}

/// The references between items (8.11.12).
fn references(mut content: &[u8]) -> Result<(), FailureReason> {
    let version = number(&mut content, 4)? >> 24;
    let name = if version == 0 { 2 } else { 4 };
    let mut total = 0;
    each(content, |_, mut entry| {
        number(&mut entry, name)?;
        total += number(&mut entry, 2)?;
        if total > MAX_ENTRIES as u64 { Err(FailureReason::TooLarge) } else { Ok(()) }
    })
}

/// The properties, and which items they belong to (8.11.14; ISO/IEC 23008-12, 6.5.3).
fn properties(content: &[u8]) -> Result<(), FailureReason> {
    let mut containers = 0;
    let mut entries = 0;
    each(content, |kind, content| match kind {
        b"ipco" => {
            containers += 1;
            if containers > 1 {
                return Err(FailureReason::Damaged);
            }
            each(content, |kind, mut property| match kind {
                b"ispe" => {
                    number(&mut property, 4)?;
                    let pixels = number(&mut property, 4)?.saturating_mul(number(&mut property, 4)?);
                    match pixels {
                        0 => Err(FailureReason::Damaged),
                        _ if pixels > MAX_PIXELS => Err(FailureReason::TooLarge),
                        _ => Ok(()),
                    }
                }
                b"hvcC" if property.len() > MAX_CONFIGURATION_BYTES => Err(FailureReason::TooLarge),
                _ => Ok(()),
            })
        }
        b"ipma" => associations(content, &mut entries),
        _ => Ok(()),
    })
}

fn associations(mut content: &[u8], entries: &mut u64) -> Result<(), FailureReason> {
    let head = number(&mut content, 4)?;
    let (version, wide) = (head >> 24, head & 1 != 0);
    let count = number(&mut content, 4)?;
    *entries = entries.saturating_add(count);
    if *entries > MAX_ITEMS as u64 {
        return Err(FailureReason::TooLarge);
    }
    for _ in 0..count {
        number(&mut content, if version < 1 { 2 } else { 4 })?;
        let own = usize::try_from(number(&mut content, 1)?).unwrap_or(usize::MAX);
        if own > MAX_PROPERTIES {
            return Err(FailureReason::TooLarge);
        }
        content = content.get(own * if wide { 2 } else { 1 }..).ok_or(FailureReason::Damaged)?;
    }
    Ok(())
}
