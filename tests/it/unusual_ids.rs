//! Ids are opaque text from elsewhere: none of them leads a file or a request astray, and each comes through whole.

use crate::support::{Account, Place, Server, World, assert_everything_equals, manifest};
use std::path::{Component, Path};

/// Ids that mean something to a path, a URL, a log or a terminal.
fn ids() -> Vec<String> {
    let ids = [
        "../../etc/passwd",
        "a/b",
        "/",
        "%2e%2e",
        "%2e%2e%2f",
        "nul\0byte",
        "line\nend\r\n",
        "?next=1",
        "#top",
        "//other.example/customers",
        "http://other.example/",
        "back\\slash\\..\\..",
        " ",
        "a b+c",
        "é\u{202e}ü",
        "events",
        "a/../../events",
        "...",
        "-rf",
        "~",
        "*",
        "'; DROP TABLE events; --",
        "\"quoted\",;\t",
    ];
    ids.iter().map(|id| (*id).to_owned()).chain([format!("long{}", "x".repeat(4_000))]).collect()
}

fn account(ids: &[String]) -> Account {
    let mut account = Account { page_size: 7, ..Account::default() };
    for id in ids {
        account.add(id, 1);
        account.add_event(id, &format!("{id}#event"));
    }
    account
}

/// Nothing was asked for but the list, these customers, and their events.
fn assert_asked_for_these_alone(server: &Server, ids: &[String]) {
    let encoded = |id: &str| -> String {
        let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let each = id.bytes().map(|byte| match unreserved(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        });
        each.collect()
    };
    let customers: Vec<String> = ids.iter().map(|id| format!("/customers/{}", encoded(id))).collect();
    for asked in server.asked() {
        let path = asked.path.strip_suffix("/events").unwrap_or(&asked.path).to_owned();
        let is_known =
            asked.path == "/customers" || customers.contains(&path) || customers.contains(&asked.path);
        assert!(is_known, "{}", asked.call());
    }
}

/// The files of the exports lie in their folder, under names of the program's own; nothing lies elsewhere.
fn assert_files_stay(place: &Place) {
    let lines = manifest(place);
    assert!(!lines.is_empty());
    for line in lines {
        let path = Path::new(line["path"].as_str().unwrap());
        assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{}", path.display());
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)), "{name}");
    }
    for entry in std::fs::read_dir(place.path()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "config.toml" || name == "exports" || name.starts_with("mirror.db"), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_lead_nothing_astray() {
    let ids = ids();
    let World { account, server, place, program } = World::of(account(&ids)).await;
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
    program.ends(0, &["export", "--snapshot"]).await;
    program.ends(0, &["export", "verify"]).await;
    assert_files_stay(&place);
    // Alone as well: a customer of such a name that is changed, and one that is gone.
    for id in ["../../etc/passwd", "?next=1"] {
        program.ends(0, &["sync", "--customer", id]).await;
        program.ends(0, &["events", "list", id]).await;
    }
    account.lock().remove("a/b");
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
    assert_asked_for_these_alone(&server, &ids);
}

/// No encoding keeps these two from naming another path: nothing is asked, and they are named.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_no_path_can_hold_are_named() {
    let ids: Vec<String> = ["..", ".", "c-01"].map(str::to_owned).to_vec();
    let World { server, place, program, .. } = World::of(account(&ids)).await;
    let ran = program.ends(5, &["sync", "--full"]).await;
    assert!(ran.stdout.contains("cannot be part of a request"), "{}", ran.stdout);
    assert_eq!(place.number("SELECT count(*) FROM customers"), 3);
    assert_eq!(place.number("SELECT count(*) FROM events WHERE customer_id = 'c-01'"), 2);
    assert_eq!(place.number("SELECT count(*) FROM event_failures"), 2);
    for id in ["..", ".", ""] {
        program.ends(2, &["customers", "get", id]).await;
        program.ends(2, &["events", "list", id]).await;
    }
    assert_asked_for_these_alone(&server, &ids[2..]);
}

/// No URL carries half of an emoji, and U+FFFD in its place could be another record's id: such a record is set aside.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_with_half_an_emoji_are_set_aside() {
    let mut account = Account::of(3, 1, 2);
    for id in ["\\ud83d", "a\\ude00", "\\ude00\\ud83d"] {
        account.customers.insert(1, (id.to_owned(), format!("{{\"id\":\"{id}\",\"first_name\":\"Ann\"}}")));
        account.events.get_mut("c-02").unwrap().push(format!("{{\"id\":\"{id}\"}}"));
    }
    let World { server, place, program, .. } = World::of(account).await;
    let ran = program.ends(5, &["sync"]).await;
    assert!(ran.stdout.contains("`id` holds half of a surrogate pair"), "{}", ran.stdout);
    assert_eq!(place.number("SELECT count(*) FROM rejected WHERE record_id IS NULL"), 6);
    assert_eq!(
        place.number("SELECT (SELECT count(*) FROM customers) * 10 + (SELECT count(*) FROM events)"),
        33
    );
    assert_asked_for_these_alone(&server, &["c-01", "c-02", "c-03"].map(str::to_owned));
    program.ends(0, &["sync", "--full"]).await;
}
