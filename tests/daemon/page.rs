//! The page for people: what the command writes, and what the daemon serves at `/`.

use crate::scrape::{ANYTHING, get};
use crate::service_manager::{Guard, address, signal};
use crate::support::{Account, Place, Reply, event};
use std::os::unix::fs::PermissionsExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Nothing of a customer is in it. The mirror's own id is left out of the look: it is made up of anything.
fn assert_names_nobody(page: &str) {
    let (before, rest) = page.split_once("), mirror ").unwrap();
    let page = format!("{before}{}", &rest[rest.find('<').unwrap()..]);
    for name in ["@example.com", "555-555", "First", "Last of", "c-0", "sk_test"] {
        assert!(!page.contains(name), "{name} in {page}");
    }
}

/// An account with a type of events that is no good HTML.
fn account() -> Account {
    let mut account = Account::of(4, 2, 5);
    let odd =
        event("odd", "2024-05-01T12:00:00Z").replace("ShopifyOrderFulfilled", "<script>alert(1)</script>");
    account.events.entry("c-01".to_owned()).or_default().push(odd);
    account
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_prints_or_replaces_a_file() {
    let account = account().shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    program.ends(1, &["report"]).await.tells(&["there is no mirror at", "run `malomo-mirror sync` first"]);

    program.ends(0, &["sync"]).await;
    let page = program.ends(0, &["report"]).await.stdout;
    assert!(page.starts_with("<!DOCTYPE html>") && page.contains(">Current<"), "{page}");
    assert_names_nobody(&page);

    let file = place.path().join("report.html");
    std::fs::write(&file, "old").unwrap();
    let name = file.to_str().unwrap();
    let ran = program.ends(0, &["report", "--output", name]).await;
    assert_eq!(ran.stdout, format!("{name}\n"));
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("<!DOCTYPE html>"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o022, 0);

    let nowhere = place.path().join("nowhere/report.html");
    let ran = program.ends(1, &["report", "--output", nowhere.to_str().unwrap()]).await;
    ran.tells(&["can't be written", "a folder that this user may write to"]);
    assert!(ran.stdout.is_empty());
    let left = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_str().unwrap().starts_with(".malomo-mirror-")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_is_on_it_without_whose_it_was() {
    let account = account().shared();
    let server = account
        .serve_but(|asked| {
            (asked.path == "/customers/c-02/events").then(|| Reply::error(500, "no", "not today"))
        })
        .await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    program.ends(5, &["sync"]).await;
    let page = program.ends(0, &["report"]).await.stdout;
    assert!(page.contains("the events of 1 customers could not be read"), "{page}");
    assert_names_nobody(&page);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_daemon_serves_it_and_changes_nothing_else() {
    let account = account().shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = place
        .program(&server.base_url())
        .set("http.listen=127.0.0.1:0")
        .set("schedule.sync=@yearly")
        .set("schedule.full=");
    let mut daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    let address = address(&daemon.logs("serving /metrics").await);
    daemon.logs("sync ended").await;

    let answer = get(&address, "/", ANYTHING).await;
    assert_eq!((answer.status, answer.content_type.as_str()), (200, "text/html; charset=utf-8"));
    assert_names_nobody(&answer.body);
    assert!(answer.body.contains("The mirror at a glance") && !answer.body.contains("<script"));

    let head = raw(&address, "HEAD / HTTP/1.1").await;
    let (head, body) = head.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK") && body.is_empty(), "{head}");
    for header in [
        "cache-control: no-store",
        "content-security-policy: default-src 'none'; style-src 'sha256-",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
    ] {
        assert!(head.contains(header), "{header} is not in {head}");
    }
    for (request, status) in
        [("POST / HTTP/1.1", "405"), ("GET /report HTTP/1.1", "404"), ("GET /healthz HTTP/1.1", "200")]
    {
        let answer = raw(&address, request).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{request}");
    }
    signal(daemon.pid(), "TERM");
    daemon.end().await.expect(0);
}

async fn raw(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{request}\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}
