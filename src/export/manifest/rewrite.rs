//! A manifest that takes another one's place: without the lines of pruned files, or with lines of repaired ones.

use super::line::ManifestLine;
use super::lines::{Entry, Lines};
use super::open_manifest::Manifest;
use super::reached::{End, Front, Reached};
use crate::export::destination::NewFile;
use crate::export::error::ExportError;
use crate::export::layout::MANIFEST;
use crate::mirror::Mirror;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

/// What is to become of a line.
enum Change {
    Keep,
    Drop,
    By(Box<ManifestLine>),
}

impl Manifest {
    /// Takes the lines away that end there.
    pub(in crate::export) fn remove_front(
        &mut self,
        mirror: &mut Mirror,
        end: &End,
        front: Front,
    ) -> Result<(), ExportError> {
        self.rewrite(mirror, vec![front], |number| match number <= end.lines {
            true => Change::Drop,
            false => Change::Keep,
        })
    }

    /// Puts other lines in the place of those with these numbers, counted from 1, and ties the lines behind them to them.
    pub(in crate::export) fn replace(
        &mut self,
        mirror: &mut Mirror,
        lines: BTreeMap<usize, ManifestLine>,
    ) -> Result<(), ExportError> {
        self.join(mirror, lines, &BTreeSet::new())
    }

    /// Puts lines in the place of those with these numbers, counted from 1, and takes others away, each of which stands behind
    /// one of them. Ties the lines behind them anew.
    pub(in crate::export) fn join(
        &mut self,
        mirror: &mut Mirror,
        mut lines: BTreeMap<usize, ManifestLine>,
        dropped: &BTreeSet<usize>,
    ) -> Result<(), ExportError> {
        let fronts = self.reached.fronts.clone();
        self.rewrite(mirror, fronts, |number| match lines.remove(&number) {
            Some(line) => Change::By(Box::new(line)),
            None if dropped.contains(&number) => Change::Drop,
            None => Change::Keep,
        })
    }

    /// Writes the manifest anew. Lines that are kept stay to the byte, but for their `previous`.
    ///
    /// # Errors
    /// When a line is not tied to the one before it: then nothing has changed. When the manifest or the mirror can't be
    /// written.
    fn rewrite(
        &mut self,
        mirror: &mut Mirror,
        fronts: Vec<Front>,
        mut change: impl FnMut(usize) -> Change,
    ) -> Result<(), ExportError> {
        let failed = |error| ExportError::io("written", &self.path())(error);
        let mut new = NewFile::begin(&*self.destination, MANIFEST)?;
        let mut old = Lines::open(&*self.destination)?;
        let mut reached = Reached { fronts, rewritten: self.reached.rewritten.clone(), ..Reached::default() };
        while let Some(entry) = old.next()? {
            let before = reached.end.as_ref().map(|end| end.last_line.clone());
            let previous = before.or_else(|| entry.line.previous.clone());
            let (text, line) = match change(entry.number) {
                Change::Drop => continue,
                Change::By(line) => {
                    reached.rewritten.remove(&line.path);
                    let line = ManifestLine { previous, ..*line };
                    (serde_json::to_vec(&line).map_err(|error| failed(error.into()))?.into(), line)
                }
                Change::Keep => match retied(&entry, previous.as_deref()) {
                    Some(text) => (text, entry.line),
                    None => {
                        let reason = "its tie to the line before it stands there more than once".to_owned();
                        return Err(ExportError::ManifestLine {
                            path: self.path(),
                            line: entry.number,
                            reason,
                        });
                    }
                },
            };
            new.write_all(&text).and_then(|()| new.write_all(b"\n")).map_err(failed)?;
            reached.add(&text, &line);
        }
        let new = new.finish().map_err(failed)?;
        self.anchors.store(mirror, &self.reached, Some(&reached))?;
        let bytes = new.bytes;
        new.publish(self.found)?;
        self.settle("")?;
        (self.found, self.reached) = (Some(bytes), reached);
        Ok(())
    }
}

/// A line's text with another `previous`; `None` where it can't be told in the text.
pub(super) fn retied<'l>(entry: &Entry<'l>, previous: Option<&str>) -> Option<Cow<'l, [u8]>> {
    let (Some(old), Some(new)) = (entry.line.previous.as_deref(), previous) else {
        return Some(entry.text.into());
    };
    if old == new {
        return Some(entry.text.into());
    }
    let (front, back) = std::str::from_utf8(entry.text).ok()?.split_once(old)?;
    (!back.contains(old)).then(|| format!("{front}{new}{back}").into_bytes().into())
}
