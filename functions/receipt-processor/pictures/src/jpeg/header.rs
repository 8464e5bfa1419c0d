//! What stands before the first scan, checked before anything is decoded.

use slipstream_events::FailureReason;

use super::{MAX_PROGRESSIVE_PIXELS, MAX_SEQUENTIAL_PIXELS};
use crate::{exif, limits::MAX_ICC_BYTES};

/// A component of the frame (T.81, B.2.2).
#[derive(Debug, Clone)]
pub struct Component {
    /// Its name in scans.
    pub id: u8,
    /// Horizontal sampling factor, 1 to 4.
    pub across: u32,
    /// Vertical sampling factor, 1 to 4.
    pub down: u32,
    /// Its quantisation table.
    pub quantiser: usize,
}

/// The frame, and the metadata that pixels need.
#[derive(Debug, Clone)]
pub struct Header {
    /// In pixels, as stored.
    pub width: u32,
    /// In pixels, as stored.
    pub height: u32,
    /// Whether the frame is progressive.
    pub progressive: bool,
    /// One, three or four.
    pub components: Vec<Component>,
    /// EXIF orientation, 1 to 8.
    pub orientation: u8,
    /// The ICC profile.
    pub icc: Option<Vec<u8>>,
    /// The colour transform of Adobe's APP14 segment.
    pub adobe: Option<u8>,
    /// Whether there is a JFIF segment.
    pub jfif: bool,
}

/// The next marker at or after `position` and where it ends; stuffed bytes and restarts are passed over.
pub fn next_marker(bytes: &[u8], mut position: usize) -> Option<(u8, usize)> {
    loop {
        position += bytes.get(position..)?.iter().position(|byte| *byte == 0xff)? + 1;
        match *bytes.get(position)? {
            0xff => {}
            0x00 | 0x01 | 0xd0..=0xd7 => position += 1,
            marker => return Some((marker, position + 1)),
        }
    }
}

/// The content of the segment whose length stands at `position`.
pub fn segment(bytes: &[u8], position: usize) -> Result<&[u8], FailureReason> {
    let length = bytes.get(position..position + 2).ok_or(FailureReason::Damaged)?;
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    bytes.get(position + 2..position + length.max(2)).ok_or(FailureReason::Damaged)
}

impl Header {
    /// Reads up to the first scan.
    ///
    /// # Errors
    /// The sizes are beyond the limits, the coding is not supported, or the file ends before the first scan.
    pub fn read(bytes: &[u8]) -> Result<Self, FailureReason> {
        let mut frame: Option<Self> = None;
        let (mut orientation, mut adobe, mut jfif) = (None, None, false);
        let mut profile: Vec<(u8, &[u8])> = Vec::new();
        let mut position = 2;
        loop {
            let (marker, end) = next_marker(bytes, position).ok_or(FailureReason::Damaged)?;
            if matches!(marker, 0xd8 | 0xd9) {
                return Err(FailureReason::Damaged);
            }
            let content = segment(bytes, end)?;
            match marker {
                0xc0..=0xc2 if frame.is_none() => frame = Some(Self::frame(content, marker == 0xc2)?),
                0xc0..=0xc2 => return Err(FailureReason::Damaged),
                0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => return Err(FailureReason::UnsupportedFormat),
                0xe0 => jfif |= content.starts_with(b"JFIF\0"),
                0xe1 if orientation.is_none() => {
                    orientation = content.strip_prefix(b"Exif\0\0").and_then(exif::orientation);
                }
                0xe2 => {
                    if let Some([number, _, part @ ..]) = content.strip_prefix(b"ICC_PROFILE\0") {
                        profile.push((*number, part));
                    }
                }
                0xee if content.starts_with(b"Adobe") => adobe = content.get(11).copied(),
                0xda => {
                    let mut header = frame.ok_or(FailureReason::Damaged)?;
                    header.check(bytes.len() - end)?;
                    profile.sort_by_key(|(number, _)| *number);
                    let size: usize = profile.iter().map(|(_, part)| part.len()).sum();
                    if size > MAX_ICC_BYTES {
                        return Err(FailureReason::TooLarge);
                    }
                    header.icc =
                        (size > 0).then(|| profile.iter().flat_map(|(_, part)| part.iter().copied()).collect());
                    header.orientation = orientation.unwrap_or(1);
                    header.adobe = adobe;
                    header.jfif = jfif;
                    return Ok(header);
                }
                _ => {}
            }
            position = end + 2 + content.len();
        }
    }

    fn frame(content: &[u8], progressive: bool) -> Result<Self, FailureReason> {
        let [precision, h1, h0, w1, w0, count, rest @ ..] = content else { return Err(FailureReason::Damaged) };
        if *precision != 8 {
            return Err(FailureReason::UnsupportedFormat);
        }
        let (width, height) = (u32::from(u16::from_be_bytes([*w1, *w0])), u32::from(u16::from_be_bytes([*h1, *h0])));
        if width == 0 || height == 0 || rest.len() < usize::from(*count) * 3 {
            return Err(FailureReason::Damaged);
        }
        let components: Vec<_> = rest
            .chunks_exact(3)
            .take(usize::from(*count))
            .map(|part| Component {
                id: part[0],
                across: u32::from(part[1] >> 4),
                down: u32::from(part[1] & 15),
                quantiser: usize::from(part[2]),
            })
            .collect();
        if !matches!(components.len(), 1 | 3 | 4) {
            return Err(FailureReason::UnsupportedFormat);
        }
        if components
            .iter()
            .any(|part| !(1..=4).contains(&part.across) || !(1..=4).contains(&part.down) || part.quantiser > 3)
        {
            return Err(FailureReason::Damaged);
        }
        let mut header =
            Self { width, height, progressive, components, orientation: 1, icc: None, adobe: None, jfif: false };
        if let [only] = header.components.as_mut_slice() {
            // The factors of a single component mean nothing (T.81, A.2.2).
            (only.across, only.down) = (1, 1);
        }
        Ok(header)
    }

    /// Pixels, and that so many blocks can stand in so few bytes.
    fn check(&self, remaining: usize) -> Result<(), FailureReason> {
        let pixels = u64::from(self.width) * u64::from(self.height);
        let most = if self.progressive { MAX_PROGRESSIVE_PIXELS } else { MAX_SEQUENTIAL_PIXELS };
        if pixels > most {
            return Err(FailureReason::TooLarge);
        }
        // A block takes two bits or more, one code for its average and one for the rest; one in a progressive scan.
        let blocks: u64 = (0..self.components.len())
            .map(|index| {
                let (across, down) = self.blocks(index);
                across as u64 * down as u64
            })
            .sum();
        let least = if self.progressive { blocks / 8 } else { blocks / 4 };
        if (remaining as u64) < least { Err(FailureReason::Damaged) } else { Ok(()) }
    }

    /// The largest sampling factors.
    pub fn most(&self) -> (u32, u32) {
        let across = self.components.iter().map(|part| part.across).max().unwrap_or(1);
        (across, self.components.iter().map(|part| part.down).max().unwrap_or(1))
    }

    /// Minimum coded units across and down (T.81, A.2.3).
    pub fn units(&self) -> (usize, usize) {
        let (across, down) = self.most();
        (self.width.div_ceil(8 * across) as usize, self.height.div_ceil(8 * down) as usize)
    }

    /// The blocks of a component in a scan of its own (T.81, A.2.2).
    pub fn blocks(&self, index: usize) -> (usize, usize) {
        let (across, down) = self.most();
        let part = &self.components[index];
        let width = (self.width * part.across).div_ceil(across).div_ceil(8);
        (width as usize, (self.height * part.down).div_ceil(down).div_ceil(8) as usize)
    }
}
