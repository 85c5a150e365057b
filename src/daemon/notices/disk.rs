//! How much room a disk has.

use std::path::Path;

/// A share of the disk that is free and still little, unless it is many bytes.
const LITTLE: f64 = 0.05;

/// So many free bytes are enough on any disk, whatever share of it they are, unless the mirror is larger.
const ENOUGH: u64 = 10 << 30;

/// The room on the disk that a folder lies on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// What lies there: `the mirror` or `the exports`.
    pub holds: &'static str,
    /// Bytes that this user may still write.
    pub free: u64,
    /// Bytes in all.
    pub size: u64,
}

impl Disk {
    /// The disk of `folder`; `None` where the system doesn't tell.
    pub fn of(folder: &Path, holds: &'static str) -> Option<Disk> {
        let told = rustix::fs::statvfs(folder).ok()?;
        let bytes = |blocks: u64| blocks.saturating_mul(told.f_frsize);
        Some(Disk { holds, free: bytes(told.f_bavail), size: bytes(told.f_blocks) })
    }

    /// Whether less is free than a twentieth of the disk (of a large one, than 10 GiB), or than the mirror takes: a new
    /// schema version may need as much room again for a while, and so does a copy.
    pub fn is_nearly_full(&self, mirror_bytes: u64) -> bool {
        let little = (self.size as f64 * LITTLE).min(ENOUGH as f64);
        self.size > 0 && (self.free < mirror_bytes || (self.free as f64) < little)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_little_depends_on_the_disk_and_the_mirror() {
        const GIB: u64 = 1 << 30;
        for (free, size, mirror, expected) in [
            (0, 0, 5 * GIB, false),
            (0, 40 * GIB, 0, true),
            (2 * GIB - 1, 40 * GIB, GIB, true),
            (2 * GIB, 40 * GIB, GIB, false),
            (4 * GIB, 40 * GIB, 5 * GIB, true),
            (11 * GIB, 1_000 * GIB, GIB, false),
            (9 * GIB, 1_000 * GIB, GIB, true),
            (20 * GIB, 1_000 * GIB, 30 * GIB, true),
        ] {
            let disk = Disk { holds: "the mirror", free, size };
            assert_eq!(disk.is_nearly_full(mirror), expected, "{free} of {size}, mirror {mirror}");
        }
    }

    #[test]
    fn a_folder_lies_on_a_disk() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::of(folder.path(), "the mirror").unwrap();
        assert!(disk.size > 0 && disk.free <= disk.size);
        assert_eq!(Disk::of(&folder.path().join("nowhere"), "the mirror"), None);
    }
}
