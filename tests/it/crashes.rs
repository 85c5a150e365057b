//! A run that is killed, at any request or while it exports, and started again ends as an undisturbed one would.

use crate::support::{Place, Program, Relay, State, assert_everything_equals, assert_no_strays, sandbox};
use malomo_mirror::sandbox::{CustomerField, CustomerFields, Sandbox, Settings, TokenStyle, World};
use std::sync::Arc;
use tokio::task::JoinSet;

/// SIGKILL.
const KILLED: i32 = 9;

/// Cases at work at once.
const AT_ONCE: usize = 3;

async fn server(token_style: TokenStyle) -> Sandbox {
    let settings = Settings {
        customers: 45,
        events_per_customer: 2.5,
        page_size: 4,
        awkward: true,
        token_style,
        ..Settings::default()
    };
    sandbox(settings).await
}

/// A mirror of its own, behind a relay of its own.
struct Case {
    place: Place,
    relay: Relay,
    program: Program,
}

impl Case {
    async fn new(sandbox: &Sandbox) -> Case {
        let place = Place::new();
        let relay = Relay::before(&sandbox.base_url()).await;
        let program = place.program(&relay.base_url()).set("api.concurrency=4");
        Case { place, relay, program }
    }

    /// Runs the program and kills it when it sends the request after so many answered ones. False if it needed no
    /// more than those.
    async fn killed_after(&self, requests: usize, arguments: &[&str]) -> bool {
        self.relay.silent_after(requests);
        let mut running = self.program.start(arguments);
        let killed = tokio::select! {
            () = self.relay.fell_silent() => true,
            said = running.says("sync ended") => {
                assert!(said, "it ended without a word");
                false
            }
        };
        if killed {
            running.kill();
        }
        let ran = running.end().await;
        assert_eq!(ran.signal(), killed.then_some(KILLED), "{}", ran.stderr);
        self.relay.talk();
        killed
    }

    /// Runs the program and kills it as soon as it says that.
    async fn killed_at(&self, line: &str, arguments: &[&str]) {
        let mut running = self.program.start(arguments);
        running.logs(line).await;
        running.kill();
        running.end().await;
    }

    /// Runs it undisturbed; mirror and exports then hold what the world holds.
    async fn comes_out_right(&self, arguments: &[&str], world: &World) {
        self.program.ends(0, arguments).await;
        assert_everything_equals(&State::of_world(world), &self.place);
        assert_no_strays(&self.place);
        let running = "SELECT count(*) FROM sync_runs WHERE outcome = 'running'";
        assert_eq!(self.place.number(running), 0);
        let doubled = "SELECT count(*) FROM (SELECT id FROM changes WHERE op = 'insert' GROUP BY stream, id HAVING \
                       count(*) > 1)";
        assert_eq!(self.place.number(doubled), 0, "a row was taken in twice");
        assert_eq!(self.place.number("SELECT count(*) FROM checkpoints"), 0);
    }
}

fn change(world: &World) {
    let ids = world.customer_ids();
    let name = |name: &str| CustomerFields::default().set(CustomerField::FirstName, name);
    for id in &ids[..12] {
        world.update_customer(id, name("Changed"));
        world.add_event(id).unwrap();
    }
    for n in 0..6 {
        let id = world.create_customer(name(&format!("New {n}")));
        world.set_event_count(&id, n);
    }
    for id in &ids[20..24] {
        world.delete_customer(id);
    }
    let with_events: Vec<&String> = ids[..12].iter().filter(|id| world.event_ids(id).len() > 2).collect();
    for id in with_events {
        let events = world.event_ids(id);
        assert!(world.revise_event(id, &events[0]) && world.delete_event(id, &events[1]));
    }
}

/// About `count` numbers from 0 to below `end`, the first and the last among them.
fn spread(end: usize, count: usize) -> Vec<usize> {
    let mut points: Vec<usize> = (0..count).map(|n| n * (end - 1) / (count - 1)).collect();
    points.dedup();
    points
}

/// Runs the cases, a few at once; returns how many were met by a kill. How many requests a run takes depends a little
/// on which of its walks first finds out how lists go on, so that the last points may lie behind its end.
async fn all<F: Future<Output = bool> + Send + 'static>(cases: impl Iterator<Item = F>) -> usize {
    let mut running = JoinSet::new();
    let mut killed = 0;
    for case in cases {
        if running.len() == AT_ONCE {
            killed += usize::from(running.join_next().await.unwrap().unwrap());
        }
        running.spawn(case);
    }
    while let Some(ended) = running.join_next().await {
        killed += usize::from(ended.unwrap());
    }
    killed
}

async fn a_first_full_sync(token_style: TokenStyle) {
    let sandbox = Arc::new(server(token_style).await);
    let undisturbed = Case::new(&sandbox).await;
    undisturbed.comes_out_right(&["sync", "--full"], &sandbox.world()).await;
    let requests = undisturbed.relay.count();
    assert!(requests > 40, "{requests}");
    let cases = spread(requests, 16).into_iter().map(|point| {
        let sandbox = sandbox.clone();
        async move {
            let case = Case::new(&sandbox).await;
            let killed = case.killed_after(point, &["sync", "--full"]).await;
            // Every other one is killed a second time, on its way from there.
            if point % 2 == 0 {
                case.killed_after(point / 3 + 1, &["sync", "--full"]).await;
            }
            case.comes_out_right(&["sync", "--full"], &sandbox.world()).await;
            killed
        }
    });
    assert!(all(cases).await >= 14, "most of the points are met");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_full_sync_with_links() {
    a_first_full_sync(TokenStyle::Link).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_full_sync_with_ids_as_cursors() {
    a_first_full_sync(TokenStyle::LastId).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_incremental_sync() {
    let sandbox = Arc::new(server(TokenStyle::Envelope).await);
    let mut cases = Vec::new();
    for _ in 0..15 {
        cases.push(Case::new(&sandbox).await);
    }
    for case in &cases {
        case.comes_out_right(&["sync", "--full"], &sandbox.world()).await;
    }
    change(&sandbox.world());
    let undisturbed = cases.pop().unwrap();
    let before = undisturbed.relay.count();
    undisturbed.comes_out_right(&["sync"], &sandbox.world()).await;
    let requests = undisturbed.relay.count() - before;
    assert!(requests > 20, "{requests}");
    let points = spread(requests, cases.len());
    let cases = cases.into_iter().zip(points).map(|(case, point)| {
        let sandbox = sandbox.clone();
        async move {
            let killed = case.killed_after(point, &["sync"]).await;
            case.comes_out_right(&["sync"], &sandbox.world()).await;
            killed
        }
    });
    assert!(all(cases).await >= 12, "most of the points are met");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_does_not_take_a_killed_run_for_one_at_work() {
    let sandbox = server(TokenStyle::Link).await;
    let case = Case::new(&sandbox).await;
    assert!(case.killed_after(10, &["sync", "--full"]).await);
    let status = case.program.ends(0, &["status", "--json"]).await.json();
    assert_eq!(status["running"], false);
    case.program.ends(0, &["sync"]).await;
    assert_eq!(case.place.text("SELECT outcome FROM sync_runs"), "interrupted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export() {
    let sandbox = Arc::new(server(TokenStyle::Link).await);
    let mut cases = Vec::new();
    for _ in 0..6 {
        cases.push(Case::new(&sandbox).await);
    }
    // The line stands before the export: some are killed before it, some in the middle, some after it.
    for case in &cases {
        case.killed_at("sync ended", &["sync", "--full"]).await;
        case.comes_out_right(&["sync"], &sandbox.world()).await;
    }
    change(&sandbox.world());
    let cases = cases.into_iter().map(|case| {
        let sandbox = sandbox.clone();
        async move {
            case.killed_at("sync ended", &["sync"]).await;
            case.program.ends(0, &["export"]).await;
            assert_everything_equals(&State::of_world(&sandbox.world()), &case.place);
            case.comes_out_right(&["sync"], &sandbox.world()).await;
            true
        }
    });
    all(cases).await;
}
