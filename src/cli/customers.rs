//! `customers …` and `events list`: the API itself.

use super::args::{self, Global};
use super::exit::{Exit, Failure};
use super::{assemble, output, signals};
use crate::api::{Client, Cursor, Item, List, ListEnd, Pager, Turn};
use crate::observe::Unobserved;
use crate::record::{Decoded, Keyed, Rejection, Stream, peek_id};
use serde_json::value::RawValue;
use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

pub(super) async fn run(global: &Global, action: args::Customers) -> Result<Exit, Failure> {
    match action {
        args::Customers::List => print_list(global, List::of(Stream::Customers)).await,
        args::Customers::Get { id } => print(&client(global)?.retrieve(Stream::Customers, &id).await?),
        args::Customers::Create(fields) => print(&client(global)?.create(&fields).await?),
        args::Customers::Update { id, fields } => print(&client(global)?.update(&id, &fields).await?),
        args::Customers::Delete { id, yes } => {
            let client = client(global)?;
            if !yes && !confirmed(&id)? {
                return Err(Failure::new(
                    Exit::Failed,
                    format!("customer {id} was not deleted: you said no"),
                ));
            }
            client.delete(&id).await?;
            Ok(Exit::Done)
        }
    }
}

fn client(global: &Global) -> Result<Client, Failure> {
    let config = assemble::config(global)?;
    assemble::client(&config, Arc::new(Unobserved))
}

/// Asks on the terminal. Without one, deleting takes `--yes`.
fn confirmed(id: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "deleting customer {id} can't be undone: confirm it with --yes where no terminal is there to ask"
        )));
    }
    let unasked = |error| Failure::new(Exit::Failed, format!("the question could not be asked: {error}"));
    let mut stderr = std::io::stderr();
    write!(stderr, "Delete customer {id} and its events at Malomo, for good? [y/N] ").map_err(unasked)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(unasked)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn print(record: &RawValue) -> Result<Exit, Failure> {
    output::line(record.get().trim())
}

/// A record as the API gave it. One that the mirror could not take is printed all the same.
struct Raw {
    id: String,
    text: String,
}

impl Keyed for Raw {
    fn id(&self) -> &str {
        &self.id
    }
}

fn decode(_: &List, record: &str) -> Result<Decoded<Raw>, Rejection> {
    let id = peek_id(record).ok_or(Rejection::NoId)?;
    Ok(Decoded::whole(Raw { id, text: record.to_owned() }))
}

/// Prints a list as NDJSON, page by page.
pub(super) async fn print_list(global: &Global, list: List) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let client = assemble::client(&config, Arc::new(Unobserved))?;
    let (stop, stream) = (signals::stop_token()?, list.stream());
    let mut pager = Pager::new(client, assemble::known_paging(&config), list, Cursor::Start, decode);
    loop {
        let Some(turn) = stop.run_until_cancelled(pager.next()).await else {
            return Err(Failure::new(Exit::Incomplete, "stopped before the list's end"));
        };
        match turn? {
            Turn::Page(page) => {
                let lines: String = page.items.iter().map(one_line).collect();
                output::text(&lines)?;
            }
            Turn::Restarted => {
                return Err(Failure::new(
                    Exit::Failed,
                    "the server refused its own page token in the middle of the list: run the command again",
                ));
            }
            Turn::End(ListEnd::Proven) => return Ok(Exit::Done),
            Turn::End(ListEnd::Unproven(why)) => {
                let message = format!("the list may be longer than it looks: {why}");
                return Err(Failure::new(Exit::Incomplete, message).with_hint(why.hint(stream)));
            }
        }
    }
}

/// Line breaks in JSON stand between its parts only, and mean nothing there.
fn one_line(item: &Item<Raw>) -> String {
    let text = match item {
        Item::Record(record) => &record.text,
        Item::Repaired(repaired) => &repaired.raw,
        Item::Rejected(rejected) => &rejected.raw,
    };
    let mut line: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    line.push('\n');
    line
}
