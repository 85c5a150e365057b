//! `describe`: the dictionary, without a mirror and with one.

use crate::support::{Account, Place, Program, World, sandbox};
use malomo_mirror::sandbox::Settings;
use serde_json::Value;
use std::collections::BTreeMap;

const FORMS: [&str; 15] = [
    "text",
    "markdown",
    "json",
    "postgres",
    "duckdb",
    "bigquery",
    "snowflake",
    "redshift",
    "clickhouse",
    "spark",
    "pandas",
    "polars",
    "dbt",
    "datasette",
    "datapackage",
];

fn without_a_mirror(place: &Place) -> Program {
    Program::new(place.path()).set(&format!("mirror.path={}", place.path().join("none.db").display()))
}

/// The columns of each table, by name.
fn described(dictionary: &Value) -> BTreeMap<String, Vec<String>> {
    let tables = dictionary["tables"].as_array().unwrap().iter();
    let described = tables.map(|table| {
        let columns = table["columns"].as_array().unwrap().iter();
        let names = columns.map(|column| column["name"].as_str().unwrap().to_owned());
        (table["name"].as_str().unwrap().to_owned(), names.collect())
    });
    described.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_form_is_printed_without_a_mirror_or_a_key() {
    let place = Place::new();
    let program = without_a_mirror(&place);
    for form in FORMS {
        let printed = program.ends(0, &["describe", "--as", form]).await.stdout;
        assert!(printed.contains("phone_number"), "{form}");
        let is_of_tables_alone = matches!(form, "dbt" | "datasette" | "markdown");
        assert_eq!(printed.contains("_observed_at"), !is_of_tables_alone, "{form}");
        let one = program.ends(0, &["describe", "customers", "--as", form]).await.stdout;
        assert!(one.len() < printed.len() && !one.contains("link_back_url"), "{form}: {one}");
    }
    let text = program.ends(0, &["describe"]).await.stdout;
    assert_eq!(text, program.ends(0, &["describe", "--as", "text"]).await.stdout);
    for form in ["json", "datasette", "datapackage"] {
        let printed = program.ends(0, &["describe", "--as", form]).await.stdout;
        assert!(serde_json::from_str::<Value>(&printed).unwrap().is_object(), "{form}");
    }
    program
        .ends(0, &["describe", "event_shopify_order_created"])
        .await
        .shows(&["occurred_at", "updated_at_utc"]);
    assert!(!place.path().join("none.db").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_names_get_the_nearest_known_one() {
    let place = Place::new();
    let program = without_a_mirror(&place);
    program.ends(2, &["describe", "custmers_history"]).await.tells(&["did you mean customers_history?"]);
    program.ends(2, &["describe", "customers", "--as", "postgre"]).await.tells(&["'postgres'"]);
    program.ends(2, &["describe", "freshness", "--as", "duckdb"]).await.tells(&["name customers or events"]);
}

/// Two statements about each stream have to be there, whatever the engine: what keeps tombstones, and what
/// leaves them out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn databases_keep_every_change_and_show_the_newest() {
    let place = Place::new();
    let program = without_a_mirror(&place);
    for form in ["postgres", "duckdb", "bigquery", "snowflake", "redshift", "clickhouse", "spark"] {
        for stream in ["customers", "events"] {
            let printed = program.ends(0, &["describe", stream, "--as", form]).await.stdout;
            let quote = if printed.contains("\"_seq\"") { '"' } else { '`' };
            for name in [format!("{stream}_changes"), stream.to_owned(), "_op".to_owned(), "extra".to_owned()]
            {
                assert!(printed.contains(&format!("{quote}{name}{quote}")), "{form}: {name} is not quoted");
            }
            assert!(printed.contains("NOT IN ('delete', 'erase')"), "{form}");
            let is_run = !["bigquery", "snowflake", "redshift"].contains(&form);
            assert_eq!(printed.contains("written by its documentation, and not run"), !is_run, "{form}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_mirror_the_views_of_its_event_types_are_described_as_they_are() {
    let sandbox = sandbox(Settings { customers: 30, awkward: true, ..Settings::default() }).await;
    let place = Place::new();
    let program = place.program(&sandbox.base_url());
    program.ends(0, &["sync", "--full"]).await;
    let dictionary = program.ends(0, &["describe", "--as", "json"]).await.json();
    assert_eq!(dictionary["any_event_view"], Value::Null);
    let mut described = described(&dictionary);
    let views = place.text("SELECT group_concat(view_name) FROM event_types");
    assert!(views.split(',').count() > 3, "{views}");
    for name in views.split(',') {
        let named = format!("(SELECT name FROM pragma_table_info('{name}') ORDER BY cid)");
        let columns = place.text(&format!("SELECT group_concat(name) FROM {named}"));
        let columns: Vec<&str> = columns.split(',').collect();
        assert_eq!(described.remove(name).unwrap(), columns, "{name}");
        program.ends(0, &["describe", name, "--as", "dbt"]).await.shows(&[name]);
    }
    assert!(described.contains_key("orders") && !described.keys().any(|name| name.contains('<')));
    program.ends(2, &["describe", "event_of_nobody"]).await.tells(&["is no table"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_export_folder_has_its_data_package() {
    let World { account, server: _server, place, program } = World::of(Account::of(2, 1, 5)).await;
    program.ends(0, &["sync", "--full"]).await;
    let printed = program.ends(0, &["describe", "--as", "datapackage"]).await.stdout;
    let path = place.exports().join("datapackage.json");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), printed);
    std::fs::remove_file(&path).unwrap();
    program.ends(0, &["export", "verify"]).await;
    program.ends(0, &["export"]).await;
    assert!(!path.exists(), "there was nothing to announce");
    account.lock().add("c-03", 1);
    program.ends(0, &["sync", "--full"]).await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), printed);
}
