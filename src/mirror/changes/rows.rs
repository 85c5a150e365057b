//! The rows that exports write: those that changed, in the order of the change log, and whole tables.

use super::values::{Change, columns, read_change, read_keys, read_values, text};
use crate::mirror::{MirrorError, Snapshot};
use crate::record::{Op, Stream};
use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::{CachedStatement, Row, Rows, Statement};

/// Where the values begin in a row of a stream's table, behind its insert's and its newest change's number.
const FIRST_VALUE: usize = 4;

impl Snapshot<'_> {
    /// Calls `each` with the changes of the streams in `wanted` whose numbers are greater than `after`, in the order of their
    /// numbers. If a row changed several times, `each` gets the newest change only, with what the row holds. (If a row was
    /// deleted several times, it may get every one of these deletes.)
    ///
    /// New rows are read as they stand in their tables, which have them in the order of their inserts, along with the lines of
    /// the log, which has everything else; only rows that were updated are looked up.
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
            "SELECT seq, op, observed_at, id, stream, customer_id FROM change_log WHERE seq > ?1 ORDER BY seq",
        )?;
        let mut tables = Vec::new();
        for (stream, after) in wanted.iter().copied() {
            let select = format!(
                "SELECT inserted_seq, change_seq, inserted_at, id, {} FROM {stream} WHERE",
                columns(stream, "")
            );
            let by_id = prepare(&format!("{select} id = ?1"))?;
            let in_order = prepare(&format!("{select} inserted_seq > ?1 ORDER BY inserted_seq"))?;
            tables.push(Table { stream, after, by_id, in_order });
        }
        let mut each = |stream, change: Change<'_>| self.show(stream, change, |change| each(stream, change));
        let mut log = log.query([after]).map_err(MirrorError::from)?;
        let mut tables = tables.iter_mut().map(Table::read).collect::<Result<Vec<_>, MirrorError>>()?;
        log.advance().map_err(MirrorError::from)?;
        let mut read = 0;
        loop {
            self.go_on(read)?;
            read += 1;
            let logged = number(log.get())?;
            let mut next = None;
            for (n, table) in tables.iter().enumerate() {
                let inserted = number(table.rows.get())?;
                next =
                    if inserted < next.map_or(logged, |(seq, _)| seq) { Some((inserted, n)) } else { next };
            }
            match (next.and_then(|(_, n)| tables.get_mut(n)), log.get()) {
                (Some(table), _) => table.hand_over_new(&mut each)?,
                (None, Some(line)) => {
                    let stream = text(line, 4)?;
                    if let Some(table) = tables.iter_mut().find(|table| table.holds(stream, logged)) {
                        table.hand_over_changed(line, &mut each)?;
                    }
                    log.advance().map_err(MirrorError::from)?;
                }
                (None, None) => return Ok(()),
            }
        }
    }

    /// Calls `each` with every row that a stream had at change `as_of`, as an insert that has the number and time of the row's
    /// newest change by then, in the order of their inserts: whatever happens to the rows later, the same point gives the same
    /// rows in the same order. Whether the state of that time is known says [`Snapshot::history_reach`].
    ///
    /// # Errors
    /// When the mirror can't be read, or `each` fails: its error ends the reading.
    pub fn rows<E: From<MirrorError>>(
        &self,
        stream: Stream,
        as_of: i64,
        mut each: impl FnMut(Change<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT t.inserted_seq, t.change_seq, coalesce(c.observed_at, t.inserted_at), t.id, {} FROM {stream} AS t \
             LEFT JOIN change_log AS c ON c.seq = t.change_seq AND t.change_seq <> t.inserted_seq \
             WHERE t.inserted_seq <= ?1 AND t.change_seq <= ?1 \
             UNION ALL SELECT inserted_seq, seq, valid_from, id, {} FROM {stream}_superseded \
             WHERE end_seq > ?1 AND seq <= ?1 ORDER BY 1",
            columns(stream, "t."),
            columns(stream, ""),
        );
        let mut select = self.transaction.prepare_cached(&sql).map_err(MirrorError::from)?;
        let mut rows = select.query([as_of]).map_err(MirrorError::from)?;
        let mut read = 0;
        while let Some(row) = rows.next().map_err(MirrorError::from)? {
            self.go_on(read)?;
            read += 1;
            let values = read_values(row, stream, 4)?;
            let (seq, op) = (row.get(1).map_err(MirrorError::from)?, Op::Insert);
            let (observed_at, id) = (text(row, 2)?, text(row, 3)?);
            self.show(stream, Change { seq, op, observed_at, id, row: Some(&values) }, &mut each)?;
        }
        Ok(())
    }
}

/// The number that a row or a line of the log begins with; behind the last one there is none that is greater.
fn number(row: Option<&Row<'_>>) -> Result<i64, MirrorError> {
    Ok(row.map(|row| row.get(0)).transpose()?.unwrap_or(i64::MAX))
}

/// A stream's table.
struct Table<'s> {
    stream: Stream,
    after: i64,
    by_id: CachedStatement<'s>,
    in_order: CachedStatement<'s>,
}

impl<'s> Table<'s> {
    fn read(&mut self) -> Result<Reading<'_, 's>, MirrorError> {
        let mut rows = self.in_order.query([self.after])?;
        rows.advance()?;
        Ok(Reading { stream: self.stream, after: self.after, lookup: &mut self.by_id, rows })
    }
}

/// A table that is being read from some change on.
struct Reading<'r, 's> {
    stream: Stream,
    after: i64,
    lookup: &'r mut Statement<'s>,
    /// Positioned at the row with the next insert.
    rows: Rows<'r>,
}

impl Reading<'_, '_> {
    /// Whether a line is one of the wanted changes of this table.
    fn holds(&self, stream: &str, seq: i64) -> bool {
        self.stream.name() == stream && self.after < seq
    }

    /// Calls `each` with the insert of the next row, unless a later change of it is its newest.
    fn hand_over_new<E: From<MirrorError>>(
        &mut self,
        each: &mut impl FnMut(Stream, Change<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        if let Some(row) = self.rows.get() {
            let (seq, newest): (i64, i64) =
                (row.get(0).map_err(MirrorError::from)?, row.get(1).map_err(MirrorError::from)?);
            if seq == newest {
                let values = read_values(row, self.stream, FIRST_VALUE)?;
                let (observed_at, id) = (text(row, 2)?, text(row, 3)?);
                each(self.stream, Change { seq, op: Op::Insert, observed_at, id, row: Some(&values) })?;
            }
        }
        Ok(self.rows.advance().map_err(MirrorError::from)?)
    }

    /// Calls `each` with the change of a line if it is its row's newest, or if it deleted the row.
    fn hand_over_changed<E: From<MirrorError>>(
        &mut self,
        line: &Row<'_>,
        each: &mut impl FnMut(Stream, Change<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let change = read_change(line)?;
        if change.op == Op::Insert {
            // Of a row that was deleted since.
            return Ok(());
        }
        let mut found = self.lookup.query([change.id]).map_err(MirrorError::from)?;
        let values = match found.next().map_err(MirrorError::from)? {
            Some(row) if row.get::<_, i64>(1).map_err(MirrorError::from)? == change.seq => {
                read_values(row, self.stream, FIRST_VALUE)?
            }
            None if change.op.ends_record() => read_keys(line, self.stream, change.id, 5)?,
            _ => return Ok(()),
        };
        each(self.stream, Change { row: Some(&values), ..change })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::looks::Signal;
    use crate::diff::{EventPlan, Trust};
    use crate::mirror::{Batch, Doubts, Mirror, RunId, Stamp};
    use crate::record::{Record, RowSet, Value};
    use jiff::Timestamp;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

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
            let plan = EventPlan::Everybody { walk_started_at: STAMP.now, signal: Signal::Full };
            let seen = &mut RowSet::default();
            batch.apply_parents(STAMP, Stream::Customers, &[customer], Trust::Alone, &plan, seen).unwrap();
        } else {
            batch.delete_parent(STAMP, Stream::Customers, id, "test").unwrap();
        }
    }

    fn put_event(batch: &mut Batch<'_>, id: &str, label: Option<usize>) {
        if let Some(label) = label {
            let event = Record::event("somebody", &format!(r#"{{"id":"{id}","label":"{label}"}}"#));
            batch
                .apply_children(
                    STAMP,
                    Stream::Events,
                    "somebody",
                    &[event],
                    Trust::Alone,
                    &mut Doubts::default(),
                )
                .unwrap();
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

        /// Whatever happens, also where a process dies before it commits: the rows of every earlier point are known, and what
        /// is read of it is what was there.
        #[test]
        fn every_state_of_the_past_is_known(
            steps in prop::collection::vec((0..5usize, prop::bool::weighted(0.7), any::<bool>(), 0..4u8), 1..40),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("mirror.db");
            let mut mirror = Mirror::open(&path).unwrap();
            let mut states = Vec::new();
            for (n, (id, is_there, is_event, end)) in steps.iter().enumerate() {
                let (id, value) = (format!("id {id}"), is_there.then_some(n));
                let mut batch = mirror.batch().unwrap();
                if *is_event { put_event(&mut batch, &id, value) } else { put_customer(&mut batch, &id, value) }
                match end {
                    0 => drop(batch),
                    1 => {
                        batch.commit().unwrap();
                        drop(mirror);
                        mirror = Mirror::open(&path).unwrap();
                    }
                    _ => batch.commit().unwrap(),
                }
                let snapshot = mirror.snapshot().unwrap();
                states.push((snapshot.head().unwrap(), Stream::ALL.map(|stream| all_rows(&snapshot, stream, i64::MAX))));
            }
            let snapshot = mirror.snapshot().unwrap();
            for (head, state) in states {
                for stream in Stream::ALL {
                    prop_assert_eq!(&all_rows(&snapshot, stream, head), &state[stream.index()]);
                }
            }
        }
    }

    /// Every row of that point, by id: the number of its newest change, and its values.
    fn all_rows(snapshot: &Snapshot<'_>, stream: Stream, as_of: i64) -> BTreeMap<String, (i64, String)> {
        let mut rows = BTreeMap::new();
        let read = snapshot.rows(stream, as_of, |change| {
            let row = (change.seq, format!("{:?}", change.row));
            assert_eq!(rows.insert(change.id.to_owned(), row), None);
            Ok::<_, MirrorError>(())
        });
        read.unwrap();
        rows
    }
}
