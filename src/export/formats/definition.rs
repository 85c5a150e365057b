//! What a format consists of.

use super::decoded_row::{Rows, Unreadable};
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
    /// Reads a file's rows back, with the stream's own columns.
    pub(super) reader: Reader,
}

/// Begins to read rows.
pub(super) type Reader =
    for<'s> fn(Box<dyn BufRead + 's>, &'static [Column], Dialect) -> Result<Rows<'s>, Unreadable>;

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
