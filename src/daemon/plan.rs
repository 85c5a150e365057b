//! The scheduler's decisions, without a clock of its own: time and randomness come in as arguments.
//!
//! - One run at a time. A due run that finds one going is skipped and counted; but a due full run that finds an
//!   incremental one going waits for its turn. When both are due at once, the full one runs: it brings what the
//!   other would.
//! - A run that was missed while nobody ran the schedule is caught up once, at the start.
//! - A failed run is tried again after a wait that doubles, unless its next due time comes first.
//! - When another process holds the mirror, an incremental run is skipped, a full one waits.

use super::missed::{History, missed};
use crate::mirror::Outcome;
use crate::schedule::Schedule;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// The wait after the first failure; it doubles with each further one.
const RETRY_BASE: Duration = Duration::from_secs(30);

/// The longest wait after a failure.
const RETRY_MAX: Duration = Duration::from_secs(30 * 60);

/// A full run looks this often whether the mirror is free again.
const HELD_RETRY: Duration = Duration::from_secs(15);

/// A clock that is put back further than this gets new due times: the old ones might be days ahead.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_secs(60);

/// What the schedule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An incremental sync, by `schedule.sync`.
    Sync,
    /// A full sync, by `schedule.full`.
    Full,
}

impl Kind {
    /// The mode's name, as in the mirror and in logs.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Sync => "incremental",
            Kind::Full => "full",
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
    /// Each due time is put off by a random part of this, but never as far as the next one. Zero: by nothing.
    pub jitter: Duration,
}

/// How a run ended, as far as the plan is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was recorded in the mirror, with this outcome.
    Run(Outcome),
    /// Another process held the mirror: there was no run.
    Held,
    /// It failed before it could be recorded.
    Broken,
}

/// Why a due run is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SkipReason {
    /// Another run of the schedule is going.
    Going,
    /// Another process holds the mirror.
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

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Start this run.
    Start(Kind),
    /// This due run doesn't take place; its next due time stands.
    Skip(Kind, SkipReason),
}

/// What is due when. The one who drives it asks [`Plan::decide`] at [`Plan::wake_at`], starts what it says, and
/// tells it each run's end.
#[derive(Debug)]
pub struct Plan {
    sync: Track,
    full: Track,
    jitter: Duration,
    going: Option<Kind>,
    /// The latest time that was heard of.
    seen: Timestamp,
    random: fastrand::Rng,
}

#[derive(Debug, Default)]
struct Track {
    schedule: Option<Schedule>,
    /// The next due time, put off by its jitter.
    due: Option<Timestamp>,
    /// A further attempt, or a turn that is waited for. Comes beside the due times.
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

    /// The next attempt, unless the next due time comes first anyhow.
    fn failed(&mut self, now: Timestamp, random: &mut fastrand::Rng) {
        self.failures = self.failures.saturating_add(1);
        let again = later(now, backoff(self.failures, random));
        let wanted = self.schedule.is_some() && self.due.is_none_or(|due| again < due);
        self.again = wanted.then_some(again);
    }
}

impl Plan {
    /// A plan that begins at `now` with what was missed since `history`.
    pub fn new(schedules: Schedules, history: &History, now: Timestamp, random: fastrand::Rng) -> Plan {
        let track = |schedule: Option<Schedule>, newest| {
            let again = schedule
                .as_ref()
                .filter(|schedule| missed(schedule, newest, history.first, now))
                .map(|_| now);
            Track { schedule, again, ..Track::default() }
        };
        let mut plan = Plan {
            sync: track(schedules.sync, history.newest_sync()),
            full: track(schedules.full, history.full),
            jitter: schedules.jitter,
            going: None,
            seen: now,
            random,
        };
        plan.plan_anew(now);
        plan
    }

    /// What is to be done at `now`: at most one start, which is taken to happen. Due times up to `now` are used up.
    pub fn decide(&mut self, now: Timestamp) -> Vec<Decision> {
        if now.duration_since(self.seen) < -CLOCK_SLACK {
            self.plan_anew(now);
        }
        self.seen = now;
        let mut decisions = Vec::new();
        if self.full.is_due(now) {
            self.full.plan(self.jitter, now, &mut self.random);
            match self.going {
                // It would begin again as soon as it ends, for ever, if it takes longer than its schedule allows.
                Some(Kind::Full) => decisions.push(Decision::Skip(Kind::Full, SkipReason::Going)),
                _ => self.full.again = Some(now),
            }
        }
        let sync_due = self.sync.is_due(now);
        if sync_due {
            self.sync.plan(self.jitter, now, &mut self.random);
        }
        let start = match self.going {
            Some(_) => None,
            None if self.full.is_waiting(now) => Some(Kind::Full),
            None if sync_due || self.sync.is_waiting(now) => Some(Kind::Sync),
            None => None,
        };
        if sync_due && start != Some(Kind::Sync) {
            decisions.push(Decision::Skip(Kind::Sync, SkipReason::Going));
        }
        if let Some(kind) = start {
            self.track(kind).again = None;
            self.going = Some(kind);
            decisions.push(Decision::Start(kind));
        }
        decisions
    }

    /// Takes the end of the run that is going.
    pub fn ended(&mut self, ended: Ended, now: Timestamp) -> Option<Decision> {
        let kind = self.going.take()?;
        let track = match kind {
            Kind::Sync => &mut self.sync,
            Kind::Full => &mut self.full,
        };
        match (ended, kind) {
            (Ended::Run(Outcome::Ok | Outcome::Incomplete), _) => {
                track.done();
                if kind == Kind::Full {
                    self.sync.done();
                }
            }
            (Ended::Held, Kind::Sync) => return Some(Decision::Skip(kind, SkipReason::Held)),
            (Ended::Held, Kind::Full) => track.again = Some(later(now, HELD_RETRY)),
            // Stopped on demand; whoever stopped it knows what comes next.
            (Ended::Run(Outcome::Interrupted), _) => {}
            (Ended::Run(Outcome::Failed | Outcome::Running) | Ended::Broken, _) => {
                track.failed(now, &mut self.random)
            }
        }
        None
    }

    /// Takes other schedules. Where one is as it was, its next due time stands; what waits for its turn goes on to wait.
    pub fn reload(&mut self, schedules: Schedules, now: Timestamp) {
        let same_jitter = self.jitter == schedules.jitter;
        self.jitter = schedules.jitter;
        for (track, schedule) in [(&mut self.sync, schedules.sync), (&mut self.full, schedules.full)] {
            if same_jitter && same(&track.schedule, &schedule) {
                continue;
            }
            if schedule.is_none() {
                track.done();
            }
            track.schedule = schedule;
            track.plan(self.jitter, now, &mut self.random);
        }
    }

    /// When to ask again, if no run ends before; none: nothing is ever due.
    pub fn wake_at(&self) -> Option<Timestamp> {
        let waiting =
            [self.sync.again, self.full.again].into_iter().flatten().filter(|_| self.going.is_none());
        [self.sync.due, self.full.due].into_iter().flatten().chain(waiting).min()
    }

    /// The run that is going.
    pub fn going(&self) -> Option<Kind> {
        self.going
    }

    /// The next time at which a run is to begin, further attempts included.
    pub fn next(&self) -> Option<(Kind, Timestamp)> {
        let times =
            |kind, track: &Track| [track.due, track.again].into_iter().flatten().map(move |at| (kind, at));
        times(Kind::Full, &self.full).chain(times(Kind::Sync, &self.sync)).min_by_key(|&(_, at)| at)
    }

    fn track(&mut self, kind: Kind) -> &mut Track {
        match kind {
            Kind::Sync => &mut self.sync,
            Kind::Full => &mut self.full,
        }
    }

    fn plan_anew(&mut self, now: Timestamp) {
        self.sync.plan(self.jitter, now, &mut self.random);
        self.full.plan(self.jitter, now, &mut self.random);
    }
}

fn same(one: &Option<Schedule>, other: &Option<Schedule>) -> bool {
    let parts = |schedule: &Option<Schedule>| {
        schedule.as_ref().map(|schedule| (schedule.expression().to_owned(), schedule.zone().clone()))
    };
    parts(one) == parts(other)
}

/// The first time after `now` at which the schedule fires, put off by a random part of `jitter`, but not as far as
/// the time after it.
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

/// Half of the bound at least: a failure is not answered with an attempt at once.
fn backoff(failures: u32, random: &mut fastrand::Rng) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let bound = RETRY_BASE.saturating_mul(1 << doublings).min(RETRY_MAX);
    bound.mul_f64(0.5 + random.f64() / 2.0)
}

/// At the end of the calendar, the end of the calendar.
fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
