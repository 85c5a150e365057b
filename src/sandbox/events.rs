//! An event as the API serves it: what the seed says about an order and its parcels.

use super::awkward::{self, EventOddity};
use super::draw::{Draw, Purpose};
use super::generate::Source;
use super::life::{Kind, RETURN, Status, Step};
use super::rows::{EventRow, Ordinal};
use super::text::{object, quoted, time, times};

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
    /// The event as one JSON object; `serial` is its customer's number.
    pub(super) fn event(self, serial: u64, row: &EventRow) -> String {
        let oddity = self.event_oddity(serial, row.ordinal);
        let id = format!(r#""id":{}"#, quoted(&self.event_id(serial, row.ordinal)));
        if oddity == Some(EventOddity::OnlyId) {
            // A revision still has to show.
            let revised = (row.revision > 0).then(|| format!(r#""updated_at":"{}""#, time(row.updated, 0)));
            return object(&[Some(id), revised].into_iter().flatten().collect::<Vec<_>>());
        }
        let told = Told::new(self, serial, row);
        let label = match oddity {
            Some(EventOddity::Label(json)) => json.to_owned(),
            _ => told.label(),
        };
        let properties = match oddity {
            Some(EventOddity::Properties(json)) => json.to_owned(),
            Some(EventOddity::DeepProperties) => awkward::deep(),
            Some(EventOddity::WideProperties) => awkward::wide(),
            _ => told.properties(),
        };
        let timestamp = match oddity {
            Some(EventOddity::Timestamp(json)) => json.to_owned(),
            _ => row.created.div_euclid(1000).to_string(),
        };
        let offset = if let Some(EventOddity::Times(offset)) = oddity { offset } else { 0 };
        let mut members = vec![
            id,
            format!(r#""type":"{}""#, told.step.kind.name),
            format!(r#""label":{label}"#),
            format!(r#""link_back_url":"https://shop.example.com/admin/orders/{}""#, told.order.number),
            format!(r#""properties":{properties}"#),
            format!(r#""timestamp":{timestamp}"#),
            times(row.created, row.updated, offset),
        ];
        if let Some(EventOddity::Extra(extra)) = oddity {
            members.push(extra.to_owned());
        }
        object(&members)
    }
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
        let plan = source.plan(serial, row.ordinal.order);
        let step = row.ordinal.step as usize;
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

    fn label(&self) -> String {
        let (number, revision) = (self.order.number, self.row.revision);
        let revised = if revision > 0 { format!(" (revised {revision})") } else { String::new() };
        format!("\"Order #{number} {}{revised}\"", self.step.kind.label)
    }

    fn properties(&self) -> String {
        let mut members = vec![format!(r#""shopify_order":{}"#, self.order.json())];
        if let Some((parcel, status)) = self.step.parcel {
            members.push(format!(r#""shipment":{}"#, self.shipment(parcel, status)));
        }
        if self.step.kind == Kind::ORDER_ISSUE_CREATED {
            let reason = self.draw(Purpose::Issue, self.row.ordinal.number()).pick(ISSUES);
            members.push(format!(r#""order_issue":{{"reason":"{reason}"}}"#));
        }
        if self.row.revision > 0 {
            members.push(format!(r#""revision":{}"#, self.row.revision));
        }
        object(&members)
    }

    fn shipment(&self, parcel: u8, Status(status): Status) -> String {
        let part = u64::from(self.row.ordinal.order) * 4 + u64::from(parcel);
        let mut draw = self.draw(Purpose::Parcel, part);
        let id = draw.uuid();
        let (carrier, prefix, digits) = draw.pick(CARRIERS);
        let tracked = draw.below(10_u64.pow(digits as u32));
        let mut members = vec![
            format!(r#""id":"{id}","carrier":"{carrier}","tracking_code":"{prefix}{tracked:0digits$}""#),
            format!(r#""is_return":{},"status":"{status}""#, parcel == RETURN),
        ];
        if self.step.kind.is_scan {
            // By the time, since one scan may be two events.
            let mut place = self.draw(Purpose::Place, (part << 32) | u64::from(self.step.at));
            members.push(format!(r#""location":"{}""#, place.pick(PLACES)));
        }
        let estimate = self.parcel_ends.map_or("null".to_owned(), |end| {
            // The evening of a day, without a zone (`api-contract`, "Around the Customer resource").
            let evening = time(end - end.rem_euclid(DAY) + DAY * 20 / 24, 0);
            quoted(evening.trim_end_matches('Z'))
        });
        members.push(format!(r#""estimated_delivery_at":{estimate}"#));
        object(&members)
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
        let order = u64::from(ordinal.order);
        let mut draw = Draw::new(seed, Purpose::OrderFields, serial, order);
        Order {
            number: 1001 + serial + order * NUMBERS_APART,
            cents: 500 + draw.below(50_000),
            items: 1 + draw.below(4),
            id: draw.below(9_000_000_000_000) + 1_000_000_000_000,
        }
    }

    fn json(&self) -> String {
        let Order { number, cents, items, id } = self;
        let price = format!("{}.{:02}", cents / 100, cents % 100);
        format!(
            r##"{{"id":"{id}","name":"#{number}","order_number":{number},"total_price":"{price}","currency":"USD","item_count":{items}}}"##
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    fn row(order: u32, step: u32) -> EventRow {
        let at = 1_548_855_000_000;
        EventRow { ordinal: Ordinal { order, step }, revision: 0, created: at, updated: at }
    }

    /// The events of a customer's order.
    fn rows(source: Source, serial: u64, order: u32) -> Vec<EventRow> {
        let steps = source.plan(serial, order).steps().len();
        (0..).take(steps).map(|step| row(order, step)).collect()
    }

    #[test]
    fn a_plain_event_is_as_documented() {
        let event = Record::event("c", &Source { seed: 1, awkward: false }.event(7, &row(0, 0)));
        assert_eq!(event.text("type"), Some("ShopifyOrderCreated"));
        assert_eq!(event.text("label"), Some("Order #1008 created"));
        assert_eq!(event.values().nth(5), Some(crate::record::Value::Integer(1_548_855_000)));
        assert!(event.text("properties").unwrap().starts_with(r#"{"shopify_order":{"id":""#));
        assert_eq!(event.text("extra"), None);
    }

    #[test]
    fn what_is_about_a_parcel_tells_which_and_how_it_stands() {
        let source = Source { seed: 1, awkward: false };
        for serial in 0..300 {
            for row in rows(source, serial, 0) {
                let event: serde_json::Value = serde_json::from_str(&source.event(serial, &row)).unwrap();
                let shipment = &event["properties"]["shipment"];
                let step = source.plan(serial, 0).steps()[row.ordinal.step as usize];
                let Some((_, status)) = step.parcel else {
                    assert!(shipment.is_null());
                    continue;
                };
                assert_eq!(shipment["status"], status.0);
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
                Record::event("c", &source.event(serial, &row));
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
                    assert_ne!(source.event(serial, &before), source.event(serial, &after));
                }
            }
        }
    }
}
