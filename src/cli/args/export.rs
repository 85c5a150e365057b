//! Of `export`.

use crate::export::{AsOf, Format};
use crate::record::Stream;
use clap::Subcommand;
use jiff::civil::Date;
use jiff::tz::TimeZone;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Export {
    #[command(subcommand)]
    pub(in crate::cli) action: Option<ExportAction>,
    /// Write the whole current state of every stream, beside the incremental files
    #[arg(long)]
    pub(in crate::cli) snapshot: bool,
    /// Write a snapshot of the state that the mirror had at this change, or at this time: a number, a time such as
    /// 2026-03-01T12:00:00Z, or a day, which stands for its beginning in UTC
    #[arg(long, value_name = "SEQ|TIME", value_parser = as_of)]
    pub(in crate::cli) as_of: Option<AsOf>,
    /// To this destination alone: `export` for that of [export], or a name in [[destinations]] [default: to all]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) destination: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct AtDestination {
    /// This destination alone: `export` for that of [export], or a name in [[destinations]] [default: all]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) destination: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

fn as_of(text: &str) -> Result<AsOf, String> {
    if let Ok(seq) = text.parse() {
        return Ok(AsOf::Change(seq));
    }
    // Nothing but a day: a date would also be read from a time, which had to say its zone.
    let day = || TimeZone::UTC.to_timestamp(Date::strptime("%Y-%m-%d", text).ok()?.at(0, 0, 0, 0)).ok();
    let time = text.parse().ok().or_else(day);
    time.map(AsOf::Time).ok_or_else(|| {
        "expected a change's number, a time with its zone such as 2026-03-01T12:00:00Z, or a day such as \
         2026-03-01"
            .to_owned()
    })
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ExportAction {
    /// Check every file against the manifest, the change log and the mirror; writes nothing, waits for nobody
    Verify(AtDestination),
    /// Write lost and damaged files again from the mirror; says what could not be brought back
    Repair(AtDestination),
    /// Join small files with changes into larger ones; a replay gives the same, and consumers go on where they are
    Compact(Compact),
    /// Note that files were taken over: they need not be kept any longer than export.max_age
    Acknowledge(Acknowledge),
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Compact {
    /// Say what would be joined, and write nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// At this destination alone: `export` for that of [export], or a name in [[destinations]]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) destination: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Acknowledge {
    /// Every file up to this change: a manifest line's `last_seq`
    #[arg(long, value_name = "SEQ")]
    pub(in crate::cli) through: i64,
    /// Of this stream alone: customers or events
    #[arg(long, value_name = "STREAM", value_parser = stream)]
    pub(in crate::cli) stream: Option<Stream>,
    /// Of this format alone: csv, ndjson or parquet
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub(in crate::cli) format: Option<Format>,
    /// At this destination: `export` for that of [export], or a name in [[destinations]]
    #[arg(long, value_name = "NAME", default_value = crate::export::FIRST)]
    pub(in crate::cli) destination: String,
    /// Print the result as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

fn stream(text: &str) -> Result<Stream, String> {
    Stream::from_name(text)
        .ok_or_else(|| format!("`{text}` is no stream: write {}", Stream::NAMES.join(" or ")))
}

fn format(text: &str) -> Result<Format, String> {
    Format::from_name(text).ok_or_else(|| {
        Format::of_other_builds(text).unwrap_or_else(|| {
            let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
            format!("`{text}` is no format: write {}", names.join(" or "))
        })
    })
}
