//! Events in the mirror.

use super::MirrorError;
use super::batch::{Batch, Stamp, utc_text};
use crate::diff::{Trust, Verdict, compare};
use crate::record::{Event, IdSet, Op, Stream};
use rusqlite::{OptionalExtension, params};

/// What a page of events did to the mirror.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct EventsApplied {
    /// New to the mirror.
    pub inserted: u64,
    /// Changed, or moved here from another customer.
    pub updated: u64,
    /// Listed in an older version than the mirror's, which was kept.
    pub stale: u64,
}

impl Batch<'_> {
    /// Takes events into the mirror, in the order given. Rows that did not change are not written.
    ///
    /// # Errors
    /// When the mirror can't be read or written: the batch is then to be dropped.
    pub fn apply_events(
        &mut self,
        stamp: Stamp,
        events: &[Event],
        trust: Trust,
    ) -> Result<EventsApplied, MirrorError> {
        let mut applied = EventsApplied::default();
        for event in events {
            let stored = self.stored_event(&event.id)?;
            match compare(stored.as_ref().map(|(_, stored)| stored), event, trust) {
                Verdict::Insert => {
                    applied.inserted += 1;
                    self.insert_event(stamp, event)?;
                }
                Verdict::Update => {
                    applied.updated += 1;
                    if let Some((row, _)) = stored {
                        self.update_event(stamp, row, event)?;
                    }
                }
                Verdict::Stale => applied.stale += 1,
                Verdict::Unchanged => {}
            }
        }
        Ok(applied)
    }

    /// The mirrored events of a customer that `seen` lacks.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn events_not_in(&self, customer_id: &str, seen: &IdSet) -> Result<Vec<String>, MirrorError> {
        let mut ids = self.event_ids(customer_id)?;
        ids.retain(|id| !seen.contains(id));
        Ok(ids)
    }

    /// How many events the mirror holds.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn event_count(&self) -> Result<u64, MirrorError> {
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        Ok(self.transaction.prepare_cached("SELECT count(*) FROM events")?.query_row([], count)? as u64)
    }

    /// Deletes events by their ids, each with its own change.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn delete_events(&mut self, stamp: Stamp, ids: &[String], evidence: &str) -> Result<(), MirrorError> {
        for id in ids {
            let gone = self.transaction.prepare_cached("DELETE FROM events WHERE id = ?1")?.execute([id])?;
            if gone > 0 {
                self.log(stamp, Stream::Events, Op::Delete, id, Some(evidence))?;
            }
        }
        Ok(())
    }

    /// Notes that a customer's events could not be read.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn note_event_failure(
        &mut self,
        stamp: Stamp,
        customer_id: &str,
        error: &str,
    ) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached(
                "INSERT INTO event_failures (customer_id, run_id, failed_at, error) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (customer_id) DO UPDATE SET run_id = excluded.run_id, failed_at = excluded.failed_at, \
                 error = excluded.error",
            )?
            .execute(params![customer_id, stamp.run.0, utc_text(stamp.now), error])?;
        // Due in every run until they can be read.
        self.transaction
            .prepare_cached("UPDATE customers SET events_checked_at = NULL WHERE id = ?1")?
            .execute([customer_id])?;
        Ok(())
    }

    pub(super) fn clear_event_failure(&mut self, customer_id: &str) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached("DELETE FROM event_failures WHERE customer_id = ?1")?
            .execute([customer_id])?;
        Ok(())
    }

    pub(super) fn event_ids(&self, customer_id: &str) -> Result<Vec<String>, MirrorError> {
        let mut select =
            self.transaction.prepare_cached("SELECT id FROM events WHERE customer_id = ?1 ORDER BY rowid")?;
        let ids = select.query_map([customer_id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(ids)
    }

    pub(super) fn stored_event(&self, id: &str) -> Result<Option<(i64, Event)>, MirrorError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT rowid, id, customer_id, type, label, link_back_url, timestamp, properties, created_at, updated_at, \
             extra FROM events WHERE id = ?1",
        )?;
        Ok(select
            .query_row([id], |row| {
                let event = Event {
                    id: row.get(1)?,
                    customer_id: row.get(2)?,
                    kind: row.get(3)?,
                    label: row.get(4)?,
                    link_back_url: row.get(5)?,
                    timestamp: row.get(6)?,
                    properties: row.get(7)?,
                    created_at: row.get(8)?,
                    updated_at: row.get(9)?,
                    extra: row.get(10)?,
                };
                Ok((row.get(0)?, event))
            })
            .optional()?)
    }

    fn insert_event(&self, stamp: Stamp, event: &Event) -> rusqlite::Result<()> {
        let seq = self.log(stamp, Stream::Events, Op::Insert, &event.id, None)?;
        let mut insert = self.transaction.prepare_cached(
            "INSERT INTO events (id, customer_id, type, label, link_back_url, timestamp, properties, created_at, \
             updated_at, extra, change_seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        let e = event;
        insert.execute(params![
            e.id,
            e.customer_id,
            e.kind,
            e.label,
            e.link_back_url,
            e.timestamp,
            e.properties,
            e.created_at,
            e.updated_at,
            e.extra,
            seq
        ])?;
        Ok(())
    }

    fn update_event(&self, stamp: Stamp, row: i64, event: &Event) -> rusqlite::Result<()> {
        let seq = self.log(stamp, Stream::Events, Op::Update, &event.id, None)?;
        let mut update = self.transaction.prepare_cached(
            "UPDATE events SET customer_id = ?2, type = ?3, label = ?4, link_back_url = ?5, timestamp = ?6, \
             properties = ?7, created_at = ?8, updated_at = ?9, extra = ?10, change_seq = ?11 WHERE rowid = ?1",
        )?;
        let e = event;
        update.execute(params![
            row,
            e.customer_id,
            e.kind,
            e.label,
            e.link_back_url,
            e.timestamp,
            e.properties,
            e.created_at,
            e.updated_at,
            e.extra,
            seq
        ])?;
        Ok(())
    }
}
