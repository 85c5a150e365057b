//! Whether an export folder is this mirror's as it is now. Refused are the folders of other mirrors, of a newer state of this
//! one, and of a future that it lost.
//!
//! Manifest lines that the mirror doesn't remember can be its own all the same: an export that was cut off after
//! the manifest was written leaves such lines. They agree with the change log. A mirror that was restored from an
//! older copy, and has gone on from there, meets lines of its lost future: their numbers stand for other changes.

use crate::export::destination::Destination;
use crate::export::error::ExportError;
use crate::export::formats::Row;
use crate::export::layout::Kind;
use crate::export::location::Location;
use crate::export::manifest::{Manifest, ManifestLine};
use crate::export::readback::{Source, head_differences, is_as_announced, read_rows};
use crate::masking::Masker;
use crate::mirror::Snapshot;
use std::collections::BTreeMap;

/// Opens the manifest of that kind of the export folder `dir`, and refuses one that is none of the mirror `own`, or of another
/// future than its own. Lines behind the point that the mirror remembers are looked at, or all, where it remembers none.
pub(super) fn open_own(
    snapshot: &Snapshot<'_>,
    dir: &Location,
    kind: Kind,
    own: &str,
) -> Result<Manifest, ExportError> {
    let (head, mut unknown) = (snapshot.head()?, Unknown::default());
    let manifest = Manifest::open(snapshot, dir, kind, |entry| {
        check_line(dir, &entry.line, own, head)?;
        if kind == Kind::Changes {
            unknown.note(&entry.line);
        }
        Ok(())
    })?;
    if manifest.reached.end.is_some() {
        check_profile(dir, manifest.reached.profile.clone(), snapshot.masker())?;
    }
    unknown.check(snapshot, dir, &*manifest.destination)?;
    Ok(manifest)
}

/// Refuses a manifest with a line that is not of this mirror, `own`, whose newest change is `head_seq`.
pub(super) fn check_line(
    dir: &Location,
    line: &ManifestLine,
    own: &str,
    head_seq: i64,
) -> Result<(), ExportError> {
    let dir = dir.to_owned();
    if line.mirror_id != own {
        return Err(ExportError::OtherMirror { dir, found: line.mirror_id.clone(), own: own.to_owned() });
    }
    if line.last_seq > head_seq {
        let (stream, last_seq) = (line.stream.clone(), line.last_seq);
        return Err(ExportError::AheadOfMirror { dir, stream, last_seq, head_seq });
    }
    Ok(())
}

/// Refuses rows that were written by other rules than those of the profile through which the mirror is seen. `found` is the
/// name of their profile, and what its rules are known by.
pub(super) fn check_profile(
    dir: &Location,
    found: Option<(String, String)>,
    own: Option<&Masker>,
) -> Result<(), ExportError> {
    if found.as_ref().map(|(_, rules)| &**rules) == own.map(Masker::rules) {
        return Ok(());
    }
    let is_of_name = |own: &&Masker| found.as_ref().is_some_and(|(name, _)| name == own.name());
    let told = match (&found, own.filter(is_of_name)) {
        (Some((name, _)), Some(_)) => format!("the profile {name} with other rules or another key"),
        (Some((name, _)), None) => format!("the profile {name}"),
        (None, _) => "no profile".to_owned(),
    };
    let own = own.map_or_else(|| "no profile".to_owned(), |own| format!("the profile {}", own.name()));
    Err(ExportError::OtherProfile { dir: dir.to_owned(), found: told, own })
}

/// The newest lines that the mirror doesn't remember, one of each stream and format: where the numbers of such a file stand
/// for the same changes, those of older files do too.
#[derive(Debug, Default)]
struct Unknown(BTreeMap<(String, String), ManifestLine>);

impl Unknown {
    /// Takes the next one.
    fn note(&mut self, line: &ManifestLine) {
        self.0.insert((line.stream.clone(), line.format.clone()), line.clone());
    }

    /// Refuses lines that the change log contradicts. Reads their files.
    ///
    /// # Errors
    /// When a line is none of this mirror's, or the mirror can't be read.
    fn check(
        &self,
        snapshot: &Snapshot<'_>,
        dir: &Location,
        destination: &dyn Destination,
    ) -> Result<(), ExportError> {
        for line in self.0.values() {
            if contradicts(snapshot, destination, line)? {
                return Err(ExportError::Diverged { dir: dir.to_owned(), path: line.path.clone() });
            }
        }
        Ok(())
    }
}

/// Whether the change log speaks against a line: by the rows of its file where that lies there whole, else by time, since
/// no file is older than its newest change.
fn contradicts(
    snapshot: &Snapshot<'_>,
    destination: &dyn Destination,
    line: &ManifestLine,
) -> Result<bool, ExportError> {
    if is_whole(destination, line) {
        return rows_contradict(snapshot, destination, line);
    }
    let observed = snapshot.observed_at(line.last_seq)?;
    Ok(observed.is_none_or(|at| at > line.created_at))
}

fn is_whole(destination: &dyn Destination, line: &ManifestLine) -> bool {
    let file = line.to_export_file();
    line.file_name(Kind::Changes).is_ok() && is_as_announced(destination, &file).unwrap_or(false)
}

fn rows_contradict(
    snapshot: &Snapshot<'_>,
    destination: &dyn Destination,
    line: &ManifestLine,
) -> Result<bool, ExportError> {
    let path = destination.place(&line.path);
    let Ok(name) = line.file_name(Kind::Changes) else { return Ok(true) };
    let mut source = Source::open(destination, &line.path).map_err(ExportError::io("read", &path))?;
    let dialect = line.dialect();
    let rows = read_rows(&mut source, name, dialect);
    // A file that is what its line says and can't be read is no accident of this folder's.
    let Ok(mut rows) = rows else { return Ok(true) };
    let mut next: Result<Option<Row>, _> = rows.next().transpose();
    let mut contradicted = false;
    snapshot.log(name.stream, (line.first_seq, line.last_seq), |change| {
        if let Ok(Some(row)) = &next
            && row.seq <= change.seq
        {
            contradicted |=
                row.seq < change.seq || !head_differences(row, &change, false, dialect).is_empty();
            next = rows.next().transpose();
        }
        Ok::<(), ExportError>(())
    })?;
    // What is left has numbers that the log doesn't have.
    Ok(contradicted || !matches!(next, Ok(None)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::manifest::sample;

    #[test]
    fn folders_of_others_are_refused() {
        let (dir, line) = (&Location::from("d"), sample("events", "csv", 1, 7));
        assert!(check_line(dir, &line, "m", 7).is_ok());
        assert!(matches!(check_line(dir, &line, "m", 6), Err(ExportError::AheadOfMirror { .. })));
        assert!(matches!(check_line(dir, &line, "n", 7), Err(ExportError::OtherMirror { .. })));
        assert!(matches!(check_line(dir, &line, "n", 6), Err(ExportError::OtherMirror { .. })));
    }
}
