//! Every consumer of events, with each event delivered one to five times, in any order, by several invocations at once
//! that may die: the final state is that of one delivery in order, and nobody gets a mail twice.
//!
//! The functions are the real ones, called in this process; their calls to AWS wait at a [`gate`], and a seed says which
//! goes on, who dies, and what is delivered next ([`queue`]). `SLIPSTREAM_SEEDS` says how many seeds are gone through;
//! `SLIPSTREAM_SEED` names one to look at alone.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

mod company;
mod gate;
mod lives;
mod mails;
mod projections;
mod queue;
mod seeds;
mod services;
