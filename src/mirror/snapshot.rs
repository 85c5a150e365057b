//! A read transaction: what exports and `status` read.

use super::{
    Audit, Behaviour, CustomerPreview, EventFailure, ExportFile, Freshness, Halt, MirrorError, Mode, Run,
};
use super::{audits, behaviour, customers, exports, runs, status};
use crate::diff::EventPlan;
use crate::record::{Customer, Op, Stream, Value};
use jiff::Timestamp;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Transaction, params};

/// One state of the mirror. While it lives, the WAL file can't shrink: don't hold it longer than needed.
pub struct Snapshot<'m> {
    pub(super) transaction: Transaction<'m>,
    halt: Option<Halt>,
}

/// Whether to go on is asked once in so many rows: a fraction of a second.
const ROWS_BETWEEN_HALTS: usize = 1_024;

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

impl<'m> Snapshot<'m> {
    pub(super) fn begin(
        connection: &'m mut Connection,
        halt: Option<Halt>,
    ) -> Result<Snapshot<'m>, MirrorError> {
        let transaction = connection.transaction()?;
        // SQLite takes the snapshot with the first read, not with BEGIN.
        transaction.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))?;
        Ok(Snapshot { transaction, halt })
    }

    /// Ends a reading of many rows where somebody wants the program to stop; `row` counts them from 0.
    fn go_on(&self, row: usize) -> Result<(), MirrorError> {
        match &self.halt {
            Some(halt) if row.is_multiple_of(ROWS_BETWEEN_HALTS) && halt() => Err(MirrorError::Stopped),
            _ => Ok(()),
        }
    }

    /// The number of the newest change; 0 while there is none.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn head(&self) -> Result<i64, MirrorError> {
        Ok(self.transaction.query_row("SELECT coalesce(max(seq), 0) FROM changes", [], |row| row.get(0))?)
    }

    /// Hands over, in the order of their numbers, the changes of a stream with numbers in `after+1..`: of a row that
    /// changed several times only the newest, with what the row holds. (A row that was deleted more than once may
    /// have each of its deletes.)
    ///
    /// # Errors
    /// When the mirror can't be read, or `each` fails: its error ends the reading.
    pub fn changes<E: From<MirrorError>>(
        &self,
        stream: Stream,
        after: i64,
        mut each: impl FnMut(Change<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let sql = format!(
            "SELECT c.seq, c.op, c.observed_at, c.id, t.rowid IS NOT NULL, {} \
             FROM changes AS c LEFT JOIN {stream} AS t ON t.id = c.id \
             WHERE c.seq > ?1 AND c.stream = ?2 \
             AND (t.change_seq = c.seq OR (c.op = 'delete' AND t.id IS NULL)) ORDER BY c.seq",
            columns(stream, "t."),
        );
        let mut select = self.transaction.prepare_cached(&sql).map_err(MirrorError::from)?;
        let mut rows = select.query(params![after, stream.name()]).map_err(MirrorError::from)?;
        let mut read = 0;
        while let Some(row) = rows.next().map_err(MirrorError::from)? {
            self.go_on(read)?;
            read += 1;
            let values;
            let change = Change {
                seq: row.get(0).map_err(MirrorError::from)?,
                op: Op::from_name(text(row, 1)?).ok_or_else(|| MirrorError::unreadable("a change's op"))?,
                observed_at: text(row, 2)?,
                id: text(row, 3)?,
                row: if row.get(4).map_err(MirrorError::from)? {
                    values = read_values(row, stream, 5)?;
                    Some(&values)
                } else {
                    None
                },
            };
            each(change)?;
        }
        Ok(())
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

    /// What a listed customer would mean for the mirror.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn preview_customer(
        &self,
        customer: &Customer,
        plan: EventPlan,
        now: Timestamp,
    ) -> Result<CustomerPreview, MirrorError> {
        customers::preview(&self.transaction, customer, plan, now)
    }

    /// The newest runs, newest first.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn newest_runs(&self, limit: usize) -> Result<Vec<Run>, MirrorError> {
        runs::newest(&self.transaction, limit)
    }

    /// The newest run that failed, is incomplete or was cut off, if any is still recorded.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn last_run_with_error(&self) -> Result<Option<Run>, MirrorError> {
        runs::last_with_error(&self.transaction)
    }

    /// The newest run of a mode that ended `ok`.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn last_ok_run(&self, mode: Mode) -> Result<Option<Run>, MirrorError> {
        runs::last_ok(&self.transaction, mode)
    }

    /// The newest run of a mode, however it ended.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn newest_run_of(&self, mode: Mode) -> Result<Option<Run>, MirrorError> {
        runs::newest_of(&self.transaction, mode)
    }

    /// When the oldest run that is still recorded began: UTC, ISO 8601.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn oldest_run_start(&self) -> Result<Option<String>, MirrorError> {
        runs::oldest_start(&self.transaction)
    }

    /// The newest audit.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn last_audit(&self) -> Result<Option<Audit>, MirrorError> {
        audits::last(&self.transaction)
    }

    /// What was found out about the API.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn behaviour(&self) -> Result<Vec<Behaviour>, MirrorError> {
        behaviour::all(&self.transaction)
    }

    /// How current each stream is.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn freshness(&self) -> Result<Vec<Freshness>, MirrorError> {
        status::freshness(&self.transaction)
    }

    /// Customers whose events could not be read, newest failure first; at most `limit`, and how many there are.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn event_failures(&self, limit: usize) -> Result<(Vec<EventFailure>, u64), MirrorError> {
        status::event_failures(&self.transaction, limit)
    }

    /// How many records stand set aside.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn rejected_count(&self) -> Result<u64, MirrorError> {
        status::rejected_count(&self.transaction)
    }

    /// Every export file, by stream, format and range.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn exports(&self) -> Result<Vec<ExportFile>, MirrorError> {
        exports::all(&self.transaction)
    }

    /// The newest export file of each stream and format.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn newest_exports(&self) -> Result<Vec<ExportFile>, MirrorError> {
        exports::newest(&self.transaction)
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

pub(super) fn read_values<'r>(
    row: &'r Row<'_>,
    stream: Stream,
    first: usize,
) -> Result<Vec<Value<'r>>, MirrorError> {
    (0..stream.columns().len())
        .map(|n| match row.get_ref(first + n)? {
            ValueRef::Null => Ok(Value::Null),
            ValueRef::Integer(number) => Ok(Value::Integer(number)),
            ValueRef::Text(bytes) => std::str::from_utf8(bytes)
                .map(Value::Text)
                .map_err(|_| MirrorError::unreadable(format!("text in {stream} that is no UTF-8"))),
            _ => Err(MirrorError::unreadable(format!("a value of another type in {stream}"))),
        })
        .collect()
}
