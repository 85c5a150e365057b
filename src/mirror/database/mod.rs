//! The database file below the mirror: where it is, how it is opened for reading only, and how its schema is brought up
//! to date.
//!
//! In: a path, or a connection just opened. Out: an absolute path that SQLite can't take for anything but a file, a
//! connection, a database with the current schema.
//!
//! Nothing here reads or writes the rows of a stream.

#[cfg(test)]
mod dictionary_tests;
mod location;
pub(super) mod migrations;
pub(super) mod read_only;
mod row_move;
mod unusable;

pub use location::is_there;
pub(super) use location::{prepared, real};
pub use unusable::Unusable;

use std::time::Duration;

/// How long a statement waits for another connection's lock. Readers never block the writer in WAL mode; this is
/// for the short moments of recovery and checkpointing.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
