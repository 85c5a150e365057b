//! What programs that read the exports rely on: files that every one of them takes, keys on deletes, a manifest that is always
//! there, positions of each folder's own, and consumers who wait for nobody.

use crate::support::{Account, Place, World, assert_everything_equals, customer, event, manifest, replay};
use rusqlite::Connection;
use serde_json::Value;

/// Two customers and an event with values that one reader or another refuses, and one of each that are only odd.
fn odd_account() -> Account {
    let mut account = Account::of(1, 1, 5);
    let with = |record: String, members: &str| format!("{},{members}}}", record.strip_suffix('}').unwrap());
    let person = customer("c-02", "nul\0 and \u{7} and \u{2028}", "2024-05-01T12:00:00Z");
    let extra = r#""huge":1e400,"big":12345678901234567890,"price":12.30,"deep":[{"low":-1e400}]"#;
    account.customers.push(("c-02".to_owned(), with(person, extra)));
    let properties = r#""properties":{"half":"\ud83d","\ude00":["x\u0000y",123456789012345678901234567890],"😀":"\ud83d\ude00"}"#;
    let record =
        event("e-odd", "2024-05-01T12:00:00Z").replace(r#""properties":{"order":"e-odd"}"#, properties);
    account.events.insert("c-02".to_owned(), vec![record]);
    account
}

fn line(place: &Place, stream: &str, format: &str, n: usize) -> Value {
    let lines = manifest(place);
    lines.into_iter().filter(|line| line["stream"] == stream && line["format"] == format).nth(n).unwrap()
}

fn content(place: &Place, line: &Value) -> String {
    std::fs::read_to_string(place.exports().join(line["path"].as_str().unwrap())).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_readers_refuse_is_made_readable_and_counted_and_the_mirror_keeps_it() {
    let World { account, server: _server, place, program } = World::of(odd_account()).await;
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
    let extra = r#"{"huge":"1e400","big":12345678901234567890,"price":12.30,"deep":[{"low":"-1e400"}]}"#;
    let properties =
        r#"{"half":"\ufffd","\ufffd":["xy","123456789012345678901234567890"],"😀":"\ud83d\ude00"}"#;
    for (stream, rewritten, json) in [("customers", 2, extra), ("events", 1, properties)] {
        for format in ["csv", "ndjson"] {
            let line = line(&place, stream, format, 0);
            assert_eq!((&line["rewritten"], &line["layout"]), (&rewritten.into(), &2.into()), "{line}");
            let found = content(&place, &line);
            assert!(!found.contains('\0') && !found.contains(r"\u0000"), "{found}");
            let json = if format == "csv" { json.replace('"', "\"\"") } else { json.to_owned() };
            assert!(found.contains(&json), "{json}: {found}");
        }
    }
    // In the mirror every byte is what the API gave.
    assert!(place.text("SELECT extra FROM customers WHERE id = 'c-02'").contains(r#""huge":1e400"#));
    assert!(place.text("SELECT properties FROM events WHERE id = 'e-odd'").contains(r#""half":"\ud83d""#));

    // What was written exactly is read so, and beside it what was not, by verification and repair.
    let exact = program.clone().set("export.exact=true");
    account.lock().add("c-\0three", 1);
    exact.ends(0, &["sync", "--full"]).await;
    exact.ends(0, &["export", "--snapshot"]).await;
    program.ends(0, &["export", "--snapshot"]).await;
    let as_given = line(&place, "customers", "ndjson", 1);
    assert_eq!(as_given.get("rewritten"), None);
    assert!(content(&place, &as_given).contains(r#""id":"c-\u0000three""#));
    assert!(content(&place, &line(&place, "customers", "csv", 1)).contains("c-\0three"));
    for program in [&program, &exact] {
        program.ends(0, &["export", "verify"]).await;
        for path in manifest(&place).iter().map(|line| place.exports().join(line["path"].as_str().unwrap())) {
            let good = std::fs::read(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            program.ends(0, &["export", "repair"]).await;
            assert_eq!(std::fs::read(&path).unwrap(), good, "{}", path.display());
        }
    }
    // A value that was made something else is found.
    let path = place.exports().join(line(&place, "events", "ndjson", 0)["path"].as_str().unwrap());
    let good = std::fs::read_to_string(&path).unwrap();
    let (whole, quoted) = ("123456789012345678901234567890", r#""123456789012345678901234567890""#);
    for (from, to) in [(r#"["xy","#, r#"["x","#), (r"\ufffd", r"\ud83d"), (quoted, whole)] {
        std::fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let found = program.ends(1, &["export", "verify"]).await.stdout;
        assert!(found.contains("not what the mirror holds: properties"), "{from}: {found}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_spreadsheets_there_is_a_mark_that_verification_and_repair_know() {
    let World { account, server: _server, place, program: plain } = World::of(Account::of(2, 1, 5)).await;
    let marked = plain.clone().set("export.csv_bom=true").set("export.csv_formula_guard=true");
    marked.ends(0, &["sync", "--full"]).await;
    let (csv, ndjson) = (line(&place, "customers", "csv", 0), line(&place, "customers", "ndjson", 0));
    assert_eq!((&csv["csv_bom"], ndjson.get("csv_bom")), (&true.into(), None));
    let good = content(&place, &csv);
    assert!(good.starts_with("\u{feff}\"_seq\",\"_op\",\"_observed_at\",\"id\",\"email\","), "{good}");
    assert!(content(&place, &ndjson).starts_with('{'));
    plain.ends(0, &["export", "verify"]).await;
    assert_everything_equals(&account.state(), &place);
    let path = place.exports().join(csv["path"].as_str().unwrap());
    std::fs::write(&path, good.trim_start_matches('\u{feff}')).unwrap();
    let found = plain.ends(1, &["export", "verify"]).await.stdout;
    assert!(found.contains("the header line is another one"), "{found}");
    plain.ends(0, &["export", "repair"]).await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), good);
    // Without the mark the header is quoted all the same.
    account.lock().add("c-03", 1);
    plain.ends(0, &["sync"]).await;
    assert!(content(&place, &line(&place, "events", "csv", 1)).starts_with("\"_seq\",\"_op\","));
    plain.ends(0, &["export", "verify"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_carries_its_keys_and_nothing_else_of_the_person() {
    let World { account, server: _server, place, program } = World::of(Account::of(3, 2, 5)).await;
    program.ends(0, &["sync", "--full"]).await;
    account.lock().remove("c-02");
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
    let lines = content(&place, &line(&place, "events", "ndjson", 1));
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let members: Vec<&str> = first.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members.len(), line(&place, "events", "ndjson", 1)["columns"].as_array().unwrap().len());
    let given: Vec<&str> =
        members.into_iter().filter(|name| !name.starts_with('_') && !first[*name].is_null()).collect();
    assert_eq!((given, &first["customer_id"]), (vec!["customer_id", "id"], &"c-02".into()));
    let rows = content(&place, &line(&place, "events", "csv", 1));
    assert!(rows.lines().nth(1).unwrap().ends_with(",c-02-e-1,c-02,,,,,,,,"), "{rows}");
    let rows = content(&place, &line(&place, "customers", "csv", 1));
    assert!(rows.lines().nth(1).unwrap().ends_with(",c-02,,,,,,,"), "{rows}");
    assert_eq!(place.number("SELECT count(*) FROM changes WHERE customer_id IS NOT NULL"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_is_there_from_the_first_export_on_though_there_was_nothing_to_write() {
    let World { account, server: _server, place, program } =
        World::of(Account { page_size: 5, ..Account::default() }).await;
    program.ends(0, &["sync", "--full"]).await;
    assert_eq!(std::fs::read(place.exports().join("manifest.ndjson")).unwrap(), b"");
    program.ends(0, &["export", "verify"]).await;
    account.lock().add("c-01", 1);
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&account.state(), &place);
    program.ends(0, &["export", "verify"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_to_another_folder_changes_nothing_for_the_first_one() {
    let World { account, server: _server, place, program } = World::of(Account::of(3, 1, 5)).await;
    let to = |name: &str| program.clone().set(&format!("export.dir={}", place.path().join(name).display()));
    program.ends(0, &["sync", "--full"]).await;
    // A change that only the other folder gets for now.
    account.lock().put("c-01", customer("c-01", "Second", "2024-06-01T00:00:00Z"));
    std::fs::write(place.path().join("blocked"), "").unwrap();
    to("blocked").ends(1, &["sync"]).await;
    let told = async || {
        let mut status = program.ends(0, &["status", "--json"]).await.json();
        let verified = program.ends(0, &["export", "verify", "--json"]).await.json();
        (status["exports"].take(), status["export_lag"].take(), verified)
    };
    let before = told().await;
    assert_eq!(before.1.as_array().unwrap().len(), 2, "{}", before.1);
    to("elsewhere").ends(0, &["export"]).await;
    to("elsewhere").ends(0, &["export", "--snapshot"]).await;
    to("elsewhere").ends(0, &["export", "acknowledge", "--through", "7"]).await;
    assert_eq!(told().await, before);
    let elsewhere = to("elsewhere").ends(0, &["status", "--json"]).await.json();
    assert_eq!(
        (&elsewhere["export_lag"], &elsewhere["exports"][0]["last_seq"]),
        (&Value::Array(vec![]), &7.into())
    );
    to("elsewhere").ends(0, &["export", "verify"]).await;
    // The first folder goes on where it was.
    program.ends(0, &["export"]).await;
    assert_eq!(line(&place, "customers", "csv", 1)["first_seq"], 7);
    assert_everything_equals(&account.state(), &place);
    let old = program.clone().set("export.max_age=1ms").ends(0, &["export", "--json"]).await.json();
    assert_eq!(old["pruned"], Value::Array(vec![]), "nobody acknowledged these");
}

/// A run may hold its transaction for long; whoever acknowledges neither waits for it nor fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledging_waits_for_no_run_and_two_at_once_lose_nothing() {
    let World { server: _server, place, program, .. } = World::of(Account::of(3, 1, 5)).await;
    program.ends(0, &["sync", "--full"]).await;
    let run = Connection::open(place.mirror()).unwrap();
    run.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let note = |stream: &'static str, through: &'static str| {
        program.start(&["export", "acknowledge", "--through", through, "--stream", stream])
    };
    let all = [note("customers", "3"), note("events", "5"), note("customers", "2"), note("events", "6")];
    for one in all {
        one.end().await.expect(0);
    }
    run.execute_batch("ROLLBACK").unwrap();
    let noted = std::fs::read_to_string(place.exports().join("acknowledged.json")).unwrap();
    let noted: Vec<Value> = serde_json::from_str(&noted).unwrap();
    for (stream, through) in [("customers", 3), ("events", 6)] {
        let of_stream: Vec<&Value> = noted.iter().filter(|one| one["stream"] == stream).collect();
        let formats = if cfg!(feature = "lake") { 3 } else { 2 };
        assert!(
            of_stream.len() == formats && of_stream.iter().all(|one| one["through"] == through),
            "{noted:?}"
        );
    }
    program
        .ends(2, &["export", "acknowledge", "--through", "99"])
        .await
        .tells(&["exports go from change 1 to 6"]);
    assert_eq!(replay(&place, "csv").customers.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_may_be_moved_and_one_that_lost_its_files_is_told_so() {
    let World { account, server: _server, place, program } = World::of(Account::of(3, 1, 5)).await;
    program.ends(0, &["sync"]).await;
    let moved = place.path().join("moved");
    std::fs::rename(place.exports(), &moved).unwrap();
    account.lock().add("c-new", 1);
    let elsewhere = program.clone().set(&format!("export.dir={}", moved.display()));
    elsewhere.ends(0, &["sync"]).await.shows(&["customers-000000000007-000000000008.csv (1 row)"]);
    elsewhere.ends(0, &["export", "verify"]).await;
    // Under its old name there is nothing left of it, as where a disk isn't mounted.
    let note = "note       changes 1 to 6 had been exported to this folder and were no longer there";
    program.ends(0, &["export"]).await.shows(&["customers-000000000001-000000000008.csv (4 rows)", note]);
    program.ends(0, &["export", "verify"]).await;
    assert_everything_equals(&account.state(), &place);
    std::fs::remove_dir_all(place.exports()).unwrap();
    let exported = program.ends(0, &["export", "--json"]).await.json();
    assert_eq!(exported["again"], serde_json::json!({"first_seq": 1, "last_seq": 8}));
    let exported = program.ends(0, &["export", "--json"]).await.json();
    assert_eq!(exported["again"], Value::Null);
}
