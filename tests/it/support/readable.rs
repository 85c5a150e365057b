//! What `export.exact = false` makes of values that readers refuse, by a reading of its own of the rule in `docs/exports.md`
//! (but for what is nested too deep, which no test's world is).

use super::json::{CUSTOMER, Cell, EVENT, Kind};
use super::place::Place;
use super::replay::manifest;
use super::state::{Rows, State};

/// The state as the exports of a place have it: as it is, or made readable where any of them was.
pub fn as_exported(state: &State, place: &Place) -> State {
    match manifest(place).iter().any(|line| line["rewritten"].is_u64()) {
        true => readable(state),
        false => state.clone(),
    }
}

fn readable(state: &State) -> State {
    let rows = |rows: &Rows, columns: &[(&str, Kind)]| {
        let mut made = Rows::new();
        for row in rows.values() {
            let mut row = row.clone();
            for (name, kind) in columns {
                if let Some(Cell::Text(text)) = row.get_mut(*name) {
                    *text = if matches!(kind, Kind::Json | Kind::Rest) {
                        json(text)
                    } else {
                        text.replace('\0', "")
                    };
                }
            }
            made.insert(row["id"].text().to_owned(), row);
        }
        made
    };
    State { customers: rows(&state.customers, &CUSTOMER), events: rows(&state.events, &EVENT) }
}

/// JSON with numbers that nobody holds in quotes, and strings without NUL and half surrogates.
pub fn json(given: &str) -> String {
    let (mut made, mut rest) = (String::new(), given);
    while let Some(first) = rest.chars().next() {
        let number = rest.find(|c: char| !"+-.eE0123456789".contains(c)).unwrap_or(rest.len());
        let length = match first {
            '"' => {
                let length = string_length(rest);
                made.push_str(&string(&rest[..length]));
                length
            }
            '-' | '0'..='9' => {
                let text = &rest[..number];
                let whole = text.split(['.', 'e', 'E']).next().unwrap_or_default();
                let fits = (whole.parse::<i64>().is_ok() || whole.parse::<u64>().is_ok())
                    && text.parse::<f64>().is_ok_and(f64::is_finite);
                made.push_str(&if fits { text.to_owned() } else { format!("\"{text}\"") });
                number
            }
            other => {
                made.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    made
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (n, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return n + 1,
            _ => {}
        }
    }
    panic!("a string without an end: {text}")
}

fn string(quoted: &str) -> String {
    // An escaped backslash is set aside, so that what follows it is no escape.
    let parts: Vec<String> = quoted.split("\\\\").map(part_of_string).collect();
    parts.join("\\\\")
}

fn part_of_string(part: &str) -> String {
    let mut made = String::new();
    let mut rest = part;
    while let Some(at) = rest.find("\\u") {
        made.push_str(&rest[..at]);
        let unit = |at: usize| {
            let digits = rest.get(at..at + 6)?.strip_prefix("\\u")?;
            u16::from_str_radix(digits, 16).ok()
        };
        let length = match (unit(at).unwrap(), unit(at + 6)) {
            (0, _) => 0,
            (0xd800..=0xdbff, Some(0xdc00..=0xdfff)) => 12,
            (0xd800..=0xdfff, _) => {
                made.push_str("\\ufffd");
                0
            }
            _ => 6,
        };
        made.push_str(&rest[at..at + length]);
        rest = &rest[at + length.max(6)..];
    }
    made + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_makes_readable_what_is_not_and_leaves_everything_else() {
        for (given, expected) in [
            (
                r#"{"a":[1e400,-0,12.30,12345678901234567890]}"#,
                r#"{"a":["1e400",-0,12.30,12345678901234567890]}"#,
            ),
            (r#"{"1e400":"a\u0000b\\u0000"}"#, r#"{"1e400":"ab\\u0000"}"#),
            (r#"["\ud83d\ude00\ud83d","\u00e9\ude00\""]"#, r#"["\ud83d\ude00\ufffd","\u00e9\ufffd\""]"#),
        ] {
            assert_eq!(json(given), expected);
        }
    }
}
