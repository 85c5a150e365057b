//! The customers' event lists: many are read at once and stored in the mirror.
//!
//! In: the ids of customers whose events are due, through a channel. Out: rows, marks on events that a complete list
//! lacked, and the events that two customers list, for the run's end to decide about.
//!
//! Nothing here deletes an event: one reading doesn't prove that it is gone.

mod walk;
mod walkers;

pub(super) use walk::Reading;
pub(super) use walkers::{FAILURES_UNTIL_DOWN, walk_all};
