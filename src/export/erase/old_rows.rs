//! The rows of a file as it is, for those that the mirror doesn't know any more.

use crate::export::destination::Destination;
use crate::export::formats::{Dialect, Row, Rows};
use crate::export::layout::FileName;
use crate::export::readback::{Source, open_rows};
use std::iter::Peekable;

/// Begins to read the rows of a file as it lies there; `None` where its digest says that it isn't the one that is meant, or
/// it can't be read.
pub(super) fn rows_of(
    destination: &dyn Destination,
    (path, name, dialect): (&str, FileName, Dialect),
    is_it: impl FnOnce(&str) -> bool,
) -> Option<Rows<'static>> {
    let (_, sha256) = Source::open(destination, path).and_then(Source::finish).ok()?;
    is_it(&sha256).then(|| open_rows(destination, path, name, dialect).ok()).flatten()
}

/// The rows of a file with changes, which are read once one is asked for. The file is ours and whole, so that what can't be
/// decoded is left out.
pub(super) struct OldRows<O> {
    open: Option<O>,
    rows: Option<Peekable<Rows<'static>>>,
}

impl<O: FnOnce() -> Option<Rows<'static>>> OldRows<O> {
    pub(super) fn new(open: O) -> OldRows<O> {
        OldRows { open: Some(open), rows: None }
    }

    /// The row with this number, which is greater than those that were asked for before.
    pub(super) fn find(&mut self, seq: i64) -> Option<Row> {
        if let Some(open) = self.open.take() {
            self.rows = open().map(Rows::peekable);
        }
        let rows = self.rows.as_mut()?;
        let is_up_to = |row: &Result<Row, _>| row.as_ref().is_ok_and(|row| row.seq <= seq);
        std::iter::from_fn(|| rows.next_if(is_up_to)).flatten().find(|row| row.seq == seq)
    }
}
