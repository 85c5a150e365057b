//! The tables behind the views `orders` and `shipments`.

use crate::derived::{Order, OrderEvent, Orders, Shipment, Times};
use crate::mirror::MirrorError;
use crate::mirror::transaction::Batch;
use crate::record::instant;
use rusqlite::{Row, params};
use std::collections::HashMap;

/// Takes a customer's row number. Events come by their time.
const EVENTS: &str = "SELECT type, label, timestamp, properties, created_at FROM events \
     WHERE customer_id = (SELECT id FROM customers WHERE inserted_seq = ?1) ORDER BY timestamp, inserted_seq";

const ORDER_COLUMNS: &str = "order_id, order_number, status, created, fulfilled, shipped, first_scan, out_for_delivery, delivered, \
     returned, cancelled, first_event, last_event, total_price, currency, event_count, issue_count";

const SHIPMENT_COLUMNS: &str = "shipment_id, carrier, tracking_code, is_return, status, shipped, first_scan, out_for_delivery, \
     delivered, returned, cancelled, last_event, estimated_delivery_at, event_count";

/// What a customer's events add up to.
#[derive(Default)]
struct EventFacts {
    count: i64,
    first: Option<i64>,
    last: Option<i64>,
}

/// What doesn't change of an order: one that has an id keeps it. No two of a customer have the same.
#[derive(PartialEq, Eq, Hash)]
enum OrderKey {
    Id(String),
    Number(Option<String>),
}

impl OrderKey {
    fn of(order: &Order) -> OrderKey {
        match &order.order_id {
            Some(id) => OrderKey::Id(id.clone()),
            None => OrderKey::Number(order.order_number.clone()),
        }
    }
}

impl Batch<'_> {
    /// Puts the orders of customers together anew, by the numbers of their rows; those of a customer who is gone go. Writes only
    /// what is another now. `are_first`: none of these has any yet.
    pub(in crate::mirror) fn derive_orders(
        &mut self,
        customers: impl Iterator<Item = i64>,
        are_first: bool,
    ) -> Result<(), MirrorError> {
        for customer in customers {
            let (derived, facts) = self.orders_by_events(customer)?;
            self.put_facts(customer, &facts, &derived)?;
            let stored = if are_first { Vec::new() } else { self.stored_orders(customer)? };
            let mut stored: HashMap<OrderKey, (i64, Order)> =
                stored.into_iter().map(|(row, order)| (OrderKey::of(&order), (row, order))).collect();
            for order in derived {
                match stored.remove(&OrderKey::of(&order)) {
                    Some((_, held)) if held == order => {}
                    held => {
                        self.put_order(customer, held.map(|(row, held)| (row, held.shipments)), &order)?
                    }
                }
            }
            for (row, _) in stored.into_values() {
                self.delete_shipments(row)?;
                self.transaction.prepare_cached("DELETE FROM order_facts WHERE id = ?1")?.execute([row])?;
            }
        }
        Ok(())
    }

    fn orders_by_events(&self, customer: i64) -> rusqlite::Result<(Vec<Order>, EventFacts)> {
        let mut select = self.transaction.prepare_cached(EVENTS)?;
        let mut rows = select.query([customer])?;
        let (mut derived, mut facts) = (Orders::default(), EventFacts::default());
        while let Some(row) = rows.next()? {
            let text = |column| row.get_ref(column)?.as_str_or_null().map_err(rusqlite::Error::from);
            let at: Option<i64> = row.get(2)?;
            let created_at = || Ok::<_, rusqlite::Error>(text(4)?.and_then(instant).map(|at| at.as_second()));
            let at = at.map_or_else(created_at, |at| Ok(Some(at)))?;
            derived.add(&OrderEvent { kind: text(0)?, label: text(1)?, at, properties: text(3)? });
            facts.count += 1;
            facts.first = facts.first.into_iter().chain(at).min();
            facts.last = facts.last.max(at);
        }
        Ok((derived.finish(), facts))
    }

    /// Writes what a customer's events and orders add up to, where that is something else now.
    fn put_facts(&self, customer: i64, events: &EventFacts, orders: &[Order]) -> rusqlite::Result<()> {
        if events.count == 0 {
            let mut delete = self.transaction.prepare_cached("DELETE FROM customer_facts WHERE id = ?1")?;
            return delete.execute([customer]).map(drop);
        }
        let mut put = self.transaction.prepare_cached(
            "INSERT INTO customer_facts (id, first_event, last_event, event_count, order_count, open_order_count, last_order) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET first_event = excluded.first_event, \
             last_event = excluded.last_event, event_count = excluded.event_count, order_count = excluded.order_count, \
             open_order_count = excluded.open_order_count, last_order = excluded.last_order \
             WHERE (first_event, last_event, event_count, order_count, open_order_count, last_order) IS NOT \
             (excluded.first_event, excluded.last_event, excluded.event_count, excluded.order_count, \
             excluded.open_order_count, excluded.last_order)",
        )?;
        let open = orders.iter().filter(|order| order.is_open()).count() as i64;
        let last_order = orders.iter().filter_map(Order::began).max();
        put.execute(params![
            customer,
            events.first,
            events.last,
            events.count,
            orders.len() as i64,
            open,
            last_order
        ])
        .map(drop)
    }

    /// With the numbers of their rows. The indexes have them in the order of these.
    fn stored_orders(&self, customer: i64) -> rusqlite::Result<Vec<(i64, Order)>> {
        let sql = format!("SELECT id, {ORDER_COLUMNS} FROM order_facts WHERE customer_row = ?1");
        let mut select = self.transaction.prepare_cached(&sql)?;
        let mut orders: Vec<(i64, Order)> = select
            .query_map([customer], |row| Ok((row.get(0)?, order(row)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let sql = format!("SELECT {SHIPMENT_COLUMNS} FROM shipment_facts WHERE order_row = ?1");
        let mut select = self.transaction.prepare_cached(&sql)?;
        for (row, order) in &mut orders {
            order.shipments = select.query_map([*row], shipment)?.collect::<rusqlite::Result<_>>()?;
        }
        Ok(orders)
    }

    /// Writes an order; `held` has its row and its parcels where it has one.
    fn put_order(
        &mut self,
        customer: i64,
        held: Option<(i64, Vec<Shipment>)>,
        order: &Order,
    ) -> rusqlite::Result<()> {
        let (row, held) = match held {
            Some((row, held)) => (Some(row), held),
            None => (None, Vec::new()),
        };
        let sql = format!(
            "INSERT OR REPLACE INTO order_facts (id, customer_row, is_open, shipment_count, {ORDER_COLUMNS}) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)"
        );
        let [created, fulfilled, shipped, first_scan, out_for_delivery, delivered, returned, cancelled] =
            order.times.all();
        self.transaction.prepare_cached(&sql)?.execute(params![
            row,
            customer,
            order.is_open(),
            order.shipments.len() as i64,
            order.order_id,
            order.order_number,
            order.status,
            created,
            fulfilled,
            shipped,
            first_scan,
            out_for_delivery,
            delivered,
            returned,
            cancelled,
            order.first_event,
            order.last_event,
            order.total_price,
            order.currency,
            order.event_count,
            order.issue_count,
        ])?;
        if held == order.shipments {
            return Ok(());
        }
        let row = row.unwrap_or_else(|| self.transaction.last_insert_rowid());
        if !held.is_empty() {
            self.delete_shipments(row)?;
        }
        order.shipments.iter().try_for_each(|shipment| self.insert_shipment(row, shipment))
    }

    fn delete_shipments(&self, order: i64) -> rusqlite::Result<()> {
        let mut delete =
            self.transaction.prepare_cached("DELETE FROM shipment_facts WHERE order_row = ?1")?;
        delete.execute([order]).map(drop)
    }

    fn insert_shipment(&self, order: i64, shipment: &Shipment) -> rusqlite::Result<()> {
        let sql = format!(
            "INSERT INTO shipment_facts (order_row, {SHIPMENT_COLUMNS}) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        );
        let [_, _, shipped, first_scan, out_for_delivery, delivered, returned, cancelled] =
            shipment.times.all();
        let mut insert = self.transaction.prepare_cached(&sql)?;
        let inserted = insert.execute(params![
            order,
            shipment.shipment_id,
            shipment.carrier,
            shipment.tracking_code,
            shipment.is_return,
            shipment.status,
            shipped,
            first_scan,
            out_for_delivery,
            delivered,
            returned,
            cancelled,
            shipment.last_event,
            shipment.estimated_delivery_at,
            shipment.event_count,
        ]);
        inserted.map(drop)
    }
}

/// Reads [`ORDER_COLUMNS`] behind the row's number; the parcels are read apart.
fn order(row: &Row<'_>) -> rusqlite::Result<Order> {
    let mut at = [None; 8];
    for (n, at) in at.iter_mut().enumerate() {
        *at = row.get(4 + n)?;
    }
    Ok(Order {
        order_id: row.get(1)?,
        order_number: row.get(2)?,
        status: row.get(3)?,
        times: Times::new(at),
        first_event: row.get(12)?,
        last_event: row.get(13)?,
        total_price: row.get(14)?,
        currency: row.get(15)?,
        event_count: row.get(16)?,
        issue_count: row.get(17)?,
        shipments: Vec::new(),
    })
}

/// Reads [`SHIPMENT_COLUMNS`].
fn shipment(row: &Row<'_>) -> rusqlite::Result<Shipment> {
    let mut at = [None; 8];
    for (n, at) in at.iter_mut().enumerate().skip(2) {
        *at = row.get(3 + n)?;
    }
    Ok(Shipment {
        shipment_id: row.get(0)?,
        carrier: row.get(1)?,
        tracking_code: row.get(2)?,
        is_return: row.get(3)?,
        status: row.get(4)?,
        times: Times::new(at),
        last_event: row.get(11)?,
        estimated_delivery_at: row.get(12)?,
        event_count: row.get(13)?,
    })
}
