//! For polars.

use super::python::{column_types, currents};
use super::selection::Selection;
use crate::dictionary::{Column, Kind};

fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer => "pl.Int64",
        _ => "pl.String",
    }
}

pub(super) fn print(selection: &Selection) -> String {
    let columns = column_types(selection, kind);
    format!(include_str!("polars.py"), columns = columns, currents = currents(selection))
        .trim_end()
        .to_owned()
        + "\n"
}
