//! What the daemon counts and measures, for Prometheus. Names and counts, never anybody's data.

use super::exposition::{self, Exposition};
use super::mirror_state::{DestinationState, MirrorState};
use super::plan::{Kind, SkipReason};
use super::target::{Sent, Target};
use super::webhooks::Delivery;
use crate::diff::audit;
use crate::mirror::{Audit, Drift, Freshness, Outcome};
use crate::observe::{Event, Observer};
use crate::record::Stream;
use crate::sync::Report;
use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use std::sync::atomic::AtomicU64;

/// The seconds that one request may take.
const REQUEST_SECONDS: [f64; 11] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// The seconds from a hint to its customer's rows.
const HINT_SECONDS: [f64; 10] = [1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 86_400.0];

/// The seconds that one run may take: up to half a day.
const RUN_SECONDS: [f64; 10] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 10_800.0, 21_600.0, 43_200.0];

type One = [(&'static str, &'static str); 1];
type Two = [(&'static str, &'static str); 2];
/// With values that come from the mirror or from an answer.
type Named<const N: usize> = [(&'static str, String); N];
/// Of a destination, a stream and a format.
type Position = [(&'static str, String); 3];
type Number = Gauge<f64, AtomicU64>;
type Durations = Family<One, Histogram, fn() -> Histogram>;

/// The metrics. What happens in runs is counted as it happens; what stands in the mirror is read when it is asked for.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Named<2>, Counter>,
    request_seconds: Durations,
    retries: Family<One, Counter>,
    rows: Family<Two, Counter>,
    runs: Family<Two, Counter>,
    run_seconds: Durations,
    skipped: Family<Two, Counter>,
    audit_drift: Family<Two, Counter>,
    audit_at: Number,
    audit_customers: Family<One, Number>,
    audit_upper_bound: Family<Named<1>, Number>,
    last_success: Family<One, Number>,
    freshness: Family<Named<1>, Number>,
    looks: Family<Two, Number>,
    unseen_seconds: Family<One, Number>,
    stored: Family<Named<1>, Number>,
    export_position: Family<Named<2>, Number>,
    export_lag: Family<Named<2>, Number>,
    destination_position: Family<Position, Number>,
    destination_success: Family<Named<1>, Number>,
    destination_failures: Family<Named<1>, Counter>,
    database_bytes: Number,
    wal_bytes: Number,
    deliveries: Family<One, Counter>,
    hints_waiting: Number,
    hints_followed: Counter,
    hint_seconds: Histogram,
    notifications: Family<Two, Counter>,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix("malomo_mirror");
        let r = &mut registry;
        let metrics = Metrics {
            requests: add(r, "requests", "Requests sent to the API, by HTTP status; none: no answer came"),
            request_seconds: durations(
                r,
                "request_duration_seconds",
                "Time from a request to its answer's last byte",
                || Histogram::new(REQUEST_SECONDS),
            ),
            retries: add(r, "retries", "Requests that were sent again after a fault"),
            rows: add(r, "rows", "Changes that reached the mirror"),
            runs: add(r, "runs", "Runs that ended"),
            run_seconds: durations(r, "run_duration_seconds", "Time from a run's start to its end", || {
                Histogram::new(RUN_SECONDS)
            }),
            skipped: add(r, "skipped_runs", "Due runs that did not take place"),
            last_success: add(
                r,
                "last_success_timestamp_seconds",
                "When a run last came to its end with everything, by mode",
            ),
            freshness: add(
                r,
                "freshness_seconds",
                "Time since the stream was last brought up to date completely",
            ),
            looks: add(
                r,
                "event_looks",
                "Looks at customers' events that the mirror has recorded, by what called for them: all, those that found \
                 new events, and the events found",
            ),
            unseen_seconds: add(
                r,
                "event_unseen_seconds",
                "For how long the new events of the last seven days had been at the vendor when the mirror took them",
            ),
            stored: add(r, "stored_rows", "Rows that the mirror holds"),
            export_position: add(r, "export_position", "Number of the newest change that is exported"),
            export_lag: add(
                r,
                "export_lag",
                "Change numbers from the newest exported change to the stream's newest one",
            ),
            destination_position: add(
                r,
                "destination_position",
                "Number of the newest change that is exported to a destination",
            ),
            destination_success: add(
                r,
                "destination_last_success_timestamp_seconds",
                "When everything was last exported to a destination; 0: not since the daemon began",
            ),
            destination_failures: add(r, "destination_failures", "Exports to a destination that failed"),
            database_bytes: add(r, "database_size_bytes", "Size of the mirror's database file"),
            wal_bytes: add(r, "wal_size_bytes", "Size of the mirror's write-ahead log"),
            deliveries: add(r, "webhook_deliveries", "Deliveries of webhooks, by what became of them"),
            hints_waiting: add(r, "webhook_hints_waiting", "Customers due for the hints of webhooks"),
            hints_followed: add(r, "webhook_hints_followed", "Customers looked at for the hints of webhooks"),
            hint_seconds: {
                let metric = Histogram::new(HINT_SECONDS);
                let help = "Time from a customer's oldest hint to its rows in the mirror";
                r.register("webhook_hint_duration_seconds", help, metric.clone());
                metric
            },
            notifications: add(
                r,
                "notifications",
                "Messages to people and pings to monitors outside, by where they were to go and what became of them",
            ),
            audit_drift: add(
                r,
                "audit_drift_records",
                "Records that audits found to differ from the API in what the run should have seen",
            ),
            audit_at: add(r, "audit_timestamp_seconds", "When the newest audit ended; 0: there was none yet"),
            audit_customers: add(r, "audit_customers", "Customers of the newest audit"),
            audit_upper_bound: add(
                r,
                "audit_upper_bound_customers",
                "At most so many of the mirror's customers differed at the newest audit, with that confidence",
            ),
            registry,
        };
        metrics.begin_at_zero();
        metrics
    }
}

/// Registers a metric that begins empty, and returns it.
fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn durations(registry: &mut Registry, name: &str, help: &str, histogram: fn() -> Histogram) -> Durations {
    let metric = Family::new_with_constructor(histogram);
    registry.register(name, help, metric.clone());
    metric
}

impl Metrics {
    /// What can be counted is shown from the start, so that the first one is seen as an increase.
    fn begin_at_zero(&self) {
        for kind in [Kind::Sync, Kind::Full] {
            for reason in [SkipReason::Going, SkipReason::Held] {
                drop(self.skipped.get_or_create(&skip_labels(kind, reason)));
            }
        }
        for kind in [Kind::Sync, Kind::Full, Kind::Hinted] {
            for outcome in [Outcome::Ok, Outcome::Incomplete, Outcome::Failed, Outcome::Interrupted] {
                drop(self.runs.get_or_create(&[("mode", kind.name()), ("outcome", outcome.name())]));
            }
        }
        for delivery in Delivery::ALL {
            drop(self.deliveries.get_or_create(&[("result", delivery.name())]));
        }
        for target in Target::ALL {
            for result in Sent::ALL {
                drop(self.notifications.get_or_create(&notification_labels(target, result)));
            }
        }
        for stream in Stream::ALL.map(Stream::name) {
            drop(self.retries.get_or_create(&[("stream", stream)]));
            for op in ["insert", "update", "delete"] {
                drop(self.rows.get_or_create(&[("stream", stream), ("op", op)]));
            }
        }
        for (stream, kind) in Drift::kinds() {
            drop(self.audit_drift.get_or_create(&drift_labels(stream, kind)));
        }
    }

    /// Counts a run that was recorded.
    pub fn run_ended(&self, report: &Report) {
        let mode = report.mode.name();
        self.runs.get_or_create(&[("mode", mode), ("outcome", report.outcome.name())]).inc();
        let seconds = report.finished_at.duration_since(report.started_at).as_secs_f64();
        self.run_seconds.get_or_create(&[("mode", mode)]).observe(seconds);
        for stream in Stream::ALL {
            for (op, number) in report.counts[stream].by_op() {
                self.rows.get_or_create(&[("stream", stream.name()), ("op", op.name())]).inc_by(number);
            }
        }
        let drift = report.audit.as_ref().map(|audited| &audited.audit.drift);
        for (stream, kind, number) in drift.into_iter().flat_map(Drift::counts) {
            self.audit_drift.get_or_create(&drift_labels(stream, kind)).inc_by(number);
        }
    }

    fn set_audit(&self, audit: &Audit) {
        if let Ok(at) = audit.finished_at.parse() {
            self.audit_at.set(seconds(at));
        }
        for (what, number) in [
            ("population", audit.population),
            ("sampled", audit.sampled),
            ("audited", audit.audited),
            ("drifted", audit.drifted),
            ("lagging", audit.lagging),
        ] {
            self.audit_customers.get_or_create(&[("what", what)]).set(number as f64);
        }
        let confidence = [("confidence", audit.confidence.to_string())];
        self.audit_upper_bound.get_or_create(&confidence).set(audit.upper_bound as f64);
    }

    /// Counts an export to a destination, which went well at that time, or failed.
    pub fn exported(&self, destination: &str, ok_at: Option<Timestamp>) {
        let labels = [("destination", destination.to_owned())];
        match ok_at {
            Some(at) => drop(self.destination_success.get_or_create(&labels).set(seconds(at))),
            None => drop(self.destination_failures.get_or_create(&labels).inc()),
        }
    }

    /// Counts a due run that did not take place.
    pub fn skipped(&self, kind: Kind, reason: SkipReason) {
        self.skipped.get_or_create(&skip_labels(kind, reason)).inc();
    }

    /// Counts a delivery of a webhook.
    pub fn delivery(&self, delivery: Delivery) {
        self.deliveries.get_or_create(&[("result", delivery.name())]).inc();
    }

    /// Counts something that was to be sent to people or monitors outside.
    pub fn notified(&self, target: Target, result: Sent) {
        self.notifications.get_or_create(&notification_labels(target, result)).inc();
    }

    /// Everything as text; `now` is what freshness is measured at.
    ///
    /// # Errors
    /// When a metric can't be written as text.
    pub fn text(
        &self,
        exposition: Exposition,
        reading: &MirrorState,
        now: Timestamp,
    ) -> Result<String, std::fmt::Error> {
        for (mode, at) in [(Kind::Sync, reading.sync_ok), (Kind::Full, reading.full_ok)] {
            if let Some(at) = at {
                self.last_success.get_or_create(&[("mode", mode.name())]).set(seconds(at));
            }
        }
        for (signal, count) in &reading.looks {
            for (what, number) in [("looks", count.looks), ("hits", count.hits), ("events", count.events)] {
                self.looks.get_or_create(&[("signal", signal.name()), ("what", what)]).set(number as f64);
            }
        }
        for stream in &reading.streams {
            let unseen =
                [("mean", stream.unseen_mean_seconds), ("p95", stream.unseen_p95_seconds.map(|s| s as f64))];
            for (statistic, seconds) in unseen {
                if let Some(seconds) = seconds {
                    self.unseen_seconds.get_or_create(&[("statistic", statistic)]).set(seconds);
                }
            }
            let labels = [("stream", stream.stream.name().to_owned())];
            self.stored.get_or_create(&labels).set(stream.row_count as f64);
            if let Some(at) = reading.last_success() {
                self.freshness.get_or_create(&labels).set((seconds(now) - seconds(at)).max(0.0));
            }
            for format in &reading.formats {
                let first = reading.destinations.first();
                self.set_export(stream, format, first.map_or(0, |to| to.position(stream.stream, format)));
            }
        }
        reading.destinations.iter().for_each(|destination| self.set_destination(destination));
        if let Some(audit) = &reading.audit {
            self.set_audit(audit);
        }
        self.database_bytes.set(reading.database_bytes as f64);
        self.wal_bytes.set(reading.wal_bytes as f64);
        self.hints_waiting.set(reading.hints_waiting as f64);
        exposition::text(exposition, &self.registry)
    }

    fn set_destination(&self, destination: &DestinationState) {
        let labels = [("destination", destination.name.clone())];
        // Shown from the start, so that the first failure is seen as an increase.
        drop(self.destination_failures.get_or_create(&labels));
        drop(self.destination_success.get_or_create(&labels));
        for &stream in &destination.streams {
            for &format in &destination.formats {
                let [to] = labels.clone();
                let labels = [to, ("stream", stream.name().to_owned()), ("format", format.to_owned())];
                let position = destination.position(stream, format);
                self.destination_position.get_or_create(&labels).set(position as f64);
            }
        }
    }

    fn set_export(&self, stream: &Freshness, format: &str, position: i64) {
        let labels = [("stream", stream.stream.name().to_owned()), ("format", format.to_owned())];
        self.export_position.get_or_create(&labels).set(position as f64);
        self.export_lag.get_or_create(&labels).set((stream.last_change_seq - position).max(0) as f64);
    }
}

fn drift_labels(stream: Stream, kind: audit::Kind) -> Two {
    [("stream", stream.name()), ("kind", kind.name())]
}

fn notification_labels(target: Target, result: Sent) -> Two {
    [("target", target.name()), ("result", result.name())]
}

fn skip_labels(kind: Kind, reason: SkipReason) -> Two {
    [("mode", kind.name()), ("reason", reason.name())]
}

fn seconds(at: Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1e3
}

impl Observer for Metrics {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::RequestFinished { stream, status, elapsed } => {
                let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
                self.requests
                    .get_or_create(&[("stream", stream.name().to_owned()), ("status", status)])
                    .inc();
                self.request_seconds
                    .get_or_create(&[("stream", stream.name())])
                    .observe(elapsed.as_secs_f64());
            }
            Event::RetryScheduled { stream, .. } => {
                self.retries.get_or_create(&[("stream", stream.name())]).inc();
            }
            Event::HintsFollowed { waited, .. } => {
                self.hints_followed.inc();
                self.hint_seconds.observe(waited.as_secs_f64());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "metrics_tests.rs"]
mod tests;
