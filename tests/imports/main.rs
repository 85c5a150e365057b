//! Imports run one way: neither the modules of the crate nor the files within one of them import each other in a circle.
//!
//! Between top-level modules (`src/api`, `src/diff`, …) no circle is allowed. Within a module the unit is the file, and
//! the circles that were there when this test was written are listed in [`KNOWN`]; that list may only get shorter.
//!
//! What counts as an import is described in `source`. Code that is compiled for tests only doesn't count.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, its helpers too")]

mod graph;
mod source;

use graph::Graph;
use source::Import;

/// Imports that close a circle of files within a module: the first file imports from the second one. Whoever removes one
/// also removes its line here; a new line is not the answer to a failing test.
const KNOWN: &[(&str, &str)] = &[
    ("src/api/envelope.rs", "src/api/page.rs"),
    ("src/api/facts.rs", "src/api/token.rs"),
    ("src/cli/daemon/mod.rs", "src/cli/daemon/reload.rs"),
    ("src/export/form.rs", "src/export/format.rs"),
    ("src/export/form.rs", "src/export/manifest/line.rs"),
    ("src/export/form.rs", "src/export/mod.rs"),
    ("src/export/manifest/mod.rs", "src/export/manifest/lines.rs"),
    ("src/export/manifest/mod.rs", "src/export/manifest/replacement.rs"),
    ("src/export/mod.rs", "src/export/prune.rs"),
    ("src/export/verify/subject.rs", "src/export/verify/changes.rs"),
    ("src/export/verify/subject.rs", "src/export/verify/state.rs"),
    ("src/mirror/batch.rs", "src/mirror/change_log.rs"),
    ("src/mirror/batch.rs", "src/mirror/runs.rs"),
    ("src/mirror/customers.rs", "src/mirror/lookup.rs"),
    ("src/mirror/error.rs", "src/mirror/location.rs"),
    ("src/mirror/location.rs", "src/mirror/mod.rs"),
    ("src/mirror/mod.rs", "src/mirror/reading.rs"),
    ("src/mirror/mod.rs", "src/mirror/snapshot.rs"),
];

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
    let (known, others): (Vec<_>, Vec<_>) =
        within.partition(|import| KNOWN.contains(&(&import.from, &import.to)));
    assert_no_circle(&others, |file| file);
    let graph = Graph::of(others.iter().map(|import| (import.from.as_str(), import.to.as_str())));
    for (from, to) in KNOWN {
        let exists = known.iter().any(|import| (&*import.from, &*import.to) == (*from, *to));
        let message = "no longer closes a circle by importing from";
        assert!(exists && graph.leads(to, from), "{from} {message} {to}: remove this line from KNOWN");
    }
}
