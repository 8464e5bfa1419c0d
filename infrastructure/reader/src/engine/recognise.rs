//! What a line says: a CTC recogniser over a strip 48 pixels high.

use std::sync::Arc;

use image::RgbImage;
use rten::NodeId;
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use super::decode::decode;
use super::head::Head;
use super::strip::strip;
use super::{ModelError, planes};
use crate::page::{Quad, TextLine};

/// What the last layer gets, one column per step. The model file is pinned by its hash, and so are its names.
const FEATURES: &str = "p2o.pd_op.squeeze.0.0";
/// The last layer's matrix.
const WEIGHTS: &str = "linear_8.w_0";
/// The last layer's offsets.
const BIAS: &str = "linear_8.b_0";

/// The recognition network and its alphabet.
pub struct Recogniser {
    model: rten::Model,
    input: NodeId,
    features: NodeId,
    head: Head,
}

impl Recogniser {
    /// Takes the alphabet from the network's metadata (`character`) and the last layer from its constants.
    ///
    /// # Errors
    /// Says what the network lacks.
    pub fn new(model: rten::Model) -> Result<Self, String> {
        let alphabet: Vec<char> = model
            .metadata()
            .get("character")
            .ok_or("its metadata have no alphabet (`character`)")?
            .lines()
            .map(|line| line.chars().next().unwrap_or(' '))
            .collect();
        let &input = model.input_ids().first().ok_or("it has no input")?;
        let node = |name: &str| model.node_id(name).map_err(|e| e.to_string());
        let [weights, bias] =
            model.run_n(Vec::new(), [node(WEIGHTS)?, node(BIAS)?], None).map_err(|e| e.to_string())?;
        let unfit = |_| "its last layer has another shape".to_owned();
        let weights: NdTensor<f32, 2> = weights.try_into().map_err(unfit)?;
        let bias: NdTensor<f32, 1> = bias.try_into().map_err(unfit)?;
        let head = Head::new(&weights, &bias.to_vec(), &alphabet).ok_or("its last layer does not fit its alphabet")?;
        Ok(Self { input, features: node(FEATURES)?, head, model })
    }

    /// Reads one place; `None` if there is nothing to read.
    ///
    /// # Errors
    /// If the network fails to run.
    pub fn read(
        &self,
        picture: &RgbImage,
        quad: &Quad,
        pool: &Arc<rten::ThreadPool>,
    ) -> Result<Option<TextLine>, ModelError> {
        let Some(strip) = strip(picture, quad) else { return Ok(None) };
        let mut options = rten::RunOptions::default();
        options.thread_pool = Some(Arc::clone(pool));
        let [out] = self
            .model
            .run_n(vec![(self.input, planes(&strip).into())], [self.features], Some(options))
            .map_err(|e| ModelError(e.to_string()))?;
        let features: NdTensor<f32, 3> =
            out.try_into().map_err(|_| ModelError("the recogniser's features have the wrong shape".to_owned()))?;
        let decoded = decode(&self.head, &self.head.scores(&features));
        Ok(decoded.map(|found| TextLine {
            text: found.text,
            confidence: found.confidence,
            quad: *quad,
            offsets: found.offsets,
        }))
    }
}
