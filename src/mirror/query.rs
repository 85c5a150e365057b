//! Queries that people type: whatever they are, they only read, and each sees one state of the mirror.

use super::database::{migrations, read_only};
use super::error::MirrorError;
use super::masked_views::MaskedViews;
use crate::masking::Masker;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, InterruptHandle, Statement};
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// What SQLite may be asked about itself and the mirror without a change to either.
const PRAGMAS: &[&str] = &[
    "application_id",
    "collation_list",
    "compile_options",
    "database_list",
    "encoding",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "page_count",
    "page_size",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];

/// Of these, which take a value that changes nothing: a table's name, or a number of errors.
const PRAGMAS_WITH_VALUES: &[&str] = &[
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// Why a query gave no result, or not the whole of it.
#[derive(Debug, thiserror::Error)]
pub enum QueryError<E> {
    /// It is no statement that SQLite understands.
    #[error("this is no SQL that SQLite takes: {0}")]
    Syntax(String),
    /// It would do more than read.
    #[error("this statement would do more than read")]
    NotReadOnly,
    /// It would see more than the profile shows.
    #[error("with a profile, a query reads these views alone: {}", .views.join(", "))]
    Hidden {
        /// Their names.
        views: Vec<String>,
    },
    /// It is more than one statement, or none.
    #[error("there has to be one statement")]
    NotOne,
    /// A parameter is given that the statement doesn't have.
    #[error("the query has no parameter :{name}{}", have(.known))]
    UnknownParameter {
        /// Without the colon.
        name: String,
        /// The parameters that it has.
        known: Vec<String>,
    },
    /// It was interrupted.
    #[error("the query was stopped")]
    Interrupted,
    /// SQLite failed while it ran.
    #[error("the query failed: {0}")]
    Failed(String),
    /// Whoever takes the rows takes no more.
    #[error("the rows of the result are not taken")]
    Rows(E),
}

fn have(known: &[String]) -> String {
    if known.is_empty() {
        return ", and no other".to_owned();
    }
    let known: Vec<String> = known.iter().map(|name| format!(":{name}")).collect();
    format!("; it has {}", known.join(", "))
}

/// A value of a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'r> {
    /// NULL.
    Null,
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// A text; bytes that are no UTF-8 are replaced.
    Text(Cow<'r, str>),
    /// Bytes.
    Blob(&'r [u8]),
}

/// Takes the rows of a result.
pub trait Rows {
    /// Why it takes no more.
    type Error;

    /// The names of the columns; called once, before all rows.
    ///
    /// # Errors
    /// When no rows are wanted.
    fn begin(&mut self, columns: &[String]) -> Result<(), Self::Error>;

    /// The next row.
    ///
    /// # Errors
    /// When no more rows are wanted.
    fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), Self::Error>;
}

/// A connection for queries.
pub struct Queries {
    connection: Connection,
    /// What may be read; `None`: everything.
    views: Option<MaskedViews>,
}

impl Queries {
    /// Opens the mirror at `path` for reading. Works while another process writes it. With a masker, queries see no more
    /// than its profile shows: views whose names begin with its name.
    ///
    /// # Errors
    /// As [`super::Mirror::open_read_only`].
    pub fn open(path: &Path, masker: Option<Arc<Masker>>) -> Result<Queries, MirrorError> {
        let path = read_only::find(path)?;
        let mut connection = read_only::connect(&path).map_err(|source| read_only::explain(&path, source))?;
        migrations::check_current(&connection, &path)?;
        let views = masker.map(|masker| MaskedViews::add(&connection, masker)).transpose();
        let views = views.map_err(|source| MirrorError::open(&path, source))?;
        let seen = views.clone();
        let authorizer = move |context: AuthContext<'_>| match &seen {
            Some(views) if !views.allow(&context) => Authorization::Deny,
            _ => only_reading(context),
        };
        connection.authorizer(Some(authorizer)).map_err(|source| MirrorError::open(&path, source))?;
        Ok(Queries { connection, views })
    }

    /// Stops the query that runs, from any thread.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.connection.get_interrupt_handle()
    }

    /// Whether the mirror has a table or a view of this name.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub fn has_table(&self, name: &str) -> Result<bool, MirrorError> {
        if let Some(views) = &self.views {
            return Ok(views.has(name));
        }
        let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type IN ('table', 'view') AND name = ?1 COLLATE NOCASE)";
        Ok(self.connection.query_row(sql, [name], |row| row.get(0))?)
    }

    /// Runs one statement. `parameters` are named without the colon; one that isn't given is NULL, and one that looks like an
    /// integer is one.
    ///
    /// # Errors
    /// When it is no statement, isn't one, would do more than read, fails, is interrupted, or `rows` takes no more.
    pub fn run<R: Rows>(
        &self,
        sql: &str,
        parameters: &[(String, String)],
        rows: &mut R,
    ) -> Result<(), QueryError<R::Error>> {
        self.run_seen(sql, parameters, rows).map_err(|error| match (&self.views, error) {
            (Some(views), QueryError::NotReadOnly) => QueryError::Hidden { views: views.names() },
            (_, error) => error,
        })
    }

    fn run_seen<R: Rows>(
        &self,
        sql: &str,
        parameters: &[(String, String)],
        rows: &mut R,
    ) -> Result<(), QueryError<R::Error>> {
        let mut statement = self.connection.prepare(sql).map_err(refuse)?;
        // What the authorizer isn't asked about, such as VACUUM INTO.
        if !statement.readonly() {
            return Err(QueryError::NotReadOnly);
        }
        bind(&mut statement, parameters)?;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        rows.begin(&columns).map_err(QueryError::Rows)?;
        let mut found = statement.raw_query();
        while let Some(row) = found.next().map_err(explain)? {
            let cell = |column| {
                Ok(match row.get_ref(column)? {
                    ValueRef::Null => Cell::Null,
                    ValueRef::Integer(number) => Cell::Integer(number),
                    ValueRef::Real(number) => Cell::Real(number),
                    ValueRef::Text(text) => Cell::Text(String::from_utf8_lossy(text)),
                    ValueRef::Blob(bytes) => Cell::Blob(bytes),
                })
            };
            let cells: rusqlite::Result<Vec<Cell<'_>>> = (0..columns.len()).map(cell).collect();
            let cells = cells.map_err(explain)?;
            rows.row(&cells).map_err(QueryError::Rows)?;
        }
        Ok(())
    }
}

fn bind<E>(statement: &mut Statement<'_>, given: &[(String, String)]) -> Result<(), QueryError<E>> {
    let names: Vec<String> = (1..=statement.parameter_count())
        .map(|n| {
            statement.parameter_name(n).unwrap_or_default().trim_start_matches([':', '@', '$']).to_owned()
        })
        .collect();
    for (name, _) in given {
        if !names.contains(name) {
            return Err(QueryError::UnknownParameter { name: name.clone(), known: names });
        }
    }
    for (n, name) in names.iter().enumerate() {
        let Some((_, value)) = given.iter().find(|(one, _)| one == name) else { continue };
        let number = value.parse::<i64>().ok().filter(|number| number.to_string() == *value);
        let bound = match number {
            Some(number) => statement.raw_bind_parameter(n + 1, number),
            None => statement.raw_bind_parameter(n + 1, value),
        };
        bound.map_err(explain)?;
    }
    Ok(())
}

/// What an error means that comes before the statement runs.
fn refuse<E>(error: rusqlite::Error) -> QueryError<E> {
    match explain(error) {
        QueryError::Failed(text) => QueryError::Syntax(text),
        other => other,
    }
}

fn explain<E>(error: rusqlite::Error) -> QueryError<E> {
    match (&error, error.sqlite_error_code()) {
        (_, Some(ErrorCode::OperationInterrupted)) => QueryError::Interrupted,
        (_, Some(ErrorCode::AuthorizationForStatementDenied | ErrorCode::ReadOnly)) => {
            QueryError::NotReadOnly
        }
        (rusqlite::Error::MultipleStatement | rusqlite::Error::Empty, _) => QueryError::NotOne,
        (rusqlite::Error::SqlInputError { msg, .. }, _) => QueryError::Syntax(msg.clone()),
        _ => QueryError::Failed(error.to_string()),
    }
}

fn only_reading(context: AuthContext<'_>) -> Authorization {
    let may = match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => function_name != "load_extension",
        AuthAction::Pragma { pragma_name, pragma_value } => {
            let names = if pragma_value.is_some() { PRAGMAS_WITH_VALUES } else { PRAGMAS };
            names.iter().any(|name| pragma_name.eq_ignore_ascii_case(name))
        }
        _ => false,
    };
    if may { Authorization::Allow } else { Authorization::Deny }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::masking::{Classes, FieldRule, Profile, Rule};
    use crate::mirror::Mirror;
    use tempfile::TempDir;

    /// Takes all rows, as text.
    #[derive(Default)]
    struct All(Vec<String>);

    impl Rows for All {
        type Error = ();

        fn begin(&mut self, columns: &[String]) -> Result<(), ()> {
            self.0.push(columns.join(","));
            Ok(())
        }

        fn row(&mut self, cells: &[Cell<'_>]) -> Result<(), ()> {
            let cells: Vec<String> = cells.iter().map(|cell| format!("{cell:?}")).collect();
            self.0.push(cells.join(","));
            Ok(())
        }
    }

    fn mirror() -> (TempDir, Queries) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        drop(Mirror::open(&path).unwrap());
        let queries = Queries::open(&path, None).unwrap();
        (folder, queries)
    }

    fn ask(queries: &Queries, sql: &str, parameters: &[(&str, &str)]) -> Result<Vec<String>, QueryError<()>> {
        let mut all = All::default();
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        queries.run(sql, &parameters.iter().map(own).collect::<Vec<_>>(), &mut all).map(|()| all.0)
    }

    #[test]
    fn every_kind_of_value() {
        let (_folder, queries) = mirror();
        let found = ask(&queries, "SELECT NULL a, 7 b, 1.5 c, '' d, 'é' e, x'00ff' f", &[]).unwrap();
        let row = "Null,Integer(7),Real(1.5),Text(\"\"),Text(\"é\"),Blob([0, 255])";
        assert_eq!(found, ["a,b,c,d,e,f", row]);
    }

    #[test]
    fn whatever_is_typed_only_reads() {
        let (folder, queries) = mirror();
        let before = std::fs::read(folder.path().join("mirror.db")).unwrap();
        let other = folder.path().join("other.db").display().to_string();
        for sql in [
            "DELETE FROM customers",
            "INSERT INTO meta VALUES ('a', 'b')",
            "UPDATE meta SET value = 1",
            "CREATE TABLE a (b)",
            "CREATE TEMP TABLE a (b)",
            "CREATE TEMP VIEW a AS SELECT 1",
            "DROP VIEW orders",
            "ALTER TABLE customers RENAME TO a",
            "PRAGMA user_version = 3",
            "PRAGMA journal_mode = DELETE",
            "PRAGMA query_only = 0",
            "PRAGMA wal_checkpoint",
            "BEGIN IMMEDIATE",
            "SAVEPOINT a",
            "VACUUM",
            &format!("VACUUM INTO '{other}'"),
            &format!("ATTACH '{other}' AS other"),
            "REINDEX",
            "ANALYZE",
            "WITH a AS (SELECT 1) DELETE FROM events",
            "EXPLAIN DELETE FROM events",
        ] {
            assert!(matches!(ask(&queries, sql, &[]), Err(QueryError::NotReadOnly)), "{sql}");
        }
        assert!(ask(&queries, "SELECT load_extension('a')", &[]).is_err());
        assert_eq!(std::fs::read(folder.path().join("mirror.db")).unwrap(), before);
        assert!(!folder.path().join("other.db").exists());
        for sql in [
            "PRAGMA table_info(customers)",
            "SELECT name FROM pragma_table_info('customers')",
            "PRAGMA user_version",
            "EXPLAIN QUERY PLAN SELECT * FROM orders",
            "SELECT value FROM json_each('[1]')",
            "VALUES (1)",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT * FROM n;  -- three",
        ] {
            assert!(ask(&queries, sql, &[]).unwrap().len() > 1, "{sql}");
        }
    }

    #[test]
    fn there_has_to_be_one_good_statement() {
        let (_folder, queries) = mirror();
        for sql in ["SELECT 1; SELECT 2", "", "-- nothing", ";"] {
            assert!(matches!(ask(&queries, sql, &[]), Err(QueryError::NotOne)), "{sql}");
        }
        let error = ask(&queries, "SELECT nowhere FROM customers", &[]).unwrap_err();
        assert_eq!(error.to_string(), "this is no SQL that SQLite takes: no such column: nowhere");
    }

    #[test]
    fn a_profile_is_not_to_be_got_around() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mirror.db");
        let mirror = Mirror::open(&path).unwrap();
        mirror
            .connection
            .execute_batch(
                "INSERT INTO customers (inserted_seq, change_seq, id, email, first_name) \
                 VALUES (1, 1, 'c-1', 'jane@x.y', 'Jane')",
            )
            .unwrap();
        let fields = [FieldRule { path: vec!["customers".into(), "email".into()], rule: Rule::Domain }];
        let profile = Profile::new("a-b", folder.path().join("key"), Classes::default(), &fields).unwrap();
        let masker = Arc::new(Masker::open(&profile).unwrap());
        let queries = Queries::open(&path, Some(masker)).unwrap();
        let found = ask(&queries, "SELECT length(id), email, first_name FROM a_b_customers", &[]).unwrap();
        assert_eq!(found[1], "Integer(32),Text(\"x.y\"),Null");
        for sql in [
            "SELECT count(*) FROM a_b_events",
            "SELECT id, valid_from FROM a_b_customers_history WHERE first_name IS NULL",
            "WITH c AS (SELECT * FROM a_b_customers) SELECT * FROM c AS a JOIN a_b_customers AS b USING (id)",
            "SELECT count(*) FROM customers",
            "SELECT value FROM json_each('[1]')",
            "SELECT upper(email) FROM (SELECT email FROM a_b_customers)",
        ] {
            assert_eq!(ask(&queries, sql, &[]).unwrap().len(), 2, "{sql}");
        }
        for sql in [
            "SELECT email FROM customers",
            "SELECT * FROM customers_history",
            "SELECT * FROM field_changes",
            "SELECT * FROM a_b_customers AS a JOIN customers AS b",
            "SELECT (SELECT email FROM main.customers) FROM a_b_customers",
            "SELECT * FROM a_b_customers WHERE EXISTS (SELECT 1 FROM customers WHERE email = 'jane@x.y')",
            "SELECT sql FROM sqlite_schema",
            "SELECT sql FROM sqlite_temp_schema",
            "PRAGMA table_info(customers)",
            "PRAGMA integrity_check",
            "DELETE FROM customers",
            "DROP VIEW a_b_customers",
            "ATTACH 'x' AS other",
        ] {
            assert!(matches!(ask(&queries, sql, &[]), Err(QueryError::Hidden { .. })), "{sql}");
        }
        for sql in [
            "SELECT malomo_mirror_shown(0, 1, 'jane@x.y')",
            "SELECT MALOMO_MIRROR_SHOWN(0, 0, id) FROM a_b_customers",
        ] {
            let error = ask(&queries, sql, &[]).unwrap_err().to_string();
            assert!(error.contains("not authorized to use function"), "{error}");
        }
    }

    #[test]
    fn parameters_by_name() {
        let (_folder, queries) = mirror();
        let found = ask(&queries, "SELECT :a, :b, $c", &[("a", "7"), ("c", "007")]).unwrap();
        assert_eq!(found[1], "Integer(7),Null,Text(\"007\")");
        let error = ask(&queries, "SELECT :a, :b", &[("d", "1")]).unwrap_err();
        assert_eq!(error.to_string(), "the query has no parameter :d; it has :a, :b");
        let error = ask(&queries, "SELECT 1", &[("d", "1")]).unwrap_err();
        assert_eq!(error.to_string(), "the query has no parameter :d, and no other");
    }

    #[test]
    fn a_query_can_be_stopped() {
        let (_folder, queries) = mirror();
        let handle = queries.interrupt_handle();
        struct Stop(InterruptHandle, u64);
        impl Rows for Stop {
            type Error = ();
            fn begin(&mut self, _: &[String]) -> Result<(), ()> {
                Ok(())
            }
            fn row(&mut self, _: &[Cell<'_>]) -> Result<(), ()> {
                self.1 += 1;
                self.0.interrupt();
                Ok(())
            }
        }
        let mut stop = Stop(handle, 0);
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT * FROM n";
        assert!(matches!(queries.run(endless, &[], &mut stop), Err(QueryError::Interrupted)));
        assert_eq!(stop.1, 1);
    }
}
