//! The client against servers whose every byte is scripted.

use super::super::customers::{CustomerFields, json_object};
use super::*;
use crate::api::testing::{KEY, Reply, Server, client, nowhere, quick};
use crate::record::Stream;
use serde_json::value::RawValue;
use std::io::Write as _;
use std::time::Duration;

const RECORD: &str = r#"{"id":"1","n":12.30}"#;

fn good() -> Reply {
    Reply::json(200, RECORD)
}

fn html() -> Reply {
    Reply::with_headers(200, &["Content-Type: text/html"], b"<html>Just a moment</html>")
}

fn someone() -> CustomerFields {
    CustomerFields { email: Some("ann@example.com".into()), ..CustomerFields::default() }
}

#[tokio::test]
async fn faults_of_an_answer_are_retried() {
    for (name, fault) in [
        ("a proxy's page", html()),
        ("half a body", good().cut_by(5)),
        ("half a head", Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec())),
        ("no answer", Reply::Bytes(Vec::new())),
        ("reset", Reply::Reset),
        ("not HTTP", Reply::Bytes(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec())),
        ("a list", Reply::json(200, "[]")),
        ("an empty body", Reply::json(200, "")),
        ("a trailing comma", Reply::json(200, r#"{"id":"1",}"#)),
        ("two documents", Reply::json(200, "{}{}")),
        ("an undocumented success", Reply::json(202, RECORD)),
        ("no content", Reply::with_headers(204, &[], b"")),
        ("408", Reply::json(408, "{}")),
        ("429", Reply::json(429, "{}")),
        ("no content, by a proxy", Reply::with_headers(203, &[], b"")),
        ("a proxy's 404", Reply::with_headers(404, &["Content-Type: text/html"], b"<html>404</html>")),
        ("500", Reply::json(500, "{}")),
        ("503, cut", Reply::json(503, "{}").cut_by(1)),
    ] {
        let server = Server::scripted([fault, good()]).await;
        let (client, _) = server.client();
        assert_eq!(client.retrieve(Stream::Customers, "1").await.unwrap().get(), RECORD, "{name}");
        assert_eq!(server.requests().len(), 2, "{name}");
    }
}

#[tokio::test]
async fn attempts_end_and_are_reported() {
    let server = Server::answering(|_| Reply::json(500, r#"{"code":"c","request_id":"r"}"#)).await;
    let mut settings = server.settings();
    settings.retry.attempts = 2;
    let (client, mut recorder) = client(settings);
    let error = client.retrieve(Stream::Customers, "1").await.unwrap_err();
    assert_eq!((error.kind(), error.attempts(), error.status()), (ErrorKind::ServerFault, 2, Some(500)));
    let line = "GET /customers/1: the API failed (HTTP 500, code c, request id r";
    assert_eq!(error.to_string(), format!("{line}, 2 attempts)"));
    assert_eq!(recorder.so_far(), ["status 500", &format!("retry 1 {line})"), "status 500"]);
}

#[tokio::test]
async fn definite_answers_are_not_retried() {
    for (status, kind) in [
        (400, ErrorKind::BadRequest),
        (401, ErrorKind::KeyRefused),
        (403, ErrorKind::Forbidden),
        (404, ErrorKind::NotFound),
        (410, ErrorKind::NotFound),
        (422, ErrorKind::BadRequest),
    ] {
        let server = Server::scripted([Reply::json(status, r#"{"request_id":"req_7"}"#)]).await;
        let (client, _) = server.client();
        let error = client.retrieve(Stream::Customers, "1").await.unwrap_err();
        assert_eq!((error.kind(), error.request_id()), (kind, Some("req_7")));
        assert_eq!(server.requests().len(), 1);
    }
}

/// The body of a list of customers, or of one customer's events.
async fn list(client: &Client, segments: &[&str]) -> Result<String, ApiError> {
    let stream = if segments.len() == 1 { Stream::Customers } else { Stream::Events };
    let read = |answer: Answer| {
        let text: Box<RawValue> = serde_json::from_slice(&answer.body)?;
        Ok(text.get().to_owned())
    };
    client.fetch(Call::list(client.url(segments)?, stream), read).await
}

#[tokio::test]
async fn only_a_refused_customer_list_refuses_the_key() {
    let server = Server::answering(|_| Reply::json(403, r#"{"code":"forbidden","message":"m"}"#)).await;
    let (client, _) = server.client();
    assert_eq!(list(&client, &["customers"]).await.unwrap_err().kind(), ErrorKind::KeyRefused);
    for error in [
        list(&client, &["customers", "1", "events"]).await.unwrap_err(),
        client.retrieve(Stream::Customers, "1").await.unwrap_err(),
        client.create(&someone()).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Forbidden, 1));
    }
    assert_eq!(server.requests().len(), 4);
}

fn with_status(status: u16, headers: &[&str], body: &[u8]) -> Reply {
    Reply::with_headers(status, headers, body)
}

#[tokio::test]
async fn a_list_without_a_body_is_empty() {
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec();
    for (name, reply) in [
        ("204", with_status(204, &[], b"")),
        ("no length but 0", Reply::json(200, "")),
        ("no length but 0, by a proxy", Reply::json(203, "")),
        ("no chunk but the last", Reply::Bytes(chunked)),
        ("no length but 0, said to be zipped", with_status(200, &["Content-Encoding: gzip"], b"")),
        ("nothing, zipped", with_status(200, &["Content-Encoding: gzip"], &gzip(b""))),
        ("a mark and no text", Reply::json(200, "\u{feff}")),
        ("an empty list, for comparison", Reply::json(200, "[]")),
    ] {
        let server = Server::scripted([reply]).await;
        let body = list(&server.client().0, &["customers"]).await;
        assert_eq!(body.ok().as_deref(), Some("[]"), "{name}");
        assert_eq!(server.requests().len(), 1, "{name}");
    }
    for (name, reply) in [
        (
            "cut short, or so it may be",
            Reply::Bytes(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec()),
        ),
        ("cut short", Reply::json(200, "[]").cut_by(2)),
        (
            "cut short in chunks",
            Reply::Bytes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()),
        ),
        (
            "zipped, and cut short",
            Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n".to_vec()),
        ),
        ("blanks", Reply::json(200, "  ")),
        ("taken for processing", Reply::json(202, "")),
        ("in part", Reply::json(206, "[]")),
    ] {
        let server = Server::scripted([reply, Reply::json(200, "[7]")]).await;
        assert_eq!(list(&server.client().0, &["customers"]).await.unwrap(), "[7]", "{name}");
        assert_eq!(server.requests().len(), 2, "{name}");
    }
}

#[tokio::test]
async fn bodies_in_other_guises() {
    let (first, last) = RECORD.split_at(7);
    let members = [gzip(first.as_bytes()), gzip(b""), gzip(last.as_bytes())].concat();
    let zipped = |status, body: &[u8]| with_status(status, &["Content-Encoding: gzip"], body);
    for (name, reply) in [
        ("a byte order mark", Reply::json(200, &format!("\u{feff}{RECORD}"))),
        ("by a proxy", Reply::json(203, RECORD)),
        ("zipped in several members", zipped(200, &members)),
        ("zipped, with a byte order mark", zipped(200, &gzip(format!("\u{feff}{RECORD}").as_bytes()))),
    ] {
        let server = Server::scripted([reply]).await;
        assert_eq!(server.client().0.retrieve(Stream::Customers, "1").await.unwrap().get(), RECORD, "{name}");
    }
    let marked = Reply::json(404, "\u{feff}{\"code\":\"not_found\",\"message\":\"m\"}");
    let error =
        Server::scripted([marked]).await.client().0.retrieve(Stream::Customers, "1").await.unwrap_err();
    assert!(error.is_documented_form());
    // Whatever becomes of what stands behind the first member, a part is never taken for the whole.
    let cut = zipped(200, &members[..members.len() - 9]);
    let server = Server::scripted([cut, good()]).await;
    assert_eq!(server.client().0.retrieve(Stream::Customers, "1").await.unwrap().get(), RECORD);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_refusal_with_a_broken_body_is_still_a_refusal() {
    let server = Server::scripted([Reply::json(401, r#"{"request_id":"req_7"}"#).cut_by(3)]).await;
    let error = server.client().0.retrieve(Stream::Customers, "1").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::KeyRefused);
}

#[tokio::test]
async fn retry_after_is_kept_and_pauses_everybody() {
    for (header, least, most) in [
        ("Retry-After: 0", 0, 1),
        ("Retry-After: 1", 1000, 1001),
        ("Retry-After: 99999999", 0, 1),
        ("X: y", 0, 1),
    ] {
        let server = Server::scripted([Reply::with_headers(429, &[header], b"{}")]).await;
        let (client, mut recorder) = server.client();
        // Dropping the call here is what a stop signal does.
        let delay = tokio::select! {
            result = client.retrieve(Stream::Customers, "1") => panic!("{result:?}"),
            delay = recorder.next_delay() => delay,
        };
        assert!((least..=most).contains(&delay.as_millis()), "{header}: {delay:?}");
    }
}

#[tokio::test]
async fn too_many_requests_lower_the_concurrency() {
    let server = Server::scripted([Reply::json(429, "{}"), good()]).await;
    let (client, mut recorder) = server.client();
    client.retrieve(Stream::Customers, "1").await.unwrap();
    assert_eq!(recorder.so_far()[0], "limit 8");
}

#[tokio::test]
async fn a_create_that_may_have_happened_is_not_repeated() {
    for (fault, kind) in [
        (Reply::json(500, "{}"), ErrorKind::ServerFault),
        (Reply::json(429, "{}"), ErrorKind::RateLimited),
        (good().cut_by(3), ErrorKind::BrokenAnswer),
        (html(), ErrorKind::NotDocumented),
        (Reply::Reset, ErrorKind::BrokenAnswer),
    ] {
        let server = Server::scripted([fault, good()]).await;
        let (client, _) = server.client();
        assert_eq!(client.create(&someone()).await.unwrap_err().kind(), kind);
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_create_that_did_not_reach_the_server_is_repeated() {
    let mut settings = quick(nowhere().await);
    settings.retry.attempts = 3;
    let (client, _) = client(settings);
    let error = client.create(&someone()).await.unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Unreachable, 3));
}

#[tokio::test]
async fn writes_send_what_is_given() {
    let server =
        Server::scripted([Reply::json(201, RECORD), good(), Reply::with_headers(204, &[], b"")]).await;
    let (client, _) = server.client();
    let name = CustomerFields { last_name: Some("O\"Hara".into()), ..CustomerFields::default() };
    assert_eq!(client.create(&someone()).await.unwrap().get(), RECORD);
    assert_eq!(client.update("a/b", &name).await.unwrap().get(), RECORD);
    client.delete("1").await.unwrap();
    let sent: Vec<_> =
        server.requests().into_iter().map(|r| (r.head.lines().next().unwrap().to_owned(), r.body)).collect();
    let expected = [
        ("POST /customers HTTP/1.1", r#"{"email":"ann@example.com"}"#),
        ("PUT /customers/a%2Fb HTTP/1.1", r#"{"last_name":"O\"Hara"}"#),
        ("DELETE /customers/1 HTTP/1.1", ""),
    ];
    assert_eq!(sent, expected.map(|(line, body)| (line.to_owned(), body.to_owned())));
}

#[tokio::test]
async fn headers_stand_on_every_call() {
    let server = Server::answering(|_| good()).await;
    let (client, _) = server.client();
    client.retrieve(Stream::Customers, "1").await.unwrap();
    client.create(&someone()).await.unwrap();
    client.update("1", &someone()).await.unwrap();
    client.delete("1").await.unwrap();
    for request in server.requests() {
        assert_eq!(request.header("authorization"), Some(&*format!("Bearer {KEY}")));
        assert_eq!(request.header("accept"), Some("application/vnd.malomo+json; version=2"));
        assert!(request.header("user-agent").unwrap().starts_with("malomo-mirror/"));
        assert!(request.header("accept-encoding").unwrap().contains("gzip"));
        let writes = request.head.starts_with("POST") || request.head.starts_with("PUT");
        assert_eq!(request.header("content-type"), writes.then_some("application/json"), "{}", request.head);
    }
}

#[tokio::test]
async fn a_repeated_delete_that_finds_nothing_is_done() {
    let server = Server::scripted([Reply::Reset, Reply::json(404, "{}")]).await;
    server.client().0.delete("1").await.unwrap();
    for first in [None, Some(Reply::json(429, "{}"))] {
        let server = Server::scripted(first.into_iter().chain([Reply::json(404, "{}")])).await;
        assert_eq!(server.client().0.delete("1").await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[tokio::test]
async fn a_redirect_elsewhere_never_gets_a_request() {
    let elsewhere = Server::answering(|_| good()).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("Location: {}", elsewhere.url);
        let server = Server::scripted([Reply::with_headers(status, &[&location], b"")]).await;
        let error = server.client().0.retrieve(Stream::Customers, "1").await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (ErrorKind::CrossOrigin, Some(status)));
        assert_eq!(server.requests().len(), 1);
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn a_call_elsewhere_never_leaves() {
    let (server, elsewhere) = (Server::answering(|_| good()).await, Server::answering(|_| good()).await);
    let call = Call::list(elsewhere.url.clone(), Stream::Customers);
    let error = server.client().0.fetch(call, json_object).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CrossOrigin);
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn redirects_at_home_are_followed_by_reads_alone() {
    let moved = |to: &str| Reply::with_headers(302, &[&format!("Location: {to}")], b"moved");
    let server = Server::scripted([moved("/v3/customers/1"), moved("2?a=b#c"), good(), moved("/v3")]).await;
    let (client, _) = server.client();
    assert_eq!(client.retrieve(Stream::Customers, "1").await.unwrap().get(), RECORD);
    let targets: Vec<_> = server.requests().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(targets, ["/customers/1", "/v3/customers/1", "/v3/customers/2?a=b"]);
    assert_eq!(client.update("1", &someone()).await.unwrap_err().kind(), ErrorKind::Redirect);

    let server = Server::answering(move |_| moved("/customers/1")).await;
    assert_eq!(
        server.client().0.retrieve(Stream::Customers, "1").await.unwrap_err().kind(),
        ErrorKind::Redirect
    );
    assert_eq!(server.requests().len(), 6);
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn size_counts_after_decompression() {
    let zipped = |body: &[u8]| Reply::with_headers(200, &["Content-Encoding: gzip"], &gzip(body));
    let bomb = format!(r#"{{"id":"{}"}}"#, "0".repeat(1 << 20));
    let in_members = |body: &str| {
        let members: Vec<u8> = body.as_bytes().chunks(50_000).flat_map(gzip).collect();
        with_status(200, &["Content-Encoding: gzip"], &members)
    };
    for (reply, expected) in [
        (zipped(RECORD.as_bytes()), None),
        (zipped(bomb.as_bytes()), Some(ErrorKind::TooLarge)),
        (Reply::json(200, &bomb), Some(ErrorKind::TooLarge)),
        (zipped(RECORD.as_bytes()).cut_by(9), Some(ErrorKind::BrokenAnswer)),
        (in_members(&bomb), Some(ErrorKind::TooLarge)),
    ] {
        let server = Server::answering(move |_| reply.clone()).await;
        let mut settings = server.settings();
        settings.max_body = 100_000;
        settings.retry.attempts = 2;
        let (client, _) = client(settings);
        assert_eq!(client.retrieve(Stream::Customers, "1").await.err().map(|error| error.kind()), expected);
    }
}

#[tokio::test]
async fn silence_times_out() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec();
    let hour = Duration::from_secs(3600);
    let short = Duration::from_millis(50);
    for (reply, first_byte, body) in [
        (Reply::Hang(Vec::new()), short, hour),
        (Reply::Hang(head.clone()), short, hour),
        (Reply::Hang(head), hour, short),
    ] {
        let server = Server::answering(move |_| reply.clone()).await;
        let mut settings = server.settings();
        settings.first_byte_timeout = first_byte;
        settings.body_timeout = body;
        settings.retry.attempts = 2;
        let (client, _) = client(settings);
        let error = client.retrieve(Stream::Customers, "1").await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 2), "{error}");
    }
}

#[tokio::test]
async fn a_dead_server_costs_later_calls_one_attempt() {
    let server =
        Server::answering(|request| if request.target() == "/customers/up" { good() } else { Reply::Reset })
            .await;
    let mut settings = server.settings();
    settings.retry.attempts = 3;
    let (client, _) = client(settings);
    let attempts = async || client.retrieve(Stream::Customers, "1").await.unwrap_err().attempts();
    for expected in [3, 3, 3, 3, 3, 1, 1] {
        assert_eq!(attempts().await, expected);
    }
    client.retrieve(Stream::Customers, "up").await.unwrap();
    assert_eq!(attempts().await, 3);
}

#[tokio::test]
async fn probes_spend_no_more_than_allowed() {
    let server = Server::answering(|_| Reply::Reset).await;
    let (client, _) = server.client();
    let call = Call::list(client.url(&["customers"]).unwrap(), Stream::Customers).attempts_at_most(2);
    assert_eq!(client.fetch(call, json_object).await.unwrap_err().attempts(), 2);
}

#[tokio::test]
async fn identifiers_stay_one_segment() {
    let (client, _) = client(quick(Url::parse("http://127.0.0.1:1/base/").unwrap()));
    for (id, expected) in [
        ("a0a877c6-4164-4e8a-8179-48f8d4752b4e", "a0a877c6-4164-4e8a-8179-48f8d4752b4e"),
        ("a/../b", "a%2F..%2Fb"),
        ("%2e%2e", "%252e%252e"),
        (".\t.", ".%09."),
        ("...", "..."),
        ("ä ?#\\", "%C3%A4%20%3F%23%5C"),
    ] {
        let url = client.url(&["customers", id, "events"]).unwrap();
        assert_eq!(url.as_str(), format!("http://127.0.0.1:1/base/customers/{expected}/events"));
    }
    for id in ["", ".", ".."] {
        assert_eq!(client.delete(id).await.unwrap_err().kind(), ErrorKind::UnusableId, "{id:?}");
    }
}

#[tokio::test]
async fn nothing_shows_the_key_or_personal_data() {
    let server = Server::answering(|_| Reply::json(401, "{}")).await;
    let (client, _) = server.client();
    let error = client.create(&someone()).await.unwrap_err();
    let refused = client.retrieve(Stream::Customers, "x").await.unwrap_err();
    let text = format!("{client:?} {error:?} {error} {refused:?}");
    assert!(!text.contains(KEY) && !text.contains("ann@"), "{text}");
}

#[tokio::test]
async fn clients_that_would_leak_or_fail_are_not_built() {
    for (url, key) in [
        ("http://api.gomalomo.com", KEY),
        ("https://me:pw@api.gomalomo.com", KEY),
        ("https://api.gomalomo.com", "sk\nX-Other: 1"),
        ("https://api.gomalomo.com", ""),
    ] {
        let settings = Settings::new(Url::parse(url).unwrap());
        let observer = Arc::new(crate::observe::Unobserved);
        let error = Client::new(settings, SecretString::from(key), observer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Client);
        assert!(!format!("{error:?} {error}").contains("sk"), "{error:?}");
    }
}
