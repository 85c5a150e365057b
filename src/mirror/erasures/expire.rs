//! Takes what has expired out of every table in one transaction, as persons are. No tombstones are left: a sync judges by the
//! same rules what it meets and the mirror lacks.

use super::erased::Erased;
use super::expired::{Found, find};
use super::words::Words;
use crate::diff::Expiry;
use crate::mirror::tombstones::ErasureKey;
use crate::mirror::transaction::{Batch, Snapshot, utc_text};
use crate::mirror::{Mirror, MirrorError};
use crate::record::Record;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

/// The key in `meta` of the time when what has expired was last looked for by itself.
const LOOKED_AT: &str = "expired_looked_at";

/// The rows of customers who stay, and of whom events have expired.
const CUSTOMERS_WHO_STAY: &str = "SELECT DISTINCT customer.inserted_seq FROM temp.erased AS e \
     CROSS JOIN events AS event ON event.id = e.id CROSS JOIN customers AS customer ON customer.id = event.customer_id \
     WHERE e.stream = 'events' AND customer.id NOT IN (SELECT id FROM temp.persons)";

impl Mirror {
    /// Erases what has expired, in one transaction that is durable when this returns: as [`Mirror::erase`] does with persons,
    /// but without tombstones. Returns the erasure's number; `None`: nothing has expired.
    ///
    /// # Errors
    /// When the mirror can't be read or written: then nothing has changed.
    pub fn erase_expired(
        &mut self,
        key: &ErasureKey,
        expiry: &Expiry,
        reason: &str,
        now: Timestamp,
    ) -> Result<Option<i64>, MirrorError> {
        self.delete_securely()?;
        // What goes may be most of the mirror: its tokens don't stay in memory.
        self.connection.pragma_update(None, "temp_store", "FILE")?;
        let erased = self.erase_in_one(key, expiry, reason, now);
        self.connection.pragma_update(None, "temp_store", "MEMORY")?;
        erased
    }

    fn erase_in_one(
        &mut self,
        key: &ErasureKey,
        expiry: &Expiry,
        reason: &str,
        now: Timestamp,
    ) -> Result<Option<i64>, MirrorError> {
        let mut batch = self.batch()?;
        let number = batch.erase_expired(key, expiry, reason, now)?;
        if number.is_some() {
            batch.commit()?;
        }
        Ok(number)
    }

    /// Notes that what has expired was looked for.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn note_look_for_expired(&mut self, now: Timestamp) -> Result<(), MirrorError> {
        let sql =
            "INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value";
        Ok(self.connection.execute(sql, params![LOOKED_AT, utc_text(now)]).map(drop)?)
    }
}

impl Batch<'_> {
    /// Whether this event has expired, so that it doesn't come in if the mirror lacks it.
    pub fn has_expired(&self, event: &Record) -> bool {
        self.expiry.has_expired(event)
    }

    /// Whether the customer has expired unless an event keeps it, by its own times.
    pub(in crate::mirror) fn may_be_inactive(&self, customer: &Record) -> bool {
        self.expiry.may_be_inactive(customer)
    }

    fn erase_expired(
        &mut self,
        key: &ErasureKey,
        expiry: &Expiry,
        reason: &str,
        now: Timestamp,
    ) -> Result<Option<i64>, MirrorError> {
        self.prepare_erasure()?;
        let mut words = Words::default();
        let expired = find(&self.transaction, expiry, |found| {
            match found {
                Found::Event(id, customer) => {
                    words.add(id);
                    self.note_event(key, id, customer)?;
                }
                Found::Customer(id) => {
                    words.add(id);
                    self.note_person(key, id)?;
                }
                Found::Version(version) => self.note_version(key, &version)?,
            }
            Ok(())
        })?;
        if expired.is_empty() {
            return Ok(None);
        }
        self.note_events(key, &mut words)?;
        // Their orders are put together anew without these events.
        let mut select = self.transaction.prepare(CUSTOMERS_WHO_STAY)?;
        let customers: Vec<i64> = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        drop(select);
        let (number, mut places) = self.forget(key, Some(reason), &words, now)?;
        self.derive_orders(customers.into_iter(), false)?;
        if let Some(before) = expiry.history_before {
            places.extend(self.forget_ended(number, before, now)?);
        }
        if expired.iter().any(|one| one.customers > 0) {
            places.extend(self.forget_the_list()?);
        }
        self.conclude(number, &Erased { asked: Vec::new(), persons: Vec::new(), expired, places })?;
        Ok(Some(number))
    }
}

impl Snapshot<'_> {
    /// When [`Mirror::note_look_for_expired`] last noted something.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn looked_for_expired_at(&self) -> Result<Option<Timestamp>, MirrorError> {
        let mut select = self.transaction.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        let at: Option<String> = select.query_row([LOOKED_AT], |row| row.get(0)).optional()?;
        Ok(at.and_then(|at| at.parse().ok()))
    }
}
