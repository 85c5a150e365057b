//! What is to be described.

use crate::dictionary::{EventView, Table, tables};
use crate::nearest::{nearest, spelling};
use crate::record::Stream;

/// What is to be described.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Tables and views.
    pub tables: Vec<Table>,
    /// Streams whose export files are meant.
    pub streams: Vec<Stream>,
    /// What the view of any type of events has, where it isn't known which there are.
    pub any_event_view: Option<Table>,
    /// Tables that are there besides, and told of by name alone.
    pub others: Vec<Table>,
}

impl Selection {
    /// All that is for analysts, and the exports of every stream. `views` are those of types of events, where a
    /// mirror tells which there are.
    pub fn for_analysts(views: Option<&[EventView]>) -> Selection {
        let (mut tables, others): (Vec<Table>, Vec<Table>) =
            tables().into_iter().partition(Table::is_for_analysts);
        tables.extend(views.unwrap_or_default().iter().map(EventView::table));
        let any_event_view = views.is_none().then(|| EventView::any().table());
        Selection { tables, streams: Stream::ALL.to_vec(), any_event_view, others }
    }

    /// One table or view, and the exports of the stream of that name, if there is one; else the nearest name
    /// that is known and like it. Without `views`, any name that begins like one of theirs is taken for one.
    pub fn named(name: &str, views: Option<&[EventView]>) -> Result<Selection, Option<String>> {
        let mut known = tables();
        known.extend(views.unwrap_or_default().iter().map(EventView::table));
        if let Some(table) = known.iter().find(|table| table.name == name) {
            return Ok(Selection::of(table.clone()));
        }
        if views.is_none() && name.starts_with("event_") {
            return Ok(Selection::of(EventView { name: name.to_owned(), ..EventView::any() }.table()));
        }
        let known = known.iter().map(|table| &*table.name);
        Err(nearest(known, |known| spelling(name, known)).map(str::to_owned))
    }

    fn of(table: Table) -> Selection {
        let streams = table.stream().into_iter().collect();
        Selection { tables: vec![table], streams, any_event_view: None, others: Vec::new() }
    }
}
