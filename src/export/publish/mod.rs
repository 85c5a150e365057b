//! Exporting: what changed in the mirror, or its whole state, becomes files that the manifest announces.
//!
//! Comes in: one read snapshot of the mirror, the settings, the manifest as it lies in the folder. Goes out: files on the
//! disk, manifest lines, and an [`Exported`] that says what was done.
//!
//! The plan is pure. Rows go in batches to a thread for each file, which encodes, compresses, digests and writes them under
//! a temporary name. Only complete files get their names, and only files with names are announced.
//!
//! Never: announce a file that isn't durable, or move a position for anything but a manifest line.

mod background_writer;
mod file_writer;
mod incremental;
mod outcome;
mod plan;
mod row_batch;
mod snapshot;

pub use incremental::export;
pub use outcome::{Again, CompactedFile, Exported};
pub use snapshot::{AsOf, export_snapshot};

pub(super) use file_writer::{FileWriter, Origin};
#[cfg(test)]
pub(super) use incremental::write;
pub(super) use incremental::{export_behind, open};
