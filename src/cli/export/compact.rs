//! `export compact`.

use super::super::args::{Compact, Global};
use super::super::assemble;
use super::super::erase;
use super::super::exit::{Exit, Failure};
use super::super::output::{counted, row, size};
use super::told::compacted;
use super::{attempts, verify};
use crate::export::{Compacted, Joining, Settings, compact};
use jiff::Timestamp;

pub(super) fn run(global: &Global, args: &Compact) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let (_lock, mut mirror) = assemble::existing_mirror(&config, "export compact")?;
    if !args.dry_run {
        erase::finish_before_export(&mut mirror, &config.every_destination());
    }
    let destinations = attempts::chosen(&config, args.destination.as_deref())?;
    let join = |settings: &Settings| {
        Ok(compact(&mut mirror, settings, Joining::All, args.dry_run, Timestamp::now())?)
    };
    let text = |done: &Compacted| text(done, args.dry_run);
    verify::all(&destinations, args.json, join, text, |done| match done.damaged[..] {
        [] => Exit::Done,
        _ => Exit::Incomplete,
    })
}

fn text(done: &Compacted, is_dry: bool) -> String {
    let mut text: String = done.files.iter().map(compacted).collect();
    for path in &done.damaged {
        text +=
            &row("left", format_args!("{path}: it is lost or damaged; run `malomo-mirror export repair`"));
    }
    let (before, bytes): (u64, u64) = done
        .files
        .iter()
        .map(|file| (file.bytes_before, file.bytes.unwrap_or(0)))
        .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let files = counted(done.files.iter().map(|file| file.files).sum(), "file");
    let into = counted(done.files.len() as u64, "file");
    text + &match (&done.files[..], is_dry) {
        ([], _) => row("joined", "nothing: no neighbours are small enough"),
        (_, true) => row("dry run", format_args!("{files} of {} would become {into}", size(before))),
        (_, false) => {
            row("joined", format_args!("{files} of {} into {into} of {}", size(before), size(bytes)))
        }
    }
}
