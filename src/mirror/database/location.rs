//! Where a mirror's file is: behind links, under one name, and never anything but a file.
//!
//! SQLite gives some names a meaning of their own: `:memory:` and the empty one keep nothing, and one that begins with
//! `file:` is a URI (the library is compiled to read them, whatever the connection's flags). It is handed absolute
//! paths alone, which can't be any of these.

use super::unusable::Unusable;
use crate::mirror::MirrorError;
use crate::paths::folder_of;
use std::fs;
use std::io::{Error, ErrorKind, Result as IoResult};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Links that are followed from one to the next; as many as Linux does.
const LINKS: usize = 40;

/// Whether there is a file at `path`, where one can be a mirror. A folder that this user can't look into is not an
/// empty one.
///
/// # Errors
/// [`MirrorError::Unusable`] when something else than a file is there, or one with several names; others when it
/// can't be looked at.
pub fn is_there(path: &Path) -> Result<bool, MirrorError> {
    let unusable = |what| Err(MirrorError::Unusable { path: path.to_owned(), what });
    match fs::metadata(path) {
        Ok(found) => match Unusable::of(&found) {
            Some(what) => unusable(what),
            None if is_mount_point(path) => unusable(Unusable::MountPoint),
            None => Ok(true),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => match path.file_name() {
            Some(_) => Ok(false),
            // It ends in `..`.
            None => unusable(Unusable::Folder),
        },
        Err(source) => Err(unreachable(path, source)),
    }
}

/// Whether a file system, or a file of one, is mounted just there.
fn is_mount_point(path: &Path) -> bool {
    // Where the system doesn't tell its mounts, nothing is known against the file.
    let (Ok(real), Ok(mounts)) = (path.canonicalize(), fs::read("/proc/self/mountinfo")) else {
        return false;
    };
    names_mount_point(&mounts, real.as_os_str().as_bytes())
}

/// Whether one of the lines, as proc_pid_mountinfo(5) has them, is of this place.
fn names_mount_point(mounts: &[u8], place: &[u8]) -> bool {
    let escaped = place.iter().flat_map(|byte| match byte {
        b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
        byte => vec![*byte],
    });
    let escaped: Vec<u8> = escaped.collect();
    let points =
        mounts.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    points.into_iter().any(|point| point == escaped)
}

/// The file's one absolute name, without links and `..`; also where it is yet to be made, in a folder that exists.
pub(in crate::mirror) fn real(path: &Path) -> IoResult<PathBuf> {
    match path.canonicalize() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let file = followed(path)?;
            let name = file.file_name().ok_or(ErrorKind::IsADirectory)?;
            Ok(folder_of(&file).canonicalize()?.join(name))
        }
        found => found,
    }
}

/// The same for those who are about to write: makes the folder where there is none.
pub(in crate::mirror) fn prepared(path: &Path) -> Result<PathBuf, MirrorError> {
    let failed = |source| unreachable(path, source);
    if !is_there(path)? {
        create_folder(&followed(path).map_err(failed)?).map_err(failed)?;
    }
    real(path).map_err(failed)
}

/// What the last part of `path` leads to, where it is a link, or a link to one.
fn followed(path: &Path) -> IoResult<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(Error::other("too many links lead from one to the next"))
}

fn unreachable(path: &Path, source: Error) -> MirrorError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::PermissionDenied => MirrorError::Forbidden { path, source },
        _ => MirrorError::Create { path, source },
    }
}

/// The folder that holds the mirror, for owner and group only.
fn create_folder(mirror: &Path) -> IoResult<()> {
    match mirror.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::DirBuilder::new().recursive(true).mode(0o750).create(folder),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::process::Command;

    #[test]
    fn every_name_of_a_file_leads_to_it_whether_it_is_made_or_not() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().canonicalize().unwrap();
        let at = |name: &str| place.join(name);
        fs::create_dir_all(at("a/deep")).unwrap();
        symlink(at("a"), at("b")).unwrap();
        symlink("a/mirror.db", at("relative.db")).unwrap();
        symlink(at("relative.db"), at("a/twice.db")).unwrap();
        let names = [
            "a/mirror.db",
            "b/mirror.db",
            "relative.db",
            "a/twice.db",
            "a/deep/../mirror.db",
            "b/../a/./mirror.db",
        ];
        for made in [false, true] {
            for name in names {
                assert_eq!(real(&at(name)).unwrap(), at("a/mirror.db"), "{name}, made: {made}");
                assert_eq!(is_there(&at(name)).unwrap(), made, "{name}");
            }
            fs::write(at("a/mirror.db"), "").unwrap();
        }
    }

    #[test]
    fn folders_of_what_is_yet_to_be_made_are_made() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().canonicalize().unwrap();
        symlink("new/folder/mirror.db", place.join("link.db")).unwrap();
        for name in ["link.db", "new/folder/mirror.db", "new/other/../folder/mirror.db"] {
            assert_eq!(prepared(&place.join(name)).unwrap(), place.join("new/folder/mirror.db"), "{name}");
        }
        symlink("circle.db", place.join("circle.db")).unwrap();
        assert!(matches!(prepared(&place.join("circle.db")), Err(MirrorError::Create { .. })));
    }

    #[test]
    fn places_of_mounts_are_known_by_their_lines() {
        let mounts = b"22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
            40 22 254:0 /srv/m.db /data/mirror.db rw - ext4 /dev/vda rw\n\
            41 22 254:0 /x /a\\040b\\134c rw - ext4 /dev/vda rw\n";
        for (place, expected) in [
            ("/data/mirror.db", true),
            ("/srv/m.db", false),
            ("/data", false),
            ("/a b\\c", true),
            ("/data/mirror.db2", false),
        ] {
            assert_eq!(names_mount_point(mounts, place.as_bytes()), expected, "{place}");
        }
        assert!(is_mount_point(Path::new("/proc")));
        assert!(!is_mount_point(Path::new("/proc/version")));
    }

    #[test]
    fn what_is_no_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("folder")).unwrap();
        symlink("folder", at("link to a folder")).unwrap();
        symlink("/dev/null", at("link to a device")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        fs::write(at("file"), "").unwrap();
        fs::hard_link(at("file"), at("other name")).unwrap();
        for (name, expected) in [
            ("folder", Unusable::Folder),
            ("link to a folder", Unusable::Folder),
            ("folder/..", Unusable::Folder),
            ("nowhere/..", Unusable::Folder),
            ("/", Unusable::Folder),
            ("/dev/null", Unusable::Device),
            ("link to a device", Unusable::Device),
            ("socket", Unusable::Socket),
            ("pipe", Unusable::Pipe),
            ("file", Unusable::HardLinked { names: 2 }),
            ("other name", Unusable::HardLinked { names: 2 }),
        ] {
            let path = at(name);
            for found in [is_there(&path).map(drop), prepared(&path).map(drop)] {
                let error = found.unwrap_err();
                assert!(
                    matches!(&error, MirrorError::Unusable { what, .. } if *what == expected),
                    "{name}: {error}"
                );
            }
        }
    }
}
