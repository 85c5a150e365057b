//! A customer's event, as the vendor's Customer resource documentation describes it.

use super::fields::{Fields, Rejection};

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
    /// When `record` is no object, has no usable `id`, or a documented field has another type than documented.
    pub fn decode(customer_id: &str, record: &str) -> Result<Event, Rejection> {
        let mut fields = Fields::parse(record)?;
        Ok(Event {
            id: fields.id()?,
            customer_id: customer_id.to_owned(),
            kind: fields.text("type")?,
            label: fields.text("label")?,
            link_back_url: fields.text("link_back_url")?,
            timestamp: fields.integer("timestamp")?,
            properties: fields.json("properties")?,
            created_at: fields.text("created_at")?,
            updated_at: fields.text("updated_at")?,
            extra: fields.extra(),
        })
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
    fn a_timestamp_is_an_integer() {
        for (text, good) in [("1", true), ("-1", true), ("null", true), ("1.5", false), ("\"1\"", false)] {
            let record = format!(r#"{{"id":"e","timestamp":{text}}}"#);
            assert_eq!(Event::decode("c", &record).is_ok(), good, "{text}");
        }
    }
}
