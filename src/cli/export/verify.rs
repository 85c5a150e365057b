//! `export verify`: read-only, whether or not a run is under way.

use super::super::args::{Global, Json};
use super::super::assemble;
use super::super::exit::{Exit, Failure};
use super::super::output::{self, count, counted};
use crate::export::{Verified, verify};
use crate::mirror::Mirror;

pub(super) fn run(global: &Global, args: &Json) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let mut mirror = Mirror::open_read_only(&config.mirror.path)?;
    let verified = verify(&mut mirror, &config.export.dir)?;
    if args.json {
        output::json(&verified)?
    } else {
        output::text(&text(&verified))?
    }
    Ok(if verified.ok { Exit::Done } else { Exit::Failed })
}

/// The result for people.
pub(super) fn text(verified: &Verified) -> String {
    let mut text = format!("  folder     {}\n", verified.dir.display());
    for range in &verified.ranges {
        text.push_str(&format!(
            "  checked    {:<10} {:<7} changes {} to {}: {}, {}\n",
            range.stream,
            range.format,
            range.first_seq,
            range.last_seq,
            counted(range.files, "file"),
            counted(range.rows, "row")
        ));
        if let Some(base) = &range.base {
            text.push_str(&format!("  {:<30} on {base}\n", ""));
        }
    }
    for file in &verified.snapshots {
        text.push_str(&format!("  checked    {} ({})\n", file.path, counted(file.rows, "row")));
    }
    for remark in &verified.remarks {
        text.push_str(&format!("  note       {remark}\n"));
    }
    for difference in &verified.differences {
        text.push_str(&format!("  differs    {difference}\n"));
    }
    let unnamed = verified.difference_count - verified.differences.len() as u64;
    if unnamed > 0 {
        text.push_str(&format!("  differs    and {} more\n", count(unnamed)));
    }
    text.push_str(&match (verified.ok, verified.files) {
        (true, 0) => "nothing was exported yet\n".to_owned(),
        (true, _) => {
            "every file is what the manifest says; replayed, they give the mirror as of their last change\n"
                .to_owned()
        }
        (false, _) => format!(
            "{} found; `malomo-mirror export repair` writes lost and damaged files again\n",
            counted(verified.difference_count, "difference")
        ),
    });
    text
}
