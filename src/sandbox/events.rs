//! An event as the API serves it: what the seed says about an order and its parcels.

use super::awkward::{self, EventOddity};
use super::draw::{Draw, Purpose};
use super::generate::{EventRow, Ordinal, Source};
use super::life::{Kind, RETURN, Step};
use super::text::{push_number, push_padded, push_string, push_time, push_times, push_uuid};

/// Carriers, with how their tracking codes begin and how many digits follow.
const CARRIERS: &[(&str, &str, usize)] =
    &[("USPS", "9400", 18), ("UPS", "1Z", 16), ("FedEx", "", 12), ("DHLExpress", "", 10)];
const PLACES: &[&str] = &[
    "Atlanta, GA",
    "Chicago, IL",
    "Columbus, OH",
    "Dallas, TX",
    "Denver, CO",
    "Indianapolis, IN",
    "Memphis, TN",
    "Newark, NJ",
    "Portland, OR",
    "Reno, NV",
];
const ISSUES: &[&str] = &["damaged", "lost", "missing_item", "other", "wrong_item"];
/// Orders of one customer are so far apart in their numbers: up to as many customers, no number stands twice.
const NUMBERS_APART: u64 = 1_000_000;
const DAY: i64 = 86_400_000;

impl Source {
    /// Appends the event as one JSON object.
    pub(super) fn push_event(self, out: &mut String, serial: u64, row: &EventRow) {
        let oddity = self.event_oddity(serial, row.ordinal);
        let mut id = String::with_capacity(40);
        self.push_event_id(&mut id, serial, row.ordinal);
        out.push_str("{\"id\":");
        push_string(out, &id);
        if oddity == Some(EventOddity::OnlyId) {
            return push_only_revision(out, row);
        }
        let told = Told::new(self, serial, row);
        let (kind, done) = told.step.kind.names();
        out.push_str(",\"type\":\"");
        out.push_str(kind);
        out.push_str("\",\"label\":");
        match oddity {
            Some(EventOddity::Label(json)) => out.push_str(json),
            _ => told.order.push_label(out, done, row.revision),
        }
        out.push_str(",\"link_back_url\":\"https://shop.example.com/admin/orders/");
        push_number(out, told.order.number as i64);
        out.push_str("\",\"properties\":");
        match oddity {
            Some(EventOddity::Properties(json)) => out.push_str(json),
            Some(EventOddity::DeepProperties) => awkward::push_deep(out),
            Some(EventOddity::WideProperties) => awkward::push_wide(out),
            _ => told.push_properties(out),
        }
        out.push_str(",\"timestamp\":");
        match oddity {
            Some(EventOddity::Timestamp(json)) => out.push_str(json),
            _ => push_number(out, row.created.div_euclid(1000)),
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

/// Ends an event that has nothing but its id; a revision still has to show.
fn push_only_revision(out: &mut String, row: &EventRow) {
    if row.revision > 0 {
        out.push_str(",\"updated_at\":\"");
        push_time(out, row.updated, 0);
        out.push('"');
    }
    out.push('}');
}

/// What an event tells.
struct Told<'a> {
    source: Source,
    serial: u64,
    row: &'a EventRow,
    order: Order,
    step: Step,
    /// When the parcel's last event is planned, in milliseconds since 1970.
    parcel_ends: Option<i64>,
}

impl Told<'_> {
    fn new(source: Source, serial: u64, row: &EventRow) -> Told<'_> {
        let plan = source.plan(serial, row.ordinal.order());
        let step = row.ordinal.step();
        Told {
            source,
            serial,
            row,
            order: Order::drawn(source.seed, serial, row.ordinal),
            step: plan.steps()[step],
            parcel_ends: plan.parcel_ends_after(step).map(|wait| row.created + 1000 * i64::from(wait)),
        }
    }

    fn draw(&self, purpose: Purpose, part: u64) -> Draw {
        Draw::new(self.source.seed, purpose, self.serial, part)
    }

    fn push_properties(&self, out: &mut String) {
        out.push_str("{\"shopify_order\":");
        self.order.push(out);
        if let Some((parcel, _)) = self.step.parcel {
            out.push_str(",\"shipment\":");
            self.push_shipment(out, parcel);
        }
        if self.step.kind == Kind::OrderIssueCreated {
            out.push_str(",\"order_issue\":{\"reason\":\"");
            out.push_str(self.draw(Purpose::Issue, self.row.ordinal.number()).pick(ISSUES));
            out.push_str("\"}");
        }
        if self.row.revision > 0 {
            out.push_str(",\"revision\":");
            push_number(out, i64::from(self.row.revision));
        }
        out.push('}');
    }

    fn push_shipment(&self, out: &mut String, parcel: u8) {
        let part = u64::from(self.row.ordinal.order()) * 4 + u64::from(parcel);
        let mut draw = self.draw(Purpose::Parcel, part);
        out.push_str("{\"id\":\"");
        push_uuid(out, draw.next(), draw.next());
        let (carrier, prefix, digits) = draw.pick(CARRIERS);
        out.push_str("\",\"carrier\":\"");
        out.push_str(carrier);
        out.push_str("\",\"tracking_code\":\"");
        out.push_str(prefix);
        push_padded(out, draw.below(10_u64.pow(digits as u32)), digits);
        out.push_str("\",\"is_return\":");
        out.push_str(if parcel == RETURN { "true" } else { "false" });
        if let Some((_, status)) = self.step.parcel {
            out.push_str(",\"status\":\"");
            out.push_str(status.name());
            out.push('"');
        }
        if self.step.kind.is_scan() {
            out.push_str(",\"location\":\"");
            // By the time, since one scan may be two events.
            let mut place = self.draw(Purpose::Place, (part << 32) | u64::from(self.step.at));
            out.push_str(place.pick(PLACES));
            out.push('"');
        }
        out.push_str(",\"estimated_delivery_at\":");
        match self.parcel_ends {
            Some(end) => {
                // The evening of a day, without a zone (`api-contract`, "Around the Customer resource").
                out.push('"');
                push_time(out, end - end.rem_euclid(DAY) + DAY * 20 / 24, 0);
                out.pop();
                out.push('"');
            }
            None => out.push_str("null"),
        }
        out.push('}');
    }
}

/// An order of a customer.
struct Order {
    number: u64,
    cents: u64,
    items: u64,
    id: u64,
}

impl Order {
    fn drawn(seed: u64, serial: u64, ordinal: Ordinal) -> Order {
        let order = u64::from(ordinal.order());
        let mut draw = Draw::new(seed, Purpose::OrderFields, serial, order);
        Order {
            number: 1001 + serial + order * NUMBERS_APART,
            cents: 500 + draw.below(50_000),
            items: 1 + draw.below(4),
            id: draw.below(9_000_000_000_000) + 1_000_000_000_000,
        }
    }

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

    fn push(&self, out: &mut String) {
        out.push_str("{\"id\":\"");
        push_number(out, self.id as i64);
        out.push_str("\",\"name\":\"#");
        push_number(out, self.number as i64);
        out.push_str("\",\"order_number\":");
        push_number(out, self.number as i64);
        out.push_str(",\"total_price\":\"");
        push_number(out, (self.cents / 100) as i64);
        out.push('.');
        push_padded(out, self.cents % 100, 2);
        out.push_str("\",\"currency\":\"USD\",\"item_count\":");
        push_number(out, self.items as i64);
        out.push('}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    fn row(order: u32, step: usize) -> EventRow {
        let at = 1_548_855_000_000;
        EventRow { ordinal: Ordinal::new(order, step), revision: 0, created: at, updated: at }
    }

    /// The events of a customer's order.
    fn rows(source: Source, serial: u64, order: u32) -> Vec<EventRow> {
        let steps = source.plan(serial, order).steps().len();
        (0..steps).map(|step| row(order, step)).collect()
    }

    fn json(source: Source, serial: u64, row: &EventRow) -> String {
        let mut out = String::new();
        source.push_event(&mut out, serial, row);
        out
    }

    #[test]
    fn a_plain_event_is_as_documented() {
        let event = Record::event("c", &json(Source { seed: 1, awkward: false }, 7, &row(0, 0)));
        assert_eq!(event.text("type"), Some("ShopifyOrderCreated"));
        assert_eq!(event.text("label"), Some("Order #1008 created"));
        assert_eq!(event.values()[5], crate::record::OwnedValue::Integer(1_548_855_000));
        assert!(event.text("properties").unwrap().starts_with(r#"{"shopify_order":{"id":""#));
        assert_eq!(event.text("extra"), None);
    }

    #[test]
    fn what_is_about_a_parcel_tells_which_and_how_it_stands() {
        let source = Source { seed: 1, awkward: false };
        for serial in 0..300 {
            for row in rows(source, serial, 0) {
                let event: serde_json::Value = serde_json::from_str(&json(source, serial, &row)).unwrap();
                let shipment = &event["properties"]["shipment"];
                let step = source.plan(serial, 0).steps()[row.ordinal.step()];
                let Some((_, status)) = step.parcel else {
                    assert!(shipment.is_null());
                    continue;
                };
                assert_eq!(shipment["status"], status.name());
                assert!(uuid::Uuid::parse_str(shipment["id"].as_str().unwrap()).is_ok());
                assert!(shipment["tracking_code"].as_str().unwrap().len() >= 10);
                if let Some(estimate) = shipment["estimated_delivery_at"].as_str() {
                    assert!(estimate.parse::<jiff::civil::DateTime>().is_ok(), "{estimate}");
                    assert!(!estimate.contains(['Z', '+']), "{estimate}");
                }
            }
        }
    }

    #[test]
    fn an_awkward_event_can_still_be_decoded() {
        let source = Source { seed: 1, awkward: true };
        for serial in 0..300 {
            for row in rows(source, serial, 0) {
                Record::event("c", &json(source, serial, &row));
            }
        }
    }

    #[test]
    fn a_revision_changes_every_event() {
        for awkward in [false, true] {
            let source = Source { seed: 1, awkward };
            for serial in 0..60 {
                for before in rows(source, serial, 3) {
                    let after = EventRow { revision: 1, updated: before.updated + 1000, ..before };
                    assert_ne!(json(source, serial, &before), json(source, serial, &after));
                }
            }
        }
    }
}
