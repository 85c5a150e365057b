//! How a file's rows are written, beyond its format: the configuration's choice for new files, and the manifest line's word
//! for files that are there.

use crate::mirror::Change;
use crate::record::{Op, Value};

/// The layout of header and deletes that is written now.
pub(in crate::export) const LAYOUT: u32 = 2;

/// The one of manifest lines that name none.
pub(in crate::export) const OLD_LAYOUT: u32 = 1;

/// How a file's rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::export) struct Dialect {
    /// Whether it is of layout 1, which older versions wrote: CSV's header line has no quotes, and a delete has the `id`
    /// alone, in NDJSON without the other members.
    pub(in crate::export) old_layout: bool,
    /// Whether every value stands there as the API gave it, also where common readers don't take it: see
    /// [`super::portable`].
    pub(in crate::export) exact: bool,
    /// Whether CSV begins with a byte order mark.
    pub(in crate::export) bom: bool,
    /// Whether text in CSV is kept from being taken for formulas.
    pub(in crate::export) guarded: bool,
}

impl Dialect {
    /// The number of its layout.
    pub(in crate::export) fn layout(self) -> u32 {
        if self.old_layout { OLD_LAYOUT } else { LAYOUT }
    }

    /// The value that stands for a change in the n-th of its stream's columns, counted from 0.
    pub(in crate::export) fn value<'a>(self, change: &Change<'a>, n: usize) -> Value<'a> {
        let only_id = self.old_layout && change.op == Op::Delete;
        match change.row.and_then(|row| row.get(n)) {
            Some(value) if n == 0 || !only_id => *value,
            _ => Value::Null,
        }
    }
}

#[cfg(test)]
impl Dialect {
    /// Nothing special.
    pub(in crate::export) const PLAIN: Dialect =
        Dialect { old_layout: false, exact: false, bom: false, guarded: false };
}
