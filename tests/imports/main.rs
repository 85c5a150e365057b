//! Imports run one way: neither the modules of the crate nor the files within one of them import each other in a circle.
//!
//! Between top-level modules (`src/api`, `src/diff`, …) the unit is the module, within one of them it is the file.
//!
//! What counts as an import is described in `source`. Code that is compiled for tests only doesn't count.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod graph;
mod source;

use graph::Graph;
use source::Import;

/// The folder or file directly below `src` that a file belongs to.
fn top_level(file: &str) -> &str {
    let below = file.strip_prefix("src/").unwrap_or(file);
    below.split_once('/').map_or(below, |(folder, _)| folder).trim_end_matches(".rs")
}

/// Fails if these imports, between files or what `node` makes of them, have a circle.
fn assert_no_circle<'a>(imports: &[&'a Import], node: fn(&'a str) -> &'a str) {
    let ends = |import: &&'a Import| (node(&import.from), node(&import.to));
    let mut message = String::new();
    for circle in Graph::of(imports.iter().map(ends)).circles() {
        message.push_str(&format!("\n{}\n", circle.join(" -> ")));
        for pair in circle.windows(2) {
            let of_pair = imports.iter().filter(|import| ends(import) == (pair[0], pair[1]));
            of_pair.for_each(|import| message.push_str(&format!("  {import}\n")));
        }
    }
    assert!(message.is_empty(), "imports go in a circle:\n{message}");
}

#[test]
fn modules_of_the_crate_import_one_way() {
    let imports = source::imports();
    let between = imports.iter().filter(|import| top_level(&import.from) != top_level(&import.to));
    assert_no_circle(&between.collect::<Vec<_>>(), top_level);
}

#[test]
fn files_within_a_module_import_one_way() {
    let imports = source::imports();
    let within = imports.iter().filter(|import| top_level(&import.from) == top_level(&import.to));
    assert_no_circle(&within.collect::<Vec<_>>(), |file| file);
}
