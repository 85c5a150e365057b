//! `export repair` brings files back, byte for byte where every row is known, and says what it left out.

use super::case::{Case, hex};
use crate::support::{State, assert_everything_equals, customer, manifest};
use malomo_mirror::mirror::RunLock;
use serde_json::Value;

/// Repairs, and returns the JSON result.
async fn repaired(case: &Case, code: i32) -> Value {
    let found = case.program.ends(code, &["export", "repair", "--json"]).await.json();
    assert_eq!(found["verified"]["ok"], true);
    case.differences(0).await;
    assert_everything_equals(&State::of_mirror(&case.place), &case.place);
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_whose_rows_are_all_known_comes_back_byte_for_byte() {
    let case = Case::new().await;
    let before = std::fs::read(case.on_disk("manifest.ndjson")).unwrap();
    // Customers of the first file were changed and deleted since: the mirror has kept their versions.
    let lost = case.file("events", "csv", 2);
    let damaged = case.file("customers", "ndjson", 0);
    let (of_lost, of_damaged) =
        (std::fs::read(case.on_disk(&lost)).unwrap(), std::fs::read(case.on_disk(&damaged)).unwrap());
    std::fs::remove_file(case.on_disk(&lost)).unwrap();
    std::fs::write(case.on_disk(&damaged), "x").unwrap();
    let found = repaired(&case, 0).await;
    for (n, path) in [(0, &damaged), (1, &lost)] {
        let file = &found["files"][n];
        assert_eq!(
            (&file["path"], &file["as_before"], &file["kept"]),
            (&path.as_str().into(), &true.into(), &Value::Null)
        );
    }
    assert_eq!(std::fs::read(case.on_disk(&lost)).unwrap(), of_lost);
    assert_eq!(std::fs::read(case.on_disk(&damaged)).unwrap(), of_damaged);
    assert_eq!(std::fs::read(case.on_disk("manifest.ndjson")).unwrap(), before);
    // There is nothing left to do.
    let contents = case.place.contents();
    let people = case.program.ends(0, &["export", "repair"]).await.stdout;
    assert!(people.contains("nothing"), "{people}");
    assert_eq!(case.place.contents(), contents);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_changed_since_is_left_out_and_a_replay_still_gives_the_mirror() {
    let case = Case::new().await;
    // Of customers, c-01 was changed and deleted since, c-02 changed; of events, those of c-01 were deleted.
    let customers = case.file("customers", "csv", 0);
    let events = case.file("events", "ndjson", 0);
    std::fs::remove_file(case.on_disk(&customers)).unwrap();
    case.edit(&events, |text| text.replace("c-09-e-1", "c-99-e-1"));
    let bad = std::fs::read(case.on_disk(&events)).unwrap();
    // And c-05 has changed without being exported yet: in this state nothing could stand for its old version.
    case.account.lock().put("c-05", customer("c-05", "Fourth", "2024-08-01T00:00:00Z"));
    let blocked = case.place.path().join("blocked");
    std::fs::write(&blocked, "").unwrap();
    case.program.clone().set(&format!("export.dir={}", blocked.display())).ends(1, &["sync"]).await;
    case.forget_history();

    let old: Vec<Value> = manifest(&case.place);
    let found = repaired(&case, 5).await;
    assert_eq!(found["exported"].as_array().unwrap().len(), 2);
    let (of_customers, of_events) = (&found["files"][0], &found["files"][1]);
    assert_eq!(
        (&of_customers["path"], &of_customers["left_out"], &of_customers["rows"]),
        (&customers.as_str().into(), &3.into(), &7.into())
    );
    assert_eq!(of_customers["kept"], Value::Null);
    assert_eq!(
        (&of_events["path"], &of_events["left_out"], &of_events["rows"]),
        (&events.as_str().into(), &2.into(), &18.into())
    );
    let kept = of_events["kept"].as_str().unwrap();
    assert_eq!(std::fs::read(case.on_disk(kept)).unwrap(), bad);
    // The manifest says so, and is one chain again; the lines before the first repaired one are what they were.
    let lines = manifest(&case.place);
    let text = std::fs::read_to_string(case.on_disk("manifest.ndjson")).unwrap();
    let mut previous = Value::Null;
    for (line, text) in lines.iter().zip(text.lines()) {
        assert_eq!(line["previous"], previous);
        previous = hex(text.as_bytes()).into();
        let repaired = [&customers, &events].iter().any(|path| line["path"] == path.as_str());
        assert_eq!(line["repaired_at"].is_string(), repaired);
        assert_eq!(line["left_out"].is_u64(), repaired);
    }
    let same =
        |n: usize| ["path", "sha256", "created_at"].iter().all(|name| lines[n][*name] == old[n][*name]);
    assert_eq!((0..12).filter(|n| !same(*n)).count(), 2);
    let people = case.program.ends(0, &["export", "verify"]).await.stdout;
    assert!(people.contains("older versions of 3 rows are gone"), "{people}");
    // Lines that claim a repair that never was are not believed.
    case.edit(&customers, |text| {
        let row = text.split_inclusive('\n').find(|row| row.contains("c-07")).unwrap().to_owned();
        text.replace(&row, "")
    });
    case.seal();
    case.finds(&customers, "missing").await;
    repaired(&case, 5).await;
    // Runs go on from there.
    case.account.lock().add("c-12", 1);
    case.program.ends(0, &["sync"]).await;
    case.differences(0).await;
    assert_everything_equals(&case.account.state(), &case.place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tampered_file_is_repaired_though_every_digest_fitted() {
    let case = Case::new().await;
    let path = case.file("customers", "csv", 2);
    let good = std::fs::read(case.on_disk(&path)).unwrap();
    case.edit(&path, |text| text.replace("c-11@example.com", "x-11@example.com"));
    case.seal();
    case.finds(&path, "not what the mirror holds: email").await;
    let found = repaired(&case, 0).await;
    assert_eq!((&found["files"][0]["as_before"], &found["files"][0]["left_out"]), (&false.into(), &0.into()));
    assert_eq!(std::fs::read(case.on_disk(&path)).unwrap(), good);
    // An edited digest is mended in the same way.
    case.edit_manifest(|lines| lines[11] = lines[11].replace("\"bytes\":", "\"bytes\":1"));
    repaired(&case, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_format_that_is_no_longer_exported_is_repaired_too() {
    let case = Case::new().await;
    let csv_alone = case.program.clone().set("export.formats=csv");
    case.account.lock().put("c-04", customer("c-04", "Fourth", "2024-08-01T00:00:00Z"));
    csv_alone.ends(0, &["sync"]).await;
    std::fs::remove_file(case.on_disk(&case.file("customers", "ndjson", 0))).unwrap();
    case.forget_history();
    let found = csv_alone.ends(5, &["export", "repair", "--json"]).await.json();
    assert_eq!(found["files"][0]["left_out"], 3);
    assert_eq!(found["exported"][0]["format"], "ndjson");
    case.differences(0).await;
    assert_everything_equals(&case.account.state(), &case.place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_snapshot_comes_back_as_far_as_it_is_known() {
    let case = Case::new().await;
    case.program.ends(0, &["export", "--snapshot"]).await;
    let path = |n: usize| {
        let text = std::fs::read_to_string(case.on_disk("snapshots/manifest.ndjson")).unwrap();
        let line: Value = serde_json::from_str(text.lines().nth(n).unwrap()).unwrap();
        format!("snapshots/{}", line["path"].as_str().unwrap())
    };
    std::fs::remove_file(case.on_disk(&path(0))).unwrap();
    repaired(&case, 0).await;
    case.account.lock().put("c-04", customer("c-04", "Fourth", "2024-08-01T00:00:00Z"));
    case.program.ends(0, &["sync"]).await;
    std::fs::write(case.on_disk(&path(0)), "{}").unwrap();
    repaired(&case, 0).await;
    case.forget_history();
    std::fs::write(case.on_disk(&path(1)), "{}").unwrap();
    let found = repaired(&case, 5).await;
    assert_eq!((&found["files"][0]["left_out"], &found["files"][0]["rows"]), (&1.into(), &9.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_manifest_is_refused_and_left_alone() {
    let case = Case::new().await;
    case.edit_manifest(|lines| lines[3] = lines[3].replace("\"run_id\":1", "\"run_id\":2"));
    std::fs::remove_file(case.on_disk(&case.file("events", "csv", 0))).unwrap();
    let before = std::fs::read(case.on_disk("manifest.ndjson")).unwrap();
    let ran = case.program.ends(1, &["export", "repair"]).await;
    ran.tells(&["manifest.ndjson line 5", "backup", "export.dir to a new folder"]);
    assert_eq!(std::fs::read(case.on_disk("manifest.ndjson")).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repair_waits_for_nobody() {
    let case = Case::new().await;
    let _lock = RunLock::acquire(&case.place.mirror(), "test", jiff::Timestamp::now()).unwrap();
    case.program.ends(4, &["export", "repair"]).await.tells(&["another run holds this mirror"]);
}
