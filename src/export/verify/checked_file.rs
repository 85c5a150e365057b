//! One file under examination.

use super::chain::NumberedLine;
use crate::export::difference::Difference;
use crate::export::formats::{Dialect, Format};
use crate::export::layout::{FileName, Kind, in_folder};
use crate::export::manifest::ManifestLine;
use crate::record::Stream;

/// How many rows of one file are named, so that one bad file doesn't hide the others.
const SHOWN_OF_A_FILE: usize = 5;

/// A file, and what was found out about its rows.
pub(super) struct CheckedFile<'f> {
    pub(super) kind: Kind,
    pub(super) entry: &'f NumberedLine,
    pub(super) name: FileName,
    /// Up to which change the stream was exported in this format.
    pub(super) chain_end: i64,
    pub(super) differences: Vec<Difference>,
    pub(super) count: u64,
    pub(super) contradicted: bool,
}

/// What a file's rows come to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct RowCounts {
    /// Rows that were read.
    pub(super) rows: u64,
    /// Rows that the mirror holds to this day as they stand there.
    pub(super) current: u64,
    /// Changes that a repair left out, since a newer one of the same record stands in a later file.
    pub(super) left_out: u64,
    /// Values that were rewritten for readers' sake, in rows of which the mirror knows what the API gave.
    pub(super) rewritten: u64,
    /// Whether the rows could be read to their end.
    pub(super) whole: bool,
}

impl<'f> CheckedFile<'f> {
    pub(super) fn new(
        kind: Kind,
        entry: &'f NumberedLine,
        name: FileName,
        chain_end: i64,
    ) -> CheckedFile<'f> {
        CheckedFile { kind, entry, name, chain_end, differences: Vec::new(), count: 0, contradicted: false }
    }

    pub(super) fn line(&self) -> &ManifestLine {
        &self.entry.line
    }

    /// How its rows are written, by the line's word.
    pub(super) fn dialect(&self) -> Dialect {
        self.line().dialect()
    }

    /// Whether it may have several changes of a record: its rows were copied from files of a table.
    pub(super) fn has_older_changes(&self) -> bool {
        self.line().joined > 0 && Format::TABLES.iter().any(|format| format.name() == self.line().format)
    }

    pub(super) fn stream(&self) -> Stream {
        self.name.stream
    }

    /// A difference of this file, to be told where in it and what.
    pub(super) fn difference(&self, what: impl Into<String>) -> Difference {
        Difference::of_file(&in_folder(self.kind, &self.line().path), what)
    }

    /// Takes a difference of a row.
    pub(super) fn differs(&mut self, difference: Difference) {
        self.count += 1;
        if self.differences.len() < SHOWN_OF_A_FILE {
            self.differences.push(difference);
        }
    }

    /// Takes a row that the change log contradicts.
    pub(super) fn contradicted(&mut self, difference: Difference) {
        self.contradicted = true;
        self.differs(difference);
    }
}
