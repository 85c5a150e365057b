//! `export verify`: read-only, whether or not a run is under way.

use super::super::args::{Global, Json};
use super::super::assemble;
use super::super::exit::{Exit, Failure};
use super::super::output::{self, count, counted, row, with_rows};
use crate::export::{Verified, verify};
use crate::mirror::Mirror;

pub(super) fn run(global: &Global, args: &Json) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let mut mirror = Mirror::open_read_only(&config.mirror.path)?;
    let verified = verify(&mut mirror, &config.export.dir)?;
    output::result(args.json, &verified, || text(&verified))?;
    Ok(exit(&verified))
}

/// Files that this build can't read are neither good nor bad.
pub(super) fn exit(verified: &Verified) -> Exit {
    match (verified.difference_count, verified.ok) {
        (0, true) => Exit::Done,
        (0, false) => Exit::Incomplete,
        _ => Exit::Failed,
    }
}

/// The result for people.
pub(super) fn text(verified: &Verified) -> String {
    let mut text = row("folder", verified.dir.display());
    for range in &verified.ranges {
        let (files, rows) = (counted(range.files, "file"), counted(range.rows, "row"));
        let (stream, format, first, last) = (&range.stream, &range.format, range.first_seq, range.last_seq);
        text += &row(
            "checked",
            format_args!("{stream:<10} {format:<7} changes {first} to {last}: {files}, {rows}"),
        );
        text.extend(range.base.iter().map(|base| format!("  {:<30} on {base}\n", "")));
    }
    text.extend(verified.snapshots.iter().map(|file| row("checked", with_rows(&file.path, file.rows))));
    text.extend(verified.unchecked.iter().map(|path| row("unchecked", path)));
    text.extend(verified.remarks.iter().map(|remark| row("note", remark)));
    text.extend(verified.differences.iter().map(|difference| row("differs", difference)));
    let unnamed = verified.difference_count - verified.differences.len() as u64;
    if unnamed > 0 {
        text += &row("differs", format_args!("and {} more", count(unnamed)));
    }
    text + &match (verified.ok, verified.files) {
        (false, _) if verified.difference_count == 0 => format!(
            "{} not checked: this build of the program lacks their format; the others are what the manifest says\n",
            counted(verified.unchecked.len() as u64, "file")
        ),
        (true, 0) => "nothing was exported yet\n".to_owned(),
        (true, _) => {
            "every file is what the manifest says; replayed, they give the mirror as of their last change\n"
                .to_owned()
        }
        (false, _) => format!(
            "{} found; `malomo-mirror export repair` writes lost and damaged files again\n",
            counted(verified.difference_count, "difference")
        ),
    }
}
