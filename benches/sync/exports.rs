//! Exports beside bare loops that write the same rows from memory.

use crate::Outcome;
use crate::measure::{self, median};
use crate::place::Place;
use crate::server::Server;
use crate::table::{Row, Table};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

pub const NAME: &str = "export of 500,000 events";

const CUSTOMERS: &str = "100000";

pub fn measure(runs: usize, table: &mut Table) -> Outcome<()> {
    let server = Server::start(&["--customers", CUSTOMERS])?;
    let place = Place::new()?;
    // A folder of its own for the first run's export: the ones measured start from nothing.
    let first = format!("export.dir={}", place.file("first").display());
    measure::run(&mut place.command(&server.url, &["api.concurrency=64", &first], &["sync", "--full"]))?;
    drop(server);
    for format in ["csv", "ndjson"] {
        for kind in ["incremental", "snapshot"] {
            let (mut taken, mut floors, mut rows) = (Vec::new(), Vec::new(), 0);
            for _ in 0..runs.max(1) {
                let written = place.file("measured");
                let dir = format!("export.dir={}", written.display());
                let formats = format!("export.formats={format}");
                let arguments: &[&str] =
                    if kind == "snapshot" { &["export", "--snapshot"] } else { &["export"] };
                taken.push(
                    measure::run(&mut place.command("http://127.0.0.1:1", &[&dir, &formats], arguments))?
                        .taken,
                );
                let (seconds, count) = bare_loop(&written, &place.file("bare"), format)?;
                floors.push(measure::Taken { seconds, ..measure::Taken::default() });
                rows = count;
                std::fs::remove_dir_all(written)?;
            }
            let (taken, floor) = (median(&taken), median(&floors).seconds);
            table.add(Row {
                case: format!("{kind} {NAME}, {format}"),
                taken,
                requests: None,
                records: rows,
                floor: Some(floor),
                reached: format!("{:.2} × floor", taken.seconds / floor),
                bar: "1.5 × floor".to_owned(),
                holds: taken.seconds <= 1.5 * floor,
            });
        }
    }
    Ok(())
}

/// Writes the rows of every file below `from` again, from memory, and syncs what it wrote; the seconds that took,
/// and the rows.
fn bare_loop(from: &Path, to: &Path, format: &str) -> Outcome<(f64, u64)> {
    let (mut seconds, mut rows) = (0.0, 0);
    for path in files(from, format)? {
        let (took, count) = if format == "csv" { csv_loop(&path, to)? } else { ndjson_loop(&path, to)? };
        seconds += took;
        rows += count;
    }
    std::fs::remove_file(to)?;
    Ok((seconds, rows))
}

fn files(folder: &Path, format: &str) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path, format)?);
        } else if path.extension().is_some_and(|extension| extension == format)
            && path.file_name().is_some_and(|name| name != "manifest.ndjson")
        {
            found.push(path);
        }
    }
    Ok(found)
}

fn csv_loop(from: &Path, to: &Path) -> Outcome<(f64, u64)> {
    let records = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(from)?
        .byte_records()
        .collect::<Result<Vec<_>, _>>()?;
    let begun = Instant::now();
    let mut writer = csv::Writer::from_writer(File::create(to)?);
    for record in &records {
        writer.write_byte_record(record)?;
    }
    writer.into_inner().map_err(|error| error.to_string())?.sync_all()?;
    Ok((begun.elapsed().as_secs_f64(), records.len() as u64 - 1))
}

fn ndjson_loop(from: &Path, to: &Path) -> Outcome<(f64, u64)> {
    let objects = BufReader::new(File::open(from)?)
        .lines()
        .map(|line| Ok(serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&line?)?))
        .collect::<Outcome<Vec<_>>>()?;
    let begun = Instant::now();
    let mut writer = BufWriter::with_capacity(64 << 10, File::create(to)?);
    for object in &objects {
        serde_json::to_writer(&mut writer, object)?;
        writer.write_all(b"\n")?;
    }
    writer.into_inner()?.sync_all()?;
    Ok((begun.elapsed().as_secs_f64(), objects.len() as u64))
}
