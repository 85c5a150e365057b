//! The known name that a misspelt one was probably meant to be. Pure.

/// Below this likeness (0 to 1) a suggestion misleads more than it helps.
const LEAST_LIKENESS: f64 = 0.6;

/// The known name that is most like the given one, if any is like it. `likeness` is 0 to 1, such as [`spelling`].
pub fn nearest<'k>(known: impl Iterator<Item = &'k str>, likeness: impl Fn(&str) -> f64) -> Option<&'k str> {
    known
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness >= LEAST_LIKENESS)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known)
}

/// How like two names are by their letters: 1 where they are the same, 0 where they have nothing in common.
pub fn spelling(one: &str, other: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(one, other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggestion_is_like_what_was_typed() {
        for (typed, meant) in
            [("cutsomers", Some("customers")), ("event", Some("events")), ("orders", None), ("", None)]
        {
            let found = nearest(["customers", "events"].into_iter(), |known| spelling(typed, known));
            assert_eq!(found, meant, "{typed}");
        }
    }
}
