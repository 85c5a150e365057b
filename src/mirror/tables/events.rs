//! Events in the mirror.

use crate::diff::{Ownership, Trust, Verdict, compare, judge_ownership};
use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, Stamp, utc_text};
use crate::record::{Event, Op, Stream};
use rusqlite::{OptionalExtension, Row, ToSql, params};
use std::collections::HashMap;

/// Events of a customer that are read in one go, to compare them in memory; those of a customer who has more are
/// looked up one by one.
const READ_AT_ONCE: usize = 1_000;

/// What a page of events did to the mirror.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct EventsApplied {
    /// New to the mirror.
    pub inserted: u64,
    /// Changed, or moved here from another customer.
    pub updated: u64,
    /// Listed in an older version than the mirror's, which was kept.
    pub stale: u64,
    /// Listed in another version than the mirror's, and taken although the times don't tell which one is newer.
    pub undated: Vec<String>,
    /// Events that the mirror holds under another customer and that stay there for now: each with that customer.
    pub contested: Vec<(String, String)>,
    /// The customer's mirrored events that these records lack, with their row numbers, unless the customer has too many to
    /// be told at once: then [`Batch::event_rows_not_in`] goes through them.
    pub unlisted: Option<Vec<(i64, String)>>,
}

/// An event as the mirror holds it.
pub(in crate::mirror) struct StoredEvent {
    row: i64,
    pub(in crate::mirror) event: Event,
    is_missing: bool,
}

type StoredEvents = HashMap<String, StoredEvent>;

/// The columns that a change of an event writes, in the order of [`bind`].
macro_rules! event_columns {
    () => {
        "customer_id, type, label, link_back_url, timestamp, properties, created_at, updated_at, extra"
    };
}

/// A query for what [`stored_row`] reads.
macro_rules! select_stored {
    ($where:literal) => {
        concat!(
            "SELECT rowid, id, ",
            event_columns!(),
            ", missing_since IS NOT NULL FROM events WHERE ",
            $where
        )
    };
}

impl Batch<'_> {
    /// Takes events of one customer's list into the mirror, in the order given. Rows that did not change are not
    /// written.
    ///
    /// # Errors
    /// When the mirror can't be read or written: the batch is then to be dropped.
    pub fn apply_events(
        &mut self,
        stamp: Stamp,
        customer_id: &str,
        events: &[Event],
        trust: Trust,
    ) -> Result<EventsApplied, MirrorError> {
        let mut stored = self.stored_events(customer_id)?;
        let mut applied = EventsApplied::default();
        for event in events {
            let known = stored.as_mut().and_then(|stored| stored.remove(&event.id));
            if known.is_none() && self.insert_event(stamp, event)? {
                applied.inserted += 1;
                continue;
            }
            // It may stand under another customer, or came twice in this list.
            let found = known.map_or_else(|| self.stored_event(&event.id), |known| Ok(Some(known)))?;
            let Some(found) = found else { continue };
            self.apply_event(stamp, event, &found, trust, &mut applied)?;
        }
        applied.unlisted = stored.map(|left| left.into_iter().map(|(id, stored)| (stored.row, id)).collect());
        Ok(applied)
    }

    /// Takes an event that the mirror holds already.
    fn apply_event(
        &mut self,
        stamp: Stamp,
        event: &Event,
        stored: &StoredEvent,
        trust: Trust,
        applied: &mut EventsApplied,
    ) -> Result<(), MirrorError> {
        let owner = &stored.event.customer_id;
        if *owner != event.customer_id && judge_ownership(&stored.event, event) == Ownership::Open {
            applied.contested.push((event.id.clone(), owner.clone()));
            return Ok(());
        }
        match compare(Some(&stored.event), event, trust) {
            verdict @ (Verdict::Update | Verdict::Undated) => {
                if verdict == Verdict::Undated {
                    applied.undated.push(event.id.clone());
                }
                applied.updated += 1;
                self.update_event(stamp, stored.row, event)?;
            }
            Verdict::Stale => applied.stale += 1,
            Verdict::Unchanged | Verdict::Insert => {}
        }
        if stored.is_missing {
            self.clear_missing(&event.id)?;
        }
        Ok(())
    }

    /// How many events the mirror holds.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn event_count(&self) -> Result<u64, MirrorError> {
        let count = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
        Ok(self.transaction.prepare_cached("SELECT count(*) FROM events")?.query_row([], count)? as u64)
    }

    /// Deletes events of a customer by their ids, each with its own change; returns how many there were. One that
    /// stands under another customer by now is not that customer's any more, and stays.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn delete_events(
        &mut self,
        stamp: Stamp,
        customer_id: &str,
        ids: &[String],
        evidence: &str,
    ) -> Result<u64, MirrorError> {
        let mut deleted = 0;
        for id in ids {
            let gone = self
                .transaction
                .prepare_cached("DELETE FROM events WHERE id = ?1 AND customer_id = ?2")?
                .execute([id, customer_id])?;
            if gone > 0 {
                deleted += 1;
                self.log_deleted_event(stamp, id, customer_id, evidence)?;
            }
        }
        Ok(deleted)
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
        self.nothing_failed = false;
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

    pub(in crate::mirror) fn clear_event_failure(&mut self, customer_id: &str) -> Result<(), MirrorError> {
        if !self.nothing_failed {
            self.transaction
                .prepare_cached("DELETE FROM event_failures WHERE customer_id = ?1")?
                .execute([customer_id])?;
        }
        Ok(())
    }

    pub(in crate::mirror) fn event_ids(&self, customer_id: &str) -> Result<Vec<String>, MirrorError> {
        let mut select =
            self.transaction.prepare_cached("SELECT id FROM events WHERE customer_id = ?1 ORDER BY rowid")?;
        let ids = select.query_map([customer_id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(ids)
    }

    /// A customer's events by id; `None` if they are too many to be read at once.
    fn stored_events(&self, customer_id: &str) -> Result<Option<StoredEvents>, MirrorError> {
        // A limit given as a parameter would have SQLite prepare the statement anew each time.
        let mut select = self.transaction.prepare_cached(select_stored!("customer_id = ?1 LIMIT 1001"))?;
        let mut rows = select.query([customer_id])?;
        let mut stored = StoredEvents::new();
        while let Some(row) = rows.next()? {
            let found = stored_row(row)?;
            stored.insert(found.event.id.clone(), found);
        }
        Ok(Some(stored).filter(|stored| stored.len() <= READ_AT_ONCE))
    }

    pub(in crate::mirror) fn stored_event(&self, id: &str) -> rusqlite::Result<Option<StoredEvent>> {
        let mut select = self.transaction.prepare_cached(select_stored!("id = ?1"))?;
        select.query_row([id], stored_row).optional()
    }

    /// `false` if the mirror holds the event already: nothing is written then.
    fn insert_event(&mut self, stamp: Stamp, event: &Event) -> rusqlite::Result<bool> {
        let mut insert = self.transaction.prepare_cached(concat!(
            "INSERT INTO events (id, ",
            event_columns!(),
            ", change_seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO NOTHING"
        ))?;
        let is_new = insert.execute(bind(&event.id, event, &self.log.next_seq()))? > 0;
        drop(insert);
        if is_new {
            self.log(stamp, Stream::Events, Op::Insert, &event.id, None)?;
        }
        Ok(is_new)
    }

    fn update_event(&mut self, stamp: Stamp, row: i64, event: &Event) -> rusqlite::Result<()> {
        let seq = self.log(stamp, Stream::Events, Op::Update, &event.id, None)?;
        let mut update = self.transaction.prepare_cached(concat!(
            "UPDATE events SET (",
            event_columns!(),
            ", change_seq) = (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) WHERE rowid = ?1"
        ))?;
        update.execute(bind(&row, event, &seq))?;
        Ok(())
    }
}

/// The parameters of an insert or update: the key (id or row number), the event's columns, and the change's number.
fn bind<'e>(key: &'e dyn ToSql, event: &'e Event, seq: &'e i64) -> [&'e dyn ToSql; 11] {
    let e = event;
    [
        key,
        &e.customer_id,
        &e.kind,
        &e.label,
        &e.link_back_url,
        &e.timestamp,
        &e.properties,
        &e.created_at,
        &e.updated_at,
        &e.extra,
        seq,
    ]
}

fn stored_row(row: &Row<'_>) -> rusqlite::Result<StoredEvent> {
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
    Ok(StoredEvent { row: row.get(0)?, event, is_missing: row.get(11)? })
}
