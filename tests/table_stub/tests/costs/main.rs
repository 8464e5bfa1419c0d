//! What requests cost: which index, which `Limit`, how many calls, how many read units. The handlers are called in this
//! process; the table is the stub.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

mod cursors;
mod pages;
mod races;
mod world;
