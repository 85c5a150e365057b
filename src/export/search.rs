//! Everything that an export folder holds, as it lies there and unpacked: for whoever looks for a text in it.

use crate::export::destination::{self, Destination};
use crate::export::error::ExportError;
use crate::export::formats::{Compression, decompressor};
use crate::export::layout::{Kind, in_folder};
use crate::export::location::Location;
use crate::record::Stream;
use std::io::{self, Read};

/// A form in which a file's content is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// As it lies there.
    Raw,
    /// Unpacked; of Parquet the values of its rows.
    Unpacked,
    /// It can't be unpacked to its end; what could be, has been handed over. Empty.
    Unreadable,
}

/// Takes a file's name, relative to the export folder, and its content in one form.
type Each<'e> = dyn FnMut(&str, Content, &mut dyn Read) -> io::Result<()> + 'e;

/// Hands over every file in the folders that this program writes to, whoever has put it there: as it lies there and, where it
/// is packed, unpacked. Memory doesn't grow with their sizes.
///
/// # Errors
/// When a file or a folder can't be read, or `each` fails.
pub fn each_content(dir: &Location, each: &mut Each<'_>) -> Result<(), ExportError> {
    for kind in [Kind::Changes, Kind::Snapshots] {
        let destination = destination::of(dir, kind);
        for folder in folders() {
            let mut names = Vec::new();
            destination
                .each_name(&folder, &mut |name| names.push(name))
                .map_err(ExportError::io("listed", &destination.place(&folder)))?;
            names.sort();
            for name in names {
                let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
                of_file(&*destination, kind, &path, each)
                    .map_err(ExportError::io("searched", &destination.place(&path)))?;
            }
        }
    }
    Ok(())
}

/// Those of files, and those of tables.
fn folders() -> Vec<String> {
    let mut folders = vec![String::new()];
    for stream in Stream::ALL {
        for below in ["", "/current", "/_delta_log", "_changes", "_changes/_delta_log"] {
            folders.push(format!("{stream}{below}"));
        }
    }
    folders
}

fn of_file(destination: &dyn Destination, kind: Kind, path: &str, each: &mut Each<'_>) -> io::Result<()> {
    let shown = in_folder(kind, path);
    each(&shown, Content::Raw, &mut destination.open(path)?)?;
    let stem = path.strip_suffix(".damaged").unwrap_or(path);
    let packed =
        [Compression::Gzip, Compression::Zstd].into_iter().find(|one| stem.ends_with(one.extension()));
    let unpacked: io::Result<Box<dyn Read>> = match packed {
        Some(packed) => decompressor(packed, destination.open(path)?).map(|unpacked| Box::new(unpacked) as _),
        None if stem.ends_with(".parquet") => of_parquet(destination, path),
        None => return Ok(()),
    };
    let is_read = match unpacked {
        Ok(unpacked) => {
            let mut whole = Whole { unpacked, is_read: true };
            each(&shown, Content::Unpacked, &mut whole)?;
            whole.is_read
        }
        Err(_) => false,
    };
    if is_read { Ok(()) } else { each(&shown, Content::Unreadable, &mut io::empty()) }
}

/// Ends where it can't be read on, and notes that.
struct Whole {
    unpacked: Box<dyn Read>,
    is_read: bool,
}

impl Read for Whole {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.unpacked.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.is_read = false;
                Ok(0)
            }
            read => read,
        }
    }
}

#[cfg(feature = "lake")]
fn of_parquet(destination: &dyn Destination, path: &str) -> io::Result<Box<dyn Read>> {
    crate::export::formats::rows_as_text(&mut destination.open(path)?)
}

#[cfg(not(feature = "lake"))]
fn of_parquet(_destination: &dyn Destination, _path: &str) -> io::Result<Box<dyn Read>> {
    Err(io::Error::other("this build of the program doesn't read Parquet"))
}
