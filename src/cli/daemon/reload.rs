//! SIGHUP: the configuration is read again.

use super::super::args::Global;
use super::super::assemble;
use super::super::exit::Failure;
use super::runner::Runner;
use super::systemd;
use crate::config::Config;
use crate::daemon::Schedules;
use sd_notify::NotifyState;
use std::sync::Arc;
use tokio::signal::unix::Signal;
use tokio::sync::mpsc;

/// Reloads at each hangup, until nobody takes the schedules any more.
pub(super) async fn on_hangup(
    global: Global,
    mut hangups: Signal,
    runner: Arc<Runner>,
    changed: mpsc::Sender<Schedules>,
) {
    while hangups.recv().await.is_some() {
        systemd::tell_of_reload();
        match read(&global, &runner.config()) {
            Ok((config, kept)) => {
                for key in kept {
                    tracing::warn!(key, "can't change while the daemon runs; restart it for the new value");
                }
                let schedules = config.schedule.clone();
                runner.replace_config(config);
                if changed.send(schedules).await.is_err() {
                    return;
                }
                tracing::info!("configuration reloaded");
            }
            Err(failure) => {
                tracing::error!(error = failure.line(), "configuration refused; the old one stays in force");
            }
        }
        systemd::tell(&[NotifyState::Ready]);
    }
}

/// The new configuration, and the keys whose old values stay in force.
fn read(global: &Global, old: &Config) -> Result<(Config, Vec<&'static str>), Failure> {
    let mut new = assemble::config(global)?;
    assemble::key(&new)?;
    let kept = keep(old, &mut new);
    Ok((new, kept))
}

/// Gives what can't change its old value; returns the keys for which that made a difference.
fn keep(old: &Config, new: &mut Config) -> Vec<&'static str> {
    fn kept<T: Clone + PartialEq>(old: &T, new: &mut T, key: &'static str) -> Option<&'static str> {
        let differs = old != new;
        new.clone_from(old);
        differs.then_some(key)
    }
    let kept = [
        kept(&old.mirror.path, &mut new.mirror.path, "mirror.path"),
        kept(&old.export.dir, &mut new.export.dir, "export.dir"),
        kept(&old.destinations, &mut new.destinations, "destinations"),
        kept(&old.http.listen, &mut new.http.listen, "http.listen"),
        kept(&old.webhook.listen, &mut new.webhook.listen, "webhook.listen"),
        kept(&old.webhook.secret_file, &mut new.webhook.secret_file, "webhook.secret_file"),
    ];
    kept.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, Override};

    fn config(sets: &[(&str, &str)]) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let set = |(key, value): &(&str, &str)| Override {
            flag: "--set".into(),
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        };
        let flags: Vec<Override> = sets.iter().map(set).collect();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, "").unwrap();
        let environment = Environment::new([], folder.path().to_owned());
        Config::load(Some(&file), &environment, &flags).unwrap()
    }

    #[test]
    fn what_cannot_change_keeps_its_value_and_is_named() {
        let old = config(&[("mirror.path", "old.db"), ("api.concurrency", "2")]);
        for (key, value) in
            [("mirror.path", "new.db"), ("export.dir", "elsewhere"), ("http.listen", "127.0.0.1:1")]
        {
            let mut sets = vec![("mirror.path", "old.db"), ("api.concurrency", "3")];
            sets.push((key, value));
            let mut new = config(&sets);
            assert_eq!(keep(&old, &mut new), [key]);
            assert_eq!(new.mirror.path, old.mirror.path);
            assert_eq!(new.export.dir, old.export.dir);
            assert_eq!(new.http.listen, old.http.listen);
            assert_eq!(new.api.concurrency, 3);
        }
    }
}
