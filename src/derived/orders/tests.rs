//! Events and the orders that they add up to.

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
    let ids: Vec<_> = found[0].shipments.iter().map(|s| (s.shipment_id.as_deref(), s.is_return)).collect();
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
