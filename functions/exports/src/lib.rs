//! Exports.
pub mod archive;
pub mod assembly;
pub mod cells;
pub mod error;
