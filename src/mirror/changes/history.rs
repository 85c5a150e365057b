//! The change log with what became of each change: what export files are checked against.

use super::values::{Change, columns, read_change, read_keys, read_values};
use crate::mirror::{MirrorError, Snapshot};
use crate::record::Stream;
use rusqlite::{OptionalExtension, Row, params};

/// A change of the log, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logged<'a> {
    /// The change. Its row stands there where the mirror knows what this change made of it: from then on the row didn't
    /// change, or the version that it began was kept. A delete's keys always stand there.
    pub change: Change<'a>,
    /// The next change of the same row; `None` where this is its newest.
    pub next: Option<i64>,
    /// The `change_seq` of the row with this id, where the mirror holds one.
    pub row_seq: Option<i64>,
}

/// Selects `seq`, `stream` and `id` of each change that may have a successor, and that as `next`. Only rows that were updated
/// or deleted have several changes.
pub(in crate::mirror) fn successors() -> String {
    let inserts: String = Stream::ALL
        .iter()
        .map(|stream| {
            format!(
                " UNION ALL SELECT inserted_seq, '{stream}', id FROM {stream} AS t WHERE change_seq <> inserted_seq \
                 OR EXISTS (SELECT 1 FROM change_log AS c WHERE c.stream = '{stream}' AND c.op = 'delete' AND c.id = t.id)"
            )
        })
        .collect();
    format!(
        "SELECT seq, stream, id, lead(seq) OVER (PARTITION BY stream, id ORDER BY seq) AS next \
         FROM (SELECT seq, stream, id FROM change_log{inserts})"
    )
}

impl Logged<'_> {
    /// Whether no change with a number up to `last` came after this one.
    pub fn is_newest_up_to(&self, last: i64) -> bool {
        self.next.is_none_or(|next| next > last)
    }
}

/// The change log of one state of the mirror, with each change's successor. That takes sorting once by rows what has
/// several changes: O(n log n) in their number, with SQLite's own bounded memory and a temporary file of about 16 bytes for
/// each change that has a successor.
pub struct History<'s> {
    snapshot: &'s Snapshot<'s>,
}

impl Snapshot<'_> {
    /// Finds each change's successor. One history at a time for each snapshot.
    ///
    /// # Errors
    /// When the mirror can't be read, or there is no room for the temporary file.
    pub fn history(&self) -> Result<History<'_>, MirrorError> {
        self.transaction.execute_batch(&format!(
            "DROP TABLE IF EXISTS temp.successors; \
             CREATE TEMP TABLE successors (seq INTEGER PRIMARY KEY, next INTEGER NOT NULL); \
             INSERT INTO temp.successors SELECT seq, next FROM ({}) WHERE next IS NOT NULL ORDER BY seq",
            successors()
        ))?;
        Ok(History { snapshot: self })
    }

    /// Hands over the changes of a stream with numbers in `first..=last`, in their order: number, operation, identifier
    /// and time, without rows.
    ///
    /// # Errors
    /// When the mirror can't be read, or `each` fails: its error ends the reading.
    pub fn log<E: From<MirrorError>>(
        &self,
        stream: Stream,
        (first, last): (i64, i64),
        mut each: impl FnMut(Change<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = "SELECT seq, op, observed_at, id FROM changes WHERE seq BETWEEN ?1 AND ?2 AND stream = ?3 ORDER BY seq";
        let mut select = self.transaction.prepare_cached(sql).map_err(MirrorError::from)?;
        let mut rows = select.query(params![first, last, stream.name()]).map_err(MirrorError::from)?;
        while let Some(row) = rows.next().map_err(MirrorError::from)? {
            self.show(stream, read_change(row)?, &mut each)?;
        }
        Ok(())
    }

    /// When the change with this number was observed; `None` where there is no such change.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn observed_at(&self, seq: i64) -> Result<Option<String>, MirrorError> {
        let mut select = self.transaction.prepare_cached("SELECT observed_at FROM changes WHERE seq = ?1")?;
        Ok(select.query_row([seq], |row| row.get(0)).optional()?)
    }
}

impl History<'_> {
    /// Hands over the changes of a stream with numbers in `first..=last`, in their order.
    ///
    /// # Errors
    /// When the mirror can't be read, or `each` fails: its error ends the reading.
    pub fn changes<E: From<MirrorError>>(
        &self,
        stream: Stream,
        (first, last): (i64, i64),
        mut each: impl FnMut(Logged<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = select(stream);
        let mut select = self.snapshot.transaction.prepare_cached(&sql).map_err(MirrorError::from)?;
        let mut rows = select.query(params![first, last, stream.name()]).map_err(MirrorError::from)?;
        while let Some(row) = rows.next().map_err(MirrorError::from)? {
            self.logged(row, stream, &mut each)??;
        }
        Ok(())
    }

    /// Whether an export that reaches to change `last` has this one: it is the record's newest by then, or an earlier deletion
    /// of a record that is gone by then. See [`Snapshot::changes`].
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn is_exported_by(
        &self,
        stream: Stream,
        logged: &Logged<'_>,
        last: i64,
    ) -> Result<bool, MirrorError> {
        let (mut ends_record, mut next) = (logged.change.op.ends_record(), logged.next);
        if !ends_record {
            return Ok(logged.is_newest_up_to(last));
        }
        while let Some(seq) = next.filter(|seq| *seq <= last) {
            let found = self.change(stream, seq, |logged| {
                logged.map(|logged| (logged.change.op.ends_record(), logged.next))
            })?;
            (ends_record, next) = found.unwrap_or((ends_record, None));
        }
        Ok(ends_record)
    }

    /// Hands over the change of a stream with this number, or `None` where the stream has no such change.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn change<R>(
        &self,
        stream: Stream,
        seq: i64,
        read: impl FnOnce(Option<Logged<'_>>) -> R,
    ) -> Result<R, MirrorError> {
        let sql = select(stream);
        let mut select = self.snapshot.transaction.prepare_cached(&sql)?;
        let mut rows = select.query(params![seq, seq, stream.name()])?;
        match rows.next()? {
            Some(row) => self.logged(row, stream, |logged| read(Some(logged))),
            None => Ok(read(None)),
        }
    }

    /// How many rows of a stream the mirror holds whose newest change has a number in `first..=last`.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn rows_changed_in(&self, stream: Stream, (first, last): (i64, i64)) -> Result<u64, MirrorError> {
        let sql = format!("SELECT count(*) FROM {stream} WHERE change_seq BETWEEN ?1 AND ?2");
        let count: i64 = self.snapshot.transaction.query_row(&sql, [first, last], |row| row.get(0))?;
        Ok(count as u64)
    }

    fn logged<R>(
        &self,
        row: &Row<'_>,
        stream: Stream,
        read: impl FnOnce(Logged<'_>) -> R,
    ) -> Result<R, MirrorError> {
        let mut change = read_change(row)?;
        let (next, row_seq) = (row.get(4)?, row.get::<_, Option<i64>>(5)?);
        let old = 7 + stream.columns().len();
        let values;
        if row_seq == Some(change.seq) {
            values = read_values(row, stream, 7)?;
            change.row = Some(&values);
        } else if change.op.ends_record() {
            values = read_keys(row, stream, change.id, 6)?;
            change.row = Some(&values);
        } else if row.get::<_, Option<i64>>(old)? == Some(change.seq) {
            values = read_values(row, stream, old + 1)?;
            change.row = Some(&values);
        }
        Ok(self.snapshot.show(stream, change, |change| read(Logged { change, next, row_seq })))
    }
}

/// Takes a range of numbers, and the stream's name. The order is that of the lines: SQLite goes through the left side of a
/// LEFT JOIN first, and the LIMIT keeps it from leaving out the ORDER BY of a subquery. An ORDER BY of the whole would have it
/// sort all rows, with their values.
fn select(stream: Stream) -> String {
    format!(
        "SELECT c.seq, c.op, c.observed_at, c.id, s.next, t.change_seq, c.customer_id, {}, old.seq, {} FROM \
         (SELECT seq, op, observed_at, id, customer_id FROM changes WHERE seq BETWEEN ?1 AND ?2 AND stream = ?3 \
         ORDER BY seq LIMIT -1) AS c LEFT JOIN temp.successors AS s ON s.seq = c.seq LEFT JOIN {stream} AS t ON t.id = c.id \
         LEFT JOIN {stream}_superseded AS old ON old.end_seq = s.next",
        columns(stream, "t."),
        columns(stream, "old.")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::looks::Signal;
    use crate::diff::{EventPlan, Trust};
    use crate::mirror::{Mirror, RunId, Stamp};
    use crate::record::{Record, RowSet};
    use jiff::Timestamp;

    #[test]
    fn each_change_knows_its_successor_and_what_it_made_of_its_row() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        let mut mirror = Mirror::open(&path).unwrap();
        let stamp = Stamp { run: RunId(1), now: Timestamp::UNIX_EPOCH };
        let mut batch = mirror.batch().unwrap();
        for (id, name) in [("a", "1"), ("b", "1"), ("a", "2"), ("a", "3")] {
            let customer = Record::customer(&format!(r#"{{"id":"{id}","first_name":"{name}"}}"#));
            let plan = EventPlan::Everybody { walk_started_at: stamp.now, signal: Signal::Full };
            let records = &[customer];
            let seen = &mut RowSet::default();
            batch.apply_parents(stamp, Stream::Customers, records, Trust::Alone, &plan, seen).unwrap();
        }
        batch.delete_parent(stamp, Stream::Customers, "b", "test").unwrap();
        batch.commit().unwrap();
        // A reader without the right to write has it too.
        let mut reader = Mirror::open_read_only(&path).unwrap();
        let snapshot = reader.snapshot().unwrap();
        let history = snapshot.history().unwrap();
        let mut found = Vec::new();
        history
            .changes(Stream::Customers, (2, 5), |logged| {
                found.push((logged.change.seq, logged.next, logged.row_seq, logged.change.row.is_some()));
                Ok::<_, MirrorError>(())
            })
            .unwrap();
        assert_eq!(
            found,
            [
                (2, Some(5), None, true),
                (3, Some(4), Some(4), true),
                (4, None, Some(4), true),
                (5, None, None, true)
            ]
        );
        let one = |seq| {
            history.change(Stream::Customers, seq, |logged| logged.and_then(|logged| logged.next)).unwrap()
        };
        assert_eq!((one(1), one(4), one(9)), (Some(3), None, None));
        assert!(history.change(Stream::Events, 1, |logged| logged.is_none()).unwrap());
        let is_exported = |seq, last| {
            let is_it = |logged: Option<Logged<'_>>| {
                history.is_exported_by(Stream::Customers, &logged.unwrap(), last)
            };
            history.change(Stream::Customers, seq, is_it).unwrap().unwrap()
        };
        assert_eq!((is_exported(2, 4), is_exported(2, 5), is_exported(3, 3)), (true, false, true));
        assert_eq!((is_exported(5, 5), is_exported(4, 5)), (true, true));
        assert_eq!(history.rows_changed_in(Stream::Customers, (1, 5)).unwrap(), 1);
        assert_eq!(history.rows_changed_in(Stream::Customers, (1, 3)).unwrap(), 0);
        assert_eq!(snapshot.observed_at(5).unwrap().unwrap(), "1970-01-01T00:00:00.000Z");
    }
}
