//! `export repair`.

use super::super::args::{Global, Json};
use super::super::assemble;
use super::super::exit::{Exit, Failure};
use super::super::output::{self, counted};
use super::verify;
use crate::export::{Repaired, RepairedFile, repair};
use jiff::Timestamp;

pub(super) fn run(global: &Global, args: &Json) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let (_lock, mut mirror) = assemble::existing_mirror(&config, "export repair")?;
    let repaired = repair(&mut mirror, &config.export, Timestamp::now())?;
    if args.json {
        output::json(&repaired)?
    } else {
        output::text(&text(&repaired))?
    }
    Ok(match (repaired.verified.ok, repaired.is_complete()) {
        (false, _) => Exit::Failed,
        (true, false) => Exit::Incomplete,
        (true, true) => Exit::Done,
    })
}

fn text(repaired: &Repaired) -> String {
    let mut text = String::new();
    for file in &repaired.exported {
        text.push_str(&format!("  export     {} ({})\n", file.path, counted(file.rows, "row")));
    }
    for file in &repaired.files {
        text.push_str(&file_text(file));
    }
    if repaired.files.is_empty() {
        text.push_str("  repaired   nothing: no file is lost or damaged\n");
    }
    text.push_str(&verify::text(&repaired.verified));
    text
}

fn file_text(file: &RepairedFile) -> String {
    let rows = counted(file.rows, "row");
    let mut text = match (file.as_before, file.left_out) {
        (true, 0) => format!("  repaired   {} ({rows}), byte for byte as before\n", file.path),
        (_, 0) => format!("  repaired   {} ({rows}), every row is back\n", file.path),
        (_, gone) => format!(
            "  repaired   {} ({rows}); gone: the older versions of {}, of which later files bring the newer ones\n",
            file.path,
            counted(gone, "row")
        ),
    };
    if let Some(kept) = &file.kept {
        text.push_str(&format!("  kept       {kept}: remove it when nobody needs it any more\n"));
    }
    text
}
