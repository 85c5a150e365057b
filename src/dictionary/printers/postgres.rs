//! For PostgreSQL 12 or newer, through psql.

use super::selection::Selection;
use super::sql::{Engine, is_json, is_own_time};
use crate::dictionary::{Column, Kind};

const HEAD: &str = r#"-- For PostgreSQL, through psql: run it in the export folder, and again after each export.
--     psql -f FILE
-- STREAM_changes keeps every change, deletes too, and so a file that comes twice or late changes nothing. STREAM
-- is a view of the records as they are now. To save space, rows of STREAM_changes that a newer one of the same
-- id follows may be deleted. The files are read as NDJSON: psql before 18 takes a line \. inside a CSV text for
-- the end of the file. Where only CSV is exported and no text has such a line, read each file into
-- STREAM_changes by
--     \copy "customers_changes" FROM 'FILE' WITH (FORMAT csv, HEADER match, ENCODING 'UTF8')
-- properties and extra have the type json, which keeps their text to the byte; for an index, cast them to jsonb.
\set ON_ERROR_STOP on
"#;

const ENGINE: Engine = Engine {
    head: HEAD,
    template: include_str!("postgres.sql"),
    quote: '"',
    kind,
    wraps_nullable: false,
    comment: None,
    escaped_quote: "''",
};

fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer => "bigint",
        _ if is_json(column) => "json",
        _ if is_own_time(column) => "timestamptz",
        _ => "text",
    }
}

pub(super) fn print(selection: &Selection) -> String {
    ENGINE.print(selection)
}
