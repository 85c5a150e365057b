//! The export files that were published. The manifest beside the files is what counts; this is its copy, for those
//! who read only the mirror.

use super::batch::Batch;
use super::{MirrorError, Snapshot};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;

/// A published export file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
}

/// What exports keep in the mirror's table `meta`, as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportNote {
    /// What was pruned from the front of manifests.
    Pruned,
    /// What consumers have taken over.
    Acknowledged,
}

impl ExportNote {
    /// The row's key.
    pub const fn key(self) -> &'static str {
        match self {
            ExportNote::Pruned => "export_pruned",
            ExportNote::Acknowledged => "export_acknowledged",
        }
    }
}

impl Snapshot<'_> {
    /// What exports have noted; `None` where they never did.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn export_note(&self, note: ExportNote) -> Result<Option<String>, MirrorError> {
        let mut select = self.transaction.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(select.query_row([note.key()], |row| row.get(0)).optional()?)
    }

    /// The export file of a stream and format that begins with this change; `None` where the mirror knows none.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn export_file(
        &self,
        stream: &str,
        format: &str,
        first_seq: i64,
    ) -> Result<Option<ExportFile>, MirrorError> {
        let sql = "SELECT stream, format, first_seq, last_seq, path, rows, bytes, sha256, created_at FROM export_files \
                   WHERE stream = ?1 AND format = ?2 AND first_seq = ?3";
        Ok(self
            .transaction
            .prepare_cached(sql)?
            .query_row(params![stream, format, first_seq], read)
            .optional()?)
    }

    /// How many export files the mirror knows.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn export_count(&self) -> Result<u64, MirrorError> {
        let count: i64 =
            self.transaction.query_row("SELECT count(*) FROM export_files", [], |row| row.get(0))?;
        Ok(count as u64)
    }
}

impl Batch<'_> {
    /// Notes something in the place of what stood there.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn note_export(&mut self, note: ExportNote, value: &str) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
            .execute([note.key(), value])?;
        Ok(())
    }

    /// Empties the mirror's list.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn clear_exports(&mut self) -> Result<(), MirrorError> {
        self.transaction.execute("DELETE FROM export_files", [])?;
        Ok(())
    }

    /// Takes the file with this path from the mirror's list, where it stands there.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn forget_export(
        &mut self,
        stream: &str,
        format: &str,
        first_seq: i64,
        path: &str,
    ) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached(
                "DELETE FROM export_files WHERE stream = ?1 AND format = ?2 AND first_seq = ?3 AND path = ?4",
            )?
            .execute(params![stream, format, first_seq, path])?;
        Ok(())
    }

    /// Adds one file to the mirror's list.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn add_export(&mut self, file: &ExportFile) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO export_files (stream, format, first_seq, last_seq, path, rows, bytes, sha256, \
                 created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                file.stream,
                file.format,
                file.first_seq,
                file.last_seq,
                file.path,
                file.rows as i64,
                file.bytes as i64,
                file.sha256,
                file.created_at
            ])?;
        Ok(())
    }
}

/// The newest file of each stream and format.
pub(super) fn newest(connection: &Connection) -> Result<Vec<ExportFile>, MirrorError> {
    let mut select = connection.prepare(
        "SELECT stream, format, first_seq, max(last_seq) AS last_seq, path, rows, bytes, sha256, created_at \
         FROM export_files GROUP BY stream, format ORDER BY stream, format",
    )?;
    let files = select.query_map([], read)?.collect::<rusqlite::Result<_>>()?;
    Ok(files)
}

/// Every file, by stream, format and range.
pub(super) fn all(connection: &Connection) -> Result<Vec<ExportFile>, MirrorError> {
    let mut select = connection.prepare(
        "SELECT stream, format, first_seq, last_seq, path, rows, bytes, sha256, created_at FROM export_files \
         ORDER BY stream, format, first_seq",
    )?;
    let files = select.query_map([], read)?.collect::<rusqlite::Result<_>>()?;
    Ok(files)
}

/// Reads a row with the table's columns in their order.
fn read(row: &Row<'_>) -> rusqlite::Result<ExportFile> {
    Ok(ExportFile {
        stream: row.get(0)?,
        format: row.get(1)?,
        first_seq: row.get(2)?,
        last_seq: row.get(3)?,
        path: row.get(4)?,
        rows: row.get::<_, i64>(5)? as u64,
        bytes: row.get::<_, i64>(6)? as u64,
        sha256: row.get(7)?,
        created_at: row.get(8)?,
    })
}
