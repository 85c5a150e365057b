//! Who imports from whom.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Names, each with those that it imports from.
pub struct Graph<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Graph<'a> {
    pub fn of(edges: impl Iterator<Item = (&'a str, &'a str)>) -> Graph<'a> {
        let mut graph = Graph(BTreeMap::new());
        for (from, to) in edges {
            graph.0.entry(from).or_default().insert(to);
        }
        graph
    }

    /// Circles that have no import in common, short ones first; each one's first member is repeated at its end.
    pub fn circles(mut self) -> Vec<Vec<&'a str>> {
        let mut circles = Vec::new();
        while let Some(circle) = self.circle() {
            for pair in circle.windows(2) {
                self.0.entry(pair[0]).or_default().remove(pair[1]);
            }
            circles.push(circle);
        }
        circles
    }

    fn circle(&self) -> Option<Vec<&'a str>> {
        self.0.keys().filter_map(|name| self.path(name, name)).min_by_key(Vec::len)
    }

    /// Whether `from` imports from `to`, directly or through others.
    pub fn leads(&self, from: &str, to: &str) -> bool {
        self.path(from, to).is_some()
    }

    /// The shortest way from `from` to `to` that has at least one import.
    fn path(&self, from: &str, to: &str) -> Option<Vec<&'a str>> {
        let (&start, _) = self.0.get_key_value(from)?;
        let mut previous = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(name) = queue.pop_front() {
            for &next in self.0.get(name).into_iter().flatten() {
                if previous.contains_key(next) {
                    continue;
                }
                previous.insert(next, name);
                if next == to {
                    return Some(traced_back(&previous, start, next));
                }
                queue.push_back(next);
            }
        }
        None
    }
}

fn traced_back<'a>(previous: &BTreeMap<&'a str, &'a str>, start: &str, end: &'a str) -> Vec<&'a str> {
    let mut path = vec![end];
    let mut name = end;
    loop {
        name = previous[name];
        path.push(name);
        if name == start {
            path.reverse();
            return path;
        }
    }
}

#[test]
fn circles_are_found_and_trees_have_none() {
    let graph = Graph::of([("a", "b"), ("a", "c"), ("b", "c")].into_iter());
    assert!(graph.leads("a", "c") && !graph.leads("c", "a"));
    assert_eq!(graph.circles(), Vec::<Vec<&str>>::new());
    let graph = Graph::of([("a", "b"), ("b", "c"), ("c", "b"), ("c", "a")].into_iter());
    assert_eq!(graph.circles(), [vec!["b", "c", "b"]]);
}
