//! The walk of the customer list: pages are listed ahead while earlier ones are stored, and customers whose events
//! are due are handed on page by page.
//!
//! A walk that reads the list from several places at once has no single request at which another run could go on. Its
//! checkpoint stands at the list's beginning, then: a run that goes on from there lists the pages again, in as little time, and
//! takes over when the walk began, which tells whose events it needn't read again.

use super::SyncError;
use super::context::{Context, Sorted, record_findings, rows, set_aside_customers};
use super::listing::{Listed, Listing, Whole};
use super::marks::Remembered;
use crate::api::{Cursor, Finding, Page, Reuse, TokenNames, TokenStyle};
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
    /// Customers that the list brought new or changed, in this run.
    changed: u64,
    /// Pages come from several places of the list.
    is_split: bool,
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
            changed: 0,
            is_split: false,
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

    /// At the list's beginning, with nothing walked.
    fn checkpoint_at_start(&self, base_url: &str) -> Checkpoint {
        CustomerWalk::begin(self.mode, self.started_at).checkpoint(base_url)
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
    let listing = Listing::new(context, remembered(context).await?, cursor);
    // A task of its own: what it waits for wakes it on the thread that hears of it.
    let listing = AbortOnDropHandle::new(tokio::spawn(listing.run(listed)));
    let (listing, storing) = tokio::join!(listing, store(context, walk, pages, due));
    match (listing.map_err(SyncError::crashed).flatten(), storing) {
        (_, Err(error)) | (Err(error), _) => Err(error),
        (Ok(()), Ok(walk)) => Ok(walk),
    }
}

/// What an earlier walk has left, if it may be used.
async fn remembered(context: &Context) -> Result<Remembered, SyncError> {
    if context.known.reuse(Stream::Customers) == Reuse::Never {
        return Ok(Remembered::default());
    }
    let base_url = context.settings.base_url.clone();
    Ok(Remembered::new(context.write(move |batch| batch.list_marks(&base_url)).await?))
}

async fn store(
    context: &Context,
    mut walk: CustomerWalk,
    mut listed: mpsc::Receiver<Listed>,
    due: &mpsc::Sender<String>,
) -> Result<Option<CustomerWalk>, SyncError> {
    let mut last_checkpoint = Instant::now();
    let mut recorded = Vec::new();
    while let Some(news) = listed.recv().await {
        match news {
            Listed::Split => walk.is_split = true,
            Listed::Restarted(why) => {
                context.tally.remark(why.to_owned());
                walk.restart();
            }
            Listed::End(whole) => {
                walk.cursor = None;
                walk.is_proven = whole.is_proven;
                context.tally.observe(&Event::CustomerWalkFinished { customers: walk.customers });
                return Ok(Some(keep_end(context, walk, whole).await?));
            }
            Listed::Page(page) => {
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
        sorted.add(&context.tally, Stream::Customers, page.items);
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
    walk.cursor = cursor;
    // It goes with the job and comes back; a checkpoint gets its copy where one is saved.
    let mut seen = std::mem::take(&mut walk.seen);
    let (mode, base_url, is_split) = (walk.mode, &context.settings.base_url, walk.is_split);
    let mut checkpoint = match is_split {
        true => walk.checkpoint_at_start(base_url),
        false => walk.checkpoint(base_url),
    };
    let (stamp, plan, resumable) =
        (context.stamp(), context.plan, (is_split || walk.cursor.is_some()) && walk.may_be_cut_off());
    let (applied, seen, saved) = context
        .write(move |batch| {
            let applied = apply(batch, stamp, plan, Trust::Listed, &sorted, &mut seen)?;
            let changed = applied.inserted + applied.updated > 0;
            let nothing_left = mode != Mode::Full || applied.stale.is_empty();
            let save = resumable && nothing_left && (changed || checkpoint_is_due);
            if save {
                if !is_split {
                    checkpoint.inserted += applied.inserted;
                    checkpoint.seen = seen.clone();
                }
                batch.save_checkpoint(mode, &checkpoint)?;
                record_findings(batch, stamp.now, &checkpoint.base_url, &findings)?;
            }
            Ok((applied, seen, save))
        })
        .await?;
    if saved {
        *last_checkpoint = Instant::now();
    }
    walk.seen = seen;
    walk.inserted += applied.inserted;
    walk.changed += applied.inserted + applied.updated;
    walk.stale.extend(applied.stale.iter().cloned());
    context.tally.count(|counts| {
        counts.customers_inserted += applied.inserted;
        counts.customers_updated += applied.updated;
        counts.customers_stale += applied.stale.len() as u64;
    });
    context.tally.undated(Stream::Customers, &applied.undated);
    context.tally.observe(&Event::CustomerPageStored { rows });
    Ok(applied.due)
}

/// Takes customers into the mirror, and sets aside what can't be taken as it stands.
pub(super) fn apply(
    batch: &mut Batch<'_>,
    stamp: Stamp,
    plan: EventPlan,
    trust: Trust,
    sorted: &Sorted<Customer>,
    seen: &mut SeenRows,
) -> Result<CustomersApplied, MirrorError> {
    let mut applied = batch.apply_customers(stamp, &sorted.records, trust, plan, seen)?;
    applied.due.extend(set_aside_customers(batch, stamp, plan, sorted, seen)?);
    Ok(applied)
}

/// Keeps that the list was walked to its end: a run that is cut off from here on needs not list it again. And what
/// the next walk can make use of.
async fn keep_end(context: &Context, walk: CustomerWalk, whole: Whole) -> Result<CustomerWalk, SyncError> {
    learn_token_names(context, &walk, &whole);
    let (mode, checkpoint) = (walk.mode, walk.checkpoint(&context.settings.base_url));
    let (findings, stamp, began) = (context.known.findings(), context.stamp(), walk.started_at);
    let has_work = context.tally.so_far().counts.changes() > 0 || mode == Mode::Full;
    let has_work = has_work && walk.may_be_cut_off() && walk.is_proven;
    let marks = whole.marks.filter(|_| whole.is_proven);
    context
        .write(move |batch| {
            batch.forget_rejected_customers(stamp, began)?;
            record_findings(batch, stamp.now, &checkpoint.base_url, &findings)?;
            if let Some(marks) = marks {
                batch.keep_list_marks(&checkpoint.base_url, &marks)?;
            }
            if has_work {
                batch.save_checkpoint(mode, &checkpoint)?;
            }
            Ok(())
        })
        .await?;
    Ok(walk)
}

/// A token that comes again names a place in the list as it is, if the list has changed in between: one for a copy of
/// the list would lead to the old one.
fn learn_token_names(context: &Context, walk: &CustomerWalk, whole: &Whole) {
    let is_long = whole.marks.as_ref().is_some_and(|marks| !marks.is_empty());
    let evidence = match whole.given_again {
        _ if is_long && context.known.style(Stream::Customers) == Some(TokenStyle::LastId) => {
            "the ids of records are the cursors".to_owned()
        }
        Some(page) if is_long && walk.changed > 0 => {
            format!(
                "page {page} named the same next page as in an earlier walk, though customers had changed since"
            )
        }
        _ => return,
    };
    context.known.learn_token_names(Stream::Customers, TokenNames::Position, evidence);
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
