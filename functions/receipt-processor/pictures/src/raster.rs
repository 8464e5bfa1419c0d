//! Pixels in memory: sRGB, eight bits, opaque.

use slipstream_events::FailureReason;

use crate::limits::MAX_MEMORY;

/// A picture, row by row.
#[derive(Debug, Clone)]
pub struct Raster {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// Red, green and blue of each pixel.
    pub pixels: Vec<u8>,
}

impl Raster {
    /// Turns it as an Exif orientation (1 to 8) asks.
    pub fn upright(self, orientation: u8) -> Self {
        if !(2..=8).contains(&orientation) {
            return self;
        }
        let (width, height) = (self.width, self.height);
        let (out_width, out_height) = if orientation >= 5 { (height, width) } else { (width, height) };
        // Where the first pixel comes from, and how far a step to the right and one down go in the source.
        let (w, h) = (width.cast_signed(), height.cast_signed());
        let (start, right, down) = match orientation {
            2 => (w - 1, -1, w),
            3 => (w * h - 1, -1, -w),
            4 => (w * (h - 1), 1, -w),
            5 => (0, w, 1),
            6 => (w * (h - 1), -w, 1),
            7 => (w * h - 1, -w, -1),
            _ => (w - 1, w, -1),
        };
        let mut pixels = Vec::with_capacity(self.pixels.len());
        for y in 0..out_height.cast_signed() {
            for x in 0..out_width.cast_signed() {
                let from = (start + y * down + x * right).cast_unsigned() * 3;
                pixels.extend_from_slice(&self.pixels[from..from + 3]);
            }
        }
        Self { width: out_width, height: out_height, pixels }
    }
}

/// Takes a picture row by row and keeps the mean of squares of pixels, as large as leaves the long side at `side` or
/// more: a large picture is never held as a whole.
pub struct Reducer {
    width: usize,
    factor: usize,
    sums: Vec<u32>,
    rows: usize,
    out: Raster,
}

impl Reducer {
    /// For a picture of `width`×`height`.
    ///
    /// # Errors
    /// What is left of it is too large for memory.
    pub fn new(width: usize, height: usize, side: u32) -> Result<Self, FailureReason> {
        let factor = (width.max(height) / (side as usize).max(1)).clamp(1, 256);
        let (out_width, out_height) = (width.div_ceil(factor), height.div_ceil(factor));
        if (out_width * out_height * 3) as u64 > MAX_MEMORY {
            return Err(FailureReason::TooLarge);
        }
        let sums = if factor > 1 { vec![0; out_width * 3] } else { Vec::new() };
        let pixels = Vec::with_capacity(out_width * out_height * 3);
        Ok(Self { width, factor, sums, rows: 0, out: Raster { width: out_width, height: out_height, pixels } })
    }

    /// The next row, as RGB.
    pub fn push(&mut self, row: &[u8]) {
        if self.factor == 1 {
            self.out.pixels.extend_from_slice(row);
            return;
        }
        for (cell, sum) in row.chunks(self.factor * 3).zip(self.sums.chunks_exact_mut(3)) {
            for pixel in cell.chunks_exact(3) {
                for (sum, value) in sum.iter_mut().zip(pixel) {
                    *sum += u32::from(*value);
                }
            }
        }
        self.rows += 1;
        if self.rows == self.factor {
            self.emit();
        }
    }

    fn emit(&mut self) {
        let last = self.width - (self.out.width - 1) * self.factor;
        for (index, sum) in self.sums.chunks_exact_mut(3).enumerate() {
            let columns = if index + 1 == self.out.width { last } else { self.factor };
            let count = (columns * self.rows) as u32;
            for value in sum {
                self.out.pixels.push(((*value + count / 2) / count) as u8);
                *value = 0;
            }
        }
        self.rows = 0;
    }

    /// The picture. Rows that never came are white, as paper is.
    pub fn finish(mut self) -> Raster {
        if self.rows > 0 {
            self.emit();
        }
        self.out.pixels.resize(self.out.width * self.out.height * 3, 255);
        self.out
    }
}

/// A colour over white, as paper is.
#[inline]
pub fn over_white(value: u8, alpha: u8) -> u8 {
    let mixed = u32::from(value) * u32::from(alpha) + 255 * (255 - u32::from(alpha));
    ((mixed + 127) / 255) as u8
}

/// A row of 1 (grey), 2 (with alpha), 3 (RGB) or 4 (with alpha) samples for each pixel as RGB.
pub fn to_rgb(row: &[u8], channels: usize, rgb: &mut Vec<u8>) {
    rgb.clear();
    match channels {
        1 => rgb.extend(row.iter().flat_map(|grey| [*grey; 3])),
        2 => rgb.extend(row.chunks_exact(2).flat_map(|pixel| [over_white(pixel[0], pixel[1]); 3])),
        4 => rgb.extend(row.chunks_exact(4).flat_map(|pixel| {
            [over_white(pixel[0], pixel[3]), over_white(pixel[1], pixel[3]), over_white(pixel[2], pixel[3])]
        })),
        _ => rgb.extend_from_slice(row),
    }
}
