//! The walk of the customer list: pages are listed ahead while earlier ones are stored, and customers whose events
//! are due are handed on page by page.

use super::SyncError;
use super::context::{Context, Sorted, record_findings, rows, set_aside, turn};
use crate::api::{Cursor, Finding, List, Page, Pager, Turn};
use crate::diff::{EventPlan, Trust};
use crate::mirror::{Batch, Checkpoint, CustomersApplied, MirrorError, Mode, SeenRows, Stamp};
use crate::observe::Event;
use crate::record::{Customer, Stream};
use jiff::Timestamp;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// Pages listed ahead of the one being stored.
const PAGES_AHEAD: usize = 4;

/// While nothing changes, the checkpoint is renewed this often: a run that finds nothing new writes next to nothing.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(2);

/// A walk of the customer list, begun or taken up.
pub(super) struct CustomerWalk {
    pub(super) mode: Mode,
    pub(super) started_at: Timestamp,
    /// Where to go on; `None` if the list was walked to its end and only what follows is left.
    pub(super) cursor: Option<Cursor>,
    pub(super) pages: u64,
    pub(super) customers: u64,
    pub(super) seen: SeenRows,
    /// Of them, customers that were new to the mirror.
    pub(super) inserted: u64,
    /// Customers listed in an older version than the mirror's.
    pub(super) stale: Vec<String>,
    /// Whether the list's end was one.
    pub(super) is_proven: bool,
}

impl CustomerWalk {
    /// From the list's beginning.
    pub(super) fn begin(mode: Mode, started_at: Timestamp) -> CustomerWalk {
        CustomerWalk {
            mode,
            started_at,
            cursor: Some(Cursor::Start),
            pages: 0,
            customers: 0,
            seen: SeenRows::default(),
            inserted: 0,
            stale: Vec::new(),
            is_proven: true,
        }
    }

    /// From where an interrupted walk had come; `None` where its cursor can't be read.
    pub(super) fn take_up(mode: Mode, checkpoint: Checkpoint) -> Option<CustomerWalk> {
        Some(CustomerWalk {
            cursor: serde_json::from_str(&checkpoint.cursor).ok()?,
            started_at: checkpoint.started_at,
            pages: checkpoint.pages,
            customers: checkpoint.customers,
            inserted: checkpoint.inserted,
            seen: checkpoint.seen,
            ..CustomerWalk::begin(mode, checkpoint.started_at)
        })
    }

    fn checkpoint(&self, base_url: &str) -> Checkpoint {
        Checkpoint {
            started_at: self.started_at,
            base_url: base_url.to_owned(),
            cursor: serde_json::to_string(&self.cursor).unwrap_or_else(|_| "null".to_owned()),
            pages: self.pages,
            customers: self.customers,
            inserted: self.inserted,
            seen: self.seen.clone(),
        }
    }

    /// Whether another run could go on here. In a full sync, customers that are still to be asked for alone stand in
    /// memory only: a run that is cut off then goes on before the first of them.
    fn may_be_cut_off(&self) -> bool {
        self.mode != Mode::Full || self.stale.is_empty()
    }

    /// Begins again: the server refused the cursor. What is stored stays.
    fn restart(&mut self) {
        *self = CustomerWalk {
            stale: std::mem::take(&mut self.stale),
            ..CustomerWalk::begin(self.mode, self.started_at)
        };
    }
}

/// Walks the list to its end and hands on whose events are due. Returns the walk, or `None` if the run halted.
pub(super) async fn walk(
    context: &Context,
    walk: CustomerWalk,
    due: &mpsc::Sender<String>,
) -> Result<Option<CustomerWalk>, SyncError> {
    let Some(cursor) = walk.cursor.clone() else { return Ok(Some(walk)) };
    let (listed, pages) = mpsc::channel(PAGES_AHEAD);
    let pager =
        Pager::new(context.client.clone(), context.known.clone(), List::Customers, cursor, |_, record| {
            Customer::decode(record)
        });
    // A task of its own: what it waits for wakes it on the thread that hears of it.
    let listing = AbortOnDropHandle::new(tokio::spawn(list(context.clone(), pager, listed)));
    let (listing, storing) = tokio::join!(listing, store(context, walk, pages, due));
    match (listing.map_err(SyncError::crashed).flatten(), storing) {
        (_, Err(error)) | (Err(error), _) => Err(error),
        (Ok(()), Ok(walk)) => Ok(walk),
    }
}

/// Lists page after page, as far ahead as the channel allows. Returns early if the run halts or storing has failed.
async fn list(
    context: Context,
    mut pager: Pager<Customer>,
    listed: mpsc::Sender<Turn<Customer>>,
) -> Result<(), SyncError> {
    while let Some(turn) = turn(&context, &mut pager).await {
        let turn = turn?;
        let is_end = matches!(turn, Turn::End { .. });
        if listed.send(turn).await.is_err() || is_end {
            break;
        }
    }
    Ok(())
}

async fn store(
    context: &Context,
    mut walk: CustomerWalk,
    mut pages: mpsc::Receiver<Turn<Customer>>,
    due: &mpsc::Sender<String>,
) -> Result<Option<CustomerWalk>, SyncError> {
    let mut last_checkpoint = Instant::now();
    let mut recorded = Vec::new();
    while let Some(turn) = pages.recv().await {
        match turn {
            Turn::Restarted => {
                context.tally.remark(
                    "the server refused the customer list's page token: the walk was begun again".to_owned(),
                );
                walk.restart();
            }
            Turn::End { is_proven } => {
                walk.cursor = None;
                walk.is_proven = is_proven;
                context.tally.observe(&Event::CustomerWalkFinished { customers: walk.customers });
                return Ok(Some(keep_end(context, walk).await?));
            }
            Turn::Page(page) => {
                let findings = context.known.findings();
                let news = findings != recorded;
                recorded = findings;
                let stored = StoredPage::new(context, &mut walk, page, last_checkpoint.elapsed(), news);
                let is_due =
                    store_page(context, &mut walk, stored, recorded.clone(), &mut last_checkpoint).await?;
                if !hand_on(context, due, is_due).await {
                    return Ok(None);
                }
            }
        }
    }
    // The lister left without an end: it failed, or the run halts.
    Ok(None)
}

/// A page on its way into the mirror.
struct StoredPage {
    sorted: Sorted<Customer>,
    cursor: Option<Cursor>,
    checkpoint_is_due: bool,
}

impl StoredPage {
    fn new(
        context: &Context,
        walk: &mut CustomerWalk,
        page: Page<Customer>,
        since_checkpoint: Duration,
        news: bool,
    ) -> StoredPage {
        let rows = rows(&page);
        walk.pages += 1;
        walk.customers += rows;
        context.tally.count(|counts| {
            counts.customer_pages += 1;
            counts.customers_seen += rows;
        });
        let mut sorted = Sorted::new();
        sorted.add(page.items);
        let checkpoint_is_due = news || since_checkpoint >= CHECKPOINT_EVERY;
        StoredPage { sorted, cursor: page.checkpoint, checkpoint_is_due }
    }
}

/// Rows, change log, findings and checkpoint of one page, in one transaction. Returns whose events are due.
async fn store_page(
    context: &Context,
    walk: &mut CustomerWalk,
    page: StoredPage,
    findings: Vec<Finding>,
    last_checkpoint: &mut Instant,
) -> Result<Vec<String>, SyncError> {
    let StoredPage { sorted, cursor, checkpoint_is_due } = page;
    let rows = sorted.len() as u64;
    let rejected = sorted.rejected.len() as u64;
    walk.cursor = cursor;
    let (mode, mut checkpoint) = (walk.mode, walk.checkpoint(&context.settings.base_url));
    let (stamp, plan, resumable) =
        (context.stamp(), context.plan, walk.cursor.is_some() && walk.may_be_cut_off());
    let (applied, seen, saved) = context
        .write(move |batch| {
            let applied = apply(batch, stamp, plan, &sorted, &mut checkpoint.seen)?;
            checkpoint.inserted += applied.inserted;
            let changed = applied.inserted + applied.updated > 0;
            let nothing_left = mode != Mode::Full || applied.stale.is_empty();
            let save = resumable && nothing_left && (changed || checkpoint_is_due);
            if save {
                batch.save_checkpoint(mode, &checkpoint)?;
                record_findings(batch, stamp.now, &checkpoint.base_url, &findings)?;
            }
            Ok((applied, checkpoint.seen, save))
        })
        .await?;
    if saved {
        *last_checkpoint = Instant::now();
    }
    walk.seen = seen;
    walk.inserted += applied.inserted;
    walk.stale.extend(applied.stale.iter().cloned());
    context.tally.count(|counts| {
        counts.customers_inserted += applied.inserted;
        counts.customers_updated += applied.updated;
        counts.customers_stale += applied.stale.len() as u64;
        counts.rejected += rejected;
    });
    context.tally.observe(&Event::CustomerPageStored { rows });
    Ok(applied.due)
}

fn apply(
    batch: &mut Batch<'_>,
    stamp: Stamp,
    plan: EventPlan,
    sorted: &Sorted<Customer>,
    seen: &mut SeenRows,
) -> Result<CustomersApplied, MirrorError> {
    let applied = batch.apply_customers(stamp, &sorted.records, Trust::Listed, plan, seen)?;
    set_aside(batch, stamp, &List::Customers, &sorted.rejected)?;
    for id in sorted.rejected.iter().filter_map(|item| item.id.as_deref()) {
        // It stood in the list, though it can't be taken: it is not missing.
        batch.mark_seen(id, seen)?;
    }
    Ok(applied)
}

/// Keeps that the list was walked to its end: a run that is cut off from here on needs not list it again.
async fn keep_end(context: &Context, walk: CustomerWalk) -> Result<CustomerWalk, SyncError> {
    let (mode, checkpoint) = (walk.mode, walk.checkpoint(&context.settings.base_url));
    let (findings, stamp) = (context.known.findings(), context.stamp());
    let has_work = context.tally.so_far().counts.changes() > 0 || mode == Mode::Full;
    let has_work = has_work && walk.may_be_cut_off() && walk.is_proven;
    context
        .write(move |batch| {
            batch.forget_rejected(stamp, Stream::Customers, None)?;
            record_findings(batch, stamp.now, &checkpoint.base_url, &findings)?;
            if has_work {
                batch.save_checkpoint(mode, &checkpoint)?;
            }
            Ok(())
        })
        .await?;
    Ok(walk)
}

/// Hands on whose events are due; `false` if nobody takes them any more or the run halts.
pub(super) async fn hand_on(context: &Context, due: &mpsc::Sender<String>, customers: Vec<String>) -> bool {
    if customers.is_empty() {
        return !context.halt.is_cancelled();
    }
    context.tally.observe(&Event::EventWalksPlanned { customers: customers.len() as u64 });
    for customer in customers {
        match context.halt.run_until_cancelled(due.send(customer)).await {
            Some(Ok(())) => {}
            _ => return false,
        }
    }
    true
}
