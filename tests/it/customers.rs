//! The six calls of the API from the command line.

use crate::support::{Account, Place, Program, Reply, Server, World, members, sandbox};
use malomo_mirror::sandbox::{Sandbox, Settings};
use serde_json::{Value, json};

async fn world() -> (Sandbox, Place, Program) {
    let settings = Settings {
        customers: 100,
        events_per_customer: 2.0,
        page_size: 7,
        awkward: true,
        ..Settings::default()
    };
    let sandbox = sandbox(settings).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url());
    (sandbox, place, program)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn create_get_update_delete() {
    let (sandbox, place, program) = world().await;
    let world = sandbox.world();
    let create = [
        "customers",
        "create",
        "--email",
        "ada@example.com",
        "--first-name",
        "Ada \"A\"",
        "--phone-number",
        "",
    ];
    let created = program.ends(0, &create).await.json();
    let id = created["id"].as_str().unwrap();
    assert_eq!((&created["email"], &created["first_name"]), (&json!("ada@example.com"), &json!("Ada \"A\"")));
    assert_eq!((&created["phone_number"], &created["last_name"]), (&json!(""), &Value::Null));
    let got = program.ends(0, &["customers", "get", id]).await;
    assert_eq!(got.stdout.trim_end(), world.customer_json(id).unwrap());
    let updated = program.ends(0, &["customers", "update", id, "--last-name", "Lovelace"]).await.json();
    assert_eq!((&updated["last_name"], &updated["email"]), (&json!("Lovelace"), &json!("ada@example.com")));
    assert_ne!(updated["updated_at"], created["updated_at"]);
    let deleted = program.ends(0, &["customers", "delete", id, "--yes"]).await;
    assert_eq!(deleted.stdout, "");
    assert_eq!(world.customer_json(id), None);
    program.ends(1, &["customers", "get", id]).await.tells(&[
        "404",
        "not_found",
        "there is no such customer",
        "req_",
    ]);
    assert!(!place.mirror().exists(), "the mirror is not touched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_ndjson_to_the_byte() {
    let (sandbox, _place, program) = world().await;
    let world = sandbox.world();
    let ids = world.customer_ids();
    world.set_event_count(&ids[1], 40);
    world.set_event_count(&ids[2], 0);
    let listed = program.ends(0, &["customers", "list"]).await;
    let expected: Vec<String> = ids.iter().map(|id| world.customer_json(id).unwrap()).collect();
    assert_eq!(listed.stdout.lines().collect::<Vec<_>>(), expected);
    for id in &ids[..40] {
        let events = program.ends(0, &["events", "list", id]).await;
        assert_eq!(events.stdout.lines().collect::<Vec<_>>(), world.events_json(id), "{id}");
    }
    program.ends(1, &["events", "list", "nobody"]).await.tells(&["404", "there is no such customer", "req_"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_customer_can_be_named() {
    let (sandbox, _place, program) = world().await;
    let world = sandbox.world();
    // Among the ids are slashes, quotes, spaces, per cent signs and question marks.
    let odd: Vec<String> =
        world.customer_ids().into_iter().filter(|id| id.contains([' ', '/', '%', '?', '"'])).collect();
    assert!(odd.len() >= 5);
    for id in &odd {
        let got = program.ends(0, &["customers", "get", id]).await;
        assert_eq!(got.stdout.trim_end(), world.customer_json(id).unwrap());
    }
    for id in ["", ".", ".."] {
        let before = sandbox.requests();
        program.ends(2, &["customers", "get", id]).await.tells(&["id"]);
        assert_eq!(sandbox.requests(), before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_update_sends_only_what_was_given() {
    let server = Server::answering(|_| Reply::json(200, r#"{"id":"c-01","balance":12.30}"#)).await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    let ran = program
        .ends(0, &["customers", "update", "c-01", "--email", "a@example.com", "--phone-number", ""])
        .await;
    assert_eq!(ran.stdout, "{\"id\":\"c-01\",\"balance\":12.30}\n", "numbers keep their digits");
    program.ends(0, &["customers", "create", "--first-name", "\u{5e9} \"'\n"]).await;
    let asked = server.asked();
    assert_eq!(
        (asked[0].call().as_str(), asked[1].call().as_str()),
        ("PUT /customers/c-01", "POST /customers")
    );
    assert_eq!(asked[0].header("content-type"), Some("application/json"));
    let mut sent = members(&asked[0].body);
    sent.sort();
    assert_eq!(sent, [("email".into(), "\"a@example.com\"".into()), ("phone_number".into(), "\"\"".into())]);
    assert_eq!(
        serde_json::from_str::<Value>(&asked[1].body).unwrap(),
        json!({"first_name": "\u{5e9} \"'\n"})
    );
    for arguments in [&["customers", "update", "c-01"][..], &["customers", "create"]] {
        program.ends(2, arguments).await.tells(&["--email"]);
    }
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleting_without_a_terminal_takes_a_yes() {
    let (sandbox, _place, program) = world().await;
    let id = sandbox.world().customer_ids()[0].clone();
    program.ends(2, &["customers", "delete", &id]).await.tells(&["--yes"]);
    assert_eq!(sandbox.requests().writes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_shown_with_code_message_and_request_id() {
    let server = Server::answering(|_| Reply::error(400, "invalid_email", "that is no e-mail address")).await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    for arguments in [
        &["customers", "create", "--email", "x"][..],
        &["customers", "update", "c-01", "--email", "x"],
        &["customers", "get", "c-01"],
        &["customers", "delete", "c-01", "--yes"],
        &["customers", "list"],
        &["events", "list", "c-01"],
    ] {
        let ran = program.ends(1, arguments).await;
        ran.tells(&["HTTP 400", "invalid_email", "that is no e-mail address", "req-invalid_email"]);
        assert_eq!(ran.stdout, "");
    }
    assert_eq!(server.asked().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_create_whose_answer_is_lost_is_not_sent_again() {
    for reply in [Reply::Reset, Reply::error(500, "oops", "something went wrong"), Reply::Bytes(Vec::new())] {
        let server = Server::answering(move |_| reply.clone()).await;
        let place = Place::new();
        let program = place.program(&server.base_url());
        program.ends(1, &["customers", "create", "--email", "a@example.com"]).await;
        assert_eq!(server.asked().len(), 1);
        // What can be done twice is.
        program
            .clone()
            .set("api.max_attempts=3")
            .ends(1, &["customers", "update", "c-01", "--email", "a@b.c"])
            .await;
        assert_eq!(server.asked().len(), 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_key_ends_with_three() {
    for status in [401, 403] {
        let server = Server::answering(move |_| Reply::error(status, "unauthorized", "no such key")).await;
        // With how it ends where the answer is 403: that refuses the key to the list of customers alone.
        for (arguments, forbidden) in [
            (&["sync"][..], 3),
            (&["sync", "--full"], 3),
            (&["sync", "--dry-run"], 3),
            (&["sync", "--customer", "c-01"], 5),
            (&["customers", "list"], 3),
            (&["customers", "get", "c-01"], 1),
            (&["customers", "create", "--email", "x"], 1),
            (&["customers", "delete", "c-01", "--yes"], 1),
            (&["events", "list", "c-01"], 1),
        ] {
            let place = Place::new();
            let code = if status == 403 { forbidden } else { 3 };
            let ran = place.program(&server.base_url()).ends(code, arguments).await;
            let what =
                if code == 3 { "the API refused the key" } else { "the API does not allow this to the key" };
            ran.tells(&[what, "unauthorized", "req-unauthorized"]);
            assert!(!ran.stderr.contains("sk_test") && !ran.stdout.contains("sk_test"));
        }
        // A run whose key may not know the account goes on to what it is about.
        let asked = if status == 403 { server.asked() } else { server.all_asked() };
        assert_eq!(asked.len(), 9, "what is refused is not tried again");
    }
    // Refused in the middle of a run, by an event list.
    let world = World::but(Account::of(6, 1, 2), |asked| {
        (asked.path == "/customers/c-04/events").then(|| Reply::error(401, "unauthorized", "revoked"))
    })
    .await;
    world.program.ends(3, &["sync"]).await;
    assert_eq!(world.place.text("SELECT outcome FROM sync_runs"), "failed");
}
