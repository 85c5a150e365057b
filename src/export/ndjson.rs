//! Changes as NDJSON: one JSON object a line, UTF-8, lines end with LF.

use crate::mirror::Change;
use crate::record::{Column, ColumnKind, Stream, Value};
use std::io::{self, Write};

/// Writes changes as NDJSON.
pub(super) struct NdjsonRows<W: Write> {
    sink: W,
    columns: &'static [Column],
    line: Vec<u8>,
}

impl<W: Write> NdjsonRows<W> {
    pub(super) fn begin(stream: Stream, sink: W) -> NdjsonRows<W> {
        NdjsonRows { sink, columns: stream.columns(), line: Vec::new() }
    }

    pub(super) fn write(&mut self, change: &Change<'_>) -> io::Result<()> {
        self.line.clear();
        write!(self.line, "{{\"_seq\":{},\"_op\":\"{}\",\"_observed_at\":", change.seq, change.op.name())?;
        string(&mut self.line, change.observed_at)?;
        match change.row {
            Some(values) => {
                for (column, value) in self.columns.iter().zip(values) {
                    member(&mut self.line, *column, *value)?;
                }
            }
            None => {
                self.line.extend_from_slice(b",\"id\":");
                string(&mut self.line, change.id)?;
            }
        }
        self.line.extend_from_slice(b"}\n");
        self.sink.write_all(&self.line)
    }

    pub(super) fn finish(self) -> W {
        self.sink
    }
}

fn member(line: &mut Vec<u8>, column: Column, value: Value<'_>) -> io::Result<()> {
    write!(line, ",\"{}\":", column.name)?;
    match (value, column.kind) {
        (Value::Null, _) => line.extend_from_slice(b"null"),
        (Value::Integer(number), _) => write!(line, "{number}")?,
        // Never parsed and printed: numbers keep their digits. Raw line ends in JSON text are white space between
        // tokens (in strings they stand escaped, RFC 8259 section 7), and would break the line.
        (Value::Text(json), ColumnKind::Json) => {
            line.extend(json.bytes().filter(|byte| !matches!(byte, b'\r' | b'\n')));
        }
        (Value::Text(text), _) => string(line, text)?,
    }
    Ok(())
}

fn string(line: &mut Vec<u8>, text: &str) -> io::Result<()> {
    Ok(serde_json::to_writer(line, text)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Op;

    fn line(change: &Change<'_>) -> String {
        let mut rows = NdjsonRows::begin(Stream::Events, Vec::new());
        rows.write(change).unwrap();
        String::from_utf8(rows.finish()).unwrap()
    }

    #[test]
    fn json_stands_as_it_is_stored_but_on_one_line() {
        let properties =
            "{\"n\": 12345678901234567890,\r\n  \"x\": 12.30, \"e\": 1e400, \"t\": \"a\\nb\\u00e9\"}";
        let values = [
            Value::Text("e\"1"),
            Value::Text("c"),
            Value::Null,
            Value::Text("a\r\nb\0😀"),
            Value::Text(""),
            Value::Integer(-7),
            Value::Text(properties),
            Value::Null,
            Value::Null,
            Value::Text("{\"w\":1.50}"),
        ];
        let change = Change {
            seq: 9,
            op: Op::Update,
            observed_at: "2024-05-01T12:00:00.000Z",
            id: "e\"1",
            row: Some(&values),
        };
        assert_eq!(
            line(&change),
            "{\"_seq\":9,\"_op\":\"update\",\"_observed_at\":\"2024-05-01T12:00:00.000Z\",\"id\":\"e\\\"1\",\
             \"customer_id\":\"c\",\"type\":null,\"label\":\"a\\r\\nb\\u0000😀\",\"link_back_url\":\"\",\
             \"timestamp\":-7,\"properties\":{\"n\": 12345678901234567890,  \"x\": 12.30, \"e\": 1e400, \
             \"t\": \"a\\nb\\u00e9\"},\"created_at\":null,\"updated_at\":null,\"extra\":{\"w\":1.50}}\n"
        );
    }

    #[test]
    fn a_delete_holds_the_id_alone() {
        let change = Change { seq: 9, op: Op::Delete, observed_at: "t", id: "a\nb", row: None };
        assert_eq!(
            line(&change),
            "{\"_seq\":9,\"_op\":\"delete\",\"_observed_at\":\"t\",\"id\":\"a\\nb\"}\n"
        );
    }
}
