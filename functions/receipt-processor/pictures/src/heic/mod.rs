//! HEIC (ISO/IEC 23008-12): the primary picture, coded with HEVC, whole or as a grid of tiles.
//!
//! A grid, which is what phones write, is decoded tile by tile and never held as a whole. The turning and mirroring
//! of the container apply; the Exif orientation beside them repeats the same and must not be applied again.

mod boxes;

use heifer::{
    Error, Image, Options,
    heifer_hevc_dec::{
        nal::{NalUnit, split_annex_b},
        params::ParameterSets,
    },
    heifer_isobmff::{
        FourCC, HeifFile, ItemId,
        boxes::{ColorInfo, Property},
    },
};
use slipstream_events::FailureReason;

use crate::{
    colour,
    limits::{MAX_MEMORY, MAX_PIXELS},
    raster::{Raster, Reducer, to_rgb},
};

/// The bytes that a coded picture takes for each pixel: its frame of sixteen bits, and red, green, blue and alpha.
const BYTES_PER_PIXEL: u64 = 12;
/// The most tiles: those of 200 megapixels.
const MAX_TILES: usize = 1024;
/// The most pixels that all tiles together may have: those of the picture, and what they stand over at its edges.
const MAX_TILE_PIXELS: u64 = 2 * MAX_PIXELS;
/// How transparency is named among auxiliary pictures (ISO/IEC 23008-12, 6.6.2.1.2).
const ALPHA: [&str; 2] = ["urn:mpeg:hevc:2015:auxid:1", "urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"];

/// Whether the brands of a file (ISO/IEC 14496-12, 4.3) are those of HEIC. AVIF is another coding.
pub fn is_heic(bytes: &[u8]) -> bool {
    let size = bytes.first_chunk::<4>().map_or(0, |size| u32::from_be_bytes(*size) as usize);
    let Some(brands) = bytes.get(8..size.min(bytes.len()).min(256)) else { return false };
    let has = |brand: &[u8; 4]| brands.chunks_exact(4).any(|own| own == brand);
    bytes.get(4..8) == Some(b"ftyp")
        && !has(b"avif")
        && [b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"].iter().any(|brand| has(brand))
}

/// Looks at the container alone.
///
/// # Errors
/// Sizes are beyond the limits, or the boxes do not fit into each other.
pub fn check(bytes: &[u8]) -> Result<(), FailureReason> {
    boxes::check(bytes)
}

fn reason(error: Error) -> FailureReason {
    match error {
        Error::Unsupported(_) => FailureReason::UnsupportedFormat,
        _ => FailureReason::Damaged,
    }
}

/// How many pixels an item has, with what belongs to it: what its bitstream declares must fit into memory. The container
/// may say something else.
fn pixels(file: &HeifFile<'_>, id: ItemId) -> Result<u64, FailureReason> {
    if file.item(id).map_err(|_| FailureReason::Damaged)?.item_type != FourCC(*b"hvc1") {
        return Err(FailureReason::UnsupportedFormat);
    }
    // A plane of transparency is a picture of its own.
    let transparency = file.referencing_items(id, b"auxl").into_iter().find(|auxiliary| {
        file.item_properties(*auxiliary).is_ok_and(|mut properties| {
            properties
                .any(|property| matches!(property, Property::AuxiliaryType(kind) if ALPHA.contains(&kind.as_str())))
        })
    });
    let auxiliary = transparency.map_or(Ok(0), |auxiliary| coded_pixels(file, auxiliary))?;
    let pixels = coded_pixels(file, id)?.saturating_add(auxiliary);
    if pixels > MAX_MEMORY / BYTES_PER_PIXEL { Err(FailureReason::TooLarge) } else { Ok(pixels) }
}

fn coded_pixels(file: &HeifFile<'_>, id: ItemId) -> Result<u64, FailureReason> {
    let stream = file.hevc_bitstream(id).map_err(|_| FailureReason::Damaged)?;
    let mut sets = ParameterSets::default();
    let mut most = 0;
    for unit in split_annex_b(&stream) {
        // The parameter sets have types 32 to 34 (H.265, table 7-1); the slices need not be looked at.
        if unit.first().is_some_and(|first| matches!(first >> 1 & 0x3f, 32..=34)) {
            let unit = NalUnit::parse(unit).map_err(|_| FailureReason::Damaged)?;
            sets.add(&unit).map_err(|_| FailureReason::Damaged)?;
            for sps in sets.sps.iter().flatten() {
                most = most.max(u64::from(sps.pic_width_in_luma_samples) * u64::from(sps.pic_height_in_luma_samples));
            }
        }
    }
    Ok(most)
}

/// The colour profile of an item, or of its first tile. The parser's own search follows references without an end.
fn profile<'a>(file: &'a HeifFile<'_>, id: ItemId) -> Option<&'a [u8]> {
    [Some(&id), file.referenced_items(id, b"dimg").first()].into_iter().flatten().find_map(|id| {
        file.item_properties(*id).ok()?.find_map(|property| match property {
            Property::Color(ColorInfo::Icc(icc)) if !icc.is_empty() => Some(icc.as_slice()),
            _ => None,
        })
    })
}

/// Decodes to a long side of at least `side`, if the file has it, upright.
///
/// # Errors
/// Pixels are beyond the limits, the file is damaged, or uses what the decoder does not know.
pub fn decode(bytes: &[u8], side: u32) -> Result<Raster, FailureReason> {
    check(bytes)?;
    let file = HeifFile::parse(bytes).map_err(|_| FailureReason::Damaged)?;
    let primary = file.primary_id;
    let size = file.image_size(primary).map_err(|_| FailureReason::Damaged)?;
    if size.is_some_and(|(width, height)| u64::from(width) * u64::from(height) > MAX_PIXELS) {
        return Err(FailureReason::TooLarge);
    }
    let properties: Vec<_> = file.item_properties(primary).map_err(|_| FailureReason::Damaged)?.collect();
    let cropped = properties.iter().any(|property| matches!(property, Property::CleanAperture { .. }));
    let kind = file.item(primary).map_err(|_| FailureReason::Damaged)?.item_type;
    let mut raster = if kind == FourCC(*b"grid") && !cropped {
        let mut raster = tiles(&file, primary, side)?;
        for property in properties {
            raster = match property {
                // Quarters of a turn against the clock (ISO/IEC 23008-12, 6.5.10), told as Exif would.
                Property::Rotation(quarters) => raster.upright([1, 8, 3, 6][usize::from(quarters & 3)]),
                Property::Mirror(vertical) => raster.upright(if *vertical { 4 } else { 2 }),
                _ => raster,
            };
        }
        raster
    } else {
        pixels(&file, primary)?;
        let options = Options { max_threads: 1, max_pixels: MAX_MEMORY / BYTES_PER_PIXEL };
        let image: Image<u8> = heifer::decode_rgba8(bytes, &options).map_err(reason)?;
        let (width, height) = (image.width as usize, image.height as usize);
        let mut reducer = Reducer::new(width, height, side)?;
        let mut rgb = Vec::new();
        for row in image.data.chunks_exact(width.max(1) * 4) {
            to_rgb(row, 4, &mut rgb);
            reducer.push(&rgb);
        }
        reducer.finish()
    };
    if let Some(icc) = profile(&file, primary) {
        colour::convert(&mut raster, icc);
    }
    Ok(raster)
}

/// A grid (6.6.2.3), a row of tiles at a time.
fn tiles(file: &HeifFile<'_>, id: ItemId, side: u32) -> Result<Raster, FailureReason> {
    let grid = file.grid(id).map_err(|_| FailureReason::Damaged)?;
    let items = file.referenced_items(id, b"dimg");
    let (columns, rows) = (usize::from(grid.columns), usize::from(grid.rows));
    let (width, height) = (grid.output_width as usize, grid.output_height as usize);
    if (width as u64).saturating_mul(height as u64) > MAX_PIXELS || items.len() > MAX_TILES {
        return Err(FailureReason::TooLarge);
    }
    if width == 0 || height == 0 || columns == 0 || items.len() != columns * rows {
        return Err(FailureReason::Damaged);
    }
    let mut reducer = Reducer::new(width, height, side)?;
    let mut left = height;
    let (mut first, mut coded) = (None, 0);
    for items in items.chunks_exact(columns) {
        let mut band: Vec<u8> = Vec::new();
        for (column, item) in items.iter().enumerate() {
            coded += pixels(file, *item)?;
            if coded > MAX_TILE_PIXELS {
                return Err(FailureReason::TooLarge);
            }
            let tile = heifer::decode_item(file, *item, 1).map_err(reason)?;
            let (own_width, own_height) = (tile.width as usize, tile.height as usize);
            let size = *first.get_or_insert((own_width, own_height));
            if size != (own_width, own_height) || own_width * columns < width || own_height * rows < height {
                return Err(FailureReason::Damaged);
            }
            let pixels = tile.to_rgb8();
            drop(tile);
            band.resize(width * own_height * 3, 255);
            let start = column * own_width;
            let count = own_width.min(width.saturating_sub(start)) * 3;
            for (out, row) in band.chunks_exact_mut(width * 3).zip(pixels.chunks_exact(own_width * 3)) {
                if count > 0 {
                    out[start * 3..start * 3 + count].copy_from_slice(&row[..count]);
                }
            }
        }
        for row in band.chunks_exact(width * 3).take(left) {
            reducer.push(row);
        }
        left = left.saturating_sub(band.len() / (width * 3));
    }
    Ok(reducer.finish())
}
