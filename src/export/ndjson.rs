//! Changes as NDJSON: one JSON object a line, UTF-8, lines end with LF.

use super::bytes::any;
use crate::mirror::Change;
use crate::record::{Column, ColumnKind, Stream, Value};
use std::io::{self, Write};

/// Writes changes as NDJSON.
pub(super) struct NdjsonRows<W: Write> {
    sink: W,
    members: Vec<Member>,
    line: Vec<u8>,
}

/// A member of each object.
struct Member {
    /// Its name with what stands around it: `,"name":`.
    name: String,
    kind: ColumnKind,
}

impl<W: Write> NdjsonRows<W> {
    pub(super) fn begin(stream: Stream, sink: W) -> NdjsonRows<W> {
        let member = |column: &Column| Member { name: format!(",\"{}\":", column.name), kind: column.kind };
        NdjsonRows { sink, members: stream.columns().iter().map(member).collect(), line: Vec::new() }
    }

    pub(super) fn write(&mut self, change: &Change<'_>) -> io::Result<()> {
        let line = &mut self.line;
        line.clear();
        line.extend_from_slice(b"{\"_seq\":");
        integer(line, change.seq)?;
        line.extend_from_slice(b",\"_op\":\"");
        line.extend_from_slice(change.op.name().as_bytes());
        line.extend_from_slice(b"\",\"_observed_at\":");
        string(line, change.observed_at)?;
        match change.row {
            Some(values) => {
                self.members.iter().zip(values).try_for_each(|(member, value)| member.write(*value, line))?
            }
            None => {
                line.extend_from_slice(b",\"id\":");
                string(line, change.id)?;
            }
        }
        line.extend_from_slice(b"}\n");
        self.sink.write_all(line)
    }

    pub(super) fn finish(self) -> W {
        self.sink
    }
}

impl Member {
    fn write(&self, value: Value<'_>, line: &mut Vec<u8>) -> io::Result<()> {
        line.extend_from_slice(self.name.as_bytes());
        match (value, self.kind) {
            (Value::Null, _) => line.extend_from_slice(b"null"),
            (Value::Integer(number), _) => integer(line, number)?,
            (Value::Text(json), ColumnKind::Json) => on_one_line(line, json),
            (Value::Text(text), _) => string(line, text)?,
        }
        Ok(())
    }
}

/// JSON is never parsed and printed: numbers keep their digits. Raw line ends in JSON text are white space between tokens
/// (in strings they stand escaped, RFC 8259 section 7), and would break the line.
fn on_one_line(line: &mut Vec<u8>, json: &str) {
    let is_line_end = |byte: u8| matches!(byte, b'\r' | b'\n');
    if any(json, is_line_end) {
        line.extend(json.bytes().filter(|byte| !is_line_end(*byte)));
    } else {
        line.extend_from_slice(json.as_bytes());
    }
}

fn integer(line: &mut Vec<u8>, number: i64) -> io::Result<()> {
    Ok(serde_json::to_writer(line, &number)?)
}

fn string(line: &mut Vec<u8>, text: &str) -> io::Result<()> {
    // RFC 8259 section 7: what has to be escaped.
    if any(text, |byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        return Ok(serde_json::to_writer(line, text)?);
    }
    line.push(b'"');
    line.extend_from_slice(text.as_bytes());
    line.push(b'"');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Op;
    use proptest::prelude::*;

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

    proptest! {
        /// As the crate writes strings, and as a filter of line ends writes JSON.
        #[test]
        fn short_cuts_write_the_same_bytes(text in "[a\"\\\\\r\n\t\0\u{7f}é😀]{0,9}|.*") {
            let (mut written, mut json) = (Vec::new(), Vec::new());
            string(&mut written, &text).unwrap();
            on_one_line(&mut json, &text);
            prop_assert_eq!(String::from_utf8(written).unwrap(), serde_json::to_string(&text).unwrap());
            prop_assert_eq!(String::from_utf8(json).unwrap(), text.replace(['\r', '\n'], ""));
        }
    }
}
