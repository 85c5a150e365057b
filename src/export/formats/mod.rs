//! The file formats of exports, and what they have in common.
//!
//! Comes in: changes of the mirror, and the dialect in which rows are written; for reading, bytes. Goes out: bytes; for
//! reading, decoded rows.
//!
//! A format is one folder with its encoder, its reader for verification, and a [`FormatDefinition`] that is registered in
//! one line below. Names, extensions, configuration values, verification and repair ask the registry.
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
mod portable;
mod row_writer;

pub use compression::Compression;

pub(super) use columns::columns;
#[cfg(test)]
pub(super) use compression::decompress;
pub(super) use compression::{Compressor, decompressor};
pub(super) use decoded_row::{Cell, Row, Rows, Unreadable};
use definition::FormatDefinition;
pub(super) use dialect::{Dialect, LAYOUT, OLD_LAYOUT};
#[cfg(test)]
pub(super) use portable::portable;
pub(super) use portable::{DEEPEST, fits};
pub(super) use row_writer::RowWriter;

use crate::record::Stream;
use std::io::BufRead;

macro_rules! register_formats {
    ($($(#[$doc:meta])* $format:ident = $definition:expr,)+) => {
        /// A file format.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Format {
            $($(#[$doc])* $format,)+
        }

        impl Format {
            /// Every format.
            pub const ALL: [Format; [$(Format::$format),+].len()] = [$(Format::$format),+];

            const fn definition(self) -> &'static FormatDefinition {
                match self {
                    $(Format::$format => &$definition,)+
                }
            }
        }
    };
}

register_formats! {
    /// RFC 4180: UTF-8, a header line, CRLF; NULL is an empty field, the empty string is `""`.
    Csv = csv::FORMAT,
    /// One JSON object a line.
    Ndjson = ndjson::FORMAT,
}

impl Format {
    /// The name in the configuration and in manifests; also the extension of its files.
    pub const fn name(self) -> &'static str {
        self.definition().name
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Whether the options for spreadsheets apply to its files: `export.csv_bom` and `export.csv_formula_guard`.
    pub(super) fn is_for_spreadsheets(self) -> bool {
        self.definition().is_for_spreadsheets
    }

    /// The rows of a file, read from its uncompressed bytes.
    pub(super) fn rows<'s>(
        self,
        source: Box<dyn BufRead + 's>,
        stream: Stream,
        dialect: Dialect,
    ) -> Result<Rows<'s>, Unreadable> {
        (self.definition().reader)(source, stream.columns(), dialect)
    }
}

/// Every stream in every format.
pub(super) fn streams_and_formats() -> impl Iterator<Item = (Stream, Format)> {
    Stream::ALL.into_iter().flat_map(|stream| Format::ALL.map(|format| (stream, format)))
}
