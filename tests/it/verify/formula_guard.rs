//! Text that a spreadsheet would take for a formula is written with a guard, and verified and repaired as what it was.

use crate::support::{Account, World, assert_everything_equals, customer, manifest};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guarded_text_is_no_formula_and_is_verified_and_repaired_as_what_it_was() {
    let World { account, server: _server, place, program: unguarded } = World::of(Account::of(3, 1, 5)).await;
    let formulas = ["=HYPERLINK(\"x\",\"y\")", "+49 30 1", "-1", "@x", "\t=1", "'=1", "plain"];
    for (n, formula) in formulas.iter().enumerate() {
        let id = format!("f-{n}");
        let record = customer(&id, "x", "2024-05-01T12:00:00Z");
        let mut record: Value = serde_json::from_str(&record).unwrap();
        record["first_name"] = (*formula).into();
        account.lock().customers.push((id, record.to_string()));
    }
    let program = unguarded.clone().set("export.csv_formula_guard=true");
    unguarded.ends(0, &["sync", "--full"]).await;
    account.lock().put("f-0", account_record("f-0", "=1"));
    account.lock().put("f-1", account_record("f-1", "'"));
    program.ends(0, &["sync"]).await;
    // A snapshot of the same state in the other form takes the place of the first.
    unguarded.ends(0, &["export", "--snapshot"]).await;
    program.ends(0, &["export", "--snapshot"]).await;
    program.ends(0, &["export", "verify"]).await;
    assert_everything_equals(&account.state(), &place);
    let guarded = |line: &&Value| line["csv_formula_guard"] == true;
    let lines = manifest(&place);
    let path = lines.iter().find(guarded).unwrap()["path"].as_str().unwrap().to_owned();
    assert_eq!(
        lines.iter().filter(guarded).count(),
        1,
        "NDJSON is not guarded, and files stay as they were written"
    );
    let good = std::fs::read_to_string(place.exports().join(&path)).unwrap();
    assert!(good.contains(",'=1,") && good.contains(",'',"), "{good}");
    for (edited, what) in [
        (good.replace(",'=1,", ",=1,"), "first_name is not guarded"),
        (good.replace(",'=1,", ",'=2,"), "not what the mirror holds: first_name"),
    ] {
        std::fs::write(place.exports().join(&path), edited).unwrap();
        let found = program.ends(1, &["export", "verify"]).await.stdout;
        assert!(found.contains(what), "{found}");
        // The form is the line's, not today's configuration's.
        unguarded.ends(0, &["export", "repair"]).await;
        assert_eq!(std::fs::read_to_string(place.exports().join(&path)).unwrap(), good);
    }
    let text = std::fs::read_to_string(place.exports().join("snapshots/manifest.ndjson")).unwrap();
    assert_eq!(
        (text.lines().count(), text.lines().filter(|line| line.contains("csv_formula_guard")).count()),
        (6, 2)
    );
}

fn account_record(id: &str, first_name: &str) -> String {
    customer(id, first_name, "2024-06-01T00:00:00Z")
}
