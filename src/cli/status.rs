//! `status`: what the mirror tells, read-only, whether or not a run is under way.

mod report;
pub(in crate::cli) mod runs;
mod text;

use super::args::{Global, Json};
use super::exit::{Exit, Failure};
use super::{assemble, output};
use jiff::Timestamp;

pub(super) fn run(global: &Global, args: &Json) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let status = report::read(&config, Timestamp::now())?;
    output::result(args.json, &status, || text::text(&status))
}
