//! The daemon and other commands on one mirror.

use crate::service_manager::{Guard, Manager, signal};
use crate::support::{Account, Place, assert_everything_equals};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_is_refused_during_a_run_or_waits_and_works_between_two() {
    let account = Account::of(6, 1, 2).shared();
    let (server, arrived, go) = account.serve_holding_the_first().await;
    let place = Place::new();
    let mut manager = Manager::new(&place);
    let program = place.program(&server.base_url());
    let daemon = manager.program(program.clone()).set("schedule.sync=@yearly").start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    arrived.notified().await;
    let holder = format!("`daemon, incremental sync`, process {}", daemon.pid());
    program.ends(4, &["sync"]).await.tells(&["another run holds this mirror", &holder]);
    program.ends(0, &["status"]).await;
    let mut waiting = program.start(&["sync", "--wait"]);
    waiting.logs("waiting: another run holds this mirror").await;
    go.notify_one();
    waiting.end().await.expect(0);
    manager.hears(&["STATUS=idle; last sync ", " ok, 6 customers"]).await;
    program.ends(0, &["sync", "--full"]).await;
    signal(daemon.pid(), "TERM");
    daemon.end().await.expect(0);
    assert_everything_equals(&account.state(), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_due_run_that_finds_the_mirror_held_is_skipped() {
    let account = Account::of(6, 1, 2).shared();
    let (server, arrived, go) = account.serve_holding_the_first().await;
    let place = Place::new();
    let mut manager = Manager::new(&place);
    let program = place.program(&server.base_url());
    let sync = program.start(&["sync"]);
    arrived.notified().await;
    let daemon = manager.program(program.clone()).set("schedule.sync=* * * * * *");
    let mut daemon = daemon.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    daemon.logs("a due run is skipped").await;
    go.notify_one();
    sync.end().await.expect(0);
    manager.hears(&["STATUS=idle; last sync ", " ok, 6 customers"]).await;
    signal(daemon.pid(), "TERM");
    daemon.end().await.expect(0).tells(&["mirror_held", "`sync`, process"]);
}
