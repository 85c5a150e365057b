//! The views of types of events, as they are there.

use crate::derived::ColumnType;
use crate::mirror::{MirrorError, Snapshot};

/// The view of a type of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTypeView {
    /// Its name.
    pub name: String,
    /// The type.
    pub event_type: String,
    /// The columns of its properties, in their order: name, path in the properties, and type.
    pub properties: Vec<(String, String, ColumnType)>,
}

impl Snapshot<'_> {
    /// Every view of a type of events, by name.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn event_views(&self) -> Result<Vec<EventTypeView>, MirrorError> {
        let mut select = self.transaction.prepare(
            "SELECT view_name, type, column_name, path, column_type FROM event_types LEFT JOIN event_properties AS p \
             USING (type) WHERE view_name IS NOT NULL ORDER BY view_name, p.rowid",
        )?;
        let mut rows = select.query([])?;
        let mut views: Vec<EventTypeView> = Vec::new();
        while let Some(row) = rows.next()? {
            let (name, event_type): (String, String) = (row.get(0)?, row.get(1)?);
            if views.last().is_none_or(|last| last.name != name) {
                views.push(EventTypeView { name, event_type, properties: Vec::new() });
            }
            let (Some(column), Some(view)) = (row.get::<_, Option<String>>(2)?, views.last_mut()) else {
                continue;
            };
            let kind = ColumnType::from_name(&row.get::<_, String>(4)?)
                .ok_or_else(|| MirrorError::unreadable("the type of a property's column"))?;
            view.properties.push((column, row.get(3)?, kind));
        }
        Ok(views)
    }
}
