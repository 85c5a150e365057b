-- Version 12: the tables of version 11 take the place of the old ones, and views show the change log, every version of every
-- row, what was deleted, and which field went from what to what.

CREATE UNIQUE INDEX customers_by_id ON customers_11 (id);
CREATE UNIQUE INDEX events_by_id ON events_11 (id);

-- Rows that no line of the log had inserted, if somebody has added any by hand: they are inserted now.
INSERT INTO customers_11 (id, email, first_name, last_name, phone_number, created_at, updated_at, extra, inserted_seq,
                          change_seq, events_checked_at)
SELECT id, email, first_name, last_name, phone_number, created_at, updated_at, extra,
       (SELECT coalesce(max(seq), 0) FROM changes) + row_number() OVER (ORDER BY rowid),
       (SELECT coalesce(max(seq), 0) FROM changes) + row_number() OVER (ORDER BY rowid), events_checked_at
FROM customers AS old WHERE NOT EXISTS (SELECT 1 FROM customers_11 AS new WHERE new.id = old.id);

INSERT INTO events_11 (id, customer_id, type, label, link_back_url, timestamp, properties, created_at, updated_at, extra,
                       inserted_seq, change_seq, missing_since, missing_run)
SELECT id, customer_id, type, label, link_back_url, timestamp, properties, created_at, updated_at, extra,
       n + row_number() OVER (ORDER BY old.rowid), n + row_number() OVER (ORDER BY old.rowid), missing_since, missing_run
FROM events AS old,
     (SELECT max((SELECT coalesce(max(seq), 0) FROM changes), (SELECT coalesce(max(inserted_seq), 0) FROM customers_11)) AS n)
WHERE NOT EXISTS (SELECT 1 FROM events_11 AS new WHERE new.id = old.id);

UPDATE stream_totals SET last_change_seq = nullif(max(coalesce(last_change_seq, 0), CASE stream
    WHEN 'customers' THEN (SELECT coalesce(max(inserted_seq), 0) FROM customers_11)
    ELSE (SELECT coalesce(max(inserted_seq), 0) FROM events_11) END), 0);

DROP TABLE changes;
DROP TABLE events;
DROP TABLE customers;
DROP TABLE deleted_11;
DELETE FROM meta WHERE key = 'moved_through';
ALTER TABLE customers_11 RENAME TO customers;
ALTER TABLE events_11 RENAME TO events;

CREATE INDEX events_of_customer ON events (customer_id, timestamp);

-- Few events are missing at any time; they are counted and gone through often.
CREATE INDEX events_missing ON events (missing_since) WHERE missing_since IS NOT NULL;

-- Few records are deleted.
CREATE INDEX deletes ON change_log (stream, id) WHERE op = 'delete';

-- A row that goes leaves the line of its insert, whoever deletes it.
CREATE TRIGGER customers_leave_their_insert AFTER DELETE ON customers BEGIN
    INSERT INTO change_log (seq, stream, op, id, observed_at, run_id)
    VALUES (OLD.inserted_seq, 'customers', 'insert', OLD.id, OLD.inserted_at, OLD.inserted_run);
END;
CREATE TRIGGER events_leave_their_insert AFTER DELETE ON events BEGIN
    INSERT INTO change_log (seq, stream, op, id, observed_at, run_id)
    VALUES (OLD.inserted_seq, 'events', 'insert', OLD.id, OLD.inserted_at, OLD.inserted_run);
END;

-- The change log: one row for each insert, update or delete that reached the mirror. Ask for a range of `seq`, and sort by
-- it, where you can: that reads just those lines. (To know the newest: ORDER BY seq DESC LIMIT 1; max(seq) reads all.)
-- SQLite merges the three tables in order only where each column has the same type in all of them, hence the casts.
CREATE VIEW changes (seq, stream, op, id, observed_at, run_id, evidence, customer_id) AS
SELECT seq, stream, op, id, observed_at, run_id, evidence, customer_id FROM change_log
UNION ALL
SELECT inserted_seq, CAST('customers' AS TEXT), CAST('insert' AS TEXT), id, inserted_at, inserted_run,
       CAST(NULL AS TEXT), CAST(NULL AS TEXT) FROM customers
UNION ALL
SELECT inserted_seq, CAST('events' AS TEXT), CAST('insert' AS TEXT), id, inserted_at, inserted_run,
       CAST(NULL AS TEXT), CAST(NULL AS TEXT) FROM events;

-- Every known version of every customer: the columns of customers, then the change that began it (`seq`, `op`, `valid_from`)
-- and the one that ended it (`end_seq`, `end_op`, `valid_to`; NULL: it is current).
-- As of change S: seq <= S AND (end_seq IS NULL OR end_seq > S). At time T: valid_from <= T AND (valid_to IS NULL OR valid_to > T).
CREATE VIEW customers_history AS
SELECT old.id, old.email, old.first_name, old.last_name, old.phone_number, old.created_at, old.updated_at, old.extra,
       old.seq, CASE WHEN old.seq = old.inserted_seq THEN 'insert' ELSE 'update' END AS op, old.valid_from,
       old.end_seq, ending.observed_at AS valid_to, ending.op AS end_op
FROM customers_superseded AS old CROSS JOIN change_log AS ending ON ending.seq = old.end_seq
UNION ALL
SELECT row.id, row.email, row.first_name, row.last_name, row.phone_number, row.created_at, row.updated_at, row.extra,
       row.change_seq, CASE WHEN row.change_seq = row.inserted_seq THEN 'insert' ELSE 'update' END,
       CAST(CASE WHEN row.change_seq = row.inserted_seq THEN row.inserted_at
                 ELSE (SELECT observed_at FROM change_log WHERE seq = row.change_seq) END AS TEXT),
       CAST(NULL AS INTEGER), CAST(NULL AS TEXT), CAST(NULL AS TEXT)
FROM customers AS row;

-- The same for events. An event that moved from one customer to another has a version with each `customer_id`.
CREATE VIEW events_history AS
SELECT old.id, old.customer_id, old.type, old.label, old.link_back_url, old.timestamp, old.properties, old.created_at,
       old.updated_at, old.extra,
       old.seq, CASE WHEN old.seq = old.inserted_seq THEN 'insert' ELSE 'update' END AS op, old.valid_from,
       old.end_seq, ending.observed_at AS valid_to, ending.op AS end_op
FROM events_superseded AS old CROSS JOIN change_log AS ending ON ending.seq = old.end_seq
UNION ALL
SELECT row.id, row.customer_id, row.type, row.label, row.link_back_url, row.timestamp, row.properties, row.created_at,
       row.updated_at, row.extra,
       row.change_seq, CASE WHEN row.change_seq = row.inserted_seq THEN 'insert' ELSE 'update' END,
       CAST(CASE WHEN row.change_seq = row.inserted_seq THEN row.inserted_at
                 ELSE (SELECT observed_at FROM change_log WHERE seq = row.change_seq) END AS TEXT),
       CAST(NULL AS INTEGER), CAST(NULL AS TEXT), CAST(NULL AS TEXT)
FROM events AS row;

-- Customers that were deleted and didn't come back, as they last stood, with `deleted_at` and what proved it. All but `id`
-- are NULL where the last version isn't known: it ended before the history begins, or was pruned.
CREATE VIEW customers_deleted AS
SELECT gone.id, last.email, last.first_name, last.last_name, last.phone_number, last.created_at, last.updated_at, last.extra,
       gone.seq AS deleted_seq, gone.observed_at AS deleted_at, gone.run_id, gone.evidence
FROM change_log AS gone LEFT JOIN customers_superseded AS last ON last.end_seq = gone.seq
WHERE gone.op = 'delete' AND gone.stream = 'customers'
  AND NOT EXISTS (SELECT 1 FROM customers AS back WHERE back.id = gone.id)
  AND NOT EXISTS (SELECT 1 FROM change_log AS later
                  WHERE later.op = 'delete' AND later.stream = 'customers' AND later.id = gone.id AND later.seq > gone.seq);

-- The same for events. `customer_id` is known of every event that was deleted since version 6.
CREATE VIEW events_deleted AS
SELECT gone.id, coalesce(last.customer_id, gone.customer_id) AS customer_id, last.type, last.label, last.link_back_url,
       last.timestamp, last.properties, last.created_at, last.updated_at, last.extra,
       gone.seq AS deleted_seq, gone.observed_at AS deleted_at, gone.run_id, gone.evidence
FROM change_log AS gone LEFT JOIN events_superseded AS last ON last.end_seq = gone.seq
WHERE gone.op = 'delete' AND gone.stream = 'events'
  AND NOT EXISTS (SELECT 1 FROM events AS back WHERE back.id = gone.id)
  AND NOT EXISTS (SELECT 1 FROM change_log AS later
                  WHERE later.op = 'delete' AND later.stream = 'events' AND later.id = gone.id AND later.seq > gone.seq);

-- Each field that an update changed, with its value before and after. The first SELECT has updates whose result is the
-- current version, the second those whose result was superseded in turn.
CREATE VIEW field_changes (seq, stream, id, column_name, old_value, new_value, observed_at) AS
WITH customer_updates AS (
    SELECT old.end_seq AS seq, old.id,
           old.email AS email, old.first_name AS first_name, old.last_name AS last_name, old.phone_number AS phone_number,
           old.created_at AS created_at, old.updated_at AS updated_at, old.extra AS extra,
           new.email AS new_email, new.first_name AS new_first_name, new.last_name AS new_last_name,
           new.phone_number AS new_phone_number, new.created_at AS new_created_at, new.updated_at AS new_updated_at,
           new.extra AS new_extra
    FROM customers_superseded AS old CROSS JOIN customers AS new
      ON new.inserted_seq = old.inserted_seq AND new.change_seq = old.end_seq
    UNION ALL
    SELECT old.end_seq, old.id,
           old.email, old.first_name, old.last_name, old.phone_number, old.created_at, old.updated_at, old.extra,
           new.email, new.first_name, new.last_name, new.phone_number, new.created_at, new.updated_at, new.extra
    FROM customers_superseded AS new CROSS JOIN customers_superseded AS old ON old.end_seq = new.seq
), event_updates AS (
    SELECT old.end_seq AS seq, old.id,
           old.customer_id AS customer_id, old.type AS type, old.label AS label, old.link_back_url AS link_back_url,
           old.timestamp AS timestamp, old.properties AS properties, old.created_at AS created_at,
           old.updated_at AS updated_at, old.extra AS extra,
           new.customer_id AS new_customer_id, new.type AS new_type, new.label AS new_label,
           new.link_back_url AS new_link_back_url, new.timestamp AS new_timestamp, new.properties AS new_properties,
           new.created_at AS new_created_at, new.updated_at AS new_updated_at, new.extra AS new_extra
    FROM events_superseded AS old CROSS JOIN events AS new
      ON new.inserted_seq = old.inserted_seq AND new.change_seq = old.end_seq
    UNION ALL
    SELECT old.end_seq, old.id,
           old.customer_id, old.type, old.label, old.link_back_url, old.timestamp, old.properties, old.created_at,
           old.updated_at, old.extra,
           new.customer_id, new.type, new.label, new.link_back_url, new.timestamp, new.properties, new.created_at,
           new.updated_at, new.extra
    FROM events_superseded AS new CROSS JOIN events_superseded AS old ON old.end_seq = new.seq
), fields AS (
    SELECT u.seq, 'customers' AS stream, u.id, f.column1 AS column_name,
           CASE f.column1 WHEN 'email' THEN email WHEN 'first_name' THEN first_name WHEN 'last_name' THEN last_name
               WHEN 'phone_number' THEN phone_number WHEN 'created_at' THEN created_at WHEN 'updated_at' THEN updated_at
               ELSE extra END AS old_value,
           CASE f.column1 WHEN 'email' THEN new_email WHEN 'first_name' THEN new_first_name
               WHEN 'last_name' THEN new_last_name WHEN 'phone_number' THEN new_phone_number
               WHEN 'created_at' THEN new_created_at WHEN 'updated_at' THEN new_updated_at ELSE new_extra END AS new_value
    FROM customer_updates AS u CROSS JOIN (VALUES ('email'), ('first_name'), ('last_name'), ('phone_number'),
                                                  ('created_at'), ('updated_at'), ('extra')) AS f
    UNION ALL
    SELECT u.seq, 'events', u.id, f.column1,
           CASE f.column1 WHEN 'customer_id' THEN customer_id WHEN 'type' THEN type WHEN 'label' THEN label
               WHEN 'link_back_url' THEN link_back_url WHEN 'timestamp' THEN timestamp WHEN 'properties' THEN properties
               WHEN 'created_at' THEN created_at WHEN 'updated_at' THEN updated_at ELSE extra END,
           CASE f.column1 WHEN 'customer_id' THEN new_customer_id WHEN 'type' THEN new_type WHEN 'label' THEN new_label
               WHEN 'link_back_url' THEN new_link_back_url WHEN 'timestamp' THEN new_timestamp
               WHEN 'properties' THEN new_properties WHEN 'created_at' THEN new_created_at
               WHEN 'updated_at' THEN new_updated_at ELSE new_extra END
    FROM event_updates AS u CROSS JOIN (VALUES ('customer_id'), ('type'), ('label'), ('link_back_url'), ('timestamp'),
                                               ('properties'), ('created_at'), ('updated_at'), ('extra')) AS f
)
SELECT fields.seq, fields.stream, fields.id, column_name, old_value, new_value, ending.observed_at
FROM fields CROSS JOIN change_log AS ending ON ending.seq = fields.seq
WHERE old_value IS NOT new_value;
