//! The export files that were published, by export folder. The manifest beside the files is what counts; this is its copy,
//! for those who read only the mirror.

use crate::mirror::transaction::Batch;
use crate::mirror::{MirrorError, Snapshot};
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

impl Snapshot<'_> {
    /// What was pruned from the front of manifests, as JSON; `None` where nothing ever was.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn export_fronts(&self) -> Result<Option<String>, MirrorError> {
        let mut select = self.transaction.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(select.query_row([FRONTS], |row| row.get(0)).optional()?)
    }

    /// The export files of a folder.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn exports_of(&self, folder: &str) -> Result<FolderExports<'_>, MirrorError> {
        let known: bool = self
            .transaction
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM export_files WHERE folder = ?1)")?
            .query_row([folder], |row| row.get(0))?;
        let folder = if known { folder } else { NO_FOLDER };
        Ok(FolderExports { connection: &self.transaction, folder: folder.to_owned() })
    }

    /// The folders that were exported to, but for those of an older version that it doesn't know by name.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn export_folders(&self) -> Result<Vec<String>, MirrorError> {
        let mut select = self
            .transaction
            .prepare("SELECT DISTINCT folder FROM export_files WHERE folder <> ?1 ORDER BY folder")?;
        Ok(select.query_map([NO_FOLDER], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }
}

/// The export files of one folder. Where the mirror knows none of it, those that an older version published, which noted
/// no folder.
pub struct FolderExports<'s> {
    connection: &'s Connection,
    folder: String,
}

impl FolderExports<'_> {
    /// Whether these are noted as the folder's own.
    pub fn is_named(&self) -> bool {
        self.folder != NO_FOLDER
    }

    /// The file of a stream and format that begins with this change; `None` where the mirror knows none.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn file(
        &self,
        stream: &str,
        format: &str,
        first_seq: i64,
    ) -> Result<Option<ExportFile>, MirrorError> {
        let sql = "SELECT stream, format, first_seq, last_seq, path, rows, bytes, sha256, created_at FROM export_files \
                   WHERE folder = ?1 AND stream = ?2 AND format = ?3 AND first_seq = ?4";
        let mut select = self.connection.prepare_cached(sql)?;
        Ok(select.query_row(params![self.folder, stream, format, first_seq], read).optional()?)
    }

    /// How many there are.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn count(&self) -> Result<u64, MirrorError> {
        let mut select =
            self.connection.prepare_cached("SELECT count(*) FROM export_files WHERE folder = ?1")?;
        Ok(select.query_row([&self.folder], |row| row.get::<_, i64>(0))? as u64)
    }

    /// Every file, by stream, format and range.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn all(&self) -> Result<Vec<ExportFile>, MirrorError> {
        self.select(
            "SELECT stream, format, first_seq, last_seq, path, rows, bytes, sha256, created_at FROM export_files \
             WHERE folder = ?1 ORDER BY stream, format, first_seq",
        )
    }

    /// The newest file of each stream and format, by these. Takes no longer where there are many files.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn newest(&self) -> Result<Vec<ExportFile>, MirrorError> {
        let mut select = self.connection.prepare_cached(NEWEST_BEFORE)?;
        let mut newest_before = |(stream, format): (&str, &str)| {
            select.query_row([&self.folder, stream, format], read).optional()
        };
        let mut found = Vec::new();
        let mut next = newest_before((BEHIND_ALL, ""))?;
        while let Some(file) = next {
            next = newest_before((&file.stream, &file.format))?;
            found.push(file);
        }
        found.reverse();
        Ok(found)
    }

    fn select(&self, sql: &str) -> Result<Vec<ExportFile>, MirrorError> {
        let mut select = self.connection.prepare(sql)?;
        let files = select.query_map([&self.folder], read)?.collect::<rusqlite::Result<_>>()?;
        Ok(files)
    }
}

/// The newest file of the last stream and format before the given ones, by the primary key.
const NEWEST_BEFORE: &str = "SELECT stream, format, first_seq, last_seq, path, rows, bytes, sha256, created_at \
     FROM export_files WHERE folder = ?1 AND (stream, format) < (?2, ?3) \
     ORDER BY stream DESC, format DESC, first_seq DESC LIMIT 1";

/// Sorts behind every stream.
const BEHIND_ALL: &str = "\u{10ffff}";

/// The folder of files that were published before the mirror noted folders.
const NO_FOLDER: &str = "";

/// The key in the table `meta` under which it stands what was pruned.
const FRONTS: &str = "export_pruned";

impl Batch<'_> {
    /// Notes what was pruned from the front of manifests, in the place of what stood there.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn note_export_fronts(&mut self, value: &str) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)")?
            .execute([FRONTS, value])?;
        Ok(())
    }

    /// Empties the mirror's list of a folder.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn clear_exports(&mut self, folder: &str) -> Result<(), MirrorError> {
        self.transaction.execute("DELETE FROM export_files WHERE folder = ?1", [folder])?;
        Ok(())
    }

    /// Takes the file with this path from the mirror's list of a folder, where it stands there.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn forget_export(
        &mut self,
        folder: &str,
        (stream, format, first_seq): (&str, &str, i64),
        path: &str,
    ) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached(
                "DELETE FROM export_files WHERE folder = ?1 AND stream = ?2 AND format = ?3 AND first_seq = ?4 AND path = ?5",
            )?
            .execute(params![folder, stream, format, first_seq, path])?;
        Ok(())
    }

    /// Adds one file to the mirror's list of a folder. If an older version published it, it is known to be this folder's
    /// from now on.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn add_export(&mut self, folder: &str, file: &ExportFile) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO export_files (folder, stream, format, first_seq, last_seq, path, rows, bytes, \
                 sha256, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?
            .execute(params![
                folder,
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
        self.transaction
            .prepare_cached(
                "DELETE FROM export_files WHERE folder = ?1 AND stream = ?2 AND format = ?3 AND first_seq = ?4 AND sha256 = ?5",
            )?
            .execute(params![NO_FOLDER, file.stream, file.format, file.first_seq, file.sha256])?;
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::Mirror;

    #[test]
    fn the_newest_of_each_stream_and_format_is_found_by_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        let mut batch = mirror.batch().unwrap();
        for (folder, stream, format, first_seq) in [
            ("/a", "customers", "csv", 1),
            ("/a", "customers", "csv", 6),
            ("/a", "events", "csv", 1),
            ("/a", "events", "ndjson", 1),
            ("/a", "events", "ndjson", 11),
            ("/a", "events", "ndjson", 6),
            ("/b", "customers", "ndjson", 16),
        ] {
            let (last_seq, path) = (first_seq + 4, format!("{stream}/{first_seq}.{format}"));
            let file = ExportFile {
                stream: stream.to_owned(),
                format: format.to_owned(),
                first_seq,
                last_seq,
                path,
                rows: 1,
                bytes: 2,
                sha256: "00".to_owned(),
                created_at: "t".to_owned(),
            };
            batch.add_export(folder, &file).unwrap();
        }
        batch.commit().unwrap();
        let snapshot = mirror.snapshot().unwrap();
        let newest = |folder: &str| -> Vec<String> {
            let found = snapshot.exports_of(folder).unwrap().newest().unwrap();
            found.into_iter().map(|file| format!("{} {}", file.path, file.last_seq)).collect()
        };
        assert_eq!(newest("/a"), ["customers/6.csv 10", "events/1.csv 5", "events/11.ndjson 15"]);
        assert_eq!(newest("/b"), ["customers/16.ndjson 20"]);
        assert!(newest("/c").is_empty());
        let plan = format!("EXPLAIN QUERY PLAN {NEWEST_BEFORE}");
        let mut steps = snapshot.transaction.prepare(&plan).unwrap();
        let steps = steps.query_map(["/a", BEHIND_ALL, ""], |row| row.get::<_, String>("detail")).unwrap();
        let steps: Vec<String> = steps.collect::<rusqlite::Result<_>>().unwrap();
        assert!(matches!(&steps[..], [step] if step.starts_with("SEARCH")), "{steps:?}");
    }
}
