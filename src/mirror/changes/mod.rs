//! Reading the change log: the rows that changed since a position, for exports, and what became of each change, for
//! checking exports.
//!
//! In: a [`Snapshot`](super::Snapshot) and a range of change numbers. Out: one change at a time, its values borrowed from
//! the database's own memory.
//!
//! Nothing here writes, and nothing collects a whole table or log in memory.

mod history;
mod inserts;
mod rows;
mod values;
mod versions;

pub(in crate::mirror) use history::successors;
pub use history::{History, Logged};
pub use values::Change;
pub use versions::RecordChange;
