//! Measures reading against receipts whose contents are known, through the same wire that the functions use.
//!
//! - [`rules`] says when an answer is right, [`split`] which receipts may be tuned on;
//! - [`reader`] starts the reader as `cargo local` does and asks it, [`answer`] takes its answers apart;
//! - [`scans`] scores real scans, plain or as phone photos, [`rendered`] receipts that `receipts.py` draws;
//! - [`reliability`] shows whether confidence means something, [`report`] prints tables, [`headline`] the
//!   one that counts.
//!
//! It knows nothing of how the reader reads. Testing: the rules and the tables have unit tests beside them, without
//! models; the figures themselves come from `cargo measure`.

pub mod answer;
pub mod headline;
pub mod matching;
pub mod python;
pub mod reader;
pub mod reliability;
pub mod rendered;
pub mod report;
pub mod rules;
pub mod scans;
pub mod split;
pub mod thumbnails;
