//! The two ways into an open mirror: a [`Batch`] writes, a [`Snapshot`] reads.
//!
//! In: a connection. Out: transactions, on which `tables`, `runs` and `changes` define their statements. Every row that a
//! batch writes gets a line in the change log before it is written, and becomes durable together with that line.
//!
//! Nothing here knows what a table holds, apart from the change log and its totals.

mod batch;
mod change_log;
mod snapshot;
mod stamp;

pub use batch::Batch;
pub(in crate::mirror) use change_log::head;
pub use snapshot::{Halt, Snapshot};
pub(in crate::mirror) use stamp::utc_text;
pub use stamp::{RunId, Stamp};
