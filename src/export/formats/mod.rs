//! The file formats of exports, and what they have in common.
//!
//! Comes in: changes of the mirror, and the dialect in which rows are written; for reading, bytes. Goes out: bytes; for
//! reading, decoded rows.
//!
//! A format is one folder with its encoder, its reader for verification, and a `FormatDefinition` that is registered in
//! one line of `registry.rs`. Names, extensions, configuration values, verification and repair ask the registry.
//!
//! Never: open a file, know of manifests and folders, or match on a format outside of the registry.

mod byte_scan;
mod columns;
mod compression;
mod csv;
mod decoded_row;
mod definition;
mod dialect;
mod ndjson;
#[cfg(feature = "lake")]
mod parquet;
mod portable;
mod registry;
mod row_reader;
mod row_writer;

pub use compression::Compression;
pub use csv::csv_text;
pub use registry::Format;

#[cfg(test)]
pub(super) use compression::decompress;
pub(super) use compression::{Compressor, decompressor};
pub(super) use decoded_row::{Cell, Row, Rows, Unreadable};
pub(super) use definition::FileFacts;
pub(super) use dialect::{Dialect, LAYOUT, OLD_LAYOUT};
#[cfg(feature = "lake")]
pub(super) use parquet::{of_tables, rows_as_text};
#[cfg(test)]
pub(super) use portable::portable;
pub(super) use portable::{DEEPEST, fits};
pub(super) use registry::streams_and_formats;
#[cfg(test)]
pub(super) use row_writer::CHUNK_BYTES;
pub(super) use row_writer::RowWriter;
