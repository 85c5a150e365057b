//! Whose mirror this is, and whether the API still answers for that account.

use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, Snapshot, Stamp, utc_text};
use crate::record::Stream;
use rusqlite::{Connection, Row, params};
use serde::Serialize;

/// Rows that are taken back in one step.
const TAKEN_BACK_AT_ONCE: usize = 4_096;

/// The account that a mirror belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// As the API names it; `None` where it doesn't, or did not yet.
    pub id: Option<String>,
    /// Set while nothing may be inserted, deleted or exported.
    pub doubt: Option<Doubt>,
}

/// Why the API seems to answer for another account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Doubt {
    /// When it was first raised: UTC, ISO 8601.
    pub since: String,
    /// What raised it, and what to do.
    pub reason: String,
}

impl Batch<'_> {
    /// What the mirror knows of its account.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn account(&self) -> Result<Account, MirrorError> {
        account(&self.transaction)
    }

    /// The API answers for this account: every doubt ends. Where the API names the account, that is remembered. Writes only
    /// what is new.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn accept_account(&mut self, id: Option<&str>) -> Result<(), MirrorError> {
        self.transaction.execute(
            "UPDATE account SET account_id = coalesce(?1, account_id), doubted_since = NULL, doubt = NULL \
             WHERE doubted_since IS NOT NULL OR account_id IS NOT coalesce(?1, account_id)",
            [id],
        )?;
        Ok(())
    }

    /// The API seems to answer for another account. A doubt that lasts keeps its beginning.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn doubt_account(&mut self, stamp: Stamp, reason: &str) -> Result<(), MirrorError> {
        self.transaction.execute(
            "UPDATE account SET doubted_since = coalesce(doubted_since, ?1), doubt = ?2",
            params![utc_text(stamp.now), reason],
        )?;
        Ok(())
    }

    /// Deletes rows that the stamp's run inserted, some thousands at a time: another account's may be among them. Parents
    /// that keep rows of their own have their children due again. Returns how many rows of each stream went, in the order of
    /// [`Stream::ALL`]; none: all of them are gone.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn take_back(
        &mut self,
        stamp: Stamp,
        evidence: &str,
    ) -> Result<[u64; Stream::ALL.len()], MirrorError> {
        let mut deleted = [0; Stream::ALL.len()];
        for stream in Stream::ALL {
            for (id, parent) in self.inserted_rows(stamp, stream)? {
                match stream.parent() {
                    Some(parents) => {
                        deleted[stream.index()] +=
                            self.delete_children(stamp, stream, &parent, &[id], evidence)?;
                        if let Some(parent) = self.parent(parents, &parent)? {
                            self.make_due(parents, parent.row)?;
                            self.clear_failure(parents, &parent.id)?;
                        }
                    }
                    None => {
                        let Some(children) = self.delete_parent(stamp, stream, &id, evidence)? else {
                            continue;
                        };
                        deleted[stream.index()] += 1;
                        if let Some(child) = stream.child() {
                            deleted[child.index()] += children;
                        }
                    }
                }
            }
            if deleted.iter().any(|rows| *rows > 0) {
                break;
            }
        }
        Ok(deleted)
    }

    /// Ids of rows that the run inserted and that are still there, each with its parent's.
    fn inserted_rows(&self, stamp: Stamp, stream: Stream) -> Result<Vec<(String, String)>, MirrorError> {
        // A run's rows are the last ones of their table.
        let mut select = self.transaction.prepare_cached(&format!(
            "SELECT id, {} FROM {stream} WHERE inserted_run = ?1 ORDER BY inserted_seq DESC LIMIT ?2",
            stream.parent_key()
        ))?;
        let rows = select
            .query_map([stamp.run.0, TAKEN_BACK_AT_ONCE as i64], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

impl Snapshot<'_> {
    /// What the mirror knows of its account.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn account(&self) -> Result<Account, MirrorError> {
        account(&self.transaction)
    }
}

fn account(connection: &Connection) -> Result<Account, MirrorError> {
    let mut select = connection.prepare_cached("SELECT account_id, doubted_since, doubt FROM account")?;
    let read = |row: &Row<'_>| {
        let (since, reason): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
        let doubt = since.map(|since| Doubt { since, reason: reason.unwrap_or_default() });
        Ok(Account { id: row.get(0)?, doubt })
    };
    Ok(select.query_row([], read)?)
}
