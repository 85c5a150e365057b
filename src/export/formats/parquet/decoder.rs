//! Parquet read back, so that a mistake in the writing shows.
//!
//! What a file says of its rows stands at its end, so the file is copied into an unnamed temporary one first. Its columns have
//! to be the ones that its stream has, and each timestamp the instant that the text beside it names.

use super::columns::{self, FileColumn, Holds, JsonAs, of_seconds, schema, utc};
use crate::export::formats::decoded_row::{Cell, Row};
use crate::export::formats::definition::Decoder;
use crate::export::formats::row_reader::source_failed;
use crate::record::{Column, Op};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::ArrowError;
use jiff::Timestamp;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::io::{self, BufRead, Read};

/// Rows that are decoded at once, and bytes that they are to have at most, as far as the file's averages say.
const BATCH_ROWS: usize = 1024;
const BATCH_BYTES: u64 = 4 * 1024 * 1024;

/// Decodes rows of Parquet.
pub(super) struct ParquetDecoder {
    width: usize,
    columns: Vec<FileColumn>,
    json: JsonAs,
    batches: Option<ParquetRecordBatchReader>,
    /// The batch that is taken apart, and the place of the row in it.
    batch: Option<RecordBatch>,
    at: usize,
}

impl ParquetDecoder {
    pub(super) fn new(columns: &'static [Column], json: JsonAs) -> ParquetDecoder {
        let (width, columns) = (columns.len(), columns::of(columns));
        ParquetDecoder { width, columns, json, batches: None, batch: None, at: 0 }
    }

    /// Goes to the next row. Returns whether there is one.
    fn advance(&mut self) -> Result<bool, ArrowError> {
        self.at += 1;
        while self.at >= self.batch.as_ref().map_or(0, RecordBatch::num_rows) {
            self.batch = self.batches.as_mut().and_then(Iterator::next).transpose()?;
            self.at = 0;
            if self.batch.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Decoder for ParquetDecoder {
    fn begin(&mut self, source: &mut dyn BufRead) -> Result<(), String> {
        let file = spooled(source).map_err(source_failed)?;
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options);
        let reader = reader.map_err(|error: ParquetError| no_parquet(error))?;
        let expected = parse_message_type(&schema(&self.columns, self.json)).map_err(no_parquet)?;
        if *reader.parquet_schema().root_schema() != expected {
            return Err("its columns are others than its stream has, or of other types".to_owned());
        }
        let rows = rows_at_once(reader.metadata());
        self.batches = Some(reader.with_batch_size(rows).build().map_err(no_parquet)?);
        Ok(())
    }

    fn row(&mut self, _source: &mut dyn BufRead) -> Result<Option<Row>, String> {
        let is_there = self.advance().map_err(no_parquet)?;
        let Some(batch) = self.batch.as_ref().filter(|_| is_there) else { return Ok(None) };
        let fields = Fields { batch, at: self.at };
        let cells = vec![Cell::Null; self.width];
        let mut row = Row { number: 0, seq: 0, op: Op::Delete, observed_at: String::new(), cells };
        for (place, column) in self.columns.iter().enumerate() {
            match column.holds {
                Holds::Seq => row.seq = fields.integer(place).ok_or("_seq is no number")?,
                Holds::Op => {
                    let op = fields.text(place).and_then(Op::from_name);
                    row.op = op.ok_or("_op is neither insert nor update nor delete nor erase")?;
                }
                Holds::ObservedAt => {
                    let at = fields.instant(place).and_then(in_milliseconds);
                    row.observed_at = at.ok_or("_observed_at is no time in milliseconds")?;
                }
                Holds::Given(n, _) => row.cells[n] = fields.cell(place),
                Holds::Utc(n) => {
                    let expected = if let Cell::Text(text) = &row.cells[n] { utc(text) } else { None };
                    fields.holds_instant(place, expected, column)?;
                }
                Holds::OfSeconds(n) => {
                    let seconds =
                        if let Cell::Json(digits) = &row.cells[n] { digits.parse().ok() } else { None };
                    fields.holds_instant(place, seconds.and_then(of_seconds), column)?;
                }
            }
        }
        Ok(Some(row))
    }
}

/// One row of a batch.
struct Fields<'b> {
    batch: &'b RecordBatch,
    at: usize,
}

impl<'b> Fields<'b> {
    fn is_null(&self, column: usize) -> bool {
        self.batch.column(column).is_null(self.at)
    }

    fn integer(&self, column: usize) -> Option<i64> {
        let array = self.batch.column(column).as_primitive_opt::<Int64Type>()?;
        (!self.is_null(column)).then(|| array.value(self.at))
    }

    fn instant(&self, column: usize) -> Option<i64> {
        let array = self.batch.column(column).as_primitive_opt::<TimestampMicrosecondType>()?;
        (!self.is_null(column)).then(|| array.value(self.at))
    }

    fn text(&self, column: usize) -> Option<&'b str> {
        let array = self.batch.column(column).as_string_opt::<i32>()?;
        (!self.is_null(column)).then(|| array.value(self.at))
    }

    fn cell(&self, column: usize) -> Cell {
        match (self.text(column), self.integer(column)) {
            (Some(text), _) => Cell::Text(text.to_owned()),
            (None, Some(number)) => Cell::Json(number.to_string()),
            (None, None) => Cell::Null,
        }
    }

    fn holds_instant(&self, column: usize, expected: Option<i64>, of: &FileColumn) -> Result<(), String> {
        match self.instant(column) == expected {
            true => Ok(()),
            false => Err(format!("{} is not the instant that the column before it names", of.name)),
        }
    }
}

/// The text that the change log has for an instant.
fn in_milliseconds(microseconds: i64) -> Option<String> {
    let at = Timestamp::from_microsecond(microseconds).ok().filter(|_| microseconds % 1_000 == 0)?;
    Some(format!("{at:.3}"))
}

/// The bytes of a source, in a file that is gone with its handle.
pub(super) fn spooled(source: &mut dyn Read) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    io::copy(source, &mut file)?;
    Ok(file)
}

/// So many rows that they take little memory, also where one of them is long.
fn rows_at_once(file: &ParquetMetaData) -> usize {
    let averages = file.row_groups().iter().map(|group| {
        let (bytes, rows) = (group.total_byte_size().max(0), group.num_rows().max(1));
        bytes.unsigned_abs() / rows.unsigned_abs()
    });
    let longest = averages.max().unwrap_or(0).max(1);
    usize::try_from(BATCH_BYTES / longest).unwrap_or(BATCH_ROWS).clamp(1, BATCH_ROWS)
}

fn no_parquet(error: impl std::fmt::Display) -> String {
    format!("it is no Parquet that can be read: {error}")
}
