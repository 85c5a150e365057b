//! What there is to say after a run, and what is held back. Pure: the time comes in as an argument.
//!
//! - One cause is told once an hour at most, however often it comes; the next message says how often it came meanwhile.
//! - Incomplete runs are common and mend themselves: only the third one in a row is worth a word.
//! - A message that certainly didn't arrive is tried again after the next run. One that may have arrived counts as told.
//! - When a scheduled run has done everything, what was told before it is over, and that is said once.

use super::post::Delivery;
use super::run_end::{FaultKind, RunEnd};
use crate::mirror::Outcome;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One cause is told at most this often.
const QUIET: SignedDuration = SignedDuration::from_hours(1);

/// So many incomplete runs in a row are worth a word.
pub(super) const IN_A_ROW: u32 = 3;

/// Why there is something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A run or its export failed.
    RunFailed,
    /// The API refused the key.
    KeyRefused,
    /// The third scheduled run in a row, or a later one, is incomplete.
    Incomplete,
    /// More is missing than `sync.deletion_limit` allows to be deleted.
    DeletionLimit,
    /// An audit found more drift than `sync.drift_limit` allows.
    Drift,
    /// There is little room left, or none.
    DiskNearlyFull,
    /// A run did everything after one of the others had been told.
    Recovered,
}

impl Cause {
    const ALL: [Cause; 7] = [
        Cause::RunFailed,
        Cause::KeyRefused,
        Cause::Incomplete,
        Cause::DeletionLimit,
        Cause::Drift,
        Cause::DiskNearlyFull,
        Cause::Recovered,
    ];

    /// Whether it lasts until a run shows that it is over. Drift is put right by the run that finds it.
    fn lasts(self) -> bool {
        !matches!(self, Cause::Drift | Cause::Recovered)
    }
}

/// What was told so far. It outlives the daemon in a file, so that one that is started again and again is no louder.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Told {
    causes: BTreeMap<Cause, Past>,
    incomplete_in_a_row: u32,
}

#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Past {
    /// When it was last told, or may have been.
    told_at: Option<Timestamp>,
    /// How often it came since then without being told.
    held_back: u64,
    /// Whether it was told, and that it is over was not.
    is_open: bool,
}

impl Past {
    /// A clock that was put back doesn't silence anybody.
    fn is_quiet(&self, now: Timestamp) -> bool {
        self.told_at.is_some_and(|at| at <= now && now.duration_since(at) < QUIET)
    }
}

/// Something to be said now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) cause: Cause,
    /// How often it came since it was last told.
    pub(super) held_back: u64,
    /// Scheduled runs in a row that were incomplete.
    pub(super) in_a_row: u32,
    /// What is over, where the cause is [`Cause::Recovered`].
    pub(super) over: Vec<Cause>,
}

impl Told {
    /// Whether a monitor is to take this run for a good one.
    pub(super) fn is_good(&self, end: &RunEnd) -> Option<bool> {
        match end.outcome {
            Outcome::Ok => Some(true),
            Outcome::Incomplete => Some(self.incomplete_in_a_row < IN_A_ROW),
            Outcome::Failed => Some(false),
            Outcome::Interrupted | Outcome::Running => None,
        }
    }

    /// Takes the end of a run. [`Told::is_good`] and [`Told::due`] are asked after it.
    pub(super) fn count(&mut self, end: &RunEnd) {
        match end.outcome {
            Outcome::Incomplete if end.is_scheduled() => self.incomplete_in_a_row += 1,
            Outcome::Ok if end.is_scheduled() => self.incomplete_in_a_row = 0,
            _ => {}
        }
    }

    /// What is to be said about a run that has ended. What comes too early is held back.
    pub(super) fn due(&mut self, end: &RunEnd, now: Timestamp) -> Vec<Due> {
        let found = self.found(end);
        let mut due = Vec::new();
        for cause in found.iter().copied() {
            let past = self.causes.entry(cause).or_default();
            match past.is_quiet(now) {
                true => past.held_back += 1,
                false => due.push(Due {
                    cause,
                    held_back: past.held_back,
                    in_a_row: self.incomplete_in_a_row,
                    over: Vec::new(),
                }),
            }
        }
        let over: Vec<Cause> = match end.outcome == Outcome::Ok && end.is_scheduled() {
            true => Cause::ALL
                .into_iter()
                .filter(|cause| self.is_open(*cause) && !found.contains(cause))
                .collect(),
            false => Vec::new(),
        };
        let is_quiet = self.causes.get(&Cause::Recovered).is_some_and(|past| past.is_quiet(now));
        if !over.is_empty() && !is_quiet {
            due.push(Due { cause: Cause::Recovered, held_back: 0, in_a_row: 0, over });
        }
        due
    }

    /// Takes what became of a message.
    pub(super) fn delivered(&mut self, due: &Due, delivery: Delivery, now: Timestamp) {
        let past = self.causes.entry(due.cause).or_default();
        if delivery == Delivery::NotTaken {
            past.held_back += u64::from(due.cause != Cause::Recovered);
            return;
        }
        *past = Past { told_at: Some(now), held_back: 0, is_open: due.cause.lasts() };
        for cause in &due.over {
            self.causes.entry(*cause).or_default().is_open = false;
        }
    }

    fn is_open(&self, cause: Cause) -> bool {
        self.causes.get(&cause).is_some_and(|past| past.is_open)
    }

    fn found(&self, end: &RunEnd) -> Vec<Cause> {
        let fault = end.fault.as_ref().map(|fault| fault.kind);
        let is_disk_full = fault == Some(FaultKind::DiskFull) || !end.full_disks.is_empty();
        let is_incomplete = end.outcome == Outcome::Incomplete
            && end.is_scheduled()
            && self.incomplete_in_a_row >= IN_A_ROW
            // The reason is a cause of its own.
            && end.deletions_refused.is_none();
        let found = |cause: &Cause| match cause {
            Cause::RunFailed => {
                end.outcome == Outcome::Failed
                    && !matches!(fault, Some(FaultKind::KeyRefused | FaultKind::DiskFull))
            }
            Cause::KeyRefused => fault == Some(FaultKind::KeyRefused),
            Cause::Incomplete => is_incomplete,
            Cause::DeletionLimit => end.deletions_refused.is_some(),
            Cause::Drift => end.drift.is_some(),
            Cause::DiskNearlyFull => is_disk_full,
            Cause::Recovered => false,
        };
        Cause::ALL.into_iter().filter(found).collect()
    }
}

#[cfg(test)]
#[path = "causes_tests.rs"]
mod tests;
