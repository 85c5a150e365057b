//! Records taken apart by a reading of their own: nothing here goes through the program's decoder.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::fmt;

/// One field of a row.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    Null,
    Integer(i64),
    Text(String),
}

impl Cell {
    pub fn text(&self) -> &str {
        match self {
            Cell::Text(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    pub fn integer(&self) -> i64 {
        match self {
            Cell::Integer(number) => *number,
            other => panic!("{other:?} is no integer"),
        }
    }
}

impl fmt::Debug for Cell {
    /// Long texts are cut: failures stay readable.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Null => f.write_str("NULL"),
            Cell::Integer(number) => number.fmt(f),
            Cell::Text(text) => format!("{text:?}").chars().take(300).collect::<String>().fmt(f),
        }
    }
}

/// A row by its columns' names.
pub type Row = BTreeMap<String, Cell>;

/// The members of a JSON object in their order: name, and value as it was written.
pub fn members(object: &str) -> Vec<(String, String)> {
    let mut deserializer = serde_json::Deserializer::from_str(object);
    deserializer.deserialize_map(Members).unwrap_or_else(|error| panic!("{error}: {object}"))
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, String)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
            members.push((name, value.get().to_owned()));
        }
        Ok(members)
    }
}

/// An object of these members, without a space between them.
pub fn object(members: &[(String, String)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("{}:{value}", serde_json::to_string(name).unwrap()))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// The columns of both tables that the interface names, each with how its value stands in the API's record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Json,
    /// Not in the record: the path names it.
    Path,
    /// What the documentation doesn't name.
    Rest,
}

pub const CUSTOMER: [(&str, Kind); 8] = [
    ("id", Kind::Text),
    ("email", Kind::Text),
    ("first_name", Kind::Text),
    ("last_name", Kind::Text),
    ("phone_number", Kind::Text),
    ("created_at", Kind::Text),
    ("updated_at", Kind::Text),
    ("extra", Kind::Rest),
];

pub const EVENT: [(&str, Kind); 10] = [
    ("id", Kind::Text),
    ("customer_id", Kind::Path),
    ("type", Kind::Text),
    ("label", Kind::Text),
    ("link_back_url", Kind::Text),
    ("timestamp", Kind::Integer),
    ("properties", Kind::Json),
    ("created_at", Kind::Text),
    ("updated_at", Kind::Text),
    ("extra", Kind::Rest),
];

/// The row that a record of the API has to become.
pub fn row_of_record(columns: &[(&str, Kind)], customer_id: &str, record: &str) -> Row {
    let mut members = members(record);
    let mut take = |name: &str| {
        let at = members.iter().position(|(found, _)| found == name)?;
        Some(members.remove(at).1).filter(|value| value != "null")
    };
    let mut row = Row::new();
    for (name, kind) in columns {
        let cell = match kind {
            Kind::Path => Cell::Text(customer_id.to_owned()),
            Kind::Rest => continue,
            _ => take(name).map_or(Cell::Null, |value| cell_of_json(*kind, &value)),
        };
        row.insert((*name).to_owned(), cell);
    }
    let rest = if members.is_empty() { Cell::Null } else { Cell::Text(object(&members)) };
    row.insert("extra".to_owned(), rest);
    row
}

/// A JSON string's text, with U+FFFD for halves of surrogate pairs. serde_json gives those to whoever asks for bytes: three
/// for each, which are not UTF-8.
fn text(json: &str) -> String {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let bytes = deserializer.deserialize_bytes(Bytes).unwrap_or_else(|error| panic!("{error}: {json}"));
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        // The first of the three tells of all.
        text.extend(chunk.invalid().first().filter(|byte| **byte == 0xed).map(|_| '\u{fffd}'));
    }
    text
}

struct Bytes;

impl Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_owned())
    }
}

/// A JSON value as a cell of that kind.
pub fn cell_of_json(kind: Kind, value: &str) -> Cell {
    match (kind, value) {
        (_, "null") => Cell::Null,
        // A number in place of a text is its text.
        (Kind::Text | Kind::Path, _) if !value.starts_with('"') => Cell::Text(value.to_owned()),
        (Kind::Text | Kind::Path, _) => Cell::Text(text(value)),
        (Kind::Integer, _) => Cell::Integer(value.parse().unwrap()),
        (Kind::Json, _) => Cell::Text(value.to_owned()),
        // Spaces between the members are nobody's data; the values keep every byte.
        (Kind::Rest, _) => Cell::Text(object(&members(value))),
    }
}
