//! The loop: asks the plan what to do, starts runs, and waits for the next thing to happen.

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

/// Runs what the schedule says.
pub trait Work: Send + Sync + 'static {
    /// Does one run, from taking the mirror's lock to releasing it. Once `stop` is cancelled, it ends as soon as the
    /// current commit is done. At most one run is under way at a time.
    fn run(self: Arc<Self>, kind: Kind, stop: CancellationToken) -> impl Future<Output = Ended> + Send;
}

/// Something that happened to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// The loop has begun another round. Reported at least every [`Pace::beat`], and by the loop alone.
    Alive,
    /// A run starts.
    Started(Kind),
    /// It has ended.
    Ended(Kind, Ended),
    /// A due run was skipped.
    Skipped(Kind, SkipReason),
    /// What is under way now, and what begins next. Reported when either has changed.
    Waiting {
        /// The run that is under way, and since when.
        going: Option<(Kind, Timestamp)>,
        /// The next run and when it is to begin; `None`: there is none.
        next: Option<(Kind, Timestamp)>,
    },
    /// Other schedules are in force.
    Reloaded,
    /// No further run starts; the one that is under way was told to stop.
    Stopping,
    /// The run did not stop in time, and is no longer waited for. What it has committed stays.
    Abandoned(Kind),
}

/// Gets the reports. It is called from the loop, which is delayed by as long as the call takes.
pub trait Watcher: Send + Sync {
    /// Takes the report of something that happened at `now`.
    fn watch(&self, happening: Happening, now: Timestamp);
}

/// The loop's intervals.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// The loop begins a round at least this often.
    pub beat: Duration,
    /// How long a run may take to stop after it was told to.
    pub grace: Duration,
}

/// How the loop is controlled from outside.
#[derive(Debug)]
pub struct Control {
    /// When this is cancelled, the run that is under way is told to stop, and the loop ends.
    pub stop: CancellationToken,
    /// Schedules that replace the current ones.
    pub reload: mpsc::Receiver<Schedules>,
    /// Word that there are hints of webhooks: when a run is to follow them.
    pub hints: mpsc::Receiver<Timestamp>,
}

/// Runs the plan until it is told to stop. `clock` gives the time of day, which may jump: no wait is longer than
/// [`Pace::beat`], so that a jump is noticed within that time.
pub async fn run<W: Work>(
    plan: Plan,
    work: Arc<W>,
    watcher: &dyn Watcher,
    clock: impl Fn() -> Timestamp,
    pace: Pace,
    mut control: Control,
) {
    let mut driver = Driver { plan, work, watcher, clock, going: JoinSet::new(), since: None, told: None };
    while !control.stop.is_cancelled() {
        driver.tell(Happening::Alive);
        driver.decide(&control.stop);
        let nap = driver.nap(pace.beat);
        tokio::select! {
            // The stop comes first, so that a run that ends because of it is reported after it.
            biased;
            () = control.stop.cancelled() => {}
            Some(ended) = driver.going.join_next() => driver.ended(ended.unwrap_or(Ended::Broken)),
            Some(schedules) = control.reload.recv() => driver.reload(schedules),
            Some(due) = control.hints.recv() => driver.plan.hint(due),
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
    /// When it began.
    since: Option<Timestamp>,
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
                    self.since = Some((self.clock)());
                    self.tell(Happening::Started(kind));
                    let (work, stop) = (self.work.clone(), stop.child_token());
                    self.going.spawn(async move { work.run(kind, stop).await });
                }
                Decision::Skip(kind, why) => self.tell(Happening::Skipped(kind, why)),
            }
        }
        let waiting = Happening::Waiting { going: self.plan.going().zip(self.since), next: self.plan.next() };
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
