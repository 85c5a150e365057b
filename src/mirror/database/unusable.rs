//! What stands at a path and can't be a mirror.

use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

/// Something that no mirror can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// A folder.
    #[error("is a folder: name a file in it, such as mirror.db")]
    Folder,
    /// A device.
    #[error("is a device: name a file on a disk")]
    Device,
    /// A named pipe.
    #[error("is a pipe: name a file on a disk")]
    Pipe,
    /// A socket.
    #[error("is a socket: name a file on a disk")]
    Socket,
    /// A file that is mounted by itself, as containers do with a single file.
    #[error(
        "is mounted by itself: SQLite's write-ahead log beside it would stay behind, and that destroys a database; mount \
         its folder"
    )]
    MountPoint,
    /// A file that stands under several names. SQLite keeps a log beside each name, and two of them destroy the
    /// database; a lock beside a name can't tell either.
    #[error(
        "has {names} names (hard links), each of which would get a write-ahead log of its own, and that destroys a \
         database: remove the others (`find FOLDER -samefile FILE` names them), and make copies with `VACUUM INTO`"
    )]
    HardLinked {
        /// How many.
        names: u64,
    },
}

impl Unusable {
    pub(super) fn of(found: &Metadata) -> Option<Unusable> {
        let kind = found.file_type();
        match () {
            () if kind.is_dir() => Some(Unusable::Folder),
            () if kind.is_fifo() => Some(Unusable::Pipe),
            () if kind.is_socket() => Some(Unusable::Socket),
            () if !kind.is_file() => Some(Unusable::Device),
            () if found.nlink() > 1 => Some(Unusable::HardLinked { names: found.nlink() }),
            () => None,
        }
    }
}
