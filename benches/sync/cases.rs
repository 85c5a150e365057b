//! Whole syncs beside the fetch of the same pages.

use crate::Outcome;
use crate::fetch::{self, Plan};
use crate::measure::{self, Taken, median};
use crate::place::Place;
use crate::server::Server;
use crate::table::{Row, Table};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// What happens before the run that is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing: the mirror is empty.
    Nothing,
    /// A sync.
    Synced,
    /// A sync; then every n-th customer changes, from the first on.
    Changed(usize),
}

/// What is to be reached.
#[derive(Clone, Copy)]
enum Bar {
    /// So many times the floor.
    Floor(f64),
    /// So many times requests × latency ÷ concurrency.
    Wire(f64),
    /// As many requests as the floor has pages.
    Requests,
}

/// A sync to be measured.
pub struct Case {
    pub name: &'static str,
    customers: u64,
    page_size: u64,
    latency_ms: u64,
    concurrency: u64,
    before: Before,
    full: bool,
    bar: Bar,
}

const FIRST: Case = Case {
    name: "",
    customers: 10_000,
    page_size: 50,
    latency_ms: 0,
    concurrency: 16,
    before: Before::Nothing,
    full: true,
    bar: Bar::Floor(1.8),
};

const SLOW: Case = Case { customers: 2_000, latency_ms: 50, bar: Bar::Wire(1.08), ..FIRST };

const NEXT: Case =
    Case { customers: 100_000, before: Before::Synced, full: false, bar: Bar::Floor(1.15), ..FIRST };

pub const ALL: &[Case] = &[
    Case { name: "first full sync, 10,000 customers", ..FIRST },
    Case { name: "first full sync, 100,000 customers", customers: 100_000, ..FIRST },
    Case { name: "50 ms latency, 16 at once", ..SLOW },
    Case { name: "50 ms latency, 64 at once", concurrency: 64, ..SLOW },
    Case { name: "50 ms latency, 64 at once, pages of 100", concurrency: 64, page_size: 100, ..SLOW },
    Case {
        name: "50 ms latency, 64 at once, second full sync",
        concurrency: 64,
        before: Before::Synced,
        ..SLOW
    },
    Case { name: "nothing changed, 100,000 customers", ..NEXT },
    Case { name: "1 % changed, 100,000 customers", before: Before::Changed(100), bar: Bar::Requests, ..NEXT },
    Case { name: "10 % changed, 100,000 customers", before: Before::Changed(10), bar: Bar::Requests, ..NEXT },
];

/// Measures the case and its floor by turns.
pub fn measure(case: &Case, runs: usize, table: &mut Table) -> Outcome<()> {
    let (customers, page_size, latency) =
        (case.customers.to_string(), case.page_size.to_string(), format!("{}ms", case.latency_ms));
    let arguments = ["--customers", &customers, "--page-size", &page_size];
    let events_of_every = match case.before {
        _ if case.full => Some(1),
        Before::Changed(every) => Some(every),
        Before::Nothing | Before::Synced => None,
    };
    let plan = Plan::record(&Server::start(&arguments)?.url, events_of_every)?;
    let latency = ["--latency", latency.as_str()];
    let server = Server::start(&[arguments.as_slice(), &latency].concat())?;
    let (mut taken, mut floors, mut last) = (Vec::new(), Vec::new(), Value::Null);
    for _ in 0..runs.max(1) {
        let place = Place::new()?;
        prepare(case, &place, &server, &plan)?;
        floors.push(floor(case, &place, &server, &plan)?);
        let ran = measure::run(&mut sync(case, &place, &server))?;
        taken.push(ran.taken);
        last = serde_json::from_str(&ran.stdout)?;
    }
    let (taken, floor) = (median(&taken), median(&floors).seconds);
    let count = |name: &str| last["counts"][name].as_u64().unwrap_or_default();
    let requests = count("requests");
    let wire = requests as f64 * case.latency_ms as f64 / 1e3 / case.concurrency as f64;
    let times = |unit: &str, whole: f64| format!("{:.2} × {unit}", taken.seconds / whole);
    let (reached, bar, holds) = match case.bar {
        Bar::Floor(most) => (times("floor", floor), format!("{most} × floor"), taken.seconds <= most * floor),
        Bar::Wire(most) => {
            (times("wire", wire), format!("{most} × wire ({wire:.2} s)"), taken.seconds <= most * wire)
        }
        Bar::Requests => {
            let least = plan.pages() as u64;
            (
                format!("{requests} requests, {}", times("floor", floor)),
                format!("{least} requests"),
                requests <= least,
            )
        }
    };
    table.add(Row {
        case: case.name.to_owned(),
        taken,
        requests: Some(requests),
        records: count("customers_seen") + count("events_seen"),
        floor: Some(floor),
        reached,
        bar,
        holds,
    });
    Ok(())
}

fn prepare(case: &Case, place: &Place, server: &Server, plan: &Plan) -> Outcome<()> {
    if case.before == Before::Nothing {
        return Ok(());
    }
    measure::run(&mut place.command(&server.url, &["api.concurrency=64"], &["sync", "--full"]))?;
    if let Before::Changed(every) = case.before {
        let changed: Vec<String> = plan.customers.iter().step_by(every).cloned().collect();
        server.rename(&changed)?;
    }
    Ok(())
}

fn sync(case: &Case, place: &Place, server: &Server) -> Command {
    let concurrency = format!("api.concurrency={}", case.concurrency);
    let arguments: &[&str] = if case.full { &["sync", "--full", "--json"] } else { &["sync", "--json"] };
    place.command(&server.url, &[&concurrency], arguments)
}

fn floor(case: &Case, place: &Place, server: &Server, plan: &Plan) -> Outcome<Taken> {
    let file = place.file("plan");
    plan.write_for(&server.url, &file)?;
    let taken = measure::run(&mut fetcher(&file, case.concurrency)?)?.taken;
    std::fs::remove_file(file)?;
    Ok(taken)
}

fn fetcher(plan: &Path, concurrency: u64) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(fetch::ARGUMENT).arg(plan).arg(concurrency.to_string());
    Ok(command)
}
