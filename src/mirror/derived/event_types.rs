//! The tables `event_types` and `event_properties`, and the views that follow from them.

use super::TypeChanges;
use super::views::{FIXED, PropertyColumn, create};
use crate::derived::{ColumnType, JsonTypes, Names, Seen};
use crate::mirror::MirrorError;
use crate::mirror::transaction::{Batch, utc_text};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

/// So many types have views. An account that has more makes up its types.
const VIEWS_AT_MOST: usize = 200;

/// So many columns of properties a view has. SQLite takes 2,000, but nobody reads as many, and other tools take fewer.
const COLUMNS_AT_MOST: usize = 600;

/// So many paths are remembered of a type.
const PATHS_AT_MOST: usize = 1_000;

/// What a person should know of one pass.
struct Notes {
    /// The time of the pass.
    now: String,
    /// Columns that hold texts from now on.
    texts: Vec<String>,
    /// Views with all the columns that they get.
    full_views: Vec<String>,
    /// New types that get no view.
    types_without_view: u64,
}

impl Notes {
    fn remarks(self) -> Vec<String> {
        let mut remarks = self.texts;
        if let Some(first) = self.full_views.first() {
            let others = match self.full_views.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            remarks.push(format!(
                "{first}{others}: there are more properties than the {COLUMNS_AT_MOST} columns that a view gets for them; \
                 event_properties has those without one"
            ));
        }
        if self.types_without_view > 0 {
            remarks.push(format!(
                "{} new types of events have no view of their own, since {VIEWS_AT_MOST} others have one; event_types has them",
                self.types_without_view
            ));
        }
        remarks
    }
}

impl Batch<'_> {
    /// Counts what came and went of each type, and makes the views that this calls for. Returns what a person should know of it.
    pub(super) fn derive_types(
        &mut self,
        types: HashMap<String, TypeChanges>,
        now: Timestamp,
    ) -> Result<Vec<String>, MirrorError> {
        let mut notes =
            Notes { now: utc_text(now), texts: Vec::new(), full_views: Vec::new(), types_without_view: 0 };
        let mut types: Vec<_> = types.into_iter().collect();
        types.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for (kind, changes) in types {
            let known = self.known_view(&kind)?;
            let (view, is_new) = match known {
                Some(view) => (view, false),
                None => (self.add_type(&kind, &mut notes)?, true),
            };
            let sql = "UPDATE event_types SET row_count = max(row_count + ?2, 0), last_seen_at = iif(?3, ?4, last_seen_at) \
                       WHERE type = ?1";
            self.transaction.prepare_cached(sql)?.execute(params![
                kind,
                changes.rows,
                changes.is_seen,
                notes.now
            ])?;
            let is_changed = self.derive_properties(&kind, view.as_deref(), &changes, &mut notes)?;
            if let Some(view) = view.filter(|_| is_new || is_changed) {
                self.make_view(&view, &kind)?;
            }
        }
        Ok(notes.remarks())
    }

    /// The view of a type, if it has one; `None` where the type isn't known.
    fn known_view(&self, kind: &str) -> rusqlite::Result<Option<Option<String>>> {
        let mut select =
            self.transaction.prepare_cached("SELECT view_name FROM event_types WHERE type = ?1")?;
        select.query_row([kind], |row| row.get(0)).optional()
    }

    /// Adds a type; returns the name of its view, if it is to have one.
    fn add_type(&mut self, kind: &str, notes: &mut Notes) -> rusqlite::Result<Option<String>> {
        let count = "SELECT count(view_name) FROM event_types";
        let views: i64 = self.transaction.query_row(count, [], |row| row.get(0))?;
        let view = if views < VIEWS_AT_MOST as i64 {
            let mut select = self.transaction.prepare("SELECT lower(name) FROM sqlite_schema")?;
            let taken: Vec<String> =
                select.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Some(Names::with(taken).add("event_", kind, "of_another_type"))
        } else {
            notes.types_without_view += 1;
            None
        };
        let sql = "INSERT INTO event_types (type, view_name, row_count, first_seen_at, last_seen_at) VALUES (?1, ?2, 0, ?3, ?3)";
        self.transaction.prepare_cached(sql)?.execute((kind, &view, &notes.now))?;
        Ok(view)
    }

    /// Counts the properties of a type; whether the columns of its view are others now.
    fn derive_properties(
        &mut self,
        kind: &str,
        view: Option<&str>,
        changes: &TypeChanges,
        notes: &mut Notes,
    ) -> rusqlite::Result<bool> {
        let (mut new, mut is_changed) = (Vec::new(), false);
        for seen in changes.properties.seen() {
            let mut select = self.transaction.prepare_cached(
                "SELECT column_name, column_type, json_types FROM event_properties WHERE type = ?1 AND path = ?2",
            )?;
            let known = select.query_row([kind, &seen.path], |row| {
                let (column, held, types): (Option<String>, String, String) =
                    (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok((column, ColumnType::from_name(&held), JsonTypes::from_names(&types)))
            });
            let Some((column, held, types)) = known.optional()? else {
                new.push(seen);
                continue;
            };
            let all = types.with(seen.types);
            let column_type = all.column_type(seen.is_identifier);
            let sql = "UPDATE event_properties SET column_type = ?3, json_types = ?4, row_count = max(row_count + ?5, 0), \
                       last_seen_at = iif(?6, ?7, last_seen_at) WHERE type = ?1 AND path = ?2";
            let is_seen = seen.types != JsonTypes::default();
            self.transaction.prepare_cached(sql)?.execute(params![
                kind,
                seen.path,
                column_type.name(),
                all.to_string(),
                seen.rows,
                is_seen,
                notes.now
            ])?;
            is_changed |= column.is_some() && all != types;
            if let (Some(column), Some(view), ColumnType::Text) = (column, view, column_type)
                && held.is_some_and(|held| held != ColumnType::Text)
            {
                notes.texts.push(format!(
                    "the column {column} of {view} holds texts from now on: its property was {types}, and now {} came",
                    seen.types
                ));
            }
        }
        // What only went was never counted: it came before there were these tables.
        new.retain(|seen| seen.types != JsonTypes::default());
        let has_more = self.add_properties(kind, view, new, notes)?;
        if changes.properties.is_cut_off() {
            tracing::debug!(kind, "more places in the properties of this type than are told apart");
        }
        Ok(is_changed || has_more)
    }

    /// Adds properties that no event of the type had before; whether the view has more columns by that. Where not all of them fit,
    /// those that most events have get columns.
    fn add_properties(
        &mut self,
        kind: &str,
        view: Option<&str>,
        mut new: Vec<Seen>,
        notes: &mut Notes,
    ) -> rusqlite::Result<bool> {
        if new.is_empty() {
            return Ok(false);
        }
        let mut select =
            self.transaction.prepare_cached("SELECT column_name FROM event_properties WHERE type = ?1")?;
        let taken: Vec<Option<String>> =
            select.query_map([kind], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        drop(select);
        new.truncate(PATHS_AT_MOST.saturating_sub(taken.len()));
        let mut columns = taken.iter().flatten().count();
        let mut by_rows: Vec<usize> = (0..new.len()).collect();
        by_rows.sort_by_key(|at| Reverse(new[*at].rows));
        let mut has_column = vec![false; new.len()];
        for at in by_rows {
            if view.is_some() && new[at].is_reachable && columns < COLUMNS_AT_MOST {
                has_column[at] = true;
                columns += 1;
            }
        }
        let lacks_column = |(seen, has): (&Seen, &bool)| view.is_some() && seen.is_reachable && !has;
        if let Some(view) = view.filter(|_| new.iter().zip(&has_column).any(lacks_column)) {
            notes.full_views.push(view.to_owned());
        }
        let has_more = has_column.contains(&true);
        let fixed = FIXED.iter().map(|name| (*name).to_owned());
        let mut names = Names::with(fixed.chain(taken.into_iter().flatten()));
        for (seen, has_column) in new.iter().zip(has_column) {
            let otherwise = if seen.path == "$" { "properties" } else { "property" };
            let column = has_column.then(|| names.add("", &seen.name, otherwise));
            let sql = "INSERT INTO event_properties (type, path, column_name, column_type, json_types, row_count, \
                       first_seen_at, last_seen_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
            self.transaction.prepare_cached(sql)?.execute(params![
                kind,
                seen.path,
                column,
                seen.types.column_type(seen.is_identifier).name(),
                seen.types.to_string(),
                seen.rows.max(0),
                notes.now
            ])?;
        }
        Ok(has_more)
    }

    /// Takes away properties that no event has any more and whose place has one of these texts or an e-mail address in it,
    /// and their columns. Whose an address is that no customer has, such as an order's, nobody can tell.
    pub(in crate::mirror) fn forget_properties<'t>(
        &mut self,
        texts: impl Iterator<Item = &'t str>,
    ) -> Result<(), MirrorError> {
        let mut select =
            self.transaction.prepare("SELECT type, path FROM event_properties WHERE row_count = 0")?;
        let unused: Vec<(String, String)> =
            select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
        drop(select);
        let texts: Vec<String> = texts.map(|text| text.trim().to_lowercase()).collect();
        let is_in = |path: &str| texts.iter().any(|text| !text.is_empty() && path.contains(text.as_str()));
        let names_somebody = |path: &str| path.contains('@') || is_in(path);
        let mut kinds = BTreeSet::new();
        for (kind, path) in unused.into_iter().filter(|(_, path)| names_somebody(&path.to_lowercase())) {
            let sql = "DELETE FROM event_properties WHERE type = ?1 AND path = ?2";
            self.transaction.prepare_cached(sql)?.execute([&kind, &path])?;
            kinds.insert(kind);
        }
        for kind in kinds {
            if let Some(Some(view)) = self.known_view(&kind)? {
                self.make_view(&view, &kind)?;
            }
        }
        Ok(())
    }

    fn make_view(&mut self, view: &str, kind: &str) -> Result<(), MirrorError> {
        let columns = self.property_columns(kind)?;
        let sql = format!("DROP VIEW IF EXISTS {view}; {}", create(view, kind, &columns));
        Ok(self.transaction.execute_batch(&sql)?)
    }

    /// The columns of a type's view, in the order in which their properties were first seen.
    fn property_columns(&self, kind: &str) -> Result<Vec<PropertyColumn>, MirrorError> {
        let mut select = self.transaction.prepare_cached(
            "SELECT column_name, path, json_types, column_type FROM event_properties \
             WHERE type = ?1 AND column_name IS NOT NULL ORDER BY rowid",
        )?;
        let mut rows = select.query([kind])?;
        let mut columns = Vec::new();
        while let Some(row) = rows.next()? {
            let (name, path, types, held): (String, String, String, String) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            let column_type = ColumnType::from_name(&held)
                .ok_or_else(|| MirrorError::unreadable("the type of a property's column"))?;
            columns.push(PropertyColumn { name, path, types: JsonTypes::from_names(&types), column_type });
        }
        Ok(columns)
    }
}
