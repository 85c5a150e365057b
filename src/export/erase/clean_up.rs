//! What goes from an export folder beside the files that are written again.

use super::erased_changes::ErasedChanges;
use super::outcome::{ErasedFile, ErasedFolder};
use crate::export::destination::{Destination, temporary_of};
use crate::export::error::ExportError;
use crate::export::layout::{FileName, Kind, in_folder};
use crate::export::location::Location;
use crate::export::provenance::open_own;
use crate::export::readback::Source;
use crate::export::retention::remove_orphans;
use crate::mirror::Mirror;
use crate::record::Stream;
use std::collections::BTreeSet;

/// How the names of damaged files end that a repair kept.
const DAMAGED: &str = ".damaged";

/// Removes what killed exports left, and damaged files that were kept aside. Notes which files nobody knows.
pub(super) fn clean_up(
    mirror: &mut Mirror,
    (dir, kind): (&Location, Kind),
    erased: &ErasedChanges,
    announced: &BTreeSet<FileName>,
    done: &mut ErasedFolder,
) -> Result<(), ExportError> {
    let own = mirror.id().to_owned();
    let manifest = open_own(&mirror.snapshot()?, dir, kind, &own)?;
    let destination = &*manifest.destination;
    let mut gone = Vec::new();
    for stream in Stream::ALL {
        let listed = destination.each_name(stream.name(), &mut |name| {
            let path = format!("{stream}/{name}");
            match name.strip_suffix(DAMAGED).and_then(FileName::parse) {
                Some(of) if erased.may_hold(stream, of.covers.range()) => gone.push(path),
                Some(_) => {}
                None if FileName::parse(&name).is_some() || temporary_of(&name).is_some() => {}
                None => done.others.push(in_folder(kind, &path)),
            }
        });
        listed.map_err(ExportError::io("listed", &destination.place(stream.name())))?;
    }
    gone.sort();
    done.others.sort();
    for path in gone {
        done.files.push(remove(destination, kind, &path)?);
    }
    let left = remove_orphans(&manifest, |name| announced.contains(name))?;
    done.files.extend(left.into_iter().map(|path| ErasedFile::removed(in_folder(kind, &path), None, None)));
    Stream::ALL.into_iter().try_for_each(|stream| manifest.settle(stream.name()))
}

fn remove(destination: &dyn Destination, kind: Kind, path: &str) -> Result<ErasedFile, ExportError> {
    let place = destination.place(path);
    let source = Source::open(destination, path).and_then(Source::finish);
    let (bytes, sha256) = source.map_err(ExportError::io("read", &place))?;
    destination.remove(path).map_err(ExportError::io("removed", &place))?;
    Ok(ErasedFile::removed(in_folder(kind, path), Some(bytes), Some(sha256)))
}
