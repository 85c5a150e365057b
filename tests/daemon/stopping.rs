//! The daemon's end, however it comes, and what the next one makes of it.

use crate::service_manager::{Guard, Manager, signal};
use crate::support::{Place, Program, Relay, State, assert_everything_equals, assert_no_strays, sandbox};
use malomo_mirror::export::{Compression, ExportError, FIRST, Format, export};
use malomo_mirror::mirror::{Mirror, MirrorError};
use malomo_mirror::record::Stream;
use malomo_mirror::sandbox::{Sandbox, Settings};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

async fn forty_customers() -> Sandbox {
    sandbox(Settings { customers: 40, events_per_customer: 2.0, page_size: 4, ..Settings::default() }).await
}

/// No time-out comes before the test's own patience.
fn patient(program: Program) -> Program {
    program.set("api.timeout=1h").set("api.concurrency=2").set("schedule.sync=").set("schedule.full=@yearly")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_stops_a_full_run_that_hangs_and_the_next_start_goes_on() {
    let sandbox = forty_customers().await;
    let relay = Relay::before(&sandbox.base_url()).await;
    let place = Place::new();
    let mut manager = Manager::new(&place);
    let program = patient(manager.program(place.program(&relay.base_url())));
    relay.silent_after(20);
    let daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    relay.fell_silent().await;
    let told = Instant::now();
    signal(daemon.pid(), "TERM");
    let ran = daemon.end().await.expect(0);
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    ran.tells(&["stopping", "interrupted", "daemon ends"]);
    assert_eq!(place.text("SELECT outcome FROM sync_runs"), "interrupted");
    manager.hears(&["STOPPING=1"]).await;
    relay.talk();
    let daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    manager.hears(&["STATUS=idle; last full sync ", " ok, 40 customers"]).await;
    signal(daemon.pid(), "INT");
    daemon.end().await.expect(0);
    assert_eq!(place.number("SELECT resumed FROM sync_runs ORDER BY id DESC"), 1);
    // Only a full sync that comes to its end is audited.
    let audits = place.query("SELECT run_id, audited, drifted FROM audits");
    assert_eq!(audits.len(), 1);
    assert_eq!(["run_id", "audited", "drifted"].map(|name| audits[0][name].integer()), [2, 40, 0]);
    assert_everything_equals(&State::of_world(&sandbox.world()), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_the_lock_is_free_and_the_next_start_goes_on() {
    let sandbox = forty_customers().await;
    let relay = Relay::before(&sandbox.base_url()).await;
    let place = Place::new();
    let mut manager = Manager::new(&place);
    let program = patient(manager.program(place.program(&relay.base_url())));
    relay.silent_after(20);
    let mut daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    relay.fell_silent().await;
    daemon.kill();
    assert_eq!(daemon.end().await.signal(), Some(9));
    relay.talk();
    let daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    manager.hears(&["STATUS=idle; last full sync ", " ok, 40 customers"]).await;
    signal(daemon.pid(), "TERM");
    daemon.end().await.expect(0);
    assert_eq!(place.text("SELECT outcome FROM sync_runs ORDER BY id"), "interrupted");
    assert_eq!(place.text("SELECT error FROM sync_runs ORDER BY id"), "killed before its end");
    assert_everything_equals(&State::of_world(&sandbox.world()), &place);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_that_is_stopped_leaves_nothing_half_done() {
    let settings =
        Settings { customers: 1500, events_per_customer: 2.0, page_size: 500, ..Settings::default() };
    let sandbox = sandbox(settings).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url());
    std::fs::write(place.exports(), "in the way of the export").unwrap();
    program.ends(1, &["sync", "--full"]).await;
    std::fs::remove_file(place.exports()).unwrap();
    let formats = Format::ALL.to_vec();
    let settings = malomo_mirror::export::Settings {
        name: FIRST.to_owned(),
        dir: place.exports().into(),
        profile: None,
        streams: Stream::ALL.to_vec(),
        formats,
        compression: Compression::None,
        exact: false,
        csv_bom: false,
        csv_formula_guard: false,
        max_age: std::time::Duration::ZERO,
        compact_after: std::time::Duration::ZERO,
    };
    let mut mirror = Mirror::open(&place.mirror()).unwrap();
    let mut stopped = 0;
    // Stopped at the first row, in the middle of a stream, between two, and so on to the end.
    loop {
        let asked = AtomicUsize::new(0);
        mirror.halt_when(Arc::new(move || asked.fetch_add(1, Ordering::Relaxed) == stopped));
        match export(&mut mirror, &settings, None, jiff::Timestamp::now()) {
            Err(ExportError::Mirror(MirrorError::Stopped)) => {
                assert!(!place.exports().join("manifest.ndjson").exists());
                assert_no_strays(&place);
                stopped += 1;
            }
            done => break drop(done.unwrap()),
        }
    }
    assert!(stopped >= 4, "{stopped}");
    drop(mirror);
    assert_everything_equals(&State::of_world(&sandbox.world()), &place);
}
