//! The dictionary in the forms that people and other programs read: one file a form, registered in [`FORMS`]. Pure.

mod json;
mod markdown;
mod text;

use super::Table;
use crate::record::Stream;

/// What is to be described.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Tables and views.
    pub tables: Vec<Table>,
    /// Streams whose export files are meant.
    pub streams: Vec<Stream>,
    /// Tables that are there besides, and told of by name alone.
    pub others: Vec<Table>,
}

impl Selection {
    /// All of `tables` that are for analysts, and the exports of every stream.
    pub fn for_analysts(tables: Vec<Table>) -> Selection {
        let (tables, others) = tables.into_iter().partition(Table::is_for_analysts);
        Selection { tables, streams: Stream::ALL.to_vec(), others }
    }

    /// One of `tables`, and the exports of the stream of that name, if there is one.
    pub fn named(tables: Vec<Table>, name: &str) -> Option<Selection> {
        let table = tables.into_iter().find(|table| table.name == name)?;
        let streams = table.stream().into_iter().collect();
        Some(Selection { tables: vec![table], streams, others: Vec::new() })
    }
}

/// A form in which the dictionary can be printed.
pub struct Form {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, for the command line's help.
    pub about: &'static str,
    /// Whether it is about export files, and so about streams alone.
    pub is_of_exports: bool,
    /// Prints it.
    pub print: fn(&Selection) -> String,
}

/// Every form.
pub const FORMS: &[Form] = &[
    Form { name: "text", about: "for people", is_of_exports: false, print: text::print },
    Form { name: "markdown", about: "for documentation", is_of_exports: false, print: markdown::print },
    Form { name: "json", about: "for programs", is_of_exports: false, print: json::print },
];

/// The form of that name.
pub fn form(name: &str) -> Option<&'static Form> {
    FORMS.iter().find(|form| form.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::{exported, tables};

    #[test]
    fn every_form_tells_of_every_table_or_every_exported_column() {
        for form in FORMS {
            let printed = (form.print)(&Selection::for_analysts(tables()));
            assert!(printed.ends_with('\n') && !printed.ends_with("\n\n"), "{}", form.name);
            let selection = Selection::for_analysts(tables());
            let columns: Vec<(String, String)> = match form.is_of_exports {
                true => Stream::ALL
                    .into_iter()
                    .flat_map(|stream| {
                        exported(stream).into_iter().map(move |c| (stream.to_string(), c.name.to_string()))
                    })
                    .collect(),
                false => selection
                    .tables
                    .iter()
                    .flat_map(|table| {
                        table.columns.iter().map(|c| (table.name.to_string(), c.name.to_string()))
                    })
                    .collect(),
            };
            for (table, column) in columns {
                assert!(
                    printed.contains(&table) && printed.contains(&column),
                    "{}: {table}.{column}",
                    form.name
                );
            }
        }
    }

    #[test]
    fn one_table_is_described_alone() {
        for form in FORMS.iter().filter(|form| !form.is_of_exports) {
            let printed = (form.print)(&Selection::named(tables(), "change_log").unwrap());
            assert!(
                printed.contains("observed_at") && !printed.contains("phone_number"),
                "{}: {printed}",
                form.name
            );
        }
        assert!(Selection::named(tables(), "orders_of_others").is_none());
    }
}
