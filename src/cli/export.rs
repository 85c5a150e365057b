//! `export` and what belongs to it, one file a command.

mod acknowledge;
mod repair;
mod verify;

use super::args::{self, ExportAction, Global};
use super::assemble;
use super::exit::{Exit, Failure};
use super::output::{self, row, with_rows};
use crate::export::{Again, AsOf, Exported, export, export_snapshot};
use jiff::Timestamp;
use serde::Serialize;
use std::path::Path;

pub(super) fn run(global: &Global, args: &args::Export) -> Result<Exit, Failure> {
    match &args.action {
        Some(ExportAction::Verify(args)) => verify::run(global, args),
        Some(ExportAction::Acknowledge(args)) => acknowledge::run(global, args),
        Some(ExportAction::Repair(args)) => repair::run(global, args),
        None => write(global, args),
    }
}

fn write(global: &Global, args: &args::Export) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let as_of = args.as_of.or(args.snapshot.then_some(AsOf::Now));
    let command = if as_of.is_some() { "export --snapshot" } else { "export" };
    let (_lock, mut mirror) = assemble::existing_mirror(&config, command)?;
    if let Some(doubt) = mirror.snapshot()?.account()?.doubt {
        return Err(Failure::new(Exit::Incomplete, format!("nothing was exported: {}", doubt.reason)));
    }
    let (settings, now) = (config.export, Timestamp::now());
    let exported = match as_of {
        Some(as_of) => export_snapshot(&mut mirror, &settings, as_of, None, now)?,
        None => export(&mut mirror, &settings, None, now)?,
    };
    let dir = if as_of.is_some() { settings.dir.join("snapshots") } else { settings.dir };
    output::result(args.json, &ExportResult { dir: &dir, exported: &exported }, || {
        let there = exported.existing.iter();
        let there = there.map(|file| row("export", format_args!("{} is there already", file.path)));
        format!("{}{}{}", row("folder", dir.display()), summary(&exported), there.collect::<String>())
    })
}

/// The JSON result of `export`; the files' paths are relative to `dir`.
#[derive(Serialize)]
struct ExportResult<'a> {
    dir: &'a Path,
    #[serde(flatten)]
    exported: &'a Exported,
}

/// The result for people.
pub(super) fn summary(exported: &Exported) -> String {
    let mut text: String =
        exported.files.iter().map(|file| row("export", with_rows(&file.path, file.rows))).collect();
    if exported.files.is_empty() && exported.existing.is_empty() {
        text += &row("export", "nothing new");
    }
    if let Some(again) = &exported.again {
        text += &row("note", exported_again(again));
    }
    for path in &exported.pruned {
        text += &row("removed", format_args!("{path}: older than export.max_age"));
    }
    if let Some(error) = &exported.not_pruned {
        text += &row("note", format_args!("old exports could not be removed: {error}"));
    }
    text
}

fn exported_again(again: &Again) -> String {
    format!(
        "changes {} to {} had been exported to this folder and were no longer there (was it emptied, moved or not mounted?): \
         they were exported again",
        again.first_seq, again.last_seq
    )
}

/// What is to be told besides the files, for the daemon's log.
pub(super) fn log_notes(exported: &Exported, run_id: i64) {
    if let Some(again) = &exported.again {
        tracing::warn!(run_id, "{}", exported_again(again));
    }
    if !exported.pruned.is_empty() {
        tracing::info!(
            run_id,
            files = exported.pruned.len(),
            "exports older than export.max_age were removed"
        );
    }
    if let Some(error) = &exported.not_pruned {
        tracing::warn!(run_id, error, "old exports could not be removed; the next export tries again");
    }
}
