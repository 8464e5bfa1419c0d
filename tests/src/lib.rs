//! Tests over the running system, and of the workspace's own rules.
//!
//! - `end_to_end/`: scenarios against the real stack on this machine, with IAM enforced. The binary starts one world on
//!   free ports, runs the scenarios one after the other, and ends the world.
//! - `layout.rs`: who may depend on whom.
//! - `state_machine.rs`: the approval's state machine ends, in success or in a recorded failure.
//! - `browser/`: what drives Chromium for `end_to_end/browser.rs`; without Chromium those scenarios are ignored.
//! - `fixtures/receipts/`: receipts of our own making.
//!
//! To run: `cargo test -p slipstream-tests`.
