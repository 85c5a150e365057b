//! Everything by which the mirror knows a person.

use crate::mirror::MirrorError;
use crate::mirror::tombstones::Identifier;
use crate::mirror::transaction::{Batch, Snapshot};
use crate::record::{digits, folded};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Whom somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Asked {
    /// By what.
    pub identifier: Identifier,
    /// As given.
    pub value: String,
}

impl Asked {
    /// What a text is most likely to be: an address where it has an `@`, a telephone number where it has nothing but
    /// digits and what stands between them, else an id. What else it may be is looked for as well.
    pub fn guessed(value: &str) -> Vec<Asked> {
        let asked = |identifier| Asked { identifier, value: value.to_owned() };
        if value.contains('@') {
            return vec![asked(Identifier::Email), asked(Identifier::Id)];
        }
        let is_of_number =
            |c: char| c.is_ascii_digit() || matches!(c, ' ' | '+' | '-' | '.' | '(' | ')' | '/');
        if value.chars().all(is_of_number) && digits(value).len() >= 5 {
            return vec![asked(Identifier::PhoneNumber), asked(Identifier::Id)];
        }
        vec![asked(Identifier::Id)]
    }
}

/// A customer, with what names him in any version that the mirror knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// The customer's id.
    pub id: String,
    /// Addresses, as they stood.
    pub emails: BTreeSet<String>,
    /// Telephone numbers, as they stood.
    pub phone_numbers: BTreeSet<String>,
    /// First and last names, as they stood.
    pub names: BTreeSet<String>,
}

impl Person {
    /// Whether it is this one who is asked for.
    pub(super) fn is_asked_for_by(&self, asked: &Asked) -> bool {
        match asked.identifier {
            Identifier::Id => self.id == asked.value,
            Identifier::Email => self.emails.iter().any(|email| folded(email) == folded(&asked.value)),
            Identifier::PhoneNumber => {
                self.phone_numbers.iter().any(|number| digits(number) == digits(&asked.value))
            }
            Identifier::Event => false,
        }
    }
}

const VERSIONS: &str = "SELECT id, email, phone_number, first_name, last_name FROM customers \
     UNION ALL SELECT id, email, phone_number, first_name, last_name FROM customers_superseded";

impl Snapshot<'_> {
    /// The customers that any of these ask for: by id, or by an address or a number that one of their versions has or
    /// had. In the order of their ids. Reads all customers once.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn persons(&self, asked: &[Asked]) -> Result<Vec<Person>, MirrorError> {
        persons(&self.transaction, asked)
    }
}

impl Batch<'_> {
    /// As [`Snapshot::persons`].
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn persons(&self, asked: &[Asked]) -> Result<Vec<Person>, MirrorError> {
        persons(&self.transaction, asked)
    }
}

fn persons(connection: &Connection, asked: &[Asked]) -> Result<Vec<Person>, MirrorError> {
    let wanted = |identifier: Identifier, fold: fn(&str) -> String| -> HashSet<String> {
        let of_it = asked.iter().filter(|asked| asked.identifier == identifier);
        of_it.map(|asked| fold(&asked.value)).collect()
    };
    let ids = wanted(Identifier::Id, str::to_owned);
    let (emails, numbers) = (wanted(Identifier::Email, folded), wanted(Identifier::PhoneNumber, digits));
    let mut found: BTreeMap<String, Person> = BTreeMap::new();
    let is_wanted = |value: Option<&str>, fold: fn(&str) -> String, wanted: &HashSet<String>| {
        !wanted.is_empty() && value.is_some_and(|value| wanted.contains(&fold(value)))
    };
    let mut add = |id: &str| {
        if !found.contains_key(id) {
            found.insert(id.to_owned(), Person { id: id.to_owned(), ..Person::default() });
        }
    };
    each_version(connection, |id, [email, number, ..]| {
        if ids.contains(id) || is_wanted(email, folded, &emails) || is_wanted(number, digits, &numbers) {
            add(id);
        }
    })?;
    // Of one who was deleted long ago, the log may be all that is left.
    let mut deleted = connection.prepare(
        "SELECT EXISTS (SELECT 1 FROM change_log WHERE op = 'delete' AND stream = 'customers' AND id = ?1)",
    )?;
    for id in &ids {
        if deleted.query_row([id], |row| row.get::<_, bool>(0))? {
            add(id);
        }
    }
    if found.is_empty() {
        return Ok(Vec::new());
    }
    each_version(connection, |id, [email, number, first, last]| {
        if let Some(person) = found.get_mut(id) {
            let some = |value: Option<&str>| value.filter(|value| !value.is_empty()).map(str::to_owned);
            person.emails.extend(some(email));
            person.phone_numbers.extend(some(number));
            person.names.extend(some(first).into_iter().chain(some(last)));
        }
    })?;
    Ok(found.into_values().collect())
}

fn each_version(
    connection: &Connection,
    mut each: impl FnMut(&str, [Option<&str>; 4]),
) -> Result<(), MirrorError> {
    fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<Option<&'r str>, MirrorError> {
        row.get_ref(column)?.as_str_or_null().map_err(|_| MirrorError::unreadable("a customer's text"))
    }
    let mut select = connection.prepare(VERSIONS)?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let id = text(row, 0)?.unwrap_or_default();
        each(id, [text(row, 1)?, text(row, 2)?, text(row, 3)?, text(row, 4)?]);
    }
    Ok(())
}

/// A row by the names of its columns, each value as JSON.
type JsonRow = BTreeMap<String, Box<RawValue>>;

/// Where rows of a customer stand, and by which column.
const HELD: &[(&str, &str)] = &[
    ("customers_history", "id"),
    ("customers_deleted", "id"),
    ("events_history", "customer_id"),
    ("events_deleted", "customer_id"),
    ("orders", "customer_id"),
    ("shipments", "customer_id"),
    ("customer_summary", "id"),
    ("rejected", "customer_id"),
    ("audit_findings", "customer_id"),
    ("event_failures", "customer_id"),
    ("event_lists", "customer_id"),
    ("webhook_hints", "customer_id"),
];

impl Snapshot<'_> {
    /// The rows of a customer in every table and view that has any.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn held_of(&self, customer_id: &str) -> Result<Vec<(String, Vec<JsonRow>)>, MirrorError> {
        let mut held = Vec::new();
        for (table, column) in HELD {
            let sql = format!("SELECT * FROM {table} WHERE {column} = ?1");
            let mut select = self.transaction.prepare(&sql)?;
            let columns: Vec<String> = select.column_names().map(str::to_owned).collect();
            let mut rows = select.query([customer_id])?;
            let mut of_table = Vec::new();
            while let Some(row) = rows.next()? {
                let mut values = JsonRow::new();
                for (n, column) in columns.iter().enumerate() {
                    values.insert(column.clone(), json(row, n)?);
                }
                of_table.push(values);
            }
            if !of_table.is_empty() {
                held.push(((*table).to_owned(), of_table));
            }
        }
        Ok(held)
    }
}

/// A value as JSON; a text that is itself an object or an array stands there as it is.
fn json(row: &Row<'_>, column: usize) -> Result<Box<RawValue>, MirrorError> {
    let unreadable = || MirrorError::unreadable("a value that has no JSON form");
    let value = match row.get_ref(column)? {
        ValueRef::Null => Ok("null".to_owned()),
        ValueRef::Integer(number) => Ok(number.to_string()),
        ValueRef::Real(number) => serde_json::to_string(&number),
        ValueRef::Blob(bytes) => serde_json::to_string(&String::from_utf8_lossy(bytes)),
        ValueRef::Text(bytes) => {
            let text = String::from_utf8_lossy(bytes);
            if text.starts_with(['{', '['])
                && let Ok(raw) = serde_json::from_str::<Box<RawValue>>(&text)
            {
                return Ok(raw);
            }
            serde_json::to_string(&text)
        }
    };
    RawValue::from_string(value.map_err(|_| unreadable())?).map_err(|_| unreadable())
}
