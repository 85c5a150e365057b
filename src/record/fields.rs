//! One JSON object, taken apart field by field without losing what nobody asked for.

use super::decimal::scaled;
use super::lone_surrogates::replace_lone_surrogates;
use super::members::members;
use super::repair::{Repair, Repairs};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// Why a record could not be taken. Carries the field and the expected type, never the field's content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The record is something else than a JSON object.
    #[error("the record is not a JSON object")]
    NotAnObject,
    /// `id` is missing, null, empty, or neither a string nor a whole number.
    #[error("`id` is missing, empty, or neither a string nor a whole number")]
    NoId,
    /// `id` holds half of a surrogate pair, or a byte that is no UTF-8. No URL can carry it, and with U+FFFD in its place it
    /// could be another record's.
    #[error(
        "`id` holds half of a surrogate pair, or a byte that is no UTF-8: the record can't be asked for, nor told from others"
    )]
    BrokenId,
    /// A documented field holds another JSON type than the documented one.
    #[error("`{field}` is not {expected}")]
    WrongType {
        /// The field.
        field: &'static str,
        /// The documented type, with its article.
        expected: &'static str,
    },
    /// A documented field stands twice with different values, so that nobody can say which one counts.
    #[error("`{field}` stands twice, with different values")]
    Duplicate {
        /// The field.
        field: &'static str,
    },
}

/// The members of one JSON object, in their order. Documented ones are taken out by name; what is
/// left becomes `extra`.
pub(super) struct Fields<'a> {
    members: Vec<Member<'a>>,
    repairs: Vec<Repair>,
}

struct Member<'a> {
    /// Borrowed where it holds no escape.
    name: Cow<'a, str>,
    /// The name as it was written, with its quotes.
    written: &'a str,
    /// `None` once it was taken.
    value: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    pub(super) fn parse(record: &'a str) -> Result<Self, Rejection> {
        let members = members(serde_json::Deserializer::from_str(record), |written, value| {
            let name = text(written).unwrap_or_default();
            Member { name, written: written.get(), value: Some(value) }
        });
        let members = members.map_err(|_| Rejection::NotAnObject)?;
        Ok(Fields { members, repairs: Vec::new() })
    }

    fn take(&mut self, field: &'static str) -> Result<Option<&'a RawValue>, Rejection> {
        let mut found: Option<&RawValue> = None;
        for Member { name, value, .. } in &mut self.members {
            if name == field {
                let value = value.take();
                if let (Some(first), Some(second)) = (found, value)
                    && first.get() != second.get()
                {
                    return Err(Rejection::Duplicate { field });
                }
                found = value;
            }
        }
        Ok(found.filter(|value| value.get() != "null"))
    }

    /// The identifier: an opaque string by `api-contract` point 8, or a whole number, whose digits are that string.
    pub(super) fn id(&mut self) -> Result<Cow<'a, str>, Rejection> {
        let Some(value) = self.take("id")? else { return Err(Rejection::NoId) };
        if value.get().bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Cow::Borrowed(value.get()));
        }
        match string(value) {
            Some((_, IsMended(true))) => Err(Rejection::BrokenId),
            Some((id, _)) if !id.is_empty() => Ok(id),
            _ => Err(Rejection::NoId),
        }
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<Option<Cow<'a, str>>, Rejection> {
        let value = self.take(field)?;
        value.map(|value| self.string(field, value)).transpose()
    }

    /// A time, which is a string by the documentation; a number, which can only be one of the epoch's, stays the text
    /// that it is.
    pub(super) fn time(&mut self, field: &'static str) -> Result<Option<Cow<'a, str>>, Rejection> {
        let is_number = |value: &RawValue| value.get().starts_with(|c: char| c == '-' || c.is_ascii_digit());
        match self.take(field)? {
            Some(value) if is_number(value) => Ok(Some(Cow::Borrowed(value.get()))),
            value => value.map(|value| self.string(field, value)).transpose(),
        }
    }

    fn string(&mut self, field: &'static str, value: &'a RawValue) -> Result<Cow<'a, str>, Rejection> {
        let (text, IsMended(is_mended)) =
            string(value).ok_or(Rejection::WrongType { field, expected: "a string" })?;
        if is_mended {
            self.repairs.push(Repair::HalfSurrogate { field });
        }
        Ok(text)
    }

    /// A 64-bit integer, however the number is written: 1e3 and "1000" are the same one.
    pub(super) fn integer(&mut self, field: &'static str) -> Result<Option<i64>, Rejection> {
        let Some(value) = self.take(field)? else { return Ok(None) };
        if let Ok(number) = serde_json::from_str(value.get()) {
            return Ok(Some(number));
        }
        let number = scaled(plain(value).unwrap_or(value.get()), 0);
        let (number, is_exact) = number
            .and_then(|number| Some((i64::try_from(number.value).ok()?, number.is_exact)))
            .ok_or(Rejection::WrongType { field, expected: "a 64-bit integer" })?;
        if !is_exact {
            self.repairs.push(Repair::Fraction { field });
        }
        Ok(Some(number))
    }

    /// Any JSON value, as it was written.
    pub(super) fn json(&mut self, field: &'static str) -> Result<Option<&'a str>, Rejection> {
        Ok(self.take(field)?.map(RawValue::get))
    }

    /// What had to be repaired in the fields taken so far.
    pub(super) fn repairs(&mut self) -> Repairs {
        Repairs(std::mem::take(&mut self.repairs))
    }

    /// The members that nobody took, as the text of one JSON object, names and values to the byte; `None` where nothing
    /// is left.
    pub(super) fn extra(self) -> Option<String> {
        let mut text = String::new();
        for Member { written, value, .. } in self.members {
            let Some(value) = value else { continue };
            text.push(if text.is_empty() { '{' } else { ',' });
            text.push_str(written);
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
    Fields::parse(record).ok()?.id().ok().map(Cow::into_owned)
}

/// The content of a JSON string without escapes, which is what stands between its quotes.
fn plain(value: &RawValue) -> Option<&str> {
    let content = value.get().strip_prefix('"')?.strip_suffix('"')?;
    (!content.contains('\\')).then_some(content)
}

/// Whether a text is not what the API gave: U+FFFD stands for half of a surrogate pair.
struct IsMended(bool);

/// The content of a JSON string, with U+FFFD for each half of a surrogate pair; `None` for other values.
pub fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    string(value).map(|(text, _)| text)
}

/// The same; borrowed where it holds no escape.
fn string(value: &RawValue) -> Option<(Cow<'_, str>, IsMended)> {
    if let Some(text) = plain(value) {
        return Some((Cow::Borrowed(text), IsMended(false)));
    }
    match serde_json::from_str(value.get()) {
        Ok(text) => Some((Cow::Owned(text), IsMended(false))),
        Err(_) => replace_lone_surrogates(value.get()).map(|text| (Cow::Owned(text), IsMended(true))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_keeps_order_digits_and_escapes() {
        let mut fields = Fields::parse(
            r#"{"z":12.30,"id":"a","n":12345678901234567890,"o":{"b":1,"a":[1e400]},"q\"":"\u00e9","\u00e9":"\ud83d","\ud83d":0}"#,
        )
        .unwrap();
        assert_eq!(fields.id().unwrap(), "a");
        assert_eq!(
            fields.extra().unwrap(),
            r#"{"z":12.30,"n":12345678901234567890,"o":{"b":1,"a":[1e400]},"q\"":"\u00e9","\u00e9":"\ud83d","\ud83d":0}"#
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
            (r#"{"id":7.0}"#, Rejection::NoId),
            (r#"{"id":-7}"#, Rejection::NoId),
            (r#"{"id":7e1}"#, Rejection::NoId),
            (r#"{"id":true}"#, Rejection::NoId),
            (r#"{"id":["7"]}"#, Rejection::NoId),
            (r#"{"id":7,"id":"7"}"#, Rejection::Duplicate { field: "id" }),
            (r#"{"id":"a","id":"b"}"#, Rejection::Duplicate { field: "id" }),
            (r#"{"id":"a","\u0069d":"b"}"#, Rejection::Duplicate { field: "id" }),
            (r#"{"id":"\ud83d"}"#, Rejection::BrokenId),
            (r#"{"id":"a\ude00b"}"#, Rejection::BrokenId),
        ] {
            let found = Fields::parse(record).and_then(|mut fields| fields.id());
            assert_eq!(found, Err(reason), "{record}");
        }
    }

    #[test]
    fn ids_are_strings_or_whole_numbers() {
        for (json, id) in [
            (r#""a""#, "a"),
            (r#""\u0061""#, "a"),
            (r#"" ""#, " "),
            ("7", "7"),
            ("0", "0"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            let record = format!("{{\"id\":{json}}}");
            assert_eq!(Fields::parse(&record).unwrap().id().as_deref(), Ok(id), "{json}");
        }
    }

    #[test]
    fn a_field_that_stands_twice_with_one_value_has_that_value() {
        let mut fields = Fields::parse(r#"{"id":"a","email":"x","id":"a","email":"y"}"#).unwrap();
        assert_eq!(fields.id().unwrap(), "a");
        assert_eq!(fields.text("email"), Err(Rejection::Duplicate { field: "email" }));
    }

    #[test]
    fn half_surrogates_are_repaired_and_named() {
        let record =
            r#"{"id":"a","n":"A\ud83d","whole":"\ud83d\ude00","l":"\ude00\ud83d","\u0074":"\u0041"}"#;
        let mut fields = Fields::parse(record).unwrap();
        assert_eq!(fields.id().unwrap(), "a");
        assert_eq!(fields.text("n").unwrap().as_deref(), Some("A\u{fffd}"));
        assert_eq!(fields.text("whole").unwrap().as_deref(), Some("\u{1f600}"));
        assert_eq!(fields.text("l").unwrap().as_deref(), Some("\u{fffd}\u{fffd}"));
        assert_eq!(fields.text("t").unwrap().as_deref(), Some("A"));
        assert_eq!(
            fields.repairs().to_string(),
            "`n` holds half of a surrogate pair, or a byte that is no UTF-8: U+FFFD stands in its place; \
             `l` holds half of a surrogate pair, or a byte that is no UTF-8: U+FFFD stands in its place"
        );
        assert!(fields.repairs().is_empty());
    }

    #[test]
    fn integers() {
        for (json, number, is_whole) in [
            ("1", Some(1), true),
            ("-1", Some(-1), true),
            ("-0", Some(0), true),
            ("1e3", Some(1_000), true),
            ("1.7e9", Some(1_700_000_000), true),
            ("1700000000.0", Some(1_700_000_000), true),
            ("1700000000.9", Some(1_700_000_000), false),
            ("-0.5", Some(-1), false),
            ("\"1700000000\"", Some(1_700_000_000), true),
            ("\"1700000000.5\"", Some(1_700_000_000), false),
            ("9223372036854775807", Some(i64::MAX), true),
            ("9223372036854775808", None, true),
            ("-9223372036854775809", None, true),
            ("1e400", None, true),
            ("\"yesterday\"", None, true),
            ("\"\"", None, true),
            ("\" 1\"", None, true),
            ("\"\\ud83d\"", None, true),
            ("true", None, true),
            ("[1]", None, true),
            ("{}", None, true),
        ] {
            let record = format!("{{\"n\":{json}}}");
            let mut fields = Fields::parse(&record).unwrap();
            let expected =
                number.map(Some).ok_or(Rejection::WrongType { field: "n", expected: "a 64-bit integer" });
            assert_eq!(fields.integer("n"), expected, "{json}");
            assert_eq!(fields.repairs().is_empty(), is_whole, "{json}");
        }
    }

    #[test]
    fn times_may_be_numbers() {
        for (json, text) in [
            ("1714564800", Some("1714564800")),
            ("1714564800.50", Some("1714564800.50")),
            ("-1", Some("-1")),
            ("1.7e9", Some("1.7e9")),
            ("\"1714564800\"", Some("1714564800")),
            ("\"\\ud83d\"", Some("\u{fffd}")),
            ("true", None),
            ("{}", None),
        ] {
            let record = format!("{{\"at\":{json}}}");
            let found = Fields::parse(&record).unwrap().time("at");
            let expected = text
                .map(|text| Some(text.into()))
                .ok_or(Rejection::WrongType { field: "at", expected: "a string" });
            assert_eq!(found, expected, "{json}");
        }
        assert_eq!(Fields::parse("{\"at\":null}").unwrap().time("at"), Ok(None));
    }

    /// As deep as a record can be made: nothing recurses.
    #[test]
    fn depth_is_no_reason() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let record = format!("{{\"id\":\"a\",\"deep\":{deep}}}");
        let mut fields = Fields::parse(&record).unwrap();
        fields.id().unwrap();
        assert_eq!(fields.extra(), Some(format!("{{\"deep\":{deep}}}")));
    }
}
