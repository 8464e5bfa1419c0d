//! What is accepted. Checked in headers, before a decoder runs.

/// The most pixels of a picture that is decoded row by row or tile by tile.
pub const MAX_PIXELS: u64 = 50_000_000;
/// The most bytes that a decoder may need for a picture as a whole.
pub const MAX_MEMORY: u64 = 100 * 1024 * 1024;
/// The most bytes of an ICC profile: those of printers take two megabytes.
pub const MAX_ICC_BYTES: usize = 4 * 1024 * 1024;
/// The most bytes of the file itself.
pub const MAX_FILE_BYTES: usize = 20 * 1024 * 1024;
