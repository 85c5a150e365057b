//! A read transaction: what exports ([`crate::mirror::Change`]) and `status` read.

use super::change_log::head;
use crate::masking::Masker;
use crate::mirror::MirrorError;
use rusqlite::{Connection, Transaction};
use std::sync::Arc;

/// Tells whether a long reading is to be given up. Asked from time to time.
pub type Halt = Arc<dyn Fn() -> bool + Send + Sync>;

/// One state of the mirror. While it lives, the WAL file can't shrink: don't hold it longer than needed.
pub struct Snapshot<'m> {
    pub(in crate::mirror) transaction: Transaction<'m>,
    halt: Option<Halt>,
    /// What is shown of rows and changes; `None`: all of them.
    pub(in crate::mirror) masker: Option<Arc<Masker>>,
}

/// Whether to go on is asked once in so many rows: a fraction of a second.
const ROWS_BETWEEN_HALTS: usize = 1_024;

impl<'m> Snapshot<'m> {
    pub(in crate::mirror) fn begin(
        connection: &'m mut Connection,
        halt: Option<Halt>,
        masker: Option<Arc<Masker>>,
    ) -> Result<Snapshot<'m>, MirrorError> {
        let transaction = connection.transaction()?;
        // SQLite takes the snapshot with the first read, not with BEGIN.
        transaction.query_row("SELECT count(*) FROM meta", [], |_| Ok(()))?;
        Ok(Snapshot { transaction, halt, masker })
    }

    /// Ends a reading of many rows where somebody wants the program to stop; `row` counts them from 0.
    pub(in crate::mirror) fn go_on(&self, row: usize) -> Result<(), MirrorError> {
        match &self.halt {
            Some(halt) if row.is_multiple_of(ROWS_BETWEEN_HALTS) && halt() => Err(MirrorError::Stopped),
            _ => Ok(()),
        }
    }

    /// The profile through which rows and changes are seen; `None`: they are shown as they are.
    pub fn masker(&self) -> Option<&Masker> {
        self.masker.as_deref()
    }

    /// The number of the newest change; 0 while there is none.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn head(&self) -> Result<i64, MirrorError> {
        Ok(head(&self.transaction)?)
    }
}
