//! A row of a file as it was decoded, and whether it says the same as the mirror.

use crate::mirror::Change;
use crate::record::{Column, ColumnKind, Op, Value};

/// A field of a decoded row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    /// CSV: an empty field without quotes. NDJSON: null, or no member of that name.
    Null,
    /// CSV: any other field. NDJSON: a string.
    Text(String),
    /// NDJSON: anything else, or a value of a JSON column; as it was written.
    Json(String),
}

/// A decoded row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// Counted from 1, without the header line.
    pub(super) number: u64,
    pub(super) seq: i64,
    pub(super) op: Op,
    pub(super) observed_at: String,
    /// In the order of the stream's columns.
    pub(super) cells: Vec<Cell>,
}

impl Row {
    /// The row without the guard against formulas, which text in guarded files has.
    ///
    /// # Errors
    /// When a field stands there as no guarded one can.
    pub(super) fn unguarded(mut self, columns: &'static [Column]) -> Result<Row, Unreadable> {
        let texts =
            columns.iter().zip(&mut self.cells).filter(|(column, _)| column.kind != ColumnKind::Integer);
        for (column, cell) in texts {
            let Cell::Text(text) = cell else { continue };
            match unguarded(text) {
                Some(plain) => *text = plain.to_owned(),
                None => {
                    return Err(Unreadable {
                        row: self.number,
                        what: format!("{} is not guarded", column.name),
                    });
                }
            }
        }
        Ok(self)
    }
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

/// Why a file can't be read on, and from which row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unreadable {
    pub(super) row: u64,
    pub(super) what: String,
}

/// What a row says otherwise than the change that has its number: names of columns. `as_insert`: whether the row is of a
/// snapshot, where each is an insert.
pub(super) fn head_differences(row: &Row, change: &Change<'_>, as_insert: bool) -> Vec<&'static str> {
    let op = if as_insert { Op::Insert } else { change.op };
    let mut names = Vec::new();
    if row.op != op {
        names.push("_op");
    }
    if row.observed_at != change.observed_at {
        names.push("_observed_at");
    }
    if !is_text(row.cells.first(), change.id) {
        names.push("id");
    }
    names
}

fn is_text(cell: Option<&Cell>, expected: &str) -> bool {
    matches!(cell, Some(Cell::Text(text)) if text == expected)
}

/// The names of the columns whose values the mirror has otherwise.
pub(super) fn value_differences(
    row: &Row,
    columns: &'static [Column],
    values: &[Value<'_>],
) -> Vec<&'static str> {
    let pairs = columns.iter().zip(values).zip(&row.cells);
    let differing = pairs.filter(|((column, value), cell)| !same(column.kind, **value, cell));
    differing.map(|((column, _), _)| column.name).collect()
}

/// Whether a delete's row holds nothing but the identifier.
pub(super) fn holds_id_alone(row: &Row) -> bool {
    row.cells.iter().skip(1).all(|cell| *cell == Cell::Null)
}

fn same(kind: ColumnKind, value: Value<'_>, cell: &Cell) -> bool {
    match (value, cell) {
        (Value::Null, cell) => *cell == Cell::Null,
        (Value::Integer(number), Cell::Text(text) | Cell::Json(text)) => *text == number.to_string(),
        (Value::Text(expected), Cell::Text(text)) => text == expected,
        (Value::Text(expected), Cell::Json(text)) => kind == ColumnKind::Json && same_json(expected, text),
        (_, Cell::Null) => false,
    }
}

/// Whether two JSON texts are the same but for white space between tokens (RFC 8259 section 2): the same members in the
/// same order, strings in the same spelling, numbers with the same digits.
fn same_json(a: &str, b: &str) -> bool {
    tokens(a).eq(tokens(b))
}

/// The bytes of a JSON text without the white space between its tokens. Where that stood between two of them, such as
/// the digits of two numbers, the text was no JSON.
fn tokens(text: &str) -> impl Iterator<Item = u8> {
    let (mut in_string, mut escaped) = (false, false);
    text.bytes().filter(move |byte| {
        if !in_string {
            in_string = *byte == b'"';
            return !matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        }
        (in_string, escaped) = match byte {
            _ if escaped => (true, false),
            b'\\' => (true, true),
            b'"' => (false, false),
            _ => (true, false),
        };
        true
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Stream;
    use proptest::prelude::*;

    #[test]
    fn json_is_the_same_to_the_digit_but_for_space_between_tokens() {
        for (a, b, expected) in [
            ("{\"a\":\r\n 1.50}", "{\"a\":1.50}", true),
            ("[1 , 2]", "[1,2]", true),
            ("{\"a\":1.50}", "{\"a\":1.5}", false),
            ("{\"a\":1e2}", "{\"a\":100}", false),
            ("{\"a\":\"x y\"}", "{\"a\":\"xy\"}", false),
            ("{\"a\":\"\\\" \"}", "{\"a\":\"\\\"\"}", false),
            ("\"\\\\\" ", "\"\\\\\"", true),
            ("{\"a\":\"\u{e9}\"}", "{\"a\":\"\\u00e9\"}", false),
            ("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", false),
            ("12345678901234567890", "12345678901234567891", false),
        ] {
            assert_eq!(same_json(a, b), expected, "{a} {b}");
        }
    }

    proptest! {
        #[test]
        fn what_was_guarded_comes_back(text in "['=+@\t\r\n\0a-]{0,4}|.*") {
            let guarded = crate::export::guard::guard(&text);
            prop_assert_eq!(unguarded(&guarded), Some(text.as_str()));
        }
    }

    #[test]
    fn what_nobody_guarded_is_refused() {
        for text in ["=1", "-", "@a", "\ta", "'a", "'"] {
            assert_eq!(unguarded(text), None, "{text:?}");
        }
    }

    #[test]
    fn columns_that_differ_are_named() {
        let text = |text: &str| Cell::Text(text.to_owned());
        let values = [
            Value::Text("e"),
            Value::Text("c"),
            Value::Null,
            Value::Text(""),
            Value::Null,
            Value::Integer(-7),
            Value::Text("{\"a\": 1}"),
            Value::Null,
            Value::Null,
            Value::Null,
        ];
        let json = Cell::Json("{\"a\":1}".to_owned());
        let good = vec![
            text("e"),
            text("c"),
            Cell::Null,
            text(""),
            Cell::Null,
            text("-7"),
            json,
            Cell::Null,
            Cell::Null,
            Cell::Null,
        ];
        let row =
            |cells: Vec<Cell>| Row { number: 1, seq: 3, op: Op::Insert, observed_at: "t".to_owned(), cells };
        let columns = Stream::Events.columns();
        assert_eq!(value_differences(&row(good.clone()), columns, &values), Vec::<&str>::new());
        for (n, cell, name) in [
            (0, text("f"), "id"),
            (2, text(""), "type"),
            (3, Cell::Null, "label"),
            (3, Cell::Json("\"\"".to_owned()), "label"),
            (5, text("-07"), "timestamp"),
            (5, Cell::Null, "timestamp"),
            (6, text("{\"a\":1}"), "properties"),
            (6, Cell::Json("{\"a\":1.0}".to_owned()), "properties"),
            (9, text(""), "extra"),
        ] {
            let mut cells = good.clone();
            cells[n] = cell;
            assert_eq!(value_differences(&row(cells), columns, &values), [name]);
        }
        let change = Change { seq: 3, op: Op::Update, observed_at: "t", id: "e", row: None };
        assert_eq!(head_differences(&row(good.clone()), &change, true), Vec::<&str>::new());
        assert_eq!(head_differences(&row(good.clone()), &change, false), ["_op"]);
        let other = Change { observed_at: "u", id: "f", ..change };
        assert_eq!(head_differences(&row(good), &other, false), ["_op", "_observed_at", "id"]);
    }
}
