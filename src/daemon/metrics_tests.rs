//! The text that Prometheus gets.

use super::*;
use crate::diff::looks::Signal;
use crate::mirror::{Counts, ExportFile, Mode, RunId, SignalCount, Stamp};
use crate::sync::Audited;
use std::time::Duration;

fn at(time: &str) -> Timestamp {
    format!("2026-03-01T{time}Z").parse().unwrap()
}

/// Ten of twelve customers, one of them with an event too few.
fn found() -> Audit {
    let stamp = Stamp { run: RunId(1), now: at("09:59:00") };
    let mut audit = Audit::of_sample(stamp, at("09:59:00"), 1, 12, 10, 0.0);
    (audit.audited, audit.drifted) = (10, 1);
    audit.drift.add(Stream::Events, audit::Kind::Missing);
    audit.conclude(at("10:00:00"));
    audit
}

fn reading() -> MirrorState {
    let stream = |stream: &str, row_count, last_change_seq| Freshness {
        stream: Stream::from_name(stream).unwrap(),
        row_count,
        last_change_seq,
        last_sync_ok_at: None,
        last_full_ok_at: None,
        unseen_mean_seconds: (stream == "events").then_some(5400.0),
        unseen_p95_seconds: (stream == "events").then_some(10_800),
    };
    let file = ExportFile {
        stream: "events".to_owned(),
        format: "csv".to_owned(),
        first_seq: 1,
        last_seq: 40,
        path: String::new(),
        rows: 0,
        bytes: 0,
        sha256: String::new(),
        created_at: String::new(),
        left_out: 0,
    };
    MirrorState {
        streams: vec![stream("customers", 12, 38), stream("events", 30, 42)],
        destinations: vec![DestinationState {
            name: "lake".to_owned(),
            streams: vec![Stream::Events],
            formats: vec!["csv"],
            exports: vec![file],
        }],
        formats: vec!["csv"],
        sync_ok: Some(at("10:00:00")),
        full_ok: None,
        looks: vec![(Signal::Expected, SignalCount { looks: 10, hits: 4, events: 6 })],
        audit: Some(found()),
        hints_waiting: 3,
        database_bytes: 4096,
        wal_bytes: 0,
    }
}

#[test]
fn everything_is_told_by_its_name() {
    let metrics = Metrics::default();
    let elapsed = Duration::from_millis(20);
    for status in [Some(200), Some(200), Some(429), None] {
        metrics.observe(&Event::RequestFinished { stream: Stream::Events, status, elapsed });
    }
    let delay = Duration::from_secs(1);
    metrics.observe(&Event::RetryScheduled { stream: Stream::Customers, attempt: 1, delay, reason: "429" });
    metrics.skipped(Kind::Sync, SkipReason::Held);
    metrics.delivery(Delivery::Forged);
    metrics.observe(&Event::HintsFollowed { customer_id: "c1", waited: Duration::from_secs(3) });
    let mut counts = Counts::default();
    counts[Stream::Customers].inserted = 12;
    counts[Stream::Events].deleted = 2;
    metrics.run_ended(&Report {
        run_id: RunId(1),
        mode: Mode::Full,
        outcome: Outcome::Ok,
        resumed: false,
        started_at: at("09:59:00"),
        finished_at: at("10:00:00"),
        counts,
        remarks: Vec::new(),
        failures: Vec::new(),
        deletions_refused: None,
        audit: Some(Audited { audit: found(), findings: Vec::new(), unread: Vec::new() }),
        error: None,
        what_to_do: None,
    });
    metrics.exported("lake", Some(at("10:00:00")));
    metrics.exported("lake", None);
    let text = metrics.text(Exposition::Classic, &reading(), at("10:00:30")).unwrap();
    for line in [
        "malomo_mirror_destination_position{destination=\"lake\",stream=\"events\",format=\"csv\"} 40.0",
        "malomo_mirror_destination_last_success_timestamp_seconds{destination=\"lake\"} 1772359200.0",
        "malomo_mirror_destination_failures_total{destination=\"lake\"} 1",
        "# TYPE malomo_mirror_requests_total counter",
        "malomo_mirror_requests_total{stream=\"events\",status=\"200\"} 2",
        "malomo_mirror_requests_total{stream=\"events\",status=\"none\"} 1",
        "malomo_mirror_request_duration_seconds_bucket{le=\"0.025\",stream=\"events\"} 4",
        "malomo_mirror_retries_total{stream=\"customers\"} 1",
        "malomo_mirror_rows_total{stream=\"customers\",op=\"insert\"} 12",
        "malomo_mirror_rows_total{stream=\"events\",op=\"delete\"} 2",
        "malomo_mirror_runs_total{mode=\"full\",outcome=\"ok\"} 1",
        "malomo_mirror_run_duration_seconds_sum{mode=\"full\"} 60.0",
        "malomo_mirror_skipped_runs_total{mode=\"incremental\",reason=\"mirror_held\"} 1",
        "malomo_mirror_skipped_runs_total{mode=\"full\",reason=\"run_going\"} 0",
        "malomo_mirror_last_success_timestamp_seconds{mode=\"incremental\"} 1772359200.0",
        "malomo_mirror_freshness_seconds{stream=\"customers\"} 30.0",
        "malomo_mirror_event_looks{signal=\"expected\",what=\"hits\"} 4.0",
        "malomo_mirror_event_unseen_seconds{statistic=\"mean\"} 5400.0",
        "malomo_mirror_event_unseen_seconds{statistic=\"p95\"} 10800.0",
        "malomo_mirror_stored_rows{stream=\"events\"} 30.0",
        "malomo_mirror_export_position{stream=\"events\",format=\"csv\"} 40.0",
        "malomo_mirror_export_lag{stream=\"events\",format=\"csv\"} 2.0",
        "malomo_mirror_export_lag{stream=\"customers\",format=\"csv\"} 38.0",
        "malomo_mirror_audit_drift_records_total{stream=\"events\",kind=\"missing\"} 1",
        "malomo_mirror_audit_drift_records_total{stream=\"customers\",kind=\"differing\"} 0",
        "malomo_mirror_audit_timestamp_seconds 1772359200.0",
        "malomo_mirror_audit_customers{what=\"audited\"} 10.0",
        "malomo_mirror_audit_customers{what=\"drifted\"} 1.0",
        "malomo_mirror_audit_upper_bound_customers{confidence=\"0.95\"} 2.0",
        "malomo_mirror_webhook_deliveries_total{result=\"forged\"} 1",
        "malomo_mirror_webhook_deliveries_total{result=\"hinted\"} 0",
        "malomo_mirror_webhook_hints_waiting 3.0",
        "malomo_mirror_webhook_hints_followed_total 1",
        "malomo_mirror_webhook_hint_duration_seconds_bucket{le=\"5.0\"} 1",
        "malomo_mirror_runs_total{mode=\"hinted\",outcome=\"ok\"} 0",
        "malomo_mirror_database_size_bytes 4096.0",
        "malomo_mirror_wal_size_bytes 0.0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
}

/// What `promtool check metrics` looks at: help, base units, `_total` for counters and for nothing else.
#[test]
fn names_follow_the_conventions() {
    let text = Metrics::default().text(Exposition::Classic, &reading(), at("10:00:30")).unwrap();
    for line in text.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
            assert!(text.contains(&format!("# HELP {name} ")), "{line}");
            assert!(!name.contains("_ms") && !name.ends_with("_minutes"), "{line}");
        }
    }
    assert!(!text.contains("# UNIT") && !text.contains("# EOF"), "{text}");
}
