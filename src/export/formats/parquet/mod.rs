//! Parquet: typed columns for programs that read a few of them from many rows. Behind the cargo feature `lake`.
//!
//! Values stand as in the other formats: texts, times as the API gave them, and JSON are strings, to the byte. Beside each
//! time stands the instant that it names, in UTC, as a timestamp in microseconds: `created_at_utc`, `updated_at_utc`, and
//! `occurred_at` beside an event's `timestamp`. `_observed_at` is such a timestamp only; the mirror writes it in one form,
//! in milliseconds, so nothing is lost.
//!
//! **What it can't hold.** An instant beyond the years 1 to 9999, and a text that names none: the timestamp is NULL there,
//! and the text beside it says what the API gave. What is finer than a microsecond is cut off there.
//!
//! **What its bytes depend on.** The rows, the mirror's id and the range, and nothing else: neither time nor machine. The
//! encoders of the crate and zstd belong to the program's version, so a repair by another version may give other bytes.
//!
//! **Row groups** end where their text comes to 64 MiB, their encoded pages to 12 MiB, or they have 262,144 rows: two streams
//! are written at once, and the whole process is to stay below 128 MiB.
//!
//! **Order.** Rows stand in the order in which they come: of changes that is `_seq`, which a replay needs and the file
//! declares. Sorted by customer they would compress a little better and replay wrongly.

mod columns;
mod decoder;
mod encoder;
mod text;

use super::definition::FormatDefinition;
use columns::JsonAs;

pub(in crate::export) use columns::of_tables;
pub(in crate::export) use text::rows_as_text;

/// Parquet, as it is registered.
pub(super) const FORMAT: FormatDefinition = FormatDefinition {
    name: "parquet",
    is_for_spreadsheets: false,
    is_compressible: false,
    trusts_files: true,
    columns: |stream| columns::of(stream.columns()).into_iter().map(|column| column.name).collect(),
    encoder: |facts, dialect| Ok(Box::new(encoder::ParquetEncoder::begin(facts, dialect, JsonAs::Json)?)),
    decoder: |columns, _| Box::new(decoder::ParquetDecoder::new(columns, JsonAs::Json)),
};

/// The files of a Delta table, as they are registered: the same, but for the declaration of JSON.
pub(super) const OF_TABLES: FormatDefinition = FormatDefinition {
    name: "delta",
    encoder: |facts, dialect| Ok(Box::new(encoder::ParquetEncoder::begin(facts, dialect, JsonAs::Text)?)),
    decoder: |columns, _| Box::new(decoder::ParquetDecoder::new(columns, JsonAs::Text)),
    ..FORMAT
};

#[cfg(test)]
mod tests;
