//! Persons who are erased: no byte of them is left anywhere, everybody else is as before, and they don't come back.

use crate::support::{
    Account, Cell, FORMATS, Place, Row, State, World, assert_same, customer, found_in, manifest, replay,
};
use serde_json::{Value, json};

const RARE: &str = "c-zoraida-7781";
const GONE: &str = "c-quillfeather-3310";

/// What names the erased ones in any way: also in what their records don't hold in a field of its own.
const NAMES: &[&str] = &[
    RARE,
    GONE,
    "zoraida.first@rare.example",
    "Zoraida.Second@rare.example",
    "order-of-zoraida@rare.example",
    "Zoraïda",
    "Zora\\u00efda",
    "O'Vanterpool",
    "555-0139-7781",
    "evt-zoraida",
    "Quillfeather",
    "quill@rare.example",
    "evt-quill",
];

fn names() -> Vec<String> {
    NAMES.iter().map(|name| (*name).to_owned()).collect()
}

/// An account with two rare persons among others, one of whom will be deleted.
fn account() -> Account {
    let mut account = Account::of(9, 2, 4);
    account.add(RARE, 0);
    account.put(RARE, rare("zoraida.first@rare.example", "2024-05-01T12:00:00Z"));
    account.add(GONE, 0);
    let gone = json!({
        "id": GONE, "email": "quill@rare.example", "first_name": "First", "last_name": "Quillfeather",
        "phone_number": null, "created_at": "2024-01-01T00:00:00Z", "updated_at": "2024-05-01T12:00:00Z"
    });
    account.put(GONE, gone.to_string());
    for n in 1..=3 {
        let event = json!({
            "id": format!("evt-zoraida-{n}"), "type": "ShopifyOrderCreated", "label": "Zoraïda's order\r\n=1+1, \"x\"",
            "link_back_url": "https://shop.example/?for=order-of-zoraida%40rare.example",
            "properties": {"email": "order-of-zoraida@rare.example", "shopify_order": {"id": format!("o-{n}")},
                           "zoraida.first@rare.example": n, "order-of-zoraida@rare.example": n, "of Zoraïda": n, "big": 12345678901234567890_u64},
            "timestamp": 1_714_564_800 + n, "created_at": "2024-05-01T12:00:00Z", "updated_at": "2024-05-01T12:00:00Z"
        });
        account.events.entry(RARE.to_owned()).or_default().push(event.to_string());
    }
    account.add_event(GONE, "evt-quill-1");
    account
}

fn rare(email: &str, updated_at: &str) -> String {
    // As an API in another language escapes it.
    format!(
        r#"{{"id": "{RARE}", "email": "{email}", "first_name": "Zora\u00efda", "last_name": "O'Vanterpool",
            "phone_number": "555-0139-7781", "created_at": "2024-01-01T00:00:00Z", "updated_at": "{updated_at}",
            "nickname": "Zoraïda", "note": "call Zora\u00efda"}}"#
    )
}

/// A mirror with a history of several runs, exports of each, and snapshots.
async fn world_with_history(compression: &str) -> World {
    let world = World::of(account()).await.set(&format!("export.formats={FORMATS}"));
    let world = world.set(&format!("export.compression={compression}"));
    let further = if cfg!(feature = "lake") { r#""csv", "delta""# } else { r#""csv""# };
    let copy = world.place.path().join("copy");
    let configuration =
        format!("[[destinations]]\nname = \"copy\"\nurl = \"{}\"\nformats = [{further}]\n", copy.display());
    std::fs::write(world.place.path().join("config.toml"), configuration).unwrap();
    world.program.ends(0, &["sync", "--full"]).await;
    {
        let mut account = world.account.lock();
        account.put(RARE, rare("Zoraida.Second@rare.example", "2024-06-01T00:00:00Z"));
        account.put("c-01", customer("c-01", "Second", "2024-06-01T00:00:00Z"));
        account.add_event("c-02", "c-02-e-new");
    }
    world.program.ends(0, &["sync", "--full"]).await;
    world.program.ends(0, &["export", "--snapshot"]).await;
    {
        let mut account = world.account.lock();
        account.remove(GONE);
        account.remove("c-03");
        account.put("c-01", customer("c-01", "Third", "2024-07-01T00:00:00Z"));
    }
    world.program.ends(0, &["sync", "--full"]).await;
    world.program.ends(0, &["export", "--snapshot"]).await;
    if compression == "zstd" {
        world.program.ends(0, &["export", "compact"]).await;
    }
    world
}

async fn erase(world: &World) -> Value {
    let arguments =
        ["erase", GONE, "--email", "zoraida.FIRST@rare.example", "--yes", "--reason", "request 7", "--json"];
    world.program.ends(0, &arguments).await.json()
}

/// Everything of the others: rows, versions, lines of the log.
fn rows_of_others(world: &World) -> Vec<Vec<Row>> {
    let keep = |column: &str| format!("{column} NOT IN ('{RARE}', '{GONE}') AND {column} NOT LIKE 'hmac:%'");
    let (id, customer_id) = (keep("id"), keep("coalesce(customer_id, '')"));
    let queries = [
        format!(
            "SELECT id, email, first_name, last_name, extra, change_seq, inserted_at FROM customers WHERE {id} ORDER BY id"
        ),
        format!("SELECT * FROM events WHERE {customer_id} ORDER BY id"),
        format!("SELECT * FROM customers_history WHERE {id} ORDER BY seq"),
        format!("SELECT * FROM events_history WHERE {customer_id} ORDER BY seq"),
        format!("SELECT * FROM customers_deleted WHERE {id} ORDER BY id"),
        format!("SELECT * FROM events_deleted WHERE {customer_id} ORDER BY id"),
        format!("SELECT * FROM changes WHERE {id} AND id NOT LIKE 'evt-%' ORDER BY seq"),
        format!("SELECT * FROM orders WHERE {customer_id} ORDER BY customer_id"),
    ];
    queries.iter().map(|sql| world.place.query(sql)).collect()
}

fn state_of_others(world: &World) -> State {
    let mut state = State::of_mirror(&world.place);
    state.customers.remove(RARE);
    state.events.retain(|_, row| row["customer_id"] != Cell::Text(RARE.to_owned()));
    state
}

async fn is_forgotten(world: &World, others: &[Vec<Row>], state: &State) {
    let found = found_in(world.place.path(), &names());
    assert!(found.is_empty(), "{found:#?}");
    let same = rows_of_others(world).iter().zip(others).position(|(now, before)| now != before);
    assert_eq!(same, None, "the first query with other rows than before");
    world.holds(state).await;
    assert_eq!(world.place.number("SELECT count(*) FROM erasures WHERE ended_at IS NULL"), 0);
}

async fn every_byte_is_gone(compression: &str) {
    let world = world_with_history(compression).await;
    let exports = world.place.exports();
    // What a repair kept aside, and what a killed export left.
    let first = manifest(&world.place)[0]["path"].as_str().unwrap().to_owned();
    std::fs::copy(exports.join(&first), exports.join(format!("{first}.damaged"))).unwrap();
    let name = first.split_once('/').unwrap().1;
    std::fs::copy(exports.join(&first), exports.join(format!("customers/.{name}-a1b2c3d4.tmp"))).unwrap();
    let (others, state) = (rows_of_others(&world), state_of_others(&world));
    assert!(!found_in(world.place.path(), &names()).is_empty());

    let preview = world.program.ends(0, &["erase", RARE, "--dry-run", "--json"]).await.json();
    assert_eq!(preview["customers"][0]["events"], 3, "{preview}");
    let receipts = erase(&world).await;
    is_forgotten(&world, &others, &state).await;

    let receipt = &receipts[0];
    assert_eq!((&receipt["persons"].as_array().unwrap().len(), &receipt["elsewhere"]), (&2, &json!([])));
    let folders = receipt["exports"].as_array().unwrap();
    let folder =
        |name: &str| folders.iter().find(|one| one["dir"].as_str().unwrap().ends_with(name)).unwrap();
    assert!(folder("/copy")["files"].as_array().unwrap().iter().any(|file| file["done"] == "rewritten"));
    let files = folder("/exports")["files"].as_array().unwrap();
    let is_gone = |ending: &str| {
        let is_it =
            |file: &&Value| file["path"].as_str().unwrap().ends_with(ending) && file["done"] == "removed";
        files.iter().find(is_it).is_some()
    };
    for ending in [".damaged", ".tmp"].into_iter().chain(cfg!(feature = "lake").then_some("0000.json")) {
        assert!(is_gone(ending), "{ending}: {receipt}");
    }
    assert!(
        files
            .iter()
            .filter(|file| file["done"] == "rewritten")
            .all(|file| { file["sha256"] != file["sha256_before"] && file["sha256"].is_string() })
    );
    // A consumer learns which rows to remove.
    let erased = std::fs::read_to_string(exports.join("erasures.ndjson")).unwrap();
    let erased: Vec<Value> = erased.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seqs = world.place.query("SELECT seq, stream, token FROM erased_changes ORDER BY stream, seq");
    assert_eq!(erased.len(), seqs.len());
    for (line, row) in erased.iter().zip(seqs) {
        assert_eq!(
            (line["_seq"].as_i64(), &line["erasure"]),
            (Some(row["seq"].integer()), &json!(1)),
            "{line}"
        );
        assert_eq!(
            (&line["stream"], &line["id"]),
            (&json!(row["stream"].text()), &json!(row["token"].text()))
        );
    }
    assert_eq!(
        std::fs::read(world.place.path().join("copy/erasures.ndjson")).unwrap().len() as u64,
        std::fs::metadata(exports.join("erasures.ndjson")).unwrap().len()
    );
    // Repairs give files back as the erasure wrote them.
    let lost = ["snapshots/events", "snapshots/customers", "events"].map(|folder| {
        let first = std::fs::read_dir(exports.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        let first = first.filter(|path| path.is_file()).min().unwrap();
        let bytes = std::fs::read(&first).unwrap();
        std::fs::remove_file(&first).unwrap();
        (first, bytes)
    });
    world.program.ends(0, &["export", "repair"]).await;
    for (path, bytes) in lost {
        assert!(std::fs::read(&path).unwrap() == bytes, "{}", path.display());
    }
    // Its own search finds what ours does.
    let path = world.place.path().join("mirror.db.receipts/erasure-000001.json");
    let path = path.to_str().unwrap();
    let check = ["erase", "--check", path, "--email", "zoraida.first@rare.example", GONE];
    world.program.ends(0, &check).await.shows(&["none of them stands in any file"]);
    world.program.ends(2, &["erase", "--check", path, "c-01"]).await;
    std::fs::write(exports.join("note.csv"), format!("x,{GONE}\n")).unwrap();
    world.program.ends(1, &check).await.shows(&["note.csv"]);
    std::fs::remove_file(exports.join("note.csv")).unwrap();

    // The API still lists one of them; another one with the same first name is left alone.
    let report = world.program.ends(0, &["sync", "--full", "--audit", "5", "--json"]).await.json();
    assert_eq!(report["counts"]["kept_out"], 1, "{report}");
    assert_eq!(
        (&report["counts"]["customers_seen"], &report["counts"]["customers_inserted"]),
        (&9.into(), &0.into())
    );
    assert_eq!(report["counts"]["customers_deleted"], 0);
    is_forgotten(&world, &others, &state).await;
    world.program.ends(0, &["sync", "--customer", RARE]).await;
    is_forgotten(&world, &others, &state).await;
    // With another id she stays out as well; without tombstones she comes back.
    world.account.lock().add("c-another-id", 1);
    let again = customer("c-another-id", "X", "2024-06-01T00:00:00Z");
    let again = again.replace("c-another-id@example.com", "zoraida.second@RARE.example");
    world.account.lock().put("c-another-id", again);
    let report = world.program.ends(0, &["sync", "--json"]).await.json();
    assert_eq!(
        (&report["counts"]["kept_out"], &report["counts"]["customers_inserted"]),
        (&2.into(), &0.into())
    );
    world.program.ends(0, &["erase", "--allow-return", RARE]).await;
    world.program.ends(1, &["erase", "--allow-return", RARE]).await;
    let report = world.program.ends(0, &["sync", "--full", "--json"]).await.json();
    assert_eq!(
        (&report["counts"]["kept_out"], &report["counts"]["customers_inserted"]),
        (&0.into(), &2.into())
    );
    assert_same(&world.account.state(), &State::of_mirror(&world.place), "the mirror");
    world.program.ends(0, &["export", "verify"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_of_an_erased_person_is_left() {
    for compression in ["none", "gzip", "zstd"] {
        every_byte_is_gone(compression).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_that_is_killed_anywhere_is_ended_by_the_next_call() {
    let of_tables: &[&str] = match cfg!(feature = "lake") {
        true => &[
            "before-table-commit:1",
            "after-table-commit:1",
            "before-table-commit:4",
            "after-table-commit:7",
        ],
        false => &[],
    };
    let points = [
        "before-commit:1",
        "after-commit:1",
        "before-rename:1",
        "before-rename:4",
        "before-rename:9",
        "before-commit:2",
        "after-commit:2",
        "before-commit:3",
        "after-commit:3",
        "after-commit:4",
        "before-commit:6",
    ];
    for point in points.iter().chain(of_tables) {
        let world = world_with_history("gzip").await;
        let (others, state) = (rows_of_others(&world), state_of_others(&world));
        let dying = world.program.clone().variable("MALOMO_MIRROR_FAIL_POINT", point);
        let arguments = ["erase", RARE, "--email", "quill@rare.example", "--yes"];
        let ran = dying.run(&arguments).await;
        assert!(ran.signal().is_some(), "{point}: {}{}", ran.stdout, ran.stderr);
        if world.place.number("SELECT count(*) FROM erasures") == 0 {
            world.program.ends(0, &arguments).await;
        } else {
            // The next run ends it as well, before it exports.
            let next: &[&str] =
                if point.starts_with("before") { &["erase", "--finish"] } else { &["export"] };
            world.program.ends(0, next).await;
        }
        is_forgotten(&world, &others, &state).await;
        world.program.ends(0, &["erase", "--finish"]).await.shows(&["no erasure was left to end"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_mirror_no_longer_knows_of_others_stays_in_their_files() {
    let world = world_with_history("none").await;
    // From now on no version that has ended is kept.
    world.program.clone().set("mirror.history_max_age=1ms").ends(0, &["sync"]).await;
    assert_eq!(world.place.number("SELECT count(*) FROM customers_superseded"), 0);
    let before: Vec<Vec<String>> = lines_of_others(&world.place);
    let state = state_of_others(&world);
    // Of an address that it no longer knows, it can't tell whose it was.
    world.program.ends(0, &["erase", RARE, GONE, "--yes"]).await;
    assert_eq!(lines_of_others(&world.place), before);
    world.program.ends(0, &["export", "verify"]).await;
    for line in manifest(&world.place) {
        assert_same(&state, &replay(&world.place, line["format"].as_str().unwrap()), "the exports");
        assert_eq!(line["left_out"], Value::Null, "{line}");
    }
}

/// A file that takes its own place is all that knows such rows, also where the erasure is killed before the manifest says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_their_files_know_of_others_stays_when_an_erasure_is_killed() {
    for point in ["before-rename:4", "before-rename:22", "before-rename:26", "before-rename:30"] {
        let world = world_with_history("none").await;
        world.program.clone().set("mirror.history_max_age=1ms").ends(0, &["sync"]).await;
        let before = lines_of_others(&world.place);
        let dying = world.program.clone().variable("MALOMO_MIRROR_FAIL_POINT", point);
        assert!(dying.run(&["erase", RARE, GONE, "--yes"]).await.signal().is_some(), "{point}");
        // A repair takes no file for damaged that the erasure has put there.
        let by_erase = matches!(point, "before-rename:4" | "before-rename:26");
        let next = if by_erase { ["erase", "--finish"] } else { ["export", "repair"] };
        world.program.ends(0, &next).await;
        assert_eq!(lines_of_others(&world.place), before, "{point}");
        world.program.ends(0, &["export", "verify"]).await;
        for line in manifest(&world.place) {
            assert_eq!(line["left_out"], Value::Null, "{point}: {line}");
        }
    }
}

/// The lines of every NDJSON file and snapshot that are not of the erased ones, sorted.
fn lines_of_others(place: &Place) -> Vec<Vec<String>> {
    let mut files = Vec::new();
    for folder in ["customers", "events", "snapshots/customers", "snapshots/events"] {
        for entry in std::fs::read_dir(place.exports().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "ndjson") {
                let text = std::fs::read_to_string(&path).unwrap();
                let is_of_others =
                    |line: &&str| !line.contains("hmac:") && !NAMES.iter().any(|name| line.contains(name));
                let mut lines: Vec<String> = text.lines().filter(is_of_others).map(str::to_owned).collect();
                lines.sort();
                files.push((path, lines));
            }
        }
    }
    files.sort();
    files.into_iter().map(|(_, lines)| lines).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_erased_without_a_yes_or_with_a_lost_key() {
    let world = world_with_history("none").await;
    world.program.ends(2, &["erase", RARE]).await.tells(&["--yes"]);
    world.program.ends(2, &["erase", "--yes"]).await.tells(&["nobody is named"]);
    let named = ["erase", RARE, "--yes", "--reason", "for Zoraida.Second@rare.example"];
    world.program.ends(2, &named).await.tells(&["--reason names the person"]);
    assert_eq!(world.place.number("SELECT count(*) FROM erasures"), 0);
    let held = world.program.ends(0, &["person", "ZORAIDA.first@rare.example"]).await;
    held.shows(&[RARE, "Zoraida.Second@rare.example", "2 rows in customers_history", "exports/customers/"]);
    let folder = world.place.path().join("access");
    world.program.ends(0, &["person", RARE, "--export", folder.to_str().unwrap()]).await;
    let written: Value = serde_json::from_slice(&std::fs::read(folder.join("person.json")).unwrap()).unwrap();
    assert_eq!(written[0]["id"], RARE);
    assert!(
        std::fs::read_to_string(folder.join("person.html"))
            .unwrap()
            .contains("order-of-zoraida@rare.example")
    );
    std::fs::remove_dir_all(folder).unwrap();

    erase(&world).await;
    std::fs::remove_file(world.place.path().join("mirror.db.erasure-key")).unwrap();
    world.program.ends(1, &["sync"]).await.tells(&["--allow-return-all"]);
    world.program.ends(0, &["erase", "--allow-return-all", "--yes"]).await;
    let report = world.program.ends(0, &["sync", "--json"]).await.json();
    assert_eq!(report["counts"]["customers_inserted"], 1, "{report}");
}
