//! What became of one record.

use super::values::{columns, read_values};
use crate::mirror::{MirrorError, Snapshot};
use crate::record::{Op, OwnedValue, Stream, Value};
use rusqlite::{OptionalExtension, params};

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
    /// What it made of the record, in the order of [`Stream::columns`]; `None` for a deletion, and where that version is not
    /// known: it ended before the history begins, or was pruned.
    pub values: Option<Vec<OwnedValue>>,
}

impl Snapshot<'_> {
    /// All changes of a record, in their order; empty where the stream never had one with this id. Goes through the change log
    /// once, as far as it has updates and deletions.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn changes_of(&self, stream: Stream, id: &str) -> Result<Vec<RecordChange>, MirrorError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT seq, op, observed_at, run_id, evidence FROM changes WHERE stream = ?1 AND id = ?2 ORDER BY seq",
        )?;
        let mut lines = select.query([stream.name(), id])?;
        let mut changes = Vec::new();
        while let Some(line) = lines.next()? {
            let op = line.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            changes.push(RecordChange {
                seq: line.get(0)?,
                op: Op::from_name(op).ok_or_else(|| MirrorError::unreadable("a change's op"))?,
                observed_at: line.get(2)?,
                run_id: line.get(3)?,
                evidence: line.get(4)?,
                values: None,
            });
        }
        // A version ends with the record's next change.
        let names = columns(stream, "");
        let superseded =
            format!("SELECT {names} FROM {stream}_superseded WHERE end_seq = ?1 AND seq = ?2 AND id = ?3");
        let current = format!("SELECT {names} FROM {stream} WHERE id = ?3 AND change_seq = ?2 AND ?1 = 0");
        let ends: Vec<i64> = changes.iter().skip(1).map(|change| change.seq).chain([0]).collect();
        for (change, end) in changes.iter_mut().zip(ends).filter(|(change, _)| change.op != Op::Delete) {
            let mut select =
                self.transaction.prepare_cached(if end == 0 { &current } else { &superseded })?;
            let mut found = select.query(params![end, change.seq, id])?;
            if let Some(row) = found.next()? {
                change.values = Some(read_values(row, stream, 0)?.iter().map(owned).collect());
            }
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
        let counts = self
            .transaction
            .query_row(&sql, [stream.name(), parent], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })
            .optional()?;
        let (has, had) = counts.unwrap_or_default();
        Ok((has as u64, had as u64))
    }
}

fn owned(value: &Value<'_>) -> OwnedValue {
    match value {
        Value::Null => OwnedValue::Null,
        Value::Integer(number) => OwnedValue::Integer(*number),
        Value::Text(text) => OwnedValue::Text((*text).to_owned()),
    }
}
