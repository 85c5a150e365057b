//! A record of any stream, decoded as the stream's declaration says.

use super::column::{ColumnKind, Value};
use super::fields::{Fields, Rejection};
use super::repair::Decoded;
use super::stream::Stream;
use std::fmt;

/// A record: a value for each of its stream's columns. Every value except the keys may be null or missing; the two are not
/// told apart.
///
/// All its texts are one allocation, since records are decoded in one thread and freed in another by the hundred thousand.
/// `Debug` shows the keys alone: everything else may be personal data.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Record {
    stream: Stream,
    /// The texts of its columns, one behind the other.
    texts: String,
    values: Vec<Packed>,
}

/// One value of a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Packed {
    Null,
    /// Where the text stands among the record's.
    Text {
        begin: usize,
        end: usize,
    },
    Integer(i64),
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
        let mut record = Record::with_keys(stream, &fields.id()?, parent, text.len());
        let (extra, documented) = stream.columns().split_last().unwrap_or((&stream.columns()[0], &[]));
        debug_assert_eq!(extra.name, "extra");
        for column in documented.iter().skip(record.values.len()) {
            match column.kind {
                ColumnKind::Text => record.push_text(fields.text(column.name)?.as_deref()),
                ColumnKind::Time => record.push_text(fields.time(column.name)?.as_deref()),
                ColumnKind::Integer => {
                    record.push(fields.integer(column.name)?.map_or(Value::Null, Value::Integer))
                }
                ColumnKind::Json => record.push_text(fields.json(column.name)?),
            }
        }
        let repairs = fields.repairs();
        record.push_text(fields.extra().as_deref());
        Ok(Decoded { record, repairs })
    }

    /// What tells whose a record is that can't be taken: its keys and its time of creation, nothing else.
    pub fn peek(stream: Stream, parent: Option<&str>, text: &str) -> Option<Record> {
        let mut fields = Fields::parse(text).ok()?;
        let mut record = Record::with_keys(stream, &fields.id().ok()?, parent, 0);
        let created_at = fields.time("created_at").ok().flatten();
        for column in stream.columns().iter().skip(record.values.len()) {
            record.push_text(created_at.as_deref().filter(|_| column.name == "created_at"));
        }
        Some(record)
    }

    /// A record of a stream by its values, which come in the order of the stream's columns.
    ///
    /// # Errors
    /// The first of `values`.
    pub fn from_values<'v, E>(
        stream: Stream,
        values: impl IntoIterator<Item = Result<Value<'v>, E>>,
    ) -> Result<Record, E> {
        let mut record = Record::without_values(stream, 0);
        for value in values {
            record.push(value?);
        }
        debug_assert_eq!(record.values.len(), stream.columns().len());
        Ok(record)
    }

    /// `length`: about how long its texts will be together.
    fn without_values(stream: Stream, length: usize) -> Record {
        let values = Vec::with_capacity(stream.columns().len());
        Record { stream, texts: String::with_capacity(length), values }
    }

    fn with_keys(stream: Stream, id: &str, parent: Option<&str>, length: usize) -> Record {
        let mut record = Record::without_values(stream, length);
        record.push(Value::Text(id));
        if stream.parent().is_some() {
            record.push(Value::Text(parent.unwrap_or_default()));
        }
        record
    }

    fn push(&mut self, value: Value<'_>) {
        let packed = match value {
            Value::Null => Packed::Null,
            Value::Integer(number) => Packed::Integer(number),
            Value::Text(text) => {
                let begin = self.texts.len();
                self.texts.push_str(text);
                Packed::Text { begin, end: self.texts.len() }
            }
        };
        self.values.push(packed);
    }

    fn push_text(&mut self, text: Option<&str>) {
        self.push(text.map_or(Value::Null, Value::Text));
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
    pub fn values(&self) -> impl ExactSizeIterator<Item = Value<'_>> {
        self.values.iter().map(|packed| self.unpack(*packed))
    }

    /// Whether both hold the same, apart from fields that the documentation doesn't name.
    pub fn has_same_documented_fields(&self, other: &Record) -> bool {
        let documented = self.values.len().saturating_sub(1);
        self.stream == other.stream && self.values().take(documented).eq(other.values().take(documented))
    }

    fn text_at(&self, place: usize) -> Option<&str> {
        self.unpack(*self.values.get(place)?).as_text()
    }

    fn unpack(&self, packed: Packed) -> Value<'_> {
        match packed {
            Packed::Null => Value::Null,
            Packed::Text { begin, end } => Value::Text(self.texts.get(begin..end).unwrap_or_default()),
            Packed::Integer(number) => Value::Integer(number),
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
    pub(crate) fn with(self, column: &str, text: Option<&str>) -> Record {
        let other = text.map_or(Value::Null, Value::Text);
        let values = self.stream.columns().iter().zip(self.values());
        let values = values.map(|(one, value)| Ok(if one.name == column { other } else { value }));
        Record::from_values::<std::convert::Infallible>(self.stream, values).unwrap()
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
        for (key, value) in self.stream.keys().iter().zip(self.values()) {
            shown.field(key.name, &value);
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
        assert_eq!(event.values().nth(5), Some(Value::Integer(1_548_855_000)));
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
