//! What an export did, for people and for the daemon's log.

use super::super::output::{counted, row, with_rows};
use crate::export::{Again, CompactedFile, Exported, TableCommit};

/// The result for people.
pub(crate) fn summary(exported: &Exported) -> String {
    let mut text: String =
        exported.files.iter().map(|file| row("export", with_rows(&file.path, file.rows))).collect();
    for TableCommit { table, version, last_seq, rows } in &exported.tables {
        let rows = counted(*rows, "row");
        text += &row(
            "export",
            format_args!("{table} version {version}, up to change {last_seq}: {rows} written"),
        );
    }
    if exported.files.is_empty() && exported.existing.is_empty() && exported.tables.is_empty() {
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
    text += &exported.compacted.iter().map(compacted).collect::<String>();
    if let Some(error) = &exported.not_compacted {
        text += &row("note", format_args!("small files could not be joined: {error}"));
    }
    text
}

pub(super) fn compacted(file: &CompactedFile) -> String {
    let rows = file.rows.map_or(String::new(), |rows| format!(", {}", counted(rows, "row")));
    row("compact", format_args!("{} from {}{rows}", file.path, counted(file.files, "file")))
}

fn exported_again(again: &Again) -> String {
    format!(
        "changes {} to {} had been exported to this folder and were no longer there (was it emptied, moved or not mounted?): \
         they were exported again",
        again.first_seq, again.last_seq
    )
}

/// What is to be told besides the files, for the daemon's log.
pub(crate) fn log_notes(exported: &Exported, run_id: i64) {
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
    if !exported.compacted.is_empty() {
        let joined: u64 = exported.compacted.iter().map(|file| file.files).sum();
        tracing::info!(run_id, joined, files = exported.compacted.len(), "small export files were joined");
    }
    if let Some(error) = &exported.not_compacted {
        tracing::warn!(run_id, error, "small export files could not be joined; the next export tries again");
    }
    if let Some(error) = &exported.not_pruned {
        tracing::warn!(run_id, error, "old exports could not be removed; the next export tries again");
    }
}
