//! `status`: what the mirror tells, read-only, whether or not a run is under way.

use super::args::{Global, Json};
use super::assemble;
use super::exit::{Exit, Failure};
use super::output::{self, count, counted};
use crate::config::Config;
use crate::mirror::{
    Audit, Behaviour, EventFailure, ExportFile, Freshness, Holder, Mirror, Mode, Run, holder,
};
use crate::schedule::Schedule;
use jiff::Timestamp;
use serde::Serialize;

/// Runs that are shown.
const RUNS: usize = 5;

/// Customers with unreadable events that are named.
const FAILURES: usize = 20;

/// The JSON result of `status`.
#[derive(Serialize)]
struct Status {
    mirror: String,
    mirror_id: String,
    /// Whether a run is under way, and who runs it.
    running: bool,
    holder: Option<Holder>,
    streams: Vec<Freshness>,
    last_ok: LastOk,
    runs: Vec<Run>,
    api_behaviour: Vec<Behaviour>,
    exports: Vec<ExportFile>,
    /// Changes that no file of a configured format holds yet, by stream and format.
    export_lag: Vec<ExportLag>,
    event_failures: Vec<EventFailure>,
    event_failures_count: u64,
    rejected: u64,
    last_audit: Option<Audit>,
    next: Next,
}

#[derive(Serialize)]
struct LastOk {
    incremental: Option<Run>,
    full: Option<Run>,
}

#[derive(Serialize)]
struct ExportLag {
    stream: String,
    format: String,
    exported_to: i64,
    newest_change: i64,
}

/// When the schedule fires next; `None`: never.
#[derive(Serialize)]
struct Next {
    sync: Option<Timestamp>,
    full: Option<Timestamp>,
}

pub(super) fn run(global: &Global, args: &Json) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let status = read(&config)?;
    if args.json {
        output::json(&status)?
    } else {
        output::text(&text(&status))?
    }
    Ok(Exit::Done)
}

fn read(config: &Config) -> Result<Status, Failure> {
    let mut mirror = Mirror::open_read_only(&config.mirror.path)?;
    let holder = holder(&config.mirror.path);
    let (path, mirror_id) = (mirror.path().display().to_string(), mirror.id().to_owned());
    let snapshot = mirror.snapshot()?;
    let runs = snapshot.newest_runs(RUNS)?;
    let (event_failures, event_failures_count) = snapshot.event_failures(FAILURES)?;
    let (streams, exports) = (snapshot.freshness()?, snapshot.newest_exports()?);
    let now = Timestamp::now();
    let next = |schedule: &Option<Schedule>| schedule.as_ref().and_then(|schedule| schedule.next_after(now));
    Ok(Status {
        mirror: path,
        mirror_id,
        running: holder.is_some() && runs.first().is_some_and(|run| run.outcome == "running"),
        holder,
        export_lag: export_lag(config, &streams, &exports),
        streams,
        last_ok: LastOk {
            incremental: snapshot.last_ok_run(Mode::Incremental)?,
            full: snapshot.last_ok_run(Mode::Full)?,
        },
        runs,
        api_behaviour: snapshot.behaviour()?,
        exports,
        event_failures,
        event_failures_count,
        rejected: snapshot.rejected_count()?,
        last_audit: snapshot.last_audit()?,
        next: Next { sync: next(&config.schedule.sync), full: next(&config.schedule.full) },
    })
}

fn export_lag(config: &Config, streams: &[Freshness], exports: &[ExportFile]) -> Vec<ExportLag> {
    let formats = assemble::export_settings(config).formats;
    let each = streams.iter().flat_map(|stream| formats.iter().map(move |format| (stream, format.name())));
    let lag = |(stream, format): (&Freshness, &str)| {
        let exported_to = exports
            .iter()
            .find(|file| file.stream == stream.stream && file.format == format)
            .map_or(0, |file| file.last_seq);
        (stream.last_change_seq > exported_to).then(|| ExportLag {
            stream: stream.stream.clone(),
            format: format.to_owned(),
            exported_to,
            newest_change: stream.last_change_seq,
        })
    };
    each.filter_map(lag).collect()
}

fn text(status: &Status) -> String {
    let mut text = format!("mirror {} ({})\n", status.mirror, status.mirror_id);
    text.push_str("\nstreams\n");
    for stream in &status.streams {
        text.push_str(&format!(
            "  {:<10} {:>12} rows, newest change {}, last complete sync {}\n",
            stream.stream,
            count(stream.row_count),
            stream.last_change_seq,
            stream.last_sync_ok_at.as_deref().unwrap_or("never"),
        ));
    }
    text.push_str("\nruns, newest first\n");
    for run in &status.runs {
        text.push_str(&run_text(run, status.running));
    }
    text.push_str("\nAPI behaviour, where its documentation is silent\n");
    if status.api_behaviour.is_empty() {
        text.push_str("  nothing found out yet\n");
    }
    for found in &status.api_behaviour {
        text.push_str(&format!(
            "  {:<10} {:<12} {:<9} {}\n",
            found.stream, found.point, found.value, found.evidence
        ));
    }
    text.push_str(&exports_text(status));
    if status.event_failures_count > 0 {
        text.push_str(&format!("\nevents missing of {}\n", counted(status.event_failures_count, "customer")));
        for failure in &status.event_failures {
            text.push_str(&format!(
                "  {} since run {}: {}\n",
                failure.customer_id, failure.run_id, failure.error
            ));
        }
    }
    if status.rejected > 0 {
        text.push_str(&format!(
            "\n{} set aside: see the mirror's table `rejected`\n",
            counted(status.rejected, "record")
        ));
    }
    text.push_str(&super::audit::status(status.last_audit.as_ref()));
    let next = |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| at.to_string());
    text.push_str(&format!(
        "\nnext scheduled  sync {}, full {}\n",
        next(status.next.sync),
        next(status.next.full)
    ));
    text
}

fn run_text(run: &Run, running: bool) -> String {
    let c = &run.counts;
    let outcome = match run.outcome.as_str() {
        "running" if !running => "killed",
        outcome => outcome,
    };
    let mut text = format!(
        "  {:>4} {:<11} {:<11} {} to {}: {} requests; customers +{} ~{} -{}; events +{} ~{} -{}\n",
        run.id.0,
        run.mode,
        outcome,
        run.started_at,
        run.finished_at.as_deref().unwrap_or("…"),
        count(c.requests),
        count(c.customers_inserted),
        count(c.customers_updated),
        count(c.customers_deleted),
        count(c.events_inserted),
        count(c.events_updated),
        count(c.events_deleted),
    );
    for line in run.error.iter().chain(&run.remarks) {
        text.push_str(&format!("       {line}\n"));
    }
    text
}

fn exports_text(status: &Status) -> String {
    let mut text = "\nexports\n".to_owned();
    if status.exports.is_empty() {
        text.push_str("  none yet\n");
    }
    for file in &status.exports {
        text.push_str(&format!(
            "  {:<10} {:<7} to change {}: {}\n",
            file.stream, file.format, file.last_seq, file.path
        ));
    }
    for lag in &status.export_lag {
        text.push_str(&format!(
            "  {:<10} {:<7} lags: change {} is not yet exported\n",
            lag.stream, lag.format, lag.newest_change
        ));
    }
    text
}
