//! The tables of the streams: how a record is bound to a statement, read from its row, inserted and updated. The statements
//! follow from the stream's declaration; each is put together once.
//!
//! A row is stored under the number of the change that inserted it, and is that change's line in the log. Beside its stream's
//! columns, it has the number of its newest change. A parent's row has `events_checked_at` as well: when its children's list
//! was last read to its end. A child's has `missing_since`: when complete walks of its parent's list first lacked it.
//!
//! What an update or a deletion ends is kept in `STREAM_superseded`.

use crate::diff::{Trust, Verdict, compare};
use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, Stamp};
use crate::record::{Op, Record, Stream, Value};
use jiff::Timestamp;
use rusqlite::types::{FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, Statement, ToSql};
use std::ops::RangeInclusive;
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
    /// Takes the record's values, the number of its change, its time, and its run; inserts nothing if the id is there already.
    insert: String,
    /// The same where no index of ids is there yet.
    load: String,
    /// Takes the row's number, the record's values from the second one on, and the number of its change.
    update: String,
    /// Takes the row's number and the number of the change that ends its present version; keeps that version.
    supersede: String,
    /// Takes the row's number. A trigger adds the line of its insert to the log.
    delete: String,
    /// Takes an id. This and the next ones select what [`read_stored`] reads.
    pub(in crate::mirror) by_id: String,
    /// Takes a row's number; selects the rows behind it, in their order.
    pub(in crate::mirror) behind: String,
    /// Takes a row's number.
    at: String,
    /// Takes a parent's id; selects at most 1,001 rows.
    pub(in crate::mirror) of_parent: String,
    /// Counts the rows.
    count: String,
}

impl Statements {
    fn of(stream: Stream) -> Statements {
        let names: Vec<&str> = stream.columns().iter().map(|column| column.name).collect();
        let (columns, behind_id) = (names.join(", "), names.get(1..).unwrap_or_default().join(", "));
        let count = names.len();
        let parameters = |range: RangeInclusive<usize>| {
            let all: Vec<String> = range.map(|n| format!("?{n}")).collect();
            all.join(", ")
        };
        let (noted_at, and_due) = match stream.parent() {
            // A changed parent's children become due: nothing says what changed.
            None => ("events_checked_at", ", events_checked_at = NULL"),
            Some(_) => ("missing_since", ""),
        };
        let select = format!("SELECT rowid, {columns}, {noted_at} FROM {stream} WHERE");
        let parent_key = stream.parent_key();
        let load = format!(
            "INSERT INTO {stream} ({columns}, inserted_seq, inserted_at, inserted_run, change_seq) VALUES ({}, ?{})",
            parameters(1..=count + 3),
            count + 1
        );
        Statements {
            insert: format!("{load} ON CONFLICT (id) DO NOTHING"),
            load,
            update: format!(
                "UPDATE {stream} SET ({behind_id}, change_seq) = ({}){and_due} WHERE rowid = ?1",
                parameters(2..=count + 1)
            ),
            supersede: format!(
                "INSERT INTO {stream}_superseded (end_seq, seq, inserted_seq, valid_from, {columns}) \
                 SELECT ?2, change_seq, inserted_seq, CASE WHEN change_seq = inserted_seq THEN inserted_at \
                 ELSE coalesce((SELECT observed_at FROM change_log WHERE seq = change_seq), inserted_at) END, {columns} \
                 FROM {stream} WHERE inserted_seq = ?1"
            ),
            delete: format!("DELETE FROM {stream} WHERE inserted_seq = ?1"),
            by_id: format!("{select} id = ?1"),
            at: format!("{select} inserted_seq = ?1"),
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

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Value::Null => ValueRef::Null,
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Integer(number) => ValueRef::Integer(number),
        }))
    }
}

/// A value as a row holds it: the other direction.
///
/// # Errors
/// When it is of a type that no column of a record has, or a text that is no UTF-8.
pub(in crate::mirror) fn value(held: ValueRef<'_>) -> FromSqlResult<Value<'_>> {
    match held {
        ValueRef::Integer(number) => Ok(Value::Integer(number)),
        held => Ok(held.as_str_or_null()?.map_or(Value::Null, Value::Text)),
    }
}

/// Binds the first parameters of a statement: some key, the values behind a record's id, and the number of its change.
/// Returns how many these are.
fn bind(
    statement: &mut Statement<'_>,
    key: impl ToSql,
    record: &Record,
    seq: i64,
) -> rusqlite::Result<usize> {
    statement.raw_bind_parameter(1, key)?;
    let count = record.values().len();
    for (n, value) in record.values().enumerate().skip(1) {
        statement.raw_bind_parameter(n + 1, value)?;
    }
    statement.raw_bind_parameter(count + 1, seq)?;
    Ok(count + 1)
}

/// Reads a row that one of a stream's [`Statements`] selected.
pub(in crate::mirror) fn read_stored(row: &Row<'_>, stream: Stream) -> rusqlite::Result<Stored> {
    Ok(Stored {
        row: row.get(0)?,
        record: read_record(row, stream, FIRST_COLUMN)?,
        noted_at: noted_at(row, stream)?,
    })
}

/// The record of a row whose columns begin at `first`, in the order of [`Stream::columns`].
pub(in crate::mirror) fn read_record(
    row: &Row<'_>,
    stream: Stream,
    first: usize,
) -> rusqlite::Result<Record> {
    let columns = first..first + stream.columns().len();
    Record::from_values(stream, columns.map(|column| Ok(value(row.get_ref(column)?)?)))
}

/// Whether a selected row holds the very same content as a record; none of its texts is copied.
pub(in crate::mirror) fn holds(row: &Row<'_>, record: &Record) -> rusqlite::Result<bool> {
    for (column, value) in (FIRST_COLUMN..).zip(record.values()) {
        let is_same = match (row.get_ref(column)?, value) {
            (ValueRef::Null, Value::Null) => true,
            (ValueRef::Text(held), Value::Text(text)) => held == text.as_bytes(),
            (ValueRef::Integer(held), Value::Integer(number)) => held == number,
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

    /// What the row with this number holds.
    pub(in crate::mirror) fn stored_at(&self, stream: Stream, row: i64) -> rusqlite::Result<Option<Stored>> {
        let mut select = self.transaction.prepare_cached(&statements(stream).at)?;
        select.query_row([row], |row| read_stored(row, stream)).optional()
    }

    /// Inserts a record; `None` if the mirror holds one with its id: nothing is written then.
    pub(in crate::mirror) fn insert(
        &mut self,
        stamp: Stamp,
        record: &Record,
    ) -> rusqlite::Result<Option<i64>> {
        let of = statements(record.stream());
        let statement = if self.is_loading { &of.load } else { &of.insert };
        let mut insert = self.transaction.prepare_cached(statement)?;
        let seq = self.log.next_seq();
        let bound = bind(&mut insert, record.id(), record, seq)?;
        insert.raw_bind_parameter(bound + 1, self.log.time(stamp.now))?;
        insert.raw_bind_parameter(bound + 2, stamp.run.0)?;
        let is_new = insert.raw_execute()? > 0;
        Ok(is_new.then(|| self.log.take(record.stream())))
    }

    /// Adds an update of a row to the log and keeps the version that it ends; returns the change's number. The caller then
    /// changes the row.
    pub(in crate::mirror) fn supersede(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        (row, id): (i64, &str),
    ) -> rusqlite::Result<i64> {
        let seq = self.log.add(&self.transaction, stamp, (stream, Op::Update, id), None, None)?;
        self.transaction.prepare_cached(&statements(stream).supersede)?.execute([row, seq])?;
        Ok(seq)
    }

    /// Deletes a row, and adds that to the log with the record's keys: its id, and of a child also its parent's. The version
    /// that ends is kept.
    pub(in crate::mirror) fn delete(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        row: i64,
        (id, parent): (&str, Option<&str>),
        evidence: &str,
    ) -> rusqlite::Result<()> {
        let line = (stream, Op::Delete, id);
        let seq = self.log.add(&self.transaction, stamp, line, Some(evidence), parent)?;
        self.transaction.prepare_cached(&statements(stream).supersede)?.execute([row, seq])?;
        self.delete_row(stream, row)
    }

    /// Takes a row away, without a word in the log.
    pub(in crate::mirror) fn delete_row(&mut self, stream: Stream, row: i64) -> rusqlite::Result<()> {
        self.transaction.prepare_cached(&statements(stream).delete)?.execute([row])?;
        Ok(())
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
            let seq = self.supersede(stamp, record.stream(), (stored.row, record.id()))?;
            let mut update = self.transaction.prepare_cached(&statements(record.stream()).update)?;
            bind(&mut update, stored.row, record, seq)?;
            update.raw_execute()?;
        }
        Ok(verdict)
    }
}
