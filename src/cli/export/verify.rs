//! `export verify`: read-only, whether or not a run is under way.

use super::super::args::{AtDestination, Global};
use super::super::assemble;
use super::super::exit::{Exit, Failure};
use super::super::output::{self, count, counted, row, with_rows};
use super::attempts;
use crate::export::{CheckedTable, Settings, Verified, verify};
use crate::mirror::Mirror;
use serde::Serialize;

pub(super) fn run(global: &Global, args: &AtDestination) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let mut mirror = Mirror::open_read_only(&config.mirror.path)?;
    let destinations = attempts::chosen(&config, args.destination.as_deref())?;
    all(&destinations, args.json, |settings| Ok(verify(&mut mirror, settings)?), text, exit)
}

/// Looks at each destination, one that can't be looked at too, and shows what was found: as JSON an object for one
/// destination, and an array of `destination`, `result` and `error` for several. The worst end counts.
pub(super) fn all<R: Serialize>(
    destinations: &[Settings],
    json: bool,
    mut look: impl FnMut(&Settings) -> Result<R, Failure>,
    text: impl Fn(&R) -> String,
    exit: impl Fn(&R) -> Exit,
) -> Result<Exit, Failure> {
    if let [one] = destinations {
        let found = look(one)?;
        output::result(json, &found, || text(&found))?;
        return Ok(exit(&found));
    }
    let looks: Vec<(&Settings, Result<R, Failure>)> =
        destinations.iter().map(|settings| (settings, look(settings))).collect();
    let shown = |(settings, found): &(&Settings, Result<R, Failure>)| match found {
        Ok(found) => serde_json::json!({ "destination": settings.name, "result": found }),
        Err(failure) => serde_json::json!({ "destination": settings.name, "error": failure.line() }),
    };
    output::result(json, &looks.iter().map(shown).collect::<Vec<_>>(), || {
        let told = looks.iter().map(|(settings, found)| {
            let told = found.as_ref().map_or_else(|failure| row("failed", failure.line()), &text);
            row("destination", format_args!("{}: {}", settings.name, settings.dir)) + &told
        });
        told.collect()
    })?;
    let ends: Vec<Exit> = looks.iter().filter_map(|(_, found)| found.as_ref().ok().map(&exit)).collect();
    let failed = looks.into_iter().find_map(|(settings, found)| Some((settings, found.err()?)));
    match failed {
        Some((settings, failure)) => {
            let what = format!("the destination `{}` can't be looked at: {}", settings.name, failure.line());
            Err(Failure::new(failure.exit, what))
        }
        None if ends.contains(&Exit::Failed) => Ok(Exit::Failed),
        None => Ok(ends.into_iter().find(|exit| *exit != Exit::Done).unwrap_or(Exit::Done)),
    }
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
    let mut text = row("folder", &verified.dir);
    for range in &verified.ranges {
        let (files, rows) = (counted(range.files, "file"), counted(range.rows, "row"));
        let (stream, format, first, last) = (&range.stream, &range.format, range.first_seq, range.last_seq);
        text += &row(
            "checked",
            format_args!("{stream:<10} {format:<7} changes {first} to {last}: {files}, {rows}"),
        );
        text.extend(range.base.iter().map(|base| format!("  {:<30} on {base}\n", "")));
    }
    for CheckedTable { table, version, last_seq, files, rows } in &verified.tables {
        let (files, rows) = (counted(*files, "file"), counted(*rows, "row"));
        text += &row(
            "checked",
            format_args!("{table} version {version}, up to change {last_seq}: {files}, {rows}"),
        );
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
