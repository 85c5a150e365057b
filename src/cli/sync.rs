//! `sync`: one run, then an export of its changes.

use super::args::{self, Global};
use super::exit::{Exit, Failure};
use super::export::attempts::{self, Attempt, Attempts};
use super::output::{self, count, counted, row, span};
use super::progress::Progress;
use super::{assemble, signals};
use crate::config::{Config, MirrorConfig};
use crate::export::{Exported, Settings};
use crate::mirror::{
    Batch, Halt, Mirror, MirrorError, Mode, Outcome, RunLock, StreamCounts, checkpoint_beside, derive_beside,
    is_there,
};
use crate::record::Stream;
use crate::sync::{self, DryRun, Finished, Report, Scope, SyncError, Tools, dry_run};
use indicatif::ProgressBar;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// A write-ahead log that is larger at the end of a run says that somebody keeps it from shrinking.
const WAL_WORTH_TELLING: u64 = 64 * 1024 * 1024;

/// Customers with unreadable events that a summary names.
const NAMED: usize = 10;

pub(super) async fn run(global: &Global, args: args::Sync, bar: &ProgressBar) -> Result<Exit, Failure> {
    check_audit(&args)?;
    let config = assemble::config(global)?;
    let progress = Arc::new(Progress::new(bar, global.quiet));
    let tools = assemble::tools(&config, progress.clone(), signals::stop_token()?)?;
    let (scope, command) = scope(args.full, args.customers);
    if args.dry_run {
        return preview(&config, &tools, &scope, args.json, &progress).await;
    }
    let mut settings = assemble::sync_settings(&config, args.audit.unwrap_or(0));
    settings.accept_account = args.accept_account;
    let lock = match args.wait {
        true => assemble::lock_when_free(&config, command, &tools.stop).await?,
        false => assemble::lock(&config, command)?,
    };
    let finished = run_once(&config, lock, tools, scope, settings).await;
    progress.finish();
    let (Finished { report, error, .. }, exported) = finished?;
    let result = SyncResult { run: &report, export: first(&exported), destinations: further(&exported) };
    output::result(args.json, &result, || summary(&report, &exported))?;
    match error {
        Some(error) => Err(error.into()),
        None => attempts::end(exported).map(|()| exit_of(&report)),
    }
}

/// An audit judges what a run leaves behind it, so it takes a run of the whole mirror.
fn check_audit(args: &args::Sync) -> Result<(), Failure> {
    let why = match args.audit {
        Some(_) if !args.customers.is_empty() => {
            "--customer: it draws from all customers, and needs the walk of the whole list to tell drift from what changed \
             meanwhile; leave --customer out"
        }
        Some(_) if args.dry_run => {
            "--dry-run: it compares what a run has left in the mirror, and a dry run leaves nothing there"
        }
        _ => return Ok(()),
    };
    Err(Failure::usage(format!("--audit can't be used with {why}")))
}

/// Runs a sync of the locked mirror, and exports what it changed; a run that was stopped, before its export or in the middle
/// of it, leaves its changes to the next export. Nothing is exported while it is in doubt whose account the API answers for.
/// The lock is free on return.
pub(super) async fn run_once(
    config: &Config,
    lock: RunLock,
    tools: Tools,
    scope: Scope,
    settings: sync::Settings,
) -> Result<(Finished, Attempts), Failure> {
    let (_lock, mirror) = off_the_runtime(move || {
        let mirror = lock.open_mirror();
        (lock, mirror)
    })
    .await?;
    let stop = tools.stop.clone();
    let mut finished = sync::sync(mirror?, tools, settings, scope).await?;
    log(&finished.report);
    if finished.report.outcome == Outcome::Interrupted
        || finished.mirror.snapshot()?.account()?.doubt.is_some()
    {
        return Ok((finished, Attempts::new()));
    }
    let halt: Halt = Arc::new(move || stop.is_cancelled());
    finished.mirror.halt_when(halt.clone());
    let (destinations, ages) = (attempts::chosen(config, None)?, config.mirror.clone());
    let path = finished.mirror.path().to_owned();
    let deriving = off_the_runtime(move || derive_beside(&path, Timestamp::now(), || halt()));
    let exporting = off_the_runtime(move || export_after(finished, &destinations));
    let (derived, exported) = tokio::join!(deriving, exporting);
    let ((mut finished, exported), derived) = (exported?, derived?);
    off_the_runtime(move || {
        note_derived(&mut finished, derived);
        tidy(&mut finished, &ages);
        (finished, exported)
    })
    .await
}

/// Adds to the run what a person should know of what was derived.
fn note_derived(finished: &mut Finished, derived: Result<Vec<String>, MirrorError>) {
    let remarks = derived.unwrap_or_else(|error| {
        let error = SyncError::from(error);
        let remark =
            format!("what is derived from events, such as orders, could not be brought up to date: {error}");
        finished.error.get_or_insert(error);
        vec![remark]
    });
    for remark in &remarks {
        note(finished, remark);
    }
    finished.report.remarks.extend(remarks);
}

/// Adds a remark to the run as it stands in the mirror, for `status`, which shows it when nobody looks at the logs any more.
pub(super) fn note(finished: &mut Finished, remark: &str) {
    let run = finished.report.run_id;
    if let Err(error) = write(&mut finished.mirror, |batch| batch.add_remark(run, remark)) {
        tracing::warn!(run_id = run.0, %error, remark, "a remark on the run could not be noted in the mirror");
    }
}

fn export_after(mut finished: Finished, destinations: &[Settings]) -> (Finished, Attempts) {
    let run = finished.report.run_id;
    let path = finished.mirror.path().to_owned();
    super::erase::finish_before_export(&mut finished.mirror, destinations);
    let exported = while_checkpointing(&path, || {
        attempts::each(destinations, |settings| {
            attempts::incremental(&mut finished.mirror, settings, Some(run))
        })
    });
    for attempt in &exported {
        let Err(failure) = &attempt.outcome else { continue };
        if failure.exit != Exit::Failed {
            continue;
        }
        let to = if attempt.is_first() {
            String::new()
        } else {
            format!(" to the destination `{}`", attempt.name)
        };
        note(&mut finished, &format!("the export{to} after this run failed: {}", failure.line()));
    }
    (finished, exported)
}

/// What the run has written moves from the log into the database file while the export reads it. What doesn't, `tidy`
/// moves, or tells why not.
fn while_checkpointing<T>(mirror: &Path, work: impl FnOnce() -> T) -> T {
    let checkpoint = || {
        if let Err(error) = checkpoint_beside(mirror) {
            tracing::debug!(%error, "the mirror's log stays until the export has ended");
        }
    };
    thread::scope(|scope| {
        // Where the machine has no thread left, it waits for `tidy` too.
        let _ = thread::Builder::new().name("checkpoint".to_owned()).spawn_scoped(scope, checkpoint);
        work()
    })
}

/// Keeps the mirror small. The run has done its work; where this fails, the next run does it.
fn tidy(finished: &mut Finished, ages: &MirrorConfig) {
    let (run, mirror) = (finished.report.run_id, &mut finished.mirror);
    let run_id = run.0;
    // Only who has looked at everything, or at what others have done to the mirror, counts everything.
    let counts = finished.report.mode == Mode::Full || finished.report.audit.is_some();
    let counted = if counts { write(mirror, |batch| batch.count_rows()) } else { Ok(()) };
    let forgotten = counted
        .and_then(|()| forget_runs(mirror, ages.runs_max_age))
        .and_then(|()| forget_history(mirror, ages.history_max_age));
    match forgotten.and_then(|()| mirror.checkpoint()) {
        Ok(wal) if wal.held && wal.bytes > WAL_WORTH_TELLING => tracing::warn!(
            run_id,
            wal_bytes = wal.bytes,
            "a program has been reading one old state of the mirror for long; until it ends, the file beside the \
             mirror that ends in -wal grows with every change"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(run_id, %error, "the mirror could not be tidied up"),
    }
}

/// What is older than this is to be forgotten; `None`: nothing is.
fn oldest_kept(max_age: Duration) -> Option<Timestamp> {
    let before =
        SignedDuration::try_from(max_age).ok().and_then(|age| Timestamp::now().checked_sub(age).ok());
    before.filter(|_| !max_age.is_zero())
}

fn forget_history(mirror: &mut Mirror, max_age: Duration) -> Result<(), MirrorError> {
    let Some(before) = oldest_kept(max_age) else { return Ok(()) };
    let (mut forgotten, now) = (0, Timestamp::now());
    loop {
        match write(mirror, |batch| batch.forget_history(now, before))? {
            0 => break,
            more => forgotten += more,
        }
    }
    if forgotten > 0 {
        tracing::info!(forgotten, "versions that ended longer ago than mirror.history_max_age are forgotten");
    }
    Ok(())
}

fn forget_runs(mirror: &mut Mirror, max_age: Duration) -> Result<(), MirrorError> {
    let Some(before) = oldest_kept(max_age) else { return Ok(()) };
    let forgotten = write(mirror, |batch| batch.forget_runs(before, Timestamp::now()))?;
    if forgotten > 0 {
        tracing::debug!(forgotten, "runs older than mirror.runs_max_age are forgotten");
    }
    Ok(())
}

/// Does something in a transaction of its own.
fn write<T>(
    mirror: &mut Mirror,
    work: impl FnOnce(&mut Batch<'_>) -> Result<T, MirrorError>,
) -> Result<T, MirrorError> {
    let mut batch = mirror.batch()?;
    let done = work(&mut batch)?;
    batch.commit()?;
    Ok(done)
}

/// Work that waits for the disk: signals and timers go on meanwhile.
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(Failure::because("a part of the program crashed"))
}

/// What a run syncs, and what the lock file tells others: no more than the command.
fn scope(full: bool, customers: Vec<String>) -> (Scope, &'static str) {
    match customers {
        _ if full => (Scope::Full, "sync --full"),
        customers if customers.is_empty() => (Scope::Incremental, "sync"),
        customers => (Scope::Customers(customers), "sync --customer"),
    }
}

fn exit_of(report: &Report) -> Exit {
    match report.outcome {
        Outcome::Ok => Exit::Done,
        Outcome::Incomplete | Outcome::Interrupted => Exit::Incomplete,
        Outcome::Failed | Outcome::Running => Exit::Failed,
    }
}

fn log(report: &Report) {
    let counts = &report.counts;
    for stream in Stream::ALL {
        tracing::info!(
            run_id = report.run_id.0,
            stream = stream.name(),
            lists = counts[stream].lists,
            seen = counts[stream].seen,
            inserted = counts[stream].inserted,
            updated = counts[stream].updated,
            deleted = counts[stream].deleted,
            "stream synced"
        );
    }
    tracing::info!(
        run_id = report.run_id.0,
        mode = report.mode.name(),
        outcome = report.outcome.name(),
        resumed = report.resumed,
        seconds = report.finished_at.duration_since(report.started_at).as_secs_f64(),
        requests = counts.requests,
        retries = counts.retries,
        event_walks_failed = counts.event_walks_failed,
        rejected = counts.rejected,
        repaired = counts.repaired,
        kept_out = counts.kept_out,
        expired = counts.expired,
        error = report.error,
        "sync ended"
    );
    if let Some(audited) = &report.audit {
        super::audit::log(audited);
    }
}

#[derive(Serialize)]
struct SyncResult<'a> {
    #[serde(flatten)]
    run: &'a Report,
    export: Option<&'a Exported>,
    destinations: &'a [Attempt],
}

/// What was exported to the first destination.
fn first(exported: &[Attempt]) -> Option<&Exported> {
    exported.first().and_then(|attempt| attempt.outcome.as_ref().ok())
}

/// What became of the others.
fn further(exported: &[Attempt]) -> &[Attempt] {
    exported.get(1..).unwrap_or_default()
}

/// The result for people.
pub(super) fn summary(report: &Report, exported: &[Attempt]) -> String {
    let counts = &report.counts;
    let mut text = format!(
        "{} sync {}: {} in {:.1} s{}\n",
        report.mode.name(),
        report.run_id,
        report.outcome.name(),
        report.finished_at.duration_since(report.started_at).as_secs_f64(),
        if report.resumed { ", taken up where an earlier run was cut off" } else { "" },
    );
    for stream in Stream::ALL {
        let StreamCounts { lists, seen, inserted, updated, deleted, .. } = &counts[stream];
        let seen = count(*seen);
        let listed = match stream.parent() {
            None => format!("{seen} listed"),
            Some(parent) => {
                format!("of {} read, {seen} {stream}", counted(*lists, parent.singular()))
            }
        };
        let (new, changed, gone) = (count(*inserted), count(*updated), count(*deleted));
        let changes = format_args!("{listed}: {new} new, {changed} changed, {gone} deleted");
        text += &row(stream.name(), changes);
    }
    let again = match counts.retries {
        0 => String::new(),
        retries => format!(", {} of them sent again", count(retries)),
    };
    text += &row("requests", format_args!("{}{again}", count(counts.requests)));
    text.extend(first(exported).map(super::export::told::summary));
    text += &attempts::further(further(exported));
    for (how, number) in [("rejected", counts.rejected), ("repaired", counts.repaired)] {
        if number > 0 {
            let records = counted(number, "record");
            text += &row(how, format_args!("{records}: see the mirror's table `rejected`"));
        }
    }
    if counts.kept_out > 0 {
        let records = counted(counts.kept_out, "customer");
        text += &row("kept out", format_args!("{records} who were erased: see `erase --allow-return`"));
    }
    if counts.expired > 0 {
        let records = counted(counts.expired, "record");
        text += &row("expired", format_args!("{records} older than [retention] keeps, and not taken"));
    }
    for failure in report.failures.iter().take(NAMED) {
        let (parents, id, error) = (failure.stream, &failure.customer_id, &failure.error);
        let children = parents.child().map_or("", Stream::name);
        text += &row("missing", format_args!("{children} of {} {id}: {error}", parents.singular()));
    }
    let unnamed = counts.event_walks_failed.saturating_sub(NAMED as u64);
    if unnamed > 0 {
        let lists = counted(unnamed, "list");
        text += &row("missing", format_args!("{lists} more: `status` names them"));
    }
    if let Some(audited) = &report.audit {
        text += &super::audit::summary(audited);
    }
    text.extend(report.remarks.iter().map(|remark| row("note", remark)));
    text
}

async fn preview(
    config: &Config,
    tools: &Tools,
    scope: &Scope,
    json: bool,
    progress: &Progress,
) -> Result<Exit, Failure> {
    let mut mirror = match is_there(&config.mirror.path)? {
        true => Some(Mirror::open_read_only(&config.mirror.path)?),
        false => None,
    };
    let plan = dry_run(mirror.as_mut(), tools, &assemble::sync_settings(config, 0), scope).await;
    progress.finish();
    let plan = plan?;
    output::result(json, &plan, || plan_text(&plan))
}

fn plan_text(plan: &DryRun) -> String {
    let mut text = format!("a run would make about {} requests\n", count(plan.requests));
    let mut row = |number: u64, why: &str| {
        if number > 0 {
            text.push_str(&format!("  {:>9}  {why}\n", count(number)));
        }
    };
    row(plan.customer_pages, "pages of the customer list (this dry run made these, and no others)");
    row(plan.events_of_new_or_changed, "event lists of customers that are new or changed");
    row(plan.events_pending, "event lists that an earlier run could not read to their end");
    row(plan.events_due, "event lists whose turn it is");
    row(plan.events_pushed, "event lists of customers that webhooks have hinted at");
    row(plan.events_expected, "event lists that are likely to have news");
    row(plan.missing, "customers to be asked for alone: mirrored, but not in the list");
    if let (Some(events), Some(mean), Some(p95)) =
        (plan.expected_events, plan.expected_unseen_mean_seconds, plan.expected_unseen_p95_seconds)
    {
        text.push_str(&format!(
            "of customers known before, these lists are likely to bring {events:.0} new events, which have been at the vendor \
             for {} in the mean, 95 % of them for less than {}\n",
            span(mean),
            span(p95)
        ));
    }
    if let Some(refused) = &plan.deletions_refused {
        text.push_str(&format!("  they would not be asked for: {refused}\n"));
    }
    if plan.account_in_doubt {
        text.push_str(
            "the list brings too few of the mirror's customers to be the same account's: a run would take nothing from it, \
             unless `sync --accept-account` says that it is right\n",
        );
    }
    text.push_str(&format!(
        "{} listed: {} new, {} changed; nothing was written\n",
        counted(plan.customers, "customer"),
        count(plan.new),
        count(plan.changed)
    ));
    text
}
