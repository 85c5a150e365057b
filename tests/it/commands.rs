//! What the other commands answer: dry runs, named customers, status, JSON, the demo.

use crate::support::{
    Account, Place, Program, State, World, as_exported, assert_everything_equals, assert_no_strays,
    assert_same, customer, manifest, query, replay, sandbox,
};
use malomo_mirror::sandbox::{CustomerField, CustomerFields, Settings, TokenStyle};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_changes_nothing_and_foretells_the_requests() {
    for token_style in [TokenStyle::Link, TokenStyle::Envelope, TokenStyle::LastId] {
        let settings = Settings {
            customers: 60,
            events_per_customer: 2.0,
            page_size: 50,
            token_style,
            ..Settings::default()
        };
        let sandbox = sandbox(settings).await;
        let world = sandbox.world();
        let ids = world.customer_ids();
        for id in &ids {
            world.set_event_count(id, 3);
        }
        let place = Place::new();
        // One after the other: how many walks would find out the same thing at once is a matter of time.
        let program = place.program(&sandbox.base_url()).set("api.concurrency=1");
        let plan = program.ends(0, &["sync", "--full", "--dry-run", "--json"]).await.json();
        assert_eq!((&plan["new"], &plan["customer_pages"]), (&60.into(), &2.into()));
        assert!(!place.mirror().exists() && !place.exports().exists());
        assert_eq!(sandbox.requests().event_pages, 0);
        program.ends(0, &["sync", "--full"]).await;
        // Something of everything.
        world.update_customer(&ids[0], CustomerFields::default().set(CustomerField::LastName, "Other"));
        world.create_customer(CustomerFields::default());
        world.delete_customer(&ids[1]);
        for arguments in [&["sync", "--json"][..], &["sync", "--json"], &["sync", "--full", "--json"]] {
            let (contents, files) = (place.contents(), manifest(&place));
            let plan = program.ends(0, &[arguments, &["--dry-run"]].concat()).await.json();
            assert_eq!((place.contents(), manifest(&place)), (contents, files));
            let report = program.ends(0, arguments).await.json();
            let (planned, made) = (&plan["requests"], &report["counts"]["requests"]);
            let (planned, made) = (planned.as_u64().unwrap(), made.as_u64().unwrap());
            // Where ids are the cursors, an empty list takes one request and any other one two; what an earlier run
            // found out is proved anew by the first walks.
            let fits = planned - 1..=planned + 2;
            assert!(fits.contains(&made), "{arguments:?} {token_style:?}: {made} requests, planned {plan}");
        }
        assert_everything_equals(&State::of_world(&world), &place);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_says_why() {
    let World { account, server: _server, place, program } = World::of(Account::of(10, 1, 5)).await;
    program.ends(0, &["sync", "--full"]).await;
    account.lock().add("c-11", 1);
    account.lock().remove("c-02");
    let ran = program.ends(0, &["sync", "--dry-run"]).await;
    for text in ["new or changed", "mirrored, but not in the list", "nothing was written"] {
        assert!(ran.stdout.contains(text), "{}", ran.stdout);
    }
    let runs = place.number("SELECT count(*) FROM sync_runs");
    assert_eq!(runs, 1, "a dry run is no run");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn named_customers_alone_are_synced() {
    let World { account, server, place, program } = World::of(Account::of(10, 2, 5)).await;
    program.ends(0, &["sync", "--full"]).await;
    let mut expected = account.state();
    {
        let mut account = account.lock();
        for id in ["c-01", "c-02", "c-03"] {
            account.put(id, customer(id, "Changed", "2024-06-01T00:00:00Z"));
            account.add_event(id, &format!("{id}-new"));
        }
    }
    let now = account.state();
    expected.customers.extend(["c-01", "c-03"].map(|id| (id.to_owned(), now.customers[id].clone())));
    expected.events.extend(["c-01-new", "c-03-new"].map(|id| (id.to_owned(), now.events[id].clone())));
    let before = server.asked().len();
    program.ends(0, &["sync", "--customer", "c-01", "--customer", "c-03"]).await;
    assert_everything_equals(&expected, &place);
    let asked = server.asked();
    // The first one is drawn from the mirror: the API still answers for this account.
    assert_eq!(asked[before].path.matches('/').count(), 2);
    assert!(
        asked[before + 1..]
            .iter()
            .all(|asked| asked.path.starts_with("/customers/c-01")
                || asked.path.starts_with("/customers/c-03"))
    );
    // A customer that the API doesn't know is named, and not deleted here.
    account.lock().remove("c-09");
    let ran = program.ends(5, &["sync", "--customer", "c-09"]).await;
    assert!(ran.stdout.contains("c-09"), "{}", ran.stdout);
    assert_everything_equals(&expected, &place);
    program.ends(2, &["sync", "--full", "--customer", "c-01"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_mirror_is_told() {
    let place = Place::new();
    let program = place.program("http://127.0.0.1:9");
    for arguments in [&["status"][..], &["export"], &["export", "--snapshot"]] {
        program.ends(1, arguments).await.tells(&[place.mirror().to_str().unwrap(), "sync"]);
    }
    assert!(!place.mirror().exists());
    // A file that is no mirror is left as it is.
    std::fs::write(place.mirror(), "These are my notes, not a database; please keep them.").unwrap();
    for arguments in [&["status"][..], &["sync"], &["export"]] {
        program.ends(1, arguments).await.tells(&[place.mirror().to_str().unwrap()]);
    }
    assert!(std::fs::read_to_string(place.mirror()).unwrap().starts_with("These are my notes"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mirror_of_a_newer_version_is_refused_and_left_alone() {
    let World { server: _server, place, program, .. } = World::of(Account::of(3, 1, 5)).await;
    program.ends(0, &["sync"]).await;
    rusqlite::Connection::open(place.mirror()).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let contents = place.contents();
    for arguments in [&["sync"][..], &["status"], &["export"], &["sync", "--dry-run"]] {
        program.ends(1, arguments).await.tells(&["999", "newer", place.mirror().to_str().unwrap()]);
    }
    assert_eq!(place.contents(), contents);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn results_have_a_json_form() {
    let settings = Settings { customers: 30, page_size: 10, awkward: true, ..Settings::default() };
    let sandbox = sandbox(settings).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url());
    let sync = program.ends(0, &["sync", "--full", "--json"]).await.json();
    assert_eq!((&sync["mode"], &sync["outcome"], &sync["run_id"]), (&"full".into(), &"ok".into(), &1.into()));
    assert_eq!(sync["counts"]["customers_inserted"], 30);
    assert_eq!(sync["export"]["files"].as_array().unwrap().len(), 4);
    let status = program.ends(0, &["status", "--json"]).await.json();
    assert_eq!(status["runs"][0]["id"], 1);
    assert_eq!(status["running"], false);
    assert_eq!(status["export_lag"], serde_json::json!([]));
    let rows = |stream: usize| status["streams"][stream]["row_count"].as_u64().unwrap() as usize;
    assert_eq!((rows(0), rows(1)), (30, sandbox.world().event_count()));
    assert!(status["api_behaviour"].as_array().unwrap().iter().any(|found| found["value"] == "link"));
    assert!(status["next"]["sync"].is_string());
    let shown = program.ends(0, &["config", "show", "--json"]).await.json();
    assert!(shown["values"]["api.base_url"]["value"].is_string());
    let export = program.ends(0, &["export", "--json"]).await.json();
    assert_eq!(export["files"], serde_json::json!([]));
    let snapshot = program.ends(0, &["export", "--snapshot", "--json"]).await.json();
    assert_eq!(snapshot["files"].as_array().unwrap().len(), 4);
    // A snapshot changes nothing about the incremental files.
    assert_everything_equals(&State::of_world(&sandbox.world()), &place);
    assert_no_strays(&place);
    // For people, the same on stdout, and logs on stderr alone.
    for arguments in [
        &["sync"][..],
        &["status"],
        &["export"],
        &["config", "show"],
        &["man"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let ran = program.ends(0, arguments).await;
        assert!(!ran.stdout.is_empty() && !ran.stdout.contains("\"level\""), "{arguments:?}: {}", ran.stdout);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_shows_everything_in_a_folder_of_its_own() {
    let place = Place::new();
    let dir = place.path().join("a demo's folder");
    let program = Program::new(place.path());
    let ran = program.ends(0, &["demo", "--customers", "40", "--dir", dir.to_str().unwrap()]).await;
    for text in ["40 customers", "full sync", "incremental sync", "sqlite3", "status", "manifest"] {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
    let customers = query(&dir.join("mirror.db"), "SELECT count(*) AS n FROM customers")[0]["n"].integer();
    assert_eq!(customers, 40 - 2 + 1);
    // The mirror and the exports of the demo are like any others.
    std::fs::rename(dir.join("mirror.db"), place.mirror()).unwrap();
    std::fs::rename(dir.join("exports"), place.exports()).unwrap();
    let mirror = State::of_mirror(&place);
    for format in ["csv", "ndjson"] {
        assert_same(&as_exported(&mirror, &place), &as_exported(&replay(&place, format), &place), format);
    }
    // Nobody's files are written over.
    program.ends(2, &["demo", "--dir", dir.to_str().unwrap()]).await.tells(&["not empty"]);
}

/// Each example query of docs/mirror.md shows what it shows for the demo.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documented_queries_bring_what_the_page_shows() {
    let place = Place::new();
    let dir = place.path().join("demo");
    Program::new(place.path()).ends(0, &["demo", "--dir", dir.to_str().unwrap()]).await;
    let page = include_str!("../../docs/mirror.md");
    let examples: Vec<&str> = page.split("sqlite3 -readonly -box mirror.db \"").skip(1).collect();
    assert_eq!(examples.len(), 4);
    for example in examples {
        let (sql, shown) = example.split_once("\"\n").unwrap();
        let (shown, _) = shown.split_once("```").unwrap();
        let mut lines = shown.lines().filter(|line| line.starts_with('│')).map(cells);
        let columns = lines.next().unwrap();
        let as_texts: Vec<String> =
            columns.iter().map(|name| format!("coalesce(CAST({name} AS TEXT), '') AS {name}")).collect();
        let sql = format!("SELECT {} FROM ({sql})", as_texts.join(", "));
        let rows: Vec<Vec<String>> = query(&dir.join("mirror.db"), &sql)
            .iter()
            .map(|row| columns.iter().map(|name| row[name].text().to_owned()).collect())
            .collect();
        assert_eq!(lines.collect::<Vec<_>>(), rows, "{sql}");
        assert!(!rows.is_empty());
    }
}

/// The cells of a line such as `│ a │ b │`.
fn cells(line: &str) -> Vec<String> {
    line.trim_matches('│').split('│').map(|cell| cell.trim().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandboxs_clock_runs_as_fast_as_it_is_told() {
    let place = Place::new();
    let mut running = Program::new(place.path()).start(&[
        "sandbox",
        "--listen=127.0.0.1:0",
        "--customers=20",
        "--churn=100",
        "--time-factor=1000000",
        "--events-touch-customer",
        "--no-account",
    ]);
    let line = running.prints("http://127.0.0.1:").await;
    let program = place.program(line.split_whitespace().nth(1).unwrap());
    // A tenth of a second is more than a day: somebody comes after the day on which the clock began.
    loop {
        let listed = program.ends(0, &["customers", "list"]).await.stdout;
        let came_later = |line: &str| {
            line.contains("\"created_at\":\"2025-") && !line.contains("\"created_at\":\"2025-01-01T")
        };
        if listed.lines().any(came_later) {
            break;
        }
    }
    running.signal("TERM");
    running.end().await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandbox_of_the_command_line_serves_the_api() {
    let place = Place::new();
    let start = Program::new(place.path());
    let mut running = start.start(&[
        "sandbox",
        "--listen",
        "127.0.0.1:0",
        "--customers",
        "25",
        "--token-style",
        "header",
        "--awkward",
    ]);
    let url = running.prints("http://127.0.0.1:").await;
    let url: String = url[url.find("http://").unwrap()..]
        .chars()
        .take_while(|c| !c.is_whitespace() && !matches!(c, '"' | ',' | ';' | '`'))
        .collect();
    let program = place.program(url.trim_end_matches(['.', '/']));
    program.ends(0, &["sync", "--full"]).await;
    assert_eq!(place.number("SELECT count(*) FROM customers"), 25);
    running.signal("TERM");
    running.end().await.expect(0);
}
