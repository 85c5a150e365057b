//! The formats, and what they have in common.

use super::csv::CsvRows;
use super::form::Form;
use super::ndjson::NdjsonRows;
use crate::mirror::Change;
use crate::record::Stream;
use std::io::{self, Write};

/// A file format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// RFC 4180: UTF-8, a header line, CRLF; NULL is an empty field, the empty string is `""`.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 2] = [Format::Csv, Format::Ndjson];

    /// The name in the configuration and in manifests; also the extension of its files.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Csv => "csv",
            Format::Ndjson => "ndjson",
        }
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// Writes changes in one format.
pub(super) enum RowWriter<W: Write> {
    Csv(CsvRows<W>),
    Ndjson(NdjsonRows<W>),
}

impl<W: Write> RowWriter<W> {
    /// Begins a file: writes what stands before its first row.
    pub(super) fn begin(format: Format, stream: Stream, form: Form, sink: W) -> io::Result<RowWriter<W>> {
        Ok(match format {
            Format::Csv => RowWriter::Csv(CsvRows::begin(stream, form, sink)?),
            Format::Ndjson => RowWriter::Ndjson(NdjsonRows::begin(stream, form, sink)),
        })
    }

    pub(super) fn write(&mut self, change: &Change<'_>) -> io::Result<()> {
        match self {
            RowWriter::Csv(rows) => rows.write(change),
            RowWriter::Ndjson(rows) => rows.write(change),
        }
    }

    /// Hands everything over to the sink, and the sink back; says how many values were rewritten for readers' sake.
    pub(super) fn finish(self) -> (W, u64) {
        match self {
            RowWriter::Csv(rows) => rows.finish(),
            RowWriter::Ndjson(rows) => rows.finish(),
        }
    }
}
