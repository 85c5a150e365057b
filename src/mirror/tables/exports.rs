//! What this mirror remembers of each export folder's manifest: how far it reached when this mirror last wrote it. The
//! manifest itself is the truth about what was exported; this shows whether it was lost, cut off or edited since.

use crate::mirror::transaction::Batch;
use crate::mirror::{MirrorError, Snapshot};
use rusqlite::params;
use serde::{Deserialize, Serialize};

/// A published export file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportFile {
    /// `customers` or `events`.
    pub stream: String,
    /// `csv` or `ndjson`.
    pub format: String,
    /// First change number that the file covers.
    pub first_seq: i64,
    /// Last change number that the file covers.
    pub last_seq: i64,
    /// Below the export folder.
    pub path: String,
    /// Rows in the file.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Of the file as it lies there, lower-case hex.
    pub sha256: String,
    /// UTC, ISO 8601.
    pub created_at: String,
    /// Changes that a repair could not bring back. Absent from JSON where it is 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A row of the table `export_folders`: what is remembered of one manifest. What the JSON holds, the exports know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFolder {
    /// The export folder's absolute path; empty where an older version exported and noted no folder.
    pub folder: String,
    /// How far the manifest reached, as JSON.
    pub reached: String,
    /// How far it is going to reach, as JSON, while it is being replaced.
    pub planned: Option<String>,
}

impl Snapshot<'_> {
    /// What is remembered of the manifests of that kind, `changes` or `snapshots`, sorted by folder.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn export_folders(&self, kind: &str) -> Result<Vec<ExportFolder>, MirrorError> {
        let sql = "SELECT folder, reached, planned FROM export_folders WHERE kind = ?1 ORDER BY folder";
        let mut select = self.transaction.prepare_cached(sql)?;
        let read = select.query_map([kind], |row| {
            Ok(ExportFolder { folder: row.get(0)?, reached: row.get(1)?, planned: row.get(2)? })
        })?;
        Ok(read.collect::<rusqlite::Result<_>>()?)
    }
}

impl Batch<'_> {
    /// Remembers this of a folder's manifest of that kind, in the place of what was remembered of it before.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn note_export_folder(&mut self, kind: &str, noted: &ExportFolder) -> Result<(), MirrorError> {
        let sql =
            "INSERT OR REPLACE INTO export_folders (folder, kind, reached, planned) VALUES (?1, ?2, ?3, ?4)";
        let mut insert = self.transaction.prepare_cached(sql)?;
        insert.execute(params![noted.folder, kind, noted.reached, noted.planned])?;
        Ok(())
    }

    /// Forgets what is remembered of a folder's manifest of that kind.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn forget_export_folder(&mut self, kind: &str, folder: &str) -> Result<(), MirrorError> {
        self.transaction
            .execute("DELETE FROM export_folders WHERE folder = ?1 AND kind = ?2", [folder, kind])?;
        Ok(())
    }
}
