//! For ClickHouse.

use super::selection::Selection;
use super::sql::{Engine, is_own_time};
use crate::dictionary::{Column, Kind};

const HEAD: &str = r#"-- For ClickHouse, by clickhouse-local in the export folder, and again after each export:
--     clickhouse local --path malomo.clickhouse --multiquery < FILE
-- For a server put the export folder into its user_files, or give each file to clickhouse-client as standard
-- input of INSERT INTO STREAM_changes FORMAT JSONEachRow, with the same settings. STREAM_changes keeps the
-- newest change of each id, a delete too, and so a file that comes twice or late changes nothing. STREAM is a
-- view of the records as they are now. properties and extra keep their text to the byte.
"#;

const ENGINE: Engine = Engine {
    head: HEAD,
    template: include_str!("clickhouse.sql"),
    quote: '`',
    kind,
    wraps_nullable: true,
    comment: Some(("COMMENT ", "")),
    escaped_quote: "\\'",
};

fn kind(column: &Column) -> &'static str {
    match (column.kind, column.nullable) {
        (Kind::Integer, false) => "Int64",
        (Kind::Integer, true) => "Nullable(Int64)",
        _ if is_own_time(column) => "DateTime64(3, 'UTC')",
        (_, false) => "String",
        (_, true) => "Nullable(String)",
    }
}

pub(super) fn print(selection: &Selection) -> String {
    ENGINE.print(selection)
}
