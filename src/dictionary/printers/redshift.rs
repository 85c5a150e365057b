//! For Amazon Redshift.

use super::selection::Selection;
use super::sql::{Engine, is_json, is_own_time};
use crate::dictionary::{Column, Kind};

const HEAD: &str = r#"-- For Amazon Redshift: written by its documentation, and not run.
-- Copy the export folder to s3://BUCKET/, with a list of each stream's files as COPY wants it, and run this after
-- each export:
--     jq -c -s '{entries: [.[] | select(.stream == "customers" and .format == "ndjson")
--         | {url: ("s3://BUCKET/" + .path), mandatory: true}]}' manifest.ndjson > customers.manifest
--     aws s3 sync . s3://BUCKET/
-- Where export.compression is gzip or zstd, for all files alike, add GZIP or ZSTD to COPY.
-- STREAM_changes keeps every change, deletes too, and so a file that comes twice or late changes nothing. STREAM
-- is a view of the records as they are now. The files are read as NDJSON: of CSV, Redshift can't tell NULL from the
-- empty string. COPY takes objects of up to 4 MB and texts of up to 65,535 bytes. properties and extra have the type
-- SUPER, which keeps the values, not their text.
"#;

const ENGINE: Engine = Engine {
    head: HEAD,
    template: include_str!("redshift.sql"),
    quote: '"',
    kind,
    wraps_nullable: false,
    comment: None,
    escaped_quote: "''",
};

fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer => "bigint",
        _ if is_json(column) => "super",
        _ if is_own_time(column) => "timestamptz",
        _ => "varchar(65535)",
    }
}

pub(super) fn print(selection: &Selection) -> String {
    ENGINE.print(selection)
}
