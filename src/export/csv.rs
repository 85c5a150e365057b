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
use ::csv::{ErrorKind, QuoteStyle, Terminator, Writer, WriterBuilder};
use std::io::{self, Write};

/// Writes changes as CSV.
pub(super) struct CsvRows<W: Write> {
    /// Quotes nothing by itself: it can't be told to, field by field.
    writer: Writer<W>,
    columns: &'static [Column],
    guarded: bool,
    field: Vec<u8>,
}

impl<W: Write> CsvRows<W> {
    pub(super) fn begin(stream: Stream, guarded: bool, sink: W) -> io::Result<CsvRows<W>> {
        let mut writer = WriterBuilder::new()
            .quote_style(QuoteStyle::Never)
            .terminator(Terminator::CRLF)
            .has_headers(false)
            .from_writer(sink);
        writer.write_record(columns(stream)).map_err(io_error)?;
        Ok(CsvRows { writer, columns: stream.columns(), guarded, field: Vec::new() })
    }

    pub(super) fn write(&mut self, change: &Change<'_>) -> io::Result<()> {
        self.field(Value::Integer(change.seq))?;
        self.field(Value::Text(change.op.name()))?;
        self.field(Value::Text(change.observed_at))?;
        match change.row {
            Some(values) => values.iter().try_for_each(|value| self.given(*value))?,
            None => self.columns.iter().try_for_each(|column| {
                self.given(if column.name == "id" { Value::Text(change.id) } else { Value::Null })
            })?,
        }
        self.writer.write_record(None::<&[u8]>).map_err(io_error)
    }

    pub(super) fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(|error| error.into_error())
    }

    /// A field that the API gave.
    fn given(&mut self, value: Value<'_>) -> io::Result<()> {
        match value {
            Value::Text(text) if self.guarded => self.field(Value::Text(&guard(text))),
            value => self.field(value),
        }
    }

    fn field(&mut self, value: Value<'_>) -> io::Result<()> {
        let field = encode(value, &mut self.field)?;
        self.writer.write_field(field).map_err(io_error)
    }
}

/// The error with its own kind, which tells what to do about it.
fn io_error(error: ::csv::Error) -> io::Error {
    match error.into_kind() {
        ErrorKind::Io(error) => error,
        other => io::Error::other(format!("a row can't be written as CSV: {other:?}")),
    }
}

/// A value as a field, quoted where it must be: the text itself where it can be, else put together in `field`.
fn encode<'v>(value: Value<'v>, field: &'v mut Vec<u8>) -> io::Result<&'v [u8]> {
    field.clear();
    match value {
        Value::Null => {}
        Value::Integer(number) => serde_json::to_writer(&mut *field, &number)?,
        Value::Text(text) if !needs_quotes(text) => return Ok(text.as_bytes()),
        Value::Text(text) => {
            field.push(b'"');
            for (n, part) in text.split('"').enumerate() {
                if n > 0 {
                    field.extend_from_slice(b"\"\"");
                }
                field.extend_from_slice(part.as_bytes());
            }
            field.push(b'"');
        }
    }
    Ok(field)
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
        String::from_utf8(encode(value, &mut Vec::new()).unwrap().to_owned()).unwrap()
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
            String::from_utf8(rows.finish().unwrap()).unwrap(),
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
        let text = String::from_utf8(rows.finish().unwrap()).unwrap();
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
            let file = rows.finish().unwrap();
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
