//! A write transaction.

use super::change_log::ChangeLog;
use super::{MirrorError, RunId};
use crate::failpoint::{self, Place};
use crate::record::{Op, Stream};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

/// Who writes, and when: stands on every change of the log.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// The run that observed the change.
    pub run: RunId,
    /// When it did.
    pub now: Timestamp,
}

/// A time of the mirror's own: UTC, ISO 8601, milliseconds always, so that text sorts as time does.
pub(super) fn utc_text(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// A write transaction. Everything in it becomes durable together when [`Batch::commit`] returns; dropped without
/// that, all of it is undone.
pub struct Batch<'m> {
    pub(super) transaction: Transaction<'m>,
    pub(super) log: ChangeLog,
    /// Whether the tables of what went wrong hold nothing, as they mostly do: then there is nothing to look for.
    pub(super) nothing_failed: bool,
    pub(super) nothing_rejected: bool,
    /// Whether no list of events is known that has more than one page.
    pub(super) no_long_lists: bool,
}

impl<'m> Batch<'m> {
    pub(super) fn begin(connection: &'m mut Connection) -> Result<Batch<'m>, MirrorError> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let is_empty = |table: &str| -> rusqlite::Result<bool> {
            transaction
                .prepare_cached(&format!("SELECT NOT EXISTS (SELECT 1 FROM {table})"))?
                .query_row([], |row| row.get(0))
        };
        let (nothing_failed, nothing_rejected) = (is_empty("event_failures")?, is_empty("rejected")?);
        let no_long_lists = is_empty("event_lists")?;
        let log = ChangeLog::open(&transaction)?;
        Ok(Batch { transaction, log, nothing_failed, nothing_rejected, no_long_lists })
    }

    /// Makes the batch durable.
    ///
    /// # Errors
    /// When the disk is full or fails; the batch is then undone as a whole.
    pub fn commit(mut self) -> Result<(), MirrorError> {
        self.log.close(&self.transaction)?;
        failpoint::reached(Place::BeforeCommit);
        self.transaction.commit()?;
        failpoint::reached(Place::AfterCommit);
        Ok(())
    }

    /// How many changes it logged so far.
    pub fn changes(&self) -> u64 {
        self.log.added()
    }

    /// Appends to the change log; returns the change's number.
    pub(super) fn log(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        op: Op,
        id: &str,
        evidence: Option<&str>,
    ) -> rusqlite::Result<i64> {
        self.log.add(&self.transaction, stamp, (stream, op, id), evidence, None)
    }

    /// Appends the deletion of a customer's event to the change log, with both of its keys.
    pub(super) fn log_deleted_event(
        &mut self,
        stamp: Stamp,
        id: &str,
        customer_id: &str,
        evidence: &str,
    ) -> rusqlite::Result<i64> {
        let change = (Stream::Events, Op::Delete, id);
        self.log.add(&self.transaction, stamp, change, Some(evidence), Some(customer_id))
    }
}
