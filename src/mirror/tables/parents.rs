//! Records of streams that have one list each, such as customers, and whose children are read list by list.

use super::lookup::{Found, look_up, look_up_one};
use super::records::{Applied, Stored, stored, time};
use crate::diff::looks::Signal;
use crate::diff::{EventPlan, Trust, Verdict, compare, is_same_record};
use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, Snapshot, Stamp};
use crate::record::{Record, RowSet, Stream};
use jiff::Timestamp;
use rusqlite::OptionalExtension;
use std::collections::HashSet;

/// What a page of a parents' list did to the mirror.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ParentsApplied {
    /// What was written.
    pub rows: Applied,
    /// Kept out, because they are of a person who was erased; counted in `first_met` as well.
    pub kept_out: u64,
    /// Lacking in the mirror, and expired unless their children keep them: not taken so far; counted in `first_met` as well.
    pub dormant: Vec<Record>,
    /// Not marked in `seen` before.
    pub first_met: u64,
    /// Listed in an older version than the mirror's, which was kept: their row numbers. In a full sync, which asks for each of
    /// these alone, also those listed in another version whose age can't be told.
    pub stale: Vec<i64>,
    /// Those whose children are to be read now; each once in a walk.
    pub due: Vec<DueParent>,
}

impl std::ops::AddAssign for ParentsApplied {
    fn add_assign(&mut self, more: ParentsApplied) {
        self.rows += more.rows;
        self.kept_out += more.kept_out;
        self.dormant.extend(more.dormant);
        self.first_met += more.first_met;
        self.stale.extend(more.stale);
        self.due.extend(more.due);
    }
}

/// What a record of a parents' list would mean for the mirror, without writing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParentPreview {
    /// What would be done with it.
    pub verdict: Verdict,
    /// The row's number, where the mirror has one.
    pub row: Option<i64>,
    /// Why its children would be read; `None`: they would not.
    pub due: Option<Signal>,
}

/// A mirrored parent, by name only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirroredParent {
    /// The row's number; records of a later page have no smaller place in any order that matters.
    pub row: i64,
    /// The vendor's identifier.
    pub id: String,
}

/// A parent whose children are to be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// The mirror holds it.
    Mirrored(DueParent),
    /// The mirror lacks it, and takes it only if its children keep it from having expired.
    Dormant(Box<Record>),
}

impl From<DueParent> for Due {
    fn from(due: DueParent) -> Due {
        Due::Mirrored(due)
    }
}

impl From<Record> for Due {
    fn from(dormant: Record) -> Due {
        Due::Dormant(Box::new(dormant))
    }
}

/// A mirrored parent whose children are to be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueParent {
    /// Whose children.
    pub parent: MirroredParent,
    /// What called for the look.
    pub signal: Signal,
}

impl Batch<'_> {
    /// Takes records of a parents' list into the mirror, in the order given. Rows that did not change are not written. Marks
    /// each record in `seen`, and tells whose children are due by `plan`; an inserted or changed record's always are.
    ///
    /// # Errors
    /// When the mirror can't be read or written: the batch is then to be dropped.
    pub fn apply_parents(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        records: &[Record],
        trust: Trust,
        plan: &EventPlan,
        seen: &mut RowSet,
    ) -> Result<ParentsApplied, MirrorError> {
        let mut applied = ParentsApplied::default();
        if self.is_loading {
            for record in records {
                if self.may_be_inactive(record) {
                    applied.dormant.push(record.clone());
                    applied.first_met += 1;
                    continue;
                }
                let Some(row) = self.insert(stamp, record)? else { continue };
                applied.rows.inserted += 1;
                applied.first_met += u64::from(seen.insert(row));
                let parent = MirroredParent { row, id: record.id().to_owned() };
                applied.due.push(DueParent { parent, signal: Signal::New });
            }
            return Ok(applied);
        }
        let mut written = HashSet::new();
        for (record, found) in records.iter().zip(look_up(&self.transaction, stream, records)?) {
            let found = match written.contains(record.id()) {
                // It stands on the page twice.
                true => look_up_one(&self.transaction, record)?,
                false => found,
            };
            if matches!(found, Found::Nothing) && self.keeps_out(stamp, record)? {
                applied.kept_out += 1;
                applied.first_met += 1;
                continue;
            }
            if matches!(found, Found::Nothing) && self.may_be_inactive(record) {
                applied.dormant.push(record.clone());
                applied.first_met += 1;
                continue;
            }
            let (row, written_for, checked_at) =
                self.apply_parent(stamp, record, found, (trust, plan), &mut applied)?;
            if written_for.is_some() {
                written.insert(record.id());
            }
            let first_time = seen.insert(row);
            applied.first_met += u64::from(first_time);
            let planned = || {
                if first_time { plan.due(row, record.id(), checked_at, stamp.now) } else { None }
            };
            if let Some(signal) = written_for.or_else(planned) {
                let parent = MirroredParent { row, id: record.id().to_owned() };
                applied.due.push(DueParent { parent, signal });
            }
        }
        Ok(applied)
    }

    /// Returns the record's row, what calls for a look if it was written, and when its children were last read.
    fn apply_parent(
        &mut self,
        stamp: Stamp,
        record: &Record,
        found: Found,
        (trust, plan): (Trust, &EventPlan),
        applied: &mut ParentsApplied,
    ) -> Result<(i64, Option<Signal>, Option<Timestamp>), MirrorError> {
        let stored = match found {
            Found::Nothing => {
                let row = self.insert(stamp, record)?;
                applied.rows.inserted += 1;
                let row = row.ok_or_else(|| MirrorError::unreadable("a table's index of ids"))?;
                return Ok((row, Some(Signal::New), None));
            }
            Found::Same { row, noted_at } => return Ok((row, None, noted_at)),
            Found::Other(stored) => stored,
        };
        // A full sync asks for it alone instead of taking a version of unknown age.
        let will_be_asked_for =
            plan.is_of_everybody() && compare(Some(&stored.record), record, trust) == Verdict::Undated;
        let verdict = match will_be_asked_for {
            true => Verdict::Stale,
            false => self.update(stamp, &stored, record, trust, &mut applied.rows)?,
        };
        if verdict == Verdict::Stale {
            applied.stale.push(stored.row);
        }
        let changed = matches!(verdict, Verdict::Update | Verdict::Undated);
        Ok((stored.row, changed.then_some(Signal::Changed), stored.noted_at))
    }

    /// Takes a record into the mirror that [`Batch::apply_parents`] left out as dormant; what the mirror holds by now stays
    /// as it is. Returns whether it was new.
    ///
    /// # Errors
    /// When the mirror can't be read or written: the batch is then to be dropped.
    pub fn take_dormant(
        &mut self,
        stamp: Stamp,
        record: &Record,
    ) -> Result<(MirroredParent, bool), MirrorError> {
        let id = record.id().to_owned();
        if let Some(row) = self.insert(stamp, record)? {
            return Ok((MirroredParent { row, id }, true));
        }
        let held = self.parent(record.stream(), &id)?;
        let held = held.ok_or_else(|| MirrorError::unreadable("a table's index of ids"))?;
        Ok((held, false))
    }

    /// Leaves out a dormant record for good in this run: a failure to read its children is over.
    ///
    /// # Errors
    /// When the mirror can't be written.
    pub fn leave_dormant(&mut self, record: &Record) -> Result<(), MirrorError> {
        self.clear_failure(record.stream(), record.id())
    }

    /// How many of these records, which are of one stream, the mirror holds, as far as ids and times of creation tell:
    /// another account's records may have the same ids.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn known(&self, stream: Stream, records: &[Record]) -> Result<u64, MirrorError> {
        let mut known = 0;
        for (record, found) in records.iter().zip(look_up(&self.transaction, stream, records)?) {
            known += u64::from(match found {
                Found::Nothing => false,
                Found::Same { .. } => true,
                Found::Other(stored) => is_same_record(&stored.record, record),
            });
        }
        Ok(known)
    }

    /// Deletes a parent with all its children, each with its own change and the same evidence. Returns how many children
    /// went with it, `None` where the mirror has no such record.
    ///
    /// # Errors
    /// When the mirror can't be read or written.
    pub fn delete_parent(
        &mut self,
        stamp: Stamp,
        stream: Stream,
        id: &str,
        evidence: &str,
    ) -> Result<Option<u64>, MirrorError> {
        let Some(MirroredParent { row, .. }) = self.parent(stream, id)? else { return Ok(None) };
        let mut deleted = 0;
        if let Some(child) = stream.child() {
            let children = self.child_ids(child, id)?;
            deleted = self.delete_children(stamp, child, id, &children, evidence)?;
            self.forget_list(child, id)?;
        }
        self.delete(stamp, stream, row, (id, None), evidence)?;
        Ok(Some(deleted))
    }

    /// Makes a record's children due, without a word about how they were read.
    pub(in crate::mirror) fn make_due(&mut self, stream: Stream, row: i64) -> Result<(), MirrorError> {
        self.transaction
            .prepare_cached(&format!(
                "UPDATE {stream} SET events_checked_at = NULL WHERE inserted_seq = ?1 AND events_checked_at IS NOT NULL"
            ))?
            .execute([row])?;
        Ok(())
    }

    /// The mirrored record with this id.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn parent(&self, stream: Stream, id: &str) -> Result<Option<MirroredParent>, MirrorError> {
        let mut select =
            self.transaction.prepare_cached(&format!("SELECT inserted_seq FROM {stream} WHERE id = ?1"))?;
        let row = select.query_row([id], |row| row.get(0)).optional()?;
        Ok(row.map(|row| MirroredParent { row, id: id.to_owned() }))
    }

    /// Those of these records whose children were last read to their end before `since`, or not at all.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn unread_since(
        &self,
        stream: Stream,
        ids: Vec<String>,
        since: Timestamp,
    ) -> Result<Vec<MirroredParent>, MirrorError> {
        let mut unread = Vec::new();
        for id in ids {
            let Some(Stored { row, noted_at, .. }) = self.stored(stream, &id)? else { continue };
            // The mirror keeps milliseconds.
            if noted_at.is_none_or(|at| at.as_millisecond() < since.as_millisecond()) {
                unread.push(MirroredParent { row, id });
            }
        }
        Ok(unread)
    }

    /// Mirrored records that `seen` lacks, in the order of their rows; at most `limit`, from those after row `after`.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn parents_not_in(
        &self,
        stream: Stream,
        seen: &RowSet,
        after: i64,
        limit: usize,
    ) -> Result<Vec<MirroredParent>, MirrorError> {
        self.parents_that(stream, after, limit, |parent, _| (!seen.contains(parent.row)).then_some(parent))
    }

    /// The mirrored records in `seen`, in the order of their rows; at most `limit`, from those after row `after`.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn parents_in(
        &self,
        stream: Stream,
        seen: &RowSet,
        after: i64,
        limit: usize,
    ) -> Result<Vec<MirroredParent>, MirrorError> {
        self.parents_that(stream, after, limit, |parent, _| seen.contains(parent.row).then_some(parent))
    }

    /// The mirrored records in `seen` whose children are due by `plan`, in the order of their rows; at most `limit`, from
    /// those after row `after`.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn parents_due(
        &self,
        stream: Stream,
        seen: &RowSet,
        (plan, now): (&EventPlan, Timestamp),
        after: i64,
        limit: usize,
    ) -> Result<Vec<DueParent>, MirrorError> {
        self.parents_that(stream, after, limit, |parent, checked_at| {
            let due = || plan.due(parent.row, &parent.id, checked_at, now);
            let signal = seen.contains(parent.row).then(due).flatten()?;
            Some(DueParent { parent, signal })
        })
    }

    /// What `take` makes of mirrored records, in the order of their rows. It is told when their children were last read.
    fn parents_that<T>(
        &self,
        stream: Stream,
        after: i64,
        limit: usize,
        take: impl Fn(MirroredParent, Option<Timestamp>) -> Option<T>,
    ) -> Result<Vec<T>, MirrorError> {
        let mut select = self.transaction.prepare_cached(&format!(
            "SELECT rowid, id, events_checked_at FROM {stream} WHERE rowid > ?1 ORDER BY rowid"
        ))?;
        let mut rows = select.query([after])?;
        let mut found = Vec::new();
        while found.len() < limit
            && let Some(row) = rows.next()?
        {
            found.extend(take(MirroredParent { row: row.get(0)?, id: row.get(1)? }, time(row, 2)?));
        }
        Ok(found)
    }

    /// Keeps a record that came and can't be taken as the mirror holds it, if it does: it is marked in `seen`. Returns
    /// it if its children are due by `plan`. If the record `is_new`, they are: nothing says what changed.
    ///
    /// # Errors
    /// When the mirror can't be read or written.
    pub fn keep_parent(
        &mut self,
        stream: Stream,
        id: &str,
        is_new: bool,
        (plan, now): (&EventPlan, Timestamp),
        seen: &mut RowSet,
    ) -> Result<Option<DueParent>, MirrorError> {
        if self.is_loading {
            return Ok(None);
        }
        let Some(Stored { row, noted_at, .. }) = self.stored(stream, id)? else { return Ok(None) };
        if is_new {
            self.make_due(stream, row)?;
        }
        let first_time = seen.insert(row);
        let planned = || if first_time { plan.due(row, id, noted_at, now) } else { None };
        let signal = is_new.then_some(Signal::Changed).or_else(planned);
        Ok(signal.map(|signal| DueParent { parent: MirroredParent { row, id: id.to_owned() }, signal }))
    }
}

impl Snapshot<'_> {
    /// What a record of a parents' list would mean for the mirror.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn preview(
        &self,
        record: &Record,
        plan: &EventPlan,
        now: Timestamp,
    ) -> Result<ParentPreview, MirrorError> {
        let stored = stored(&self.transaction, record.stream(), record.id())?;
        let verdict = compare(stored.as_ref().map(|stored| &stored.record), record, Trust::Listed);
        let written_for = match verdict {
            Verdict::Insert => Some(Signal::New),
            Verdict::Update | Verdict::Undated => Some(Signal::Changed),
            Verdict::Unchanged | Verdict::Stale => None,
        };
        let row = stored.as_ref().map(|stored| stored.row);
        let planned =
            || plan.due(row.unwrap_or_default(), record.id(), stored.as_ref().and_then(|s| s.noted_at), now);
        Ok(ParentPreview { verdict, row, due: written_for.or_else(planned) })
    }
}
