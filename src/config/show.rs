//! The effective configuration, for `config show`.

use super::given_tables::{Given, Leaf, PATH, quoted};
use super::layers::Setting;
use super::secret::{Secret, SecretError};
use super::typed::Config;
use toml::Value;

impl Config {
    /// The effective configuration as TOML, with a comment on every value's origin. It parses to this very
    /// configuration, but for secret addresses, of which only the host is told, and of the API key its source.
    pub fn to_toml(&self, key: Result<&Secret, &SecretError>) -> String {
        let mut shown = match &self.file {
            Some(file) => format!("# file: {}\n", file.display()),
            None => "# file: none\n".to_owned(),
        };
        let told = match key {
            Ok(key) => format!("# API key: ******** (from {})", key.origin),
            Err(error) => format!("# API key: none usable: {error}").replace('\n', "\n#   "),
        };
        shown.push_str(&format!("{told}\n"));
        let mut open = "";
        for Setting { key, value, origin, .. } in &self.settings {
            let (section, name) = key.section_and_name();
            let heading = if section == open { String::new() } else { format!("\n[{section}]\n") };
            let value = value.as_ref().map_or_else(String::new, Value::to_string);
            shown.push_str(&format!("{heading}{name} = {value}  # {origin}\n"));
            open = section;
        }
        for table in &self.given_destinations {
            shown.push_str("\n[[destinations]]\n");
            for Given { name, value, origin, .. } in &table.given {
                let value = value.as_ref().map_or_else(String::new, Value::to_string);
                shown.push_str(&format!("{name} = {value}  # {origin}\n"));
            }
        }
        for profile in &self.given_profiles {
            shown.push_str(&format!("\n[{}]\n", profile.key(std::iter::empty())));
            for Leaf { path, value, origin, .. } in &profile.leaves {
                let name: Vec<String> = path.iter().map(|name| quoted(name)).collect();
                let value = value.as_ref().map_or_else(String::new, Value::to_string);
                shown.push_str(&format!("{} = {value}  # {origin}\n", name.join(".")));
            }
        }
        shown
    }

    /// The same as data: `file`, `api_key` (its `origin`, or a `problem`), and `values`, which holds `value`
    /// and `origin` under every key's dotted path.
    pub fn to_json(&self, key: Result<&Secret, &SecretError>) -> serde_json::Value {
        let api_key = match key {
            Ok(key) => serde_json::json!({ "origin": key.origin.to_string() }),
            Err(error) => serde_json::json!({ "problem": error.to_string() }),
        };
        let shown = |setting: &Setting| {
            let shown = serde_json::json!({ "value": setting.value, "origin": setting.origin.to_string() });
            (setting.key.path.clone(), shown)
        };
        let mut values: serde_json::Map<_, _> = self.settings.iter().map(shown).collect();
        for (index, table) in self.given_destinations.iter().enumerate() {
            values.extend(table.given.iter().map(|given| {
                let shown = serde_json::json!({ "value": given.value, "origin": given.origin.to_string() });
                (format!("{}[{index}].{}", PATH, given.name), shown)
            }));
        }
        for profile in &self.given_profiles {
            values.extend(profile.leaves.iter().map(|leaf| {
                let shown = serde_json::json!({ "value": leaf.value, "origin": leaf.origin.to_string() });
                (profile.key(leaf.path.iter().map(String::as_str)), shown)
            }));
        }
        let file = self.file.as_ref().map(|file| file.display().to_string());
        serde_json::json!({ "file": file, "api_key": api_key, "values": values })
    }
}
