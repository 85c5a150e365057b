//! `customers …` and `events list`: the API itself.

use super::args::{self, Global};
use super::exit::{Exit, Failure};
use super::{assemble, output, signals};
use crate::api::{Client, Cursor, Item, List, ListEnd, Pager, Turn};
use crate::config::Config;
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
            let what = format!("customer {id}");
            let question = format!("Delete customer {id} and its events at Malomo, for good?");
            if !yes && !confirmed(&what, &question)? {
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

/// Asks on the terminal whether to delete `what`. Without one, deleting takes `--yes`.
pub(super) fn confirmed(what: &str, question: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(format!(
            "deleting {what} can't be undone: confirm it with --yes where no terminal is there to ask"
        )));
    }
    let unasked = |error| Failure::new(Exit::Failed, format!("the question could not be asked: {error}"));
    let mut stderr = std::io::stderr();
    write!(stderr, "{question} [y/N] ").map_err(unasked)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(unasked)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

fn print(record: &RawValue) -> Result<Exit, Failure> {
    output::line(record.get().trim())
}

/// A record as the API gave it. One that the mirror could not take is printed all the same.
pub(super) struct Raw {
    pub(super) id: String,
    pub(super) text: String,
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
    let print = |items: &[Item<Raw>]| {
        let lines: String = items.iter().map(|item| one_line(text_of(item))).collect();
        output::text(&lines).map(drop)
    };
    each_page(&config, client, list, print).await
}

/// Reads a list to its end, and hands over each page.
pub(super) async fn each_page(
    config: &Config,
    client: Client,
    list: List,
    mut take: impl FnMut(&[Item<Raw>]) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let (stop, stream) = (signals::stop_token()?, list.stream());
    let mut pager = Pager::new(client, assemble::known_paging(config), list, Cursor::Start, decode);
    loop {
        let Some(turn) = stop.run_until_cancelled(pager.next()).await else {
            return Err(Failure::new(Exit::Incomplete, "stopped before the list's end"));
        };
        match turn? {
            Turn::Page(page) => take(&page.items)?,
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

/// A record's text as the list had it.
pub(super) fn text_of(item: &Item<Raw>) -> &str {
    match item {
        Item::Record(record) => &record.text,
        Item::Repaired(repaired) => &repaired.raw,
        Item::Rejected(rejected) => &rejected.raw,
    }
}

/// Line breaks in JSON stand between its parts only, and mean nothing there.
pub(super) fn one_line(text: &str) -> String {
    let mut line: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    line.push('\n');
    line
}
