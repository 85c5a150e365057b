//! The tables of the streams: how a record is bound to a statement, read from its row, inserted and updated. The statements
//! follow from the stream's declaration; each is put together once.
//!
//! Beside its stream's columns, a row has `change_seq`. A parent's has `events_checked_at` as well: when its children's list
//! was last read to its end. A child's has `missing_since`: when complete walks of its parent's list first lacked it.

use crate::diff::{Trust, Verdict, compare};
use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, Stamp};
use crate::record::{Op, OwnedValue, Record, Stream};
use jiff::Timestamp;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, Statement, ToSql};
use std::sync::LazyLock;

/// The index of a record's first column in a row that [`read_stored`] reads.
const FIRST_COLUMN: usize = 1;

/// A record as the mirror holds it.
#[derive(Debug, Clone)]
pub struct Stored {
    /// The row's number.
    pub row: i64,
    /// What it holds.
    pub record: Record,
    /// Of a parent: when its children's list was last read to its end. Of a child: since when it is missing.
    pub noted_at: Option<Timestamp>,
}

/// The statements of a stream's table.
pub(in crate::mirror) struct Statements {
    /// Takes the record's values and the number of its change; inserts nothing if the id is there already.
    insert: String,
    /// Takes the row's number, the record's values from the second one on, and the number of its change.
    update: String,
    /// Takes an id. This and the next ones select what [`read_stored`] reads.
    pub(in crate::mirror) by_id: String,
    /// Takes a row's number; selects the rows behind it, in their order.
    pub(in crate::mirror) behind: String,
    /// Takes a parent's id; selects at most 1,001 rows.
    pub(in crate::mirror) of_parent: String,
    /// Counts the rows.
    count: String,
}

impl Statements {
    fn of(stream: Stream) -> Statements {
        let names: Vec<&str> = stream.columns().iter().map(|column| column.name).collect();
        let (columns, behind_id) = (names.join(", "), names.get(1..).unwrap_or_default().join(", "));
        let parameters = |from: usize| {
            let all: Vec<String> = (from..=names.len() + 1).map(|n| format!("?{n}")).collect();
            all.join(", ")
        };
        let (noted_at, and_due) = match stream.parent() {
            // A changed parent's children become due: nothing says what changed.
            None => ("events_checked_at", ", events_checked_at = NULL"),
            Some(_) => ("missing_since", ""),
        };
        let select = format!("SELECT rowid, {columns}, {noted_at} FROM {stream} WHERE");
        let parent_key = stream.parent_key();
        Statements {
            insert: format!(
                "INSERT INTO {stream} ({columns}, change_seq) VALUES ({}) ON CONFLICT (id) DO NOTHING",
                parameters(1)
            ),
            update: format!(
                "UPDATE {stream} SET ({behind_id}, change_seq) = ({}){and_due} WHERE rowid = ?1",
                parameters(2)
            ),
            by_id: format!("{select} id = ?1"),
            behind: format!("{select} rowid > ?1 ORDER BY rowid"),
            // A limit given as a parameter would have SQLite prepare the statement anew each time.
            of_parent: format!("{select} {parent_key} = ?1 LIMIT 1001"),
            count: format!("SELECT count(*) FROM {stream}"),
        }
    }
}

/// The statements of a stream's table.
pub(in crate::mirror) fn statements(stream: Stream) -> &'static Statements {
    static OF_ALL: LazyLock<[Statements; Stream::ALL.len()]> =
        LazyLock::new(|| Stream::ALL.map(Statements::of));
    &OF_ALL[stream.index()]
}

impl ToSql for OwnedValue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            OwnedValue::Null => ValueRef::Null,
            OwnedValue::Text(text) => ValueRef::Text(text.as_bytes()),
            OwnedValue::Integer(number) => ValueRef::Integer(*number),
        }))
    }
}

/// Runs a statement that takes some key, the values behind a record's id, and the number of its change.
fn execute(
    statement: &mut Statement<'_>,
    key: impl ToSql,
    record: &Record,
    seq: i64,
) -> rusqlite::Result<usize> {
    statement.raw_bind_parameter(1, key)?;
    let values = record.values();
    for (n, value) in values.iter().enumerate().skip(1) {
        statement.raw_bind_parameter(n + 1, value)?;
    }
    statement.raw_bind_parameter(values.len() + 1, seq)?;
    statement.raw_execute()
}

/// Reads a row that one of a stream's [`Statements`] selected.
pub(in crate::mirror) fn read_stored(row: &Row<'_>, stream: Stream) -> rusqlite::Result<Stored> {
    let count = stream.columns().len();
    let values = (FIRST_COLUMN..FIRST_COLUMN + count).map(|column| {
        Ok(match row.get_ref(column)? {
            ValueRef::Integer(number) => OwnedValue::Integer(number),
            value => value.as_str_or_null()?.map(str::to_owned).into(),
        })
    });
    Ok(Stored {
        row: row.get(0)?,
        record: Record::from_values(stream, values.collect::<rusqlite::Result<_>>()?),
        noted_at: time(row, FIRST_COLUMN + count)?,
    })
}

/// Whether a selected row holds the very same content as a record; none of its texts is copied.
pub(in crate::mirror) fn holds(row: &Row<'_>, record: &Record) -> rusqlite::Result<bool> {
    for (column, value) in (FIRST_COLUMN..).zip(record.values()) {
        let is_same = match (row.get_ref(column)?, value) {
            (ValueRef::Null, OwnedValue::Null) => true,
            (ValueRef::Text(held), OwnedValue::Text(text)) => held == text.as_bytes(),
            (ValueRef::Integer(held), OwnedValue::Integer(number)) => held == *number,
            _ => false,
        };
        if !is_same {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The time that was noted in a selected row: see [`Stored::noted_at`].
pub(in crate::mirror) fn noted_at(row: &Row<'_>, stream: Stream) -> rusqlite::Result<Option<Timestamp>> {
    time(row, FIRST_COLUMN + stream.columns().len())
}

/// A time that the mirror wrote itself. One that can't be read counts as none: the work it guards is then done again.
pub(in crate::mirror) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get_ref(column)?.as_str_or_null()?.and_then(|text| text.parse().ok()))
}

/// The record of a stream with this id.
pub(in crate::mirror) fn stored(
    connection: &Connection,
    stream: Stream,
    id: &str,
) -> rusqlite::Result<Option<Stored>> {
    let mut select = connection.prepare_cached(&statements(stream).by_id)?;
    select.query_row([id], |row| read_stored(row, stream)).optional()
}

/// What records did to the mirror.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Applied {
    /// New to the mirror.
    pub inserted: u64,
    /// Changed. Of children also those that moved here from another parent.
    pub updated: u64,
    /// Ids of records that were listed in another version than the mirror's, and taken although the times don't tell which
    /// one is newer.
    pub undated: Vec<String>,
}

impl std::ops::AddAssign for Applied {
    fn add_assign(&mut self, more: Applied) {
        self.inserted += more.inserted;
        self.updated += more.updated;
        self.undated.extend(more.undated);
    }
}

impl Batch<'_> {
    /// How many rows a stream's table holds.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn row_count(&self, stream: Stream) -> Result<u64, MirrorError> {
        let mut select = self.transaction.prepare_cached(&statements(stream).count)?;
        Ok(select.query_row([], |row| row.get::<_, i64>(0))? as u64)
    }

    /// What the mirror holds of a record.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn stored(&self, stream: Stream, id: &str) -> Result<Option<Stored>, MirrorError> {
        Ok(stored(&self.transaction, stream, id)?)
    }

    /// Inserts a record; `None` if the mirror holds one with its id: nothing is written then.
    pub(in crate::mirror) fn insert(
        &mut self,
        stamp: Stamp,
        record: &Record,
    ) -> rusqlite::Result<Option<i64>> {
        let mut insert = self.transaction.prepare_cached(&statements(record.stream()).insert)?;
        let is_new = execute(&mut insert, record.id(), record, self.log.next_seq())? > 0;
        drop(insert);
        if !is_new {
            return Ok(None);
        }
        let row = self.transaction.last_insert_rowid();
        self.log(stamp, record.stream(), Op::Insert, record.id())?;
        Ok(Some(row))
    }

    /// Takes a record whose `stored` version is another one, if it is to be taken. Returns what was decided.
    pub(in crate::mirror) fn update(
        &mut self,
        stamp: Stamp,
        stored: &Stored,
        record: &Record,
        trust: Trust,
        applied: &mut Applied,
    ) -> rusqlite::Result<Verdict> {
        let verdict = compare(Some(&stored.record), record, trust);
        if matches!(verdict, Verdict::Update | Verdict::Undated) {
            if verdict == Verdict::Undated {
                applied.undated.push(record.id().to_owned());
            }
            applied.updated += 1;
            let seq = self.log(stamp, record.stream(), Op::Update, record.id())?;
            let mut update = self.transaction.prepare_cached(&statements(record.stream()).update)?;
            execute(&mut update, stored.row, record, seq)?;
        }
        Ok(verdict)
    }
}
