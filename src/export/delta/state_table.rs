//! The table with the current state, cut into slices by the changes that inserted its rows: a file has the rows that
//! were inserted behind one change, up to another. What changes later changes in its slice, so that an export writes
//! the slices anew in which something has changed, straight from the mirror, and leaves the others. New rows are a
//! slice of their own, which takes in the slices before it that have no more rows than it: so there are few small
//! files, and no row is written often.
//!
//! Where much has changed since, or exports come every few seconds, bringing the table up to date each time would fill
//! the disk with files that were let go of and stay for a day: then an export leaves it, until enough time has passed
//! for that many rows, or a snapshot is asked for.

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
const CHEAP: u64 = 1_000;

/// And so many for each second since the last one wrote any.
const ROWS_A_SECOND: u64 = 300;

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
        let noted = file.noted().filter(|noted| noted.rewritten.is_none() == origin.dialect.exact)?;
        Some(Slice { inserts: noted.covers, rows: noted.rows, file: file.clone() })
    });
    // Files of other programs, or with values in the other form (`export.exact`), or versions that nobody knows any
    // more: only the whole can be right.
    let Some(slices) = slices.collect::<Option<Vec<_>>>() else { return Ok(Some(whole())) };
    let Some(touched) = snapshot.inserts_touched(stream, position)? else { return Ok(Some(whole())) };
    let new = snapshot.count_inserted(stream, position)?;
    let (plan, rows) = merge(slices, &touched.into_iter().collect(), (position, head), new);
    Ok(plan.filter(|_| is_worth(rows, txn.last_updated, origin.now)))
}

/// Whether so many rows are to be written, where the table was brought up to date then: milliseconds since 1970.
fn is_worth(rows: u64, updated: Option<i64>, now: Timestamp) -> bool {
    let Some(updated) = updated.and_then(|at| Timestamp::from_millisecond(at).ok()) else { return true };
    let age = now.duration_since(updated);
    let seconds = u64::try_from(age.as_secs()).unwrap_or(0);
    rows <= CHEAP.max(seconds.saturating_mul(ROWS_A_SECOND)) || age >= BEHIND_AT_MOST
}

/// What has to be written so that slices of the state at the first change become those of the state at the second:
/// those with touched inserts anew, and the new rows. `None` where nothing has changed. Also says how many rows that
/// is, or were.
fn merge(
    mut slices: Vec<Slice>,
    touched: &BTreeSet<i64>,
    (position, head): (i64, i64),
    new: u64,
) -> (Option<Plan>, u64) {
    slices.sort_by_key(|slice| slice.inserts);
    let (mut plan, mut rows, mut after) = (Plan::default(), new, position);
    while let Some(taken) = slices.pop_if(|slice| slice.rows <= rows && slice.rows + rows <= SLICE) {
        rows += taken.rows;
        after = taken.inserts.0;
        plan.removed.push(taken.file);
    }
    for slice in slices {
        if touched.range(slice.inserts.0 + 1..=slice.inserts.1).next().is_some() {
            rows += slice.rows;
            plan.removed.push(slice.file);
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
            [("a", (0, 10), SLICE), ("b", (10, 20), 7), ("c", (20, 30), 3)]
                .map(|(path, inserts, rows)| Slice { inserts, rows, file: file(path) })
                .to_vec()
        };
        for (touched, new, removed, written, rows) in [
            (&[][..], 0, &[][..], vec![], 0),
            (&[1, 10], 0, &["a"], vec![(0, 10)], SLICE),
            (&[11, 30], 0, &["b", "c"], vec![(10, 20), (20, 30)], 10),
            // Deleted before that, or never among these rows.
            (&[31], 0, &[], vec![], 0),
            (&[], 2, &[], vec![(35, 40)], 2),
            (&[], 3, &["c"], vec![(20, 40)], 6),
            (&[], 4, &["c", "b"], vec![(10, 40)], 14),
            (&[15, 25], 3, &["c", "b"], vec![(10, 20), (20, 40)], 13),
            (&[5], 4, &["c", "b", "a"], vec![(0, 10), (10, 40)], SLICE + 14),
            (&[], SLICE, &[], vec![(35, 40)], SLICE),
        ] {
            let touched: BTreeSet<i64> = touched.iter().copied().collect();
            let (plan, so_many) = merge(slices(), &touched, (35, 40), new);
            let plan = plan.unwrap_or_default();
            let paths: Vec<&str> = plan.removed.iter().map(|file| file.path.as_str()).collect();
            assert_eq!((&paths[..], &plan.written, so_many), (removed, &written, rows), "{touched:?} {new}");
        }
        assert_eq!(merge(vec![], &BTreeSet::new(), (0, 9), 4).0.unwrap().written, [(0, 9)]);
    }

    /// One new row an export: of so many rows there are few files, and all of them were written a few times.
    #[test]
    fn there_are_few_small_files_and_no_row_is_written_often() {
        let (mut slices, mut written, exports): (Vec<Slice>, _, _) = (Vec::new(), 0, 5_000);
        for n in 1..=exports {
            let (plan, rows) = merge(slices.clone(), &BTreeSet::new(), (n - 1, n), 1);
            let plan = plan.unwrap();
            slices.retain(|slice| !plan.removed.contains(&slice.file));
            slices.push(Slice { inserts: plan.written[0], rows, file: file(&n.to_string()) });
            written += rows;
            assert!(slices.len() <= 14, "{n}: {}", slices.len());
        }
        assert_eq!(slices.iter().map(|slice| slice.rows).sum::<u64>(), exports as u64);
        assert!(written < 14 * exports as u64, "{written}");
    }

    #[test]
    fn the_longer_it_was_the_more_is_written() {
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        let at = |seconds: i64| Some((now - SignedDuration::from_secs(seconds)).as_millisecond());
        for (rows, updated, worth) in [
            (CHEAP, at(0), true),
            (CHEAP + 1, at(0), false),
            (CHEAP + 1, at(-9), false),
            (270_000, at(900), true),
            (270_001, at(900), false),
            (u64::MAX, at(24 * 60 * 60 - 1), false),
            (u64::MAX, at(24 * 60 * 60), true),
            (u64::MAX, None, true),
        ] {
            assert_eq!(is_worth(rows, updated, now), worth, "{rows} {updated:?}");
        }
    }
}
