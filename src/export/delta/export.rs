//! The export of what changed, or of the whole state, to a folder's tables.

use super::actions::{Action, FileFormat, MetaData};
use super::clean_up::{COMMITS_STAY, tidy};
use super::data_file::Origin;
use super::log::{PROFILE, RULES, TableLog, newest_commit};
use super::schema::{evolved, schema};
use super::table::{Contents, Table};
use super::{changes_table, state_table};
use crate::export::destination;
use crate::export::error::ExportError;
use crate::export::formats::Format;
use crate::export::layout::Kind;
use crate::export::location::Location;
use crate::export::provenance::check_profile;
use crate::export::settings::Settings;
use crate::export::table_commit::TableCommit;
use crate::masking::Masker;
use crate::mirror::{ExportFile, Mirror, Snapshot};
use crate::record::Stream;
use jiff::Timestamp;
use std::collections::BTreeMap;
use uuid::Uuid;

pub(in crate::export) use super::state_table::State;

/// Brings the tables of the settings' streams in their export folder up to date, each as one commit: [`State::Merged`] those
/// with changes and those with the state, where that is cheap; [`State::Whole`] those with the state alone. What is done is
/// durable on return.
///
/// # Errors
/// When the folder or the mirror can't be read or written, or a table is of another mirror, ahead of this one or of another
/// future of it, or another program has changed it so that it can't be continued. What was committed stays; another export
/// goes on from there.
pub(in crate::export) fn export_tables(
    mirror: &mut Mirror,
    settings: &Settings,
    state: State,
    origin: &Origin,
) -> Result<Vec<TableCommit>, ExportError> {
    let snapshot = mirror.snapshot()?;
    let mut commits = Vec::new();
    for contents in [Contents::Changes, Contents::State] {
        if (contents, state) == (Contents::Changes, State::Whole) {
            continue;
        }
        for stream in settings.streams.iter().copied() {
            let mut log = open_own(&snapshot, &settings.dir, Table { stream, contents }, &origin.mirror_id)?;
            let begin = description(&log, snapshot.masker(), origin.now)?;
            let commit = match contents {
                Contents::Changes => changes_table::append(&snapshot, &mut log, begin, origin)?,
                Contents::State => state_table::update(&snapshot, &mut log, begin, state, origin)?,
            };
            tidy(&mut log, state == State::Whole, origin.now)?;
            commits.extend(commit);
        }
    }
    Ok(commits)
}

/// Opens a table's log, and refuses one that is not of the mirror `own` as it is now.
pub(super) fn open_own(
    snapshot: &Snapshot<'_>,
    dir: &Location,
    table: Table,
    own: &str,
) -> Result<TableLog, ExportError> {
    let log = TableLog::open(destination::of(dir, Kind::Changes), table)?;
    check_owner(snapshot, dir, &log, own)?;
    Ok(log)
}

fn check_owner(
    snapshot: &Snapshot<'_>,
    dir: &Location,
    log: &TableLog,
    own: &str,
) -> Result<(), ExportError> {
    if log.version.is_some() {
        check_profile(dir, log.profile(), snapshot.masker())?;
    }
    let (dir, table) = (dir.to_owned(), log.table.to_string());
    if let Some(found) = log.of_another_mirror(own) {
        return Err(ExportError::OtherMirror { dir, found: found.to_owned(), own: own.to_owned() });
    }
    if log.txn(own).is_none() && !log.files.is_empty() {
        return Err(log.broken("it is the table of another program"));
    }
    let (head_seq, last_seq) = (snapshot.head()?, log.position(own));
    if last_seq > head_seq {
        return Err(ExportError::AheadOfMirror {
            dir,
            stream: log.table.stream.to_string(),
            last_seq,
            head_seq,
        });
    }
    // Where the mirror was restored from an older copy and has gone on, the number stands for another change.
    let newest = log.files.values().filter_map(|file| file.noted().map(|noted| noted.newest)).max();
    match newest {
        Some((seq, at)) if snapshot.observed_at(seq)?.as_ref() != Some(&at) => {
            Err(ExportError::Diverged { dir, path: table })
        }
        _ => Ok(()),
    }
}

/// What a table's next commit has to say of it: what it is, where it is new; its columns, where some are added.
fn description(log: &TableLog, masker: Option<&Masker>, now: Timestamp) -> Result<Vec<Action>, ExportError> {
    let stream = log.table.stream;
    let described = match &log.meta_data {
        Some(found) => evolved(&found.schema_string, stream)
            .map_err(|what| log.broken(what))?
            .map(|schema_string| MetaData { schema_string, ..found.clone() }),
        None => Some(MetaData {
            id: Uuid::new_v4().to_string(),
            name: Some(log.table.to_string()),
            format: FileFormat { provider: "parquet".to_owned(), options: BTreeMap::new() },
            schema_string: schema(stream),
            partition_columns: Vec::new(),
            configuration: configuration(masker),
            created_time: Some(now.as_millisecond()),
        }),
    };
    Ok(described.map(Action::from).into_iter().collect())
}

/// What other programs are told to keep to. The folder of the state has other export files in it, which a `VACUUM` takes for
/// what the table has lost, so it is told to wait for a hundred years; this program removes what is old.
fn configuration(masker: Option<&Masker>) -> BTreeMap<String, Option<String>> {
    let days = COMMITS_STAY.as_hours() / 24;
    let all = [
        ("delta.checkpointInterval", "10".to_owned()),
        ("delta.logRetentionDuration", format!("interval {days} days")),
        ("delta.deletedFileRetentionDuration", "interval 36500 days".to_owned()),
    ];
    let profile =
        masker.map(|masker| [(PROFILE, masker.name().to_owned()), (RULES, masker.rules().to_owned())]);
    let all = all.into_iter().chain(profile.into_iter().flatten());
    all.map(|(name, value)| (name.to_owned(), Some(value))).collect()
}

/// The newest files of the tables with changes, in the form of those of other formats. A table that can't be read, or is not
/// of the mirror `own`, is left out.
pub(in crate::export) fn newest(dir: &Location, own: &str) -> Vec<ExportFile> {
    let of_stream = |stream: Stream| {
        let table = Table { stream, contents: Contents::Changes };
        let (last_seq, file) = newest_commit(&*destination::of(dir, Kind::Changes), table, own)?;
        let noted = file.noted()?;
        let at = Timestamp::from_millisecond(file.modification_time).ok()?;
        Some(ExportFile {
            stream: stream.name().to_owned(),
            format: Format::Delta.name().to_owned(),
            first_seq: noted.range().0,
            last_seq,
            path: table.file(&file.path),
            rows: noted.rows,
            bytes: file.size.unsigned_abs(),
            sha256: noted.sha256,
            created_at: format!("{at:.3}"),
            left_out: 0,
        })
    };
    Stream::ALL.into_iter().filter_map(of_stream).collect()
}
