//! Whose mirror this is, and whether the API still answers for that account.

use super::MirrorError;
use super::batch::{Batch, Stamp, utc_text};
use rusqlite::{Connection, Row, params};
use serde::Serialize;

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
}

pub(super) fn account(connection: &Connection) -> Result<Account, MirrorError> {
    let mut select = connection.prepare_cached("SELECT account_id, doubted_since, doubt FROM account")?;
    let read = |row: &Row<'_>| {
        let (since, reason): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
        let doubt = since.map(|since| Doubt { since, reason: reason.unwrap_or_default() });
        Ok(Account { id: row.get(0)?, doubt })
    };
    Ok(select.query_row([], read)?)
}
