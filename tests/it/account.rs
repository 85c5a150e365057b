//! Another account behind the same address: its customers never reach the mirror or an export, and the mirror's own ones
//! stay, in this run and in every later one, until the account answers again or the operator accepts the new one.

use crate::support::{
    Account, Asked, Place, Program, Reply, Server, Shared, World, assert_everything_equals, customer,
    manifest,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const MODES: [&[&str]; 3] = [&["sync"], &["sync", "--full"], &["sync"]];

/// An account that none of the mirror's customers is in.
fn strangers(customers: usize) -> Account {
    let mut account = Account { page_size: 5, ..Account::default() };
    for n in 1..=customers {
        account.add(&format!("s-{n:03}"), 2);
    }
    account
}

/// Twelve customers, mirrored and exported; then the address belongs to `other`.
struct Stage {
    own: Account,
    account: Shared,
    server: Server,
    place: Place,
}

impl Stage {
    async fn with(twist: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Stage {
        let own = Account::of(12, 2, 5);
        let World { account, server, place, program } = World::but(own.clone(), twist).await;
        program.ends(0, &["sync", "--full"]).await;
        Stage { own, account, server, place }
    }

    async fn honest() -> Stage {
        Stage::with(|_| None).await
    }

    fn program(&self) -> Program {
        self.place.program(&self.server.base_url()).set("sync.events_max_age=0s")
    }

    fn becomes(&self, account: &Account) {
        *self.account.lock() = account.clone();
    }

    /// Runs end with `code`, and change nothing in the mirror or in the exports.
    async fn stays_as_it_is(&self, code: i32, runs: &[&[&str]], reason: &str) {
        let changes = self.place.number("SELECT count(*) FROM changes");
        let files = manifest(&self.place);
        for arguments in runs {
            let ran = self.program().ends(code, arguments).await;
            let told = format!("{}{}", ran.stdout, ran.stderr);
            assert!(told.contains(reason) && told.contains("--accept-account"), "{arguments:?}: {told}");
            assert_eq!(self.place.number("SELECT count(*) FROM changes"), changes, "{arguments:?}");
            assert_eq!(manifest(&self.place), files, "{arguments:?}");
            assert_everything_equals(&self.own.state(), &self.place);
        }
        for arguments in [&["export"][..], &["export", "--snapshot"]] {
            self.program().ends(5, arguments).await.tells(&["nothing was exported", "--accept-account"]);
        }
        let status = self.program().ends(0, &["status", "--json"]).await.json();
        assert!(status["account_doubt"]["reason"].as_str().unwrap().contains(reason), "{status}");
        self.program().ends(0, &["status"]).await.shows(&["IN DOUBT since", reason]);
    }

    /// The own account is back, with a change that came meanwhile.
    async fn goes_on_with_its_own(&self) {
        let mut own = self.own.clone();
        own.put("c-03", customer("c-03", "Meanwhile", "2024-07-01T12:00:00Z"));
        self.becomes(&own);
        self.program().ends(0, &["sync"]).await;
        assert_everything_equals(&own.state(), &self.place);
        let status = self.program().ends(0, &["status", "--json"]).await.json();
        assert!(status["account_doubt"].is_null(), "{status}");
        self.program().ends(0, &["export", "verify"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_of_any_number_change_nothing_however_often_they_are_listed() {
    for customers in [3, 12, 40] {
        let stage = Stage::honest().await;
        stage.becomes(&strangers(customers));
        stage.stays_as_it_is(5, &MODES, "brought none of the mirror's 12 customers").await;
        stage.stays_as_it_is(5, &[&["sync", "--customer", "s-001"]], "none of the mirror's customers").await;
        stage.goes_on_with_its_own().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_with_the_same_ids_are_told_by_when_they_were_created() {
    let stage = Stage::honest().await;
    let mut other = Account::of(12, 2, 5);
    for (_, record) in &mut other.customers {
        *record = record.replace("2024-01-01T00:00:00Z", "2023-11-11T11:11:11Z");
    }
    stage.becomes(&other);
    stage.stays_as_it_is(5, &MODES, "brought none of the mirror's 12 customers").await;
    stage.goes_on_with_its_own().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn few_of_ours_among_many_strangers_are_not_enough() {
    let stage = Stage::honest().await;
    let mut other = strangers(20);
    other.add("c-01", 2);
    other.add("c-02", 2);
    stage.becomes(&other);
    stage.stays_as_it_is(5, &MODES, "brought only 2 of the mirror's 12 customers").await;
    stage.goes_on_with_its_own().await;
}

/// Even while the mirror's own customers answer when asked for alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_alone_is_anothers_brings_no_strangers() {
    let (is_other, other) = (Arc::new(AtomicBool::new(false)), strangers(12));
    let switch = is_other.clone();
    let stage = Stage::with(move |asked| {
        (switch.load(Ordering::SeqCst) && asked.is_customer_list()).then(|| other.answer(asked))
    })
    .await;
    is_other.store(true, Ordering::SeqCst);
    stage.stays_as_it_is(5, &MODES, "brought none of the mirror's 12 customers").await;
    is_other.store(false, Ordering::SeqCst);
    stage.goes_on_with_its_own().await;
}

/// The walk begins again in the middle: what it listed before is no more known than before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_walk_that_begins_again_takes_no_strangers() {
    let refusals = Arc::new(AtomicUsize::new(0));
    let (counted, is_other) = (refusals.clone(), Arc::new(AtomicBool::new(false)));
    let switch = is_other.clone();
    let stage = Stage::with(move |asked| {
        let is_second = asked.is_customer_list() && asked.parameter("next") == Some("at-5");
        let refused =
            switch.load(Ordering::SeqCst) && is_second && counted.fetch_add(1, Ordering::SeqCst) == 0;
        refused.then(|| Reply::error(400, "invalid_cursor", "the cursor has expired"))
    })
    .await;
    is_other.store(true, Ordering::SeqCst);
    stage.becomes(&strangers(12));
    stage.stays_as_it_is(5, &MODES, "brought none of the mirror's 12 customers").await;
    assert!(refusals.load(Ordering::SeqCst) > 1);
    stage.goes_on_with_its_own().await;
}

/// The first load was cut off; where the next run would go on, everybody is new to the mirror anyway.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_walk_that_goes_on_takes_no_strangers() {
    let own = Account::of(20, 1, 2);
    let is_down = Arc::new(AtomicBool::new(true));
    let switch = is_down.clone();
    let World { account, server: _server, place, program } = World::but(own.clone(), move |asked| {
        let is_late = asked.is_customer_list() && asked.parameter("next") == Some("at-10");
        (is_late && switch.load(Ordering::SeqCst)).then(|| Reply::error(500, "down", "down"))
    })
    .await
    .set("api.max_attempts=2");
    program.ends(1, &["sync", "--full"]).await;
    assert_eq!(place.number("SELECT count(*) FROM checkpoints"), 1);
    let held = place.number("SELECT count(*) FROM customers");
    assert!((2..20).contains(&held), "{held}");
    is_down.store(false, Ordering::SeqCst);
    *account.lock() = Account { page_size: 2, ..strangers(40) };
    for _ in 0..2 {
        program.ends(5, &["sync", "--full"]).await;
        assert_eq!(place.number("SELECT count(*) FROM customers"), held);
    }
    *account.lock() = own.clone();
    program.ends(0, &["sync", "--full"]).await;
    assert_everything_equals(&own.state(), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_account_takes_the_others_place() {
    let stage = Stage::honest().await;
    let other = strangers(30);
    stage.becomes(&other);
    stage.stays_as_it_is(5, &[&["sync"]], "brought none of the mirror's 12 customers").await;
    stage.program().ends(0, &["sync", "--accept-account"]).await;
    assert_everything_equals(&other.state(), &stage.place);
    stage.program().ends(0, &["sync"]).await;
    stage.program().ends(0, &["export", "verify"]).await;
    for arguments in
        [&["sync", "--accept-account", "--customer", "s-001"][..], &["sync", "--accept-account", "--dry-run"]]
    {
        stage.program().ends(2, arguments).await;
    }
}

/// Whose customers and events have the ids of the old account's, and older times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_accepted_account_with_the_same_ids_is_taken_whole() {
    let stage = Stage::honest().await;
    let mut other = Account::of(12, 3, 5);
    let older = |record: &mut String| {
        *record = record.replace("2024-", "2021-").replace("@example.com", "@example.org");
    };
    other.customers.iter_mut().for_each(|(_, record)| older(record));
    other.events.values_mut().flatten().for_each(older);
    stage.becomes(&other);
    stage.stays_as_it_is(5, &[&["sync"]], "brought none of the mirror's 12 customers").await;
    stage.program().ends(0, &["sync", "--accept-account"]).await;
    assert_everything_equals(&other.state(), &stage.place);
    stage.program().ends(0, &["sync"]).await;
}

/// An account that names itself is known by its name before anything else is asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_accounts_key_is_refused_by_the_accounts_id() {
    let id = Arc::new(std::sync::Mutex::new("acc-own".to_owned()));
    let named = id.clone();
    let stage = Stage::with(move |asked| {
        let body = format!("{{\"id\": \"{}\", \"name\": \"Shop\"}}", named.lock().unwrap());
        (asked.path == "/accounts/self").then(|| Reply::json(200, &body))
    })
    .await;
    assert_eq!(stage.place.text("SELECT account_id FROM account"), "acc-own");
    // The same customers, as a copy of the account may have them.
    *id.lock().unwrap() = "acc-other".to_owned();
    let before = stage.server.asked().len();
    let runs: [&[&str]; 3] = [&["sync"], &["sync", "--full"], &["sync", "--customer", "c-01"]];
    stage.stays_as_it_is(2, &runs, "holds account acc-own, but the API answers for account acc-other").await;
    assert_eq!(stage.server.asked().len(), before, "nothing else was asked");
    assert_eq!(stage.place.text("SELECT outcome FROM sync_runs ORDER BY id DESC LIMIT 1"), "failed");
    *id.lock().unwrap() = "acc-own".to_owned();
    stage.goes_on_with_its_own().await;
    *id.lock().unwrap() = "acc-other".to_owned();
    let other = strangers(7);
    stage.becomes(&other);
    stage.program().ends(0, &["sync", "--accept-account"]).await;
    assert_everything_equals(&other.state(), &stage.place);
    assert_eq!(stage.place.text("SELECT account_id FROM account"), "acc-other");
}

/// An account that grows by many customers at once, newest first, is still the same; so is one that loses some.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_changes_much_is_no_other() {
    let stage = Stage::honest().await;
    let mut grown = strangers(100);
    grown.customers.extend(stage.own.customers.clone());
    grown.events.extend(stage.own.events.clone());
    stage.becomes(&grown);
    let pages = stage.server.count(Asked::is_customer_list);
    stage.program().ends(0, &["sync"]).await;
    assert_everything_equals(&grown.state(), &stage.place);
    let pages = stage.server.count(Asked::is_customer_list) - pages;
    assert_eq!(pages, 112usize.div_ceil(5) + 1, "the list was read once, and at the end its first page");
    for n in 1..=40 {
        grown.remove(&format!("s-{n:03}"));
    }
    stage.becomes(&grown);
    stage.program().ends(0, &["sync"]).await;
    assert_everything_equals(&grown.state(), &stage.place);
}

/// The second page comes from another account already; both know the token.
async fn stage_that_changes_in_mid_list(
    other: &Account,
    id: Option<&'static str>,
) -> (Stage, Arc<AtomicBool>) {
    let (is_changing, strangers) = (Arc::new(AtomicBool::new(false)), other.clone());
    let (switch, is_other) = (is_changing.clone(), AtomicBool::new(false));
    let stage = Stage::with(move |asked| {
        if !switch.load(Ordering::SeqCst) {
            is_other.store(false, Ordering::SeqCst);
        } else if asked.is_customer_list() && asked.parameter("next") == Some("at-5") {
            is_other.store(true, Ordering::SeqCst);
        }
        let is_other = is_other.load(Ordering::SeqCst);
        match id {
            Some(id) if asked.path == "/accounts/self" => {
                let body = format!(r#"{{"id": "{}"}}"#, if is_other { "acc-other" } else { id });
                Some(Reply::json(200, &body))
            }
            _ => is_other.then(|| strangers.answer(asked)),
        }
    })
    .await;
    (stage, is_changing)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_from_the_middle_of_a_list_are_taken_back_and_never_exported() {
    for (customers, id, mode) in [
        (12, None, &["sync", "--full"][..]),
        (40, None, &["sync"]),
        (12, Some("acc-own"), &["sync", "--full"]),
    ] {
        let (stage, is_changing) = stage_that_changes_in_mid_list(&strangers(customers), id).await;
        let files = manifest(&stage.place);
        is_changing.store(true, Ordering::SeqCst);
        let ran = stage.program().ends(5, mode).await;
        ran.tells(&["has nothing of the mirror's customers", "--accept-account"]);
        assert_eq!(stage.place.number("SELECT count(*) FROM customers WHERE id LIKE 's-%'"), 0);
        assert_eq!(stage.place.number("SELECT count(*) FROM events WHERE customer_id LIKE 's-%'"), 0);
        assert!(stage.place.number("SELECT customers_deleted FROM sync_runs ORDER BY id DESC LIMIT 1") > 0);
        assert_everything_equals(&stage.own.state(), &stage.place);
        assert_eq!(manifest(&stage.place), files);
        stage.program().ends(5, &["export"]).await.tells(&["nothing was exported"]);
        is_changing.store(false, Ordering::SeqCst);
        stage.goes_on_with_its_own().await;
        for line in manifest(&stage.place) {
            let path = stage.place.exports().join(line["path"].as_str().unwrap());
            let text = std::fs::read_to_string(path).unwrap();
            assert!(!text.contains("Last of s-"), "{line}");
        }
    }
}

/// What the account itself had brought in the same run comes with the next one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_back_with_the_strangers_comes_again() {
    let (mut stage, is_changing) = stage_that_changes_in_mid_list(&strangers(12), None).await;
    stage.own.add("c-00", 3);
    stage.own.customers.rotate_right(1);
    stage.own.add_event("c-01", "new");
    stage.becomes(&stage.own);
    is_changing.store(true, Ordering::SeqCst);
    stage.program().ends(5, &["sync"]).await;
    is_changing.store(false, Ordering::SeqCst);
    stage.program().ends(0, &["sync"]).await;
    assert_everything_equals(&stage.own.state(), &stage.place);
}

/// Single customers can't be asked for, and the list begins as it did: that is a poor API, and no other account.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_without_single_customers_is_no_other_account() {
    let is_poor = Arc::new(AtomicBool::new(false));
    let switch = is_poor.clone();
    let mut stage = Stage::with(move |asked| {
        let is_single = asked.path.starts_with("/customers/") && !asked.path.ends_with("/events");
        (is_single && switch.load(Ordering::SeqCst))
            .then(|| Reply::error(404, "not_found", "no such customer"))
    })
    .await;
    is_poor.store(true, Ordering::SeqCst);
    stage.own.add("c-13", 1);
    stage.becomes(&stage.own);
    stage.program().ends(0, &["sync"]).await;
    assert_everything_equals(&stage.own.state(), &stage.place);
}
