//! `describe`: the dictionary of the mirror and of its exports, in the form that a program reads.

use super::args::{Describe, Global};
use super::assemble;
use super::exit::{Exit, Failure};
use super::output;
use crate::derived::ColumnType;
use crate::dictionary::printers::{FORMS, Selection, form};
use crate::dictionary::{EventView, Kind};
use crate::mirror::{Mirror, MirrorError};
use std::path::Path;

pub(super) fn run(global: &Global, args: &Describe) -> Result<Exit, Failure> {
    let config = assemble::config(global)?;
    // Whatever keeps a mirror from being read: the rest can be described all the same.
    let views = event_views(&config.mirror.path).ok();
    let form = form(&args.form).unwrap_or(&FORMS[0]);
    let selection = match args.name.as_deref() {
        None => Selection::for_analysts(views.as_deref()),
        Some(name) => {
            Selection::named(name, views.as_deref()).map_err(|nearest| unknown(name, nearest.as_deref()))?
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

fn unknown(name: &str, nearest: Option<&str>) -> Failure {
    let hint = nearest.map_or(String::new(), |nearest| format!("; did you mean {nearest}?"));
    Failure::usage(format!("`{name}` is no table, view or stream{hint}"))
        .with_hint("`malomo-mirror describe` shows all of them")
}

/// The views of types of events that the mirror has.
fn event_views(path: &Path) -> Result<Vec<EventView>, MirrorError> {
    let mut mirror = Mirror::open_read_only(path)?;
    let found = mirror.snapshot()?.event_views()?;
    let views = found.into_iter().map(|view| {
        let properties = view.properties.into_iter().map(|(name, path, kind)| (name, path, kind_of(kind)));
        EventView { name: view.name, event_type: view.event_type, properties: properties.collect() }
    });
    Ok(views.collect())
}

fn kind_of(column_type: ColumnType) -> Kind {
    match column_type {
        ColumnType::Integer | ColumnType::Boolean => Kind::Integer,
        ColumnType::Real => Kind::Real,
        ColumnType::Text => Kind::Text,
        ColumnType::Json => Kind::Json,
    }
}
