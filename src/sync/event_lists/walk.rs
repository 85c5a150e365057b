//! The walks of customers' events, many at once.

use crate::api::{ApiError, Cursor, ErrorKind, Item, List, ListEnd, Page, Pager, Turn, WalkError};
use crate::diff::{EventListShape, EventPlan, Trust, is_short};
use crate::mirror::{Batch, EventsApplied, MirrorError, Stamp};
use crate::observe;
use crate::record::{Decoded, Event, IdSet, Rejection, Stream};
use crate::sync::SyncError;
use crate::sync::context::{Context, rows, turn};
use crate::sync::decoded_records::{DecodedRecords, set_aside};
use crate::sync::report::Failure;
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
pub(in crate::sync) async fn walk_all(
    context: &Context,
    due: mpsc::Receiver<String>,
    reading: Reading,
) -> Result<(), SyncError> {
    let walks = Arc::new(Walks { due: Mutex::new(due), reading, failures_in_a_row: AtomicUsize::new(0) });
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

/// Whether a run reads these lists for the first time. What it reads again is counted once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sync) enum Reading {
    First,
    Again,
}

/// So many customers in a row whose events can't be read because of the server show that it is down.
pub(in crate::sync) const FAILURES_THAT_SHOW: usize = 20;

/// What walkers share.
struct Walks {
    due: Mutex<mpsc::Receiver<String>>,
    reading: Reading,
    /// Customers whose events could not be read because of the server, since the last one whose could.
    failures_in_a_row: AtomicUsize,
}

/// Reads the events of one customer after the other. A task for each customer would have to be set up as often.
async fn walker(context: Context, walks: Arc<Walks>) -> Result<(), SyncError> {
    while let Some(customer) = context.halt.run_until_cancelled(walks.next()).await.flatten() {
        let result = walk(&context, &customer, walks.reading).await;
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
                succeeded(context, customer, &read, self.reading);
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

fn succeeded(context: &Context, customer: &str, read: &Read, reading: Reading) {
    match read {
        Read::Whole => {
            context.counters.count(|counts| counts.event_walks += u64::from(reading == Reading::First));
            context
                .counters
                .observe(&observe::Event::EventWalkFinished { customer_id: customer, error: None });
        }
        Read::Halted => {}
        Read::Vanished => context
            .counters
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
    context
        .counters
        .observe(&observe::Event::EventWalkFinished { customer_id: customer, error: Some(&text) });
    context.counters.failure(Failure {
        customer_id: customer.to_owned(),
        error: text,
        what_to_do: error.hint(),
    });
    Ok(())
}

/// Reads one customer's events, twice where, in a full sync, the first reading brings versions older than the mirror's, or
/// where a deletion is not to wait for another run.
async fn walk(context: &Context, customer: &str, reading: Reading) -> Result<Read, SyncError> {
    match walk_known(context, customer, reading).await {
        Err(SyncError::Walk(error)) if is_not_found(&error) => vanished(context, customer, error).await,
        read => read,
    }
}

async fn walk_known(context: &Context, customer: &str, reading: Reading) -> Result<Read, SyncError> {
    let started_at = Timestamp::now();
    let Some(first) = run_pass(context, customer, Pass::First(reading), started_at).await? else {
        return Ok(Read::Halted);
    };
    if !first.is_in_doubt(context) {
        return Ok(Read::Whole);
    }
    let second =
        run_pass(context, customer, Pass::Second { has_contested: first.has_contested }, started_at).await?;
    Ok(if second.is_some() { Read::Whole } else { Read::Halted })
}

fn is_not_found(error: &WalkError) -> bool {
    error.api().is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

/// The events answer 404. If the customer does too, it was deleted since it was listed.
async fn vanished(context: &Context, customer: &str, error: WalkError) -> Result<Read, SyncError> {
    match context.halt.run_until_cancelled(context.client.retrieve(customer)).await {
        None => Ok(Read::Halted),
        Some(Err(gone)) if gone.kind() == ErrorKind::NotFound && gone.is_documented_form() => {
            Ok(Read::Vanished)
        }
        Some(Err(other)) => Err(other.into()),
        Some(Ok(_)) => Err(error.into()),
    }
}

/// Which reading of a customer's event list it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    First(Reading),
    /// Finds out everything anew, and believes an older version.
    Second {
        /// As in [`PassResult`], of the first one.
        has_contested: bool,
    },
}

/// One reading of a customer's events.
struct PassResult {
    seen: IdSet,
    shape: EventListShape,
    stale: u64,
    /// How many of the customer's mirrored events it did not bring.
    missing: u64,
    /// Whether absence from it means anything: the list's end is one, and every record could be told by its id.
    is_evidence: bool,
    /// It lists events that the mirror holds under another customer, who keeps them for now: the customer stays due.
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

    /// Whether a second look is needed before the customer is done with.
    fn is_in_doubt(&self, context: &Context) -> bool {
        let is_full = matches!(context.plan, EventPlan::Everybody { .. });
        (is_full && self.stale > 0) || (self.missing > 0 && context.settings.deletion_wait.is_zero())
    }
}

/// Reads the list to its end and stores what it brings; `None` if the run halts meanwhile. `started_at` is noted with the last
/// records, unless a second look is needed.
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
    let mut pager = if is_first { pager } else { pager.into_second_look() };
    let trust = match context.plan {
        EventPlan::Everybody { .. } if !is_first => Trust::Alone,
        // As with the customers: another account's events may have the same ids.
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
                // What did come is good, and is kept.
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

/// Stores records, and at the list's end what that means.
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
                // It came, though it can't be taken: it is not missing.
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

/// Notes what a reading lacks, and settles the customer if no second one follows. Returns whether the list ended before its
/// time.
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
            // What one reading lacked is confirmed by the second.
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

/// The customer's events were read to their end; `at` is when, unless they are to be read again.
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
