//! The mirror remembers: every version of every row, and what became of one record.

use crate::support::{Account, Place, Row, World, assert_no_strays, customer, event, manifest, sandbox};
use malomo_mirror::sandbox::{CustomerField, CustomerFields, Settings};

const COLUMNS: [(&str, &str); 2] = [
    ("customers", "id, email, first_name, last_name, phone_number, created_at, updated_at, extra"),
    (
        "events",
        "id, customer_id, type, label, link_back_url, timestamp, properties, created_at, updated_at, extra",
    ),
];

/// Some of everything that can happen to an account.
fn change(world: &malomo_mirror::sandbox::World, luck: &mut fastrand::Rng) {
    let ids = world.customer_ids();
    let mut some = || ids[luck.usize(..ids.len())].clone();
    for (n, id) in (0..6).map(|n| (n, some())) {
        let name = |name: String| CustomerFields::default().set(CustomerField::FirstName, &name);
        match n {
            0..3 => drop(world.update_customer(&id, name(format!("Name {}", world.customer_ids().len())))),
            3 => drop(world.delete_customer(&id)),
            4 => drop(world.create_customer(name("New".to_owned()))),
            _ => drop(world.add_event(&id)),
        }
        if let Some(event) = world.event_ids(&id).first() {
            let _ = if n % 2 == 0 { world.revise_event(&id, event) } else { world.delete_event(&id, event) };
        }
    }
}

fn rows(place: &Place, table: &str, columns: &str, only: &str) -> Vec<Row> {
    place.query(&format!("SELECT {columns} FROM {table} {only} ORDER BY id"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_of_the_past_is_known() {
    let sandbox =
        sandbox(Settings { customers: 30, page_size: 10, awkward: true, ..Settings::default() }).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url());
    let (mut states, mut luck) = (Vec::new(), fastrand::Rng::with_seed(7));
    for run in 0..30 {
        program.ends(0, &["sync", "--full"]).await;
        if run == 10 {
            program.ends(0, &["export", "--snapshot"]).await;
        }
        let head = place.number("SELECT seq FROM changes ORDER BY seq DESC LIMIT 1");
        states.push((head, COLUMNS.map(|(stream, columns)| rows(&place, stream, columns, ""))));
        change(&sandbox.world(), &mut luck);
    }
    for (head, state) in &states {
        for ((stream, columns), expected) in COLUMNS.iter().zip(state) {
            let then = format!("WHERE seq <= {head} AND (end_seq IS NULL OR end_seq > {head})");
            let found = rows(&place, &format!("{stream}_history"), columns, &then);
            assert!(found == *expected, "{stream} as of change {head}");
            let logged = format!(
                "SELECT id FROM changes WHERE seq <= {head} AND stream = '{stream}' GROUP BY id \
                 HAVING sum((op = 'insert') - (op = 'delete')) > 0 ORDER BY id"
            );
            let ids: Vec<_> = expected.iter().map(|row| row["id"].clone()).collect();
            assert_eq!(place.query(&logged).iter().map(|row| row["id"].clone()).collect::<Vec<_>>(), ids);
        }
    }
    // Times do the same as numbers where nothing else was observed in between; versions follow each other.
    let gaps = "SELECT count(*) FROM customers_history AS old WHERE end_op = 'update' AND NOT EXISTS \
                (SELECT 1 FROM customers_history AS new WHERE new.id = old.id AND new.seq = old.end_seq \
                 AND new.valid_from = old.valid_to AND new.op = 'update')";
    assert_eq!(place.number(gaps), 0);
    // Each field that changed stands in field_changes, and nothing else.
    let updates = "SELECT count(DISTINCT seq) FROM field_changes";
    assert_eq!(place.number(updates), place.number("SELECT count(*) FROM changes WHERE op = 'update'"));
    let deleted = "SELECT count(*) FROM customers_deleted WHERE first_name IS NOT NULL OR email IS NOT NULL";
    assert!(place.number(deleted) > 0);
    let gone = "SELECT count(DISTINCT id) FROM changes WHERE op = 'delete' AND stream = 'customers'";
    assert_eq!(place.number("SELECT count(*) FROM customers_deleted"), place.number(gone));
    // As files, too; each of them verifies.
    for (head, state) in states.iter().step_by(7) {
        program.ends(0, &["export", "--as-of", &head.to_string()]).await;
        let text = std::fs::read_to_string(place.exports().join("snapshots/manifest.ndjson")).unwrap();
        let rows = |stream: &str| {
            let wanted = format!("snapshots/{stream}/{stream}-{head:012}.ndjson");
            let file = std::fs::read_to_string(place.exports().join(wanted)).unwrap();
            file.lines().count()
        };
        assert!(text.contains(&format!("{head:012}")));
        assert_eq!([rows("customers"), rows("events")], [state[0].len(), state[1].len()]);
    }
    program.ends(0, &["export", "verify"]).await;
    assert!(manifest(&place).len() > 30);
    assert_no_strays(&place);

    // Snapshots of the past that were damaged come back byte for byte, whether they were written then or later.
    let files: Vec<_> = ["customers", "events"]
        .into_iter()
        .flat_map(|stream| std::fs::read_dir(place.exports().join("snapshots").join(stream)).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(files.len() >= 24, "{files:?}");
    let good: Vec<_> = files.iter().map(|path| std::fs::read(path).unwrap()).collect();
    for path in &files {
        std::fs::write(path, "").unwrap();
    }
    program.ends(1, &["export", "verify"]).await;
    let report = program.ends(0, &["export", "repair", "--json"]).await.json();
    let repaired = report["files"].as_array().unwrap();
    assert!(
        repaired.len() == files.len() && repaired.iter().all(|file| file["as_before"] == true),
        "{report}"
    );
    for (path, good) in files.iter().zip(&good) {
        assert!(std::fs::read(path).unwrap() == *good, "{path:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_reads_what_became_of_a_record() {
    let World { account, server: _server, place, program } = World::of(Account::of(3, 2, 5)).await;
    program.ends(1, &["history", "c-01"]).await.tells(&["there is no mirror"]);
    program.ends(0, &["sync", "--full"]).await;
    account.lock().put("c-01", customer("c-01", "Second\u{7}", "2024-06-01T00:00:00Z"));
    let moved = account.lock().events.get_mut("c-02").unwrap().remove(0);
    account.lock().events.get_mut("c-03").unwrap().push(moved);
    account.lock().events.get_mut("c-02").unwrap().push(event("c-02-e-9", "2024-06-01T00:00:00Z"));
    program.ends(0, &["sync", "--full"]).await;
    let told = program.ends(0, &["history", "c-01"]).await.stdout;
    for part in [
        "customer \"c-01\"",
        "inserted (change ",
        "updated (change ",
        "first_name",
        "\"First\" → \"Second\\u0007\"",
        "has 2 events",
    ] {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
    assert!(!told.contains('\u{7}'), "nothing reaches the terminal raw");
    let moved = program.ends(0, &["history", "c-02-e-1", "--json"]).await.json();
    let fields = &moved["streams"][0]["changes"][1]["fields"][0];
    assert_eq!(
        (&fields["field"], &fields["old"], &fields["new"]),
        (&"customer_id".into(), &"c-02".into(), &"c-03".into())
    );
    // It goes and comes back.
    account.lock().remove("c-01");
    program.ends(0, &["sync"]).await;
    account.lock().add("c-01", 1);
    program.ends(0, &["sync"]).await;
    let told = program.ends(0, &["history", "c-01", "--json"]).await.json();
    let changes = told["streams"][0]["changes"].as_array().unwrap();
    let operations: Vec<_> = changes.iter().map(|change| change["op"].as_str().unwrap()).collect();
    assert_eq!(operations, ["insert", "update", "delete", "insert"]);
    assert!(changes[2]["evidence"].as_str().unwrap().contains("404"));
    assert_eq!(told["streams"][0]["children"]["deleted"], 2);
    // What was pruned is told, and the present stays.
    let pruning = program.clone().set("mirror.history_max_age=1ms");
    pruning.ends(0, &["sync"]).await;
    assert_eq!(place.number("SELECT count(*) FROM customers_superseded"), 0);
    let told = program.ends(0, &["history", "c-01"]).await.stdout;
    assert!(told.contains("are not known") && told.contains("First"), "{told}");
    let status = place.query("SELECT sum(pruned) AS pruned FROM history_reach");
    assert!(status[0]["pruned"].integer() >= 4);
    let moved = program.ends(0, &["history", "c-02-e-1", "--json"]).await.json();
    let change = &moved["streams"][0]["changes"][1];
    assert!(change["fields"].is_null(), "{moved}");
    let holds = change["holds"].as_array().unwrap();
    assert!(holds.iter().any(|field| field["field"] == "customer_id" && field["new"] == "c-03"), "{moved}");
    program
        .ends(0, &["history", "c-02-e-1"])
        .await
        .shows(&["what it held is not known", "since then it holds"]);
    let refused = program.ends(1, &["export", "--as-of", "3"]).await;
    refused.tells(&["mirror.history_max_age"]);
    // What the error advises works, for every stream.
    let (_, advice) = refused.stderr.split_once("Ask for change ").unwrap();
    let advised: String = advice.chars().take_while(char::is_ascii_digit).collect();
    program.ends(0, &["export", "--as-of", &advised]).await;
    program.ends(1, &["export", "--as-of", "99999"]).await.tells(&["newest one is"]);
    program.ends(2, &["export", "--as-of", "yesterday"]).await.tells(&["2026-03-01"]);
    // Which zone is meant isn't guessed, and least of all is the time left out.
    for time in ["2026-03-01T12:00:00", "2026-03-01 12:00", "2026-03-01T12:00:00[Europe/Berlin]"] {
        program.ends(2, &["export", "--as-of", time]).await.tells(&["a time with its zone"]);
    }
    program.ends(0, &["export", "--as-of", "2999-01-01"]).await;
    program.ends(1, &["history", "nobody"]).await.tells(&["never had a record with this id"]);
    program.ends(0, &["export", "verify"]).await;
}
