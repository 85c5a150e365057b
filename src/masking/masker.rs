//! A profile with its key, for the values of rows.

use super::json::masked;
use super::profile::{Node, Profile};
use super::rule::Rule;
use crate::hex::hex;
use crate::key_file;
use crate::record::{ColumnKind, Stream, Value};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The bytes of a pseudonym. Among a billion values two have the same one with a probability of 10^-21.
const PSEUDONYM_BYTES: usize = 16;

/// The bytes of the digest that rules and key are known by.
const RULES_BYTES: usize = 8;

/// The key of a profile can't be read or made.
#[derive(Debug, thiserror::Error)]
#[error("the key of the profile {profile}, {}, can't be used: {reason}", path.display())]
pub struct MaskingError {
    /// Its name.
    pub profile: String,
    /// The key's file.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: io::Error,
}

/// A profile that can be used. Neither printed nor logged is its key.
#[derive(Clone)]
pub struct Masker {
    profile: Profile,
    key: Hmac<Sha256>,
    rules: String,
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masker({} {})", self.profile.name, self.rules)
    }
}

/// What is shown of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Masked<'v> {
    /// The value, or one that takes no memory.
    Value(Value<'v>),
    /// A text that was made of it.
    Text(String),
}

impl Masked<'_> {
    /// As a value of a row.
    pub fn value(&self) -> Value<'_> {
        match self {
            Masked::Value(value) => *value,
            Masked::Text(text) => Value::Text(text),
        }
    }
}

impl Masker {
    /// Reads the profile's key, or makes one: durable then, and its owner's alone.
    ///
    /// # Errors
    /// When the key's file can't be read or written, or doesn't hold a key.
    pub fn open(profile: &Profile) -> Result<Masker, MaskingError> {
        let path = &profile.key_file;
        let key = read_or_create(path).map_err(|reason| MaskingError {
            profile: profile.name.clone(),
            path: path.clone(),
            reason,
        })?;
        let rules = digest(&key, "rules", &profile.rules(), RULES_BYTES);
        Ok(Masker { profile: profile.clone(), key, rules })
    }

    /// The profile's name.
    pub fn name(&self) -> &str {
        &self.profile.name
    }

    /// What its rules and its key are known by: 16 hex digits that are others where one of both is.
    pub fn rules(&self) -> &str {
        &self.rules
    }

    /// What is shown of a value of that stream, in the column with that number.
    pub fn value<'v>(&self, stream: Stream, column: usize, value: Value<'v>) -> Masked<'v> {
        let node = self.profile.column(stream, column);
        let kind = stream.columns().get(column).map(|column| column.kind);
        let pseudonym = |text: &str| digest(&self.key, "value", text, PSEUDONYM_BYTES);
        let text = |text: Option<String>| text.map_or(Masked::Value(Value::Null), Masked::Text);
        match (value, node) {
            (Value::Null, _) | (_, Node::All(Rule::Keep)) => Masked::Value(value),
            (_, Node::All(Rule::Drop)) => Masked::Value(Value::Null),
            (Value::Text(json), node) if kind == Some(ColumnKind::Json) => {
                text(masked(json, node, &pseudonym))
            }
            // Two records are two, however alike their ids are.
            (Value::Text(id), Node::All(Rule::Hmac)) if column < stream.keys().len() => {
                text(Some(pseudonym(id)))
            }
            (Value::Text(given), Node::All(rule)) => text(rule.of_text(given, &pseudonym)),
            (Value::Integer(seconds), Node::All(rule)) => {
                Masked::Value(rule.of_seconds(seconds).map_or(Value::Null, Value::Integer))
            }
            (_, Node::Members(..)) => Masked::Value(Value::Null),
        }
    }
}

fn read_or_create(path: &Path) -> io::Result<Hmac<Sha256>> {
    let key = match key_file::read(path)? {
        Some(key) => key,
        None => {
            key_file::create(path)?;
            key_file::read(path)?.ok_or(io::ErrorKind::NotFound)?
        }
    };
    Hmac::new_from_slice(&key).map_err(io::Error::other)
}

fn digest(key: &Hmac<Sha256>, of: &str, text: &str, bytes: usize) -> String {
    let mut mac = key.clone();
    mac.update(of.as_bytes());
    mac.update(b":");
    mac.update(text.as_bytes());
    let digest = mac.finalize().into_bytes();
    hex(digest.get(..bytes).unwrap_or(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masking::{Classes, FieldRule};

    fn masker(key_file: &Path, fields: &[(&str, Rule)]) -> Masker {
        let fields: Vec<FieldRule> = fields
            .iter()
            .map(|(path, rule)| FieldRule { path: path.split('.').map(str::to_owned).collect(), rule: *rule })
            .collect();
        Masker::open(&Profile::new("p", key_file.to_owned(), Classes::default(), &fields).unwrap()).unwrap()
    }

    fn place(stream: Stream, column: &str) -> usize {
        stream.columns().iter().position(|one| one.name == column).unwrap()
    }

    #[test]
    fn a_person_has_one_pseudonym_in_every_stream_and_column() {
        let folder = tempfile::tempdir().unwrap();
        let masker = masker(
            &folder.path().join("key"),
            &[("customers.email", Rule::Hmac), ("events.properties.order.email", Rule::Hmac)],
        );
        let shown = |stream, column, text| {
            masker
                .value(stream, place(stream, column), Value::Text(text))
                .value()
                .as_text()
                .map(str::to_owned)
        };
        let id = shown(Stream::Customers, "id", "c-1").unwrap();
        assert_eq!((id.len(), Some(&id)), (32, shown(Stream::Events, "customer_id", "c-1").as_ref()));
        assert_ne!(Some(id), shown(Stream::Customers, "id", "c-2"));
        // Numbers that are written in two ways are two ids.
        assert_ne!(shown(Stream::Customers, "id", "1234567"), shown(Stream::Customers, "id", "123-4567"));
        let email = shown(Stream::Customers, "email", "Jane@x.y").unwrap();
        let order = shown(Stream::Events, "properties", r#"{"order":{"email":"jane@X.y"},"b":1}"#);
        assert_eq!(order, Some(format!(r#"{{"order":{{"email":"{email}"}}}}"#)));
        assert_eq!(shown(Stream::Customers, "first_name", "Jane"), None);
    }

    #[test]
    fn another_key_and_other_rules_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        let one = masker(&a, &[]);
        assert_eq!(masker(&a, &[]).rules(), one.rules());
        assert_ne!(masker(&b, &[]).rules(), one.rules());
        assert_ne!(masker(&a, &[("customers.email", Rule::Hmac)]).rules(), one.rules());
        let id = |masker: &Masker| {
            masker.value(Stream::Customers, 0, Value::Text("c")).value().as_text().map(str::to_owned)
        };
        assert_ne!(id(&one), id(&masker(&b, &[])));
        std::fs::write(&b, "x").unwrap();
        let profile = Profile::new("p", b, Classes::default(), &[]).unwrap();
        assert!(Masker::open(&profile).unwrap_err().to_string().contains("doesn't hold 64 hex digits"));
    }
}
