//! Files to pixels, with the limits of the service checked before anything is decoded.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use crate::server::ReadError;

/// The longest side that is accepted, as Amazon Textract has it.
pub const LONGEST_SIDE: u32 = 10_000;
/// What a decoder may allocate: an accepted picture of 10 000 × 10 000 pixels in RGB fits.
const MOST_MEMORY: u64 = 320 << 20;
/// Larger pictures are shrunk to this before they are read: print stays legible, memory stays small.
const WORKING_SIDE: u32 = 3_200;

/// Decodes a JPEG or PNG, upright as its EXIF orientation says.
///
/// # Errors
/// [`ReadError::Unsupported`] for any other format, [`ReadError::Bad`] if the file is broken or too large in pixels.
pub fn decode(file: &[u8]) -> Result<RgbImage, ReadError> {
    let format = image::guess_format(file).map_err(|_| ReadError::Unsupported)?;
    if !matches!(format, ImageFormat::Jpeg | ImageFormat::Png) {
        return Err(ReadError::Unsupported);
    }
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let bad = |e: image::ImageError| ReadError::Bad(e.to_string());
    let mut decoder = reader.into_decoder().map_err(bad)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > LONGEST_SIDE {
        return Err(ReadError::Bad(format!("{width} × {height} pixels, at most {LONGEST_SIDE} per side")));
    }
    // A broken orientation is no reason to refuse the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = flatten(image::DynamicImage::from_decoder(decoder).map_err(bad)?);
    let longest = width.max(height);
    if longest > WORKING_SIDE {
        let scale = WORKING_SIDE as f32 / longest as f32;
        let side = |n: u32| ((n as f32 * scale).round() as u32).max(1);
        picture = image::imageops::thumbnail(&picture, side(width), side(height));
    }
    if orientation == Orientation::NoTransforms {
        return Ok(picture);
    }
    let mut picture = image::DynamicImage::ImageRgb8(picture);
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}

/// Transparent parts are paper.
fn flatten(picture: image::DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb8();
    }
    let picture = picture.into_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [r, g, b, a] = picture.get_pixel(x, y).0.map(u32::from);
        image::Rgb([r, g, b].map(|c| ((c * a + 255 * (255 - a)) / 255) as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        image::GrayImage::new(width, height).write_to(&mut out, ImageFormat::Png).expect("encodes");
        out.into_inner()
    }

    #[test]
    fn decodes_png() {
        let picture = decode(&png(20, 10)).expect("decodes");
        assert_eq!(picture.dimensions(), (20, 10));
    }

    #[test]
    fn shrinks_what_is_large() {
        let picture = decode(&png(6_400, 100)).expect("decodes");
        assert_eq!(picture.dimensions(), (3_200, 50));
    }

    #[test]
    fn refuses_too_many_pixels_per_side() {
        assert!(matches!(decode(&png(10_001, 1)), Err(ReadError::Bad(_))));
    }

    #[test]
    fn refuses_other_formats_and_broken_files() {
        assert!(matches!(decode(b"%PDF-1.7"), Err(ReadError::Unsupported)));
        assert!(matches!(decode(b"GIF89a"), Err(ReadError::Unsupported)));
        assert!(matches!(decode(&png(20, 10)[..40]), Err(ReadError::Bad(_))));
    }
}
