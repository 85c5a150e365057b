//! Records that could not be taken, or not as they stand: set aside with their raw text, never dropped in silence.
//!
//! A record that can't be taken keeps a run from being complete once. The first run that comes to its end after the
//! record was met reports it; from then on it is known, for as long as the API gives it unchanged.

use crate::hex::hex;
use crate::mirror::transaction::{Batch, Snapshot, Stamp, utc_text};
use crate::mirror::{MirrorError, RunId};
use crate::record::Stream;
use jiff::Timestamp;
use rusqlite::types::FromSqlError;
use rusqlite::{OptionalExtension, Row, params};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt;

/// What became of a record that could not be taken as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Aside {
    /// It was not taken: the mirror lacks it, or has an earlier version.
    Rejected,
    /// It was taken with a repair.
    Taken,
}

impl Aside {
    /// The name in the mirror.
    pub const fn name(self) -> &'static str {
        match self {
            Aside::Rejected => "rejected",
            Aside::Taken => "taken",
        }
    }
}

/// A record that could not be taken as it stands.
#[derive(Debug, Clone, Copy)]
pub struct RejectedRecord<'a> {
    /// The stream that it belongs to.
    pub stream: Stream,
    /// The id of the record in whose list it stood; none for a list of its own.
    pub customer_id: Option<&'a str>,
    /// Its id, where it has one.
    pub record_id: Option<&'a str>,
    /// What became of it.
    pub outcome: Aside,
    /// Why, without its content.
    pub reason: &'a str,
    /// The record as the API gave it.
    pub raw: &'a str,
}

/// Whether a record that was set aside had been met before, with the same text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// It is new, or not as it was.
    New,
    /// By an earlier run.
    Known,
    /// By this run.
    Again,
}

/// A record that was set aside, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// The stream that it belongs to.
    pub stream: Stream,
    /// The id of the record in whose list it stood; none for a list of its own.
    pub customer_id: Option<String>,
    /// Its id, where it has one.
    pub record_id: Option<String>,
    /// Why.
    pub reason: String,
    /// UTC, ISO 8601.
    pub first_seen_at: String,
}

/// One line, without the record's content.
impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.stream.singular();
        match &self.record_id {
            Some(id) => write!(f, "{kind} {id}")?,
            None => write!(f, "{kind} without a usable id")?,
        }
        if let (Some(parent), Some(id)) = (self.stream.parent(), &self.customer_id) {
            write!(f, " of {} {id}", parent.singular())?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// What a run has to report of the records of one [`Aside`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct AsideInRun {
    /// Records that the run met.
    pub met: u64,
    /// Of these, records that an earlier run has reported.
    pub known: u64,
    /// The first of the known ones.
    pub first_known: Option<SetAside>,
    /// Records that no run has reported: those that this one met, and those of an earlier one that was cut off.
    pub new: u64,
    /// The first of the new ones.
    pub first_new: Option<SetAside>,
}

impl Batch<'_> {
    /// Sets a record aside; one that was set aside before keeps its first time.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn set_aside(&mut self, stamp: Stamp, record: RejectedRecord<'_>) -> Result<Met, MirrorError> {
        let parent = record.customer_id;
        let own = record.record_id.filter(|_| record.stream.parent().is_none());
        if parent.into_iter().chain(own).any(|id| self.is_erased(id)) || self.names_erased(record.raw) {
            return Ok(Met::Again);
        }
        self.nothing_rejected = false;
        let digest = digest(record.stream, record.customer_id, record.raw);
        let (outcome, reason, now) = (record.outcome.name(), record.reason, utc_text(stamp.now));
        let known: Option<i64> = self
            .transaction
            .prepare_cached("SELECT run_id FROM rejected WHERE digest = ?1")?
            .query_row([&digest], |row| row.get(0))
            .optional()?;
        if let Some(run) = known {
            self.transaction
                .prepare_cached(
                    "UPDATE rejected SET run_id = ?2, last_seen_at = ?3, reason = ?4, outcome = ?5, \
                     told_at = iif(outcome = ?5, told_at, NULL) WHERE digest = ?1",
                )?
                .execute(params![digest, stamp.run.0, now, reason, outcome])?;
            return Ok(if run == stamp.run.0 { Met::Again } else { Met::Known });
        }
        self.transaction
            .prepare_cached(
                "INSERT INTO rejected (digest, stream, customer_id, record_id, reason, raw, first_seen_at, run_id, \
                 outcome, last_seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?7)",
            )?
            .execute(params![
                digest,
                record.stream.name(),
                record.customer_id,
                record.record_id,
                reason,
                record.raw,
                now,
                stamp.run.0,
                outcome
            ])?;
        Ok(Met::New)
    }

    /// Whether a record with this very text has been set aside.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn is_set_aside(
        &self,
        stream: Stream,
        customer_id: Option<&str>,
        raw: &str,
    ) -> Result<bool, MirrorError> {
        let mut select =
            self.transaction.prepare_cached("SELECT EXISTS (SELECT 1 FROM rejected WHERE digest = ?1)")?;
        Ok(select.query_row([digest(stream, customer_id, raw)], |row| row.get(0))?)
    }

    /// Forgets what of a parents' list was set aside and did not come again, after a walk to its end that began at `began`:
    /// the run of `stamp` may have walked its last pages only, and an earlier one the others.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn forget_rejected_parents(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        began: Timestamp,
    ) -> Result<(), MirrorError> {
        if self.nothing_rejected {
            return Ok(());
        }
        self.transaction
            .prepare_cached(
                "DELETE FROM rejected WHERE stream = ?1 AND customer_id IS NULL AND run_id <> ?2 \
                 AND (last_seen_at IS NULL OR last_seen_at < ?3)",
            )?
            .execute(params![stream.name(), stamp.run.0, utc_text(began)])?;
        Ok(())
    }

    /// Forgets what of a parent's children was set aside and did not come again, after the run of `stamp` has walked them
    /// to their end.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn forget_rejected_children(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        parent: &str,
    ) -> Result<(), MirrorError> {
        if self.nothing_rejected {
            return Ok(());
        }
        self.transaction
            .prepare_cached("DELETE FROM rejected WHERE stream = ?1 AND customer_id = ?2 AND run_id <> ?3")?
            .execute(params![stream.name(), parent, stamp.run.0])?;
        Ok(())
    }

    /// What a run has to report at its end of what was set aside.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn set_aside_in(&self, run: RunId, outcome: Aside) -> Result<AsideInRun, MirrorError> {
        let count = |row: &Row<'_>, column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)? as u64);
        let mut counts = self.transaction.prepare_cached(
            "SELECT (SELECT count(*) FROM rejected WHERE run_id = ?2 AND outcome = ?1), \
             (SELECT count(*) FROM rejected WHERE run_id = ?2 AND outcome = ?1 AND told_at IS NOT NULL), \
             (SELECT count(*) FROM rejected WHERE outcome = ?1 AND told_at IS NULL)",
        )?;
        let mut first_known = self.transaction.prepare_cached(
            "SELECT stream, customer_id, record_id, reason, first_seen_at FROM rejected \
             WHERE outcome = ?1 AND run_id = ?2 AND told_at IS NOT NULL LIMIT 1",
        )?;
        let first_known = first_known.query_row(params![outcome.name(), run.0], read).optional()?;
        let mut first_new = self.transaction.prepare_cached(
            "SELECT stream, customer_id, record_id, reason, first_seen_at FROM rejected \
             WHERE outcome = ?1 AND told_at IS NULL ORDER BY rowid LIMIT 1",
        )?;
        let first_new = first_new.query_row([outcome.name()], read).optional()?;
        Ok(counts.query_row(params![outcome.name(), run.0], |row| {
            Ok(AsideInRun {
                met: count(row, 0)?,
                known: count(row, 1)?,
                first_known,
                new: count(row, 2)?,
                first_new,
            })
        })?)
    }

    /// Notes that a run has reported everything that was set aside. Commit it with the run's own record: if that is lost, the
    /// next run reports it.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn note_told(&mut self, now: Timestamp) -> Result<(), MirrorError> {
        if !self.nothing_rejected {
            self.transaction
                .execute("UPDATE rejected SET told_at = ?1 WHERE told_at IS NULL", [utc_text(now)])?;
        }
        Ok(())
    }
}

impl Snapshot<'_> {
    /// Records that were set aside, the oldest first; at most `limit`, and how many there are.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn set_aside(&self, outcome: Aside, limit: usize) -> Result<(Vec<SetAside>, u64), MirrorError> {
        let count: i64 = self.transaction.query_row(
            "SELECT count(*) FROM rejected WHERE outcome = ?1",
            [outcome.name()],
            |row| row.get(0),
        )?;
        let mut select = self.transaction.prepare(
            "SELECT stream, customer_id, record_id, reason, first_seen_at FROM rejected WHERE outcome = ?1 \
             ORDER BY rowid LIMIT ?2",
        )?;
        let shown = select.query_map(params![outcome.name(), limit as i64], read)?;
        Ok((shown.collect::<rusqlite::Result<_>>()?, count as u64))
    }
}

/// A stream by its name in a row.
pub(in crate::mirror) fn stream_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Stream> {
    let name = row.get_ref(column)?.as_str()?;
    Stream::from_name(name)
        .ok_or_else(|| FromSqlError::Other(format!("no stream is called {name}").into()).into())
}

fn read(row: &Row<'_>) -> rusqlite::Result<SetAside> {
    Ok(SetAside {
        stream: stream_at(row, 0)?,
        customer_id: row.get(1)?,
        record_id: row.get(2)?,
        reason: row.get(3)?,
        first_seen_at: row.get(4)?,
    })
}

fn digest(stream: Stream, customer_id: Option<&str>, raw: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [stream.name(), customer_id.unwrap_or(""), raw] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hex(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::Mirror;

    fn stamp(run: i64, second: i64) -> Stamp {
        Stamp { run: RunId(run), now: Timestamp::from_second(second).unwrap() }
    }

    fn record(raw: &str, outcome: Aside) -> RejectedRecord<'_> {
        let (stream, reason) = (Stream::Customers, "`email` is not a string");
        RejectedRecord { stream, customer_id: None, record_id: Some("c-1"), outcome, reason, raw }
    }

    fn mirror() -> (tempfile::TempDir, Mirror) {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        (folder, mirror)
    }

    /// How many of them the run met, how many were known, how many are to be told.
    fn counts(batch: &Batch<'_>, run: i64, outcome: Aside) -> (u64, u64, u64) {
        let aside = batch.set_aside_in(RunId(run), outcome).unwrap();
        assert_eq!(aside.first_new.is_some(), aside.new > 0);
        assert_eq!(aside.first_known.is_some(), aside.known > 0);
        (aside.met, aside.known, aside.new)
    }

    #[test]
    fn told_once_for_as_long_as_it_stays_as_it_is() {
        let (_folder, mut mirror) = mirror();
        let mut batch = mirror.batch().unwrap();
        let known = record("{1}", Aside::Rejected);
        assert_eq!(batch.set_aside(stamp(1, 1), known).unwrap(), Met::New);
        assert_eq!(batch.set_aside(stamp(1, 2), known).unwrap(), Met::Again);
        let is_there = |stream, customer, raw| batch.is_set_aside(stream, customer, raw).unwrap();
        assert!(is_there(Stream::Customers, None, "{1}") && !is_there(Stream::Customers, None, "{2}"));
        assert!(!is_there(Stream::Events, Some("c-1"), "{1}"));
        assert_eq!(batch.set_aside(stamp(1, 2), record("{2}", Aside::Taken)).unwrap(), Met::New);
        assert_eq!(counts(&batch, 1, Aside::Rejected), (1, 0, 1));
        assert_eq!(counts(&batch, 1, Aside::Taken), (1, 0, 1));
        // The run was cut off: the next one has to tell of it, whether or not it meets it.
        assert_eq!(counts(&batch, 2, Aside::Rejected), (0, 0, 1));
        batch.note_told(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(batch.set_aside(stamp(3, 3), known).unwrap(), Met::Known);
        assert_eq!(counts(&batch, 3, Aside::Rejected), (1, 1, 0));
        assert_eq!(counts(&batch, 3, Aside::Taken), (0, 0, 0));
        // Not as it was: another text, or another judgement of the same one.
        assert_eq!(batch.set_aside(stamp(3, 3), record("{3}", Aside::Rejected)).unwrap(), Met::New);
        assert_eq!(batch.set_aside(stamp(3, 3), record("{2}", Aside::Rejected)).unwrap(), Met::Known);
        assert_eq!(counts(&batch, 3, Aside::Rejected), (3, 1, 2));
        let first = batch.set_aside_in(RunId(3), Aside::Rejected).unwrap().first_new.unwrap();
        assert_eq!(first.to_string(), "customer c-1: `email` is not a string");
    }

    #[test]
    fn what_did_not_come_again_in_a_whole_walk_is_forgotten() {
        let (_folder, mut mirror) = mirror();
        let mut batch = mirror.batch().unwrap();
        for (run, second, raw) in [(1, 5, "before"), (1, 10, "first pages"), (2, 20, "last pages")] {
            batch.set_aside(stamp(run, second), record(raw, Aside::Rejected)).unwrap();
        }
        // Begun by run 1 at second 10, taken up by run 2.
        batch
            .forget_rejected_parents(stamp(2, 20), Stream::Customers, Timestamp::from_second(10).unwrap())
            .unwrap();
        let kept = |batch: &Batch<'_>| -> i64 {
            let count = "SELECT count(*) FROM rejected WHERE outcome = 'rejected'";
            batch.transaction.query_row(count, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(kept(&batch), 2);
        let of_event = RejectedRecord {
            stream: Stream::Events,
            customer_id: Some("c-1"),
            ..record("event", Aside::Rejected)
        };
        batch.set_aside(stamp(2, 21), of_event).unwrap();
        // By run 3, from its beginning; a clock that was put back changes nothing for what it met itself.
        batch.set_aside(stamp(3, 7), record("last pages", Aside::Rejected)).unwrap();
        batch
            .forget_rejected_parents(stamp(3, 30), Stream::Customers, Timestamp::from_second(30).unwrap())
            .unwrap();
        assert_eq!(kept(&batch), 2);
        batch.forget_rejected_children(stamp(3, 30), Stream::Events, "c-2").unwrap();
        assert_eq!(kept(&batch), 2);
        batch.forget_rejected_children(stamp(3, 30), Stream::Events, "c-1").unwrap();
        assert_eq!(kept(&batch), 1);
    }
}
