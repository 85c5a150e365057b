//! What the service manager hears.

use crate::service_manager::{Guard, Manager, signal};
use crate::support::{Place, State, assert_everything_equals, sandbox};
use malomo_mirror::sandbox::Settings;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_service_manager_hears_everything_in_order() {
    let settings = Settings { customers: 1200, events_per_customer: 0.1, ..Settings::default() };
    let sandbox = sandbox(settings).await;
    let place = Place::new();
    let mut manager = Manager::new(&place);
    let program = manager.program(place.program(&sandbox.base_url())).set("schedule.sync=0 0 1 1 *");
    let daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    assert_eq!(manager.hear().await, "READY=1");
    assert_eq!(manager.hear().await, "WATCHDOG=1");
    // A new mirror does not wait for the next due time.
    let status = manager.hear().await;
    assert!(status.starts_with("STATUS=sync since "), "{status}");
    assert!(status.contains("; never ran; next 20"), "{status}");
    manager.hears(&["STATUS=idle; last sync ", " ok, 1,200 customers; next 20"]).await;
    assert_everything_equals(&State::of_world(&sandbox.world()), &place);
    signal(daemon.pid(), "HUP");
    while manager.hear().await == "WATCHDOG=1" {}
    let reloading = manager.heard.last().unwrap().clone();
    let (first, second) = reloading.split_once('\n').unwrap();
    assert_eq!(first, "RELOADING=1");
    let monotonic: u64 = second.strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
    let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
    assert!(monotonic as f64 <= (uptime + 1.0) * 1e6, "{monotonic} after {uptime} s");
    manager.hears(&["READY=1"]).await;
    let before = manager.alive;
    while manager.alive < before + 3 {
        manager.hear().await;
    }
    signal(daemon.pid(), "TERM");
    manager.hears(&["STOPPING=1"]).await;
    let ran = daemon.end().await.expect(0);
    assert_eq!(ran.stdout, "");
    ran.tells(&["daemon begins", "\"run_id\":1", "sync begins", "sync ended", "daemon ends"]);
    assert!(!ran.stderr.contains('@') && !ran.stderr.contains("sk_test"), "{}", ran.stderr);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stuck_program_gives_no_sign_of_life() {
    let sandbox = sandbox(Settings { customers: 2, ..Settings::default() }).await;
    let place = Place::new();
    let mut manager = Manager::new(&place);
    let program = manager.program(place.program(&sandbox.base_url())).set("schedule.sync=@yearly");
    let mut daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    manager.hears(&["STATUS=idle; last sync "]).await;
    manager.hears(&["WATCHDOG=1"]).await;
    signal(daemon.pid(), "STOP");
    // What was sent before lies in the socket; after that, nothing comes for longer than the service manager waits.
    while tokio::time::timeout(std::time::Duration::from_secs(2), manager.hear()).await.is_ok() {}
    signal(daemon.pid(), "CONT");
    manager.hears(&["WATCHDOG=1"]).await;
    daemon.kill();
    assert_eq!(daemon.end().await.signal(), Some(9));
}
