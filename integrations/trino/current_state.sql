-- For Trino with the Hive connector (catalog `hive`, schema `malomo`): tables over the Parquet files of malomo-mirror where they
-- lie, and views of the records as they are now. Written by Trino's documentation, and not run.
-- The folders have to hold Parquet alone: set export.formats, or those of a destination, to ["parquet"].

CREATE TABLE IF NOT EXISTS hive.malomo.customers_changes (
    _seq bigint, _op varchar, _observed_at timestamp(6) with time zone,
    id varchar, email varchar, first_name varchar, last_name varchar, phone_number varchar,
    created_at varchar, updated_at varchar, extra varchar,
    created_at_utc timestamp(6) with time zone, updated_at_utc timestamp(6) with time zone
) WITH (external_location = 's3://BUCKET/PREFIX/customers/', format = 'PARQUET');

CREATE TABLE IF NOT EXISTS hive.malomo.events_changes (
    _seq bigint, _op varchar, _observed_at timestamp(6) with time zone,
    id varchar, customer_id varchar, type varchar, label varchar, link_back_url varchar, "timestamp" bigint,
    properties varchar, created_at varchar, updated_at varchar, extra varchar,
    occurred_at timestamp(6) with time zone,
    created_at_utc timestamp(6) with time zone, updated_at_utc timestamp(6) with time zone
) WITH (external_location = 's3://BUCKET/PREFIX/events/', format = 'PARQUET');

CREATE OR REPLACE VIEW hive.malomo.customers AS
SELECT id, email, first_name, last_name, phone_number, created_at_utc, updated_at_utc, extra, _seq
FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY _seq DESC) AS age FROM hive.malomo.customers_changes)
WHERE age = 1 AND _op IN ('insert', 'update');

CREATE OR REPLACE VIEW hive.malomo.events AS
SELECT id, customer_id, type, label, link_back_url, occurred_at, properties, created_at_utc, updated_at_utc, extra, _seq
FROM (SELECT *, row_number() OVER (PARTITION BY id ORDER BY _seq DESC) AS age FROM hive.malomo.events_changes)
WHERE age = 1 AND _op IN ('insert', 'update');
