//! Which records stand on a page. A cursor is a place in the order (sort key and id), not a count of
//! rows, so that inserts and deletes elsewhere neither repeat nor skip a row that stayed where it was.

use super::draw::{Draw, Purpose};
use super::settings::Order;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// A place in a list's order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) sort: i64,
    pub(super) id: Arc<str>,
}

/// A list: places in the order, and the row that stands there.
pub(super) type Index = BTreeMap<Position, u32>;

/// Which side of a place a page lies on, in the order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    After,
    Before,
}

/// A page, in the order of the list.
#[derive(Debug)]
pub(super) struct Window<'a> {
    pub(super) rows: Vec<(&'a Position, u32)>,
    /// The first row's place, where there are rows before it.
    pub(super) backward: Option<&'a Position>,
    /// The last row's place, where there are rows after it.
    pub(super) forward: Option<&'a Position>,
}

impl<'a> Window<'a> {
    /// The page of up to `size` rows on that side of the cursor, or the first page without a cursor.
    pub(super) fn of(
        index: &'a Index,
        order: Order,
        size: usize,
        cursor: Option<(Side, &Position)>,
    ) -> Window<'a> {
        let (side, place) = cursor.map_or((Side::After, None), |(side, place)| (side, Some(place)));
        let mut rows: Vec<_> = neighbours(index, order, side, place).take(size).collect();
        if side == Side::Before {
            rows.reverse();
        }
        let edge = |side, row: Option<&(&'a Position, u32)>| {
            let (place, _) = *row?;
            neighbours(index, order, side, Some(place)).next().map(|_| place)
        };
        let (backward, forward) = (edge(Side::Before, rows.first()), edge(Side::After, rows.last()));
        Window { rows, backward, forward }
    }
}

/// The rows on one side of a place, nearest first.
fn neighbours<'a>(
    index: &'a Index,
    order: Order,
    side: Side,
    place: Option<&Position>,
) -> Box<dyn Iterator<Item = (&'a Position, u32)> + 'a> {
    let upwards = (side == Side::After) != order.descending();
    let bound = place.map_or(Bound::Unbounded, Bound::Excluded);
    let row = |(place, row): (&'a Position, &'a u32)| (place, *row);
    if upwards {
        Box::new(index.range((bound, Bound::Unbounded)).map(row))
    } else {
        Box::new(index.range((Bound::Unbounded, bound)).rev().map(row))
    }
}

/// Makes and reads the opaque tokens of one list. A token of another list, order or world is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens {
    key: u64,
}

impl Tokens {
    /// The tokens of the customer list (`list` 0) or of a customer's events (its number, from 1).
    pub(super) fn new(seed: u64, order: Order, list: u64) -> Tokens {
        Tokens { key: Draw::new(seed, Purpose::Token, list, order as u64).next() }
    }

    /// A token for the place; base64 (RFC 4648 section 4), so that a client has to encode it for a URL.
    pub(super) fn write(self, place: &Position) -> String {
        let mut payload = place.sort.to_be_bytes().to_vec();
        payload.extend_from_slice(place.id.as_bytes());
        let mut bytes = self.check(&payload).to_vec();
        bytes.extend_from_slice(&payload);
        BASE64_STANDARD.encode(bytes)
    }

    /// The place that a token names, if it is one of this list's tokens.
    pub(super) fn read(self, token: &str) -> Option<Position> {
        let bytes = BASE64_STANDARD.decode(token).ok()?;
        let (check, payload) = bytes.split_first_chunk::<8>()?;
        let (sort, id) = payload.split_first_chunk::<8>()?;
        let id = std::str::from_utf8(id).ok()?;
        (self.check(payload) == *check)
            .then(|| Position { sort: i64::from_be_bytes(*sort), id: Arc::from(id) })
    }

    fn check(self, payload: &[u8]) -> [u8; 8] {
        // FNV-1a, begun with the list's key: it tells a slip from a token and is no protection.
        let hash = payload
            .iter()
            .fold(self.key, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
        hash.to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ORDERS: [Order; 4] = [Order::CreatedAsc, Order::CreatedDesc, Order::UpdatedDesc, Order::Id];

    fn place(sort: i64, id: &str) -> Position {
        Position { sort, id: Arc::from(id) }
    }

    fn ids(window: &Window<'_>) -> Vec<u32> {
        window.rows.iter().map(|(_, row)| *row).collect()
    }

    #[test]
    fn pages_on_both_sides() {
        let index: Index = (0..5_u32).map(|n| (place(i64::from(n), "x"), n)).collect();
        let at = |order, cursor: Option<(Side, i64)>| {
            let cursor = cursor.map(|(side, sort)| (side, place(sort, "x")));
            let window = Window::of(&index, order, 2, cursor.as_ref().map(|(side, place)| (*side, place)));
            (ids(&window), window.backward.is_some(), window.forward.is_some())
        };
        assert_eq!(at(Order::CreatedAsc, None), (vec![0, 1], false, true));
        assert_eq!(at(Order::CreatedAsc, Some((Side::After, 1))), (vec![2, 3], true, true));
        assert_eq!(at(Order::CreatedAsc, Some((Side::After, 2))), (vec![3, 4], true, false));
        assert_eq!(at(Order::CreatedAsc, Some((Side::After, 4))), (vec![], false, false));
        assert_eq!(at(Order::CreatedAsc, Some((Side::Before, 3))), (vec![1, 2], true, true));
        assert_eq!(at(Order::CreatedAsc, Some((Side::Before, 0))), (vec![], false, false));
        assert_eq!(at(Order::CreatedDesc, None), (vec![4, 3], false, true));
        assert_eq!(at(Order::CreatedDesc, Some((Side::After, 3))), (vec![2, 1], true, true));
        assert_eq!(at(Order::CreatedDesc, Some((Side::Before, 2))), (vec![4, 3], false, true));
    }

    proptest! {
        #[test]
        fn a_walk_brings_each_row_once(
            rows in proptest::collection::btree_set((0..6_i64, "[a-c]{1,2}"), 0..30),
            order in proptest::sample::select(&ORDERS[..]),
            size in 1..6_usize,
            side in proptest::sample::select(&[Side::After, Side::Before][..]),
        ) {
            let index: Index = rows.iter().zip(0..).map(|((sort, id), n)| (place(*sort, id), n)).collect();
            let mut expected: Vec<u32> = index.values().copied().collect();
            if order.descending() {
                expected.reverse();
            }
            let beyond = match (side, order.descending()) {
                (Side::After, false) | (Side::Before, true) => place(i64::MIN, ""),
                _ => place(i64::MAX, ""),
            };
            let mut cursor = beyond;
            let mut found = Vec::new();
            for _ in 0..=rows.len() {
                let window = Window::of(&index, order, size, Some((side, &cursor)));
                let edge = if side == Side::After { window.rows.last() } else { window.rows.first() };
                let Some((edge, _)) = edge else { break };
                cursor = (*edge).clone();
                found = match side {
                    Side::After => [found, ids(&window)].concat(),
                    Side::Before => [ids(&window), found].concat(),
                };
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn tokens_read_back_in_their_list_only(sort in any::<i64>(), id in any::<String>()) {
            let place = place(sort, &id);
            let tokens = Tokens::new(1, Order::Id, 3);
            let token = tokens.write(&place);
            prop_assert_eq!(tokens.read(&token), Some(place));
            prop_assert_eq!(Tokens::new(1, Order::Id, 4).read(&token), None);
            prop_assert_eq!(Tokens::new(1, Order::CreatedAsc, 3).read(&token), None);
        }

        #[test]
        fn other_texts_are_no_tokens(text in any::<String>()) {
            prop_assert_eq!(Tokens::new(1, Order::Id, 3).read(&text), None);
        }
    }
}
