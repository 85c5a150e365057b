//! The form of a file's rows, beyond its format: the configuration's choice for new files, and the manifest line's word for
//! files that are there.

use super::{Format, ManifestLine, Settings};
use crate::mirror::Change;
use crate::record::{Op, Value};

/// The layout of header and deletes that is written now.
pub(super) const LAYOUT: u32 = 2;

/// The one of manifest lines that name none.
pub(super) const OLD_LAYOUT: u32 = 1;

/// How a file's rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    /// Whether it is of layout 1, which older versions wrote: CSV's header line has no quotes, and a delete has the `id`
    /// alone, in NDJSON without the other members.
    pub(super) old_layout: bool,
    /// Whether every value stands there as the API gave it, also where common readers don't take it: see
    /// [`super::readable`].
    pub(super) exact: bool,
    /// Whether CSV begins with a byte order mark.
    pub(super) bom: bool,
    /// Whether text in CSV is kept from being taken for formulas.
    pub(super) guarded: bool,
}

impl Form {
    /// The form of new files.
    pub(super) fn of_settings(settings: &Settings, format: Format) -> Form {
        let is_csv = format == Format::Csv;
        Form {
            old_layout: false,
            exact: settings.exact,
            bom: is_csv && settings.csv_bom,
            guarded: is_csv && settings.csv_formula_guard,
        }
    }

    /// The form that this line says its file has.
    pub(super) fn of_line(line: &ManifestLine) -> Form {
        Form {
            old_layout: line.layout < LAYOUT,
            exact: line.rewritten.is_none(),
            bom: line.csv_bom,
            guarded: line.csv_formula_guard,
        }
    }

    /// The number of its layout.
    pub(super) fn layout(self) -> u32 {
        if self.old_layout { OLD_LAYOUT } else { LAYOUT }
    }

    /// The value that stands for a change in the n-th of its stream's columns, counted from 0.
    pub(super) fn value<'a>(self, change: &Change<'a>, n: usize) -> Value<'a> {
        let only_id = self.old_layout && change.op == Op::Delete;
        match change.row.and_then(|row| row.get(n)) {
            Some(value) if n == 0 || !only_id => *value,
            _ => Value::Null,
        }
    }
}

#[cfg(test)]
impl Form {
    /// Nothing special.
    pub(super) const PLAIN: Form = Form { old_layout: false, exact: false, bom: false, guarded: false };
}
