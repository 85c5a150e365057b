//! `malomo-mirror` keeps a local SQLite mirror of a Malomo account's customers and their events, and
//! exports what changed.
//!
//! The modules stand in the order in which a record passes through them:
//!
//! | module | what it does | I/O |
//! |---|---|---|
//! | [`record`] | the vendor's records, decoded strictly where documented and loss-free where not | none |
//! | [`derived`] | what follows from events: orders, parcels, the properties of each type | none |
//! | [`webhook`] | the vendor's deliveries: their signature, and whom they may be about | none |
//! | [`masking`] | what of a row a reader is shown: profiles, pseudonyms | key files |
//! | [`dictionary`] | what every table, view and column means, and how programs load the exports | none |
//! | [`diff`] | what a record means for the mirror; which customers' events are due; what may count as deleted | none |
//! | [`api`] | the vendor's calls, paging, retries, the guard that keeps the key at home | network |
//! | [`mirror`] | the SQLite mirror, its change log and checkpoints; all SQL | disk |
//! | [`sync`] | one sync run: walks, overlapped, through the diff into the mirror | both |
//! | [`export`] | the change log as CSV, NDJSON and Parquet files with a manifest, and Delta tables | disk |
//! | [`erasure`] | persons erased from mirror and exports, with a receipt and its proof | disk |
//! | [`schedule`] | crontab(5) expressions and when they fire next | none |
//! | [`config`] | the configuration, where each value came from, and the key | disk |
//! | [`sandbox`] | a server that speaks the vendor's API from a seeded world | network |
//! | [`report`] | a page for people, with what happened in the mirror | none |
//! | [`daemon`] | runs the schedule: what runs when, and the loop that does it | time |
//! | [`cli`] | the commands; the only module that prints or exits | terminal |
//!
//! Imports run one way: towards the top of this table.

pub mod api;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod derived;
pub mod dictionary;
pub mod diff;
pub mod erasure;
pub mod export;
mod failpoint;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod hex;
mod key_file;
pub mod masking;
pub mod mirror;
mod nearest;
pub mod observe;
mod ownership;
mod paths;
pub mod record;
pub mod report;
pub mod sandbox;
pub mod schedule;
pub mod sync;
pub mod webhook;
