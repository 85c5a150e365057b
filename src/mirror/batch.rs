//! A write transaction, and the change log that every write to a stream goes through.

use super::{MirrorError, RunId};
use crate::record::{Op, Stream};
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

/// Who writes, and when: stands on every change of the log.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// The run that observed the change.
    pub run: RunId,
    /// When it did.
    pub now: Timestamp,
}

impl Stamp {
    pub(super) fn time(self) -> String {
        utc_text(self.now)
    }
}

/// A time of the mirror's own: UTC, ISO 8601, milliseconds always, so that text sorts as time does.
pub(super) fn utc_text(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// A write transaction. Everything in it becomes durable together when [`Batch::commit`] returns; dropped without
/// that, all of it is undone.
pub struct Batch<'m> {
    pub(super) transaction: Transaction<'m>,
}

impl<'m> Batch<'m> {
    pub(super) fn begin(connection: &'m mut Connection) -> Result<Batch<'m>, MirrorError> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        Ok(Batch { transaction })
    }

    /// Makes the batch durable.
    ///
    /// # Errors
    /// When the disk is full or fails; the batch is then undone as a whole.
    pub fn commit(self) -> Result<(), MirrorError> {
        Ok(self.transaction.commit()?)
    }

    /// Appends to the change log; returns the change's number.
    pub(super) fn log(
        &self,
        stamp: Stamp,
        stream: Stream,
        op: Op,
        id: &str,
        evidence: Option<&str>,
    ) -> rusqlite::Result<i64> {
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO changes (stream, op, id, observed_at, run_id, evidence) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        insert.insert(params![stream.name(), op.name(), id, stamp.time(), stamp.run.0, evidence])
    }
}
