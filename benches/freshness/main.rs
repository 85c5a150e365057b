//! How long events stay unseen: simulated weeks of a shop, with the same number of looks for each way to choose whom to look
//! at, beside what is to be reached. Ends with 1 where a bar is missed.
//!
//! ```sh
//! cargo bench --bench freshness             # 100,000 customers: about a quarter of an hour
//! cargo bench --bench freshness -- 20000    # so many
//! ```

#![allow(clippy::print_stdout, reason = "a benchmark's result")]

mod policy;
mod world;

use policy::{Outcome, Policy, simulate};
use std::process::ExitCode;
use std::time::Instant;
use world::{DAY, World};

/// Runs a day.
const RUNS_A_DAY: i64 = 96;

/// Hours for which events were unseen.
#[derive(Clone, Copy)]
struct Unseen {
    mean: f64,
    median: f64,
    p95: f64,
    longest: f64,
}

impl Unseen {
    fn of(mut seconds: Vec<i64>) -> Unseen {
        seconds.sort_unstable();
        let hours = |seconds: i64| seconds as f64 / 3_600.0;
        let at = |share: f64| {
            let place = (seconds.len().saturating_sub(1) as f64 * share) as usize;
            hours(seconds.get(place).copied().unwrap_or_default())
        };
        let mean = hours(seconds.iter().sum()) / seconds.len().max(1) as f64;
        Unseen { mean, median: at(0.5), p95: at(0.95), longest: at(1.0) }
    }
}

fn main() -> ExitCode {
    let customers = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    println!("{customers} customers, {RUNS_A_DAY} runs a day; hours for which events were unseen");
    println!("Looks: a day, as a share of the customers. 1 is what looking at everybody once a day takes.");
    let parcels = World::of_parcels(customers, 28 * DAY);
    let mut held = true;
    for share in [1.0, 0.5, 0.25] {
        let [uniform, learned, true_rates, _] = measure("parcels and repeat buyers", &parcels, share);
        if share == 1.0 {
            held &= bar("mean, learned ÷ uniform", learned.mean / uniform.mean, 1.0 / 3.0);
            held &= bar("95 %, learned ÷ uniform", learned.p95 / uniform.p95, 0.5);
        }
        held &= bar("mean, learned ÷ true rates", learned.mean / true_rates.mean, 1.3);
        // Everybody's turn comes in 14 days; the run that brings it is up to a quarter of an hour later.
        held &= bar("longest, in days", learned.longest / 24.0, 14.02);
    }
    let random = World::at_random(customers, 14 * DAY);
    let [uniform, learned, ..] = measure("events at random", &random, 1.0);
    held &= bar("mean, learned ÷ uniform", learned.mean / uniform.mean, 1.05);
    if held { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(name: &str, world: &World, share: f64) -> [Unseen; Policy::ALL.len()] {
    let looks_a_run = (world.events.len() as f64 * share / RUNS_A_DAY as f64) as usize;
    println!("\n{name}, looks {share}");
    println!("  policy                    mean   median     95 %   longest        looks   seconds");
    Policy::ALL.map(|policy| {
        let began = Instant::now();
        let Outcome { unseen, looks } = simulate(world, policy, looks_a_run);
        let unseen = Unseen::of(unseen);
        let Unseen { mean, median, p95, longest } = unseen;
        let (name, took) = (policy.name(), began.elapsed().as_secs_f64());
        println!("  {name:<22} {mean:>7.2} {median:>8.2} {p95:>8.2} {longest:>9.1} {looks:>12} {took:>9.1}");
        unseen
    })
}

fn bar(what: &str, reached: f64, most: f64) -> bool {
    let held = reached <= most;
    println!("  {what}: {reached:.3}, aim {most:.3}{}", if held { "" } else { "  MISSED" });
    held
}
