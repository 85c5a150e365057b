//! What the parts of a run share.

use super::counters::RunCounters;
use super::pending_deletions::PendingDeletions;
use super::writer::Writer;
use super::{Settings, SyncError};
use crate::api::{Client, Finding, Item, KnownPaging, List, Page, Pager, Turn, WalkError};
use crate::api::{RejectedItem, RepairedItem};
use crate::diff::EventPlan;
use crate::mirror::{Aside, Batch, CustomersApplied, Met, MirrorError, RejectedRecord, RowSet, RunId, Stamp};
use crate::record::{Customer, Record, Repairs, Stream, instant};
use jiff::Timestamp;
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

/// Customers waiting for their events to be read at most.
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
    pub(super) plan: EventPlan,
    /// Cancelled when the run is to stop, or another part of it has failed.
    pub(super) halt: CancellationToken,
}

impl Context {
    pub(super) fn stamp(&self) -> Stamp {
        Stamp { run: self.run, now: Timestamp::now() }
    }

    /// Runs `job` in a transaction of the writer's: see [`Writer::write`] for when it is durable.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Batch<'_>) -> Result<T, MirrorError> + Send + 'static,
    ) -> Result<T, SyncError> {
        self.writer.write(job).await
    }
}

/// Stops the run's other parts when this one has failed.
pub(super) fn halt_on_error<T>(context: &Context, result: Result<T, SyncError>) -> Result<T, SyncError> {
    if result.is_err() {
        context.halt.cancel();
    }
    result
}

/// A walk of the customer list that came to its end.
pub(super) struct Walked {
    /// When it began; earlier than the run if it was taken up.
    pub(super) started_at: Timestamp,
    /// Whom it met.
    pub(super) seen: RowSet,
}

/// A page's records, sorted into those that can be taken and those that can't.
pub(super) struct DecodedRecords<R> {
    pub(super) records: Vec<R>,
    pub(super) rejected: Vec<RejectedItem>,
    repaired: Vec<Repaired>,
}

/// What a record that was taken with a repair looked like.
struct Repaired {
    id: String,
    repairs: Repairs,
    raw: String,
}

impl<R: Record> DecodedRecords<R> {
    pub(super) fn new() -> DecodedRecords<R> {
        DecodedRecords { records: Vec::new(), rejected: Vec::new(), repaired: Vec::new() }
    }

    pub(super) fn add(&mut self, counters: &RunCounters, stream: Stream, items: Vec<Item<R>>) {
        for item in items {
            match item {
                Item::Record(record) => self.take(counters, stream, record),
                Item::Repaired(RepairedItem { record, repairs, raw }) => {
                    self.repaired.push(Repaired { id: record.id().to_owned(), repairs, raw });
                    self.take(counters, stream, record);
                }
                Item::Rejected(rejected) => self.rejected.push(rejected),
            }
        }
    }

    fn take(&mut self, counters: &RunCounters, stream: Stream, record: R) {
        if record.updated_at().is_some_and(|time| instant(time).is_none()) {
            counters.unreadable_time(stream, record.id());
        }
        self.records.push(record);
    }

    pub(super) fn len(&self) -> usize {
        self.records.len() + self.rejected.len()
    }
}

/// Sets a page's records aside that can't be taken, or not as they stand. Returns the ids of those that can't.
pub(super) fn set_aside<R>(
    batch: &mut Batch<'_>,
    stamp: Stamp,
    list: &List,
    sorted: &DecodedRecords<R>,
) -> Result<Vec<(Option<String>, Met)>, MirrorError> {
    let (stream, customer_id) = (list.stream(), list.customer_id());
    for Repaired { id, repairs, raw } in &sorted.repaired {
        let (outcome, reason, record_id) = (Aside::Taken, &repairs.to_string(), Some(id.as_str()));
        batch.set_aside(stamp, RejectedRecord { stream, customer_id, record_id, outcome, reason, raw })?;
    }
    let mut rejected = Vec::with_capacity(sorted.rejected.len());
    for RejectedItem { id, reason, raw } in &sorted.rejected {
        let (outcome, reason, record_id) = (Aside::Rejected, &reason.to_string(), id.as_deref());
        let record = RejectedRecord { stream, customer_id, record_id, outcome, reason, raw };
        rejected.push((id.clone(), batch.set_aside(stamp, record)?));
    }
    Ok(rejected)
}

/// The same for customers. One that the mirror holds stays there, and is not missing: it came, though it can't be taken.
/// Its events are read when they are due; without its customer in the mirror, an event would have nowhere to go.
pub(super) fn set_aside_customers(
    batch: &mut Batch<'_>,
    stamp: Stamp,
    plan: EventPlan,
    sorted: &DecodedRecords<Customer>,
    seen: &mut RowSet,
    applied: &mut CustomersApplied,
) -> Result<(), MirrorError> {
    for (id, met) in set_aside(batch, stamp, &List::Customers, sorted)? {
        applied.first_met += u64::from(met != Met::Again);
        if let Some(id) = id
            && batch.keep_customer(&id, met == Met::New, plan, stamp.now, seen)?
        {
            applied.due.push(id);
        }
    }
    Ok(())
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
pub(super) async fn turn<R: Record>(
    context: &Context,
    pager: &mut Pager<R>,
) -> Option<Result<Turn<R>, WalkError>> {
    context.halt.run_until_cancelled(pager.next()).await
}

/// A page's length, for the observer.
pub(super) fn rows<R>(page: &Page<R>) -> u64 {
    page.items.len() as u64
}
