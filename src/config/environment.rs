//! The layers beside the file: environment variables and flags.

use super::layers::Layers;
use super::problem::{Origin, PREFIX, variable_of};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The process's surroundings, as far as the configuration looks at them. `Debug` is left out: the API key may be there.
#[derive(Clone)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
    pub(super) directory: PathBuf,
    pub(super) system_file: PathBuf,
}

impl Environment {
    /// Surroundings with these variables, in which relative paths of configuration files start at `directory`
    /// and the machine's own file is `/etc/malomo-mirror/config.toml`.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>, directory: PathBuf) -> Environment {
        let system_file = PathBuf::from("/etc/malomo-mirror/config.toml");
        Environment { variables: variables.into_iter().collect(), directory, system_file }
    }

    /// The same with another file in the place of `/etc/malomo-mirror/config.toml`.
    pub fn with_system_file(self, system_file: PathBuf) -> Environment {
        Environment { system_file, ..self }
    }

    pub(super) fn get(&self, variable: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(variable)).map(OsString::as_os_str)
    }
}

/// A value that a flag sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The flag as it is typed, for messages: `--listen`.
    pub flag: String,
    /// The key's dotted path.
    pub key: String,
    /// The value, in the same form as in an environment variable: lists are separated by commas.
    pub value: String,
}

pub(super) fn apply_variables(environment: &Environment, layers: &mut Layers) {
    for (name, value) in &environment.variables {
        let variable = name.to_string_lossy();
        let Some(rest) = variable.strip_prefix(PREFIX) else { continue };
        let path = rest.replace("__", ".").to_lowercase();
        let origin = Origin::Environment { variable: variable.to_string() };
        // `MALOMO_MIRROR__Api__Timeout` would fold to a known path, and is none of the documented names.
        if variable != variable_of(&path) {
            layers.report_unknown(&path, origin);
        } else {
            layers.set_text(&path, value.to_str(), origin);
        }
    }
}

pub(super) fn apply_flags(flags: &[Override], layers: &mut Layers) {
    for flag in flags {
        layers.set_text(&flag.key, Some(&flag.value), Origin::Flag { name: flag.flag.clone() });
    }
}
