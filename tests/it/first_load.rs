//! The first load: an empty mirror is filled in a file of its own, and is whole when it takes its place.

use crate::support::{
    Account, Place, Reply, Server, Shared, World, assert_counts_are_true, assert_days_are_true,
    assert_everything_equals, assert_no_strays, assert_totals_are_true, customer, event,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Notify;

/// SIGKILL.
const KILLED: i32 = 9;

fn loading(place: &Place) -> std::path::PathBuf {
    place.path().join("mirror.db.loading")
}

/// A server that answers so many requests and then none, until it is told to go on.
struct Silent {
    server: Server,
    left: Arc<AtomicUsize>,
    noticed: Arc<Notify>,
}

impl Silent {
    async fn after(requests: usize, account: &Shared) -> Silent {
        let (left, noticed) = (Arc::new(AtomicUsize::new(requests)), Arc::new(Notify::new()));
        let (count, notice) = (left.clone(), noticed.clone());
        let server = account.serve_but(move |_| {
            let left = count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            left.is_err().then(|| {
                notice.notify_one();
                Reply::Silence
            })
        });
        Silent { server: server.await, left, noticed }
    }

    fn talk(&self) {
        self.left.store(usize::MAX, Ordering::SeqCst);
    }
}

fn assert_whole(place: &Place) {
    assert_eq!(place.text("PRAGMA integrity_check"), "ok");
    assert_eq!(place.text("PRAGMA journal_mode"), "wal");
    let indexes = "SELECT count(*) FROM sqlite_schema WHERE name IN ('customers_by_id', 'events_by_id', \
                   'events_of_customer', 'events_missing', 'customers_leave_their_insert', 'events_leave_their_insert')";
    assert_eq!(place.number(indexes), 6);
    let keys =
        "SELECT count(*) FROM meta WHERE key NOT IN ('mirror_id', 'webhook_hint_number', 'derived_through')";
    assert_eq!(place.number(keys), 0, "nothing is left to do");
    let back = "SELECT count(*) FROM (SELECT observed_at < lag(observed_at) OVER (ORDER BY seq) AS back FROM changes) \
                WHERE back";
    assert_eq!(place.number(back), 0, "the log's times go up with its numbers");
    for ending in ["", "-journal"] {
        assert!(!place.path().join(format!("mirror.db.loading{ending}")).exists());
    }
    assert_totals_are_true(place);
    assert_days_are_true(place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_listed_twice_is_compared_at_the_end() {
    for arguments in [&["sync", "--full"][..], &["sync"]] {
        let mut account = Account::of(6, 2, 3);
        // A customer twice on different pages, the newer version once before and once behind the older one; one twice the
        // same; an event twice in one list, in both versions.
        let again = |id: &str, name: &str, at: &str| (id.to_owned(), customer(id, name, at));
        let same = account.customers[2].clone();
        account.customers.insert(4, again("c-01", "Newer", "2025-01-01T00:00:00Z"));
        account.customers.insert(6, again("c-02", "Older", "2020-01-01T00:00:00Z"));
        account.customers.push(same);
        account.events.get_mut("c-04").unwrap().push(event("c-04-e-1", "2025-01-01T00:00:00Z"));
        let same = account.events["c-05"][0].clone();
        account.events.get_mut("c-05").unwrap().push(same);
        let World { server, place, program, .. } = World::of(account).await;
        let told = program.ends(0, arguments).await.stdout;
        let mut expected = Account::of(6, 2, 3);
        expected.put("c-01", customer("c-01", "Newer", "2025-01-01T00:00:00Z"));
        expected.events.get_mut("c-04").unwrap()[0] = event("c-04-e-1", "2025-01-01T00:00:00Z");
        assert_everything_equals(&expected.state(), &place);
        assert_counts_are_true(&place);
        assert_whole(&place);
        assert_no_strays(&place);
        // Each record was inserted once; two were updated by what came later.
        let counts = "SELECT customers_seen || ' ' || customers_inserted || ' ' || customers_updated || ' ' || \
                      events_inserted || ' ' || events_updated FROM sync_runs WHERE id = 1";
        assert_eq!(place.text(counts), "6 6 1 12 1");
        // The older version is told of, or asked about.
        let older = "SELECT events_seen || ' ' || customers_stale FROM sync_runs WHERE id = 1";
        assert_eq!(place.text(older), "12 1");
        let is_full = arguments.len() == 2;
        assert_eq!(server.count(|asked| asked.path == "/customers/c-02"), usize::from(is_full));
        assert_eq!(told.contains("1 customers were listed in an older version"), !is_full, "{told}");
        program.ends(0, &["export", "verify"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_load_has_committed_is_taken_over() {
    let account = Account::of(40, 3, 4).shared();
    for requests in [1, 4, 9, 20, 45] {
        let place = Place::new();
        let silent = Silent::after(requests, &account).await;
        let program = place.program(&silent.server.base_url()).set("api.concurrency=4");
        let mut running = program.start(&["sync", "--full"]);
        silent.noticed.notified().await;
        // Readers see an empty mirror meanwhile, and who is at work.
        let status = program.ends(0, &["status", "--json"]).await.json();
        assert_eq!((&status["running"], &status["runs"][0]["mode"]), (&true.into(), &"full".into()));
        assert_eq!(place.number("SELECT count(*) FROM customers"), 0);
        assert!(loading(&place).exists());
        running.kill();
        assert_eq!(running.end().await.signal(), Some(KILLED));
        silent.talk();
        program.ends(0, &["sync", "--full"]).await;
        assert_everything_equals(&account.state(), &place);
        assert_whole(&place);
        assert_eq!(place.text("SELECT outcome FROM sync_runs WHERE id = 1"), "interrupted");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_is_stopped_leaves_a_whole_mirror() {
    let account = Account::of(40, 3, 4).shared();
    let place = Place::new();
    let silent = Silent::after(20, &account).await;
    let program = place.program(&silent.server.base_url()).set("api.concurrency=4");
    let running = program.start(&["sync", "--full"]);
    silent.noticed.notified().await;
    running.signal("TERM");
    running.end().await.expect(5);
    assert_whole(&place);
    assert!(place.number("SELECT count(*) FROM customers") > 0, "what came is kept");
    silent.talk();
    let report = program.ends(0, &["sync", "--full", "--json"]).await.json();
    assert_eq!(report["resumed"], true);
    assert_everything_equals(&account.state(), &place);
}

/// Whoever had the empty mirror open must not go on reading it beside the log of the one that took its place.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_the_empty_mirror_meanwhile_has_to_connect_again() {
    let account = Account::of(40, 3, 4).shared();
    let place = Place::new();
    let silent = Silent::after(20, &account).await;
    let program = place.program(&silent.server.base_url()).set("api.concurrency=4").set("api.timeout=1s");
    let running = program.start(&["sync", "--full"]);
    silent.noticed.notified().await;
    let reader = rusqlite::Connection::open(place.mirror()).unwrap();
    let count = || reader.query_row("SELECT count(*) FROM customers", [], |row| row.get::<_, i64>(0));
    assert_eq!(count(), Ok(0));
    silent.talk();
    running.end().await.expect(0);
    for new in ["c-98", "c-99"] {
        let error = count().unwrap_err();
        assert!(
            matches!(
                error.sqlite_error_code(),
                Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt)
            ),
            "{error}"
        );
        account.lock().add(new, 3);
        program.ends(0, &["sync", "--full"]).await;
    }
    drop(reader);
    assert_everything_equals(&account.state(), &place);
    assert_whole(&place);
}

/// Then the mirror is filled as any other: where somebody reads an empty one, and where it is not empty.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_load_begins_where_somebody_reads_or_rows_are_there() {
    let World { account, server, place, program } = World::of(Account::of(6, 2, 3)).await;
    program.clone().key("").run(&["sync"]).await;
    program.ends(0, &["sync", "--customer", "c-01"]).await;
    assert_whole(&place);
    // A file of a load that somebody has overtaken with a backup.
    std::fs::copy(place.mirror(), loading(&place)).unwrap();
    program.ends(0, &["sync", "--full"]).await;
    assert_whole(&place);
    assert_everything_equals(&account.state(), &place);

    let read = Place::new();
    std::fs::create_dir_all(read.mirror().parent().unwrap()).unwrap();
    drop(malomo_mirror::mirror::Mirror::open(&read.mirror()).unwrap());
    let reader = rusqlite::Connection::open(read.mirror()).unwrap();
    reader.execute_batch("BEGIN; SELECT * FROM customers").unwrap();
    read.program(&server.base_url()).ends(0, &["sync", "--full"]).await;
    assert_eq!(reader.query_row("SELECT count(*) FROM customers", [], |row| row.get(0)), Ok(0));
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(reader.query_row("SELECT count(*) FROM customers", [], |row| row.get(0)), Ok(6));
    drop(reader);
    assert_everything_equals(&account.state(), &read);
    assert_whole(&read);
}
