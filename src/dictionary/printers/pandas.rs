//! For pandas.

use super::python::{column_types, currents};
use super::selection::Selection;
use crate::dictionary::{Column, Kind};

fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer => "pa.int64()",
        _ if super::sql::is_own_time(column) => "pa.timestamp(\"ms\", \"UTC\")",
        _ => "pa.string()",
    }
}

pub(super) fn print(selection: &Selection) -> String {
    let columns = column_types(selection, kind);
    format!(include_str!("pandas.py"), columns = columns, currents = currents(selection))
        .trim_end()
        .to_owned()
        + "\n"
}
