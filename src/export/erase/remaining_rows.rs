//! The rows that a file is to have without the erased ones: as the mirror knows them, or else as the old file has them.

use super::erased_changes::ErasedChanges;
use super::old_rows::OldRows;
use crate::export::error::ExportError;
use crate::export::formats::{Row, Rows};
use crate::export::layout::{Covers, FileName};
use crate::mirror::{Change, History, Logged, Snapshot};
use crate::record::{Op, Stream};
use std::collections::{BTreeMap, BTreeSet};

/// What writing a file again came to.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Erased rows that it may have had.
    pub(super) records: u64,
    /// Rows of others that nobody knows any more.
    pub(super) left_out: u64,
}

pub(super) struct RemainingRows<'r> {
    pub(super) snapshot: &'r Snapshot<'r>,
    pub(super) history: History<'r>,
    pub(super) erased: ErasedChanges,
}

impl RemainingRows<'_> {
    /// Hands over the rows that such a file is to have; `open` begins to read those of the file as it is, where they are
    /// wanted: of most files the mirror knows every row. A joined file of a table (`has_older`) has older changes as well.
    /// Versions that have expired are left out where their successors stand in later files, which reach as far as `end`.
    pub(super) fn of(
        &self,
        (name, end): (FileName, i64),
        open: impl FnOnce() -> Option<Rows<'static>>,
        has_older: bool,
        write: &mut dyn FnMut(&Change<'_>) -> Result<(), ExportError>,
    ) -> Result<Counts, ExportError> {
        let range = match name.covers {
            Covers::Changes { first_seq, last_seq } => (first_seq, last_seq),
            Covers::State { head_seq } => return self.of_state((name, end), head_seq, open, write),
        };
        let (mut counts, mut old) = (Counts::default(), OldRows::new(open));
        self.history.changes(name.stream, range, |logged| {
            let change = logged.change;
            let is_wanted = self.history.is_exported_by(name.stream, &logged, range.1)?;
            let is_gone = self.erased.is_gone(name.stream, change.seq, end);
            let is_unknown = change.row.is_none() && !is_gone && is_wanted;
            let kept = if is_unknown || has_older { old.find(change.seq) } else { None };
            if !is_wanted && kept.is_none() {
                return Ok(());
            }
            counts.records += u64::from(is_gone);
            match (change.row, kept) {
                (Some(_), _) => write(&change),
                (None, Some(row)) if !is_gone => {
                    write(&Change { op: row.op, row: Some(&row.values(name.stream.columns())), ..change })
                }
                (None, _) => {
                    counts.left_out += 1;
                    Ok(())
                }
            }
        })?;
        Ok(counts)
    }

    /// As [`RemainingRows::of`], of a snapshot. Where the mirror no longer knows that state, it comes in the order of its
    /// changes, whatever the order of the old file.
    fn of_state(
        &self,
        (name, end): (FileName, i64),
        head_seq: i64,
        open: impl FnOnce() -> Option<Rows<'static>>,
        write: &mut dyn FnMut(&Change<'_>) -> Result<(), ExportError>,
    ) -> Result<Counts, ExportError> {
        let mut counts = Counts::default();
        if self.snapshot.knows_state(name.stream, head_seq)? {
            self.each_of_state(name.stream, head_seq, |logged| {
                counts.records += u64::from(logged.change.op == Op::Erase);
                Ok(())
            })?;
            // In the order in which a repair writes it.
            self.snapshot.rows(name.stream, head_seq, |change| write(&change))?;
            return Ok(counts);
        }
        let unknown = self.unknown_of_state(name.stream, head_seq, end)?;
        let rows = if unknown.is_empty() { None } else { open() };
        let wanted = rows.into_iter().flatten().flatten().filter(|row| unknown.contains(&row.seq));
        let mut kept: BTreeMap<i64, Row> = wanted.map(|row| (row.seq, row)).collect();
        self.each_of_state(name.stream, head_seq, |logged| {
            let change = logged.change;
            counts.records += u64::from(self.erased.is_gone(name.stream, change.seq, end));
            match (change.row, kept.remove(&change.seq)) {
                (Some(_), _) if change.op == Op::Erase => Ok(()),
                (Some(_), _) => write(&Change { op: Op::Insert, ..change }),
                (None, Some(row)) => {
                    write(&Change { op: row.op, row: Some(&row.values(name.stream.columns())), ..change })
                }
                (None, None) => {
                    counts.left_out += 1;
                    Ok(())
                }
            }
        })?;
        Ok(counts)
    }

    /// The changes that have a row in the state as of a change, in their order.
    fn each_of_state(
        &self,
        stream: Stream,
        head_seq: i64,
        mut each: impl FnMut(&Logged<'_>) -> Result<(), ExportError>,
    ) -> Result<(), ExportError> {
        self.history.changes(stream, (1, head_seq), |logged| {
            let is_there = logged.is_newest_up_to(head_seq) && logged.change.op != Op::Delete;
            if is_there { each(&logged) } else { Ok(()) }
        })
    }

    /// Those of them that the mirror can't tell any more, but for those that are to go.
    fn unknown_of_state(
        &self,
        stream: Stream,
        head_seq: i64,
        end: i64,
    ) -> Result<BTreeSet<i64>, ExportError> {
        let mut unknown = BTreeSet::new();
        self.each_of_state(stream, head_seq, |logged| {
            let seq = logged.change.seq;
            if logged.change.row.is_none() && !self.erased.is_gone(stream, seq, end) {
                unknown.insert(seq);
            }
            Ok(())
        })?;
        Ok(unknown)
    }
}
