//! NDJSON read back by a reader of its own, so that a mistake in the writing shows.

use crate::export::formats::decoded_row::{Cell, Row};
use crate::export::formats::definition::Decoder;
use crate::export::formats::dialect::Dialect;
use crate::export::formats::row_reader::{LONGEST_ROW, source_failed};
use crate::record::{Column, ColumnKind, Op};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;
use std::io::{BufRead, Read};

/// Decodes rows of NDJSON.
pub(super) struct NdjsonDecoder {
    columns: &'static [Column],
    dialect: Dialect,
    line: Vec<u8>,
}

impl NdjsonDecoder {
    pub(super) fn new(columns: &'static [Column], dialect: Dialect) -> NdjsonDecoder {
        NdjsonDecoder { columns, dialect, line: Vec::new() }
    }
}

impl Decoder for NdjsonDecoder {
    fn row(&mut self, source: &mut dyn BufRead) -> Result<Option<Row>, String> {
        self.line.clear();
        source.take(LONGEST_ROW as u64).read_until(b'\n', &mut self.line).map_err(source_failed)?;
        if self.line.is_empty() {
            return Ok(None);
        }
        let line = self.line.strip_suffix(b"\n").ok_or("the row has no end")?;
        decode(line, self.columns, self.dialect).map(Some)
    }
}

fn decode(line: &[u8], columns: &'static [Column], dialect: Dialect) -> Result<Row, String> {
    let no_object = || "the row is no JSON object in UTF-8".to_owned();
    let text = std::str::from_utf8(line).map_err(|_| no_object())?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = deserializer.deserialize_map(Members).map_err(|_| no_object())?;
    deserializer.end().map_err(|_| no_object())?;

    let mut members = members.into_iter();
    let mut take = |name: &str| match members.next() {
        Some((found, value)) if found == name => Ok(value),
        _ => Err(format!("{name} does not stand where it should")),
    };
    let (seq, op) = (take("_seq")?.get(), string(take("_op")?).unwrap_or_default());
    let observed_at = string(take("_observed_at")?).ok_or("_observed_at is no string")?;
    let mut row = Row::new(seq, &op, observed_at, vec![Cell::Null; columns.len()])?;
    // A delete of the old layout has the identifier alone.
    let given = if row.op == Op::Delete && dialect.old_layout { 1 } else { columns.len() };
    for (column, cell) in columns.iter().zip(&mut row.cells).take(given) {
        *cell = read_cell(column.kind, take(column.name)?);
    }
    match members.next() {
        None => Ok(row),
        Some(_) => Err("the row has members that it should not have".to_owned()),
    }
}

fn read_cell(kind: ColumnKind, value: &RawValue) -> Cell {
    match (value.get(), kind) {
        ("null", _) => Cell::Null,
        (_, ColumnKind::Text | ColumnKind::Time) => {
            string(value).map_or_else(|| Cell::Json(value.get().to_owned()), Cell::Text)
        }
        (json, _) => Cell::Json(json.to_owned()),
    }
}

fn string(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some(member) = map.next_entry::<String, &'de RawValue>()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::formats::Unreadable;
    use crate::export::formats::row_reader::RowReader;

    const COLUMNS: &[Column] = &[
        Column::of("id", ColumnKind::Text),
        Column::of("n", ColumnKind::Integer),
        Column::of("j", ColumnKind::Json),
    ];

    const OLD: Dialect = Dialect { old_layout: true, ..Dialect::PLAIN };

    fn rows(text: &[u8], dialect: Dialect) -> Result<Vec<Row>, Unreadable> {
        RowReader::begin(Box::new(text), Box::new(NdjsonDecoder::new(COLUMNS, dialect)))?.collect()
    }

    #[test]
    fn values_are_read_and_json_is_left_as_it_is() {
        let text = concat!(
            r#"{"_seq":7,"_op":"insert","_observed_at":"t","id":"a\"é\u00e9","n":-5,"j":{"x": 1.50}}"#,
            "\n",
            r#"{"_seq":8,"_op":"delete","_observed_at":"t","id":"b","n":null,"j":null}"#,
            "\n",
            r#"{"_seq":9,"_op":"update","_observed_at":"t","id":5,"n":null,"j":"s"}"#,
            "\n"
        );
        let found = rows(text.as_bytes(), Dialect::PLAIN).unwrap();
        let (text, json) =
            (|text: &str| Cell::Text(text.to_owned()), |text: &str| Cell::Json(text.to_owned()));
        let cells: Vec<_> = found.iter().map(|row| row.cells.clone()).collect();
        assert_eq!(
            cells,
            [
                vec![text("a\"éé"), json("-5"), json("{\"x\": 1.50}")],
                vec![text("b"), Cell::Null, Cell::Null],
                vec![json("5"), Cell::Null, json("\"s\"")]
            ]
        );
        let heads: Vec<_> = found.iter().map(|row| (row.number, row.seq, row.op)).collect();
        assert_eq!(heads, [(1, 7, Op::Insert), (2, 8, Op::Delete), (3, 9, Op::Update)]);
        assert_eq!(rows(b"", Dialect::PLAIN).unwrap(), []);
    }

    #[test]
    fn what_is_no_row_is_named_with_its_number() {
        let good = "{\"_seq\":1,\"_op\":\"delete\",\"_observed_at\":\"t\",\"id\":\"b\"}";
        for bad in [
            "\n".to_owned(),
            format!("{}\n", &good[..good.len() - 1]),
            good.to_owned(),
            format!("{good}x\n"),
            "[1]\n".to_owned(),
            format!("{}\n", good.replace("_seq", "_sec")),
            format!("{}\n", good.replace("1", "1.5")),
            format!("{}\n", good.replace("delete", "drop")),
            format!("{}\n", good.replace("\"b\"", "\"b\",\"n\":null")),
            format!("{}\n", good.replace("delete", "insert")),
            format!("{}\n", good.replace("\"_seq\":1,", "\"_seq\":1,\"_seq\":1,")),
        ] {
            let error = rows(format!("{good}\n{bad}").as_bytes(), OLD).unwrap_err();
            assert_eq!(error.row, 2, "{bad:?}");
        }
        // Each layout's delete is none of the other's.
        let whole = good.replace('}', ",\"n\":null,\"j\":null}");
        for (text, dialect, is_row) in [
            (good, OLD, true),
            (good, Dialect::PLAIN, false),
            (&whole, OLD, false),
            (&whole, Dialect::PLAIN, true),
        ] {
            assert_eq!(rows(format!("{text}\n").as_bytes(), dialect).is_ok(), is_row, "{text}");
        }
    }
}
