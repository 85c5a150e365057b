//! A disk of a try's own, that can be full or read-only: a tmpfs, where this process may mount one.

use crate::support::Place;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A small disk; unmounted when dropped.
pub struct Disk {
    at: PathBuf,
}

impl Disk {
    /// Mounted over a fresh place; `None` where that isn't allowed.
    pub fn over(place: &Place) -> Option<Disk> {
        let at = place.path().to_owned();
        let options = "size=64m,mode=0700";
        mount(&["-t", "tmpfs", "-o", options, "tmpfs"], &at).then_some(())?;
        std::fs::write(at.join("config.toml"), "").unwrap();
        Some(Disk { at })
    }

    /// Whether disks can be mounted here at all.
    pub fn is_possible() -> bool {
        Disk::over(&Place::new()).is_some()
    }

    /// Leaves room for so many bytes, in steps of the disk's pages.
    pub fn fill(&self, but: u64) {
        let ballast = self.at.join("ballast");
        std::fs::write(&ballast, "").unwrap();
        let size = self.free().saturating_sub(but);
        let filled = Command::new("fallocate").args(["-l", &size.to_string()]).arg(&ballast).status();
        assert!(filled.unwrap().success(), "the disk can't be filled");
    }

    /// There is room again.
    pub fn free_up(&self) {
        std::fs::remove_file(self.at.join("ballast")).unwrap();
    }

    pub fn set_read_only(&self, read_only: bool) {
        let mode = if read_only { "remount,ro" } else { "remount,rw" };
        assert!(mount(&["-o", mode], &self.at));
    }

    fn free(&self) -> u64 {
        let told = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(&self.at).output().unwrap();
        let told = String::from_utf8(told.stdout).unwrap();
        told.split_whitespace().map(|number| number.parse::<u64>().unwrap()).product()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a file that is still open must not leave the mount behind.
        let _ = Command::new("umount").arg("--lazy").arg(&self.at).stderr(Stdio::null()).status();
    }
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    let mounted = Command::new("mount").args(arguments).arg(at).stderr(Stdio::null()).status();
    mounted.is_ok_and(|status| status.success())
}
