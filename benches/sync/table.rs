//! The figures, as a table for people or as JSON lines.

use crate::measure::Taken;
use serde_json::json;

/// A case's medians beside its floor's, and the bar that it should reach.
pub struct Row {
    pub case: String,
    pub taken: Taken,
    pub requests: Option<u64>,
    /// Records taken or written.
    pub records: u64,
    pub floor: Option<f64>,
    /// What is compared, such as "1.31 × floor".
    pub reached: String,
    /// What it should be at most, such as "1.5 × floor".
    pub bar: String,
    pub holds: bool,
}

/// All rows; printed as they come, and as a table at the end.
pub struct Table {
    json: bool,
    rows: Vec<Row>,
}

const HEADER: [&str; 10] =
    ["case", "time", "floor", "requests", "records/s", "peak", "written", "CPU", "reached", "bar"];

impl Table {
    pub fn new(json: bool) -> Table {
        Table { json, rows: Vec::new() }
    }

    pub fn add(&mut self, row: Row) {
        if self.json {
            println!("{}", json_line(&row));
        } else {
            eprintln!("{}", cells(&row).join("  "));
        }
        self.rows.push(row);
    }

    /// As Markdown, so that it can stand in a README.
    pub fn print(&self) {
        if self.json {
            return;
        }
        println!("| {} |\n|{}", HEADER.join(" | "), "---|".repeat(HEADER.len()));
        for row in &self.rows {
            println!("| {} |", cells(row).join(" | "));
        }
    }
}

fn cells(row: &Row) -> [String; 10] {
    let Taken { seconds, cpu_seconds, peak_memory, written } = row.taken;
    let mark = if row.holds { "" } else { " (missed)" };
    [
        row.case.clone(),
        format!("{seconds:.2} s"),
        row.floor.map_or_else(|| "–".to_owned(), |floor| format!("{floor:.2} s")),
        row.requests.map_or_else(|| "–".to_owned(), |requests| requests.to_string()),
        format!("{:.0}", row.records as f64 / seconds),
        format!("{:.1} MB", peak_memory / 1e6),
        format!("{:.1} MB", written / 1e6),
        format!("{cpu_seconds:.2} s"),
        format!("{}{mark}", row.reached),
        row.bar.clone(),
    ]
}

fn json_line(row: &Row) -> serde_json::Value {
    json!({
        "case": row.case, "seconds": row.taken.seconds, "floor_seconds": row.floor, "requests": row.requests,
        "records": row.records, "peak_memory_bytes": row.taken.peak_memory, "written_bytes": row.taken.written,
        "cpu_seconds": row.taken.cpu_seconds, "reached": row.reached, "bar": row.bar, "holds": row.holds,
    })
}
