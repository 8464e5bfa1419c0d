//! PNG (ISO/IEC 15948): row by row where it is not interlaced.

use std::io::{Cursor, Read};

use flate2::read::ZlibDecoder;
use png::{ColorType, Decoder, DecodingError, Limits, Transformations};
use slipstream_events::FailureReason;

use crate::{
    colour, exif,
    limits::{MAX_MEMORY, MAX_PIXELS},
    raster::{Raster, Reducer, to_rgb},
};

/// What the file begins with.
pub const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The most chunks of a file: encoders write one for every 8 kB or so.
const MAX_CHUNKS: usize = 20_000;
/// The most bytes of an inflated profile: those of screens and cameras take some kilobytes.
const MAX_PROFILE_BYTES: usize = 512 * 1024;
/// From how many bytes of pixels on a suspicious compression is refused.
const BOMB_BYTES: u64 = 48 * 1024 * 1024;
/// Pixels for each byte of the file, beyond which there is nothing on a picture to be read.
const BOMB_RATIO: u64 = 500;

/// What pixels need of the chunks (clause 11).
#[derive(Debug)]
pub struct Header {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    interlaced: bool,
    channels: u64,
    orientation: u8,
    icc: Option<Vec<u8>>,
}

impl Header {
    /// Reads the list of chunks.
    ///
    /// # Errors
    /// The sizes are beyond the limits, or the chunks do not fit the file.
    pub fn read(bytes: &[u8]) -> Result<Self, FailureReason> {
        let mut rest = bytes.strip_prefix(SIGNATURE).ok_or(FailureReason::UnsupportedFormat)?;
        let mut header: Option<Self> = None;
        let (mut data, mut bits) = (0_u64, 0_u64);
        for _ in 0..MAX_CHUNKS {
            let [l3, l2, l1, l0, k0, k1, k2, k3, after @ ..] = rest else { return Err(FailureReason::Damaged) };
            let length = u32::from_be_bytes([*l3, *l2, *l1, *l0]) as usize;
            let content = after.get(..length).ok_or(FailureReason::Damaged)?;
            let known = header.as_mut();
            match (&[*k0, *k1, *k2, *k3], known) {
                (b"IHDR", None) => {
                    let (own, depth) = Self::image(content)?;
                    (header, bits) = (Some(own), depth);
                }
                (_, None) | (b"IHDR", _) => return Err(FailureReason::Damaged),
                (b"IDAT", _) => data += content.len() as u64,
                (b"iCCP", Some(header)) if header.icc.is_none() => header.icc = profile(content)?,
                (b"eXIf", Some(header)) => header.orientation = exif::orientation(content).unwrap_or(1),
                (b"IEND", Some(_)) => break,
                _ => {}
            }
            rest = after.get(length + 4..).ok_or(FailureReason::Damaged)?;
        }
        let header = header.ok_or(FailureReason::Damaged)?;
        let raw = u64::from(header.width) * u64::from(header.height) * bits / 8;
        // Deflate makes at most 1032 bytes of one (RFC 1951).
        if raw > (data + 64) * 1032 {
            return Err(FailureReason::Damaged);
        }
        if raw > BOMB_BYTES && raw > data * BOMB_RATIO {
            return Err(FailureReason::TooLarge);
        }
        Ok(header)
    }

    /// The first chunk, and the bits of a pixel.
    fn image(content: &[u8]) -> Result<(Self, u64), FailureReason> {
        let [w3, w2, w1, w0, h3, h2, h1, h0, depth, colour, _, _, interlace] = *content else {
            return Err(FailureReason::Damaged);
        };
        let (width, height) = (u32::from_be_bytes([w3, w2, w1, w0]), u32::from_be_bytes([h3, h2, h1, h0]));
        if width == 0 || height == 0 {
            return Err(FailureReason::Damaged);
        }
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(FailureReason::TooLarge);
        }
        let samples = [1, 0, 3, 1, 2, 0, 4].get(usize::from(colour)).copied().unwrap_or(0);
        if samples == 0 || !matches!(depth, 1 | 2 | 4 | 8 | 16) {
            return Err(FailureReason::Damaged);
        }
        // A palette may become red, green, blue and alpha.
        let channels = if colour == 3 { 4 } else { samples };
        let header = Self { width, height, interlaced: interlace != 0, channels, orientation: 1, icc: None };
        Ok((header, samples * u64::from(depth)))
    }
}

/// The profile in an iCCP chunk (11.3.2.3). What does not inflate is passed over.
fn profile(content: &[u8]) -> Result<Option<Vec<u8>>, FailureReason> {
    let Some(name) = content.iter().take(80).position(|byte| *byte == 0) else { return Ok(None) };
    let mut icc = Vec::new();
    let compressed = content.get(name + 2..).unwrap_or_default();
    let inflated = ZlibDecoder::new(compressed).take(MAX_PROFILE_BYTES as u64 + 1).read_to_end(&mut icc);
    if icc.len() > MAX_PROFILE_BYTES {
        return Err(FailureReason::TooLarge);
    }
    Ok(inflated.is_ok().then_some(icc))
}

fn reason(error: DecodingError) -> FailureReason {
    match error {
        DecodingError::LimitsExceeded => FailureReason::TooLarge,
        _ => FailureReason::Damaged,
    }
}

/// Decodes to a long side of at least `side`, if the file has it, upright.
///
/// # Errors
/// As [`Header::read`]; or the pixels are damaged or missing.
pub fn decode(bytes: &[u8], side: u32) -> Result<Raster, FailureReason> {
    let header = Header::read(bytes)?;
    let (width, height) = (header.width as usize, header.height as usize);
    if header.interlaced && (width * height) as u64 * header.channels > MAX_MEMORY {
        return Err(FailureReason::TooLarge);
    }
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: 8 * 1024 * 1024 });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(reason)?;
    let channels = match reader.output_color_type().0 {
        ColorType::Grayscale => 1,
        ColorType::GrayscaleAlpha => 2,
        ColorType::Rgba => 4,
        ColorType::Rgb | ColorType::Indexed => 3,
    };
    let mut reducer = Reducer::new(width, height, side)?;
    let mut rgb = Vec::new();
    if header.interlaced {
        let mut pixels = vec![0; reader.output_buffer_size().ok_or(FailureReason::TooLarge)?];
        let info = reader.next_frame(&mut pixels).map_err(reason)?;
        for row in pixels.chunks_exact(info.line_size.max(1)).take(height) {
            to_rgb(&row[..width * channels], channels, &mut rgb);
            reducer.push(&rgb);
        }
        drop(pixels);
    } else {
        for _ in 0..height {
            let row = reader.next_row().map_err(reason)?.ok_or(FailureReason::Damaged)?;
            to_rgb(row.data().get(..width * channels).ok_or(FailureReason::Damaged)?, channels, &mut rgb);
            reducer.push(&rgb);
        }
    }
    let mut raster = reducer.finish();
    if let Some(icc) = &header.icc {
        colour::convert(&mut raster, icc);
    }
    Ok(raster.upright(header.orientation))
}
