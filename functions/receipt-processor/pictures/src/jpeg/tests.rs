//! Against two library decoders: one for the full size, one for reduced sizes.

use std::io::Cursor;

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};

use super::{decode, header::Header};
use crate::raster::Raster;

/// Soft shapes, edges and some noise.
fn picture(width: usize, height: usize, channels: usize, seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let (a, b) = (random.random_range(3..40), random.random_range(3..40));
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let soft = (x * 2 + y * 3) % 256;
            let edge = if (x / a + y / b).is_multiple_of(2) { 40 } else { 0 };
            let noise = random.random_range(0..12);
            // Colours change slowly: where chroma samples lie between pixels, libraries disagree.
            for channel in 0..channels {
                pixels.push((soft / 3 + edge + noise + channel * 12 + channel * (x + y) / 16) as u8);
            }
        }
    }
    pixels
}

struct Case {
    width: usize,
    height: usize,
    sampling: SamplingFactor,
    progressive: bool,
    restarts: u16,
    quality: u8,
    grey: bool,
}

impl Case {
    fn encode(&self, seed: u64) -> Vec<u8> {
        let channels = if self.grey { 1 } else { 3 };
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, self.quality);
        encoder.set_sampling_factor(self.sampling);
        encoder.set_progressive(self.progressive);
        encoder.set_restart_interval(self.restarts);
        let colour = if self.grey { ColorType::Luma } else { ColorType::Rgb };
        let pixels = picture(self.width, self.height, channels, seed);
        encoder.encode(&pixels, self.width as u16, self.height as u16, colour).unwrap();
        bytes
    }
}

/// The mean and the largest difference.
fn difference(a: &[u8], b: &[u8]) -> (f64, u8) {
    assert_eq!(a.len(), b.len());
    let differences = || a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
    (differences().map(f64::from).sum::<f64>() / a.len() as f64, differences().max().unwrap_or(0))
}

fn full(bytes: &[u8]) -> Raster {
    decode(bytes, u32::MAX).unwrap().1
}

fn library(bytes: &[u8]) -> Vec<u8> {
    let options = zune_jpeg::zune_core::options::DecoderOptions::default()
        .jpeg_set_out_colorspace(zune_jpeg::zune_core::colorspace::ColorSpace::RGB);
    zune_jpeg::JpegDecoder::new_with_options(zune_jpeg::zune_core::bytestream::ZCursor::new(bytes), options)
        .decode()
        .unwrap()
}

fn other_library(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = jpeg_decoder::Decoder::new(Cursor::new(bytes));
    let pixels = decoder.decode().unwrap();
    match decoder.info().unwrap().pixel_format {
        jpeg_decoder::PixelFormat::L8 => pixels.iter().flat_map(|grey| [*grey; 3]).collect(),
        _ => pixels,
    }
}

fn cases() -> impl Iterator<Item = (u64, Case)> {
    use SamplingFactor::{F_1_1, F_1_2, F_2_1, F_2_2, F_4_1};
    let sizes = (1..=34).map(|side| (side, 35 - side)).chain([(64, 64), (65, 127), (200, 33), (257, 255)]);
    let samplings = [F_1_1, F_2_1, F_1_2, F_2_2, F_4_1];
    let all = sizes.flat_map(move |size| samplings.map(move |sampling| (size, sampling)));
    let all = all.flat_map(|case| [false, true].map(move |progressive| (case, progressive)));
    all.enumerate().map(|(index, (((width, height), sampling), progressive))| {
        let index = index as u64;
        let case = Case {
            width,
            height,
            sampling,
            progressive,
            restarts: [0, 0, 1, 3][(index % 4) as usize],
            quality: [35, 75, 92, 100][(index / 3 % 4) as usize],
            grey: index.is_multiple_of(7),
        };
        (index, case)
    })
}

#[test]
fn the_full_size_is_that_of_a_library() {
    let mut seen = 0;
    for (seed, case) in cases() {
        let bytes = case.encode(seed);
        let own = full(&bytes);
        assert_eq!((own.width, own.height), (case.width, case.height));
        // The nearer of the two: with a width of a few pixels one of them goes wrong at 4:1:1.
        let (one, other) = (difference(&own.pixels, &library(&bytes)), difference(&own.pixels, &other_library(&bytes)));
        let (mean, most) = if one.0 < other.0 { one } else { other };
        // Without interpolated chroma there is only rounding; with it, libraries differ in where samples lie.
        let direct = case.grey || case.sampling == SamplingFactor::F_1_1;
        let (mean_bound, most_bound) = if direct { (0.6, 4) } else { (2.0, 40) };
        assert!(
            mean <= mean_bound && most <= most_bound,
            "{}×{} {:?} progressive {} quality {}: mean {mean:.2}, most {most}",
            case.width,
            case.height,
            case.sampling,
            case.progressive,
            case.quality
        );
        seen += 1;
    }
    assert!(seen > 300);
}

#[test]
fn reduced_sizes_are_those_of_a_library() {
    let mut seen = 0;
    for (seed, case) in cases() {
        let bytes = case.encode(seed);
        let long = case.width.max(case.height);
        for scale in [1, 2, 4] {
            let side = (long * scale).div_ceil(8);
            if side * 8 / scale < long || side == 0 || (side as u32 - 1) as usize * 8 >= long * scale {
                continue;
            }
            let mut reference = jpeg_decoder::Decoder::new(Cursor::new(&bytes));
            reference.read_info().unwrap();
            let (width, height) = reference
                .scale(
                    case.width.div_ceil(8).max(1) as u16 * scale as u16,
                    case.height.div_ceil(8) as u16 * scale as u16,
                )
                .unwrap();
            let own = at_scale(&bytes, scale);
            if (own.width, own.height) != (usize::from(width), usize::from(height)) {
                continue;
            }
            let expected = reference.decode().unwrap();
            let expected: Vec<u8> =
                if case.grey { expected.iter().flat_map(|grey| [*grey; 3]).collect() } else { expected };
            let (mean, most) = difference(&own.pixels, &expected);
            let direct = case.grey || case.sampling == SamplingFactor::F_1_1;
            let (mean_bound, most_bound) = if direct { (2.0, 8) } else { (3.0, 60) };
            assert!(
                mean <= mean_bound && most <= most_bound,
                "{}×{} at {scale}/8 {:?} progressive {}: mean {mean:.2}, most {most}",
                case.width,
                case.height,
                case.sampling,
                case.progressive
            );
            seen += 1;
        }
    }
    assert!(seen > 500, "{seen}");
}

/// At exactly `scale`/8.
pub(super) fn at_scale(bytes: &[u8], scale: usize) -> Raster {
    let header = Header::read(bytes).unwrap();
    let picture = super::scan::decode(bytes, &header, scale).unwrap();
    let mut pixels = Vec::new();
    picture.rows(&header, &crate::colour::Inks::plain(), |row| pixels.extend_from_slice(row));
    Raster { width: picture.width(), height: picture.height(), pixels }
}

#[test]
fn every_scale_is_the_full_size_made_smaller() {
    for (seed, case) in cases().filter(|(_, case)| case.width >= 64 && case.height >= 33) {
        let bytes = case.encode(seed);
        let large = full(&bytes);
        for scale in 1..8 {
            let small = at_scale(&bytes, scale);
            assert_eq!(small.width, (case.width * scale).div_ceil(8));
            assert_eq!(small.height, (case.height * scale).div_ceil(8));
            let mean = |raster: &Raster| {
                raster.pixels.iter().map(|value| f64::from(*value)).sum::<f64>() / raster.pixels.len() as f64
            };
            assert!((mean(&large) - mean(&small)).abs() < 3.0, "{} of {}", mean(&small), mean(&large));
        }
    }
}

#[test]
fn progressive_and_sequential_coding_of_a_picture_decode_alike() {
    for (seed, case) in cases().filter(|(_, case)| !case.progressive) {
        let sequential = case.encode(seed);
        let progressive = Case { progressive: true, ..case }.encode(seed);
        for scale in [1, 2, 3, 5, 8] {
            assert_eq!(at_scale(&sequential, scale).pixels, at_scale(&progressive, scale).pixels);
        }
    }
}

#[test]
fn every_cut_is_noticed() {
    for progressive in [false, true] {
        let case = Case {
            width: 50,
            height: 40,
            sampling: SamplingFactor::F_2_2,
            progressive,
            restarts: 0,
            quality: 80,
            grey: false,
        };
        let bytes = case.encode(1);
        // The end marker, and a byte that may hold nothing but padding.
        for length in 2..bytes.len() - 4 {
            assert!(decode(&bytes[..length], u32::MAX).is_err(), "{length} of {} bytes", bytes.len());
        }
    }
}
