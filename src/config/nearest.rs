//! The known name that a misspelt one was probably meant to be.

use super::keys;

/// Below this likeness (0 to 1) a suggestion misleads more than it helps.
const LEAST_LIKENESS: f64 = 0.6;
/// Likeness of a key that is only in the wrong table: above most misspellings, below a tiny one.
const SAME_NAME_ELSEWHERE: f64 = 0.95;

/// The key or table whose path is most like `path`.
pub(super) fn known_path(path: &str) -> Option<&'static str> {
    let keys = keys::ALL.iter().map(|key| &*key.path);
    let sections = keys::ALL.iter().map(|key| key.section_and_name().0);
    keys.chain(sections)
        .map(|known| (likeness(path, known), known))
        .filter(|&(likeness, _)| likeness >= LEAST_LIKENESS)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

fn likeness(path: &str, known: &str) -> f64 {
    let spelling = strsim::normalized_damerau_levenshtein(path, known);
    let misplaced = path.rsplit('.').next() == known.rsplit('.').next();
    if misplaced { spelling.max(SAME_NAME_ELSEWHERE) } else { spelling }
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
