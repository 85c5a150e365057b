//! Rows in any format on their way to a sink.

use super::definition::{Encoder, FileFacts};
use super::dialect::Dialect;
use super::registry::Format;
use crate::mirror::Change;
use std::io::{self, Write};

/// Bytes that are handed to the sink at once.
pub(in crate::export) const CHUNK_BYTES: usize = 128 * 1024;

/// Writes changes in one format. Hands bytes on in chunks of one size, but for the last one: compressed files, too, are
/// then made of their rows alone, not of how these were written.
pub(in crate::export) struct RowWriter<W: Write> {
    sink: W,
    encoder: Box<dyn Encoder>,
    encoded: Vec<u8>,
    rewritten: u64,
}

impl<W: Write> RowWriter<W> {
    /// Begins a file: encodes what stands before its first row.
    pub(in crate::export) fn begin(
        format: Format,
        facts: &FileFacts<'_>,
        dialect: Dialect,
        sink: W,
    ) -> io::Result<RowWriter<W>> {
        let mut encoder = (format.definition().encoder)(facts, dialect)?;
        let mut encoded = Vec::with_capacity(CHUNK_BYTES);
        encoder.begin(&mut encoded);
        Ok(RowWriter { sink, encoder, encoded, rewritten: 0 })
    }

    pub(in crate::export) fn write(&mut self, change: &Change<'_>) -> io::Result<()> {
        self.rewritten += self.encoder.row(change, &mut self.encoded)?;
        self.hand_on_chunks()
    }

    /// Hands everything over to the sink, and the sink back; says how many values were rewritten for readers' sake.
    pub(in crate::export) fn finish(mut self) -> io::Result<(W, u64)> {
        self.encoder.end(&mut self.encoded)?;
        self.hand_on_chunks()?;
        self.sink.write_all(&self.encoded)?;
        Ok((self.sink, self.rewritten))
    }

    fn hand_on_chunks(&mut self) -> io::Result<()> {
        let whole = self.encoded.len() - self.encoded.len() % CHUNK_BYTES;
        self.encoded[..whole].chunks(CHUNK_BYTES).try_for_each(|chunk| self.sink.write_all(chunk))?;
        self.encoded.drain(..whole);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Op, Stream, Value};

    #[test]
    fn chunks_are_of_one_size_however_they_come() {
        struct Sizes(Vec<usize>);
        impl Write for Sizes {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.push(bytes.len());
                Ok(bytes.len())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for (length, rows) in [(1_000, 600), (CHUNK_BYTES, 4), (3 * CHUNK_BYTES + 1, 2)] {
            let id = "x".repeat(length);
            let keys = [Value::Text(&id)];
            let change = Change { seq: 1, op: Op::Delete, observed_at: "t", id: &id, row: Some(&keys) };
            let facts = FileFacts::of(Stream::Events);
            let begun = RowWriter::begin(Format::Ndjson, &facts, Dialect::PLAIN, Sizes(Vec::new()));
            let mut writer = begun.unwrap();
            (0..rows).for_each(|_| writer.write(&change).unwrap());
            let sizes = writer.finish().unwrap().0.0;
            let bytes: usize = sizes.iter().sum();
            let mut expected = vec![CHUNK_BYTES; bytes / CHUNK_BYTES];
            expected.push(bytes % CHUNK_BYTES);
            assert!(expected.len() > 4);
            assert_eq!(sizes, expected);
        }
    }
}
