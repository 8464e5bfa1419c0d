//! Image in, text lines out: PP-OCRv6 (Apache-2.0) on the pure-Rust runtime `rten`.
//!
//! [`picture`] decodes files, [`detect`] finds where text is, [`recognise`] reads each place (with [`strip`], [`head`],
//! [`decode`] and [`alphabet`]), [`level`] tells how the picture lies.

pub mod alphabet;
pub mod decode;
pub mod detect;
pub mod head;
pub mod level;
pub mod picture;
pub mod recognise;
pub mod shapes;
pub mod strip;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use image::{RgbImage, imageops};
use rten_tensor::NdTensor;

use crate::page::{Page, Quad, TextLine};
use crate::server::{ReadError, ReadPage};
use detect::Detector;
use level::Turn;
use recognise::Recogniser;

/// The detector's file name.
pub const DETECTOR: &str = "PP-OCRv6_det_small.onnx";
/// The recogniser's file name; its metadata hold the alphabet.
pub const RECOGNISER: &str = "PP-OCRv6_rec_small.onnx";
/// Lines the recogniser is less sure of are noise: rules, stamps, folds.
const LEAST_CONFIDENCE: f32 = 0.5;

/// So many lines tell whether a picture is upside down.
const PROBES: usize = 4;
/// The shortest line that is asked, in heights.
const PROBE_FROM: f32 = 5.0;
/// The longest.
const PROBE_TO: f32 = 14.0;
/// Upright print is read at least so well; upside down it is not.
const LEGIBLE: f32 = 0.85;

/// Why the models could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file is not there.
    #[error(
        "model file {} is missing: run `pip download --no-deps rapidocr==3.10.0`, unzip the wheel (a wheel is a zip) and copy rapidocr/models/{DETECTOR} and rapidocr/models/{RECOGNISER} there",
        path.display()
    )]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file is there but cannot be read.
    #[error("cannot read model file {}: {source}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is no model that this engine can run.
    #[error("model file {} is not usable: {reason}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Why one model run failed; never the caller's fault.
#[derive(Debug, thiserror::Error)]
#[error("the model failed: {0}")]
pub struct ModelError(pub(crate) String);

/// The two loaded networks. Reading takes `&self`; use it from one thread at a time, it occupies every core by itself.
pub struct Engine {
    detector: Detector,
    recogniser: Recogniser,
    pools: Vec<Arc<rten::ThreadPool>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("workers", &self.pools.len()).finish_non_exhaustive()
    }
}

impl Engine {
    /// Loads both models from a folder.
    ///
    /// # Errors
    /// If a file is missing, unreadable or no usable model; the message names it.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        let model = |name: &str| {
            let path = folder.join(name);
            let bytes = std::fs::read(&path).map_err(|source| {
                if source.kind() == std::io::ErrorKind::NotFound {
                    LoadError::Missing { path: path.clone() }
                } else {
                    LoadError::Io { path: path.clone(), source }
                }
            })?;
            rten::Model::load(bytes)
                .map(|model| (model, path.clone()))
                .map_err(|e| LoadError::Unusable { path, reason: e.to_string() })
        };
        let (detector, _) = model(DETECTOR)?;
        let (recogniser, path) = model(RECOGNISER)?;
        let recogniser = Recogniser::new(recogniser).map_err(|reason| LoadError::Unusable { path, reason })?;
        // Whole lines in parallel use the cores better than one line split over them.
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
        let pools = (0..workers).map(|_| Arc::new(rten::ThreadPool::with_num_threads(1))).collect();
        Ok(Self { detector: Detector::new(detector), recogniser, pools })
    }

    /// Finds and reads every line of text of a picture, whichever way it lies.
    ///
    /// # Errors
    /// If a network fails to run.
    pub fn page(&self, mut picture: RgbImage) -> Result<Page, ModelError> {
        let mut turn = Turn::None;
        let mut places = self.detector.detect(&picture)?;
        if level::is_sideways(&places) {
            turn = Turn::Right;
            picture = imageops::rotate90(&picture);
            places = self.detector.detect(&picture)?;
        }
        // Long lines first, so that no worker is left with one at the end.
        places.sort_by(|a, b| elongation(b).total_cmp(&elongation(a)));
        let (mut width, mut height) = (picture.width() as f32, picture.height() as f32);
        let mut lines = Vec::with_capacity(places.len());
        let probes = probes(&mut places);
        let found = self.recognise(&picture, &places[..probes])?;
        if legibility(&found, probes) < LEGIBLE {
            let reversed = imageops::rotate180(&picture);
            let turned: Vec<Quad> = places.iter().map(|q| level::upside_down(q, width, height)).collect();
            let again = self.recognise(&reversed, &turned[..probes])?;
            if legibility(&again, probes) > legibility(&found, probes) {
                (picture, places, turn) = (reversed, turned, turn.and_half());
                lines.extend(again);
            } else {
                lines.extend(found);
            }
        } else {
            lines.extend(found);
        }
        lines.extend(self.recognise(&picture, &places[probes..])?);
        lines.retain(|line| line.confidence >= LEAST_CONFIDENCE);
        let mut to_picture = turn.back(width, height);
        if let Some(level) = level::levelling(&places, width, height) {
            for line in &mut lines {
                line.quad = Quad(line.quad.0.map(|p| level.to_level.apply(p)));
            }
            to_picture = to_picture.after(&level.to_picture);
            (width, height) = (level.width, level.height);
        }
        lines.sort_by(|a, b| a.quad.top().total_cmp(&b.quad.top()));
        Ok(Page::levelled(width, height, lines, to_picture))
    }

    /// Reads places of an upright picture, in no particular order.
    fn recognise(&self, picture: &RgbImage, places: &[Quad]) -> Result<Vec<TextLine>, ModelError> {
        let next = AtomicUsize::new(0);
        let found = Mutex::new(Vec::with_capacity(places.len()));
        let failed = Mutex::new(None);
        std::thread::scope(|scope| {
            for pool in &self.pools {
                scope.spawn(|| {
                    while let Some(quad) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match self.recogniser.read(picture, &along(quad), pool) {
                            Ok(Some(line)) => {
                                found.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                            }
                            Ok(None) => {}
                            Err(e) => {
                                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
                                return;
                            }
                        }
                    }
                });
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(found.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

impl ReadPage for Engine {
    fn read_page(&self, file: &[u8]) -> Result<Page, ReadError> {
        let picture = picture::decode(file)?;
        self.page(picture).map_err(|e| ReadError::Internal(e.to_string()))
    }
}

/// How many times longer than high a place is.
fn elongation(place: &Quad) -> f32 {
    place.width() / place.height().max(1.0)
}

/// Moves the lines that tell best which way is up to the front, and says how many they are: of middling length, since
/// short ones tell little and long ones cost much.
fn probes(places: &mut [Quad]) -> usize {
    let fit = |q: &Quad| (PROBE_FROM..=PROBE_TO).contains(&elongation(q));
    let mut count = 0;
    for at in 0..places.len() {
        if count < PROBES && fit(&places[at]) {
            places[count..=at].rotate_right(1);
            count += 1;
        }
    }
    count
}

/// How well lines were read, 0 to 1, when so many were tried; 1 if none was.
fn legibility(lines: &[TextLine], tried: usize) -> f32 {
    if tried == 0 { 1.0 } else { lines.iter().map(|line| line.confidence).sum::<f32>() / tried as f32 }
}

/// The place with its long side as the reading direction: text that runs upwards is turned.
fn along(quad: &Quad) -> Quad {
    let [tl, tr, br, bl] = quad.0;
    if quad.height() > 1.5 * quad.width() { Quad([tr, br, bl, tl]) } else { *quad }
}

/// A picture as the networks want it: one batch, blue-green-red planes, −1 to 1.
fn planes(picture: &RgbImage) -> NdTensor<f32, 4> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let area = width * height;
    let mut data = vec![0f32; 3 * area];
    for (at, pixel) in picture.as_raw().chunks_exact(3).enumerate() {
        for channel in 0..3 {
            data[channel * area + at] = f32::from(pixel[2 - channel]) / 127.5 - 1.0;
        }
    }
    NdTensor::from_data([1, 3, height, width], data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_model_is_named_with_the_way_to_get_it() {
        let error = Engine::load(Path::new("nowhere")).expect_err("there is none");
        let message = error.to_string();
        assert!(message.contains(DETECTOR) && message.contains("rapidocr==3.10.0"), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }

    #[test]
    fn planes_are_blue_green_red_from_minus_one_to_one() {
        let picture = RgbImage::from_pixel(1, 1, image::Rgb([255, 0, 51]));
        let planes = planes(&picture);
        assert_eq!((planes[[0, 0, 0, 0]], planes[[0, 1, 0, 0]], planes[[0, 2, 0, 0]]), (-0.6, -1.0, 1.0));
    }
}
