//! The change log that every write to a stream goes through.

use super::stamp::{Stamp, utc_text};
use crate::record::{Op, Stream};
use jiff::Timestamp;
use rusqlite::{Connection, ToSql, params};
use std::rc::Rc;

/// Lines written with one statement: each statement also renews SQLite's note of the largest number given.
const LINES_PER_STATEMENT: usize = 32;

/// The part of the change log that a transaction adds. Lines wait until there are enough for a statement: who
/// reads the log within a write transaction asks for [`ChangeLog::flush`] first.
pub(in crate::mirror) struct ChangeLog {
    next_seq: i64,
    waiting: Vec<Line>,
    added: u64,
    totals: [Total; Stream::ALL.len()],
    /// The newest line's time, in milliseconds of Unix time and as text.
    time: (i64, Rc<str>),
}

/// What the lines of a stream add up to.
#[derive(Debug, Clone, Copy)]
struct Total {
    stream: Stream,
    /// Rows that were added, less those that were taken away.
    rows: i64,
    /// The newest line; none: there is none.
    last_seq: Option<i64>,
}

struct Line {
    seq: i64,
    stream: Stream,
    op: Op,
    id: String,
    observed_at: Rc<str>,
    run: i64,
    evidence: Option<String>,
    /// Of a deleted child: its parent's id.
    parent: Option<String>,
}

impl ChangeLog {
    /// Goes on after the largest number ever given.
    pub(in crate::mirror) fn open(connection: &Connection) -> rusqlite::Result<ChangeLog> {
        let newest: i64 = connection
            .prepare_cached("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'changes'")?
            .query_row([], |row| row.get(0))?;
        let time = (0, utc_text(Timestamp::UNIX_EPOCH).into());
        let totals = Stream::ALL.map(|stream| Total { stream, rows: 0, last_seq: None });
        Ok(ChangeLog { next_seq: newest + 1, waiting: Vec::new(), added: 0, totals, time })
    }

    /// How many lines were added.
    pub(in crate::mirror) fn added(&self) -> u64 {
        self.added
    }

    /// The number that the next line gets.
    pub(in crate::mirror) fn next_seq(&self) -> i64 {
        self.next_seq
    }

    /// Adds a line; returns its number.
    pub(in crate::mirror) fn add(
        &mut self,
        connection: &Connection,
        stamp: Stamp,
        (stream, op, id): (Stream, Op, &str),
        evidence: Option<&str>,
        parent: Option<&str>,
    ) -> rusqlite::Result<i64> {
        let now = stamp.now.as_millisecond();
        if self.time.0 != now {
            self.time = (now, utc_text(stamp.now).into());
        }
        let seq = self.next_seq;
        let total = &mut self.totals[stream.index()];
        total.last_seq = Some(seq);
        total.rows += match op {
            Op::Insert => 1,
            Op::Update => 0,
            Op::Delete => -1,
        };
        self.waiting.push(Line {
            seq,
            stream,
            op,
            id: id.to_owned(),
            observed_at: self.time.1.clone(),
            run: stamp.run.0,
            evidence: evidence.map(str::to_owned),
            parent: parent.map(str::to_owned),
        });
        self.next_seq += 1;
        self.added += 1;
        if self.waiting.len() >= LINES_PER_STATEMENT {
            self.flush(connection)?;
        }
        Ok(seq)
    }

    /// Writes the lines that still wait, and what all of them add up to.
    pub(in crate::mirror) fn close(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.flush(connection)?;
        let mut update = connection.prepare_cached(
            "UPDATE stream_totals SET row_count = row_count + ?2, last_change_seq = ?3 WHERE stream = ?1",
        )?;
        for total in self.totals.iter().filter(|total| total.last_seq.is_some()) {
            update.execute(params![total.stream.name(), total.rows, total.last_seq])?;
        }
        Ok(())
    }

    /// Writes the lines that still wait.
    pub(in crate::mirror) fn flush(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        const INSERT: &str = "INSERT INTO changes (seq, stream, op, id, observed_at, run_id, evidence, customer_id) \
                              VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        if self.waiting.len() == LINES_PER_STATEMENT {
            let sql = format!("{INSERT}{}", ", (?, ?, ?, ?, ?, ?, ?, ?)".repeat(LINES_PER_STATEMENT - 1));
            let names: Vec<_> =
                self.waiting.iter().map(|line| (line.stream.name(), line.op.name())).collect();
            let mut values: Vec<&dyn ToSql> = Vec::with_capacity(8 * LINES_PER_STATEMENT);
            for (line, (stream, op)) in self.waiting.iter().zip(&names) {
                let row: [&dyn ToSql; 8] = [
                    &line.seq,
                    stream,
                    op,
                    &line.id,
                    &line.observed_at,
                    &line.run,
                    &line.evidence,
                    &line.parent,
                ];
                values.extend(row);
            }
            connection.prepare_cached(&sql)?.execute(values.as_slice())?;
        } else {
            let mut insert = connection.prepare_cached(INSERT)?;
            for line in &self.waiting {
                insert.execute(params![
                    line.seq,
                    line.stream.name(),
                    line.op.name(),
                    line.id,
                    line.observed_at,
                    line.run,
                    line.evidence,
                    line.parent
                ])?;
            }
        }
        self.waiting.clear();
        Ok(())
    }
}
