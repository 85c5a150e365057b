//! One JSON object, taken apart field by field without losing what nobody asked for.

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// Why a record could not be taken. Carries the field and the expected type, never the field's content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The record is something else than a JSON object.
    #[error("the record is not a JSON object")]
    NotAnObject,
    /// `id` is missing, null, empty or no string.
    #[error("`id` is missing, empty or not a string")]
    NoId,
    /// A documented field holds another JSON type than the documented one.
    #[error("`{field}` is not {expected}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// The documented type, with its article.
        expected: &'static str,
    },
    /// A documented field stands twice, so that nobody can say which one counts.
    #[error("`{field}` stands twice")]
    Duplicate {
        /// The field.
        field: &'static str,
    },
}

/// The members of one JSON object, in their order. Documented ones are taken out by name; what is
/// left becomes `extra`.
pub(super) struct Fields<'a> {
    members: Vec<(Cow<'a, str>, Option<&'a RawValue>)>,
}

impl<'a> Fields<'a> {
    pub(super) fn parse(record: &'a str) -> Result<Self, Rejection> {
        let mut deserializer = serde_json::Deserializer::from_str(record);
        let members = deserializer.deserialize_map(Members).map_err(|_| Rejection::NotAnObject)?;
        deserializer.end().map_err(|_| Rejection::NotAnObject)?;
        Ok(Fields { members })
    }

    fn take(&mut self, field: &'static str) -> Result<Option<&'a RawValue>, Rejection> {
        let mut found = None;
        for (name, value) in &mut self.members {
            if name == field {
                if found.is_some() {
                    return Err(Rejection::Duplicate { field });
                }
                found = value.take();
            }
        }
        Ok(found.filter(|value| value.get() != "null"))
    }

    pub(super) fn id(&mut self) -> Result<String, Rejection> {
        match self.text("id") {
            Ok(Some(id)) if !id.is_empty() => Ok(id),
            Err(duplicate @ Rejection::Duplicate { .. }) => Err(duplicate),
            _ => Err(Rejection::NoId),
        }
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<Option<String>, Rejection> {
        let expected = "a string";
        self.take(field)?
            .map(|value| {
                plain(value).map_or_else(|| serde_json::from_str(value.get()), |text| Ok(text.to_owned()))
            })
            .transpose()
            .map_err(|_| Rejection::WrongType { field, expected })
    }

    pub(super) fn integer(&mut self, field: &'static str) -> Result<Option<i64>, Rejection> {
        let expected = "a 64-bit integer";
        self.take(field)?
            .map(|value| serde_json::from_str(value.get()))
            .transpose()
            .map_err(|_| Rejection::WrongType { field, expected })
    }

    /// Any JSON value, as it was written.
    pub(super) fn json(&mut self, field: &'static str) -> Result<Option<String>, Rejection> {
        Ok(self.take(field)?.map(|value| value.get().to_owned()))
    }

    /// The members that nobody took, as the text of one JSON object; `None` where nothing is left.
    pub(super) fn extra(self) -> Option<String> {
        let mut text = String::new();
        for (name, value) in self.members {
            let Some(value) = value else { continue };
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push_str(&serde_json::Value::from(name).to_string());
            text.push(':');
            text.push_str(value.get());
        }
        if text.is_empty() {
            return None;
        }
        text.push('}');
        Some(text)
    }
}

/// The `id` of a record that may otherwise be unusable.
pub fn peek_id(record: &str) -> Option<String> {
    Fields::parse(record).ok()?.id().ok()
}

/// The content of a JSON string without escapes, which is what stands between its quotes.
fn plain(value: &RawValue) -> Option<&str> {
    let content = value.get().strip_prefix('"')?.strip_suffix('"')?;
    (!content.contains('\\')).then_some(content)
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(Cow<'de, str>, Option<&'de RawValue>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(12);
        while let Some(Name(name)) = map.next_key()? {
            members.push((name, Some(map.next_value::<&'de RawValue>()?)));
        }
        Ok(members)
    }
}

/// A member's name: borrowed where it holds no escape.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_keeps_order_and_digits() {
        let mut fields = Fields::parse(
            r#"{"z":12.30,"id":"a","n":12345678901234567890,"o":{"b":1,"a":[1e400]},"q\"":"\u00e9"}"#,
        )
        .unwrap();
        assert_eq!(fields.id().unwrap(), "a");
        assert_eq!(
            fields.extra().unwrap(),
            r#"{"z":12.30,"n":12345678901234567890,"o":{"b":1,"a":[1e400]},"q\"":"\u00e9"}"#
        );
    }

    #[test]
    fn nothing_undocumented_is_no_extra() {
        let mut fields = Fields::parse(r#"{"id":"a"}"#).unwrap();
        fields.id().unwrap();
        assert_eq!(fields.extra(), None);
    }

    #[test]
    fn unusable_records_say_why() {
        for (record, reason) in [
            ("[]", Rejection::NotAnObject),
            ("17", Rejection::NotAnObject),
            ("null", Rejection::NotAnObject),
            (r#"{"email":"x"}"#, Rejection::NoId),
            (r#"{"id":null}"#, Rejection::NoId),
            (r#"{"id":""}"#, Rejection::NoId),
            (r#"{"id":7}"#, Rejection::NoId),
            (r#"{"id":"a","id":"b"}"#, Rejection::Duplicate { field: "id" }),
        ] {
            let found = Fields::parse(record).and_then(|mut fields| fields.id());
            assert_eq!(found, Err(reason), "{record}");
        }
    }
}
