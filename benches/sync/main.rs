//! Measures whole runs of the release binary against the sandbox, each beside its floor.
//!
//! ```text
//! cargo bench --bench sync                      every case
//! cargo bench --bench sync -- first export      the cases whose names contain one of these words
//! cargo bench --bench sync -- --runs 5 --json   more runs a case; the figures as one JSON object a line
//! ```
//!
//! The sandbox is a process of its own on the same machine, so it takes its share of the cores in the case and in
//! the floor alike: what counts are the ratios within one run. The floor of a sync asks for the same pages, with the
//! same client settings and as many requests at once, follows the list page by page as it must, and throws the
//! bodies away. The floor of an export writes the same rows from memory in the same format. Figures are medians.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod cases;
mod exports;
mod fetch;
mod measure;
mod place;
mod rates;
mod relay;
mod server;
mod table;

use std::error::Error;
use std::process::ExitCode;

/// Nothing here is worth handling: a benchmark that fails says why and ends.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// What to measure.
struct Wanted {
    words: Vec<String>,
    runs: usize,
    json: bool,
}

impl Wanted {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Outcome<Wanted> {
        let mut wanted = Wanted { words: Vec::new(), runs: 3, json: false };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo says so to every benchmark.
                "--bench" => {}
                "--json" => wanted.json = true,
                "--runs" => wanted.runs = arguments.next().ok_or("--runs wants a number")?.parse()?,
                word => wanted.words.push(word.to_owned()),
            }
        }
        Ok(wanted)
    }

    fn includes(&self, case: &str) -> bool {
        self.words.is_empty() || self.words.iter().any(|word| case.contains(word.as_str()))
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|argument| argument == fetch::ARGUMENT).is_some() {
        return fetch::run(arguments);
    }
    let wanted = Wanted::from_arguments(arguments)?;
    let mut table = table::Table::new(wanted.json);
    for case in cases::ALL {
        if wanted.includes(case.name) {
            cases::measure(case, wanted.runs, &mut table)?;
        }
    }
    for case in rates::ALL {
        if wanted.includes(case.name) {
            rates::measure(case, wanted.runs, &mut table)?;
        }
    }
    if wanted.includes(exports::NAME) {
        exports::measure(wanted.runs, &mut table)?;
    }
    table.print();
    Ok(())
}
