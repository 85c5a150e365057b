//! Records that could not be taken, or not as they stand: set aside with their raw text, never dropped in silence.
//!
//! A record that can't be taken keeps a run from being complete once. The first run that comes to its end after the
//! record was met tells of it; from then on it is known, for as long as the API gives it unchanged.

use super::batch::{Batch, Stamp, utc_text};
use super::{MirrorError, RunId};
use crate::record::Stream;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
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
    /// In whose event list it stood.
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

/// A record that stands set aside, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// `customers` or `events`.
    pub stream: String,
    /// In whose event list it stood.
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
        let kind = self.stream.strip_suffix('s').unwrap_or(&self.stream);
        match &self.record_id {
            Some(id) => write!(f, "{kind} {id}")?,
            None => write!(f, "{kind} without a usable id")?,
        }
        if let Some(customer) = &self.customer_id {
            write!(f, " of customer {customer}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// What a run has to say of the records of one [`Aside`].
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct AsideInRun {
    /// Records that the run met.
    pub met: u64,
    /// Of these, records that an earlier run has told of.
    pub known: u64,
    /// Records that no run has told of: those that this one met, and what an earlier one met that was cut off.
    pub new: u64,
    /// The first of the new ones.
    pub first_new: Option<SetAside>,
}

impl Batch<'_> {
    /// Sets a record aside; one that was set aside before keeps its first time. Returns whether it is new, or not as it was.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn set_aside(&mut self, stamp: Stamp, record: RejectedRecord<'_>) -> Result<bool, MirrorError> {
        self.nothing_rejected = false;
        let (digest, now) = (digest(&record), utc_text(stamp.now));
        let (outcome, reason) = (record.outcome.name(), record.reason);
        let known = self
            .transaction
            .prepare_cached(
                "UPDATE rejected SET run_id = ?2, last_seen_at = ?3, reason = ?4, outcome = ?5, \
                 told_at = iif(outcome = ?5, told_at, NULL) WHERE digest = ?1",
            )?
            .execute(params![digest, stamp.run.0, now, reason, outcome])?;
        if known > 0 {
            return Ok(false);
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
        Ok(true)
    }

    /// Forgets what of the customer list was set aside and did not come again, after a walk to its end that began at
    /// `began`: the run of `stamp` may have walked its last pages only, and an earlier one the others.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn forget_rejected_customers(&mut self, stamp: Stamp, began: Timestamp) -> Result<(), MirrorError> {
        if self.nothing_rejected {
            return Ok(());
        }
        self.transaction
            .prepare_cached(
                "DELETE FROM rejected WHERE stream = 'customers' AND customer_id IS NULL AND run_id <> ?1 \
                 AND (last_seen_at IS NULL OR last_seen_at < ?2)",
            )?
            .execute(params![stamp.run.0, utc_text(began)])?;
        Ok(())
    }

    /// Forgets what of a customer's events was set aside and did not come again, after the run of `stamp` has walked
    /// them to their end.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn forget_rejected_events(&mut self, stamp: Stamp, customer_id: &str) -> Result<(), MirrorError> {
        if self.nothing_rejected {
            return Ok(());
        }
        self.transaction
            .prepare_cached(
                "DELETE FROM rejected WHERE stream = 'events' AND customer_id = ?1 AND run_id <> ?2",
            )?
            .execute(params![customer_id, stamp.run.0])?;
        Ok(())
    }

    /// What a run has to say at its end of what was set aside.
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
        let mut first_new = self.transaction.prepare_cached(
            "SELECT stream, customer_id, record_id, reason, first_seen_at FROM rejected \
             WHERE outcome = ?1 AND told_at IS NULL ORDER BY rowid LIMIT 1",
        )?;
        let first_new = first_new.query_row([outcome.name()], read).optional()?;
        Ok(counts.query_row(params![outcome.name(), run.0], |row| {
            Ok(AsideInRun { met: count(row, 0)?, known: count(row, 1)?, new: count(row, 2)?, first_new })
        })?)
    }

    /// Notes that a run has told of everything that stands set aside. To be committed with the run's own record: where
    /// that is lost, the next run tells of it.
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

/// How many records stand set aside in that way, and the oldest of them.
pub(super) fn standing(
    connection: &Connection,
    outcome: Aside,
    limit: usize,
) -> Result<(Vec<SetAside>, u64), MirrorError> {
    let count: i64 = connection.query_row(
        "SELECT count(*) FROM rejected WHERE outcome = ?1",
        [outcome.name()],
        |row| row.get(0),
    )?;
    let mut select = connection.prepare(
        "SELECT stream, customer_id, record_id, reason, first_seen_at FROM rejected WHERE outcome = ?1 \
         ORDER BY rowid LIMIT ?2",
    )?;
    let shown = select.query_map(params![outcome.name(), limit as i64], read)?;
    Ok((shown.collect::<rusqlite::Result<_>>()?, count as u64))
}

fn read(row: &Row<'_>) -> rusqlite::Result<SetAside> {
    Ok(SetAside {
        stream: row.get(0)?,
        customer_id: row.get(1)?,
        record_id: row.get(2)?,
        reason: row.get(3)?,
        first_seen_at: row.get(4)?,
    })
}

fn digest(record: &RejectedRecord<'_>) -> String {
    let mut hasher = Sha256::new();
    for part in [record.stream.name(), record.customer_id.unwrap_or(""), record.raw] {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
