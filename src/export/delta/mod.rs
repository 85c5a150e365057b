//! Delta Lake tables: what exports write for engines that want a table, not a heap of files. Behind the cargo feature
//! `lake`.
//!
//! Two tables a stream, below the export folder:
//!
//! | Table | What it holds | How it changes |
//! | --- | --- | --- |
//! | `STREAM_changes` | each change once, as in the stream's Parquet files | each export appends one file |
//! | `STREAM` | the current state, as in a snapshot | files that hold what has changed are replaced |
//!
//! In: one read snapshot of the mirror, the tables' logs as they lie there. Out: Parquet files, one commit a table, and
//! a [`TableCommit`] that says what was done.
//!
//! **The log is the truth.** A table's log is its manifest: a commit names the files that it adds and removes, and in
//! its `txn` action the table's own application id and the change up to which it reaches. The manifest and the mirror
//! know nothing of it, so there is no second note that could contradict it. Files are durable before the commit that
//! names them, and a commit is created, never replaced: a process that dies before it has written nothing that counts,
//! one that dies after it finds its `txn` there. Either way each change counts once.
//!
//! **By the published protocol, by hand** (reader version 1, writer version 2: no optional feature). `delta_kernel`
//! 0.30 appends, sets `txn`, removes files and writes checkpoints, too, but with an engine of its own or one that we'd
//! have to write: its own one commits through `object_store`, past our destinations and what they promise to be
//! durable, and brings 34 crates; one of ours would be more code than what stands here, which
//! needs no crate besides `parquet`. What we need of the protocol is small: JSON lines, one checkpoint file, and the
//! arithmetic of which file counts.
//!
//! **One writer.** Who exports holds the mirror's process lock. Another program that has written to a table is noticed,
//! and never overwritten.
//!
//! Never: change a file that a commit names, commit before the files are durable, or remove a file that the log names
//! or has named within the retention, but for what an erasure takes away.

mod actions;
mod changes_table;
mod checkpoint;
mod clean_up;
mod compaction;
mod data_file;
mod erase;
mod export;
mod log;
mod schema;
mod state_table;
mod statistics;
mod table;

pub(super) use compaction::compact;
pub(super) use data_file::{Noted, Origin};
pub(super) use erase::{EachRow, OldFile, Rows, erase};
pub(super) use export::{State, export_tables, newest};
pub(super) use log::TableLog;
pub(super) use table::{Contents, Table};
