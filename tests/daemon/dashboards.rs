//! The dashboards and the alert rules that are put into packages ask for what there is.

use crate::scrape::{ANYTHING, get};
use crate::service_manager::{Guard, address, signal};
use crate::support::{Account, Place};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeSet;
use std::path::Path;

const PREFIX: &str = "malomo_mirror_";

fn packaged(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The names of metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let name = |rest: &str| PREFIX.to_owned() + rest.split(|c| !is_part(c)).next().unwrap();
    text.split(PREFIX).skip(1).map(name).collect()
}

/// The targets of all panels of a dashboard.
fn targets(dashboard: &str) -> Vec<serde_json::Value> {
    let dashboard: serde_json::Value = serde_json::from_str(&packaged(dashboard)).unwrap();
    // A row between panels asks for nothing.
    let asking =
        dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array());
    asking.flatten().cloned().collect()
}

/// The names of the metrics that are served, in full.
async fn served(address: &str) -> BTreeSet<String> {
    let served = get(address, "/metrics", ANYTHING).await.body;
    let mut known = BTreeSet::new();
    for line in served.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        match kind {
            "histogram" => known.extend(["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}"))),
            _ => drop(known.insert(name.to_owned())),
        }
    }
    known
}

/// After runs that were audited: a metric that has measured nothing is not served.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_ask_for_metrics_and_tables_that_there_are() {
    let server = Account::of(3, 2, 5).shared().serve().await;
    let place = Place::new();
    let program = place
        .program(&server.base_url())
        .set("http.listen=127.0.0.1:0")
        .set("schedule.sync=")
        .set("schedule.full=* * * * * *");
    program.ends(0, &["sync"]).await;
    let mut daemon = program.start(&["daemon"]);
    let _guard = Guard(daemon.pid());
    let address = address(&daemon.logs("serving /metrics").await);
    daemon.logs("sync ended").await;
    // The next run ends after what the first one counted.
    daemon.logs("sync ended").await;
    let mut known = served(&address).await;
    // It takes a server that tells its time, and new events at it.
    assert!(include_str!("../../src/daemon/metrics.rs").contains("\"event_unseen_seconds\""));
    known.insert(format!("{PREFIX}event_unseen_seconds"));
    signal(daemon.pid(), "TERM");
    daemon.end().await.expect(0);

    for file in ["grafana-dashboard.json", "prometheus-alerts.yml"] {
        let asked = names(&packaged(file));
        assert!(asked.len() > 8, "{file}: {asked:?}");
        let unknown: Vec<_> = asked.difference(&known).collect();
        assert!(unknown.is_empty(), "{file} asks for {unknown:?}, but /metrics has {known:?}");
    }
    // What is measured is shown.
    let shown = names(&packaged("grafana-dashboard.json"));
    let stem = |name: &String| {
        ["_bucket", "_sum", "_count"]
            .iter()
            .fold(name.clone(), |name, end| name.trim_end_matches(end).to_owned())
    };
    let shown: BTreeSet<_> = shown.iter().map(stem).collect();
    // Told by others: the freshness, and the audit's own table.
    let elsewhere = [
        "last_success_timestamp_seconds",
        "export_position",
        "destination_position",
        "audit_timestamp_seconds",
    ];
    let elsewhere = elsewhere.map(|name| format!("{PREFIX}{name}"));
    for name in known.iter().map(stem).filter(|name| !elsewhere.contains(name)) {
        assert!(shown.contains(&name), "the dashboard does not show {name}");
    }

    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mirror = Connection::open_with_flags(place.mirror(), flags).unwrap();
    let targets = targets("grafana-dashboard.json");
    let of_mirror = targets.iter().filter(|target| target["datasource"]["uid"] == "${mirror}");
    assert!(of_mirror.clone().count() > 5);
    assert!(targets.iter().all(|target| {
        ["${mirror}", "${prometheus}"].iter().any(|name| target["datasource"]["uid"] == *name)
    }));
    for target in of_mirror {
        let sql = target["queryText"].as_str().unwrap();
        assert_eq!(target["queryText"], target["rawQueryText"]);
        let sql = sql.replace("$__from", "0").replace("$__to", "32503680000000");
        let read = mirror.prepare(&sql).and_then(|mut select| {
            let mut rows = select.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        });
        read.unwrap_or_else(|error| panic!("{error}: {sql}"));
    }
}
