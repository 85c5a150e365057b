//! `person`: everything that is held of a person.

use super::args::{Global, Person};
use super::assemble;
use super::exit::{Exit, Failure};
use super::output::{self, counted, cut, row};
use crate::erasure::{PersonFound, person, person_page};
use crate::mirror::{Asked, Mirror};
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Longer texts are cut for people; `--json` has the whole.
const SHOWN: usize = 100;

pub(super) fn run(global: &Global, args: &Person) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    let mut mirror = Mirror::open_read_only(&config.mirror.path)?;
    let found = person(&mut mirror, &config.every_destination(), &Asked::guessed(&args.person))?;
    if found.is_empty() {
        return Err(Failure::new(
            Exit::Failed,
            "the mirror knows no customer with this id, address or number",
        )
        .with_hint("What the API holds is shown by `malomo-mirror customers list`."));
    }
    if let Some(folder) = &args.export {
        write(folder, &found)?;
    }
    output::result(args.json, &found, || found.iter().map(text).collect())
}

fn text(found: &PersonFound) -> String {
    let mut text = row("customer", cut(&format!("{:?}", found.id), SHOWN));
    for (what, values) in
        [("address", &found.emails), ("number", &found.phone_numbers), ("name", &found.names)]
    {
        text += &values.iter().map(|value| row(what, cut(value, SHOWN))).collect::<String>();
    }
    for held in &found.held {
        text += &row("held", format!("{} in {}", counted(held.rows.len() as u64, "row"), held.table));
    }
    for place in &found.places.mirror {
        text += &row(
            "stands in",
            format!("{} of {}.{}", counted(place.records, "row"), place.table, place.column),
        );
    }
    for file in &found.places.files {
        text += &row("stands in", format!("{}, {} times", cut(&file.path, SHOWN), file.times));
    }
    text
}

/// Writes what is held into a new folder that only this user may read.
fn write(folder: &Path, found: &[PersonFound]) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Failed, format!("{} can't be written: {error}", folder.display()))
            .with_hint("Name a folder that doesn't exist, in one that you may write to.")
    };
    let json =
        serde_json::to_string_pretty(found).map_err(Failure::because("the result has no JSON form"))?;
    let write = || {
        DirBuilder::new().mode(0o700).create(folder)?;
        for (name, text) in [("person.json", json + "\n"), ("person.html", person_page(found))] {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(name))?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
        }
        Ok(())
    };
    write().map_err(failed)
}
