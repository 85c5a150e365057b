//! A server that repeats the key, an address and a telephone number wherever it can say anything: none of it is told on.

use crate::support::echo::{ECHOED, KEY, everywhere, faults, header_echo, in_headers};
use crate::support::{Account, Asked, Program, Ran, Reply, World, address, get};
use std::path::Path;

fn assert_silent(text: &str, what: &str) {
    for secret in ECHOED {
        let at = text.find(secret).map(|at| text[..at].chars().rev().take(300).collect::<String>());
        assert_eq!(at.map(|before| before.chars().rev().collect::<String>()), None, "{what}: {secret}");
    }
}

fn assert_silent_run(ran: &Ran, what: &str) {
    assert_silent(&ran.stdout, what);
    assert_silent(&ran.stderr, what);
}

/// Neither the mirror nor an export holds any of it.
fn assert_silent_files(folder: &Path, what: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => assert_silent_files(&path, what),
            false => {
                assert_silent(&String::from_utf8_lossy(&std::fs::read(&path).unwrap()), what);
            }
        }
    }
}

/// Where the fault is met, and what meets it there.
type Position = fn(&Asked) -> bool;
const WHERE: [(&str, Position, &[&[&str]]); 3] = [
    (
        "the list",
        |asked| asked.is_customer_list(),
        &[&["-vv", "--log-format", "text", "sync", "--full"], &["customers", "list"]],
    ),
    (
        "a customer",
        |asked| asked.path == "/customers/c-03",
        &[
            &["-vv", "--log-format", "text", "sync", "--customer", "c-03", "--json"],
            &["customers", "get", "c-03"],
            &["customers", "update", "c-03", "--first-name", "Ann"],
        ],
    ),
    (
        "events",
        |asked| asked.path == "/customers/c-03/events",
        &[&["-vv", "--log-format", "json", "sync", "--full"], &["events", "list", "c-03"]],
    ),
];

/// With the key that is echoed, and no patience.
fn quick(program: Program) -> Program {
    program.key(KEY).set("api.max_attempts=2").set("api.retry_after_max=1ms")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_repeats_what_the_server_echoes() {
    let anything = vec![("authorization".to_owned(), format!("Bearer {KEY}"))];
    let count = faults(&Asked { headers: anything, ..nothing() }).len();
    for (position, fits, commands) in WHERE {
        for fault in 0..count {
            let twist = move |asked: &Asked| fits(asked).then(|| faults(asked).swap_remove(fault));
            let World { server, place, program, .. } = World::but(Account::of(4, 1, 2), twist).await;
            let program = quick(program);
            for arguments in [commands, &[&["status", "--json"]]].concat() {
                let what = format!("fault {fault} at {position}, {arguments:?}");
                assert_silent_run(&program.run(arguments).await, &what);
                assert_silent_files(place.path(), &what);
            }
            assert!(server.count(fits) > 1);
        }
    }
}

fn nothing() -> Asked {
    Asked {
        number: 0,
        method: String::new(),
        path: String::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body: String::new(),
        head: String::new(),
    }
}

/// The page tokens of good answers hold it all: they are sent back as they came, and not told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_on_from_a_token_does_not_tell_it() {
    let account = Account::of(4, 1, 2);
    let World { server, place, program, .. } = World::but(account.clone(), move |asked| {
        let good = account.answer(asked);
        let text = header_echo(asked);
        Some(match asked.query.is_empty() {
            true => {
                in_headers(good, &format!("<{}?next={}>; rel=\"next\"", asked.path, text.replace(' ', "+")))
            }
            false => everywhere(500, asked),
        })
    })
    .await;
    let program = quick(program);
    for arguments in [
        &["-vv", "--log-format", "text", "sync", "--full"][..],
        &["-vv", "--log-format", "json", "sync"],
        &["events", "list", "c-03"],
        &["status"],
        &["status", "--json"],
    ] {
        assert_silent_run(&program.run(arguments).await, &format!("{arguments:?}"));
    }
    assert!(server.count(|asked| !asked.query.is_empty()) > 0);
    let told = "SELECT group_concat(coalesce(error, '') || coalesce(remarks, '')) FROM sync_runs";
    assert_silent(&place.text(told), "sync_runs");
}

/// What can be told is told: the rest of the message, on one line, for whoever is at the terminal; in logs no message at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_of_the_message_is_told() {
    let World { server: _server, place, program, .. } =
        World::but(Account::of(2, 1, 2), |asked| Some(everywhere(400, asked))).await;
    let program = quick(program);
    let ran = program.ends(1, &["customers", "get", "c-01"]).await;
    ran.tells(&["the API rejected the request", "•••, ••• tel:+•••", "\\u{1b}[31m \\u{202e} end"]);
    assert!(!place.mirror().exists());
    let ran = program.ends(1, &["-vv", "--log-format", "json", "sync"]).await;
    let logged = |line: &&str| line.starts_with('{');
    assert!(ran.stderr.lines().filter(logged).all(|line| !line.contains(": Bearer •••")), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_repeats_nothing_either() {
    let World { server: _server, place, program, .. } = World::but(Account::of(4, 1, 2), |asked| {
        (asked.path == "/customers/c-03/events").then(|| everywhere(400, asked))
    })
    .await;
    let program = quick(program)
        .set("schedule.sync=* * * * * *")
        .set("http.listen=127.0.0.1:0")
        .variable("RUST_BACKTRACE", "0");
    let mut daemon = program.start(&["-vv", "--log-format", "json", "daemon"]);
    let address = address(&mut daemon).await;
    for _ in 0..2 {
        daemon.logs("sync ended").await;
    }
    for path in ["/metrics", "/healthz", "/readyz"] {
        assert_silent(&get(&address, path).await, path);
    }
    daemon.signal("TERM");
    assert_silent_run(&daemon.end().await, "daemon");
    assert_silent_run(&program.ends(0, &["status", "--json"]).await, "status");
    assert_silent_files(place.path(), "daemon");
}

/// Identifiers are opaque, and may be anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identifiers_are_told_as_carefully() {
    let ids = ["ann.private@example.org", "sk_live_neverToBeSeen", "x\n\u{1b}[31m"];
    let mut account = Account::of(4, 1, 3);
    for id in ids {
        account.add(id, 1);
        let of_no_use = serde_json::json!({"id": format!("no-use-{id}"), "email": 5}).to_string();
        account.customers.push((format!("no-use-{id}"), of_no_use));
    }
    let twist = |asked: &Asked| match asked.path.as_str() {
        "/accounts/self" => Some(Reply::json(200, r#"{"id":"of ann.private@example.org\u001b[31m"}"#)),
        path if path.ends_with("/events") && !path.contains("/c-0") => Some(Reply::error(403, "no", "no")),
        _ => None,
    };
    let World { server: _server, place, program, .. } = World::but(account, twist).await;
    let program = quick(program);
    for arguments in [
        &["-vv", "--log-format", "text", "sync", "--full"][..],
        &["-vv", "--log-format", "json", "sync", "--audit", "100", "--json"],
        &["status"],
        &["status", "--json"],
    ] {
        let ran = program.run(arguments).await;
        assert_silent_run(&ran, &format!("{arguments:?}"));
        if arguments.contains(&"sync") {
            ran.expect(5);
        }
    }
    let told = "SELECT group_concat(coalesce(error, '') || coalesce(remarks, '')) FROM sync_runs";
    assert_silent(&place.text(told), "sync_runs");
    // Tables whose keys they are hold them as they came.
    assert_eq!(place.number("SELECT count(*) FROM event_failures"), ids.len() as i64);
    assert_eq!(
        place.number("SELECT count(*) FROM rejected WHERE record_id LIKE 'no-use-%'"),
        ids.len() as i64
    );
}
