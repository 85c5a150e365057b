//! Records of streams that are listed for each parent, such as the events of customers.

use super::parents::MirroredParent;
use super::records::{Applied, Stored, read_stored, statements};
use crate::diff::{Ownership, Trust, Verdict, judge_ownership};
use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, Stamp, utc_text};
use crate::record::{Record, Stream};
use rusqlite::{OptionalExtension, params};
use std::collections::{HashMap, HashSet};

/// Children of a parent that are read in one go, to compare them in memory; those of a parent that has more are looked up
/// one by one.
const READ_AT_ONCE: usize = 1_000;

/// What a page of a children's list did to the mirror.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ChildrenApplied {
    /// What was written.
    pub rows: Applied,
    /// Ids of records that the mirror lacks and that were not taken, because they have expired.
    pub expired: Vec<String>,
    /// Listed in an older version than the mirror's, which was kept.
    pub stale: u64,
    /// Ids of records that the mirror holds under another parent and that stay there for now: each with that parent's.
    pub contested: Vec<(String, String)>,
    /// The parent's mirrored children that these records lack, with their row numbers, unless the parent has too many to be
    /// told at once: then [`Batch::child_rows_not_in`] goes through them.
    pub unlisted: Option<Vec<(i64, String)>>,
}

/// Which records of one parent's list are in doubt: those that it lists in an older version than the mirror's.
#[derive(Debug, Default)]
pub struct Doubts {
    /// Ids of records that an earlier reading of the list left in doubt. Of these, the first version that is listed now is
    /// taken, whatever its age.
    pub before: HashSet<String>,
    /// Ids of records that this reading leaves in doubt. One that is listed in the mirror's version as well isn't.
    pub now: HashSet<String>,
}

impl Doubts {
    /// How far the next version of a record is trusted, where the list is trusted as far as `list`.
    fn trust(&mut self, id: &str, list: Trust) -> Trust {
        if self.before.remove(id) { Trust::Alone } else { list }
    }

    fn note(&mut self, id: &str, is_stale: bool) {
        if is_stale {
            self.now.insert(id.to_owned());
        } else if !self.now.is_empty() {
            self.now.remove(id);
        }
    }
}

impl Batch<'_> {
    /// Takes records of one parent's list into the mirror, in the order given. Rows that did not change are not written.
    /// `doubts` are those of the whole list.
    ///
    /// # Errors
    /// When the mirror can't be read or written: the batch is then to be dropped.
    pub fn apply_children(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        parent: &str,
        records: &[Record],
        trust: Trust,
        doubts: &mut Doubts,
    ) -> Result<ChildrenApplied, MirrorError> {
        let mut applied = ChildrenApplied::default();
        if self.is_erased(parent) {
            return Ok(applied);
        }
        if self.is_loading {
            for record in records {
                match self.has_expired(record) {
                    true => applied.expired.push(record.id().to_owned()),
                    false => applied.rows.inserted += u64::from(self.insert(stamp, record)?.is_some()),
                }
            }
            applied.unlisted = Some(Vec::new());
            return Ok(applied);
        }
        let mut held = self.children(stream, parent)?;
        for record in records {
            let known = held.as_mut().and_then(|held| held.remove(record.id()));
            if known.is_none() && self.has_expired(record) && self.stored(stream, record.id())?.is_none() {
                applied.expired.push(record.id().to_owned());
                continue;
            }
            if known.is_none() && self.insert(stamp, record)?.is_some() {
                applied.rows.inserted += 1;
                continue;
            }
            // It may stand under another parent, or came twice in this list.
            let found = known.map_or_else(|| self.stored(stream, record.id()), |known| Ok(Some(known)))?;
            let Some(found) = found else { continue };
            self.apply_child(stamp, record, &found, (trust, doubts), &mut applied)?;
        }
        applied.unlisted = held.map(|left| left.into_iter().map(|(id, stored)| (stored.row, id)).collect());
        Ok(applied)
    }

    /// Takes a record that the mirror holds already.
    fn apply_child(
        &mut self,
        stamp: Stamp,
        record: &Record,
        stored: &Stored,
        (trust, doubts): (Trust, &mut Doubts),
        applied: &mut ChildrenApplied,
    ) -> Result<(), MirrorError> {
        let owner = stored.record.parent_id();
        if owner != record.parent_id() && judge_ownership(&stored.record, record) == Ownership::Open {
            applied.contested.push((record.id().to_owned(), owner.to_owned()));
            return Ok(());
        }
        let trust = doubts.trust(record.id(), trust);
        let is_stale = self.update(stamp, stored, record, trust, &mut applied.rows)? == Verdict::Stale;
        applied.stale += u64::from(is_stale);
        doubts.note(record.id(), is_stale);
        if stored.noted_at.is_some() {
            self.clear_missing(record.stream(), record.id())?;
        }
        Ok(())
    }

    /// Deletes children of a parent by their ids, each with its own change; returns how many there were. One that stands
    /// under another parent by now is not that parent's any more, and stays.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn delete_children(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        parent: &str,
        ids: &[String],
        evidence: &str,
    ) -> Result<u64, MirrorError> {
        let parent_key = stream.parent_key();
        let select = format!("SELECT inserted_seq FROM {stream} WHERE id = ?1 AND {parent_key} = ?2");
        let mut deleted = 0;
        for id in ids {
            let row = self
                .transaction
                .prepare_cached(&select)?
                .query_row([id.as_str(), parent], |row| row.get(0))
                .optional()?;
            if let Some(row) = row {
                deleted += 1;
                self.delete(stamp, stream, row, (id, Some(parent)), evidence)?;
            }
        }
        Ok(deleted)
    }

    /// Notes that a parent's children could not be read. They are due in every run until they can.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn note_failure(
        &mut self,
        stamp: Stamp,
        parent_stream: Stream,
        parent: &MirroredParent,
        error: &str,
    ) -> Result<(), MirrorError> {
        self.nothing_failed = false;
        self.transaction
            .prepare_cached(
                "INSERT INTO event_failures (stream, customer_id, run_id, failed_at, error) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (stream, customer_id) DO UPDATE SET run_id = excluded.run_id, \
                 failed_at = excluded.failed_at, error = excluded.error",
            )?
            .execute(params![parent_stream.name(), parent.id, stamp.run.0, utc_text(stamp.now), error])?;
        self.make_due(parent_stream, parent.row)
    }

    pub(in crate::mirror) fn clear_failure(
        &mut self,
        parent_stream: Stream,
        parent: &str,
    ) -> Result<(), MirrorError> {
        if !self.nothing_failed {
            self.transaction
                .prepare_cached("DELETE FROM event_failures WHERE stream = ?1 AND customer_id = ?2")?
                .execute([parent_stream.name(), parent])?;
        }
        Ok(())
    }

    /// The ids of a parent's children, in the order of their rows.
    pub(in crate::mirror) fn child_ids(
        &self,
        stream: Stream,
        parent: &str,
    ) -> Result<Vec<String>, MirrorError> {
        let parent_key = stream.parent_key();
        let mut select = self
            .transaction
            .prepare_cached(&format!("SELECT id FROM {stream} WHERE {parent_key} = ?1 ORDER BY rowid"))?;
        Ok(select.query_map([parent], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
    }

    /// A parent's children by id; `None` if they are too many to be read at once.
    fn children(&self, stream: Stream, parent: &str) -> Result<Option<HashMap<String, Stored>>, MirrorError> {
        let mut select = self.transaction.prepare_cached(&statements(stream).of_parent)?;
        let mut rows = select.query([parent])?;
        let mut held = HashMap::new();
        while let Some(row) = rows.next()? {
            let found = read_stored(row, stream)?;
            held.insert(found.record.id().to_owned(), found);
        }
        Ok(Some(held).filter(|held| held.len() <= READ_AT_ONCE))
    }
}
