//! `export verify` finds what was done to an export folder, `export repair` mends what can be mended.

use crate::support::{
    Account, Place, Program, Server, Shared, State, assert_everything_equals, assert_no_strays, customer,
    manifest, sandbox,
};
use malomo_mirror::mirror::RunLock;
use malomo_mirror::sandbox::{CustomerField, CustomerFields, Settings, World};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// A mirror with three exports of a small account, so that each stream has three files in each format. In the second
/// one `c-01` is changed, in the third one deleted, along with `c-02`'s change and a new `c-11`.
struct Case {
    place: Place,
    program: Program,
    account: Shared,
    _server: Server,
}

impl Case {
    async fn new() -> Case {
        let account = Account::of(10, 2, 5).shared();
        let server = account.serve().await;
        let place = Place::new();
        let program = place.program(&server.base_url());
        program.ends(0, &["sync", "--full"]).await;
        {
            let mut account = account.lock();
            account.put("c-01", customer("c-01", "Second", "2024-06-01T00:00:00Z"));
            account.add_event("c-01", "c-01-e-new");
        }
        program.ends(0, &["sync"]).await;
        {
            let mut account = account.lock();
            account.remove("c-01");
            account.put("c-02", customer("c-02", "Third", "2024-07-01T00:00:00Z"));
            account.add("c-11", 1);
        }
        program.ends(0, &["sync"]).await;
        let case = Case { place, program, account, _server: server };
        assert_eq!(manifest(&case.place).len(), 12);
        case
    }

    /// From now on the mirror knows current versions only, as after a pruning.
    fn forget_history(&self) {
        let mirror = rusqlite::Connection::open(self.place.mirror()).unwrap();
        let forget = "DELETE FROM customers_superseded; DELETE FROM events_superseded; UPDATE history_reach SET from_seq = \
                      (SELECT seq FROM changes ORDER BY seq DESC LIMIT 1)";
        mirror.execute_batch(forget).unwrap();
    }

    /// The path of the n-th file, counted from 0, of a stream and format.
    fn file(&self, stream: &str, format: &str, n: usize) -> String {
        let lines = manifest(&self.place);
        let mut paths = lines.iter().filter(|line| line["stream"] == stream && line["format"] == format);
        paths.nth(n).unwrap()["path"].as_str().unwrap().to_owned()
    }

    fn on_disk(&self, path: &str) -> PathBuf {
        self.place.exports().join(path)
    }

    fn edit(&self, path: &str, edit: impl FnOnce(String) -> String) {
        let before = std::fs::read_to_string(self.on_disk(path)).unwrap();
        let after = edit(before.clone());
        assert_ne!(before, after, "the edit does something");
        std::fs::write(self.on_disk(path), after).unwrap();
    }

    fn edit_manifest(&self, edit: impl FnOnce(&mut Vec<String>)) {
        self.edit("manifest.ndjson", |text| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            edit(&mut lines);
            lines.iter().map(|line| format!("{line}\n")).collect()
        });
    }

    /// Makes every digest and size of the manifest, its chain, and what the mirror remembers of it say what lies in the
    /// folder.
    fn seal(&self) {
        let path = self.place.exports().join("manifest.ndjson");
        let mut previous: Option<String> = None;
        let (mut text, mut last_from) = (String::new(), 0);
        for mut line in manifest(&self.place) {
            let content = std::fs::read(self.on_disk(line["path"].as_str().unwrap())).unwrap();
            let ends = content.iter().filter(|byte| **byte == b'\n').count();
            line["rows"] = (ends - usize::from(line["format"] == "csv")).into();
            line["bytes"] = content.len().into();
            line["sha256"] = hex(&content).into();
            line["previous"] = previous.into();
            last_from = text.len();
            let line = line.to_string();
            previous = Some(hex(line.as_bytes()));
            text.push_str(&format!("{line}\n"));
        }
        let end = serde_json::json!({
            "bytes": text.len(), "lines": text.lines().count(), "last_from": last_from, "last_line": previous
        });
        std::fs::write(path, text).unwrap();
        let sql =
            "UPDATE export_folders SET reached = json_set(reached, '$.end', json(?1)) WHERE kind = 'changes'";
        let mirror = rusqlite::Connection::open(self.place.mirror()).unwrap();
        assert_eq!(mirror.execute(sql, [end.to_string()]).unwrap(), 1);
    }

    /// What `export verify` finds, in both of its forms; it changes nothing.
    async fn differences(&self, code: i32) -> Vec<Value> {
        let before = self.place.contents();
        let ran = self.program.ends(code, &["export", "verify", "--json"]).await;
        let found = ran.json();
        assert_eq!(found["ok"], code == 0);
        let people = self.program.ends(code, &["export", "verify"]).await.stdout;
        let differences = found["differences"].as_array().unwrap().clone();
        assert_eq!(differences.is_empty(), code == 0);
        for difference in &differences {
            let what = difference["what"].as_str().unwrap();
            assert!(people.contains(what), "{what}: {people}");
        }
        for secret in ["@example.com", "Last of", "555-555", "Second", "Third", "shop.example"] {
            assert!(!people.contains(secret) && !ran.stdout.contains(secret), "{secret}: {people}");
        }
        assert_eq!(self.place.contents(), before);
        differences
    }

    /// Asserts that it finds a difference in that file that says this; returns it.
    async fn finds(&self, file: &str, what: &str) -> Value {
        let found = self.differences(1).await;
        let at = found.iter().find(|difference| {
            difference["file"] == file && difference["what"].as_str().unwrap().contains(what)
        });
        at.unwrap_or_else(|| panic!("no {what:?} in {file}: {found:#?}")).clone()
    }

    /// The lines of the manifest that verification objects to.
    async fn lines(&self) -> Vec<u64> {
        let found = self.differences(1).await;
        let of_manifest = found.iter().filter(|difference| difference["file"] == "manifest.ndjson");
        of_manifest.filter_map(|difference| difference["line"].as_u64()).collect()
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guarded_text_is_no_formula_and_is_verified_and_repaired_as_what_it_was() {
    let account = Account::of(3, 1, 5).shared();
    let formulas = ["=HYPERLINK(\"x\",\"y\")", "+49 30 1", "-1", "@x", "\t=1", "'=1", "plain"];
    for (n, formula) in formulas.iter().enumerate() {
        let id = format!("f-{n}");
        let record = customer(&id, "x", "2024-05-01T12:00:00Z");
        let mut record: Value = serde_json::from_str(&record).unwrap();
        record["first_name"] = (*formula).into();
        account.lock().customers.push((id, record.to_string()));
    }
    let server = account.serve().await;
    let place = Place::new();
    let unguarded = place.program(&server.base_url());
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
    let mut ids = std::collections::BTreeSet::new();
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

/// The mirror is put back to a copy from before the last export, and goes on differently.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_mirror_is_refused_though_it_has_grown_past_the_exports() {
    let account = Account::of(10, 2, 5).shared();
    let server = account.serve().await;
    let place = Place::new();
    let program = place.program(&server.base_url());
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
