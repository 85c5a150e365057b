//! Changes as Parquet.
//!
//! Rows are collected column by column, encoded in batches, and their encoded pages kept until the row group ends; only then
//! do bytes come. How rows are cut into batches and groups follows from their values alone, so that the same rows give the
//! same bytes.

use super::columns::{self, FileColumn, Holds, JsonAs, of_seconds, schema, utc};
use crate::export::formats::definition::{Encoder, FileFacts};
use crate::export::formats::dialect::Dialect;
use crate::export::formats::portable::portable;
use crate::mirror::Change;
use crate::record::{ColumnKind, Value};
use arrow_array::builder::{ArrayBuilder, Int64Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};
use jiff::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::WriterProperties;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::{ColumnPath, SchemaDescriptor};
use std::borrow::Cow;
use std::io;
use std::sync::Arc;

/// Who wrote the file. Readers judge by it whether they trust the statistics. It stays as it is, so that a later version
/// writes the same bytes.
const CREATED_BY: &str = "malomo-mirror version 1.0.0";

/// Where a batch ends: bytes of its values, and rows.
const BATCH_BYTES: usize = 1024 * 1024;
const BATCH_ROWS: usize = 8 * 1024;

/// Where a row group ends: bytes of its values, bytes of encoded pages and what else it keeps in memory, and rows.
const GROUP_BYTES: usize = 64 * 1024 * 1024;
const GROUP_MEMORY: usize = 12 * 1024 * 1024;
const GROUP_ROWS: usize = 256 * 1024;

/// Bytes of a page before it is compressed. Each column has one in memory.
const PAGE_BYTES: usize = 256 * 1024;

/// Encodes changes as Parquet.
pub(super) struct ParquetEncoder {
    dialect: Dialect,
    kinds: Vec<ColumnKind>,
    columns: Vec<FileColumn>,
    batch: Batch,
    /// Bytes of values in the row group.
    group_bytes: usize,
    writer: ArrowWriter<Vec<u8>>,
    /// A time of the change log, as text and in microseconds: many rows in a row have the same.
    observed_at: (String, i64),
}

/// Rows that are not yet encoded.
struct Batch {
    schema: SchemaRef,
    builders: Vec<Builder>,
    rows: usize,
    bytes: usize,
}

impl ParquetEncoder {
    /// Begins a file.
    ///
    /// # Errors
    /// When the crate refuses the schema, which it never does.
    pub(super) fn begin(facts: &FileFacts<'_>, dialect: Dialect, json: JsonAs) -> io::Result<ParquetEncoder> {
        let columns = columns::of(facts.stream.columns());
        let declared = parse_message_type(&schema(&columns, json)).map_err(failed)?;
        let declared = SchemaDescriptor::new(Arc::new(declared));
        let schema = Arc::new(parquet_to_arrow_schema(&declared, None).map_err(failed)?);
        let options = ArrowWriterOptions::new()
            .with_properties(properties(&columns, facts))
            .with_parquet_schema(declared)
            .with_skip_arrow_metadata(true);
        let writer =
            ArrowWriter::try_new_with_options(Vec::new(), schema.clone(), options).map_err(failed)?;
        let builders = schema.fields().iter().map(|field| Builder::of(field.data_type())).collect();
        Ok(ParquetEncoder {
            dialect,
            kinds: facts.stream.columns().iter().map(|column| column.kind).collect(),
            columns,
            batch: Batch { schema, builders, rows: 0, bytes: 0 },
            group_bytes: 0,
            writer,
            observed_at: (String::new(), 0),
        })
    }

    /// The value that stands for a change in the n-th of its stream's columns.
    fn given<'a>(&self, change: &Change<'a>, n: usize) -> Written<'a> {
        match self.dialect.value(change, n) {
            Value::Null => Written::Null,
            Value::Integer(number) => Written::Integer(number),
            Value::Text(text) if self.dialect.exact => Written::Text(text.into()),
            Value::Text(text) => Written::Text(portable(self.kinds[n], text)),
        }
    }

    /// Microseconds from 1970 to a time of the change log. Its form, in milliseconds, is the only one that readers of the
    /// file can make of it again.
    fn observed_at(&mut self, text: &str) -> io::Result<i64> {
        if self.observed_at.0 != text {
            let at = text.parse::<Timestamp>().ok().filter(|at| format!("{at:.3}") == text);
            let no_time = || io::Error::new(io::ErrorKind::InvalidData, "a time of the change log is none");
            self.observed_at = (text.to_owned(), at.ok_or_else(no_time)?.as_microsecond());
        }
        Ok(self.observed_at.1)
    }

    /// Encodes what was collected, and ends the row group where it is large enough.
    fn encode_batch(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.group_bytes += self.batch.bytes;
        self.writer.write(&self.batch.take()?).map_err(failed)?;
        let is_full = self.group_bytes >= GROUP_BYTES
            || self.writer.in_progress_rows() >= GROUP_ROWS
            || self.writer.memory_size() >= GROUP_MEMORY;
        if is_full {
            self.writer.flush().map_err(failed)?;
            self.group_bytes = 0;
        }
        self.hand_over(out);
        Ok(())
    }

    fn hand_over(&mut self, out: &mut Vec<u8>) {
        out.append(self.writer.inner_mut());
        // What a row group needed once is not kept.
        self.writer.inner_mut().shrink_to(PAGE_BYTES);
    }
}

impl Encoder for ParquetEncoder {
    fn row(&mut self, change: &Change<'_>, out: &mut Vec<u8>) -> io::Result<u64> {
        let observed_at = self.observed_at(change.observed_at)?;
        let given: Vec<Written<'_>> = (0..self.kinds.len()).map(|n| self.given(change, n)).collect();
        for (column, builder) in self.columns.iter().zip(&mut self.batch.builders) {
            let of_column = match column.holds {
                Holds::Seq => &Written::Integer(change.seq),
                Holds::Op => &Written::Text(change.op.name().into()),
                Holds::ObservedAt => &Written::Integer(observed_at),
                Holds::Given(n, _) => &given[n],
                Holds::Utc(n) => &given[n].text().and_then(utc).into(),
                Holds::OfSeconds(n) => &given[n].integer().and_then(of_seconds).into(),
            };
            self.batch.bytes += builder.add(of_column)?;
        }
        self.batch.rows += 1;
        if self.batch.rows >= BATCH_ROWS || self.batch.bytes >= BATCH_BYTES {
            self.encode_batch(out)?;
        }
        Ok(given.iter().filter(|value| value.is_rewritten()).count() as u64)
    }

    fn end(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        if self.batch.rows > 0 {
            self.encode_batch(out)?;
        }
        self.writer.finish().map_err(failed)?;
        self.hand_over(out);
        Ok(())
    }
}

impl Batch {
    /// The rows, and none is left.
    fn take(&mut self) -> io::Result<RecordBatch> {
        (self.rows, self.bytes) = (0, 0);
        let columns = self.builders.iter_mut().map(Builder::finish).collect();
        RecordBatch::try_new(self.schema.clone(), columns).map_err(io::Error::other)
    }
}

/// A value on its way into a column.
enum Written<'a> {
    Null,
    Integer(i64),
    /// Owned where it was rewritten for readers' sake.
    Text(Cow<'a, str>),
}

impl Written<'_> {
    fn text(&self) -> Option<&str> {
        if let Written::Text(text) = self { Some(text) } else { None }
    }

    fn integer(&self) -> Option<i64> {
        if let Written::Integer(number) = self { Some(*number) } else { None }
    }

    fn is_rewritten(&self) -> bool {
        matches!(self, Written::Text(Cow::Owned(_)))
    }
}

impl From<Option<i64>> for Written<'_> {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Written::Null, Written::Integer)
    }
}

/// The values of a column that are not yet encoded.
enum Builder {
    Integer(Int64Builder),
    Instant(TimestampMicrosecondBuilder),
    Text(StringBuilder),
}

impl Builder {
    fn of(kind: &DataType) -> Builder {
        match kind {
            DataType::Int64 => Builder::Integer(Int64Builder::new()),
            DataType::Timestamp(..) => {
                Builder::Instant(TimestampMicrosecondBuilder::new().with_data_type(kind.clone()))
            }
            _ => Builder::Text(StringBuilder::new()),
        }
    }

    /// Takes a value. Returns how many bytes it has.
    fn add(&mut self, value: &Written<'_>) -> io::Result<usize> {
        match (self, value) {
            (Builder::Integer(builder), Written::Integer(number)) => builder.append_value(*number),
            (Builder::Instant(builder), Written::Integer(number)) => builder.append_value(*number),
            (Builder::Text(builder), Written::Text(text)) => {
                builder.append_value(text);
                return Ok(text.len());
            }
            (Builder::Integer(builder), Written::Null) => builder.append_null(),
            (Builder::Instant(builder), Written::Null) => builder.append_null(),
            (Builder::Text(builder), Written::Null) => builder.append_null(),
            _ => {
                let what = "a value of another kind than its column's";
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
        Ok(size_of::<i64>())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Builder::Integer(builder) => ArrayBuilder::finish(builder),
            Builder::Instant(builder) => ArrayBuilder::finish(builder),
            Builder::Text(builder) => ArrayBuilder::finish(builder),
        }
    }
}

/// How a file is encoded, and what it says of itself.
fn properties(columns: &[FileColumn], facts: &FileFacts<'_>) -> WriterProperties {
    let by_seq = SortingColumn { column_idx: 0, descending: false, nulls_first: false };
    let mut properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_max_row_group_row_count(None)
        .set_dictionary_enabled(false)
        .set_sorting_columns((!facts.is_snapshot).then(|| vec![by_seq]))
        .set_key_value_metadata(Some(key_values(facts)));
    for column in columns.iter().filter(|column| column.repeats()) {
        let path = ColumnPath::from(column.name.as_str());
        properties = properties.set_column_dictionary_enabled(path, true);
    }
    properties.build()
}

/// Whose rows a file holds, and which.
fn key_values(facts: &FileFacts<'_>) -> Vec<KeyValue> {
    let mut pairs =
        vec![("mirror_id", facts.mirror_id.to_owned()), ("stream", facts.stream.name().to_owned())];
    if facts.is_snapshot {
        pairs.push(("head_seq", facts.last_seq.to_string()));
    } else {
        pairs.push(("first_seq", facts.first_seq.to_string()));
        pairs.push(("last_seq", facts.last_seq.to_string()));
    }
    pairs.into_iter().map(|(key, value)| KeyValue::new(format!("malomo_mirror.{key}"), value)).collect()
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error)
}
