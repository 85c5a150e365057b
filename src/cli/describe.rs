//! `describe`: the dictionary of the mirror and of its exports, in the form that a program reads.

use super::args::Describe;
use super::exit::{Exit, Failure};
use super::output;
use crate::dictionary::printers::{FORMS, Selection, form};
use crate::dictionary::{Table, tables};

pub(super) fn run(args: &Describe) -> Result<Exit, Failure> {
    let tables = tables();
    let form = form(&args.form).unwrap_or(&FORMS[0]);
    let selection = match args.name.as_deref() {
        None => Selection::for_analysts(tables),
        Some(name) => {
            let nearest = nearest(name, &tables);
            Selection::named(tables, name).ok_or_else(|| {
                Failure::usage(format!(
                    "`{name}` is no table, view or stream{nearest}; `describe` lists them"
                ))
            })?
        }
    };
    if form.is_of_exports && selection.streams.is_empty() {
        return Err(Failure::usage(format!(
            "--as {} describes export files, and there are none of `{}`: name customers or events, or nothing",
            form.name,
            args.name.as_deref().unwrap_or_default()
        )));
    }
    output::text(&(form.print)(&selection))
}

/// What may have been meant.
fn nearest(name: &str, tables: &[Table]) -> String {
    let likeness = |table: &&Table| strsim::normalized_damerau_levenshtein(name, &table.name);
    let nearest = tables.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    nearest.map_or(String::new(), |table| format!("; the nearest known name is `{}`", table.name))
}
