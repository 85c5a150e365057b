//! A row of an export file as its format's reader gives it.

use crate::record::{Column, ColumnKind, Op, Value};

/// A field of a decoded row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::export) enum Cell {
    /// CSV: an empty field without quotes. NDJSON: null, or no member of that name.
    Null,
    /// CSV: any other field. NDJSON: a string.
    Text(String),
    /// NDJSON: anything else, or a value of a JSON column; as it was written.
    Json(String),
}

/// A decoded row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::export) struct Row {
    /// Counted from 1, without the header line.
    pub(in crate::export) number: u64,
    pub(in crate::export) seq: i64,
    pub(in crate::export) op: Op,
    pub(in crate::export) observed_at: String,
    /// In the order of the stream's columns.
    pub(in crate::export) cells: Vec<Cell>,
}

impl Row {
    /// The row of these texts and cells; whoever reads the file counts it.
    pub(super) fn new(seq: &str, op: &str, observed_at: String, cells: Vec<Cell>) -> Result<Row, String> {
        let seq = seq.parse().map_err(|_| "_seq is no number")?;
        let op = Op::from_name(op).ok_or("_op is neither insert nor update nor delete nor erase")?;
        Ok(Row { number: 0, seq, op, observed_at, cells })
    }

    /// What its cells stand for, as the values of these columns.
    pub(in crate::export) fn values(&self, columns: &[Column]) -> Vec<Value<'_>> {
        let value = |(column, cell): (&Column, _)| match (cell, column.kind) {
            (&Cell::Null, _) => Value::Null,
            (Cell::Text(text) | Cell::Json(text), ColumnKind::Integer) => {
                text.parse().map_or(Value::Null, Value::Integer)
            }
            (Cell::Text(text) | Cell::Json(text), _) => Value::Text(text),
        };
        columns.iter().zip(&self.cells).map(value).collect()
    }
}

/// Why a file can't be read on, and from which row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::export) struct Unreadable {
    pub(in crate::export) row: u64,
    pub(in crate::export) what: String,
}

/// The rows of a file, in their order. Behind an error there is none.
pub(in crate::export) type Rows<'s> = Box<dyn Iterator<Item = Result<Row, Unreadable>> + 's>;
