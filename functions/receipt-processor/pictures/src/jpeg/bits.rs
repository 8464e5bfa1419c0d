//! The entropy-coded bits of a scan, and Huffman codes (ITU-T T.81, F.2.2).

use slipstream_events::FailureReason;

/// How many bits the skip table looks at: as many as keep it in the first-level cache.
const SKIP_BITS: u32 = 13;
/// How many bits the symbol table looks at; longer codes are rare.
const LOOKUP_BITS: u32 = 9;

/// Reads bits up to the next marker. Behind it there are zeros, and [`Bits::overrun`] tells that they were used.
pub struct Bits<'a> {
    data: &'a [u8],
    position: usize,
    buffer: u64,
    count: u32,
    padding: u32,
}

impl<'a> Bits<'a> {
    /// Reads from `position` on.
    pub fn new(data: &'a [u8], position: usize) -> Self {
        Self { data, position, buffer: 0, count: 0, padding: 0 }
    }

    /// Where the next bytes would be taken from: at or before the marker that ends the scan.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Whether bits were used that the data does not have.
    pub fn overrun(&self) -> bool {
        self.count < self.padding
    }

    /// Makes at least 48 bits available.
    #[inline]
    fn refill(&mut self) {
        if let Some(chunk) = self.data.get(self.position..).and_then(|rest| rest.first_chunk::<8>()) {
            let word = u64::from_be_bytes(*chunk);
            let inverse = !word;
            // Zero exactly when no byte is 0xff.
            let marks = inverse.wrapping_sub(0x0101_0101_0101_0101) & !inverse & 0x8080_8080_8080_8080;
            if marks == 0 && self.padding == 0 {
                self.buffer |= word >> self.count;
                let taken = (63 - self.count) >> 3;
                self.position += taken as usize;
                self.count += taken * 8;
                // Of the byte that did not fit as a whole nothing may stay behind.
                self.buffer &= u64::MAX << (64 - self.count);
                return;
            }
        }
        self.refill_bytewise();
    }

    #[cold]
    #[inline(never)]
    fn refill_bytewise(&mut self) {
        while self.count <= 48 {
            let byte = match self.data.get(self.position) {
                Some(0xff) if self.padding == 0 => match self.data.get(self.position + 1) {
                    Some(0) => {
                        self.position += 2;
                        Some(0xff)
                    }
                    _ => None,
                },
                Some(byte) if self.padding == 0 => {
                    self.position += 1;
                    Some(*byte)
                }
                _ => None,
            };
            self.count += 8;
            match byte {
                Some(byte) => self.buffer |= u64::from(byte) << (64 - self.count),
                None => self.padding += 8,
            }
        }
    }

    #[inline]
    fn peek(&self, bits: u32) -> usize {
        (self.buffer >> (64 - bits)) as usize
    }

    #[inline]
    fn consume(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count -= bits;
    }

    /// A number of up to 16 bits.
    #[inline]
    pub fn take(&mut self, bits: u32) -> u32 {
        if bits == 0 {
            return 0;
        }
        if self.count < bits {
            self.refill();
        }
        let value = self.peek(bits);
        self.consume(bits);
        value as u32
    }

    /// A difference or coefficient of a category (T.81, F.2.2.1, EXTEND).
    #[inline]
    pub fn extend(&mut self, category: u32) -> i32 {
        let value = self.take(category) as i32;
        if category > 0 && value < 1 << (category - 1) { value - (1 << category) + 1 } else { value }
    }

    /// After a restart marker (T.81, F.2.1.3.1): what is left of the byte is dropped.
    ///
    /// # Errors
    /// The marker is missing or another one.
    pub fn restart(&mut self, expected: u8) -> Result<(), FailureReason> {
        if self.overrun() {
            return Err(FailureReason::Damaged);
        }
        while let (Some(&first), Some(&second)) = (self.data.get(self.position), self.data.get(self.position + 1)) {
            if first == 0xff && second != 0 && second != 0xff {
                if second != 0xd0 + expected {
                    return Err(FailureReason::Damaged);
                }
                *self = Self::new(self.data, self.position + 2);
                return Ok(());
            }
            self.position += 1;
        }
        Err(FailureReason::Damaged)
    }
}

/// A Huffman table.
#[derive(Clone)]
pub struct Huffman {
    /// By the next bits: the code's length and its symbol; 0 for longer codes.
    lookup: Vec<u16>,
    /// By length: the first code that is longer, aligned to 16 bits.
    limits: [u32; 18],
    /// By length: what to add to a code to find its symbol.
    offsets: [i32; 17],
    symbols: Vec<u8>,
    /// By the next bits: how far whole AC symbols with their extra bits go: bits (4), end of block (1), coefficients
    /// (6). Reduced scales pass over most of a picture this way without looking at single coefficients.
    skips: Vec<u16>,
}

impl Huffman {
    /// From the list of how many codes there are of each length, and their symbols (T.81, annex C).
    ///
    /// # Errors
    /// The codes do not fit.
    pub fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self, FailureReason> {
        let mut lookup = vec![0_u16; 1 << LOOKUP_BITS];
        let mut limits = [0_u32; 18];
        let mut offsets = [0_i32; 17];
        let (mut code, mut index) = (0_u32, 0_usize);
        for length in 1..=16_u32 {
            let count = usize::from(counts[length as usize - 1]);
            offsets[length as usize] = index as i32 - code as i32;
            for symbol in symbols.get(index..index + count).ok_or(FailureReason::Damaged)? {
                if code >> length != 0 {
                    return Err(FailureReason::Damaged);
                }
                if length <= LOOKUP_BITS {
                    let first = (code << (LOOKUP_BITS - length)) as usize;
                    let last = first + (1 << (LOOKUP_BITS - length));
                    lookup[first..last].fill((length as u16) << 8 | u16::from(*symbol));
                }
                code += 1;
            }
            index += count;
            if code > 1 << length {
                return Err(FailureReason::Damaged);
            }
            limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        limits[17] = u32::MAX;
        let mut table = Self { lookup, limits, offsets, symbols: symbols.to_vec(), skips: Vec::new() };
        table.skips = (0..1_u32 << SKIP_BITS).map(|bits| table.skip_of(bits)).collect();
        Ok(table)
    }

    /// The symbol at the front of 16 bits, and its length.
    #[inline]
    fn find(&self, bits: u32) -> Option<(u32, u8)> {
        let entry = self.lookup[(bits >> (16 - LOOKUP_BITS)) as usize];
        if entry != 0 {
            return Some((u32::from(entry >> 8), entry as u8));
        }
        let length = (LOOKUP_BITS + 1..=16).find(|length| bits < self.limits[*length as usize])?;
        let index = (bits >> (16 - length)) as i32 + self.offsets[length as usize];
        Some((length, *self.symbols.get(usize::try_from(index).ok()?)?))
    }

    fn skip_of(&self, bits: u32) -> u16 {
        let (mut used, mut passed, mut ended) = (0_u32, 0_u32, false);
        loop {
            let rest = (bits << (16 - SKIP_BITS + used)) & 0xffff;
            let Some((length, symbol)) = self.find(rest) else { break };
            let (run, category) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            let step = if symbol == 0xf0 { 16 } else { run + 1 };
            let end = category == 0 && run < 15;
            if used + length + category > SKIP_BITS || (!end && passed + step > 63) {
                break;
            }
            used += length + category;
            if end {
                ended = true;
                break;
            }
            passed += step;
            if used == SKIP_BITS {
                break;
            }
        }
        used as u16 | u16::from(ended) << 4 | (passed as u16) << 5
    }

    /// The next symbol.
    ///
    /// # Errors
    /// No code fits.
    #[inline]
    pub fn symbol(&self, bits: &mut Bits<'_>) -> Result<u8, FailureReason> {
        if bits.count < 32 {
            bits.refill();
        }
        let (length, symbol) = self.find(bits.peek(16) as u32).ok_or(FailureReason::Damaged)?;
        bits.consume(length);
        Ok(symbol)
    }

    /// Passes over the coefficients of a block from `k` on.
    ///
    /// # Errors
    /// No code fits, or they are more than a block has.
    #[inline]
    pub fn skip(&self, bits: &mut Bits<'_>, mut k: u32) -> Result<(), FailureReason> {
        while k < 64 {
            if bits.count < SKIP_BITS {
                bits.refill();
            }
            let entry = u32::from(self.skips[bits.peek(SKIP_BITS)]);
            let (used, ended, passed) = (entry & 15, entry & 16 != 0, entry >> 5);
            if used != 0 && k + passed < 64 {
                bits.consume(used);
                if ended {
                    return Ok(());
                }
                k += passed;
                continue;
            }
            let symbol = self.symbol(bits)?;
            let (run, category) = (u32::from(symbol >> 4), u32::from(symbol & 15));
            if category == 0 && run < 15 {
                return Ok(());
            }
            k += run + 1;
            bits.take(category);
        }
        if k > 64 { Err(FailureReason::Damaged) } else { Ok(()) }
    }
}
