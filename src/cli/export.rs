//! `export` and what belongs to it, one file a command.

mod acknowledge;
pub(super) mod attempts;
mod compact;
mod repair;
pub(super) mod told;
mod verify;

use super::args::{self, ExportAction, Global};
use super::assemble;
use super::exit::{Exit, Failure};
use super::output::{self, row};
use crate::export::{AsOf, Exported, export_snapshot};
use attempts::Attempt;
use jiff::Timestamp;
use serde::Serialize;
use std::path::{Path, PathBuf};
use told::summary;

pub(super) fn run(global: &Global, args: &args::Export) -> Result<Exit, Failure> {
    match &args.action {
        Some(ExportAction::Verify(args)) => verify::run(global, args),
        Some(ExportAction::Acknowledge(args)) => acknowledge::run(global, args),
        Some(ExportAction::Repair(args)) => repair::run(global, args),
        Some(ExportAction::Compact(args)) => compact::run(global, args),
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
    super::erase::finish_before_export(&mut mirror, &config.every_destination());
    let now = Timestamp::now();
    let mut attempts =
        attempts::each(&attempts::chosen(&config, args.destination.as_deref())?, |settings| match as_of {
            Some(as_of) => Ok(export_snapshot(&mut mirror, settings, as_of, None, now)?),
            None => attempts::incremental(&mut mirror, settings, None),
        });
    let further = attempts.split_off(1.min(attempts.len()));
    let shown = attempts.first().and_then(|one| Some((one, one.outcome.as_ref().ok()?)));
    let ended = match shown {
        Some((one, exported)) => {
            let dir = if as_of.is_some() { one.dir.join("snapshots") } else { one.dir.join("") };
            let dir: &Path = &dir.components().collect::<PathBuf>();
            let result = ExportResult { destination: &one.name, dir, exported, destinations: &further };
            output::result(args.json, &result, || {
                let there = exported.existing.iter();
                let there = there.map(|file| row("export", format_args!("{} is there already", file.path)));
                let there = there.collect::<String>();
                row("folder", dir.display()) + &summary(exported) + &there + &attempts::further(&further)
            })
        }
        None if further.is_empty() => Ok(Exit::Done),
        None => output::result(args.json, &Failed { destinations: &further }, || attempts::further(&further)),
    };
    attempts.extend(further);
    attempts::end(attempts).and(ended)
}

/// The JSON result of `export`: that to the first destination, or to the one that was named, and those to the others. The
/// files' paths are relative to `dir`.
#[derive(Serialize)]
struct ExportResult<'a> {
    destination: &'a str,
    dir: &'a Path,
    #[serde(flatten)]
    exported: &'a Exported,
    destinations: &'a [Attempt],
}

/// The JSON result where the first one failed.
#[derive(Serialize)]
struct Failed<'a> {
    destinations: &'a [Attempt],
}
