//! What the parts of a run share.

use super::counters::RunCounters;
use super::looks::Looks;
use super::pending_deletions::PendingDeletions;
use super::writer::Writer;
use super::{Settings, SyncError};
use crate::api::{Client, Cursor, Finding, KnownPaging, List, Page, Pager, Turn, WalkError};
use crate::diff::{EventPlan, Expiry};
use crate::mirror::{Batch, Due, HintMark, MirrorError, RunId, Stamp};
use crate::observe::Event;
use crate::record::{Record, RowSet, Stream};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How many customers may wait for their events to be read.
pub(super) const DUE_QUEUE: usize = 1_024;

/// What the parts of a run share.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) known: KnownPaging,
    pub(super) writer: Writer,
    pub(super) counters: Arc<RunCounters>,
    pub(super) pending: Arc<PendingDeletions>,
    /// As the API names it, once it has been asked.
    pub(super) account_id: Arc<OnceLock<String>>,
    pub(super) settings: Arc<Settings>,
    pub(super) run: RunId,
    pub(super) started_at: Timestamp,
    /// Customers who would have expired but for their events, and were taken in.
    pub(super) woken: Arc<Woken>,
    /// Whether the events of customers are looked at whom the mirror lacks and who have expired by their own times.
    pub(super) looks_at_dormant: bool,
    /// How far the hints of webhooks had come when the run began; `None`: there were none.
    pub(super) hints: Option<HintMark>,
    pub(super) plan: EventPlan,
    /// What the run's looks at customers' events have taught.
    pub(super) looks: Arc<Looks>,
    /// The stream whose list is walked.
    pub(super) stream: Stream,
    /// Cancelled when the run is to stop, or another part of it has failed.
    pub(super) halt: CancellationToken,
}

impl Context {
    /// A pager of one of the API's lists, whose records are decoded.
    pub(super) fn pager(&self, list: List, from: Cursor) -> Pager<Record> {
        Pager::of_records(&self.client, &self.known, list, from)
    }

    pub(super) fn stamp(&self) -> Stamp {
        Stamp { run: self.run, now: Timestamp::now() }
    }

    /// What has expired, for the whole run.
    pub(super) fn expiry(&self) -> Expiry {
        self.settings.retention.at(self.started_at)
    }

    /// Runs `job` in a transaction of the writer. [`Writer::write`] says when it is durable.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Batch<'_>) -> Result<T, MirrorError> + Send + 'static,
    ) -> Result<T, SyncError> {
        self.writer.write(job).await
    }

    /// The same for a job that writes changes, with the time at which its turn comes: so the times in the change log go up with
    /// its numbers.
    pub(super) async fn write_stamped<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Batch<'_>, Stamp) -> Result<T, MirrorError> + Send + 'static,
    ) -> Result<T, SyncError> {
        let run = self.run;
        self.write(move |batch| job(batch, Stamp { run, now: Timestamp::now() })).await
    }
}

/// The rows of customers who were taken in for their events. The list has them, though its walk didn't take them.
#[derive(Default)]
pub(super) struct Woken(Mutex<RowSet>);

impl Woken {
    pub(super) fn insert(&self, row: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(row);
    }

    /// The rows that a walk has met, with these.
    pub(super) fn added_to(&self, mut seen: RowSet) -> RowSet {
        for row in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            seen.insert(row);
        }
        seen
    }
}

/// Takes away the hints about a customer that was looked at.
pub(super) fn clear_hints(
    context: &Context,
    batch: &mut Batch<'_>,
    customer_id: &str,
) -> Result<(), MirrorError> {
    let Some(mark) = context.hints else { return Ok(()) };
    if let Some(waited) = batch.clear_hints(customer_id, mark, Timestamp::now())? {
        let waited = waited.unsigned_abs();
        context.counters.observe(&Event::HintsFollowed { customer_id, waited });
    }
    Ok(())
}

/// Stops the run's other parts when this one has failed.
pub(super) fn halt_on_error<T>(context: &Context, result: Result<T, SyncError>) -> Result<T, SyncError> {
    if result.is_err() {
        context.halt.cancel();
    }
    result
}

/// A complete walk of the list.
pub(super) struct Walked {
    /// When it began: earlier than the run if an interrupted walk was resumed.
    pub(super) started_at: Timestamp,
    /// The records that it listed.
    pub(super) seen: RowSet,
}

/// Records what was found out about the API; what is recorded already is not written again.
pub(super) fn record_findings(
    batch: &mut Batch<'_>,
    now: Timestamp,
    base_url: &str,
    findings: &[Finding],
) -> Result<(), MirrorError> {
    for found in findings {
        batch.record_behaviour(
            found.stream.name(),
            found.point,
            found.value,
            &found.evidence,
            base_url,
            now,
        )?;
    }
    Ok(())
}

/// The next turn of a walk, or `None` if the run halts meanwhile.
pub(super) async fn turn(
    context: &Context,
    pager: &mut Pager<Record>,
) -> Option<Result<Turn<Record>, WalkError>> {
    context.halt.run_until_cancelled(pager.next()).await
}

/// A page's length, for the observer.
pub(super) fn rows(page: &Page<Record>) -> u64 {
    page.items.len() as u64
}

/// Queues customers whose events are due. Returns `false` if nobody reads the queue any more or the run halts.
pub(super) async fn queue_due(
    context: &Context,
    due: &mpsc::Sender<Due>,
    customers: Vec<impl Into<Due>>,
) -> bool {
    if customers.is_empty() {
        return !context.halt.is_cancelled();
    }
    context.counters.observe(&Event::EventWalksPlanned { customers: customers.len() as u64 });
    for customer in customers {
        match context.halt.run_until_cancelled(due.send(customer.into())).await {
            Some(Ok(())) => {}
            _ => return false,
        }
    }
    true
}
