//! What is remembered of erasures.

use super::erased::Erased;
use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, Snapshot, utc_text};
use crate::record::Stream;
use jiff::Timestamp;
use rusqlite::{Row, params};
use serde::Serialize;

/// An erasure, as the table `erasures` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Erasure {
    /// Its number.
    pub id: i64,
    /// When the mirror forgot the persons: UTC, ISO 8601.
    pub requested_at: String,
    /// When it ended; `None`: it is not ended.
    pub ended_at: Option<String>,
    /// As given.
    pub reason: Option<String>,
    /// Lines of the change log that it took.
    pub changes: u64,
    /// What it did to the mirror.
    #[serde(flatten)]
    pub erased: Erased,
}

const COLUMNS: &str = "id, requested_at, ended_at, reason, changes, found";

fn read(row: &Row<'_>) -> Result<Erasure, MirrorError> {
    let found: String = row.get(5)?;
    Ok(Erasure {
        id: row.get(0)?,
        requested_at: row.get(1)?,
        ended_at: row.get(2)?,
        reason: row.get(3)?,
        changes: row.get::<_, i64>(4)? as u64,
        erased: serde_json::from_str(&found).map_err(|_| MirrorError::unreadable("what an erasure found"))?,
    })
}

impl Snapshot<'_> {
    /// The erasures that were begun and not ended, oldest first.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn unended_erasures(&self) -> Result<Vec<Erasure>, MirrorError> {
        let sql = format!("SELECT {COLUMNS} FROM erasures WHERE ended_at IS NULL ORDER BY id");
        let mut select = self.transaction.prepare(&sql)?;
        let mut rows = select.query([])?;
        let mut erasures = Vec::new();
        while let Some(row) = rows.next()? {
            erasures.push(read(row)?);
        }
        Ok(erasures)
    }

    /// The versions of a stream's records that an erasure forgot for their age, in their order: the changes that began each,
    /// and that ended it.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn ended_versions(&self, erasure: i64, stream: Stream) -> Result<Vec<(i64, i64)>, MirrorError> {
        let sql = "SELECT seq, ended_by FROM erased_changes WHERE erasure_id = ?1 AND stream = ?2 \
                   AND ended_by IS NOT NULL ORDER BY seq";
        let mut select = self.transaction.prepare_cached(sql)?;
        let versions =
            select.query_map(params![erasure, stream.name()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(versions.collect::<rusqlite::Result<_>>()?)
    }

    /// The numbers of a stream's changes that an erasure took with their records, in their order.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn erased_changes(&self, erasure: i64, stream: Stream) -> Result<Vec<i64>, MirrorError> {
        let sql = "SELECT seq FROM erased_changes WHERE erasure_id = ?1 AND stream = ?2 AND ended_by IS NULL ORDER BY seq";
        let mut select = self.transaction.prepare_cached(sql)?;
        let seqs = select.query_map(params![erasure, stream.name()], |row| row.get(0))?;
        Ok(seqs.collect::<rusqlite::Result<_>>()?)
    }
}

/// A change whose row was erased; as JSON a line of `erasures.ndjson`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErasedChange<'a> {
    /// `erasures.id`.
    pub erasure: i64,
    /// When the erasure began: UTC, ISO 8601.
    pub erased_at: &'a str,
    /// `customers` or `events`.
    pub stream: &'a str,
    /// Its number, as in exports.
    #[serde(rename = "_seq")]
    pub seq: i64,
    /// What stands for the record's id.
    pub id: &'a str,
}

impl Snapshot<'_> {
    /// Hands over every change whose row was erased, by erasure, stream and number.
    ///
    /// # Errors
    /// When the mirror can't be read, or `each` fails: its error ends the reading.
    pub fn each_erased_change<E: From<MirrorError>>(
        &self,
        mut each: impl FnMut(ErasedChange<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT c.erasure_id, e.requested_at, c.stream, c.seq, c.token FROM erased_changes AS c \
                   JOIN erasures AS e ON e.id = c.erasure_id ORDER BY c.erasure_id, c.stream, c.seq";
        let mut select = self.transaction.prepare(sql).map_err(MirrorError::from)?;
        let mut rows = select.query([]).map_err(MirrorError::from)?;
        while let Some(row) = rows.next().map_err(MirrorError::from)? {
            let text = |column| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
            let number = |column| row.get(column);
            let read = || {
                Ok::<_, rusqlite::Error>(ErasedChange {
                    erasure: number(0)?,
                    erased_at: text(1)?,
                    stream: text(2)?,
                    seq: number(3)?,
                    id: text(4)?,
                })
            };
            each(read().map_err(MirrorError::from)?)?;
        }
        Ok(())
    }
}

impl Batch<'_> {
    /// Notes that nothing of the erased persons is left.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn end_erasure(&mut self, erasure: i64, now: Timestamp) -> Result<(), MirrorError> {
        let sql = "UPDATE erasures SET ended_at = ?2 WHERE id = ?1";
        self.transaction.execute(sql, params![erasure, utc_text(now)])?;
        Ok(())
    }
}
