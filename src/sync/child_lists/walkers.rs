//! Many walks of event lists at once.

use super::dormant;
use super::walk::{Outcome, Reading, walk};
use crate::api::{ApiError, ErrorKind, WalkError};
use crate::diff::looks::Signal;
use crate::mirror::{Due, DueParent, MirroredParent};
use crate::observe;
use crate::sync::SyncError;
use crate::sync::context::{Context, DUE_QUEUE, halt_on_error, queue_due};
use crate::sync::report::Failure;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// Reads the events of every customer that comes through `due`, up to four times `concurrency` customers at once, until the
/// channel is closed and empty or the run halts.
///
/// A customer whose events can't be read is recorded and skipped. Only a refused key, an error of the mirror, or a server
/// that fails for many customers in a row ends the run.
pub(in crate::sync) async fn walk_all(
    context: &Context,
    due: mpsc::Receiver<Due>,
    reading: Reading,
) -> Result<(), SyncError> {
    let due = Mutex::new(DueQueue { channel: due, taken: Vec::new().into_iter() });
    let walks = Arc::new(Walks { due, reading, failures_in_a_row: AtomicUsize::new(0) });
    // More walkers than requests at once: while some wait for the mirror, others send requests.
    let count = 4 * context.settings.concurrency.max(1);
    let mut walkers = JoinSet::new();
    for _ in 0..count {
        walkers.spawn(walker(context.clone(), walks.clone()));
    }
    let mut result = Ok(());
    while let Some(joined) = walkers.join_next().await {
        if let Err(error) = joined.map_err(SyncError::crashed).flatten() {
            // The others end by themselves, so that what they are writing is still counted.
            context.halt.cancel();
            result = result.and(Err(error));
        }
    }
    result
}

/// Reads the events of these customers in the same way.
pub(in crate::sync) async fn walk_these(
    context: &Context,
    customers: Vec<MirroredParent>,
    reading: Reading,
) -> Result<(), SyncError> {
    if customers.is_empty() {
        return Ok(());
    }
    let pending = |parent| DueParent { parent, signal: Signal::Pending };
    walk_those_found(context, reading, async |due| {
        queue_due(context, &due, customers.into_iter().map(pending).collect()).await;
        Ok(())
    })
    .await
}

/// Reads the events of the customers that `find` sends, in the same way.
pub(in crate::sync) async fn walk_those_found(
    context: &Context,
    reading: Reading,
    find: impl AsyncFnOnce(mpsc::Sender<Due>) -> Result<(), SyncError>,
) -> Result<(), SyncError> {
    let (due, queue) = mpsc::channel(DUE_QUEUE);
    let finding = async { halt_on_error(context, find(due).await) };
    let walking = async { halt_on_error(context, walk_all(context, queue, reading).await) };
    let (found, walked) = tokio::join!(finding, walking);
    found.and(walked)
}

/// The server counts as down once it fails for this many customers in a row.
pub(in crate::sync) const FAILURES_UNTIL_DOWN: usize = 20;

/// Of a customer whom the mirror lacks: rows are numbered from 1 on.
const NO_ROW: i64 = 0;

/// How many customers are taken out of the channel at once: whoever fills it is woken once for them, not once for each.
const TAKEN_AT_ONCE: usize = 64;

/// Customers whose events are to be read, in the order in which they became due.
struct DueQueue {
    channel: mpsc::Receiver<Due>,
    taken: std::vec::IntoIter<Due>,
}

impl DueQueue {
    async fn next(&mut self) -> Option<Due> {
        if self.taken.len() == 0 {
            let mut taken = Vec::with_capacity(TAKEN_AT_ONCE);
            self.channel.recv_many(&mut taken, TAKEN_AT_ONCE).await;
            self.taken = taken.into_iter();
        }
        self.taken.next()
    }
}

/// What the walkers share.
struct Walks {
    due: Mutex<DueQueue>,
    reading: Reading,
    /// For how many customers in a row the server has failed.
    failures_in_a_row: AtomicUsize,
}

/// Reads the events of one customer after another. A task for each customer would cost its set-up each time.
async fn walker(context: Context, walks: Arc<Walks>) -> Result<(), SyncError> {
    while let Some(due) = context.halt.run_until_cancelled(walks.next()).await.flatten() {
        let (parent, result) = match due {
            Due::Mirrored(due) => {
                let result = walk(&context, &due, walks.reading).await;
                (due.parent, result)
            }
            Due::Dormant(record) => {
                let parent = MirroredParent { row: NO_ROW, id: record.id().to_owned() };
                (parent, dormant::walk(&context, *record, walks.reading).await)
            }
        };
        walks.finished(&context, &parent, result).await?;
    }
    Ok(())
}

impl Walks {
    async fn next(&self) -> Option<Due> {
        self.due.lock().await.next().await
    }

    /// Records the end of a walk.
    async fn finished(
        &self,
        context: &Context,
        customer: &MirroredParent,
        result: Result<Outcome, SyncError>,
    ) -> Result<(), SyncError> {
        let is_down = match result {
            Err(SyncError::Walk(error)) => failed(context, customer, error).await?,
            Err(error) => return Err(error),
            Ok(read) => {
                succeeded(context, customer, &read, self.reading);
                None
            }
        };
        let Some(last) = is_down else {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
            return Ok(());
        };
        let customers = 1 + self.failures_in_a_row.fetch_add(1, Ordering::Relaxed);
        match customers >= FAILURES_UNTIL_DOWN {
            true => Err(SyncError::ServerDown { customers, last: Box::new(last) }),
            false => Ok(()),
        }
    }
}

fn succeeded(context: &Context, customer: &MirroredParent, read: &Outcome, reading: Reading) {
    match read {
        Outcome::Whole => {
            if let Some(child) = context.stream.child().filter(|_| reading == Reading::First) {
                context.counters.count(|counts| counts[child].lists += 1);
            }
            context
                .counters
                .observe(&observe::Event::EventWalkFinished { customer_id: &customer.id, error: None });
        }
        Outcome::LeftOut => context
            .counters
            .observe(&observe::Event::EventWalkFinished { customer_id: &customer.id, error: None }),
        Outcome::Halted => {}
        Outcome::Vanished => context.counters.remark(format!(
            "{} {} vanished during the run; the next one decides about it",
            context.stream.singular(),
            customer.id
        )),
    }
}

/// Records that a customer's events could not be read. Returns the error if it suggests that the server is down; fails if
/// the error ends the run.
async fn failed(
    context: &Context,
    customer: &MirroredParent,
    error: WalkError,
) -> Result<Option<ApiError>, SyncError> {
    let kind = error.api().map(ApiError::kind);
    if kind == Some(ErrorKind::KeyRefused) {
        return Err(error.into());
    }
    note_failure(context, customer, &error).await?;
    Ok(match error {
        WalkError::Api(error) if error.kind().is_outage() || error.kind() == ErrorKind::RateLimited => {
            Some(error)
        }
        _ => None,
    })
}

async fn note_failure(
    context: &Context,
    customer: &MirroredParent,
    error: &WalkError,
) -> Result<(), SyncError> {
    let text = error.log_form();
    let parents = context.stream;
    let (parent, reason) = (customer.clone(), text.clone());
    context.write_stamped(move |batch, stamp| batch.note_failure(stamp, parents, &parent, &reason)).await?;
    context
        .counters
        .observe(&observe::Event::EventWalkFinished { customer_id: &customer.id, error: Some(&text) });
    context.counters.failure(Failure {
        stream: parents,
        customer_id: customer.id.clone(),
        error: text,
        what_to_do: error.hint(),
    });
    Ok(())
}
