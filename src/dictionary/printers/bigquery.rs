//! For BigQuery.

use super::selection::Selection;
use super::sql::{Engine, is_json, is_own_time};
use crate::dictionary::{Column, Kind};

const HEAD: &str = r#"-- For BigQuery: written by its documentation, and not run. Copy the NDJSON files to gs://BUCKET/STREAM/
-- (export.formats = ["ndjson"]; export.compression none or gzip), put your bucket and dataset into this text,
-- and run it after each export:
--     gcloud storage rsync --recursive EXPORTS/customers gs://BUCKET/customers
--     bq query --use_legacy_sql=false < FILE
-- STREAM_changes keeps every change, deletes too, and so a file that comes twice or late changes nothing. STREAM
-- is a view of the records as they are now. The files are read as NDJSON: of CSV, BigQuery makes NULL of the
-- empty string. properties and extra have the type JSON, which keeps integers of 64 bits and takes other numbers
-- for doubles: 12.30 is 12.3.
"#;

const ENGINE: Engine = Engine {
    head: HEAD,
    template: include_str!("bigquery.sql"),
    quote: '`',
    kind,
    wraps_nullable: false,
    comment: Some(("OPTIONS (description = ", ")")),
    escaped_quote: "\\'",
};

fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer => "INT64",
        _ if is_json(column) => "JSON",
        _ if is_own_time(column) => "TIMESTAMP",
        _ => "STRING",
    }
}

pub(super) fn print(selection: &Selection) -> String {
    ENGINE.print(selection)
}
