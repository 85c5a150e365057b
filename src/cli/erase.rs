//! `erase`: persons, and what has expired, out of the mirror and out of every export.

use super::args::{Erase, Global};
use super::assemble;
use super::customers::confirmed;
use super::exit::{Exit, Failure};
use super::expired;
use super::output::{self, counted, row, size};
use super::receipts::told;
use crate::api::{Client, ErrorKind};
use crate::config::Config;
use crate::erasure::{Checked, Needles, Receipt, Request, check, erase, finish};
use crate::export::Settings;
use crate::mirror::{Asked, ErasureKey, Identifier, Mirror, Person};
use crate::observe::Unobserved;
use crate::record::Stream;
use jiff::Timestamp;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

pub(super) async fn run(global: &Global, args: Erase) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    if let Some(receipt) = &args.check {
        return check_receipt(&config, &args, receipt);
    }
    if args.allow_return_all {
        return allow_all(&config, &args);
    }
    let (_lock, mut mirror) = assemble::existing_mirror(&config, "erase")?;
    if let Some(value) = &args.allow_return {
        return allow(&mut mirror, value, args.json);
    }
    let mut ended = finish(&mut mirror, &config.every_destination(), Timestamp::now)?;
    if args.expired {
        return expired::run(&config, &mut mirror, &args, ended);
    }
    let asked = asked(&args)?;
    if args.finish {
        return told(args.json, &ended);
    }
    if asked.is_empty() {
        return Err(Failure::usage("nobody is named: give an ID, --email, --phone or --file"));
    }
    let persons = mirror.snapshot()?.persons(&asked)?;
    if args.dry_run {
        return preview(&mut mirror, &persons, args.json);
    }
    check_reason(&args, &asked, &persons)?;
    let what = counted(persons.len() as u64, "customer");
    let question = format!("Erase {what} from the mirror and from every export, for good?");
    if !args.yes && !confirmed(&what, &question)? {
        return Err(Failure::new(Exit::Failed, "nobody was erased: you said no"));
    }
    let deleted_at_vendor = match args.at_vendor {
        true => delete_at_vendor(&config, &persons).await?,
        false => Vec::new(),
    };
    let request = Request { asked, reason: args.reason.clone(), deleted_at_vendor };
    ended.push(erase(&mut mirror, &config.every_destination(), &request, Timestamp::now)?);
    told(args.json, &ended)
}

/// Ends erasures that were cut off, before an export adds to what is to be searched. What can't be ended stays for the next
/// run, and is told.
pub(super) fn finish_before_export(mirror: &mut Mirror, configured: &[Settings]) {
    match finish(mirror, configured, Timestamp::now) {
        Ok(ended) => {
            for (receipt, path) in ended {
                let (erasure, receipt_at) = (receipt.erasure, path.display().to_string());
                match receipt.ended_at {
                    Some(_) => tracing::info!(erasure, receipt_at, "an erasure that was cut off has ended"),
                    None => tracing::warn!(
                        erasure,
                        receipt_at,
                        "an erasure could not be ended: its receipt says why"
                    ),
                }
            }
        }
        Err(error) => {
            let error = Failure::from(error).line();
            tracing::warn!(error, "an erasure could not be ended; the next run tries again");
        }
    }
}

fn asked(args: &Erase) -> Result<Vec<Asked>, Failure> {
    let of = |identifier, values: &[String]| -> Vec<Asked> {
        values.iter().map(|value| Asked { identifier, value: value.clone() }).collect()
    };
    let mut asked = of(Identifier::Id, &args.ids);
    asked.extend(of(Identifier::Email, &args.emails));
    asked.extend(of(Identifier::PhoneNumber, &args.phones));
    if let Some(file) = &args.file {
        let text = std::fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("the list {} can't be read: {error}", file.display())))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        asked.extend(lines.flat_map(Asked::guessed));
    }
    asked.retain(|one| !one.value.trim().is_empty());
    Ok(asked)
}

/// The receipt is kept for years, and must not bring back whom it is about.
fn check_reason(args: &Erase, asked: &[Asked], persons: &[Person]) -> Result<(), Failure> {
    let Some(reason) = &args.reason else { return Ok(()) };
    let texts = asked.iter().map(|one| one.value.as_str()).chain(persons.iter().flat_map(texts));
    let needles = Needles::of(texts).map_err(Failure::because("the reason could not be checked"))?;
    match needles.is_in(reason.as_bytes()) {
        true => {
            Err(Failure::usage("--reason names the person: the receipt must not; give the request's number"))
        }
        false => Ok(()),
    }
}

fn texts(person: &Person) -> impl Iterator<Item = &str> {
    let all =
        std::iter::once(&person.id).chain(&person.emails).chain(&person.phone_numbers).chain(&person.names);
    all.map(String::as_str)
}

/// Who is not there any more is deleted.
async fn delete_at_vendor(config: &Config, persons: &[Person]) -> Result<Vec<String>, Failure> {
    let client: Client = assemble::client(config, Arc::new(Unobserved))?;
    let mut deleted = Vec::new();
    for person in persons {
        match client.delete(&person.id).await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => {
                let said = format!(
                    "{} of {} were deleted at Malomo, and nobody was erased here",
                    deleted.len(),
                    counted(persons.len() as u64, "customer")
                );
                let failure = Failure::from(error);
                let exit = failure.exit;
                return Err(Failure::new(exit, format!("{said}: {}", failure.line()))
                    .with_hint("Run the command again: those who are gone there count as deleted."));
            }
        }
        deleted.push(person.id.clone());
    }
    Ok(deleted)
}

/// Who would be erased; the JSON result of `erase --dry-run`.
#[derive(Serialize)]
struct Preview {
    customers: Vec<PreviewOf>,
}

#[derive(Serialize)]
struct PreviewOf {
    id: String,
    events: u64,
    deleted_events: u64,
}

fn preview(mirror: &mut Mirror, persons: &[Person], as_json: bool) -> Result<Exit, Failure> {
    let snapshot = mirror.snapshot()?;
    let mut customers = Vec::new();
    for person in persons {
        let (events, deleted_events) = snapshot.children_of(Stream::Events, &person.id)?;
        customers.push(PreviewOf { id: person.id.clone(), events, deleted_events });
    }
    let preview = Preview { customers };
    output::result(as_json, &preview, || {
        let rows = preview.customers.iter().map(|one| {
            let gone = match one.deleted_events {
                0 => String::new(),
                gone => format!(" and {gone} deleted ones"),
            };
            row("customer", format!("{:?} with {}{gone}", one.id, counted(one.events, "event")))
        });
        let text: String = rows.collect();
        text + &row(
            "dry run",
            format!("{} would be erased", counted(preview.customers.len() as u64, "customer")),
        )
    })
}

fn allow(mirror: &mut Mirror, value: &str, as_json: bool) -> Result<Exit, Failure> {
    let gone = mirror.allow_return(value)?;
    if gone == 0 {
        return Err(Failure::new(Exit::Failed, "nobody who was erased has this id, address or number"));
    }
    allowed(gone, as_json)
}

fn allow_all(config: &Config, args: &Erase) -> Result<Exit, Failure> {
    if !args.yes && !confirmed("all tombstones", "Let everybody come back who was erased?")? {
        return Err(Failure::new(Exit::Failed, "nothing was changed: you said no"));
    }
    let lock = assemble::lock(config, "erase --allow-return-all")?;
    allowed(lock.forget_tombstones()?, args.json)
}

/// The JSON result of `erase --allow-return`.
#[derive(Serialize)]
struct Allowed {
    tombstones_removed: usize,
}

fn allowed(gone: usize, as_json: bool) -> Result<Exit, Failure> {
    let what = "they may come back: the next sync that meets them takes them in";
    output::result(as_json, &Allowed { tombstones_removed: gone }, || row("allowed", what))
}

fn check_receipt(config: &Config, args: &Erase, path: &Path) -> Result<Exit, Failure> {
    let mut mirror = Mirror::open_read_only(&config.mirror.path)?;
    let key = ErasureKey::read(mirror.path())?.ok_or_else(|| {
        Failure::new(
            Exit::Failed,
            "the key file of erasures is gone, without which no receipt can be checked",
        )
    })?;
    let receipt = Receipt::read(path, &key)?;
    let asked = asked(args)?;
    if asked.is_empty() {
        return Err(Failure::usage(
            "a receipt names nobody: say whom to look for with an ID, --email, --phone or --file",
        ));
    }
    let is_of_receipt = |one: &Asked| {
        let token = key.token(one.identifier, &one.value).0;
        receipt.persons.contains(&token) || receipt.asked.iter().any(|asked| asked.token == token)
    };
    if !asked.iter().any(is_of_receipt) {
        return Err(Failure::usage(
            "the receipt is of others: none of those that you name was asked for or found in that erasure",
        ));
    }
    let texts: Vec<String> = asked.into_iter().map(|one| one.value).collect();
    if let Some(short) = texts.iter().position(|text| !Needles::is_long_enough(text)) {
        return Err(Failure::usage(format!(
            "the text number {} is too short to be looked for: it would be found everywhere",
            short + 1
        )));
    }
    let checked = check(&mut mirror, &config.every_destination(), Some(&receipt), &texts)?;
    output::result(args.json, &checked, || checked_text(&checked))?;
    Ok(if checked.is_clean() { Exit::Done } else { Exit::Failed })
}

fn checked_text(checked: &Checked) -> String {
    let mut text = row("searched", format!("{}, {}", counted(checked.files, "file"), size(checked.bytes)));
    for found in &checked.found {
        let how = if found.unpacked { " once it is unpacked" } else { "" };
        text += &row("found", format!("{} times in {}{how}", found.times, found.path));
    }
    for rows in &checked.rows {
        text += &row("found", format!("{} of {}.{}", counted(rows.records, "row"), rows.table, rows.column));
    }
    for path in &checked.not_unpacked {
        text += &row("unread", format!("{path} can't be unpacked: run `export repair`"));
    }
    for folder in &checked.not_searched {
        text += &row("unread", format!("{folder}: this build of the program has no object stores"));
    }
    if checked.is_clean() {
        text += &row("not found", "none of them stands in any file");
    }
    text
}
