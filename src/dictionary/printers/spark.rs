//! For Spark SQL.

use super::selection::Selection;
use super::sql::{Engine, script};
use crate::dictionary::{Column, Kind};
use crate::record::Stream;

const HEAD: &str = r#"-- For Spark SQL 4.0 or newer: run it with the export folder as the current one, and again after each export.
--     spark-sql -f FILE
-- STREAM_changes keeps every change, deletes too, and so a file that comes twice or late changes nothing. STREAM
-- is a view of the records as they are now. The files are read as NDJSON: of CSV, Spark makes NULL of the empty
-- string, and LF of CRLF inside a text. With the setting below properties and extra keep their text to the byte,
-- and without it numbers change.
SET spark.sql.json.enableExactStringParsing = true;
"#;

const ENGINE: Engine =
    Engine { quote: '`', kind, wraps_nullable: true, comment: Some(("COMMENT ", "")), escaped_quote: "\\'" };

fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer => "BIGINT",
        _ if super::sql::is_own_time(column) => "TIMESTAMP",
        _ => "STRING",
    }
}

pub(super) fn print(selection: &Selection) -> String {
    script(HEAD, selection, part)
}

fn part(stream: Stream) -> String {
    let filled = ENGINE.filling(stream);
    format!(
        include_str!("spark.sql"),
        stream = stream,
        definitions = filled.definitions,
        columns = filled.columns,
        record = filled.record,
        types = ENGINE.typed(stream)
    )
}
