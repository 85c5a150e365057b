//! The two lists, a page at a time.

use super::answer::Refusal;
use super::paging::{Index, Position, Side, Tokens, Window};
use super::settings::TokenStyle;
use super::world::World;

/// A page, with tokens for the places where the list goes on, in the order of the list.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// The records as a JSON array.
    pub(super) json: String,
    /// Behind the page's last row; `None` on the last page.
    pub(super) forward: Option<String>,
    /// In front of the page's first row; `None` on the first page.
    pub(super) backward: Option<String>,
}

impl World {
    /// A page of customers.
    pub(super) fn customer_page(&self, cursor: Option<(Side, &str)>) -> Result<Page, Refusal> {
        let state = self.read();
        let by_id = |id: &str| state.position(id, self.settings.order);
        let customer = |slot: u32| {
            let row = state.rows[slot as usize].as_ref()?;
            Some(self.source.customer(u64::from(slot), row))
        };
        self.page(&state.index, 0, cursor, by_id, customer)
    }

    /// A page of a customer's events.
    pub(super) fn event_page(
        &self,
        customer_id: &str,
        cursor: Option<(Side, &str)>,
    ) -> Result<Page, Refusal> {
        let state = self.read();
        let (slot, row) = state.living(customer_id).ok_or_else(|| Refusal::not_found("customer"))?;
        let (serial, index) = (u64::from(slot), self.event_index(slot, row));
        let by_id = |id: &str| index.keys().find(|place| &*place.id == id).cloned();
        let event = |at: u32| Some(self.source.event(serial, row.events.get(at as usize)?));
        self.page(&index, serial + 1, cursor, by_id, event)
    }

    /// The page beside the cursor: a token, or with [`TokenStyle::LastId`] a record that is still there. `list` tells
    /// the lists' tokens apart.
    pub(super) fn page(
        &self,
        index: &Index,
        list: u64,
        cursor: Option<(Side, &str)>,
        by_id: impl Fn(&str) -> Option<Position>,
        json: impl Fn(u32) -> Option<String>,
    ) -> Result<Page, Refusal> {
        let settings = &self.settings;
        let tokens = Tokens::new(settings.seed, settings.order, list);
        let cursor = cursor.map(|(side, text)| {
            let place = match settings.token_style {
                TokenStyle::LastId => by_id(text),
                TokenStyle::Link | TokenStyle::Envelope | TokenStyle::Header => tokens.read(text),
            };
            let no_cursor = || Refusal::new(400, "invalid_cursor", "the cursor is none of this list's");
            place.map(|place| (side, place)).ok_or_else(no_cursor)
        });
        let cursor = cursor.transpose()?;
        let cursor = cursor.as_ref().map(|(side, place)| (*side, place));
        let window = Window::of(index, settings.order, settings.page_size, cursor);
        let json: Vec<String> = window.rows.iter().filter_map(|(_, row)| json(*row)).collect();
        Ok(Page {
            json: format!("[{}]", json.join(",")),
            forward: window.forward.map(|place| tokens.write(place)),
            backward: window.backward.map(|place| tokens.write(place)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{CustomerFields, Order, Settings};

    fn world(customers: usize, token_style: TokenStyle) -> World {
        World::new(&Settings { customers, page_size: 10, token_style, ..Settings::default() })
    }

    fn page(world: &World, cursor: Option<(Side, &str)>) -> (Vec<String>, Page) {
        let page = world.customer_page(cursor).unwrap();
        let rows: Vec<serde_json::Value> = serde_json::from_str(&page.json).unwrap();
        (rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect(), page)
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
        let id = world.customer_ids()[0].clone();
        world.set_event_count(&id, 11);
        let (_, ends) = page(&world, None);
        let token = ends.forward.unwrap();
        for text in ["", "x", &id, &token[1..]] {
            assert_eq!(world.customer_page(Some((Side::After, text))).unwrap_err().status, 400);
        }
        assert_eq!(world.event_page(&id, Some((Side::After, &token))).unwrap_err().status, 400);
        assert_eq!(world.event_page("nobody", None).unwrap_err().status, 404);
    }
}
