//! The effective configuration, for `config show`.

use super::api_key::{ApiKey, KeyError};
use super::keys;
use super::typed::Config;
use std::fmt::Write;

impl Config {
    /// The effective configuration as TOML, with a comment on every value's origin. It parses to this very
    /// configuration. Of the API key only its source is told.
    pub fn to_toml(&self, key: Result<&ApiKey, &KeyError>) -> String {
        let mut shown = match self.file() {
            Some(file) => format!("# file: {}\n", file.display()),
            None => "# file: none\n".to_owned(),
        };
        let told = match key {
            Ok(key) => format!("# API key: ******** (from {})", key.origin()),
            Err(error) => format!("# API key: none usable: {error}").replace('\n', "\n#   "),
        };
        shown.push_str(&told);
        shown.push('\n');
        for &(section, _) in keys::SECTIONS {
            // Writing to a String cannot fail.
            let _ = writeln!(shown, "\n[{section}]");
            for key in keys::ALL.iter().filter(|key| key.section_and_name().0 == section) {
                let Some(setting) = self.settings.get(key.path()) else { continue };
                let name = key.section_and_name().1;
                let _ = writeln!(shown, "{name} = {}  # {}", setting.value.to_toml(), setting.origin);
            }
        }
        shown
    }

    /// The same as data: `file`, `api_key` (its `origin`, or a `problem`), and `values`, which holds `value`
    /// and `origin` under every key's dotted path.
    pub fn to_json(&self, key: Result<&ApiKey, &KeyError>) -> serde_json::Value {
        let api_key = match key {
            Ok(key) => serde_json::json!({ "origin": key.origin().to_string() }),
            Err(error) => serde_json::json!({ "problem": error.to_string() }),
        };
        let values: serde_json::Map<_, _> = keys::ALL
            .iter()
            .filter_map(|key| Some((key.path(), self.settings.get(key.path())?)))
            .map(|(path, setting)| {
                let (value, origin) = (setting.value.to_json(), setting.origin.to_string());
                (path.to_owned(), serde_json::json!({ "value": value, "origin": origin }))
            })
            .collect();
        let file = self.file().map(|file| file.display().to_string());
        serde_json::json!({ "file": file, "api_key": api_key, "values": values })
    }
}
