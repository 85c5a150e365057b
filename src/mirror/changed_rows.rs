//! The rows that exports write: those that changed, in the order of the change log, and whole tables.

use super::{MirrorError, Snapshot};
use crate::record::{Op, Stream, Value};
use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Row, Rows, Statement, params};
use std::ops::Deref;

/// A change of the log with what the row holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'a> {
    /// Its number.
    pub seq: i64,
    /// What happened.
    pub op: Op,
    /// UTC, ISO 8601.
    pub observed_at: &'a str,
    /// Of the row.
    pub id: &'a str,
    /// The row in the order of [`Stream::columns`]; none for a delete.
    pub row: Option<&'a [Value<'a>]>,
}

/// Where a row begins that is read together with its `rowid` and `change_seq`.
const FIRST_VALUE: usize = 2;

impl Snapshot<'_> {
    /// Hands over, in the order of their numbers, the changes of a stream with numbers in `after+1..`: of a row that
    /// changed several times only the newest, with what the row holds. (A row that was deleted more than once may
    /// have each of its deletes.)
    ///
    /// Looking each row up by its identifier would be most of the work: identifiers stand in no order, so that each leads to
    /// another page. But new rows stand in their table in the order of their inserts in the log. So the table is read along
    /// with the log, from the first row on that was found to be new, and only what isn't met there is looked up.
    ///
    /// # Errors
    /// When the mirror can't be read, or `each` fails: its error ends the reading.
    pub fn changes<E: From<MirrorError>>(
        &self,
        stream: Stream,
        after: i64,
        mut each: impl FnMut(Change<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let prepare = |sql: &str| self.transaction.prepare_cached(sql).map_err(MirrorError::from);
        let select = format!("SELECT t.rowid, t.change_seq, {} FROM {stream} AS t", columns(stream, "t."));
        let mut log = prepare(
            "SELECT seq, op, observed_at, id FROM changes WHERE seq > ?1 AND stream = ?2 ORDER BY seq",
        )?;
        let mut by_id = prepare(&format!("{select} WHERE t.id = ?1"))?;
        let mut in_order = prepare(&format!("{select} WHERE t.rowid > ?1 ORDER BY t.rowid"))?;
        let mut log = log.query(params![after, stream.name()]).map_err(MirrorError::from)?;
        let mut read = 0;
        // No row is behind the last possible one: the first one has to be looked up.
        let mut behind = i64::MAX;
        loop {
            let mut along = in_order.query([behind]).map_err(MirrorError::from)?;
            along.advance().map_err(MirrorError::from)?;
            let lookup = &mut by_id;
            let mut reading = Reading { snapshot: self, stream, lookup, along, read: &mut read };
            match reading.follow(&mut log, &mut each)? {
                Some(astray) => behind = astray,
                None => return Ok(()),
            }
        }
    }

    /// Hands over every row of a stream as the insert that would bring it about, with the number and time of its
    /// newest change; in no promised order.
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

/// The log and, along with it, a table in the order of its inserts.
struct Reading<'r, 's> {
    snapshot: &'r Snapshot<'r>,
    stream: Stream,
    lookup: &'r mut Statement<'s>,
    /// At the row that the next insert is expected to have brought.
    along: Rows<'r>,
    read: &'r mut usize,
}

impl Reading<'_, '_> {
    /// Hands over changes to the end of the log, or to an insert whose row stands elsewhere than was expected: then returns
    /// that row's `rowid`, behind which the next ones are to be expected.
    fn follow<E: From<MirrorError>>(
        &mut self,
        log: &mut Rows<'_>,
        each: &mut impl FnMut(Change<'_>) -> Result<(), E>,
    ) -> Result<Option<i64>, E> {
        while let Some(entry) = log.next().map_err(MirrorError::from)? {
            self.snapshot.go_on(*self.read)?;
            *self.read += 1;
            let change = logged(entry)?;
            if matches!(self.along.get(), Some(row) if text(row, FIRST_VALUE)? == change.id) {
                if let Some(row) = self.along.get() {
                    hand_over(change, Some(row), self.stream, each)?;
                }
                if change.op != Op::Delete {
                    self.along.advance().map_err(MirrorError::from)?;
                }
                continue;
            }
            let mut found = self.lookup.query([change.id]).map_err(MirrorError::from)?;
            let row = found.next().map_err(MirrorError::from)?;
            let is_new = hand_over(change, row, self.stream, each)? && change.op == Op::Insert;
            if let Some(row) = row.filter(|_| is_new) {
                return Ok(Some(row.get(0).map_err(MirrorError::from)?));
            }
        }
        Ok(None)
    }
}

/// A line of the log.
fn logged<'r>(row: &'r Row<'_>) -> Result<Change<'r>, MirrorError> {
    Ok(Change {
        seq: row.get(0)?,
        op: Op::from_name(text(row, 1)?).ok_or_else(|| MirrorError::unreadable("a change's op"))?,
        observed_at: text(row, 2)?,
        id: text(row, 3)?,
        row: None,
    })
}

/// Hands a change over where it is its row's newest, or the row is gone. Returns whether it was.
fn hand_over<E: From<MirrorError>>(
    change: Change<'_>,
    row: Option<&Row<'_>>,
    stream: Stream,
    each: &mut impl FnMut(Change<'_>) -> Result<(), E>,
) -> Result<bool, E> {
    match row {
        Some(row) if row.get::<_, i64>(1).map_err(MirrorError::from)? == change.seq => {
            let values = read_values(row, stream, FIRST_VALUE)?;
            each(Change { row: Some(&values), ..change })?;
            Ok(true)
        }
        None if change.op == Op::Delete => each(change).map(|()| true),
        _ => Ok(false),
    }
}

pub(super) fn columns(stream: Stream, prefix: &str) -> String {
    let names: Vec<String> =
        stream.columns().iter().map(|column| format!("{prefix}{}", column.name)).collect();
    names.join(", ")
}

pub(super) fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, MirrorError> {
    row.get_ref(column)?.as_str().map_err(|_| MirrorError::unreadable("text that is no text"))
}

/// The values of a row, in the order of [`Stream::columns`].
pub(super) struct Values<'r> {
    values: [Value<'r>; MOST_COLUMNS],
    count: usize,
}

/// No stream has more columns.
const MOST_COLUMNS: usize = 10;
const _: () = assert!(
    Stream::Customers.columns().len() <= MOST_COLUMNS && Stream::Events.columns().len() <= MOST_COLUMNS
);

impl<'r> Deref for Values<'r> {
    type Target = [Value<'r>];

    fn deref(&self) -> &[Value<'r>] {
        self.values.get(..self.count).unwrap_or(&self.values)
    }
}

pub(super) fn read_values<'r>(
    row: &'r Row<'_>,
    stream: Stream,
    first: usize,
) -> Result<Values<'r>, MirrorError> {
    let count = stream.columns().len();
    let mut values = [Value::Null; MOST_COLUMNS];
    for (n, value) in values.iter_mut().enumerate().take(count) {
        *value = match row.get_ref(first + n)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Text(bytes) => std::str::from_utf8(bytes)
                .map(Value::Text)
                .map_err(|_| MirrorError::unreadable(format!("text in {stream} that is no UTF-8")))?,
            _ => return Err(MirrorError::unreadable(format!("a value of another type in {stream}"))),
        };
    }
    Ok(Values { values, count })
}

#[cfg(test)]
mod tests {
    use super::super::{Mirror, RunId, SeenRows, Stamp};
    use super::*;
    use crate::diff::{EventPlan, Trust};
    use crate::record::Customer;
    use jiff::Timestamp;
    use proptest::prelude::*;

    type Found = Vec<(i64, Op, String, Option<String>)>;

    /// The same, by a join that looks every row up.
    fn joined(snapshot: &Snapshot<'_>, after: i64) -> Found {
        let sql = "SELECT c.seq, c.op, c.id, t.first_name FROM changes AS c LEFT JOIN customers AS t ON t.id = c.id \
                   WHERE c.seq > ?1 AND c.stream = 'customers' \
                   AND (t.change_seq = c.seq OR (c.op = 'delete' AND t.id IS NULL)) ORDER BY c.seq";
        let mut select = snapshot.transaction.prepare(sql).unwrap();
        let found = select.query_map([after], |row| {
            let op = Op::from_name(&row.get::<_, String>(1)?).unwrap();
            Ok((row.get(0)?, op, row.get(2)?, row.get(3)?))
        });
        found.unwrap().map(Result::unwrap).collect()
    }

    fn changes(snapshot: &Snapshot<'_>, after: i64) -> Found {
        let mut found = Vec::new();
        let read = snapshot.changes(Stream::Customers, after, |change| {
            let name = change.row.map(|row| match row[2] {
                Value::Text(name) => name.to_owned(),
                other => panic!("{other:?}"),
            });
            found.push((change.seq, change.op, change.id.to_owned(), name));
            Ok::<_, MirrorError>(())
        });
        read.unwrap();
        found
    }

    fn put(mirror: &mut Mirror, id: &str, name: Option<usize>) {
        let stamp = Stamp { run: RunId(1), now: Timestamp::UNIX_EPOCH };
        let mut batch = mirror.batch().unwrap();
        if let Some(name) = name {
            let customer = Customer {
                id: id.to_owned(),
                email: None,
                first_name: Some(name.to_string()),
                last_name: None,
                phone_number: None,
                created_at: None,
                updated_at: None,
                extra: None,
            };
            let plan = EventPlan::Everybody { walk_started_at: stamp.now };
            batch.apply_customers(stamp, &[customer], Trust::Alone, plan, &mut SeenRows::default()).unwrap();
        } else {
            batch.delete_customer(stamp, id, "test").unwrap();
        }
        batch.commit().unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// However inserts, updates, deletes and second inserts follow each other, and from wherever it is read.
        #[test]
        fn reading_along_finds_what_looking_up_finds(
            steps in prop::collection::vec((0..8usize, prop::bool::weighted(0.75)), 1..60),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
            for (n, (id, is_there)) in steps.iter().enumerate() {
                put(&mut mirror, &format!("id {id}"), is_there.then_some(n));
            }
            let snapshot = mirror.snapshot().unwrap();
            for after in 0..=snapshot.head().unwrap() {
                prop_assert_eq!(changes(&snapshot, after), joined(&snapshot, after));
            }
        }
    }
}
