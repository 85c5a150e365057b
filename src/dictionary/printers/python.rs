//! What the printers for Python share.

use super::selection::Selection;
use crate::dictionary::{Column, exported};
use crate::record::Stream;

/// For each stream a dictionary with the types of its columns.
pub(super) fn column_types(selection: &Selection, kind: fn(&Column) -> &'static str) -> String {
    let of_stream = |stream: &Stream| {
        let columns = exported(*stream);
        let lines = columns.iter().map(|column| format!("        \"{}\": {},\n", column.name, kind(column)));
        format!("    \"{stream}\": {{\n{}    }},\n", lines.collect::<String>())
    };
    selection.streams.iter().map(of_stream).collect()
}

/// A variable for each stream.
pub(super) fn currents(selection: &Selection) -> String {
    selection.streams.iter().map(|stream| format!("{stream} = current(\"{stream}\")\n")).collect()
}
