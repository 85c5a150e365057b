//! Changes as CSV.
//!
//! Any field but NULL and the empty string is quoted only where it holds a comma, a quote, CR or LF, or begins or ends with
//! white space. The header's names are always quoted: DuckDB takes a file for one without quotes where the first 20,480
//! rows have none, and then tears quoted fields behind them apart.

use super::formula_guard::guard;
use crate::export::formats::byte_scan::contains_byte;
use crate::export::formats::columns::columns;
use crate::export::formats::definition::Encoder;
use crate::export::formats::dialect::Dialect;
use crate::export::formats::portable::portable;
use crate::mirror::Change;
use crate::record::{Column, Stream, Value};
use std::borrow::Cow;
use std::io;

/// What spreadsheets take as a sign that a text is UTF-8 (`export.csv_bom`).
const BOM: &str = "\u{feff}";

/// Encodes changes as CSV.
pub(super) struct CsvEncoder {
    stream: Stream,
    dialect: Dialect,
}

impl CsvEncoder {
    pub(super) fn new(stream: Stream, dialect: Dialect) -> CsvEncoder {
        CsvEncoder { stream, dialect }
    }

    /// A field that the API gave. Returns whether it was rewritten.
    fn given(&self, column: &Column, value: Value<'_>, line: &mut Vec<u8>) -> io::Result<bool> {
        line.push(b',');
        let Value::Text(text) = value else { return field(line, value).map(|()| false) };
        let text = if self.dialect.exact { Cow::from(text) } else { portable(column.kind, text) };
        match self.dialect.guarded {
            true => field(line, Value::Text(&guard(&text)))?,
            false => field(line, Value::Text(&text))?,
        }
        Ok(matches!(text, Cow::Owned(_)))
    }
}

impl Encoder for CsvEncoder {
    fn begin(&mut self, out: &mut Vec<u8>) {
        let quote = if self.dialect.old_layout { "" } else { "\"" };
        let names: Vec<String> = columns(self.stream).map(|name| format!("{quote}{name}{quote}")).collect();
        let bom = if self.dialect.bom { BOM } else { "" };
        out.extend_from_slice(format!("{bom}{}\r\n", names.join(",")).as_bytes());
    }

    fn row(&mut self, change: &Change<'_>, out: &mut Vec<u8>) -> io::Result<u64> {
        field(out, Value::Integer(change.seq))?;
        for text in [change.op.name(), change.observed_at] {
            out.push(b',');
            field(out, Value::Text(text))?;
        }
        let mut rewritten = 0;
        for (n, column) in self.stream.columns().iter().enumerate() {
            rewritten += u64::from(self.given(column, self.dialect.value(change, n), out)?);
        }
        out.extend_from_slice(b"\r\n");
        Ok(rewritten)
    }
}

/// A value as a field, quoted where it must be.
fn field(line: &mut Vec<u8>, value: Value<'_>) -> io::Result<()> {
    match value {
        Value::Null => {}
        Value::Integer(number) => serde_json::to_writer(line, &number)?,
        Value::Text(text) => csv_text(line, text),
    }
    Ok(())
}

/// Adds a text as a field, quoted where it must be; the empty one always, since an empty field is NULL.
pub fn csv_text(line: &mut Vec<u8>, text: &str) {
    if !needs_quotes(text) {
        return line.extend_from_slice(text.as_bytes());
    }
    // `csv_core::quote` takes half as long again for JSON, where every few bytes are a quote.
    line.push(b'"');
    for (n, part) in text.as_bytes().split(|byte| *byte == b'"').enumerate() {
        if n > 0 {
            line.extend_from_slice(b"\"\"");
        }
        line.extend_from_slice(part);
    }
    line.push(b'"');
}

fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || text.starts_with(char::is_whitespace)
        || text.ends_with(char::is_whitespace)
        || contains_byte(text, |byte| matches!(byte, b',' | b'"' | b'\r' | b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::formats::{FileFacts, Format, RowWriter};
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

    /// An event's row, as far as it is given.
    fn row<'v>(given: &[(usize, Value<'v>)]) -> Vec<Value<'v>> {
        let mut values = vec![Value::Null; Stream::Events.columns().len()];
        given.iter().for_each(|(n, value)| values[*n] = *value);
        values
    }

    /// What a file holds with an insert of the first and a delete of the second row; and how many values were rewritten.
    fn file(dialect: Dialect, values: &[Value<'_>], keys: &[Value<'_>]) -> (String, u64) {
        let mut rows =
            RowWriter::begin(Format::Csv, &FileFacts::of(Stream::Events), dialect, Vec::new()).unwrap();
        let change = Change { seq: 7, op: Op::Insert, observed_at: "t", id: "a", row: Some(values) };
        rows.write(&change).unwrap();
        rows.write(&Change { seq: 8, op: Op::Delete, row: Some(keys), ..change }).unwrap();
        let (file, rewritten) = rows.finish().unwrap();
        (String::from_utf8(file).unwrap(), rewritten)
    }

    #[test]
    fn the_header_is_quoted_and_deletes_hold_the_keys_alone() {
        let values = row(&[
            (0, Value::Text("a")),
            (1, Value::Text("")),
            (3, Value::Text("x,y")),
            (9, Value::Text("{}")),
        ]);
        let keys = row(&[(0, Value::Text("a")), (1, Value::Text("c,d"))]);
        let (found, rewritten) = file(Dialect::PLAIN, &values, &keys);
        assert_eq!(
            found,
            "\"_seq\",\"_op\",\"_observed_at\",\"id\",\"customer_id\",\"type\",\"label\",\"link_back_url\",\"timestamp\",\
             \"properties\",\"created_at\",\"updated_at\",\"extra\"\r\n\
             7,insert,t,a,\"\",,\"x,y\",,,,,,{}\r\n\
             8,delete,t,a,\"c,d\",,,,,,,,\r\n"
        );
        assert_eq!(rewritten, 0);
        let (marked, _) = file(Dialect { bom: true, ..Dialect::PLAIN }, &values, &keys);
        assert_eq!(marked, format!("\u{feff}{found}"));
        // As older versions wrote them.
        let (old, _) = file(Dialect { old_layout: true, exact: true, ..Dialect::PLAIN }, &values, &keys);
        let lines: Vec<&str> = old.lines().collect();
        assert!(lines[0].starts_with("_seq,_op,_observed_at,id,customer_id,"), "{old}");
        assert_eq!(lines[2], "8,delete,t,a,,,,,,,,,");
    }

    #[test]
    fn a_guarded_file_begins_no_field_like_a_formula() {
        let values = row(&[
            (0, Value::Text("-id")),
            (2, Value::Text("=A1&\"x\"")),
            (3, Value::Text("'quoted'")),
            (4, Value::Text("")),
            (5, Value::Integer(-7)),
            (6, Value::Text("-1")),
            (7, Value::Text("\0\0=1")),
        ]);
        let keys = row(&[(0, Value::Text("-id")), (1, Value::Text("+c"))]);
        let (found, rewritten) = file(Dialect { guarded: true, ..Dialect::PLAIN }, &values, &keys);
        let lines: Vec<&str> = found.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "7,insert,t,'-id,,\"'=A1&\"\"x\"\"\",''quoted',\"\",-7,'-1,'=1,,",
                "8,delete,t,'-id,'+c,,,,,,,,"
            ]
        );
        assert_eq!(rewritten, 1);
    }

    #[test]
    fn what_readers_refuse_is_rewritten_and_counted_unless_it_is_to_be_exact() {
        let values = row(&[
            (0, Value::Text("a")),
            (3, Value::Text("x\0y")),
            (6, Value::Text("{\"a\":1e400}")),
            (9, Value::Text("{\"a\":1e4}")),
        ]);
        let exact = Dialect { exact: true, ..Dialect::PLAIN };
        for (dialect, row, expected) in [
            (Dialect::PLAIN, "7,insert,t,a,,,xy,,,\"{\"\"a\"\":\"\"1e400\"\"}\",,,\"{\"\"a\"\":1e4}\"", 2),
            (exact, "7,insert,t,a,,,x\0y,,,\"{\"\"a\"\":1e400}\",,,\"{\"\"a\"\":1e4}\"", 0),
        ] {
            let (found, rewritten) = file(dialect, &values, &values[..2]);
            assert_eq!((found.lines().nth(1), rewritten), (Some(row), expected));
        }
    }

    /// Why each field is told on its own whether it gets quotes.
    #[test]
    fn the_crate_s_writers_tell_no_null_from_an_empty_string() {
        use ::csv::QuoteStyle::{Always, Necessary, Never, NonNumeric};
        for (style, written) in [(Always, "\"\""), (Necessary, ""), (Never, ""), (NonNumeric, "\"\"")] {
            let mut writer = ::csv::WriterBuilder::new().quote_style(style).from_writer(Vec::new());
            let (null, empty) = ("", "");
            writer.write_record(["1", null, empty]).unwrap();
            let line = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            assert!(line.trim_end().ends_with(&format!(",{written},{written}")), "{line}");
        }
    }

    proptest! {
        /// The crate's reader gets back every text; and a NULL is the only field of no bytes at all.
        #[test]
        fn any_text_comes_back(texts in prop::collection::vec(prop::option::of("[a,\" \r\n\t\0é😀=-]{0,6}|.*"), 8)) {
            let values: Vec<Value<'_>> =
                texts.iter().map(|text| text.as_deref().map_or(Value::Null, Value::Text)).collect();
            let exact = Dialect { exact: true, ..Dialect::PLAIN };
            let mut rows = RowWriter::begin(Format::Csv, &FileFacts::of(Stream::Customers), exact, Vec::new()).unwrap();
            rows.write(&Change { seq: 1, op: Op::Update, observed_at: "t", id: "a", row: Some(&values) }).unwrap();
            let (file, _) = rows.finish().unwrap();
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
