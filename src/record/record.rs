//! A record of any stream, decoded as the stream's declaration says.

use super::column::ColumnKind;
use super::fields::{Fields, Rejection};
use super::repair::Decoded;
use super::stream::Stream;
use std::fmt;

/// A record: a value for each of its stream's columns. Every value except the keys may be null or missing; the two are not
/// told apart.
///
/// `Debug` shows the keys alone: everything else may be personal data.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Record {
    stream: Stream,
    values: Box<[OwnedValue]>,
}

/// One value of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum OwnedValue {
    /// The API gave null or left the field out.
    Null,
    /// Text; JSON text in a [`ColumnKind::Json`] column.
    Text(String),
    /// An integer.
    Integer(i64),
}

impl<T: Into<OwnedValue>> From<Option<T>> for OwnedValue {
    fn from(value: Option<T>) -> OwnedValue {
        value.map_or(OwnedValue::Null, Into::into)
    }
}

impl From<String> for OwnedValue {
    fn from(text: String) -> OwnedValue {
        OwnedValue::Text(text)
    }
}

impl From<i64> for OwnedValue {
    fn from(number: i64) -> OwnedValue {
        OwnedValue::Integer(number)
    }
}

impl Record {
    /// Decodes one record of a list, or the answer to a retrieve, with what was repaired in it. `parent` is the id of the
    /// record in whose list it stood: a child does not name its parent, the list's path does.
    ///
    /// # Errors
    /// When `text` is no object, has no usable `id`, or a documented field has another type than documented and can't be
    /// read as that one either.
    pub fn decode(stream: Stream, parent: Option<&str>, text: &str) -> Result<Decoded<Record>, Rejection> {
        let mut fields = Fields::parse(text)?;
        let mut values = Record::keys(stream, fields.id()?, parent);
        let (extra, documented) = stream.columns().split_last().unwrap_or((&stream.columns()[0], &[]));
        debug_assert_eq!(extra.name, "extra");
        for column in documented.iter().skip(values.len()) {
            values.push(match column.kind {
                ColumnKind::Text => fields.text(column.name)?.into(),
                ColumnKind::Time => fields.time(column.name)?.into(),
                ColumnKind::Integer => fields.integer(column.name)?.into(),
                ColumnKind::Json => fields.json(column.name)?.into(),
            });
        }
        let repairs = fields.repairs();
        values.push(fields.extra().into());
        Ok(Decoded { record: Record::from_values(stream, values), repairs })
    }

    /// What tells whose a record is that can't be taken: its keys and its time of creation, nothing else.
    pub fn peek(stream: Stream, parent: Option<&str>, text: &str) -> Option<Record> {
        let mut fields = Fields::parse(text).ok()?;
        let mut values = Record::keys(stream, fields.id().ok()?, parent);
        values.resize(stream.columns().len(), OwnedValue::Null);
        let created_at = stream.columns().iter().position(|column| column.name == "created_at");
        if let Some(value) = created_at.and_then(|place| values.get_mut(place)) {
            *value = fields.time("created_at").ok().flatten().into();
        }
        Some(Record::from_values(stream, values))
    }

    /// A record of a stream by its values, which stand in the order of the stream's columns.
    pub fn from_values(stream: Stream, values: Vec<OwnedValue>) -> Record {
        debug_assert_eq!(values.len(), stream.columns().len());
        Record { stream, values: values.into_boxed_slice() }
    }

    fn keys(stream: Stream, id: String, parent: Option<&str>) -> Vec<OwnedValue> {
        let mut values = Vec::with_capacity(stream.columns().len());
        values.push(id.into());
        if stream.parent().is_some() {
            values.push(parent.unwrap_or_default().to_owned().into());
        }
        values
    }

    /// The stream that it belongs to.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// The vendor's identifier: opaque, never empty; not always a UUID.
    pub fn id(&self) -> &str {
        self.text_at(0).unwrap_or_default()
    }

    /// The identifier of the record that it belongs to; empty where its stream has no parent.
    pub fn parent_id(&self) -> &str {
        self.stream.parent().and_then(|_| self.text_at(1)).unwrap_or_default()
    }

    /// The text of a column; `None` where it is null, no text, or its stream has no such column.
    pub fn text(&self, column: &str) -> Option<&str> {
        self.text_at(self.stream.columns().iter().position(|one| one.name == column)?)
    }

    /// When the vendor created it, as the API gave it.
    pub fn created_at(&self) -> Option<&str> {
        self.text("created_at")
    }

    /// When the vendor last changed it, as the API gave it.
    pub fn updated_at(&self) -> Option<&str> {
        self.text("updated_at")
    }

    /// Its values, in the order of the stream's columns.
    pub fn values(&self) -> &[OwnedValue] {
        &self.values
    }

    /// Whether both hold the same, apart from fields that the documentation doesn't name.
    pub fn has_same_documented_fields(&self, other: &Record) -> bool {
        let documented = self.values.len().saturating_sub(1);
        self.stream == other.stream && self.values.get(..documented) == other.values.get(..documented)
    }

    fn text_at(&self, place: usize) -> Option<&str> {
        match self.values.get(place)? {
            OwnedValue::Text(text) => Some(text),
            OwnedValue::Null | OwnedValue::Integer(_) => None,
        }
    }

    /// A customer, from JSON that is good.
    #[cfg(test)]
    pub(crate) fn customer(text: &str) -> Record {
        Record::decode(Stream::Customers, None, text).unwrap().record
    }

    /// An event of a customer, from JSON that is good.
    #[cfg(test)]
    pub(crate) fn event(customer: &str, text: &str) -> Record {
        Record::decode(Stream::Events, Some(customer), text).unwrap().record
    }

    /// The same with another text in one column.
    #[cfg(test)]
    pub(crate) fn with(mut self, column: &str, text: Option<&str>) -> Record {
        let place = self.stream.columns().iter().position(|one| one.name == column).unwrap();
        self.values[place] = text.map(str::to_owned).into();
        self
    }
}

impl super::Keyed for Record {
    fn id(&self) -> &str {
        Record::id(self)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct(self.stream.singular());
        for (key, value) in self.stream.keys().iter().zip(&self.values) {
            shown.field(key.name, value);
        }
        shown.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUSTOMER: &str = r#"{
        "id": "a0a877c6-4164-4e8a-8179-48f8d4752b4e",
        "email": "shopper@example.com",
        "first_name": "Ann",
        "last_name": "O\"Hara",
        "phone_number": "555-555-5555",
        "created_at": "2019-01-30T13:30:00Z",
        "updated_at": "2019-01-30T13:30:00Z"
    }"#;

    fn customer(text: &str) -> Result<Record, Rejection> {
        Record::decode(Stream::Customers, None, text).map(|decoded| decoded.record)
    }

    fn event(text: &str) -> Result<Record, Rejection> {
        Record::decode(Stream::Events, Some("c"), text).map(|decoded| decoded.record)
    }

    #[test]
    fn every_declaration_has_the_shape_that_decoding_relies_on() {
        for stream in Stream::ALL {
            let names: Vec<&str> = stream.columns().iter().map(|column| column.name).collect();
            assert_eq!((names[0], names.last().copied()), ("id", Some("extra")), "{stream}");
            for name in ["created_at", "updated_at"] {
                let column = stream.columns().iter().find(|column| column.name == name).unwrap();
                assert_eq!(column.kind, ColumnKind::Time, "{stream}");
            }
            assert!(stream.identity().iter().copied().flatten().all(|name| names.contains(name)), "{stream}");
            assert_eq!(Stream::ALL[stream.index()], stream);
            assert!(stream.parent().is_none_or(|parent| parent < stream && parent.parent().is_none()));
        }
    }

    #[test]
    fn documented_example_has_no_extra() {
        let customer = customer(CUSTOMER).unwrap();
        assert_eq!(customer.id(), "a0a877c6-4164-4e8a-8179-48f8d4752b4e");
        assert_eq!(customer.text("last_name"), Some("O\"Hara"));
        assert_eq!((customer.text("extra"), customer.parent_id()), (None, ""));
    }

    #[test]
    fn null_missing_and_empty() {
        let customer = customer(r#"{"id":"x","email":null,"first_name":""}"#).unwrap();
        assert_eq!((customer.text("email"), customer.text("last_name")), (None, None));
        assert_eq!(customer.text("first_name"), Some(""));
    }

    #[test]
    fn properties_and_unknown_fields_keep_their_bytes() {
        let event = event(
            r#"{"id":"e","type":"ShopifyOrderFulfilled","timestamp":1548855000,
                "properties":{"shopify_order": {"id": "5555555555555", "total": 12.30}},"weight":1.50}"#,
        )
        .unwrap();
        assert_eq!(event.values()[5], OwnedValue::Integer(1_548_855_000));
        assert_eq!(
            event.text("properties"),
            Some(r#"{"shopify_order": {"id": "5555555555555", "total": 12.30}}"#)
        );
        assert_eq!(event.text("extra"), Some(r#"{"weight":1.50}"#));
        assert_eq!(event.parent_id(), "c");
    }

    #[test]
    fn properties_may_have_any_shape() {
        for shape in ["{}", "[1,2]", "\"text\"", "7", "false"] {
            let event = event(&format!(r#"{{"id":"e","properties":{shape}}}"#)).unwrap();
            assert_eq!(event.text("properties"), Some(shape));
        }
        assert_eq!(event(r#"{"id":"e","properties":null}"#).unwrap().text("properties"), None);
    }

    #[test]
    fn wrong_type_of_a_documented_field_is_rejected() {
        assert_eq!(
            customer(r#"{"id":"x","email":["a"]}"#),
            Err(Rejection::WrongType { field: "email", expected: "a string" })
        );
        assert_eq!(
            event(r#"{"id":"e","timestamp":"yesterday"}"#),
            Err(Rejection::WrongType { field: "timestamp", expected: "a 64-bit integer" })
        );
    }

    #[test]
    fn a_record_that_cannot_be_taken_still_tells_whose_it_is() {
        let peek = |text| Record::peek(Stream::Customers, None, text);
        let peeked = peek(r#"{"id":"x","email":5,"created_at":"2019-01-30T13:30:00Z","a":1}"#).unwrap();
        assert_eq!((peeked.id(), peeked.created_at()), ("x", Some("2019-01-30T13:30:00Z")));
        assert_eq!((peeked.text("email"), peeked.text("extra")), (None, None));
        assert!(peek("[]").is_none() && peek(r#"{"id":true}"#).is_none());
    }

    #[test]
    fn a_customers_id_in_the_record_is_a_field_like_any_other() {
        let event = event(r#"{"id":"e","customer_id":"other"}"#).unwrap();
        assert_eq!((event.parent_id(), event.text("extra")), ("c", Some(r#"{"customer_id":"other"}"#)));
    }

    #[test]
    fn every_documented_text_is_taken_with_halves_of_surrogate_pairs() {
        for stream in Stream::ALL {
            let texts = |kind| matches!(kind, ColumnKind::Text | ColumnKind::Time);
            for column in stream.columns()[stream.keys().len()..].iter().filter(|column| texts(column.kind)) {
                let text = format!(r#"{{"id":"x","{}":"a\ud83d"}}"#, column.name);
                let Decoded { record, repairs } = Record::decode(stream, Some("c"), &text).unwrap();
                assert_eq!(record.text(column.name), Some("a\u{fffd}"), "{}", column.name);
                assert!(repairs.to_string().starts_with(&format!("`{}` ", column.name)), "{repairs}");
            }
        }
        assert!(Record::decode(Stream::Customers, None, CUSTOMER).unwrap().repairs.is_empty());
    }

    #[test]
    fn undocumented_fields_alone_may_differ() {
        let of = |extra: &str| customer(&format!(r#"{{"id":"x","email":"a"{extra}}}"#)).unwrap();
        assert!(of("").has_same_documented_fields(&of(r#","tier":1"#)));
        assert!(!of("").has_same_documented_fields(&of("").with("email", None)));
    }

    #[test]
    fn debug_shows_no_personal_data() {
        let shown = format!("{:?}", customer(CUSTOMER).unwrap());
        for secret in ["shopper@", "Ann", "Hara", "555"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        let shown = format!("{:?}", event(r#"{"id":"e","label":"Ann","properties":{"a":"Ann"}}"#).unwrap());
        assert!(shown.contains("customer_id") && !shown.contains("Ann"), "{shown}");
    }
}
