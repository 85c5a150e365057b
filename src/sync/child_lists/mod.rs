//! The lists of a parent stream's children, such as the customers' event lists: many are read at once and stored in the
//! mirror.
//!
//! In: the ids of parents whose children are due, through a channel. Out: rows, marks on children that a complete list
//! lacked, and the children that two parents list, for the run's end to decide about.
//!
//! Nothing here deletes a child: one reading doesn't prove that it is gone.

mod dormant;
mod walk;
mod walkers;

pub(super) use walk::Reading;
pub(super) use walkers::{FAILURES_UNTIL_DOWN, walk_all, walk_these, walk_those_found};
