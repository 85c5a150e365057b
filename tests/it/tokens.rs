//! Page tokens that an earlier run was given: used where they name places in the list as it is, and nowhere else.

use crate::support::{
    Account, Old, Pages, Place, Program, Reply, Server, Shared, State, Tokens, assert_counts_are_true,
    assert_everything_equals, assert_no_strays, customer, sandbox,
};
use malomo_mirror::sandbox::{CustomerField, CustomerFields, Order, Settings, TokenStyle};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::Notify;

/// With these, four walkers share the list.
const CUSTOMERS: usize = 100;
const PAGE_SIZE: usize = 3;
const PAGES: usize = 34;
const LEAPS: usize = 3;

const ASCENDING: Tokens = Tokens::Keys { descending: false };
const DESCENDING: Tokens = Tokens::Keys { descending: true };

fn id(n: usize) -> String {
    format!("customer-{n:05}")
}

/// Every tenth number is taken: there is room for others in between.
fn account() -> Shared {
    let mut account = Account { page_size: PAGE_SIZE, ..Account::default() };
    for n in 1..=CUSTOMERS {
        account.add(&id(10 * n), 0);
    }
    account.shared()
}

fn update(account: &Shared, n: usize, name: &str) {
    account.lock().put(&id(n), customer(&id(n), name, "2024-06-01T12:00:00Z"));
}

fn program(place: &Place, base_url: &str) -> Program {
    place.program(base_url).set("api.concurrency=4").set("api.max_attempts=2")
}

/// An account, its server, and a mirror that a full sync has filled.
struct Scene {
    account: Shared,
    pages: Pages,
    server: Server,
    place: Place,
    program: Program,
}

impl Scene {
    async fn new(tokens: Tokens, old: Old) -> Scene {
        Scene::meddling(tokens, old, |_, _| None).await
    }

    async fn meddling(
        tokens: Tokens,
        old: Old,
        meddle: impl Fn(&Shared, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> Scene {
        let account = account();
        let pages = Pages::new(&account, tokens, old);
        let server = pages.serve(meddle).await;
        let place = Place::new();
        let program = program(&place, &server.base_url());
        let scene = Scene { account, pages, server, place, program };
        scene.first_sync().await;
        scene
    }

    async fn first_sync(&self) {
        let (_, leaps) = self.syncs(&["sync", "--full"]).await;
        assert_eq!(leaps, 0, "nothing is remembered yet");
    }

    /// A run that ends well, with everything in its place. Returns the pages asked for, and the leaps among them.
    async fn syncs(&self, arguments: &[&str]) -> (usize, usize) {
        self.pages.forget();
        self.program.ends(0, arguments).await;
        assert_everything_equals(&self.account.state(), &self.place);
        assert_no_strays(&self.place);
        assert_counts_are_true(&self.place);
        self.pages.counts()
    }

    fn token_names(&self) -> Option<String> {
        let found = self.place.query("SELECT value FROM api_behaviour WHERE point = 'token_names'");
        found.first().map(|row| row["value"].text().to_owned())
    }

    fn marks(&self) -> i64 {
        self.place.number("SELECT count(*) FROM list_marks")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_has_not_changed_takes_the_same_requests_from_many_places() {
    let scene = Scene::new(ASCENDING, Old::Taken).await;
    let contents = scene.place.contents();
    assert_eq!(scene.marks(), PAGES as i64 - 1);
    for _ in 0..2 {
        assert_eq!(scene.syncs(&["sync"]).await, (PAGES, LEAPS));
        assert_eq!(scene.place.contents(), contents);
    }
    // That nothing has changed shows nothing about what tokens name.
    assert_eq!(scene.token_names(), None);
    update(&scene.account, 500, "Changed");
    assert_eq!(scene.syncs(&["sync"]).await, (PAGES, LEAPS));
    assert_eq!(scene.token_names().unwrap(), "position");
    assert_eq!(scene.syncs(&["sync", "--full"]).await, (PAGES, LEAPS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_shows_what_tokens_name_and_the_configuration_overrules_it() {
    let scene = Scene::new(ASCENDING, Old::Taken).await;
    update(&scene.account, 500, "Changed");
    scene.syncs(&["sync"]).await;
    let shown = scene.program.ends(0, &["status"]).await.stdout;
    assert!(shown.contains("token_names") && shown.contains("though customers had changed since"), "{shown}");
    let never =
        Scene { program: scene.program.clone().set("api.paging.customers.reuse_tokens=never"), ..scene };
    assert_eq!(never.syncs(&["sync"]).await, (PAGES, 0));
    assert_eq!(never.marks(), 0);
    assert_eq!(never.syncs(&["sync"]).await, (PAGES, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_and_goes_between_runs_is_found_from_many_places() {
    for tokens in [ASCENDING, DESCENDING, Tokens::Ids, Tokens::Offsets] {
        let scene = Scene::new(tokens, Old::Taken).await;
        // Known for positions from then on, where that has to be found out.
        update(&scene.account, 500, "Changed");
        let extra = usize::from(tokens == Tokens::Ids);
        let (pages, leaps) = scene.syncs(&["sync"]).await;
        assert_eq!(leaps, LEAPS, "{tokens:?}");
        assert!((PAGES + extra..=PAGES + extra + LEAPS).contains(&pages), "{tokens:?}: {pages} pages");
        assert_eq!(scene.token_names().unwrap(), "position", "{tokens:?}");
        for round in 1..5 {
            for n in 0..7 {
                scene.account.lock().add(&id(1000 + 10 * round + n), 1);
                scene.account.lock().add(&id(140 * n + round), 0);
            }
            if tokens == Tokens::Offsets {
                // Newest first.
                scene.account.lock().customers.rotate_right(14);
            }
            for n in 0..6 {
                scene.account.lock().remove(&id(150 * n + 10 * round));
                update(&scene.account, 150 * n + 10 * round + 50, "Changed");
            }
            let (pages, leaps) = scene.syncs(&["sync"]).await;
            assert!(leaps >= LEAPS, "{tokens:?}: {leaps} leaps");
            let most = scene.account.lock().customers.len().div_ceil(PAGE_SIZE) + 3 * LEAPS + 4;
            assert!(pages <= most, "{tokens:?}: {pages} pages, at most {most} expected");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_a_copy_of_the_list_are_not_used() {
    let scene = Scene::new(Tokens::Copies, Old::Taken).await;
    scene.account.lock().remove(&id(700));
    update(&scene.account, 500, "Changed");
    assert_eq!(scene.syncs(&["sync"]).await, (PAGES - 1, 0));
    assert_eq!((scene.token_names().unwrap().as_str(), scene.marks()), ("walk", 0));
    scene.account.lock().remove(&id(10));
    assert_eq!(scene.syncs(&["sync"]).await.1, 0);
}

/// The first token comes again, and others are put to use; then one doesn't.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_change_after_all_are_given_up_and_the_list_is_begun_again() {
    let scene = Scene::new(Tokens::Renewed, Old::Taken).await;
    update(&scene.account, 500, "Changed");
    scene.account.lock().remove(&id(700));
    let (pages, leaps) = scene.syncs(&["sync"]).await;
    assert!(pages > PAGES, "{pages} pages, {leaps} leaps");
    let remarks = scene.place.query("SELECT remarks FROM sync_runs ORDER BY id DESC LIMIT 1");
    assert!(remarks[0]["remarks"].text().contains("not those of an earlier walk"), "{remarks:?}");
    assert_eq!((scene.token_names().unwrap().as_str(), scene.marks()), ("walk", 0));
    assert_eq!(scene.syncs(&["sync"]).await, (PAGES - 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_no_longer_work_cost_some_requests_and_nothing_else() {
    for old in [Old::Refused, Old::Fails] {
        let scene = Scene::new(ASCENDING, old).await;
        update(&scene.account, 500, "Changed");
        scene.account.lock().remove(&id(700));
        let (pages, leaps) = scene.syncs(&["sync"]).await;
        assert!((1..=5 * LEAPS * 2).contains(&leaps), "{old:?}: {leaps} leaps");
        assert!(pages <= PAGES + leaps, "{old:?}: {pages} pages");
        if old == Old::Refused {
            assert_eq!((scene.token_names().unwrap().as_str(), scene.marks()), ("walk", 0));
            assert_eq!(scene.syncs(&["sync"]).await, (PAGES - 1, 0));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_begins_from_the_front_for_an_old_token_is_walked_once() {
    let scene = Scene::new(ASCENDING, Old::Ignored).await;
    update(&scene.account, 500, "Changed");
    scene.account.lock().remove(&id(700));
    for _ in 0..3 {
        let (pages, _) = scene.syncs(&["sync"]).await;
        assert!(pages <= PAGES + 4 * LEAPS, "{pages} pages");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_address_begins_anew() {
    let scene = Scene::new(ASCENDING, Old::Taken).await;
    let elsewhere = scene.pages.serve(|_, _| None).await;
    let program = program(&scene.place, &elsewhere.base_url());
    let moved = Scene { program, server: elsewhere, ..scene };
    assert_eq!(moved.syncs(&["sync"]).await, (PAGES, 0));
    assert_eq!(moved.syncs(&["sync"]).await, (PAGES, LEAPS));
    assert!(moved.server.count(|asked| asked.is_customer_list()) >= 2 * PAGES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_that_shifts_while_many_read_it_loses_nobody() {
    for tokens in [ASCENDING, DESCENDING, Tokens::Offsets] {
        let busy = Arc::new(AtomicBool::new(false));
        let (switch, number) = (busy.clone(), AtomicUsize::new(0));
        let scene = Scene::meddling(tokens, Old::Taken, move |account, _| {
            if !switch.load(Ordering::SeqCst) {
                return None;
            }
            let page = number.fetch_add(1, Ordering::SeqCst);
            if tokens != Tokens::Offsets {
                account.lock().add(&id(13 + 30 * page), 0);
            } else if page % 4 == 0 {
                // Newest first; four walkers meet about one new record between two pages of theirs.
                account.lock().add(&id(13 + 30 * page), 0);
                account.lock().customers.rotate_right(1);
            }
            if tokens != Tokens::Offsets && page % 3 == 0 && (1..70).contains(&page) {
                account.lock().remove(&id(10 * page));
            }
            update(account, 1000 - 10 * (page % 20), &format!("After {page}"));
            None
        })
        .await;
        update(&scene.account, 500, "Changed");
        scene.syncs(&["sync"]).await;
        assert_eq!(scene.token_names().unwrap(), "position", "{tokens:?}");
        let new: Vec<String> = (0..9).map(|n| id(55 + 100 * n)).collect();
        new.iter().for_each(|id| scene.account.lock().add(id, 1));
        scene.pages.forget();
        busy.store(true, Ordering::SeqCst);
        scene.program.ends(0, &["sync"]).await;
        busy.store(false, Ordering::SeqCst);
        assert!(scene.pages.counts().1 >= LEAPS, "{tokens:?}");
        let mirrored = State::of_mirror(&scene.place).customers;
        assert!(new.iter().all(|id| mirrored.contains_key(id)), "{tokens:?}");
        scene.syncs(&["sync"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_killed_among_many_walkers_comes_out_right_the_next_time() {
    for arguments in [&["sync"][..], &["sync", "--full"]] {
        for pages in [1, 2, 5, 12, 25, 32] {
            let (left, silent) = (Arc::new(AtomicUsize::new(usize::MAX)), Arc::new(Notify::new()));
            let (counted, told) = (left.clone(), silent.clone());
            let scene = Scene::meddling(ASCENDING, Old::Taken, move |_, page| {
                let is_silent = page >= counted.load(Ordering::SeqCst);
                is_silent.then(|| {
                    told.notify_one();
                    Reply::Silence
                })
            })
            .await;
            update(&scene.account, 500, "Changed");
            scene.syncs(&["sync"]).await;
            scene.account.lock().remove(&id(300));
            (0..6).for_each(|n| scene.account.lock().add(&id(5 + 150 * n), 1));
            (0..6).for_each(|n| update(&scene.account, 20 + 150 * n, "Changed again"));
            scene.pages.forget();
            left.store(pages, Ordering::SeqCst);
            let mut running = scene.program.start(arguments);
            silent.notified().await;
            running.kill();
            running.end().await;
            assert!(pages < 8 || scene.pages.counts().1 >= LEAPS, "{pages}");
            left.store(usize::MAX, Ordering::SeqCst);
            scene.syncs(arguments).await;
            assert_eq!(scene.place.number("SELECT count(*) FROM checkpoints"), 0);
        }
    }
}

/// Under churn, in every order: what the sandbox does by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sandboxs_lists_in_every_order() {
    for (order, token_style) in [
        (Order::CreatedAsc, TokenStyle::Link),
        (Order::CreatedDesc, TokenStyle::Envelope),
        (Order::UpdatedDesc, TokenStyle::LastId),
        (Order::UpdatedDesc, TokenStyle::Header),
        (Order::Id, TokenStyle::LastId),
    ] {
        let settings = Settings {
            customers: 300,
            events_per_customer: 0.2,
            page_size: 4,
            order,
            token_style,
            ..Settings::default()
        };
        let sandbox = sandbox(settings).await;
        let (place, world) = (Place::new(), sandbox.world());
        let program = place.program(&sandbox.base_url()).set("api.concurrency=6");
        program.ends(0, &["sync", "--full"]).await;
        for round in 0..5 {
            let ids = world.customer_ids();
            for n in 0..round * 3 {
                world.delete_customer(&ids[(37 * n + round) % ids.len()]);
                world.update_customer(
                    &ids[(41 * n + 7) % ids.len()],
                    CustomerFields::default().set(CustomerField::FirstName, &format!("Round {round}")),
                );
                let id = world.create_customer(CustomerFields::default());
                world.add_event(&id).unwrap();
            }
            let before = sandbox.requests().customer_pages;
            program.ends(0, &["sync"]).await;
            assert_everything_equals(&State::of_world(&world), &place);
            let pages = sandbox.requests().customer_pages - before;
            assert!(pages <= 2 * 75 + 64 + 75, "{order:?} {token_style:?}: {pages}");
            if round == 0 {
                assert!(pages <= 76, "{order:?} {token_style:?}: {pages}");
            }
        }
    }
}
