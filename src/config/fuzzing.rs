//! What holds for every text of a configuration file.

use super::environment::Environment;
use super::file::ConfigFile;
use super::{Config, ConfigError, SecretError, SecretKind};
use std::path::PathBuf;

/// How keys of the API begin: secret ones, and publishable ones.
const KEYS_BEGIN: [&str; 2] = ["sk_", "pk_"];

/// Tries a configuration file.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match read(text) {
        Ok(config) => check_shown(&config),
        Err(error) => {
            let ConfigError::Invalid { problems } = &error else { panic!("{error}") };
            assert!(!problems.is_empty());
            problems.iter().for_each(|problem| check_located(&problem.to_string(), text));
            let told = format!("{error} {error:?}");
            assert!(!KEYS_BEGIN.iter().any(|begin| told.contains(begin)), "{told}");
        }
    }
}

fn read(text: &str) -> Result<Config, ConfigError> {
    let file = ConfigFile::new(PathBuf::from("f"), text.to_owned());
    Config::layered(Some(file), &Environment::new([], PathBuf::new()), &[])
}

/// `f:LINE: …` or `f:LINE:COLUMN: …`, with a line that the text has.
fn check_located(problem: &str, text: &str) {
    let line = problem.strip_prefix("f:").and_then(|rest| rest.split(':').next()?.parse().ok());
    assert!(line.is_some_and(|line| (1..=text.split('\n').count()).contains(&line)), "{problem}");
}

/// What is shown of a configuration is that configuration, as far as it is shown.
fn check_shown(config: &Config) {
    let shown = config.to_toml(Err(&SecretError::Missing(SecretKind::ApiKey)));
    match read(&shown) {
        Ok(again) => assert_eq!(values(&again), values(config)),
        Err(error) => panic!("{error}\n{shown}"),
    }
}

/// The effective values, without where they came from.
fn values(config: &Config) -> Vec<serde_json::Value> {
    let shown = config.to_json(Err(&SecretError::Missing(SecretKind::ApiKey)));
    let values = shown["values"].as_object().cloned().unwrap_or_default();
    values.into_iter().map(|(key, setting)| serde_json::json!([key, setting["value"]])).collect()
}
