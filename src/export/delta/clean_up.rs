//! What a table needs no more is removed: files that its log has let go of, what killed exports left, and the log's own
//! old files. Done with each checkpoint, so that the log that readers find is always short.

use super::log::TableLog;
use super::table::{LAST_CHECKPOINT, LogFile, checkpoint_name, commit_name};
use crate::export::destination::temporary_of;
use crate::export::error::ExportError;
use jiff::{SignedDuration, Timestamp};

/// How long a file stays that counts no more: for readers that began when it did. It is short, since a table of the
/// state that is brought up to date every few minutes lets go of much; older states are in the table of changes.
pub(super) const FILES_STAY: SignedDuration = SignedDuration::from_hours(24);

/// How long commits stay behind a checkpoint, for readers that ask for an earlier version: as long as in Delta's own
/// tables.
pub(super) const COMMITS_STAY: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Where the log wants a checkpoint, or `anyway`: writes one, and removes what is old.
pub(super) fn tidy(log: &mut TableLog, anyway: bool, now: Timestamp) -> Result<(), ExportError> {
    if !anyway && !log.wants_checkpoint() {
        return Ok(());
    }
    remove_files(log, before(now, FILES_STAY))?;
    log.write_checkpoint()?;
    remove_log(log, before(now, COMMITS_STAY)).map(drop)
}

/// Writes a checkpoint, and removes every file that doesn't count now and all of the log that stands before it, whoever may be
/// reading an earlier version: what these hold was erased. Returns the names of what went.
pub(super) fn forget_earlier_versions(log: &mut TableLog) -> Result<Vec<String>, ExportError> {
    let mut gone = remove_files(log, i64::MAX)?;
    log.write_checkpoint()?;
    gone.extend(remove_log(log, i64::MAX)?);
    for folder in [log.table.data(), log.table.log()] {
        log.destination
            .settle(&folder)
            .map_err(ExportError::io("synced", &log.destination.place(&folder)))?;
    }
    Ok(gone)
}

/// Files in the table's folders that have no name of this program's. Relative to the export folder.
pub(super) fn others(log: &TableLog) -> Result<Vec<String>, ExportError> {
    let (table, mut others) = (log.table, Vec::new());
    let is_ours = |name: &str| {
        table.own_path(name).is_some() || LogFile::parse(name).is_some() || name == LAST_CHECKPOINT
    };
    for folder in [table.data(), table.log()] {
        let listed = log.destination.each_name(&folder, &mut |name| {
            if !is_ours(&name) && temporary_of(&name).is_none() {
                others.push(format!("{folder}/{name}"));
            }
        });
        listed.map_err(ExportError::io("listed", &log.destination.place(&folder)))?;
    }
    Ok(others)
}

/// Milliseconds since 1970.
fn before(now: Timestamp, age: SignedDuration) -> i64 {
    now.checked_sub(age).unwrap_or(Timestamp::MIN).as_millisecond()
}

/// Removes files that count no more since `before` at least, and those of this program that the log never named.
fn remove_files(log: &mut TableLog, before: i64) -> Result<Vec<String>, ExportError> {
    let expired = log.removed.extract_if(.., |_, gone| gone.deletion_timestamp.unwrap_or(0) < before);
    let gone = expired.map(|(path, _)| path).filter(|path| is_plain(path));
    let mut names: Vec<String> = gone.map(|path| log.table.file(&path)).collect();
    names.iter().try_for_each(|name| remove(log, name))?;
    names.extend(remove_unnamed(log)?);
    Ok(names)
}

/// Removes files of this program that the log never named: what killed exports, compactions and erasures left. Returns
/// their names.
pub(super) fn remove_unnamed(log: &TableLog) -> Result<Vec<String>, ExportError> {
    let (table, folder, mut names) = (log.table, log.table.data(), Vec::new());
    let listed = log.destination.each_name(&folder, &mut |name| match table.own_path(&name) {
        Some(path) if !log.files.contains_key(&path) && !log.removed.contains_key(&path) => {
            names.push(table.file(&path));
        }
        None if temporary_of(&name).and_then(|name| table.own_path(name)).is_some() => {
            names.push(format!("{folder}/{name}"));
        }
        _ => {}
    });
    listed.map_err(ExportError::io("listed", &log.destination.place(&folder)))?;
    names.sort();
    names.iter().try_for_each(|name| remove(log, name))?;
    Ok(names)
}

/// Whether a path of the log is that of a file below the table's folder as it stands there. Other programs may name
/// files elsewhere, and encode what they name.
fn is_plain(path: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.split('/').all(is_part)
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./=".contains(&byte))
}

/// Removes commits that are older, with the checkpoints between them, as far as the versions that are left can be read
/// without them: up to a checkpoint.
fn remove_log(log: &mut TableLog, before: i64) -> Result<Vec<String>, ExportError> {
    let mut newest_old = None;
    for &version in &log.commits {
        let actions = log.commit_of(version)?;
        let at = actions.into_iter().find_map(|action| action.commit_info?.timestamp);
        // Other programs may not say when they committed.
        if before < i64::MAX && at.is_none_or(|at| at >= before) {
            break;
        }
        newest_old = Some(version);
    }
    let Some(keep) = newest_old.and_then(|version| log.checkpoints.range(..=version).next_back().copied())
    else {
        return Ok(Vec::new());
    };
    let mut gone = Vec::new();
    let commits: Vec<i64> = log.commits.range(..keep).copied().collect();
    let checkpoints: Vec<i64> = log.checkpoints.range(..keep).copied().collect();
    let folder = log.table.log();
    for version in commits {
        gone.push(format!("{folder}/{}", commit_name(version)));
        log.commits.remove(&version);
    }
    for version in checkpoints {
        gone.push(format!("{folder}/{}", checkpoint_name(version)));
        log.checkpoints.remove(&version);
    }
    let mut temporary = Vec::new();
    let listed = log.destination.each_name(&folder, &mut |name| {
        let is_ours = temporary_of(&name).is_some_and(|name| LogFile::parse(name).is_some());
        temporary.extend(Some(name).filter(|_| is_ours));
    });
    listed.map_err(ExportError::io("listed", &log.destination.place(&folder)))?;
    gone.extend(temporary.iter().map(|name| format!("{folder}/{name}")));
    gone.iter().try_for_each(|name| remove(log, name))?;
    Ok(gone)
}

fn remove(log: &TableLog, name: &str) -> Result<(), ExportError> {
    log.destination.remove(name).map(drop).map_err(ExportError::io("removed", &log.destination.place(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_are_removed() {
        for (path, plain) in [
            ("part-00000000000000000012-8f0a2b6e.parquet", true),
            ("current/part-1.parquet", true),
            ("month=2024-05/part-00000-c000.snappy.parquet", true),
            ("../customers/x.csv", false),
            ("/etc/passwd", false),
            ("s3://bucket/x", false),
            ("a%20b.parquet", false),
            ("a//b", false),
            ("", false),
        ] {
            assert_eq!(is_plain(path), plain, "{path}");
        }
    }
}
