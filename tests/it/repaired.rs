//! Records that hold what a column can't: taken with a repair, told, and kept as the API gave them. And times in forms that
//! the documentation doesn't show.

use crate::support::{Account, World, customer, members, object};

const HALF: &str = "\\ud83d";

/// A customer with that JSON in place of a field's value.
fn with(id: &str, field: &str, json: &str) -> String {
    let record = customer(id, "First", "2024-05-01T12:00:00Z");
    let mut members = members(&record);
    for (name, value) in &mut members {
        if name == field {
            json.clone_into(value);
        }
    }
    object(&members)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_an_emoji_costs_no_more_than_itself() {
    let World { account, server: _server, place, program } = World::of(Account::of(8, 1, 3)).await;
    program.ends(0, &["sync"]).await;
    {
        let mut account = account.lock();
        for (n, field) in
            ["email", "first_name", "last_name", "phone_number", "created_at"].iter().enumerate()
        {
            let id = format!("c-{:02}", n + 1);
            account.put(&id, with(&id, field, &format!("\"new {HALF}\"")));
        }
        // All of it that is good is taken: the e-mail is new.
        let last = with("c-06", "last_name", r#""\ude00\ud83d\n\ud83d\ude00""#);
        account.put("c-06", last.replace("c-06@example.com", "new@example.com"));
        account.put(
            "c-07",
            format!("{},\"{HALF}\":\"{HALF}\"}}", with("c-07", "email", "null").trim_end_matches('}')),
        );
        let event = format!(
            "{{\"id\":\"c-06-e-2\",\"type\":\"T{HALF}\",\"label\":\"{HALF}x\",\"link_back_url\":\"https://a/{HALF}\",\
             \"timestamp\":1.7e9,\"properties\":{{\"a\":\"{HALF}\"}},\"note\":\"{HALF}\"}}"
        );
        account.events.get_mut("c-06").unwrap().push(event);
        account.add_event("c-06", "c-06-e-3");
    }
    let report = program.ends(0, &["sync", "--json"]).await.json();
    assert_eq!((&report["outcome"], &report["counts"]["rejected"]), (&"ok".into(), &0.into()), "{report}");
    assert_eq!(report["counts"]["repaired"], 7, "{report}");
    let remarks = report["remarks"].as_array().unwrap();
    assert_eq!(remarks.len(), 1, "{report}");
    assert!(remarks[0].as_str().unwrap().starts_with("7 records were taken with a repair"), "{report}");
    for (id, field) in [
        ("c-01", "email"),
        ("c-02", "first_name"),
        ("c-03", "last_name"),
        ("c-04", "phone_number"),
        ("c-05", "created_at"),
    ] {
        let sql = format!("SELECT {field} FROM customers WHERE id = '{id}'");
        assert_eq!(place.text(&sql), "new \u{fffd}", "{id}");
    }
    let sql = "SELECT email || ' ' || last_name FROM customers WHERE id = 'c-06'";
    assert_eq!(place.text(sql), "new@example.com \u{fffd}\u{fffd}\n\u{1f600}");
    // What is no column's stays as it was written.
    let extra = place.text("SELECT extra FROM customers WHERE id = 'c-07'");
    assert_eq!(extra, format!("{{\"{HALF}\":\"{HALF}\"}}"));
    let sql = "SELECT type || ' ' || label || ' ' || link_back_url || ' ' || timestamp || ' ' || properties || ' ' || extra \
               FROM events WHERE id = 'c-06-e-2'";
    let json = format!("{{\"a\":\"{HALF}\"}} {{\"note\":\"{HALF}\"}}");
    assert_eq!(place.text(sql), format!("T\u{fffd} \u{fffd}x https://a/\u{fffd} 1700000000 {json}"));
    assert_eq!(place.number("SELECT count(*) FROM events WHERE customer_id = 'c-06'"), 3);
    // As the API gave it, with the reason.
    let sql = "SELECT reason || ' ' || raw FROM rejected WHERE record_id = 'c-01' AND outcome = 'taken'";
    let kept = place.text(sql);
    assert!(kept.starts_with("`email` holds half of a surrogate pair") && kept.contains(HALF), "{kept}");
    let status = program.ends(0, &["status"]).await.stdout;
    assert!(status.contains("7 records taken with a repair") && !status.contains("set aside"), "{status}");
    // Told once, changed once, and gone when it is whole again.
    let report = program.ends(0, &["sync", "--full", "--json"]).await.json();
    assert!(report["remarks"].as_array().unwrap().is_empty(), "{report}");
    assert_eq!(
        (&report["counts"]["repaired"], &report["counts"]["customers_updated"]),
        (&7.into(), &0.into())
    );
    program.ends(0, &["sync", "--customer", "c-06"]).await;
    program.ends(0, &["export", "verify"]).await;
    for n in 1..=6 {
        let id = format!("c-{n:02}");
        account.lock().put(&id, customer(&id, "Whole", "2024-06-01T00:00:00Z"));
    }
    program.ends(0, &["sync"]).await;
    assert_eq!(place.number("SELECT count(*) FROM rejected WHERE stream = 'customers'"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn timestamps_are_integers_however_they_are_written() {
    let World { account, server: _server, place, program } = World::of(Account::of(1, 0, 100)).await;
    let cases = [
        ("1e3", Some(1_000)),
        ("1.7e9", Some(1_700_000_000)),
        ("1700000000.0", Some(1_700_000_000)),
        ("1700000000.7", Some(1_700_000_000)),
        ("\"1700000000\"", Some(1_700_000_000)),
        ("-0", Some(0)),
        ("99999999999999999999", None),
        ("1e400", None),
        ("\"soon\"", None),
        ("true", None),
    ];
    let record = |n: usize, json: &str| format!("{{\"id\":\"e-{n}\",\"timestamp\":{json}}}");
    let events = cases.iter().enumerate().map(|(n, (json, _))| record(n, json)).collect();
    account.lock().events.insert("c-01".to_owned(), events);
    program.ends(5, &["sync"]).await;
    for (n, (json, expected)) in cases.iter().enumerate() {
        let sql = format!("SELECT coalesce(max(timestamp), -1) FROM events WHERE id = 'e-{n}'");
        assert_eq!(place.number(&sql), expected.unwrap_or(-1), "{json}");
    }
    let reasons = place.query("SELECT reason, outcome FROM rejected ORDER BY rowid");
    let told: Vec<(&str, &str)> =
        reasons.iter().map(|row| (row["outcome"].text(), row["reason"].text())).collect();
    let refused = ("rejected", "`timestamp` is not a 64-bit integer");
    let cut = ("taken", "`timestamp` has a fraction: it was cut off");
    assert_eq!(told, [cut, refused, refused, refused, refused]);
    program.ends(0, &["sync", "--full"]).await;
}

/// Deeper than any recursion may go: to SQLite, to both formats, and back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn depth_is_kept() {
    let World { account, server: _server, place, program } = World::of(Account::of(2, 0, 100)).await;
    let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let record = customer("c-02", "First", "2024-05-01T12:00:00Z");
    account.lock().put("c-02", format!("{},\"deep\":{deep}}}", record.trim_end_matches('}')));
    account.lock().events.insert("c-01".to_owned(), vec![format!("{{\"id\":\"e\",\"properties\":{deep}}}")]);
    program.ends(0, &["sync"]).await;
    program.ends(0, &["sync", "--full"]).await;
    program.ends(0, &["sync", "--customer", "c-02"]).await;
    assert_eq!(place.text("SELECT properties FROM events"), deep);
    assert_eq!(place.text("SELECT extra FROM customers WHERE id = 'c-02'"), format!("{{\"deep\":{deep}}}"));
    program.ends(0, &["export", "verify"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_compared_however_they_are_written() {
    let older = [
        "\"2024-05-01 11:00:00 UTC\"",
        "\"2024-05-01 11:59:59 +0000\"",
        "\"2024-05-01T13:59:59.12345678901+02:00\"",
        "\"2024-05-01 11:00\"",
        "1714561200",
        "1714561200000",
        "\"1714561200.5\"",
        "\"2024-05-01\"",
    ];
    let newer = [
        "\"9999-12-31\"",
        "\"9999-12-31T23:59:59Z\"",
        "1714564801",
        "\"2024-05-01 12:00:00.0000000011 UTC\"",
    ];
    let World { account, server: _server, place, program } =
        World::of(Account::of(older.len() + newer.len(), 0, 5)).await;
    program.ends(0, &["sync"]).await;
    for (n, time) in older.iter().chain(&newer).enumerate() {
        let id = format!("c-{:02}", n + 1);
        let record = with(&id, "updated_at", time).replace("First", "Other");
        account.lock().put(&id, record);
    }
    let report = program.ends(0, &["sync", "--json"]).await.json();
    assert_eq!(report["counts"]["customers_stale"], older.len(), "{report}");
    assert_eq!(report["counts"]["customers_updated"], newer.len(), "{report}");
    assert_eq!(
        place.text("SELECT group_concat(id) FROM customers WHERE first_name = 'Other'"),
        "c-09,c-10,c-11,c-12"
    );
    // A number stays the text that it was.
    assert_eq!(place.text("SELECT updated_at FROM customers WHERE id = 'c-11'"), "1714564801");
    // A full sync asks for each older one alone and takes it.
    program.ends(0, &["sync", "--full"]).await;
    assert_eq!(place.number("SELECT count(*) FROM customers WHERE first_name = 'Other'"), 12);
    let before = place.number("SELECT max(seq) FROM changes");
    program.ends(0, &["sync", "--full"]).await;
    assert_eq!(place.number("SELECT max(seq) FROM changes"), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_that_cannot_be_read_is_told_and_nothing_is_guessed() {
    let World { account, server, place, program } =
        World::of(Account::of(4, 1, 5)).await.set("sync.events_max_age=0s");
    program.ends(0, &["sync"]).await;
    let broken = |id: &str, name: &str| with(id, "updated_at", "\"last week\"").replace("First", name);
    account.lock().put("c-02", broken("c-02", "Second"));
    account.lock().put("c-03", broken("c-03", "Second"));
    account.lock().events.get_mut("c-04").unwrap()[0] = r#"{"id":"c-04-e-1","updated_at":"soon"}"#.to_owned();
    // An incremental sync takes what was said last, and says so.
    let report = program.ends(0, &["sync", "--json"]).await.json();
    let remarks = report["remarks"].to_string();
    for text in [
        "the updated_at of 2 customers can't be read as a time",
        "the updated_at of 1 events can't be read as a time",
        "the first of them: c-02",
        "2 customers were listed with other content than the mirror's, and their times don't tell",
        "1 events were listed with other content",
    ] {
        assert!(remarks.contains(text), "{text:?} is not in {remarks}");
    }
    assert_eq!(place.text("SELECT group_concat(id) FROM customers WHERE first_name = 'Second'"), "c-02,c-03");
    // While nothing differs, there is nothing to tell apart.
    let report = program.ends(0, &["sync", "--json"]).await.json();
    assert!(!report["remarks"].to_string().contains("other content"), "{report}");
    // A full sync asks for the customer alone.
    account.lock().put("c-03", broken("c-03", "Third"));
    let before = server.asked().len();
    let report = program.ends(0, &["sync", "--full", "--json"]).await.json();
    assert!(report["remarks"].to_string().contains("2 customers can't be read as a time"), "{report}");
    assert!(!report["remarks"].to_string().contains("other content"), "{report}");
    assert!(server.asked()[before..].iter().any(|asked| asked.call() == "GET /customers/c-03"));
    assert_eq!(place.text("SELECT first_name FROM customers WHERE id = 'c-03'"), "Third");
}
