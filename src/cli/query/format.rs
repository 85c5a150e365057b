//! How a result is printed.

use crate::cli::output::cut;
use crate::export::csv_text;
use crate::hex::hex;
use crate::mirror::{Cell, Rows};
use clap::ValueEnum;
use comfy_table::presets::{ASCII_MARKDOWN, NOTHING};
use comfy_table::{CellAlignment, ContentArrangement, Table};
use csv::{QuoteStyle, Terminator, WriterBuilder};
use serde::ser::{SerializeMap, Serializer};
use std::io::{self, Write};

/// How a result looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    /// For people: the first 1,000 rows, long values cut
    Table,
    /// RFC 4180: NULL is an empty field, an empty text is ""
    Csv,
    /// One JSON object a line
    Ndjson,
    /// A table for a document; as for people
    Markdown,
}

/// A table shows so many rows; it is put together in memory.
const SHOWN_ROWS: usize = 1_000;

/// Longer values are cut in a table.
const SHOWN_CHARACTERS: usize = 60;

/// Takes rows and writes them.
pub(super) enum Printer<W: Write> {
    /// Put together in memory.
    Table {
        out: W,
        table: Table,
        format: Format,
        rows: usize,
    },
    /// The crate writes NULL and the empty text alike, so what is quoted is decided here.
    Csv(csv::Writer<W>),
    Ndjson {
        out: W,
        names: Vec<String>,
    },
}

/// Why a result was not printed to its end.
#[derive(Debug)]
pub(super) enum Ended {
    /// A table has as many rows as it shows.
    Enough,
    /// It could not be written.
    Failed(io::Error),
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Ended {
        Ended::Failed(error)
    }
}

impl<W: Write> Printer<W> {
    pub(super) fn new(format: Format, out: W) -> Printer<W> {
        match format {
            Format::Table | Format::Markdown => Printer::Table { out, table: Table::new(), format, rows: 0 },
            Format::Csv => {
                let mut builder = WriterBuilder::new();
                builder.quote_style(QuoteStyle::Never).terminator(Terminator::CRLF);
                Printer::Csv(builder.from_writer(out))
            }
            Format::Ndjson => Printer::Ndjson { out, names: Vec::new() },
        }
    }

    /// Writes what was held back; `is_whole`: there are no more rows than were taken. Returns where they were written to.
    pub(super) fn finish(self, is_whole: bool) -> io::Result<W> {
        let mut out = match self {
            Printer::Table { mut out, mut table, format, rows } => {
                if format == Format::Table {
                    for column in table.column_iter_mut() {
                        column.set_padding((0, 2));
                    }
                }
                writeln!(out, "{}", table.trim_fmt())?;
                match (is_whole, format) {
                    (true, Format::Markdown) => {}
                    (true, _) => writeln!(out, "({rows} row{})", if rows == 1 { "" } else { "s" })?,
                    (false, _) => writeln!(
                        out,
                        "\n(the first {SHOWN_ROWS} rows; --as csv and --as ndjson print all of them)"
                    )?,
                }
                out
            }
            Printer::Csv(writer) => writer.into_inner().map_err(csv::IntoInnerError::into_error)?,
            Printer::Ndjson { out, .. } => out,
        };
        out.flush()?;
        Ok(out)
    }
}

impl<W: Write> Rows for Printer<W> {
    type Error = Ended;

    fn begin(&mut self, columns: &[String]) -> Result<(), Ended> {
        match self {
            Printer::Table { table, format, .. } => {
                table.load_style(if *format == Format::Markdown { ASCII_MARKDOWN } else { NOTHING });
                table.set_content_arrangement(ContentArrangement::Disabled);
                table.set_header(columns.iter().map(|name| shown(name, *format)));
            }
            Printer::Csv(writer) => {
                writer.write_record(columns.iter().map(|name| quoted(name))).map_err(io::Error::from)?;
            }
            Printer::Ndjson { names, .. } => *names = distinct(columns),
        }
        Ok(())
    }

    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), Ended> {
        match self {
            Printer::Table { rows, .. } if *rows == SHOWN_ROWS => return Err(Ended::Enough),
            Printer::Table { table, format, rows, .. } => {
                *rows += 1;
                table.add_row(cells.iter().map(|cell| table_cell(cell, *format)));
            }
            Printer::Csv(writer) => {
                cells
                    .iter()
                    .try_for_each(|cell| writer.write_field(csv_field(cell)))
                    .and_then(|()| writer.write_record(None::<&[u8]>))
                    .map_err(io::Error::from)?;
            }
            Printer::Ndjson { out, names } => {
                json_object(out, names, cells).map_err(io::Error::from)?;
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    }
}

fn table_cell(cell: &Cell<'_>, format: Format) -> comfy_table::Cell {
    let of_number = |text: String| comfy_table::Cell::new(text).set_alignment(CellAlignment::Right);
    match cell {
        Cell::Null => comfy_table::Cell::new("NULL"),
        Cell::Integer(number) => of_number(number.to_string()),
        Cell::Real(number) => of_number(real(*number)),
        Cell::Text(text) => comfy_table::Cell::new(shown(text, format)),
        Cell::Blob(bytes) => comfy_table::Cell::new(shown(&hex(bytes), format)),
    }
}

/// A text as a table shows it.
fn shown(text: &str, format: Format) -> String {
    let shown = cut(text, SHOWN_CHARACTERS);
    if format == Format::Markdown { shown.replace('|', "\\|") } else { shown }
}

/// NULL is a field without anything.
fn csv_field(cell: &Cell<'_>) -> Vec<u8> {
    match cell {
        Cell::Null => Vec::new(),
        Cell::Integer(number) => number.to_string().into_bytes(),
        Cell::Real(number) => real(*number).into_bytes(),
        Cell::Text(text) => quoted(text),
        Cell::Blob(bytes) => hex(bytes).into_bytes(),
    }
}

/// A field with the quotes that it needs, as in exports.
fn quoted(text: &str) -> Vec<u8> {
    let mut field = Vec::with_capacity(text.len() + 2);
    csv_text(&mut field, text);
    field
}

fn json_object(out: &mut impl Write, names: &[String], cells: &[Cell<'_>]) -> serde_json::Result<()> {
    let mut serializer = serde_json::Serializer::new(out);
    let mut object = serializer.serialize_map(Some(names.len()))?;
    for (name, cell) in names.iter().zip(cells) {
        match cell {
            Cell::Null => object.serialize_entry(name, &())?,
            Cell::Integer(number) => object.serialize_entry(name, number)?,
            Cell::Real(number) => object.serialize_entry(name, number)?,
            Cell::Text(text) => object.serialize_entry(name, text)?,
            Cell::Blob(bytes) => object.serialize_entry(name, &hex(bytes))?,
        }
    }
    object.end()
}

/// The names with `_2` and so on behind those that stand there more than once: an object has each member once.
fn distinct(names: &[String]) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let others = (2..).map(|number| format!("{name}_{number}"));
        let found = std::iter::once(name.clone()).chain(others).find(|name| !distinct.contains(name));
        distinct.extend(found);
    }
    distinct
}

/// As JSON has it, so that 12 as a floating-point number stays one: 12.0.
fn real(number: f64) -> String {
    serde_json::to_string(&number).unwrap_or_else(|_| number.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(format: Format, rows: &[&[Cell<'_>]]) -> String {
        let mut printer = Printer::new(format, Vec::new());
        printer.begin(&["id".to_owned(), "id".to_owned(), "a,b".to_owned()]).unwrap();
        rows.iter().for_each(|row| printer.row(row).unwrap());
        String::from_utf8(printer.finish(true).unwrap()).unwrap()
    }

    fn text(text: &str) -> Cell<'_> {
        Cell::Text(text.into())
    }

    #[test]
    fn null_and_empty_are_told_apart() {
        let rows: [&[Cell<'_>]; 3] = [
            &[Cell::Null, text(""), text("NULL")],
            &[Cell::Integer(-7), Cell::Real(12.0), Cell::Blob(&[0, 255])],
            &[text(" 007"), text("say \"no\"\nor|not"), text("NA")],
        ];
        assert_eq!(
            printed(Format::Csv, &rows),
            "id,id,\"a,b\"\r\n,\"\",NULL\r\n-7,12.0,00ff\r\n\" 007\",\"say \"\"no\"\"\nor|not\",NA\r\n"
        );
        assert_eq!(
            printed(Format::Ndjson, &rows),
            "{\"id\":null,\"id_2\":\"\",\"a,b\":\"NULL\"}\n{\"id\":-7,\"id_2\":12.0,\"a,b\":\"00ff\"}\n\
             {\"id\":\" 007\",\"id_2\":\"say \\\"no\\\"\\nor|not\",\"a,b\":\"NA\"}\n"
        );
        let table = printed(Format::Table, &rows);
        assert!(table.contains("NULL") && table.ends_with("(3 rows)\n"), "{table}");
        let markdown = printed(Format::Markdown, &rows);
        assert!(markdown.contains("or\\|not") && markdown.lines().count() == 5, "{markdown}");
    }

    #[test]
    fn a_table_ends_after_a_thousand_rows() {
        let mut printer = Printer::new(Format::Table, Vec::new());
        printer.begin(&["n".to_owned()]).unwrap();
        let taken = (0..2_000).take_while(|n| printer.row(&[Cell::Integer(*n)]).is_ok()).count();
        assert_eq!(taken, SHOWN_ROWS);
        let shown = String::from_utf8(printer.finish(false).unwrap()).unwrap();
        assert!(shown.ends_with("(the first 1000 rows; --as csv and --as ndjson print all of them)\n"));
    }
}
