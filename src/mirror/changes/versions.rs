//! What became of one record.

use super::values::{Change, columns, read_change};
use crate::mirror::tables::read_record;
use crate::mirror::{MirrorError, Snapshot};
use crate::record::{Op, Record, Stream};
use rusqlite::{OptionalExtension, Row, params};

/// A change of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordChange {
    /// Its number.
    pub seq: i64,
    /// What happened.
    pub op: Op,
    /// When the mirror took it: UTC, ISO 8601.
    pub observed_at: String,
    /// The run that did.
    pub run_id: i64,
    /// For a deletion: what proved it.
    pub evidence: Option<String>,
    /// What it made of the record; `None` for a deletion, and where that version is not known: it ended before the history
    /// begins, or was pruned.
    pub record: Option<Record>,
}

impl Snapshot<'_> {
    /// All changes of a record, in their order; empty where the stream never had one with this id. Goes through the change log
    /// once, as far as it has updates and deletions.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn changes_of(&self, stream: Stream, id: &str) -> Result<Vec<RecordChange>, MirrorError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT seq, op, observed_at, id, run_id, evidence FROM changes WHERE stream = ?1 AND id = ?2 ORDER BY seq",
        )?;
        let mut lines = select.query([stream.name(), id])?;
        let mut changes = Vec::new();
        while let Some(line) = lines.next()? {
            let Change { seq, op, observed_at, .. } = read_change(line)?;
            let (observed_at, run_id, evidence) = (observed_at.to_owned(), line.get(4)?, line.get(5)?);
            changes.push(RecordChange { seq, op, observed_at, run_id, evidence, record: None });
        }
        let names = columns(stream, "");
        // A version ends with the record's next change.
        let superseded =
            format!("SELECT {names} FROM {stream}_superseded WHERE seq = ?1 AND id = ?2 AND end_seq = ?3");
        let current =
            format!("SELECT {names} FROM {stream} WHERE change_seq = ?1 AND id = ?2 AND ?3 IS NULL");
        let ends: Vec<Option<i64>> =
            changes.iter().map(|change| Some(change.seq)).skip(1).chain([None]).collect();
        for (change, end) in changes.iter_mut().zip(ends).filter(|(change, _)| !change.op.ends_record()) {
            let sql = if end.is_some() { &superseded } else { &current };
            let mut select = self.transaction.prepare_cached(sql)?;
            let found = select.query_row(params![change.seq, id, end], |row| read_record(row, stream, 0));
            change.record = found.optional()?;
        }
        Ok(changes)
    }

    /// How many children a record has, and how many of its children were deleted.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn children_of(&self, stream: Stream, parent: &str) -> Result<(u64, u64), MirrorError> {
        let sql = format!(
            "SELECT (SELECT count(*) FROM {stream} WHERE {key} = ?2), (SELECT count(*) FROM change_log \
             WHERE op = 'delete' AND stream = ?1 AND customer_id = ?2)",
            key = stream.parent_key()
        );
        let count = |row: &Row<'_>, column| row.get::<_, i64>(column).map(|count| count as u64);
        let mut select = self.transaction.prepare_cached(&sql)?;
        Ok(select.query_row([stream.name(), parent], |row| Ok((count(row, 0)?, count(row, 1)?)))?)
    }
}
