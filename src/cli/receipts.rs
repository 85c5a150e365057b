//! Receipts of erasures, and what has expired, for people.

use super::exit::{Exit, Failure};
use super::output::{self, counted, row};
use crate::erasure::Receipt;
use crate::mirror::Expired;
use std::path::{Path, PathBuf};

/// Prints the receipts of erasures, and says whether all of these have ended.
pub(super) fn told(as_json: bool, ended: &[(Receipt, PathBuf)]) -> Result<Exit, Failure> {
    let receipts: Vec<&Receipt> = ended.iter().map(|(receipt, _)| receipt).collect();
    output::result(as_json, &receipts, || match ended {
        [] => row("erased", "no erasure was left to end"),
        ended => ended.iter().map(|(receipt, path)| text(receipt, path)).collect(),
    })?;
    let is_whole = receipts.iter().all(|receipt| receipt.ended_at.is_some());
    Ok(if is_whole { Exit::Done } else { Exit::Incomplete })
}

fn text(receipt: &Receipt, path: &Path) -> String {
    let records: u64 = receipt.mirror.iter().map(|place| place.records).sum();
    let mut text = match &receipt.expired[..] {
        [] => row("erased", counted(receipt.persons.len() as u64, "customer")),
        expired => expired.iter().map(expired_text).collect(),
    };
    text += &row(
        "mirror",
        format!("{}, {} of the log", counted(records, "record"), counted(receipt.changes, "line")),
    );
    for folder in &receipt.exports {
        let files = counted(folder.files.len() as u64, "file");
        text += &row(
            "exports",
            format!(
                "{files} written again or removed in {}, where {} are announced",
                folder.dir, folder.searched
            ),
        );
        let others = folder.others.iter();
        text +=
            &others.map(|name| row("not ours", format!("{name}: nobody looked into it"))).collect::<String>();
    }
    for place in &receipt.elsewhere {
        let rows = counted(place.records, "row");
        text += &row(
            "note",
            format!("{rows} of others in {}.{} name the person, and stay", place.table, place.column),
        );
    }
    if receipt.ended_at.is_none() {
        text += &row("note", "it is not ended:");
    }
    for one in &receipt.unreached {
        text += &row("not", format!("{}. {}", one.what, one.what_to_do));
    }
    text + &row("receipt", path.display())
}

/// What has expired by a rule, for people.
pub(super) fn expired_text(expired: &Expired) -> String {
    let since = |time: &Option<String>| time.clone().unwrap_or_else(|| "an unknown time".to_owned());
    row(
        "expired",
        format_args!(
            "{} by {}, {} from {} to {}",
            amount(std::slice::from_ref(expired)),
            expired.rule,
            if expired.customers + expired.events > 0 { "last changed" } else { "ended" },
            since(&expired.oldest),
            since(&expired.newest)
        ),
    )
}

/// How much this is in all.
pub(super) fn amount(expired: &[Expired]) -> String {
    let sum = |of: fn(&Expired) -> u64| expired.iter().map(of).sum::<u64>();
    let parts = [
        (sum(|one| one.customers), "customer"),
        (sum(|one| one.events), "event"),
        (sum(|one| one.versions), "earlier version"),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| counted(number, what))
        .collect();
    parts.join(", ")
}
