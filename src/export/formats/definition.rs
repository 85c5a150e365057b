//! What a format consists of.

use super::decoded_row::Row;
use super::dialect::Dialect;
use crate::mirror::Change;
use crate::record::{Column, Stream};
use std::io::{self, BufRead};

/// What a file is told of itself, for formats that say so inside it.
#[derive(Debug, Clone, Copy)]
pub(in crate::export) struct FileFacts<'a> {
    pub(in crate::export) stream: Stream,
    /// Whose changes they are.
    #[cfg_attr(
        not(feature = "lake"),
        expect(dead_code, reason = "CSV and NDJSON say nothing of themselves")
    )]
    pub(in crate::export) mirror_id: &'a str,
    /// The first change that it covers.
    pub(in crate::export) first_seq: i64,
    /// The last one.
    pub(in crate::export) last_seq: i64,
    /// Whether it holds the whole state as of the last one.
    pub(in crate::export) is_snapshot: bool,
}

#[cfg(test)]
impl FileFacts<'_> {
    /// Those of a file with changes.
    pub(in crate::export) const fn of(stream: Stream) -> FileFacts<'static> {
        FileFacts { stream, mirror_id: "m", first_seq: 1, last_seq: 9, is_snapshot: false }
    }
}

/// A format, as it is registered.
pub(super) struct FormatDefinition {
    /// In the configuration and in manifests; also the extension of its files.
    pub(super) name: &'static str,
    /// Whether the options for spreadsheets apply to its files.
    pub(super) is_for_spreadsheets: bool,
    /// Whether `export.compression` applies: its files are compressed as a whole then. One that isn't compresses inside.
    pub(super) is_compressible: bool,
    /// Whether its reader jumps about in a file and trusts what it finds there, so that only a file with the manifest's
    /// digest is handed to it.
    pub(super) trusts_files: bool,
    /// The columns of a stream's files, in order.
    pub(super) columns: fn(Stream) -> Vec<String>,
    /// Encodes the rows of one file.
    pub(super) encoder: fn(&FileFacts<'_>, Dialect) -> io::Result<Box<dyn Encoder>>,
    /// Decodes the rows of one file, with the stream's own columns.
    pub(super) decoder: fn(&'static [Column], Dialect) -> Box<dyn Decoder>,
}

/// Turns changes into the bytes of one file, which it appends to `out`.
pub(super) trait Encoder: Send {
    /// What stands before the first row.
    fn begin(&mut self, _out: &mut Vec<u8>) {}

    /// A row. Returns how many of its values were rewritten for readers' sake.
    fn row(&mut self, change: &Change<'_>, out: &mut Vec<u8>) -> io::Result<u64>;

    /// What stands behind the last row.
    fn end(&mut self, _out: &mut Vec<u8>) -> io::Result<()> {
        Ok(())
    }
}

/// Takes the rows of one file from its bytes. An error says what is wrong with the file.
pub(super) trait Decoder {
    /// Reads what stands before the first row.
    fn begin(&mut self, _source: &mut dyn BufRead) -> Result<(), String> {
        Ok(())
    }

    /// The next row, not yet numbered; `None` at the end.
    fn row(&mut self, source: &mut dyn BufRead) -> Result<Option<Row>, String>;
}
