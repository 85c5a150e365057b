//! The change log that every write to a stream goes through: the numbers of changes, and the lines of those that are no
//! insert. The line of an insert is the row itself.

use super::stamp::{Stamp, utc_text};
use crate::record::{Op, Stream};
use jiff::Timestamp;
use rusqlite::{Connection, params};

/// The part of the change log that a transaction adds.
pub(in crate::mirror) struct ChangeLog {
    next_seq: i64,
    added: u64,
    totals: [Total; Stream::ALL.len()],
    /// Mostly of one day.
    days: Vec<DayCount>,
    /// The newest change's time, in milliseconds of Unix time and as text.
    time: (i64, String),
}

/// What the changes of a stream add up to.
#[derive(Debug, Clone, Copy)]
struct Total {
    stream: Stream,
    /// Rows that were added, less those that were taken away.
    rows: i64,
    /// The newest change; none: there is none.
    last_seq: Option<i64>,
}

/// The changes of a stream on one day that are the same operation.
#[derive(Debug)]
struct DayCount {
    day: String,
    stream: Stream,
    op: Op,
    changes: i64,
    first_seq: i64,
    last_seq: i64,
}

/// How long the text of a day is, such as `2026-03-01`.
const DAY: usize = 10;

impl ChangeLog {
    /// Goes on after the largest number ever given: no line is ever removed, and a row that goes leaves its insert's line.
    pub(in crate::mirror) fn open(connection: &Connection) -> rusqlite::Result<ChangeLog> {
        let time = (0, utc_text(Timestamp::UNIX_EPOCH));
        let totals = Stream::ALL.map(|stream| Total { stream, rows: 0, last_seq: None });
        Ok(ChangeLog { next_seq: head(connection)? + 1, added: 0, totals, days: Vec::new(), time })
    }

    /// How many changes were added.
    pub(in crate::mirror) fn added(&self) -> u64 {
        self.added
    }

    /// The number that the next change gets.
    pub(in crate::mirror) fn next_seq(&self) -> i64 {
        self.next_seq
    }

    /// Takes the number of the next change, for an insert: the row that was just written, with the time that was last asked
    /// for, is its line.
    pub(in crate::mirror) fn take(&mut self, stream: Stream) -> i64 {
        self.count(stream, Op::Insert)
    }

    /// A time as the log has it.
    pub(in crate::mirror) fn time(&mut self, at: Timestamp) -> &str {
        let now = at.as_millisecond();
        if self.time.0 != now {
            self.time = (now, utc_text(at));
        }
        &self.time.1
    }

    /// Adds the line of an update, or of a deletion with its evidence; returns its number. `parent` is a deleted child's
    /// parent.
    pub(in crate::mirror) fn add(
        &mut self,
        connection: &Connection,
        stamp: Stamp,
        (stream, op, id): (Stream, Op, &str),
        evidence: Option<&str>,
        parent: Option<&str>,
    ) -> rusqlite::Result<i64> {
        self.time(stamp.now);
        let seq = self.count(stream, op);
        connection
            .prepare_cached(
                "INSERT INTO change_log (seq, stream, op, id, observed_at, run_id, evidence, customer_id) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                seq,
                stream.name(),
                op.name(),
                id,
                self.time(stamp.now),
                stamp.run.0,
                evidence,
                parent
            ])?;
        Ok(seq)
    }

    fn count(&mut self, stream: Stream, op: Op) -> i64 {
        let seq = self.next_seq;
        let total = &mut self.totals[stream.index()];
        total.last_seq = Some(seq);
        total.rows += match op {
            Op::Insert => 1,
            Op::Update => 0,
            Op::Delete | Op::Erase => -1,
        };
        let day = self.time.1.get(..DAY).unwrap_or_default();
        let is_same = |one: &&mut DayCount| one.stream == stream && one.op == op && one.day == day;
        match self.days.iter_mut().find(is_same) {
            Some(count) => (count.changes, count.last_seq) = (count.changes + 1, seq),
            None => {
                let day = day.to_owned();
                self.days.push(DayCount { day, stream, op, changes: 1, first_seq: seq, last_seq: seq });
            }
        }
        self.next_seq += 1;
        self.added += 1;
        seq
    }

    /// Writes what the changes add up to.
    pub(in crate::mirror) fn close(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut update = connection.prepare_cached(
            "UPDATE stream_totals SET row_count = row_count + ?2, last_change_seq = ?3 WHERE stream = ?1",
        )?;
        for total in self.totals.iter().filter(|total| total.last_seq.is_some()) {
            update.execute(params![total.stream.name(), total.rows, total.last_seq])?;
        }
        let mut add = connection.prepare_cached(
            "INSERT INTO change_days (day, stream, op, changes, first_seq, last_seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT DO UPDATE SET changes = changes + excluded.changes, last_seq = excluded.last_seq",
        )?;
        for of in self.days.drain(..) {
            add.execute(params![
                of.day,
                of.stream.name(),
                of.op.name(),
                of.changes,
                of.first_seq,
                of.last_seq
            ])?;
        }
        Ok(())
    }
}

/// The number of the newest change; 0 while there is none.
pub(in crate::mirror) fn head(connection: &Connection) -> rusqlite::Result<i64> {
    // Each of these looks at the last row of a table, where max() over the view would read all of them.
    let mut head = 0;
    let tables = Stream::ALL.map(|stream| (stream.name(), "inserted_seq"));
    for (table, number) in tables.into_iter().chain([("change_log", "seq")]) {
        let mut newest =
            connection.prepare_cached(&format!("SELECT coalesce(max({number}), 0) FROM {table}"))?;
        head = head.max(newest.query_row([], |row| row.get(0))?);
    }
    Ok(head)
}
