//! `query`: a query of the mirror, typed or named, that only reads.

mod format;

use super::args::{Global, Query};
use super::assemble;
use super::exit::{Exit, Failure};
use super::output;
use super::signals;
use super::whole_file::WholeFile;
use crate::dictionary::{NamedQuery, QUERIES};
use crate::mirror::{Queries, QueryError};
use crate::nearest::{nearest, spelling};
pub(super) use format::Format;
use format::{Ended, Printer};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::time::Duration;

/// Only its owner may read a result: it may be anybody's data.
const MODE: u32 = 0o600;

pub(super) async fn run(global: &Global, args: Query) -> Result<Exit, Failure> {
    let Some(asked) = args.query.clone().filter(|_| !args.list) else {
        return list(args.query.as_deref());
    };
    let config = assemble::config(global)?;
    let masker = args.profile.as_deref().map(|name| assemble::masker(&config, name)).transpose()?.flatten();
    let queries = Queries::open(&config.mirror.path, masker)?;
    let sql = statement(&queries, &asked)?;
    let limit = args.timeout;
    let (stop, handle) = (signals::stop_token()?, queries.interrupt_handle());
    let mut running = tokio::task::spawn_blocking(move || answer(&queries, &sql, &args));
    let (ended, is_late) = tokio::select! {
        ended = &mut running => (ended, false),
        () = stop.cancelled() => { handle.interrupt(); (running.await, false) }
        () = tokio::time::sleep(limit) => { handle.interrupt(); (running.await, true) }
    };
    let ended = ended.map_err(Failure::because("the query could not be run"))?;
    ended.map(|()| Exit::Done).map_err(|error| failure(error, is_late.then_some(limit)))
}

/// Shows the named queries, or the one of this name.
fn list(name: Option<&str>) -> Result<Exit, Failure> {
    if let Some(name) = name
        && NamedQuery::of(name).is_none()
    {
        return Err(unknown(name, "no named query"));
    }
    let wanted = |query: &&NamedQuery| name.is_none_or(|name| name == query.name);
    let shown: Vec<String> = QUERIES.iter().filter(wanted).map(shown).collect();
    output::text(&shown.join("\n"))
}

/// A named query for people: what it answers, its parameters, its text.
fn shown(query: &NamedQuery) -> String {
    let mut shown = format!("{}: {}\n", query.name, query.about());
    for (name, about) in query.parameters() {
        shown += &output::row(&name.replace(':', "--"), about);
    }
    query.sql().lines().for_each(|line| shown += &format!("      {line}\n"));
    shown
}

/// The statement that is meant: the text of a named query, all rows of a table, or what was typed.
fn statement(queries: &Queries, asked: &str) -> Result<String, Failure> {
    let asked = asked.trim();
    if let Some(query) = NamedQuery::of(asked) {
        return Ok(query.sql().to_owned());
    }
    let is_name = !asked.is_empty() && asked.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if !is_name {
        return Ok(asked.to_owned());
    }
    if queries.has_table(asked)? {
        return Ok(format!("SELECT * FROM \"{asked}\""));
    }
    Err(unknown(asked, "no named query, no table, and no SQL"))
}

fn unknown(asked: &str, what: &str) -> Failure {
    let names = QUERIES.iter().map(|query| query.name);
    let hint = nearest(names, |name| spelling(asked, name));
    let hint = hint.map_or(String::new(), |name| format!("; did you mean {name}?"));
    Failure::usage(format!("{asked:?} is {what}{hint}"))
        .with_hint("`malomo-mirror query --list` shows the named queries")
}

/// Why there is no result, or not the whole of it.
type NoAnswer = QueryError<Ended>;

fn answer(queries: &Queries, sql: &str, args: &Query) -> Result<(), NoAnswer> {
    let parameters = args.parameters();
    let failed = |error| QueryError::Rows(Ended::Failed(error));
    let Some(path) = &args.output else {
        return print(queries, sql, &parameters, args.format, io::stdout().lock()).map(drop);
    };
    let mut file = WholeFile::begin(path, MODE).map_err(failed)?;
    print(queries, sql, &parameters, args.format, &mut file)?;
    file.finish().map_err(failed)
}

fn print(
    queries: &Queries,
    sql: &str,
    parameters: &[(String, String)],
    format: Format,
    out: impl Write,
) -> Result<(), NoAnswer> {
    let mut printer = Printer::new(format, BufWriter::new(out));
    let is_whole = match queries.run(sql, parameters, &mut printer) {
        Ok(()) => true,
        Err(QueryError::Rows(Ended::Enough)) => false,
        Err(error) => return Err(error),
    };
    printer.finish(is_whole).map(drop).map_err(|error| QueryError::Rows(Ended::Failed(error)))
}

/// `late`: the limit that the query took longer than.
fn failure(error: NoAnswer, late: Option<Duration>) -> Failure {
    match error {
        QueryError::Rows(Ended::Failed(error)) if error.kind() == ErrorKind::BrokenPipe => {
            Failure::reader_gone()
        }
        QueryError::Rows(Ended::Failed(error)) => {
            Failure::new(Exit::Failed, format!("the result could not be written: {error}"))
        }
        QueryError::Interrupted => match late {
            Some(limit) => Failure::new(
                Exit::Failed,
                format!("the query took longer than {} s and was stopped", limit.as_secs()),
            )
            .with_hint("ask for less, or give it more time with --timeout"),
            None => Failure::new(Exit::Failed, "the query was stopped"),
        },
        QueryError::NotReadOnly => Failure::usage("this statement would do more than read")
            .with_hint("`query` takes SELECT, VALUES, WITH, EXPLAIN, and the PRAGMAs that change nothing"),
        QueryError::Hidden { .. }
        | QueryError::NotOne
        | QueryError::Syntax(_)
        | QueryError::UnknownParameter { .. } => Failure::usage(error.to_string()),
        QueryError::Failed(_) | QueryError::Rows(Ended::Enough) => {
            Failure::new(Exit::Failed, error.to_string())
        }
    }
}
