//! For DuckDB, which reads the mirror itself.

use super::selection::Selection;
use crate::dictionary::entry::UTC;
use crate::dictionary::{Column, Kind, Table};

const HEAD: &str = r#"-- For DuckDB 1.3 or newer with its extension sqlite: run it in the mirror's folder, in each session.
--     duckdb -init FILE
-- Every table and view of the mirror, as it is at the moment of each query; nothing is copied. SQLite itself answers, since
-- DuckDB reads the text of SQLite's views in its own way: mirror.orders may fail or differ, orders does not. JSON is text.
-- The SQLite in DuckDB's extension is an old one, which can be a millisecond off where a time came with an offset.
LOAD sqlite;
ATTACH IF NOT EXISTS 'mirror.db' AS mirror (TYPE sqlite, READ_ONLY);
"#;

pub(super) fn print(selection: &Selection) -> String {
    let views: Vec<String> = selection.tables.iter().map(view).collect();
    format!("{HEAD}\n{}", views.join("\n"))
}

fn view(table: &Table) -> String {
    let name = &table.name;
    let given: Vec<String> = table.columns.iter().map(given).collect();
    let columns: Vec<String> = table.columns.iter().map(column).collect();
    format!(
        "CREATE OR REPLACE TEMP VIEW \"{name}\" AS\nSELECT {}\nFROM sqlite_query('mirror', 'SELECT {} FROM \"{name}\"');\n",
        columns.join(",\n       "),
        given.join(", ")
    )
}

/// What SQLite hands over is text, and of a number all its digits are wanted.
fn given(column: &Column) -> String {
    let name = &column.name;
    match column.kind {
        Kind::Real => format!("iif(\"{name}\" IS NULL, NULL, printf(''%!.17g'', \"{name}\")) AS \"{name}\""),
        _ => format!("\"{name}\""),
    }
}

fn column(column: &Column) -> String {
    let name = &column.name;
    format!("CAST(\"{name}\" AS {}) AS \"{name}\"", kind(column))
}

fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer => "BIGINT",
        Kind::Real => "DOUBLE",
        Kind::Blob => "BLOB",
        Kind::Time if column.unit == Some(UTC) => "TIMESTAMPTZ",
        _ => "VARCHAR",
    }
}
