//! The command line: what the user asks for, put together from the library, and its results on stdout.
//!
//! stdout carries results only; logs, progress and errors go to stderr. This is the only module that prints, and
//! [`main`] the only place that turns a failure into an exit code.

mod args;
mod assemble;
mod audit;
mod config;
mod customers;
mod daemon;
mod demo;
mod describe;
mod erase;
mod exit;
mod expired;
mod export;
mod history;
mod logging;
mod misplaced_key;
mod output;
mod person;
mod progress;
mod publish;
mod query;
mod receipts;
mod report;
mod sandbox;
mod shell;
mod signals;
mod status;
mod stderr;
mod sync;
mod webhooks;
mod whole_file;

pub use args::Args;
pub use exit::Exit;

use crate::api::List;
use crate::record::Stream;
use args::Command;
use clap::Parser;
use exit::Failure;
use indicatif::ProgressBar;
use std::ffi::OsString;
use std::fs::File;
use std::io::IsTerminal;
use std::process::ExitCode;
use stderr::{FlushAtEnd, Stderr};

/// Runs the command that the arguments name, prints its result or its failure, and returns the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let bar = ProgressBar::hidden();
    let stderr = Stderr::start(bar.clone());
    let _flushed = FlushAtEnd(stderr.clone());
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let args = match Args::try_parse_from(&arguments) {
        Ok(args) => args,
        Err(error) => return answer(&error, &arguments, &stderr).into(),
    };
    logging::start(&args.global, matches!(args.command, Command::Sync(_) | Command::Daemon), &stderr);
    let result = on_a_runtime(args, &bar);
    bar.finish_and_clear();
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print(&stderr);
            failure.exit.into()
        }
    }
}

fn on_a_runtime(args: Args, bar: &ProgressBar) -> Result<Exit, Failure> {
    enough_descriptors()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(Failure::because("the program could not be started"))?;
    let result = runtime.block_on(run(args, bar));
    // What is still at work was told to stop and did not: nobody waits for it.
    runtime.shutdown_background();
    result
}

/// Says what is wrong with the arguments. Help and version, which were asked for, come this way too.
fn answer(error: &clap::Error, arguments: &[OsString], stderr: &Stderr) -> Exit {
    if !error.use_stderr() {
        let _ = error.print();
        return Exit::Done;
    }
    match misplaced_key::refusal(arguments) {
        Some(failure) => failure.print(stderr),
        // In colour.
        None if std::io::stderr().is_terminal() => drop(error.print()),
        None => stderr.line(error.render().to_string().into_bytes()),
    }
    Exit::Usage
}

/// Files and sockets that a run has open at once at least.
const DESCRIPTORS: usize = 24;

/// The runtime panics where it gets none for its signals, and everything else would fail in a place of its own.
fn enough_descriptors() -> Result<(), Failure> {
    let opened: std::io::Result<Vec<File>> = (0..DESCRIPTORS).map(|_| File::open("/dev/null")).collect();
    opened.map(drop).map_err(|error| {
        let text = format!(
            "the program could not be started: it needs {DESCRIPTORS} open files at once ({error}); raise the limit \
             (`ulimit -n`, LimitNOFILE= of the service)"
        );
        Failure::new(Exit::Failed, text)
    })
}

async fn run(args: Args, bar: &ProgressBar) -> Result<Exit, Failure> {
    let global = args.global;
    signals::outlive_file_size_limit()?;
    match args.command {
        Command::Demo(args) => demo::run(args, bar).await,
        Command::Sync(args) => sync::run(&global, args, bar).await,
        Command::Daemon => daemon::run(&global).await,
        Command::Export(args) => export::run(&global, &args),
        Command::Mirror { action: args::MirrorAction::Publish(args) } => publish::run(&global, &args),
        Command::Person(args) => person::run(&global, &args),
        Command::Erase(args) => erase::run(&global, args).await,
        Command::History(args) => history::run(&global, &args),
        Command::Query(args) => query::run(&global, args).await,
        Command::Describe(args) => describe::run(&global, &args),
        Command::Status(args) => status::run(&global, &args),
        Command::Report(args) => report::run(&global, &args),
        Command::Customers { action } => customers::run(&global, action).await,
        Command::Events { action: args::Events::List { customer_id } } => {
            customers::print_list(&global, List::of_parent(Stream::Events, customer_id)).await
        }
        Command::Webhooks { action } => webhooks::run(&global, action).await,
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Config { action } => config::run(&global, &action),
        Command::Completions { shell } => shell::completions(shell),
        Command::Man => shell::man(),
    }
}
