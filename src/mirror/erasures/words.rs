//! Texts that are looked for in sentences, each as a word of its own: where nothing that is part of a word stands beside it.
//! However many texts there are, a sentence is gone through once for each length that they have.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

/// Texts to look for.
#[derive(Default)]
pub(super) struct Words {
    texts: HashSet<String>,
    /// The lengths of the texts, in bytes.
    lengths: BTreeSet<usize>,
}

impl Words {
    pub(super) fn add(&mut self, text: &str) {
        if !text.is_empty() {
            self.lengths.insert(text.len());
            self.texts.insert(text.to_owned());
        }
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(String::as_str)
    }

    /// Whether this very text is one of them.
    pub(super) fn contains(&self, text: &str) -> bool {
        self.texts.contains(text)
    }

    /// Whether one of them stands in the sentence.
    pub(super) fn are_in(&self, sentence: &str) -> bool {
        self.find(sentence, 0).is_some()
    }

    /// The sentence with "(erased)" for each of them; `None` where none of them stands in it.
    pub(super) fn taken_out_of(&self, sentence: &str) -> Option<String> {
        let (mut without, mut from) = (String::new(), 0);
        while let Some(place) = self.find(sentence, from) {
            without += sentence.get(from..place.start).unwrap_or_default();
            without += "(erased)";
            from = place.end;
        }
        (from > 0).then(|| without + sentence.get(from..).unwrap_or_default())
    }

    /// The first place of one of them from `from` on: of several there the longest.
    fn find(&self, sentence: &str, from: usize) -> Option<Range<usize>> {
        let mut before = sentence.get(..from)?.chars().next_back();
        for (offset, c) in sentence.get(from..)?.char_indices() {
            let start = from + offset;
            if !is_part_of_a_word(before) {
                for length in self.lengths.iter().rev() {
                    let place = start..start + length;
                    let is_one = sentence.get(place.clone()).is_some_and(|text| self.texts.contains(text));
                    let behind = || sentence.get(place.end..).and_then(|behind| behind.chars().next());
                    if is_one && !is_part_of_a_word(behind()) {
                        return Some(place);
                    }
                }
            }
            before = Some(c);
        }
        None
    }
}

fn is_part_of_a_word(c: Option<char>) -> bool {
    c.is_some_and(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(texts: &[&str]) -> Words {
        let mut words = Words::default();
        texts.iter().for_each(|text| words.add(text));
        words
    }

    #[test]
    fn sentences_lose_what_names_somebody_and_nothing_else() {
        for (sentence, erased, expected) in [
            ("customer c-12: no answer", &["c-12"][..], Some("customer (erased): no answer")),
            ("customer c-123 and c-12", &["c-12"], Some("customer c-123 and (erased)")),
            ("300 requests", &["3"], None),
            ("3 of 3", &["3"], Some("(erased) of (erased)")),
            ("[\"a@b.c\"]", &["a@b.c"], Some("[\"(erased)\"]")),
            ("erased: erased", &["erased"], Some("(erased): (erased)")),
            ("nothing", &[], None),
            ("nothing", &[""], None),
            ("", &["c"], None),
            // The longest one there.
            ("c-12-e-3, c-12", &["c-12", "c-12-e-3"], Some("(erased), (erased)")),
            ("é-1 née-1", &["é-1", "e-1"], Some("(erased) née-1")),
            // Beside each other.
            ("a.b.a", &["a", "b"], Some("(erased).(erased).(erased)")),
            ("-a-", &["-a-"], Some("(erased)")),
        ] {
            let words = words(erased);
            assert_eq!(words.taken_out_of(sentence).as_deref(), expected, "{sentence}");
            assert_eq!(words.are_in(sentence), expected.is_some(), "{sentence}");
        }
    }

    proptest! {
        /// Once they are taken out, none of them is left.
        #[test]
        fn nothing_is_left(
            sentence in "[ab1é. -]{0,30}",
            // Identifiers begin and end with a letter or a digit.
            texts in prop::collection::vec("[ab1é]([ab1é-]{0,2}[ab1é])?", 0..5),
        ) {
            let words = words(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            if let Some(without) = words.taken_out_of(&sentence) {
                prop_assert!(words.are_in(&sentence));
                prop_assert!(!words.are_in(&without), "{without}");
            }
        }
    }
}
