//! Ten thousand damaged files: each becomes pictures or a named reason, in bounded time and memory.

mod common;

use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use slipstream_pictures::prepare;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const FILES: usize = 10_000;

/// Flips, overwrites, cuts, repeats, removes, or makes a number large.
fn mutate(bytes: &mut Vec<u8>, random: &mut StdRng) {
    for _ in 0..random.random_range(1..=4) {
        if bytes.is_empty() {
            return;
        }
        // Headers are where sizes stand.
        let most = if random.random_bool(0.5) { bytes.len().min(256) } else { bytes.len() };
        let at = random.random_range(0..most);
        match random.random_range(0..8) {
            0 | 1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 | 3 => bytes[at] = random.random(),
            4 => bytes.truncate(at),
            5 => {
                let end = (at + random.random_range(1..64)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            6 => {
                let end = (at + random.random_range(1..16)).min(bytes.len());
                bytes.drain(at..end);
            }
            _ => {
                let end = (at + 4).min(bytes.len());
                bytes[at..end].fill(if random.random_bool(0.5) { 0xff } else { b'9' });
            }
        }
    }
}

#[test]
fn every_damaged_file_becomes_pictures_or_a_named_reason() {
    // A panic inside of a decoder is caught, and would fill the output with its message.
    std::panic::set_hook(Box::new(|_| {}));
    let samples = common::samples();
    let mut random = StdRng::seed_from_u64(20_260_722);
    let (mut slowest, mut largest) = ((Duration::ZERO, ""), (0, ""));
    let (mut whole, mut refused) = (0, 0);
    for index in 0..FILES {
        let (name, sample) = &samples[index % samples.len()];
        let mut bytes = sample.clone();
        mutate(&mut bytes, &mut random);
        MEMORY.reset_peak_usage();
        let before = MEMORY.current_usage();
        let start = Instant::now();
        match prepare(&bytes) {
            Ok(prepared) => {
                assert!(!prepared.pages.is_empty(), "{name}");
                whole += 1;
            }
            Err(_) => refused += 1,
        }
        slowest = slowest.max((start.elapsed(), name));
        largest = largest.max((MEMORY.peak_usage().saturating_sub(before), name));
        assert!(start.elapsed() < Duration::from_secs(2), "{name}, file {index}: {:?}", start.elapsed());
        assert!(largest.0 < 128 << 20, "{name}, file {index}: {} bytes", largest.0);
    }
    println!("{whole} whole, {refused} refused; slowest {slowest:?}, largest {largest:?}");
    assert!(whole > FILES / 20 && refused > FILES / 20, "{whole} whole, {refused} refused");
}
