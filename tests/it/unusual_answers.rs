//! Answers that mean what the documentation has, in another guise: bytes that are no UTF-8, identifiers that are numbers, gzip
//! that no header tells of, `null` for an empty list.

use crate::support::{
    Account, Asked, Place, Reply, Server, Shared, World, assert_everything_equals, customer, event,
};
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

/// A server that answers from the account, with each body changed.
async fn serve(
    account: &Shared,
    change: impl Fn(&Asked, Vec<u8>) -> Vec<u8> + Send + Sync + 'static,
) -> Server {
    let answering = account.clone();
    account
        .serve_but(move |asked| {
            Some(match answering.lock().answer(asked) {
                Reply::Answer { status, headers, body } => {
                    Reply::Answer { status, headers, body: change(asked, body) }
                }
                other => other,
            })
        })
        .await
}

/// With a byte that is no UTF-8 for each `~`.
fn broken(_: &Asked, body: Vec<u8>) -> Vec<u8> {
    body.into_iter().map(|byte| if byte == b'~' { 0xff } else { byte }).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_byte_that_is_no_utf_8_costs_its_record_a_repair() {
    let account = Account::of(8, 1, 4).shared();
    let whole = account.state();
    {
        let mut account = account.lock();
        account.put("c-02", customer("c-02", "A~nn", "2024-05-01T12:00:00Z"));
        let record = customer("c-03", "First", "2024-05-01T12:00:00Z").replace('}', r#","no~te":"a~"}"#);
        account.put("c-03", record);
        account
            .events
            .insert("c-05".to_owned(), vec![event("c-05-e-1", "2024-05-01T12:00:00Z").replace("Order", "~")]);
    }
    let server = serve(&account, broken).await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    let ran = program.ends(0, &["sync", "--full"]).await;
    ran.tells(&["2 records were taken with a repair", "bytes that are no UTF-8"]);
    assert_eq!(place.text("SELECT first_name FROM customers WHERE id = 'c-02'"), "A\u{fffd}nn");
    assert_eq!(place.text("SELECT label FROM events WHERE id = 'c-05-e-1'"), "\u{fffd} c-05-e-1 fulfilled");
    // No documented field: it stays what it was, as far as text can hold it.
    assert_eq!(place.text("SELECT extra FROM customers WHERE id = 'c-03'"), r#"{"no\udcffte":"a\udcff"}"#);
    let raw = place.text("SELECT reason || raw FROM rejected WHERE record_id = 'c-02' AND outcome = 'taken'");
    assert!(raw.contains("`first_name`") && raw.contains("no UTF-8") && raw.contains(r"A\udcffnn"), "{raw}");
    assert_eq!(place.number("SELECT count(*) FROM rejected"), 2);
    // Known, and then whole again.
    let report = program.ends(0, &["sync", "--full", "--json"]).await.json();
    assert!(report["remarks"].as_array().unwrap().is_empty(), "{report}");
    program.ends(0, &["export", "verify"]).await;
    *account.lock() = Account::of(8, 1, 4);
    let later = |id: &str| customer(id, "First", "2024-05-01T12:00:00Z");
    for id in ["c-02", "c-03"] {
        account.lock().put(id, later(id));
    }
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&whole, &place);
    // In an identifier it is told once, and costs the others nothing.
    account.lock().put("c-07", customer("c-~7", "First", "2024-05-01T12:00:00Z"));
    let ran = program.ends(5, &["sync", "--full"]).await;
    ran.shows(&["1 records could not be taken", "a byte that is no UTF-8"]);
}

/// What is asked for one by one comes in the same way as what is listed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_customer_with_such_a_byte_is_printed_and_synced() {
    let account = Account::of(2, 1, 4).shared();
    account.lock().put("c-02", customer("c-02", "A~nn", "2024-05-01T12:00:00Z"));
    let server = serve(&account, broken).await;
    let place = Place::new();
    let program = place.program(&server.base_url());
    program.ends(0, &["customers", "get", "c-02"]).await.shows(&[r#""first_name":"A\udcffnn""#]);
    program.ends(0, &["customers", "list"]).await.shows(&["c-01", r#""first_name":"A\udcffnn""#]);
    program.ends(0, &["sync", "--customer", "c-02"]).await;
    assert_eq!(place.text("SELECT first_name FROM customers WHERE id = 'c-02'"), "A\u{fffd}nn");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identifiers_may_be_numbers() {
    let numbered = |record: String| record.replacen(r#""id":"1"#, r#""id":1"#, 1).replacen("#\"", "", 1);
    let mut account = Account { page_size: 2, ..Account::default() };
    for n in 101..=105 {
        let id = n.to_string();
        let record = numbered(customer(&format!("{id}#"), "First", "2024-05-01T12:00:00Z"));
        account.customers.push((id.clone(), record));
        let events = [1, 2, 3].map(|m| numbered(event(&format!("{id}{m}#"), "2024-05-01T12:00:00Z")));
        account.events.insert(id, events.to_vec());
    }
    assert!(
        account.customers[0].1.contains(r#""id":101,"#) || account.customers[0].1.contains(r#""id":101}"#)
    );
    let World { account, server: _server, place, program } = World::of(account).await;
    for _ in 0..2 {
        let report = program.ends(0, &["sync", "--full", "--json"]).await.json();
        assert_eq!((&report["counts"]["rejected"], &report["counts"]["repaired"]), (&0.into(), &0.into()));
    }
    let ids = "SELECT group_concat(id) FROM (SELECT id FROM customers WHERE typeof(id) = 'text' ORDER BY id)";
    assert_eq!(place.text(ids), "101,102,103,104,105");
    assert_eq!(place.number("SELECT count(*) FROM events WHERE id = customer_id || substr(id, 4)"), 15);
    account.lock().remove("103");
    program.ends(0, &["sync", "--full"]).await;
    assert_eq!(place.text(ids), "101,102,104,105");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gzip_is_known_by_itself_and_null_is_an_empty_list() {
    let gzip = |body: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    };
    let mut account = Account::of(5, 2, 2);
    account.add("c-06", 0);
    let account = account.shared();
    for (encodings, is_zipped) in [
        (&[][..], true),
        (&["identity", "gzip"], true),
        (&["gzip, identity"], true),
        (&["gzip"], false),
        (&["br"], false),
    ] {
        let answering = account.clone();
        let server = account
            .serve_but(move |asked| {
                let Reply::Answer { status, headers, mut body } = answering.lock().answer(asked) else {
                    return None;
                };
                if body == b"[]" {
                    body = b"null".to_vec();
                }
                let body = if is_zipped { gzip(&body) } else { body };
                let reply = Reply::Answer { status, headers, body };
                Some(encodings.iter().fold(reply, |reply, name| reply.with_header("Content-Encoding", name)))
            })
            .await;
        let place = Place::new();
        place.program(&server.base_url()).ends(0, &["sync", "--full"]).await;
        assert_everything_equals(&account.state(), &place);
        assert_eq!(place.number("SELECT retries FROM sync_runs"), 0, "{encodings:?}");
    }
}
