//! Pictures inside of a document: what decoding one takes, from what it declares.

use hayro::hayro_syntax::{
    Filter,
    object::{Array, Dict, Object, Stream, dict_or_stream},
};
use memchr::memmem;
use slipstream_events::FailureReason;

use crate::{jpeg, limits::MAX_PIXELS};

/// The most bytes that the renderer may need to decode a picture, with the document itself.
const MAX_DECODING_BYTES: u64 = 112 * 1024 * 1024;

/// A value of the dictionary, also under the short name that it has in a content stream (8.9.7, table 91).
fn number(dictionary: &Dict<'_>, key: &[u8], short: &[u8]) -> Option<u64> {
    dictionary.get::<u32>(key).or_else(|| dictionary.get::<u32>(short)).map(u64::from)
}

/// That a picture can be decoded within the limits, with its mask.
///
/// # Errors
/// [`FailureReason::TooLarge`].
pub fn check(stream: &Stream<'_>, file: usize) -> Result<(), FailureReason> {
    let dictionary = stream.dict();
    let declared = pixels(dictionary);
    // What the file says of itself may differ from what the document says.
    let (own, each) = coded(stream, declared)?;
    let mut bytes = own.max(declared).saturating_mul(each) / 8;
    for key in [b"SMask".as_slice(), b"Mask"] {
        match dictionary.get::<Object<'_>>(key) {
            Some(Object::Stream(mask)) => {
                let mask_pixels = pixels(mask.dict());
                let (own, each) = coded(&mask, mask_pixels)?;
                bytes = bytes.saturating_add(own.max(mask_pixels).saturating_mul(each.max(16)) / 8);
            }
            // Colours that are left out: what is compared is copied.
            Some(Object::Array(_)) => bytes = bytes.saturating_add(declared.saturating_mul(6)),
            _ => {}
        }
    }
    if declared.max(own) > MAX_PIXELS || bytes.saturating_add(file as u64) > MAX_DECODING_BYTES {
        return Err(FailureReason::TooLarge);
    }
    Ok(())
}

fn pixels(dictionary: &Dict<'_>) -> u64 {
    let size = |key: &[u8], short: &[u8]| number(dictionary, key, short).unwrap_or(0);
    size(b"Width", b"W").saturating_mul(size(b"Height", b"H"))
}

/// How many pixels the coded data itself has, and how many bits each takes while it is decoded, as measured.
fn coded(stream: &Stream<'_>, declared: u64) -> Result<(u64, u64), FailureReason> {
    let dictionary = stream.dict();
    let raw = stream.raw_data();
    let filters = stream.filters();
    if raw.starts_with(b"\xff\xd8\xff") {
        return match jpeg::Header::read(&raw) {
            Ok(header) => {
                let samples: u64 = (0..header.components.len())
                    .map(|index| header.blocks(index))
                    .map(|(across, down)| across as u64 * down as u64 * 64)
                    .sum();
                let own = u64::from(header.width) * u64::from(header.height);
                let frequencies = if header.progressive { samples * 16 / own.max(1) } else { 0 };
                Ok((own, header.components.len() as u64 * 8 + frequencies))
            }
            Err(FailureReason::TooLarge) => Err(FailureReason::TooLarge),
            // A damaged one is left out of the page by the renderer.
            Err(_) => Ok((declared, 32)),
        };
    }
    // JPEG 2000: the SIZ marker (ITU-T T.800, A.5.1). Frequencies are held as numbers of four bytes.
    if let Some(at) = memmem::find(&raw[..raw.len().min(4096)], b"\xff\x4f\xff\x51") {
        let long = |offset: usize| {
            let bytes = raw.get(at + offset..).and_then(|rest| rest.first_chunk());
            bytes.map_or(0, |bytes| u64::from(u32::from_be_bytes(*bytes)))
        };
        let components = raw.get(at + 41).copied().map_or(3, u64::from).max(1);
        return Ok((long(8).saturating_mul(long(12)), 32 + 48 * components));
    }
    if filters.contains(&Filter::JpxDecode) {
        return Ok((declared, 32 + 48 * 4));
    }
    if filters.contains(&Filter::DctDecode) {
        // Inside of another coding: what it is cannot be seen.
        return Ok((declared, 96));
    }
    if filters.contains(&Filter::CcittFaxDecode) {
        let height = number(dictionary, b"Height", b"H").unwrap_or(0);
        return Ok((fax_columns(dictionary).saturating_mul(height), 16));
    }
    if filters.contains(&Filter::Jbig2Decode) {
        return Ok((bilevel(&raw)?, 16));
    }
    let depth = number(dictionary, b"BitsPerComponent", b"BPC").unwrap_or(8);
    let masked = [b"ImageMask".as_slice(), b"IM"].iter().any(|key| dictionary.get::<bool>(key) == Some(true));
    let space = dictionary.get::<Object<'_>>(b"ColorSpace").or_else(|| dictionary.get::<Object<'_>>(b"CS"));
    let space = if masked { Space::Grey } else { self::space(space) };
    Ok((
        declared,
        match (space, depth) {
            (Space::Grey, ..=8) => 16,
            (Space::Grey, _) | (Space::Palette, _) => 24,
            (Space::Colour, 8) => 28,
            (Space::Colour, ..=7) => 40,
            _ => 72,
        },
    ))
}

/// What a colour space takes to be converted.
#[derive(Clone, Copy)]
enum Space {
    /// One value, which stays one.
    Grey,
    /// One value, which becomes three.
    Palette,
    /// Red, green and blue.
    Colour,
    /// Inks, and what else needs numbers in between.
    Other,
}

fn space(space: Option<Object<'_>>) -> Space {
    let named = |name: &[u8]| match name {
        b"DeviceGray" | b"G" | b"CalGray" => Space::Grey,
        b"DeviceRGB" | b"RGB" | b"CalRGB" => Space::Colour,
        b"Indexed" | b"I" | b"Separation" => Space::Palette,
        _ => Space::Other,
    };
    match space {
        Some(Object::Name(name)) => named(name.as_ref()),
        Some(Object::Array(array)) => {
            let mut parts = array.iter::<Object<'_>>();
            match parts.next() {
                Some(Object::Name(name)) if name.as_ref() == b"ICCBased" => {
                    let profile = parts.next();
                    match profile.as_ref().and_then(dict_or_stream).and_then(|(own, _)| own.get::<u32>(b"N")) {
                        Some(1) => Space::Grey,
                        Some(3) => Space::Colour,
                        _ => Space::Other,
                    }
                }
                Some(Object::Name(name)) => named(name.as_ref()),
                _ => Space::Other,
            }
        }
        _ => Space::Other,
    }
}

/// The width that a fax is decoded to (7.4.6, table 11).
fn fax_columns(dictionary: &Dict<'_>) -> u64 {
    let of = |parameters: &Dict<'_>| parameters.get::<u32>(b"Columns").map_or(1728, u64::from);
    let parameters = dictionary.get::<Object<'_>>(b"DecodeParms").or_else(|| dictionary.get::<Object<'_>>(b"DP"));
    match parameters {
        Some(Object::Dict(own)) => of(&own),
        Some(Object::Array(each)) => array_most(&each, of),
        _ => 1728,
    }
}

fn array_most(array: &Array<'_>, of: impl Fn(&Dict<'_>) -> u64) -> u64 {
    array.iter::<Object<'_>>().filter_map(Object::into_dict).map(|own| of(&own)).max().unwrap_or(1728)
}

/// The most pixels of a page or region of JBIG2 (ITU-T T.88, 7.2 to 7.4).
fn bilevel(mut raw: &[u8]) -> Result<u64, FailureReason> {
    let mut most = 0;
    // A number, flags, and how many segments it refers to, in three bits or in four bytes (7.2.4).
    while let Some([n3, n2, n1, n0, flags, count, ..]) = raw.first_chunk::<11>() {
        let number = u32::from_be_bytes([*n3, *n2, *n1, *n0]);
        let name = if number <= 256 {
            1
        } else if number <= 65_536 {
            2
        } else {
            4
        };
        let (counts, references) = match count >> 5 {
            7 => {
                let long = u32::from_be_bytes([raw[5] & 0x1f, raw[6], raw[7], raw[8]]) as usize;
                (4 + (long + 1).div_ceil(8), long)
            }
            short => (1, usize::from(short)),
        };
        let page = if flags & 0x40 != 0 { 4 } else { 1 };
        let at = 5 + counts + references.saturating_mul(name) + page;
        let Some(length) = raw.get(at..).and_then(|rest| rest.first_chunk()).map(|bytes| u32::from_be_bytes(*bytes))
        else {
            break;
        };
        let content = &raw[at + 4..];
        if matches!(flags & 0x3f, 4..=7 | 20..=23 | 36..=43 | 48)
            && let Some([w3, w2, w1, w0, h3, h2, h1, h0]) = content.first_chunk()
        {
            let width = u64::from(u32::from_be_bytes([*w3, *w2, *w1, *w0]));
            let height = u32::from_be_bytes([*h3, *h2, *h1, *h0]);
            // A height that is not known comes in stripes.
            let height = if height == u32::MAX { 0 } else { u64::from(height) };
            most = most.max(width * height);
        }
        if most > MAX_PIXELS {
            return Err(FailureReason::TooLarge);
        }
        let Some(rest) = content.get(length as usize..) else { break };
        raw = rest;
    }
    Ok(most)
}
