//! Embedded ICC profiles (ISO 15076-1) to sRGB.
//!
//! A profile that cannot be used is passed over: a receipt in slightly wrong colours reads as well. PNG's `gAMA`,
//! `cHRM` and `cICP` are passed over on purpose: screenshots carry them with the values of sRGB, or wrongly.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, Transform8BitExecutor, TransformOptions};

use crate::raster::Raster;

fn transform(icc: &[u8], from: DataColorSpace, layout: Layout) -> Option<Arc<Transform8BitExecutor>> {
    let profile = ColorProfile::new_from_slice(icc).ok().filter(|profile| profile.color_space == from)?;
    let options = TransformOptions::default();
    profile.create_transform_8bit(layout, &ColorProfile::new_srgb(), Layout::Rgb, options).ok()
}

/// Converts pixels from the colours of a profile, RGB or grey.
pub fn convert(raster: &mut Raster, icc: &[u8]) {
    let width = raster.width * 3;
    if let Some(rgb) = transform(icc, DataColorSpace::Rgb, Layout::Rgb) {
        let mut line = vec![0; width];
        for row in raster.pixels.chunks_exact_mut(width) {
            if rgb.transform(row, &mut line).is_ok() {
                row.copy_from_slice(&line);
            }
        }
    } else if let Some(grey) = transform(icc, DataColorSpace::Gray, Layout::Gray) {
        let levels: Vec<u8> = (0..=255).collect();
        let mut table = vec![0; 256 * 3];
        if grey.transform(&levels, &mut table).is_ok() {
            for pixel in raster.pixels.chunks_exact_mut(3) {
                let entry = usize::from(pixel[0]) * 3;
                pixel.copy_from_slice(&table[entry..entry + 3]);
            }
        }
    }
}

/// How inks become colours.
pub struct Inks(Option<Arc<Transform8BitExecutor>>);

impl Inks {
    /// As a profile says.
    pub fn new(icc: &[u8]) -> Self {
        Self(transform(icc, DataColorSpace::Cmyk, Layout::Rgba))
    }

    /// Without a profile: each ink takes away its share of light.
    pub fn plain() -> Self {
        Self(None)
    }

    /// One row: `rgb` holds cyan, magenta and yellow and becomes red, green and blue. `inverted` inks have 255 where
    /// there is none.
    pub fn row(&self, rgb: &mut [u8], black: &[u8], inverted: bool) {
        if let Some(transform) = &self.0 {
            let flip = if inverted { 255 } else { 0 };
            let inks: Vec<u8> = rgb
                .chunks_exact(3)
                .zip(black)
                .flat_map(|(pixel, black)| [pixel[0] ^ flip, pixel[1] ^ flip, pixel[2] ^ flip, black ^ flip])
                .collect();
            if transform.transform(&inks, rgb).is_ok() {
                return;
            }
        }
        for (pixel, black) in rgb.chunks_exact_mut(3).zip(black) {
            let flip = if inverted { 0 } else { 255 };
            let light = u32::from(black ^ flip);
            for value in pixel {
                *value = ((u32::from(*value ^ flip) * light + 127) / 255) as u8;
            }
        }
    }
}
