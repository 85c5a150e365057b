//! Which fields of a record an update changed.

use crate::record::{ColumnKind, Record, Value};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A field that went from one value to another.
#[derive(Debug, Clone, Serialize)]
pub struct FieldChange {
    /// The column; for a member of JSON, the names that lead to it are joined by dots.
    pub field: String,
    /// What it was, as JSON with every digit that the API gave; none: NULL, or no such member.
    pub old: Option<Box<RawValue>>,
    /// What it became.
    pub new: Option<Box<RawValue>>,
}

/// The fields in which two versions of a record differ, in the order of its columns. JSON objects are compared member by
/// member. Without an older version, every field that holds something.
pub fn changed_fields(old: Option<&Record>, new: &Record) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    let mut before = old.into_iter().flat_map(Record::values);
    for (column, value) in new.stream().columns().iter().zip(new.values()) {
        let json = |value| json_of(column.kind, value);
        add(column.name, before.next().and_then(json), json(value), &mut changes);
    }
    changes
}

fn json_of(kind: ColumnKind, value: Value<'_>) -> Option<Box<RawValue>> {
    match value {
        Value::Null => None,
        Value::Integer(number) => serde_json::value::to_raw_value(&number).ok(),
        Value::Text(text) => match RawValue::from_string(text.to_owned()) {
            Ok(json) if kind == ColumnKind::Json => Some(json),
            _ => serde_json::value::to_raw_value(text).ok(),
        },
    }
}

fn add(field: &str, old: Option<Box<RawValue>>, new: Option<Box<RawValue>>, changes: &mut Vec<FieldChange>) {
    if old.as_ref().map(|old| old.get()) == new.as_ref().map(|new| new.get()) {
        return;
    }
    let (Some(mut before), Some(after)) = (members(old.as_deref()), members(new.as_deref())) else {
        return changes.push(FieldChange { field: field.to_owned(), old, new });
    };
    for (name, value) in after {
        add(&format!("{field}.{name}"), before.remove(&name), Some(value), changes);
    }
    for (name, value) in before {
        add(&format!("{field}.{name}"), Some(value), None, changes);
    }
}

/// The members of a JSON object; `None` for everything else.
fn members(json: Option<&RawValue>) -> Option<BTreeMap<String, Box<RawValue>>> {
    let json = json?.get();
    serde_json::from_str(json).ok().filter(|_| json.starts_with('{'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(name: Option<&str>, extra: &str) -> Record {
        Record::customer("{\"id\":\"c\"}")
            .with("first_name", name)
            .with("extra", Some(extra).filter(|extra| !extra.is_empty()))
    }

    fn changes(old: Option<&Record>, new: &Record) -> Vec<String> {
        let text =
            |value: Option<Box<RawValue>>| value.map_or("-".to_owned(), |value| value.get().to_owned());
        let found = changed_fields(old, new);
        found
            .into_iter()
            .map(|change| format!("{} {} {}", change.field, text(change.old), text(change.new)))
            .collect()
    }

    #[test]
    fn what_differs_is_told_field_by_field() {
        for (old, new, expected) in [
            (version(None, ""), version(None, ""), &[][..]),
            (version(None, ""), version(Some(""), ""), &["first_name - \"\""]),
            (version(Some("A\n"), ""), version(None, ""), &["first_name \"A\\n\" -"]),
            (version(None, r#"{"a":1.50}"#), version(None, r#"{"a":1.5}"#), &["extra.a 1.50 1.5"]),
            (
                version(None, r#"{"a":{"b":1,"c":[1]},"d":null}"#),
                version(None, r#"{"a":{"b":2,"c":[1,2]},"e":1}"#),
                &["extra.a.b 1 2", "extra.a.c [1] [1,2]", "extra.e - 1", "extra.d null -"],
            ),
            (version(None, r#"{"a":{}}"#), version(None, r#"{"a":[]}"#), &["extra.a {} []"]),
            (version(None, ""), version(None, r#"{"a":1}"#), &["extra - {\"a\":1}"]),
            (version(None, "no JSON"), version(None, "{}"), &["extra \"no JSON\" {}"]),
        ] {
            assert_eq!(changes(Some(&old), &new), expected);
        }
        assert_eq!(changes(None, &version(Some("A"), "")), ["id - \"c\"", "first_name - \"A\""]);
    }
}
