//! The walks of customers' events, many at once.

use super::SyncError;
use super::context::{Context, Sorted, rows, set_aside, turn};
use super::report::Failure;
use crate::api::{ApiError, Cursor, ErrorKind, Item, List, Page, Pager, Turn, WalkError};
use crate::diff::{EventPlan, Parted, Trust};
use crate::mirror::{Batch, EventsApplied, MirrorError, Stamp};
use crate::observe;
use crate::record::{Decoded, Event, IdSet, Rejection, Stream};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// Records of a customer kept in memory before they are written: a customer's events are mostly one write, and a
/// customer with a million of them takes no more memory than this.
const RECORDS_PER_WRITE: usize = 500;

/// How a customer's events were read.
enum Read {
    /// To their end.
    Whole,
    /// The run halted meanwhile.
    Halted,
    /// The customer is gone: the next walk of the customer list will miss it.
    Vanished,
}

/// Reads the events of every customer that comes through `due`, up to four times `concurrency` customers at once, until the
/// channel is closed and empty, or the run halts.
///
/// A customer whose events can't be read is noted and left behind. Only a refused key, the mirror's errors, and a
/// server that fails for many customers in a row end the run.
pub(super) async fn walk_all(context: &Context, due: mpsc::Receiver<String>) -> Result<(), SyncError> {
    let walks = Arc::new(Walks { due: Mutex::new(due), failures_in_a_row: AtomicUsize::new(0) });
    // Several times as many as requests: while some walkers wait for a commit to reach the disk, others use their slots.
    let count = 4 * context.settings.concurrency.max(1);
    let mut walkers = JoinSet::new();
    for _ in 0..count {
        walkers.spawn(walker(context.clone(), walks.clone()));
    }
    let mut result = Ok(());
    while let Some(joined) = walkers.join_next().await {
        if let Err(error) = joined.map_err(SyncError::crashed).flatten() {
            // The others end by themselves, after what they are writing: it is to be counted.
            context.halt.cancel();
            result = result.and(Err(error));
        }
    }
    result
}

/// So many customers in a row whose events can't be read because of the server show that it is down.
pub(super) const FAILURES_THAT_SHOW: usize = 20;

/// What walkers share.
struct Walks {
    due: Mutex<mpsc::Receiver<String>>,
    /// Customers whose events could not be read because of the server, since the last one whose could.
    failures_in_a_row: AtomicUsize,
}

/// Reads the events of one customer after the other. A task for each customer would have to be set up as often.
async fn walker(context: Context, walks: Arc<Walks>) -> Result<(), SyncError> {
    while let Some(customer) = context.halt.run_until_cancelled(walks.next()).await.flatten() {
        let result = walk(&context, &customer).await;
        walks.finished(&context, &customer, result).await?;
    }
    Ok(())
}

impl Walks {
    async fn next(&self) -> Option<String> {
        self.due.lock().await.recv().await
    }

    /// Takes note of a walk's end.
    async fn finished(
        &self,
        context: &Context,
        customer: &str,
        result: Result<Read, SyncError>,
    ) -> Result<(), SyncError> {
        let is_down = match result {
            Err(SyncError::Walk(error)) => failed(context, customer, error).await?,
            Err(error) => return Err(error),
            Ok(read) => {
                succeeded(context, customer, &read);
                None
            }
        };
        let Some(last) = is_down else {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
            return Ok(());
        };
        let customers = 1 + self.failures_in_a_row.fetch_add(1, Ordering::Relaxed);
        match customers >= FAILURES_THAT_SHOW {
            true => Err(SyncError::ServerDown { customers, last: Box::new(last) }),
            false => Ok(()),
        }
    }
}

fn succeeded(context: &Context, customer: &str, read: &Read) {
    match read {
        Read::Whole => {
            context.tally.count(|counts| counts.event_walks += 1);
            context.tally.observe(&observe::Event::EventWalkFinished { customer_id: customer, error: None });
        }
        Read::Halted => {}
        Read::Vanished => context
            .tally
            .remark(format!("customer {customer} vanished during the run; the next one decides about it")),
    }
}

/// Notes that a customer's events could not be read. Returns the error if it tells of a server that may be down, and
/// fails if it ends the run.
async fn failed(context: &Context, customer: &str, error: WalkError) -> Result<Option<ApiError>, SyncError> {
    let kind = error.api().map(ApiError::kind);
    if kind == Some(ErrorKind::KeyRefused) {
        return Err(error.into());
    }
    note_failure(context, customer, &error).await?;
    Ok(match error {
        WalkError::Api(error) if error.kind().is_outage() || error.kind() == ErrorKind::RateLimited => {
            Some(error)
        }
        _ => None,
    })
}

async fn note_failure(context: &Context, customer: &str, error: &WalkError) -> Result<(), SyncError> {
    let text = error.log_form();
    let (stamp, id, reason) = (context.stamp(), customer.to_owned(), text.clone());
    context.write(move |batch| batch.note_event_failure(stamp, &id, &reason)).await?;
    context.tally.observe(&observe::Event::EventWalkFinished { customer_id: customer, error: Some(&text) });
    context.tally.failure(Failure {
        customer_id: customer.to_owned(),
        error: text,
        what_to_do: error.hint(),
    });
    Ok(())
}

/// Reads one customer's events, twice where the first reading suggests a deletion, or, in a full sync, brings
/// versions older than the mirror's.
async fn walk(context: &Context, customer: &str) -> Result<Read, SyncError> {
    let started_at = Timestamp::now();
    let full = matches!(context.plan, EventPlan::Everybody { .. });
    let first = match look(context, customer, Trust::Listed, Some(started_at)).await {
        Err(SyncError::Walk(error)) if is_not_found(&error) => {
            return vanished(context, customer, error).await;
        }
        look => look?,
    };
    let Some(first) = first else { return Ok(Read::Halted) };
    if !first.is_in_doubt(full) {
        return Ok(Read::Whole);
    }
    let trust = if full { Trust::Alone } else { Trust::Listed };
    let Some(second) = look(context, customer, trust, None).await? else { return Ok(Read::Halted) };
    let is_evidence = first.is_evidence && second.is_evidence;
    let gone: Vec<String> =
        first.missing.into_iter().filter(|id| is_evidence && !second.seen.contains(id)).collect();
    let checked_at = (!first.has_claims && !second.has_claims).then_some(started_at);
    if gone.is_empty() {
        finish(context, customer, checked_at, Parted::default()).await?;
    } else {
        context.gone.add_events(customer, checked_at, gone);
    }
    Ok(Read::Whole)
}

fn is_not_found(error: &WalkError) -> bool {
    error.api().is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

/// The events answer 404. If the customer does too, it was deleted since it was listed.
async fn vanished(context: &Context, customer: &str, error: WalkError) -> Result<Read, SyncError> {
    match context.halt.run_until_cancelled(context.client.retrieve(customer)).await {
        None => Ok(Read::Halted),
        Some(Err(gone)) if gone.kind() == ErrorKind::NotFound => Ok(Read::Vanished),
        Some(Err(other)) => Err(other.into()),
        Some(Ok(_)) => Err(error.into()),
    }
}

/// One reading of a customer's events.
struct Look {
    seen: IdSet,
    stale: u64,
    /// The customer's mirrored events that it did not bring.
    missing: Vec<String>,
    /// Whether absence from it means anything: every record could be told by its id.
    is_evidence: bool,
    /// It lists events that the mirror holds under another customer, who keeps them for now: the customer stays due.
    has_claims: bool,
}

impl Look {
    fn new() -> Look {
        Look { seen: IdSet::default(), stale: 0, missing: Vec::new(), is_evidence: true, has_claims: false }
    }

    /// Whether a second look is needed before the customer is done with.
    fn is_in_doubt(&self, full: bool) -> bool {
        (self.is_evidence && !self.missing.is_empty()) || (full && self.stale > 0)
    }
}

/// Reads the list to its end and stores what it brings; `None` if the run halts meanwhile. `checked_at` is noted with
/// the last records if that settles the customer; without it, this is the second look, and that is left to the caller.
async fn look(
    context: &Context,
    customer: &str,
    trust: Trust,
    checked_at: Option<Timestamp>,
) -> Result<Option<Look>, SyncError> {
    let list = List::Events { customer_id: customer.to_owned() };
    let pager =
        Pager::new(context.client.clone(), context.known.clone(), list.clone(), Cursor::Start, decode);
    let mut pager = if checked_at.is_some() { pager } else { pager.into_second_look() };
    let mut look = Look::new();
    let mut waiting = Sorted::new();
    loop {
        let Some(turn) = turn(context, &mut pager).await else { return Ok(None) };
        let turn = match turn {
            Ok(turn) => turn,
            Err(error) => {
                // What did come is good, and is kept.
                store(context, &list, waiting, trust, &mut look, None).await?;
                return Err(error.into());
            }
        };
        match turn {
            Turn::Page(page) => {
                note(context, &mut look, &page);
                waiting.add(&context.tally, Stream::Events, page.items);
            }
            Turn::Restarted => look.seen = IdSet::default(),
            Turn::End { is_proven } => {
                if !is_proven {
                    look.is_evidence = false;
                    context.tally.unproven_end();
                }
                break;
            }
        }
        if waiting.len() >= RECORDS_PER_WRITE {
            let records = std::mem::replace(&mut waiting, Sorted::new());
            store(context, &list, records, trust, &mut look, None).await?;
        }
    }
    let end = End { customer: customer.to_owned(), checked_at };
    store(context, &list, waiting, trust, &mut look, Some(end)).await?;
    Ok(Some(look))
}

/// A list's end, to be stored with its last records.
struct End {
    customer: String,
    checked_at: Option<Timestamp>,
}

pub(super) fn decode(list: &List, record: &str) -> Result<Decoded<Event>, Rejection> {
    Event::decode_telling(list.customer_id().unwrap_or_default(), record)
}

fn note(context: &Context, look: &mut Look, page: &Page<Event>) {
    for item in &page.items {
        match item {
            Item::Record(event) => drop(look.seen.insert(&event.id)),
            Item::Repaired(repaired) => drop(look.seen.insert(&repaired.record.id)),
            Item::Rejected(rejected) => match &rejected.id {
                Some(id) => drop(look.seen.insert(id)),
                None => look.is_evidence = false,
            },
        }
    }
    context.tally.count(|counts| counts.events_seen += rows(page));
    context.tally.observe(&observe::Event::EventPageStored { rows: rows(page) });
}

/// Stores records, and at the list's end what that means.
async fn store(
    context: &Context,
    list: &List,
    records: Sorted<Event>,
    trust: Trust,
    look: &mut Look,
    end: Option<End>,
) -> Result<(), SyncError> {
    let (stamp, list) = (context.stamp(), list.clone());
    let full = matches!(context.plan, EventPlan::Everybody { .. });
    let mut so_far = std::mem::replace(look, Look::new());
    let claimant = list.customer_id().unwrap_or_default().to_owned();
    let (mut applied, after) = context
        .write(move |batch| {
            let customer_id = list.customer_id().unwrap_or_default();
            let mut applied = batch.apply_events(stamp, customer_id, &records.records, trust)?;
            set_aside(batch, stamp, &list, &records)?;
            so_far.stale += applied.stale;
            so_far.has_claims |= !applied.claimed.is_empty();
            if let Some(End { customer, checked_at }) = end {
                so_far.missing = match applied.held.take() {
                    Some(held) => held.into_iter().filter(|id| !so_far.seen.contains(id)).collect(),
                    None => batch.events_not_in(&customer, &so_far.seen)?,
                };
                if let Some(at) = checked_at.filter(|_| !so_far.is_in_doubt(full)) {
                    settle(batch, stamp, &customer, Some(at).filter(|_| !so_far.has_claims))?;
                }
            }
            Ok((applied, so_far))
        })
        .await?;
    *look = after;
    context.gone.add_claims(&claimant, std::mem::take(&mut applied.claimed));
    count(context, applied);
    Ok(())
}

fn count(context: &Context, applied: EventsApplied) {
    context.tally.undated(Stream::Events, &applied.undated);
    context.tally.count(|counts| {
        counts.events_inserted += applied.inserted;
        counts.events_updated += applied.updated;
        counts.events_stale += applied.stale;
    });
}

/// The customer's events were read to their end; `at` is when, unless they are to be read again.
fn settle(
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

/// Does about a customer's events what two readings have shown, and settles the customer.
pub(super) async fn finish(
    context: &Context,
    customer: &str,
    checked_at: Option<Timestamp>,
    parted: Parted,
) -> Result<(), SyncError> {
    let (stamp, customer) = (context.stamp(), customer.to_owned());
    let (moved, deleted) = context
        .write(move |batch| {
            let evidence =
                format!("two complete walks of the customer's events in run {} lacked it", stamp.run);
            let moved = batch.move_events(stamp, &customer, &parted.moved)?;
            let deleted = batch.delete_events(stamp, &customer, &parted.deleted, &evidence)?;
            settle(batch, stamp, &customer, checked_at)?;
            Ok((moved, deleted))
        })
        .await?;
    context.tally.count(|counts| {
        counts.events_updated += moved;
        counts.events_deleted += deleted;
    });
    Ok(())
}
