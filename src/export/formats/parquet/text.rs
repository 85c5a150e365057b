//! A Parquet file as text, whatever its columns: for whoever looks for something in it.

use super::decoder::spooled;
use parquet::file::reader::SerializedFileReader;
use parquet::record::reader::RowIter;
use std::io::{self, Read};

/// The rows of a Parquet file as text, one a line, names and values.
///
/// # Errors
/// When it isn't a Parquet file that can be read. Reading on fails where a row can't be read.
pub(in crate::export) fn rows_as_text(source: &mut dyn Read) -> io::Result<Box<dyn Read>> {
    let file = SerializedFileReader::new(spooled(source)?).map_err(io::Error::other)?;
    Ok(Box::new(RowsAsText { rows: file.into_iter(), text: io::Cursor::default() }))
}

struct RowsAsText {
    rows: RowIter<'static>,
    text: io::Cursor<Vec<u8>>,
}

impl Read for RowsAsText {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        let Some(row) = self.rows.next() else { return Ok(0) };
        self.text = io::Cursor::new(format!("{}\n", row.map_err(io::Error::other)?).into_bytes());
        self.text.read(buffer)
    }
}
