//! CSV read back by a reader of its own (RFC 4180), so that a mistake in the writing shows. It knows what common readers
//! don't tell: whether an empty field has quotes.

use crate::export::formats::columns::CHANGE_COLUMNS;
use crate::export::formats::decoded_row::{Cell, Row, Unreadable};
use crate::export::formats::dialect::Dialect;
use crate::record::{Column, ColumnKind, Op};
use std::io::{BufRead, Read};

/// No record is longer: a stray quote must not take the whole file into memory.
const LONGEST: u64 = 256 * 1024 * 1024;

/// Reads rows, one at a time.
pub(super) struct CsvReader<R> {
    source: R,
    columns: &'static [Column],
    dialect: Dialect,
    record: Vec<u8>,
    rows: u64,
}

impl<R: BufRead> CsvReader<R> {
    /// Reads the header line, which has to name the columns of changes and these, with or without quotes and a byte order
    /// mark before it.
    pub(super) fn begin(
        source: R,
        columns: &'static [Column],
        dialect: Dialect,
    ) -> Result<CsvReader<R>, Unreadable> {
        let mut reader = CsvReader { source, columns, dialect, record: Vec::new(), rows: 0 };
        let own = columns.iter().map(|column| column.name);
        let names: Vec<&str> = CHANGE_COLUMNS.into_iter().chain(own).collect();
        let names = match dialect.old_layout {
            true => names.join(","),
            false => format!("\"{}\"", names.join("\",\"")),
        };
        let expected = if dialect.bom { format!("\u{feff}{names}") } else { names };
        match reader.record()? {
            Some(header) if header == expected.as_bytes() => Ok(reader),
            Some(_) => {
                Err(reader.unreadable("the header line is another one than its form has for its columns"))
            }
            None => Err(reader.unreadable("it has no header line")),
        }
    }

    /// The next row; `None` at the end.
    fn row(&mut self) -> Result<Option<Row>, Unreadable> {
        self.rows += 1;
        let (number, columns, guarded) = (self.rows, self.columns, self.dialect.guarded);
        let Some(record) = self.record()? else { return Ok(None) };
        let row = decode(number, record, CHANGE_COLUMNS.len() + columns.len());
        let row = row.map_err(|what| Unreadable { row: number, what: what.to_owned() })?;
        if guarded { without_guard(row, columns).map(Some) } else { Ok(Some(row)) }
    }

    /// The next record without its CRLF. A line end belongs to the record where the quotes before it don't pair up.
    fn record(&mut self) -> Result<Option<&[u8]>, Unreadable> {
        self.record.clear();
        let mut open = false;
        loop {
            let from = self.record.len();
            let room = LONGEST.saturating_sub(from as u64);
            let read = (&mut self.source).take(room).read_until(b'\n', &mut self.record);
            if let Err(error) = read {
                return Err(self.unreadable(format!("it can't be read or unpacked: {error}")));
            }
            let part = &self.record[from..];
            open ^= part.iter().filter(|byte| **byte == b'"').count() % 2 == 1;
            let ended = part.ends_with(b"\n");
            if ended && !open {
                break;
            }
            if !ended {
                return match (self.record.len() as u64) < LONGEST {
                    true if self.record.is_empty() => Ok(None),
                    true => Err(self.unreadable("the row has no end")),
                    false => Err(self.unreadable("a row of more than 256 MiB: a quote has no end")),
                };
            }
        }
        match self.record.strip_suffix(b"\r\n") {
            // Borrowed anew, for the error's sake.
            Some(record) => Ok(Some(&self.record[..record.len()])),
            None => Err(self.unreadable("the row does not end with CRLF")),
        }
    }

    fn unreadable(&self, what: impl Into<String>) -> Unreadable {
        Unreadable { row: self.rows, what: what.into() }
    }
}

impl<R: BufRead> Iterator for CsvReader<R> {
    type Item = Result<Row, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        self.row().transpose()
    }
}

fn decode(number: u64, record: &[u8], columns: usize) -> Result<Row, &'static str> {
    let mut cells = split(record).ok_or("the row is no CSV in UTF-8")?;
    if cells.len() != columns {
        return Err("the row has another number of fields than the header line");
    }
    let own = cells.split_off(CHANGE_COLUMNS.len());
    let [Cell::Text(seq), Cell::Text(op), Cell::Text(observed_at)] = &mut cells[..] else {
        return Err("_seq, _op or _observed_at is empty");
    };
    Ok(Row {
        number,
        seq: seq.parse().map_err(|_| "_seq is no number")?,
        op: Op::from_name(op).ok_or("_op is neither insert nor update nor delete")?,
        observed_at: std::mem::take(observed_at),
        cells: own,
    })
}

/// The fields of a record; `None` where it is no UTF-8 or a quote stands where none may.
fn split(record: &[u8]) -> Option<Vec<Cell>> {
    let mut rest = std::str::from_utf8(record).ok()?;
    let mut cells = Vec::new();
    loop {
        let (cell, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_field(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                let field = &rest[..end];
                if field.contains(['"', '\r', '\n']) {
                    return None;
                }
                let cell = if field.is_empty() { Cell::Null } else { Cell::Text(field.to_owned()) };
                (cell, &rest[end..])
            }
        };
        cells.push(cell);
        if after.is_empty() {
            return Some(cells);
        }
        rest = after.strip_prefix(',')?;
    }
}

/// The field whose opening quote was taken, and what stands behind its closing one.
fn quoted_field(mut rest: &str) -> Option<(Cell, &str)> {
    let mut field = String::new();
    loop {
        let (part, after) = rest.split_once('"')?;
        field.push_str(part);
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => return Some((Cell::Text(field), after)),
        }
    }
}

/// The row without the guard against formulas, which text in guarded files has.
///
/// # Errors
/// When a field stands there as no guarded one can.
fn without_guard(mut row: Row, columns: &'static [Column]) -> Result<Row, Unreadable> {
    let texts = columns.iter().zip(&mut row.cells).filter(|(column, _)| column.kind != ColumnKind::Integer);
    for (column, cell) in texts {
        let Cell::Text(text) = cell else { continue };
        match unguarded(text) {
            Some(plain) => *text = plain.to_owned(),
            None => {
                return Err(Unreadable { row: row.number, what: format!("{} is not guarded", column.name) });
            }
        }
    }
    Ok(row)
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
    use proptest::prelude::*;

    const COLUMNS: &[Column] =
        &[Column { name: "id", kind: ColumnKind::Text }, Column { name: "x", kind: ColumnKind::Text }];
    const HEADER: &str = "\"_seq\",\"_op\",\"_observed_at\",\"id\",\"x\"\r\n";

    fn rows(text: &[u8]) -> Result<Vec<Row>, Unreadable> {
        CsvReader::begin(text, COLUMNS, Dialect::PLAIN)?.collect()
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
        let begins = |text: &str, dialect| CsvReader::begin(text.as_bytes(), COLUMNS, dialect).is_ok();
        assert!(begins("_seq,_op,_observed_at,id,x\r\n", old) && !begins(HEADER, old));
        assert!(begins(&format!("\u{feff}{HEADER}"), bom) && !begins(HEADER, bom));
        assert!(!begins(&format!("\u{feff}{HEADER}"), Dialect::PLAIN));
    }

    #[test]
    fn what_nobody_guarded_is_refused() {
        for text in ["=1", "-", "@a", "\ta", "'a", "'"] {
            assert_eq!(unguarded(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_guarded_comes_back(text in "['=+@\t\r\n\0a-]{0,4}|.*") {
            let guarded = super::super::formula_guard::guard(&text);
            prop_assert_eq!(unguarded(&guarded), Some(text.as_str()));
        }
    }
}
