//! What the parts of a run share.

use super::gone::Gone;
use super::tally::Tally;
use super::writer::Writer;
use super::{Settings, SyncError};
use crate::api::{Client, Finding, Item, KnownPaging, List, Page, Pager, RejectedItem, Turn, WalkError};
use crate::diff::EventPlan;
use crate::mirror::{Batch, MirrorError, RejectedRecord, RunId, SeenRows, Stamp};
use crate::record::Record;
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
    pub(super) tally: Arc<Tally>,
    pub(super) gone: Arc<Gone>,
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
    pub(super) seen: SeenRows,
}

/// A page's records, sorted into those that can be taken and those that can't.
pub(super) struct Sorted<R> {
    pub(super) records: Vec<R>,
    pub(super) rejected: Vec<RejectedItem>,
}

impl<R> Sorted<R> {
    pub(super) fn new() -> Sorted<R> {
        Sorted { records: Vec::new(), rejected: Vec::new() }
    }

    pub(super) fn add(&mut self, items: Vec<Item<R>>) {
        for item in items {
            match item {
                Item::Record(record) => self.records.push(record),
                Item::Rejected(rejected) => self.rejected.push(rejected),
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.records.len() + self.rejected.len()
    }
}

/// Sets a page's unusable records aside.
pub(super) fn set_aside(
    batch: &mut Batch<'_>,
    stamp: Stamp,
    list: &List,
    rejected: &[RejectedItem],
) -> Result<(), MirrorError> {
    let customer_id = list.customer_id();
    for item in rejected {
        let reason = item.reason.to_string();
        let record_id = item.id.as_deref();
        let record =
            RejectedRecord { stream: list.stream(), customer_id, record_id, reason: &reason, raw: &item.raw };
        batch.set_aside(stamp, record)?;
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
