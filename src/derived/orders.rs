//! Which orders and parcels a customer's events tell of, and how far they have come.
//!
//! | what | where it is looked for |
//! |---|---|
//! | the order | `shopify_order`, `order`, or any other member that ends in `_order`; else `order_id`, `order_number` and the like beside them |
//! | its number | `order_number`, `number` or `name` in the order; else the label, such as `Order #1000 fulfilled` |
//! | the parcel | `shipment`, `return_shipment`, or any other member that ends in `_shipment` |
//! | a step | the event's type; else the status of its parcel |

use crate::record::{members, text};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;

/// The fields of an event that orders are read from.
#[derive(Debug, Clone, Copy, Default)]
pub struct OrderEvent<'a> {
    /// Its type.
    pub kind: Option<&'a str>,
    /// Its label.
    pub label: Option<&'a str>,
    /// When it happened, or else when the vendor took it: seconds since 1970.
    pub at: Option<i64>,
    /// Its properties, as JSON text.
    pub properties: Option<&'a str>,
}

/// What happens to an order or a parcel, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Created,
    Fulfilled,
    Shipped,
    FirstScan,
    OutForDelivery,
    Delivered,
    /// On its way back: turned back by the carrier, or sent by the customer.
    Returned,
    Cancelled,
}

impl Step {
    /// What an event of that type tells. The vendor's own types are taken by their names, a shop system's by their endings.
    fn of_type(kind: &str) -> Option<Step> {
        Some(match kind {
            "ShipmentCreated" => Step::Shipped,
            "ShipmentFirstInTransit" | "InTransit" => Step::FirstScan,
            "ShipmentFirstOutForDelivery" | "OutForDelivery" => Step::OutForDelivery,
            "Delivered" | "ShipmentDelivered" => Step::Delivered,
            "ReturnToSender" | "ShipmentReturnToSender" => Step::Returned,
            "Cancelled" | "ShipmentCancelled" => Step::Cancelled,
            _ if kind.ends_with("OrderCreated") => Step::Created,
            _ if kind.ends_with("OrderFulfilled") => Step::Fulfilled,
            _ if kind.ends_with("OrderCancelled") => Step::Cancelled,
            _ => return None,
        })
    }

    fn of_status(status: &str) -> Option<Step> {
        Some(match status {
            "pre_transit" => Step::Shipped,
            "in_transit" => Step::FirstScan,
            "out_for_delivery" => Step::OutForDelivery,
            "delivered" => Step::Delivered,
            "return_to_sender" => Step::Returned,
            "cancelled" => Step::Cancelled,
            _ => return None,
        })
    }

    /// The status that an event has which tells of this step and no status.
    fn status(self) -> &'static str {
        match self {
            Step::Created => "created",
            Step::Fulfilled => "fulfilled",
            Step::Shipped => "pre_transit",
            Step::FirstScan => "in_transit",
            Step::OutForDelivery => "out_for_delivery",
            Step::Delivered => "delivered",
            Step::Returned => "return_to_sender",
            Step::Cancelled => "cancelled",
        }
    }
}

/// When each step first happened: seconds since 1970. A step that happened at an unknown time isn't there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Times {
    at: [Option<i64>; 8],
}

impl Times {
    /// The times as the mirror has them: created, fulfilled, shipped, first scan, out for delivery, delivered, returned, cancelled.
    pub fn new(at: [Option<i64>; 8]) -> Times {
        Times { at }
    }

    /// The same as [`Times::new`] takes.
    pub fn all(&self) -> [Option<i64>; 8] {
        self.at
    }

    fn has(&self, step: Step) -> bool {
        self.at[step as usize].is_some()
    }

    fn note(&mut self, step: Step, at: Option<i64>) {
        let first = &mut self.at[step as usize];
        *first = earlier(*first, at);
    }

    fn absorb(&mut self, other: &Times) {
        for (first, at) in self.at.iter_mut().zip(other.at) {
            *first = earlier(*first, at);
        }
    }
}

fn earlier(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// An order.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Order {
    /// The shop's identifier; `None` where the events tell the number alone.
    pub order_id: Option<String>,
    /// What people call it, without `#`.
    pub order_number: Option<String>,
    /// Of the newest event that has one; a return's begins with `return_`.
    pub status: Option<String>,
    /// When each step first happened, of whichever parcel.
    pub times: Times,
    /// The times of its first and its last event.
    pub first_event: Option<i64>,
    /// See `first_event`.
    pub last_event: Option<i64>,
    /// As the newest event that has it tells; so is `currency`.
    pub total_price: Option<f64>,
    /// See `total_price`.
    pub currency: Option<String>,
    /// Events that are about it.
    pub event_count: i64,
    /// Of these, those that tell of an issue.
    pub issue_count: i64,
    /// Its parcels, in the order in which they were first told of.
    pub shipments: Vec<Shipment>,
}

/// A parcel.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Shipment {
    /// The vendor's identifier.
    pub shipment_id: Option<String>,
    /// Who carries it.
    pub carrier: Option<String>,
    /// The carrier's identifier.
    pub tracking_code: Option<String>,
    /// Whether it goes from the customer back to the shop.
    pub is_return: bool,
    /// Of the newest event that has one.
    pub status: Option<String>,
    /// When each step first happened. The first two are an order's.
    pub times: Times,
    /// The time of its last event.
    pub last_event: Option<i64>,
    /// As the newest event that has it tells; mostly without a zone.
    pub estimated_delivery_at: Option<String>,
    /// Events that are about it.
    pub event_count: i64,
}

impl Order {
    /// When it was created, or else when its first event happened.
    pub fn began(&self) -> Option<i64> {
        self.times.at[Step::Created as usize].or(self.first_event)
    }

    /// Whether more is to come: it isn't fulfilled yet, or a parcel is on its way to the customer.
    pub fn is_open(&self) -> bool {
        let ends = [Step::Delivered, Step::Returned, Step::Cancelled];
        let has_ended = |times: &Times| ends.iter().any(|step| times.has(*step));
        let mut sent = self.shipments.iter().filter(|shipment| !shipment.is_return).peekable();
        if sent.peek().is_some() {
            return sent.any(|shipment| !has_ended(&shipment.times));
        }
        let is_under_way =
            [Step::Shipped, Step::FirstScan, Step::OutForDelivery].iter().any(|step| self.times.has(*step));
        let is_waiting = self.times.has(Step::Created) && !self.times.has(Step::Fulfilled);
        !has_ended(&self.times) && (is_under_way || is_waiting)
    }
}

/// The orders that a customer's events tell of. What one event costs doesn't grow with their number: all guests of a shop may
/// be one customer.
#[derive(Debug, Default)]
pub struct Orders {
    /// In the order in which the events first told of them. One without events turned out to be another one.
    orders: Vec<Order>,
    by_id: HashMap<String, usize>,
    /// The newest with that number.
    by_number: HashMap<String, usize>,
}

impl Orders {
    /// Takes the next event. They come by their time; what holds of two that don't is the one that happened later.
    pub fn add(&mut self, event: &OrderEvent<'_>) {
        if let Some(told) = Told::of(event) {
            let at = self.place_of(&told);
            if let Some(order) = self.orders.get_mut(at) {
                add(order, event, told);
            }
        }
    }

    /// In the order in which the events first told of them.
    pub fn finish(mut self) -> Vec<Order> {
        self.orders.retain(|order| order.event_count > 0);
        self.orders
    }

    /// Where the order is that an event is about, which may be a new one.
    fn place_of(&mut self, told: &Told<'_>) -> usize {
        let known = |places: &HashMap<String, usize>, name: &Option<Cow<'_, str>>| {
            name.as_deref().and_then(|name| places.get(name).copied())
        };
        let by_id = known(&self.by_id, &told.order_id);
        // One with this number that has no id yet, or any where the event tells none.
        let has_no_id = |at: &usize| self.orders.get(*at).is_some_and(|order| order.order_id.is_none());
        let by_number =
            known(&self.by_number, &told.number).filter(|at| told.order_id.is_none() || has_no_id(at));
        let at = match (by_id, by_number) {
            (Some(by_id), Some(by_number)) if by_id != by_number => self.unite(by_id, by_number),
            (Some(at), _) | (None, Some(at)) => at,
            (None, None) => {
                self.orders.push(Order::default());
                self.orders.len() - 1
            }
        };
        if let Some(order) = self.orders.get_mut(at) {
            newest(&mut order.order_id, told.order_id.clone(), false);
            newest(&mut order.order_number, told.number.clone(), !told.is_number_of_label);
            for (places, name) in
                [(&mut self.by_id, &order.order_id), (&mut self.by_number, &order.order_number)]
            {
                if let Some(name) = name.as_deref().filter(|name| places.get(*name) != Some(&at)) {
                    places.insert(name.to_owned(), at);
                }
            }
        }
        at
    }

    /// Makes one of two that nothing had told to be one until now; returns where it is.
    fn unite(&mut self, one: usize, other: usize) -> usize {
        let (kept, gone) = (one.min(other), one.max(other));
        let taken = self.orders.get_mut(gone).map(std::mem::take).unwrap_or_default();
        for (places, name) in [(&mut self.by_id, &taken.order_id), (&mut self.by_number, &taken.order_number)]
        {
            if let Some(at) = name.as_deref().and_then(|name| places.get_mut(name)) {
                *at = kept;
            }
        }
        if let Some(order) = self.orders.get_mut(kept) {
            absorb(order, taken);
        }
        kept
    }
}

/// Takes in what is known of the same order under another name.
fn absorb(order: &mut Order, other: Order) {
    let is_newer = other.last_event >= order.last_event;
    order.order_id = order.order_id.take().or(other.order_id);
    order.order_number = order.order_number.take().or(other.order_number);
    if is_newer && other.status.is_some() {
        order.status = other.status;
    }
    order.times.absorb(&other.times);
    order.first_event = earlier(order.first_event, other.first_event);
    order.last_event = order.last_event.max(other.last_event);
    order.total_price = order.total_price.or(other.total_price);
    order.currency = order.currency.take().or(other.currency);
    order.event_count += other.event_count;
    order.issue_count += other.issue_count;
    order.shipments.extend(other.shipments);
}

fn add(order: &mut Order, event: &OrderEvent<'_>, told: Told<'_>) {
    let (kind, at) = (event.kind.unwrap_or_default(), event.at);
    let is_return = told.is_return || kind.starts_with("ReturnShipment");
    let status = told.parcel.as_ref().and_then(|parcel| parcel.status.clone());
    let step = Step::of_type(kind).or_else(|| status.as_deref().and_then(Step::of_status));
    // Events without a time come first, whenever they happened.
    let is_newest = at >= order.last_event;
    order.event_count += 1;
    order.issue_count += i64::from(kind.ends_with("IssueCreated"));
    order.first_event = earlier(order.first_event, at);
    order.last_event = order.last_event.max(at);
    if told.total_price.is_some() && (is_newest || order.total_price.is_none()) {
        order.total_price = told.total_price;
        newest(&mut order.currency, told.currency, true);
    }
    let status = status.or_else(|| step.map(|step| step.status().into()));
    let (status, order_step) = match status {
        Some(status) if is_return => (Some(format!("return_{status}").into()), Some(Step::Returned)),
        None if is_return => (None, Some(Step::Returned)),
        status => (status, step),
    };
    newest(&mut order.status, status, is_newest);
    if let Some(step) = order_step {
        order.times.note(step, at);
    }
    let Some(parcel) = told.parcel.filter(|parcel| parcel.id.is_some() || parcel.tracking_code.is_some())
    else {
        return;
    };
    let is_same = |shipment: &Shipment| match (&shipment.shipment_id, &parcel.id) {
        (Some(one), Some(other)) => one == other,
        _ => {
            shipment.tracking_code.is_some()
                && shipment.tracking_code.as_deref() == parcel.tracking_code.as_deref()
        }
    };
    let known = order.shipments.iter().position(is_same);
    let at_place = known.unwrap_or(order.shipments.len());
    if known.is_none() {
        order.shipments.push(Shipment::default());
    }
    let Some(shipment) = order.shipments.get_mut(at_place) else { return };
    let is_newest = at >= shipment.last_event;
    shipment.event_count += 1;
    shipment.is_return |= is_return;
    shipment.last_event = shipment.last_event.max(at);
    if let Some(step) = step {
        shipment.times.note(step, at);
    }
    newest(&mut shipment.shipment_id, parcel.id, is_newest);
    newest(&mut shipment.carrier, parcel.carrier, is_newest);
    newest(&mut shipment.tracking_code, parcel.tracking_code, is_newest);
    newest(&mut shipment.status, parcel.status, is_newest);
    newest(&mut shipment.estimated_delivery_at, parcel.estimated_delivery_at, is_newest);
}

/// Takes what an event tells, unless it is older than what is held.
fn newest(held: &mut Option<String>, told: Option<Cow<'_, str>>, is_newest: bool) {
    let Some(told) = told.filter(|_| is_newest || held.is_none()) else { return };
    if held.as_deref() != Some(&*told) {
        *held = Some(told.into_owned());
    }
}

/// What an event tells.
#[derive(Default)]
struct Told<'a> {
    order_id: Option<Cow<'a, str>>,
    number: Option<Cow<'a, str>>,
    is_number_of_label: bool,
    total_price: Option<f64>,
    currency: Option<Cow<'a, str>>,
    is_return: bool,
    parcel: Option<Parcel<'a>>,
    /// What stands beside the objects.
    beside: Beside<'a>,
}

#[derive(Default)]
struct Beside<'a> {
    order_id: Option<Cow<'a, str>>,
    number: Option<Cow<'a, str>>,
    parcel: Parcel<'a>,
}

#[derive(Default)]
struct Parcel<'a> {
    id: Option<Cow<'a, str>>,
    carrier: Option<Cow<'a, str>>,
    tracking_code: Option<Cow<'a, str>>,
    status: Option<Cow<'a, str>>,
    estimated_delivery_at: Option<Cow<'a, str>>,
}

impl<'a> Told<'a> {
    /// `None` where it tells of no order.
    fn of(event: &OrderEvent<'a>) -> Option<Told<'a>> {
        let mut told = Told::default();
        if let Some(properties) = event.properties {
            each(properties, |name, value| told.member(name, value));
        }
        let beside = std::mem::take(&mut told.beside);
        told.order_id = told.order_id.or(beside.order_id);
        told.number = told.number.or(beside.number);
        told.parcel = told.parcel.or(Some(beside.parcel));
        if told.number.is_none() {
            told.number = event.label.and_then(number_in).map(Cow::Borrowed);
            told.is_number_of_label = true;
        }
        (told.order_id.is_some() || told.number.is_some()).then_some(told)
    }

    fn member(&mut self, name: &'a str, value: &'a RawValue) {
        let json = value.get();
        if !json.starts_with('{') {
            let beside = &mut self.beside;
            match name {
                "order_id" | "shopify_order_id" => beside.order_id = scalar(value),
                "order_number" | "order_name" => beside.number = scalar(value).map(without_hash),
                "shipment_id" => beside.parcel.id = scalar(value),
                "tracking_code" | "tracking_number" => beside.parcel.tracking_code = scalar(value),
                "carrier" => beside.parcel.carrier = scalar(value),
                _ => {}
            }
        } else if name == "order" || name.ends_with("_order") {
            each(json, |name, value| self.of_order(name, value));
        } else if name == "shipment" || name.ends_with("_shipment") {
            self.is_return |= name.starts_with("return");
            let mut parcel = Parcel::default();
            each(json, |name, value| {
                self.is_return |= name == "is_return" && value.get() == "true";
                parcel.member(name, value);
            });
            self.parcel = Some(parcel);
        }
    }

    fn of_order(&mut self, name: &str, value: &'a RawValue) {
        match name {
            "id" => self.order_id = scalar(value),
            "order_number" | "number" => self.number = scalar(value).map(without_hash),
            "name" if self.number.is_none() => self.number = scalar(value).map(without_hash),
            "total_price" | "total" => self.total_price = scalar(value).and_then(|price| price.parse().ok()),
            "currency" => self.currency = scalar(value),
            _ => {}
        }
    }
}

impl<'a> Parcel<'a> {
    fn member(&mut self, name: &str, value: &'a RawValue) {
        match name {
            "id" => self.id = scalar(value),
            "carrier" => self.carrier = scalar(value),
            "tracking_code" | "tracking_number" => self.tracking_code = scalar(value),
            "status" => self.status = scalar(value),
            "estimated_delivery_at" => self.estimated_delivery_at = scalar(value),
            _ => {}
        }
    }
}

/// Calls `member` for each member of a JSON object; for none where it is no object.
fn each<'a>(json: &'a str, mut member: impl FnMut(&'a str, &'a RawValue)) {
    let _ = members(serde_json::Deserializer::from_str(json), |name: &'a RawValue, value| {
        // No name with an escape is looked for.
        let name = name.get();
        member(name.get(1..name.len() - 1).unwrap_or_default(), value);
    });
}

/// The content of a text, or the digits of a number; `None` for anything else, and for an empty text.
fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    let json = value.get();
    let found = match json.as_bytes().first()? {
        b'"' => text(value)?,
        b'-' | b'0'..=b'9' => Cow::Borrowed(json),
        _ => return None,
    };
    (!found.is_empty()).then_some(found)
}

fn without_hash(number: Cow<'_, str>) -> Cow<'_, str> {
    match number {
        Cow::Borrowed(number) => Cow::Borrowed(number.strip_prefix('#').unwrap_or(number)),
        Cow::Owned(number) => Cow::Owned(number.strip_prefix('#').map_or(number.clone(), str::to_owned)),
    }
}

/// The number in a label such as `Order #1000 fulfilled`.
fn number_in(label: &str) -> Option<&str> {
    let (before, behind) = label.split_once('#')?;
    let is_of_number = |c: char| c.is_alphanumeric() || c == '-';
    let number = behind.split(|c| !is_of_number(c)).next().unwrap_or_default();
    (before.trim_end().to_ascii_lowercase().ends_with("order") && !number.is_empty()).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders<'a>(events: impl IntoIterator<Item = OrderEvent<'a>>) -> Vec<Order> {
        let mut orders = Orders::default();
        events.into_iter().for_each(|event| orders.add(&event));
        orders.finish()
    }

    fn event<'a>(kind: &'a str, at: i64, properties: &'a str) -> OrderEvent<'a> {
        OrderEvent { kind: Some(kind), label: None, at: Some(at), properties: Some(properties) }
    }

    const ORDER: &str = r##""shopify_order":{"id":"5","name":"#1001","order_number":1001,"total_price":"12.30","currency":"USD"}"##;

    fn with_parcel(parcel: &str) -> String {
        format!("{{{ORDER},\"shipment\":{parcel}}}")
    }

    #[test]
    fn an_order_from_its_creation_to_its_delivery() {
        let order = format!("{{{ORDER}}}");
        let [sent, scanned, delivered] = ["pre_transit", "in_transit", "delivered"].map(|status| {
            with_parcel(&format!(
                r#"{{"id":"s1","carrier":"UPS","tracking_code":"1Z0001","is_return":false,"status":"{status}","estimated_delivery_at":"2019-01-08T20:00:00"}}"#
            ))
        });
        let events = [
            event("ShopifyOrderCreated", 10, &order),
            event("ShopifyOrderFulfilled", 20, &order),
            event("ShipmentCreated", 30, &sent),
            event("ShipmentUpdateReceived", 40, &scanned),
            event("InTransit", 50, &scanned),
            event("Delivered", 60, &delivered),
        ];
        let found = orders(events);
        let at = [Some(10), Some(20), Some(30), Some(40), None, Some(60), None, None];
        let shipment = Shipment {
            shipment_id: Some("s1".into()),
            carrier: Some("UPS".into()),
            tracking_code: Some("1Z0001".into()),
            is_return: false,
            status: Some("delivered".into()),
            times: Times::new([None, None, Some(30), Some(40), None, Some(60), None, None]),
            last_event: Some(60),
            estimated_delivery_at: Some("2019-01-08T20:00:00".into()),
            event_count: 4,
        };
        let expected = Order {
            order_id: Some("5".into()),
            order_number: Some("1001".into()),
            status: Some("delivered".into()),
            times: Times::new(at),
            first_event: Some(10),
            last_event: Some(60),
            total_price: Some(12.3),
            currency: Some("USD".into()),
            event_count: 6,
            issue_count: 0,
            shipments: vec![shipment],
        };
        assert_eq!(found, [expected]);
        let open: Vec<bool> = (1..=6).map(|count| orders(events[..count].to_vec())[0].is_open()).collect();
        // Fulfilled, and nothing says that there is a parcel.
        assert_eq!(open, [true, false, true, true, true, false]);
    }

    #[test]
    fn two_parcels_of_an_order_and_one_that_comes_back() {
        let [first, second, back] = [("s1", false), ("s2", false), ("s3", true)].map(|(id, is_return)| {
            with_parcel(&format!(r#"{{"id":"{id}","is_return":{is_return},"status":"pre_transit"}}"#))
        });
        let delivered = with_parcel(r#"{"id":"s1","status":"delivered"}"#);
        let found = orders([
            event("ShipmentCreated", 1, &first),
            event("ShipmentCreated", 2, &second),
            event("Delivered", 3, &delivered),
            event("ReturnShipmentCreated", 4, &back),
        ]);
        assert_eq!(found.len(), 1);
        let ids: Vec<_> =
            found[0].shipments.iter().map(|s| (s.shipment_id.as_deref(), s.is_return)).collect();
        assert_eq!(ids, [(Some("s1"), false), (Some("s2"), false), (Some("s3"), true)]);
        assert_eq!((found[0].is_open(), found[0].status.as_deref()), (true, Some("return_pre_transit")));
        assert_eq!(found[0].times.all()[Step::Returned as usize], Some(4));
    }

    #[test]
    fn an_order_is_known_by_its_number_where_there_is_no_id() {
        let label = |label, at| OrderEvent { label: Some(label), at: Some(at), ..OrderEvent::default() };
        let order = format!("{{{ORDER}}}");
        for events in [
            [label("Order #1001 created", 1), event("X", 2, &order)],
            [event("X", 1, &order), label("Order #1001 delivered", 2)],
        ] {
            let found = orders(events);
            let told = (
                found.len(),
                found[0].order_id.as_deref(),
                found[0].order_number.as_deref(),
                found[0].event_count,
            );
            assert_eq!(told, (1, Some("5"), Some("1001"), 2));
        }
        assert_eq!(orders([label("Paket #12 unterwegs", 1)]), []);
    }

    #[test]
    fn what_turns_out_to_be_one_order_becomes_one() {
        let found = orders([
            event("A", 1, r#"{"order_number":7}"#),
            event("ShopifyOrderCreated", 2, r#"{"order":{"id":55}}"#),
            event("B", 3, r##"{"order":{"id":"55","name":"#7"}}"##),
        ]);
        let told = (found.len(), found[0].order_id.as_deref(), found[0].event_count, found[0].first_event);
        assert_eq!(told, (1, Some("55"), 3, Some(1)));
    }

    #[test]
    fn many_orders_of_one_customer_take_no_longer_each() {
        let created: Vec<String> =
            (0..50_000).map(|n| format!(r#"{{"order":{{"id":{n},"number":{n}}}}}"#)).collect();
        let numbered: Vec<String> = (0..50_000).map(|n| format!(r#"{{"order_number":{n}}}"#)).collect();
        // Compared one by one, this would take minutes.
        let found = orders(created.iter().chain(&numbered).map(|properties| event("X", 1, properties)));
        assert_eq!(found.len(), 50_000);
        assert!(found.iter().all(|order| order.event_count == 2));
    }

    #[test]
    fn other_shapes() {
        for (properties, expected) in [
            (r#"{"order_id":5}"#, Some(("5", None))),
            (r##"{"order_id":"5","order_name":"#A-7"}"##, Some(("5", Some("A-7")))),
            (r#"{"order":{"id":12345678901234567890}}"#, Some(("12345678901234567890", None))),
            (r#"{"order":{"id":null}}"#, None),
            (r#"{"order":"x"}"#, None),
            (r#"{"order":{"id":""}}"#, None),
            ("[1]", None),
            ("{}", None),
        ] {
            let found = orders([event("X", 1, properties)]);
            let told = found
                .first()
                .map(|order| (order.order_id.as_deref().unwrap_or(""), order.order_number.as_deref()));
            assert_eq!(told, expected, "{properties}");
        }
    }

    #[test]
    fn a_parcel_without_an_order_or_a_name_is_none() {
        assert_eq!(orders([event("InTransit", 1, r#"{"shipment":{"id":"s"}}"#)]), []);
        let found = orders([event("InTransit", 1, &with_parcel(r#"{"status":"in_transit"}"#))]);
        assert_eq!((found[0].shipments.len(), found[0].is_open()), (0, true));
    }
}
