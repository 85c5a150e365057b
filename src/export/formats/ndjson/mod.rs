//! NDJSON: one JSON object a line, UTF-8, lines end with LF. Every object has the same members.
//!
//! JSON values stand as they are stored, but for raw line ends between tokens, which would break the line.

mod decoder;
mod encoder;

use super::columns::columns;
use super::definition::FormatDefinition;

/// NDJSON, as it is registered.
pub(super) const FORMAT: FormatDefinition = FormatDefinition {
    name: "ndjson",
    is_for_spreadsheets: false,
    is_compressible: true,
    trusts_files: false,
    columns: |stream| columns(stream).map(str::to_owned).collect(),
    encoder: |facts, dialect| Ok(Box::new(encoder::NdjsonEncoder::new(facts.stream, dialect))),
    decoder: |columns, dialect| Box::new(decoder::NdjsonDecoder::new(columns, dialect)),
};
