//! Keeps out those who must not come back.

use crate::mirror::connection::connect;
use crate::mirror::tombstones::{Identifier, KINDS};
use crate::mirror::transaction::{Batch, Snapshot, Stamp, utc_text};
use crate::mirror::{Mirror, MirrorError, RunLock};
use crate::record::Record;
use rusqlite::params;
use serde::Serialize;

/// What the tombstones have kept out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptOut {
    /// How many tombstones there are.
    pub tombstones: u64,
    /// How often they have kept a customer out.
    pub times: u64,
}

impl Batch<'_> {
    /// Whether a record that is new to the mirror is of a person who was erased: then that is counted, and the record
    /// is not to be stored.
    pub(in crate::mirror) fn keeps_out(
        &mut self,
        stamp: Stamp,
        record: &Record,
    ) -> Result<bool, MirrorError> {
        let Some(tombstones) = self.tombstones else { return Ok(false) };
        let values = [
            (Identifier::Id, Some(record.id())),
            (Identifier::Email, record.text("email")),
            (Identifier::PhoneNumber, record.text("phone_number")),
        ];
        let mut found = values.into_iter().filter_map(|(of, value)| tombstones.of(of, value?));
        let Some((identifier, token)) = found.next() else { return Ok(false) };
        self.transaction
            .prepare_cached(
                "UPDATE tombstones SET kept_out = kept_out + 1, kept_out_at = ?3 WHERE kind = ?1 AND token = ?2",
            )?
            .execute(params![identifier.name(), token.0, utc_text(stamp.now)])?;
        Ok(true)
    }

    /// Whether the customer with this id was erased.
    pub(in crate::mirror) fn is_erased(&self, customer_id: &str) -> bool {
        self.tombstones.is_some_and(|tombstones| tombstones.of(Identifier::Id, customer_id).is_some())
    }

    /// Whether a text that can't be taken apart has the e-mail address of somebody who was erased.
    pub(in crate::mirror) fn names_erased(&self, raw: &str) -> bool {
        let Some(tombstones) = self.tombstones else { return false };
        let is_of_address =
            |c: char| c.is_alphanumeric() || matches!(c, '@' | '.' | '_' | '%' | '+' | '-' | '\'');
        raw.split(|c| !is_of_address(c))
            .filter(|word| word.contains('@'))
            .any(|word| tombstones.of(Identifier::Email, word).is_some())
    }
}

impl Snapshot<'_> {
    /// What the tombstones have kept out so far.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn kept_out(&self) -> Result<KeptOut, MirrorError> {
        let sql = "SELECT count(*), coalesce(sum(kept_out), 0) FROM tombstones";
        let read = |row: &rusqlite::Row<'_>| {
            Ok(KeptOut { tombstones: row.get::<_, i64>(0)? as u64, times: row.get::<_, i64>(1)? as u64 })
        };
        Ok(self.transaction.query_row(sql, [], read)?)
    }
}

impl Mirror {
    /// Lets a person come back: takes away all tombstones of whoever has one of this id, address or number. Returns
    /// how many went; 0: there was none.
    ///
    /// # Errors
    /// When the mirror or the key can't be read, or the mirror can't be written.
    pub fn allow_return(&mut self, value: &str) -> Result<usize, MirrorError> {
        let Some(tombstones) = &self.tombstones else { return Ok(0) };
        let found: Vec<_> = KINDS.into_iter().filter_map(|of| tombstones.of(of, value)).collect();
        let mut gone = 0;
        for (kind, token) in found {
            let sql = "DELETE FROM tombstones WHERE person IN \
                       (SELECT person FROM tombstones WHERE kind = ?1 AND token = ?2)";
            gone += self.connection.execute(sql, params![kind.name(), token.0])?;
        }
        self.read_tombstones()?;
        Ok(gone)
    }
}

impl RunLock {
    /// Takes all tombstones away, without the key: whoever was erased may come back. Returns how many went.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn forget_tombstones(&self) -> Result<usize, MirrorError> {
        Ok(connect(self.mirror())?.execute("DELETE FROM tombstones", [])?)
    }
}
