//! Image in, text lines out: PP-OCRv6 (Apache-2.0) on the pure-Rust runtime `rten`.
//!
//! [`detect`] finds where text is, [`recognise`] reads each place, [`picture`] decodes files.

pub mod detect;
pub mod picture;
pub mod recognise;
pub mod shapes;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use image::RgbImage;
use rten_tensor::NdTensor;

use crate::page::{Page, Quad, TextLine};
use crate::server::{ReadError, ReadPage};
use detect::Detector;
use recognise::Recogniser;

/// The detector's file name.
pub const DETECTOR: &str = "PP-OCRv6_det_small.onnx";
/// The recogniser's file name; its metadata hold the alphabet.
pub const RECOGNISER: &str = "PP-OCRv6_rec_small.onnx";
/// Lines the recogniser is less sure of are noise: rules, stamps, folds.
const LEAST_CONFIDENCE: f32 = 0.5;

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
        let recogniser = Recogniser::new(recogniser).ok_or_else(|| LoadError::Unusable {
            path,
            reason: "its metadata have no alphabet (`character`)".to_owned(),
        })?;
        // Whole lines in parallel use the cores better than one line split over them.
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
        let pools = (0..workers).map(|_| Arc::new(rten::ThreadPool::with_num_threads(1))).collect();
        Ok(Self { detector: Detector::new(detector), recogniser, pools })
    }

    /// Finds and reads every line of text in an upright picture.
    ///
    /// # Errors
    /// If a network fails to run.
    pub fn lines(&self, picture: &RgbImage) -> Result<Vec<TextLine>, ModelError> {
        let places = self.detector.detect(picture)?;
        let mut lines = self.recognise(picture, &places)?;
        lines.sort_by(|a, b| a.quad.top().total_cmp(&b.quad.top()));
        Ok(lines)
    }

    fn recognise(&self, picture: &RgbImage, places: &[Quad]) -> Result<Vec<TextLine>, ModelError> {
        // Long lines first, so that no worker is left with one at the end.
        let mut order: Vec<&Quad> = places.iter().collect();
        order.sort_by(|a, b| {
            let length = |q: &Quad| q.width() / q.height().max(1.0);
            length(b).total_cmp(&length(a))
        });
        let next = AtomicUsize::new(0);
        let found = Mutex::new(Vec::with_capacity(places.len()));
        let failed = Mutex::new(None);
        std::thread::scope(|scope| {
            for pool in &self.pools {
                scope.spawn(|| {
                    while let Some(quad) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
                        match self.recogniser.read(picture, quad, pool) {
                            Ok(Some(line)) if line.confidence >= LEAST_CONFIDENCE => {
                                found.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                            }
                            Ok(_) => {}
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
        let lines = self.lines(&picture).map_err(|e| ReadError::Internal(e.to_string()))?;
        Ok(Page::new(picture.width() as f32, picture.height() as f32, lines))
    }
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
