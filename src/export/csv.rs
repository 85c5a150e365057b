//! Changes as CSV: RFC 4180, UTF-8, a header line, lines end with CRLF.
//!
//! RFC 4180 knows no NULL. Here NULL is an empty field and the empty string is `""`, which is how PostgreSQL
//! (`COPY … CSV`), DuckDB and Python's `csv.QUOTE_NOTNULL` read them. Any other field is quoted only where it holds a
//! comma, a quote, CR or LF, or begins or ends with white space. Text is written as it is, unless it is to be guarded: then
//! what a spreadsheet would take for a formula gets a `'` in front.

use super::bytes::any;
use super::columns::columns;
use super::guard::guard;
use crate::mirror::Change;
use crate::record::{Column, Stream, Value};
use std::io::{self, Write};

/// Writes changes as CSV.
pub(super) struct CsvRows<W: Write> {
    sink: W,
    columns: &'static [Column],
    guarded: bool,
    line: Vec<u8>,
}

impl<W: Write> CsvRows<W> {
    pub(super) fn begin(stream: Stream, guarded: bool, mut sink: W) -> io::Result<CsvRows<W>> {
        let names: Vec<&str> = columns(stream).collect();
        write!(sink, "{}\r\n", names.join(","))?;
        Ok(CsvRows { sink, columns: stream.columns(), guarded, line: Vec::new() })
    }

    pub(super) fn write(&mut self, change: &Change<'_>) -> io::Result<()> {
        self.line.clear();
        field(&mut self.line, Value::Integer(change.seq))?;
        for text in [change.op.name(), change.observed_at] {
            self.line.push(b',');
            field(&mut self.line, Value::Text(text))?;
        }
        match change.row {
            Some(values) => values.iter().try_for_each(|value| self.given(*value))?,
            None => self.columns.iter().try_for_each(|column| {
                self.given(if column.name == "id" { Value::Text(change.id) } else { Value::Null })
            })?,
        }
        self.line.extend_from_slice(b"\r\n");
        self.sink.write_all(&self.line)
    }

    pub(super) fn finish(self) -> W {
        self.sink
    }

    /// A field that the API gave.
    fn given(&mut self, value: Value<'_>) -> io::Result<()> {
        self.line.push(b',');
        match value {
            Value::Text(text) if self.guarded => field(&mut self.line, Value::Text(&guard(text))),
            value => field(&mut self.line, value),
        }
    }
}

/// A value as a field, quoted where it must be.
fn field(line: &mut Vec<u8>, value: Value<'_>) -> io::Result<()> {
    match value {
        Value::Null => {}
        Value::Integer(number) => serde_json::to_writer(line, &number)?,
        Value::Text(text) if !needs_quotes(text) => line.extend_from_slice(text.as_bytes()),
        Value::Text(text) => {
            line.push(b'"');
            for (n, part) in text.as_bytes().split(|byte| *byte == b'"').enumerate() {
                if n > 0 {
                    line.extend_from_slice(b"\"\"");
                }
                line.extend_from_slice(part);
            }
            line.push(b'"');
        }
    }
    Ok(())
}

fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || text.starts_with(char::is_whitespace)
        || text.ends_with(char::is_whitespace)
        || any(text, |byte| matches!(byte, b',' | b'"' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Op;
    use proptest::prelude::*;

    fn encoded(value: Value<'_>) -> String {
        let mut line = Vec::new();
        field(&mut line, value).unwrap();
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn quotes_stand_only_where_they_must() {
        for (value, expected) in [
            (Value::Null, ""),
            (Value::Integer(-5), "-5"),
            (Value::Text(""), "\"\""),
            (Value::Text("Ann"), "Ann"),
            (Value::Text("a b"), "a b"),
            (Value::Text(" a"), "\" a\""),
            (Value::Text("a "), "\"a \""),
            (Value::Text("a,b"), "\"a,b\""),
            (Value::Text("O\"Hara"), "\"O\"\"Hara\""),
            (Value::Text("a\r\nb"), "\"a\r\nb\""),
            (Value::Text("\r"), "\"\r\""),
            (Value::Text("=1+1"), "=1+1"),
            (Value::Text("NULL"), "NULL"),
            (Value::Text("\0"), "\0"),
            (Value::Text("😀'"), "😀'"),
        ] {
            assert_eq!(encoded(value), expected, "{value:?}");
        }
    }

    #[test]
    fn a_file_has_a_header_line_and_deletes_hold_the_id_alone() {
        let mut rows = CsvRows::begin(Stream::Customers, false, Vec::new()).unwrap();
        let values = [Value::Text("a"), Value::Text(""), Value::Null, Value::Text("x,y")];
        let values: Vec<_> = values.into_iter().chain([Value::Null; 3]).chain([Value::Text("{}")]).collect();
        let change = Change {
            seq: 7,
            op: Op::Insert,
            observed_at: "2024-05-01T12:00:00.000Z",
            id: "a",
            row: Some(&values),
        };
        rows.write(&change).unwrap();
        rows.write(&Change { seq: 8, op: Op::Delete, row: None, id: "b,c", ..change }).unwrap();
        assert_eq!(
            String::from_utf8(rows.finish()).unwrap(),
            "_seq,_op,_observed_at,id,email,first_name,last_name,phone_number,created_at,updated_at,extra\r\n\
             7,insert,2024-05-01T12:00:00.000Z,a,\"\",,\"x,y\",,,,{}\r\n\
             8,delete,2024-05-01T12:00:00.000Z,\"b,c\",,,,,,,\r\n"
        );
    }

    #[test]
    fn a_guarded_file_begins_no_field_like_a_formula() {
        let mut rows = CsvRows::begin(Stream::Events, true, Vec::new()).unwrap();
        let mut values = vec![Value::Null; 10];
        values[0] = Value::Text("-id");
        values[2] = Value::Text("=A1&\"x\"");
        values[3] = Value::Text("'quoted'");
        values[4] = Value::Text("");
        values[5] = Value::Integer(-7);
        values[6] = Value::Text("-1");
        let change = Change { seq: 7, op: Op::Insert, observed_at: "t", id: "-id", row: Some(&values) };
        rows.write(&change).unwrap();
        rows.write(&Change { op: Op::Delete, row: None, ..change }).unwrap();
        let text = String::from_utf8(rows.finish()).unwrap();
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            ["7,insert,t,'-id,,\"'=A1&\"\"x\"\"\",''quoted',\"\",-7,'-1,,,", "7,delete,t,'-id,,,,,,,,,"]
        );
    }

    proptest! {
        /// The reader of the same crate gets back every text; and a NULL is the only field of no bytes at all.
        #[test]
        fn any_text_comes_back(texts in prop::collection::vec(prop::option::of("[a,\" \r\n\t\0é😀=-]{0,6}|.*"), 8)) {
            let values: Vec<Value<'_>> =
                texts.iter().map(|text| text.as_deref().map_or(Value::Null, Value::Text)).collect();
            let mut rows = CsvRows::begin(Stream::Customers, false, Vec::new()).unwrap();
            rows.write(&Change { seq: 1, op: Op::Update, observed_at: "t", id: "a", row: Some(&values) }).unwrap();
            let file = rows.finish();
            let record = ::csv::Reader::from_reader(file.as_slice()).records().next().unwrap().unwrap();
            let fields: Vec<&str> = record.iter().skip(3).collect();
            let expected: Vec<&str> = texts.iter().map(|text| text.as_deref().unwrap_or("")).collect();
            prop_assert_eq!(fields, expected);
            for value in values {
                prop_assert_eq!(encoded(value).is_empty(), value == Value::Null);
            }
        }
    }
}
