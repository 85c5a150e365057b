//! A mirror and an export folder to try things with.

use super::replay::{Fields, Rows, assert_announced, mirrored, replayed};
use crate::diff::looks::Signal;
use crate::diff::{EventPlan, Trust};
use crate::export::formats::{Compression, Format, portable};
use crate::export::layout::Kind;
use crate::export::manifest::{self, Manifest, newest_files};
use crate::export::publish::{AsOf, Exported, export, export_snapshot};
use crate::export::verify::{Verified, verify};
use crate::export::{ExportError, FIRST, Settings};
use crate::mirror::{Doubts, Mirror, RunId, Stamp};
use crate::record::{ColumnKind, Record, RowSet, Stream};
use jiff::Timestamp;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

pub(super) struct World {
    pub(super) folder: TempDir,
    pub(super) mirror: Mirror,
    pub(super) settings: Settings,
}

pub(super) const STAMP: Stamp = Stamp { run: RunId(7), now: Timestamp::UNIX_EPOCH };

/// Every format, nothing special.
pub(super) fn settings(dir: PathBuf) -> Settings {
    Settings {
        name: FIRST.to_owned(),
        dir: dir.into(),
        profile: None,
        streams: Stream::ALL.to_vec(),
        formats: Format::ALL.to_vec(),
        compression: Compression::None,
        exact: false,
        csv_bom: false,
        csv_formula_guard: false,
        max_age: Duration::ZERO,
        compact_after: Duration::ZERO,
    }
}

impl World {
    pub(super) fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let mirror = Mirror::open(&folder.path().join("mirror.db")).unwrap();
        let dir = folder.path().join("out/exports");
        let settings = settings(dir);
        World { folder, mirror, settings }
    }

    /// From now on the mirror knows current versions only.
    pub(super) fn forget_history(&mut self) {
        let mut batch = self.mirror.batch().unwrap();
        assert!(batch.forget_history(STAMP.now, Timestamp::MAX).unwrap() > 0);
        batch.commit().unwrap();
    }

    pub(super) fn put(&mut self, change: &Put) {
        let mut batch = self.mirror.batch().unwrap();
        match change {
            Put::Customer(id, text) => {
                let text = text.as_deref();
                let extra = text.map(|text| format!("{{\"x\":\r\n12.30,\"t\":{}}}", serde_json::json!(text)));
                let first_name = text.map(|text| format!(" {text}"));
                let customer = Record::customer(&serde_json::json!({"id": id, "last_name": ""}).to_string())
                    .with("email", text)
                    .with("first_name", first_name.as_deref())
                    .with("updated_at", text)
                    .with("extra", extra.as_deref());
                let plan = EventPlan::Everybody { walk_started_at: STAMP.now, signal: Signal::Full };
                let seen = &mut RowSet::default();
                batch
                    .apply_parents(STAMP, Stream::Customers, &[customer], Trust::Alone, &plan, seen)
                    .unwrap();
            }
            Put::Event(id, customer_id, text) => {
                let properties = text.as_ref().map(|text| {
                    format!("[{},{{\"n\":1e{}}},\"\\ud83d\"]", serde_json::json!(text), text.len() * 100)
                });
                let timestamp = text.as_ref().map(|text| text.len() as i64 - 3);
                let event = serde_json::json!({"id": id, "label": "\"", "timestamp": timestamp});
                let event = Record::event(customer_id, &event.to_string())
                    .with("type", text.as_deref())
                    .with("properties", properties.as_deref())
                    .with("extra", Some("{\"n\":12345678901234567890}"));
                batch
                    .apply_children(
                        STAMP,
                        Stream::Events,
                        customer_id,
                        &[event],
                        Trust::Alone,
                        &mut Doubts::default(),
                    )
                    .unwrap();
            }
            Put::NoCustomer(id) => {
                batch.delete_parent(STAMP, Stream::Customers, id, "test").unwrap();
            }
            Put::NoEvent(id) => {
                if let Some(event) = batch.stored(Stream::Events, id).unwrap() {
                    let ids = std::slice::from_ref(id);
                    let parent = event.record.parent_id();
                    batch.delete_children(STAMP, Stream::Events, parent, ids, "test").unwrap();
                }
            }
            Put::Export(..) => {}
        }
        batch.commit().unwrap();
    }

    pub(super) fn customer(&mut self, id: &str, text: &str) {
        self.put(&Put::Customer(id.to_owned(), Some(text.to_owned())));
    }

    pub(super) fn export(&mut self) -> Result<Exported, ExportError> {
        export(&mut self.mirror, &self.settings, Some(RunId(7)), STAMP.now)
    }

    pub(super) fn snapshot(&mut self) -> Result<Exported, ExportError> {
        export_snapshot(&mut self.mirror, &self.settings, AsOf::Now, None, STAMP.now)
    }

    pub(super) fn dir(&self) -> &Path {
        self.settings.dir.folder().unwrap()
    }

    /// The newest files, as `status` shows them.
    pub(super) fn newest(&mut self) -> Vec<String> {
        let files = newest_files(&self.mirror.snapshot().unwrap(), &self.settings.dir).unwrap();
        files.into_iter().map(|file| file.path).collect()
    }

    /// How many of the manifest's lines the mirror doesn't remember.
    pub(super) fn unknown_lines(&mut self) -> usize {
        let mut count = 0;
        let snapshot = self.mirror.snapshot().unwrap();
        let opened = Manifest::open(&snapshot, &self.settings.dir, Kind::Changes, |_| {
            count += 1;
            Ok(())
        });
        let manifest = opened.unwrap();
        assert!(manifest.lost.is_empty() && !manifest.is_edited);
        count
    }

    pub(super) fn announced(&self) -> Vec<String> {
        manifest::all(self.dir()).unwrap().into_iter().map(|line| line.path).collect()
    }

    /// What must hold after every export.
    pub(super) fn assert_good(&mut self) {
        let dir = self.dir().to_owned();
        assert_announced(&dir);
        for stream in Stream::ALL {
            for format in self.settings.formats.clone() {
                // Some of the files may be exact, others not: made readable, all say what the mirror does.
                let expected =
                    readable_rows(mirrored(&mut self.mirror, stream, format == Format::Ndjson), stream);
                assert!(
                    readable_rows(replayed(&dir, stream, format), stream) == expected,
                    "{stream} {format:?}"
                );
            }
        }
        assert_eq!(self.unknown_lines(), 0);
    }
}

impl World {
    /// Exports at that second; files that are older than ten seconds are to go.
    pub(super) fn export_at(&mut self, second: i64) -> Exported {
        self.settings.max_age = Duration::from_secs(10);
        let at = Timestamp::from_second(second).unwrap();
        let exported = export(&mut self.mirror, &self.settings, None, at).unwrap();
        assert_eq!(exported.not_pruned, None);
        exported
    }

    pub(super) fn snapshot_at(&mut self, second: i64) -> Exported {
        export_snapshot(
            &mut self.mirror,
            &self.settings,
            AsOf::Now,
            None,
            Timestamp::from_second(second).unwrap(),
        )
        .unwrap()
    }

    #[track_caller]
    pub(super) fn verified(&mut self) -> Verified {
        let verified = verify(&mut self.mirror, &self.settings).unwrap();
        assert_eq!(verified.differences, vec![]);
        verified
    }

    pub(super) fn ranges(&mut self) -> Vec<(i64, i64)> {
        self.verified().ranges.iter().map(|range| (range.first_seq, range.last_seq)).collect()
    }
}

/// Rows as files have them whose values were made readable.
pub(super) fn readable_rows(rows: Rows, stream: Stream) -> Rows {
    let made = |kind, text: &str| portable(kind, text).into_owned();
    let row = |(id, fields): (String, Fields)| {
        let columns = stream.columns().iter().zip(fields);
        let fields = columns.map(|(column, field)| field.map(|field| made(column.kind, &field)));
        (made(ColumnKind::Text, &id), fields.collect())
    };
    rows.into_iter().map(row).collect()
}

#[derive(Debug, Clone)]
pub(super) enum Put {
    Customer(String, Option<String>),
    Event(String, String, Option<String>),
    NoCustomer(String),
    NoEvent(String),
    Export(Vec<Format>, Compression, [bool; 3]),
}

pub(super) fn puts() -> impl Strategy<Value = Put> {
    let id = || prop::sample::select(vec!["a", "b", "c,\"\r\n", " d", "=1+1"]).prop_map(str::to_owned);
    let text = || prop::option::of("|[a,\"\r\n\t\0 é😀=]{0,5}|[0-9]{17,24}|.{0,20}");
    let formats = prop::sample::subsequence(Format::ALL.to_vec(), 0..=Format::ALL.len());
    prop_oneof![
        4 => (id(), text()).prop_map(|(id, text)| Put::Customer(id, text)),
        4 => (id(), id(), text()).prop_map(|(id, customer, text)| Put::Event(id, customer, text)),
        2 => id().prop_map(Put::NoCustomer),
        2 => id().prop_map(Put::NoEvent),
        2 => (formats, prop::sample::select(Compression::ALL.to_vec()), any::<[bool; 3]>())
            .prop_map(|(formats, compression, dialect)| Put::Export(formats, compression, dialect)),
    ]
}
