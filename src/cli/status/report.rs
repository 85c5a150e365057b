//! What `status` reports: read in one snapshot, and serialised as the JSON result.

use super::super::exit::Failure;
use super::runs::{LastError, LastOk, RecentRuns, ShownRun};
use crate::api::shown;
use crate::config::Config;
use crate::diff::looks::Signal;
use crate::export::{Location, Settings, newest_exports};
use crate::mirror::{
    self, Aside, Audit, Behaviour, Doubt, EventFailure, ExportFile, Freshness, Hints, HistoryReach, Holder,
    Mirror, SetAside, SignalCount, holder,
};
use crate::record::Stream;
use crate::schedule::Schedule;
use jiff::Timestamp;
use serde::Serialize;

/// Runs that are shown.
const RUNS: usize = 5;

/// Customers with unreadable events that are named.
const FAILURES: usize = 20;

/// Records set aside that are named.
const SET_ASIDE: usize = 5;

/// Shapes of deliveries that told of nobody which are shown.
const SHAPES: usize = 5;

#[derive(Serialize)]
pub(super) struct Status {
    pub(super) mirror: String,
    pub(super) mirror_id: String,
    /// When this was read.
    pub(super) now: Timestamp,
    pub(super) database_bytes: u64,
    pub(super) wal_bytes: u64,
    /// Whether a run is under way, and who runs it.
    pub(super) running: bool,
    pub(super) holder: Option<Holder>,
    /// The account that the mirror belongs to, where the API names it.
    pub(super) account_id: Option<String>,
    /// While set, nothing is inserted, deleted or exported.
    pub(super) account_doubt: Option<Doubt>,
    pub(super) last_error: Option<LastError>,
    pub(super) streams: Vec<Freshness>,
    /// What called for looks at customers' events, and how often these found new ones.
    pub(super) looks: Vec<ShownSignal>,
    /// How far back the history of each stream reaches.
    pub(super) history: Vec<HistoryReach>,
    pub(super) last_ok: LastOk,
    pub(super) runs: Vec<ShownRun>,
    pub(super) api_behaviour: Vec<Behaviour>,
    pub(super) exports: Vec<ExportFile>,
    /// Changes that no file of a configured format holds yet, by stream and format.
    pub(super) export_lag: Vec<ExportLag>,
    /// The same of each of `[[destinations]]`.
    pub(super) destinations: Vec<DestinationStatus>,
    pub(super) event_failures: Vec<EventFailure>,
    pub(super) event_failures_count: u64,
    /// Records that could not be taken, and the oldest of them.
    pub(super) rejected: u64,
    /// Events that complete walks of their lists lack, kept until time has shown that they are gone.
    pub(super) missing_events: u64,
    pub(super) rejected_records: Vec<SetAside>,
    /// Records that were taken with a repair, and the oldest of them.
    pub(super) repaired: u64,
    pub(super) repaired_records: Vec<SetAside>,
    /// What webhooks have told, and no run has followed yet.
    pub(super) webhooks: Hints,
    pub(super) last_audit: Option<Audit>,
    pub(super) next: Next,
    /// Findings about another address are not used.
    #[serde(skip)]
    pub(super) base_url: String,
}

#[derive(Serialize)]
pub(super) struct ShownSignal {
    pub(super) signal: Signal,
    #[serde(flatten)]
    pub(super) count: SignalCount,
}

#[derive(Serialize)]
pub(super) struct ExportLag {
    pub(super) stream: Stream,
    pub(super) format: String,
    pub(super) exported_to: i64,
    pub(super) newest_change: i64,
}

/// When the schedule fires next; `None`: never.
#[derive(Serialize)]
pub(super) struct Next {
    pub(super) sync: Option<Timestamp>,
    pub(super) full: Option<Timestamp>,
}

#[derive(Serialize)]
pub(super) struct DestinationStatus {
    pub(super) name: String,
    pub(super) url: Location,
    pub(super) exports: Vec<ExportFile>,
    pub(super) export_lag: Vec<ExportLag>,
}

pub(super) fn read(config: &Config, now: Timestamp) -> Result<Status, Failure> {
    let mut mirror = Mirror::open_read_only(&config.mirror.path)?;
    let (path, mirror_id) = (mirror.path().display().to_string(), mirror.id().to_owned());
    let (database_bytes, wal_bytes) = mirror::sizes(mirror.path());
    let snapshot = mirror.snapshot()?;
    let holder = holder(&config.mirror.path);
    let runs = RecentRuns::read(&snapshot, RUNS, holder.is_some(), now)?;
    let (mut event_failures, event_failures_count) = snapshot.event_failures(FAILURES)?;
    event_failures.iter_mut().for_each(|failure| failure.customer_id = shown(&failure.customer_id));
    let (rejected_records, rejected) = snapshot.set_aside(Aside::Rejected, SET_ASIDE)?;
    let (repaired_records, repaired) = snapshot.set_aside(Aside::Taken, SET_ASIDE)?;
    let (rejected_records, repaired_records) =
        (rejected_records.into_iter().map(told), repaired_records.into_iter().map(told));
    let exports = newest_exports(&snapshot, &config.export.dir, &mirror_id)?;
    let streams = snapshot.freshness()?;
    let mut destinations = Vec::new();
    for settings in &config.destinations {
        let exports = newest_exports(&snapshot, &settings.dir, &mirror_id)?;
        let export_lag = export_lag(settings, &streams, &exports);
        let (name, url) = (settings.name.clone(), settings.dir.clone());
        destinations.push(DestinationStatus { name, url, exports, export_lag });
    }
    let next = |schedule: &Option<Schedule>| schedule.as_ref().and_then(|schedule| schedule.next_after(now));
    let account = snapshot.account()?;
    let looks = snapshot.look_signals()?.into_iter().map(|(signal, count)| ShownSignal { signal, count });
    Ok(Status {
        mirror: path,
        mirror_id,
        now,
        database_bytes,
        wal_bytes,
        running: runs.is_running,
        holder,
        account_id: account.id,
        account_doubt: account.doubt,
        last_error: runs.last_error,
        export_lag: export_lag(&config.export, &streams, &exports),
        destinations,
        streams,
        looks: looks.collect(),
        history: snapshot.history_reach()?,
        last_ok: runs.last_ok,
        runs: runs.newest,
        api_behaviour: snapshot.behaviour()?,
        exports,
        event_failures,
        event_failures_count,
        rejected,
        rejected_records: rejected_records.collect(),
        repaired,
        repaired_records: repaired_records.collect(),
        missing_events: snapshot.missing()?,
        webhooks: snapshot.hints(SHAPES)?,
        last_audit: snapshot.last_audit()?,
        next: Next { sync: next(&config.schedule.sync), full: next(&config.schedule.full) },
        base_url: config.api.base_url.to_string(),
    })
}

/// The table `rejected` has the identifiers as they are.
fn told(aside: SetAside) -> SetAside {
    let told = |id: Option<String>| id.map(|id| shown(&id));
    SetAside { customer_id: told(aside.customer_id), record_id: told(aside.record_id), ..aside }
}

fn export_lag(settings: &Settings, streams: &[Freshness], exports: &[ExportFile]) -> Vec<ExportLag> {
    let wanted = streams.iter().filter(|stream| settings.streams.contains(&stream.stream));
    let each =
        wanted.flat_map(|stream| settings.formats_in_sight().map(move |format| (stream, format.name())));
    let lag = |(stream, format): (&Freshness, &str)| {
        let exported_to = exports
            .iter()
            .find(|file| file.stream == stream.stream.name() && file.format == format)
            .map_or(0, |file| file.last_seq);
        (stream.last_change_seq > exported_to).then(|| ExportLag {
            stream: stream.stream,
            format: format.to_owned(),
            exported_to,
            newest_change: stream.last_change_seq,
        })
    };
    each.filter_map(lag).collect()
}
