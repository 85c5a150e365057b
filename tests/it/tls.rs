//! Over TLS: HTTP/1.1 and HTTP/2, connections that a server ends, few streams, and certificates that nobody can trust.

use crate::support::{Account, Authority, Goodbye, Place, Reply, Shared, Tls, assert_everything_equals};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const HOST: &str = "127.0.0.1";

/// Syncs everything, with at most so many attempts repeated.
async fn syncs(authority: &Authority, tls: &Tls, account: &Shared, retries: i64) {
    let server = tls.serve_account(account).await;
    let place = Place::new();
    let ran = authority.program(&place, &server.base_url()).ends(0, &["-vv", "sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
    let repeated = place.number("SELECT retries FROM sync_runs");
    let told: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("sent again")).collect();
    assert!(repeated <= retries, "{repeated} retries: {told:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_of_http_bring_everything() {
    let (authority, account) = (Authority::new(), Account::of(12, 3, 5).shared());
    for protocols in [&["http/1.1"][..], &["h2", "http/1.1"], &["h2"], &[]] {
        let tls = authority.tls(HOST, protocols);
        syncs(&authority, &tls, &account, 0).await;
        // One connection carries all that HTTP/2 asks.
        assert_eq!(tls.connections() == 1, protocols.contains(&"h2"), "{protocols:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authorities_come_from_a_file_or_a_folder() {
    let (authority, account) = (Authority::new(), Account::of(2, 1, 5).shared());
    let server = authority.tls(HOST, &["h2"]).serve_account(&account).await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    let (file, folder) = (authority.file(), authority.folder());
    program.clone().variable("SSL_CERT_FILE", file.to_str().unwrap()).ends(0, &["sync"]).await;
    program.clone().variable("SSL_CERT_DIR", folder.to_str().unwrap()).ends(0, &["sync"]).await;
    // They stand in for the system's authorities, not beside them.
    let ran = program.variable("SSL_CERT_FILE", "/nowhere.pem").ends(1, &["sync"]).await;
    ran.tells(&["SSL_CERT_FILE"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_server_ends_costs_nothing() {
    let (authority, account) = (Authority::new(), Account::of(30, 2, 4).shared());
    for (goodbye, retries) in [
        (Goodbye::Polite(7), 0),
        (Goodbye::Polite(1), 0),
        (Goodbye::Refusing(5), 0),
        (Goodbye::Abrupt(7), i64::MAX),
    ] {
        let tls = authority.tls(HOST, &["h2"]).goodbye(goodbye);
        syncs(&authority, &tls, &account, retries).await;
        assert_eq!(tls.connections() == 1, matches!(goodbye, Goodbye::Refusing(_)));
    }
}

/// Those that wait for a stream when the connection ends have not been sent: they go to the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_waits_for_a_stream_outlives_its_connection() {
    let (authority, account) = (Authority::new(), Account::of(30, 2, 4).shared());
    let tls = authority.tls(HOST, &["h2"]).streams(1).goodbye(Goodbye::Polite(9));
    let server = tls.serve_account(&account).await;
    let place = Place::new();
    // Fewer than a connection serves: none of them has to see many connections end.
    let program = authority.program(&place, &server.base_url()).set("api.concurrency=4");
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
    assert_eq!(place.number("SELECT retries FROM sync_runs"), 0);
    assert!(tls.connections() > 2);
}

/// Sixteen requests at once over one stream wait for each other longer than the server may take for one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_allows_one_stream_is_not_slow() {
    let (authority, account) = (Authority::new(), Account::of(40, 1, 20).shared());
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (running, peak, answering) = (now.clone(), most.clone(), account.clone());
    let tls = authority.tls(HOST, &["h2"]).streams(1);
    let server = tls
        .serve(move |asked| {
            let (now, most) = (running.clone(), peak.clone());
            let reply = answering.lock().answer(&asked);
            async move {
                most.fetch_max(1 + now.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(150)).await;
                now.fetch_sub(1, Ordering::SeqCst);
                reply
            }
        })
        .await;
    let place = Place::new();
    let program =
        authority.program(&place, &server.base_url()).set("api.timeout=1s").set("api.concurrency=16");
    let ran = program.ends(0, &["-vv", "--log-format", "json", "sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
    assert_eq!((place.number("SELECT retries FROM sync_runs"), most.load(Ordering::SeqCst)), (0, 1));
    assert_eq!(tls.connections(), 1);
    // It is asked for less: told at once, and remembered for the next run.
    assert!(ran.stderr.contains(r#""limit":1}"#), "{}", ran.stderr);
    let status = program.ends(0, &["status", "--json"]).await.json();
    assert!(status.to_string().contains(r#""point":"concurrency""#), "{status}");
}

/// It never opens a stream: that is no reason to wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_allows_no_stream_times_out() {
    let authority = Authority::new();
    let tls = authority.tls(HOST, &["h2"]).streams(0);
    let server = tls.serve(|_| std::future::pending()).await;
    let place = Place::new();
    let program = authority.program(&place, &server.base_url());
    // The first request may be on its way before the server's word comes that it opens none.
    let program = program.set("api.timeout=300ms").set("api.connect_timeout=3s").set("api.max_attempts=2");
    let ran = program.ends(1, &["customers", "list"]).await;
    ran.tells(&["did not answer in time", "no turn on the connection within 3.3s"]);
    assert!(server.asked().len() <= 1);
}

/// It could open all of them and answer none: a request on its way is waited for as long as ever, and no longer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_allows_one_stream_and_is_silent_times_out() {
    let authority = Authority::new();
    let tls = authority.tls(HOST, &["h2"]).streams(1);
    let server = tls.serve(|_| std::future::pending()).await;
    let place = Place::new();
    let program =
        authority.program(&place, &server.base_url()).set("api.timeout=300ms").set("api.max_attempts=2");
    program
        .ends(1, &["sync", "--full"])
        .await
        .tells(&["did not answer in time", "no first byte within 300ms"]);
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_cannot_be_trusted_is_told_at_once() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let account = Account::of(2, 1, 5).shared();
    for (tls, what) in [
        (authority.expired(HOST), "it has expired"),
        (authority.tls("other.example", &["h2"]), "another host's"),
        (stranger.tls(HOST, &["h2"]), "no authority known"),
        (stranger.tls(HOST, &["http/1.1"]), "no authority known"),
        (authority.as_authority(HOST), "an authority's own"),
    ] {
        let server = tls.serve_account(&account).await;
        let place = Place::new();
        let program = authority.program(&place, &server.base_url());
        for arguments in [&["sync"][..], &["customers", "list"], &["customers", "get", "c-01"]] {
            let before = tls.connections();
            let ran = program.ends(1, arguments).await;
            ran.tells(&["certificate", what, "SSL_CERT_FILE", "SSL_CERT_DIR", "clock"]);
            assert_eq!(tls.connections() - before, 1, "{what}");
        }
        assert!(server.asked().is_empty());
    }
}

/// What an API names that stands behind a proxy for TLS and isn't told of it: itself, but by http (`api-contract` point 12).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_of_http_are_followed_by_https() {
    let (authority, account) = (Authority::new(), Account::of(9, 3, 2).shared());
    for protocol in ["h2", "http/1.1"] {
        let answering = account.clone();
        let tls = authority.tls(HOST, &[protocol]);
        let server = tls
            .serve(move |asked| {
                let host = asked.header("host").map(str::to_owned);
                // Over HTTP/2 the host stands in the request's URI.
                let host = host.unwrap_or_else(|| asked.head.split('/').nth(2).unwrap().to_owned());
                let mut reply = answering.lock().answer(&asked);
                if let Reply::Answer { headers, .. } = &mut reply {
                    for (name, value) in headers {
                        if name == "Link" {
                            *value = value.replacen("</", &format!("<http://{host}/"), 1);
                        }
                    }
                }
                std::future::ready(reply)
            })
            .await;
        let place = Place::new();
        let ran = authority.program(&place, &server.base_url()).ends(0, &["sync", "--full"]).await;
        assert_everything_equals(&account.state(), &place);
        // By TLS or not at all: this server reads nothing else. Told once for all of them.
        assert!(server.count(|asked| !asked.query.is_empty()) >= 4 + 9);
        assert_eq!(ran.stderr.matches("links begin with http://").count(), 1, "{}", ran.stderr);
        assert_eq!(place.number("SELECT retries FROM sync_runs"), 0);
    }
}
