//! The view of a type of events: its text.

use crate::derived::{ColumnType, JsonTypes};

/// The columns that every view of a type has, besides those of its properties. A property with such a name gets another one.
pub(super) const FIXED: [&str; 12] = [
    "id",
    "customer_id",
    "occurred_at",
    "label",
    "link_back_url",
    "created_at_utc",
    "updated_at_utc",
    "timestamp",
    "created_at",
    "updated_at",
    "extra",
    "missing_since",
];

/// A column of a property.
pub(super) struct PropertyColumn {
    pub(super) name: String,
    pub(super) path: String,
    pub(super) types: JsonTypes,
    pub(super) column_type: ColumnType,
}

/// The statement that makes a type's view.
pub(super) fn create(view: &str, kind: &str, columns: &[PropertyColumn]) -> String {
    let properties: String = columns.iter().map(|column| format!("       {},\n", select(column))).collect();
    format!(
        "CREATE VIEW {view} AS\nSELECT id,\n       customer_id,\n       \
         strftime('%Y-%m-%dT%H:%M:%fZ', timestamp, 'unixepoch') AS occurred_at,\n       label,\n       link_back_url,\n\
         {properties}       {} AS created_at_utc,\n       {} AS updated_at_utc,\n       \
         timestamp,\n       created_at,\n       updated_at,\n       extra,\n       missing_since\n\
         FROM events WHERE type = {}",
        utc("created_at"),
        utc("updated_at"),
        text(kind)
    )
}

fn select(column: &PropertyColumn) -> String {
    // A name may be a word of SQL, such as order.
    let (path, name) = (text(&column.path), format!("\"{}\"", column.name));
    match column.column_type {
        ColumnType::Integer | ColumnType::Boolean => format!("properties ->> {path} AS {name}"),
        ColumnType::Real => format!("CAST(properties ->> {path} AS REAL) AS {name}"),
        ColumnType::Json => format!("nullif(properties -> {path}, 'null') AS {name}"),
        ColumnType::Text if column.types.are_texts() => format!("properties ->> {path} AS {name}"),
        // The JSON text of a number has all its digits, and true is no 1.
        ColumnType::Text => format!(
            "CASE json_type(properties, {path}) WHEN 'text' THEN properties ->> {path} WHEN 'null' THEN NULL \
             ELSE properties -> {path} END AS {name}"
        ),
    }
}

/// A time of the API as UTC, ISO 8601, with milliseconds; NULL where SQLite can't read it. The views of the schema have the same.
pub(super) fn utc(column: &str) -> String {
    format!(
        "strftime('%Y-%m-%dT%H:%M:%fZ', CASE \
         WHEN {column} GLOB '*Z' THEN {column} \
         WHEN {column} GLOB '*:*[+-][0-9][0-9][0-9][0-9]' \
         THEN substr({column}, 1, length({column}) - 2) || ':' || substr({column}, -2) \
         WHEN {column} GLOB '*:*[+-][0-9][0-9]' THEN {column} || ':00' \
         WHEN {column} NOT GLOB '*[^0-9.]*' AND {column} <> '' THEN strftime('%Y-%m-%d %H:%M:%f', CASE \
         WHEN {column} + 0 < 1e11 THEN {column} + 0.0 WHEN {column} + 0 < 1e14 THEN {column} / 1e3 \
         WHEN {column} + 0 < 1e17 THEN {column} / 1e6 ELSE {column} / 1e9 END, 'unixepoch') \
         ELSE replace(replace(upper({column}), ' UTC', 'Z'), 'UTC', 'Z') END)"
    )
}

/// A text as SQL has it.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::Mirror;
    use crate::record::instant;
    use jiff::Timestamp;
    use rusqlite::Connection;

    #[test]
    fn times_of_the_api_in_one_form() {
        let connection = Connection::open_in_memory().unwrap();
        let sql = format!("SELECT {} FROM (SELECT CAST(?1 AS TEXT) AS t)", utc("t"));
        for text in [
            "2019-01-30T13:30:00Z",
            "2019-01-30t13:30:00z",
            "2019-01-30T13:30:00.123456Z",
            "2019-01-30T15:30:00+02:00",
            "2019-01-30T15:30:00.5-04:30",
            "2019-01-30T15:30:00+0200",
            "2019-01-30T15:30:00+02",
            "2019-01-30T13:30:00",
            "2019-01-30 13:30",
            "2019-01-30",
            "2019-01-30 13:30:00 UTC",
            "2019-01-30T13:30:00UTC",
            "2019-01-30 13:30:00 +0000",
            "2019-01-30 13:30:00 +02:00",
            "1548855000",
            "1548855000.5",
            "1548855000123",
            "1548855000123456",
            "9999-12-31T23:59:59Z",
        ] {
            let found: Option<String> = connection.query_row(&sql, [text], |row| row.get(0)).unwrap();
            let found: Timestamp = match found.as_deref() {
                // No timestamp of jiff reaches so far.
                Some("9999-12-31T23:59:59.000Z") => continue,
                Some(found) => found.parse().unwrap(),
                None => panic!("{text}"),
            };
            assert_eq!(found.as_second(), instant(text).unwrap().as_second(), "{text}");
        }
        for text in ["", "yesterday", "2019-13-01", "Wed, 30 Jan 2019 13:30:00 GMT"] {
            let found: Option<String> = connection.query_row(&sql, [text], |row| row.get(0)).unwrap();
            assert_eq!(found, None, "{text}");
        }
    }

    #[test]
    fn the_views_of_the_schema_have_the_same_times() {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        let plain = |sql: &str| sql.split_whitespace().collect::<Vec<_>>().join(" ");
        for (view, column) in [("customer_summary", "c.created_at"), ("events_history", "v.updated_at")] {
            let sql: String = mirror
                .connection
                .query_row("SELECT sql FROM sqlite_schema WHERE name = ?1", [view], |row| row.get(0))
                .unwrap();
            assert!(plain(&sql).contains(&plain(&utc(column))), "{view}");
        }
    }
}
