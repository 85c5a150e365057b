//! Profiles: what is hidden stands in no file, rows can still be joined, and a folder has rows of one profile alone.

use crate::support::{
    Account, FORMATS, Row, State, World, assert_no_strays, customer, found_in, manifest, query,
};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// An account whose every record holds something that names somebody.
fn account() -> Account {
    let mut account = Account::of(0, 0, 5);
    for n in 1..=12 {
        let id = format!("person-{n:02}");
        account.add(&id, 0);
        account.put(&id, person(&id, "2024-05-01T12:00:00Z"));
        for m in 0..n % 4 {
            let event = json!({
                "id": format!("evt-{id}-{m}"), "type": "ShopifyOrderCreated", "label": format!("Order of First-{id}"),
                "link_back_url": format!("https://shop.example/?for={id}"), "timestamp": 1_714_564_800 + m,
                "properties": {
                    "order": {"email": format!("{}@{id}.EXAMPLE", id.to_uppercase()), "total": "12.50", "name": format!("Last-{id}")},
                    "items": [{"sku": "S-1", "for": format!("First-{id}")}], "big": 12345678901234567890_u64
                },
                "created_at": "2024-05-01T12:00:00Z", "updated_at": "2024-05-01T12:00:00Z", "note": format!("by First-{id}")
            });
            account.events.entry(id.clone()).or_default().push(event.to_string());
        }
    }
    account
}

fn person(id: &str, updated_at: &str) -> String {
    json!({
        "id": id, "email": format!("{id}@{id}.example"), "first_name": format!("First-{id}"),
        "last_name": format!("Last-{id}"), "phone_number": format!("+44 20 7946 01{}", &id[7..]),
        "created_at": "2024-01-02T00:00:00Z", "updated_at": updated_at, "nickname": format!("First-{id}")
    })
    .to_string()
}

/// Everything that names somebody of the account.
fn identifiers() -> Vec<String> {
    let of = |n: usize| {
        let id = format!("person-{n:02}");
        let number = format!("7946 01{n:02}");
        [format!("{id}@{id}"), format!("First-{id}"), format!("Last-{id}"), number, format!("evt-{id}"), id]
    };
    (1..=12).flat_map(of).collect()
}

const PROFILES: &str = r#"
[profiles.analytics]
contact = "hmac"
fields.customers.phone_number = "country"
fields.customers.created_at = "year"
fields.events.properties.order.total = "keep"
fields.events.properties.order.email = "hmac"
fields.events.properties.items.sku = "keep"
fields.events.properties.big = "keep"
"#;

/// With a second destination, and rules for it in the configuration.
async fn world_with_profiles(compression: &str, profiles: &str) -> World {
    let world = World::of(account()).await.set(&format!("export.compression={compression}"));
    let formats: Vec<&str> = FORMATS.split(',').collect();
    let configuration = format!(
        "[[destinations]]\nname = \"masked\"\nurl = \"{}\"\nformats = {formats:?}\nprofile = \"analytics\"\n{profiles}",
        masked(&world).display()
    );
    std::fs::write(world.place.path().join("config.toml"), configuration).unwrap();
    world
}

fn masked(world: &World) -> PathBuf {
    world.place.path().join("masked")
}

/// Two exports and two snapshots, with inserts, updates and deletes.
async fn live(world: &World) {
    world.program.ends(0, &["sync", "--full"]).await;
    world.program.ends(0, &["export", "--snapshot"]).await;
    {
        let mut account = world.account.lock();
        account.put("person-01", person("person-01", "2024-06-01T00:00:00Z"));
        account.put(
            "person-02",
            person("person-02", "2024-06-01T00:00:00Z").replace("First-person-02", "First-person-12"),
        );
        account.remove("person-03");
    }
    world.program.ends(0, &["sync", "--full"]).await;
    world.program.ends(0, &["export", "--snapshot"]).await;
}

/// What is shown of every row, as the rules have it, under the pseudonyms that stand in the files.
fn is_true(world: &World, files: &[Map<String, Value>]) {
    let state = State::of_mirror(&world.place);
    let mut pseudonyms: BTreeMap<String, String> = BTreeMap::new();
    let rows = |stream: &str| -> Vec<Row> {
        world.place.query(&format!("SELECT * FROM {stream} ORDER BY inserted_seq"))
    };
    let by_seq: BTreeMap<i64, Row> = rows("customers")
        .into_iter()
        .chain(rows("events"))
        .map(|row| (row["change_seq"].integer(), row))
        .collect();
    assert_eq!(files.len(), state.customers.len() + state.events.len());
    for shown in files {
        let row = &by_seq[&shown["_seq"].as_i64().unwrap()];
        let id = row["id"].text().to_owned();
        let pseudonym = shown["id"].as_str().unwrap();
        assert_eq!((pseudonym.len(), shown["updated_at"].as_str().unwrap()), (32, row["updated_at"].text()));
        pseudonyms.insert(id.clone(), pseudonym.to_owned());
        if shown.contains_key("email") {
            assert_eq!(shown["phone_number"], "+44");
            assert_eq!(shown["created_at"], "2024-01-01T00:00:00Z");
            assert_eq!((&shown["first_name"], &shown["extra"]), (&Value::Null, &Value::Null));
            pseudonyms.insert(format!("email of {id}"), shown["email"].as_str().unwrap().to_owned());
        }
    }
    for shown in files.iter().filter(|shown| shown.contains_key("customer_id")) {
        let row = &by_seq[&shown["_seq"].as_i64().unwrap()];
        let customer = row["customer_id"].text();
        assert_eq!(shown["customer_id"], pseudonyms[customer].as_str(), "joins work");
        let email = &pseudonyms[&format!("email of {customer}")];
        let expected = format!(
            r#"{{"order":{{"email":"{email}","total":"12.50"}},"items":[{{"sku":"S-1"}}],"big":12345678901234567890}}"#
        );
        assert_eq!(
            shown["properties"].to_string(),
            serde_json::from_str::<Value>(&expected).unwrap().to_string()
        );
        assert_eq!((&shown["type"], &shown["label"]), (&json!("ShopifyOrderCreated"), &Value::Null));
    }
}

/// The current rows, by replaying the NDJSON files of a folder that are not compressed.
fn replayed(folder: &Path) -> Vec<Map<String, Value>> {
    let mut rows = BTreeMap::new();
    let manifest = std::fs::read_to_string(folder.join("manifest.ndjson")).unwrap();
    for line in manifest.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["format"] != "ndjson" {
            continue;
        }
        assert_eq!(
            (line["profile"].as_str(), line["profile_rules"].as_str().unwrap().len()),
            (Some("analytics"), 16)
        );
        for row in std::fs::read_to_string(folder.join(line["path"].as_str().unwrap())).unwrap().lines() {
            let row: Map<String, Value> = serde_json::from_str(row).unwrap();
            let key = (line["stream"].to_string(), row["id"].as_str().unwrap().to_owned());
            match row["_op"].as_str().unwrap() {
                "delete" | "erase" => drop(rows.remove(&key)),
                _ => drop(rows.insert(key, row)),
            }
        }
    }
    rows.into_values().collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_is_hidden_stands_in_a_file_and_rows_can_be_joined() {
    for compression in ["none", "zstd"] {
        let world = world_with_profiles(compression, PROFILES).await;
        live(&world).await;
        world.program.ends(0, &["export", "verify"]).await;
        assert_eq!(found_in(&masked(&world), &identifiers()), Vec::<String>::new());
        assert!(manifest(&world.place).iter().all(|line| line.get("profile").is_none()));
        assert!(!found_in(&world.place.exports(), &identifiers()).is_empty());
        if compression == "none" {
            is_true(&world, &replayed(&masked(&world)));
        }
        // Files come back as they were, and may be joined.
        let mut lost = Vec::new();
        for folder in ["customers", "events", "snapshots/customers"] {
            let folder = masked(&world).join(folder);
            let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            let first = files.filter(|path| path.is_file()).min().unwrap();
            lost.push((first.clone(), std::fs::read(&first).unwrap()));
            std::fs::write(&first, "").unwrap();
        }
        world.program.ends(1, &["export", "verify"]).await;
        world.program.ends(0, &["export", "repair", "--destination", "masked"]).await;
        for (path, bytes) in lost {
            assert!(std::fs::read(&path).unwrap() == bytes, "{}", path.display());
        }
        let joined =
            world.program.ends(0, &["export", "compact", "--destination", "masked", "--json"]).await.json();
        assert!(!joined["files"].as_array().unwrap().is_empty(), "{joined}");
        world.program.ends(0, &["export", "verify"]).await;
        // An erasure goes through all of it.
        world.program.ends(0, &["erase", "--email", "PERSON-07@person-07.example", "--yes"]).await;
        world.program.ends(0, &["export", "verify"]).await;
        assert_eq!(found_in(&masked(&world), &identifiers()), Vec::<String>::new());
        if compression == "none" {
            is_true(&world, &replayed(&masked(&world)));
        }
        world.account.lock().put("person-05", customer("person-05", "Another", "2024-09-01T00:00:00Z"));
        world.program.ends(0, &["sync"]).await;
        world.program.ends(0, &["export", "verify"]).await;
        assert_no_strays(&world.place);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_has_rows_of_one_profile_alone() {
    let world = world_with_profiles("none", PROFILES).await;
    live(&world).await;
    let before = replayed(&masked(&world));
    let file = world.place.path().join("config.toml");
    let configured = std::fs::read_to_string(&file).unwrap();
    for (text, other, told) in [
        (
            "profile = \"analytics\"",
            "profile = \"full\"",
            "holds files of the profile analytics, and no profile",
        ),
        ("\"country\"", "\"drop\"", "the profile analytics with other rules or another key"),
    ] {
        std::fs::write(&file, configured.replace(text, other)).unwrap();
        world.account.lock().put("person-01", person("person-01", "2024-07-01T00:00:00Z"));
        world.program.ends(5, &["sync"]).await.tells(&[told]);
        world.program.ends(1, &["export", "verify", "--destination", "masked"]).await.tells(&[told]);
        let receipts = world.program.ends(5, &["erase", "person-99", "--yes", "--json"]).await.json();
        assert!(receipts[0]["unreached"].to_string().contains("masked"), "{receipts}");
    }
    std::fs::write(&file, &configured).unwrap();
    world.program.ends(0, &["erase", "--finish"]).await;
    world.program.ends(0, &["sync"]).await;
    world.program.ends(0, &["export", "verify"]).await;
    assert_eq!(replayed(&masked(&world)).len(), before.len());
    // Another key gives other pseudonyms, and none of the old ones.
    std::fs::remove_file(world.place.path().join("mirror.db.profile-key")).unwrap();
    world.program.ends(5, &["export"]).await.tells(&["with other rules or another key"]);
    std::fs::remove_dir_all(masked(&world)).unwrap();
    world.program.ends(0, &["export"]).await;
    world.program.ends(0, &["export", "--snapshot"]).await;
    world.program.ends(0, &["export", "verify"]).await;
    is_true(&world, &replayed(&masked(&world)));
    let ids = |rows: &[Map<String, Value>]| -> Vec<String> {
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    let (old, new) = (ids(&before), ids(&replayed(&masked(&world))));
    assert!(new.iter().all(|id| !old.contains(id)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_published_copy_shows_what_the_profile_shows() {
    let world = world_with_profiles("none", PROFILES).await;
    live(&world).await;
    let folder = world.place.path().join("published");
    std::fs::create_dir(&folder).unwrap();
    let copy = folder.join("analytics.db");
    let publish = ["mirror", "publish", copy.to_str().unwrap(), "--profile", "analytics", "--json"];
    let published = world.program.ends(0, &publish).await.json();
    assert_eq!(published["rows"][0], json!({"stream": "customers", "rows": 11}));
    assert_eq!(found_in(&folder, &identifiers()), Vec::<String>::new());
    let sql = "SELECT c.email, count(*) AS events FROM customers AS c JOIN events AS e ON e.customer_id = c.id \
               GROUP BY c.id ORDER BY events";
    let counts = |rows: Vec<Row>| -> Vec<i64> { rows.iter().map(|row| row["events"].integer()).collect() };
    assert_eq!(counts(query(&copy, sql)), counts(query(&world.place.mirror(), sql)));
    let orders = "SELECT count(*) AS n FROM events AS e JOIN customers AS c ON c.email = e.properties ->> '$.order.email'";
    assert_eq!(query(&copy, orders)[0]["n"], query(&copy, "SELECT count(*) AS n FROM events")[0]["n"]);
    // A query through the profile gives the same, and nothing else.
    let masked = world
        .program
        .ends(0, &["query", "--profile", "analytics", "analytics_customers", "--as", "csv"])
        .await;
    let emails = query(&copy, "SELECT email FROM customers");
    for row in &emails {
        masked.shows(&[row["email"].text()]);
    }
    assert!(identifiers().iter().all(|text| !masked.stdout.contains(text)), "{}", masked.stdout);
    let hidden = ["query", "--profile", "analytics", "SELECT email FROM customers"];
    world.program.ends(2, &hidden).await.tells(&["a query reads these views alone: analytics_customers"]);
    // A reader of the earlier copy goes on with that.
    let reader = rusqlite::Connection::open(&copy).unwrap();
    let head = |of: &rusqlite::Connection| -> String {
        of.query_row("SELECT value FROM about WHERE key = 'head_seq'", [], |row| row.get(0)).unwrap()
    };
    let before = head(&reader);
    world.account.lock().put("person-01", person("person-01", "2024-08-01T00:00:00Z"));
    world.program.ends(0, &["sync"]).await;
    world.program.ends(0, &publish).await;
    assert_eq!(head(&reader), before);
    assert_ne!(head(&rusqlite::Connection::open(&copy).unwrap()), before);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
    // Nothing else is replaced.
    let mirror = world.place.mirror();
    let note = folder.join("note.txt");
    std::fs::write(&note, "mine").unwrap();
    for taken in [&mirror, &note] {
        let publish = ["mirror", "publish", taken.to_str().unwrap(), "--profile", "analytics"];
        world.program.ends(1, &publish).await.tells(&["it is no copy of a mirror"]);
    }
    assert_eq!(std::fs::read_to_string(&note).unwrap(), "mine");
    world
        .program
        .ends(2, &["mirror", "publish", "x.db", "--profile", "other"])
        .await
        .tells(&["full, analytics"]);
}
