//! The registry of formats: each stands here in one line, and nothing else matches on them.

use super::decoded_row::{Rows, Unreadable};
use super::definition::FormatDefinition;
use super::dialect::Dialect;
use super::row_reader::RowReader;
use super::{csv, ndjson};
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

            pub(super) const fn definition(self) -> &'static FormatDefinition {
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
    pub(in crate::export) fn is_for_spreadsheets(self) -> bool {
        self.definition().is_for_spreadsheets
    }

    /// The rows of a file, read from its uncompressed bytes.
    pub(in crate::export) fn rows<'s>(
        self,
        source: Box<dyn BufRead + 's>,
        stream: Stream,
        dialect: Dialect,
    ) -> Result<Rows<'s>, Unreadable> {
        let decoder = (self.definition().decoder)(stream.columns(), dialect);
        Ok(Box::new(RowReader::begin(source, decoder)?))
    }
}

/// Every stream in every format.
pub(in crate::export) fn streams_and_formats() -> impl Iterator<Item = (Stream, Format)> {
    Stream::ALL.into_iter().flat_map(|stream| Format::ALL.map(|format| (stream, format)))
}
