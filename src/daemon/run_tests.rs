use super::super::missed::{History, Past};
use super::*;
use crate::mirror::Outcome;
use crate::schedule::Schedule;
use jiff::tz::TimeZone;
use std::sync::Mutex;
use tokio::time::Instant;

const OK: Ended = Ended::Run(Outcome::Ok);

/// What runs do, with the paused clock's time: each takes that long, the ones after the last as long as the last.
struct Scripted {
    seconds: Mutex<Vec<u64>>,
    ended: Ended,
    /// Whether runs end when they are told to.
    listens: bool,
}

impl Work for Scripted {
    async fn run(self: Arc<Self>, _kind: Kind, stop: CancellationToken) -> Ended {
        let seconds = {
            let mut seconds = self.seconds.lock().unwrap();
            if seconds.len() > 1 { seconds.remove(0) } else { seconds[0] }
        };
        let work = sleep(Duration::from_secs(seconds));
        if !self.listens {
            work.await;
            return self.ended;
        }
        tokio::select! {
            () = work => self.ended,
            () = stop.cancelled() => Ended::Run(Outcome::Interrupted),
        }
    }
}

/// What was told, with the seconds since the start.
#[derive(Default)]
struct Diary(Mutex<Vec<(i64, Happening)>>);

impl Watcher for Diary {
    fn watch(&self, happening: Happening, now: Timestamp) {
        self.0.lock().unwrap().push((now.as_second(), happening));
    }
}

impl Diary {
    /// All but the rounds and the outlook.
    fn told(&self) -> Vec<(i64, Happening)> {
        let is_quiet =
            |happening: &Happening| matches!(happening, Happening::Alive | Happening::Waiting { .. });
        self.0.lock().unwrap().iter().filter(|(_, happening)| !is_quiet(happening)).copied().collect()
    }
}

fn every(seconds: u32) -> Schedules {
    let sync = Schedule::parse(&format!("*/{seconds} * * * * *"), TimeZone::UTC).unwrap();
    Schedules { sync: Some(sync), full: None, jitter: Duration::ZERO }
}

/// A loop under the paused clock, which began at second 0.
struct Bench {
    diary: Arc<Diary>,
    stop: CancellationToken,
    reload: mpsc::Sender<Schedules>,
    task: tokio::task::JoinHandle<()>,
}

fn start(schedules: Schedules, seconds: &[u64], ended: Ended, listens: bool) -> Bench {
    let (begin, epoch) = (Instant::now(), Timestamp::UNIX_EPOCH);
    let clock = move || epoch + jiff::SignedDuration::try_from(begin.elapsed()).unwrap();
    let past = Some(Past { started_at: epoch, complete: true });
    let history = History { first: Some(epoch), sync: past, full: past };
    let plan = Plan::new(schedules, &history, epoch, fastrand::Rng::with_seed(1));
    let work = Arc::new(Scripted { seconds: Mutex::new(seconds.to_vec()), ended, listens });
    let (diary, stop) = (Arc::new(Diary::default()), CancellationToken::new());
    let (reload, schedules) = mpsc::channel(1);
    let pace = Pace { beat: Duration::from_secs(3), grace: Duration::from_secs(4) };
    let control = Control { stop: stop.clone(), reload: schedules, hints: mpsc::channel(1).1 };
    let watcher = diary.clone();
    let task = tokio::spawn(async move { run(plan, work, watcher.as_ref(), clock, pace, control).await });
    Bench { diary, stop, reload, task }
}

use Happening::{Abandoned, Ended as RunEnded, Reloaded, Skipped, Started, Stopping};
use Kind::Sync;
use SkipReason::Going;

#[tokio::test(start_paused = true)]
async fn runs_at_the_due_times_and_one_at_a_time() {
    let bench = start(every(10), &[1, 12, 1], OK, true);
    sleep(Duration::from_millis(45_500)).await;
    bench.stop.cancel();
    bench.task.await.unwrap();
    let expected = [
        (10, Started(Sync)),
        (11, RunEnded(Sync, OK)),
        (20, Started(Sync)),
        (30, Skipped(Sync, Going)),
        (32, RunEnded(Sync, OK)),
        (40, Started(Sync)),
        (41, RunEnded(Sync, OK)),
        (45, Stopping),
    ];
    assert_eq!(bench.diary.told(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_run_that_is_going() {
    let bench = start(every(10), &[3600], OK, true);
    sleep(Duration::from_secs(15)).await;
    bench.stop.cancel();
    bench.task.await.unwrap();
    let ended = RunEnded(Sync, Ended::Run(Outcome::Interrupted));
    assert_eq!(bench.diary.told(), [(10, Started(Sync)), (15, Stopping), (15, ended)]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_does_not_stop_is_left_behind_after_the_grace() {
    let bench = start(every(10), &[3600], OK, false);
    sleep(Duration::from_secs(15)).await;
    bench.stop.cancel();
    bench.task.await.unwrap();
    assert_eq!(bench.diary.told(), [(10, Started(Sync)), (15, Stopping), (19, Abandoned(Sync))]);
}

#[tokio::test(start_paused = true)]
async fn the_loop_goes_round_at_the_beat_whatever_the_run_does() {
    let bench = start(every(30), &[3600], OK, true);
    sleep(Duration::from_secs(100)).await;
    bench.stop.cancel();
    bench.task.await.unwrap();
    let beats: Vec<i64> = {
        let diary = bench.diary.0.lock().unwrap();
        diary.iter().filter(|(_, happening)| *happening == Happening::Alive).map(|(at, _)| *at).collect()
    };
    assert!(beats.windows(2).all(|pair| pair[1] - pair[0] <= 3), "{beats:?}");
    assert!(beats.last().is_some_and(|last| *last >= 97), "{beats:?}");
}

#[tokio::test(start_paused = true)]
async fn other_schedules_are_taken_while_it_waits() {
    let bench = start(every(30), &[0], OK, true);
    sleep(Duration::from_secs(12)).await;
    bench.reload.send(every(20)).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    bench.stop.cancel();
    bench.task.await.unwrap();
    let expected = [(12, Reloaded), (20, Started(Sync)), (20, RunEnded(Sync, OK)), (22, Stopping)];
    assert_eq!(bench.diary.told(), expected);
}

/// Work whose runs crash.
struct Crashing;

impl Work for Crashing {
    async fn run(self: Arc<Self>, _kind: Kind, _stop: CancellationToken) -> Ended {
        panic!("a fault of the program");
    }
}

#[tokio::test(start_paused = true)]
async fn a_crashed_run_is_a_failed_one() {
    let begin = Instant::now();
    let clock = move || Timestamp::UNIX_EPOCH + jiff::SignedDuration::try_from(begin.elapsed()).unwrap();
    let plan = Plan::new(every(10), &History::default(), clock(), fastrand::Rng::with_seed(1));
    let (stop, diary) = (CancellationToken::new(), Diary::default());
    let (_reload, schedules) = mpsc::channel(1);
    let control = Control { stop: stop.clone(), reload: schedules, hints: mpsc::channel(1).1 };
    let pace = Pace { beat: Duration::from_secs(3), grace: Duration::ZERO };
    let ending = async {
        sleep(Duration::from_secs(11)).await;
        stop.cancel();
    };
    tokio::join!(run(plan, Arc::new(Crashing), &diary, clock, pace, control), ending);
    let broken = RunEnded(Sync, Ended::Broken);
    let expected = [(0, Started(Sync)), (0, broken), (10, Started(Sync)), (10, broken), (11, Stopping)];
    assert_eq!(diary.told(), expected);
}

/// Blocks in the tenth round until the test ends.
struct Blocking(std::sync::mpsc::Sender<()>, Mutex<std::sync::mpsc::Receiver<()>>, Mutex<u32>);

impl Watcher for Blocking {
    fn watch(&self, happening: Happening, _now: Timestamp) {
        if happening != Happening::Alive {
            return;
        }
        let round = {
            let mut round = self.2.lock().unwrap();
            *round += 1;
            *round
        };
        if round == 10 {
            // Ends with the test's end of the channel.
            let _ = self.1.lock().unwrap().recv();
        }
        let _ = self.0.send(());
    }
}

#[test]
fn a_stuck_loop_is_no_longer_alive() {
    let (alive, rounds) = std::sync::mpsc::channel();
    let (free, held) = std::sync::mpsc::channel();
    let watcher = Blocking(alive, Mutex::new(held), Mutex::new(0));
    let stop = CancellationToken::new();
    let (_reload, schedules) = mpsc::channel(1);
    let control = Control { stop: stop.clone(), reload: schedules, hints: mpsc::channel(1).1 };
    let thread = std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let plan =
            Plan::new(every(10), &History::default(), Timestamp::UNIX_EPOCH, fastrand::Rng::with_seed(1));
        let pace = Pace { beat: Duration::from_secs(3), grace: Duration::ZERO };
        let clock = || Timestamp::UNIX_EPOCH;
        runtime.block_on(run(plan, Arc::new(Crashing), &watcher, clock, pace, control));
    });
    for _ in 0..9 {
        rounds.recv().unwrap();
    }
    // Nothing else stands in for the loop while it is stuck.
    assert_eq!(rounds.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty));
    stop.cancel();
    drop(free);
    thread.join().unwrap();
}
