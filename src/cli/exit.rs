//! How a command ends.

use super::stderr::Stderr;
use crate::api::{ApiError, ErrorKind, WalkError};
use crate::config::{ConfigError, KeyError};
use crate::export::ExportError;
use crate::mirror::{LockError, MirrorError};
use crate::sandbox::SandboxError;
use crate::sync::SyncError;
use std::error::Error;
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
}

impl Failure {
    pub(super) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into(), causes: Vec::new(), hint: None }
    }

    pub(super) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, message)
    }

    fn of(exit: Exit, error: &dyn Error) -> Failure {
        let message = error.to_string();
        let mut causes: Vec<String> = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            // Transparent wrappers repeat their source.
            if text != message && causes.last() != Some(&text) {
                causes.push(text);
            }
            source = cause.source();
        }
        Failure { exit, message, causes, hint: None }
    }

    fn with_hint(self, hint: impl Into<String>) -> Failure {
        Failure { hint: Some(hint.into()), ..self }
    }

    /// On one line, for logs.
    pub(super) fn line(&self) -> String {
        let mut text = self.message.clone();
        for cause in &self.causes {
            text.push_str(&format!("; because: {cause}"));
        }
        if let Some(hint) = &self.hint {
            return crate::mirror::error_text(&text, Some(hint));
        }
        text
    }

    /// Nobody reads stdout any more (`| head`): no failure, and nothing to say, but there is no use in going on.
    pub(super) fn reader_gone() -> Failure {
        Failure::new(Exit::Done, "")
    }

    /// On stderr.
    pub(super) fn print(&self, stderr: &Stderr) {
        if self.exit == Exit::Done {
            return;
        }
        let mut text = format!("error: {}\n", self.message);
        for cause in &self.causes {
            text.push_str(&format!("  because: {cause}\n"));
        }
        if let Some(hint) = &self.hint {
            text.push_str(&format!("  what to do: {hint}\n"));
        }
        stderr.line(text.into_bytes());
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::of(Exit::Usage, &error)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Failure {
        Failure::of(Exit::Usage, &error)
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Failure {
        let exit = match error {
            LockError::Place(error) => return error.into(),
            LockError::Held { .. } => Exit::Held,
            LockError::Io { .. } => Exit::Failed,
        };
        Failure::of(exit, &error)
    }
}

impl From<MirrorError> for Failure {
    fn from(error: MirrorError) -> Failure {
        let exit = match error {
            MirrorError::Unusable { .. } => Exit::Usage,
            _ => Exit::Failed,
        };
        Failure::of(exit, &error)
    }
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Failure {
        let exit = match error {
            ExportError::Mirror(MirrorError::Stopped) => Exit::Incomplete,
            _ => Exit::Failed,
        };
        Failure::of(exit, &error)
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Failure {
        Failure::of(Exit::Failed, &error)
    }
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Failure {
        let exit = match error.kind() {
            ErrorKind::KeyRefused => Exit::KeyRefused,
            ErrorKind::UnusableId => Exit::Usage,
            _ => Exit::Failed,
        };
        Failure::of(exit, &error).with_hint(error.hint())
    }
}

impl From<WalkError> for Failure {
    fn from(error: WalkError) -> Failure {
        match error {
            WalkError::Api(error) => error.into(),
            error => {
                let hint = error.hint();
                Failure::of(Exit::Failed, &error).with_hint(hint)
            }
        }
    }
}

impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Failure {
        match error {
            SyncError::Walk(error) => error.into(),
            error => {
                let exit = match error {
                    SyncError::OtherAccount { .. } => Exit::Usage,
                    _ => Exit::Failed,
                };
                let failure = Failure::of(exit, &error);
                match error.hint() {
                    Some(hint) => failure.with_hint(hint),
                    None => failure,
                }
            }
        }
    }
}
