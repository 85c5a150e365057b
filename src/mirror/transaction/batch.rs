//! A write transaction.

use super::change_log::ChangeLog;
use crate::diff::Expiry;
use crate::failpoint::{self, Place};
use crate::mirror::MirrorError;
use crate::mirror::tombstones::Tombstones;
use rusqlite::{Connection, Transaction, TransactionBehavior};

/// A write transaction. Everything in it becomes durable together when [`Batch::commit`] returns; dropped without
/// that, all of it is undone.
pub struct Batch<'m> {
    pub(in crate::mirror) transaction: Transaction<'m>,
    pub(in crate::mirror) log: ChangeLog,
    /// Whether the tables of what went wrong hold nothing, as they mostly do: then there is nothing to look for.
    pub(in crate::mirror) nothing_failed: bool,
    pub(in crate::mirror) nothing_rejected: bool,
    /// Whether no list of events is known that has more than one page.
    pub(in crate::mirror) no_long_lists: bool,
    /// Whether the mirror is being filled for the first time: then nothing is looked for by its id, and nothing is there
    /// that would have to be.
    pub(in crate::mirror) is_loading: bool,
    /// Who must not come back.
    pub(in crate::mirror) tombstones: Option<&'m Tombstones>,
    /// What is not to come in, because it has expired.
    pub(in crate::mirror) expiry: Expiry,
}

impl<'m> Batch<'m> {
    pub(in crate::mirror) fn begin(
        connection: &'m mut Connection,
        is_loading: bool,
        tombstones: Option<&'m Tombstones>,
        expiry: Expiry,
    ) -> Result<Batch<'m>, MirrorError> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let is_empty = |table: &str| -> rusqlite::Result<bool> {
            transaction
                .prepare_cached(&format!("SELECT NOT EXISTS (SELECT 1 FROM {table})"))?
                .query_row([], |row| row.get(0))
        };
        let (nothing_failed, nothing_rejected) = (is_empty("event_failures")?, is_empty("rejected")?);
        let no_long_lists = is_empty("event_lists")?;
        let log = ChangeLog::open(&transaction)?;
        Ok(Batch {
            transaction,
            log,
            nothing_failed,
            nothing_rejected,
            no_long_lists,
            is_loading,
            tombstones,
            expiry,
        })
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
}
