//! `mirror publish`: read-only, whether or not a run is under way.

use super::args::{Global, Publish};
use super::assemble;
use super::exit::{Exit, Failure};
use super::output::{self, counted, row};
use crate::mirror::{Mirror, Published};
use jiff::Timestamp;

pub(super) fn run(global: &Global, args: &Publish) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let masker = assemble::masker(&config, &args.profile)?;
    let mut mirror = Mirror::open_read_only(&config.mirror.path)?;
    mirror.look_through(masker);
    let published = mirror.publish(&args.file, Timestamp::now())?;
    output::result(args.json, &published, || text(&published))
}

fn text(published: &Published) -> String {
    let rows: Vec<String> = published.rows.iter().map(|of| counted(of.rows, of.stream.singular())).collect();
    row("published", published.path.display())
        + &row("rows", rows.join(", "))
        + &row("profile", &published.profile)
        + &row("up to", format!("change {}", published.head_seq))
}
