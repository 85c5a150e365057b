//! CSV: RFC 4180, UTF-8, a header line, lines end with CRLF.
//!
//! RFC 4180 knows no NULL. Here NULL is an empty field and the empty string is `""`, which is how PostgreSQL
//! (`COPY … CSV`), DuckDB (with `allow_quoted_nulls = false`), polars and Python's `csv.QUOTE_NOTNULL` (from 3.13 on) read
//! them. JSON stands as text in its field.

mod decoder;
mod encoder;
mod formula_guard;

use super::columns::columns;
use super::definition::FormatDefinition;

pub use encoder::csv_text;

/// CSV, as it is registered.
pub(super) const FORMAT: FormatDefinition = FormatDefinition {
    name: "csv",
    is_for_spreadsheets: true,
    is_compressible: true,
    trusts_files: false,
    columns: |stream| columns(stream).map(str::to_owned).collect(),
    encoder: |facts, dialect| Ok(Box::new(encoder::CsvEncoder::new(facts.stream, dialect))),
    decoder: |columns, dialect| Box::new(decoder::CsvDecoder::new(columns, dialect)),
};
