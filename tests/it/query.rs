//! `query`: what is asked of the mirror, by SQL and by name.

use crate::support::{Account, Place, Row, World, customer, sandbox};
use malomo_mirror::sandbox::{CustomerField, CustomerFields, Settings};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The rows that a query prints as NDJSON.
fn rows(printed: &str) -> Vec<Value> {
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'r>(row: &'r Row, column: &str) -> &'r str {
    row[column].text()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ten_questions_are_answered_as_the_records_have_it() {
    let sandbox = sandbox(Settings { customers: 200, page_size: 100, seed: 9, ..Settings::default() }).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url());
    program.ends(0, &["sync", "--full"]).await;
    let world = sandbox.world();
    let ids = world.customer_ids();
    let email = |email: &str| CustomerFields::default().set(CustomerField::Email, email);
    assert!(world.update_customer(&ids[3], email("first@example.com")));
    assert!(world.update_customer(&ids[4], email("other@example.com")));
    for id in &ids[10..15] {
        assert!(world.delete_customer(id));
    }
    program.ends(0, &["sync", "--full"]).await;
    assert!(world.update_customer(&ids[3], email("second@example.com")));
    program.ends(0, &["sync", "--full"]).await;
    let ask = async |arguments: &[&str]| {
        let arguments: Vec<&str> =
            ["query"].iter().chain(arguments).chain(&["--as", "ndjson"]).copied().collect();
        rows(&program.ends(0, &arguments).await.stdout)
    };

    // Orders, by a reading of their own.
    let mut orders: BTreeMap<String, (String, String, f64, bool)> = BTreeMap::new();
    let mut hours: BTreeMap<(String, String), Vec<f64>> = BTreeMap::new();
    let mut fulfilled: BTreeMap<String, i64> = BTreeMap::new();
    let mut arrived = BTreeSet::new();
    let month = |at: i64| jiff::Timestamp::from_second(at).unwrap().to_string()[..7].to_owned();
    for event in place.query("SELECT * FROM events ORDER BY timestamp, inserted_seq") {
        let properties: Value = serde_json::from_str(text(&event, "properties")).unwrap();
        let order = properties["shopify_order"]["id"].as_str().unwrap();
        let (kind, at) = (text(&event, "type"), event["timestamp"].integer());
        let price = properties["shopify_order"]["total_price"].as_str().unwrap().parse().unwrap();
        let new = || (text(&event, "customer_id").to_owned(), month(at), price, false);
        let known = orders.entry(order.to_owned()).or_insert_with(new);
        known.3 |= kind == "Delivered";
        if kind == "ShopifyOrderFulfilled" {
            fulfilled.entry(order.to_owned()).or_insert(at);
        }
        let parcel = &properties["shipment"];
        if kind == "Delivered" && arrived.insert(parcel["id"].to_string()) {
            let took = (at - fulfilled[order]) as f64 / 3600.0;
            hours.entry((month(at), parcel["carrier"].as_str().unwrap().to_owned())).or_default().push(took);
        }
    }
    let mut by_customer: BTreeMap<&str, u64> = BTreeMap::new();
    let mut by_month: BTreeMap<&str, (u64, u64, f64)> = BTreeMap::new();
    for (customer, month, price, is_delivered) in orders.values() {
        *by_customer.entry(customer).or_default() += 1;
        let of_month = by_month.entry(month).or_default();
        *of_month = (of_month.0 + 1, of_month.1 + u64::from(*is_delivered), of_month.2 + price);
    }

    let repeat = by_customer.values().filter(|orders| **orders > 1).count();
    let told = &ask(&["repeat-purchases"]).await[0];
    assert_eq!((&told["customers"], &told["repeat_customers"]), (&by_customer.len().into(), &repeat.into()));
    let percent = told["repeat_percent"].as_f64().unwrap();
    assert!((percent - 100.0 * repeat as f64 / by_customer.len() as f64).abs() < 0.06, "{percent}");

    let told = ask(&["orders-by-month"]).await;
    assert_eq!(told.len(), by_month.len());
    for row in &told {
        let (orders, delivered, _) = by_month[row["month"].as_str().unwrap()];
        assert_eq!((&row["orders"], &row["delivered"]), (&orders.into(), &delivered.into()), "{row}");
    }
    for row in ask(&["order-value"]).await {
        let (orders, _, total) = by_month[row["month"].as_str().unwrap()];
        assert_eq!((&row["orders"], &row["currency"]), (&orders.into(), &"USD".into()));
        assert!((row["total"].as_f64().unwrap() - total).abs() < 0.01, "{row}");
    }
    let since = by_month.keys().nth(by_month.len() / 2).unwrap();
    let later: u64 =
        by_month.iter().filter(|(month, _)| *month >= since).map(|(_, of_month)| of_month.0).sum();
    let told = ask(&["orders-by-month", "--since", since]).await;
    assert_eq!(told.iter().map(|row| row["orders"].as_u64().unwrap()).sum::<u64>(), later);

    let told = ask(&["delivery-times"]).await;
    assert_eq!(told.len(), hours.len());
    for row in told {
        let key = (row["month"].as_str().unwrap().to_owned(), row["carrier"].as_str().unwrap().to_owned());
        let took = &hours[&key];
        let mean = took.iter().sum::<f64>() / took.len() as f64;
        assert_eq!(row["parcels"].as_u64(), Some(took.len() as u64));
        assert!((row["mean_hours"].as_f64().unwrap() - mean).abs() < 0.06, "{row}: {mean}");
    }

    // Of the last 90 days there is nothing in a world that begins years ago, so another number of days is asked for as well.
    let now = jiff::Timestamp::now().as_second();
    for days in ["90", "900"] {
        let limit = now - days.parse::<i64>().unwrap() * 86_400;
        let quiet = format!(
            "SELECT count(*) FROM customers WHERE coalesce((SELECT max(timestamp) FROM events WHERE customer_id = customers.id), 0) < {limit}"
        );
        let told = ask(&["quiet-customers", "--days", days]).await;
        assert_eq!(told.len() as i64, place.number(&quiet), "{days}");
    }

    let told = ask(&["email-changes"]).await;
    let changes: Vec<(&Value, &Value)> = told.iter().map(|row| (&row["id"], &row["new_email"])).collect();
    let expected =
        [(&ids[3], "second@example.com"), (&ids[4], "other@example.com"), (&ids[3], "first@example.com")]
            .map(|(id, email)| (json!(id), json!(email)));
    let mut found: Vec<(Value, Value)> =
        changes.into_iter().map(|(id, email)| (id.clone(), email.clone())).collect();
    assert_eq!(found[0], expected[0]);
    found.sort_by_key(|(_, email)| email.to_string());
    let mut all = expected.to_vec();
    all.sort_by_key(|(_, email)| email.to_string());
    assert_eq!(found, all);
    assert_eq!(told[0]["old_email"], "first@example.com");

    let told = ask(&["deleted-customers"]).await;
    let deleted: BTreeSet<&str> = told.iter().map(|row| row["id"].as_str().unwrap()).collect();
    assert_eq!(deleted, ids[10..15].iter().map(String::as_str).collect());
    assert!(told.iter().all(|row| row["first_name"].is_string() && row["evidence"].is_string()));

    // As of the end of the second run, and before the first one.
    let end = place.text("SELECT max(valid_from) FROM customers_history WHERE email = 'first@example.com'");
    let told = ask(&["customer-at", "--id", &ids[3], "--at", &end]).await;
    assert_eq!((told.len(), &told[0]["email"]), (1, &json!("first@example.com")));
    assert_eq!(ask(&["customer-at", "--id", &ids[3]]).await, Vec::<Value>::new());

    let today = place.text("SELECT date('now')");
    let told = ask(&["changes-of-a-day", "--at", &today]).await;
    let changes: i64 = told.iter().map(|row| row["changes"].as_i64().unwrap()).sum();
    assert_eq!(changes, place.number("SELECT count(*) FROM changes WHERE observed_at >= date('now')"));
    assert_eq!(ask(&["changes-of-a-day"]).await, Vec::<Value>::new());

    assert_eq!(ask(&["behind"]).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_behind_is_named() {
    let broken = "/customers/c-02/events";
    let world = World::but(Account::of(3, 1, 5), move |asked| {
        (asked.path == broken).then(|| crate::support::Reply::error(400, "bad_request", "no"))
    })
    .await;
    world.program.ends(5, &["sync", "--full"]).await;
    let told = rows(&world.program.ends(0, &["query", "behind", "--as", "ndjson"]).await.stdout);
    assert_eq!((told.len(), &told[0]["id"]), (1, &json!("c-02")));
    assert!(told[0]["error"].as_str().unwrap().contains("400"), "{}", told[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_only_reads_and_prints_in_four_forms() {
    let World { account, server: _server, place, program } = World::of(Account::of(2, 1, 5)).await;
    account.lock().put("c-02", customer("c-02", "", "2024-06-01T00:00:00Z"));
    program.ends(1, &["query", "orders"]).await.tells(&["there is no mirror"]);
    program.ends(0, &["sync", "--full"]).await;
    let before = place.contents();
    let names = "SELECT id, first_name, extra FROM customers ORDER BY id";
    let csv = program.ends(0, &["query", names, "--as", "csv"]).await.stdout;
    assert_eq!(csv, "id,first_name,extra\r\nc-01,First,\r\nc-02,\"\",\r\n");
    let ndjson = program.ends(0, &["query", names, "--as", "ndjson"]).await.stdout;
    assert_eq!(ndjson.lines().nth(1), Some(r#"{"id":"c-02","first_name":"","extra":null}"#));
    let table = program.ends(0, &["query", "customers"]).await.stdout;
    assert!(table.contains("c-01@example.com") && table.ends_with("(2 rows)\n"), "{table}");
    let markdown = program.ends(0, &["query", names, "--as", "markdown"]).await.stdout;
    assert_eq!(markdown.lines().next(), Some("| id   | first_name | extra |"));
    let of =
        ["query", "SELECT id FROM events WHERE customer_id = :whose", "--param", "whose=c-02", "--as", "csv"];
    assert_eq!(program.ends(0, &of).await.stdout, "id\r\nc-02-e-1\r\n");
    for (sql, told) in [
        ("DELETE FROM customers", "would do more than read"),
        ("ATTACH 'x.db' AS x", "would do more than read"),
        ("SELECT 1; DROP VIEW orders", "would do more than read"),
        ("SELECT 1; SELECT 2", "there has to be one statement"),
        ("SELECT * FROM nobody", "no such table: nobody"),
        ("repeat-purchase", "did you mean repeat-purchases?"),
    ] {
        program.ends(2, &["query", sql]).await.tells(&[told]);
    }
    program
        .ends(2, &["query", "orders-by-month", "--days", "3"])
        .await
        .tells(&["has no parameter :days; it has :since"]);
    assert_eq!(place.contents(), before);
    assert!(!place.path().join("x.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_named_query_is_listed_with_its_sql_and_runs_on_an_empty_mirror() {
    let world = World::of(Account::of(0, 0, 5)).await;
    world.program.ends(0, &["sync", "--full"]).await;
    let list = world.program.ends(0, &["query", "--list"]).await.stdout;
    world
        .program
        .ends(2, &["query", "repeat-purchase", "--list"])
        .await
        .tells(&["did you mean repeat-purchases?"]);
    let named: Vec<&str> = list.lines().filter(|line| !line.starts_with(' ')).collect();
    let named: Vec<&str> = named.iter().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
    assert_eq!(named.len(), 10, "{list}");
    for name in named {
        world.program.ends(0, &["query", name]).await;
        let shown = world.program.ends(0, &["query", name, "--list"]).await.stdout;
        assert!(shown.starts_with(&format!("{name}: ")) && shown.contains("SELECT"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_is_a_file_when_it_is_whole_and_a_query_ends_in_time() {
    let World { server: _server, place, program, .. } = World::of(Account::of(2, 1, 5)).await;
    program.ends(0, &["sync", "--full"]).await;
    let file = place.path().join("out.csv");
    std::fs::write(&file, "the one before").unwrap();
    program.ends(0, &["query", "SELECT 7 AS n", "--as", "csv", "--output", "out.csv"]).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "n\r\n7\r\n");
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let late = ["query", endless, "--timeout", "50ms", "--output", "out.csv"];
    program.ends(1, &late).await.tells(&["took longer than", "--timeout"]);
    // Ctrl-C, once it runs: rows are on their way.
    // Each is long enough to be printed at once.
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                SELECT i, hex(zeroblob(10000)) FROM n WHERE i % 100000 = 0";
    let mut running = program.start(&["query", rows, "--as", "ndjson"]);
    running.prints("{\"i\":").await;
    running.signal("INT");
    let ran = running.end().await;
    assert_eq!(ran.code(), Some(1), "{}", ran.stderr);
    assert!(ran.stderr.contains("the query was stopped"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "n\r\n7\r\n");
    let left: Vec<_> =
        std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with(".malomo-mirror-")), "{left:?}");
}
