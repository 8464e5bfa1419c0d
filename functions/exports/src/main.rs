//! Wires the function; see the library.
fn main() {}
