//! `report`: reads the mirror and makes a page of it. The daemon serves the same page.

use super::args::{self, Global};
use super::exit::{Exit, Failure};
use super::status::runs::{LastError, RecentRuns, ShownRun};
use super::whole_file::WholeFile;
use super::{assemble, output};
use crate::config::Config;
use crate::export::newest_exports;
use crate::mirror::{Mirror, MirrorError, holder};
use crate::report::{DAYS, ExportLine, Outlook, Report, RunLine, Trouble, WEEKS, page as html};
use crate::schedule::Schedule;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the daemon counts for its page at most.
pub(super) const MOST_SECONDS: Duration = Duration::from_secs(10);

/// Runs that are listed one by one.
const RUNS: usize = 20;

/// The most runs of a day that are counted ahead: one a second would be too many to look at.
const RUNS_AHEAD: usize = 10_000;

/// What a file has at most that this program creates, less what the umask takes.
const MODE: u32 = 0o644;

pub(super) fn run(global: &Global, args: &args::Report) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let page = page(&config, None)?;
    match &args.output {
        None => output::text(&page),
        Some(path) => {
            let written = WholeFile::begin(path, MODE).and_then(|mut file| {
                file.write_all(page.as_bytes())?;
                file.finish()
            });
            written.map_err(|error| {
                let text = format!(
                    "{} can't be written: {error}; name a file in a folder that this user may write to",
                    path.display()
                );
                Failure::new(Exit::Failed, text)
            })?;
            output::line(&path.display().to_string())
        }
    }
}

/// The page. What takes longer to count than `most` is left out, and the page says so.
pub(super) fn page(config: &Config, most: Option<Duration>) -> Result<String, Failure> {
    Ok(html(&read(config, most, Timestamp::now())?))
}

fn read(config: &Config, most: Option<Duration>, now: Timestamp) -> Result<Report, Failure> {
    let mut mirror = Mirror::open_read_only(&config.mirror.path)?;
    let mirror_id = mirror.id().to_owned();
    if let Some(most) = most {
        let began = Instant::now();
        mirror.halt_when(Arc::new(move || began.elapsed() > most));
    }
    let snapshot = mirror.snapshot()?;
    let is_held = holder(&config.mirror.path).is_some();
    let runs = RecentRuns::read(&snapshot, RUNS, is_held, now)?;
    let streams = snapshot.freshness()?;
    let files = newest_exports(&snapshot, &config.export.dir, &mirror_id)?;
    let each = streams
        .iter()
        .flat_map(|stream| config.export.formats.iter().map(move |format| (stream, format.name())));
    let exports = each.map(|(stream, format)| {
        let newest = files.iter().find(|file| file.stream == stream.stream.name() && file.format == format);
        ExportLine {
            stream: stream.stream.name().to_owned(),
            format: format.to_owned(),
            exported_to: newest.map_or(0, |file| file.last_seq),
            newest_change: stream.last_change_seq,
            at: newest.map(|file| file.created_at.clone()),
        }
    });
    let ago = |days: i32| now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(now);
    // The current day and week are among those that are shown.
    let (first_day, first_week) = (ago(DAYS - 1), ago(7 * (WEEKS - 1)));
    Ok(Report {
        now,
        zone: config.timezone.clone(),
        mirror_id,
        version: env!("CARGO_PKG_VERSION"),
        is_account_in_doubt: snapshot.account()?.doubt.is_some(),
        is_running: is_held,
        last_error: runs.last_error.map(trouble),
        newest_runs: runs.newest.into_iter().map(line).collect(),
        run_days: snapshot.run_days(midnight(first_day))?,
        changes: snapshot.change_days(TimeZone::UTC.to_datetime(first_day).date())?,
        events: in_time(snapshot.event_weeks(first_week, now))?,
        orders: in_time(snapshot.order_steps(first_week))?,
        exports: exports.collect(),
        plan: outlook(config, snapshot.hints(0)?.waiting, now),
        streams,
    })
}

/// Nothing where it took too long.
fn in_time<T>(counted: Result<T, MirrorError>) -> Result<Option<T>, MirrorError> {
    match counted {
        Err(MirrorError::Stopped) => Ok(None),
        counted => counted.map(Some),
    }
}

/// The beginning of the day (UTC).
fn midnight(at: Timestamp) -> Timestamp {
    const DAY: i64 = 86_400;
    Timestamp::from_second(at.as_second().div_euclid(DAY) * DAY).unwrap_or(at)
}

fn trouble(last: LastError) -> Trouble {
    Trouble {
        run_id: last.run_id.0,
        mode: last.mode,
        outcome: last.outcome,
        at: last.at,
        error: last.error,
        what_to_do: last.what_to_do,
        ok_since: last.ok_since.map(|run| run.0),
    }
}

fn line(shown: ShownRun) -> RunLine {
    let ShownRun { run, duration_seconds } = shown;
    RunLine {
        run_id: run.id.0,
        mode: run.mode,
        outcome: run.outcome,
        started_at: run.started_at,
        seconds: duration_seconds,
        requests: run.counts.requests,
        changes: run.counts.changes(),
    }
}

fn outlook(config: &Config, hints_waiting: u64, now: Timestamp) -> Outlook {
    let next = |schedule: &Option<Schedule>| schedule.as_ref().and_then(|schedule| schedule.next_after(now));
    let sync = config.schedule.sync.as_ref();
    let next_sync = next(&config.schedule.sync);
    let following = sync.zip(next_sync).and_then(|(schedule, next)| schedule.next_after(next));
    let tomorrow = now.checked_add(SignedDuration::from_hours(24)).unwrap_or(now);
    let runs = std::iter::successors(next_sync, |at| sync.and_then(|schedule| schedule.next_after(*at)));
    Outlook {
        next_sync,
        next_full: next(&config.schedule.full),
        interval: following.zip(next_sync).map(|(following, next)| following.duration_since(next)),
        events_max_age: config.sync.events_max_age,
        runs_in_a_day: runs.take_while(|at| *at <= tomorrow).take(RUNS_AHEAD).count(),
        has_webhooks: config.webhook.listen.is_some(),
        hints_waiting,
    }
}
