//! How a customer is read from its row.

use crate::mirror::MirrorError;
use crate::record::Customer;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, ToSql};

/// A customer as the mirror holds it.
pub(in crate::mirror) struct Stored {
    pub(in crate::mirror) row: i64,
    pub(in crate::mirror) customer: Customer,
    pub(in crate::mirror) events_checked_at: Option<Timestamp>,
}

/// The columns that a change of a customer writes, in the order of [`bind`].
macro_rules! customer_columns {
    () => {
        "email, first_name, last_name, phone_number, created_at, updated_at, extra"
    };
}

/// A query for what [`read_customer`] reads.
macro_rules! select_customers {
    ($where:literal) => {
        concat!(
            "SELECT rowid, id, ",
            $crate::mirror::tables::customer_rows::customer_columns!(),
            ", events_checked_at FROM customers WHERE ",
            $where
        )
    };
}

pub(super) use {customer_columns, select_customers};

/// The parameters of an insert or update: the key (id or row number), the customer's columns, and the change's number.
pub(super) fn bind<'c>(key: &'c dyn ToSql, customer: &'c Customer, seq: &'c i64) -> [&'c dyn ToSql; 9] {
    let Customer { id: _, email, first_name, last_name, phone_number, created_at, updated_at, extra } =
        customer;
    [key, email, first_name, last_name, phone_number, created_at, updated_at, extra, seq]
}

pub(in crate::mirror) fn stored_customer(
    connection: &Connection,
    id: &str,
) -> Result<Option<Stored>, MirrorError> {
    by_id(connection, id, read_customer)
}

/// What `read` makes of a customer's row, as [`read_customer`] describes it; `None` if there is none.
pub(in crate::mirror) fn by_id<T>(
    connection: &Connection,
    id: &str,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, MirrorError> {
    let mut select = connection.prepare_cached(select_customers!("id = ?1"))?;
    Ok(select.query_row([id], read).optional()?)
}

/// Reads a row of `select_customers!`.
pub(in crate::mirror) fn read_customer(row: &Row<'_>) -> rusqlite::Result<Stored> {
    Ok(Stored {
        row: row.get(0)?,
        customer: Customer {
            id: row.get(1)?,
            email: row.get(2)?,
            first_name: row.get(3)?,
            last_name: row.get(4)?,
            phone_number: row.get(5)?,
            created_at: row.get(6)?,
            updated_at: row.get(7)?,
            extra: row.get(8)?,
        },
        events_checked_at: time(row, 9)?,
    })
}

/// A time that the mirror wrote itself. One that can't be read counts as none: the work it guards is then done again.
pub(in crate::mirror) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get_ref(column)?.as_str_or_null()?.and_then(|text| text.parse().ok()))
}
