//! What leaves an export folder: old files that nobody needs any more, and what killed exports left behind.
//!
//! Comes in: the folder, its manifest, the acknowledgements of consumers, `export.max_age`. Goes out: the paths of removed
//! files.
//!
//! Only files with names that this program gives are touched, and lines leave a manifest only at its front, after the
//! mirror has noted where the rest begins.
//!
//! Never: remove a file that the manifest names, or one that a consumer may still need.

mod acknowledge;
mod orphans;
mod prune;

pub use acknowledge::{Acknowledgement, acknowledge};

pub(super) use acknowledge::Acknowledged;
#[cfg(test)]
pub(super) use acknowledge::{ACKNOWLEDGED, LOCK};
pub(super) use orphans::{Orphans, remove_orphans, remove_unnamed};
#[cfg(test)]
pub(super) use prune::ExpiredLines;
pub(super) use prune::prune;
