//! Exports: what changed in the mirror, as files that other programs load.
//!
//! [`export`] writes for each stream and format one file with the changes since that format's last file, and
//! [`export_snapshot`] the whole current state. Both announce what they wrote in a manifest beside the files; what
//! stands in the manifest lies complete on the disk. The manifest is the truth about what was exported to its folder; the
//! mirror's `export_folders` says how far each one reached. What has happened in one folder changes nothing in another.
//!
//! A file is written under a temporary name by a thread of its own, synced, renamed, and its folder synced; then lines are
//! added to the manifest, which is synced; then the mirror notes how far the manifest reaches. A power cut between any two
//! of these steps loses no change and announces none twice: the next export removes files that were never announced and
//! writes their range anew.
//!
//! | Room | What it does |
//! | --- | --- |
//! | `formats` | rows as bytes and back, one folder a format |
//! | `location` | where an export folder is: a folder, or a prefix in a bucket |
//! | `layout` | which files stand where in an export folder, and what they are called |
//! | `destination` | where files go: complete or not at all, durable when it says so |
//! | `data_package` | what their columns mean, for programs that read data packages |
//! | `manifest` | what was announced, and how much of it the mirror remembers |
//! | `readback` | files read back and compared with the mirror |
//! | `provenance` | whether a folder is this mirror's |
//! | `delta` | tables with a log of their own, for engines |
//! | `retention` | what is removed: old files, and what killed exports left |
//! | `publish` | the export of changes and of snapshots |
//! | `verify`, `repair` | whether a folder holds what was exported; lost files written again |
//! | `search` | everything that a folder holds, byte by byte and unpacked |
//! | `erase` | files written again without the rows of persons who were erased |
//!
//! Each uses only those above it.

mod compaction;
mod data_package;
#[cfg(feature = "lake")]
mod delta;
mod destination;
mod difference;
mod erase;
mod erasures;
mod error;
mod formats;
mod joining;
mod known_folders;
mod layout;
mod location;
mod manifest;
mod newest;
mod provenance;
mod publish;
mod readback;
mod repair;
mod retention;
mod search;
mod settings;
mod table_commit;
mod verify;

#[cfg(test)]
mod tests;

pub use compaction::{Compacted, compact, compact_aged};
pub use destination::ensure_folder;
pub use difference::Difference;
pub use erase::{Done, ErasedFile, ErasedFolder, erase};
pub use error::ExportError;
pub use formats::{Compression, Format, csv_text};
pub use joining::Joining;
pub use known_folders::{known_folders, note};
pub use location::Location;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use manifest::fuzzing;
pub use manifest::{ManifestLine, newest_files};
pub use newest::{newest_exports, newest_of_tables};
pub use publish::{Again, AsOf, CompactedFile, Exported, export, export_snapshot};
pub use repair::{Repaired, RepairedFile, repair};
pub use retention::{Acknowledgement, acknowledge};
pub use search::{Content, each_content};
pub use settings::{FIRST, Settings};
pub use table_commit::TableCommit;
pub use verify::{CheckedTable, Range, SnapshotFile, Verified, verify};
