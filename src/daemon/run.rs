//! The loop: asks the plan, starts its runs, waits for whatever comes first.

use super::plan::{Decision, Ended, Kind, Plan, Schedules, SkipReason};
use jiff::Timestamp;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// The shortest wait: timers are no finer.
const TICK: Duration = Duration::from_millis(1);

/// What the schedule runs.
pub trait Work: Send + Sync + 'static {
    /// One run, from taking the mirror's lock to giving it back. Once `stop` is cancelled it ends soon, after what
    /// is being committed. At most one is called at a time.
    fn run(self: Arc<Self>, kind: Kind, stop: CancellationToken) -> impl Future<Output = Ended> + Send;
}

/// Something that happened to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// The loop went round once more. Comes at least every [`Pace::beat`], and only from the loop itself.
    Alive,
    /// A run starts.
    Started(Kind),
    /// It has ended.
    Ended(Kind, Ended),
    /// A due run doesn't take place.
    Skipped(Kind, SkipReason),
    /// What is going now, and the next time at which a run is to begin. Comes when either has changed.
    Waiting {
        /// The run that is going.
        going: Option<Kind>,
        /// What begins next; none: nothing ever does.
        next: Option<(Kind, Timestamp)>,
    },
    /// Other schedules are in force.
    Reloaded,
    /// No further run starts; the one that is going was told to stop.
    Stopping,
    /// The run that was going did not stop in time, and was left behind. What it committed stays.
    Abandoned(Kind),
}

/// Hears what happens. Called from the loop: it is late by as long as this takes.
pub trait Watcher: Send + Sync {
    /// Takes one happening, which was at `now`.
    fn watch(&self, happening: Happening, now: Timestamp);
}

/// How often and how long.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The loop goes round at least this often.
    pub beat: Duration,
    /// How long a run that was told to stop may take for it.
    pub grace: Duration,
}

/// How the loop is told things.
#[derive(Debug)]
pub struct Control {
    /// Cancelled: the loop ends, after telling the run that is going to stop.
    pub stop: CancellationToken,
    /// Schedules that replace those in force.
    pub reload: mpsc::Receiver<Schedules>,
}

/// Runs the plan until it is told to stop. `clock` tells the time of day, which may jump; waits are bounded by
/// [`Pace::beat`], so a jump is noticed that soon.
pub async fn run<W: Work>(
    plan: Plan,
    work: Arc<W>,
    watcher: &dyn Watcher,
    clock: impl Fn() -> Timestamp,
    pace: Pace,
    mut control: Control,
) {
    let mut driver = Driver { plan, work, watcher, clock, going: JoinSet::new(), told: None };
    while !control.stop.is_cancelled() {
        driver.tell(Happening::Alive);
        driver.decide(&control.stop);
        let nap = driver.nap(pace.beat);
        tokio::select! {
            // A run that ends because of the stop is heard of after it.
            biased;
            () = control.stop.cancelled() => {}
            Some(ended) = driver.going.join_next() => driver.ended(ended.unwrap_or(Ended::Broken)),
            Some(schedules) = control.reload.recv() => driver.reload(schedules),
            () = sleep(nap) => {}
        }
    }
    driver.tell(Happening::Stopping);
    driver.finish(pace.grace).await;
}

struct Driver<'w, W, C> {
    plan: Plan,
    work: Arc<W>,
    watcher: &'w dyn Watcher,
    clock: C,
    /// One run at most.
    going: JoinSet<Ended>,
    /// The last [`Happening::Waiting`].
    told: Option<Happening>,
}

impl<W: Work, C: Fn() -> Timestamp> Driver<'_, W, C> {
    fn tell(&self, happening: Happening) {
        self.watcher.watch(happening, (self.clock)());
    }

    fn decide(&mut self, stop: &CancellationToken) {
        for decision in self.plan.decide((self.clock)()) {
            match decision {
                Decision::Start(kind) => {
                    self.tell(Happening::Started(kind));
                    let (work, stop) = (self.work.clone(), stop.child_token());
                    self.going.spawn(async move { work.run(kind, stop).await });
                }
                Decision::Skip(kind, why) => self.tell(Happening::Skipped(kind, why)),
            }
        }
        let waiting = Happening::Waiting { going: self.plan.going(), next: self.plan.next() };
        if self.told != Some(waiting) {
            self.tell(waiting);
            self.told = Some(waiting);
        }
    }

    fn nap(&self, longest: Duration) -> Duration {
        let left = |at: Timestamp| Duration::try_from(at.duration_since((self.clock)())).unwrap_or_default();
        self.plan.wake_at().map_or(longest, left).clamp(TICK, longest.max(TICK))
    }

    fn ended(&mut self, ended: Ended) {
        let Some(kind) = self.plan.going() else { return };
        let skip = self.plan.ended(ended, (self.clock)());
        self.told = None;
        self.tell(Happening::Ended(kind, ended));
        if let Some(Decision::Skip(kind, why)) = skip {
            self.tell(Happening::Skipped(kind, why));
        }
    }

    fn reload(&mut self, schedules: Schedules) {
        self.plan.reload(schedules, (self.clock)());
        self.told = None;
        self.tell(Happening::Reloaded);
    }

    async fn finish(mut self, grace: Duration) {
        let Some(kind) = self.plan.going() else { return };
        match timeout(grace, self.going.join_next()).await {
            Ok(ended) => self.ended(ended.and_then(Result::ok).unwrap_or(Ended::Broken)),
            Err(_) => {
                self.going.detach_all();
                self.tell(Happening::Abandoned(kind));
            }
        }
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
