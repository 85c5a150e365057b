//! A record as the API serves it, written straight into the answer.

use super::awkward::{self, CustomerOddity, EventOddity};
use super::draw::{Draw, Purpose};
use super::fields::{CustomerField, CustomerFields};
use super::generate::{EventRow, Source};
use super::text::{push_number, push_padded, push_string, push_time};

const FIRST_NAMES: &[&str] = &[
    "Ann", "Ben", "Carla", "Dmitri", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kofi", "Lena",
    "Mateo", "Nadia", "Oscar", "Priya", "Quinn", "Rosa", "Sven", "Tara", "Umar", "Vera", "Wei", "Yuki",
    "Zara",
];
const LAST_NAMES: &[&str] = &[
    "Abbott", "Berg", "Costa", "Dvorak", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jensen", "Kim",
    "Lopez", "Mensah", "Novak", "Okafor", "Petrov", "Quist", "Rossi", "Silva", "Tanaka", "Urban", "Varga",
    "Weber", "Young", "Zhang",
];
const EVENT_TYPES: &[(&str, &str)] = &[
    ("ShopifyOrderPlaced", "placed"),
    ("ShopifyOrderFulfilled", "fulfilled"),
    ("ShipmentInTransit", "in transit"),
    ("ShipmentOutForDelivery", "out for delivery"),
    ("ShipmentDelivered", "delivered"),
];

/// What of a customer is not told by the seed.
pub(super) struct CustomerFacts<'a> {
    pub(super) serial: u64,
    pub(super) id: &'a str,
    pub(super) created: i64,
    pub(super) updated: i64,
    pub(super) written: Option<&'a CustomerFields>,
    /// A client made it: nothing about it is odd.
    pub(super) plain: bool,
}

impl Source {
    /// Appends the customer as one JSON object.
    pub(super) fn push_customer(self, out: &mut String, customer: &CustomerFacts<'_>) {
        let oddity = if customer.plain { None } else { self.customer_oddity(customer.serial) };
        let person = Person::drawn(self.seed, customer.serial);
        out.push_str("{\"id\":");
        push_string(out, customer.id);
        for field in CustomerField::ALL {
            let written = customer.written.and_then(|written| written.get(field));
            if written.is_none() && leaves_out(oddity, field) {
                continue;
            }
            out.push_str(",\"");
            out.push_str(field.name());
            out.push_str("\":");
            match written {
                Some(Some(text)) => push_string(out, text),
                Some(None) => out.push_str("null"),
                None => person.push(out, field, oddity),
            }
        }
        let offset = match oddity {
            Some(CustomerOddity::Times(offset)) => offset,
            Some(CustomerOddity::OnlyId) => return out.push('}'),
            _ => 0,
        };
        push_times(out, customer.created, customer.updated, offset);
        if let Some(CustomerOddity::Extra(members)) = oddity {
            out.push(',');
            out.push_str(members);
        }
        out.push('}');
    }

    /// Appends the event as one JSON object.
    pub(super) fn push_event(self, out: &mut String, serial: u64, row: &EventRow) {
        let oddity = self.event_oddity(serial, row.ordinal);
        let mut draw = Draw::new(self.seed, Purpose::EventFields, serial, u64::from(row.ordinal) / 5);
        let order =
            Order { number: 1000 + draw.below(900_000), cents: 500 + draw.below(50_000), id: draw.next() };
        let (kind, done) = EVENT_TYPES[row.ordinal as usize % EVENT_TYPES.len()];
        let mut id = String::with_capacity(40);
        self.push_event_id(&mut id, serial, row.ordinal);
        out.push_str("{\"id\":");
        push_string(out, &id);
        if oddity == Some(EventOddity::OnlyId) {
            return push_only_revision(out, row);
        }
        out.push_str(",\"type\":\"");
        out.push_str(kind);
        out.push_str("\",\"label\":");
        match oddity {
            Some(EventOddity::Label(json)) => out.push_str(json),
            _ => order.push_label(out, done, row.revision),
        }
        out.push_str(",\"link_back_url\":\"https://shop.example.com/admin/orders/");
        push_number(out, order.number as i64);
        out.push_str("\",\"properties\":");
        match oddity {
            Some(EventOddity::Properties(json)) => out.push_str(json),
            Some(EventOddity::DeepProperties) => awkward::push_deep(out),
            Some(EventOddity::WideProperties) => awkward::push_wide(out),
            _ => order.push_properties(out, row.revision),
        }
        out.push_str(",\"timestamp\":");
        match oddity {
            Some(EventOddity::Timestamp(json)) => out.push_str(json),
            _ => push_number(out, row.created / 1000),
        }
        let offset = if let Some(EventOddity::Times(offset)) = oddity { offset } else { 0 };
        push_times(out, row.created, row.updated, offset);
        if let Some(EventOddity::Extra(members)) = oddity {
            out.push(',');
            out.push_str(members);
        }
        out.push('}');
    }
}

fn leaves_out(oddity: Option<CustomerOddity>, field: CustomerField) -> bool {
    matches!(oddity, Some(CustomerOddity::Missing(missing)) if missing == field)
        || oddity == Some(CustomerOddity::OnlyId)
}

fn push_times(out: &mut String, created: i64, updated: i64, offset_minutes: i64) {
    out.push_str(",\"created_at\":\"");
    push_time(out, created, offset_minutes);
    out.push_str("\",\"updated_at\":\"");
    push_time(out, updated, offset_minutes);
    out.push('"');
}

/// Ends an event that has nothing but its id; a revision still has to show.
fn push_only_revision(out: &mut String, row: &EventRow) {
    if row.revision > 0 {
        out.push_str(",\"updated_at\":\"");
        push_time(out, row.updated, 0);
        out.push('"');
    }
    out.push('}');
}

/// What the seed says about a customer.
struct Person {
    first: &'static str,
    last: &'static str,
    serial: u64,
    phone: u64,
}

impl Person {
    fn drawn(seed: u64, serial: u64) -> Person {
        let mut draw = Draw::new(seed, Purpose::CustomerFields, serial, 0);
        Person {
            first: draw.pick(FIRST_NAMES),
            last: draw.pick(LAST_NAMES),
            serial,
            phone: draw.below(10_000_000),
        }
    }

    fn push(&self, out: &mut String, field: CustomerField, oddity: Option<CustomerOddity>) {
        match (field, oddity) {
            (_, Some(CustomerOddity::Null(null))) if null == field => return out.push_str("null"),
            (CustomerField::FirstName, Some(CustomerOddity::FirstName(json))) => return out.push_str(json),
            (CustomerField::LastName, Some(CustomerOddity::LongLastName)) => {
                return awkward::push_long_text(out);
            }
            _ => out.push('"'),
        }
        match field {
            CustomerField::FirstName => out.push_str(self.first),
            CustomerField::LastName => out.push_str(self.last),
            CustomerField::Email => {
                out.extend(self.first.chars().map(|letter| letter.to_ascii_lowercase()));
                out.push('.');
                out.extend(self.last.chars().map(|letter| letter.to_ascii_lowercase()));
                push_number(out, self.serial as i64);
                out.push_str(if self.phone.is_multiple_of(2) { "@example.com" } else { "@example.org" });
            }
            CustomerField::PhoneNumber => {
                out.push_str("555-");
                push_padded(out, self.phone / 10_000, 3);
                out.push('-');
                push_padded(out, self.phone % 10_000, 4);
            }
        }
        out.push('"');
    }
}

/// The order that five events of a customer are about.
struct Order {
    number: u64,
    cents: u64,
    id: u64,
}

impl Order {
    fn push_label(&self, out: &mut String, done: &str, revision: u32) {
        out.push_str("\"Order #");
        push_number(out, self.number as i64);
        out.push(' ');
        out.push_str(done);
        if revision > 0 {
            out.push_str(" (revised ");
            push_number(out, i64::from(revision));
            out.push(')');
        }
        out.push('"');
    }

    fn push_properties(&self, out: &mut String, revision: u32) {
        out.push_str("{\"shopify_order\":{\"id\":\"");
        push_padded(out, self.id % 10_000_000_000_000, 13);
        out.push_str("\",\"name\":\"#");
        push_number(out, self.number as i64);
        out.push_str("\",\"total_price\":\"");
        push_number(out, (self.cents / 100) as i64);
        out.push('.');
        push_padded(out, self.cents % 100, 2);
        out.push_str("\",\"currency\":\"USD\"}");
        if revision > 0 {
            out.push_str(",\"revision\":");
            push_number(out, i64::from(revision));
        }
        out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Customer, Event, instant};

    const ROW: EventRow =
        EventRow { ordinal: 1, revision: 0, created: 1_548_855_000_000, updated: 1_548_855_000_000 };

    fn customer(source: Source, serial: u64) -> String {
        let id = source.customer_id(serial);
        let (created, updated) = source.customer_times(serial);
        let mut out = String::new();
        let facts = CustomerFacts { serial, id: &id, created, updated, written: None, plain: false };
        source.push_customer(&mut out, &facts);
        out
    }

    #[test]
    fn a_plain_world_is_as_documented() {
        let source = Source { seed: 1, awkward: false };
        for serial in 0..200 {
            let customer = Customer::decode(&customer(source, serial)).unwrap();
            assert!(customer.email.unwrap().contains("@example."));
            assert!(instant(&customer.updated_at.unwrap()) >= instant(&customer.created_at.unwrap()));
            assert_eq!(customer.extra, None);
        }
        let mut out = String::new();
        source.push_event(&mut out, 1, &ROW);
        let event = Event::decode("c", &out).unwrap();
        assert_eq!(event.kind.as_deref(), Some("ShopifyOrderFulfilled"));
        assert_eq!(event.timestamp, Some(1_548_855_000));
        assert!(event.properties.unwrap().starts_with(r#"{"shopify_order":{"id":""#));
    }

    #[test]
    fn an_awkward_world_can_still_be_decoded() {
        let source = Source { seed: 1, awkward: true };
        let customers: Vec<_> =
            (0..100).map(|serial| Customer::decode(&customer(source, serial)).unwrap()).collect();
        assert!(customers.iter().any(|customer| customer.id.contains('/')));
        assert!(customers.iter().any(|customer| customer.email.is_none()));
        assert!(
            customers.iter().any(|customer| customer.extra.as_deref().is_some_and(|e| e.contains("1e400")))
        );
        for serial in 0..100 {
            for ordinal in 0..3 {
                let mut out = String::new();
                source.push_event(&mut out, serial, &EventRow { ordinal, ..ROW });
                Event::decode("c", &out).unwrap();
            }
        }
    }

    #[test]
    fn a_revision_changes_every_event() {
        for awkward in [false, true] {
            let source = Source { seed: 1, awkward };
            for ordinal in 0..60 {
                let (mut before, mut after) = (String::new(), String::new());
                source.push_event(&mut before, 3, &EventRow { ordinal, ..ROW });
                let revised = EventRow { ordinal, revision: 1, updated: ROW.updated + 1000, ..ROW };
                source.push_event(&mut after, 3, &revised);
                assert_ne!(before, after);
            }
        }
    }
}
