//! From the scans to planes of samples.

use slipstream_events::FailureReason;

use super::{
    bits::{Bits, Huffman},
    header::{Header, next_marker, segment},
    idct::{Transform, average},
    planes::{Picture, Plane},
};

/// The most scans of a file: the usual progressive script has ten. Each looks at every block.
const MAX_SCANS: usize = 64;

/// The order in which coefficients are coded (T.81, figure 5): by place in the code, the row and column.
const ZIGZAG: [(u8, u8); 64] = zigzag();

const fn zigzag() -> [(u8, u8); 64] {
    let mut order = [(0, 0); 64];
    let (mut row, mut column, mut index) = (0_u8, 0_u8, 0);
    while index < 64 {
        order[index] = (row, column);
        index += 1;
        if (row + column).is_multiple_of(2) {
            if column == 7 {
                row += 1;
            } else if row == 0 {
                column += 1;
            } else {
                (row, column) = (row - 1, column + 1);
            }
        } else if row == 7 {
            column += 1;
        } else if column == 0 {
            row += 1;
        } else {
            (row, column) = (row + 1, column - 1);
        }
    }
    order
}

/// One component on its way.
struct Work {
    /// The samples of a block that are made, each way.
    side: usize,
    /// By place in the code: the place in a block of side×side, or [`DROPPED`].
    places: [u8; 64],
    /// The last place in the code that is not dropped.
    last: u32,
    transform: Transform,
    quantiser: Option<[f32; 64]>,
    /// In blocks, with those that only fill the last units.
    stride: usize,
    plane: Plane,
    /// Progressive: side×side coefficients for each block, and which of all 64 are not zero.
    coefficients: Vec<i16>,
    present: Vec<u64>,
    /// Progressive: by place in the code, how many bits are still to come.
    missing: [u8; 64],
}

const DROPPED: u8 = u8::MAX;
/// Of a coefficient that no scan has told anything about.
const UNSEEN: u8 = u8::MAX;

/// What a scan says about one of its components.
struct Part<'a> {
    component: usize,
    dc: Option<&'a Huffman>,
    ac: Option<&'a Huffman>,
}

/// What runs from block to block, until a restart.
#[derive(Default)]
struct State {
    predictions: [i32; 4],
    run: u32,
}

struct Scan {
    first: usize,
    last: usize,
    refines: bool,
    low: u32,
}

/// Decodes all scans at `scale`/8 of the size.
pub fn decode(bytes: &[u8], header: &Header, scale: usize) -> Result<Picture, FailureReason> {
    let mut works = works(header, scale);
    let mut dc: [Option<Huffman>; 4] = Default::default();
    let mut ac: [Option<Huffman>; 4] = Default::default();
    let mut quantisers: [Option<[u16; 64]>; 4] = [None; 4];
    let (mut interval, mut scans, mut position) = (0, 0, 2);
    let whole = loop {
        let Some((marker, end)) = next_marker(bytes, position) else { break false };
        if marker == 0xd9 {
            break true;
        }
        let Ok(content) = segment(bytes, end) else { break false };
        position = end + 2 + content.len();
        match marker {
            0xdb => read_quantisers(content, &mut quantisers)?,
            0xc4 => read_codes(content, &mut dc, &mut ac)?,
            0xdd => interval = content.first_chunk().map_or(0, |chunk| usize::from(u16::from_be_bytes(*chunk))),
            0xda => {
                scans += 1;
                if scans > MAX_SCANS {
                    return Err(FailureReason::TooLarge);
                }
                let (parts, scan) = read_scan(content, header, &dc, &ac)?;
                for part in &parts {
                    let work = &mut works[part.component];
                    if work.quantiser.is_none() {
                        let table = quantisers[header.components[part.component].quantiser];
                        work.quantise(&table.ok_or(FailureReason::Damaged)?);
                    }
                }
                let mut bits = Bits::new(bytes, position);
                if header.progressive {
                    progressive(header, &mut works, &parts, &scan, interval, &mut bits)?;
                } else {
                    sequential(header, &mut works, &parts, interval, &mut bits)?;
                    if works.iter().all(|work| work.quantiser.is_some()) {
                        break true;
                    }
                }
                position = bits.position();
            }
            _ => {}
        }
    };
    if works.iter().any(|work| !work.complete(header.progressive, whole)) {
        return Err(FailureReason::Damaged);
    }
    if header.progressive {
        for work in &mut works {
            work.finish();
        }
    }
    Ok(Picture::new(header, scale, works.into_iter().map(|work| work.plane).collect()))
}

fn works(header: &Header, scale: usize) -> Vec<Work> {
    let (most_across, most_down) = header.most();
    let (units_across, units_down) = header.units();
    let interleaved = header.components.len() > 1;
    let parts = header.components.iter().enumerate();
    parts
        .map(|(index, part)| {
            // Coarser components are decoded finer where a block has it: nothing to interpolate then.
            let room = (most_across / part.across).min(most_down / part.down) as usize;
            let finer = (1..=room).rev().find(|finer| {
                scale * finer <= 8
                    && (most_across as usize).is_multiple_of(*finer)
                    && (most_down as usize).is_multiple_of(*finer)
            });
            let side = scale * finer.unwrap_or(1);
            let (stride, rows) = if interleaved {
                (units_across * part.across as usize, units_down * part.down as usize)
            } else {
                header.blocks(index)
            };
            let places = ZIGZAG.map(|(row, column)| {
                let (row, column) = (usize::from(row), usize::from(column));
                if row < side && column < side { (row * side + column) as u8 } else { DROPPED }
            });
            let last = places.iter().rposition(|place| *place != DROPPED).unwrap_or(0) as u32;
            let held = if header.progressive { stride * rows } else { 0 };
            let valid =
                |size: u32, factor: u32, most: u32| ((size * factor).div_ceil(most) as usize * side).div_ceil(8);
            #[expect(clippy::cast_precision_loss, reason = "numbers up to 32")]
            let ratio = |factor: u32, most: u32| (factor as usize * side) as f32 / (most as usize * scale) as f32;
            Work {
                side,
                places,
                last,
                transform: Transform::new(side),
                quantiser: None,
                stride,
                plane: Plane::new(
                    stride * side,
                    rows * side,
                    (valid(header.width, part.across, most_across), valid(header.height, part.down, most_down)),
                    (ratio(part.across, most_across), ratio(part.down, most_down)),
                ),
                coefficients: vec![0; held * side * side],
                present: vec![0; held],
                missing: [UNSEEN; 64],
            }
        })
        .collect()
}

impl Work {
    fn quantise(&mut self, table: &[u16; 64]) {
        let mut quantiser = [0.0; 64];
        for (place, value) in self.places.iter().zip(table) {
            if *place != DROPPED {
                quantiser[usize::from(*place)] = f32::from(*value);
            }
        }
        self.quantiser = Some(quantiser);
    }

    /// Whether all of it was there. A file without an end is whole when no bit of it is missing.
    fn complete(&self, progressive: bool, ended: bool) -> bool {
        let unseen = self.quantiser.is_none() || (progressive && self.missing[0] == UNSEEN);
        !unseen && (ended || !progressive || self.missing.iter().all(|bits| *bits == 0))
    }

    /// A progressive component, after its last scan.
    fn finish(&mut self) {
        let Some(quantiser) = self.quantiser else { return };
        let size = self.side * self.side;
        let width = self.stride * self.side;
        for (index, block) in self.coefficients.chunks_exact(size).enumerate() {
            let first = index / self.stride * self.side * width + index % self.stride * self.side;
            self.transform.block(block, &quantiser, &mut self.plane.samples[first..], width);
        }
        self.coefficients = Vec::new();
        self.present = Vec::new();
    }
}

fn read_quantisers(mut content: &[u8], tables: &mut [Option<[u16; 64]>; 4]) -> Result<(), FailureReason> {
    while let [kind, rest @ ..] = content {
        let wide = kind >> 4 != 0;
        let size = if wide { 128 } else { 64 };
        let (values, rest) = rest.split_at_checked(size).ok_or(FailureReason::Damaged)?;
        let mut table = [0; 64];
        for (index, entry) in table.iter_mut().enumerate() {
            *entry = if wide {
                u16::from_be_bytes([values[2 * index], values[2 * index + 1]])
            } else {
                u16::from(values[index])
            };
        }
        *tables.get_mut(usize::from(kind & 15)).ok_or(FailureReason::Damaged)? = Some(table);
        content = rest;
    }
    Ok(())
}

fn read_codes(
    mut content: &[u8],
    dc: &mut [Option<Huffman>; 4],
    ac: &mut [Option<Huffman>; 4],
) -> Result<(), FailureReason> {
    while let [kind, rest @ ..] = content {
        let counts = rest.first_chunk::<16>().ok_or(FailureReason::Damaged)?;
        let total: usize = counts.iter().map(|count| usize::from(*count)).sum();
        let (symbols, rest) = rest[16..].split_at_checked(total).ok_or(FailureReason::Damaged)?;
        let tables = if kind >> 4 == 0 { &mut *dc } else { &mut *ac };
        let table = tables.get_mut(usize::from(kind & 15)).ok_or(FailureReason::Damaged)?;
        *table = Some(Huffman::new(counts, symbols)?);
        content = rest;
    }
    Ok(())
}

fn read_scan<'a>(
    content: &[u8],
    header: &Header,
    dc: &'a [Option<Huffman>; 4],
    ac: &'a [Option<Huffman>; 4],
) -> Result<(Vec<Part<'a>>, Scan), FailureReason> {
    let (count, rest) = content.split_first().ok_or(FailureReason::Damaged)?;
    let count = usize::from(*count);
    let (list, tail) = rest.split_at_checked(count * 2).ok_or(FailureReason::Damaged)?;
    let [first, last, bits, ..] = tail else { return Err(FailureReason::Damaged) };
    let mut parts: Vec<Part<'a>> = Vec::new();
    for pair in list.chunks_exact(2) {
        let component = header.components.iter().position(|part| part.id == pair[0]).ok_or(FailureReason::Damaged)?;
        if parts.iter().any(|part| part.component == component) {
            return Err(FailureReason::Damaged);
        }
        let table =
            |tables: &'a [Option<Huffman>; 4], index: u8| tables.get(usize::from(index)).and_then(Option::as_ref);
        parts.push(Part { component, dc: table(dc, pair[1] >> 4), ac: table(ac, pair[1] & 15) });
    }
    let scan = Scan {
        first: usize::from(*first),
        last: usize::from(*last),
        refines: bits >> 4 != 0,
        low: u32::from(bits & 15),
    };
    let fits = if header.progressive {
        scan.low <= 13
            && scan.last <= 63
            && if scan.first == 0 { scan.last == 0 } else { scan.first <= scan.last && parts.len() == 1 }
    } else {
        true
    };
    if parts.is_empty() || !fits { Err(FailureReason::Damaged) } else { Ok((parts, scan)) }
}

/// Visits the blocks of a scan in their order: component (by its place in the scan), row and column.
fn each_block<'a>(
    header: &Header,
    parts: &[Part<'_>],
    interval: usize,
    bits: &mut Bits<'a>,
    mut visit: impl FnMut(&mut Bits<'a>, &mut State, usize, usize, usize) -> Result<(), FailureReason>,
) -> Result<(), FailureReason> {
    let mut state = State::default();
    let (mut left, mut expected) = (interval, 0);
    let (across, down) = if let [only] = parts { header.blocks(only.component) } else { header.units() };
    for y in 0..down {
        for x in 0..across {
            if interval > 0 {
                if left == 0 {
                    bits.restart(expected)?;
                    (state, left, expected) = (State::default(), interval, (expected + 1) & 7);
                }
                left -= 1;
            }
            if parts.len() == 1 {
                visit(bits, &mut state, 0, y, x)?;
                continue;
            }
            for (index, part) in parts.iter().enumerate() {
                let component = &header.components[part.component];
                let (columns, rows) = (component.across as usize, component.down as usize);
                for row in 0..rows {
                    for column in 0..columns {
                        visit(bits, &mut state, index, y * rows + row, x * columns + column)?;
                    }
                }
            }
        }
        if bits.overrun() {
            return Err(FailureReason::Damaged);
        }
    }
    Ok(())
}

fn difference(bits: &mut Bits<'_>, table: &Huffman) -> Result<i32, FailureReason> {
    let category = table.symbol(bits)?;
    if category > 15 { Err(FailureReason::Damaged) } else { Ok(bits.extend(u32::from(category))) }
}

/// The value, or the nearest there is: beyond it a file is broken, and stays within bounds.
fn fit(value: i32) -> i16 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

fn sequential(
    header: &Header,
    works: &mut [Work],
    parts: &[Part<'_>],
    interval: usize,
    bits: &mut Bits<'_>,
) -> Result<(), FailureReason> {
    let mut tables = Vec::with_capacity(parts.len());
    for part in parts {
        tables.push((part.dc.ok_or(FailureReason::Damaged)?, part.ac.ok_or(FailureReason::Damaged)?));
    }
    let mut block = [0_i16; 64];
    each_block(header, parts, interval, bits, |bits, state, index, row, column| {
        let work = &mut works[parts[index].component];
        let (dc, ac) = tables[index];
        let prediction = &mut state.predictions[index];
        *prediction = prediction.wrapping_add(difference(bits, dc)?);
        let quantiser = work.quantiser.as_ref().ok_or(FailureReason::Damaged)?;
        let width = work.stride * work.side;
        let first = row * work.side * width + column * work.side;
        if work.side == 1 {
            // At 1/8 a block is one pixel, its average.
            ac.skip(bits, 1)?;
            work.plane.samples[first] = average(fit(*prediction), quantiser);
            return Ok(());
        }
        let size = work.side * work.side;
        block[..size].fill(0);
        block[0] = fit(*prediction);
        let mut k = 1_u32;
        let ended = loop {
            if k > work.last {
                break false;
            }
            let symbol = ac.symbol(bits)?;
            let (run, category) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if category == 0 {
                if run < 15 {
                    break true;
                }
                k += 16;
                continue;
            }
            k += run;
            let value = bits.extend(category);
            let place = *work.places.get(k as usize).ok_or(FailureReason::Damaged)?;
            if place != DROPPED {
                block[usize::from(place)] = fit(value);
            }
            k += 1;
        };
        if !ended {
            ac.skip(bits, k)?;
        }
        work.transform.block(&block[..size], quantiser, &mut work.plane.samples[first..], width);
        Ok(())
    })
}

fn progressive(
    header: &Header,
    works: &mut [Work],
    parts: &[Part<'_>],
    scan: &Scan,
    interval: usize,
    bits: &mut Bits<'_>,
) -> Result<(), FailureReason> {
    for part in parts {
        works[part.component].missing[scan.first..=scan.last].fill(scan.low as u8);
        let table = if scan.first > 0 { part.ac } else { part.dc };
        if table.is_none() && !(scan.first == 0 && scan.refines) {
            return Err(FailureReason::Damaged);
        }
    }
    each_block(header, parts, interval, bits, |bits, state, index, row, column| {
        let part = &parts[index];
        let work = &mut works[part.component];
        let number = row * work.stride + column;
        let size = work.side * work.side;
        let mut block = Block {
            coefficients: &mut work.coefficients[number * size..(number + 1) * size],
            present: &mut work.present[number],
            places: &work.places,
        };
        match (scan.first, scan.refines) {
            (0, false) => {
                let prediction = &mut state.predictions[index];
                *prediction = prediction.wrapping_add(difference(bits, part.dc.ok_or(FailureReason::Damaged)?)?);
                block.coefficients[0] = fit(prediction.wrapping_shl(scan.low));
                Ok(())
            }
            (0, true) => {
                block.coefficients[0] |= (bits.take(1) << scan.low) as i16;
                Ok(())
            }
            (_, false) => block.first(bits, part.ac.ok_or(FailureReason::Damaged)?, scan, &mut state.run),
            (_, true) => block.refine(bits, part.ac.ok_or(FailureReason::Damaged)?, scan, &mut state.run),
        }
    })
}

/// A block of a progressive component.
struct Block<'a> {
    coefficients: &'a mut [i16],
    present: &'a mut u64,
    places: &'a [u8; 64],
}

impl Block<'_> {
    fn set(&mut self, k: usize, value: i32) {
        *self.present |= 1 << k;
        if self.places[k] != DROPPED {
            self.coefficients[usize::from(self.places[k])] = fit(value);
        }
    }

    /// T.81, G.1.2.2.
    fn first(&mut self, bits: &mut Bits<'_>, table: &Huffman, scan: &Scan, run: &mut u32) -> Result<(), FailureReason> {
        if *run > 0 {
            *run -= 1;
            return Ok(());
        }
        let mut k = scan.first;
        while k <= scan.last {
            let symbol = table.symbol(bits)?;
            let (zeros, category) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if category == 0 {
                if zeros < 15 {
                    *run = (1 << zeros) - 1 + bits.take(zeros);
                    return Ok(());
                }
                k += 16;
                continue;
            }
            k += zeros as usize;
            let value = bits.extend(category) << scan.low;
            if k > scan.last {
                return Err(FailureReason::Damaged);
            }
            self.set(k, value);
            k += 1;
        }
        Ok(())
    }

    /// T.81, G.1.2.3: one more bit of what is there, and what becomes visible with it.
    fn refine(
        &mut self,
        bits: &mut Bits<'_>,
        table: &Huffman,
        scan: &Scan,
        run: &mut u32,
    ) -> Result<(), FailureReason> {
        let bit = 1_i32 << scan.low;
        let mut k = scan.first;
        if *run == 0 {
            while k <= scan.last {
                let symbol = table.symbol(bits)?;
                let (mut zeros, category) = (u32::from(symbol >> 4), symbol & 15);
                let value = match category {
                    0 if zeros < 15 => {
                        *run = (1 << zeros) + bits.take(zeros);
                        break;
                    }
                    0 => 0,
                    1 => {
                        if bits.take(1) == 1 {
                            bit
                        } else {
                            -bit
                        }
                    }
                    _ => return Err(FailureReason::Damaged),
                };
                while k <= scan.last {
                    if *self.present & 1 << k != 0 {
                        self.correct(bits, k, bit);
                    } else if zeros == 0 {
                        break;
                    } else {
                        zeros -= 1;
                    }
                    k += 1;
                }
                if value != 0 {
                    if k > scan.last {
                        return Err(FailureReason::Damaged);
                    }
                    self.set(k, value);
                }
                k += 1;
            }
        }
        if *run > 0 {
            for k in k..=scan.last {
                if *self.present & 1 << k != 0 {
                    self.correct(bits, k, bit);
                }
            }
            *run -= 1;
        }
        Ok(())
    }

    fn correct(&mut self, bits: &mut Bits<'_>, k: usize, bit: i32) {
        if bits.take(1) == 0 || self.places[k] == DROPPED {
            return;
        }
        let coefficient = &mut self.coefficients[usize::from(self.places[k])];
        let value = i32::from(*coefficient);
        if value & bit == 0 {
            *coefficient = fit(if value < 0 { value - bit } else { value + bit });
        }
    }
}
