//! The walk of the customer list: pages are listed ahead while earlier ones are stored, and customers whose events
//! are due are handed on page by page.
//!
//! A walk that reads the list from several places at once has no single request at which another run could go on. Its
//! checkpoint stands at the list's beginning, then: a run that goes on from there lists the pages again, in as little time, and
//! takes over when the walk began, which tells whose events it needn't read again.
//!
//! While it isn't known whose list this is (`account`), pages are held back: compared with the mirror, but not taken. The page
//! that shows it takes them along; mostly that is the first one. Where more had to be held back than memory is to be spent on,
//! they come with a second walk.

use super::parallel_listing::{Listed, Listing, Whole};
use super::saved_tokens::SavedTokens;
use crate::api::{Cursor, Finding, ListEnd, Page, Reuse, TokenNames, TokenStyle};
use crate::diff::{EventPlan, Overlap, Trust};
use crate::mirror::{Batch, Checkpoint, CustomersApplied, MirrorError, Mode, RowSet, Stamp};
use crate::observe::Event;
use crate::record::{Customer, IdSet, Stream};
use crate::sync::SyncError;
use crate::sync::account::Identity;
use crate::sync::context::{Context, DecodedRecords, record_findings, set_aside_customers};
use jiff::Timestamp;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

/// Pages listed ahead of the one being stored.
const PAGES_AHEAD: usize = 4;

/// While nothing changes, the checkpoint is renewed this often: a run that finds nothing new writes next to nothing.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(2);

/// So many records are held back in memory.
const HELD_AT_MOST: usize = 10_000;

/// A walk of the customer list, begun or taken up.
pub(in crate::sync) struct CustomerWalk {
    pub(in crate::sync) mode: Mode,
    pub(in crate::sync) started_at: Timestamp,
    /// Where to go on; `None` if the list was walked to its end and only what follows is left.
    pub(in crate::sync) cursor: Option<Cursor>,
    pub(in crate::sync) pages: u64,
    pub(in crate::sync) seen: RowSet,
    /// Of them, customers that were new to the mirror.
    pub(in crate::sync) inserted: u64,
    /// Customers listed in an older version than the mirror's.
    pub(in crate::sync) stale: RowSet,
    /// How far the list has brought the mirror's customers, for as long as that is of interest.
    pub(in crate::sync) overlap: Overlap,
    /// The ids that it has brought, for as long: pages may come twice.
    met: IdSet,
    /// Whether the list is this account's.
    is_confirmed: bool,
    /// Pages that wait until that is known.
    held: Vec<DecodedRecords<Customer>>,
    /// More of them came than could be held back.
    is_overflown: bool,
    /// Customers counted in this run, each once.
    counted: u64,
    /// Whether the list's end was one.
    pub(in crate::sync) end: ListEnd,
    /// Customers that the list brought new or changed, in this run.
    changed: u64,
    /// Pages come from several places of the list.
    is_split: bool,
}

impl CustomerWalk {
    /// From the list's beginning.
    pub(in crate::sync) fn begin(mode: Mode, started_at: Timestamp, identity: Identity) -> CustomerWalk {
        let mirrored = match identity {
            Identity::Confirmed => 0,
            Identity::Open { mirrored } => mirrored,
        };
        CustomerWalk {
            overlap: Overlap { mirrored, ..Overlap::default() },
            met: IdSet::default(),
            is_confirmed: identity == Identity::Confirmed,
            held: Vec::new(),
            is_overflown: false,
            counted: 0,
            mode,
            started_at,
            cursor: Some(Cursor::Start),
            pages: 0,
            seen: RowSet::default(),
            inserted: 0,
            stale: RowSet::default(),
            end: ListEnd::Proven,
            changed: 0,
            is_split: false,
        }
    }

    /// From where an interrupted walk had come; `None` where its cursor can't be read.
    pub(in crate::sync) fn take_up(mode: Mode, checkpoint: Checkpoint) -> Option<CustomerWalk> {
        Some(CustomerWalk {
            cursor: serde_json::from_str(&checkpoint.cursor).ok()?,
            started_at: checkpoint.started_at,
            pages: checkpoint.pages,
            inserted: checkpoint.inserted,
            seen: checkpoint.seen,
            ..CustomerWalk::begin(mode, checkpoint.started_at, Identity::Confirmed)
        })
    }

    fn checkpoint(&self, base_url: &str) -> Checkpoint {
        Checkpoint {
            started_at: self.started_at,
            base_url: base_url.to_owned(),
            cursor: serde_json::to_string(&self.cursor).unwrap_or_else(|_| "null".to_owned()),
            pages: self.pages,
            customers: self.seen.count(),
            inserted: self.inserted,
            seen: self.seen.clone(),
        }
    }

    /// At the list's beginning, with nothing walked.
    fn checkpoint_at_start(&self, base_url: &str) -> Checkpoint {
        CustomerWalk::begin(self.mode, self.started_at, Identity::Confirmed).checkpoint(base_url)
    }

    /// Whether another run could go on here. In a full sync, customers that are still to be asked for alone stand in
    /// memory only: a run that is cut off then goes on before the first of them.
    fn may_be_cut_off(&self) -> bool {
        (self.mode != Mode::Full || self.stale.count() == 0) && !self.is_overflown
    }

    /// Holds pages back, as many as there is room for.
    fn hold(&mut self, pages: Vec<DecodedRecords<Customer>>) {
        match pages.iter().map(DecodedRecords::len).sum::<usize>() <= HELD_AT_MOST {
            true => self.held = pages,
            false => self.is_overflown = true,
        }
    }

    /// Whether the list turned out to be this account's.
    pub(in crate::sync) fn is_accepted(&self) -> bool {
        self.is_confirmed
    }

    /// Begins again. What is stored stays, and what was new to the mirror tells nothing about what it held before. Whose
    /// list it is has to show anew, unless it `is_the_same`: another account would have refused the token as well.
    fn restart(&mut self, is_the_same: bool) {
        let identity = match self.overlap.mirrored {
            mirrored if mirrored > 0 && !is_the_same => Identity::Open { mirrored },
            _ => Identity::Confirmed,
        };
        *self = CustomerWalk {
            stale: std::mem::take(&mut self.stale),
            inserted: self.inserted,
            changed: self.changed,
            ..CustomerWalk::begin(self.mode, self.started_at, identity)
        };
    }
}

/// Walks the list to its end and hands on whose events are due. Returns the walk, or `None` if the run halted.
pub(in crate::sync) async fn walk(
    context: &Context,
    walk: CustomerWalk,
    due: &mpsc::Sender<String>,
) -> Result<Option<CustomerWalk>, SyncError> {
    let Some(mut walked) = walk_once(context, walk, due).await? else { return Ok(None) };
    if walked.is_confirmed && walked.is_overflown {
        restart(context, &mut walked, true);
        return walk_once(context, walked, due).await;
    }
    Ok(Some(walked))
}

/// Begins a walk again; its customers will be counted again.
fn restart(context: &Context, walk: &mut CustomerWalk, is_the_same: bool) {
    let counted = walk.counted;
    context.counters.count(|counts| counts.customers_seen -= counted.min(counts.customers_seen));
    walk.restart(is_the_same);
}

async fn walk_once(
    context: &Context,
    walk: CustomerWalk,
    due: &mpsc::Sender<String>,
) -> Result<Option<CustomerWalk>, SyncError> {
    let Some(cursor) = walk.cursor.clone() else { return Ok(Some(walk)) };
    let (listed, pages) = mpsc::channel(PAGES_AHEAD);
    let listing = Listing::new(context, saved_tokens(context).await?, cursor);
    // A task of its own: what it waits for wakes it on the thread that hears of it.
    let listing = AbortOnDropHandle::new(tokio::spawn(listing.run(listed)));
    let (listing, storing) = tokio::join!(listing, store(context, walk, pages, due));
    match (listing.map_err(SyncError::crashed).flatten(), storing) {
        (_, Err(error)) | (Err(error), _) => Err(error),
        (Ok(()), Ok(walk)) => Ok(walk),
    }
}

/// What an earlier walk has left, if it may be used.
async fn saved_tokens(context: &Context) -> Result<SavedTokens, SyncError> {
    if context.known.reuse(Stream::Customers) == Reuse::Never {
        return Ok(SavedTokens::default());
    }
    let base_url = context.settings.base_url.clone();
    Ok(SavedTokens::new(context.write(move |batch| batch.saved_tokens(&base_url)).await?))
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
                context.counters.remark(why.to_owned());
                restart(context, &mut walk, false);
            }
            Listed::End(whole) => {
                walk.cursor = None;
                walk.end = whole.end.clone();
                context.counters.observe(&Event::CustomerWalkFinished { customers: walk.seen.count() });
                return Ok(Some(keep_end(context, walk, whole).await?));
            }
            Listed::Page(page) => {
                let findings = context.known.findings();
                let news = findings != recorded;
                recorded = findings;
                let stored = StoredPage::new(context, &mut walk, page, last_checkpoint.elapsed(), news);
                let is_due =
                    store_page(context, &mut walk, stored, recorded.clone(), &mut last_checkpoint).await?;
                if !queue_due(context, due, is_due).await {
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
    sorted: DecodedRecords<Customer>,
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
        walk.pages += 1;
        context.counters.count(|counts| counts.customer_pages += 1);
        let mut sorted = DecodedRecords::new();
        sorted.add(&context.counters, Stream::Customers, page.items);
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
    walk.cursor = cursor;
    let resumable = (walk.is_split || walk.cursor.is_some()) && walk.may_be_cut_off();
    // They go with the job and come back; a checkpoint gets its copy where one is saved.
    let (mut seen, mut pages) = (std::mem::take(&mut walk.seen), std::mem::take(&mut walk.held));
    pages.push(sorted);
    let (mode, base_url, is_split) = (walk.mode, &context.settings.base_url, walk.is_split);
    let mut checkpoint = match is_split {
        true => walk.checkpoint_at_start(base_url),
        false => walk.checkpoint(base_url),
    };
    let (stamp, plan) = (context.stamp(), context.plan);
    let (is_confirmed, overlap, mut met) = (walk.is_confirmed, walk.overlap, std::mem::take(&mut walk.met));
    let trust = listed_trust(context);
    let taken = context
        .write(move |batch| {
            let mut overlap = overlap;
            if !is_confirmed && !shows_account(batch, &pages, &mut overlap, &mut met)? {
                return Ok(Taken { seen, overlap, met, applied: None, pages, saved: false });
            }
            let mut applied = CustomersApplied::default();
            for page in &pages {
                applied += apply(batch, stamp, plan, trust, page, &mut seen)?;
            }
            let changed = applied.inserted + applied.updated > 0;
            let nothing_left = mode != Mode::Full || applied.stale.is_empty();
            let saved = resumable && nothing_left && (changed || checkpoint_is_due);
            if saved {
                if !is_split {
                    checkpoint.inserted += applied.inserted;
                    checkpoint.customers = seen.count();
                    checkpoint.seen = seen.clone();
                }
                batch.save_checkpoint(mode, &checkpoint)?;
                record_findings(batch, stamp.now, &checkpoint.base_url, &findings)?;
            }
            Ok(Taken { seen, overlap, met: IdSet::default(), applied: Some(applied), pages, saved })
        })
        .await?;
    let Taken { seen, overlap, met, applied, pages, saved } = taken;
    (walk.seen, walk.overlap, walk.met) = (seen, overlap, met);
    let Some(applied) = applied else {
        walk.hold(pages);
        return Ok(Vec::new());
    };
    walk.is_confirmed = true;
    if saved {
        *last_checkpoint = Instant::now();
    }
    Ok(count(context, walk, applied))
}

/// Whether the newest of the pages shows that the list is this account's. A customer who comes again is `met` already.
fn shows_account(
    batch: &Batch<'_>,
    pages: &[DecodedRecords<Customer>],
    overlap: &mut Overlap,
    met: &mut IdSet,
) -> Result<bool, MirrorError> {
    if let Some(newest) = pages.last() {
        let readable = newest.rejected.iter().filter_map(|item| Customer::peek(&item.raw));
        let mut listed: Vec<Customer> = newest.records.iter().cloned().chain(readable).collect();
        let nameless = newest.len() - listed.len();
        listed.retain(|customer| met.insert(&customer.id));
        overlap.listed += (listed.len() + nameless) as u64;
        overlap.known += batch.known_customers(&listed)?;
    }
    Ok(overlap.is_enough())
}

/// Counts what pages did; returns whose events are due.
fn count(context: &Context, walk: &mut CustomerWalk, applied: CustomersApplied) -> Vec<String> {
    walk.inserted += applied.inserted;
    walk.changed += applied.inserted + applied.updated;
    for row in &applied.stale {
        walk.stale.insert(*row);
    }
    let rows = applied.first_met;
    walk.counted += rows;
    context.counters.count(|counts| {
        counts.customers_seen += rows;
        counts.customers_inserted += applied.inserted;
        counts.customers_updated += applied.updated;
        counts.customers_stale += applied.stale.len() as u64;
    });
    context.counters.undated(Stream::Customers, &applied.undated);
    context.counters.observe(&Event::CustomerPageStored { rows });
    applied.due
}

/// What became of a page.
struct Taken {
    seen: RowSet,
    overlap: Overlap,
    met: IdSet,
    /// `None`: it isn't known yet whose list this is.
    applied: Option<CustomersApplied>,
    /// The page, behind those that had been held back.
    pages: Vec<DecodedRecords<Customer>>,
    /// Whether the checkpoint was renewed.
    saved: bool,
}

/// How far a page of the list is believed. Where another account was accepted, its customers may have the ids of the old
/// one's; which of the two was changed later means nothing.
fn listed_trust(context: &Context) -> Trust {
    if context.settings.accept_account { Trust::Alone } else { Trust::Listed }
}

/// Takes customers into the mirror, and sets aside what can't be taken as it stands.
pub(in crate::sync) fn apply(
    batch: &mut Batch<'_>,
    stamp: Stamp,
    plan: EventPlan,
    trust: Trust,
    sorted: &DecodedRecords<Customer>,
    seen: &mut RowSet,
) -> Result<CustomersApplied, MirrorError> {
    let mut applied = batch.apply_customers(stamp, &sorted.records, trust, plan, seen)?;
    set_aside_customers(batch, stamp, plan, sorted, seen, &mut applied)?;
    Ok(applied)
}

/// Keeps that the list was walked to its end: a run that is cut off from here on needs not list it again. And what
/// the next walk can make use of.
async fn keep_end(context: &Context, walk: CustomerWalk, whole: Whole) -> Result<CustomerWalk, SyncError> {
    learn_token_names(context, &walk, &whole);
    let (mode, checkpoint) = (walk.mode, walk.checkpoint(&context.settings.base_url));
    let (findings, stamp, began) = (context.known.findings(), context.stamp(), walk.started_at);
    let has_work = context.counters.totals().counts.changes() > 0 || mode == Mode::Full;
    let is_of_use = walk.is_confirmed && walk.end.is_proven();
    let has_work = has_work && walk.may_be_cut_off() && is_of_use;
    let tokens = whole.tokens.filter(|_| is_of_use);
    context
        .write(move |batch| {
            if is_of_use {
                batch.forget_rejected_customers(stamp, began)?;
            }
            record_findings(batch, stamp.now, &checkpoint.base_url, &findings)?;
            if let Some(tokens) = tokens {
                batch.replace_saved_tokens(&checkpoint.base_url, &tokens)?;
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
    let is_long = whole.tokens.as_ref().is_some_and(|tokens| !tokens.is_empty());
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
pub(in crate::sync) async fn queue_due(
    context: &Context,
    due: &mpsc::Sender<String>,
    customers: Vec<String>,
) -> bool {
    if customers.is_empty() {
        return !context.halt.is_cancelled();
    }
    context.counters.observe(&Event::EventWalksPlanned { customers: customers.len() as u64 });
    for customer in customers {
        match context.halt.run_until_cancelled(due.send(customer)).await {
            Some(Ok(())) => {}
            _ => return false,
        }
    }
    true
}
