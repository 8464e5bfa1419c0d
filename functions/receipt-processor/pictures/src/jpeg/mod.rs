//! JPEG (ITU-T T.81) at a reduced scale: sequential and progressive Huffman coding with 8-bit samples.
//!
//! Why not a library: at 1/8 of the size nearly all of the time goes into the entropy code, whose values are then
//! dropped. This decoder passes over them many at a time and keeps in memory only the frequencies that the scale
//! shows; no safe library does. It also knows when data is missing, where libraries fill with grey.
//! The tests beside it hold it against two library decoders.

mod bits;
mod header;
mod idct;
mod planes;
mod scan;
#[cfg(test)]
mod tests;

pub use header::Header;

use slipstream_events::FailureReason;

use crate::{
    colour,
    raster::{Raster, Reducer},
};

/// The most pixels of a sequential file: it streams.
pub const MAX_SEQUENTIAL_PIXELS: u64 = 200_000_000;
/// The most pixels of a progressive file: its coefficients are held in memory.
pub const MAX_PROGRESSIVE_PIXELS: u64 = 40_000_000;

/// Decodes so that the long side has at least `side` pixels, if the file has them. Not turned upright.
///
/// # Errors
/// [`FailureReason::TooLarge`], [`FailureReason::UnsupportedFormat`], or [`FailureReason::Damaged`], also when data is
/// missing.
pub fn decode(bytes: &[u8], side: u32) -> Result<(Header, Raster), FailureReason> {
    let header = Header::read(bytes)?;
    let long = u64::from(header.width.max(header.height));
    let scale = (1..8).find(|scale| long * scale >= u64::from(side) * 8).unwrap_or(8) as usize;
    let picture = scan::decode(bytes, &header, scale)?;
    let mut reducer = Reducer::new(picture.width(), picture.height(), side)?;
    let inks = match (&header.icc, header.components.len()) {
        (Some(icc), 4) => colour::Inks::new(icc),
        _ => colour::Inks::plain(),
    };
    picture.rows(&header, &inks, |row| reducer.push(row));
    drop(picture);
    Ok((header, reducer.finish()))
}
