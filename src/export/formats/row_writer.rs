//! Rows in any format on their way to a sink.

use super::definition::Encoder;
use super::dialect::Dialect;
use super::registry::Format;
use crate::mirror::Change;
use crate::record::Stream;
use std::io::{self, Write};

/// Writes changes in one format.
pub(in crate::export) struct RowWriter<W: Write> {
    sink: W,
    encoder: Box<dyn Encoder>,
    encoded: Vec<u8>,
    rewritten: u64,
}

impl<W: Write> RowWriter<W> {
    /// Begins a file: writes what stands before its first row.
    pub(in crate::export) fn begin(
        format: Format,
        stream: Stream,
        dialect: Dialect,
        sink: W,
    ) -> io::Result<RowWriter<W>> {
        let mut encoder = (format.definition().encoder)(stream, dialect);
        let mut encoded = Vec::new();
        encoder.begin(&mut encoded);
        let mut writer = RowWriter { sink, encoder, encoded, rewritten: 0 };
        writer.hand_on()?;
        Ok(writer)
    }

    pub(in crate::export) fn write(&mut self, change: &Change<'_>) -> io::Result<()> {
        self.rewritten += self.encoder.row(change, &mut self.encoded)?;
        self.hand_on()
    }

    /// Hands everything over to the sink, and the sink back; says how many values were rewritten for readers' sake.
    pub(in crate::export) fn finish(mut self) -> io::Result<(W, u64)> {
        self.encoder.end(&mut self.encoded)?;
        self.hand_on()?;
        Ok((self.sink, self.rewritten))
    }

    fn hand_on(&mut self) -> io::Result<()> {
        self.sink.write_all(&self.encoded)?;
        self.encoded.clear();
        Ok(())
    }
}
