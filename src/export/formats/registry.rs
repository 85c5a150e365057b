//! The registry of formats: each stands here in one line, and nothing else matches on them.

use super::compression::Compression;
use super::decoded_row::{Rows, Unreadable};
use super::definition::FormatDefinition;
use super::dialect::Dialect;
#[cfg(feature = "lake")]
use super::parquet;
use super::row_reader::RowReader;
use super::{csv, ndjson};
use crate::record::Stream;
use std::io::BufRead;

macro_rules! register_formats {
    (
        files { $($(#[doc = $doc:literal])* $(#[cfg($build:meta)])? $format:ident = $definition:expr,)+ }
        tables { $($(#[doc = $table_doc:literal])* $(#[cfg($table_build:meta)])? $table:ident = $table_definition:expr,)+ }
    ) => {
        /// A format that this build has.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Format {
            $($(#[doc = $doc])* $(#[cfg($build)])? $format,)+
            $($(#[doc = $table_doc])* $(#[cfg($table_build)])? $table,)+
        }

        impl Format {
            /// Every format whose exports are files that a manifest announces.
            pub const ALL: &[Format] = &[$($(#[cfg($build)])? Format::$format),+];

            /// Every format whose exports are tables with a log of their own.
            pub const TABLES: &[Format] = &[$($(#[cfg($table_build)])? Format::$table),+];

            pub(super) const fn definition(self) -> &'static FormatDefinition {
                match self {
                    $($(#[cfg($build)])? Format::$format => &$definition,)+
                    $($(#[cfg($table_build)])? Format::$table => &$table_definition,)+
                }
            }
        }
    };
}

register_formats! {
    files {
        /// RFC 4180: UTF-8, a header line, CRLF; NULL is an empty field, the empty string is `""`.
        Csv = csv::FORMAT,
        /// One JSON object a line.
        Ndjson = ndjson::FORMAT,
        /// Apache Parquet: typed columns, compressed inside.
        #[cfg(feature = "lake")]
        Parquet = parquet::FORMAT,
    }
    tables {
        /// Delta Lake: Parquet files, and a log that says which of them count.
        #[cfg(feature = "lake")]
        Delta = parquet::OF_TABLES,
    }
}

/// Formats that this build lacks, and the cargo feature that has each.
const LACKING: &[(&str, &str)] =
    if cfg!(feature = "lake") { &[] } else { &[("parquet", "lake"), ("delta", "lake")] };

impl Format {
    /// The name in the configuration and in manifests; also the extension of its files.
    pub const fn name(self) -> &'static str {
        self.definition().name
    }

    /// The format of files of that name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.iter().copied().find(|format| format.name() == name)
    }

    /// The format of that name in the configuration: of files or of tables.
    pub fn from_configured(name: &str) -> Option<Format> {
        Format::configurable().find(|format| format.name() == name)
    }

    fn configurable() -> impl Iterator<Item = Format> {
        Format::ALL.iter().chain(Format::TABLES).copied()
    }

    /// The names of all, as the configuration has them, for messages: `"csv", "ndjson"`.
    pub fn names() -> String {
        let names: Vec<String> =
            Format::configurable().map(|format| format!("\"{}\"", format.name())).collect();
        names.join(", ")
    }

    /// What is to be said of a format by that name which only other builds of this program have; `None` where it is none.
    pub fn of_other_builds(name: &str) -> Option<String> {
        let (_, feature) = LACKING.iter().find(|(lacking, _)| *lacking == name)?;
        Some(format!(
            "this build of the program has no {name}; the Debian package has it, and so has a build with \
             `cargo build --release --features {feature}`"
        ))
    }

    /// Whether the options for spreadsheets apply to its files: `export.csv_bom` and `export.csv_formula_guard`.
    pub(in crate::export) fn is_for_spreadsheets(self) -> bool {
        self.definition().is_for_spreadsheets
    }

    /// Whether its files may be compressed so as a whole.
    pub(in crate::export) fn takes(self, compression: Compression) -> bool {
        compression == Compression::None || self.definition().is_compressible
    }

    /// Whether its files are to be read only where they have the digest that the manifest says.
    pub(in crate::export) fn trusts_files(self) -> bool {
        self.definition().trusts_files
    }

    /// The columns of a stream's files, in order.
    pub(in crate::export) fn columns(self, stream: Stream) -> Vec<String> {
        (self.definition().columns)(stream)
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

/// Every stream in every format of files.
pub(in crate::export) fn streams_and_formats() -> impl Iterator<Item = (Stream, Format)> {
    Stream::ALL.into_iter().flat_map(|stream| Format::ALL.iter().map(move |format| (stream, *format)))
}
