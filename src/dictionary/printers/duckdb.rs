//! For DuckDB.

use super::selection::Selection;
use super::sql::{Engine, is_json, is_own_time};
use crate::dictionary::{Column, Kind};

const HEAD: &str = r#"-- For DuckDB 1.2 or newer: run it in the export folder, and again after each export.
--     duckdb malomo.duckdb < FILE
-- STREAM_changes keeps every change, deletes too, and so a file that comes twice or late changes nothing. STREAM
-- is a view of the records as they are now. The variable STREAM_files has every file of the manifest; fewer, in
-- any order, do as well. Without allow_quoted_nulls = false the empty string would be NULL, and with parallel =
-- true long texts that hold line ends can end the reading. properties and extra have the type JSON, which keeps
-- their text to the byte.
"#;

const ENGINE: Engine = Engine {
    head: HEAD,
    template: include_str!("duckdb.sql"),
    quote: '"',
    kind,
    wraps_nullable: false,
    comment: None,
    escaped_quote: "''",
};

fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer => "BIGINT",
        _ if is_json(column) => "JSON",
        _ if is_own_time(column) => "TIMESTAMPTZ",
        _ => "VARCHAR",
    }
}

pub(super) fn print(selection: &Selection) -> String {
    ENGINE.print(selection)
}
