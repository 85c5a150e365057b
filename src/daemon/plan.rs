//! The scheduler's decisions, without a clock of its own: time and randomness come in as arguments.
//!
//! - One run at a time. A run that falls due during another one is skipped and counted, except that a full run waits
//!   for an incremental one to end. When both fall due at once, the full one runs, because it does what the other one
//!   would.
//! - If runs were missed while no daemon was running, one run makes up for them at the start.
//! - A failed run is repeated after a wait that doubles with each failure, unless its next due time comes first.
//! - A run that follows the hints of webhooks begins when they say, or after the run that is under way. It stands back behind
//!   the others, and they wait for its end.
//! - While another process holds the mirror, an incremental run is skipped and a full one waits.

use super::missed::{History, missed};
use crate::mirror::Outcome;
use crate::schedule::Schedule;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The wait after the first failure; it doubles with each further one.
const RETRY_BASE: Duration = Duration::from_secs(30);

/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(30 * 60);

/// A full run that waits for the mirror tries again this often.
const HELD_RETRY: Duration = Duration::from_secs(15);

/// If the clock is set back by more than this, due times are computed anew: the old ones might be days ahead.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(60);

/// What the schedule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An incremental sync, by `schedule.sync`.
    Sync,
    /// A full sync, by `schedule.full`.
    Full,
    /// A sync of the customers that webhooks have hinted at, soon after the hint.
    Hinted,
}

impl Kind {
    /// The mode's name, as in the mirror and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Sync => "incremental",
            Kind::Full => "full",
            Kind::Hinted => "hinted",
        }
    }
}

/// When each kind of run is due.
#[derive(Debug, Clone, Default)]
pub struct Schedules {
    /// Incremental syncs; none: never.
    pub sync: Option<Schedule>,
    /// Full syncs; none: never.
    pub full: Option<Schedule>,
    /// Each due time is delayed by a random part of this, but never as far as the next one. Zero: no delay.
    pub jitter: Duration,
}

/// How a run ended, as far as it matters to the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was recorded in the mirror, with this outcome.
    Run(Outcome),
    /// Another process held the mirror: there was no run.
    Held,
    /// It failed before it could be recorded.
    Broken,
}

/// Why a due run was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// Another run of the schedule was under way.
    Going,
    /// Another process held the mirror.
    Held,
}

impl SkipReason {
    /// A short name, for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            SkipReason::Going => "run_going",
            SkipReason::Held => "mirror_held",
        }
    }
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Start this run.
    Start(Kind),
    /// Skip this due run. Its next due time stays as it is.
    Skip(Kind, SkipReason),
}

/// What is due when. Its caller calls [`Plan::decide`] at the time of [`Plan::wake_at`], starts the run that this
/// returns, and reports the end of each run with [`Plan::ended`].
#[derive(Debug)]
pub struct Plan {
    /// By [`Kind`].
    tracks: [Track; 3],
    jitter: Duration,
    going: Option<Kind>,
    /// The time of the last decision.
    seen: Timestamp,
    random: fastrand::Rng,
}

#[derive(Debug, Default)]
struct Track {
    schedule: Option<Schedule>,
    /// The next due time, including its random delay.
    due: Option<Timestamp>,
    /// When to begin a run that is not at its due time: one that was missed, failed, or had to wait.
    again: Option<Timestamp>,
    failures: u32,
}

impl Track {
    fn is_waiting(&self, now: Timestamp) -> bool {
        self.again.is_some_and(|again| again <= now)
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.due.is_some_and(|due| due <= now)
    }

    fn plan(&mut self, jitter: Duration, now: Timestamp, random: &mut fastrand::Rng) {
        self.due = self.schedule.as_ref().and_then(|schedule| due_after(schedule, jitter, now, random));
    }

    fn done(&mut self) {
        self.failures = 0;
        self.again = None;
    }

    /// Plans the next attempt of a run that has no schedule.
    fn repeat(&mut self, now: Timestamp, random: &mut fastrand::Rng) {
        self.failures = self.failures.saturating_add(1);
        self.again = Some(later(now, backoff(self.failures, random)));
    }

    /// Plans the next attempt, unless the next due time comes first.
    fn failed(&mut self, now: Timestamp, random: &mut fastrand::Rng) {
        self.repeat(now, random);
        let comes_first = |again: &Timestamp| self.due.is_none_or(|due| *again < due);
        self.again = self.again.filter(|again| self.schedule.is_some() && comes_first(again));
    }
}

impl Plan {
    /// A plan that begins at `now`, with the runs that `history` shows to have been missed.
    pub fn new(schedules: Schedules, history: &History, now: Timestamp, random: fastrand::Rng) -> Plan {
        let track = |schedule: Option<Schedule>, newest| {
            let again = schedule
                .as_ref()
                .filter(|schedule| missed(schedule, newest, history.first, now))
                .map(|_| now);
            Track { schedule, again, ..Track::default() }
        };
        let mut plan = Plan {
            tracks: [
                track(schedules.sync, history.newest_sync()),
                track(schedules.full, history.full),
                Track::default(),
            ],
            jitter: schedules.jitter,
            going: None,
            seen: now,
            random,
        };
        plan.plan_anew(now);
        plan
    }

    /// Takes word of new hints: a run is to look at their customers at `due`. Where one is planned already, that stays: it
    /// will look at these, too.
    pub fn hint(&mut self, due: Timestamp) {
        self.tracks[Kind::Hinted as usize].again.get_or_insert(due);
    }

    /// What to do at `now`: at most one start, which is taken to happen. Due times up to `now` are used up.
    pub fn decide(&mut self, now: Timestamp) -> Vec<Decision> {
        if now.duration_since(self.seen) < -CLOCK_SLACK {
            self.plan_anew(now);
        }
        self.seen = now;
        let mut decisions = Vec::new();
        let [sync, full, hinted] = &mut self.tracks;
        if full.is_due(now) {
            full.plan(self.jitter, now, &mut self.random);
            match self.going {
                // If it waited, a full run that takes longer than its schedule allows would be followed by another one
                // at once, for ever.
                Some(Kind::Full) => decisions.push(Decision::Skip(Kind::Full, SkipReason::Going)),
                _ => full.again = Some(now),
            }
        }
        let sync_due = sync.is_due(now);
        if sync_due {
            sync.plan(self.jitter, now, &mut self.random);
        }
        let start = match self.going {
            Some(_) => None,
            None if full.is_waiting(now) => Some(Kind::Full),
            None if sync_due || sync.is_waiting(now) => Some(Kind::Sync),
            None if hinted.is_waiting(now) => Some(Kind::Hinted),
            None => None,
        };
        if sync_due && self.going == Some(Kind::Hinted) {
            // Such runs are short and come often: the schedule doesn't suffer from them.
            sync.again = Some(now);
        } else if sync_due && start != Some(Kind::Sync) {
            decisions.push(Decision::Skip(Kind::Sync, SkipReason::Going));
        }
        if let Some(kind) = start {
            self.tracks[kind as usize].again = None;
            self.going = Some(kind);
            decisions.push(Decision::Start(kind));
        }
        decisions
    }

    /// Takes the end of the run that was under way. Returns a skip if that run could not take place.
    pub fn ended(&mut self, ended: Ended, now: Timestamp) -> Option<Decision> {
        let kind = self.going.take()?;
        let [sync, full, hinted] = &mut self.tracks;
        match (ended, kind) {
            (Ended::Run(Outcome::Ok), Kind::Hinted) => hinted.failures = 0,
            // What it left is looked at soon again, by whatever run comes first.
            (
                Ended::Run(Outcome::Incomplete | Outcome::Failed | Outcome::Running) | Ended::Broken,
                Kind::Hinted,
            ) => hinted.repeat(now, &mut self.random),
            (Ended::Held, Kind::Hinted) => hinted.again = Some(later(now, HELD_RETRY)),
            (Ended::Run(Outcome::Ok | Outcome::Incomplete), Kind::Sync) => sync.done(),
            (Ended::Run(Outcome::Ok | Outcome::Incomplete), Kind::Full) => {
                sync.done();
                full.done();
            }
            (Ended::Held, Kind::Sync) => return Some(Decision::Skip(kind, SkipReason::Held)),
            (Ended::Held, Kind::Full) => full.again = Some(later(now, HELD_RETRY)),
            // Somebody stopped it, and decides what comes next.
            (Ended::Run(Outcome::Interrupted), _) => {}
            (Ended::Run(Outcome::Failed | Outcome::Running) | Ended::Broken, _) => {
                self.tracks[kind as usize].failed(now, &mut self.random);
            }
        }
        None
    }

    /// Replaces the schedules. The next due time of an unchanged schedule stays as it is, and a run that waits for its
    /// turn goes on waiting.
    pub fn reload(&mut self, schedules: Schedules, now: Timestamp) {
        let same_jitter = self.jitter == schedules.jitter;
        self.jitter = schedules.jitter;
        for (track, schedule) in self.tracks.iter_mut().zip([schedules.sync, schedules.full]) {
            if same_jitter && track.schedule == schedule {
                continue;
            }
            if schedule.is_none() {
                track.done();
            }
            track.schedule = schedule;
            track.plan(self.jitter, now, &mut self.random);
        }
    }

    /// When to decide again, if no run ends before; `None`: nothing is ever due.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let again = |track: &Track| track.again.filter(|_| self.going.is_none());
        self.tracks.iter().flat_map(|track| [track.due, again(track)]).flatten().min()
    }

    /// The run that is under way.
    pub fn going(&self) -> Option<Kind> {
        self.going
    }

    /// The next time at which a run is to begin, further attempts included.
    pub fn next(&self) -> Option<(Kind, Timestamp)> {
        let times = |kind: Kind| {
            let Track { due, again, .. } = &self.tracks[kind as usize];
            [*due, *again].into_iter().flatten().map(move |at| (kind, at))
        };
        times(Kind::Full).chain(times(Kind::Sync)).min_by_key(|&(_, at)| at)
    }

    fn plan_anew(&mut self, now: Timestamp) {
        self.tracks.iter_mut().for_each(|track| track.plan(self.jitter, now, &mut self.random));
    }
}

/// The first time after `now` at which the schedule fires, delayed by a random part of `jitter`, but not as far as the
/// time after it.
fn due_after(
    schedule: &Schedule,
    jitter: Duration,
    now: Timestamp,
    random: &mut fastrand::Rng,
) -> Option<Timestamp> {
    let fires = schedule.next_after(now)?;
    let gap = schedule.next_after(fires).and_then(|next| Duration::try_from(next.duration_since(fires)).ok());
    let most = jitter.min(gap.unwrap_or(jitter)).as_millis().try_into().unwrap_or(u64::MAX);
    Some(if most == 0 { fires } else { later(fires, Duration::from_millis(random.u64(0..most))) })
}

/// The wait after that many failures: at least half of its bound, so that no failure is followed by an attempt at once.
fn backoff(failures: u32, random: &mut fastrand::Rng) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let bound = RETRY_BASE.saturating_mul(1 << doublings).min(RETRY_MAX);
    bound.mul_f64(0.5 + random.f64() / 2.0)
}

/// `at` plus `by`; the latest time that there is, where the sum lies beyond it.
fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
