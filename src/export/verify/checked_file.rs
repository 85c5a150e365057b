//! One file under examination.

use super::chain::Entry;
use crate::export::difference::Difference;
use crate::export::formats::Dialect;
use crate::export::layout::{FileName, Kind, in_folder};
use crate::export::manifest::ManifestLine;
use crate::record::Stream;

/// How many rows of one file are named, so that one bad file doesn't hide the others.
const SHOWN_OF_A_FILE: usize = 5;

/// A file, and what was found out about its rows.
pub(in crate::export) struct CheckedFile<'f> {
    pub(in crate::export) kind: Kind,
    pub(in crate::export) entry: &'f Entry,
    pub(in crate::export) name: FileName,
    /// Up to which change the stream was exported in this format.
    pub(in crate::export) chain_end: i64,
    pub(super) differences: Vec<Difference>,
    pub(super) count: u64,
    pub(super) contradicted: bool,
}

/// What a file's rows come to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(in crate::export) struct RowCounts {
    /// Rows that were read.
    pub(in crate::export) rows: u64,
    /// Rows that the mirror holds to this day as they stand there.
    pub(in crate::export) current: u64,
    /// Changes that a repair left out, since a newer one of the same record stands in a later file.
    pub(in crate::export) left_out: u64,
    /// Values that were rewritten for readers' sake, in rows of which the mirror knows what the API gave.
    pub(in crate::export) rewritten: u64,
    /// Whether the rows could be read to their end.
    pub(in crate::export) whole: bool,
}

impl<'f> CheckedFile<'f> {
    pub(in crate::export) fn new(
        kind: Kind,
        entry: &'f Entry,
        name: FileName,
        chain_end: i64,
    ) -> CheckedFile<'f> {
        CheckedFile { kind, entry, name, chain_end, differences: Vec::new(), count: 0, contradicted: false }
    }

    pub(in crate::export) fn line(&self) -> &ManifestLine {
        &self.entry.line
    }

    /// How its rows are written, by the line's word.
    pub(in crate::export) fn dialect(&self) -> Dialect {
        self.line().dialect()
    }

    pub(in crate::export) fn stream(&self) -> Stream {
        self.name.stream
    }

    /// A difference of this file, to be told where in it and what.
    pub(in crate::export) fn difference(&self, what: impl Into<String>) -> Difference {
        Difference::of_file(&in_folder(self.kind, &self.line().path), what)
    }

    /// Takes a difference of a row.
    pub(in crate::export) fn differs(&mut self, difference: Difference) {
        self.count += 1;
        if self.differences.len() < SHOWN_OF_A_FILE {
            self.differences.push(difference);
        }
    }

    /// Takes a row that the change log contradicts.
    pub(in crate::export) fn contradicted(&mut self, difference: Difference) {
        self.contradicted = true;
        self.differs(difference);
    }
}
