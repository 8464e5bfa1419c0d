//! The inverse transform at a reduced scale: N×N samples from the N×N lowest frequencies of a block of 8×8
//! (N/8 of the size), as libjpeg does. What is left out is what a smaller picture cannot show.

use std::{array, f32::consts::PI};

/// Turns blocks of N×N coefficients into N×N samples.
pub struct Transform {
    side: usize,
    /// By frequency and place.
    basis: [[f32; 8]; 8],
}

impl Transform {
    /// For blocks of `side`×`side`, 1 to 8.
    pub fn new(side: usize) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "numbers below 256")]
        let basis = array::from_fn(|frequency| {
            let gain = if frequency == 0 { 0.5_f32.sqrt() / 2.0 } else { 0.5 };
            array::from_fn(|place| {
                let angle = (2 * place + 1) as f32 * frequency as f32 * PI / (2 * side) as f32;
                if place < side && frequency < side { gain * angle.cos() } else { 0.0 }
            })
        });
        Self { side, basis }
    }

    /// One block: `coefficients` and `quantiser` row by row, N×N each; `out` begins at the block's first sample.
    pub fn block(&self, coefficients: &[i16], quantiser: &[f32; 64], out: &mut [u8], stride: usize) {
        let side = self.side;
        if coefficients[1..side * side].iter().all(|coefficient| *coefficient == 0) {
            let value = average(coefficients[0], quantiser);
            for row in out.chunks_mut(stride).take(side) {
                row[..side].fill(value);
            }
            return;
        }
        match side {
            2 => self.full::<2>(coefficients, quantiser, out, stride),
            3 => self.full::<3>(coefficients, quantiser, out, stride),
            4 => self.full::<4>(coefficients, quantiser, out, stride),
            5 => self.full::<5>(coefficients, quantiser, out, stride),
            6 => self.full::<6>(coefficients, quantiser, out, stride),
            7 => self.full::<7>(coefficients, quantiser, out, stride),
            _ => self.full::<8>(coefficients, quantiser, out, stride),
        }
    }

    #[inline]
    fn full<const N: usize>(&self, coefficients: &[i16], quantiser: &[f32; 64], out: &mut [u8], stride: usize) {
        let basis: [[f32; N]; N] = array::from_fn(|frequency| array::from_fn(|place| self.basis[frequency][place]));
        let mut sums = [[0.0_f32; N]; N];
        for frequency in 0..N {
            let row = &coefficients[frequency * N..frequency * N + N];
            if row.iter().all(|coefficient| *coefficient == 0) {
                continue;
            }
            let mut line = [0.0_f32; N];
            for (u, coefficient) in row.iter().enumerate() {
                let value = f32::from(*coefficient) * quantiser[frequency * N + u];
                for x in 0..N {
                    line[x] += value * basis[u][x];
                }
            }
            for (sum, weight) in sums.iter_mut().zip(basis[frequency]) {
                for x in 0..N {
                    sum[x] += weight * line[x];
                }
            }
        }
        for (row, sum) in out.chunks_mut(stride).zip(&sums) {
            for (sample_out, value) in row[..N].iter_mut().zip(sum) {
                *sample_out = sample(*value);
            }
        }
    }
}

/// The one sample of a block of which only the average is known.
#[inline]
pub fn average(coefficient: i16, quantiser: &[f32; 64]) -> u8 {
    sample(f32::from(coefficient) * quantiser[0] / 8.0)
}

/// Level shift and rounding (T.81, A.3.1).
#[inline]
fn sample(value: f32) -> u8 {
    round(value + 128.0)
}

/// The nearest of 0..=255. Adding 2²³ leaves the rounded number in the lowest bits, for whole vectors at a time.
#[expect(clippy::cast_possible_truncation, reason = "the low byte is the number")]
#[inline]
pub fn round(value: f32) -> u8 {
    (value.clamp(0.0, 255.0) + 8_388_608.0).to_bits() as u8
}
