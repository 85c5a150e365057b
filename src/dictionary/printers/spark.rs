//! For Spark SQL.

use super::selection::Selection;
use super::sql::{Engine, is_own_time};
use crate::dictionary::{Column, Kind};

const HEAD: &str = r#"-- For Spark SQL 4.0 or newer: run it with the export folder as the current one, and again after each export.
--     spark-sql -f FILE
-- STREAM_changes keeps every change, deletes too, and so a file that comes twice or late changes nothing. STREAM
-- is a view of the records as they are now. The files are read as NDJSON: of CSV, Spark makes NULL of the empty
-- string, and LF of CRLF inside a text. With the setting below properties and extra keep their text to the byte,
-- and without it numbers change.
SET spark.sql.json.enableExactStringParsing = true;
"#;

const ENGINE: Engine = Engine {
    head: HEAD,
    template: include_str!("spark.sql"),
    quote: '`',
    kind,
    wraps_nullable: true,
    comment: Some(("COMMENT ", "")),
    escaped_quote: "\\'",
};

fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer => "BIGINT",
        _ if is_own_time(column) => "TIMESTAMP",
        _ => "STRING",
    }
}

pub(super) fn print(selection: &Selection) -> String {
    ENGINE.print(selection)
}
