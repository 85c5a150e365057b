//! `sync`: one run, then an export of its changes.

use super::args::{self, Global};
use super::assemble;
use super::exit::{Exit, Failure};
use super::output::{self, count, counted};
use super::progress::Progress;
use crate::config::Config;
use crate::export::{Exported, export};
use crate::mirror::{
    Mirror, MirrorError, Mode, Outcome, RunId, RunLock, StreamCounts, checkpoint_beside, is_there,
};
use crate::record::Stream;
use crate::sync::{self, DryRun, Finished, Report, Scope, Tools, dry_run};
use indicatif::ProgressBar;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// A write-ahead log that is larger at the end of a run says that somebody keeps it from shrinking.
const WAL_WORTH_TELLING: u64 = 64 * 1024 * 1024;

pub(super) async fn run(global: &Global, args: args::Sync, bar: &ProgressBar) -> Result<Exit, Failure> {
    check_audit(&args)?;
    let config = assemble::config(global)?;
    let key = assemble::key(&config)?;
    let progress = Arc::new(Progress::new(bar, global.quiet));
    let tools = Tools {
        client: assemble::client(&config, &key, progress.clone())?,
        known: assemble::known_paging(&config),
        observer: progress.clone(),
        stop: assemble::stop_token()?,
    };
    let json = args.json;
    if args.dry_run {
        return preview(&config, &tools, &scope(args), json, &progress).await;
    }
    let command = command_line(&args);
    let wait = args.wait;
    let mut settings = assemble::sync_settings(&config, args.audit.unwrap_or(0));
    settings.accept_account = args.accept_account;
    let scope = scope(args);
    let lock = match wait {
        true => assemble::lock_when_free(&config, &command, &tools.stop).await?,
        false => assemble::lock(&config, &command)?,
    };
    let finished = run_once(&config, lock, tools, scope, settings).await;
    progress.finish();
    let (finished, exported) = finished?;
    let Finished { report, error, .. } = finished;
    let files = exported.as_ref().ok().and_then(Option::as_ref);
    if json {
        output::json(&SyncResult { run: &report, export: files })?;
    } else {
        output::text(&summary(&report, files))?;
    }
    let exported = exported.map(drop);
    match error {
        Some(error) => Err(error.into()),
        None => exported.map(|()| exit_of(&report)),
    }
}

/// An audit judges what a run leaves behind it, so it takes a run of the whole mirror.
fn check_audit(args: &args::Sync) -> Result<(), Failure> {
    let refused = |why| Err(Failure::usage(format!("--audit can't be used with {why}")));
    match args.audit {
        Some(_) if !args.customers.is_empty() => refused(
            "--customer: it draws from all customers, and needs the walk of the whole list to tell drift from what changed \
             meanwhile; leave --customer out",
        ),
        Some(_) if args.dry_run => refused(
            "--dry-run: it compares what a run has left in the mirror, and a dry run leaves nothing there",
        ),
        _ => Ok(()),
    }
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
) -> Result<(Finished, Result<Option<Exported>, Failure>), Failure> {
    let (_lock, mirror) = off_the_runtime(move || {
        let mirror = lock.open_mirror();
        (lock, mirror)
    })
    .await?;
    let stop = tools.stop.clone();
    let mut finished = sync::sync(mirror?, tools, settings, scope).await?;
    log(&finished.report);
    if finished.report.outcome == Outcome::Interrupted || is_in_doubt(&mut finished.mirror)? {
        return Ok((finished, Ok(None)));
    }
    finished.mirror.halt_when(Arc::new(move || stop.is_cancelled()));
    let (settings, runs_max_age) = (config.export.clone(), config.mirror.runs_max_age);
    off_the_runtime(move || {
        let (mut finished, exported) = export_after(finished, &settings);
        tidy(&mut finished, runs_max_age);
        (finished, exported)
    })
    .await
}

fn is_in_doubt(mirror: &mut Mirror) -> Result<bool, MirrorError> {
    Ok(mirror.snapshot()?.account()?.doubt.is_some())
}

fn export_after(
    mut finished: Finished,
    settings: &crate::export::Settings,
) -> (Finished, Result<Option<Exported>, Failure>) {
    let run = finished.report.run_id;
    let path = finished.mirror.path().to_owned();
    let exported =
        while_checkpointing(&path, || export(&mut finished.mirror, settings, Some(run), Timestamp::now()));
    let exported = exported.map(Some).map_err(Failure::from);
    if let Err(failure) = exported.as_ref()
        && failure.exit == Exit::Failed
    {
        let remark = format!("the export after this run failed: {}", failure.line());
        if let Err(error) = add_remark(&mut finished.mirror, run, &remark) {
            tracing::warn!(run_id = run.0, %error, "the failed export could not be noted in the mirror");
        }
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

/// For `status`, which tells it when nobody looks at the logs any more.
fn add_remark(mirror: &mut Mirror, run: RunId, remark: &str) -> Result<(), MirrorError> {
    let mut batch = mirror.batch()?;
    batch.add_remark(run, remark)?;
    batch.commit()
}

/// Keeps the mirror small. The run has done its work; where this fails, the next run does it.
fn tidy(finished: &mut Finished, runs_max_age: Duration) {
    let (run_id, mirror) = (finished.report.run_id.0, &mut finished.mirror);
    // Only who has looked at everything, or at what others have done to the mirror, counts everything.
    let counts = finished.report.mode == Mode::Full || finished.report.audit.is_some();
    let counted = if counts { count_rows(mirror) } else { Ok(()) };
    let forgotten = counted.and_then(|()| forget_runs(mirror, runs_max_age));
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

fn count_rows(mirror: &mut Mirror) -> Result<(), MirrorError> {
    let mut batch = mirror.batch()?;
    batch.count_rows()?;
    batch.commit()
}

fn forget_runs(mirror: &mut Mirror, max_age: Duration) -> Result<(), MirrorError> {
    let before =
        SignedDuration::try_from(max_age).ok().and_then(|age| Timestamp::now().checked_sub(age).ok());
    let Some(before) = before.filter(|_| !max_age.is_zero()) else { return Ok(()) };
    let mut batch = mirror.batch()?;
    let forgotten = batch.forget_runs(before)?;
    if forgotten > 0 {
        batch.commit()?;
        tracing::info!(forgotten, "runs older than mirror.runs_max_age are forgotten");
    }
    Ok(())
}

/// Work that waits for the disk: signals and timers go on meanwhile.
async fn off_the_runtime<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let crashed = |error| Failure::new(Exit::Failed, format!("a part of the program crashed: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(crashed)
}

fn scope(args: args::Sync) -> Scope {
    match (args.full, args.customers) {
        (true, _) => Scope::Full,
        (false, customers) if customers.is_empty() => Scope::Incremental,
        (false, customers) => Scope::Customers(customers),
    }
}

/// What the lock file tells others: no more than the command.
fn command_line(args: &args::Sync) -> String {
    match (args.full, args.customers.len()) {
        (true, _) => "sync --full".to_owned(),
        (false, 0) => "sync".to_owned(),
        (false, _) => "sync --customer".to_owned(),
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
        event_walks = counts.event_walks,
        event_walks_failed = counts.event_walks_failed,
        rejected = counts.rejected,
        repaired = counts.repaired,
        error = report.error,
        "sync ended"
    );
    if let Some(audited) = &report.audit {
        super::audit::log(audited);
    }
}

/// The JSON result of `sync`.
#[derive(Serialize)]
struct SyncResult<'a> {
    #[serde(flatten)]
    run: &'a Report,
    export: Option<&'a Exported>,
}

/// The result for people.
pub(super) fn summary(report: &Report, exported: Option<&Exported>) -> String {
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
        let StreamCounts { seen, inserted, updated, deleted, .. } = &counts[stream];
        let listed = match stream.parent() {
            None => format!("{} listed", count(*seen)),
            Some(parent) => {
                format!(
                    "of {} read, {} {stream}",
                    counted(counts.event_walks, parent.singular()),
                    count(*seen)
                )
            }
        };
        let (new, changed, gone) = (count(*inserted), count(*updated), count(*deleted));
        let line =
            format!("  {:<9}  {listed}: {new} new, {changed} changed, {gone} deleted\n", stream.name());
        text.push_str(&line);
    }
    text.push_str(&format!("  requests   {}", count(counts.requests)));
    if counts.retries > 0 {
        text.push_str(&format!(", {} of them sent again", count(counts.retries)));
    }
    text.push('\n');
    if let Some(exported) = exported {
        text.push_str(&super::export::summary(exported));
    }
    if counts.rejected > 0 {
        text.push_str(&format!(
            "  rejected   {}: see the mirror's table `rejected`\n",
            counted(counts.rejected, "record")
        ));
    }
    if counts.repaired > 0 {
        text.push_str(&format!(
            "  repaired   {}: see the mirror's table `rejected`\n",
            counted(counts.repaired, "record")
        ));
    }
    for failure in report.failures.iter().take(10) {
        text.push_str(&format!(
            "  missing    events of customer {}: {}\n",
            failure.customer_id, failure.error
        ));
    }
    if counts.event_walks_failed > 10 {
        let more = counts.event_walks_failed - 10;
        text.push_str(&format!(
            "  missing    events of {} more: `status` names them\n",
            counted(more, "customer")
        ));
    }
    if let Some(audited) = &report.audit {
        text.push_str(&super::audit::summary(audited));
    }
    for remark in &report.remarks {
        text.push_str(&format!("  note       {remark}\n"));
    }
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
    if json {
        output::json(&plan)?
    } else {
        output::text(&plan_text(&plan))?
    }
    Ok(Exit::Done)
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
    row(plan.missing, "customers to be asked for alone: mirrored, but not in the list");
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
