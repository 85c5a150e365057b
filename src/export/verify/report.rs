//! The result of a verification.

use crate::export::difference::Difference;
use crate::export::location::Location;
use serde::Serialize;

/// What a verification found; also the JSON result of `export verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The export folder.
    pub dir: Location,
    /// Whose exports they are.
    pub mirror_id: String,
    /// The newest change of the mirror's state that they were compared with.
    pub head_seq: i64,
    /// Whether every file was checked and there is no difference.
    pub ok: bool,
    /// Files that were read.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// The retained range of each stream and format.
    pub ranges: Vec<Range>,
    /// The snapshots.
    pub snapshots: Vec<SnapshotFile>,
    /// The tables.
    pub tables: Vec<CheckedTable>,
    /// How many differences there are.
    pub difference_count: u64,
    /// The first ones: at most 20, and of the rows of one file at most 5.
    pub differences: Vec<Difference>,
    /// Files that the manifests name and this build can't read, since only other builds have their format. Relative to the
    /// export folder.
    pub unchecked: Vec<String>,
    /// What is no difference, but worth knowing.
    pub remarks: Vec<String>,
}

/// The files of a stream in one format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Range {
    /// `customers` or `events`.
    pub stream: String,
    /// `csv`, `ndjson` or `parquet`.
    pub format: String,
    /// The first change of the first file that is left.
    pub first_seq: i64,
    /// The last change of the newest file.
    pub last_seq: i64,
    /// How many files.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
    /// Rows whose old versions a repair could not bring back.
    pub left_out: u64,
    /// The snapshot that stands for the changes before `first_seq`, relative to the export folder.
    pub base: Option<String>,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedTable {
    /// Its folder, relative to the export folder: `customers_changes`, `events`.
    pub table: String,
    /// Its newest version.
    pub version: i64,
    /// The newest change that it has in it.
    pub last_seq: i64,
    /// How many files count.
    pub files: u64,
    /// Rows in them.
    pub rows: u64,
}

/// A snapshot's file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotFile {
    /// Relative to the export folder.
    pub path: String,
    /// `customers` or `events`.
    pub stream: String,
    /// `csv`, `ndjson` or `parquet`.
    pub format: String,
    /// The newest change in it.
    pub last_seq: i64,
    /// Its rows.
    pub rows: u64,
}
