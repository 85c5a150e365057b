//! Exports to every destination: each on its own, so that one that is down holds nobody else up.

use super::super::exit::{Exit, Failure};
use super::super::output::row;
use super::told::{log_notes, summary};
use crate::config::Config;
use crate::export::{Exported, FIRST, Location, Settings, compact_aged, export};
use crate::mirror::{Mirror, RunId};
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// What became of the export to a destination.
pub(crate) struct Attempt {
    pub(crate) name: String,
    pub(crate) dir: Location,
    pub(crate) outcome: Result<Exported, Failure>,
}

impl Attempt {
    pub(crate) fn is_first(&self) -> bool {
        self.name == FIRST
    }

    /// For the log of a run.
    pub(crate) fn log(&self, run_id: i64) {
        match &self.outcome {
            Ok(exported) => log_notes(exported, run_id),
            Err(failure) if failure.is_stop() => {
                tracing::info!(run_id, "the export was stopped; the next one goes on from there");
            }
            Err(failure) => {
                tracing::error!(run_id, destination = self.name, error = failure.line(), "the export failed");
            }
        }
    }
}

/// Every destination's, in the order of the configuration; empty where nothing was to be exported.
pub(crate) type Attempts = Vec<Attempt>;

/// Exports to each of these in turn. One that fails doesn't keep the others from theirs; who is stopped ends here.
pub(crate) fn each(
    destinations: &[Settings],
    mut export: impl FnMut(&Settings) -> Result<Exported, Failure>,
) -> Attempts {
    let mut attempts = Vec::new();
    for settings in destinations {
        let outcome = export(settings);
        let is_stopped = outcome.as_ref().is_err_and(Failure::is_stop);
        attempts.push(Attempt { name: settings.name.clone(), dir: settings.dir.clone(), outcome });
        if is_stopped {
            break;
        }
    }
    attempts
}

/// Exports what is new to a destination, and joins what is old and small there.
pub(crate) fn incremental(
    mirror: &mut Mirror,
    settings: &Settings,
    run: Option<RunId>,
) -> Result<Exported, Failure> {
    let now = Timestamp::now();
    let mut exported = export(mirror, settings, run, now)?;
    compact_aged(mirror, settings, &mut exported, now);
    Ok(exported)
}

/// The one destination of that name, or all.
pub(crate) fn chosen(config: &Config, name: Option<&str>) -> Result<Vec<Settings>, Failure> {
    let is_it = |settings: &&Settings| name.is_none_or(|name| name == settings.name);
    let chosen: Vec<Settings> = config.all_destinations().filter(is_it).cloned().collect();
    match name {
        Some(name) if chosen.is_empty() => {
            let names: Vec<&str> = config.all_destinations().map(|settings| &*settings.name).collect();
            Err(Failure::usage(format!("there is no destination `{name}`; there are: {}", names.join(", "))))
        }
        _ => Ok(chosen),
    }
}

/// How it ends: the failure of the first destination counts for itself, that of further ones as incomplete.
pub(crate) fn end(attempts: Attempts) -> Result<(), Failure> {
    let failed: Vec<(String, Failure)> =
        attempts.into_iter().filter_map(|attempt| Some((attempt.name, attempt.outcome.err()?))).collect();
    let further: Vec<String> = failed
        .iter()
        .filter(|(name, failure)| name != FIRST && !failure.is_stop())
        .map(|(name, failure)| format!("the export to the destination `{name}` failed: {}", failure.line()))
        .collect();
    match failed.into_iter().find(|(name, failure)| name == FIRST || failure.is_stop()) {
        Some((_, failure)) => Err(further.into_iter().fold(failure, Failure::with_cause)),
        None if further.is_empty() => Ok(()),
        None => {
            let hint = "the next run tries again, and exports what is missing there; the other destinations are complete";
            Err(Failure::new(Exit::Incomplete, further.join("\n  ")).with_hint(hint))
        }
    }
}

/// The results of further destinations for people, the failed ones too.
pub(crate) fn further(attempts: &[Attempt]) -> String {
    attempts
        .iter()
        .map(|attempt| row("destination", format_args!("{}: {}", attempt.name, attempt.dir)) + &told(attempt))
        .collect()
}

fn told(attempt: &Attempt) -> String {
    match &attempt.outcome {
        Ok(exported) => summary(exported),
        Err(failure) => row("failed", failure.line()),
    }
}

/// The JSON result of a further destination: `destination` and `dir`, and the export's members or an `error`.
impl Serialize for Attempt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            destination: &'a str,
            dir: &'a Location,
            #[serde(flatten)]
            exported: Option<&'a Exported>,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<String>,
        }
        let exported = self.outcome.as_ref().ok();
        let error = self.outcome.as_ref().err().map(Failure::line);
        Shown { destination: &self.name, dir: &self.dir, exported, error }.serialize(serializer)
    }
}
