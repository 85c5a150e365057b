//! /metrics, /healthz and /readyz.

use crate::manager::{Guard, Manager, signal};
use crate::support::{Account, Asked, Place};
use std::collections::HashMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A port that was free a moment ago.
async fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string()
}

/// Status and body.
async fn get(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// The samples of the text format, version 0.0.4; fails where a line is none.
fn samples(text: &str) -> HashMap<String, f64> {
    let mut families = HashMap::new();
    let mut samples = HashMap::new();
    for line in text.lines() {
        if let Some(about) = line.strip_prefix("# ") {
            let mut words = about.splitn(3, ' ');
            let (what, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            assert!(matches!(what, "HELP" | "TYPE"), "{line}");
            if what == "TYPE" {
                assert_eq!(families.insert(name.to_owned(), rest.to_owned()), None, "{line}");
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        let family =
            ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let kind =
            families.get(family).or(families.get(name)).unwrap_or_else(|| panic!("no TYPE before {line}"));
        assert_eq!(family != name, kind == "histogram", "{line}");
        assert_eq!(samples.insert(series.to_owned(), value.parse().unwrap()), None, "{line}");
    }
    samples
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_and_health_tell_the_truth() {
    let account = Account::of(6, 1, 2).shared();
    let (server, arrived, go) = account.serve_holding_the_first().await;
    let place = Place::new();
    let address = free_address().await;
    let mut manager = Manager::new(&place).listening(&address);
    let program = manager.program(place.program(&server.base_url())).set("schedule.sync=@yearly");
    let daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    arrived.notified().await;
    assert_eq!(get(&address, "/healthz").await, (200, "alive\n".to_owned()));
    assert_eq!(get(&address, "/readyz").await, (503, "no run has come to its end yet\n".to_owned()));
    let before = samples(&get(&address, "/metrics").await.1);
    assert!(!before.contains_key("malomo_mirror_freshness_seconds{stream=\"customers\"}"));
    go.notify_one();
    manager.hears(&["STATUS=idle; last sync "]).await;
    let (status, ready) = get(&address, "/readyz").await;
    assert!(status == 200 && ready.starts_with("ready: "), "{status} {ready}");
    let (status, text) = get(&address, "/metrics").await;
    assert_eq!(status, 200);
    assert!(!text.contains('@'), "{text}");
    let samples = samples(&text);
    let asked = |stream: &str, fits: fn(&Asked) -> bool| {
        let start = format!("malomo_mirror_requests_total{{stream=\"{stream}\",");
        let told: f64 =
            samples.iter().filter(|(series, _)| series.starts_with(&start)).map(|(_, value)| value).sum();
        assert_eq!(told, server.count(fits) as f64, "{text}");
    };
    asked("customers", |asked| asked.path == "/customers");
    asked("events", |asked| asked.path.ends_with("/events"));
    for (stream, rows) in [("customers", "customers"), ("events", "events")] {
        let rows = place.number(&format!("SELECT count(*) FROM {rows}")) as f64;
        assert!(rows > 0.0);
        assert_eq!(samples[&format!("malomo_mirror_stored_rows{{stream=\"{stream}\"}}")], rows);
        assert_eq!(samples[&format!("malomo_mirror_rows_total{{stream=\"{stream}\",op=\"insert\"}}")], rows);
        assert!(samples[&format!("malomo_mirror_freshness_seconds{{stream=\"{stream}\"}}")] < 3600.0);
        for format in ["csv", "ndjson"] {
            let labels = format!("{{stream=\"{stream}\",format=\"{format}\"}}");
            assert_eq!(samples[&format!("malomo_mirror_export_lag{labels}")], 0.0);
            assert!(samples[&format!("malomo_mirror_export_position{labels}")] >= rows);
        }
    }
    assert_eq!(samples["malomo_mirror_runs_total{mode=\"incremental\",outcome=\"ok\"}"], 1.0);
    assert_eq!(samples["malomo_mirror_wal_size_bytes"], 0.0);
    assert!(samples["malomo_mirror_database_size_bytes"] > 0.0);
    signal(daemon.pid(), "TERM");
    daemon.end().await.expect(0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_in_use_is_told_with_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = Place::new();
    let manager = Manager::new(&place).listening(&taken.local_addr().unwrap().to_string());
    let ran = manager.program(place.program("http://127.0.0.1:9")).ends(1, &["daemon"]).await;
    ran.tells(&["can't be listened on", "set http.listen"]);
}
