//! A small account after three exports, and what tests do to its export folder.

use crate::support::{Account, Place, Program, Server, Shared, World, customer, manifest};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// A mirror with three exports of a small account, so that each stream has three files in each format. In the second
/// one `c-01` is changed, in the third one deleted, along with `c-02`'s change and a new `c-11`.
pub struct Case {
    pub place: Place,
    pub program: Program,
    pub account: Shared,
    _server: Server,
}

impl Case {
    /// A place of its own, with all three exports made.
    pub async fn new() -> Case {
        let World { account, server, place, program } = World::of(Account::of(10, 2, 5)).await;
        program.ends(0, &["sync", "--full"]).await;
        {
            let mut account = account.lock();
            account.put("c-01", customer("c-01", "Second", "2024-06-01T00:00:00Z"));
            account.add_event("c-01", "c-01-e-new");
        }
        program.ends(0, &["sync"]).await;
        {
            let mut account = account.lock();
            account.remove("c-01");
            account.put("c-02", customer("c-02", "Third", "2024-07-01T00:00:00Z"));
            account.add("c-11", 1);
        }
        program.ends(0, &["sync"]).await;
        let case = Case { place, program, account, _server: server };
        assert_eq!(manifest(&case.place).len(), 12);
        case
    }

    /// From now on the mirror knows current versions only, as after a pruning.
    pub fn forget_history(&self) {
        let mirror = rusqlite::Connection::open(self.place.mirror()).unwrap();
        let forget = "DELETE FROM customers_superseded; DELETE FROM events_superseded; UPDATE history_reach SET from_seq = \
                      (SELECT seq FROM changes ORDER BY seq DESC LIMIT 1)";
        mirror.execute_batch(forget).unwrap();
    }

    /// The path of the n-th file, counted from 0, of a stream and format.
    pub fn file(&self, stream: &str, format: &str, n: usize) -> String {
        let lines = manifest(&self.place);
        let mut paths = lines.iter().filter(|line| line["stream"] == stream && line["format"] == format);
        paths.nth(n).unwrap()["path"].as_str().unwrap().to_owned()
    }

    /// Where a file of the export folder lies.
    pub fn on_disk(&self, path: &str) -> PathBuf {
        self.place.exports().join(path)
    }

    /// Changes the text of a file, which has to become another one.
    pub fn edit(&self, path: &str, edit: impl FnOnce(String) -> String) {
        let before = std::fs::read_to_string(self.on_disk(path)).unwrap();
        let after = edit(before.clone());
        assert_ne!(before, after, "the edit does something");
        std::fs::write(self.on_disk(path), after).unwrap();
    }

    /// Changes the lines of the manifest.
    pub fn edit_manifest(&self, edit: impl FnOnce(&mut Vec<String>)) {
        self.edit("manifest.ndjson", |text| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            edit(&mut lines);
            lines.iter().map(|line| format!("{line}\n")).collect()
        });
    }

    /// Makes every digest and size of the manifest, its chain, and what the mirror remembers of it say what lies in the
    /// folder.
    pub fn seal(&self) {
        let path = self.place.exports().join("manifest.ndjson");
        let mut previous: Option<String> = None;
        let (mut text, mut last_from) = (String::new(), 0);
        for mut line in manifest(&self.place) {
            let content = std::fs::read(self.on_disk(line["path"].as_str().unwrap())).unwrap();
            let ends = content.iter().filter(|byte| **byte == b'\n').count();
            line["rows"] = (ends - usize::from(line["format"] == "csv")).into();
            line["bytes"] = content.len().into();
            line["sha256"] = hex(&content).into();
            line["previous"] = previous.into();
            last_from = text.len();
            let line = line.to_string();
            previous = Some(hex(line.as_bytes()));
            text.push_str(&format!("{line}\n"));
        }
        let end = serde_json::json!({
            "bytes": text.len(), "lines": text.lines().count(), "last_from": last_from, "last_line": previous
        });
        std::fs::write(path, text).unwrap();
        let sql =
            "UPDATE export_folders SET reached = json_set(reached, '$.end', json(?1)) WHERE kind = 'changes'";
        let mirror = rusqlite::Connection::open(self.place.mirror()).unwrap();
        assert_eq!(mirror.execute(sql, [end.to_string()]).unwrap(), 1);
    }

    /// What `export verify` finds, in both of its forms; it changes nothing.
    pub async fn differences(&self, code: i32) -> Vec<Value> {
        let before = self.place.contents();
        let ran = self.program.ends(code, &["export", "verify", "--json"]).await;
        let found = ran.json();
        assert_eq!(found["ok"], code == 0);
        let people = self.program.ends(code, &["export", "verify"]).await.stdout;
        let differences = found["differences"].as_array().unwrap().clone();
        assert_eq!(differences.is_empty(), code == 0);
        for difference in &differences {
            let what = difference["what"].as_str().unwrap();
            assert!(people.contains(what), "{what}: {people}");
        }
        for secret in ["@example.com", "Last of", "555-555", "Second", "Third", "shop.example"] {
            assert!(!people.contains(secret) && !ran.stdout.contains(secret), "{secret}: {people}");
        }
        assert_eq!(self.place.contents(), before);
        differences
    }

    /// Asserts that it finds a difference in that file that says this; returns it.
    pub async fn finds(&self, file: &str, what: &str) -> Value {
        let found = self.differences(1).await;
        let at = found.iter().find(|difference| {
            difference["file"] == file && difference["what"].as_str().unwrap().contains(what)
        });
        at.unwrap_or_else(|| panic!("no {what:?} in {file}: {found:#?}")).clone()
    }

    /// The lines of the manifest that verification objects to.
    pub async fn lines(&self) -> Vec<u64> {
        let found = self.differences(1).await;
        let of_manifest = found.iter().filter(|difference| difference["file"] == "manifest.ndjson");
        of_manifest.filter_map(|difference| difference["line"].as_u64()).collect()
    }
}

/// The SHA-256 of these bytes, as the manifest writes it.
pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
