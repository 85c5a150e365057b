//! How a command ends.

use super::stderr::Stderr;
use crate::api::{ApiError, ErrorKind, WalkError};
use crate::config::{ConfigError, SecretError};
use crate::daemon::notices::{Fault, FaultKind};
use crate::erasure::ErasureError;
use crate::export::ExportError;
use crate::mirror::{LockError, MirrorError, is_disk_full};
use crate::sandbox::SandboxError;
use crate::sync::SyncError;
use std::error::Error;
use std::fmt::Display;
use std::process::ExitCode;

/// The exit codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// The API refused the key.
    KeyRefused = 3,
    /// Another run holds this mirror.
    Held = 4,
    /// Finished, but incomplete: what is missing was named.
    Incomplete = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// What happened and where; its causes, the outermost first.
    message: String,
    causes: Vec<String>,
    /// What to do now, where the message doesn't say.
    hint: Option<String>,
    /// Whether a disk has no room left.
    is_disk_full: bool,
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into(), causes: Vec::new(), hint: None, is_disk_full: false }
    }

    /// What makes a failure of an error: `what` happened, because of it.
    pub(super) fn because<E: Display>(what: impl Display) -> impl FnOnce(E) -> Failure {
        move |error| Failure::new(Exit::Failed, format!("{what}: {error}"))
    }

    pub(super) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    /// The same with what to do now.
    pub(super) fn with_hint(self, hint: impl Into<String>) -> Failure {
        Failure { hint: Some(hint.into()), ..self }
    }

    /// The same with one more cause.
    pub(super) fn with_cause(mut self, cause: String) -> Failure {
        self.causes.push(cause);
        self
    }

    /// Whether somebody wanted the work to stop.
    pub(super) fn is_stop(&self) -> bool {
        self.exit == Exit::Incomplete
    }

    /// What went wrong, for those outside this machine who are to hear of it.
    pub(super) fn fault(&self) -> Fault {
        let kind = match self.exit {
            Exit::KeyRefused => FaultKind::KeyRefused,
            _ if self.is_disk_full => FaultKind::DiskFull,
            _ => FaultKind::Other,
        };
        Fault { kind, text: self.text_without_hint("; "), hint: self.hint.clone() }
    }

    /// On one line, for logs.
    pub(super) fn line(&self) -> String {
        self.text("; ")
    }

    /// What happened, its causes and what to do now, with `separator` between them.
    fn text(&self, separator: &str) -> String {
        let hint = self.hint.iter().map(|hint| format!("{separator}what to do: {hint}"));
        std::iter::once(self.text_without_hint(separator)).chain(hint).collect()
    }

    fn text_without_hint(&self, separator: &str) -> String {
        let causes = self.causes.iter().map(|cause| format!("{separator}because: {cause}"));
        std::iter::once(self.message.clone()).chain(causes).collect()
    }

    /// Nobody reads stdout any more (`| head`): no failure, and nothing to say, but there is no use in going on.
    pub(super) fn reader_gone() -> Failure {
        Failure::new(Exit::Done, "")
    }

    pub(super) fn print(&self, stderr: &Stderr) {
        if self.exit != Exit::Done {
            stderr.line(format!("error: {}\n", self.text("\n  ")).into_bytes());
        }
    }
}

/// An error of the library, which ends a command.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(super) enum LibraryError {
    Config(#[from] ConfigError),
    Key(#[from] SecretError),
    Lock(#[from] LockError),
    Mirror(#[from] MirrorError),
    Export(#[from] ExportError),
    Erasure(#[from] ErasureError),
    Sandbox(#[from] SandboxError),
    Api(#[from] ApiError),
    Walk(#[from] WalkError),
    Sync(#[from] SyncError),
}

impl LibraryError {
    fn exit(&self) -> Exit {
        match self {
            LibraryError::Config(_)
            | LibraryError::Key(_)
            | LibraryError::Mirror(MirrorError::Unusable { .. })
            | LibraryError::Lock(LockError::Place(MirrorError::Unusable { .. }))
            | LibraryError::Sync(SyncError::OtherAccount { .. }) => Exit::Usage,
            LibraryError::Lock(LockError::Held { .. }) => Exit::Held,
            LibraryError::Export(ExportError::Mirror(MirrorError::Stopped)) => Exit::Incomplete,
            LibraryError::Api(error)
            | LibraryError::Walk(WalkError::Api(error))
            | LibraryError::Sync(SyncError::Walk(WalkError::Api(error))) => match error.kind() {
                ErrorKind::KeyRefused => Exit::KeyRefused,
                ErrorKind::UnusableId => Exit::Usage,
                _ => Exit::Failed,
            },
            _ => Exit::Failed,
        }
    }

    /// What to do now, where the error's text doesn't say so itself.
    fn hint(&self) -> Option<&'static str> {
        match self {
            LibraryError::Api(error) => Some(error.hint()),
            LibraryError::Walk(error) => Some(error.hint()),
            LibraryError::Sync(error) => error.hint(),
            _ => None,
        }
    }
}

impl<E: Into<LibraryError>> From<E> for Failure {
    fn from(error: E) -> Failure {
        let error: LibraryError = error.into();
        let message = error.to_string();
        let mut causes: Vec<String> = Vec::new();
        let chain = std::iter::successors(error.source(), |&error| error.source());
        for cause in chain.map(ToString::to_string) {
            // Transparent wrappers repeat their source.
            if cause != message && causes.last() != Some(&cause) {
                causes.push(cause);
            }
        }
        let is_disk_full = is_disk_full(&error);
        Failure { exit: error.exit(), message, causes, hint: error.hint().map(str::to_owned), is_disk_full }
    }
}
