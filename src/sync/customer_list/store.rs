//! Stores one page of the customer list.

use super::walk_state::CustomerWalk;
use crate::api::{Cursor, Finding, Page};
use crate::diff::{EventPlan, Overlap, Trust};
use crate::mirror::{Batch, CustomersApplied, MirrorError, Mode, RowSet, Stamp};
use crate::observe::Event;
use crate::record::{Customer, IdSet, Stream};
use crate::sync::SyncError;
use crate::sync::context::{Context, record_findings};
use crate::sync::decoded_records::{DecodedRecords, set_aside_customers};
use std::time::{Duration, Instant};

/// How often the checkpoint is saved while nothing changes. A run that finds nothing new then writes next to nothing.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(2);

/// A page that is about to be stored.
pub(super) struct StoredPage {
    sorted: DecodedRecords<Customer>,
    cursor: Option<Cursor>,
    checkpoint_is_due: bool,
}

impl StoredPage {
    pub(super) fn new(
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

/// Stores rows, change log, findings and checkpoint of one page in one transaction. Returns the customers whose events are
/// due.
pub(super) async fn store_page(
    context: &Context,
    walk: &mut CustomerWalk,
    page: StoredPage,
    findings: Vec<Finding>,
    last_checkpoint: &mut Instant,
) -> Result<Vec<String>, SyncError> {
    let StoredPage { sorted, cursor, checkpoint_is_due } = page;
    walk.cursor = cursor;
    let resumable = (walk.is_split || walk.cursor.is_some()) && walk.may_be_cut_off();
    // They move into the job and back. They are copied only if a checkpoint is saved.
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

/// Whether the last page shows that the list is this account's. Customers in `met` have been counted before.
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

/// Counts what was stored; returns the customers whose events are due.
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
    /// `None` if it isn't known yet whose list this is.
    applied: Option<CustomersApplied>,
    /// The pages that had been held back, and this one.
    pages: Vec<DecodedRecords<Customer>>,
    /// Whether the checkpoint was saved.
    saved: bool,
}

/// How far a page of the list is trusted. If another account was accepted, its customers may have the same ids as the old
/// account's, so it means nothing which of the two versions is newer.
fn listed_trust(context: &Context) -> Trust {
    if context.settings.accept_account { Trust::Alone } else { Trust::Listed }
}

/// Stores customers, and sets aside records that can't be stored as they are.
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
