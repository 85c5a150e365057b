//! For programs.

use super::selection::Selection;
use crate::dictionary::{Column, Table, exported};
use crate::record::Stream;
use serde::Serialize;

#[derive(Serialize)]
struct Dictionary<'d> {
    tables: &'d [Table],
    /// What the view of any type of events has; null where the tables have these views.
    any_event_view: &'d Option<Table>,
    /// The columns of the export files.
    exports: Vec<Exports>,
}

#[derive(Serialize)]
struct Exports {
    stream: Stream,
    columns: Vec<Column>,
}

pub(super) fn print(selection: &Selection) -> String {
    let exports =
        selection.streams.iter().map(|stream| Exports { stream: *stream, columns: exported(*stream) });
    pretty(&Dictionary {
        tables: &selection.tables,
        any_event_view: &selection.any_event_view,
        exports: exports.collect(),
    })
}

/// A value as JSON over several lines. What is printed here has a JSON form: its keys are texts.
pub(super) fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).map_or_else(|error| error.to_string(), |text| text + "\n")
}

/// A value as JSON on one line; as such it is YAML too.
pub(super) fn compact(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string())
}
