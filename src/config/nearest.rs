//! The key or table of the configuration that a misspelt one was probably meant to be.

use super::keys;
use crate::nearest::{nearest, spelling};

/// Likeness of a key that is only in the wrong table: above most misspellings, below a tiny one.
const SAME_NAME_ELSEWHERE: f64 = 0.95;

/// The key or table whose path is most like `path`.
pub(super) fn known_path(path: &str) -> Option<&'static str> {
    let keys = keys::ALL.iter().map(|key| &*key.path);
    let sections = keys::ALL.iter().map(|key| key.section_and_name().0);
    nearest(keys.chain(sections), |known| likeness(path, known))
}

fn likeness(path: &str, known: &str) -> f64 {
    let misplaced = path.rsplit('.').next() == known.rsplit('.').next();
    if misplaced { spelling(path, known).max(SAME_NAME_ELSEWHERE) } else { spelling(path, known) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions() {
        for (given, known) in [
            ("api.base_ulr", Some("api.base_url")),
            ("api.concurency", Some("api.concurrency")),
            ("concurrency", Some("api.concurrency")),
            ("export.directory", Some("export.dir")),
            ("mirror.dir", Some("export.dir")),
            ("apii", Some("api")),
            ("shedule", Some("schedule")),
            ("api.paging.customer", Some("api.paging.customers")),
            ("schedule.syn", Some("schedule.sync")),
            ("zzz.qqq", None),
        ] {
            assert_eq!(known_path(given), known, "{given}");
        }
    }
}
