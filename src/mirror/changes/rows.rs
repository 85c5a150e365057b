//! The rows that exports write: those that changed, in the order of the change log, and whole tables.

use super::values::{Change, columns, read_change, read_keys, read_values, text};
use crate::mirror::{MirrorError, Snapshot};
use crate::record::{Op, Stream};
use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::{CachedStatement, Row, Rows, Statement};

/// Where a row begins that is read together with its `rowid` and `change_seq`.
const FIRST_VALUE: usize = 2;

impl Snapshot<'_> {
    /// Calls `each` with the changes of the streams in `wanted` whose numbers are greater than `after`, in the order of their
    /// numbers. If a row changed several times, `each` gets the newest change only, with what the row holds. (If a row was
    /// deleted several times, it may get every one of these deletes.)
    ///
    /// Looking up each row by its identifier would take most of the time, because neighbours in the log are far apart in
    /// that index. But new rows are stored in the order of their inserts in the log. So the tables are read in parallel with
    /// the log, from the first row that turned out to be new, and only rows that aren't found there are looked up.
    ///
    /// # Errors
    /// When the mirror can't be read, or `each` fails: its error ends the reading.
    pub fn changes<E: From<MirrorError>>(
        &self,
        wanted: &[(Stream, i64)],
        mut each: impl FnMut(Stream, Change<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(after) = wanted.iter().map(|(_, after)| *after).min() else { return Ok(()) };
        let prepare = |sql: &str| self.transaction.prepare_cached(sql).map_err(MirrorError::from);
        let mut log = prepare(
            "SELECT seq, op, observed_at, id, stream, customer_id FROM changes WHERE seq > ?1 ORDER BY seq",
        )?;
        let mut log = log.query([after]).map_err(MirrorError::from)?;
        let mut tables = Vec::new();
        for (stream, after) in wanted.iter().copied() {
            let select =
                format!("SELECT t.rowid, t.change_seq, {} FROM {stream} AS t", columns(stream, "t."));
            let by_id = prepare(&format!("{select} WHERE t.id = ?1"))?;
            let in_order = prepare(&format!("{select} WHERE t.rowid > ?1 ORDER BY t.rowid"))?;
            // There is no row after the last possible one, so the first one has to be looked up.
            tables.push(Table { stream, after, by_id, in_order, behind: i64::MAX });
        }
        let mut read = 0;
        loop {
            let along = tables.iter_mut().map(Table::read_along).collect::<Result<_, MirrorError>>()?;
            let Some(positions) = self.follow(&mut log, along, &mut read, &mut each)? else { return Ok(()) };
            for (table, behind) in tables.iter_mut().zip(positions) {
                table.behind = behind;
            }
        }
    }

    /// Calls `each` with changes up to the end of the log, or up to an insert whose row was not where it was expected. In
    /// the latter case, returns for each table the `rowid` after which to expect its next new rows.
    fn follow<E: From<MirrorError>>(
        &self,
        log: &mut Rows<'_>,
        mut tables: Vec<Along<'_, '_>>,
        read: &mut usize,
        each: &mut impl FnMut(Stream, Change<'_>) -> Result<(), E>,
    ) -> Result<Option<Vec<i64>>, E> {
        while let Some(entry) = log.next().map_err(MirrorError::from)? {
            self.go_on(*read)?;
            *read += 1;
            let (stream, change) = (text(entry, 4)?, read_change(entry)?);
            let Some(of) = tables.iter().position(|table| table.holds(stream, change.seq)) else { continue };
            let keys;
            let change = if change.op == Op::Delete {
                keys = read_keys(entry, tables[of].stream, change.id, 5)?;
                Change { row: Some(&keys), ..change }
            } else {
                change
            };
            let Some(astray) = tables[of].follow(change, each)? else { continue };
            let mut positions = tables.iter().map(Along::behind).collect::<Result<Vec<_>, _>>()?;
            positions[of] = astray;
            return Ok(Some(positions));
        }
        Ok(None)
    }

    /// Calls `each` with every row of a stream, as an insert that has the number and time of the row's newest change. The
    /// order is not specified.
    ///
    /// # Errors
    /// When the mirror can't be read, or `each` fails: its error ends the reading.
    pub fn rows<E: From<MirrorError>>(
        &self,
        stream: Stream,
        mut each: impl FnMut(Change<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT t.change_seq, c.observed_at, t.id, {} FROM {stream} AS t JOIN changes AS c ON c.seq = t.change_seq \
             ORDER BY t.rowid",
            columns(stream, "t."),
        );
        let mut select = self.transaction.prepare_cached(&sql).map_err(MirrorError::from)?;
        let mut rows = select.query([]).map_err(MirrorError::from)?;
        let mut read = 0;
        while let Some(row) = rows.next().map_err(MirrorError::from)? {
            self.go_on(read)?;
            read += 1;
            let values = read_values(row, stream, 3)?;
            each(Change {
                seq: row.get(0).map_err(MirrorError::from)?,
                op: Op::Insert,
                observed_at: text(row, 1)?,
                id: text(row, 2)?,
                row: Some(&values),
            })?;
        }
        Ok(())
    }
}

/// A stream's table, which is read in parallel with the log.
struct Table<'s> {
    stream: Stream,
    after: i64,
    by_id: CachedStatement<'s>,
    in_order: CachedStatement<'s>,
    /// The `rowid` after which the next new rows are expected.
    behind: i64,
}

impl<'s> Table<'s> {
    fn read_along(&mut self) -> Result<Along<'_, 's>, MirrorError> {
        let mut rows = self.in_order.query([self.behind])?;
        rows.advance()?;
        Ok(Along { stream: self.stream, after: self.after, lookup: &mut self.by_id, rows })
    }
}

/// A table that is being read, from some row on.
struct Along<'r, 's> {
    stream: Stream,
    after: i64,
    lookup: &'r mut Statement<'s>,
    /// Positioned at the row that the next insert in the log is expected to be about.
    rows: Rows<'r>,
}

impl Along<'_, '_> {
    /// Whether a change is one of the wanted changes of this table.
    fn holds(&self, stream: &str, seq: i64) -> bool {
        self.stream.name() == stream && self.after < seq
    }

    /// Calls `each` with a change. If the change inserted a row that is not where it was expected, returns its `rowid`.
    fn follow<E: From<MirrorError>>(
        &mut self,
        change: Change<'_>,
        each: &mut impl FnMut(Stream, Change<'_>) -> Result<(), E>,
    ) -> Result<Option<i64>, E> {
        if matches!(self.rows.get(), Some(row) if text(row, FIRST_VALUE)? == change.id) {
            if let Some(row) = self.rows.get() {
                hand_over(change, Some(row), self.stream, each)?;
            }
            if change.op != Op::Delete {
                self.rows.advance().map_err(MirrorError::from)?;
            }
            return Ok(None);
        }
        let mut found = self.lookup.query([change.id]).map_err(MirrorError::from)?;
        let row = found.next().map_err(MirrorError::from)?;
        let is_new = hand_over(change, row, self.stream, each)? && change.op == Op::Insert;
        let astray = row.filter(|_| is_new).map(|row| row.get(0)).transpose();
        Ok(astray.map_err(MirrorError::from)?)
    }

    /// The `rowid` after which reading has to continue to come to the same row.
    fn behind(&self) -> Result<i64, MirrorError> {
        Ok(self.rows.get().map(|row| row.get::<_, i64>(0)).transpose()?.map_or(i64::MAX, |row| row - 1))
    }
}

/// Calls `each` with a change if it is its row's newest, or if the row was deleted. Returns whether it did.
fn hand_over<E: From<MirrorError>>(
    change: Change<'_>,
    row: Option<&Row<'_>>,
    stream: Stream,
    each: &mut impl FnMut(Stream, Change<'_>) -> Result<(), E>,
) -> Result<bool, E> {
    match row {
        Some(row) if row.get::<_, i64>(1).map_err(MirrorError::from)? == change.seq => {
            let values = read_values(row, stream, FIRST_VALUE)?;
            each(stream, Change { row: Some(&values), ..change })?;
            Ok(true)
        }
        None if change.op == Op::Delete => each(stream, change).map(|()| true),
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{EventPlan, Trust};
    use crate::mirror::{Batch, Mirror, RowSet, RunId, Stamp};
    use crate::record::{Record, Value};
    use jiff::Timestamp;
    use proptest::prelude::*;

    type Found = Vec<(i64, Stream, Op, String, Option<String>)>;

    /// The same, by joins that look every row up.
    fn joined(snapshot: &Snapshot<'_>, wanted: &[(Stream, i64)]) -> Found {
        let mut found = Found::new();
        for &(stream, after) in wanted {
            let name = if stream == Stream::Customers { "first_name" } else { "label" };
            let sql = format!(
                "SELECT c.seq, c.op, c.id, t.{name} FROM changes AS c LEFT JOIN {stream} AS t ON t.id = c.id \
                 WHERE c.seq > ?1 AND c.stream = '{stream}' \
                 AND (t.change_seq = c.seq OR (c.op = 'delete' AND t.id IS NULL)) ORDER BY c.seq"
            );
            let mut select = snapshot.transaction.prepare(&sql).unwrap();
            let rows = select.query_map([after], |row| {
                let op = Op::from_name(&row.get::<_, String>(1)?).unwrap();
                Ok((row.get(0)?, stream, op, row.get(2)?, row.get(3)?))
            });
            found.extend(rows.unwrap().map(Result::unwrap));
        }
        found.sort_by_key(|(seq, ..)| *seq);
        found
    }

    fn changes(snapshot: &Snapshot<'_>, wanted: &[(Stream, i64)]) -> Found {
        let mut found = Vec::new();
        let read = snapshot.changes(wanted, |stream, change| {
            let name =
                stream.columns().iter().position(|column| matches!(column.name, "first_name" | "label"));
            let name = change.row.zip(name).and_then(|(row, name)| match row[name] {
                Value::Text(name) => Some(name.to_owned()),
                Value::Null => None,
                other => panic!("{other:?}"),
            });
            let keys: Vec<Value<'_>> = [Value::Text(change.id), Value::Text("somebody")]
                .into_iter()
                .take(stream.keys().len())
                .collect();
            assert!(change.row.is_some_and(|row| row.starts_with(&keys)), "{change:?}");
            found.push((change.seq, stream, change.op, change.id.to_owned(), name));
            Ok::<_, MirrorError>(())
        });
        read.unwrap();
        found
    }

    /// What stands in `freshness`, counted anew.
    const COUNTED: &str = "(SELECT 'customers' AS stream, (SELECT count(*) FROM customers) AS row_count, \
         (SELECT max(seq) FROM changes WHERE stream = 'customers') AS last_change_seq \
         UNION ALL SELECT 'events', (SELECT count(*) FROM events), (SELECT max(seq) FROM changes WHERE stream = 'events'))";

    fn totals(snapshot: &Snapshot<'_>, of: &str) -> Vec<(String, i64, Option<i64>)> {
        let sql = format!("SELECT stream, row_count, last_change_seq FROM {of} ORDER BY stream");
        let mut select = snapshot.transaction.prepare(&sql).unwrap();
        let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    const STAMP: Stamp = Stamp { run: RunId(1), now: Timestamp::UNIX_EPOCH };

    fn put_customer(batch: &mut Batch<'_>, id: &str, name: Option<usize>) {
        if let Some(name) = name {
            let customer = Record::customer(&format!(r#"{{"id":"{id}","first_name":"{name}"}}"#));
            let plan = EventPlan::Everybody { walk_started_at: STAMP.now };
            let seen = &mut RowSet::default();
            batch.apply_parents(STAMP, Stream::Customers, &[customer], Trust::Alone, plan, seen).unwrap();
        } else {
            batch.delete_parent(STAMP, Stream::Customers, id, "test").unwrap();
        }
    }

    fn put_event(batch: &mut Batch<'_>, id: &str, label: Option<usize>) {
        if let Some(label) = label {
            let event = Record::event("somebody", &format!(r#"{{"id":"{id}","label":"{label}"}}"#));
            batch.apply_children(STAMP, Stream::Events, "somebody", &[event], Trust::Alone).unwrap();
        } else {
            batch.delete_children(STAMP, Stream::Events, "somebody", &[id.to_owned()], "test").unwrap();
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// However inserts, updates, deletes and second inserts of both streams follow each other, and from wherever both
        /// or one of them is read.
        #[test]
        fn reading_along_finds_what_looking_up_finds(
            steps in prop::collection::vec((0..8usize, prop::bool::weighted(0.75), prop::bool::ANY), 1..60),
            apart in 0..60i64,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
            for (n, (id, is_there, is_event)) in steps.iter().enumerate() {
                let (id, value) = (format!("id {id}"), is_there.then_some(n));
                let mut batch = mirror.batch().unwrap();
                if *is_event { put_event(&mut batch, &id, value) } else { put_customer(&mut batch, &id, value) }
                batch.commit().unwrap();
            }
            let snapshot = mirror.snapshot().unwrap();
            prop_assert_eq!(totals(&snapshot, "freshness"), totals(&snapshot, COUNTED));
            let head = snapshot.head().unwrap();
            for after in 0..=head {
                let wanted = [(Stream::Customers, after), (Stream::Events, (after + apart) % (head + 1))];
                for wanted in [&wanted[..], &wanted[..1], &wanted[1..]] {
                    prop_assert_eq!(changes(&snapshot, wanted), joined(&snapshot, wanted));
                }
            }
        }
    }
}
