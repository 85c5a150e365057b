//! What can be wrong with a configuration, and where.

use std::fmt;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A flag of the command line.
    Flag {
        /// As it is typed, such as `--listen`.
        name: String,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{}:{line}", path.display()),
            Origin::Environment { variable } => write!(f, "${variable}"),
            Origin::Flag { name } => f.write_str(name),
        }
    }
}

/// Every variable with this prefix sets a key; two underscores stand for the dot.
pub(super) const PREFIX: &str = "MALOMO_MIRROR__";

/// `MALOMO_MIRROR__API__BASE_URL` for `api.base_url`.
pub(super) fn variable_of(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}

/// One mistake in the configuration. Its text never shows a value that may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file is not TOML.
    #[error("{}:{line}:{column}: not valid TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in characters.
        column: usize,
        /// What the parser expected.
        message: String,
    },
    /// No such key.
    #[error("{origin}: there is no key `{key}`{}", did_you_mean(origin, *nearest))]
    UnknownKey {
        /// Where it stands.
        origin: Origin,
        /// Its dotted path.
        key: String,
        /// The known key or table that is spelt most like it.
        nearest: Option<&'static str>,
    },
    /// No such key, and what stands in its place may be the API key. The name is not kept.
    #[error("{origin}: there is no such key; its name is not shown here, since it may hold a secret")]
    HiddenName {
        /// Where it stands.
        origin: Origin,
    },
    /// The value is not what the key takes.
    #[error("{origin}: `{key}`: expected {expected}, found {found}{}", because(why.as_deref()))]
    Unexpected {
        /// Where it stands.
        origin: Origin,
        /// The key's dotted path.
        key: String,
        /// What the key takes.
        expected: String,
        /// What was given.
        found: String,
        /// More than the expectation says, where there is more to say.
        why: Option<String>,
    },
    /// Somebody put the API key where it does not belong. The value is not kept.
    #[error(
        "{origin}: `{key}`: the API key never stands in the configuration; set $MALOMO_API_KEY, or write the \
         key into a file of its own (chmod 600) and name it in `api.api_key_file`, or pass the systemd \
         credential \"malomo_api_key\". If others could read the key here, replace it at Malomo"
    )]
    KeyInConfiguration {
        /// Where it stands.
        origin: Origin,
        /// Its dotted path.
        key: String,
    },
}

fn did_you_mean(origin: &Origin, nearest: Option<&str>) -> String {
    let known = nearest.map(|path| match origin {
        Origin::Environment { .. } => variable_of(path),
        _ => path.to_owned(),
    });
    known.map_or_else(String::new, |known| format!("; the nearest known one is `{known}`"))
}

fn because(why: Option<&str>) -> String {
    why.map_or_else(String::new, |why| format!(": {why}"))
}

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "cannot read the configuration file {} (named by {named_by}); correct the name, or make the file \
         readable UTF-8 text", path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why this file was read.
        named_by: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// It was read, and is wrong. Never empty; in the order of the layers.
    #[error("the configuration is not usable:{}", listed(problems))]
    Invalid {
        /// Every mistake that was found.
        problems: Vec<Problem>,
    },
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {problem}")).collect()
}
