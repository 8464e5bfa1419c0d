//! Which receipts may be looked at while the reader is made, and which only count.

use clap::ValueEnum;
use sha2::{Digest as _, Sha256};

/// A part of the receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// To develop with: every answer may be looked at.
    Dev,
    /// Never looked at, scored only as a whole.
    HeldOut,
    /// Both.
    All,
}

impl Part {
    /// Whether a file belongs to it.
    #[must_use]
    pub fn has(self, file_name: &str) -> bool {
        match self {
            Self::Dev => !is_held_out(file_name),
            Self::HeldOut => is_held_out(file_name),
            Self::All => true,
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dev => "dev",
            Self::HeldOut => "held out",
            Self::All => "all",
        })
    }
}

/// Held out are the files for whose name (as `000.jpg`) the first hexadecimal digit of the SHA-256 is odd: about half,
/// by a rule that nobody chose receipts with.
#[must_use]
pub fn is_held_out(file_name: &str) -> bool {
    // The first hexadecimal digit is the upper half of the first byte.
    Sha256::digest(file_name.as_bytes())[0] & 0x10 != 0
}

/// Seeds of rendered receipts and of phone photos from this one up are held out.
pub const FIRST_HELD_OUT_SEED: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_digit_of_the_hash_decides() {
        for n in 0..64 {
            let name = format!("{n:03}.jpg");
            let digit =
                u32::from_str_radix(&format!("{:x}", Sha256::digest(name.as_bytes()))[..1], 16).expect("a digit");
            assert_eq!(is_held_out(&name), digit % 2 == 1, "{name}");
            assert!(Part::Dev.has(&name) != Part::HeldOut.has(&name) && Part::All.has(&name));
        }
    }
}
