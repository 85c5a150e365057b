//! What was done to an export folder is found: to its files, its manifest, its rows, and to the mirror behind it. A good
//! folder of any form is found good.

use super::case::Case;
use crate::support::{Account, Place, customer, manifest, sandbox};
use malomo_mirror::mirror::RunLock;
use malomo_mirror::sandbox::{CustomerField, CustomerFields, Settings, World};
use serde_json::Value;

fn change(world: &World, name: &str) {
    let ids = world.customer_ids();
    for id in &ids[..8] {
        world.update_customer(id, CustomerFields::default().set(CustomerField::FirstName, name));
        world.add_event(id).unwrap();
    }
    world.delete_customer(&ids[8]);
    world.create_customer(CustomerFields::default().set(CustomerField::LastName, name));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_folder_of_every_form_is_found_good() {
    let sandbox =
        sandbox(Settings { customers: 40, page_size: 10, awkward: true, ..Settings::default() }).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url());
    let nothing = program.ends(1, &["export", "verify"]).await;
    nothing.tells(&["there is no mirror"]);
    for (n, compression) in ["none", "gzip", "zstd"].into_iter().enumerate() {
        let program = program.clone().set(&format!("export.compression={compression}"));
        program.ends(0, &["sync", "--full"]).await;
        program.ends(0, &["export", "--snapshot"]).await;
        change(&sandbox.world(), &format!("Name {n}"));
    }
    program.ends(0, &["sync", "--full"]).await;
    // Another process holds the mirror, as the daemon does while it runs.
    let lock = RunLock::acquire(&place.mirror(), "test", jiff::Timestamp::now()).unwrap();
    let found = program.ends(0, &["export", "verify", "--json"]).await.json();
    program.ends(4, &["export"]).await;
    drop(lock);
    assert_eq!(
        (&found["ok"], &found["differences"], &found["remarks"]),
        (&true.into(), &Value::Array(vec![]), &Value::Array(vec![]))
    );
    let ranges = found["ranges"].as_array().unwrap();
    assert_eq!(ranges.len(), 4);
    for range in ranges {
        assert_eq!(
            (&range["first_seq"], &range["files"], &range["last_seq"]),
            (&1.into(), &4.into(), &found["head_seq"])
        );
    }
    assert_eq!(found["snapshots"].as_array().unwrap().len(), 12);
    let rows: i64 = manifest(&place).iter().map(|line| line["rows"].as_i64().unwrap()).sum();
    let in_ranges: i64 = ranges.iter().map(|range| range["rows"].as_i64().unwrap()).sum();
    assert_eq!(rows, in_ranges);
    let people = program.ends(0, &["export", "verify"]).await.stdout;
    assert!(people.contains("changes 1 to") && people.contains("4 files"), "{people}");
    // Changes that are not exported yet are no difference, and neither is a stray, which is told.
    change(&sandbox.world(), "Unexported");
    let elsewhere = program.clone().set(&format!("export.dir={}", place.path().join("elsewhere").display()));
    std::fs::write(place.exports().join("events/events-000000000900-000000000999.csv"), "half").unwrap();
    let noted = "SELECT sum(reached ->> '$.end.lines') FROM export_folders";
    assert_eq!(place.number(noted) as usize, manifest(&place).len() + 12);
    let people = program.ends(0, &["export", "verify"]).await.stdout;
    assert!(people.contains("events-000000000900-000000000999.csv stands in no manifest"), "{people}");
    // An empty folder is not the one that the mirror exported to.
    let told = elsewhere.ends(1, &["export", "verify"]).await.stdout;
    assert!(told.contains("export.dir, or the url of the destination, was changed"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_changed_after_the_export_are_judged_by_the_log() {
    let case = Case::new().await;
    case.account.lock().put("c-05", customer("c-05", "Fourth", "2024-08-01T00:00:00Z"));
    // A run whose export fails: something stands in the folder's place.
    let blocked = case.place.path().join("blocked");
    std::fs::write(&blocked, "").unwrap();
    case.program.clone().set(&format!("export.dir={}", blocked.display())).ends(1, &["sync"]).await;
    let found = case.program.ends(0, &["export", "verify", "--json"]).await.json();
    assert!(found["head_seq"].as_i64() > found["ranges"][0]["last_seq"].as_i64(), "{found}");
    assert_eq!(case.differences(0).await, Vec::<Value>::new());
    // Its old values are nobody's knowledge any more, but its change is.
    let path = case.file("customers", "ndjson", 0);
    case.edit(&path, |text| text.replace("\"id\":\"c-05\"", "\"id\":\"c-99\""));
    case.seal();
    let found = case.finds(&path, "id").await;
    assert_eq!((&found["id"], found["row"].as_u64()), (&"c-05".into(), Some(5)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_files_are_found() {
    for (stream, format) in [("customers", "csv"), ("events", "ndjson")] {
        let case = Case::new().await;
        let path = case.file(stream, format, 0);
        let good = std::fs::read(case.on_disk(&path)).unwrap();
        // A flipped byte, anywhere.
        for at in [0, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(case.on_disk(&path), bad).unwrap();
            case.finds(&path, "SHA-256").await;
        }
        std::fs::write(case.on_disk(&path), &good[..good.len() - 5]).unwrap();
        case.finds(&path, "bytes").await;
        case.finds(&path, "no end").await;
        std::fs::remove_file(case.on_disk(&path)).unwrap();
        case.finds(&path, "it is gone").await;
        std::fs::write(case.on_disk(&path), &good).unwrap();
        case.differences(0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_compressed_files_are_found() {
    let account = Account::of(30, 3, 10).shared();
    let server = account.serve().await;
    for compression in ["gzip", "zstd"] {
        let place = Place::new();
        let program = place.program(&server.base_url()).set(&format!("export.compression={compression}"));
        program.ends(0, &["sync", "--full"]).await;
        let path = manifest(&place)[2]["path"].as_str().unwrap().to_owned();
        let good = std::fs::read(place.exports().join(&path)).unwrap();
        for bad in [good[..good.len() / 2].to_vec(), [&good[..100], &[0; 8], &good[108..]].concat()] {
            std::fs::write(place.exports().join(&path), bad).unwrap();
            let found = program.ends(1, &["export", "verify"]).await.stdout;
            assert!(found.contains(&path) && found.contains("SHA-256"), "{found}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_manifest_is_found_with_the_line() {
    let case = Case::new().await;
    let good = std::fs::read(case.on_disk("manifest.ndjson")).unwrap();
    let restore = || std::fs::write(case.on_disk("manifest.ndjson"), &good).unwrap();
    // Edited, and nothing computed anew: the line behind it isn't tied to it any more.
    case.edit_manifest(|lines| lines[3] = lines[3].replace("\"rows\":", "\"rows\":1"));
    assert_eq!(case.lines().await, [5]);
    restore();
    // Only a field that nobody else knows.
    case.edit_manifest(|lines| lines[3] = lines[3].replace("\"run_id\":1", "\"run_id\":2"));
    assert_eq!(case.lines().await, [5]);
    restore();
    // The last line has nobody behind it, but the mirror remembers it.
    for (field, other) in [("\"bytes\":", "\"bytes\":1"), ("\"run_id\":3", "\"run_id\":2")] {
        case.edit_manifest(|lines| lines[11] = lines[11].replace(field, other));
        assert_eq!(case.lines().await, [12]);
        case.program.ends(1, &["export"]).await.tells(&["was edited", "backup", "new folder"]);
        restore();
    }
    // Lost, at the front, in the middle, at the end.
    for (n, objected) in [(0, 1), (6, 7)] {
        case.edit_manifest(|lines| drop(lines.remove(n)));
        assert_eq!(case.lines().await[0], objected);
        restore();
    }
    case.edit_manifest(|lines| lines.truncate(10));
    let found = case.differences(1).await;
    assert_eq!(found.len(), 2, "{found:#?}");
    case.finds("manifest.ndjson", "no longer names").await;
    case.program.ends(1, &["export"]).await.tells(&["lost lines", "restore the manifest"]);
    restore();
    // A last line that lacks only its end is one all the same.
    case.edit("manifest.ndjson", |text| text.trim_end().to_owned());
    case.differences(0).await;
    restore();
    case.edit_manifest(|lines| lines.swap(4, 8));
    assert_eq!(case.lines().await[0], 5);
    restore();
    // A line that was there already, once more.
    case.edit_manifest(|lines| lines.insert(5, lines[1].clone()));
    assert!(case.lines().await.contains(&6));
    restore();
    case.edit_manifest(|lines| lines[6].truncate(50));
    case.finds("manifest.ndjson", "can't be read").await;
    restore();
    std::fs::remove_file(case.on_disk("manifest.ndjson")).unwrap();
    case.finds("manifest.ndjson", "gone or empty").await;
    restore();
    case.differences(0).await;
}

/// Every digest was computed anew, in the manifest and in what the mirror remembers: only the rows themselves tell.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_were_tampered_with_are_found_though_every_digest_fits() {
    let case = Case::new().await;
    case.seal();
    case.differences(0).await;
    for format in ["csv", "ndjson"] {
        let path = case.file("customers", format, 0);
        let good = std::fs::read_to_string(case.on_disk(&path)).unwrap();
        let header = usize::from(format == "csv");
        // The rows of c-06 (whose content is the mirror's to this day) and of c-07.
        let lines: Vec<&str> = good.split_inclusive('\n').collect();
        let (sixth, seventh) = (lines[header + 5], lines[header + 6]);
        let with_seq = |line: &str, seq: &str| match format {
            "csv" => format!("{seq},{}", line.split_once(',').unwrap().1),
            _ => line.replacen(&line[..line.find(',').unwrap()], &format!("{{\"_seq\":{seq}"), 1),
        };
        assert!(sixth.contains("c-06") && seventh.contains("c-07"));
        let seq = |line: &str| -> String {
            let digits = line.trim_start_matches("{\"_seq\":");
            digits.chars().take_while(char::is_ascii_digit).collect()
        };
        for (edited, row, what) in [
            // A row removed, doubled, with the number of another, moved.
            (good.replace(sixth, ""), None, "missing"),
            (good.replace(sixth, &sixth.repeat(2)), Some(7), "stands twice"),
            (good.replace(seventh, &with_seq(seventh, &seq(sixth))), Some(7), "stands twice"),
            (good.replace(sixth, &with_seq(sixth, "999999")), Some(6), "outside the file's range"),
            (
                good.replace(&format!("{sixth}{seventh}"), &format!("{seventh}{sixth}")),
                Some(7),
                "does not rise",
            ),
            // A value, an operation, a time, an identifier.
            (
                good.replace("c-06@example.com", "x-06@example.com"),
                Some(6),
                "not what the mirror holds: email",
            ),
            (good.replace(sixth, &sixth.replace("insert", "update")), Some(6), "the change log says: _op"),
            (good.replace(sixth, &sixth.replace("insert", "delete")), Some(6), ""),
            (good.replace(sixth, &sixth.replacen("T", "S", 1)), Some(6), "the change log says: _observed_at"),
        ] {
            assert_ne!(edited, good, "{what}");
            std::fs::write(case.on_disk(&path), edited).unwrap();
            case.seal();
            let found = case.finds(&path, what).await;
            assert_eq!(found["row"].as_u64(), row, "{what}: {found}");
        }
        std::fs::write(case.on_disk(&path), good).unwrap();
        case.seal();
        case.differences(0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_that_contradicts_itself_is_found() {
    let case = Case::new().await;
    let mirror = rusqlite::Connection::open(case.place.mirror()).unwrap();
    for (sql, what) in [
        ("UPDATE customers SET email = 'x' WHERE id = 'c-05'", "not what the mirror holds: email"),
        ("DELETE FROM events WHERE id = 'c-05-e-1'", "the mirror lacks the record"),
        ("UPDATE customers_superseded SET email = 'x' WHERE id = 'c-01'", "not what the mirror holds: email"),
        ("UPDATE events SET timestamp = 5 WHERE id = 'c-06-e-1'", "not what the mirror holds: timestamp"),
    ] {
        mirror.execute_batch(&format!("SAVEPOINT test; {sql}; RELEASE test")).unwrap();
        let found = case.differences(1).await;
        assert!(
            found.iter().any(|found| found["what"].as_str().unwrap().contains(what)),
            "{what}: {found:#?}"
        );
    }
    // A row that no change brought.
    let case = Case::new().await;
    let mirror = rusqlite::Connection::open(case.place.mirror()).unwrap();
    mirror.execute("INSERT INTO customers (id, change_seq) VALUES ('stray', 3)", []).unwrap();
    let found = case.differences(1).await;
    let is_stray = |found: &Value| found["id"] == "stray" && found["what"] == "the change is missing";
    assert!(found.iter().any(is_stray), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn snapshots_are_verified_too() {
    let case = Case::new().await;
    case.program.ends(0, &["export", "--snapshot"]).await;
    case.account.lock().put("c-03", customer("c-03", "Fourth", "2024-08-01T00:00:00Z"));
    case.program.ends(0, &["sync"]).await;
    case.differences(0).await;
    let root = case.place.exports().join("snapshots");
    let text = std::fs::read_to_string(root.join("manifest.ndjson")).unwrap();
    let line: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let path = format!("snapshots/{}", line["path"].as_str().unwrap());
    let good = std::fs::read_to_string(case.on_disk(&path)).unwrap();
    let of_c06 = good.split_inclusive('\n').find(|row| row.contains("c-06")).unwrap();
    for (edited, what) in [
        (good.replace(of_c06, ""), "missing"),
        (good.replace(of_c06, &of_c06.repeat(2)), "stands twice"),
        (good.replace("c-06@example.com", "x-06@example.com"), "not what the mirror holds: email"),
        (good.replace(of_c06, &of_c06.replace("insert", "update")), "the change log says: _op"),
    ] {
        assert_ne!(edited, good);
        std::fs::write(case.on_disk(&path), edited).unwrap();
        case.finds(&path, what).await;
    }
    std::fs::remove_file(case.on_disk(&path)).unwrap();
    case.finds(&path, "it is gone").await;
    std::fs::write(case.on_disk(&path), good).unwrap();
    std::fs::write(root.join("manifest.ndjson"), text.replacen("\"rows\":", "\"rows\":1", 1)).unwrap();
    case.finds("snapshots/manifest.ndjson", "not tied to line 1").await;
}
