//! The manifest: one JSON object a line for each announced file, oldest first. Each line carries the digest of the
//! line before it, so that a lost or edited line shows.

use super::ExportError;
use super::file::{self, Temporary, Unannounced};
use super::name::temporary_of;
use crate::mirror::ExportFile;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The manifest's name in its folder.
pub(super) const MANIFEST: &str = "manifest.ndjson";

/// A line of a manifest: a file that lies complete on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestLine {
    /// `customers` or `events`.
    pub stream: String,
    /// `csv` or `ndjson`.
    pub format: String,
    /// Relative to the manifest's folder.
    pub path: String,
    /// The first change number that the file covers. The files of a stream and format tile: each starts where the one
    /// before it ended.
    pub first_seq: i64,
    /// The last change number that the file covers; the last row may have a smaller one.
    pub last_seq: i64,
    /// Rows, without a header line.
    pub rows: u64,
    /// The file's size.
    pub bytes: u64,
    /// Of the file as it lies there (compressed, where it is), lower-case hex.
    pub sha256: String,
    /// In the order of the file.
    pub columns: Vec<String>,
    /// UTC, ISO 8601.
    pub created_at: String,
    /// The sync run that exported, `sync_runs.id`; null for an export by itself.
    pub run_id: Option<i64>,
    /// `none`, `gzip` or `zstd`.
    pub compression: String,
    /// Whose changes these are: the mirror's `meta.mirror_id`.
    pub mirror_id: String,
    /// SHA-256 of the line before this one, without its line end, lower-case hex; null on the first line.
    pub previous: Option<String>,
    /// When the file was written again because it was lost or damaged: UTC, ISO 8601, the same as `created_at`. The
    /// lines behind this one were tied to it anew. Absent from files that were written once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repaired_at: Option<String>,
    /// Changes that are missing from a file that was written again: their content is gone from the mirror, since a
    /// newer change of the same record stands in a later file. Absent where it is 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// Whether text in this CSV file is guarded (`export.csv_formula_guard`): a `'` that a field of the API's begins with
    /// is to be taken away. Absent where it is not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub csv_formula_guard: bool,
    /// Whether the file holds the whole state as of `last_seq`, not the changes of a range.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub snapshot: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl ManifestLine {
    /// The line as the mirror's copy has it.
    pub(super) fn to_export_file(&self) -> ExportFile {
        ExportFile {
            stream: self.stream.clone(),
            format: self.format.clone(),
            first_seq: self.first_seq,
            last_seq: self.last_seq,
            path: self.path.clone(),
            rows: self.rows,
            bytes: self.bytes,
            sha256: self.sha256.clone(),
            created_at: self.created_at.clone(),
        }
    }
}

/// A manifest as it was read, or as it is going to be written.
pub(super) struct Manifest {
    folder: PathBuf,
    text: Vec<u8>,
    pub(super) lines: Vec<ManifestLine>,
}

impl Manifest {
    /// Reads the manifest in `folder`; one without lines where there is none.
    pub(super) fn read(folder: &Path) -> Result<Manifest, ExportError> {
        let path = folder.join(MANIFEST);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            text => text.map_err(ExportError::io("read", &path))?,
        };
        Manifest::of(folder, text)
    }

    /// The manifest in `folder` that holds `text`.
    pub(super) fn of(folder: &Path, text: Vec<u8>) -> Result<Manifest, ExportError> {
        let lines = parse(&text).map_err(|(line, reason)| ExportError::ManifestLine {
            path: folder.join(MANIFEST),
            line,
            reason,
        })?;
        Ok(Manifest { folder: folder.to_owned(), text, lines })
    }

    /// Adds a line; its `previous` is set here. Not on the disk until [`Manifest::announce`].
    pub(super) fn add(&mut self, mut line: ManifestLine) -> Result<(), ExportError> {
        if self.text.last().is_some_and(|byte| *byte != b'\n') {
            self.text.push(b'\n');
        }
        line.previous = last_line(&self.text).map(digest);
        serde_json::to_writer(&mut self.text, &line)
            .map_err(|error| ExportError::io("written", &self.folder.join(MANIFEST))(error.into()))?;
        self.text.push(b'\n');
        self.lines.push(line);
        Ok(())
    }

    /// Puts other lines in the place of those with these numbers, counted from 1, and ties the lines behind them to them.
    /// All other lines stay to the byte but for their `previous`. Not on the disk until [`Manifest::announce`].
    ///
    /// # Errors
    /// When a line is not tied to the one before it: then nothing has changed.
    pub(super) fn replace(&mut self, mut lines: BTreeMap<usize, ManifestLine>) -> Result<(), ExportError> {
        let path = self.folder.join(MANIFEST);
        let mut text: Vec<u8> = Vec::with_capacity(self.text.len());
        let mut before: Option<(String, String)> = None;
        let old = self.text.strip_suffix(b"\n").unwrap_or(&self.text);
        for (n, bytes) in old.split(|byte| *byte == b'\n').enumerate() {
            let from = text.len();
            if let Some(mut line) = lines.remove(&(n + 1)) {
                line.previous = match &before {
                    Some((_, new)) => Some(new.clone()),
                    None => self.lines.first().and_then(|first| first.previous.clone()),
                };
                serde_json::to_writer(&mut text, &line)
                    .map_err(|error| ExportError::io("written", &path)(error.into()))?;
            } else {
                let tied = retied(bytes, before.as_ref()).ok_or_else(|| ExportError::ManifestLine {
                    path: path.clone(),
                    line: n + 1,
                    reason: "it is not tied to the line before it".to_owned(),
                })?;
                text.extend_from_slice(&tied);
            }
            before = Some((digest(bytes), digest(&text[from..])));
            text.push(b'\n');
        }
        self.lines =
            parse(&text).map_err(|(line, reason)| ExportError::ManifestLine { path, line, reason })?;
        self.text = text;
        Ok(())
    }

    /// Replaces the manifest on the disk, atomically and durably. The files that it announces for the first time stay
    /// from then on; when it can't be replaced, they are removed.
    pub(super) fn announce(&self, files: Unannounced) -> Result<(), ExportError> {
        let (temporary, mut disk) = Temporary::create(&self.folder, MANIFEST)?;
        disk.write_all(&self.text).map_err(ExportError::io("written", temporary.target()))?;
        temporary.complete(disk)?.publish()?;
        // From here on the manifest names them, even if the power fails before its folder is synced.
        files.keep();
        file::sync_folder(&self.folder)
    }

    /// The text of the line with this number, counted from 1, without its end.
    pub(super) fn text_of(&self, number: usize) -> Option<&[u8]> {
        self.text.split(|byte| *byte == b'\n').nth(number.checked_sub(1)?)
    }

    /// Takes away the first lines, so many, and returns them. Not on the disk until [`Manifest::announce`].
    pub(super) fn remove_front(&mut self, count: usize) -> Vec<ManifestLine> {
        let mut ends = self.text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(n, _)| n + 1);
        let from = count.checked_sub(1).map_or(0, |n| ends.nth(n).unwrap_or(self.text.len()));
        self.text.drain(..from);
        self.lines.drain(..count).collect()
    }

    /// Removes temporary files of manifests that a killed export left. Returns their names.
    pub(super) fn clean_up(&self) -> Result<Vec<String>, ExportError> {
        let mut names = file::names(&self.folder)?;
        names.retain(|name| temporary_of(name) == Some(MANIFEST));
        names.iter().try_for_each(|name| file::remove(&self.folder.join(name)))?;
        Ok(names)
    }
}

/// A line with its `previous` moved from the first of these digests to the second; `None` where it is not that.
fn retied<'l>(line: &'l [u8], before: Option<&(String, String)>) -> Option<Cow<'l, [u8]>> {
    let Some((old, new)) = before.filter(|(old, new)| old != new) else { return Some(line.into()) };
    let text = std::str::from_utf8(line).ok()?;
    let (front, back) = text.split_once(old.as_str())?;
    let moved = !back.contains(old.as_str()) && parse_line(line).ok()?.previous.as_ref() == Some(old);
    moved.then(|| format!("{front}{new}{back}").into_bytes().into())
}

/// The lines of a manifest; the number of the first bad line, counted from 1, and what is wrong with it.
fn parse(text: &[u8]) -> Result<Vec<ManifestLine>, (usize, String)> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let lines = text.split(|byte| *byte == b'\n').enumerate();
    lines.map(|(n, line)| parse_line(line).map_err(|reason| (n + 1, reason))).collect()
}

pub(super) fn parse_line(line: &[u8]) -> Result<ManifestLine, String> {
    let line: ManifestLine = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let range_is_good = line.first_seq >= 1 && (line.snapshot || line.last_seq >= line.first_seq);
    if range_is_good {
        Ok(line)
    } else {
        Err(format!("no file covers the changes {} to {}", line.first_seq, line.last_seq))
    }
}

fn last_line(text: &[u8]) -> Option<&[u8]> {
    text.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\n').next()
}

pub(super) fn digest(line: &[u8]) -> String {
    file::hex(&Sha256::digest(line))
}

#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn sample(stream: &str, format: &str, first_seq: i64, last_seq: i64) -> ManifestLine {
    ManifestLine {
        stream: stream.to_owned(),
        format: format.to_owned(),
        path: format!("{stream}/{stream}-{first_seq:012}-{last_seq:012}.{format}"),
        first_seq,
        last_seq,
        rows: 1,
        bytes: 2,
        sha256: "00".to_owned(),
        columns: vec!["_seq".to_owned()],
        created_at: "2024-05-01T12:00:00.000Z".to_owned(),
        run_id: None,
        compression: "none".to_owned(),
        mirror_id: "m".to_owned(),
        previous: None,
        repaired_at: None,
        left_out: 0,
        csv_formula_guard: false,
        snapshot: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_chained_and_read_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::read(dir.path()).unwrap();
        assert!(manifest.lines.is_empty());
        manifest.add(sample("customers", "csv", 1, 5)).unwrap();
        manifest.announce(Unannounced::default()).unwrap();
        let mut manifest = Manifest::read(dir.path()).unwrap();
        manifest.add(sample("customers", "csv", 6, 9)).unwrap();
        manifest.announce(Unannounced::default()).unwrap();
        let read = Manifest::read(dir.path()).unwrap();
        assert_eq!(read.lines, manifest.lines);
        let text = std::fs::read_to_string(dir.path().join(MANIFEST)).unwrap();
        let first = text.lines().next().unwrap();
        assert_eq!(read.lines[0].previous, None);
        assert_eq!(read.lines[1].previous, Some(digest(first.as_bytes())));
        assert_eq!(
            first,
            "{\"stream\":\"customers\",\"format\":\"csv\",\
             \"path\":\"customers/customers-000000000001-000000000005.csv\",\"first_seq\":1,\"last_seq\":5,\"rows\":1,\
             \"bytes\":2,\"sha256\":\"00\",\"columns\":[\"_seq\"],\"created_at\":\"2024-05-01T12:00:00.000Z\",\
             \"run_id\":null,\"compression\":\"none\",\"mirror_id\":\"m\",\"previous\":null}"
        );
    }

    #[test]
    fn lines_of_others_stay_to_the_byte() {
        let dir = tempfile::tempdir().unwrap();
        let line = serde_json::to_string(&sample("customers", "csv", 1, 5)).unwrap();
        // A newer program's field, other white space, and a lost line end.
        let line = line.replace("{\"stream\"", "{ \"new\": 1.50, \"stream\"");
        std::fs::write(dir.path().join(MANIFEST), &line).unwrap();
        let mut manifest = Manifest::read(dir.path()).unwrap();
        manifest.add(sample("customers", "csv", 6, 9)).unwrap();
        manifest.announce(Unannounced::default()).unwrap();
        let text = std::fs::read_to_string(dir.path().join(MANIFEST)).unwrap();
        assert!(text.starts_with(&format!("{line}\n")));
        assert_eq!(manifest.lines[1].previous, Some(digest(line.as_bytes())));
    }

    #[test]
    fn lines_behind_a_replaced_one_are_tied_anew_and_otherwise_stay_to_the_byte() {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::read(dir.path()).unwrap();
        for n in 0..4 {
            manifest.add(sample("customers", "csv", 1 + 5 * n, 5 + 5 * n)).unwrap();
        }
        // A newer program's field on the last line.
        let text = String::from_utf8(manifest.text.clone()).unwrap();
        let text = text.replacen("{\"stream\":\"customers\",\"format\":\"csv\",\"path\":\"customers/customers-000000000016", "{\"new\":1.50,\"stream\":\"customers\",\"format\":\"csv\",\"path\":\"customers/customers-000000000016", 1);
        std::fs::write(dir.path().join(MANIFEST), &text).unwrap();
        let mut manifest = Manifest::read(dir.path()).unwrap();
        let line = ManifestLine { rows: 0, repaired_at: Some("t".to_owned()), ..manifest.lines[1].clone() };
        manifest.replace(BTreeMap::from([(2, line)])).unwrap();
        manifest.announce(Unannounced::default()).unwrap();

        let after = std::fs::read_to_string(dir.path().join(MANIFEST)).unwrap();
        let (before, after): (Vec<&str>, Vec<&str>) = (text.lines().collect(), after.lines().collect());
        assert_eq!((after.len(), after[0]), (4, before[0]));
        let read = Manifest::read(dir.path()).unwrap().lines;
        for n in 1..4 {
            assert_eq!(read[n].previous, Some(digest(after[n - 1].as_bytes())));
        }
        assert_eq!((read[1].rows, read[1].repaired_at.as_deref()), (0, Some("t")));
        let old = read[3].previous.clone().unwrap();
        assert_eq!(after[3].replace(&old, ""), before[3].replace(&digest(before[2].as_bytes()), ""));
        assert!(after[3].contains("\"new\":1.50"));
        // A chain that is broken behind it is not tied anew.
        std::fs::write(dir.path().join(MANIFEST), text.replace("\"first_seq\":6", "\"first_seq\":7"))
            .unwrap();
        let mut manifest = Manifest::read(dir.path()).unwrap();
        let line = ManifestLine { rows: 0, ..manifest.lines[0].clone() };
        let error = manifest.replace(BTreeMap::from([(1, line)])).unwrap_err();
        assert!(matches!(error, ExportError::ManifestLine { line: 3, .. }), "{error}");
    }

    /// Not a manifest without lines: what is added would stand behind an empty one.
    #[test]
    fn an_empty_line_alone_is_a_bad_line() {
        let error = Manifest::of(Path::new("exports"), b"\n".to_vec()).err().unwrap();
        assert!(matches!(error, ExportError::ManifestLine { line: 1, .. }), "{error}");
    }

    #[test]
    fn a_bad_line_is_named_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let good = serde_json::to_string(&sample("customers", "csv", 1, 5)).unwrap();
        let reversed = serde_json::to_string(&sample("customers", "csv", 5, 1)).unwrap();
        for bad in ["", "{", "[]", "\u{fffd}", &good[..good.len() - 1], &reversed] {
            let text = format!("{good}\n{bad}\n{good}\n");
            std::fs::write(dir.path().join(MANIFEST), &text).unwrap();
            let error = Manifest::read(dir.path()).err().unwrap();
            assert!(matches!(error, ExportError::ManifestLine { line: 2, .. }), "{bad}: {error}");
            assert!(error.to_string().contains("manifest.ndjson can't be read at line 2"), "{error}");
            assert_eq!(std::fs::read_to_string(dir.path().join(MANIFEST)).unwrap(), text);
        }
    }
}
