//! What is made of pixels: smaller pictures, and files of them.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use slipstream_events::FailureReason;

use crate::raster::Raster;

/// The picture with a long side of at most `side`, in the same proportions.
///
/// The mean is taken of the sRGB values, not of light, as the reduced JPEG transform does too: of thin dark strokes on
/// white paper it keeps more contrast, and a receipt is to be read (`tests/benchmarks/thumbnails/README.md`).
///
/// # Errors
/// None that a picture from here can cause; the library's are told as damage.
pub fn shrink(raster: &Raster, side: u32) -> Result<Option<Raster>, FailureReason> {
    let side = side as usize;
    let long = raster.width.max(raster.height);
    if long <= side {
        return Ok(None);
    }
    let scaled = |size: usize| ((size * side + long / 2) / long).max(1);
    let (width, height) = (scaled(raster.width), scaled(raster.height));
    let source = ImageRef::new(raster.width as u32, raster.height as u32, &raster.pixels, PixelType::U8x3);
    let mut out = Image::new(width as u32, height as u32, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom)).use_alpha(false);
    Resizer::new()
        .resize(&source.map_err(|_| FailureReason::Damaged)?, &mut out, &options)
        .map_err(|_| FailureReason::Damaged)?;
    Ok(Some(Raster { width, height, pixels: out.into_vec() }))
}

/// What a JPEG is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be read by a machine: colour at half the resolution, no time spent on size.
    Reading,
    /// To be looked at: as small as it gets, and progressive.
    Showing,
}

/// The JPEG quality of what is sent to be read.
const READING_QUALITY: u8 = 90;
/// The JPEG quality of what is shown.
const SHOWN_QUALITY: u8 = 80;

/// A JPEG without metadata.
///
/// # Errors
/// None that a picture from here can cause; the library's are told as damage.
pub fn jpeg(raster: &Raster, purpose: Purpose) -> Result<Vec<u8>, FailureReason> {
    let (Ok(width), Ok(height)) = (u16::try_from(raster.width), u16::try_from(raster.height)) else {
        return Err(FailureReason::TooLarge);
    };
    let mut bytes = Vec::with_capacity(raster.pixels.len() / 8);
    let mut encoder = match purpose {
        Purpose::Reading => Encoder::new(&mut bytes, READING_QUALITY),
        Purpose::Showing => Encoder::new(&mut bytes, SHOWN_QUALITY),
    };
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    if purpose == Purpose::Showing {
        encoder.set_progressive(true);
        encoder.set_optimized_huffman_tables(true);
    }
    encoder.encode(&raster.pixels, width, height, ColorType::Rgb).map_err(|_| FailureReason::Damaged)?;
    Ok(bytes)
}
