//! Old files go when they were acknowledged or a snapshot stands for them, and verification knows that from a loss.

use super::case::Case;
use crate::support::{assert_no_strays, customer, manifest};
use malomo_mirror::mirror::RunLock;
use serde_json::Value;
use std::collections::BTreeSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_files_are_removed_when_nobody_needs_them_any_more() {
    let case = Case::new().await;
    let program = case.program.clone().set("export.max_age=1ms");
    let first: Vec<String> =
        manifest(&case.place).iter().map(|line| line["path"].as_str().unwrap().to_owned()).collect();
    // Nobody has them otherwise.
    program.ends(0, &["export"]).await;
    assert_eq!(manifest(&case.place).len(), 12);
    // Nothing can be acknowledged that was not exported, and nobody else's words.
    program
        .ends(2, &["export", "acknowledge", "--through", "99999"])
        .await
        .tells(&["exports go from change 1 to"]);
    program
        .ends(2, &["export", "acknowledge", "--through", "1", "--stream", "orders"])
        .await
        .tells(&["customers"]);
    program.ends(2, &["export", "acknowledge"]).await.tells(&["--through"]);
    let through = manifest(&case.place)[3]["last_seq"].to_string();
    // A consumer waits for no run.
    let lock = RunLock::acquire(&case.place.mirror(), "test", jiff::Timestamp::now()).unwrap();
    let acknowledged =
        program.ends(0, &["export", "acknowledge", "--through", &through, "--json"]).await.json();
    drop(lock);
    assert_eq!(
        (acknowledged.as_array().unwrap().len(), acknowledged[0]["through"].to_string()),
        (4, through)
    );
    let exported = program.ends(0, &["export", "--json"]).await.json();
    assert_eq!(exported["pruned"].as_array().unwrap().len(), 4);
    assert_eq!(manifest(&case.place).len(), 8);
    assert_no_strays(&case.place);
    let found = case.program.ends(0, &["export", "verify", "--json"]).await.json();
    assert_eq!(
        (found["ranges"][0]["files"].as_u64(), found["remarks"].as_array().unwrap().len()),
        (Some(2), 4)
    );
    // A snapshot stands for everything before it; the newest files stay, and a run after it removes too.
    case.program.ends(0, &["export", "--snapshot"]).await;
    case.account.lock().put("c-03", customer("c-03", "Fourth", "2024-08-01T00:00:00Z"));
    let ran = program.ends(0, &["sync"]).await;
    assert!(ran.stdout.contains("older than export.max_age"), "{}", ran.stdout);
    let left: Vec<Value> = manifest(&case.place);
    assert_eq!(left.len(), 4, "{left:#?}");
    assert!(first[..8].iter().all(|path| !case.on_disk(path).exists()));
    assert_no_strays(&case.place);
    let found = case.program.ends(0, &["export", "verify", "--json"]).await.json();
    assert!(found["ranges"].as_array().unwrap().iter().all(|range| range["base"].is_string()), "{found:#}");
    assert_eq!(found["remarks"], Value::Array(vec![]));
    // A snapshot and the files behind it are the mirror.
    assert_eq!(replay_on_snapshot(&case, "ndjson"), case.account.state().customers.len());
    // What is removed from the front by anybody else is found.
    case.edit_manifest(|lines| drop(lines.remove(0)));
    case.finds("manifest.ndjson", "first lines were lost").await;
    case.program.ends(1, &["export"]).await.tells(&["first lines", "new folder"]);
}

/// How many customers a consumer has who loads the snapshot and then the files with later changes.
fn replay_on_snapshot(case: &Case, format: &str) -> usize {
    let read = |path: &str| std::fs::read_to_string(case.on_disk(path)).unwrap();
    let of_format = |line: &Value| line["stream"] == "customers" && line["format"] == format;
    let snapshots = read("snapshots/manifest.ndjson");
    let mut snapshots = snapshots.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let snapshot = snapshots.rfind(of_format).unwrap();
    let base = read(&format!("snapshots/{}", snapshot["path"].as_str().unwrap()));
    let files = manifest(&case.place).into_iter().filter(of_format);
    let later: String = files.map(|line| read(line["path"].as_str().unwrap())).collect();
    let mut ids = BTreeSet::new();
    for row in base.lines().chain(later.lines()) {
        let row: Value = serde_json::from_str(row).unwrap();
        let id = row["id"].as_str().unwrap().to_owned();
        if row["_op"] == "delete" {
            ids.remove(&id)
        } else {
            ids.insert(id)
        };
    }
    ids.len()
}
