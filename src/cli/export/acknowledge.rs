//! `export acknowledge`: consumers say what they have taken over. Waits for no run.

use super::super::args::{Acknowledge, Global};
use super::super::exit::{Exit, Failure};
use super::super::{assemble, output};
use super::attempts;
use crate::export::{ExportError, acknowledge};

pub(super) fn run(global: &Global, args: &Acknowledge) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let mut acknowledged = Vec::new();
    for settings in attempts::chosen(&config, Some(&args.destination))? {
        let noted = acknowledge(&settings.dir, args.through, args.stream, args.format);
        acknowledged.extend(noted.map_err(|error| match error {
            ExportError::NotExported { .. } => Failure::usage(error.to_string()),
            error => error.into(),
        })?);
    }
    output::result(args.json, &acknowledged, || {
        let lines = acknowledged.iter().map(|one| {
            let (stream, format, through) = (&one.stream, &one.format, one.through);
            output::row("acknowledged", format_args!("{stream:<10} {format:<7} up to change {through}"))
        });
        lines.collect()
    })
}
