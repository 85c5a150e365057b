//! The walk of one customer's event list.

use crate::api::{Cursor, ErrorKind, Item, List, ListEnd, Page, Pager, Turn, WalkError};
use crate::diff::{EventListShape, EventPlan, Trust, is_short};
use crate::mirror::{Batch, EventsApplied, MirrorError, Stamp};
use crate::observe;
use crate::record::{Decoded, Event, IdSet, Rejection, Stream};
use crate::sync::SyncError;
use crate::sync::context::{Context, rows, turn};
use crate::sync::decoded_records::{DecodedRecords, set_aside};
use jiff::Timestamp;

/// How many records of a customer are kept in memory before they are written. Most customers' events take one write, and a
/// customer with a million events takes no more memory than this.
const RECORDS_PER_WRITE: usize = 500;

/// How far a customer's events were read.
pub(super) enum Outcome {
    /// To their end.
    Whole,
    /// The run halted meanwhile.
    Halted,
    /// Not at all: the customer was deleted during the run. The next walk of the customer list will lack it.
    Vanished,
}

/// Whether the run reads these lists for the first time. A list that is read again isn't counted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sync) enum Reading {
    First,
    Again,
}

/// Reads one customer's events. They are read a second time if the first reading brought versions older than the mirror's
/// (in a full sync), or if it lacked events and deletions don't have to wait for another run.
pub(super) async fn walk(context: &Context, customer: &str, reading: Reading) -> Result<Outcome, SyncError> {
    match walk_known(context, customer, reading).await {
        Err(SyncError::Walk(error)) if is_not_found(&error) => vanished(context, customer, error).await,
        read => read,
    }
}

async fn walk_known(context: &Context, customer: &str, reading: Reading) -> Result<Outcome, SyncError> {
    let started_at = Timestamp::now();
    let Some(first) = run_pass(context, customer, Pass::First(reading), started_at).await? else {
        return Ok(Outcome::Halted);
    };
    if !first.is_in_doubt(context) {
        return Ok(Outcome::Whole);
    }
    let second =
        run_pass(context, customer, Pass::Second { has_contested: first.has_contested }, started_at).await?;
    Ok(if second.is_some() { Outcome::Whole } else { Outcome::Halted })
}

fn is_not_found(error: &WalkError) -> bool {
    error.api().is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

/// The API answered 404 for the events. If it does for the customer too, the customer was deleted after it was listed.
async fn vanished(context: &Context, customer: &str, error: WalkError) -> Result<Outcome, SyncError> {
    match context.halt.run_until_cancelled(context.client.retrieve(customer)).await {
        None => Ok(Outcome::Halted),
        Some(Err(gone)) if gone.kind() == ErrorKind::NotFound && gone.is_documented_form() => {
            Ok(Outcome::Vanished)
        }
        Some(Err(other)) => Err(other.into()),
        Some(Ok(_)) => Err(error.into()),
    }
}

/// Which reading of a customer's event list it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    First(Reading),
    /// Uses no page tokens from before, and accepts older versions than the mirror's.
    Second {
        /// As in the first reading's [`PassResult`].
        has_contested: bool,
    },
}

/// What one reading of a customer's events brought.
struct PassResult {
    seen: IdSet,
    shape: EventListShape,
    stale: u64,
    /// How many of the customer's mirrored events it lacked.
    missing: u64,
    /// Whether an event's absence proves anything: the list's end is proven, and every record had a usable id.
    is_evidence: bool,
    /// Whether it listed events that the mirror holds under another customer and leaves there for now. The customer's
    /// events then stay due.
    has_contested: bool,
}

impl PassResult {
    fn new() -> PassResult {
        PassResult {
            seen: IdSet::default(),
            shape: EventListShape::default(),
            stale: 0,
            missing: 0,
            is_evidence: true,
            has_contested: false,
        }
    }

    /// Whether a second reading is needed.
    fn is_in_doubt(&self, context: &Context) -> bool {
        let is_full = matches!(context.plan, EventPlan::Everybody { .. });
        (is_full && self.stale > 0) || (self.missing > 0 && context.settings.deletion_wait.is_zero())
    }
}

/// Reads the list to its end and stores what it brings; `None` if the run halts in the meantime. `started_at` is stored
/// with the last records as the time of the check, unless a second reading is needed.
async fn run_pass(
    context: &Context,
    customer: &str,
    pass: Pass,
    started_at: Timestamp,
) -> Result<Option<PassResult>, SyncError> {
    let list = List::Events { customer_id: customer.to_owned() };
    let pager =
        Pager::new(context.client.clone(), context.known.clone(), list.clone(), Cursor::Start, decode);
    let is_first = matches!(pass, Pass::First(_));
    let mut pager = if is_first { pager } else { pager.rechecking_direction() };
    let trust = match context.plan {
        EventPlan::Everybody { .. } if !is_first => Trust::Alone,
        // As with customers, events of another account may have the same ids.
        _ if context.settings.accept_account => Trust::Alone,
        _ => Trust::Listed,
    };
    let mut result = PassResult::new();
    let mut waiting = DecodedRecords::new();
    loop {
        let Some(turn) = turn(context, &mut pager).await else { return Ok(None) };
        let turn = match turn {
            Ok(turn) => turn,
            Err(error) => {
                // What was read before the error is valid and is kept.
                store(context, &list, waiting, trust, &mut result, None).await?;
                return Err(error.into());
            }
        };
        match turn {
            Turn::Page(page) => {
                note(context, &mut result, &page, pass == Pass::First(Reading::First));
                waiting.add(&context.counters, Stream::Events, page.items);
            }
            Turn::Restarted => {
                (result.seen, result.shape) = (IdSet::default(), EventListShape::default());
            }
            Turn::End(end) => {
                if let ListEnd::Unproven(why) = end {
                    result.is_evidence = false;
                    context.counters.unproven_end(why);
                }
                break;
            }
        }
        if waiting.len() >= RECORDS_PER_WRITE {
            let records = std::mem::replace(&mut waiting, DecodedRecords::new());
            store(context, &list, records, trust, &mut result, None).await?;
        }
    }
    let end = End { customer: customer.to_owned(), pass, started_at };
    store(context, &list, waiting, trust, &mut result, Some(end)).await?;
    Ok(Some(result))
}

/// A list's end, to be stored with its last records.
struct End {
    customer: String,
    pass: Pass,
    started_at: Timestamp,
}

pub(in crate::sync) fn decode(list: &List, record: &str) -> Result<Decoded<Event>, Rejection> {
    Event::decode_telling(list.customer_id().unwrap_or_default(), record)
}

/// Counts each event of a list once.
fn note(context: &Context, result: &mut PassResult, page: &Page<Event>, is_counted: bool) {
    result.shape.add_page(rows(page));
    let mut new = 0;
    for item in &page.items {
        let id = match item {
            Item::Record(event) => Some(&event.id),
            Item::Repaired(repaired) => Some(&repaired.record.id),
            Item::Rejected(rejected) => rejected.id.as_ref(),
        };
        match id {
            Some(id) => new += u64::from(result.seen.insert(id)),
            None => {
                result.is_evidence = false;
                new += 1;
            }
        }
    }
    if is_counted {
        context.counters.count(|counts| counts.events_seen += new);
        context.counters.observe(&observe::Event::EventPageStored { rows: new });
    }
}

/// Stores records, and at the list's end what the whole reading proves.
async fn store(
    context: &Context,
    list: &List,
    records: DecodedRecords<Event>,
    trust: Trust,
    result: &mut PassResult,
    end: Option<End>,
) -> Result<(), SyncError> {
    let (stamp, list) = (context.stamp(), list.clone());
    let mut so_far = std::mem::replace(result, PassResult::new());
    let claimant = list.customer_id().unwrap_or_default().to_owned();
    let here = context.clone();
    let (mut applied, is_short, after) = context
        .write(move |batch| {
            let customer_id = list.customer_id().unwrap_or_default();
            let mut applied = batch.apply_events(stamp, customer_id, &records.records, trust)?;
            for (id, _) in set_aside(batch, stamp, &list, &records)? {
                // The list has it, even though it can't be stored: it is not missing.
                id.map_or(Ok(()), |id| batch.clear_missing(&id))?;
            }
            so_far.stale += applied.stale;
            so_far.has_contested |= !applied.contested.is_empty();
            let is_short = match end {
                Some(end) => ended(&here, batch, end, &mut so_far, applied.unlisted.take())?,
                None => false,
            };
            Ok((applied, is_short, so_far))
        })
        .await?;
    *result = after;
    if is_short {
        context.counters.short_event_list(&claimant);
    }
    context.pending.add_contested_events(&claimant, std::mem::take(&mut applied.contested));
    count(context, applied);
    Ok(())
}

/// Records which events a reading lacked, and that the customer was checked if no second reading follows. Returns whether
/// the list ended too early.
fn ended(
    context: &Context,
    batch: &mut Batch<'_>,
    end: End,
    result: &mut PassResult,
    unlisted: Option<Vec<(i64, String)>>,
) -> Result<bool, MirrorError> {
    let (stamp, customer) = (context.stamp(), end.customer.as_str());
    let rows: Vec<i64> = match unlisted {
        Some(unlisted) => {
            unlisted.into_iter().filter(|(_, id)| !result.seen.contains(id)).map(|(row, _)| row).collect()
        }
        None => batch.event_rows_not_in(customer, &result.seen)?,
    };
    let wait = context.settings.deletion_wait;
    let is_short = result.is_evidence
        && !rows.is_empty()
        && is_short(batch.event_list(customer)?, result.shape, stamp.now, wait);
    if is_short {
        batch.note_short_event_list(stamp, customer)?;
    } else if result.is_evidence {
        match end.pass {
            // A second reading confirms what the first one lacked.
            Pass::First(_) => batch.mark_missing(stamp, &rows, !wait.is_zero())?,
            Pass::Second { .. } if wait.is_zero() => batch.confirm_missing(stamp, &rows)?,
            Pass::Second { .. } => batch.mark_missing(stamp, &rows, true)?,
        }
        batch.keep_event_list(customer, result.shape)?;
        result.missing = rows.len() as u64;
    }
    let has_contested = result.has_contested || matches!(end.pass, Pass::Second { has_contested: true });
    if matches!(end.pass, Pass::Second { .. }) || !result.is_in_doubt(context) {
        mark_checked(batch, stamp, customer, Some(end.started_at).filter(|_| !has_contested && !is_short))?;
    }
    Ok(is_short)
}

fn count(context: &Context, applied: EventsApplied) {
    context.counters.undated(Stream::Events, &applied.undated);
    context.counters.count(|counts| {
        counts.events_inserted += applied.inserted;
        counts.events_updated += applied.updated;
        counts.events_stale += applied.stale;
    });
}

/// Records that the customer's events were read to their end at `at`; `None` if they are to be read again.
fn mark_checked(
    batch: &mut Batch<'_>,
    stamp: Stamp,
    customer: &str,
    at: Option<Timestamp>,
) -> Result<(), MirrorError> {
    batch.forget_rejected_events(stamp, customer)?;
    match at {
        Some(at) => batch.mark_events_checked(customer, at),
        None => batch.leave_events_due(customer),
    }
}
