//! A search of every byte on the disk: of the mirror's file with its free pages, of its log, of what lies beside it,
//! and of everything in export folders, as it lies there and unpacked.

use super::error::ErasureError;
use super::needles::Needles;
use super::receipt::{Elsewhere, Receipt};
use crate::export::{Content, Location, Settings, each_content, known_folders};
use crate::mirror::Mirror;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

/// A file that holds one of the texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundAt {
    /// The file.
    pub path: String,
    /// How often.
    pub times: u64,
    /// Whether it stands there only once the file is unpacked.
    pub unpacked: bool,
}

/// The result of a search; also the JSON result of `erase --check`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// How many texts were looked for.
    pub texts: u64,
    /// Files that were searched.
    pub files: u64,
    /// Bytes of them, and of what they hold unpacked.
    pub bytes: u64,
    /// Files that hold one of the texts.
    pub found: Vec<FoundAt>,
    /// Columns of the mirror that hold one of them.
    pub rows: Vec<Elsewhere>,
    /// Files that could not be unpacked, and were searched as they lie there.
    pub not_unpacked: Vec<String>,
    /// Export folders that this build of the program can't reach.
    pub not_searched: Vec<String>,
}

impl Checked {
    /// Whether none of the texts was found, anywhere.
    pub fn is_clean(&self) -> bool {
        self.found.is_empty()
            && self.rows.is_empty()
            && self.not_unpacked.is_empty()
            && self.not_searched.is_empty()
    }
}

/// Looks for texts in everything that belongs to the mirror, in the export folders that the receipt names, and in
/// those that the mirror knows and the configured ones. Writes nothing and needs no lock.
///
/// # Errors
/// When something can't be read.
pub fn check(
    mirror: &mut Mirror,
    configured: &[Settings],
    receipt: Option<&Receipt>,
    texts: &[String],
) -> Result<Checked, ErasureError> {
    let path = mirror.path().to_owned();
    let needles = Needles::of(texts.iter().map(String::as_str))
        .map_err(|error| ErasureError::io("searched", &path)(std::io::Error::other(error)))?;
    let mut checked = Checked { texts: texts.len() as u64, ..Checked::default() };
    for file in beside(&path)? {
        let opened = File::open(&file).map_err(ErasureError::io("read", &file))?;
        let counted = needles.count_in(BufReader::new(opened)).map_err(ErasureError::io("read", &file))?;
        checked.add(&file.display().to_string(), Content::Raw, counted);
    }
    checked.rows = held_in(mirror, &needles)?;
    let mut folders: BTreeSet<String> = known_folders(mirror, configured)?.into_keys().collect();
    folders.extend(receipt.iter().flat_map(|receipt| &receipt.exports).map(|folder| folder.dir.clone()));
    for shown in folders {
        let Ok(folder) = Location::parse(&shown) else {
            checked.not_searched.push(shown);
            continue;
        };
        if folder.folder().is_some_and(|folder| !folder.exists()) {
            continue;
        }
        each_content(&folder, &mut |path, content, source| {
            let counted = needles.count_in(source)?;
            checked.add(&folder.join(path).display().to_string(), content, counted);
            Ok(())
        })?;
    }
    Ok(checked)
}

impl Checked {
    fn add(&mut self, path: &str, content: Content, (times, bytes): (u64, u64)) {
        self.files += u64::from(content == Content::Raw);
        self.bytes += bytes;
        if content == Content::Unreadable {
            self.not_unpacked.push(path.to_owned());
        }
        let is_known = self.found.last().is_some_and(|found| found.path == path);
        if times > 0 && !is_known {
            self.found.push(FoundAt { path: path.to_owned(), times, unpacked: content != Content::Raw });
        }
    }
}

/// The mirror's file and every file beside it whose name begins with its name, and those in folders of such a name.
fn beside(mirror: &Path) -> Result<BTreeSet<PathBuf>, ErasureError> {
    let folder = mirror.parent().unwrap_or(Path::new("."));
    let own = mirror.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let list = |folder: &Path| -> Result<Vec<PathBuf>, ErasureError> {
        let entries = std::fs::read_dir(folder).map_err(ErasureError::io("listed", folder))?;
        entries
            .map(|entry| entry.map(|entry| entry.path()).map_err(ErasureError::io("listed", folder)))
            .collect()
    };
    let mut files = BTreeSet::new();
    for path in list(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.trim_start_matches('.').starts_with(&own) {
            continue;
        }
        match path.is_dir() {
            true => files.extend(list(&path)?.into_iter().filter(|path| path.is_file())),
            false => drop(files.insert(path)),
        }
    }
    Ok(files)
}

/// The columns that hold one of these texts, and in how many rows.
pub(super) fn held_in(mirror: &mut Mirror, needles: &Needles) -> Result<Vec<Elsewhere>, ErasureError> {
    let mut found: BTreeMap<(String, String), u64> = BTreeMap::new();
    mirror.snapshot()?.each_text(|table, column, text| {
        if needles.is_in(text) {
            *found.entry((table.to_owned(), column.to_owned())).or_default() += 1;
        }
    })?;
    let place = |((table, column), records)| Elsewhere { table, column, records };
    Ok(found.into_iter().map(place).collect())
}
