//! The list of a parent stream, such as the customer list: its pages are read ahead, by one reader or by several at once,
//! and stored in the mirror; records whose children are due are sent on to `child_lists`. Afterwards, records that the list
//! lacks or has in an old version are fetched one by one.
//!
//! In: the run's context, and where an interrupted walk stopped. Out: rows, checkpoints, the ids of records whose children
//! are due, and the records that the API no longer has, for the run's end to delete.
//!
//! Nothing here deletes a record, and nothing is stored before it is known whose list this is.

mod parallel_listing;
mod saved_tokens;
mod segments;
mod single_fetches;
mod store;
mod walk;
mod walk_state;

pub(super) use single_fetches::{fetch_hinted, fetch_missing_and_stale, fetch_named, settle_stale};
pub(super) use walk::walk;
pub(super) use walk_state::ListWalk;
