//! The text and the JSON of a message: identifiers of runs and counts, nothing of customers, no key.

use super::causes::{Cause, Due};
use super::run_end::{Fault, RunEnd};
use crate::api::shown;
use crate::mirror::{Counts, Outcome};
use jiff::Timestamp;
use serde::Serialize;

/// The most characters of the text: chats cut longer ones off where they like.
const LONGEST: usize = 1_500;

/// What the receiver gets. Chats that speak Slack's format show `text` and leave the rest; programs read the rest.
#[derive(Debug, Serialize)]
pub(super) struct Message<'a> {
    /// One or two sentences for people.
    pub(super) text: String,
    cause: Cause,
    /// UTC.
    at: Timestamp,
    host: &'a str,
    mirror_id: Option<&'a str>,
    run_id: Option<i64>,
    mode: &'static str,
    outcome: &'static str,
    /// How often the cause came since it was last told, without being told.
    held_back: u64,
    hint: Option<&'a str>,
    /// As the columns of `sync_runs`.
    counts: &'a Counts,
    /// What is over, where the cause is `recovered`.
    over: &'a [Cause],
}

impl<'a> Message<'a> {
    pub(super) fn of(due: &'a Due, end: &'a RunEnd, host: &'a str, at: Timestamp) -> Message<'a> {
        let hint = hint(due.cause, end);
        Message {
            text: text(due, end, host, hint),
            cause: due.cause,
            at,
            host,
            mirror_id: end.mirror_id.as_deref(),
            run_id: end.run_id,
            mode: end.kind.name(),
            outcome: end.outcome.name(),
            held_back: due.held_back,
            hint,
            counts: &end.counts,
            over: &due.over,
        }
    }
}

/// What a monitor is told with its ping, in a line.
pub(super) fn ping(end: &RunEnd) -> String {
    let why = match (&end.fault, end.outcome) {
        (Some(fault), _) => format!(": {}", fault.text),
        (None, Outcome::Incomplete) => format!(": {}", lacks(end)),
        _ => String::new(),
    };
    cut(&format!("{} {}{why}", end.name(), verdict(end.outcome)))
}

fn text(due: &Due, end: &RunEnd, host: &str, hint: Option<&str>) -> String {
    let mut text = format!("malomo-mirror on {host}: {}.", what(due, end));
    if due.held_back > 0 {
        text += &format!(" Since the last message about this it happened {} before.", times(due.held_back));
    }
    if let Some(hint) = hint {
        text += &format!(" What to do: {hint}");
    }
    cut(&text)
}

fn what(due: &Due, end: &RunEnd) -> String {
    let run = end.name();
    let fault = end.fault.as_ref().map_or("the reason is in the daemon's log", |fault| &fault.text);
    match due.cause {
        Cause::RunFailed => format!("{run} failed: {fault}"),
        Cause::KeyRefused => format!("the API refused the key in {run}"),
        Cause::Incomplete => {
            format!(
                "{run} is incomplete, and so were the {} scheduled runs before it: {}",
                due.in_a_row - 1,
                lacks(end)
            )
        }
        Cause::DeletionLimit => {
            format!(
                "{run} reached the limit on deletions: {}",
                end.deletions_refused.as_deref().unwrap_or(fault)
            )
        }
        Cause::Drift => {
            let (drifted, audited) = end.drift.unwrap_or_default();
            format!(
                "the audit after {run} found {drifted} of {audited} customers to differ from the API; what it found was put right"
            )
        }
        Cause::DiskNearlyFull => match end.full_disks.first() {
            Some(disk) => format!(
                "the disk of {} is nearly full: {:.1} of {:.1} GiB are free",
                disk.holds,
                gib(disk.free),
                gib(disk.size)
            ),
            None => format!("{run} failed, because a disk is full: {fault}"),
        },
        Cause::Recovered => {
            let over: Vec<&str> = due.over.iter().map(|cause| in_words(*cause)).collect();
            format!(
                "all is well again, {run} did everything. What was told before is over: {}",
                over.join(", ")
            )
        }
    }
}

/// What to do, where the text doesn't say so.
fn hint(cause: Cause, end: &RunEnd) -> Option<&str> {
    let fault = end.fault.as_ref().and_then(|fault: &Fault| fault.hint.as_deref());
    match cause {
        Cause::RunFailed | Cause::KeyRefused => fault,
        Cause::Incomplete => Some("`malomo-mirror status` says what is missing and why."),
        Cause::DeletionLimit => None,
        Cause::Drift => Some("`malomo-mirror status` shows the audit, the table audit_findings each record."),
        Cause::DiskNearlyFull => Some("free some space, or move the mirror or the exports to a larger disk."),
        Cause::Recovered => None,
    }
}

fn in_words(cause: Cause) -> &'static str {
    match cause {
        Cause::RunFailed => "a run failed",
        Cause::KeyRefused => "the key was refused",
        Cause::Incomplete => "runs were incomplete",
        Cause::DeletionLimit => "the limit on deletions was reached",
        Cause::Drift => "the mirror had drifted",
        Cause::DiskNearlyFull => "a disk was nearly full",
        Cause::Recovered => "all was well",
    }
}

fn lacks(end: &RunEnd) -> String {
    let counts = &end.counts;
    match (counts.event_walks_failed, counts.rejected) {
        (0, 0) => "`malomo-mirror status` says what it lacks".to_owned(),
        (lists, 0) => format!("the events of {lists} customers could not be read"),
        (0, records) => format!("{records} records could not be taken"),
        (lists, records) => {
            format!(
                "the events of {lists} customers could not be read, and {records} records could not be taken"
            )
        }
    }
}

fn verdict(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "did everything",
        Outcome::Incomplete => "is incomplete",
        Outcome::Failed => "failed",
        Outcome::Interrupted | Outcome::Running => "was interrupted",
    }
}

fn times(number: u64) -> String {
    if number == 1 { "once".to_owned() } else { format!("{number} times") }
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

/// On one line, without whatever looks like an address or a key: a last guard, since none should have come so far.
fn cut(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    shown(&text).chars().take(LONGEST).collect()
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
