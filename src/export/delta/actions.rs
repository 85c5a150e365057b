//! The actions of a table's log, as the protocol names them: one a line of a commit, one a row of a checkpoint. Members
//! that we don't use are passed over in reading.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An action: one of the members is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Action {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) commit_info: Option<CommitInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) protocol: Option<Protocol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) meta_data: Option<MetaData>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) txn: Option<Txn>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) add: Option<Add>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remove: Option<Remove>,
}

/// What a commit says of itself. Times of this and the other actions are milliseconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct CommitInfo {
    pub(super) timestamp: Option<i64>,
    pub(super) operation: Option<String>,
    pub(super) operation_parameters: BTreeMap<String, serde_json::Value>,
    pub(super) engine_info: Option<String>,
    /// Whether nothing that the table held mattered for it.
    pub(super) is_blind_append: Option<bool>,
}

/// Which versions of the protocol a program must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Protocol {
    pub(super) min_reader_version: i32,
    pub(super) min_writer_version: i32,
}

impl Protocol {
    /// The least that there is for writers today; nothing optional.
    pub(super) const OURS: Protocol = Protocol { min_reader_version: 1, min_writer_version: 2 };
}

/// What a table is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MetaData {
    pub(super) id: String,
    pub(super) name: Option<String>,
    pub(super) format: FileFormat,
    /// See [`super::schema`].
    pub(super) schema_string: String,
    pub(super) partition_columns: Vec<String>,
    pub(super) configuration: BTreeMap<String, Option<String>>,
    pub(super) created_time: Option<i64>,
}

/// Of the table's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileFormat {
    pub(super) provider: String,
    #[serde(default)]
    pub(super) options: BTreeMap<String, Option<String>>,
}

/// How far an application has come with the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Txn {
    pub(super) app_id: String,
    /// The last change that the table has in it.
    pub(super) version: i64,
    pub(super) last_updated: Option<i64>,
}

/// A file counts from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::export) struct Add {
    /// Relative to the table's folder.
    pub(in crate::export) path: String,
    pub(super) partition_values: BTreeMap<String, Option<String>>,
    /// Bytes.
    pub(in crate::export) size: i64,
    pub(super) modification_time: i64,
    pub(super) data_change: bool,
    /// JSON: see [`super::statistics`].
    pub(super) stats: Option<String>,
    pub(super) tags: Option<BTreeMap<String, Option<String>>>,
}

/// A file counts no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Remove {
    pub(super) path: String,
    pub(super) deletion_timestamp: Option<i64>,
    pub(super) data_change: bool,
    /// Whether the two members below are there.
    pub(super) extended_file_metadata: Option<bool>,
    pub(super) partition_values: Option<BTreeMap<String, Option<String>>>,
    pub(super) size: Option<i64>,
}

impl Remove {
    /// Takes a file away.
    pub(super) fn of(file: &Add, now: i64) -> Remove {
        Remove {
            path: file.path.clone(),
            deletion_timestamp: Some(now),
            data_change: true,
            extended_file_metadata: Some(true),
            partition_values: Some(file.partition_values.clone()),
            size: Some(file.size),
        }
    }
}

/// Wraps each kind of action.
macro_rules! into_action {
    ($($kind:ident in $member:ident,)+) => {
        $(impl From<$kind> for Action {
            fn from(action: $kind) -> Action {
                Action { $member: Some(action), ..Action::default() }
            }
        })+
    };
}

into_action! {
    CommitInfo in commit_info,
    Protocol in protocol,
    MetaData in meta_data,
    Txn in txn,
    Add in add,
    Remove in remove,
}

/// A commit's text: one action a line.
pub(super) fn to_lines(actions: &[Action]) -> serde_json::Result<Vec<u8>> {
    let mut text = Vec::new();
    for action in actions {
        serde_json::to_writer(&mut text, action)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// The actions of a commit.
pub(super) fn of_lines(text: &[u8]) -> serde_json::Result<Vec<Action>> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
    lines.map(serde_json::from_slice).collect()
}
