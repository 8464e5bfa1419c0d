//! What requests cost: which index, which `Limit`, how many calls, how many read units; and what they leave in the table,
//! many at once and with faults on the way. The handlers are called in this process; the table is the stub.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

mod cursors;
mod faults;
mod laws;
mod limits;
mod pages;
mod races;
mod world;
