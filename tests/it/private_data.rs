//! What must not be told: neither logs nor results hold the key, an e-mail address, a name or a phone number.

use crate::support::{Account, Asked, Program, Ran, Reply, World, customer};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const KEY: &str = "sk_live_neverToBeSeen";
/// Part of each personal value in this account, and of nothing else.
const PERSONAL: [&str; 4] = ["Zyxwvut", "Qponmlk", "@private.example", "555-0199"];

fn account() -> Account {
    let mut account = Account::of(12, 2, 5);
    for (id, record) in &mut account.customers {
        *record = serde_json::json!({
            "id": id, "email": format!("{id}@private.example"), "first_name": format!("Zyxwvut {id}"),
            "last_name": format!("Qponmlk {id}"), "phone_number": "555-0199", "updated_at": "2024-05-01T12:00:00Z",
            "nickname": "Zyxwvut"
        })
        .to_string();
    }
    for events in account.events.values_mut() {
        for event in events {
            *event = event.replace("fulfilled", "fulfilled for Zyxwvut").replace("\"order\"", "\"Qponmlk\"");
        }
    }
    account
}

fn assert_silent(ran: &Ran, what: &str) {
    for secret in PERSONAL.iter().chain(&[KEY, "neverToBeSeen"]) {
        for (output, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            let at = text.find(secret).map(|at| &text[at.saturating_sub(200)..(at + 60).min(text.len())]);
            assert_eq!(at, None, "{what}: {secret} on {output}");
        }
    }
}

async fn runs_silently(program: &Program, code: i32, arguments: &[&str]) {
    for verbosity in [&["-vv", "--log-format", "json"][..], &["-vv", "--log-format", "text"], &[]] {
        let ran = program.ends(code, &[verbosity, arguments].concat()).await;
        assert_silent(&ran, &format!("{verbosity:?} {arguments:?}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_go_well_tell_no_secret() {
    let World { server, place: _place, program, .. } = World::of(account()).await;
    let program = program.key(KEY);
    for arguments in [
        &["sync", "--full"][..],
        &["sync", "--full", "--json"],
        &["sync", "--dry-run"],
        &["sync", "--audit", "5"],
        &["sync", "--customer", "c-02"],
        &["export", "--snapshot"],
        &["status"],
        &["status", "--json"],
        &["config", "show"],
        &["config", "show", "--json"],
        &["config", "check"],
    ] {
        runs_silently(&program, 0, arguments).await;
    }
    assert_eq!(server.asked()[0].header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    let line = program.ends(0, &["-vv", "--log-format", "json", "sync"]).await;
    assert!(line.stderr.lines().count() >= 2, "{}", line.stderr);
    for line in line.stderr.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).unwrap()["level"].is_string(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_that_go_wrong_tell_no_secret_either() {
    let away = Arc::new(AtomicBool::new(false));
    let switch = away.clone();
    // The vendor's messages may quote anything.
    let quoting = "cannot serve Zyxwvut <c-01@private.example>, 555-0199";
    let twist = move |asked: &Asked| match asked.path.as_str() {
        "/customers/c-03/events" => Some(Reply::error(500, "oops", quoting)),
        "/customers/c-04/events" => Some(Reply::json(200, "[{\"id\":\"Zyxwvut\",\"label\":\"555-0199\"")),
        "/customers/c-05/events" => Some(Reply::error(400, "nope", quoting)),
        "/customers" if switch.load(Ordering::SeqCst) => Some(
            Reply::json(200, "[{\"id\":\"c-08\"}]")
                .with_header("Link", "<http://127.0.0.1:9/?next=x>; rel=\"next\""),
        ),
        _ => None,
    };
    let World { account, server: _server, place, program } = World::but(account(), twist).await;
    let program = program.set("api.max_attempts=2").key(KEY);
    account
        .lock()
        .put("c-06", r#"{"id":"c-06","email":["x@private.example"],"first_name":"Zyxwvut"}"#.to_owned());
    account.lock().customers.push(("nobody".to_owned(), r#"{"email":"y@private.example"}"#.to_owned()));
    for arguments in [&["sync", "--full"][..], &["sync", "--full", "--json"], &["sync"]] {
        runs_silently(&program, 5, arguments).await;
    }
    // Refused deletions, stale rows, and an empty list.
    account.lock().put("c-07", customer("c-07", "Zyxwvut", "2020-01-01T00:00:00Z"));
    runs_silently(&program, 5, &["sync"]).await;
    account.lock().customers.retain(|(id, _)| id == "c-08");
    runs_silently(&program, 5, &["sync"]).await;
    away.store(true, Ordering::SeqCst);
    runs_silently(&program, 1, &["sync"]).await;
    runs_silently(&program, 0, &["status"]).await;
    runs_silently(&program, 0, &["status", "--json"]).await;
    let told = "SELECT group_concat(coalesce(error, '') || coalesce(remarks, '')) FROM sync_runs";
    let failures = "SELECT group_concat(error) FROM event_failures";
    for text in [place.text(told), place.text(failures)] {
        assert!(PERSONAL.iter().all(|secret| !text.contains(secret)), "{text}");
    }
}
