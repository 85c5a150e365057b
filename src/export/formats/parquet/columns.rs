//! The columns of Parquet files: their names, their types, and where their values come from.

use crate::export::formats::columns::CHANGE_COLUMNS;
use crate::record::{Column, ColumnKind, Instant, Stream, instant};
use std::ops::RangeInclusive;

/// How a file declares its columns of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonAs {
    /// With Parquet's logical type for it.
    Json,
    /// As text: a Delta table has no type for JSON, and its readers want text of a text column.
    Text,
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileColumn {
    pub(super) name: String,
    pub(super) holds: Holds,
}

/// What stands in a column. Numbers are those of the stream's columns, counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// The change's number.
    Seq,
    /// What happened.
    Op,
    /// When the mirror took the change.
    ObservedAt,
    /// The value of that column.
    Given(usize, ColumnKind),
    /// The instant that the text of that column names.
    Utc(usize),
    /// The instant that is so many seconds after 1970.
    OfSeconds(usize),
}

/// The columns of the files of a stream with these columns, in order.
pub(super) fn of(columns: &[Column]) -> Vec<FileColumn> {
    let heads = CHANGE_COLUMNS.into_iter().zip([Holds::Seq, Holds::Op, Holds::ObservedAt]);
    let mut all: Vec<FileColumn> =
        heads.map(|(name, holds)| FileColumn { name: name.to_owned(), holds }).collect();
    for (n, column) in columns.iter().enumerate() {
        all.push(FileColumn { name: column.name.to_owned(), holds: Holds::Given(n, column.kind) });
        match column.kind {
            ColumnKind::Time => {
                all.push(FileColumn { name: format!("{}_utc", column.name), holds: Holds::Utc(n) })
            }
            // As the mirror's views call it.
            ColumnKind::Integer if column.name == "timestamp" => {
                all.push(FileColumn { name: "occurred_at".to_owned(), holds: Holds::OfSeconds(n) })
            }
            _ => {}
        }
    }
    all
}

impl FileColumn {
    /// The column in Parquet's own notation.
    pub(super) fn declaration(&self, json: JsonAs) -> String {
        let (is_required, kind, logical) = match self.holds {
            Holds::Seq => (true, "INT64", ""),
            Holds::Op => (true, "BYTE_ARRAY", "(STRING)"),
            Holds::ObservedAt => (true, "INT64", "(TIMESTAMP(MICROS,true))"),
            Holds::Given(_, ColumnKind::Text | ColumnKind::Time) => (false, "BYTE_ARRAY", "(STRING)"),
            Holds::Given(_, ColumnKind::Json) => {
                (false, "BYTE_ARRAY", if json == JsonAs::Json { "(JSON)" } else { "(STRING)" })
            }
            Holds::Given(_, ColumnKind::Integer) => (false, "INT64", ""),
            Holds::Utc(_) | Holds::OfSeconds(_) => (false, "INT64", "(TIMESTAMP(MICROS,true))"),
        };
        let repetition = if is_required { "REQUIRED" } else { "OPTIONAL" };
        format!("{repetition} {kind} {} {logical};", self.name)
    }

    /// The column's type in a Delta table's schema.
    fn type_in_tables(&self) -> &'static str {
        match self.holds {
            Holds::Seq | Holds::Given(_, ColumnKind::Integer) => "long",
            Holds::Op | Holds::Given(..) => "string",
            Holds::ObservedAt | Holds::Utc(_) | Holds::OfSeconds(_) => "timestamp",
        }
    }

    /// Whether its values come again and again, so that a dictionary is worth its memory.
    pub(super) fn repeats(&self) -> bool {
        match self.holds {
            Holds::Op | Holds::ObservedAt => true,
            Holds::Given(n, kind) => n > 0 && kind == ColumnKind::Text,
            _ => false,
        }
    }
}

/// The schema of files with these columns, in Parquet's own notation.
pub(super) fn schema(columns: &[FileColumn], json: JsonAs) -> String {
    let lines: Vec<String> = columns.iter().map(|column| column.declaration(json)).collect();
    format!("message schema {{ {} }}", lines.join(" "))
}

/// The columns of a stream's Delta tables, in order: each one's name, and its type in the table's schema.
pub(in crate::export) fn of_tables(stream: Stream) -> Vec<(String, &'static str)> {
    of(stream.columns())
        .into_iter()
        .map(|column| {
            let kind = column.type_in_tables();
            (column.name, kind)
        })
        .collect()
}

const MICROSECONDS: i64 = 1_000_000;

/// The years 1 to 9999, in microseconds since 1970: what readers' dates hold.
const YEARS: RangeInclusive<i64> = -62_135_596_800 * MICROSECONDS..=253_402_300_800 * MICROSECONDS - 1;

/// Microseconds from 1970 to the instant that a time of the API names; `None` where it names none, or one that readers
/// don't hold.
pub(super) fn utc(text: &str) -> Option<i64> {
    instant(text).map(Instant::as_microsecond).filter(|at| YEARS.contains(at))
}

/// Microseconds from 1970 to the instant so many seconds after it; `None` where readers don't hold it.
pub(super) fn of_seconds(seconds: i64) -> Option<i64> {
    seconds.checked_mul(MICROSECONDS).filter(|at| YEARS.contains(at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary;

    #[test]
    fn they_are_those_that_the_dictionary_describes() {
        for stream in Stream::ALL {
            let described = dictionary::exported_as_parquet(stream);
            let names: Vec<&str> = described.iter().map(|column| column.name.as_ref()).collect();
            let own = of(stream.columns());
            assert_eq!(own.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), names);
        }
        let of_events = of(Stream::Events.columns());
        let names: Vec<&str> = of_events.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names[8..11], ["timestamp", "occurred_at", "properties"]);
        assert_eq!(names[11..], ["created_at", "created_at_utc", "updated_at", "updated_at_utc", "extra"]);
    }

    #[test]
    fn instants_are_those_of_the_years_that_readers_hold() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.000001Z", Some(1)),
            ("1969-12-31T23:59:59.9999999Z", Some(-1)),
            ("2019-01-30T15:30:00+02:00", Some(1_548_855_000_000_000)),
            ("0001-01-01T00:00:00Z", Some(-62_135_596_800_000_000)),
            ("0000-12-31T23:59:59Z", None),
            ("9999-12-31T23:59:59.999999Z", Some(253_402_300_799_999_999)),
            ("9999-12-31T23:59:59-12:00", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(utc(text), expected, "{text}");
        }
        for (seconds, expected) in [
            (0, Some(0)),
            (-1, Some(-1_000_000)),
            (253_402_300_799, Some(253_402_300_799_000_000)),
            (253_402_300_800, None),
            (-62_135_596_801, None),
            (i64::MAX, None),
            (i64::MIN, None),
        ] {
            assert_eq!(of_seconds(seconds), expected, "{seconds}");
        }
    }
}
