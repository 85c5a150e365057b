//! The one thread that writes the mirror.
//!
//! Jobs are applied in the order in which they were submitted, many in one transaction. Whoever submitted a job gets its
//! result as soon as the job is applied: everything later in the run sees its effect, and nothing later can become durable
//! without it. A checkpoint is therefore never ahead of the rows that it stands for, and no page waits for the disk.

use super::SyncError;
use crate::mirror::{Batch, Mirror, MirrorError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// How many jobs may wait for the writer; whoever submits more waits.
const QUEUE: usize = 64;

/// A transaction is committed this long after its first job at the latest. A crash loses no more work than that.
const COMMIT_AFTER: Duration = Duration::from_millis(1_000);

/// A transaction is committed earlier after this many changes, because uncommitted changes take memory and make the log
/// longer that readers have to search.
const CHANGES_PER_COMMIT: u64 = 50_000;

/// Works within the batch and reports the result to whoever submitted it; `Err` rolls the batch back.
type Job = Box<dyn FnOnce(&mut Batch<'_>) -> Result<(), ()> + Send>;

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
    pub(super) fn start(mirror: Mirror) -> std::io::Result<(Writer, WriterThread)> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let runtime = Handle::current();
        let thread =
            Builder::new().name("mirror-writer".to_owned()).spawn(move || work(mirror, queue, &runtime))?;
        Ok((Writer { jobs }, WriterThread(thread)))
    }

    /// Runs `job` after all jobs that were submitted before it, and returns its result. The job is durable about a second
    /// later, or when the thread ends: see [`WriterThread::join`].
    pub(super) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Batch<'_>) -> Result<T, MirrorError> + Send + 'static,
    ) -> Result<T, SyncError> {
        let (tell, told) = oneshot::channel::<Result<T, SyncError>>();
        let job: Job = Box::new(move |batch| {
            let result = job(batch);
            let applied = result.as_ref().map(drop).map_err(drop);
            // If the caller no longer waits, it needs no answer.
            let _ = tell.send(result.map_err(SyncError::from));
            applied
        });
        self.jobs.send(job).await.map_err(|_| SyncError::WriterStopped)?;
        told.await.unwrap_or(Err(SyncError::WriterStopped))
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

fn work(mut mirror: Mirror, mut queue: mpsc::Receiver<Job>, runtime: &Handle) -> Written {
    while let Some(first) = queue.blocking_recv() {
        if let Err(error) = batch(&mut mirror, first, &mut queue, runtime) {
            // The closed queue tells everybody who waits or comes later.
            return Written { mirror, is_cut_off: true, error };
        }
    }
    Written { mirror, is_cut_off: false, error: None }
}

/// Runs one transaction. `Err` has the reason, unless a job failed: that error went to whoever submitted the job.
fn batch(
    mirror: &mut Mirror,
    first: Job,
    queue: &mut mpsc::Receiver<Job>,
    runtime: &Handle,
) -> Result<(), Option<MirrorError>> {
    let deadline = Instant::now() + COMMIT_AFTER;
    let mut batch = mirror.batch().map_err(Some)?;
    let mut next = Some(first);
    while let Some(job) = next {
        job(&mut batch).map_err(|()| None)?;
        next = if batch.changes() >= CHANGES_PER_COMMIT { None } else { receive(queue, deadline, runtime) };
    }
    batch.commit().map_err(Some)
}

/// The next job of the transaction; `None` when it is time to commit.
fn receive(queue: &mut mpsc::Receiver<Job>, deadline: Instant, runtime: &Handle) -> Option<Job> {
    if Instant::now() >= deadline {
        return None;
    }
    match queue.try_recv() {
        Ok(job) => Some(job),
        Err(_) => runtime.block_on(async { timeout_at(deadline, queue.recv()).await.ok().flatten() }),
    }
}
