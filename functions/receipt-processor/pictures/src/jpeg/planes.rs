//! From planes of samples to rows of pixels: interpolation of coarser components, and colour.

use super::{header::Header, idct::round};
use crate::colour::Inks;

/// The samples of one component.
pub struct Plane {
    /// Row by row.
    pub samples: Vec<u8>,
    stride: usize,
    /// What belongs to the picture; the rest fills the last blocks.
    width: usize,
    height: usize,
    /// Samples for each pixel, across and down.
    ratio: (f32, f32),
}

impl Plane {
    /// A grey plane.
    pub fn new(stride: usize, rows: usize, (width, height): (usize, usize), ratio: (f32, f32)) -> Self {
        Self { samples: vec![128; stride * rows], stride, width: width.max(1), height: height.max(1), ratio }
    }

    fn row(&self, y: usize) -> &[u8] {
        let first = y.min(self.height - 1) * self.stride;
        &self.samples[first..first + self.width]
    }
}

/// The planes of a picture.
pub struct Picture {
    width: usize,
    height: usize,
    planes: Vec<Plane>,
}

/// How the samples of a pixel make a colour.
enum Colour {
    Grey,
    Rgb,
    /// JFIF, ITU-R BT.601 over the full range.
    YCbCr,
    /// Inks, 255 being none.
    Cmyk {
        inverted: bool,
    },
    /// CMY as `YCbCr`, as Adobe writes it.
    Ycck {
        inverted: bool,
    },
}

impl Colour {
    fn of(header: &Header) -> Self {
        let ids: Vec<u8> = header.components.iter().map(|part| part.id).collect();
        match (ids.len(), header.adobe) {
            (1, _) => Self::Grey,
            (4, Some(2)) => Self::Ycck { inverted: true },
            (4, adobe) => Self::Cmyk { inverted: adobe.is_some() },
            (_, Some(0)) if !header.jfif => Self::Rgb,
            (_, None) if !header.jfif && ids == *b"RGB" => Self::Rgb,
            _ => Self::YCbCr,
        }
    }
}

/// For one way: between which samples a pixel lies, and how near to the second, in sixteenths.
fn between(out: usize, size: usize, ratio: f32) -> Vec<(usize, usize, u16)> {
    let near = |index: usize| {
        #[expect(clippy::cast_precision_loss, reason = "sizes stay below 2^20")]
        let place = ((index as f32 + 0.5) * ratio - 0.5).max(0.0);
        let first = (place as usize).min(size - 1);
        #[expect(clippy::cast_precision_loss, reason = "sizes stay below 2^20")]
        let share = ((place - first as f32) * 16.0).round();
        (first, (first + 1).min(size - 1), (share as u16).min(16))
    };
    (0..out).map(near).collect()
}

impl Picture {
    /// At `scale`/8 of the frame.
    pub fn new(header: &Header, scale: usize, planes: Vec<Plane>) -> Self {
        let scaled = |size: u32| (size as usize * scale).div_ceil(8);
        Self { width: scaled(header.width), height: scaled(header.height), planes }
    }

    /// In pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// In pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Row by row as RGB.
    pub fn rows(&self, header: &Header, inks: &Inks, mut push: impl FnMut(&[u8])) {
        let colour = Colour::of(header);
        let axes: Vec<_> = self
            .planes
            .iter()
            .map(|plane| {
                let (across, down) = plane.ratio;
                let places = |ratio: f32, out: usize, size: usize| (ratio < 1.0).then(|| between(out, size, ratio));
                (places(across, self.width, plane.width), places(down, self.height, plane.height))
            })
            .collect();
        let mut lines = vec![vec![0_u8; self.width]; self.planes.len()];
        let mut mixed = Vec::new();
        let mut rgb = vec![0_u8; self.width * 3];
        for y in 0..self.height {
            for ((plane, (across, down)), line) in self.planes.iter().zip(&axes).zip(&mut lines) {
                let source = match down {
                    None => plane.row(y),
                    Some(places) => {
                        let (first, second, share) = places[y];
                        mixed.clear();
                        let pairs = plane.row(first).iter().zip(plane.row(second));
                        mixed.extend(pairs.map(|(a, b)| mix(*a, *b, share)));
                        &mixed
                    }
                };
                match across {
                    None => line.copy_from_slice(&source[..self.width]),
                    Some(places) => {
                        for (out, (first, second, share)) in line.iter_mut().zip(places) {
                            *out = mix(source[*first], source[*second], *share);
                        }
                    }
                }
            }
            colour.row(&lines, inks, &mut rgb);
            push(&rgb);
        }
    }
}

fn mix(a: u8, b: u8, share: u16) -> u8 {
    ((u16::from(a) * (16 - share) + u16::from(b) * share + 8) >> 4) as u8
}

impl Colour {
    fn row(&self, lines: &[Vec<u8>], inks: &Inks, rgb: &mut [u8]) {
        match (self, lines) {
            (Self::Rgb, [red, green, blue]) => {
                for (((pixel, r), g), b) in rgb.chunks_exact_mut(3).zip(red).zip(green).zip(blue) {
                    pixel.copy_from_slice(&[*r, *g, *b]);
                }
            }
            (Self::YCbCr, [luma, blue, red]) => from_ycbcr(luma, blue, red, rgb),
            (Self::Cmyk { inverted }, [cyan, magenta, yellow, black]) => {
                for (((pixel, c), m), y) in rgb.chunks_exact_mut(3).zip(cyan).zip(magenta).zip(yellow) {
                    pixel.copy_from_slice(&[*c, *m, *y]);
                }
                inks.row(rgb, black, *inverted);
            }
            (Self::Ycck { inverted }, [luma, blue, red, black]) => {
                from_ycbcr(luma, blue, red, rgb);
                // The transform is that of the complement.
                rgb.iter_mut().for_each(|value| *value = 255 - *value);
                inks.row(rgb, black, *inverted);
            }
            (_, [grey, ..]) => {
                for (pixel, value) in rgb.chunks_exact_mut(3).zip(grey) {
                    pixel.fill(*value);
                }
            }
            _ => {}
        }
    }
}

fn from_ycbcr(luma: &[u8], blue: &[u8], red: &[u8], rgb: &mut [u8]) {
    for (((pixel, y), cb), cr) in rgb.chunks_exact_mut(3).zip(luma).zip(blue).zip(red) {
        let (y, cb, cr) = (f32::from(*y), f32::from(*cb) - 128.0, f32::from(*cr) - 128.0);
        pixel[0] = round(y + 1.402 * cr);
        pixel[1] = round(y - 0.344_136 * cb - 0.714_136 * cr);
        pixel[2] = round(y + 1.772 * cb);
    }
}
