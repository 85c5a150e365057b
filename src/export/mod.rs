//! Exports: what changed in the mirror, as files that other programs load.
//!
//! [`export`] writes for each stream and format one file with the changes since that format's last file, and
//! [`export_snapshot`] the whole current state. Both announce what they wrote in a manifest beside the files; what
//! stands in the manifest lies complete on the disk. The manifest in the folder is the truth about what was exported to it;
//! the mirror's `export_files` is a copy of it for `status`, of each folder by its path. What has happened in one folder
//! changes nothing in another.
//!
//! ```text
//! DIR/manifest.ndjson
//! DIR/acknowledged.json
//! DIR/customers/customers-000000000001-000000000420.csv
//! DIR/events/events-000000000001-000000000420.csv
//! DIR/snapshots/manifest.ndjson
//! DIR/snapshots/customers/customers-000000000420.csv
//! ```
//!
//! A file is written under a temporary name by a thread of its own, synced, renamed, and its folder synced; then the
//! manifest is replaced in the same way; then the mirror's copy is brought in step. A power cut between any two of these
//! steps loses no change and announces none twice: the next export removes files that were never announced and writes
//! their range anew.

mod acknowledge;
mod bytes;
mod columns;
mod compression;
mod copy;
mod csv;
mod error;
mod file;
mod form;
mod format;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod guard;
mod incremental;
mod leftovers;
mod manifest;
mod name;
mod ndjson;
mod packed;
mod plan;
mod prune;
mod pruned;
mod readable;
mod repair;
mod sink;
mod snapshot;
mod stream_file;
mod verify;

#[cfg(test)]
mod replay;
#[cfg(test)]
mod scenarios;

pub use acknowledge::{Acknowledgement, acknowledge};
pub use compression::Compression;
pub use copy::folder_name;
pub use error::ExportError;
pub use file::ensure_folder;
pub use format::Format;
pub use incremental::export;
pub use manifest::ManifestLine;
pub use repair::{Repaired, RepairedFile, repair};
pub use snapshot::export_snapshot;
pub use verify::{Difference, Range, SnapshotFile, Verified, verify};

use crate::mirror::Mirror;
use jiff::Timestamp;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// Where exports go, and in which form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The export folder (`export.dir`); created where it doesn't exist.
    pub dir: PathBuf,
    /// The formats to write (`export.formats`). Each has a position of its own: one that is added later starts with
    /// the first change.
    pub formats: Vec<Format>,
    /// How new files are compressed (`export.compression`). May change from one export to the next.
    pub compression: Compression,
    /// Whether every value is written as the API gave it, also where common readers refuse the file for it
    /// (`export.exact`). May change from one export to the next.
    pub exact: bool,
    /// Whether CSV begins with a byte order mark (`export.csv_bom`). May change from one export to the next.
    pub csv_bom: bool,
    /// Whether text in CSV gets a `'` in front where a spreadsheet would take it for a formula
    /// (`export.csv_formula_guard`). May change from one export to the next.
    pub csv_formula_guard: bool,
    /// Files that are older are removed once nobody needs them (`export.max_age`); zero: never.
    pub max_age: Duration,
}

/// What an export did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// The number of the newest change in the state of the mirror that was read; 0 where there was none.
    pub head_seq: i64,
    /// The files that were written, as the manifest names them; empty when there was nothing new. Paths are relative
    /// to the manifest's folder: the export folder, or `snapshots` in it.
    pub files: Vec<ManifestLine>,
    /// What had been exported to this folder and was no longer there, so that it was exported again.
    pub again: Option<Again>,
    /// Snapshots of this very state that lay there already and were left as they are.
    pub existing: Vec<ManifestLine>,
    /// What a killed export had left behind and was removed now: paths relative to the manifest's folder.
    pub removed: Vec<String>,
    /// What was old and needed by nobody, and was removed: paths relative to the export folder.
    pub pruned: Vec<String>,
    /// Why something that is old could not be removed; a later export tries again.
    pub not_pruned: Option<String>,
}

/// Changes that were exported to a folder a second time, since it had lost them: it was emptied, an older copy of it was put
/// back, or another file system stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Again {
    /// The first one.
    pub first_seq: i64,
    /// The last one.
    pub last_seq: i64,
}

impl Exported {
    /// Removes what is old. The files of the export are announced whether or not that works.
    fn with_pruning(mut self, mirror: &mut Mirror, settings: &Settings, now: Timestamp) -> Exported {
        match prune::prune(mirror, settings, now) {
            Ok(pruned) => self.pruned = pruned,
            Err(error) => self.not_pruned = Some(error.to_string()),
        }
        self
    }
}
