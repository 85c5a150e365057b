//! A table's log: what counts now, read from its newest checkpoint and the commits behind it; and the next commit.

use super::actions::{Action, Add, CommitInfo, MetaData, Protocol, Remove, Txn, of_lines, to_lines};
use super::checkpoint;
use super::table::{APPLICATION, LAST_CHECKPOINT, LogFile, Table, checkpoint_name, commit_name};
use crate::export::destination::{Destination, NewFile, read_whole};
use crate::export::error::ExportError;
use crate::failpoint::{self, Place};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::sync::Arc;

/// What a table's configuration says of the profile by which its rows are hidden: its name, and what its rules are known by.
pub(super) const PROFILE: &str = "malomo_mirror.profile";
pub(super) const RULES: &str = "malomo_mirror.profile_rules";

/// Commits from one checkpoint to the next.
const CHECKPOINT_EVERY: i64 = 10;

/// A table's log, and what it comes to.
pub(in crate::export) struct TableLog {
    pub(super) destination: Arc<dyn Destination>,
    pub(in crate::export) table: Table,
    /// Of the newest commit; `None` where there is no table.
    pub(in crate::export) version: Option<i64>,
    /// The files of the log.
    pub(super) commits: BTreeSet<i64>,
    pub(super) checkpoints: BTreeSet<i64>,
    protocol: Option<Protocol>,
    pub(super) meta_data: Option<MetaData>,
    txns: BTreeMap<String, Txn>,
    /// The files that count, by path.
    pub(in crate::export) files: BTreeMap<String, Add>,
    /// Those that count no more, as far as they are remembered.
    pub(super) removed: BTreeMap<String, Remove>,
}

impl TableLog {
    /// The profile by which its rows are hidden, and what its rules are known by; `None`: nothing is hidden.
    pub(in crate::export) fn profile(&self) -> Option<(String, String)> {
        let of = |name: &str| self.meta_data.as_ref()?.configuration.get(name)?.clone();
        of(PROFILE).zip(of(RULES))
    }

    /// Reads a log. There need not be one.
    ///
    /// # Errors
    /// When it can't be read, lacks a commit, or is of a protocol that this program doesn't write.
    pub(in crate::export) fn open(
        destination: Arc<dyn Destination>,
        table: Table,
    ) -> Result<TableLog, ExportError> {
        let mut log = TableLog {
            destination,
            table,
            version: None,
            commits: BTreeSet::new(),
            checkpoints: BTreeSet::new(),
            protocol: None,
            meta_data: None,
            txns: BTreeMap::new(),
            files: BTreeMap::new(),
            removed: BTreeMap::new(),
        };
        let (mut commits, mut checkpoints) = (BTreeSet::new(), BTreeSet::new());
        let listed = log.destination.each_name(&table.log(), &mut |name| match LogFile::parse(&name) {
            Some(LogFile::Commit(version)) => drop(commits.insert(version)),
            Some(LogFile::Checkpoint(version)) => drop(checkpoints.insert(version)),
            None => {}
        });
        listed.map_err(ExportError::io("listed", &log.destination.place(&table.log())))?;
        (log.commits, log.checkpoints) = (commits, checkpoints);
        log.replay()?;
        Ok(log)
    }

    fn replay(&mut self) -> Result<(), ExportError> {
        if let Some(&version) = self.checkpoints.last() {
            let read = self.read(&checkpoint_name(version))?;
            let actions = checkpoint::of_parquet(read)
                .map_err(|error| self.broken(format!("its checkpoint {version} can't be read: {error}")))?;
            self.version = Some(version);
            actions.into_iter().for_each(|action| self.apply(action));
        }
        let next = self.version.map_or(0, |version| version + 1);
        for version in next..=self.commits.last().copied().unwrap_or(-1) {
            let actions = self.commit_of(version)?;
            actions.into_iter().for_each(|action| self.apply(action));
            self.version = Some(version);
        }
        match (self.version, self.protocol, &self.meta_data) {
            (None, ..) => Ok(()),
            (_, Some(Protocol::OURS), Some(_)) => Ok(()),
            (_, Some(other), Some(_)) => Err(self.broken(format!(
                "another program has raised its protocol to reader version {} and writer version {}",
                other.min_reader_version, other.min_writer_version
            ))),
            _ => Err(self.broken("it says neither its protocol nor its columns")),
        }
    }

    /// The actions of a commit.
    pub(super) fn commit_of(&self, version: i64) -> Result<Vec<Action>, ExportError> {
        if !self.commits.contains(&version) {
            return Err(self.broken(format!("its commit {version} is gone")));
        }
        let text = self.read(&commit_name(version))?;
        of_lines(&text).map_err(|error| self.broken(format!("its commit {version} can't be read: {error}")))
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, ExportError> {
        let name = format!("{}/{name}", self.table.log());
        let read = read_whole(&*self.destination, &name).map(Option::unwrap_or_default);
        read.map_err(ExportError::io("read", &self.destination.place(&name)))
    }

    fn apply(&mut self, action: Action) {
        self.protocol = action.protocol.or(self.protocol);
        if action.meta_data.is_some() {
            self.meta_data = action.meta_data;
        }
        if let Some(txn) = action.txn {
            self.txns.insert(txn.app_id.clone(), txn);
        }
        if let Some(remove) = action.remove {
            self.files.remove(&remove.path);
            self.removed.insert(remove.path.clone(), remove);
        }
        if let Some(add) = action.add {
            self.removed.remove(&add.path);
            self.files.insert(add.path.clone(), add);
        }
    }

    /// What a mirror noted last of how far it has come with the table.
    pub(super) fn txn(&self, mirror_id: &str) -> Option<&Txn> {
        self.txns.get(&self.table.app_id(mirror_id))
    }

    /// Whether that mirror has noted how far it has come with the table.
    pub(in crate::export) fn reaches(&self, mirror_id: &str) -> bool {
        self.txn(mirror_id).is_some()
    }

    /// The last change that the table has in it; 0 where there is none.
    pub(in crate::export) fn position(&self, mirror_id: &str) -> i64 {
        self.txn(mirror_id).map_or(0, |txn| txn.version)
    }

    /// The mirror whose table it is, where that is not `own`.
    pub(super) fn of_another_mirror(&self, own: &str) -> Option<&str> {
        let suffix = format!("/{}", self.table);
        let mut owners =
            self.txns.keys().filter_map(|id| id.strip_prefix(APPLICATION)?.strip_suffix(&suffix));
        owners.find(|owner| *owner != own)
    }

    /// The error of a log that can't be continued.
    pub(in crate::export) fn broken(&self, reason: impl Into<String>) -> ExportError {
        let path = self.destination.place(&self.table.to_string());
        ExportError::Table { path, reason: reason.into() }
    }

    /// The version of the next commit.
    pub(super) fn next_version(&self) -> i64 {
        self.version.map_or(0, |version| version + 1)
    }

    /// Makes these actions the next commit, with what a new table begins with, and notes in it that the table reaches
    /// to change `position`. Durable on return. Every tenth commit is followed by a checkpoint.
    ///
    /// # Errors
    /// When somebody else has committed meanwhile, or the log can't be written.
    pub(super) fn commit(
        &mut self,
        (operation, is_blind_append): (&str, bool),
        actions: Vec<Action>,
        (mirror_id, position): (&str, Option<i64>),
        now: Timestamp,
    ) -> Result<i64, ExportError> {
        let (version, at) = (self.next_version(), now.as_millisecond());
        let info = CommitInfo {
            timestamp: Some(at),
            operation: Some(operation.to_owned()),
            operation_parameters: BTreeMap::new(),
            engine_info: Some(concat!("malomo-mirror/", env!("CARGO_PKG_VERSION")).to_owned()),
            is_blind_append: Some(is_blind_append),
        };
        let mut all = vec![Action::from(info)];
        if self.protocol.is_none() {
            all.push(Protocol::OURS.into());
        }
        all.extend(position.map(|version| {
            Action::from(Txn { app_id: self.table.app_id(mirror_id), version, last_updated: Some(at) })
        }));
        all.extend(actions);
        let name = format!("{}/{}", self.table.log(), commit_name(version));
        let place = self.destination.place(&name);
        let failed = |error: io::Error| ExportError::io("written", &place)(error);
        let text = to_lines(&all).map_err(|error| failed(error.into()))?;
        failpoint::reached(Place::BeforeTableCommit);
        if !self.destination.create(&name, &text).map_err(failed)? {
            return Err(self.broken(format!(
                "another program has made its commit {version} meanwhile; the next export goes on behind that"
            )));
        }
        failpoint::reached(Place::AfterTableCommit);
        self.commits.insert(version);
        self.version = Some(version);
        all.into_iter().for_each(|action| self.apply(action));
        Ok(version)
    }

    /// Whether a checkpoint is due.
    pub(super) fn wants_checkpoint(&self) -> bool {
        let last = self.checkpoints.last().copied().unwrap_or(0);
        self.version.is_some_and(|version| version - last >= CHECKPOINT_EVERY)
    }

    /// Writes a checkpoint of the newest version. Durable on return.
    pub(super) fn write_checkpoint(&mut self) -> Result<(), ExportError> {
        let Some(version) = self.version else { return Ok(()) };
        let mut actions: Vec<Action> = Vec::new();
        actions.extend(self.protocol.map(Action::from));
        actions.extend(self.meta_data.clone().map(Action::from));
        actions.extend(self.txns.values().cloned().map(Action::from));
        // By the protocol nothing in a checkpoint changes data.
        actions.extend(self.files.values().map(|file| Add { data_change: false, ..file.clone() }.into()));
        actions
            .extend(self.removed.values().map(|gone| Remove { data_change: false, ..gone.clone() }.into()));
        let bytes = checkpoint::to_parquet(&actions)
            .map_err(|error| self.broken(format!("its checkpoint can't be made: {error}")))?;
        let pointer = serde_json::json!({ "version": version, "size": actions.len() }).to_string();
        self.replace(&checkpoint_name(version), &bytes)?;
        self.replace(LAST_CHECKPOINT, pointer.as_bytes())?;
        self.checkpoints.insert(version);
        Ok(())
    }

    /// Puts a file into the log's folder, in the place of another one.
    fn replace(&self, name: &str, content: &[u8]) -> Result<(), ExportError> {
        let name = format!("{}/{name}", self.table.log());
        let place = self.destination.place(&name);
        let mut file = NewFile::begin(&*self.destination, &name)?;
        let complete = file.write_all(content).and_then(|()| file.finish());
        complete.map_err(ExportError::io("written", &place))?.publish(None)?;
        self.destination.settle(&self.table.log()).map_err(ExportError::io("written", &place))
    }
}

/// The newest commit by which a mirror added a file to a table: the change that the table reaches with it, and the
/// file. Reads no more of the log than it must; `None` where it says nothing of that, or can't be read.
pub(super) fn newest_commit(
    destination: &dyn Destination,
    table: Table,
    mirror_id: &str,
) -> Option<(i64, Add)> {
    let mut commits = BTreeSet::new();
    let folder = table.log();
    let listed = destination.each_name(&folder, &mut |name| {
        if let Some(LogFile::Commit(version)) = LogFile::parse(&name) {
            commits.insert(version);
        }
    });
    listed.ok()?;
    let app_id = table.app_id(mirror_id);
    commits.iter().rev().find_map(|version| {
        let text = read_whole(destination, &format!("{folder}/{}", commit_name(*version))).ok()??;
        let actions = of_lines(&text).ok()?;
        let txn = actions.iter().filter_map(|action| action.txn.as_ref()).find(|txn| txn.app_id == app_id)?;
        let position = txn.version;
        actions.into_iter().rev().find_map(|action| action.add).map(|file| (position, file))
    })
}
