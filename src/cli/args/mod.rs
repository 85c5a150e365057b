//! What can be typed.

mod api;
mod export;
mod persons;
mod query;

pub(super) use api::{Customers, Events, Install, Webhooks};
pub(super) use export::{Acknowledge, AtDestination, Compact, Export, ExportAction};
pub(super) use persons::{Erase, Person};
pub(super) use query::{Describe, Query};

use crate::sandbox::Settings;
use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

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
