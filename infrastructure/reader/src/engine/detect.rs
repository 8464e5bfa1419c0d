//! Where text is: a DBNet gives every pixel a probability; connected areas of it become boxes.
//!
//! Differentiable Binarization, Liao et al. 2020, <https://arxiv.org/abs/1911.08947>: the network is trained on shrunk
//! text areas, so a box is grown by area × ratio ÷ perimeter ("unclip").

use image::{RgbImage, imageops};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use super::shapes::{Rectangle, areas};
use super::{ModelError, planes};
use crate::page::Quad;

/// A pixel is text above this.
const PIXEL: f32 = 0.3;
/// A box is text if its pixels reach this on average.
const BOX: f32 = 0.5;
/// How much boxes are grown.
const UNCLIP: f32 = 1.6;
/// The short side is enlarged to this: smaller print is lost.
const SHORT_SIDE: f32 = 640.0;
/// The long side is shrunk to this: time grows with the area.
const LONG_SIDE: f32 = 2_000.0;

/// And the area to this: the network needs some 200 bytes per pixel.
const MOST_PIXELS: f32 = 1_200_000.0;

/// The detection network.
pub struct Detector {
    model: rten::Model,
}

impl Detector {
    /// Around a loaded network.
    #[must_use]
    pub fn new(model: rten::Model) -> Self {
        Self { model }
    }

    /// Every place that looks like a line of text, in no particular order.
    ///
    /// # Errors
    /// If the network fails to run.
    pub fn detect(&self, picture: &RgbImage) -> Result<Vec<Quad>, ModelError> {
        let (width, height) = (picture.width() as f32, picture.height() as f32);
        let mut scale = (SHORT_SIDE / width.min(height)).max(1.0);
        scale = scale.min(LONG_SIDE / width.max(height)).min((MOST_PIXELS / (width * height)).sqrt());
        // The network halves its input five times.
        let side = |n: f32| (((n * scale) / 32.0).round() as u32).max(1) * 32;
        let (w, h) = (side(width), side(height));
        let scaled = imageops::resize(picture, w, h, imageops::FilterType::Triangle);
        let out: NdTensor<f32, 4> = self
            .model
            .run_one(planes(&scaled).into(), None)
            .map_err(|e| ModelError(e.to_string()))?
            .try_into()
            .map_err(|_| ModelError("the detector's output has the wrong shape".to_owned()))?;
        let probability =
            out.data().ok_or_else(|| ModelError("the detector's output is not in one piece".to_owned()))?;
        let w = w as usize;
        if probability.len() != w * h as usize {
            return Err(ModelError("the detector's output has the wrong size".to_owned()));
        }
        let on = |at: usize| probability[at] > PIXEL;
        // One pixel of dilation joins strokes that the threshold parted.
        let mut mask: Vec<bool> =
            (0..probability.len()).map(|at| on(at) || (at % w > 0 && on(at - 1)) || (at >= w && on(at - w))).collect();
        let boxes = areas(&mut mask, w, probability)
            .into_iter()
            .filter(|area| area.sum / area.size as f32 >= BOX)
            .filter_map(|area| Rectangle::around(&area.points))
            .filter(|found| found.width.min(found.height) >= 3.0)
            .map(|found| {
                let margin = found.width * found.height * UNCLIP / (2.0 * (found.width + found.height));
                found.grown(margin).corners(width / w as f32, height / h as f32)
            })
            .collect();
        Ok(boxes)
    }
}
