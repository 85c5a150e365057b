//! Deletion on evidence only, and which of two versions counts (api-contract points 9 and 10).

use crate::support::{
    Account, Asked, Place, Program, Reply, Server, Shared, State, World, assert_everything_equals, customer,
    event,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Twenty customers with two events each, mirrored; the server then follows `twist` while the switch is on.
struct Stage {
    account: Shared,
    server: Server,
    place: Place,
    twisted: Arc<AtomicBool>,
}

impl Stage {
    async fn with(twist: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Stage {
        let twisted = Arc::new(AtomicBool::new(false));
        let switch = twisted.clone();
        let World { account, server, place, program } = World::but(Account::of(20, 2, 5), move |asked| {
            twist(asked).filter(|_| switch.load(Ordering::SeqCst))
        })
        .await;
        program.ends(0, &["sync", "--full"]).await;
        assert_everything_equals(&account.state(), &place);
        twisted.store(true, Ordering::SeqCst);
        Stage { account, server, place, twisted }
    }

    async fn honest() -> Stage {
        Stage::with(|_| None).await
    }

    fn program(&self) -> Program {
        self.place.program(&self.server.base_url())
    }

    /// How often a customer was asked for alone.
    fn asked_alone(&self) -> usize {
        self.server.count(|asked| asked.method == "GET" && asked.path.matches('/').count() == 2)
    }

    /// Asserts that a run of either mode ends like this, tells why, and deletes nothing.
    async fn keeps_everything(&self, code: i32, reason: &str) {
        for arguments in [&["sync"][..], &["sync", "--full"]] {
            let changes = self.place.number("SELECT count(*) FROM changes");
            let ran = self.program().set("api.max_attempts=2").ends(code, arguments).await;
            assert!(
                ran.stdout.contains(reason) || ran.stderr.contains(reason),
                "{}{}",
                ran.stdout,
                ran.stderr
            );
            assert_eq!(self.place.number("SELECT count(*) FROM changes"), changes);
            assert_everything_equals(&self.account.state(), &self.place);
            assert_eq!(self.asked_alone(), 0);
            let recorded =
                "SELECT coalesce(error, '') || coalesce(remarks, '') FROM sync_runs ORDER BY id DESC LIMIT 1";
            assert!(self.place.text(recorded).contains(reason), "{}", self.place.text(recorded));
        }
        // Back to itself, the server finds everything as it was.
        self.twisted.store(false, Ordering::SeqCst);
        self.program().ends(0, &["sync"]).await;
        assert_everything_equals(&self.account.state(), &self.place);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_list_deletes_nothing() {
    let stage = Stage::with(|asked| asked.is_customer_list().then(|| Reply::json(200, "[]"))).await;
    stage.keeps_everything(5, "brought none of the mirror's 20 customers").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_cut_short_by_an_error_deletes_nothing() {
    let stage = Stage::with(|asked| {
        let second_page = asked.is_customer_list() && asked.parameter("next").is_some();
        second_page.then(|| Reply::error(500, "internal_server_error", "something went wrong"))
    })
    .await;
    stage.keeps_everything(1, "HTTP 500").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenth_of_the_list_deletes_nothing() {
    let two = Account::of(2, 2, 5);
    let stage = Stage::with(move |asked| asked.is_customer_list().then(|| two.answer(asked))).await;
    stage.keeps_everything(5, "lacks 18 of the mirror's 20 customers").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_missing_from_the_list_that_answers_alone_is_kept() {
    let mut listed = Account::of(20, 2, 5);
    listed.remove("c-07");
    let stage = Stage::with(move |asked| asked.is_customer_list().then(|| listed.answer(asked))).await;
    for arguments in [&["sync"][..], &["sync", "--full"]] {
        stage.program().ends(0, arguments).await;
        assert_everything_equals(&stage.account.state(), &stage.place);
    }
    assert_eq!(stage.asked_alone(), 2);
}

/// The list has five on a page and lacks one of its pages; its end looks like any other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_leaves_out_a_page_is_not_whole() {
    let mut listed = Account::of(20, 2, 5);
    for id in ["c-06", "c-07", "c-08", "c-09", "c-10"] {
        listed.remove(id);
    }
    let stage = Stage::with(move |asked| asked.is_customer_list().then(|| listed.answer(asked))).await;
    for arguments in [&["sync"][..], &["sync", "--full"]] {
        let ran = stage.program().ends(5, arguments).await;
        assert!(ran.stdout.contains("pages of it were left out"), "{}", ran.stdout);
        assert_everything_equals(&stage.account.state(), &stage.place);
    }
    stage.twisted.store(false, Ordering::SeqCst);
    stage.program().ends(0, &["sync"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_that_can_not_be_asked_for_is_kept() {
    let mut listed = Account::of(20, 2, 5);
    listed.remove("c-07");
    let stage = Stage::with(move |asked| match asked.path.as_str() {
        "/customers" => Some(listed.answer(asked)),
        "/customers/c-07" => Some(Reply::error(500, "internal_server_error", "something went wrong")),
        _ => None,
    })
    .await;
    let ran = stage.program().set("api.max_attempts=2").ends(5, &["sync"]).await;
    assert!(ran.stdout.contains("c-07"), "{}", ran.stdout);
    assert_everything_equals(&stage.account.state(), &stage.place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_few_that_are_gone_are_deleted_with_their_evidence() {
    let stage = Stage::honest().await;
    for id in ["c-03", "c-11", "c-20"] {
        stage.account.lock().remove(id);
    }
    stage.program().ends(0, &["sync"]).await;
    assert_everything_equals(&stage.account.state(), &stage.place);
    // They, and one that the list has: the API does answer for such.
    assert_eq!(stage.asked_alone(), 4);
    let deletes =
        stage.place.query("SELECT stream, id, evidence FROM changes WHERE op = 'delete' ORDER BY seq");
    let streams: Vec<&str> = deletes.iter().map(|row| row["stream"].text()).collect();
    assert_eq!(streams.iter().filter(|stream| **stream == "customers").count(), 3);
    assert_eq!(streams.iter().filter(|stream| **stream == "events").count(), 6);
    for delete in &deletes {
        let evidence = delete["evidence"].text();
        for part in
            ["missing from the complete walk of run 2", "404", "req-not_found", "200 for customer c-01"]
        {
            assert!(evidence.contains(part), "{evidence}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_that_is_gone_by_410_is_deleted_and_the_evidence_says_410() {
    let stage = Stage::with(|asked| {
        (asked.path == "/customers/c-07").then(|| Reply::error(410, "gone", "it was deleted"))
    })
    .await;
    stage.account.lock().remove("c-07");
    stage.program().ends(0, &["sync"]).await;
    assert_everything_equals(&stage.account.state(), &stage.place);
    let evidence = stage.place.text("SELECT evidence FROM changes WHERE op = 'delete' AND id = 'c-07'");
    assert!(
        evidence.contains("GET answered 410, request id req-gone, and 200 for customer c-01"),
        "{evidence}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_deleted_when_two_looks_agree() {
    // The first look at c-05's events lacks one, the second one brings it: it stays.
    let looks = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = looks.clone();
    let mut lacking = Account::of(20, 2, 5);
    lacking.events.get_mut("c-05").unwrap().pop();
    let stage = Stage::with(move |asked| {
        let asked_for = asked.path == "/customers/c-05/events" && asked.query.is_empty();
        let first = asked_for && counted.fetch_add(1, Ordering::SeqCst) == 1;
        first.then(|| lacking.answer(asked))
    })
    .await;
    assert_eq!(looks.load(Ordering::SeqCst), 1);
    stage.program().ends(0, &["sync", "--full"]).await;
    assert_eq!(looks.load(Ordering::SeqCst), 3);
    assert_everything_equals(&stage.account.state(), &stage.place);
    // Gone for both: deleted, with its evidence.
    stage.account.lock().events.get_mut("c-05").unwrap().pop();
    stage.program().ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&stage.account.state(), &stage.place);
    let evidence = stage.place.text("SELECT evidence FROM changes WHERE op = 'delete'");
    assert!(evidence.contains("two complete walks"), "{evidence}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_version_in_a_list_is_counted_and_a_full_sync_asks() {
    let older = customer("c-04", "Older", "2024-04-01T12:00:00+02:00");
    let mut listed = Account::of(20, 2, 5);
    listed.put("c-04", older.clone());
    let stage = Stage::with(move |asked| asked.is_customer_list().then(|| listed.answer(asked))).await;
    // An incremental sync keeps what it has, and counts.
    let report = stage.program().ends(0, &["sync", "--json"]).await.json();
    assert_eq!(report["counts"]["customers_stale"], 1);
    assert!(report["remarks"][0].as_str().unwrap().contains("older version"), "{report}");
    assert_everything_equals(&stage.account.state(), &stage.place);
    assert_eq!(stage.asked_alone(), 0);
    // A full sync asks for that customer alone; the newer version is still there.
    stage.program().ends(0, &["sync", "--full"]).await;
    assert_eq!(stage.server.count(|asked| asked.path == "/customers/c-04"), 1);
    assert_eq!(stage.asked_alone(), 1);
    assert_everything_equals(&stage.account.state(), &stage.place);
    // The API really went back: a full sync takes what it gets.
    stage.account.lock().put("c-04", older);
    stage.program().ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&stage.account.state(), &stage.place);
    assert_eq!(State::of_mirror(&stage.place).customers["c-04"]["first_name"].text(), "Older");
}

/// What a list says twice is no news each time: the newest version stays, whichever stands first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_listed_in_two_versions_keeps_the_newer_one() {
    for newer_first in [true, false] {
        let World { account, server: _server, place, program } = World::of(Account::of(3, 2, 5)).await;
        program.ends(0, &["sync", "--full"]).await;
        let newer = event("c-02-e-1", "2025-01-01T00:00:00Z");
        let at = if newer_first { 0 } else { 1 };
        account.lock().events.get_mut("c-02").unwrap().insert(at, newer);
        for mode in [&["sync", "--full"][..], &["sync"], &["sync", "--full"], &["sync", "--full"]] {
            program.clone().set("sync.events_max_age=0s").ends(0, mode).await;
            let versions = "SELECT group_concat(updated_at, ' ') FROM (SELECT updated_at FROM events_history \
                            WHERE id = 'c-02-e-1' ORDER BY seq)";
            assert_eq!(place.text(versions), "2024-05-01T12:00:00Z 2025-01-01T00:00:00Z");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_instant_with_other_content_is_a_change() {
    let stage = Stage::honest().await;
    let changes = stage.place.number("SELECT count(*) FROM changes");
    // The same instant, written otherwise too.
    stage.account.lock().put("c-01", customer("c-01", "Other", "2024-05-01T12:00:00Z"));
    stage.account.lock().put("c-02", customer("c-02", "Other", "2024-05-01T14:00:00.000+02:00"));
    stage.program().ends(0, &["sync"]).await;
    assert_everything_equals(&stage.account.state(), &stage.place);
    assert_eq!(stage.place.number("SELECT count(*) FROM changes"), changes + 2);
}
