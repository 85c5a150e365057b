//! Values as they stand in a layer, before they are read as what they mean.

use reqwest::Url;
use serde::Deserialize;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Spanned, Value};

/// A value of a document: its dotted path, the byte at which its name begins, and the value itself.
pub(super) type Member<'t, 'i> = (String, usize, &'t Spanned<DeValue<'i>>);

/// The values of a table in the order of the document. A table in it is looked into where `is_section` says so of its path;
/// elsewhere it is a value like any other.
pub(super) fn members<'t, 'i>(
    table: &'t DeTable<'i>,
    prefix: &str,
    is_section: fn(&str) -> bool,
) -> Vec<Member<'t, 'i>> {
    // The parser sorts by name.
    let mut named: Vec<_> = table.iter().collect();
    named.sort_by_key(|(name, _)| name.span().start);
    let mut members = Vec::new();
    for (name, value) in named {
        let path = format!("{prefix}{}", name.get_ref());
        match value.get_ref() {
            DeValue::Table(inner) if is_section(&path) => {
                members.extend(self::members(inner, &format!("{path}."), is_section));
            }
            _ => members.push((path, name.span().start, value)),
        }
    }
    members
}

/// The value of a document, unless it is a number that is too large.
pub(super) fn of_document(given: &Spanned<DeValue<'_>>) -> Option<Value> {
    Value::deserialize(ValueDeserializer::from(given.clone())).ok()
}

/// The same, if it has the type of `like`. A whole number is also a number, and may stand where "auto" does.
pub(super) fn of_document_like(given: &Spanned<DeValue<'_>>, like: &Value) -> Option<Value> {
    match (of_document(given)?, like) {
        (Value::Integer(number), Value::Float(_)) => Some(Value::Float(number as f64)),
        (Value::Integer(number), Value::String(word)) if word == "auto" => Some(Value::Integer(number)),
        (value, _) => value.same_type(like).then_some(value),
    }
}

/// Reads the text of an environment variable or a flag as the type of `like`. Lists are separated by commas.
pub(super) fn of_text_like(given: &str, like: &Value) -> Option<Value> {
    let trimmed = given.trim();
    match like {
        Value::Integer(_) => trimmed.parse().ok().map(Value::Integer),
        Value::Float(_) => trimmed.parse().ok().map(Value::Float),
        Value::Boolean(_) => trimmed.parse().ok().map(Value::Boolean),
        Value::Array(_) if trimmed.is_empty() => Some(Value::Array(Vec::new())),
        Value::Array(_) => Some(given.split(',').map(str::trim).collect::<Vec<_>>().into()),
        _ => Some(given.into()),
    }
}

/// Whether a text may hold an API key, so that no message may hold the text.
pub(super) fn may_hold_key(text: &str) -> bool {
    ["sk_", "pk_"].iter().any(|mark| text.contains(mark))
}

/// What is shown of an address that is a secret: where it leads, not how one gets in. What stands for an address is one
/// itself, and shown as it is.
pub(super) fn without_path(address: &str) -> String {
    match Url::parse(address) {
        Ok(url) => format!("{}/********", url.origin().ascii_serialization()),
        Err(_) => String::new(),
    }
}

/// What a message says in place of a value.
pub(super) const HIDDEN: &str = "a value that is not shown here, since it may hold a secret";

/// A value for a message: shown as it is, unless it may hold an API key or a password.
pub(super) fn for_message(shown: &str) -> String {
    const LONGEST: usize = 80;
    if may_hold_key(shown) || shown.contains('@') {
        HIDDEN.to_owned()
    } else if shown.chars().count() > LONGEST {
        format!("{}… ({} bytes)", shown.chars().take(LONGEST).collect::<String>(), shown.len())
    } else {
        shown.to_owned()
    }
}

/// What a value of a document is, for a message.
pub(super) fn describe(given: &DeValue<'_>) -> String {
    match given {
        DeValue::String(text) => for_message(&format!("{text:?}")),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date or time".to_owned(),
        DeValue::Array(_) => "an array of other things".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
