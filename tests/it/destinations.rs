//! Further destinations: each has its own positions, and one that is down holds nobody else up.

use crate::support::{Account, Place, Program, Server, Shared, World, customer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A mirror with two destinations beside its export folder: `copy` gets the same, `events` the stream of that name as NDJSON.
struct Case {
    place: Place,
    program: Program,
    account: Shared,
    _server: Server,
}

impl Case {
    async fn new() -> Case {
        let World { account, server, place, program } =
            World::of(Account::of(6, 2, 5)).await.set("sync.events_max_age=0s");
        let (copy, events) = (place.path().join("copy"), place.path().join("events"));
        let config = format!(
            "[[destinations]]\nname = \"copy\"\nurl = \"{}\"\n\n[[destinations]]\nname = \"events\"\nurl = \"file://{}\"\n\
             streams = [\"events\"]\nformats = [\"ndjson\"]\ncompression = \"zstd\"\n",
            copy.display(),
            events.display()
        );
        std::fs::write(place.path().join("config.toml"), config).unwrap();
        Case { place, program, account, _server: server }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn change(&self, name: &str, updated_at: &str) {
        let mut account = self.account.lock();
        account.put("c-01", customer("c-01", name, updated_at));
        account.add_event("c-01", &format!("c-01-{name}"));
    }
}

/// Every file of an export folder but locks, by its path.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            found.extend(
                files(&entry.path()).into_iter().map(|(path, text)| (format!("{name}/{path}"), text)),
            );
        } else if !name.starts_with('.') {
            found.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    found
}

/// The paths that a manifest names, each with its range.
fn announced(folder: &Path) -> Vec<(String, i64, i64)> {
    let text = std::fs::read_to_string(folder.join("manifest.ndjson")).unwrap();
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        (
            line["path"].as_str().unwrap().to_owned(),
            line["first_seq"].as_i64().unwrap(),
            line["last_seq"].as_i64().unwrap(),
        )
    };
    text.lines().map(line).collect()
}

/// The data files of a folder: what doesn't depend on the time of the export.
fn data(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    files(folder).into_iter().filter(|(path, _)| path.contains('/')).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_destination_gets_what_it_asks_for() {
    let case = Case::new().await;
    let synced = case.program.ends(0, &["sync", "--full", "--json"]).await.json();
    assert_eq!(synced["destinations"][0]["destination"], "copy");
    assert_eq!(synced["destinations"][1]["files"].as_array().unwrap().len(), 1);
    case.change("Second", "2024-06-01T00:00:00Z");
    case.program.ends(0, &["sync"]).await.shows(&["copy", "events/events-"]);

    assert_eq!(data(&case.folder("copy")), data(&case.place.exports()));
    let events = announced(&case.folder("events"));
    assert_eq!(events.len(), 2);
    assert!(
        events.iter().all(|(path, ..)| path.starts_with("events/") && path.ends_with(".ndjson.zst")),
        "{events:?}"
    );
    assert!(!case.folder("events").join("customers").exists());

    let verified = case.program.ends(0, &["export", "verify", "--json"]).await.json();
    let names: Vec<&str> =
        verified.as_array().unwrap().iter().map(|one| one["destination"].as_str().unwrap()).collect();
    assert_eq!(names, ["export", "copy", "events"]);
    assert!(verified.as_array().unwrap().iter().all(|one| one["result"]["ok"] == true), "{verified}");
    let one = case.program.ends(0, &["export", "verify", "--destination", "copy", "--json"]).await.json();
    assert_eq!(one["dir"], case.folder("copy").to_str().unwrap());
    let status = case.program.ends(0, &["status", "--json"]).await.json();
    assert_eq!(status["destinations"][1]["name"], "events");
    assert_eq!(status["destinations"][1]["exports"].as_array().unwrap().len(), 1);
    assert_eq!(status["destinations"][1]["export_lag"], serde_json::json!([]));
    case.program
        .ends(2, &["export", "--destination", "none"])
        .await
        .tells(&["there are: export, copy, events"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_down_holds_nobody_else_up_and_is_whole_again_by_the_next_run() {
    let case = Case::new().await;
    let copy = case.folder("copy");
    std::fs::write(&copy, "in the way").unwrap();
    let synced = case.program.ends(5, &["sync", "--full", "--json"]).await;
    synced.tells(&["destination `copy` failed", "something else stands in its place"]);
    let synced = synced.json();
    assert!(synced["destinations"][0]["error"].as_str().unwrap().contains("copy"), "{synced}");
    assert_eq!(synced["export"]["files"].as_array().unwrap().len(), 4);
    assert_eq!(announced(&case.folder("events")).len(), 1);
    case.program.ends(0, &["export", "verify", "--destination", "events"]).await;
    case.program.ends(0, &["export", "verify", "--destination", "export"]).await;
    case.program.ends(1, &["export", "verify"]).await.tells(&["destination `copy` can't be looked at"]);
    let status = case.program.ends(0, &["status"]).await;
    status.shows(&[
        "exports to copy: ",
        "lags: change",
        "the export to the destination `copy` after this run failed",
    ]);

    case.change("Second", "2024-06-01T00:00:00Z");
    case.program.ends(5, &["sync"]).await;
    assert_eq!(std::fs::read(&copy).unwrap(), b"in the way");
    std::fs::remove_file(&copy).unwrap();
    case.program.ends(0, &["sync"]).await;
    // It has everything in one file a stream and format, the others in two.
    let (whole, first) = (announced(&copy), announced(&case.place.exports()));
    assert_eq!((whole.len(), first.len()), (4, 8));
    assert!(whole.iter().all(|(_, first_seq, _)| *first_seq == 1), "{whole:?}");
    assert_eq!(whole.iter().map(|(.., last)| last).max(), first.iter().map(|(.., last)| last).max());
    case.program.ends(0, &["export", "verify"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_destination_fails_as_ever_and_the_others_go_on() {
    let case = Case::new().await;
    std::fs::write(case.place.exports(), "in the way").unwrap();
    case.program.ends(1, &["sync", "--full"]).await;
    assert_eq!(announced(&case.folder("copy")).len(), 4);
    std::fs::remove_file(case.place.exports()).unwrap();
    let exported = case.program.ends(0, &["export", "--json"]).await.json();
    assert_eq!(
        (&exported["destination"], exported["files"].as_array().unwrap().len()),
        (&"export".into(), 4)
    );
    assert!(
        exported["destinations"].as_array().unwrap().iter().all(|one| one["files"] == serde_json::json!([]))
    );
    assert_eq!(data(&case.folder("copy")), data(&case.place.exports()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_take_one_destination() {
    let case = Case::new().await;
    case.program.ends(0, &["sync", "--full"]).await;
    case.program.ends(0, &["export", "--snapshot", "--destination", "copy"]).await.shows(&["copy/snapshots"]);
    assert!(
        !case.place.exports().join("snapshots").exists() && !case.folder("events").join("snapshots").exists()
    );
    // What one lost is written again there alone.
    let lost = case.folder("copy").join(&announced(&case.folder("copy"))[0].0);
    let before = std::fs::read(&lost).unwrap();
    std::fs::remove_file(&lost).unwrap();
    case.program.ends(0, &["export", "verify", "--destination", "export"]).await;
    case.program.ends(1, &["export", "verify"]).await.shows(&["destination", "differs"]);
    case.program.ends(0, &["export", "repair", "--destination", "copy"]).await;
    assert_eq!(std::fs::read(&lost).unwrap(), before);
    case.program.ends(0, &["export", "verify"]).await;
    // And acknowledged.
    case.program.ends(0, &["export", "acknowledge", "--through", "1", "--destination", "events"]).await;
    assert!(case.folder("events").join("acknowledged.json").exists());
    case.program.ends(0, &["export", "acknowledge", "--through", "1"]).await;
    assert!(case.place.exports().join("acknowledged.json").exists());
    assert!(!case.folder("copy").join("acknowledged.json").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_store_is_refused_with_its_credentials_in_it_and_by_a_build_without() {
    let case = Case::new().await;
    let write = |url: &str| {
        let text = format!("[[destinations]]\nname = \"lake\"\nurl = \"{url}\"\n");
        std::fs::write(case.place.path().join("config.toml"), text).unwrap();
    };
    write("s3://me:hidden@bucket/prefix");
    let refused = case.program.ends(2, &["config", "check"]).await;
    refused.tells(&["config.toml:3: `destinations[0].url`", "a user name, a password or a port"]);
    write("s3://bucket/prefix");
    let checked = case.program.run(&["config", "check"]).await;
    match cfg!(feature = "lake") {
        true => drop(checked.expect(0)),
        false => drop(checked.expect(2).tells(&["not to object stores (cargo feature `lake`)"])),
    }
}
