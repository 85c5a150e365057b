//! What has been kept for long enough (`[retention]`): found, and taken out of every table in one transaction, as persons are.
//! No tombstones are left: a sync judges by the same rules what it meets and the mirror lacks.

use super::erased::{Erased, Expired};
use super::words::Words;
use crate::diff::Expiry;
use crate::mirror::tombstones::ErasureKey;
use crate::mirror::transaction::{Batch, Snapshot, utc_text};
use crate::mirror::{Mirror, MirrorError};
use crate::record::{IdSet, Instant, Record};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

/// The key in `meta` of the time when what has expired was last looked for by itself.
const LOOKED_AT: &str = "expired_looked_at";

/// Each event as it stands now.
const CURRENT: &str = "SELECT id, customer_id, created_at, updated_at, NULL FROM events";

/// Each event that was deleted, with the version that ended then, as far as that is known, and when it was deleted.
const DELETED: &str = "SELECT line.id, coalesce(old.customer_id, line.customer_id), old.created_at, old.updated_at, \
     iif(old.end_seq IS NULL, line.observed_at, NULL) \
     FROM change_log AS line LEFT JOIN events_superseded AS old ON old.end_seq = line.seq \
     WHERE line.stream = 'events' AND line.op = 'delete' AND NOT EXISTS (SELECT 1 FROM events AS now WHERE now.id = line.id) \
     AND NOT EXISTS (SELECT 1 FROM change_log AS later WHERE later.stream = 'events' AND later.op = 'delete' \
         AND later.id = line.id AND later.seq > line.seq)";

/// An event that has expired.
struct ExpiredEvent<'e> {
    id: &'e str,
    customer_id: Option<&'e str>,
    /// When it was last changed.
    last: Instant,
}

/// Hands over the events that have expired, each once. Of a deleted one whose versions were pruned nobody knows the times; but
/// it is no younger than its deletion.
fn each_event(
    connection: &Connection,
    expiry: &Expiry,
    mut each: impl FnMut(&ExpiredEvent<'_>) -> Result<(), MirrorError>,
) -> Result<(), MirrorError> {
    for sql in [CURRENT, DELETED] {
        let mut select = connection.prepare(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let text = |column: usize| row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from);
            let times = match text(4)? {
                Some(deleted_at) => [Some(deleted_at), None],
                None => [text(2)?, text(3)?],
            };
            if let Some(last) = expiry.of_event(times) {
                each(&ExpiredEvent { id: text(0)?.unwrap_or_default(), customer_id: text(1)?, last })?;
            }
        }
    }
    Ok(())
}

/// Finds the events that have expired, and hands them over; `None` where there are none.
fn events(
    connection: &Connection,
    expiry: &Expiry,
    mut each: impl FnMut(&ExpiredEvent<'_>) -> Result<(), MirrorError>,
) -> Result<Option<Expired>, MirrorError> {
    let (mut ids, mut times) = (IdSet::default(), None);
    each_event(connection, expiry, |event| {
        ids.insert(event.id);
        let (oldest, newest) = times.unwrap_or((event.last, event.last));
        times = Some((event.last.min(oldest), event.last.max(newest)));
        each(event)
    })?;
    let Some((oldest, newest)) = times else { return Ok(None) };
    let mut versions = 0;
    let mut select = connection.prepare("SELECT id FROM events_superseded")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
        versions += u64::from(ids.contains(id));
    }
    let time = |at: Instant| Timestamp::from_microsecond(at.as_microsecond()).ok().map(utc_text);
    Ok(Some(Expired {
        rule: "retention.events".to_owned(),
        customers: 0,
        events: ids.len() as u64,
        versions,
        oldest: time(oldest),
        newest: time(newest),
    }))
}

impl Snapshot<'_> {
    /// What has expired, by rule; empty where nothing has.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn expired(&self, expiry: &Expiry) -> Result<Vec<Expired>, MirrorError> {
        Ok(events(&self.transaction, expiry, |_| Ok(()))?.into_iter().collect())
    }

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

    fn erase_expired(
        &mut self,
        key: &ErasureKey,
        expiry: &Expiry,
        reason: &str,
        now: Timestamp,
    ) -> Result<Option<i64>, MirrorError> {
        self.prepare_erasure()?;
        let mut words = Words::default();
        let expired = events(&self.transaction, expiry, |event| {
            words.add(event.id);
            Ok(self.note_event(key, event.id, event.customer_id)?)
        })?;
        let Some(expired) = expired else { return Ok(None) };
        // Their orders are put together anew without these events.
        let mut select = self.transaction.prepare(
            "SELECT DISTINCT customer.inserted_seq FROM temp.erased AS e CROSS JOIN events AS event ON event.id = e.id \
             CROSS JOIN customers AS customer ON customer.id = event.customer_id WHERE e.stream = 'events'",
        )?;
        let customers: Vec<i64> = select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        drop(select);
        let (number, places) = self.forget(key, Some(reason), &words, now)?;
        self.derive_orders(customers.into_iter(), false)?;
        let erased = Erased { asked: Vec::new(), persons: Vec::new(), expired: vec![expired], places };
        self.conclude(number, &erased)?;
        Ok(Some(number))
    }
}
