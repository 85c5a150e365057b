//! What can be typed.

use super::query::Format as QueryFormat;
use crate::api::{CustomerFields, WebhookFields};
use crate::dictionary::printers::FORMS;
use crate::dictionary::{QUERIES, Table, tables};
use crate::export::{AsOf, Format};
use crate::record::Stream;
use crate::sandbox::{Settings, duration};
use clap::builder::{PossibleValue, PossibleValuesParser, StringValueParser, TypedValueParser};
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Keeps a local SQLite mirror of a Malomo account's customers and events, and exports what changed.
#[derive(Parser)]
#[command(
    name = "malomo-mirror",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done; 1 failed; 2 usage or configuration; 3 the API refused the key; \
                  4 another run holds this mirror; 5 finished, but incomplete.\n\
                  To try everything without a key: malomo-mirror demo"
)]
pub struct Args {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub(super) command: Command,
}

/// Flags of every command.
#[derive(Debug, Clone, clap::Args)]
pub struct Global {
    /// The configuration file [default: $MALOMO_MIRROR_CONFIG, ./config.toml, /etc/malomo-mirror/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Sets one key of the configuration, such as `mirror.path=./mirror.db`; wins over file and environment
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub(super) overrides: Vec<String>,
    /// How log lines look on stderr; auto: text on a terminal, JSON elsewhere
    #[arg(long, global = true, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Auto)]
    pub(super) log_format: LogFormat,
    /// Log more; twice: everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Log errors only, and show no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// One object a line.
    Json,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show all of it at work, with a sandbox in place of the API: no key needed
    Demo(Demo),
    /// Bring the mirror up to date once, then export what changed
    Sync(Sync),
    /// Run the schedule until told to stop; SIGHUP reloads the configuration
    Daemon,
    /// Write what is not yet exported
    Export(Export),
    /// What became of a record: every version of it that the mirror knows, field by field
    History(History),
    /// Ask the mirror: a query of your own, or one of those that have a name; whatever it is, it only reads
    Query(Query),
    /// What every table, view and column means, and how to load the exports elsewhere: as documentation, or as the text that
    /// a database or another program takes; needs neither a mirror nor a key
    Describe(Describe),
    /// Last runs, row counts, freshness, detected API behaviour, export position, next scheduled runs
    Status(Json),
    /// One page with charts, in HTML that needs no network: whether the mirror is current, what ran, what changed, what comes
    /// next
    Report(Report),
    /// Everything that is held of a person, and where: in the mirror, in exports, in files beside them
    Person(Person),
    /// Copies of the mirror
    Mirror {
        #[command(subcommand)]
        action: MirrorAction,
    },
    /// Erase persons from the mirror and from every export, keep them out from then on, and write a receipt that names nobody
    Erase(Erase),
    /// The API's customers, as JSON on stdout; the mirror is not touched
    Customers {
        #[command(subcommand)]
        action: Customers,
    },
    /// The API's events, as JSON on stdout; the mirror is not touched
    Events {
        #[command(subcommand)]
        action: Events,
    },
    /// The API's webhooks, as JSON on stdout; `install` makes the one that the daemon takes deliveries of
    Webhooks {
        #[command(subcommand)]
        action: Webhooks,
    },
    /// Serve the vendor's customer API from a made-up world, for trying things out
    Sandbox(Sandbox),
    /// Check or show the configuration
    Config {
        #[command(subcommand)]
        action: Config,
    },
    /// Print the completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, clap::Args)]
pub(super) struct History {
    /// Of a customer or an event
    #[arg(value_name = "ID")]
    pub(super) id: String,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Person {
    /// An e-mail address, a customer's id or a telephone number
    #[arg(value_name = "EMAIL|ID|PHONE")]
    pub(super) person: String,
    /// Write all that is held of the person into this new folder, as JSON and as a page: for an access request
    #[arg(long, value_name = "FOLDER")]
    pub(super) export: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  malomo-mirror erase --email jane@example.com --dry-run\n  \
    malomo-mirror erase --email jane@example.com --at-vendor --reason \"request 2026-117\"\n  \
    malomo-mirror erase --file requests.txt --yes\n  \
    malomo-mirror erase --expired --dry-run\n  \
    malomo-mirror erase --check mirror.db.receipts/erasure-000001.json --email jane@example.com")]
#[command(group = clap::ArgGroup::new("mode").args(["check", "finish", "allow_return", "allow_return_all"]))]
pub(super) struct Erase {
    /// Customers by their ids
    #[arg(value_name = "ID")]
    pub(super) ids: Vec<String>,
    /// Customers who have or had this e-mail address; may be given several times
    #[arg(long = "email", value_name = "ADDRESS")]
    pub(super) emails: Vec<String>,
    /// Customers who have or had this telephone number; may be given several times
    #[arg(long = "phone", value_name = "NUMBER")]
    pub(super) phones: Vec<String>,
    /// Persons by a file with an id, an e-mail address or a telephone number on each line: one erasure for all of them
    #[arg(long, value_name = "LIST")]
    pub(super) file: Option<PathBuf>,
    /// What has been kept for longer than the rules of `[retention]` allow, instead of persons; with --dry-run only how much
    /// that is
    #[arg(long, conflicts_with_all = ["ids", "emails", "phones", "file", "at_vendor", "reason", "mode"])]
    pub(super) expired: bool,
    /// Delete the customers by the API first
    #[arg(long, conflicts_with = "mode")]
    pub(super) at_vendor: bool,
    /// Tell who would be erased, and how much of them; changes nothing
    #[arg(long, conflicts_with = "mode")]
    pub(super) dry_run: bool,
    /// Don't ask
    #[arg(long)]
    pub(super) yes: bool,
    /// Why, for the receipt, such as the number of the request; it must name nobody
    #[arg(long, value_name = "TEXT", conflicts_with = "mode")]
    pub(super) reason: Option<String>,
    /// Look for the given persons of this receipt in every file, byte by byte and unpacked; exit code 1 where one is found
    #[arg(long, value_name = "RECEIPT")]
    pub(super) check: Option<PathBuf>,
    /// End erasures that were cut off or could not be ended
    #[arg(long)]
    pub(super) finish: bool,
    /// Let a person come back who was erased: by id, e-mail address or telephone number
    #[arg(long, value_name = "ID|EMAIL|PHONE")]
    pub(super) allow_return: Option<String>,
    /// Let everybody come back who was erased; needs no key file
    #[arg(long)]
    pub(super) allow_return_all: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  malomo-mirror query --list\n  malomo-mirror query repeat-purchases --since 2025-01-01\n  \
    malomo-mirror query \"SELECT status, count(*) FROM orders GROUP BY status\" --as csv --output status.csv\n  \
    malomo-mirror query \"SELECT * FROM events WHERE customer_id = :id\" --id CUSTOMER_ID --as ndjson"
)]
pub(super) struct Query {
    /// One SQL statement of SQLite, the name of a query, or a table or view for all of its rows
    #[arg(value_name = "SQL|NAME", value_parser = Names { with_queries: true }, required_unless_present = "list")]
    pub(super) query: Option<String>,
    /// Show the named queries, or the one whose name is given, with their parameters and their SQL
    #[arg(long)]
    pub(super) list: bool,
    /// See what this profile shows: the views NAME_customers, NAME_events and both with _history, and nothing else
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// How the result looks
    #[arg(long = "as", value_enum, value_name = "FORMAT", default_value = "table")]
    pub(super) format: QueryFormat,
    /// Write the result to this file, which is there when it is whole
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    pub(super) output: Option<PathBuf>,
    /// Stop the query after this time
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    pub(super) timeout: Duration,
    /// The parameter :since, a day or a time in UTC, such as 2025-01-01
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// The parameter :until, a day or a time in UTC
    #[arg(long, value_name = "TIME")]
    pub(super) until: Option<String>,
    /// The parameter :at, a day or a time in UTC
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
    /// The parameter :days
    #[arg(long, value_name = "N")]
    pub(super) days: Option<u32>,
    /// The parameter :id
    #[arg(long, value_name = "ID")]
    pub(super) id: Option<String>,
    /// Any other parameter of the query, by its name without the colon; may be given several times
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub(super) parameters: Vec<(String, String)>,
}

impl Query {
    /// Every parameter that is given, without its colon.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
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
pub(super) struct Describe {
    /// A table, a view or a stream; all that are for analysts without it
    #[arg(value_name = "NAME", value_parser = Names { with_queries: false })]
    pub(super) name: Option<String>,
    /// The form
    #[arg(long = "as", value_name = "FORMAT", default_value = "text", value_parser = form_names())]
    pub(super) form: String,
}

fn form_names() -> PossibleValuesParser {
    PossibleValuesParser::new(FORMS.iter().map(|form| PossibleValue::new(form.name).help(form.about)))
}

#[derive(Debug, clap::Args)]
pub(super) struct Demo {
    /// Where mirror and exports go; must be empty or not exist [default: a new folder for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// Customers in the sandbox
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(super) customers: usize,
}

#[derive(Debug, clap::Args)]
pub(super) struct Sync {
    /// Walk everything: the events of every customer
    #[arg(long, conflicts_with = "customers")]
    pub(super) full: bool,
    /// Sync this customer alone; may be given several times
    #[arg(long = "customer", value_name = "ID")]
    pub(super) customers: Vec<String>,
    /// Tell how many requests a run would make and why; reads the customer list, changes nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// At the end, read N customers drawn at random again, one by one, and compare them with the mirror; drift is put
    /// right and told, and ends with 5 where it is above sync.drift_limit
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) audit: Option<u64>,
    /// Take the account that the API answers for as the mirror's from now on, where that was in doubt: its customers come
    /// in, and those of the old account go once the API says that they don't exist
    #[arg(long, conflicts_with_all = ["customers", "dry_run"])]
    pub(super) accept_account: bool,
    /// Where another run holds the mirror, wait for its end instead of giving up
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) wait: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Export {
    #[command(subcommand)]
    pub(super) action: Option<ExportAction>,
    /// Write the whole current state of every stream, beside the incremental files
    #[arg(long)]
    pub(super) snapshot: bool,
    /// Write a snapshot of the state that the mirror had at this change, or at this time: a number, a time such as
    /// 2026-03-01T12:00:00Z, or a day, which stands for its beginning in UTC
    #[arg(long, value_name = "SEQ|TIME", value_parser = as_of)]
    pub(super) as_of: Option<AsOf>,
    /// To this destination alone: `export` for that of [export], or a name in [[destinations]] [default: to all]
    #[arg(long, value_name = "NAME")]
    pub(super) destination: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct AtDestination {
    /// This destination alone: `export` for that of [export], or a name in [[destinations]] [default: all]
    #[arg(long, value_name = "NAME")]
    pub(super) destination: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

fn as_of(text: &str) -> Result<AsOf, String> {
    if let Ok(seq) = text.parse() {
        return Ok(AsOf::Change(seq));
    }
    let day = || TimeZone::UTC.to_timestamp(text.parse::<Date>().ok()?.at(0, 0, 0, 0)).ok();
    let time = text.parse().ok().or_else(day);
    time.map(AsOf::Time).ok_or_else(|| {
        "expected a change's number, a time such as 2026-03-01T12:00:00Z, or a day such as 2026-03-01"
            .to_owned()
    })
}

#[derive(Debug, Subcommand)]
pub(super) enum ExportAction {
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
pub(super) struct Compact {
    /// Say what would be joined, and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// At this destination alone: `export` for that of [export], or a name in [[destinations]]
    #[arg(long, value_name = "NAME")]
    pub(super) destination: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Subcommand)]
pub(super) enum MirrorAction {
    /// Write the current rows into a database of their own, as a profile shows them: for those who must not see the original
    Publish(Publish),
}

#[derive(Debug, clap::Args)]
pub(super) struct Publish {
    /// The database, which is replaced as a whole if it is such a copy
    #[arg(value_name = "FILE")]
    pub(super) file: PathBuf,
    /// The profile: a name in [profiles], or `full`, which hides nothing
    #[arg(long, value_name = "NAME")]
    pub(super) profile: String,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Acknowledge {
    /// Every file up to this change: a manifest line's `last_seq`
    #[arg(long, value_name = "SEQ")]
    pub(super) through: i64,
    /// Of this stream alone: customers or events
    #[arg(long, value_name = "STREAM", value_parser = stream)]
    pub(super) stream: Option<Stream>,
    /// Of this format alone: csv, ndjson or parquet
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    pub(super) format: Option<Format>,
    /// At this destination: `export` for that of [export], or a name in [[destinations]]
    #[arg(long, value_name = "NAME", default_value = crate::export::FIRST)]
    pub(super) destination: String,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Report {
    /// Write the page into this file, which is replaced as a whole, and print its path [default: the page goes to stdout]
    #[arg(long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Json {
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Subcommand)]
pub(super) enum Customers {
    /// Every customer, one JSON object a line
    List,
    /// One customer
    Get {
        /// The customer's id
        id: String,
    },
    /// Create a customer
    Create(CustomerFields),
    /// Change a customer; sends only what is given
    Update {
        /// The customer's id
        id: String,
        #[command(flatten)]
        fields: CustomerFields,
    },
    /// Delete a customer at Malomo, for good; asks first
    Delete {
        /// The customer's id
        id: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Events {
    /// Every event of a customer, one JSON object a line
    List {
        /// The customer's id
        customer_id: String,
    },
}

#[derive(Subcommand)]
pub(super) enum Webhooks {
    /// Every webhook, one JSON object a line
    List,
    /// Create a webhook
    Create(WebhookFields),
    /// Change a webhook; sends only what is given
    Update {
        /// The webhook's id
        id: String,
        #[command(flatten)]
        fields: WebhookFields,
    },
    /// Delete a webhook at Malomo; asks first
    Delete {
        /// The webhook's id
        id: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// See to it that what the daemon is to hear of is delivered there, signed with the webhook secret; changes nothing where
    /// it is so already
    Install(Install),
}

#[derive(Debug, clap::Args)]
pub(super) struct Install {
    /// Where the daemon can be reached from outside, such as https://mirror.example.com/webhooks/malomo
    #[arg(long, value_name = "URL")]
    pub(super) url: String,
    /// What is to be delivered; may be given several times
    #[arg(long = "topic", value_name = "TOPIC", default_value = "events:created")]
    pub(super) topics: Vec<String>,
    /// Send the secret again, also where nothing else has to change: after it was replaced
    #[arg(long)]
    pub(super) renew_secret: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Sandbox {
    /// Where to listen; port 0: any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8787")]
    pub(super) listen: SocketAddr,
    #[command(flatten)]
    pub(super) settings: Settings,
}

#[derive(Debug, Subcommand)]
pub(super) enum Config {
    /// Tell what is wrong with the configuration
    Check,
    /// Show what is in effect, and where each value came from; secrets are masked
    Show {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
}

fn stream(text: &str) -> Result<Stream, String> {
    Stream::from_name(text).ok_or_else(|| format!("`{text}` is no stream: write customers or events"))
}

fn format(text: &str) -> Result<Format, String> {
    Format::from_name(text).ok_or_else(|| {
        Format::of_other_builds(text).unwrap_or_else(|| {
            let names: Vec<&str> = Format::ALL.iter().map(|format| format.name()).collect();
            format!("`{text}` is no format: write {}", names.join(" or "))
        })
    })
}
