//! Changes as NDJSON: one JSON object a line, UTF-8, lines end with LF. Every object has the same members.

use super::bytes::any;
use super::form::Form;
use super::readable::readable;
use crate::mirror::Change;
use crate::record::{Column, ColumnKind, Op, Stream, Value};
use std::borrow::Cow;
use std::io::{self, Write};

/// Writes changes as NDJSON.
pub(super) struct NdjsonRows<W: Write> {
    sink: W,
    members: Vec<Member>,
    form: Form,
    line: Vec<u8>,
    rewritten: u64,
}

/// A member of each object.
struct Member {
    /// Its name with what stands around it: `,"name":`.
    name: String,
    kind: ColumnKind,
}

impl<W: Write> NdjsonRows<W> {
    pub(super) fn begin(stream: Stream, form: Form, sink: W) -> NdjsonRows<W> {
        let member = |column: &Column| Member { name: format!(",\"{}\":", column.name), kind: column.kind };
        let members = stream.columns().iter().map(member).collect();
        NdjsonRows { sink, members, form, line: Vec::new(), rewritten: 0 }
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
        let only_id = self.form.old_layout && change.op == Op::Delete;
        let members = self.members.iter().take(if only_id { 1 } else { self.members.len() });
        for (n, member) in members.enumerate() {
            line.extend_from_slice(member.name.as_bytes());
            self.rewritten += u64::from(member.write(self.form.value(change, n), self.form, line)?);
        }
        line.extend_from_slice(b"}\n");
        self.sink.write_all(line)
    }

    /// Hands the sink back, and says how many values were rewritten.
    pub(super) fn finish(self) -> (W, u64) {
        (self.sink, self.rewritten)
    }
}

impl Member {
    /// Writes its value; returns whether that was rewritten.
    fn write(&self, value: Value<'_>, form: Form, line: &mut Vec<u8>) -> io::Result<bool> {
        let text = match value {
            Value::Null => {
                line.extend_from_slice(b"null");
                return Ok(false);
            }
            Value::Integer(number) => return integer(line, number).map(|()| false),
            Value::Text(text) if form.exact => Cow::from(text),
            Value::Text(text) => readable(self.kind, text),
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

    const EXACT: Form = Form { exact: true, ..Form::PLAIN };

    fn line(change: &Change<'_>, form: Form) -> (String, u64) {
        let mut rows = NdjsonRows::begin(Stream::Events, form, Vec::new());
        rows.write(change).unwrap();
        let (line, rewritten) = rows.finish();
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
        let (readable, rewritten) = line(&change, Form::PLAIN);
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
            line(&change, Form::PLAIN).0,
            format!(
                "{front},\"customer_id\":\"c\",\"type\":null,\"label\":null,\"link_back_url\":null,\"timestamp\":null,\
                 \"properties\":null,\"created_at\":null,\"updated_at\":null,\"extra\":null}}\n"
            )
        );
        // As older versions wrote it.
        assert_eq!(line(&change, Form { old_layout: true, ..EXACT }).0, format!("{front}}}\n"));
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
