//! A customer's event, as the vendor's Customer resource documentation describes it.

use super::fields::{Fields, Rejection};
use super::repair::Decoded;

/// An event. Every field except `id` may be null or missing; the two are not told apart.
///
/// `Debug` shows the identifiers alone: labels and properties may hold personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// Opaque, never empty.
    pub id: String,
    /// The customer whose list it stood in: an event does not name its customer, the path does.
    pub customer_id: String,
    /// Such as `ShopifyOrderFulfilled`.
    pub kind: Option<String>,
    /// Such as `Order #1000 fulfilled`.
    pub label: Option<String>,
    /// Where the shop shows more.
    pub link_back_url: Option<String>,
    /// Unix seconds.
    pub timestamp: Option<i64>,
    /// JSON text of any shape, as the API gave it.
    pub properties: Option<String>,
    /// When the vendor created it, as the API gave it.
    pub created_at: Option<String>,
    /// When the vendor last changed it, as the API gave it.
    pub updated_at: Option<String>,
    /// The undocumented fields as the text of one JSON object, each value to the byte.
    pub extra: Option<String>,
}

impl Event {
    /// Decodes one record of the event list of `customer_id`.
    ///
    /// # Errors
    /// When `record` is no object, has no usable `id`, or a documented field has another type than documented
    /// and can't be read as that one either.
    pub fn decode(customer_id: &str, record: &str) -> Result<Event, Rejection> {
        Event::decode_telling(customer_id, record).map(|decoded| decoded.record)
    }

    /// The same, with what was repaired in the record.
    ///
    /// # Errors
    /// As for [`Event::decode`].
    pub fn decode_telling(customer_id: &str, record: &str) -> Result<Decoded<Event>, Rejection> {
        let mut fields = Fields::parse(record)?;
        let mut decoded = Decoded::whole(Event {
            id: fields.id()?,
            customer_id: customer_id.to_owned(),
            kind: fields.text("type")?,
            label: fields.text("label")?,
            link_back_url: fields.text("link_back_url")?,
            timestamp: fields.integer("timestamp")?,
            properties: fields.json("properties")?,
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
            extra: None,
        });
        decoded.repairs = fields.repairs();
        decoded.record.extra = fields.extra();
        Ok(decoded)
    }
}

impl super::Record for Event {
    fn id(&self) -> &str {
        &self.id
    }

    fn updated_at(&self) -> Option<&str> {
        self.updated_at.as_deref()
    }
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id)
            .field("customer_id", &self.customer_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_and_unknown_fields_keep_their_bytes() {
        let event = Event::decode(
            "c",
            r#"{"id":"e","type":"ShopifyOrderFulfilled","timestamp":1548855000,
                "properties":{"shopify_order": {"id": "5555555555555", "total": 12.30}},"weight":1.50}"#,
        )
        .unwrap();
        assert_eq!(event.timestamp, Some(1_548_855_000));
        assert_eq!(
            event.properties.as_deref(),
            Some(r#"{"shopify_order": {"id": "5555555555555", "total": 12.30}}"#)
        );
        assert_eq!(event.extra.as_deref(), Some(r#"{"weight":1.50}"#));
    }

    #[test]
    fn every_documented_field_is_taken_with_halves_of_surrogate_pairs() {
        let record = r#"{"id":"e","type":"T\ud83d","label":"L\ude00","link_back_url":"https://shop.example/\ud83d",
            "timestamp":17e8,"properties":{"a":"\ud83d"},"created_at":"\ud83d","updated_at":1714564800,"x":"\ud83d"}"#;
        let Decoded { record, repairs } = Event::decode_telling("c", record).unwrap();
        assert_eq!(record.kind.as_deref(), Some("T\u{fffd}"));
        assert_eq!(record.label.as_deref(), Some("L\u{fffd}"));
        assert_eq!(record.link_back_url.as_deref(), Some("https://shop.example/\u{fffd}"));
        assert_eq!(record.timestamp, Some(1_700_000_000));
        assert_eq!(record.updated_at.as_deref(), Some("1714564800"));
        // JSON text stays as it is: nothing in it had to be decoded.
        assert_eq!(record.properties.as_deref(), Some(r#"{"a":"\ud83d"}"#));
        assert_eq!(record.extra.as_deref(), Some(r#"{"x":"\ud83d"}"#));
        let told = repairs.to_string();
        for field in ["type", "label", "link_back_url", "created_at"] {
            assert!(told.contains(&format!("`{field}` holds half")), "{told}");
        }
        assert!(!told.contains("properties") && !told.contains("extra"), "{told}");
    }
}
