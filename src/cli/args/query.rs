//! Of what analysts ask for.

use super::super::query::Format as QueryFormat;
use crate::dictionary::printers::FORMS;
use crate::dictionary::{QUERIES, Table, tables};
use crate::sandbox::duration;
use clap::builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser};
use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  malomo-mirror query --list\n  malomo-mirror query repeat-purchases --since 2025-01-01\n  \
    malomo-mirror query \"SELECT status, count(*) FROM orders GROUP BY status\" --as csv --output status.csv\n  \
    malomo-mirror query \"SELECT * FROM events WHERE customer_id = :id\" --id CUSTOMER_ID --as ndjson"
)]
pub(in crate::cli) struct Query {
    /// One SQL statement of SQLite, the name of a query, or a table or view for all of its rows
    #[arg(value_name = "SQL|NAME", value_parser = Names { with_queries: true }, required_unless_present = "list")]
    pub(in crate::cli) query: Option<String>,
    /// Show the named queries, or the one whose name is given, with their parameters and their SQL
    #[arg(long)]
    pub(in crate::cli) list: bool,
    /// See what this profile shows: the views NAME_customers, NAME_events and both with _history, and nothing else
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) profile: Option<String>,
    /// How the result looks
    #[arg(long = "as", value_enum, value_name = "FORMAT", default_value = "table")]
    pub(in crate::cli) format: QueryFormat,
    /// Write the result to this file, which is there when it is whole
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Stop the query after this time
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(in crate::cli) timeout: Duration,
    /// The parameter :since, a day or a time in UTC, such as 2025-01-01
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) since: Option<String>,
    /// The parameter :until, a day or a time in UTC
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) until: Option<String>,
    /// The parameter :at, a day or a time in UTC
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) at: Option<String>,
    /// The parameter :days
    #[arg(long, value_name = "N")]
    pub(in crate::cli) days: Option<u32>,
    /// The parameter :id
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) id: Option<String>,
    /// Any other parameter of the query, by its name without the colon; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(in crate::cli) parameters: Vec<(String, String)>,
}

impl Query {
    /// Every parameter that is given, without its colon.
    pub(in crate::cli) fn parameters(&self) -> Vec<(String, String)> {
        let days = self.days.map(|days| days.to_string());
        let named = [
            ("since", &self.since),
            ("until", &self.until),
            ("at", &self.at),
            ("days", &days),
            ("id", &self.id),
        ];
        let given = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        given.chain(self.parameters.iter().cloned()).collect()
    }
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.trim_start_matches(':').to_owned(), value.to_owned()))
}

/// Takes any text, and tells shells the names of what analysts ask for: tables and views, and of queries where these may be
/// named, too.
#[derive(Clone)]
struct Names {
    with_queries: bool,
}

impl TypedValueParser for Names {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let queries = QUERIES.iter().filter(|_| self.with_queries).map(|query| query.name.to_owned());
        let tables = tables().into_iter().filter(Table::is_for_analysts).map(|table| table.name.into_owned());
        Some(Box::new(queries.chain(tables).map(PossibleValue::new)))
    }
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Describe {
    /// A table, a view or a stream; all that are for analysts without it
    #[arg(value_name = "NAME", value_parser = Names { with_queries: false })]
    pub(in crate::cli) name: Option<String>,
    /// The form
    #[arg(long = "as", value_name = "FORMAT", default_value = "text", value_parser = form_names())]
    pub(in crate::cli) form: String,
}

fn form_names() -> PossibleValuesParser {
    PossibleValuesParser::new(FORMS.iter().map(|form| PossibleValue::new(form.name).help(form.about)))
}
