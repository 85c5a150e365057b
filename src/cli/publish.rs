//! `mirror publish`: read-only, whether or not a run is under way.

use super::args::{Global, Publish};
use super::assemble;
use super::exit::{Exit, Failure};
use super::output::{self, counted, row};
use crate::config::Config;
use crate::masking::Masker;
use crate::mirror::{Mirror, Published};
use jiff::Timestamp;
use std::sync::Arc;

pub(super) fn run(global: &Global, args: &Publish) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let masker = masker(&config, &args.profile)?;
    let mut mirror = Mirror::open_read_only(&config.mirror.path)?;
    mirror.look_through(masker);
    let published = mirror.snapshot()?.publish(&args.file, Timestamp::now())?;
    output::result(args.json, &published, || text(&published))
}

/// The profile of that name with its key; `None`: the one that hides nothing.
fn masker(config: &Config, name: &str) -> Result<Option<Arc<Masker>>, Failure> {
    if name == "full" {
        return Ok(None);
    }
    let Some(profile) = config.profiles.iter().find(|profile| profile.name == name) else {
        let known: Vec<&str> = config.profiles.iter().map(|profile| &*profile.name).collect();
        let known = [&["full"], &known[..]].concat().join(", ");
        return Err(Failure::usage(format!("there is no profile `{name}`; there are: {known}")));
    };
    let masker = Masker::open(profile).map_err(Failure::because("nothing was published"))?;
    Ok(Some(Arc::new(masker)))
}

fn text(published: &Published) -> String {
    let rows: Vec<String> = published.rows.iter().map(|of| counted(of.rows, of.stream.singular())).collect();
    row("published", published.path.display())
        + &row("rows", rows.join(", "))
        + &row("profile", &published.profile)
        + &row("up to", format!("change {}", published.head_seq))
}
