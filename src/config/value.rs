//! A value as it stands in the configuration, before it is read as what it means.

use toml::de::{DeString, DeValue};

/// A value of the configuration. The variant of a key's default decides which one the key takes.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Number(f64),
    Flag(bool),
    List(Vec<String>),
}

impl Value {
    /// Takes a TOML value, if it has the type of `like`. A whole number is also a number.
    pub(super) fn from_toml(given: &DeValue<'_>, like: &Value) -> Option<Value> {
        match (like, given) {
            (Value::Text(_), DeValue::String(text)) => Some(Value::Text(text.to_string())),
            (Value::Integer(_), DeValue::Integer(number)) => {
                i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::Integer)
            }
            (Value::Number(_), DeValue::Integer(number)) => number.as_str().parse().ok().map(Value::Number),
            (Value::Number(_), DeValue::Float(number)) => number.as_str().parse().ok().map(Value::Number),
            (Value::Flag(_), DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
            (Value::List(_), DeValue::Array(items)) => {
                let texts = items.iter().map(|item| match item.get_ref() {
                    DeValue::String(text) => Some(DeString::to_string(text)),
                    _ => None,
                });
                texts.collect::<Option<Vec<_>>>().map(Value::List)
            }
            _ => None,
        }
    }

    /// Reads the text of an environment variable or a flag as the type of `like`. Lists are separated by
    /// commas.
    pub(super) fn from_text(given: &str, like: &Value) -> Option<Value> {
        match like {
            Value::Text(_) => Some(Value::Text(given.to_owned())),
            Value::Integer(_) => given.trim().parse().ok().map(Value::Integer),
            Value::Number(_) => given.trim().parse().ok().map(Value::Number),
            Value::Flag(_) => given.trim().parse().ok().map(Value::Flag),
            Value::List(_) if given.trim().is_empty() => Some(Value::List(Vec::new())),
            Value::List(_) => {
                Some(Value::List(given.split(',').map(|item| item.trim().to_owned()).collect()))
            }
        }
    }

    /// The value as TOML.
    pub(super) fn to_toml(&self) -> toml::Value {
        match self {
            Value::Text(text) => toml::Value::String(text.clone()),
            Value::Integer(number) => toml::Value::Integer(*number),
            Value::Number(number) => toml::Value::Float(*number),
            Value::Flag(flag) => toml::Value::Boolean(*flag),
            Value::List(items) => {
                toml::Value::Array(items.iter().cloned().map(toml::Value::String).collect())
            }
        }
    }

    /// The value as JSON.
    pub(super) fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Text(text) => text.as_str().into(),
            Value::Integer(number) => (*number).into(),
            Value::Number(number) => (*number).into(),
            Value::Flag(flag) => (*flag).into(),
            Value::List(items) => items.as_slice().into(),
        }
    }
}

/// Whether a text may hold an API key, so that no message may hold the text.
pub(super) fn may_hold_key(text: &str) -> bool {
    ["sk_", "pk_"].iter().any(|mark| text.contains(mark))
}

/// A value for a message: shown as it is, unless it may hold an API key or a password.
pub(super) fn for_message(shown: &str) -> String {
    const LONGEST: usize = 80;
    if may_hold_key(shown) || shown.contains('@') {
        "a value that is not shown here, since it may hold a secret".to_owned()
    } else if shown.chars().count() > LONGEST {
        format!("{}… ({} bytes)", shown.chars().take(LONGEST).collect::<String>(), shown.len())
    } else {
        shown.to_owned()
    }
}

/// What a TOML value is, for a message.
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
