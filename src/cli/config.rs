//! `config check` and `config show`.

use super::args::{self, Global};
use super::exit::{Exit, Failure};
use super::{assemble, output};
use crate::config::{Config, SecretError, api_key};
use crate::mirror::{MirrorError, is_there};

pub(super) fn run(global: &Global, action: &args::Config) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let key = api_key(&config, &assemble::environment()?);
    match action {
        args::Config::Check => {
            check_mirror(&config)?;
            let file = config
                .file
                .as_ref()
                .map_or("no file; defaults".to_owned(), |file| file.display().to_string());
            output::line(&format!("the configuration is valid ({file})"))?;
            if config.webhook.listen.is_some() {
                let secret = assemble::webhook_key(&config)?;
                output::line(&format!("the webhook secret comes from {}", secret.origin))?;
            }
            match key {
                Ok(key) => output::line(&format!("the API key comes from {}", key.origin)),
                // Commands that don't talk to the API work without one.
                Err(SecretError::Missing(_)) => {
                    output::line("no API key is set; commands that talk to the API need one")
                }
                Err(error) => Err(error.into()),
            }
        }
        args::Config::Show { json: true } => output::json(&config.to_json(key.as_ref())),
        args::Config::Show { json: false } => output::text(&config.to_toml(key.as_ref())),
    }
}

/// Refuses a place where there can be no mirror. One that this user can't look at may be right for another user.
fn check_mirror(config: &Config) -> Result<(), Failure> {
    match is_there(&config.mirror.path) {
        Err(error @ MirrorError::Unusable { .. }) => Err(error.into()),
        _ => Ok(()),
    }
}
