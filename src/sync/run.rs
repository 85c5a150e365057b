//! A sync run, from the start to the final record.

use super::account::{self, Identity};
use super::context::{Context, DUE_QUEUE, Walked, halt_on_error, queue_due, record_findings};
use super::counters::RunCounters;
use super::finalize;
use super::first_load;
use super::limits;
use super::looks::{self, Looks};
use super::report::Report;
use super::writer::{Writer, Written};
use super::{Scope, Settings, SyncError, Tools};
use crate::api::{Cursor, Finding, Learned, WalkError};
use crate::diff::looks::{EventRates, Signal};
use crate::diff::{EventPlan, Overlap};
use crate::failpoint::{self, Place};
use crate::mirror::{
    Aside, Checkpoint, Due, HintMark, LookResults, Mirror, MirrorError, Mode, Outcome, RunError, RunId, Stamp,
};
use crate::observe::Event;
use crate::record::{RowSet, Stream};
use crate::sync::audit::audit;
use crate::sync::child_lists::{self, Reading};
use crate::sync::parent_list::{self, ListWalk};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use tokio::sync::mpsc;

/// How many customers are read from the mirror at a time when a walk is resumed.
const BATCH: usize = 1_024;

/// How many customers that webhooks have hinted at one run asks for alone; the next one goes on with the rest.
const HINTED: usize = 10_000;

/// A run's end, and the mirror back.
pub struct Finished {
    /// For what follows a run, such as an export.
    pub mirror: Mirror,
    /// What the run did. An error of the API or of a list stands in the report and in `error`.
    pub report: Report,
    /// What ended the run before its time, as a value.
    pub error: Option<SyncError>,
}

/// Runs one sync: from the API through the diff into the mirror. The caller holds the mirror's lock.
///
/// What was committed stays, however the run ends: by itself, by an error, by [`Tools::stop`], or by the process's
/// death; the next run of the same mode then goes on from the last checkpoint.
///
/// # Errors
/// Only when not even the run's record could be written; everything else stands in [`Finished`].
pub async fn sync(
    mut mirror: Mirror,
    tools: Tools,
    settings: Settings,
    scope: Scope,
) -> Result<Finished, SyncError> {
    let started_at = Timestamp::now();
    let Begun { run, hints, mut walks, rates, is_first } =
        begin(&mut mirror, &tools, &settings, scope.mode(), started_at)?;
    let looks = Arc::new(Looks::new(rates));
    let (resumed, base_url) = (walks.iter().any(Option::is_some), settings.base_url.clone());
    tools.observer.observe(&Event::RunStarted { run_id: run.0, mode: scope.mode().name(), resumed });
    if scope.is_of_the_list() {
        mirror = mirror.begin_load(plan(&scope, &settings, started_at))?;
    }
    // One instant for the whole run, so that its parts agree on what has expired.
    mirror.keep_expired_out(settings.retention.at(started_at));
    let (writer, thread) =
        Writer::start(mirror, run, tools.turns.clone()).map_err(|source| SyncError::NoThread { source })?;
    let looks_at_dormant =
        settings.retention.inactive_customers.is_some() && (scope != Scope::Incremental || is_first);
    let counters = Arc::new(RunCounters::new(tools.observer.clone()));
    let run_context = Context {
        client: tools.client.observed_by(counters.clone()),
        known: tools.known.clone(),
        writer,
        counters: counters.clone(),
        pending: Arc::default(),
        account_id: Arc::default(),
        woken: Arc::default(),
        looks_at_dormant,
        settings: Arc::new(settings),
        run,
        started_at,
        hints,
        plan: EventPlan::Everybody { walk_started_at: started_at, signal: Signal::Full },
        looks: looks.clone(),
        stream: Stream::FIRST,
        halt: tools.stop.child_token(),
    };
    let mut result = Ok(());
    for stream in Stream::parents() {
        let walk = walks[stream.index()].take();
        let walk_started_at = walk.as_ref().map_or(started_at, |walk| walk.started_at);
        let plan = plan(&scope, &run_context.settings, walk_started_at);
        let context =
            Context { stream, plan, pending: Arc::default(), woken: Arc::default(), ..run_context.clone() };
        match work(&context, &scope, walk, started_at).await {
            Ok(IsOurs(true)) if !context.halt.is_cancelled() && scope.is_of_the_list() => {}
            ended => {
                result = ended.map(drop);
                break;
            }
        }
    }
    drop(run_context);
    let written = thread.join().await;
    let Some(Written { mut mirror, is_cut_off, error }) = written else {
        return Err(SyncError::Crashed { what: "the mirror's writer".to_owned() });
    };
    // A run that did not come so far leaves a whole mirror, too.
    let ended = mirror.end_load(Stamp { run, now: Timestamp::now() });
    let ended = ended.map(|loaded| first_load::count(&counters, &loaded)).map_err(SyncError::from);
    let result = error.map_or(result, |error| Err(error.into())).and(ended);
    let stopped = tools.stop.is_cancelled();
    counters.sum_up();
    let batch = mirror.batch()?;
    for outcome in [Aside::Rejected, Aside::Taken] {
        counters.set_aside(outcome, &batch.set_aside_in(run, outcome)?);
    }
    let mut report = report(run, &scope, started_at, resumed, &counters, &result, stopped);
    if is_cut_off {
        // Some of the counted changes were rolled back.
        batch.recount(run, &mut report.counts)?;
    }
    drop(batch);
    let learned = tools.client.learned();
    finish(&mut mirror, &report, &base_url, (&tools.known.findings(), learned, &looks.results()))?;
    Ok(Finished { mirror, report, error: result.err() })
}

/// Whose events a run of that scope looks at.
fn plan(scope: &Scope, settings: &Settings, walk_started_at: Timestamp) -> EventPlan {
    let everybody = |signal| EventPlan::Everybody { walk_started_at, signal };
    match scope {
        Scope::Incremental => EventPlan::of_turns(settings.events_max_age),
        Scope::Full => everybody(Signal::Full),
        Scope::Customers(_) => everybody(Signal::Asked),
        Scope::Hinted => everybody(Signal::Pushed),
    }
}

/// What a run begins with.
struct Begun {
    run: RunId,
    /// How far the hints of webhooks have come.
    hints: Option<HintMark>,
    /// Interrupted walks, by stream.
    walks: [Option<ListWalk>; Stream::ALL.len()],
    /// How often events come.
    rates: EventRates,
    /// Whether no run before it was complete.
    is_first: bool,
}

/// Records the run's start, makes due whom webhooks have hinted at, loads what the mirror knows about the API and how often
/// events come, and looks for interrupted walks to resume, by stream.
fn begin(
    mirror: &mut Mirror,
    tools: &Tools,
    settings: &Settings,
    mode: Mode,
    now: Timestamp,
) -> Result<Begun, MirrorError> {
    let mut batch = mirror.batch()?;
    let run = batch.begin_run(mode, now)?;
    batch.find_orders(now)?;
    let hints = batch.hint_mark()?;
    if hints.is_some() && mode != Mode::Customers {
        batch.make_hinted_due(now)?;
    }
    let mut found = batch.behaviour()?;
    found.retain(|found| found.base_url == settings.base_url);
    for found in &found {
        tools.known.remember(&found.stream, &found.point, &found.value);
    }
    if let Some(learned) = limits::remembered(&found) {
        tools.client.expect(learned);
    }
    let mut walks = Stream::ALL.map(|_| None);
    for stream in Stream::parents() {
        let walk = batch
            .checkpoint(stream, mode)?
            .filter(|checkpoint| may_resume(checkpoint, settings, now))
            .and_then(|checkpoint| ListWalk::resume(mode, checkpoint));
        match walk {
            Some(_) => batch.mark_run_resumed(run)?,
            None => batch.drop_checkpoint(stream, mode)?,
        }
        walks[stream.index()] = walk;
    }
    let (rates, is_first) = (batch.event_rates()?, !batch.has_complete_run()?);
    batch.commit()?;
    Ok(Begun { run, hints, walks, rates, is_first })
}

fn may_resume(checkpoint: &Checkpoint, settings: &Settings, now: Timestamp) -> bool {
    let age = now.duration_since(checkpoint.started_at);
    checkpoint.base_url == settings.base_url && age >= SignedDuration::ZERO && age < settings.resume_max_age
}

/// Whether the API answered for the mirror's account to the end.
struct IsOurs(bool);

/// Walks a stream's list and the lists of its children side by side: when one fails, the other stops. Then applies
/// deletions and audits.
async fn work(
    context: &Context,
    scope: &Scope,
    walk: Option<ListWalk>,
    started_at: Timestamp,
) -> Result<IsOurs, SyncError> {
    let identity = match context.stream {
        Stream::FIRST => account::identify(context, context.settings.accept_account).await?,
        _ => Identity::Confirmed,
    };
    if context.halt.is_cancelled() {
        return Ok(IsOurs(true));
    }
    // The first answers have told what the server's clock shows.
    let plan = match scope {
        Scope::Incremental => with_expected_looks(context).await?,
        Scope::Full | Scope::Customers(_) | Scope::Hinted => context.plan.clone(),
    };
    let context = &Context { plan, ..context.clone() };
    let (due, queue) = mpsc::channel(DUE_QUEUE);
    let customers = async {
        let result = match scope {
            Scope::Customers(ids) => sync_named(context, ids, identity, &due).await.map(|()| None),
            Scope::Hinted => sync_hinted(context, identity, &due).await.map(|()| None),
            Scope::Full | Scope::Incremental => {
                walk_customers(context, scope.mode(), walk, (started_at, identity), &due).await
            }
        };
        drop(due);
        halt_on_error(context, result)
    };
    let events =
        async { halt_on_error(context, child_lists::walk_all(context, queue, Reading::First).await) };
    let (customers, events) = tokio::join!(customers, events);
    let walked = customers?.map(|walked| Walked { seen: context.woken.added_to(walked.seen), ..walked });
    events?;
    first_load::end(context).await?;
    let is_whole = walked.is_some() || !scope.is_of_the_list();
    let is_ours = match &walked {
        Some(walked) if !context.halt.is_cancelled() => account::answers_still(context, walked).await?,
        _ => true,
    };
    if is_ours && !context.halt.is_cancelled() {
        finalize::finalize(context).await?;
    }
    if let Some(walked) = walked.filter(|_| is_ours && !context.halt.is_cancelled()) {
        audit(context, walked).await?;
    }
    if !context.halt.is_cancelled() && scope.is_of_the_list() {
        let (stream, mode) = (context.stream, scope.mode());
        context.write(move |batch| batch.drop_checkpoint(stream, mode)).await?;
    }
    Ok(IsOurs(is_ours && is_whole))
}

/// The plan of an incremental run, with the customers for whom a look before their turn is worth most.
async fn with_expected_looks(context: &Context) -> Result<EventPlan, SyncError> {
    let settings = &context.settings;
    let budget = settings.event_budget.lists(settings.concurrency, context.client.learned());
    let (stream, now, hazards) = (context.stream, looks::now(&context.client), context.looks.hazards());
    let max_age = settings.events_max_age;
    context.write(move |batch| batch.with_expected_looks(stream, max_age, (&hazards, now), budget)).await
}

async fn sync_named(
    context: &Context,
    ids: &[String],
    identity: Identity,
    due: &mpsc::Sender<Due>,
) -> Result<(), SyncError> {
    if is_confirmed(context, identity).await? {
        parent_list::fetch_named(context, ids, due).await?;
    }
    Ok(())
}

async fn sync_hinted(
    context: &Context,
    identity: Identity,
    due: &mpsc::Sender<Due>,
) -> Result<(), SyncError> {
    if context.hints.is_some() && is_confirmed(context, identity).await? {
        fetch_hinted(context, false, due).await?;
    }
    Ok(())
}

/// Whether single customers may be asked for: whose they are is known, or shown by customers that the mirror holds.
async fn is_confirmed(context: &Context, identity: Identity) -> Result<bool, SyncError> {
    Ok(identity == Identity::Confirmed || account::confirm_by_customers(context).await?)
}

/// Asks for the customers that webhooks have hinted at; `unmirrored`: only those that the mirror lacks.
async fn fetch_hinted(context: &Context, unmirrored: bool, due: &mpsc::Sender<Due>) -> Result<(), SyncError> {
    let Some(mark) = context.hints else { return Ok(()) };
    let ids = context.write(move |batch| batch.hinted(mark, unmirrored, HINTED)).await?;
    parent_list::fetch_hinted(context, ids, due).await
}

async fn walk_customers(
    context: &Context,
    mode: Mode,
    interrupted: Option<ListWalk>,
    (started_at, identity): (Timestamp, Identity),
    due: &mpsc::Sender<Due>,
) -> Result<Option<Walked>, SyncError> {
    let walk = match interrupted {
        Some(walk) if walk.cursor == Some(Cursor::Start) => ListWalk::begin(mode, walk.started_at, identity),
        Some(walk) if may_continue(context, identity).await? => {
            queue_waiting(context, &walk.seen, due).await?;
            walk
        }
        _ => ListWalk::begin(mode, started_at, identity),
    };
    match parent_list::walk(context, walk, due).await {
        Ok(Some(walk)) if !walk.is_accepted() => {
            account::doubt_list(context, walk.overlap).await?;
            Ok(None)
        }
        Ok(Some(walk)) => {
            account::confirm(context).await?;
            parent_list::fetch_missing_and_stale(context, &walk, due).await?;
            fetch_hinted(context, true, due).await?;
            Ok(Some(Walked { started_at: walk.started_at, seen: walk.seen }))
        }
        Ok(None) => Ok(None),
        Err(error) => {
            if matches!(
                error,
                SyncError::Walk(WalkError::NoProgress { .. } | WalkError::TokensRefused { .. })
            ) {
                // Resuming there would fail in the same way.
                let stream = context.stream;
                context.write(move |batch| batch.drop_checkpoint(stream, mode)).await?;
            }
            Err(error)
        }
    }
}

/// Whether a walk may resume in the middle of the list. The rest of the list may be mostly new to the mirror, so the
/// beginning of the list has to show whose list it is. Single customers that answer would prove it for themselves only.
async fn may_continue(context: &Context, identity: Identity) -> Result<bool, SyncError> {
    if identity == Identity::Confirmed {
        return Ok(true);
    }
    // If this fails, the walk from the list's beginning will report the error.
    let is_ours = account::first_page(context).await?.is_some_and(Overlap::is_enough);
    if is_ours {
        account::confirm(context).await?;
    }
    Ok(is_ours)
}

/// Queues customers that the interrupted walk had listed, but whose events it had not read.
async fn queue_waiting(context: &Context, seen: &RowSet, due: &mpsc::Sender<Due>) -> Result<(), SyncError> {
    let mut after = 0;
    loop {
        let (stream, (plan, now), from, seen) =
            (context.stream, (context.plan.clone(), Timestamp::now()), after, seen.clone());
        let waiting =
            context.write(move |batch| batch.parents_due(stream, &seen, (&plan, now), from, BATCH)).await?;
        let Some(last) = waiting.last() else { return Ok(()) };
        after = last.parent.row;
        if !queue_due(context, due, waiting).await {
            return Ok(());
        }
    }
}

fn report(
    run_id: RunId,
    scope: &Scope,
    started_at: Timestamp,
    resumed: bool,
    counters: &RunCounters,
    result: &Result<(), SyncError>,
    stopped: bool,
) -> Report {
    let totals = counters.totals();
    let outcome = match result {
        Err(_) => Outcome::Failed,
        Ok(()) if stopped => Outcome::Interrupted,
        Ok(()) if totals.incomplete => Outcome::Incomplete,
        Ok(()) => Outcome::Ok,
    };
    Report {
        run_id,
        mode: scope.mode(),
        outcome,
        resumed,
        started_at,
        finished_at: Timestamp::now(),
        counts: totals.counts,
        remarks: totals.remarks,
        failures: totals.failures,
        deletions_refused: totals.deletions_refused,
        audit: totals.audited,
        error: result.as_ref().err().map(SyncError::log_form),
        what_to_do: result.as_ref().err().and_then(SyncError::hint),
    }
}

/// Records the run's end, and what it found out about the API after the last checkpoint.
fn finish(
    mirror: &mut Mirror,
    report: &Report,
    base_url: &str,
    (findings, learned, looks): (&[Finding], Option<Learned>, &LookResults),
) -> Result<(), MirrorError> {
    failpoint::reached(Place::BeforeRunRecord);
    let mut batch = mirror.batch()?;
    record_findings(&mut batch, report.finished_at, base_url, findings)?;
    batch.keep_look_results(looks, report.finished_at)?;
    for (point, value) in learned.into_iter().flat_map(limits::points) {
        let (stream, evidence) = (limits::STREAM, limits::EVIDENCE);
        batch.record_behaviour(stream, point, &value, evidence, base_url, report.finished_at)?;
    }
    let failures = failures_text(report);
    let error = match &report.error {
        Some(error) => Some(RunError { error, what_to_do: report.what_to_do }),
        None => failures.as_ref().map(|(error, hint)| RunError { error, what_to_do: Some(hint) }),
    };
    batch.finish_run(
        report.run_id,
        report.finished_at,
        report.outcome,
        &report.counts,
        &report.remarks,
        error,
    )?;
    if report.outcome != Outcome::Interrupted {
        // Nobody looks at a run that was stopped; the next one tells of it again.
        batch.note_told(report.finished_at)?;
    }
    batch.commit()
}

/// What the customers whose events could not be read mean for the run, and what to do about it.
fn failures_text(report: &Report) -> Option<(String, &'static str)> {
    let first = report.failures.first()?;
    let count = report.counts.event_walks_failed;
    let text = format!(
        "the {} of {count} {} could not be read; the first one: {}: {}",
        first.stream.child().map_or("children", Stream::name),
        first.stream,
        first.customer_id,
        first.error
    );
    Some((text, first.what_to_do))
}
