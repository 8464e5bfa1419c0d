//! The whole of Slipstream on one machine, from the same binaries and the same template as on AWS.
//!
//! [`World::start`] builds the functions, starts the AWS emulator and the receipt reader, deploys the template through
//! CloudFormation and seeds four people; dropping the [`World`] ends every process it started. `cargo local` and the
//! end-to-end tests both go through it, and [`client`] is the one way in which both use the API.
//!
//! Nothing here is known to the functions: they differ only by endpoints and template parameters. What the emulator
//! cannot do is in [`bridges`], and only there.
//!
//! Testing: the logic (mail, links, templates, state) has unit tests beside it; the rest is proved by
//! `cargo local demo` and by the end-to-end tests, which start a world of their own.

pub mod aws;
pub mod bridges;
pub mod client;
pub mod compile;
pub mod demo;
pub mod deploy;
pub mod emulator;
pub mod front;
pub mod html;
pub mod mailbox;
pub mod package;
pub mod process;
pub mod progress;
pub mod python;
pub mod seed;
pub mod smtp;
pub mod state;
pub mod wait;
pub mod world;

pub use client::{Client, Session};
pub use mailbox::Mail;
pub use world::{Deployment, Options, World};
