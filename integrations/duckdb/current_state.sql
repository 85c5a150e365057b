-- The current state of an account as Parquet files by month, from the Parquet exports of malomo-mirror. Run it in the export
-- folder, after each export:
--     duckdb ~/malomo.duckdb < current_state.sql
-- The tables STREAM_newest hold the newest change of each record that ever was, deletes too, and `applied` the last change that
-- is in them. Each change is taken once; a run that is cut off changes nothing. state/STREAM has what is current, written anew
-- each time. Of older files only the statistics are read.

CREATE TABLE IF NOT EXISTS applied (stream VARCHAR PRIMARY KEY, through BIGINT NOT NULL);
INSERT OR IGNORE INTO applied VALUES ('customers', 0), ('events', 0);
CREATE TABLE IF NOT EXISTS customers_newest AS FROM read_parquet('customers/*.parquet') LIMIT 0;
CREATE TABLE IF NOT EXISTS events_newest AS FROM read_parquet('events/*.parquet') LIMIT 0;

-- What the manifest announces is whole.
CREATE OR REPLACE TEMP TABLE announced AS
SELECT stream, max(line.last_seq) AS last_seq, min(line.first_seq) FILTER (line.last_seq > applied.through) AS next_seq
FROM read_json('manifest.ndjson', format = 'newline_delimited', ignore_errors = true,
               columns = {'stream': 'VARCHAR', 'format': 'VARCHAR', 'first_seq': 'BIGINT', 'last_seq': 'BIGINT'}) AS line
JOIN applied USING (stream) WHERE line.format = 'parquet' GROUP BY stream;

SELECT error(stream || ': the files after change ' || through || ' are gone; begin anew with a snapshot')
FROM announced JOIN applied USING (stream) WHERE next_seq > through + 1;

SET VARIABLE customers_through = (SELECT through FROM applied WHERE stream = 'customers');
SET VARIABLE customers_last = (SELECT last_seq FROM announced WHERE stream = 'customers');
SET VARIABLE events_through = (SELECT through FROM applied WHERE stream = 'events');
SET VARIABLE events_last = (SELECT last_seq FROM announced WHERE stream = 'events');

BEGIN;
CREATE OR REPLACE TEMP TABLE customers_new AS
FROM read_parquet('customers/*.parquet')
WHERE _seq > getvariable('customers_through') AND _seq <= getvariable('customers_last')
QUALIFY row_number() OVER (PARTITION BY id ORDER BY _seq DESC) = 1;
DELETE FROM customers_newest WHERE id IN (SELECT id FROM customers_new);
INSERT INTO customers_newest BY NAME FROM customers_new;

CREATE OR REPLACE TEMP TABLE events_new AS
FROM read_parquet('events/*.parquet')
WHERE _seq > getvariable('events_through') AND _seq <= getvariable('events_last')
QUALIFY row_number() OVER (PARTITION BY id ORDER BY _seq DESC) = 1;
DELETE FROM events_newest WHERE id IN (SELECT id FROM events_new);
INSERT INTO events_newest BY NAME FROM events_new;

UPDATE applied SET through = announced.last_seq FROM announced WHERE applied.stream = announced.stream;
COMMIT;

COPY (SELECT *, coalesce(strftime(created_at_utc, '%Y-%m'), 'unknown') AS month FROM customers_newest WHERE _op IN ('insert', 'update'))
TO 'state/customers' (FORMAT parquet, PARTITION_BY (month), OVERWRITE);
COPY (SELECT *, coalesce(strftime(occurred_at, '%Y-%m'), 'unknown') AS month FROM events_newest WHERE _op IN ('insert', 'update'))
TO 'state/events' (FORMAT parquet, PARTITION_BY (month), OVERWRITE);
