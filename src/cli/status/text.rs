//! `status` for people: what needs attention first.

use super::super::output::{count, counted, size, span};
use super::report::{ExportLag, Status};
use super::runs::{LastError, ShownRun};
use crate::mirror::{Counts, ExportFile, Outcome, SetAside, SignalCount};
use crate::record::Stream;
use jiff::Timestamp;
use std::fmt::Display;

pub(super) fn text(status: &Status) -> String {
    [
        head(status),
        account(status),
        last_error(status),
        streams(status),
        looks(status),
        history(status),
        runs(status),
        exports(status),
        api_behaviour(status),
        webhooks(status),
        missing(status),
    ]
    .concat()
}

fn head(status: &Status) -> String {
    let (database, wal) = (size(status.database_bytes), size(status.wal_bytes));
    let now = match &status.holder {
        Some(holder) => format!(
            "`{}` {}, process {}, since {}",
            holder.command,
            if status.running { "is under way" } else { "holds the mirror" },
            holder.pid,
            when(&holder.since, status.now)
        ),
        None => "no run is under way".to_owned(),
    };
    let due = |at: Option<Timestamp>| at.map_or("never".to_owned(), |at| ahead(at, status.now));
    format!(
        "mirror  {}\n        id {}; {database}, write-ahead log {wal}\nnow     {now}\n\
         due     sync {}, full {}, where the daemon runs\n",
        status.mirror,
        status.mirror_id,
        due(status.next.sync),
        due(status.next.full),
    )
}

fn account(status: &Status) -> String {
    let Some(doubt) = &status.account_doubt else { return String::new() };
    format!("\nIN DOUBT since {}\n  {}\n", when(&doubt.since, status.now), doubt.reason)
}

fn last_error(status: &Status) -> String {
    let Some(last) = &status.last_error else { return section("last error", ["none"]) };
    let LastError { run_id, mode, outcome, at, error, what_to_do, ok_since } = last;
    let run = format!("run {run_id} ({}, {}), {}", mode.name(), outcome.name(), when(at, status.now));
    let hint = what_to_do.as_ref().map(|hint| format!("what to do: {hint}"));
    let since = ok_since.map(|ok| format!("since then run {ok} went well"));
    section("last error", [run, error.clone()].into_iter().chain(hint).chain(since))
}

fn streams(status: &Status) -> String {
    let streams = status.streams.iter().map(|stream| {
        let complete =
            stream.last_sync_ok_at.as_deref().map_or("never".to_owned(), |at| when(at, status.now));
        let (rows, newest) = (count(stream.row_count), stream.last_change_seq);
        format!(
            "{:<10} {rows:>12} rows, newest change {newest}, last complete sync {complete}",
            stream.stream
        )
    });
    section("streams", streams)
}

/// What called for looks, and for how long events were unseen.
fn looks(status: &Status) -> String {
    if status.looks.is_empty() {
        return String::new();
    }
    let lines = status.looks.iter().map(|shown| {
        let (SignalCount { looks, hits, events }, name) = (shown.count, shown.signal.name());
        let share = 100.0 * hits as f64 / looks.max(1) as f64;
        format!("{name:<10} {:>12} looks, {share:.1} % found news: {} events", count(looks), count(events))
    });
    let unseen = status.streams.iter().find_map(|stream| {
        let (mean, p95) = stream.unseen_mean_seconds.zip(stream.unseen_p95_seconds)?;
        let p95 = if p95 == i64::MAX {
            "more than 30d".to_owned()
        } else {
            format!("at most {}", span(p95 as f64))
        };
        let mean = span(mean);
        Some(format!(
            "new events of the last 7 days were unseen for {mean} in the mean, 95 % of them for {p95}"
        ))
    });
    section("looks at customers' events", lines.chain(unseen))
}

/// Nothing where the history reaches back to the beginning.
fn history(status: &Status) -> String {
    let limited = status.history.iter().filter(|reach| reach.from_seq > 0);
    let limited: Vec<String> = limited
        .map(|reach| {
            let pruned = reach.pruned_at.as_ref().map_or(String::new(), |at| {
                let (pruned, at) = (count(reach.pruned), when(at, status.now));
                format!("; {pruned} older versions were removed, the last ones {at}")
            });
            format!("{:<10} known from change {} on{pruned}", reach.stream, reach.from_seq)
        })
        .collect();
    if limited.is_empty() { String::new() } else { section("history", limited) }
}

fn runs(status: &Status) -> String {
    let runs: String = status.runs.iter().map(run).collect();
    let none = if runs.is_empty() { "  none yet\n" } else { "" };
    format!("\nruns, newest first\n{none}{runs}")
}

fn run(shown: &ShownRun) -> String {
    let run = &shown.run;
    let took = match shown.duration_seconds {
        Some(seconds) if run.outcome == Outcome::Running => format!("for {} so far", span(seconds)),
        Some(seconds) if seconds < 10.0 => format!("took {seconds:.1} s"),
        Some(seconds) => format!("took {}", span(seconds)),
        None => String::new(),
    };
    let began = to_the_second(&run.started_at);
    let line = format!(
        "  {:>4}  {:<11}  {:<11}  {began}  {took:<16}",
        run.id.0,
        run.mode.name(),
        run.outcome.name()
    );
    // Counts are recorded at the end.
    let counts = run.finished_at.as_ref().map(|_| format!("  {}", counts(&run.counts))).unwrap_or_default();
    let notes: String =
        run.error.iter().chain(&run.remarks).map(|note| format!("        {note}\n")).collect();
    format!("{}\n{notes}", format!("{line}{counts}").trim_end())
}

fn counts(c: &Counts) -> String {
    let mut text = counted(c.requests, "request");
    for stream in Stream::ALL {
        if c[stream].changes() > 0 {
            let [new, changed, deleted] = c[stream].by_op().map(|(_, rows)| count(rows));
            text.push_str(&format!("; {stream} +{new} ~{changed} -{deleted}"));
        }
    }
    if c.changes() == 0 {
        text.push_str("; no change");
    }
    text
}

fn exports(status: &Status) -> String {
    let first = exported("exports", &status.exports, &status.export_lag, status);
    let further = status.destinations.iter().map(|to| {
        exported(&format!("exports to {}: {}", to.name, to.url), &to.exports, &to.export_lag, status)
    });
    first + &further.collect::<String>()
}

fn exported(title: &str, exports: &[ExportFile], lags: &[ExportLag], status: &Status) -> String {
    let none = exports.is_empty().then(|| "none yet".to_owned());
    let files = exports.iter().map(|file| {
        format!("{:<10} {:<7} to change {}: {}", file.stream, file.format, file.last_seq, file.path)
    });
    let when = (!lags.is_empty() && status.holder.is_none())
        .then(|| "the next run exports it, or `malomo-mirror export` now".to_owned());
    let lags = lags.iter().map(|lag| {
        let newest = lag.newest_change;
        format!("{:<10} {:<7} lags: change {newest} is not yet exported", lag.stream, lag.format)
    });
    section(title, none.into_iter().chain(files).chain(lags).chain(when))
}

fn api_behaviour(status: &Status) -> String {
    let found = &status.api_behaviour;
    let none = found.is_empty().then(|| "nothing found out yet".to_owned());
    let lines = found.iter().map(|found| {
        format!("{:<10} {:<12} {:<9} {}", found.stream, found.point, found.value, found.evidence)
    });
    let elsewhere = found.iter().find(|found| found.base_url != status.base_url).map(|found| {
        let (seen_at, base_url) = (&found.base_url, &status.base_url);
        format!("seen at {seen_at}; api.base_url is now {base_url}, which is looked at anew")
    });
    section(
        "API behaviour, where its documentation is silent",
        none.into_iter().chain(lines).chain(elsewhere),
    )
}

/// Nothing where webhooks have told nothing that is open.
fn webhooks(status: &Status) -> String {
    let hints = &status.webhooks;
    let waiting = hints.oldest_at.as_ref().map(|oldest| {
        let (customers, since) = (counted(hints.waiting, "customer"), when(oldest, status.now));
        format!("{customers} to look at, the oldest hint {since}")
    });
    let unmatched = (hints.unmatched > 0).then(|| {
        let deliveries = if hints.unmatched == 1 { "delivery" } else { "deliveries" };
        let number = count(hints.unmatched);
        format!("{number} {deliveries} told of no customer that can be found; their values stood at:")
    });
    let shapes =
        hints.unmatched_shapes.iter().map(|shape| format!("  {} times {}", count(shape.times), shape.paths));
    let lines: Vec<String> = waiting.into_iter().chain(unmatched).chain(shapes).collect();
    if lines.is_empty() { String::new() } else { section("webhooks", lines) }
}

fn missing(status: &Status) -> String {
    let mut text = String::new();
    if status.event_failures_count > 0 {
        let failures = status.event_failures.iter().map(|failure| {
            format!("{} since run {}: {}", failure.customer_id, failure.run_id, failure.error)
        });
        let unnamed = more(status.event_failures_count, status.event_failures.len())
            .map(|more| format!("{more}: see the mirror's table `event_failures`"));
        let again = "every run tries them again".to_owned();
        let title = format!("events missing of {}", counted(status.event_failures_count, "customer"));
        text += &section(&title, failures.chain(unnamed).chain([again]));
    }
    if status.missing_events > 0 {
        text.push_str(&format!(
            "\n{} missing from complete walks of their lists: kept, with events.missing_since, until sync.deletion_wait \
             has passed\n",
            counted(status.missing_events, "event")
        ));
    }
    text.push_str(&set_aside(status.rejected, "set aside", &status.rejected_records));
    text.push_str(&set_aside(status.repaired, "taken with a repair", &status.repaired_records));
    text.push_str(&crate::cli::audit::status(status.last_audit.as_ref()));
    text
}

fn set_aside(number: u64, how: &str, shown: &[SetAside]) -> String {
    if number == 0 {
        return String::new();
    }
    let title = format!("{} {how}: see the mirror's table `rejected`", counted(number, "record"));
    let lines = shown.iter().map(|aside| format!("{aside}, since {}", to_the_second(&aside.first_seen_at)));
    section(&title, lines.chain(more(number, shown.len())))
}

/// How many there are beside those that are named, if any.
fn more(number: u64, named: usize) -> Option<String> {
    let unnamed = number.saturating_sub(named as u64);
    (unnamed > 0).then(|| format!("and {} more", count(unnamed)))
}

/// A title, after an empty line, and what there is to say.
fn section(title: &str, lines: impl IntoIterator<Item = impl Display>) -> String {
    let lines: String = lines.into_iter().map(|line| format!("  {line}\n")).collect();
    format!("\n{title}\n{lines}")
}

/// A time of the mirror, and how long ago it is.
fn when(text: &str, now: Timestamp) -> String {
    let Ok(at) = text.parse::<Timestamp>() else { return text.to_owned() };
    let ago = span(now.duration_since(at).as_secs_f64().max(0.0));
    format!("{} ({ago} ago)", to_the_second(text))
}

fn ahead(at: Timestamp, now: Timestamp) -> String {
    format!("{} (in {})", to_the_second(&at.to_string()), span(at.duration_since(now).as_secs_f64().max(0.0)))
}

/// UTC, without the fraction; text that is no time as it is.
fn to_the_second(text: &str) -> String {
    text.parse::<Timestamp>()
        .map_or_else(|_| text.to_owned(), |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
