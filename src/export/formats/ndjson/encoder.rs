//! Changes as NDJSON.

use crate::export::formats::byte_scan::contains_byte;
use crate::export::formats::definition::Encoder;
use crate::export::formats::dialect::Dialect;
use crate::export::formats::portable::portable;
use crate::mirror::Change;
use crate::record::{Column, ColumnKind, Op, Stream, Value};
use std::borrow::Cow;
use std::io;

/// Encodes changes as NDJSON.
pub(super) struct NdjsonEncoder {
    members: Vec<Member>,
    dialect: Dialect,
}

/// A member of each object.
struct Member {
    /// Its name with what stands around it: `,"name":`.
    name: String,
    kind: ColumnKind,
}

impl NdjsonEncoder {
    pub(super) fn new(stream: Stream, dialect: Dialect) -> NdjsonEncoder {
        let member = |column: &Column| Member { name: format!(",\"{}\":", column.name), kind: column.kind };
        NdjsonEncoder { members: stream.columns().iter().map(member).collect(), dialect }
    }
}

impl Encoder for NdjsonEncoder {
    fn row(&mut self, change: &Change<'_>, out: &mut Vec<u8>) -> io::Result<u64> {
        out.extend_from_slice(b"{\"_seq\":");
        integer(out, change.seq)?;
        out.extend_from_slice(b",\"_op\":\"");
        out.extend_from_slice(change.op.name().as_bytes());
        out.extend_from_slice(b"\",\"_observed_at\":");
        string(out, change.observed_at)?;
        let only_id = self.dialect.old_layout && change.op == Op::Delete;
        let members = self.members.iter().take(if only_id { 1 } else { self.members.len() });
        let mut rewritten = 0;
        for (n, member) in members.enumerate() {
            out.extend_from_slice(member.name.as_bytes());
            rewritten += u64::from(member.write(self.dialect.value(change, n), self.dialect, out)?);
        }
        out.extend_from_slice(b"}\n");
        Ok(rewritten)
    }
}

impl Member {
    /// Writes its value; returns whether that was rewritten.
    fn write(&self, value: Value<'_>, dialect: Dialect, line: &mut Vec<u8>) -> io::Result<bool> {
        let text = match value {
            Value::Null => {
                line.extend_from_slice(b"null");
                return Ok(false);
            }
            Value::Integer(number) => return integer(line, number).map(|()| false),
            Value::Text(text) if dialect.exact => Cow::from(text),
            Value::Text(text) => portable(self.kind, text),
        };
        match self.kind {
            ColumnKind::Json => on_one_line(line, &text),
            _ => string(line, &text)?,
        }
        Ok(matches!(text, Cow::Owned(_)))
    }
}

/// JSON is never parsed and printed: numbers keep their digits. Raw line ends in JSON text are white space between tokens
/// (in strings they stand escaped, RFC 8259 section 7), and would break the line.
fn on_one_line(line: &mut Vec<u8>, json: &str) {
    let is_line_end = |byte: u8| matches!(byte, b'\r' | b'\n');
    if contains_byte(json, is_line_end) {
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
    if contains_byte(text, |byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
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
    use crate::export::formats::{FileFacts, Format, RowWriter};
    use crate::record::Op;
    use proptest::prelude::*;

    const EXACT: Dialect = Dialect { exact: true, ..Dialect::PLAIN };

    fn line(change: &Change<'_>, dialect: Dialect) -> (String, u64) {
        let mut rows =
            RowWriter::begin(Format::Ndjson, &FileFacts::of(Stream::Events), dialect, Vec::new()).unwrap();
        rows.write(change).unwrap();
        let (line, rewritten) = rows.finish().unwrap();
        (String::from_utf8(line).unwrap(), rewritten)
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
            line(&change, EXACT).0,
            "{\"_seq\":9,\"_op\":\"update\",\"_observed_at\":\"2024-05-01T12:00:00.000Z\",\"id\":\"e\\\"1\",\
             \"customer_id\":\"c\",\"type\":null,\"label\":\"a\\r\\nb\\u0000😀\",\"link_back_url\":\"\",\
             \"timestamp\":-7,\"properties\":{\"n\": 12345678901234567890,  \"x\": 12.30, \"e\": 1e400, \
             \"t\": \"a\\nb\\u00e9\"},\"created_at\":null,\"updated_at\":null,\"extra\":{\"w\":1.50}}\n"
        );
        let (readable, rewritten) = line(&change, Dialect::PLAIN);
        assert!(readable.contains("\"label\":\"a\\r\\nb😀\""), "{readable}");
        assert!(
            readable.contains(
                "{\"n\": 12345678901234567890,  \"x\": 12.30, \"e\": \"1e400\", \"t\": \"a\\nb\\u00e9\"}"
            ),
            "{readable}"
        );
        assert_eq!(rewritten, 2);
    }

    #[test]
    fn a_delete_holds_the_keys_and_has_all_members() {
        let values = [[Value::Text("a\nb"), Value::Text("c")].as_slice(), &[Value::Null; 8]].concat();
        let change = Change { seq: 9, op: Op::Delete, observed_at: "t", id: "a\nb", row: Some(&values) };
        let front = "{\"_seq\":9,\"_op\":\"delete\",\"_observed_at\":\"t\",\"id\":\"a\\nb\"";
        assert_eq!(
            line(&change, Dialect::PLAIN).0,
            format!(
                "{front},\"customer_id\":\"c\",\"type\":null,\"label\":null,\"link_back_url\":null,\"timestamp\":null,\
                 \"properties\":null,\"created_at\":null,\"updated_at\":null,\"extra\":null}}\n"
            )
        );
        // As older versions wrote it.
        assert_eq!(line(&change, Dialect { old_layout: true, ..EXACT }).0, format!("{front}}}\n"));
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
