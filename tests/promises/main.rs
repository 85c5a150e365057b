//! What the program promises, tried again and again: whatever dies or misbehaves around it, no row is lost, none stands
//! twice, none is wrong, and nothing personal gets out.
//!
//! Every scenario is a test in its short form. All of them as a table:
//!
//! ```sh
//! cargo test --test promises -- --ignored --nocapture                        # the short form
//! MALOMO_PROMISES=long cargo test --test promises -- --ignored --nocapture   # at least 200 kills of each kind
//! ```
//!
//! What is drawn follows from a seed, which is printed; `MALOMO_PROMISES_SEED` sets it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod bad_answers;
mod bad_disk;
mod bad_machine;
mod bad_records;
mod disk;
mod effort;
mod fail_points;
mod false_lists;
mod findings;
mod kills;
mod leaks;
mod partial_failures;
#[path = "../it/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "shared with the other tests, which use more of it")]
mod support;
mod test_account;

use effort::Effort;
use findings::Findings;

/// A scenario's name in the table, and what came of it.
type Row = (&'static str, Findings);

async fn every_scenario(effort: &Effort) -> Vec<Row> {
    vec![
        ("dies at a chosen point of a sync or export", fail_points::scenario(effort).await),
        ("kill -9 at any time in a first sync", kills::first_sync(effort).await),
        ("kill -9 at any time in an incremental sync", kills::incremental_sync(effort).await),
        ("kill -9 at any time in an export", kills::export(effort).await),
        ("a fifth of all answers is broken", bad_answers::scenario(effort).await),
        ("lists of another account, cut short or empty", false_lists::scenario(effort).await),
        ("one bad thing among good ones, over HTTP/2", partial_failures::scenario(effort).await),
        ("secrets repeated, stderr unread, many names", leaks::scenario(effort).await),
        ("records and lists that can't be right", bad_records::scenario(effort).await),
        ("a machine that refuses", bad_machine::scenario(effort).await),
        (bad_disk::NAME, bad_disk::scenario(effort).await),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other tests are its rows; it prints them"]
async fn table() {
    let effort = Effort::of_environment();
    let rows = every_scenario(&effort).await;
    let head = ["tries", "deaths", "lost rows", "duplicated rows", "wrong rows", "leaks"];
    println!("\n{:<46}{}", "scenario", head.map(|name| format!("  {name:>6}")).concat());
    for (name, found) in &rows {
        let Findings { tries, deaths, lost, duplicated, wrong, leaks, .. } = found;
        println!("{name:<46}{tries:>7}{deaths:>8}{lost:>11}{duplicated:>17}{wrong:>12}{leaks:>8}");
    }
    println!();
    let mut all = Findings::default();
    rows.into_iter().for_each(|(_, found)| all.add(found));
    all.assert_clean();
}
