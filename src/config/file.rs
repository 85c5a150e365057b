//! The layer of the file: which one it is, and its keys with their lines.

use super::environment::Environment;
use super::layers::Layers;
use super::problem::{ConfigError, Origin, Problem};
use super::{given_tables, keys, value};
use std::io;
use std::path::{Path, PathBuf};
use toml::de::DeTable;

pub(super) struct ConfigFile {
    pub(super) path: PathBuf,
    text: String,
}

/// Finds and reads the file: `explicit` (`--config`), else `$MALOMO_MIRROR_CONFIG`, else `config.toml` in
/// the current directory, else the machine's own. The first two must exist; having none is fine.
pub(super) fn find(
    explicit: Option<&Path>,
    environment: &Environment,
) -> Result<Option<ConfigFile>, ConfigError> {
    let at = |path: &Path| environment.directory.join(path);
    if let Some(path) = explicit {
        return read(at(path), "--config").map(Some);
    }
    if let Some(path) = environment.get("MALOMO_MIRROR_CONFIG").filter(|path| !path.is_empty()) {
        return read(at(Path::new(path)), "$MALOMO_MIRROR_CONFIG").map(Some);
    }
    for (path, place) in [
        (at(Path::new("config.toml")), "its place in the current directory"),
        (environment.system_file.to_owned(), "its place in the system"),
    ] {
        match read(path, place) {
            Err(ConfigError::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            other => return other.map(Some),
        }
    }
    Ok(None)
}

fn read(path: PathBuf, named_by: &'static str) -> Result<ConfigFile, ConfigError> {
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(ConfigFile::new(path, text)),
        Err(source) => Err(ConfigError::Unreadable { path, named_by, source }),
    }
}

impl ConfigFile {
    pub(super) fn new(path: PathBuf, text: String) -> ConfigFile {
        ConfigFile { path, text }
    }

    /// Puts the file's keys into the layers. Of a file that is not TOML only that is reported: what the
    /// parser made of the rest cannot be trusted.
    pub(super) fn apply(&self, layers: &mut Layers) {
        let (document, errors) = DeTable::parse_recoverable(&self.text);
        for error in &errors {
            let (line, column) = self.position(error.span().map_or(self.text.len(), |span| span.start));
            let (path, message) = (self.path.clone(), error.message().to_owned());
            layers.report(Problem::Syntax { path, line, column, message });
        }
        if errors.is_empty() {
            let origin = |start| Origin::File { path: self.path.clone(), line: self.position(start).0 };
            for (key, start, value) in value::members(document.get_ref(), "", keys::is_section) {
                match &*key {
                    given_tables::PATH => layers.set_destinations(value, start, origin),
                    given_tables::PROFILES => layers.set_profiles(value, start, origin),
                    _ => layers.set_toml(&key, value, origin(start)),
                }
            }
        }
    }

    /// Line and column of a byte, both counted from 1, the column in characters.
    fn position(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}
