//! The lives that come out, as a client sees them.

use super::super::{Change, CustomerFields, Order, Settings};
use super::*;
use crate::record::Record;
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// The vendor's types of events (`api-contract`, "Around the Customer resource").
const TYPES: [&str; 16] = [
    "ShopifyOrderCreated",
    "ShopifyOrderFulfilled",
    "ShipmentCreated",
    "ShipmentUpdateReceived",
    "ShipmentFirstInTransit",
    "InTransit",
    "ShipmentFirstOutForDelivery",
    "OutForDelivery",
    "Delivered",
    "OrderIssueCreated",
    "ReturnShipmentCreated",
    "ReturnShipmentUpdateReceived",
    "FulfillmentStalled",
    "ShipmentStalled",
    "ShipmentDeliveryAttempted",
    "ShipmentReturnToSender",
];
/// The vendor's statuses of shipments.
const STATUSES: [&str; 10] = [
    "pre_transit",
    "in_transit",
    "out_for_delivery",
    "delivered",
    "return_to_sender",
    "cancelled",
    "available_for_pickup",
    "failure",
    "error",
    "unknown",
];
const DAY: Duration = Duration::from_secs(86_400);

fn settings(seed: u64) -> Settings {
    Settings { seed, customers: 60, order: Order::CreatedAsc, ..Settings::default() }
}

/// Every event's JSON by its id.
fn events(world: &World) -> BTreeMap<String, String> {
    let ids = world.customer_ids();
    ids.iter().flat_map(|id| world.event_ids(id).into_iter().zip(world.events_json(id))).collect()
}

fn seconds_of_clock(world: &World) -> i64 {
    world.read().now / 1000
}

/// Events of one order, or of one of its shipments.
struct Life(Vec<Value>);

impl Life {
    fn times(&self, kind: &str) -> Vec<i64> {
        self.0.iter().filter(|event| event["type"] == kind).map(at).collect()
    }

    /// When that happened; it happens once at most.
    fn once(&self, kind: &str) -> Option<i64> {
        let times = self.times(kind);
        assert!(times.len() <= 1, "{kind}: {:?}", self.0);
        times.first().copied()
    }

    fn has_update(&self, status: &str) -> bool {
        self.0.iter().any(|event| {
            event["type"] == "ShipmentUpdateReceived" && event["properties"]["shipment"]["status"] == status
        })
    }

    fn first(&self) -> i64 {
        self.0.iter().map(at).min().unwrap()
    }

    fn last(&self) -> i64 {
        self.0.iter().map(at).max().unwrap()
    }
}

/// The seconds of a time that the sandbox wrote.
fn second(time: &str) -> i64 {
    time.parse::<Timestamp>().unwrap().as_second()
}

fn at(event: &Value) -> i64 {
    event["timestamp"].as_i64().unwrap()
}

fn grouped(events: Vec<Value>, key: impl Fn(&Value) -> Option<&str>) -> HashMap<String, Life> {
    let mut lives: HashMap<String, Life> = HashMap::new();
    for event in events {
        if let Some(key) = key(&event).map(str::to_owned) {
            lives.entry(key).or_insert_with(|| Life(Vec::new())).0.push(event);
        }
    }
    lives
}

/// Fails where some customer's events don't make sense together. Returns how many orders there are.
fn assert_sensible(world: &World) -> usize {
    let now = seconds_of_clock(world);
    let mut orders = 0;
    for id in world.customer_ids() {
        let customer = Record::customer(&world.customer_json(&id).unwrap());
        let since = second(customer.created_at().unwrap());
        let events: Vec<Value> =
            world.events_json(&id).iter().map(|event| serde_json::from_str(event).unwrap()).collect();
        for event in &events {
            assert!(TYPES.contains(&event["type"].as_str().unwrap()));
            assert!((since..=now).contains(&at(event)), "{event}");
            let created = event["created_at"].as_str().unwrap();
            assert_eq!(second(created), at(event));
            assert!(!created.contains('.'), "whole seconds");
        }
        assert!(events.is_sorted_by_key(at), "{events:?}");
        let lives = grouped(events, |event| event["properties"]["shopify_order"]["id"].as_str());
        orders += lives.len();
        lives.into_values().for_each(assert_order);
    }
    orders
}

fn assert_order(order: Life) {
    let created = order.once("ShopifyOrderCreated").expect("an order begins with its creation");
    assert_eq!(created, order.first());
    let fulfilled = order.once("ShopifyOrderFulfilled");
    if let Some(stalled) = order.once("FulfillmentStalled") {
        assert!(fulfilled.is_none_or(|fulfilled| stalled < fulfilled));
    }
    let facts = &order.0[0]["properties"]["shopify_order"];
    assert!(order.0.iter().all(|event| &event["properties"]["shopify_order"] == facts));
    let delivered = order.times("Delivered").into_iter().min();
    let shipments = grouped(order.0, |event| event["properties"]["shipment"]["id"].as_str());
    assert!(shipments.len() <= 3);
    for shipment in shipments.into_values() {
        assert!(fulfilled.unwrap() <= shipment.first(), "nothing is shipped before it is packed");
        let facts = shipment.0[0]["properties"]["shipment"].clone();
        for event in &shipment.0 {
            let told = &event["properties"]["shipment"];
            assert_eq!(told["tracking_code"], facts["tracking_code"]);
            assert_eq!(told["carrier"], facts["carrier"]);
            assert_eq!(told["is_return"], facts["is_return"]);
            assert!(STATUSES.contains(&told["status"].as_str().unwrap()), "{told}");
        }
        if facts["is_return"] == true {
            assert_eq!(shipment.once("ReturnShipmentCreated"), Some(shipment.first()));
            assert!(delivered.unwrap() < shipment.first(), "only what arrived is sent back");
            assert!(shipment.0.iter().all(|e| e["type"].as_str().unwrap().starts_with("ReturnShipment")));
        } else {
            assert_parcel(&shipment);
        }
    }
}

fn assert_parcel(parcel: &Life) {
    assert_eq!(parcel.once("ShipmentCreated"), Some(parcel.first()));
    let scans = parcel.times("InTransit");
    assert_eq!(parcel.once("ShipmentFirstInTransit"), scans.iter().min().copied());
    let out = parcel.times("OutForDelivery");
    if let Some(first) = parcel.once("ShipmentFirstOutForDelivery") {
        assert!(scans.iter().all(|scan| *scan < first), "{:?}", parcel.0);
    }
    assert_eq!(parcel.once("ShipmentFirstOutForDelivery"), out.iter().min().copied());
    let attempted = parcel.once("ShipmentDeliveryAttempted");
    assert!(attempted.is_none_or(|attempt| out.iter().any(|out| *out < attempt)));
    let (back, delivered) = (parcel.once("ShipmentReturnToSender"), parcel.once("Delivered"));
    assert!(back.is_none() || delivered.is_none(), "{:?}", parcel.0);
    assert!(back.is_none_or(|back| attempted.unwrap() < back));
    if let Some(delivered) = delivered {
        assert!(out.iter().any(|out| *out < delivered), "{:?}", parcel.0);
        assert_eq!(delivered, parcel.last());
        assert!(!["cancelled", "failure", "error", "unknown"].iter().any(|end| parcel.has_update(end)));
    }
    assert!(!parcel.has_update("delivered") || delivered.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_life_makes_sense_from_the_start_and_as_time_passes(
        seed in any::<u64>(),
        days in proptest::collection::vec(0.0..9.0_f64, 1..5),
        touch in any::<bool>(),
    ) {
        let world = World::new(&Settings { events_touch_customer: touch, ..settings(seed) });
        assert_sensible(&world);
        for days in days {
            world.live(DAY.mul_f64(days));
            let id = world.customer_ids()[days as usize].clone();
            prop_assert!(world.order(&id));
            assert_sensible(&world);
        }
    }

    #[test]
    fn the_same_time_gives_the_same_world_however_it_is_divided(
        seed in any::<u64>(),
        parts in proptest::collection::vec(0..4000_u64, 1..8),
        time_factor in 1.0..100_000.0_f64,
    ) {
        let settings = Settings { churn: 5.0, time_factor, ..settings(seed) };
        let (one, two) = (World::new(&settings), World::new(&settings));
        one.live(Duration::from_millis(parts.iter().sum()));
        parts.into_iter().for_each(|part| two.live(Duration::from_millis(part)));
        prop_assert_eq!(one.customer_ids(), two.customer_ids());
        prop_assert_eq!(events(&one), events(&two));
        prop_assert_eq!(one.read().now, two.read().now);
    }
}

#[test]
fn what_was_under_way_ends_and_what_was_there_stays_as_it_was() {
    let world = World::new(&Settings { customers: 500, ..settings(1) });
    let before = events(&world);
    let waiting: Vec<Due> = world.read().under_way.iter().copied().collect();
    assert!(waiting.len() > 5, "{}", waiting.len());
    let orders = assert_sensible(&world);
    world.live(60 * DAY);
    assert_eq!(assert_sensible(&world), orders);
    let after = events(&world);
    assert!(before.iter().all(|(id, event)| after.get(id) == Some(event)));
    let to_come: usize = waiting
        .iter()
        .map(|due| {
            let plan = world.source.plan(u64::from(due.slot), due.ordinal.order);
            plan.steps().len() - due.ordinal.step as usize
        })
        .sum();
    assert_eq!(after.len(), before.len() + to_come);
    assert!(world.read().under_way.is_empty());
}

#[test]
fn an_event_falls_due_at_its_time() {
    let world = World::new(&Settings { customers: 500, ..settings(4) });
    let due = *world.read().under_way.first().unwrap();
    let count = world.event_count();
    let wait = Duration::from_millis((due.at - CLOCK_START).unsigned_abs());
    world.live(wait - Duration::from_millis(1));
    assert_eq!(world.event_count(), count);
    world.live(Duration::from_millis(1));
    assert!(world.event_count() > count);
    assert!(events(&world).values().any(|event| event.contains(&format!("\"timestamp\":{}", due.at / 1000))));
}

#[test]
fn churn_changes_old_events_only_by_its_edits() {
    let world = World::new(&Settings { customers: 15, ..settings(2) });
    let mut known = events(&world);
    for hour in 1..200 {
        world.advance_to(CLOCK_START + hour * 3_600_000);
        let passed = events(&world);
        assert!(known.iter().all(|(id, event)| passed.get(id) == Some(event)), "time passes, nothing moves");
        let (customers, change) = (world.customer_count(), world.churn());
        let now = events(&world);
        let gone = passed.keys().filter(|id| !now.contains_key(*id)).count();
        let new = now.keys().filter(|id| !passed.contains_key(*id)).count();
        let revised = now.iter().filter(|(id, event)| passed.get(*id).is_some_and(|old| old != *event));
        let revised: Vec<_> = revised.map(|(_, event)| event.contains("(revised ")).collect();
        match change {
            Some(Change::EventRevised) => assert_eq!((gone, new, &revised[..]), (0, 0, &[true][..])),
            Some(Change::EventDeleted) => assert_eq!((gone, new, revised.len()), (1, 0, 0)),
            Some(Change::CustomerDeleted) => assert_eq!((new, revised.len()), (0, 0)),
            Some(Change::OrderCreated) => assert_eq!((gone, new, revised.len()), (0, 1, 0)),
            Some(Change::CustomerCreated) => {
                assert_eq!((gone, new, revised.len()), (0, 1, 0));
                assert_eq!(world.customer_count(), customers + 1);
            }
            Some(Change::CustomerUpdated) | None => assert_eq!((gone, new, revised.len()), (0, 0, 0)),
        }
        known = now;
    }
}

#[test]
fn a_new_event_moves_its_customer_only_where_that_is_asked_for() {
    for touch in [false, true] {
        let world = World::new(&Settings { customers: 500, events_touch_customer: touch, ..settings(1) });
        let waiting = world.read().under_way.iter().map(|due| due.slot).next().unwrap();
        let by_time = world.read().rows[waiting as usize].as_ref().unwrap().id.to_string();
        let by_hand = world.create_customer(CustomerFields::default());
        let before = [&by_time, &by_hand].map(|id| world.customer_json(id));
        world.live(60 * DAY);
        world.add_event(&by_hand).unwrap();
        let after = [&by_time, &by_hand].map(|id| world.customer_json(id));
        for (before, after) in before.into_iter().zip(after) {
            assert_eq!(before != after, touch);
        }
        if touch {
            for id in world.customer_ids() {
                let customer = Record::customer(&world.customer_json(&id).unwrap());
                let updated = second(customer.updated_at().unwrap());
                let events = world.events_json(&id);
                let times = events.iter().map(|event| at(&serde_json::from_str(event).unwrap()));
                assert!(times.max().is_none_or(|newest| newest <= updated));
            }
        }
    }
}

#[test]
fn an_event_ahead_of_its_time_moves_the_ones_after_it() {
    let world = World::new(&settings(1));
    let id = world.create_customer(CustomerFields::default());
    assert!(world.set_event_count(&id, 30));
    assert_eq!(world.event_ids(&id).len(), 30);
    let orders = assert_sensible_order_count(&world, &id);
    assert!(orders > 1);
    world.live(60 * DAY);
    assert_eq!(assert_sensible_order_count(&world, &id), orders);
}

fn assert_sensible_order_count(world: &World, id: &str) -> usize {
    let json = world.events_json(id);
    let events: Vec<Value> = json.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    assert!(events.is_sorted_by_key(at));
    grouped(events, |event| event["properties"]["shopify_order"]["id"].as_str()).len()
}

#[test]
fn several_parcels_of_an_order_can_be_told_apart() {
    let world = World::new(&Settings { customers: 1000, ..Settings::default() });
    let all: Vec<Value> = events(&world).values().map(|event| serde_json::from_str(event).unwrap()).collect();
    let orders = grouped(all, |event| event["properties"]["shopify_order"]["id"].as_str());
    let numbers: std::collections::HashSet<String> = orders
        .values()
        .map(|order| order.0[0]["properties"]["shopify_order"]["order_number"].to_string())
        .collect();
    assert_eq!(numbers.len(), orders.len(), "no number stands for two orders");
    let parcels = |order: &Life| order.times("ShipmentCreated").len();
    assert!(orders.values().any(|order| parcels(order) == 2));
    assert!(orders.values().any(|order| order.times("ReturnShipmentCreated").len() == 1));
}
