//! The table with the current state, cut into slices by the changes that inserted its rows: a file has the rows that were inserted
//! behind one change, up to another. What changes later changes in its slice, so that an export writes the slices anew in which
//! something has changed, straight from the mirror, and leaves the others; new rows go into the last slice until that is full.
//!
//! Where much has changed since, bringing the table up to date costs more than few changes are worth, and the files that are
//! let go of stay for a day: then an export leaves it, until a day has passed or a snapshot is asked for.

use super::actions::{Action, Add, Remove};
use super::data_file::{DataFile, Origin};
use super::log::TableLog;
use crate::export::error::ExportError;
use crate::export::formats::FileFacts;
use crate::export::table_commit::TableCommit;
use crate::mirror::Snapshot;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// Rows of a slice.
const SLICE: u64 = 64 * 1024;

/// So many rows are written by any export.
const CHEAP: u64 = 4 * SLICE;

/// The table is brought up to date after that time, whatever it costs.
const BEHIND_AT_MOST: SignedDuration = SignedDuration::from_hours(24);

/// What is to become of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::export) enum State {
    /// It is written as a whole.
    Whole,
    /// What has changed is written, where that is cheap.
    Merged,
}

/// A file of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slice {
    /// It has the rows whose inserts are behind the first number, up to the second.
    inserts: (i64, i64),
    rows: u64,
    file: Add,
}

/// Which files go, and the rows that are written in their place: ranges of inserts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Plan {
    removed: Vec<Add>,
    written: Vec<(i64, i64)>,
}

/// Brings the table to the mirror's state, as one commit. Durable on return. `None` where nothing is done: nothing has
/// changed, or it would cost too much now.
pub(super) fn update(
    snapshot: &Snapshot<'_>,
    log: &mut TableLog,
    begin: Vec<Action>,
    state: State,
    origin: &Origin,
) -> Result<Option<TableCommit>, ExportError> {
    let head = snapshot.head()?;
    let Some(plan) = plan(snapshot, log, !begin.is_empty() || state == State::Whole, head, origin)? else {
        return Ok(None);
    };
    let mut files = Files::new(log, head, origin);
    for range in &plan.written {
        files.write(snapshot, *range)?;
    }
    let (added, rows) = (files.added, files.rows);
    let at = origin.now.as_millisecond();
    let mut actions = begin;
    actions.extend(plan.removed.iter().map(|file| Remove::of(file, at).into()));
    actions.extend(added.into_iter().map(Action::from));
    let operation = if state == State::Whole { "WRITE" } else { "MERGE" };
    let version = log.commit((operation, false), actions, (&origin.mirror_id, Some(head)), origin.now)?;
    Ok(Some(TableCommit { table: log.table.to_string(), version, last_seq: head, rows }))
}

fn plan(
    snapshot: &Snapshot<'_>,
    log: &TableLog,
    is_whole: bool,
    head: i64,
    origin: &Origin,
) -> Result<Option<Plan>, ExportError> {
    let whole = || Plan { removed: log.files.values().cloned().collect(), written: vec![(0, head)] };
    let (Some(txn), false) = (log.txn(&origin.mirror_id), is_whole) else { return Ok(Some(whole())) };
    let (stream, position) = (log.table.stream, txn.version);
    let slices = log.files.values().map(|file| {
        let noted = file.noted()?;
        Some(Slice { inserts: noted.covers, rows: noted.rows, file: file.clone() })
    });
    // Files of other programs, or versions that nobody knows any more: only the whole can be right.
    let Some(slices) = slices.collect::<Option<Vec<_>>>() else { return Ok(Some(whole())) };
    let Some(touched) = snapshot.inserts_touched(stream, position)? else { return Ok(Some(whole())) };
    let new = snapshot.count_inserted(stream, position)?;
    let (plan, rows) = merge(slices, &touched.into_iter().collect(), (position, head), new);
    Ok(plan.filter(|_| rows <= CHEAP || is_late(txn.last_updated, origin.now)))
}

fn is_late(updated: Option<i64>, now: Timestamp) -> bool {
    let updated = updated.and_then(|at| Timestamp::from_millisecond(at).ok());
    updated.is_none_or(|at| now.duration_since(at) >= BEHIND_AT_MOST)
}

/// What has to be written so that slices of the state at the first change become those of the state at the second: those with
/// touched inserts anew, and the new rows. `None` where nothing has changed. Also says how many rows that is, or were.
fn merge(
    mut slices: Vec<Slice>,
    touched: &BTreeSet<i64>,
    (position, head): (i64, i64),
    new: u64,
) -> (Option<Plan>, u64) {
    slices.sort_by_key(|slice| slice.inserts);
    let last = slices.len().saturating_sub(1);
    let (mut plan, mut rows, mut after) = (Plan::default(), new, position);
    for (n, slice) in slices.into_iter().enumerate() {
        let grows = n == last && new > 0 && slice.rows + new <= SLICE;
        let is_touched = touched.range(slice.inserts.0 + 1..=slice.inserts.1).next().is_some();
        if !grows && !is_touched {
            continue;
        }
        rows += slice.rows;
        plan.removed.push(slice.file);
        if grows {
            after = slice.inserts.0;
        } else {
            plan.written.push(slice.inserts);
        }
    }
    if new > 0 {
        plan.written.push((after, head));
    }
    (Some(plan).filter(|plan| *plan != Plan::default()), rows)
}

/// The files of a commit while they are written.
struct Files<'l> {
    log: &'l TableLog,
    head: i64,
    origin: &'l Origin,
    added: Vec<Add>,
    rows: u64,
}

impl<'l> Files<'l> {
    fn new(log: &'l TableLog, head: i64, origin: &'l Origin) -> Files<'l> {
        Files { log, head, origin, added: Vec::new(), rows: 0 }
    }

    /// Writes the rows with these inserts, as one slice or several; no row, no file.
    fn write(&mut self, snapshot: &Snapshot<'_>, (after, through): (i64, i64)) -> Result<(), ExportError> {
        let (mut begins, mut newest) = (after, after);
        let mut file: Option<DataFile<'_>> = None;
        snapshot.rows_inserted(self.log.table.stream, (after, through), |inserted, change| {
            if let Some(full) = file.take_if(|file| file.count >= SLICE) {
                self.added.push(full.finish((begins, newest), self.origin.now)?);
                begins = newest;
            }
            let file = match &mut file {
                Some(file) => file,
                none => none.insert(self.begin()?),
            };
            (newest, self.rows) = (inserted, self.rows + 1);
            file.write(&change)
        })?;
        if let Some(file) = file {
            self.added.push(file.finish((begins, through), self.origin.now)?);
        }
        Ok(())
    }

    fn begin(&self) -> Result<DataFile<'l>, ExportError> {
        let (stream, mirror_id) = (self.log.table.stream, self.origin.mirror_id.as_str());
        let facts = FileFacts { stream, mirror_id, first_seq: 1, last_seq: self.head, is_snapshot: true };
        let (log, version) = (self.log, self.log.next_version());
        DataFile::begin(&*log.destination, log.table, version, &facts, self.origin.dialect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn file(path: &str) -> Add {
        Add {
            path: path.to_owned(),
            partition_values: BTreeMap::new(),
            size: 1,
            modification_time: 0,
            data_change: true,
            stats: None,
            tags: None,
        }
    }

    #[test]
    fn what_has_changed_is_written_and_nothing_else() {
        let slices = || {
            [("a", (0, 10), SLICE), ("b", (10, 20), 7), ("c", (20, 30), SLICE - 2)]
                .map(|(path, inserts, rows)| Slice { inserts, rows, file: file(path) })
                .to_vec()
        };
        for (touched, new, removed, written, rows) in [
            (&[][..], 0, &[][..], vec![], 0),
            (&[1, 10], 0, &["a"], vec![(0, 10)], SLICE),
            (&[11, 30], 0, &["b", "c"], vec![(10, 20), (20, 30)], SLICE + 5),
            // Deleted before that, or never among these rows.
            (&[31], 0, &[], vec![], 0),
            (&[], 2, &["c"], vec![(20, 40)], SLICE),
            (&[], 3, &[], vec![(35, 40)], 3),
            (&[25, 5], 2, &["a", "c"], vec![(0, 10), (20, 40)], 2 * SLICE),
            (&[25], 3, &["c"], vec![(20, 30), (35, 40)], SLICE + 1),
        ] {
            let touched: BTreeSet<i64> = touched.iter().copied().collect();
            let (plan, so_many) = merge(slices(), &touched, (35, 40), new);
            let plan = plan.unwrap_or_default();
            let paths: Vec<&str> = plan.removed.iter().map(|file| file.path.as_str()).collect();
            assert_eq!((&paths[..], &plan.written, so_many), (removed, &written, rows), "{touched:?} {new}");
        }
        assert_eq!(merge(vec![], &BTreeSet::new(), (0, 9), 4).0.unwrap().written, [(0, 9)]);
    }

    #[test]
    fn a_day_is_the_most_that_it_is_behind() {
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        let at = |hours: i64| Some((now - SignedDuration::from_hours(hours)).as_millisecond());
        for (updated, late) in
            [(at(0), false), (at(23), false), (at(24), true), (at(-5), false), (None, true)]
        {
            assert_eq!(is_late(updated, now), late, "{updated:?}");
        }
    }
}
