//! Children that complete walks of their parent's list lacked (`api-contract` point 9), and how long those lists were.

use super::records::time;
use crate::diff::{EventListShape, KnownEventList};
use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, Snapshot, Stamp, utc_text};
use crate::record::{IdSet, Stream};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// Children deleted in one go.
const DELETED_AT_ONCE: usize = 500;

impl Batch<'_> {
    /// The row numbers of a parent's mirrored children that `seen` lacks.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn child_rows_not_in(
        &self,
        stream: Stream,
        parent: &str,
        seen: &IdSet,
    ) -> Result<Vec<i64>, MirrorError> {
        let parent_key = stream.parent_key();
        let mut select = self
            .transaction
            .prepare_cached(&format!("SELECT rowid, id FROM {stream} WHERE {parent_key} = ?1"))?;
        let mut rows = select.query([parent])?;
        let mut missing = Vec::new();
        while let Some(row) = rows.next()? {
            if !seen.contains(row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?) {
                missing.push(row.get(0)?);
            }
        }
        Ok(missing)
    }

    /// The ids of a parent's mirrored children that `seen` lacks and that are not marked as missing.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn children_not_in(
        &self,
        stream: Stream,
        parent: &str,
        seen: &IdSet,
    ) -> Result<Vec<String>, MirrorError> {
        let parent_key = stream.parent_key();
        let mut select = self.transaction.prepare_cached(&format!(
            "SELECT id FROM {stream} WHERE {parent_key} = ?1 AND missing_since IS NULL ORDER BY rowid"
        ))?;
        let ids = select.query_map([parent], |row| row.get(0))?;
        let mut ids: Vec<String> = ids.collect::<rusqlite::Result<_>>()?;
        ids.retain(|id| !seen.contains(id));
        Ok(ids)
    }

    /// Marks children as missing. Those that are marked already keep their time, unless the clock was set back since. With
    /// `confirm`, they count as lacked by a complete walk of this run.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn mark_missing(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        rows: &[i64],
        confirm: bool,
    ) -> Result<(), MirrorError> {
        let mut mark = self.transaction.prepare_cached(&format!(
            "UPDATE {stream} SET missing_since = CASE WHEN missing_since <= ?2 THEN missing_since ELSE ?2 END, \
             missing_run = coalesce(?3, missing_run) WHERE rowid = ?1"
        ))?;
        let (now, run) = (utc_text(stamp.now), confirm.then_some(stamp.run.0));
        for row in rows {
            mark.execute(params![row, now, run])?;
        }
        Ok(())
    }

    /// Of these children, those that are marked as missing count as lacked by a complete walk of this run.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn confirm_missing(&mut self, stamp: Stamp, stream: Stream, rows: &[i64]) -> Result<(), MirrorError> {
        let mut confirm = self.transaction.prepare_cached(&format!(
            "UPDATE {stream} SET missing_run = ?2 WHERE rowid = ?1 AND missing_since IS NOT NULL"
        ))?;
        for row in rows {
            confirm.execute(params![row, stamp.run.0])?;
        }
        Ok(())
    }

    /// Removes the mark from a child that is listed again.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn clear_missing(&mut self, stream: Stream, id: &str) -> Result<(), MirrorError> {
        if self.is_loading {
            return Ok(());
        }
        self.transaction
            .prepare_cached(&format!(
                "UPDATE {stream} SET missing_since = NULL, missing_run = NULL WHERE id = ?1 AND missing_since IS NOT NULL"
            ))?
            .execute([id])?;
        Ok(())
    }

    /// How many children this run's complete walks lacked that had been missing since `until` or before.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn deletable(&self, stamp: Stamp, stream: Stream, until: Timestamp) -> Result<u64, MirrorError> {
        let count: i64 = self
            .transaction
            .prepare_cached(&format!(
                "SELECT count(*) FROM {stream} WHERE missing_since <= ?1 AND missing_run = ?2"
            ))?
            .query_row(params![utc_text(until), stamp.run.0], |row| row.get(0))?;
        Ok(count as u64)
    }

    /// Deletes some of [`Batch::deletable`], each with its own change; returns how many, 0 when none is left.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn delete_missing(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        until: Timestamp,
    ) -> Result<u64, MirrorError> {
        let parent_key = stream.parent_key();
        let mut select = self.transaction.prepare_cached(&format!(
            "SELECT id, {parent_key}, missing_since FROM {stream} WHERE missing_since <= ?1 AND missing_run = ?2 LIMIT ?3"
        ))?;
        let found: Vec<(String, String, String)> = select
            .query_map(params![utc_text(until), stamp.run.0, DELETED_AT_ONCE as i64], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        drop(select);
        let mut deleted = 0;
        for (id, parent, since) in found {
            let evidence = format!(
                "two complete walks of the {}'s {stream} lacked it: the first at {since}, the second in run {}",
                stream.parent().map_or("list", Stream::singular),
                stamp.run
            );
            deleted += self.delete_children(stamp, stream, &parent, &[id], &evidence)?;
        }
        Ok(deleted)
    }

    /// How many children are marked as missing.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn missing(&self, stream: Stream) -> Result<u64, MirrorError> {
        missing(&self.transaction, stream)
    }

    /// Makes parents with missing children due again in the next run: only time shows whether these are gone.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn leave_missing_due(&mut self, stream: Stream) -> Result<(), MirrorError> {
        let Some(parents) = stream.parent() else { return Ok(()) };
        let parent_key = stream.parent_key();
        self.transaction.execute(
            &format!(
                "UPDATE {parents} SET events_checked_at = NULL WHERE events_checked_at IS NOT NULL AND id IN \
                 (SELECT {parent_key} FROM {stream} WHERE missing_since IS NOT NULL)"
            ),
            [],
        )?;
        Ok(())
    }

    /// Puts a child that this run's complete walk of its parent's list lacked under the parent whose list has it; `false`
    /// where there is no such child, or no such parent.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn move_missing(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        from: &str,
        (id, to): (&str, &str),
    ) -> Result<bool, MirrorError> {
        let is_missing: Option<i64> = self
            .transaction
            .prepare_cached(&format!(
                "SELECT 1 FROM {stream} WHERE id = ?1 AND missing_run = ?2 AND missing_since IS NOT NULL"
            ))?
            .query_row(params![id, stamp.run.0], |row| row.get(0))
            .optional()?;
        match is_missing {
            Some(_) => self.move_child(stamp, stream, from, (id, to)),
            None => Ok(false),
        }
    }

    /// What is known of the length of a parent's list of children.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn known_list(&self, stream: Stream, parent: &str) -> Result<Option<KnownEventList>, MirrorError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT pages, page_rows, short_since FROM event_lists WHERE stream = ?1 AND customer_id = ?2",
        )?;
        let read = |row: &Row<'_>| {
            let count = |column| row.get::<_, i64>(column).map(|count| count as u64);
            Ok(KnownEventList { pages: count(0)?, page_rows: count(1)?, short_since: time(row, 2)? })
        };
        Ok(select.query_row([stream.name(), parent], read).optional()?)
    }

    /// Keeps the length of a list that was believed. Lists of one page, nearly all, take no room.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn keep_list(
        &mut self,
        stream: Stream,
        parent: &str,
        shape: EventListShape,
    ) -> Result<(), MirrorError> {
        if shape.pages <= 1 {
            return self.forget_list_shape(stream, parent);
        }
        self.no_long_lists = false;
        self.transaction
            .prepare_cached(
                "INSERT INTO event_lists (stream, customer_id, pages, page_rows) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (stream, customer_id) DO UPDATE SET pages = ?3, page_rows = ?4, short_since = NULL \
                 WHERE pages <> ?3 OR page_rows <> ?4 OR short_since IS NOT NULL",
            )?
            .execute(params![stream.name(), parent, shape.pages as i64, shape.page_rows as i64])?;
        Ok(())
    }

    /// Forgets all about a parent's list of children: the parent is gone.
    pub(in crate::mirror) fn forget_list(&mut self, stream: Stream, parent: &str) -> Result<(), MirrorError> {
        if let Some(parents) = stream.parent() {
            self.clear_failure(parents, parent)?;
        }
        self.forget_list_shape(stream, parent)?;
        self.transaction
            .prepare_cached("DELETE FROM rejected WHERE stream = ?1 AND customer_id = ?2")?
            .execute([stream.name(), parent])?;
        Ok(())
    }

    fn forget_list_shape(&mut self, stream: Stream, parent: &str) -> Result<(), MirrorError> {
        if !self.no_long_lists {
            self.transaction
                .prepare_cached("DELETE FROM event_lists WHERE stream = ?1 AND customer_id = ?2")?
                .execute([stream.name(), parent])?;
        }
        Ok(())
    }

    /// Notes since when a list ends before its time; a beginning that is still to come is the clock's fault.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn note_short_list(&mut self, stamp: Stamp, stream: Stream, parent: &str) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached(
                "UPDATE event_lists SET short_since = ?3 \
                 WHERE stream = ?1 AND customer_id = ?2 AND (short_since IS NULL OR short_since > ?3)",
            )?
            .execute(params![stream.name(), parent, utc_text(stamp.now)])?;
        Ok(())
    }

    /// A child that the mirror holds under the parent `from` stands under another one from now on; `false` where it doesn't
    /// hold it there, or doesn't know the other one.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn move_child(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        from: &str,
        (id, to): (&str, &str),
    ) -> Result<bool, MirrorError> {
        let Some(parents) = stream.parent() else { return Ok(false) };
        let parent_key = stream.parent_key();
        let row: Option<i64> = self
            .transaction
            .prepare_cached(&format!(
                "SELECT rowid FROM {stream} WHERE id = ?1 AND {parent_key} = ?2 AND EXISTS (SELECT 1 FROM {parents} \
                 WHERE id = ?3)"
            ))?
            .query_row([id, from, to], |row| row.get(0))
            .optional()?;
        let Some(row) = row else { return Ok(false) };
        let seq = self.supersede(stamp, stream, (row, id))?;
        self.transaction
            .prepare_cached(&format!(
                "UPDATE {stream} SET {parent_key} = ?2, change_seq = ?3, missing_since = NULL, missing_run = NULL \
                 WHERE rowid = ?1"
            ))?
            .execute(params![row, to, seq])?;
        Ok(true)
    }
}

impl Snapshot<'_> {
    /// How many children of all streams complete walks of their lists lack. They are kept until time has shown that they are
    /// gone.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn missing(&self) -> Result<u64, MirrorError> {
        let children = Stream::ALL.into_iter().filter(|stream| stream.parent().is_some());
        children.map(|stream| missing(&self.transaction, stream)).sum()
    }
}

fn missing(connection: &Connection, stream: Stream) -> Result<u64, MirrorError> {
    let count: i64 = connection
        .prepare_cached(&format!("SELECT count(*) FROM {stream} WHERE missing_since IS NOT NULL"))?
        .query_row([], |row| row.get(0))?;
    Ok(count as u64)
}
