//! `status` for people: what needs attention first.

use super::super::output::{count, counted, size, span};
use super::report::Status;
use super::runs::{LastError, ShownRun};
use crate::mirror::{Counts, SetAside};
use crate::record::Stream;
use jiff::Timestamp;

pub(super) fn text(status: &Status) -> String {
    [
        head(status),
        account(status),
        last_error(status),
        streams(status),
        runs(status),
        exports(status),
        api_behaviour(status),
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
    let Some(last) = &status.last_error else { return "\nlast error\n  none\n".to_owned() };
    let LastError { run_id, mode, outcome, at, error, what_to_do, ok_since } = last;
    let mut text =
        format!("\nlast error\n  run {run_id} ({mode}, {outcome}), {}\n  {error}\n", when(at, status.now));
    if let Some(hint) = what_to_do {
        text.push_str(&format!("  what to do: {hint}\n"));
    }
    if let Some(ok) = ok_since {
        text.push_str(&format!("  since then run {ok} went well\n"));
    }
    text
}

fn streams(status: &Status) -> String {
    let mut text = "\nstreams\n".to_owned();
    for stream in &status.streams {
        let complete = stream.last_sync_ok_at.as_deref();
        text.push_str(&format!(
            "  {:<10} {:>12} rows, newest change {}, last complete sync {}\n",
            stream.stream,
            count(stream.row_count),
            stream.last_change_seq,
            complete.map_or("never".to_owned(), |at| when(at, status.now)),
        ));
    }
    text
}

fn runs(status: &Status) -> String {
    let mut text = "\nruns, newest first\n".to_owned();
    if status.runs.is_empty() {
        text.push_str("  none yet\n");
    }
    for shown in &status.runs {
        text.push_str(&run(shown));
    }
    text
}

fn run(shown: &ShownRun) -> String {
    let run = &shown.run;
    let took = match shown.duration_seconds {
        Some(seconds) if run.outcome == "running" => format!("for {} so far", span(seconds)),
        Some(seconds) if seconds < 10.0 => format!("took {seconds:.1} s"),
        Some(seconds) => format!("took {}", span(seconds)),
        None => String::new(),
    };
    let began = to_the_second(&run.started_at);
    let line = format!("  {:>4}  {:<11}  {:<11}  {began}  {took:<16}", run.id.0, run.mode, run.outcome);
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
    if !status.export_lag.is_empty() && status.holder.is_none() {
        text.push_str("  the next run exports it, or `malomo-mirror export` now\n");
    }
    text
}

fn api_behaviour(status: &Status) -> String {
    let mut text = "\nAPI behaviour, where its documentation is silent\n".to_owned();
    if status.api_behaviour.is_empty() {
        text.push_str("  nothing found out yet\n");
    }
    for found in &status.api_behaviour {
        text.push_str(&format!(
            "  {:<10} {:<12} {:<9} {}\n",
            found.stream, found.point, found.value, found.evidence
        ));
    }
    if let Some(found) = status.api_behaviour.iter().find(|found| found.base_url != status.base_url) {
        let (seen_at, base_url) = (&found.base_url, &status.base_url);
        text.push_str(&format!(
            "  seen at {seen_at}; api.base_url is now {base_url}, which is looked at anew\n"
        ));
    }
    text
}

fn missing(status: &Status) -> String {
    let mut text = String::new();
    if status.event_failures_count > 0 {
        text.push_str(&format!("\nevents missing of {}\n", counted(status.event_failures_count, "customer")));
        for failure in &status.event_failures {
            text.push_str(&format!(
                "  {} since run {}: {}\n",
                failure.customer_id, failure.run_id, failure.error
            ));
        }
        let unnamed = status.event_failures_count.saturating_sub(status.event_failures.len() as u64);
        if unnamed > 0 {
            text.push_str(&format!(
                "  and {} more: see the mirror's table `event_failures`\n",
                count(unnamed)
            ));
        }
        text.push_str("  every run tries them again\n");
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
    let mut text = format!("\n{} {how}: see the mirror's table `rejected`\n", counted(number, "record"));
    for aside in shown {
        text.push_str(&format!("  {aside}, since {}\n", to_the_second(&aside.first_seen_at)));
    }
    let unnamed = number.saturating_sub(shown.len() as u64);
    if unnamed > 0 {
        text.push_str(&format!("  and {} more\n", count(unnamed)));
    }
    text
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
