//! A row of a file as it was decoded, and whether it says the same as the mirror.

use super::portable::{self, Likeness};
use crate::export::formats::{Cell, Dialect, Row};
use crate::mirror::Change;
use crate::record::{Column, ColumnKind, Op, Value};

/// What a row says otherwise than the change that has its number: names of columns. `as_insert`: whether the row is of a
/// snapshot, where each is an insert.
pub(in crate::export) fn head_differences(
    row: &Row,
    change: &Change<'_>,
    as_insert: bool,
    dialect: Dialect,
) -> Vec<&'static str> {
    let op = if as_insert { Op::Insert } else { change.op };
    let mut names = Vec::new();
    if row.op != op {
        names.push("_op");
    }
    if row.observed_at != change.observed_at {
        names.push("_observed_at");
    }
    let id = row.cells.first().map(|cell| likeness(ColumnKind::Text, Value::Text(change.id), cell, dialect));
    if id.is_none_or(|likeness| likeness == Likeness::Other) {
        names.push("id");
    }
    names
}

/// How a row's values stand to those that the change has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::export) struct Compared {
    /// The names of the columns that hold something else.
    pub(in crate::export) differing: Vec<&'static str>,
    /// How many values were rewritten for readers' sake.
    pub(in crate::export) rewritten: u64,
}

/// Compares a row's values with those of the change that has its number.
pub(in crate::export) fn compare(
    row: &Row,
    columns: &'static [Column],
    change: &Change<'_>,
    dialect: Dialect,
) -> Compared {
    let mut compared = Compared::default();
    for (n, (column, cell)) in columns.iter().zip(&row.cells).enumerate() {
        match likeness(column.kind, dialect.value(change, n), cell, dialect) {
            Likeness::Same => {}
            Likeness::Rewritten => compared.rewritten += 1,
            Likeness::Other => compared.differing.push(column.name),
        }
    }
    compared
}

fn likeness(kind: ColumnKind, value: Value<'_>, cell: &Cell, dialect: Dialect) -> Likeness {
    match (value, cell) {
        (Value::Text(given), Cell::Json(found)) if !dialect.exact && kind == ColumnKind::Json => {
            portable::json(given, found)
        }
        (Value::Text(given), Cell::Text(found)) if !dialect.exact => match kind {
            ColumnKind::Json => match portable::json(given, found) {
                // In CSV also the space between tokens.
                Likeness::Same if given != found => Likeness::Other,
                likeness => likeness,
            },
            _ => portable::text(given, found),
        },
        _ if same(kind, value, cell) => Likeness::Same,
        _ => Likeness::Other,
    }
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
        let change = Change { seq: 3, op: Op::Update, observed_at: "t", id: "e", row: Some(&values) };
        let exact = Dialect { exact: true, ..Dialect::PLAIN };
        let differing = |cells: Vec<Cell>, dialect| compare(&row(cells), columns, &change, dialect).differing;
        for dialect in [Dialect::PLAIN, exact] {
            assert_eq!(differing(good.clone(), dialect), Vec::<&str>::new());
        }
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
            for dialect in [Dialect::PLAIN, exact] {
                assert_eq!(differing(cells.clone(), dialect), [name]);
            }
        }
        let head =
            |change: &Change<'_>, as_insert| head_differences(&row(good.clone()), change, as_insert, exact);
        assert_eq!(head(&change, true), Vec::<&str>::new());
        assert_eq!(head(&change, false), ["_op"]);
        let other = Change { observed_at: "u", id: "f", ..change };
        assert_eq!(head(&other, false), ["_op", "_observed_at", "id"]);
    }

    #[test]
    fn a_delete_holds_its_keys_and_in_the_old_layout_the_id_alone() {
        let values = [[Value::Text("e"), Value::Text("c")].as_slice(), &[Value::Null; 8]].concat();
        let change = Change { seq: 3, op: Op::Delete, observed_at: "t", id: "e", row: Some(&values) };
        let (mut keys, old) = (vec![Cell::Null; 10], Dialect { old_layout: true, ..Dialect::PLAIN });
        keys[0] = Cell::Text("e".to_owned());
        let differing = |cells: &[Cell], dialect| {
            let (observed_at, cells) = ("t".to_owned(), cells.to_vec());
            let row = Row { number: 1, seq: 3, op: Op::Delete, observed_at, cells };
            compare(&row, Stream::Events.columns(), &change, dialect).differing
        };
        assert_eq!((differing(&keys, old), differing(&keys, Dialect::PLAIN)), (vec![], vec!["customer_id"]));
        keys[1] = Cell::Text("c".to_owned());
        assert_eq!((differing(&keys, old), differing(&keys, Dialect::PLAIN)), (vec!["customer_id"], vec![]));
        keys[3] = Cell::Text("label".to_owned());
        assert_eq!(differing(&keys, Dialect::PLAIN), ["label"]);
    }

    #[test]
    fn values_that_were_made_readable_are_counted_and_refused_in_an_exact_file() {
        let mut values = [Value::Null; 10];
        (values[0], values[3], values[6]) = (Value::Text("e\0"), Value::Text("a\0b"), Value::Text("[1e400]"));
        let change = Change { seq: 3, op: Op::Insert, observed_at: "t", id: "e\0", row: Some(&values) };
        let mut cells = vec![Cell::Null; 10];
        (cells[0], cells[3]) = (Cell::Text("e".to_owned()), Cell::Text("ab".to_owned()));
        for json in [Cell::Text("[\"1e400\"]".to_owned()), Cell::Json("[\"1e400\"]".to_owned())] {
            cells[6] = json;
            let row =
                Row { number: 1, seq: 3, op: Op::Insert, observed_at: "t".to_owned(), cells: cells.clone() };
            let columns = Stream::Events.columns();
            let expected = Compared { differing: vec![], rewritten: 3 };
            assert_eq!(compare(&row, columns, &change, Dialect::PLAIN), expected);
            let exact = Dialect { exact: true, ..Dialect::PLAIN };
            assert_eq!(compare(&row, columns, &change, exact).differing, ["id", "label", "properties"]);
            assert_eq!(head_differences(&row, &change, false, Dialect::PLAIN), Vec::<&str>::new());
        }
    }

    proptest! {
        /// Two programs of the same rule, written apart.
        #[test]
        fn what_is_made_readable_stands_for_what_it_was(json in any_json(), text in "[a\0\"é]{0,6}") {
            for (kind, given) in [(ColumnKind::Json, json.as_str()), (ColumnKind::Text, text.as_str())] {
                let made = crate::export::formats::portable(kind, given);
                let expected = if made == given { Likeness::Same } else { Likeness::Rewritten };
                let cell = Cell::Text(made.to_string());
                prop_assert_eq!(likeness(kind, Value::Text(given), &cell, Dialect::PLAIN), expected);
            }
        }
    }

    /// JSON with everything in it that readers refuse.
    fn any_json() -> impl Strategy<Value = String> {
        let string = r#""(a|é|\{|e5|\\n|\\u0000|\\ud83d|\\ude00|\\\\|\\"){0,5}""#;
        let name = r#""(a|\\ud83d|\\u0000)?""#;
        let number = r"-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,4})?";
        let leaf =
            prop_oneof![Just("null".to_owned()), Just("true".to_owned()), matching(string), matching(number)];
        let tree = leaf.prop_recursive(6, 40, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|items| format!("[{}]", items.join(", "))),
                prop::collection::vec((matching(name), inner), 0..4).prop_map(|members| {
                    let members: Vec<String> =
                        members.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
                    format!("{{{}}}", members.join(","))
                }),
            ]
        });
        (tree, prop::sample::select(vec![0, 100, 118, 119, 120, 121, 200]))
            .prop_map(|(json, depth)| format!("{}{json}{}", "[".repeat(depth), "]".repeat(depth)))
    }

    fn matching(pattern: &str) -> BoxedStrategy<String> {
        prop::string::string_regex(pattern).unwrap().boxed()
    }
}
