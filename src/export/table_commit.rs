//! What an export did to a table.

use serde::Serialize;

/// A commit to one of the folder's tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableCommit {
    /// The table's folder, relative to the export folder: `customers_changes`, `events`.
    pub table: String,
    /// The table's version that the commit made, counted from 0.
    pub version: i64,
    /// The newest change that the table has in it; 0 where there is none.
    pub last_seq: i64,
    /// Rows that were written.
    pub rows: u64,
}
