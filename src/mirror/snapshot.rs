//! A read transaction: what exports ([`super::Change`]) and `status` read.

use super::{
    Account, Aside, Audit, Behaviour, CustomerPreview, EventFailure, Freshness, Halt, MirrorError, Mode, Run,
    SetAside,
};
use super::{account, audits, behaviour, customers, missing_events, rejected, runs, status};
use crate::diff::EventPlan;
use crate::record::Customer;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction};

/// One state of the mirror. While it lives, the WAL file can't shrink: don't hold it longer than needed.
pub struct Snapshot<'m> {
    pub(super) transaction: Transaction<'m>,
    halt: Option<Halt>,
}

/// Whether to go on is asked once in so many rows: a fraction of a second.
const ROWS_BETWEEN_HALTS: usize = 1_024;

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
    pub(super) fn go_on(&self, row: usize) -> Result<(), MirrorError> {
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

    /// What the mirror knows of its account.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn account(&self) -> Result<Account, MirrorError> {
        account::account(&self.transaction)
    }

    /// How many events complete walks of their lists lack; they are kept until time has shown that they are gone.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn missing_events(&self) -> Result<u64, MirrorError> {
        missing_events::missing_events(&self.transaction)
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

    /// Records that stand set aside, the oldest first; at most `limit`, and how many there are.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn set_aside(&self, outcome: Aside, limit: usize) -> Result<(Vec<SetAside>, u64), MirrorError> {
        rejected::standing(&self.transaction, outcome, limit)
    }
}
