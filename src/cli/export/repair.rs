//! `export repair`.

use super::super::args::{Global, Json};
use super::super::assemble;
use super::super::exit::{Exit, Failure};
use super::super::output::{self, counted, row, with_rows};
use super::verify;
use crate::export::{Repaired, RepairedFile, repair};
use jiff::Timestamp;

pub(super) fn run(global: &Global, args: &Json) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let (_lock, mut mirror) = assemble::existing_mirror(&config, "export repair")?;
    let repaired = repair(&mut mirror, &config.export, Timestamp::now())?;
    output::result(args.json, &repaired, || text(&repaired))?;
    Ok(match verify::exit(&repaired.verified) {
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
        (true, 0) => ", byte for byte as before".to_owned(),
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
