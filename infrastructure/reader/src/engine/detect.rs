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
/// The long side is shrunk to this.
const LONG_SIDE: f32 = 2_000.0;
/// And the area to this: time grows with it, and receipts are printed large. Measured on scanned receipts: fields come out
/// as well as from 1.2 million pixels, in less than half the time.
const PIXELS: f32 = 500_000.0;
/// Lines lower than this in the shrunk picture run into each other: it is looked at again, less shrunk.
const LOWEST_PRINT: f32 = 11.0;
/// Then the print becomes this high,
const GOOD_PRINT: f32 = 18.0;
/// within this area: the network needs some 200 bytes per pixel.
const MOST_PIXELS: f32 = 1_200_000.0;

/// Small pictures are enlarged so much at most.
const ENLARGED: f32 = 2.0;

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
        let area = picture.width() as f32 * picture.height() as f32;
        let longest = picture.width().max(picture.height()) as f32;
        let bounded = |pixels: f32| (pixels / area).sqrt().min(LONG_SIDE / longest);
        let scale = bounded(PIXELS).min(1.0);
        let places = self.detect_at(picture, scale)?;
        let Some(print) = print_height(&places).map(|height| height * scale) else { return Ok(places) };
        let finer = (scale * GOOD_PRINT / print).min(bounded(MOST_PIXELS)).min(ENLARGED);
        if print < LOWEST_PRINT && finer > scale { self.detect_at(picture, finer) } else { Ok(places) }
    }

    fn detect_at(&self, picture: &RgbImage, scale: f32) -> Result<Vec<Quad>, ModelError> {
        let (width, height) = (picture.width() as f32, picture.height() as f32);
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

/// The usual height of lines, whichever way they run.
fn print_height(places: &[Quad]) -> Option<f32> {
    let mut heights: Vec<f32> = places.iter().map(|q| q.height().min(q.width())).collect();
    heights.sort_by(f32::total_cmp);
    heights.get(heights.len() / 2).copied()
}
