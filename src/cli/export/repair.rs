//! `export repair`.

use super::super::args::{AtDestination, Global};
use super::super::assemble;
use super::super::erase;
use super::super::exit::{Exit, Failure};
use super::super::output::{counted, row, with_rows};
use super::{attempts, verify};
use crate::export::{Repaired, RepairedFile, Settings, repair};
use jiff::Timestamp;

pub(super) fn run(global: &Global, args: &AtDestination) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let (_lock, mut mirror) = assemble::existing_mirror(&config, "export repair")?;
    // A file that an erasure has put there is no damaged one, whatever the manifest says of it.
    erase::finish_before_export(&mut mirror, &config.every_destination());
    let destinations = attempts::chosen(&config, args.destination.as_deref())?;
    let mend = |settings: &Settings| Ok(repair(&mut mirror, settings, Timestamp::now())?);
    verify::all(&destinations, args.json, mend, text, |repaired| match verify::exit(&repaired.verified) {
        Exit::Done if !repaired.is_complete() => Exit::Incomplete,
        exit => exit,
    })
}

fn text(repaired: &Repaired) -> String {
    let exported = repaired.exported.iter().map(|file| row("export", with_rows(&file.path, file.rows)));
    let mut text: String = exported.chain(repaired.files.iter().map(file_text)).collect();
    if repaired.files.is_empty() {
        text += &row("repaired", "nothing: no file is lost or damaged");
    }
    text + &verify::text(&repaired.verified)
}

fn file_text(file: &RepairedFile) -> String {
    let how = match (file.as_before, file.left_out) {
        (true, _) => ", byte for byte as before".to_owned(),
        (_, 0) => ", every row is back".to_owned(),
        (_, gone) => format!(
            "; gone: the older versions of {}, of which later files bring the newer ones",
            counted(gone, "row")
        ),
    };
    let kept = file.kept.iter();
    let kept = kept.map(|kept| row("kept", format_args!("{kept}: remove it when nobody needs it any more")));
    row("repaired", with_rows(&file.path, file.rows) + &how) + &kept.collect::<String>()
}
