//! The recogniser's last layer, for the signs we read only.
//!
//! The network tells 18 708 signs apart, mostly Chinese; what is printed on receipts here needs a few hundred. Leaving the
//! other columns of the last matrix out saves work and memory, and stray signs on rules and stamps.

use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use super::alphabet::{plain, readable};

/// How many columns are summed at once: the compiler turns eight into vector instructions.
const LANES: usize = 8;

/// What the network gives each sign, step by step along a line.
#[derive(Debug)]
pub struct Scores {
    /// Probabilities, step by step; in each step one per sign.
    values: Vec<f32>,
    signs: usize,
}

impl Scores {
    /// From probabilities, step by step, `signs` for each step.
    #[must_use]
    pub fn new(values: Vec<f32>, signs: usize) -> Self {
        Self { values, signs: signs.max(1) }
    }

    /// How many steps the line has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.signs
    }

    /// Whether there is no step at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The probabilities of every step: the blank first, then the signs in the head's order.
    pub fn steps(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.signs)
    }
}

/// The last layer: a matrix, an offset, and the sign of each kept column.
pub struct Head {
    /// Row by row; a row for every feature, a column for every kept class.
    weights: Vec<f32>,
    bias: Vec<f32>,
    /// For every column: 0 for the blank, else one more than the index in `signs`.
    place: Vec<usize>,
    signs: Vec<char>,
}

impl Head {
    /// Keeps the readable classes of a last layer. `alphabet` names the classes from 1 (0 is the blank); a class past its
    /// end is the space. `None` if the sizes do not agree.
    #[must_use]
    pub fn new(weights: &NdTensor<f32, 2>, bias: &[f32], alphabet: &[char]) -> Option<Self> {
        let [features, classes] = weights.shape();
        if bias.len() != classes || alphabet.len() > classes {
            return None;
        }
        let mut signs: Vec<char> = Vec::new();
        let (mut kept, mut place) = (vec![0], vec![0]);
        for class in 1..classes {
            let listed = alphabet.get(class - 1).copied().unwrap_or(' ');
            if !readable(listed) {
                continue;
            }
            let sign = plain(listed);
            let at = signs.iter().position(|&c| c == sign).unwrap_or_else(|| {
                signs.push(sign);
                signs.len() - 1
            });
            kept.push(class);
            place.push(at + 1);
        }
        let columns = kept.len().next_multiple_of(LANES);
        let mut narrow = vec![0.0; features * columns];
        for (feature, row) in narrow.chunks_exact_mut(columns).enumerate() {
            for (to, &class) in row.iter_mut().zip(&kept) {
                *to = weights[[feature, class]];
            }
        }
        // A column that pads the row out never wins.
        let mut narrow_bias = vec![f32::NEG_INFINITY; columns];
        for (to, &class) in narrow_bias.iter_mut().zip(&kept) {
            *to = bias[class];
        }
        Some(Self { weights: narrow, bias: narrow_bias, place, signs })
    }

    /// What the sign at an index of a step (from 1; 0 is the blank) is.
    #[must_use]
    pub fn sign(&self, at: usize) -> char {
        self.signs[at - 1]
    }

    /// The index of a sign in a step.
    #[must_use]
    pub fn index(&self, sign: char) -> Option<usize> {
        self.signs.iter().position(|&c| c == sign).map(|n| n + 1)
    }

    /// From features (a row for each feature, a column for each step) to probabilities.
    #[must_use]
    pub fn scores(&self, features: &NdTensor<f32, 3>) -> Scores {
        let [_, depth, steps] = features.shape();
        let columns = self.bias.len();
        let count = self.signs.len() + 1;
        let mut values = vec![0.0; steps * count];
        let mut sums = vec![0.0; columns];
        for (step, out) in values.chunks_exact_mut(count).enumerate() {
            sums.copy_from_slice(&self.bias);
            for (feature, row) in self.weights.chunks_exact(columns).take(depth).enumerate() {
                add(&mut sums, row, features[[0, feature, step]]);
            }
            let most = sums.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let mut whole = 0.0;
            for (&sum, &place) in sums.iter().zip(&self.place) {
                let share = (sum - most).exp();
                whole += share;
                out[place] += share;
            }
            for share in out {
                *share /= whole;
            }
        }
        Scores::new(values, count)
    }
}

/// `sums += factor × row`.
fn add(sums: &mut [f32], row: &[f32], factor: f32) {
    for (sums, row) in sums.chunks_exact_mut(LANES).zip(row.chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += factor * row[lane];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_readable_signs_are_scored_and_equal_ones_add_up() {
        // Classes: blank, a comma, a Chinese sign, the full-width comma, the space past the alphabet's end.
        let alphabet = [',', '米', '，'];
        let weights = NdTensor::from_data([1, 5], vec![0.0, 1.0, 50.0, 1.0, 0.0]);
        let head = Head::new(&weights, &[0.0; 5], &alphabet).expect("sizes agree");
        let scores = head.scores(&NdTensor::from_data([1, 1, 2], vec![0.0, 100.0]));
        let steps: Vec<&[f32]> = scores.steps().collect();
        assert_eq!((scores.len(), steps[0].len()), (2, 3));
        let (comma, space) = (head.index(',').expect("kept"), head.index(' ').expect("kept"));
        assert_eq!((head.sign(comma), head.index('米')), (',', None));
        assert!((steps[0][0] - 0.25).abs() < 1e-6 && (steps[0][comma] - 0.5).abs() < 1e-6, "{steps:?}");
        assert!((steps[0][space] - 0.25).abs() < 1e-6 && steps[1][comma] > 0.99, "{steps:?}");
    }

    #[test]
    fn a_layer_that_does_not_fit_its_alphabet_is_refused() {
        let weights = NdTensor::from_data([1, 2], vec![0.0, 1.0]);
        assert!(Head::new(&weights, &[0.0], &['a']).is_none());
        assert!(Head::new(&weights, &[0.0; 2], &['a', 'b', 'c']).is_none());
    }
}
