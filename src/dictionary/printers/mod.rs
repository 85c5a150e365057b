//! The dictionary in the forms that people and other programs read: one file a form, registered in [`FORMS`].
//! Pure.

mod bigquery;
mod clickhouse;
mod datapackage;
mod datasette;
mod dbt;
mod duckdb;
mod duckdb_mirror;
mod json;
mod markdown;
mod pandas;
mod polars;
mod postgres;
mod python;
mod redshift;
mod selection;
mod snowflake;
mod spark;
mod sql;
mod text;

pub use selection::Selection;

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
    of_tables("text", "for people", text::print),
    of_tables("markdown", "for documentation", markdown::print),
    of_tables("json", "for programs", json::print),
    of_exports("postgres", "tables, loading and views for PostgreSQL", postgres::print),
    of_exports("duckdb", "the same for DuckDB", duckdb::print),
    of_exports("bigquery", "the same for BigQuery", bigquery::print),
    of_exports("snowflake", "the same for Snowflake", snowflake::print),
    of_exports("redshift", "the same for Amazon Redshift", redshift::print),
    of_exports("clickhouse", "the same for ClickHouse", clickhouse::print),
    of_exports("spark", "the same for Spark SQL", spark::print),
    of_exports("pandas", "a Python program that reads the exports with pandas", pandas::print),
    of_exports("polars", "a Python program that reads the exports with polars", polars::print),
    of_tables(
        "duckdb-mirror",
        "the mirror's tables and views for DuckDB, read in place",
        duckdb_mirror::print,
    ),
    of_tables("dbt", "the mirror's tables as sources for dbt, with tests and freshness", dbt::print),
    of_tables("datasette", "metadata for Datasette", datasette::print),
    DATA_PACKAGE,
];

/// The form that lies in export folders.
pub const DATA_PACKAGE: Form = of_exports(
    "datapackage",
    "a Frictionless Data Package: the export folder's datapackage.json",
    datapackage::print,
);

/// What `datapackage.json` holds in every export folder.
pub fn data_package() -> String {
    (DATA_PACKAGE.print)(&Selection::for_analysts(None))
}

/// A form that is about tables and views of the mirror.
const fn of_tables(name: &'static str, about: &'static str, print: fn(&Selection) -> String) -> Form {
    Form { name, about, is_of_exports: false, print }
}

/// A form that is about export files.
const fn of_exports(name: &'static str, about: &'static str, print: fn(&Selection) -> String) -> Form {
    Form { name, about, is_of_exports: true, print }
}

/// The form of that name.
pub fn form(name: &str) -> Option<&'static Form> {
    FORMS.iter().find(|form| form.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dictionary::exported;
    use crate::record::Stream;

    #[test]
    fn every_form_tells_of_every_table_or_every_exported_column() {
        for form in FORMS {
            let printed = (form.print)(&Selection::for_analysts(None));
            assert!(printed.ends_with('\n') && !printed.ends_with("\n\n"), "{}", form.name);
            let selection = Selection::for_analysts(None);
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
    fn templates_are_filled_in() {
        for form in FORMS {
            let printed = (form.print)(&Selection::for_analysts(None));
            if !printed.starts_with("-- ") {
                // It is no SQL, and has braces of its own.
                continue;
            }
            let in_braces = printed.split('{').filter_map(|text| Some(text.split_once('}')?.0));
            let mut names = in_braces.filter(|text| text.chars().all(|c| c == '_' || c.is_ascii_lowercase()));
            assert_eq!(names.next(), None, "{}", form.name);
        }
    }

    #[test]
    fn one_table_is_described_alone() {
        for form in FORMS.iter().filter(|form| !form.is_of_exports) {
            let printed = (form.print)(&Selection::named("change_log", None).unwrap());
            assert!(
                printed.contains("observed_at") && !printed.contains("phone_number"),
                "{}: {printed}",
                form.name
            );
        }
        assert_eq!(Selection::named("custmers", None).unwrap_err().as_deref(), Some("customers"));
    }
}
