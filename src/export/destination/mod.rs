//! Where exports go: files by name, and what their writing promises.
//!
//! Comes in: names and bytes. Goes out: files that stand there complete, with their size and digest, or nothing.
//!
//! [`Destination`] is the contract; `local_folder` and `bucket` implement it, and `choice` says which is meant. Another one is
//! right when it keeps what the trait's documentation says: `tests::contract` and `tests::faulty` try that.
//!
//! Never: leave a half-written file under its final name, or know what the bytes mean.

#[cfg(feature = "lake")]
mod bucket;
mod choice;
mod local_folder;
mod local_upload;
mod new_file;
mod temporary_name;
#[cfg(test)]
pub(super) mod tests;

use std::io::{self, Read, Seek, Write};
use std::path::PathBuf;

pub use local_folder::ensure_folder;

#[cfg(feature = "lake")]
pub(super) use bucket::StoreFault;
pub(super) use choice::of;
pub(super) use new_file::{CompleteFile, NewFile, abandoned};
pub(super) use temporary_name::temporary_of;

/// A place for files with names. A name is a relative path with `/`, such as `events/events-000000000001.csv`; what stands
/// before its last `/` is its folder, and the empty text the topmost folder.
///
/// **One at a time writes a name.** Who exports holds the mirror's process lock, so that no name is written by two at once,
/// but for [`Destination::create`] and [`Destination::update`], which are made for that. Different names may be written, and
/// anything read, at the same time by different threads. A writer that finds a file other than it expects is told, and changes
/// nothing.
///
/// **What is durable on return.** What [`Destination::create`], [`Destination::append`] and [`Destination::update`] wrote;
/// what an [`Upload`] holds once it is finished, under no name yet, or once it is published, where a store has no files
/// without names. A name that was given, taken or changed by [`Staged::publish`], [`Destination::remove`] or
/// [`Destination::keep_aside`] is in force for every reader at once, and durable once its folder is settled.
///
/// **What a half-done write leaves.** A file that was begun and not published is under no final name, whatever happens. Given
/// up, it is removed; where the process was killed meanwhile, it may be left under a temporary name, which
/// [`Destination::each_name`] lists and [`temporary_of`] recognizes. An addition that was cut off may be there up to any
/// byte where it can be. After an error a call may have had its effect or not, as when an answer is lost: calling it again is
/// right.
pub(super) trait Destination: Send + Sync {
    /// Where a name, or a folder, is to be found: for messages.
    fn place(&self, name: &str) -> PathBuf;

    /// Begins a file that is to have this name; creates the folder where it doesn't exist.
    fn put(&self, name: &str) -> io::Result<Box<dyn Upload>>;

    /// Puts a small file there unless one of this name is there already: of several who try at once, in any process, one
    /// does. Creates the folder where it doesn't exist. Returns whether it put the file there.
    #[cfg(feature = "lake")]
    fn create(&self, name: &str, content: &[u8]) -> io::Result<bool>;

    /// Writes at the byte `at` of a file that has `found` bytes, as a whole; what stands behind that byte is taken
    /// away. Where `found` is 0 the file may be missing, and is created with its folder.
    ///
    /// # Errors
    /// When the file has another size, or can't be written. The addition is taken back then, as far as that is possible.
    fn append(&self, name: &str, found: u64, at: u64, bytes: &[u8]) -> Result<(), AppendFailed>;

    /// Opens a file for reading. What is read is what stood there at one time, or more, where something was appended since; of
    /// a large file that was replaced meanwhile, reading on may be an error.
    ///
    /// # Errors
    /// Of the kind `NotFound` when there is none; when the name is no file's or can't be read.
    fn open(&self, name: &str) -> io::Result<Box<dyn StoredFile>>;

    /// The size of a file; `None` where there is none.
    fn size(&self, name: &str) -> io::Result<Option<u64>>;

    /// Hands over the names of a folder's files, without the folder, in no order; temporary ones too; none where there is no
    /// folder. Memory doesn't grow with their number.
    fn each_name(&self, folder: &str, each: &mut dyn FnMut(String)) -> io::Result<()>;

    /// Removes a file. Returns whether there was one.
    fn remove(&self, name: &str) -> io::Result<bool>;

    /// Gives a file another name, unless there is none, or one of the other name stands there already: that one stays.
    /// Returns whether one of the other name stands there then.
    fn keep_aside(&self, name: &str, aside: &str) -> io::Result<bool>;

    /// Makes durable which names a folder has. Does nothing where there is no folder.
    fn settle(&self, folder: &str) -> io::Result<()>;

    /// Puts in a small file's place what `change` makes of its content, which is `None` where there is no such file. Of
    /// several at once, in any process, none is lost: each sees what the one before it wrote. `change` may be called more than
    /// once.
    ///
    /// # Errors
    /// When `change` fails, with its error: then nothing has changed. When the file can't be read or written.
    fn update(
        &self,
        name: &str,
        change: &mut dyn FnMut(Option<Vec<u8>>) -> io::Result<Vec<u8>>,
    ) -> io::Result<()>;
}

/// A file on its way. Dropped before it is finished, it is removed.
pub(super) trait Upload: Write + Send {
    /// Ends it. Its content is durable on return.
    fn finish(self: Box<Self>) -> io::Result<Box<dyn Staged>>;
}

/// A file that is complete under no final name. Dropped before it is published, it is removed.
pub(super) trait Staged: Send {
    /// Gives it its name, in the place of another one, atomically. With `expected`, only where the other one has that size.
    fn publish(self: Box<Self>, expected: Option<u64>) -> io::Result<()>;
}

/// A file that is being read.
pub(super) trait StoredFile: Read + Seek + Send {}

impl<R: Read + Seek + Send> StoredFile for R {}

/// An addition that failed.
#[derive(Debug)]
pub(super) struct AppendFailed {
    pub(super) error: io::Error,
    /// Whether the file surely ends where the addition was to begin. It doesn't where somebody else has written it.
    pub(super) is_undone: bool,
}

/// The error of a writer that finds another file than it expected.
fn written_by_others() -> io::Error {
    io::Error::other("somebody else has written it since it was read")
}

/// The folder of a name; empty for the topmost one.
pub(super) fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Reads a whole file, small enough for the memory; `None` where there is none.
pub(super) fn read_whole(destination: &dyn Destination, name: &str) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    match destination.open(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?.read_to_end(&mut content)?,
    };
    Ok(Some(content))
}

/// The temporary files in the topmost folder that were to become the file of this name, sorted: whoever was killed left them,
/// unless somebody writes it just now.
pub(super) fn temporaries_of(destination: &dyn Destination, name: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    destination.each_name("", &mut |other| {
        found.extend(Some(other).filter(|other| temporary_of(other) == Some(name)));
    })?;
    found.sort();
    Ok(found)
}

/// The names that [`Destination::each_name`] hands over, sorted.
#[cfg(test)]
pub(super) fn names(destination: &dyn Destination, folder: &str) -> Vec<String> {
    let mut names = Vec::new();
    destination.each_name(folder, &mut |name| names.push(name)).unwrap();
    names.sort();
    names
}
