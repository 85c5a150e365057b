//! Stores one page of the customer list.

use super::walk_state::ListWalk;
use crate::api::{Cursor, Page};
use crate::diff::{EventPlan, Overlap, Trust};
use crate::mirror::{Batch, Due, MirrorError, Mode, ParentsApplied, Stamp};
use crate::observe::Event;
use crate::record::{IdSet, Record, RowSet, Stream};
use crate::sync::SyncError;
use crate::sync::context::{Context, record_findings};
use crate::sync::decoded_records::{DecodedRecords, set_aside_parents};
use std::time::{Duration, Instant};

/// How often the checkpoint is saved while nothing changes. A run that finds nothing new then writes next to nothing.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(2);

/// A checkpoint names every customer that the walk has met. Up to so many, it is saved with each page that brings a change.
const SMALL_CHECKPOINT: u64 = 10_000;

/// How often a larger one is saved while pages bring changes: with each page, a list that is ten times as long would take a
/// hundred times as much writing. A run that resumes reads again what was listed since.
const LARGE_CHECKPOINT_EVERY: Duration = Duration::from_millis(250);

/// A page that is about to be stored.
pub(super) struct StoredPage {
    sorted: DecodedRecords,
    cursor: Option<Cursor>,
    checkpoint_is_due: bool,
    /// Whether it is due if the page changes anything.
    is_due_after_change: bool,
}

impl StoredPage {
    pub(super) fn new(
        context: &Context,
        walk: &mut ListWalk,
        page: Page<Record>,
        since_checkpoint: Duration,
    ) -> StoredPage {
        walk.pages += 1;
        context.counters.count(|counts| counts[context.stream].lists += 1);
        let mut sorted = DecodedRecords::default();
        sorted.add(&context.counters, page.items);
        let checkpoint_is_due = since_checkpoint >= CHECKPOINT_EVERY;
        let is_due_after_change =
            walk.seen.count() <= SMALL_CHECKPOINT || since_checkpoint >= LARGE_CHECKPOINT_EVERY;
        StoredPage { sorted, cursor: page.checkpoint, checkpoint_is_due, is_due_after_change }
    }
}

/// Stores rows, change log, findings and checkpoint of one page in one transaction. Returns the customers whose events are
/// due.
pub(super) async fn store_page(
    context: &Context,
    walk: &mut ListWalk,
    page: StoredPage,
    last_checkpoint: &mut Instant,
) -> Result<Vec<Due>, SyncError> {
    let StoredPage { sorted, cursor, checkpoint_is_due, is_due_after_change } = page;
    walk.cursor = cursor;
    // Another run can't begin where this page was: there is no such place, or what is dormant before it isn't known there.
    let is_from_start = walk.is_split || context.looks_at_dormant;
    let resumable = (is_from_start || walk.cursor.is_some()) && walk.may_be_cut_off();
    // They move into the job and back. They are copied only if a checkpoint is saved.
    let (mut seen, mut pages) = (std::mem::take(&mut walk.seen), std::mem::take(&mut walk.held));
    pages.push(sorted);
    let (mode, base_url) = (walk.mode, &context.settings.base_url);
    let mut checkpoint = match is_from_start {
        true => walk.checkpoint_at_start(base_url),
        false => walk.checkpoint(base_url),
    };
    let (stream, plan) = (context.stream, context.plan.clone());
    let (is_confirmed, overlap, mut met) = (walk.is_confirmed, walk.overlap, std::mem::take(&mut walk.met));
    let (trust, findings) = (listed_trust(context), context.known.findings());
    let taken = context
        .write_stamped(move |batch, stamp| {
            let mut overlap = overlap;
            if !is_confirmed && !shows_account(batch, stream, &pages, &mut overlap, &mut met)? {
                return Ok(Taken { seen, overlap, met, applied: None, pages, saved: false });
            }
            let mut applied = ParentsApplied::default();
            for page in &pages {
                applied += apply(batch, stamp, stream, (&plan, trust), page, &mut seen)?;
            }
            let changed = applied.rows.inserted + applied.rows.updated > 0;
            let nothing_left = mode != Mode::Full || applied.stale.is_empty();
            let is_due = checkpoint_is_due || (changed && is_due_after_change);
            let saved = resumable && nothing_left && is_due;
            if saved {
                if !is_from_start {
                    checkpoint.inserted += applied.rows.inserted;
                    checkpoint.records = seen.count();
                    checkpoint.seen = seen.clone();
                }
                batch.save_checkpoint(stream, mode, &checkpoint)?;
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
    stream: Stream,
    pages: &[DecodedRecords],
    overlap: &mut Overlap,
    met: &mut IdSet,
) -> Result<bool, MirrorError> {
    if let Some(newest) = pages.last() {
        let readable = newest.rejected.iter().filter_map(|item| Record::peek(stream, None, &item.raw));
        let mut listed: Vec<Record> = newest.records.iter().cloned().chain(readable).collect();
        let nameless = newest.len() - listed.len();
        listed.retain(|record| met.insert(record.id()));
        overlap.listed += (listed.len() + nameless) as u64;
        overlap.known += batch.known(stream, &listed)?;
    }
    Ok(overlap.is_enough())
}

/// Counts what was stored; returns the customers whose events are due.
fn count(context: &Context, walk: &mut ListWalk, applied: ParentsApplied) -> Vec<Due> {
    walk.inserted += applied.rows.inserted;
    walk.changed += applied.rows.inserted + applied.rows.updated;
    for row in &applied.stale {
        walk.stale.insert(*row);
    }
    let rows = applied.first_met;
    walk.counted += rows;
    context.counters.count(|counts| {
        counts[context.stream].seen += rows;
        counts[context.stream].stale += applied.stale.len() as u64;
        counts.kept_out += applied.kept_out;
        if !context.looks_at_dormant {
            counts.expired += applied.dormant.len() as u64;
        }
    });
    context.counters.applied(context.stream, &applied.rows);
    context.counters.observe(&Event::CustomerPageStored { rows });
    let dormant = applied.dormant.into_iter().filter(|_| context.looks_at_dormant);
    applied.due.into_iter().map(Due::from).chain(dormant.map(Due::from)).collect()
}

/// What became of a page.
struct Taken {
    seen: RowSet,
    overlap: Overlap,
    met: IdSet,
    /// `None` if it isn't known yet whose list this is.
    applied: Option<ParentsApplied>,
    /// The pages that had been held back, and this one.
    pages: Vec<DecodedRecords>,
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
    stream: Stream,
    (plan, trust): (&EventPlan, Trust),
    sorted: &DecodedRecords,
    seen: &mut RowSet,
) -> Result<ParentsApplied, MirrorError> {
    let mut applied = batch.apply_parents(stamp, stream, &sorted.records, trust, plan, seen)?;
    set_aside_parents(batch, stamp, stream, plan, sorted, seen, &mut applied)?;
    Ok(applied)
}
