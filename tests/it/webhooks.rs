//! Webhooks: a delivery is a hint whom to look at, and never data. Whatever is lost, doubled, replayed, forged or killed, the
//! mirror comes to hold what the API holds, and no hint that was answered with 200 is lost.

use crate::support::{
    Account, Place, Program, Reply, Running, Server, State, World, address_for_webhooks,
    assert_everything_equals, assert_same, post, sandbox,
};
use malomo_mirror::sandbox::{CustomerField, CustomerFields, Sandbox, Settings};
use malomo_mirror::webhook::Key;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

const SECRET: &str = "a-webhook-secret";

const TOPICS: [&str; 6] = [
    "events:created",
    "events:updated",
    "events:deleted",
    "customers:created",
    "customers:updated",
    "customers:deleted",
];

/// A sandbox, and a mirror of it.
async fn mirrored(settings: Settings) -> (Sandbox, Place, Program) {
    let sandbox = sandbox(settings).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url()).variable("MALOMO_WEBHOOK_SECRET", SECRET);
    program.ends(0, &["sync", "--full"]).await;
    (sandbox, place, program)
}

fn small() -> Settings {
    Settings { customers: 30, events_per_customer: 2.0, ..Settings::default() }
}

/// A daemon that does nothing but follow hints, after so long a time; and where it takes them.
async fn daemon(program: &Program, debounce: &str) -> (Running, String) {
    let mut daemon = listening(program, debounce).start(&["daemon"]);
    let address = address_for_webhooks(&mut daemon).await;
    (daemon, address)
}

fn listening(program: &Program, debounce: &str) -> Program {
    ["schedule.sync=", "schedule.full=", "http.listen=", "webhook.listen=127.0.0.1:0"]
        .into_iter()
        .fold(program.clone(), Program::set)
        .set(&format!("webhook.debounce={debounce}"))
}

fn url(address: &str) -> String {
    format!("http://{address}/webhooks/malomo")
}

fn signature(body: &str) -> String {
    Key::new(&SecretString::from(SECRET)).sign(body.as_bytes())
}

fn delivery(body: &str, signature: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST /webhooks/malomo HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\nmalomo-signature: {signature}\r\n\r\n"
    );
    [head.as_bytes(), body.as_bytes()].concat()
}

/// What a signed delivery is answered with.
async fn deliver(address: &str, body: &Value) -> Option<u16> {
    let body = body.to_string();
    let (status, has_body) = post(address, &delivery(&body, &signature(&body))).await?;
    assert!(!has_body);
    Some(status)
}

fn waiting(place: &Place) -> i64 {
    place.number("SELECT (SELECT count(*) FROM webhook_hints) + (SELECT count(*) FROM webhook_orders)")
}

/// Waits until the daemon has followed every hint.
async fn followed(daemon: &mut Running, place: &Place) {
    while waiting(place) > 0 {
        daemon.logs("sync ended").await;
    }
}

/// Waits until the daemon has followed every hint, stops it, and exports what that may have kept from being exported.
async fn settled(program: &Program, mut daemon: Running, place: &Place) {
    followed(&mut daemon, place).await;
    stop(daemon).await;
    program.ends(0, &["export"]).await;
}

async fn stop(daemon: Running) {
    daemon.signal("TERM");
    daemon.end().await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhooks_from_the_command_line() {
    let sandbox = sandbox(Settings { page_size: 2, ..small() }).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url());
    let address = "http://127.0.0.1:9/hook";
    let create = ["webhooks", "create", "--url", address, "--topic", "events:created", "--secret"];
    program.ends(2, &create).await.tells(&["there is no webhook secret", "MALOMO_WEBHOOK_SECRET"]);
    let program = program.variable("MALOMO_WEBHOOK_SECRET", SECRET);
    let created = program.ends(0, &create).await;
    let webhook = created.json();
    let id = webhook["id"].as_str().unwrap();
    assert_eq!((&webhook["url"], &webhook["active"]), (&json!(address), &json!(true)));
    let updated = program.ends(0, &["webhooks", "update", id, "--active", "false", "--secret"]).await;
    assert_eq!(updated.json()["active"], json!(false));
    for n in 0..4 {
        let other = format!("{address}/{n}");
        program.ends(0, &["webhooks", "create", "--url", &other, "--topic", "customers:updated"]).await;
    }
    let listed = program.ends(0, &["webhooks", "list"]).await;
    assert_eq!(listed.stdout.lines().count(), 5);
    for line in listed.stdout.lines() {
        let webhook: Value = serde_json::from_str(line).unwrap();
        assert!(webhook["topic"].is_string() && webhook.get("secret").is_none(), "{line}");
    }
    for ran in [&created, &updated, &listed] {
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(SECRET));
    }
    program.ends(2, &["webhooks", "delete", id]).await.tells(&["confirm it with --yes"]);
    assert_eq!(program.ends(0, &["webhooks", "delete", id, "--yes"]).await.stdout, "");
    program.ends(1, &["webhooks", "delete", id, "--yes"]).await.tells(&["404", "there is no such webhook"]);
    let bad = ["webhooks", "create", "--url", address, "--topic", "nothing"];
    program.ends(1, &bad).await.tells(&["400", "none of the topics"]);
    program.ends(2, &["webhooks", "update", id]).await;
    assert!(!place.mirror().exists(), "the mirror is not touched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn installing_makes_or_mends_and_then_changes_nothing() {
    let sandbox = sandbox(small()).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url()).variable("MALOMO_WEBHOOK_SECRET", SECRET);
    let install = ["webhooks", "install", "--url", "http://127.0.0.1:9/webhooks/malomo"];
    let done = async |arguments: &[&str]| {
        let ran = program.ends(0, &[&install[..], arguments].concat()).await;
        let lines = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| line["done"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(done(&[]).await, ["created"]);
    assert_eq!(done(&[]).await, ["unchanged"]);
    let before = program.ends(0, &["webhooks", "list"]).await.stdout;
    assert_eq!(done(&["--topic", "events:created"]).await, ["unchanged"]);
    assert_eq!(program.ends(0, &["webhooks", "list"]).await.stdout, before);
    assert_eq!(
        done(&["--topic", "events:created", "--topic", "customers:updated"]).await,
        ["unchanged", "created"]
    );
    let listed = program.ends(0, &["webhooks", "list"]).await;
    let first: Value = serde_json::from_str(listed.stdout.lines().next().unwrap()).unwrap();
    program.ends(0, &["webhooks", "update", first["id"].as_str().unwrap(), "--active", "false"]).await;
    assert_eq!(done(&[]).await, ["activated"]);
    assert_eq!(done(&["--renew-secret"]).await, ["secret_renewed"]);
    assert_eq!(done(&[]).await, ["unchanged"]);
    let plain = ["webhooks", "install", "--url", "http://mirror.example.com/"];
    program.ends(2, &plain).await.tells(&["expected an https URL"]);
    let elsewhere = ["webhooks", "install", "--url", "https://mirror.example.com/"];
    program.ends(1, &elsewhere).await.tells(&["loopback addresses only"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_mirrored_without_any_scheduled_run() {
    let (sandbox, place, program) = mirrored(small()).await;
    let (daemon, address) = daemon(&program, "1ms").await;
    let url = url(&address);
    let mut install = vec!["webhooks", "install", "--url", &url];
    TOPICS.iter().for_each(|topic| install.extend(["--topic", topic]));
    program.ends(0, &install).await;
    let world = sandbox.world();
    let ids = world.customer_ids();
    for id in &ids[..10] {
        world.add_event(id).unwrap();
        world.update_customer(id, CustomerFields::default().set(CustomerField::FirstName, "Ada"));
    }
    let new = world.create_customer(CustomerFields::default().set(CustomerField::LastName, "Lovelace"));
    world.add_event(&new).unwrap();
    let counts = sandbox.delivered().await;
    assert_eq!((counts.due, counts.taken, counts.given_up), (22, 22, 0));
    settled(&program, daemon, &place).await;
    assert_everything_equals(&State::of_world(&world), &place);
    assert_eq!(place.number("SELECT count(*) FROM sync_runs WHERE mode NOT IN ('full', 'hinted')"), 0);
    let status = program.ends(0, &["status", "--json"]).await.json();
    assert_eq!(status["webhooks"]["waiting"], json!(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_doubled_replayed_and_forged_deliveries() {
    let settings = Settings {
        customers: 60,
        events_per_customer: 2.0,
        page_size: 10,
        webhook_loss: 0.3,
        webhook_repeat: 0.3,
        webhook_replayed: 0.3,
        webhook_forged: 0.3,
        ..Settings::default()
    };
    let (sandbox, place, program) = mirrored(settings).await;
    let (mut daemon, address) = daemon(&program, "20ms").await;
    let url = url(&address);
    let mut install = vec!["webhooks", "install", "--url", &url];
    TOPICS.iter().for_each(|topic| install.extend(["--topic", topic]));
    program.ends(0, &install).await;
    let world = sandbox.world();
    for _ in 0..300 {
        world.churn();
    }
    let counts = sandbox.delivered().await;
    assert!(
        counts.due >= 300 && counts.lost > 50 && counts.forged > 50 && counts.replayed > 50,
        "{counts:?}"
    );
    assert_eq!(counts.given_up, 0, "{counts:?}");
    // All but the forged ones were taken.
    assert_eq!(counts.attempts - counts.taken, counts.forged, "{counts:?}");
    followed(&mut daemon, &place).await;
    stop(daemon).await;
    program.set("sync.events_max_age=0s").ends(0, &["sync"]).await;
    assert_everything_equals(&State::of_world(&world), &place);
    assert_eq!(waiting(&place), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_costs_one_look_a_customer() {
    let (sandbox, place, program) = mirrored(small()).await;
    let ids = sandbox.world().customer_ids();
    let (mut running, address) = daemon(&program, "1h").await;
    let mut senders = JoinSet::new();
    for sender in 0..20 {
        let (address, ids) = (address.clone(), ids.clone());
        senders.spawn(async move {
            for n in 0..25 {
                let customer = &ids[n % 5];
                // The same ones and different ones, dated and undated.
                let body = match n % 3 {
                    0 => json!({"customer_id": customer}),
                    1 => json!({"customer": {"id": customer, "updated_at": "2026-03-01T10:00:00Z"}}),
                    _ => json!({"customer_id": customer, "updated_at": format!("{sender}-{n}")}),
                };
                assert_eq!(deliver(&address, &body).await, Some(200));
            }
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent.unwrap();
    }
    assert_eq!(waiting(&place), 5);
    let before = sandbox.requests();
    running.kill();
    running.end().await;
    let (mut running, _) = daemon(&program, "1ms").await;
    followed(&mut running, &place).await;
    stop(running).await;
    let after = sandbox.requests();
    assert_eq!(after.retrieves - before.retrieves, 5);
    assert!(after.event_pages - before.event_pages <= 10, "{before:?} {after:?}");
    assert_eq!(after.customer_pages, before.customer_pages);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_hint_is_lost_that_was_answered_with_200() {
    let (sandbox, place, program) = mirrored(small()).await;
    let world = sandbox.world();
    let ids = world.customer_ids();
    for (n, id) in ids.iter().take(20).enumerate() {
        world.add_event(id).unwrap();
        let (mut daemon, address) = daemon(&program, "1h").await;
        assert_eq!(deliver(&address, &json!({"customer_id": id})).await, Some(200));
        daemon.kill();
        daemon.end().await;
        assert_eq!(waiting(&place), n as i64 + 1);
    }
    let (daemon, _) = daemon(&program, "1ms").await;
    settled(&program, daemon, &place).await;
    assert_everything_equals(&State::of_world(&world), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_program_dies_around_the_commit_of_a_hint() {
    let (sandbox, place, program) = mirrored(small()).await;
    let ids = sandbox.world().customer_ids();
    for (place_to_die, id, left) in [("before-hint-commit", &ids[0], 0), ("after-hint-commit", &ids[1], 1)] {
        let dying = program.clone().variable("MALOMO_MIRROR_FAIL_POINT", &format!("{place_to_die}:1"));
        let (daemon, address) = daemon(&dying, "1h").await;
        assert_eq!(deliver(&address, &json!({"customer_id": id})).await, None, "it sends again");
        assert!(daemon.end().await.signal().is_some());
        assert_eq!(waiting(&place), left, "{place_to_die}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_for_hints_that_is_killed_is_made_up_for() {
    let (sandbox, place, program) = mirrored(small()).await;
    let world = sandbox.world();
    let ids = world.customer_ids();
    for (n, place_to_die) in ["before-commit:2", "after-commit:2", "before-commit:3", "before-run-record:1"]
        .into_iter()
        .enumerate()
    {
        let id = &ids[n];
        world.add_event(id).unwrap();
        let dying = program.clone().variable("MALOMO_MIRROR_FAIL_POINT", place_to_die);
        let (running, address) = daemon(&dying, "1ms").await;
        // It may die before it answers.
        deliver(&address, &json!({"customer_id": id})).await;
        assert!(running.end().await.signal().is_some(), "{place_to_die}");
        let (mut running, _) = daemon(&program, "1ms").await;
        followed(&mut running, &place).await;
        stop(running).await;
        assert_same(&State::of_world(&world), &State::of_mirror(&place), place_to_die);
    }
    // What a run that was killed left unexported, the next one exports.
    program.ends(0, &["sync"]).await;
    assert_everything_equals(&State::of_world(&world), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_run_takes_over_the_hints_that_are_left() {
    let (sandbox, place, program) = mirrored(small()).await;
    let world = sandbox.world();
    let ids = world.customer_ids();
    world.add_event(&ids[3]).unwrap();
    let (mut daemon, address) = daemon(&program, "1h").await;
    for hint in
        [json!({"customer_id": ids[3]}), json!({"customer_id": "nobody"}), json!({"order": {"number": 7}})]
    {
        assert_eq!(deliver(&address, &hint).await, Some(200));
    }
    daemon.kill();
    daemon.end().await;
    let status = program.ends(0, &["status"]).await;
    status.shows(&["webhooks", "2 customers to look at", "1 delivery told of no customer", "order.number"]);
    let ran = program.ends(0, &["sync", "--json"]).await.json();
    assert_eq!(ran["counts"]["event_walks"], json!(1));
    assert_everything_equals(&State::of_world(&world), &place);
    assert_eq!(waiting(&place), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_leads_to_its_customer() {
    let (sandbox, place, program) = mirrored(small()).await;
    let world = sandbox.world();
    let of_an_order = |column: &str| {
        place.text(&format!(
            "SELECT {column} FROM events WHERE properties ->> '$.shopify_order.id' IS NOT NULL ORDER BY inserted_seq LIMIT 1"
        ))
    };
    let (customer, order) = (of_an_order("customer_id"), of_an_order("properties ->> '$.shopify_order.id'"));
    world.add_event(&customer).unwrap();
    let (daemon, address) = daemon(&program, "0s").await;
    assert_eq!(deliver(&address, &json!({"shopify_order": {"id": order}})).await, Some(200));
    settled(&program, daemon, &place).await;
    assert_everything_equals(&State::of_world(&world), &place);
    assert_eq!(place.number("SELECT looks FROM look_signals WHERE signal = 'pushed'"), 1);
    assert_eq!(place.number("SELECT hits FROM look_signals WHERE signal = 'pushed'"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_listener_answers() {
    let (sandbox, place, program) = mirrored(small()).await;
    let (daemon, address) = daemon(&program, "1h").await;
    let body = json!({"customer_id": sandbox.world().customer_ids()[0]}).to_string();
    let good = signature(&body);
    let head = |line: &str, more: &str| format!("{line} HTTP/1.1\r\nhost: x\r\n{more}\r\n").into_bytes();
    let long = format!("content-length: {}\r\n", (1 << 20) + 1);
    let chunks = format!("100001\r\n{}\r\n0\r\n\r\n", "x".repeat(0x100001));
    let chunked =
        [head("POST /webhooks/malomo", "transfer-encoding: chunked\r\n"), chunks.into_bytes()].concat();
    for (what, request, status) in [
        ("another path", head("POST /webhooks", "content-length: 0\r\n"), 404),
        ("the root", head("GET /", ""), 404),
        ("another method", head("GET /webhooks/malomo", ""), 405),
        (
            "no signature",
            [head("POST /webhooks/malomo", "content-length: 2\r\n"), b"{}".to_vec()].concat(),
            401,
        ),
        ("a false signature", delivery(&body, &signature("another body")), 401),
        ("half a signature", delivery(&body, &good[..32]), 401),
        ("a body that is announced to be too large", head("POST /webhooks/malomo", &long), 413),
        ("a body that is too large", chunked, 413),
        ("no HTTP", b"hello\r\n\r\n".to_vec(), 400),
    ] {
        let answer = post(&address, &request).await;
        // Where a body isn't read to its end, the connection may break before the answer was read.
        let may_break = what == "a body that is too large";
        assert!(answer == Some((status, false)) || (may_break && answer.is_none()), "{what}: {answer:?}");
    }
    assert_eq!((waiting(&place), place.number("SELECT count(*) FROM webhook_unmatched")), (0, 0));
    for (text, signature) in
        [(&body, good.to_lowercase()), (&body, good), (&"no json".to_owned(), signature("no json"))]
    {
        assert_eq!(post(&address, &delivery(text, &signature)).await, Some((200, false)), "{text}");
    }
    assert_eq!(place.number("SELECT times FROM webhook_hints"), 2);
    assert_eq!(place.text("SELECT paths FROM webhook_unmatched"), r#"["(not JSON)"]"#);
    stop(daemon).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_refused_until_the_mirror_is_loaded() {
    let sandbox = sandbox(small()).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url()).variable("MALOMO_WEBHOOK_SECRET", SECRET);
    let (daemon, address) = daemon(&program, "1ms").await;
    let hint = json!({"customer_id": sandbox.world().customer_ids()[0]});
    assert_eq!(deliver(&address, &hint).await, Some(503));
    program.ends(0, &["sync", "--full"]).await;
    assert_eq!(deliver(&address, &hint).await, Some(200));
    settled(&program, daemon, &place).await;
    assert_everything_equals(&State::of_world(&sandbox.world()), &place);
}

/// What a shop's own system calls its customer may be no identifier of the API's at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_api_refuses_is_asked_for_once() {
    let World { server, place, program, .. } = World::but(Account::of(5, 1, 5), |asked| {
        (asked.path == "/customers/777").then(|| Reply::error(400, "bad_request", "no identifier"))
    })
    .await;
    let program = program.variable("MALOMO_WEBHOOK_SECRET", SECRET);
    program.ends(0, &["sync", "--full"]).await;
    let (mut daemon, address) = daemon(&program, "1ms").await;
    assert_eq!(deliver(&address, &json!({"order": {"customer": {"id": 777}}})).await, Some(200));
    followed(&mut daemon, &place).await;
    stop(daemon).await;
    assert_eq!(server.count(|asked| asked.path == "/customers/777"), 1);
    assert_eq!(place.number("SELECT count(*) FROM sync_runs WHERE outcome = 'incomplete'"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_stays_while_the_api_fails() {
    let fails = Arc::new(AtomicBool::new(true));
    let switch = fails.clone();
    let World { server: _server, place, program, .. } = World::but(Account::of(5, 1, 5), move |asked| {
        let failing = asked.path == "/customers/c-03" && switch.load(Ordering::SeqCst);
        failing.then(|| Reply::error(500, "server_error", "later"))
    })
    .await;
    let program = program.variable("MALOMO_WEBHOOK_SECRET", SECRET).set("api.max_attempts=1");
    program.ends(0, &["sync", "--full"]).await;
    let (mut daemon, address) = daemon(&program, "1ms").await;
    assert_eq!(deliver(&address, &json!({"customer_id": "c-03"})).await, Some(200));
    daemon.logs("sync ended").await;
    stop(daemon).await;
    assert_eq!(waiting(&place), 1);
    fails.store(false, Ordering::SeqCst);
    program.ends(0, &["sync"]).await;
    assert_eq!(waiting(&place), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_repeats_the_secret_is_not_repeated() {
    for status in [200, 400] {
        let server = Server::answering(move |asked| match status {
            // As the request had it, the secret among it.
            200 => Reply::json(200, &asked.body),
            _ => Reply::error(status, "invalid", &format!("the secret {SECRET} is too short")),
        })
        .await;
        let place = Place::new();
        let program = place.program(&server.base_url()).variable("MALOMO_WEBHOOK_SECRET", SECRET);
        let create =
            ["webhooks", "create", "--url", "http://127.0.0.1:9", "--topic", "events:created", "--secret"];
        let ran = program.run(&create).await;
        assert!(server.asked()[0].body.contains(SECRET), "it was sent");
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(SECRET), "{}{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code(), Some(i32::from(status != 200)));
    }
}

/// A run's transactions stay open to gather more work: somebody who only has a moment gets a turn in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_are_taken_while_a_run_is_under_way() {
    let settings = Settings { latency: Duration::from_millis(5), ..small() };
    let (sandbox, place, program) = mirrored(settings).await;
    let ids = sandbox.world().customer_ids();
    // One run after the other, each of which reads everybody's events.
    let busy = listening(&program, "1h").set("schedule.sync=* * * * * *").set("sync.events_max_age=0s");
    let mut daemon = busy.start(&["daemon"]);
    let address = address_for_webhooks(&mut daemon).await;
    for _ in 0..3 {
        daemon.logs("sync begins").await;
        for id in &ids {
            assert_eq!(deliver(&address, &json!({"customer_id": id})).await, Some(200));
        }
    }
    stop(daemon).await;
    assert_eq!(place.number("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'webhook_hint_number'"), 90);
    program.ends(0, &["sync"]).await;
    assert_eq!(waiting(&place), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_secret_nobody_listens() {
    let place = Place::new();
    let program = listening(&place.program("http://127.0.0.1:9"), "1s");
    program.ends(2, &["daemon"]).await.tells(&["there is no webhook secret", "webhook.secret_file"]);
}
