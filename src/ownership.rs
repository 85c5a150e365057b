//! Who owns the files that are created. root, at work by hand in the folders of the service's user, must not leave behind
//! what the service can't read.

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

/// Gives a file or folder that this process has just created in `folder` to the folder's owner and group. Does nothing
/// where this process isn't root, or the folder is root's.
///
/// # Errors
/// When the folder can't be looked at, or the owner can't be changed.
pub(crate) fn adopt(created: &File, folder: &Path) -> io::Result<()> {
    const ROOT: u32 = 0;
    let (own, wanted) = (created.metadata()?, std::fs::metadata(folder)?);
    if own.uid() != ROOT || wanted.uid() == ROOT {
        return Ok(());
    }
    fchown(created, Some(wanted.uid()), Some(wanted.gid()))
}
