//! The one thread that writes the mirror.
//!
//! Jobs are applied in the order in which they were submitted, many in one transaction. Whoever submitted a job gets its
//! result as soon as the job is applied: everything later in the run sees its effect, and nothing later can become durable
//! without it. A checkpoint is therefore never ahead of the rows that it stands for, and no page waits for the disk.

use super::SyncError;
use crate::mirror::{Batch, LEAST_TURN, Loaded, Mirror, MirrorError, RunId, Stamp, Turns};
use jiff::Timestamp;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

/// How many jobs may wait for the writer; whoever submits more waits.
const QUEUE: usize = 64;

/// A transaction is committed this long after its first job at the latest. A crash loses no more work than that.
const COMMIT_AFTER: Duration = Duration::from_millis(1_000);

/// A transaction is committed earlier after this many changes, because uncommitted changes take memory and make the log
/// longer that readers have to search.
const CHANGES_PER_COMMIT: u64 = 50_000;

/// A first load that takes longer ends early, and the run goes on as with any mirror: then it is the API that takes the
/// time, and readers wait for the mirror no longer than this.
const LOAD_AT_MOST: Duration = Duration::from_secs(600);

/// Works within the batch and reports the result to whoever submitted it; `Err` rolls the batch back.
type Write = Box<dyn FnOnce(&mut Batch<'_>) -> Result<(), ()> + Send>;

enum Job {
    Write(Write),
    /// Ends the first load, if one has begun.
    EndLoad(oneshot::Sender<Loaded>),
}

/// Sends work to the thread that owns the mirror. When all clones are gone the thread ends.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

/// The thread, which gives the mirror back when it ends.
pub(super) struct WriterThread(JoinHandle<Written>);

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the machine has no thread left.
    pub(super) fn start(mirror: Mirror, run: RunId, turns: Turns) -> std::io::Result<(Writer, WriterThread)> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let runtime = Handle::current();
        let thread = Builder::new()
            .name("mirror-writer".to_owned())
            .spawn(move || work(mirror, run, queue, &Loop { runtime, turns }))?;
        Ok((Writer { jobs }, WriterThread(thread)))
    }

    /// Runs `job` after all jobs that were submitted before it, and returns its result. The job is durable about a second
    /// later, or when the thread ends: see [`WriterThread::join`].
    pub(super) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Batch<'_>) -> Result<T, MirrorError> + Send + 'static,
    ) -> Result<T, SyncError> {
        let (tell, told) = oneshot::channel::<Result<T, SyncError>>();
        let job: Write = Box::new(move |batch| {
            let result = job(batch);
            let applied = result.as_ref().map(drop).map_err(drop);
            // If the caller no longer waits, it needs no answer.
            let _ = tell.send(result.map_err(SyncError::from));
            applied
        });
        self.jobs.send(Job::Write(job)).await.map_err(|_| SyncError::WriterStopped)?;
        told.await.unwrap_or(Err(SyncError::WriterStopped))
    }

    /// Ends the mirror's first load after all jobs that were submitted before; what they wrote is durable then. Returns what
    /// the end brought, also where it came before; nothing where there was no first load.
    pub(super) async fn end_load(&self) -> Result<Loaded, SyncError> {
        let (tell, told) = oneshot::channel();
        self.jobs.send(Job::EndLoad(tell)).await.map_err(|_| SyncError::WriterStopped)?;
        told.await.map_err(|_| SyncError::WriterStopped)
    }
}

/// What became of the mirror.
pub(super) struct Written {
    /// For what comes after the run.
    pub(super) mirror: Mirror,
    /// Whether the writer stopped early: what was applied after its last commit is rolled back.
    pub(super) is_cut_off: bool,
    /// Why it did, unless a job failed: that error went to whoever submitted the job.
    pub(super) error: Option<MirrorError>,
}

impl WriterThread {
    /// Waits for the thread's end; `None` if it panicked. All [`Writer`]s must be gone. Without an error, everything
    /// that was applied is durable when this returns.
    pub(super) async fn join(self) -> Option<Written> {
        tokio::task::spawn_blocking(move || self.0.join().ok()).await.ok().flatten()
    }
}

/// What the thread waits with.
struct Loop {
    runtime: Handle,
    turns: Turns,
}

fn work(mut mirror: Mirror, run: RunId, mut queue: mpsc::Receiver<Job>, waits: &Loop) -> Written {
    let error = serve(&mut mirror, run, &mut queue, waits).err();
    // The closed queue tells everybody who waits or comes later.
    Written { mirror, is_cut_off: error.is_some(), error: error.flatten() }
}

/// `Err` has the reason, unless a job failed: that error went to whoever submitted the job.
fn serve(
    mirror: &mut Mirror,
    run: RunId,
    queue: &mut mpsc::Receiver<Job>,
    waits: &Loop,
) -> Result<(), Option<MirrorError>> {
    let end_load_at = Instant::now() + LOAD_AT_MOST;
    let mut loaded = Loaded::default();
    let mut next = None;
    while let Some(job) = next.take().or_else(|| queue.blocking_recv()) {
        let asked = match job {
            Job::Write(first) => {
                next = batch(mirror, first, queue, waits)?;
                None
            }
            Job::EndLoad(tell) => Some(tell),
        };
        if mirror.is_loading() && (asked.is_some() || Instant::now() >= end_load_at) {
            loaded = mirror.end_load(Stamp { run, now: Timestamp::now() }).map_err(Some)?;
        }
        if let Some(tell) = asked {
            // If the caller no longer waits, it needs no answer.
            let _ = tell.send(std::mem::take(&mut loaded));
        }
    }
    Ok(())
}

/// Runs one transaction. Returns the job that it came to and that is none for a transaction.
fn batch(
    mirror: &mut Mirror,
    first: Write,
    queue: &mut mpsc::Receiver<Job>,
    waits: &Loop,
) -> Result<Option<Job>, Option<MirrorError>> {
    waits.runtime.block_on(waits.turns.passed());
    let began = Instant::now();
    let mut batch = mirror.batch().map_err(Some)?;
    let mut next = Some(Job::Write(first));
    while let Some(Job::Write(job)) = next {
        job(&mut batch).map_err(|()| None)?;
        next = if batch.changes() >= CHANGES_PER_COMMIT { None } else { receive(queue, began, waits) };
    }
    batch.commit().map_err(Some)?;
    Ok(next)
}

/// The next job of the transaction, which began at `began`; `None` when it is time to commit.
fn receive(queue: &mut mpsc::Receiver<Job>, began: Instant, waits: &Loop) -> Option<Job> {
    let (now, deadline, may_be_asked) = (Instant::now(), began + COMMIT_AFTER, began + LEAST_TURN);
    if now >= deadline || (now >= may_be_asked && waits.turns.is_asked_for()) {
        return None;
    }
    if let Ok(job) = queue.try_recv() {
        return Some(job);
    }
    let asked_for = async {
        sleep_until(may_be_asked).await;
        waits.turns.asked_for().await;
    };
    waits.runtime.block_on(async {
        tokio::select! {
            job = timeout_at(deadline, queue.recv()) => job.ok().flatten(),
            () = asked_for => None,
        }
    })
}
