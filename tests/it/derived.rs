//! What is derived from events: orders, parcels, and a view for each type.

use crate::support::{
    Account, Cell, Place, Row, World, assert_days_are_true, assert_derived_is_true, assert_totals_are_true,
    customer, sandbox,
};
use malomo_mirror::sandbox::{CustomerField, CustomerFields, Settings};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Some of everything that can happen to an account.
fn change(world: &malomo_mirror::sandbox::World, luck: &mut fastrand::Rng) {
    let ids = world.customer_ids();
    for n in 0..8 {
        let id = &ids[luck.usize(..ids.len())];
        let name = CustomerFields::default().set(CustomerField::FirstName, "Another");
        match n {
            0 => drop(world.delete_customer(id)),
            1 => drop(world.update_customer(id, name)),
            2 => drop(world.add_event(&world.create_customer(name))),
            _ => drop(world.add_event(id)),
        }
        if let Some(event) = world.event_ids(id).first() {
            let _ = if n % 2 == 0 { world.revise_event(id, event) } else { world.delete_event(id, event) };
        }
    }
}

/// What is derived, as far as it doesn't tell how often it was.
fn derived(place: &Place) -> [Vec<Row>; 4] {
    [
        "SELECT * FROM orders ORDER BY customer_id, order_id, order_number",
        "SELECT * FROM shipments ORDER BY customer_id, order_id, shipment_id, tracking_code",
        "SELECT type, row_count FROM event_types WHERE row_count > 0 ORDER BY type",
        "SELECT type, path, row_count FROM event_properties WHERE row_count > 0 ORDER BY type, path",
    ]
    .map(|sql| place.query(sql))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_derived_step_by_step_is_what_is_derived_at_once() {
    let settings = Settings { customers: 40, page_size: 10, awkward: true, seed: 11, ..Settings::default() };
    let sandbox = sandbox(settings).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url());
    let mut luck = fastrand::Rng::with_seed(11);
    for _ in 0..12 {
        program.ends(0, &["sync", "--full"]).await;
        change(&sandbox.world(), &mut luck);
    }
    program.ends(0, &["sync", "--full"]).await;
    let by_steps = derived(&place);
    assert!(by_steps.iter().all(|rows| rows.len() > 5), "{:?}", by_steps.each_ref().map(Vec::len));
    // As in a mirror of a version that derived nothing.
    let forget = "DELETE FROM order_facts; DELETE FROM shipment_facts; UPDATE event_types SET row_count = 0; \
                  UPDATE event_properties SET row_count = 0; UPDATE meta SET value = '0' WHERE key = 'derived_through'";
    Connection::open(place.mirror()).unwrap().execute_batch(forget).unwrap();
    program.ends(0, &["sync"]).await;
    let at_once = derived(&place);
    for (by_steps, at_once) in by_steps.iter().zip(&at_once) {
        assert!(by_steps == at_once, "{by_steps:#?}\n{at_once:#?}");
    }
    assert_totals_are_true(&place);
    assert_days_are_true(&place);
    assert_derived_is_true(&place);
    let sums = "SELECT count(*) FROM customer_summary AS s WHERE \
                (event_count, order_count, open_order_count, coalesce(first_event_at, ''), coalesce(last_event_at, '')) \
                IS NOT (SELECT count(*), (SELECT count(*) FROM orders WHERE customer_id = s.id), \
                (SELECT count(*) FROM orders WHERE customer_id = s.id AND is_open), \
                coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', min(at), 'unixepoch'), ''), \
                coalesce(strftime('%Y-%m-%dT%H:%M:%fZ', max(at), 'unixepoch'), '') \
                FROM (SELECT coalesce(timestamp, CAST(strftime('%s', created_at) AS INTEGER)) AS at FROM events \
                WHERE customer_id = s.id))";
    assert_eq!(place.number(sums), 0);
    // Each row of an order and a parcel belongs to somebody, and is there once.
    let strays = "SELECT (SELECT count(*) FROM orders WHERE customer_id IS NULL) + (SELECT count(*) FROM shipment_facts \
                  WHERE order_row NOT IN (SELECT id FROM order_facts)) + (SELECT count(*) FROM (SELECT 1 FROM orders \
                  GROUP BY customer_id, order_id, order_number HAVING count(*) > 1))";
    assert_eq!(place.number(strays), 0);
}

/// A time as the views have it.
fn utc(seconds: i64) -> Cell {
    let at = jiff::Timestamp::from_second(seconds).unwrap();
    Cell::Text(at.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_and_parcels_are_what_the_events_tell() {
    let sandbox = sandbox(Settings { customers: 150, page_size: 50, seed: 4, ..Settings::default() }).await;
    let place = Place::new();
    place.program(&sandbox.base_url()).ends(0, &["sync", "--full"]).await;
    // By a reading of their own of the documented example's shape.
    let mut orders: BTreeMap<String, BTreeMap<&str, i64>> = BTreeMap::new();
    let mut parcels: BTreeMap<String, (String, BTreeMap<&str, i64>)> = BTreeMap::new();
    let events =
        "SELECT customer_id, type, timestamp, properties FROM events ORDER BY timestamp, inserted_seq";
    for event in place.query(events) {
        let properties: Value = serde_json::from_str(event["properties"].text()).unwrap();
        let (kind, at) = (event["type"].text(), event["timestamp"].integer());
        let order = properties["shopify_order"]["id"].as_str().unwrap().to_owned();
        let step = match kind {
            "ShopifyOrderCreated" => "created_at",
            "ShopifyOrderFulfilled" => "fulfilled_at",
            "ShipmentCreated" => "shipped_at",
            "Delivered" => "delivered_at",
            "ReturnShipmentCreated" | "ShipmentReturnToSender" => "returned_at",
            _ => "",
        };
        let known = orders.entry(order.clone()).or_default();
        *known.entry("event_count").or_default() += 1;
        *known.entry("issue_count").or_default() += i64::from(kind == "OrderIssueCreated");
        known.entry(step).or_insert(at);
        if let Some(parcel) = properties["shipment"]["id"].as_str() {
            let (_, known) = parcels.entry(parcel.to_owned()).or_insert_with(|| (order, BTreeMap::new()));
            known.entry(step).or_insert(at);
            *known.entry("event_count").or_default() += 1;
        }
    }
    let found = place.query("SELECT * FROM orders");
    assert_eq!(found.len(), orders.len());
    for row in found {
        let known = &orders[row["order_id"].text()];
        for step in ["created_at", "fulfilled_at", "shipped_at", "delivered_at", "returned_at"] {
            assert_eq!(row[step], known.get(step).map_or(Cell::Null, |at| utc(*at)), "{step} of {row:?}");
        }
        for count in ["event_count", "issue_count"] {
            assert_eq!(row[count].integer(), known[count], "{count} of {row:?}");
        }
    }
    let found = place.query("SELECT * FROM shipments");
    assert_eq!(found.len(), parcels.len());
    for row in found {
        let (order, known) = &parcels[row["shipment_id"].text()];
        assert_eq!(row["order_id"].text(), order);
        for step in ["shipped_at", "delivered_at"] {
            let expected = if row["is_return"].integer() == 0 { known.get(step).copied() } else { None };
            if row["is_return"].integer() == 0 {
                assert_eq!(row[step], expected.map_or(Cell::Null, utc), "{step} of {row:?}");
            }
        }
        assert_eq!(row["event_count"].integer(), known["event_count"]);
    }
    // Several parcels of one order are several rows.
    let several = "SELECT count(*) FROM orders WHERE shipment_count > 1";
    assert!(place.number(several) > 0);
    let differing = "SELECT count(*) FROM orders AS o WHERE shipment_count <> (SELECT count(*) FROM shipments AS s \
                     WHERE s.order_id = o.order_id)";
    assert_eq!(place.number(differing), 0);
}

/// The value at a path as `event_properties` has it.
fn at_path<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let mut value = value;
    let mut rest = path.strip_prefix('$').unwrap();
    while let Some(step) = rest.strip_prefix('.') {
        let name;
        (name, rest) = match step.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap(),
            None => step.split_at(step.find('.').unwrap_or(step.len())),
        };
        value = value.as_object()?.get(name)?;
    }
    Some(value)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_types_view_has_what_the_properties_have() {
    let settings = Settings { customers: 60, page_size: 50, awkward: true, seed: 3, ..Settings::default() };
    let sandbox = sandbox(settings).await;
    let place = Place::new();
    place.program(&sandbox.base_url()).ends(0, &["sync", "--full"]).await;
    let mut compared = BTreeSet::new();
    for of_type in place.query("SELECT type, view_name, row_count FROM event_types") {
        let (kind, view) = (of_type["type"].text(), of_type["view_name"].text());
        let events =
            format!("SELECT id, timestamp, properties FROM events WHERE type = '{kind}' ORDER BY id");
        let (events, rows) =
            (place.query(&events), place.query(&format!("SELECT * FROM {view} ORDER BY id")));
        assert_eq!((events.len(), rows.len() as i64), (rows.len(), of_type["row_count"].integer()), "{view}");
        let columns = place.query(&format!(
            "SELECT path, column_name, column_type, row_count FROM event_properties WHERE type = '{kind}' \
             AND column_name IS NOT NULL"
        ));
        for (event, row) in events.iter().zip(&rows) {
            assert_eq!(event["id"], row["id"]);
            let at = if let Cell::Integer(at) = event["timestamp"] { utc(at) } else { Cell::Null };
            assert_eq!(row["occurred_at"], at);
            let properties = match &event["properties"] {
                Cell::Text(text) => text.replace("1e400", "\"1e400\""),
                _ => "null".to_owned(),
            };
            let properties: Value = serde_json::from_str(&properties).unwrap();
            for column in &columns {
                let (path, column_type) = (column["path"].text(), column["column_type"].text());
                let found = &row[column["column_name"].text()];
                let Some(value) = at_path(&properties, path).filter(|value| !value.is_null()) else {
                    assert_eq!(*found, Cell::Null, "{path}");
                    continue;
                };
                compared.insert(column_type.to_owned());
                let expected = match (column_type, value) {
                    ("boolean", Value::Bool(value)) => Cell::Integer(i64::from(*value)),
                    ("integer", Value::Number(number)) => Cell::Integer(number.as_i64().unwrap_or(0)),
                    ("real", Value::String(text)) => Cell::Text(text.parse::<f64>().unwrap().to_string()),
                    ("real", Value::Number(number)) => Cell::Text(number.as_f64().unwrap().to_string()),
                    ("text", Value::String(text)) => Cell::Text(text.clone()),
                    ("text", other) => Cell::Text(other.to_string()),
                    ("json", Value::Object(_)) if path == "$" => Cell::Text(value.to_string()),
                    // How it was written, spaces and all.
                    ("json", Value::Array(_) | Value::Object(_)) => {
                        let held: Value = serde_json::from_str(found.text()).unwrap();
                        assert_eq!(held, *value, "{path}");
                        continue;
                    }
                    other => panic!("{path}: {other:?}"),
                };
                if path == "$" {
                    // An object with members has them in columns of their own.
                    continue;
                }
                assert_eq!(*found, expected, "{path} of {}", event["id"].text());
            }
        }
    }
    assert_eq!(compared.into_iter().collect::<Vec<_>>(), ["boolean", "integer", "json", "real", "text"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_property_that_becomes_a_text_keeps_its_column_and_is_told() {
    let World { account, server: _server, place, program } = World::of(Account::of(1, 0, 5)).await;
    let put = |id: &str, kind: &str, properties: Value| {
        let event = json!({"id": id, "type": kind, "timestamp": 1_714_564_800, "properties": properties,
                           "created_at": "2024-05-01T12:00:00+02:00", "updated_at": "2024-05-01T12:00:00Z"});
        account.lock().events.entry("c-01".to_owned()).or_default().push(event.to_string());
    };
    put("e-1", "Gift Card.Used", json!({"amount": 5, "order": {"id": 77}, "label": "in the properties"}));
    program.ends(0, &["sync", "--full"]).await;
    let view = "SELECT * FROM event_gift_card_used ORDER BY id";
    let row = &place.query(view)[0];
    assert_eq!((&row["amount"], &row["order_id"]), (&Cell::Integer(5), &Cell::Text("77".to_owned())));
    assert_eq!(row["label_2"].text(), "in the properties");
    let times = (row["created_at_utc"].text(), row["created_at"].text());
    assert_eq!(times, ("2024-05-01T10:00:00.000Z", "2024-05-01T12:00:00+02:00"));
    put("e-2", "Gift Card.Used", json!({"amount": "five", "more": [1]}));
    put("e-3", "gift_card_used", json!({}));
    let ran = program.ends(0, &["sync", "--full"]).await;
    let told = "the column amount of event_gift_card_used holds texts from now on";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    let amounts: Vec<Row> = place.query("SELECT amount, more FROM event_gift_card_used ORDER BY id");
    assert_eq!((amounts[0]["amount"].text(), amounts[1]["amount"].text()), ("5", "five"));
    assert_eq!(amounts[1]["more"].text(), "[1]");
    // Nobody reads a view of more columns than this.
    let wide: serde_json::Map<String, Value> = (0..700).map(|n| (format!("member_{n}"), json!(n))).collect();
    put("e-4", "Gift Card.Used", Value::Object(wide));
    let ran = program.ends(0, &["sync", "--full"]).await;
    let told = "event_gift_card_used: there are more properties than the 600 columns";
    assert!(ran.stdout.contains(told), "{}", ran.stdout);
    let count = "SELECT count(column_name) FROM event_properties WHERE type = 'Gift Card.Used'";
    assert_eq!((place.number(count), place.query(view).len()), (600, 3));
    // Another type whose name is the same in snake_case has a view of its own.
    assert_eq!(place.number("SELECT count(*) FROM event_gift_card_used_2"), 1);
    // What goes leaves its column.
    account.lock().events.clear();
    for _ in 0..2 {
        program.ends(0, &["sync", "--full"]).await;
    }
    assert_eq!(place.query(view).len(), 0);
    assert_eq!(place.number("SELECT sum(row_count) FROM event_types"), 0);
    let columns =
        "SELECT count(*) FROM pragma_table_info('event_gift_card_used') WHERE name IN ('amount', 'more')";
    assert_eq!(place.number(columns), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_that_somebody_has_made_keeps_its_name() {
    let World { account, server: _server, place, program } = World::of(Account::of(2, 1, 5)).await;
    account.lock().events.clear();
    program.ends(0, &["sync", "--full"]).await;
    let own = "CREATE VIEW event_shopify_order_fulfilled AS SELECT 'mine' AS whose";
    Connection::open(place.mirror()).unwrap().execute_batch(own).unwrap();
    account.lock().add_event("c-01", "e-1");
    account.lock().put("c-02", customer("c-02", "Second", "2024-06-01T00:00:00Z"));
    program.ends(0, &["sync", "--full"]).await;
    assert_eq!(place.text("SELECT whose FROM event_shopify_order_fulfilled"), "mine");
    assert_eq!(place.number("SELECT count(*) FROM event_shopify_order_fulfilled_2"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_makes_up_its_types_is_told() {
    let World { account, server: _server, place, program } = World::of(Account::of(1, 0, 5)).await;
    let events = (0..1_003).map(|n| format!(r#"{{"id":"e-{n:04}","type":"T {n}","timestamp":{n}}}"#));
    account.lock().events.insert("c-01".to_owned(), events.collect());
    let ran = program.ends(0, &["sync", "--full"]).await.stdout;
    for told in
        ["800 new types of events have no view", "3 changes are of events of further types than the 1000"]
    {
        assert!(ran.contains(told), "{ran}");
        let status = program.ends(0, &["status", "--json"]).await.stdout;
        assert!(status.contains(told), "{status}");
    }
    let counts = "SELECT count(*) || ' ' || count(view_name) FROM event_types";
    assert_eq!(place.text(counts), "1000 200");
    assert_eq!(place.number("SELECT event_count FROM customer_summary"), 1_003);
}
