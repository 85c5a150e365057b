//! What a format consists of.

use super::decoded_row::Row;
use super::dialect::Dialect;
use crate::mirror::Change;
use crate::record::{Column, Stream};
use std::io::{self, BufRead};

/// A format, as it is registered.
pub(super) struct FormatDefinition {
    /// In the configuration and in manifests; also the extension of its files.
    pub(super) name: &'static str,
    /// Whether the options for spreadsheets apply to its files.
    pub(super) is_for_spreadsheets: bool,
    /// Encodes the rows of one file.
    pub(super) encoder: fn(Stream, Dialect) -> Box<dyn Encoder>,
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
