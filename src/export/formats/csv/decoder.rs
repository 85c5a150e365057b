//! CSV read back (RFC 4180), so that a mistake in the writing shows.
//!
//! The crate finds the fields and takes their quotes away. It takes more than RFC 4180 does and passes over what fields
//! looked like, so each one's bytes are compared with what its text has to look like. By them NULL and the empty string
//! are told apart, too.

use crate::export::formats::byte_scan::contains_byte;
use crate::export::formats::columns::CHANGE_COLUMNS;
use crate::export::formats::decoded_row::{Cell, Row};
use crate::export::formats::definition::Decoder;
use crate::export::formats::dialect::Dialect;
use crate::export::formats::row_reader::{LONGEST_ROW, source_failed};
use crate::record::{Column, ColumnKind};
use csv_core::ReadFieldResult;
use std::io::{self, BufRead, Read};

const NO_CSV: &str = "the row is no CSV in UTF-8";

/// Decodes rows of CSV.
pub(super) struct CsvDecoder {
    columns: &'static [Column],
    dialect: Dialect,
    fields: csv_core::Reader,
    /// The field as it stands in the file, with the comma or line end behind it; and its text.
    raw: Vec<u8>,
    text: Vec<u8>,
    /// What the crate writes text into.
    part: [u8; 4096],
}

impl CsvDecoder {
    pub(super) fn new(columns: &'static [Column], dialect: Dialect) -> CsvDecoder {
        // The CR of a line's end is compared like any other byte.
        let fields = csv_core::ReaderBuilder::new().terminator(csv_core::Terminator::Any(b'\n')).build();
        CsvDecoder { columns, dialect, fields, raw: Vec::new(), text: Vec::new(), part: [0; 4096] }
    }

    /// The fields of the next record; `None` at the end.
    fn record(&mut self, source: &mut dyn BufRead) -> Result<Option<Vec<Cell>>, String> {
        let width = CHANGE_COLUMNS.len() + self.columns.len();
        let mut cells = Vec::with_capacity(width);
        while let Some(is_last) = self.field(source)? {
            cells.push(self.cell(is_last)?);
            if is_last != (cells.len() == width) {
                return Err("the row has another number of fields than the header line".to_owned());
            }
            if is_last {
                return Ok(Some(cells));
            }
        }
        // The crate passes over empty lines.
        if self.raw.is_empty() { Ok(None) } else { Err(NO_CSV.to_owned()) }
    }

    /// Reads the next field, and says whether it is its record's last one; `None` at the end.
    fn field(&mut self, source: &mut dyn BufRead) -> Result<Option<bool>, String> {
        self.raw.clear();
        self.text.clear();
        while self.raw.len() < LONGEST_ROW {
            let bytes = match source.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                bytes => bytes.map_err(source_failed)?,
            };
            let (result, read, written) = self.fields.read_field(bytes, &mut self.part);
            self.raw.extend_from_slice(&bytes[..read]);
            self.text.extend_from_slice(&self.part[..written]);
            source.consume(read);
            match result {
                ReadFieldResult::Field { record_end } => return Ok(Some(record_end)),
                ReadFieldResult::End => return Ok(None),
                ReadFieldResult::InputEmpty | ReadFieldResult::OutputFull => {}
            }
        }
        Err("a row of more than 256 MiB: a quote has no end".to_owned())
    }

    /// The field that was read.
    fn cell(&self, is_last: bool) -> Result<Cell, &'static str> {
        let (raw, text) = match is_last {
            true if !self.raw.ends_with(b"\n") => return Err("the row has no end"),
            true if !self.raw.ends_with(b"\r\n") => return Err("the row does not end with CRLF"),
            true => (self.raw.strip_suffix(b"\r\n"), self.text.strip_suffix(b"\r")),
            false => (self.raw.strip_suffix(b","), Some(&*self.text)),
        };
        raw.zip(text).and_then(|(raw, text)| cell(raw, text)).ok_or(NO_CSV)
    }
}

impl Decoder for CsvDecoder {
    /// The header line has to name the columns of changes and of the stream, with quotes and a byte order mark or without,
    /// as the dialect has it.
    fn begin(&mut self, source: &mut dyn BufRead) -> Result<(), String> {
        let own = self.columns.iter().map(|column| column.name);
        let names: Vec<&str> = CHANGE_COLUMNS.into_iter().chain(own).collect();
        let names = match self.dialect.old_layout {
            true => names.join(","),
            false => format!("\"{}\"", names.join("\",\"")),
        };
        let expected = format!("{}{names}\r\n", if self.dialect.bom { "\u{feff}" } else { "" });
        let mut found = Vec::with_capacity(expected.len());
        source.take(expected.len() as u64).read_to_end(&mut found).map_err(source_failed)?;
        match found {
            header if header == expected.as_bytes() => Ok(()),
            header if header.is_empty() => Err("it has no header line".to_owned()),
            _ => Err("the header line is another one than its form has for its columns".to_owned()),
        }
    }

    fn row(&mut self, source: &mut dyn BufRead) -> Result<Option<Row>, String> {
        let Some(mut cells) = self.record(source)? else { return Ok(None) };
        let mut own = cells.split_off(CHANGE_COLUMNS.len());
        let [Cell::Text(seq), Cell::Text(op), Cell::Text(observed_at)] = &mut cells[..] else {
            return Err("_seq, _op or _observed_at is empty".to_owned());
        };
        if self.dialect.guarded {
            take_guard_away(self.columns, &mut own)?;
        }
        Row::new(seq, op, std::mem::take(observed_at), own).map(Some)
    }
}

/// What a field holds, given its bytes and the text that the crate read from them; `None` where the text is no UTF-8, or RFC
/// 4180 has another form for it.
fn cell(raw: &[u8], text: &[u8]) -> Option<Cell> {
    let text = std::str::from_utf8(text).ok()?;
    let is_right = match raw {
        [] => return Some(Cell::Null),
        // The crate takes what follows a closing quote for text, quotes as they are: that adds up to other lengths, or it
        // ends with no quote.
        [b'"', ..] => {
            let quotes = text.bytes().filter(|byte| *byte == b'"').count();
            raw.len() == text.len() + quotes + 2 && raw.ends_with(b"\"")
        }
        _ => raw == text.as_bytes() && !contains_byte(text, |byte| matches!(byte, b'"' | b'\r' | b'\n')),
    };
    is_right.then(|| Cell::Text(text.to_owned()))
}

/// Takes the guard against formulas away, which text in guarded files has.
///
/// # Errors
/// When a field stands there as no guarded one can.
fn take_guard_away(columns: &[Column], cells: &mut [Cell]) -> Result<(), String> {
    let texts = columns.iter().zip(cells).filter(|(column, _)| column.kind != ColumnKind::Integer);
    for (column, cell) in texts {
        let Cell::Text(text) = cell else { continue };
        match unguarded(text) {
            Some(plain) => *text = plain.to_owned(),
            None => return Err(format!("{} is not guarded", column.name)),
        }
    }
    Ok(())
}

/// The text that was guarded; `None` where no text gives this when it is guarded. A list of its own, so that a mistake in
/// the writing shows.
fn unguarded(text: &str) -> Option<&str> {
    let needs_it = |text: &str| {
        text.bytes()
            .next()
            .is_some_and(|first| matches!(first, b'=' | b'+' | b'-' | b'@' | b'\'' | 0 | 9 | 10 | 13))
    };
    match text.strip_prefix('\'') {
        Some(plain) => needs_it(plain).then_some(plain),
        None => (!needs_it(text)).then_some(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::formats::Unreadable;
    use crate::export::formats::row_reader::RowReader;
    use crate::record::Op;
    use proptest::prelude::*;

    const COLUMNS: &[Column] = &[Column::of("id", ColumnKind::Text), Column::of("x", ColumnKind::Text)];
    const HEADER: &str = "\"_seq\",\"_op\",\"_observed_at\",\"id\",\"x\"\r\n";

    fn rows(text: &[u8]) -> Result<Vec<Row>, Unreadable> {
        RowReader::begin(Box::new(text), Box::new(CsvDecoder::new(COLUMNS, Dialect::PLAIN)))?.collect()
    }

    #[test]
    fn fields_are_read_as_rfc_4180_and_null_has_it() {
        let text =
            format!("{HEADER}7,insert,t,a,\r\n8,\"delete\",t,\"b,\"\"\r\n\",\"\"\r\n9,update,t,c, é'\r\n");
        let found = rows(text.as_bytes()).unwrap();
        let text = |text: &str| Cell::Text(text.to_owned());
        let cells: Vec<_> = found.iter().map(|row| row.cells.clone()).collect();
        assert_eq!(
            cells,
            [vec![text("a"), Cell::Null], vec![text("b,\"\r\n"), text("")], vec![text("c"), text(" é'")]]
        );
        let heads: Vec<_> = found.iter().map(|row| (row.number, row.seq, row.op)).collect();
        assert_eq!(heads, [(1, 7, Op::Insert), (2, 8, Op::Delete), (3, 9, Op::Update)]);
        assert_eq!(rows(HEADER.as_bytes()).unwrap(), []);
    }

    #[test]
    fn what_is_no_csv_is_named_with_its_row() {
        let good = "1,insert,t,a,\r\n";
        for (bad, row) in [
            ("1,insert,t,a\r\n", 2),
            ("1,insert,t,a,,\r\n", 2),
            ("1,insert,t,a,b\n", 2),
            ("1,insert,t,a,\"b\r\n", 2),
            ("1,insert,t,a,\"b\"c\r\n", 2),
            ("1,insert,t,a,b\"c\"\r\n", 2),
            ("1,insert,t,a,b\rc\r\n", 2),
            ("1,insert,t,a,", 2),
            ("x,insert,t,a,\r\n", 2),
            (",insert,t,a,\r\n", 2),
            ("1,upsert,t,a,\r\n", 2),
            ("\r\n", 2),
            ("\n", 2),
            ("\n1,insert,t,a,\r\n", 2),
            ("1,insert,t,a,\"b\r\n\"", 2),
            ("1,insert,t,a,\"b\" \r\n", 2),
            ("1,insert,t,a,\"b\"c\"\r\n", 2),
            ("1,insert,t,a,\"b\"c\"\"\r\n", 2),
            ("1,insert,t,a,\"b\"\"\r\n", 2),
            ("1,insert,t,a,\"\r\n", 2),
            ("\u{feff}1,insert,t,a,\r\n", 2),
        ] {
            let error = rows(format!("{HEADER}{good}{bad}").as_bytes()).unwrap_err();
            assert_eq!(error.row, row, "{bad:?}: {}", error.what);
        }
        assert_eq!(rows(&[HEADER.as_bytes(), b"1,insert,t,a,\xff\r\n"].concat()).unwrap_err().row, 1);
        for bad in [
            "",
            "\r\n",
            "\"_seq\",\"_op\",\"_observed_at\",\"id\"\r\n",
            "\"_seq\",\"_op\",\"_observed_at\",\"x\",\"id\"\r\n",
            "_seq,_op,_observed_at,id,x\r\n",
            "1,insert,t,a,\r\n",
        ] {
            assert_eq!(rows(bad.as_bytes()).unwrap_err().row, 0, "{bad:?}");
        }
        let old = Dialect { old_layout: true, ..Dialect::PLAIN };
        let bom = Dialect { bom: true, ..Dialect::PLAIN };
        let begins =
            |text: &str, dialect| CsvDecoder::new(COLUMNS, dialect).begin(&mut text.as_bytes()).is_ok();
        assert!(begins("_seq,_op,_observed_at,id,x\r\n", old) && !begins(HEADER, old));
        assert!(begins(&format!("\u{feff}{HEADER}"), bom) && !begins(HEADER, bom));
        assert!(!begins(&format!("\u{feff}{HEADER}"), Dialect::PLAIN));
    }

    #[test]
    fn fields_are_found_however_their_bytes_come() {
        let field = "b,\"\"\r\n".repeat(2_000);
        let text = format!("{HEADER}1,insert,t,a,\"{field}\"\r\n2,delete,t,\"\",\r\n");
        for size in [1, 2, 3, 7, 4096, 100_000] {
            let source = std::io::BufReader::with_capacity(size, text.as_bytes());
            let rows = RowReader::begin(Box::new(source), Box::new(CsvDecoder::new(COLUMNS, Dialect::PLAIN)));
            let cells: Vec<_> = rows.unwrap().map(|row| row.unwrap().cells).collect();
            let long = Cell::Text("b,\"\r\n".repeat(2_000));
            let expected = [vec![Cell::Text("a".into()), long], vec![Cell::Text(String::new()), Cell::Null]];
            assert_eq!(cells, expected, "{size}");
        }
    }

    /// Why the bytes of each field are looked at.
    #[test]
    fn the_crate_s_records_tell_no_null_from_an_empty_string() {
        let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader("a,,\"\"\n".as_bytes());
        let record = reader.records().next().unwrap().unwrap();
        assert_eq!(record.iter().collect::<Vec<_>>(), ["a", "", ""]);
    }

    #[test]
    fn what_nobody_guarded_is_refused() {
        for text in ["=1", "-", "@a", "\ta", "'a", "'"] {
            assert_eq!(unguarded(text), None, "{text:?}");
        }
    }

    proptest! {
        /// A field is taken only as RFC 4180 writes the text that it is taken for.
        #[test]
        fn fields_have_one_form_for_each_text(field in "[\"b\r ]{0,8}") {
            let row = format!("{HEADER}1,insert,t,a,{field}\r\n");
            let Ok(found) = rows(row.as_bytes()) else { return Ok(()) };
            let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
            match &found[0].cells[1] {
                Cell::Text(text) if field.starts_with('"') => prop_assert_eq!(quoted(text), field),
                Cell::Text(text) => prop_assert!(*text == field && !text.contains(['"', '\r'])),
                cell => prop_assert!(*cell == Cell::Null && field.is_empty()),
            }
        }

        #[test]
        fn what_was_guarded_comes_back(text in "['=+@\t\r\n\0a-]{0,4}|.*") {
            let guarded = super::super::formula_guard::guard(&text);
            prop_assert_eq!(unguarded(&guarded), Some(text.as_str()));
        }
    }
}
