//! /metrics, /healthz and /readyz.

use crate::scrape::{ANYTHING, Samples, classic, get, openmetrics};
use crate::service_manager::{Guard, Manager, address, signal};
use crate::support::{Account, Asked, Place, Reply, Running};
use tokio::net::TcpListener;

/// A daemon that serves its metrics.
struct Served {
    daemon: Running,
    /// The service manager that it reports to.
    manager: Manager,
    /// Where it serves them.
    address: String,
    _guard: Guard,
}

impl Served {
    async fn start(place: &Place, base_url: &str, schedule: &str) -> Served {
        let manager = Manager::new(place).listening();
        let program = manager.program(place.program(base_url)).set(&format!("schedule.sync={schedule}"));
        let mut daemon = program.start(&["daemon"]);
        let _guard = Guard(daemon.pid());
        let address = address(&daemon.logs("serving /metrics").await);
        Served { daemon, manager, address, _guard }
    }

    async fn stop(self) {
        signal(self.daemon.pid(), "TERM");
        self.daemon.end().await.expect(0);
    }
}

async fn says(address: &str, path: &str) -> (u16, String) {
    let answer = get(address, path, ANYTHING).await;
    (answer.status, answer.body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_and_health_tell_the_truth() {
    let account = Account::of(6, 1, 2).shared();
    let (server, arrived, go) = account.serve_holding_the_first().await;
    let place = Place::new();
    let mut served = Served::start(&place, &server.base_url(), "@yearly").await;
    let address = served.address.clone();
    arrived.notified().await;
    assert_eq!(says(&address, "/healthz").await, (200, "alive\n".to_owned()));
    assert_eq!(says(&address, "/readyz").await, (503, "no run has come to its end yet\n".to_owned()));
    let before = classic(&address).await;
    assert!(!before.contains_key("malomo_mirror_freshness_seconds{stream=\"customers\"}"));
    assert_eq!(before["malomo_mirror_rows_total{op=\"insert\",stream=\"events\"}"], 0.0);
    go.notify_one();
    served.manager.hears(&["STATUS=idle; last sync "]).await;
    let (status, ready) = says(&address, "/readyz").await;
    assert!(status == 200 && ready.starts_with("ready: "), "{status} {ready}");
    let samples = classic(&address).await;
    let asked = |stream: &str, fits: fn(&Asked) -> bool| {
        let labels = format!("stream=\"{stream}\"}}");
        let of_stream = |series: &str| {
            series.starts_with("malomo_mirror_requests_total{status=\"") && series.ends_with(&labels)
        };
        let told: f64 = samples.iter().filter(|(series, _)| of_stream(series)).map(|(_, value)| value).sum();
        let asked = server.all_asked().iter().filter(|asked| fits(asked)).count();
        assert_eq!(told, asked as f64, "{samples:?}");
        assert_eq!(samples[&format!("malomo_mirror_request_duration_seconds_count{{{labels}")], told);
    };
    asked("customers", |asked| ["/customers", "/accounts/self"].contains(&asked.path.as_str()));
    asked("events", |asked| asked.path.ends_with("/events"));
    for stream in ["customers", "events"] {
        let rows = place.number(&format!("SELECT count(*) FROM {stream}")) as f64;
        assert!(rows > 0.0);
        assert_eq!(samples[&format!("malomo_mirror_stored_rows{{stream=\"{stream}\"}}")], rows);
        assert_eq!(samples[&format!("malomo_mirror_rows_total{{op=\"insert\",stream=\"{stream}\"}}")], rows);
        assert!(samples[&format!("malomo_mirror_freshness_seconds{{stream=\"{stream}\"}}")] < 3600.0);
        for format in ["csv", "ndjson"] {
            let labels = format!("{{format=\"{format}\",stream=\"{stream}\"}}");
            assert_eq!(samples[&format!("malomo_mirror_export_lag{labels}")], 0.0);
            assert!(samples[&format!("malomo_mirror_export_position{labels}")] >= rows);
        }
    }
    assert_eq!(samples["malomo_mirror_runs_total{mode=\"incremental\",outcome=\"ok\"}"], 1.0);
    assert_eq!(samples["malomo_mirror_run_duration_seconds_count{mode=\"incremental\"}"], 1.0);
    assert_eq!(samples["malomo_mirror_skipped_runs_total{mode=\"full\",reason=\"run_going\"}"], 0.0);
    assert_eq!(samples["malomo_mirror_wal_size_bytes"], 0.0);
    assert_eq!(
        samples["malomo_mirror_database_size_bytes"],
        std::fs::metadata(place.mirror()).unwrap().len() as f64
    );
    served.stop().await;
}

/// What doesn't depend on when it was asked for, by the names that both formats have in common.
fn steady(samples: Samples) -> Samples {
    let name = |series: String| series.replacen("_total", "", 1);
    let fixed = |series: &String| !series.starts_with("malomo_mirror_freshness_seconds");
    samples
        .into_iter()
        .filter(|(series, _)| fixed(series))
        .map(|(series, value)| (name(series), value))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_formats_say_the_same_after_runs_of_every_kind() {
    // Faults make labels that a good run doesn't.
    let server = Account::of(30, 2, 3)
        .shared()
        .serve_but(|asked| match asked.number {
            3 => Some(Reply::error(429, "slow", "down")),
            5 => Some(Reply::error(503, "down", "soon")),
            7 => Some(Reply::Reset),
            _ => None,
        })
        .await;
    let place = Place::new();
    let mut served = Served::start(&place, &server.base_url(), "@yearly").await;
    let address = served.address.clone();
    served.manager.hears(&["STATUS=idle; last sync "]).await;
    let (one, other) = (steady(classic(&address).await), steady(openmetrics(&address).await));
    assert_eq!(one, other);
    for status in ["200", "429", "503", "none"] {
        let asked = |stream| format!("malomo_mirror_requests{{status=\"{status}\",stream=\"{stream}\"}}");
        assert!(["customers", "events"].map(asked).iter().any(|series| one.contains_key(series)), "{one:?}");
    }
    let retries =
        ["customers", "events"].map(|stream| one[&format!("malomo_mirror_retries{{stream=\"{stream}\"}}")]);
    assert_eq!(retries.iter().sum::<f64>(), 3.0);
    served.stop().await;
}

/// One record that nobody can ever take is told once, and is no reason to page somebody for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_reject_leaves_the_mirror_ready() {
    let account = Account::of(3, 1, 2).shared();
    account.lock().put("c-02", r#"{"id":"c-02","email":5}"#.to_owned());
    let server = account.serve().await;
    let place = Place::new();
    place.program(&server.base_url()).ends(5, &["sync"]).await;
    let mut served = Served::start(&place, &server.base_url(), "* * * * * *").await;
    served.daemon.logs("sync ended").await;
    let (status, ready) = says(&served.address, "/readyz").await;
    assert!(status == 200 && ready.starts_with("ready: "), "{status} {ready}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_use_is_told_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Place::new();
    let manager = Manager::new(&place);
    let program = manager.program(place.program("http://127.0.0.1:9"));
    let program = program.set(&format!("http.listen={}", taken.local_addr().unwrap()));
    program.ends(1, &["daemon"]).await.tells(&["can't be listened on", "set http.listen"]);
}
