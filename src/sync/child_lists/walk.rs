//! The walk of one parent's list of children: a customer's events.

use crate::api::{Cursor, ErrorKind, Item, List, ListEnd, Page, RepairedItem, Turn, WalkError};
use crate::diff::looks::{LastLook, Sightings};
use crate::diff::{EventListShape, Trust, is_short};
use crate::mirror::{Batch, ChildrenApplied, Doubts, DueParent, MirrorError, Stamp};
use crate::observe;
use crate::record::{IdSet, Record, Stream};
use crate::sync::SyncError;
use crate::sync::context::{Context, clear_hints, rows, turn};
use crate::sync::decoded_records::{DecodedRecords, set_aside};
use crate::sync::looks::server_seconds;
use jiff::Timestamp;
use std::collections::HashSet;

/// How many records of a customer are kept in memory before they are written. Most customers' events take one write, and a
/// customer with a million events takes no more memory than this.
const RECORDS_PER_WRITE: usize = 500;

/// How far a customer's events were read.
pub(super) enum Outcome {
    /// To their end.
    Whole,
    /// Far enough to see that they don't keep the customer, whom the mirror lacks, from having expired.
    LeftOut,
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
pub(super) async fn walk(context: &Context, due: &DueParent, reading: Reading) -> Result<Outcome, SyncError> {
    match walk_known(context, due, reading).await {
        Err(SyncError::Walk(error)) if is_not_found(&error) => vanished(context, &due.parent.id, error).await,
        read => read,
    }
}

async fn walk_known(context: &Context, due: &DueParent, reading: Reading) -> Result<Outcome, SyncError> {
    let started_at = Timestamp::now();
    let first = run_pass(context, due, (Pass::First(reading), HashSet::new()), started_at).await?;
    let Some(first) = first else { return Ok(Outcome::Halted) };
    if !first.is_in_doubt(context) {
        return Ok(Outcome::Whole);
    }
    let is_full = context.plan.is_of_everybody();
    let doubted = if is_full { first.doubts.now } else { HashSet::new() };
    let pass = Pass::Second { has_contested: first.has_contested };
    let second = run_pass(context, due, (pass, doubted), started_at).await?;
    Ok(if second.is_some() { Outcome::Whole } else { Outcome::Halted })
}

pub(super) fn is_not_found(error: &WalkError) -> bool {
    error.api().is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

/// The API answered 404 for the events. If it does for the customer too, the customer was deleted after it was listed.
pub(super) async fn vanished(context: &Context, id: &str, error: WalkError) -> Result<Outcome, SyncError> {
    match context.halt.run_until_cancelled(context.client.retrieve(context.stream, id)).await {
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
    /// Uses no page tokens from before.
    Second {
        /// As in the first reading's [`PassResult`].
        has_contested: bool,
    },
}

/// What one reading of a customer's events brought.
struct PassResult {
    seen: IdSet,
    shape: EventListShape,
    sightings: Sightings,
    doubts: Doubts,
    /// How many of its events the mirror lacks and were not taken, because they have expired.
    expired: u64,
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
            sightings: Sightings::default(),
            doubts: Doubts::default(),
            expired: 0,
            missing: 0,
            is_evidence: true,
            has_contested: false,
        }
    }

    /// Whether a second reading is needed.
    fn is_in_doubt(&self, context: &Context) -> bool {
        let is_full = context.plan.is_of_everybody();
        (is_full && !self.doubts.now.is_empty())
            || (self.missing > 0 && context.settings.deletion_wait.is_zero())
    }
}

/// Reads the list to its end and stores what it brings; `None` if the run halts in the meantime. `started_at` is stored
/// with the last records as the time of the check, unless a second reading is needed. `doubted` are the events that the first
/// reading listed in an older version than the mirror's.
async fn run_pass(
    context: &Context,
    due: &DueParent,
    (pass, doubted): (Pass, HashSet<String>),
    started_at: Timestamp,
) -> Result<Option<PassResult>, SyncError> {
    let Some(child) = context.stream.child() else { return Ok(Some(PassResult::new())) };
    let list = List::of_parent(child, due.parent.id.clone());
    let pager = context.pager(list.clone(), Cursor::Start);
    let is_first = matches!(pass, Pass::First(_));
    let mut pager = if is_first { pager } else { pager.rechecking_direction() };
    // As with customers, events of another account may have the same ids.
    let trust = if context.settings.accept_account { Trust::Alone } else { Trust::Listed };
    let mut result = PassResult::new();
    result.doubts.before = doubted;
    let mut waiting = DecodedRecords::default();
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
                let new = note(&mut result, &page);
                if pass == Pass::First(Reading::First) {
                    context.counters.count(|counts| counts[child].seen += new);
                    context.counters.observe(&observe::Event::EventPageStored { rows: new });
                }
                waiting.add(&context.counters, page.items);
            }
            Turn::Restarted => {
                (result.seen, result.shape) = (IdSet::default(), EventListShape::default());
                result.sightings = Sightings::default();
            }
            Turn::End(end) => {
                if let ListEnd::Unproven(why) = end {
                    result.is_evidence = false;
                    context.counters.unproven_end(child, why);
                }
                break;
            }
        }
        if waiting.len() >= RECORDS_PER_WRITE {
            let records = std::mem::take(&mut waiting);
            store(context, &list, records, trust, &mut result, None).await?;
        }
    }
    let end = End { due: due.clone(), pass, started_at };
    store(context, &list, waiting, trust, &mut result, Some(end)).await?;
    if pass == Pass::First(Reading::First) {
        context.counters.count(|counts| counts.expired += result.expired);
    }
    Ok(Some(result))
}

/// A list's end, to be stored with its last records.
struct End {
    due: DueParent,
    pass: Pass,
    started_at: Timestamp,
}

/// Returns how many events of a page the list's earlier pages lacked.
fn note(result: &mut PassResult, page: &Page<Record>) -> u64 {
    result.shape.add_page(rows(page));
    let mut new = 0;
    for item in &page.items {
        let id = match item {
            Item::Record(event) | Item::Repaired(RepairedItem { record: event, .. }) => {
                result.sightings.add(event);
                Some(event.id())
            }
            Item::Rejected(rejected) => rejected.id.as_deref(),
        };
        match id {
            Some(id) => new += u64::from(result.seen.insert(id)),
            None => {
                result.is_evidence = false;
                new += 1;
            }
        }
    }
    new
}

/// Stores records, and at the list's end what the whole reading proves.
async fn store(
    context: &Context,
    list: &List,
    records: DecodedRecords,
    trust: Trust,
    result: &mut PassResult,
    end: Option<End>,
) -> Result<(), SyncError> {
    let (list, stream) = (list.clone(), list.stream());
    let mut so_far = std::mem::replace(result, PassResult::new());
    let claimant = list.parent().unwrap_or_default().to_owned();
    let here = context.clone();
    let (mut applied, is_short, after) = context
        .write_stamped(move |batch, stamp| {
            let parent = list.parent().unwrap_or_default();
            let mut applied =
                batch.apply_children(stamp, stream, parent, &records.records, trust, &mut so_far.doubts)?;
            let expired: Vec<&str> = applied.expired.iter().map(String::as_str).collect();
            for (id, _) in set_aside(batch, stamp, &list, &records, &expired)? {
                // The list has it, even though it can't be stored: it is not missing.
                id.map_or(Ok(()), |id| batch.clear_missing(stream, &id))?;
            }
            so_far.expired += applied.expired.len() as u64;
            so_far.has_contested |= !applied.contested.is_empty();
            let is_short = match end {
                Some(end) => ended(&here, batch, (stamp, stream), end, &mut so_far, applied.unlisted.take())?,
                None => false,
            };
            Ok((applied, is_short, so_far))
        })
        .await?;
    *result = after;
    if is_short {
        context.counters.short_event_list(&claimant);
    }
    context.pending.add_contested(&claimant, std::mem::take(&mut applied.contested));
    count(context, stream, applied);
    Ok(())
}

/// Records which events a reading lacked, and that the customer was checked if no second reading follows. Returns whether
/// the list ended too early.
fn ended(
    context: &Context,
    batch: &mut Batch<'_>,
    (stamp, stream): (Stamp, Stream),
    end: End,
    result: &mut PassResult,
    unlisted: Option<Vec<(i64, String)>>,
) -> Result<bool, MirrorError> {
    let (parent, customer) = (&end.due.parent, end.due.parent.id.as_str());
    let rows: Vec<i64> = match unlisted {
        Some(unlisted) => {
            unlisted.into_iter().filter(|(_, id)| !result.seen.contains(id)).map(|(row, _)| row).collect()
        }
        None => batch.child_rows_not_in(stream, customer, &result.seen)?,
    };
    let wait = context.settings.deletion_wait;
    let is_short = result.is_evidence
        && !rows.is_empty()
        && is_short(batch.known_list(stream, customer)?, result.shape, stamp.now, wait);
    if is_short {
        batch.note_short_list(stamp, stream, customer)?;
    } else if result.is_evidence {
        match end.pass {
            // A second reading confirms what the first one lacked.
            Pass::First(_) => batch.mark_missing(stamp, stream, &rows, !wait.is_zero())?,
            Pass::Second { .. } if wait.is_zero() => batch.confirm_missing(stamp, stream, &rows)?,
            Pass::Second { .. } => batch.mark_missing(stamp, stream, &rows, true)?,
        }
        batch.keep_list(stream, customer, result.shape)?;
        result.missing = rows.len() as u64;
    }
    let has_contested = result.has_contested || matches!(end.pass, Pass::Second { has_contested: true });
    if matches!(end.pass, Pass::Second { .. }) || !result.is_in_doubt(context) {
        let checked_at = Some(end.started_at).filter(|_| !has_contested && !is_short);
        batch.forget_rejected_children(stamp, stream, customer)?;
        let look = match result.is_evidence && !is_short {
            true => Some(learn(context, batch, &end, std::mem::take(&mut result.sightings))?),
            false => None,
        };
        batch.note_look(context.stream, parent, checked_at, look.as_ref())?;
        clear_hints(context, batch, customer)?;
    }
    Ok(is_short)
}

/// Learns from a whole list when events come. A list that is read again in the same run tells nothing more, and isn't
/// counted.
fn learn(
    context: &Context,
    batch: &Batch<'_>,
    end: &End,
    sightings: Sightings,
) -> Result<LastLook, MirrorError> {
    let DueParent { parent, signal } = &end.due;
    let before = batch.last_look(context.stream, parent)?;
    let now = server_seconds(&context.client, end.started_at);
    let began = match before.is_none() && sightings.is_empty() {
        true => batch.created_at(context.stream, parent)?,
        false => None,
    };
    let (look, found) = context.looks.learn(before.as_ref(), (sightings, began.unwrap_or(now)), now);
    if end.pass != Pass::First(Reading::Again) {
        context.looks.count(*signal, found);
    }
    Ok(look)
}

fn count(context: &Context, stream: Stream, applied: ChildrenApplied) {
    context.counters.applied(stream, &applied.rows);
    context.counters.count(|counts| counts[stream].stale += applied.stale);
}
