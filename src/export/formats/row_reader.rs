//! Rows of any format on their way from a source.

use super::decoded_row::{Row, Unreadable};
use super::definition::Decoder;
use std::io::{self, BufRead};

/// No row is longer: a lost line end or a stray quote must not take the whole file into memory.
pub(super) const LONGEST_ROW: usize = 256 * 1024 * 1024;

/// Reads the rows of a file, one at a time.
pub(super) struct RowReader<'s> {
    source: Box<dyn BufRead + 's>,
    decoder: Box<dyn Decoder>,
    rows: u64,
}

impl<'s> RowReader<'s> {
    /// Begins a file: reads what stands before its first row.
    pub(super) fn begin(
        mut source: Box<dyn BufRead + 's>,
        mut decoder: Box<dyn Decoder>,
    ) -> Result<RowReader<'s>, Unreadable> {
        decoder.begin(&mut source).map_err(|what| Unreadable { row: 0, what })?;
        Ok(RowReader { source, decoder, rows: 0 })
    }
}

impl Iterator for RowReader<'_> {
    type Item = Result<Row, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows += 1;
        let row = self.decoder.row(&mut self.source).transpose()?;
        let numbered = row.map(|row| Row { number: self.rows, ..row });
        Some(numbered.map_err(|what| Unreadable { row: self.rows, what }))
    }
}

/// What is said of a source that can't be read on.
pub(super) fn source_failed(error: io::Error) -> String {
    format!("it can't be read or unpacked: {error}")
}
