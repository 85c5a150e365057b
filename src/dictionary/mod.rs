//! The data dictionary: what every table, view and column of the mirror means, and every column of the export
//! files. Pure.
//!
//! What has the columns of a stream follows from its declaration in [`crate::record`]. [`printers`] writes the
//! dictionary in the forms that other programs read. A test beside the migrations holds it together with the
//! schema.
//!
//! A further table takes its entry here.

mod answers;
mod entry;
pub mod printers;
mod queries;
mod runs;
mod streams;
mod technical;

pub use answers::EventView;
pub use entry::{Audience, Column, Kind, Reference, Table, TableKind};
pub use queries::{NamedQuery, QUERIES};
pub use streams::{exported, exported_as_parquet};

use crate::record::Stream;

/// Every table and view of the mirror: first what analysts use most.
pub fn tables() -> Vec<Table> {
    let of_streams: Vec<[Table; 4]> = Stream::ALL.into_iter().map(streams::tables).collect();
    let mut tables: Vec<Table> = of_streams.iter().map(|[current, ..]| current.clone()).collect();
    tables.extend(answers::for_analysts());
    tables.push(streams::changes());
    tables.extend(of_streams.iter().flat_map(|[_, history, deleted, _]| [history.clone(), deleted.clone()]));
    tables.push(streams::field_changes());
    tables.extend(runs::tables());
    tables.extend(technical::tables());
    tables.extend(answers::technical());
    tables.push(streams::change_log());
    tables.extend(of_streams.into_iter().map(|[.., superseded]| superseded));
    tables
}
