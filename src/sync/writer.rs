//! The one thread that writes the mirror.

use super::SyncError;
use crate::mirror::{Batch, Mirror, MirrorError};
use std::thread::JoinHandle;
use tokio::sync::{mpsc, oneshot};

/// Jobs waiting for the writer at most; who has more to write waits.
const QUEUE: usize = 64;

/// Jobs that share a transaction at most.
const JOBS_PER_BATCH: usize = 64;

/// Works within the batch, and returns what is to be told once the batch is committed; `Err` undoes the batch.
type Job = Box<dyn FnOnce(&mut Batch<'_>) -> Result<Reply, ()> + Send>;

/// Tells the one who asked; the argument is whether the batch was committed.
type Reply = Box<dyn FnOnce(bool) + Send>;

/// Sends work to the thread that owns the mirror. When all clones are gone the thread ends.
#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
}

/// The thread; gives the mirror back.
pub(super) struct WriterThread(JoinHandle<Mirror>);

impl Writer {
    /// Starts the thread.
    pub(super) fn start(mirror: Mirror) -> (Writer, WriterThread) {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let thread = std::thread::spawn(move || work(mirror, queue));
        (Writer { jobs }, WriterThread(thread))
    }

    /// Runs `job` in a transaction; what it wrote is durable when this returns `Ok`. Jobs that wait at the same time
    /// share a transaction; each sees what those before it wrote.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Batch<'_>) -> Result<T, MirrorError> + Send + 'static,
    ) -> Result<T, SyncError> {
        let (tell, told) = oneshot::channel::<Result<T, SyncError>>();
        let job: Job = Box::new(move |batch| match job(batch) {
            Ok(value) => Ok(Box::new(move |committed| {
                // Whoever no longer waits needs no answer.
                let _ = tell.send(if committed { Ok(value) } else { Err(SyncError::WriterStopped) });
            })),
            Err(error) => {
                let _ = tell.send(Err(error.into()));
                Err(())
            }
        });
        self.jobs.send(job).await.map_err(|_| SyncError::WriterStopped)?;
        told.await.unwrap_or(Err(SyncError::WriterStopped))
    }
}

impl WriterThread {
    /// Waits for the thread's end; `None` if it panicked. All [`Writer`]s must be gone.
    pub(super) async fn join(self) -> Option<Mirror> {
        tokio::task::spawn_blocking(move || self.0.join().ok()).await.ok().flatten()
    }
}

fn work(mut mirror: Mirror, mut queue: mpsc::Receiver<Job>) -> Mirror {
    while let Some(first) = queue.blocking_recv() {
        let mut replies = Vec::new();
        let committed = batch(&mut mirror, first, &mut queue, &mut replies);
        for reply in replies {
            reply(committed);
        }
        if !committed {
            // Whoever waits or comes later is told by the closed queue.
            break;
        }
    }
    mirror
}

fn batch(mirror: &mut Mirror, first: Job, queue: &mut mpsc::Receiver<Job>, replies: &mut Vec<Reply>) -> bool {
    let Ok(mut batch) = begin(mirror, first, replies) else { return false };
    while replies.len() < JOBS_PER_BATCH
        && let Ok(job) = queue.try_recv()
    {
        match job(&mut batch) {
            Ok(reply) => replies.push(reply),
            Err(()) => return false,
        }
    }
    match batch.commit() {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(%error, "the mirror could not be written");
            false
        }
    }
}

fn begin<'m>(mirror: &'m mut Mirror, first: Job, replies: &mut Vec<Reply>) -> Result<Batch<'m>, ()> {
    let mut batch = mirror.batch().map_err(|error| {
        tracing::error!(%error, "the mirror could not be written");
    })?;
    replies.push(first(&mut batch)?);
    Ok(batch)
}
