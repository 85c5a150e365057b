//! A folder with a mirror and its exports.

use crate::Outcome;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// A folder of its own, gone when dropped. On a real disk: below the build's folder, since `/tmp` may be memory.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Outcome<Place> {
        Ok(Place(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?))
    }

    pub fn mirror(&self) -> PathBuf {
        self.0.path().join("mirror.db")
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The binary at work here.
    pub fn command(&self, url: &str, sets: &[&str], arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_malomo-mirror"));
        command.current_dir(self.0.path()).env_clear().env("MALOMO_API_KEY", "sk_bench").arg("--quiet");
        let (url, mirror) =
            (format!("api.base_url={url}"), format!("mirror.path={}", self.mirror().display()));
        let dir = format!("export.dir={}", self.file("exports").display());
        // What looks beyond the floor cost is no part of what is compared.
        let budget = "sync.event_budget=0";
        for set in [url.as_str(), mirror.as_str(), dir.as_str(), budget].iter().chain(sets) {
            command.arg("--set").arg(set);
        }
        command.args(arguments);
        command
    }
}
