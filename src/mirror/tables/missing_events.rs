//! Events that complete walks of their customer's list lacked (`api-contract` point 9), and how long those lists were.

use super::customer_rows::time;
use crate::diff::{EventListShape, KnownEventList};
use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, Snapshot, Stamp, utc_text};
use crate::record::{IdSet, Op, Stream};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Events deleted in one go.
const DELETED_AT_ONCE: usize = 500;

impl Batch<'_> {
    /// The row numbers of a customer's mirrored events that `seen` lacks.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn event_rows_not_in(&self, customer_id: &str, seen: &IdSet) -> Result<Vec<i64>, MirrorError> {
        let mut select =
            self.transaction.prepare_cached("SELECT rowid, id FROM events WHERE customer_id = ?1")?;
        let mut rows = select.query([customer_id])?;
        let mut missing = Vec::new();
        while let Some(row) = rows.next()? {
            if !seen.contains(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?) {
                missing.push(row.get(0)?);
            }
        }
        Ok(missing)
    }

    /// A customer's mirrored events that `seen` lacks and that are not marked as missing.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn events_not_in(&self, customer_id: &str, seen: &IdSet) -> Result<Vec<String>, MirrorError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT id FROM events WHERE customer_id = ?1 AND missing_since IS NULL ORDER BY rowid",
        )?;
        let ids = select.query_map([customer_id], |row| row.get(0))?;
        let mut ids: Vec<String> = ids.collect::<rusqlite::Result<_>>()?;
        ids.retain(|id| !seen.contains(id));
        Ok(ids)
    }

    /// Marks events as missing. Those that are marked already keep their time, unless the clock was set back since. With
    /// `confirm`, they count as lacked by a complete walk of this run.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn mark_missing(&mut self, stamp: Stamp, rows: &[i64], confirm: bool) -> Result<(), MirrorError> {
        let mut mark = self.transaction.prepare_cached(
            "UPDATE events SET missing_since = CASE WHEN missing_since <= ?2 THEN missing_since ELSE ?2 END, \
             missing_run = coalesce(?3, missing_run) WHERE rowid = ?1",
        )?;
        let (now, run) = (utc_text(stamp.now), confirm.then_some(stamp.run.0));
        for row in rows {
            mark.execute(params![row, now, run])?;
        }
        Ok(())
    }

    /// Of these events, those that are marked as missing count as lacked by a complete walk of this run.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn confirm_missing(&mut self, stamp: Stamp, rows: &[i64]) -> Result<(), MirrorError> {
        let mut confirm = self.transaction.prepare_cached(
            "UPDATE events SET missing_run = ?2 WHERE rowid = ?1 AND missing_since IS NOT NULL",
        )?;
        for row in rows {
            confirm.execute(params![row, stamp.run.0])?;
        }
        Ok(())
    }

    /// Removes the mark from an event that is listed again.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn clear_missing(&mut self, id: &str) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached(
                "UPDATE events SET missing_since = NULL, missing_run = NULL WHERE id = ?1 AND missing_since IS NOT NULL",
            )?
            .execute([id])?;
        Ok(())
    }

    /// How many events this run's complete walks lacked that had been missing since `until` or before.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn deletable_events(&self, stamp: Stamp, until: Timestamp) -> Result<u64, MirrorError> {
        let count: i64 = self
            .transaction
            .prepare_cached("SELECT count(*) FROM events WHERE missing_since <= ?1 AND missing_run = ?2")?
            .query_row(params![utc_text(until), stamp.run.0], |row| row.get(0))?;
        Ok(count as u64)
    }

    /// Deletes some of [`Batch::deletable_events`], each with its own change; returns how many, 0 when none is left.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn delete_missing_events(&mut self, stamp: Stamp, until: Timestamp) -> Result<u64, MirrorError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT id, customer_id, missing_since FROM events WHERE missing_since <= ?1 AND missing_run = ?2 LIMIT ?3",
        )?;
        let found: Vec<(String, String, String)> = select
            .query_map(params![utc_text(until), stamp.run.0, DELETED_AT_ONCE as i64], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        drop(select);
        let mut deleted = 0;
        for (id, customer_id, since) in found {
            let evidence = format!(
                "two complete walks of the customer's events lacked it: the first at {since}, the second in run {}",
                stamp.run
            );
            deleted += self.delete_events(stamp, &customer_id, &[id], &evidence)?;
        }
        Ok(deleted)
    }

    /// How many events are marked as missing.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn missing_events(&self) -> Result<u64, MirrorError> {
        missing_events(&self.transaction)
    }

    /// Makes customers with missing events due again in the next run: only time shows whether the events are gone.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn leave_missing_due(&mut self) -> Result<(), MirrorError> {
        self.transaction.execute(
            "UPDATE customers SET events_checked_at = NULL WHERE events_checked_at IS NOT NULL AND id IN \
             (SELECT customer_id FROM events WHERE missing_since IS NOT NULL)",
            [],
        )?;
        Ok(())
    }

    /// Puts an event that this run's complete walk of its customer's list lacked under the customer whose list has it;
    /// `false` where there is no such event, or no such customer.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn move_missing_event(
        &mut self,
        stamp: Stamp,
        customer_id: &str,
        (id, to): (&str, &str),
    ) -> Result<bool, MirrorError> {
        let is_missing: Option<i64> = self
            .transaction
            .prepare_cached(
                "SELECT 1 FROM events WHERE id = ?1 AND missing_run = ?2 AND missing_since IS NOT NULL",
            )?
            .query_row(params![id, stamp.run.0], |row| row.get(0))
            .optional()?;
        match is_missing {
            Some(_) => self.move_event(stamp, customer_id, (id, to)),
            None => Ok(false),
        }
    }

    /// What is known of the length of a customer's list of events.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn event_list(&self, customer_id: &str) -> Result<Option<KnownEventList>, MirrorError> {
        let mut select = self
            .transaction
            .prepare_cached("SELECT pages, page_rows, short_since FROM event_lists WHERE customer_id = ?1")?;
        let read = |row: &Row<'_>| {
            let count = |column| row.get::<_, i64>(column).map(|count| count as u64);
            Ok(KnownEventList { pages: count(0)?, page_rows: count(1)?, short_since: time(row, 2)? })
        };
        Ok(select.query_row([customer_id], read).optional()?)
    }

    /// Keeps the length of a list that was believed. Lists of one page, nearly all, take no room.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn keep_event_list(&mut self, customer_id: &str, shape: EventListShape) -> Result<(), MirrorError> {
        if shape.pages <= 1 {
            if !self.no_long_lists {
                self.transaction
                    .prepare_cached("DELETE FROM event_lists WHERE customer_id = ?1")?
                    .execute([customer_id])?;
            }
            return Ok(());
        }
        self.no_long_lists = false;
        self.transaction
            .prepare_cached(
                "INSERT INTO event_lists (customer_id, pages, page_rows) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (customer_id) DO UPDATE SET pages = ?2, page_rows = ?3, short_since = NULL \
                 WHERE pages <> ?2 OR page_rows <> ?3 OR short_since IS NOT NULL",
            )?
            .execute(params![customer_id, shape.pages as i64, shape.page_rows as i64])?;
        Ok(())
    }

    /// Notes since when a list ends before its time; a beginning that is still to come is the clock's fault.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn note_short_event_list(&mut self, stamp: Stamp, customer_id: &str) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached(
                "UPDATE event_lists SET short_since = ?2 \
                 WHERE customer_id = ?1 AND (short_since IS NULL OR short_since > ?2)",
            )?
            .execute(params![customer_id, utc_text(stamp.now)])?;
        Ok(())
    }

    /// An event that the mirror holds under `customer_id` stands under another one from now on; `false` where it doesn't
    /// hold it there, or doesn't know the other one.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn move_event(
        &mut self,
        stamp: Stamp,
        customer_id: &str,
        (id, to): (&str, &str),
    ) -> Result<bool, MirrorError> {
        let row: Option<i64> = self
            .transaction
            .prepare_cached(
                "SELECT rowid FROM events WHERE id = ?1 AND customer_id = ?2 AND EXISTS (SELECT 1 FROM customers \
                 WHERE id = ?3)",
            )?
            .query_row([id, customer_id, to], |row| row.get(0))
            .optional()?;
        let Some(row) = row else { return Ok(false) };
        let seq = self.log(stamp, Stream::Events, Op::Update, id, None)?;
        self.transaction
            .prepare_cached(
                "UPDATE events SET customer_id = ?2, change_seq = ?3, missing_since = NULL, missing_run = NULL \
                 WHERE rowid = ?1",
            )?
            .execute(params![row, to, seq])?;
        Ok(true)
    }
}

impl Snapshot<'_> {
    /// How many events complete walks of their lists lack; they are kept until time has shown that they are gone.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn missing_events(&self) -> Result<u64, MirrorError> {
        missing_events(&self.transaction)
    }
}

fn missing_events(connection: &Connection) -> Result<u64, MirrorError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM events WHERE missing_since IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(count as u64)
}
