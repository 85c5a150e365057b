//! Whether an export folder still holds what the mirror exported: every file against the manifest, the change log and the
//! mirror. Files are read back by decoders that share nothing with the writing but the columns' names.
//!
//! **Why this amounts to a replay.** The ranges of a stream's files tile, each file holds of each record that changed in its
//! range the newest change there and nothing that the change log contradicts. So the last row of a record, over all
//! files, is its newest change up to the export's position; a replay ends with exactly that row. The row's values are
//! compared, one by one, with those that the mirror holds of the record, or with the version that a later change ended.
//! Where that version was pruned, or ended before the mirror kept any, nobody knows its values, and the change log alone
//! judges. At last the mirror's rows are counted, so that none is there that no file brought. Where the front was pruned, the
//! same holds for the ranges that are left, and the snapshot that stands for the removed ones is judged in the same way.
//!
//! **What it costs.** The change log is sorted by records once, O(n log n) in its changes; then each file is read once, and
//! each of its rows met with its change, O(log n) each. Memory doesn't grow with files or mirror, but for the manifest's
//! lines and, for a snapshot, one bit a change; SQLite puts what it sorts into a temporary file.
//!
//! **Beside a running daemon.** Nothing is locked and nothing written. The manifests are read, then the mirror in one read
//! transaction. An export that happens later adds lines and files that this verification doesn't look at. Where differences
//! were found and a manifest has moved meanwhile (an export ended between the two readings, pruning and repairs took files
//! away), everything is verified again.

mod chain;
mod change_rows;
mod checked_file;
mod file_check;
mod findings;
mod manifest_lines;
mod report;
mod snapshot_rows;
#[cfg(feature = "lake")]
mod tables;
mod verification;

pub use report::{CheckedTable, Range, SnapshotFile, Verified};
pub use verification::verify;

pub(super) use verification::{Examined, examine};
