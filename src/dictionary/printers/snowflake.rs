//! For Snowflake.

use super::selection::Selection;
use super::sql::{Engine, is_own_time};
use crate::dictionary::{Column, Kind};

const HEAD: &str = r#"-- For Snowflake: written by its documentation, and not run.
-- Run it after each export, behind PUT for its new files:
--     PUT 'file://EXPORTS/customers/*.csv*' @"malomo_exports"/customers AUTO_COMPRESS = FALSE;
--     PUT 'file://EXPORTS/events/*.csv*' @"malomo_exports"/events AUTO_COMPRESS = FALSE;
-- STREAM_changes keeps every change, deletes too, and so a file that comes twice or late changes nothing. STREAM
-- is a view of the records as they are now. Names are quoted, and so stay in small letters: SELECT "id" FROM
-- "customers". With these options an empty field is NULL and "" the empty string. properties and extra are text,
-- to the byte; PARSE_JSON("extra") gives their values, and may change numbers.
CREATE STAGE IF NOT EXISTS "malomo_exports";
CREATE OR REPLACE FILE FORMAT "malomo_csv"
    TYPE = CSV COMPRESSION = AUTO SKIP_HEADER = 1 FIELD_DELIMITER = ',' RECORD_DELIMITER = '\r\n'
    FIELD_OPTIONALLY_ENCLOSED_BY = '"' ESCAPE = NONE ESCAPE_UNENCLOSED_FIELD = NONE TRIM_SPACE = FALSE
    NULL_IF = () EMPTY_FIELD_AS_NULL = TRUE ENCODING = 'UTF8' ERROR_ON_COLUMN_COUNT_MISMATCH = TRUE;
"#;

const ENGINE: Engine = Engine {
    head: HEAD,
    template: include_str!("snowflake.sql"),
    quote: '"',
    kind,
    wraps_nullable: false,
    comment: Some(("COMMENT ", "")),
    escaped_quote: "''",
};

fn kind(column: &Column) -> &'static str {
    match column.kind {
        Kind::Integer => "NUMBER(38, 0)",
        _ if is_own_time(column) => "TIMESTAMP_TZ",
        _ => "VARCHAR",
    }
}

pub(super) fn print(selection: &Selection) -> String {
    ENGINE.print(selection)
}
