//! Reads receipts on the laptop and answers as Amazon Textract's `AnalyzeExpense` does.
//!
//! Three steps, each of which can be used and tested alone:
//!
//! 1. [`Engine`] turns an image into a [`page::Page`] of text lines (two neural networks, pure Rust, no network access);
//! 2. [`extract::expense`] turns text lines into fields: a pure function, tested without models;
//! 3. [`serve`] speaks the wire format, so that the ordinary AWS SDK can be pointed here.
//!
//! It knows nothing of expenses, queues or the rest of Slipstream: what runs on AWS calls Textract, and this stands in
//! its place.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "pixel geometry: sizes are at most 10 000, far inside f32 and i32, and are clamped before they become indices"
)]

pub mod engine;
pub mod extract;
pub mod layout;
pub mod page;
pub mod server;
pub mod textract;

pub use engine::{Engine, LoadError};
pub use server::{ReadError, ReadPage, serve};
