//! An erasure from the request to its receipt.
//!
//! 1. The mirror forgets, in one transaction that also notes the erasure as one that is not ended.
//! 2. Export files are written again without the persons.
//! 3. The mirror's file is written anew, so that no deleted byte is left in it, and its log is emptied.
//! 4. The receipt is written, then the mirror notes that the erasure has ended.
//!
//! Steps 2 to 4 need nothing but the mirror, which knows whom it forgot by numbers of changes alone; they can be done
//! again.

use super::check::held_in;
use super::error::ErasureError;
use super::needles::Needles;
use super::receipt::{AskedFor, Elsewhere, Receipt, Unreached};
use crate::diff::Retention;
use crate::export::{self, Done, ErasedFolder, Location, Settings, known_folders};
use crate::masking::Profile;
use crate::mirror::{Asked, Erasure, ErasureKey, Identifier, Mirror, Person, sizes};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// How long is waited for readers of the mirror who still see the state before an erasure.
const WAIT_FOR_READERS: Duration = Duration::from_secs(10);

/// What is left where an erasure was cut off before its first receipt was written.
const NOT_LOOKED_FOR: &str =
    "records of others that name the person: the erasure was cut off before they were looked for";

/// Whom to erase.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// By what they were asked for.
    pub asked: Vec<Asked>,
    /// Goes into the receipt; it must name nobody.
    pub reason: Option<String>,
    /// Ids of customers that the vendor's API has deleted.
    pub deleted_at_vendor: Vec<String>,
}

/// Erases persons from the mirror, from every export folder that it knows and from the configured ones, and leaves tombstones
/// that keep them out. Where nobody is found, tombstones of what was asked for are left all the same. Blocks; the caller holds
/// the mirror's process lock.
///
/// When this returns, the mirror has forgotten durably, whatever the receipt says of the rest. Returns the receipt
/// and where it is.
///
/// # Errors
/// When the mirror, its key or the receipt can't be read or written. What is wrong with an export folder is no error:
/// the receipt says so, and has no end.
pub fn erase(
    mirror: &mut Mirror,
    configured: &[Settings],
    request: &Request,
    clock: fn() -> Timestamp,
) -> Result<(Receipt, PathBuf), ErasureError> {
    let key = ErasureKey::read_or_create(mirror.path())?;
    note_folders(mirror, configured)?;
    let (number, persons) = mirror.erase(&key, &request.asked, request.reason.as_deref(), clock())?;
    let elsewhere = elsewhere(mirror, &request.asked, &persons)?;
    let erasure = &begun(mirror, number)?;
    let mut receipt = blank(mirror.id(), erasure);
    receipt.elsewhere = elsewhere;
    let at_vendor = request.deleted_at_vendor.iter().map(|id| key.token(Identifier::Id, id).0);
    receipt.deleted_at_vendor = at_vendor.collect();
    // What only this process knows is on the disk before it goes on.
    receipt.write(mirror.path(), &key)?;
    end(mirror, configured, erasure, receipt, &key, clock)
}

/// Erases what has expired by now from the same places, with a receipt as [`erase`] does, but without tombstones. Returns
/// `None`, and changes nothing, where nothing has expired. Blocks; the caller holds the mirror's process lock.
///
/// # Errors
/// As [`erase`].
pub fn expire(
    mirror: &mut Mirror,
    configured: &[Settings],
    retention: &Retention,
    clock: fn() -> Timestamp,
) -> Result<Option<(Receipt, PathBuf)>, ErasureError> {
    let now = clock();
    let expiry = retention.at(now);
    if mirror.snapshot()?.expired(&expiry)?.is_empty() {
        return Ok(None);
    }
    let key = ErasureKey::read_or_create(mirror.path())?;
    note_folders(mirror, configured)?;
    let Some(number) = mirror.erase_expired(&key, &expiry, &retention.to_string(), now)? else {
        return Ok(None);
    };
    let erasure = begun(mirror, number)?;
    let mut receipt = blank(mirror.id(), &erasure);
    receipt.write(mirror.path(), &key)?;
    end(mirror, configured, &erasure, receipt, &key, clock).map(Some)
}

/// Has the mirror remember what its exports announce. A folder that can't be read is told of where its files are to be written
/// again.
fn note_folders(mirror: &mut Mirror, configured: &[Settings]) -> Result<(), ErasureError> {
    for (folder, profile) in known_folders(mirror, configured)? {
        drop(Location::parse(&folder).map(|folder| export::note(mirror, &folder, profile)));
    }
    Ok(())
}

/// The erasure of this number, which has not ended.
fn begun(mirror: &mut Mirror, number: i64) -> Result<Erasure, ErasureError> {
    let mut erasures = mirror.snapshot()?.unended_erasures()?.into_iter();
    erasures.find(|erasure| erasure.id == number).ok_or_else(|| {
        crate::mirror::MirrorError::Unreadable { what: "its newest erasure".to_owned() }.into()
    })
}

/// Ends the erasures that were cut off, oldest first. Returns their receipts, and where they are.
///
/// # Errors
/// As [`erase`].
pub fn finish(
    mirror: &mut Mirror,
    configured: &[Settings],
    clock: fn() -> Timestamp,
) -> Result<Vec<(Receipt, PathBuf)>, ErasureError> {
    let mut receipts = Vec::new();
    let unended = mirror.snapshot()?.unended_erasures()?;
    for erasure in unended {
        mirror.delete_securely()?;
        let key = ErasureKey::read_or_create(mirror.path())?;
        let receipt = Receipt::earlier(mirror.path(), erasure.id, &key);
        let is_of_persons = !erasure.erased.asked.is_empty();
        let not_looked_for = || {
            unreached(
                NOT_LOOKED_FOR,
                "Look with `malomo-mirror person` for each of the person's identifiers.",
            )
        };
        let receipt = receipt.unwrap_or_else(|| Receipt {
            unreached: is_of_persons.then(not_looked_for).into_iter().collect(),
            ..blank(mirror.id(), &erasure)
        });
        receipts.push(end(mirror, configured, &erasure, receipt, &key, clock)?);
    }
    Ok(receipts)
}

fn blank(mirror_id: &str, erasure: &Erasure) -> Receipt {
    let asked = erasure.erased.asked.iter();
    Receipt {
        erasure: erasure.id,
        mirror_id: mirror_id.to_owned(),
        requested_at: erasure.requested_at.clone(),
        ended_at: None,
        reason: erasure.reason.clone(),
        asked: asked
            .map(|(identifier, token)| AskedFor { identifier: *identifier, token: token.clone() })
            .collect(),
        persons: erasure.erased.persons.clone(),
        deleted_at_vendor: Vec::new(),
        expired: erasure.erased.expired.clone(),
        mirror: erasure.erased.places.clone(),
        changes: erasure.changes,
        file_rewritten: false,
        file_bytes: None,
        exports: Vec::new(),
        elsewhere: Vec::new(),
        unreached: Vec::new(),
        previous: None,
        signature: String::new(),
    }
}

/// Steps 2 to 4.
fn end(
    mirror: &mut Mirror,
    configured: &[Settings],
    erasure: &Erasure,
    mut receipt: Receipt,
    key: &ErasureKey,
    clock: fn() -> Timestamp,
) -> Result<(Receipt, PathBuf), ErasureError> {
    let known: BTreeMap<_, _> = receipt.exports.iter().flat_map(files_before).collect();
    receipt.exports.clear();
    receipt.unreached.retain(|one| one.what == NOT_LOOKED_FOR);
    let mut is_whole = true;
    for (folder, profile) in known_folders(mirror, configured)? {
        is_whole &= erase_from(mirror, (&folder, profile), erasure, clock(), &known, &mut receipt);
    }
    // Once that is done, nothing of the persons comes back into the file.
    if !receipt.file_rewritten {
        receipt.file_rewritten = mirror.forget_deleted(WAIT_FOR_READERS)?;
        receipt.file_bytes = Some(sizes(mirror.path()).0);
    }
    if !receipt.file_rewritten {
        is_whole = false;
        receipt.unreached.push(unreached(
            "the mirror's write-ahead log, which somebody who reads the mirror since before the erasure still needs",
            "End that program, then run `malomo-mirror erase --finish`.",
        ));
    }
    if receipt.exports.iter().any(|folder| is_store(&folder.dir)) {
        receipt.unreached.push(unreached(
            "what buckets hold that nobody sees: older versions of objects, where they are kept, and uploads that a killed \
             export didn't complete",
            "Let a rule of the bucket remove both (NoncurrentVersionExpiration, AbortIncompleteMultipartUpload).",
        ));
    }
    receipt.unreached.extend(never_reached(&receipt));
    let now = clock();
    receipt.ended_at = is_whole.then(|| format!("{now:.3}"));
    let path = receipt.write(mirror.path(), key)?;
    if is_whole {
        let mut batch = mirror.batch()?;
        batch.end_erasure(erasure.id, now)?;
        batch.commit()?;
    }
    Ok((receipt, path))
}

/// Step 2 for one folder, with what came of it for the receipt. Returns whether nothing is left to be done there.
fn erase_from(
    mirror: &mut Mirror,
    (shown, profile): (&str, Option<&Profile>),
    erasure: &Erasure,
    now: Timestamp,
    known: &BTreeMap<(String, String), Before>,
    receipt: &mut Receipt,
) -> bool {
    let mut left = |what: String, what_to_do| receipt.unreached.push(unreached(what, what_to_do));
    let folder = match Location::parse(shown) {
        Ok(folder) => folder,
        Err(why) => {
            left(
                format!("the export folder {shown}: {why}"),
                "Run `malomo-mirror erase --finish` with a build that has it.",
            );
            return false;
        }
    };
    if folder.folder().is_some_and(|folder| !folder.exists()) {
        left(
            format!("the export folder {shown}, which is not there any more"),
            "If it was moved, its files still hold the person: remove it, or export into it again from there.",
        );
        return true;
    }
    match export::erase(mirror, (&folder, profile), erasure, now) {
        Ok(mut done) => {
            for path in &done.not_written {
                left(
                    format!("{shown}/{path}, of a format that this build of the program doesn't have"),
                    "Run `erase --finish` with a build that has it.",
                );
            }
            done.files.iter_mut().for_each(|file| recall(file, known, shown));
            let is_whole = done.not_written.is_empty();
            receipt.exports.push(done);
            is_whole
        }
        Err(error) => {
            left(
                format!("the export folder {shown}: {}", error.with_causes()),
                "Mend that, then run `malomo-mirror erase --finish`.",
            );
            false
        }
    }
}

fn is_store(dir: &str) -> bool {
    Location::parse(dir).is_ok_and(|dir| dir.folder().is_none())
}

type Before = (u64, Option<u64>, Option<String>);

fn files_before(folder: &ErasedFolder) -> Vec<((String, String), Before)> {
    let of = |file: &export::ErasedFile| {
        let key = (folder.dir.clone(), file.path.clone());
        (key, (file.records, file.bytes_before, file.sha256_before.clone()))
    };
    folder.files.iter().map(of).collect()
}

/// What an earlier receipt knows of a file that was written again before the erasure was cut off.
fn recall(file: &mut export::ErasedFile, known: &BTreeMap<(String, String), Before>, dir: &str) {
    if file.done == Done::RewrittenBefore
        && let Some((records, bytes, sha256)) = known.get(&(dir.to_owned(), file.path.clone()))
    {
        (file.records, file.bytes_before, file.sha256_before) = (*records, *bytes, sha256.clone());
    }
}

fn unreached(what: impl Into<String>, what_to_do: &str) -> Unreached {
    Unreached { what: what.into(), what_to_do: what_to_do.to_owned() }
}

/// What no erasure of this program reaches.
fn never_reached(receipt: &Receipt) -> Vec<Unreached> {
    let vendor = match &receipt.expired[..] {
        [] => unreached(
            "the vendor, who still has the customer unless the shop or the vendor has deleted it there",
            "Delete it there, or use `--at-vendor`; until then the mirror keeps it out.",
        ),
        _ => unreached(
            "the vendor, who still has what has expired here",
            "Nothing: the mirror doesn't take it in again as long as `[retention]` says so.",
        ),
    };
    let others = [
        unreached(
            "what consumers have loaded from exports",
            "Have them remove the rows that erasures.ndjson names, beside each manifest, or load the exports anew.",
        ),
        unreached(
            "backups of the mirror and of exports, snapshots of the file system, and free blocks of the disk",
            "Let them expire, or remove them; after a restore, erase again.",
        ),
        unreached(
            "log lines and notices of this program, which may name a customer's id, and no address, name or number",
            "Let the journal expire as your retention says.",
        ),
    ];
    receipt.deleted_at_vendor.is_empty().then_some(vendor).into_iter().chain(others).collect()
}

/// Rows that still hold an id, an address or a number of the persons.
fn elsewhere(
    mirror: &mut Mirror,
    asked: &[Asked],
    persons: &[Person],
) -> Result<Vec<Elsewhere>, ErasureError> {
    let texts = asked.iter().map(|asked| asked.value.as_str()).chain(persons.iter().flat_map(|person| {
        std::iter::once(&person.id).chain(&person.emails).chain(&person.phone_numbers).map(String::as_str)
    }));
    let needles = Needles::of(texts).map_err(|error| ErasureError::Io {
        action: "searched",
        path: mirror.path().to_owned(),
        source: std::io::Error::other(error),
    })?;
    held_in(mirror, &needles)
}
