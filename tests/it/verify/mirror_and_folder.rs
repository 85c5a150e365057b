//! A folder and a mirror that don't belong together, or not any more: another mirror's exports, a mirror that was restored
//! from an older copy, and one that is behind the manifest, which heals.

use super::case::Case;
use crate::support::{Account, Place, State, World, assert_everything_equals, customer, manifest};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mirror_of_another_account_is_refused() {
    let case = Case::new().await;
    let other = Place::new();
    let program = other.program("http://127.0.0.1:9");
    rusqlite::Connection::open(case.place.mirror())
        .unwrap()
        .execute("UPDATE meta SET value = 'another' WHERE key = 'mirror_id'", [])
        .unwrap();
    case.program.ends(1, &["export", "verify"]).await.tells(&["another mirror", "another folder"]);
    program.ends(1, &["export", "verify"]).await.tells(&["there is no mirror"]);
    assert_eq!(State::of_mirror(&case.place).customers.len(), 10);
}

/// The mirror is put back to a copy from before the last export, and goes on differently.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_mirror_is_refused_though_it_has_grown_past_the_exports() {
    let World { account, server: _server, place, program } = World::of(Account::of(10, 2, 5)).await;
    program.ends(0, &["sync", "--full"]).await;
    let copy = place.path().join("copy.db");
    rusqlite::Connection::open(place.mirror())
        .unwrap()
        .execute("VACUUM INTO ?1", [copy.to_str().unwrap()])
        .unwrap();
    account.lock().put("c-01", customer("c-01", "Second", "2024-06-01T00:00:00Z"));
    program.ends(0, &["sync"]).await;

    let side_file = |ending: &str| place.path().join(format!("mirror.db{ending}"));
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(side_file(ending));
    }
    std::fs::rename(&copy, place.mirror()).unwrap();
    let before = std::fs::read(place.exports().join("manifest.ndjson")).unwrap();
    // As long as it is behind the exports, that shows.
    program.ends(1, &["export"]).await.tells(&["restored from an older copy", "another folder"]);
    program.ends(1, &["export", "verify"]).await.tells(&["restored from an older copy"]);
    // Then it has as many changes, of other records.
    account.lock().put("c-07", customer("c-07", "Other", "2024-06-01T00:00:00Z"));
    account.lock().add("c-12", 3);
    for arguments in
        [&["sync"][..], &["export"], &["export", "--snapshot"], &["export", "verify"], &["export", "repair"]]
    {
        let ran = program.ends(1, arguments).await;
        ran.tells(&["customers/customers-0000000000", "restored from an older copy", "new folder"]);
    }
    // The same where the file was moved away by its consumer.
    for line in manifest(&place) {
        std::fs::remove_file(place.exports().join(line["path"].as_str().unwrap())).unwrap();
    }
    program.ends(1, &["export"]).await.tells(&["restored from an older copy", "new folder"]);
    assert_eq!(std::fs::read(place.exports().join("manifest.ndjson")).unwrap(), before);
    // What to do helps.
    let elsewhere = program.clone().set(&format!("export.dir={}", place.path().join("new").display()));
    elsewhere.ends(0, &["export"]).await;
    elsewhere.ends(0, &["export", "verify"]).await;
}

/// A mirror that remembers less than the manifest has heals by itself, whether the folder is new to it or an export was cut
/// off before its last step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_that_is_behind_the_manifest_heals() {
    let case = Case::new().await;
    let elsewhere = case.place.path().join("elsewhere");
    let to_elsewhere = case.program.clone().set(&format!("export.dir={}", elsewhere.display()));
    to_elsewhere.ends(0, &["export"]).await;
    to_elsewhere.ends(0, &["export", "verify"]).await;
    // Back again.
    case.program.ends(0, &["export"]).await;
    case.differences(0).await;
    let mirror = rusqlite::Connection::open(case.place.mirror()).unwrap();
    let of_folder = "FROM export_folders WHERE folder NOT LIKE '%elsewhere'";
    let reached = format!("SELECT reached {of_folder}");
    let before: String = mirror.query_row(&reached, [], |row| row.get(0)).unwrap();
    case.account.lock().add("c-13", 1);
    case.program.ends(0, &["sync"]).await;
    let cut_off = "UPDATE export_folders SET reached = ?1 WHERE folder NOT LIKE '%elsewhere'";
    assert_eq!(mirror.execute(cut_off, [&before]).unwrap(), 1);
    let status = case.program.ends(0, &["status", "--json"]).await.json();
    assert_eq!(
        (&status["export_lag"], status["exports"].as_array().unwrap().len()),
        (&Value::Array(vec![]), 4)
    );
    let people = case.program.ends(0, &["export", "verify"]).await.stdout;
    assert!(people.contains("does not know 4 of the manifest's lines yet"), "{people}");
    // Its consumer may have moved the file away: then the times have to fit.
    std::fs::remove_file(case.on_disk(&case.file("events", "csv", 2))).unwrap();
    case.account.lock().add("c-12", 1);
    case.program.ends(0, &["sync"]).await;
    case.program.ends(0, &["export", "repair"]).await;
    case.differences(0).await;
    assert_everything_equals(&case.account.state(), &case.place);
    // Nothing is known of any folder.
    assert_eq!(mirror.execute("DELETE FROM export_folders", []).unwrap(), 2);
    drop(mirror);
    let people = case.program.ends(0, &["export", "verify"]).await.stdout;
    let unknown = format!("does not know {} of the manifest's lines yet", manifest(&case.place).len());
    assert!(people.contains(&unknown), "{people}");
    assert_eq!(case.program.ends(0, &["export", "--json"]).await.json()["again"], Value::Null);
    let found = case.program.ends(0, &["export", "verify", "--json"]).await.json();
    assert_eq!(found["remarks"], Value::Array(vec![]));
}
