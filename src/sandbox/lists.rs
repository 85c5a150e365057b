//! The two lists, a page at a time.

use super::paging::{Index, Position, Side, Tokens, Window};
use super::settings::TokenStyle;
use super::world::World;

/// Why there is no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoPage {
    /// The customer of the events is gone.
    Customer,
    /// The cursor is none of this list's.
    Cursor,
}

/// The tokens beside a page: places to go on from, in the order of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ends {
    /// Behind the page's last row; `None` on the last page.
    pub(super) forward: Option<String>,
    /// In front of the page's first row; `None` on the first page.
    pub(super) backward: Option<String>,
}

impl World {
    /// Appends a page of customers as a JSON array.
    pub(super) fn push_customer_page(
        &self,
        out: &mut String,
        cursor: Option<(Side, &str)>,
    ) -> Result<Ends, NoPage> {
        let state = self.read();
        let tokens = Tokens::new(self.settings.seed, self.settings.order, 0);
        let place = |id: &str| state.position(id, &self.settings);
        let cursor = self.cursor(tokens, cursor, place)?;
        Ok(self
            .push_page(out, &state.index, tokens, cursor, |out, slot| self.push_customer(&state, slot, out)))
    }

    /// Appends a page of a customer's events as a JSON array.
    pub(super) fn push_event_page(
        &self,
        out: &mut String,
        customer_id: &str,
        cursor: Option<(Side, &str)>,
    ) -> Result<Ends, NoPage> {
        let state = self.read();
        let (slot, row) = state.customer(customer_id).ok_or(NoPage::Customer)?;
        let serial = u64::from(slot);
        let index = self.event_index(slot, row);
        let tokens = Tokens::new(self.settings.seed, self.settings.order, serial + 1);
        let place = |id: &str| index.keys().find(|place| &*place.id == id).cloned();
        let cursor = self.cursor(tokens, cursor, place)?;
        Ok(self.push_page(out, &index, tokens, cursor, |out, at| {
            self.source.push_event(out, serial, &row.events[at as usize]);
        }))
    }

    /// The place that a cursor names: a token, or with [`TokenStyle::LastId`] a record that is still there.
    fn cursor(
        &self,
        tokens: Tokens,
        cursor: Option<(Side, &str)>,
        by_id: impl Fn(&str) -> Option<Position>,
    ) -> Result<Option<(Side, Position)>, NoPage> {
        let Some((side, text)) = cursor else { return Ok(None) };
        let place = match self.settings.token_style {
            TokenStyle::LastId => by_id(text),
            TokenStyle::Link | TokenStyle::Envelope | TokenStyle::Header => tokens.read(text),
        };
        place.map(|place| Some((side, place))).ok_or(NoPage::Cursor)
    }

    fn push_page(
        &self,
        out: &mut String,
        index: &Index,
        tokens: Tokens,
        cursor: Option<(Side, Position)>,
        push_row: impl Fn(&mut String, u32),
    ) -> Ends {
        let cursor = cursor.as_ref().map(|(side, place)| (*side, place));
        let window = Window::of(index, self.settings.order, self.settings.page_size, cursor);
        out.reserve(window.rows.len() * 400 + 128);
        out.push('[');
        for (at, (_, row)) in window.rows.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_row(out, *row);
        }
        out.push(']');
        let token = |there_is_more: bool, edge: Option<&(&Position, u32)>| match edge {
            Some((place, _)) if there_is_more => Some(tokens.write(place)),
            _ => None,
        };
        Ends {
            forward: token(window.more_after, window.rows.last()),
            backward: token(window.more_before, window.rows.first()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{CustomerFields, Order, Settings};

    fn world(customers: usize, token_style: TokenStyle) -> World {
        World::new(&Settings { customers, page_size: 10, token_style, ..Settings::default() })
    }

    fn page(world: &World, cursor: Option<(Side, &str)>) -> (Vec<String>, Ends) {
        let mut out = String::new();
        let ends = world.push_customer_page(&mut out, cursor).unwrap();
        let rows: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
        (rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect(), ends)
    }

    #[test]
    fn a_full_last_page_ends_the_list() {
        let world = world(20, TokenStyle::Link);
        let (first, ends) = page(&world, None);
        assert_eq!((first.len(), ends.backward), (10, None));
        let (second, ends) = page(&world, Some((Side::After, &ends.forward.unwrap())));
        assert_eq!((second.len(), ends.forward), (10, None));
        assert_eq!(page(&world, Some((Side::Before, &ends.backward.unwrap()))).0, first);
    }

    #[test]
    fn a_walk_under_churn_brings_every_row_that_stayed() {
        for order in [Order::CreatedAsc, Order::CreatedDesc, Order::UpdatedDesc, Order::Id] {
            let world = World::new(&Settings { customers: 200, page_size: 7, order, ..Settings::default() });
            let before = world.customer_ids();
            let (mut found, mut ends) = page(&world, None);
            while let Some(token) = ends.forward {
                // The row that the token was made from is deleted, another one before it comes.
                world.delete_customer(found.last().unwrap());
                world.create_customer(CustomerFields::default());
                for _ in 0..3 {
                    world.churn();
                }
                let (rows, next) = page(&world, Some((Side::After, &token)));
                found.extend(rows);
                ends = next;
                assert!(found.len() < 1000, "the walk ends");
            }
            let unmoved = |id: &&String| {
                let json = world.customer_json(id);
                json.is_some()
                    && (order != Order::UpdatedDesc
                        || !json.is_some_and(|j| j.contains("\"updated_at\":\"2025-01-01T0")))
            };
            for id in before.iter().filter(unmoved) {
                assert_eq!(found.iter().filter(|f| *f == id).count(), 1, "{order:?}");
            }
        }
    }

    #[test]
    fn what_is_no_cursor_of_this_list() {
        let world = world(20, TokenStyle::Envelope);
        let mut out = String::new();
        let id = world.customer_ids()[0].clone();
        world.set_event_count(&id, 11);
        let (_, ends) = page(&world, None);
        let token = ends.forward.unwrap();
        for text in ["", "x", &id, &token[1..]] {
            assert_eq!(world.push_customer_page(&mut out, Some((Side::After, text))), Err(NoPage::Cursor));
        }
        assert_eq!(world.push_event_page(&mut out, &id, Some((Side::After, &token))), Err(NoPage::Cursor));
        assert_eq!(world.push_event_page(&mut out, "nobody", None), Err(NoPage::Customer));
    }
}
