-- Version 15: tables and views that answer an analyst's questions. Times in views are UTC, ISO 8601, with milliseconds,
-- always in the same form, beside the original text. A time in a form that SQLite can't read is NULL there.
--
-- What is derived from events is brought up to date at the end of each run, in one transaction.

-- Through which change what is derived from events is up to date.
INSERT INTO meta (key, value) VALUES ('derived_through', '0');

-- How many changes there were on each day, by stream and operation. Their numbers are from the first to the last of these,
-- among others.
CREATE TABLE change_days (
    day       TEXT NOT NULL,                 -- of observed_at, in UTC
    stream    TEXT NOT NULL,
    op        TEXT NOT NULL,
    changes   INTEGER NOT NULL,
    first_seq INTEGER NOT NULL,              -- changes.seq
    last_seq  INTEGER NOT NULL,
    PRIMARY KEY (day, stream, op)
) STRICT;
INSERT INTO change_days
SELECT substr(observed_at, 1, 10) AS day, stream, op, count(*), min(seq), max(seq) FROM changes GROUP BY day, stream, op;

-- The types of events. The first 200 have a view of their own with a column for each property that was seen, named event_ and
-- the type in snake_case: ShopifyOrderCreated is event_shopify_order_created. A view that is there stays.
CREATE TABLE event_types (
    type          TEXT PRIMARY KEY NOT NULL,
    view_name     TEXT UNIQUE,               -- NULL: more types than have views
    row_count     INTEGER NOT NULL,          -- events of this type in the mirror
    first_seen_at TEXT NOT NULL,             -- when the mirror first took one; not before version 15
    last_seen_at  TEXT NOT NULL              -- when it last took one that was new or changed
) STRICT;

-- What was seen in events.properties, by type. Objects are flattened; the place of a value is its path, which ->> takes.
-- A column that is there stays, and keeps its name.
CREATE TABLE event_properties (
    type          TEXT NOT NULL,
    path          TEXT NOT NULL,             -- such as $.shopify_order.total_price; '$': properties is no object
    column_name   TEXT,                      -- in the type's view; NULL: its name can't be in a path, or it has too many
    column_type   TEXT NOT NULL,             -- of the view's column: 'integer', 'real', 'boolean' (0 or 1), 'text', 'json'
    json_types    TEXT NOT NULL,             -- all that were ever seen, with commas between: null, boolean, integer, real,
                                             -- decimal (a text such as "12.30"), large (a number that no column holds whole),
                                             -- text, array, object (one that is empty, or deeper than is flattened)
    row_count     INTEGER NOT NULL,          -- events in the mirror that have it
    first_seen_at TEXT NOT NULL,             -- as in event_types
    last_seen_at  TEXT NOT NULL,
    PRIMARY KEY (type, path)
) STRICT;

-- What the events and orders of a customer add up to. Times are seconds since 1970.
CREATE TABLE customer_facts (
    id               INTEGER PRIMARY KEY,    -- customers.inserted_seq; a customer without events has no row
    first_event      INTEGER,
    last_event       INTEGER,
    event_count      INTEGER NOT NULL,
    order_count      INTEGER NOT NULL,
    open_order_count INTEGER NOT NULL,
    last_order       INTEGER                 -- when the newest order was created, or when its first event was
) STRICT;

-- What the view `orders` shows. Times are seconds since 1970.
CREATE TABLE order_facts (
    id               INTEGER PRIMARY KEY,
    customer_row     INTEGER NOT NULL,       -- customers.inserted_seq
    order_id         TEXT,
    order_number     TEXT,
    status           TEXT,
    is_open          INTEGER NOT NULL,
    created          INTEGER,
    fulfilled        INTEGER,
    shipped          INTEGER,
    first_scan       INTEGER,
    out_for_delivery INTEGER,
    delivered        INTEGER,
    returned         INTEGER,
    cancelled        INTEGER,
    first_event      INTEGER,
    last_event       INTEGER,
    total_price      REAL,
    currency         TEXT,
    event_count      INTEGER NOT NULL,
    issue_count      INTEGER NOT NULL,
    shipment_count   INTEGER NOT NULL
) STRICT;
CREATE INDEX order_facts_of_customer ON order_facts (customer_row);

-- What the view `shipments` shows. Times are seconds since 1970.
CREATE TABLE shipment_facts (
    id               INTEGER PRIMARY KEY,
    order_row        INTEGER NOT NULL,       -- order_facts.id
    shipment_id      TEXT,
    carrier          TEXT,
    tracking_code    TEXT,
    is_return        INTEGER NOT NULL,
    status           TEXT,
    shipped          INTEGER,
    first_scan       INTEGER,
    out_for_delivery INTEGER,
    delivered        INTEGER,
    returned         INTEGER,
    cancelled        INTEGER,
    last_event       INTEGER,
    estimated_delivery_at TEXT,
    event_count      INTEGER NOT NULL
) STRICT;
CREATE INDEX shipment_facts_of_order ON shipment_facts (order_row);

-- One row for each order that events tell of. Each time is that of the first event that tells so, of whichever parcel.
CREATE VIEW orders AS
SELECT c.id AS customer_id,
       o.order_id,                           -- the shop's; NULL: the events tell the number alone
       o.order_number,                       -- without '#'
       o.status,                             -- of the newest event that has one: a shipment's, or 'created', 'fulfilled',
                                             -- 'cancelled'
       o.is_open,                            -- 1: not fulfilled yet, or a parcel is on its way; 0: nothing more is to come
       strftime('%Y-%m-%dT%H:%M:%fZ', o.created, 'unixepoch') AS created_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.fulfilled, 'unixepoch') AS fulfilled_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.shipped, 'unixepoch') AS shipped_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.first_scan, 'unixepoch') AS first_scan_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.out_for_delivery, 'unixepoch') AS out_for_delivery_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.delivered, 'unixepoch') AS delivered_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.returned, 'unixepoch') AS returned_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.cancelled, 'unixepoch') AS cancelled_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.first_event, 'unixepoch') AS first_event_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', o.last_event, 'unixepoch') AS last_event_at,
       round((o.fulfilled - o.created) / 3600.0, 2) AS hours_created_to_fulfilled,
       round((o.shipped - o.fulfilled) / 3600.0, 2) AS hours_fulfilled_to_shipped,
       round((o.first_scan - o.shipped) / 3600.0, 2) AS hours_shipped_to_first_scan,
       round((o.out_for_delivery - o.first_scan) / 3600.0, 2) AS hours_first_scan_to_out_for_delivery,
       round((o.delivered - o.out_for_delivery) / 3600.0, 2) AS hours_out_for_delivery_to_delivered,
       round((o.delivered - o.fulfilled) / 3600.0, 2) AS hours_fulfilled_to_delivered,
       o.total_price, o.currency,            -- as the newest event that has them tells
       o.event_count, o.issue_count, o.shipment_count
FROM order_facts AS o LEFT JOIN customers AS c ON c.inserted_seq = o.customer_row;

-- One row for each parcel that the events of an order tell apart, by its id or its tracking code.
CREATE VIEW shipments AS
SELECT c.id AS customer_id, o.order_id, o.order_number, s.shipment_id, s.carrier, s.tracking_code,
       s.is_return,                          -- 1: from the customer back to the shop
       s.status,                             -- of the newest event that has one
       strftime('%Y-%m-%dT%H:%M:%fZ', o.fulfilled, 'unixepoch') AS fulfilled_at, -- the order
       strftime('%Y-%m-%dT%H:%M:%fZ', s.shipped, 'unixepoch') AS shipped_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.first_scan, 'unixepoch') AS first_scan_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.out_for_delivery, 'unixepoch') AS out_for_delivery_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.delivered, 'unixepoch') AS delivered_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.returned, 'unixepoch') AS returned_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.cancelled, 'unixepoch') AS cancelled_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', s.last_event, 'unixepoch') AS last_event_at,
       s.estimated_delivery_at,              -- as the newest event that has it tells; it may have no zone
       round((s.first_scan - s.shipped) / 3600.0, 2) AS hours_shipped_to_first_scan,
       round((s.out_for_delivery - s.first_scan) / 3600.0, 2) AS hours_first_scan_to_out_for_delivery,
       round((s.delivered - s.out_for_delivery) / 3600.0, 2) AS hours_out_for_delivery_to_delivered,
       round((s.delivered - o.fulfilled) / 3600.0, 2) AS hours_fulfilled_to_delivered,
       s.event_count
FROM shipment_facts AS s JOIN order_facts AS o ON o.id = s.order_row
    LEFT JOIN customers AS c ON c.inserted_seq = o.customer_row;

-- One row for each customer, with what its events and orders add up to.
CREATE VIEW customer_summary AS
SELECT c.id, c.email, c.first_name, c.last_name, c.phone_number, c.created_at, c.updated_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', CASE
        WHEN c.created_at GLOB '*Z' THEN c.created_at
        WHEN c.created_at GLOB '*:*[+-][0-9][0-9][0-9][0-9]'
            THEN substr(c.created_at, 1, length(c.created_at) - 2) || ':' || substr(c.created_at, -2)
        WHEN c.created_at GLOB '*:*[+-][0-9][0-9]' THEN c.created_at || ':00'
        WHEN c.created_at NOT GLOB '*[^0-9.]*' AND c.created_at <> '' THEN strftime('%Y-%m-%d %H:%M:%f', CASE
            WHEN c.created_at + 0 < 1e11 THEN c.created_at + 0.0 WHEN c.created_at + 0 < 1e14 THEN c.created_at / 1e3
            WHEN c.created_at + 0 < 1e17 THEN c.created_at / 1e6 ELSE c.created_at / 1e9 END, 'unixepoch')
        ELSE replace(replace(upper(c.created_at), ' UTC', 'Z'), 'UTC', 'Z') END) AS created_at_utc,
       strftime('%Y-%m-%dT%H:%M:%fZ', CASE
        WHEN c.updated_at GLOB '*Z' THEN c.updated_at
        WHEN c.updated_at GLOB '*:*[+-][0-9][0-9][0-9][0-9]'
            THEN substr(c.updated_at, 1, length(c.updated_at) - 2) || ':' || substr(c.updated_at, -2)
        WHEN c.updated_at GLOB '*:*[+-][0-9][0-9]' THEN c.updated_at || ':00'
        WHEN c.updated_at NOT GLOB '*[^0-9.]*' AND c.updated_at <> '' THEN strftime('%Y-%m-%d %H:%M:%f', CASE
            WHEN c.updated_at + 0 < 1e11 THEN c.updated_at + 0.0 WHEN c.updated_at + 0 < 1e14 THEN c.updated_at / 1e3
            WHEN c.updated_at + 0 < 1e17 THEN c.updated_at / 1e6 ELSE c.updated_at / 1e9 END, 'unixepoch')
        ELSE replace(replace(upper(c.updated_at), ' UTC', 'Z'), 'UTC', 'Z') END) AS updated_at_utc,
       strftime('%Y-%m-%dT%H:%M:%fZ', f.first_event, 'unixepoch') AS first_event_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', f.last_event, 'unixepoch') AS last_event_at,
       coalesce(f.event_count, 0) AS event_count,
       coalesce(f.order_count, 0) AS order_count,
       coalesce(f.open_order_count, 0) AS open_order_count,
       strftime('%Y-%m-%dT%H:%M:%fZ', f.last_order, 'unixepoch') AS last_order_at,
       (strftime('%s', 'now') - f.last_order) / 86400 AS days_since_last_order,
       c.events_checked_at,                  -- when its events were last read to their end; NULL: the next run is to read them
       c.events_checked_at IS NULL
           OR EXISTS (SELECT 1 FROM event_failures AS failure WHERE failure.customer_id = c.id)
           OR EXISTS (SELECT 1 FROM webhook_hints AS hint WHERE hint.customer_id = c.id) AS is_behind
                                             -- 1: its events may have changed since, and the next run is to read them
FROM customers AS c LEFT JOIN customer_facts AS f ON f.id = c.inserted_seq;

-- The views of the past as before, with their times in UTC.
DROP VIEW customers_history;
CREATE VIEW customers_history AS
SELECT v.*,
       strftime('%Y-%m-%dT%H:%M:%fZ', CASE
        WHEN v.created_at GLOB '*Z' THEN v.created_at
        WHEN v.created_at GLOB '*:*[+-][0-9][0-9][0-9][0-9]'
            THEN substr(v.created_at, 1, length(v.created_at) - 2) || ':' || substr(v.created_at, -2)
        WHEN v.created_at GLOB '*:*[+-][0-9][0-9]' THEN v.created_at || ':00'
        WHEN v.created_at NOT GLOB '*[^0-9.]*' AND v.created_at <> '' THEN strftime('%Y-%m-%d %H:%M:%f', CASE
            WHEN v.created_at + 0 < 1e11 THEN v.created_at + 0.0 WHEN v.created_at + 0 < 1e14 THEN v.created_at / 1e3
            WHEN v.created_at + 0 < 1e17 THEN v.created_at / 1e6 ELSE v.created_at / 1e9 END, 'unixepoch')
        ELSE replace(replace(upper(v.created_at), ' UTC', 'Z'), 'UTC', 'Z') END) AS created_at_utc,
       strftime('%Y-%m-%dT%H:%M:%fZ', CASE
        WHEN v.updated_at GLOB '*Z' THEN v.updated_at
        WHEN v.updated_at GLOB '*:*[+-][0-9][0-9][0-9][0-9]'
            THEN substr(v.updated_at, 1, length(v.updated_at) - 2) || ':' || substr(v.updated_at, -2)
        WHEN v.updated_at GLOB '*:*[+-][0-9][0-9]' THEN v.updated_at || ':00'
        WHEN v.updated_at NOT GLOB '*[^0-9.]*' AND v.updated_at <> '' THEN strftime('%Y-%m-%d %H:%M:%f', CASE
            WHEN v.updated_at + 0 < 1e11 THEN v.updated_at + 0.0 WHEN v.updated_at + 0 < 1e14 THEN v.updated_at / 1e3
            WHEN v.updated_at + 0 < 1e17 THEN v.updated_at / 1e6 ELSE v.updated_at / 1e9 END, 'unixepoch')
        ELSE replace(replace(upper(v.updated_at), ' UTC', 'Z'), 'UTC', 'Z') END) AS updated_at_utc
FROM (
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
    FROM customers AS row
) AS v;

DROP VIEW events_history;
CREATE VIEW events_history AS
SELECT v.*,
       strftime('%Y-%m-%dT%H:%M:%fZ', v.timestamp, 'unixepoch') AS occurred_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', CASE
        WHEN v.created_at GLOB '*Z' THEN v.created_at
        WHEN v.created_at GLOB '*:*[+-][0-9][0-9][0-9][0-9]'
            THEN substr(v.created_at, 1, length(v.created_at) - 2) || ':' || substr(v.created_at, -2)
        WHEN v.created_at GLOB '*:*[+-][0-9][0-9]' THEN v.created_at || ':00'
        WHEN v.created_at NOT GLOB '*[^0-9.]*' AND v.created_at <> '' THEN strftime('%Y-%m-%d %H:%M:%f', CASE
            WHEN v.created_at + 0 < 1e11 THEN v.created_at + 0.0 WHEN v.created_at + 0 < 1e14 THEN v.created_at / 1e3
            WHEN v.created_at + 0 < 1e17 THEN v.created_at / 1e6 ELSE v.created_at / 1e9 END, 'unixepoch')
        ELSE replace(replace(upper(v.created_at), ' UTC', 'Z'), 'UTC', 'Z') END) AS created_at_utc,
       strftime('%Y-%m-%dT%H:%M:%fZ', CASE
        WHEN v.updated_at GLOB '*Z' THEN v.updated_at
        WHEN v.updated_at GLOB '*:*[+-][0-9][0-9][0-9][0-9]'
            THEN substr(v.updated_at, 1, length(v.updated_at) - 2) || ':' || substr(v.updated_at, -2)
        WHEN v.updated_at GLOB '*:*[+-][0-9][0-9]' THEN v.updated_at || ':00'
        WHEN v.updated_at NOT GLOB '*[^0-9.]*' AND v.updated_at <> '' THEN strftime('%Y-%m-%d %H:%M:%f', CASE
            WHEN v.updated_at + 0 < 1e11 THEN v.updated_at + 0.0 WHEN v.updated_at + 0 < 1e14 THEN v.updated_at / 1e3
            WHEN v.updated_at + 0 < 1e17 THEN v.updated_at / 1e6 ELSE v.updated_at / 1e9 END, 'unixepoch')
        ELSE replace(replace(upper(v.updated_at), ' UTC', 'Z'), 'UTC', 'Z') END) AS updated_at_utc
FROM (
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
    FROM events AS row
) AS v;

DROP VIEW customers_deleted;
CREATE VIEW customers_deleted AS
SELECT r.*,
       strftime('%Y-%m-%dT%H:%M:%fZ', CASE
        WHEN r.created_at GLOB '*Z' THEN r.created_at
        WHEN r.created_at GLOB '*:*[+-][0-9][0-9][0-9][0-9]'
            THEN substr(r.created_at, 1, length(r.created_at) - 2) || ':' || substr(r.created_at, -2)
        WHEN r.created_at GLOB '*:*[+-][0-9][0-9]' THEN r.created_at || ':00'
        WHEN r.created_at NOT GLOB '*[^0-9.]*' AND r.created_at <> '' THEN strftime('%Y-%m-%d %H:%M:%f', CASE
            WHEN r.created_at + 0 < 1e11 THEN r.created_at + 0.0 WHEN r.created_at + 0 < 1e14 THEN r.created_at / 1e3
            WHEN r.created_at + 0 < 1e17 THEN r.created_at / 1e6 ELSE r.created_at / 1e9 END, 'unixepoch')
        ELSE replace(replace(upper(r.created_at), ' UTC', 'Z'), 'UTC', 'Z') END) AS created_at_utc,
       strftime('%Y-%m-%dT%H:%M:%fZ', CASE
        WHEN r.updated_at GLOB '*Z' THEN r.updated_at
        WHEN r.updated_at GLOB '*:*[+-][0-9][0-9][0-9][0-9]'
            THEN substr(r.updated_at, 1, length(r.updated_at) - 2) || ':' || substr(r.updated_at, -2)
        WHEN r.updated_at GLOB '*:*[+-][0-9][0-9]' THEN r.updated_at || ':00'
        WHEN r.updated_at NOT GLOB '*[^0-9.]*' AND r.updated_at <> '' THEN strftime('%Y-%m-%d %H:%M:%f', CASE
            WHEN r.updated_at + 0 < 1e11 THEN r.updated_at + 0.0 WHEN r.updated_at + 0 < 1e14 THEN r.updated_at / 1e3
            WHEN r.updated_at + 0 < 1e17 THEN r.updated_at / 1e6 ELSE r.updated_at / 1e9 END, 'unixepoch')
        ELSE replace(replace(upper(r.updated_at), ' UTC', 'Z'), 'UTC', 'Z') END) AS updated_at_utc
FROM (
    SELECT gone.id, last.email, last.first_name, last.last_name, last.phone_number, last.created_at, last.updated_at, last.extra,
           gone.seq AS deleted_seq, gone.observed_at AS deleted_at, gone.run_id, gone.evidence
    FROM change_log AS gone LEFT JOIN customers_superseded AS last ON last.end_seq = gone.seq
    WHERE gone.op = 'delete' AND gone.stream = 'customers'
      AND NOT EXISTS (SELECT 1 FROM customers AS back WHERE back.id = gone.id)
      AND NOT EXISTS (SELECT 1 FROM change_log AS later
                      WHERE later.op = 'delete' AND later.stream = 'customers' AND later.id = gone.id AND later.seq > gone.seq)
) AS r;

DROP VIEW events_deleted;
CREATE VIEW events_deleted AS
SELECT r.*,
       strftime('%Y-%m-%dT%H:%M:%fZ', r.timestamp, 'unixepoch') AS occurred_at,
       strftime('%Y-%m-%dT%H:%M:%fZ', CASE
        WHEN r.created_at GLOB '*Z' THEN r.created_at
        WHEN r.created_at GLOB '*:*[+-][0-9][0-9][0-9][0-9]'
            THEN substr(r.created_at, 1, length(r.created_at) - 2) || ':' || substr(r.created_at, -2)
        WHEN r.created_at GLOB '*:*[+-][0-9][0-9]' THEN r.created_at || ':00'
        WHEN r.created_at NOT GLOB '*[^0-9.]*' AND r.created_at <> '' THEN strftime('%Y-%m-%d %H:%M:%f', CASE
            WHEN r.created_at + 0 < 1e11 THEN r.created_at + 0.0 WHEN r.created_at + 0 < 1e14 THEN r.created_at / 1e3
            WHEN r.created_at + 0 < 1e17 THEN r.created_at / 1e6 ELSE r.created_at / 1e9 END, 'unixepoch')
        ELSE replace(replace(upper(r.created_at), ' UTC', 'Z'), 'UTC', 'Z') END) AS created_at_utc,
       strftime('%Y-%m-%dT%H:%M:%fZ', CASE
        WHEN r.updated_at GLOB '*Z' THEN r.updated_at
        WHEN r.updated_at GLOB '*:*[+-][0-9][0-9][0-9][0-9]'
            THEN substr(r.updated_at, 1, length(r.updated_at) - 2) || ':' || substr(r.updated_at, -2)
        WHEN r.updated_at GLOB '*:*[+-][0-9][0-9]' THEN r.updated_at || ':00'
        WHEN r.updated_at NOT GLOB '*[^0-9.]*' AND r.updated_at <> '' THEN strftime('%Y-%m-%d %H:%M:%f', CASE
            WHEN r.updated_at + 0 < 1e11 THEN r.updated_at + 0.0 WHEN r.updated_at + 0 < 1e14 THEN r.updated_at / 1e3
            WHEN r.updated_at + 0 < 1e17 THEN r.updated_at / 1e6 ELSE r.updated_at / 1e9 END, 'unixepoch')
        ELSE replace(replace(upper(r.updated_at), ' UTC', 'Z'), 'UTC', 'Z') END) AS updated_at_utc
FROM (
    SELECT gone.id, coalesce(last.customer_id, gone.customer_id) AS customer_id, last.type, last.label, last.link_back_url,
           last.timestamp, last.properties, last.created_at, last.updated_at, last.extra,
           gone.seq AS deleted_seq, gone.observed_at AS deleted_at, gone.run_id, gone.evidence
    FROM change_log AS gone LEFT JOIN events_superseded AS last ON last.end_seq = gone.seq
    WHERE gone.op = 'delete' AND gone.stream = 'events'
      AND NOT EXISTS (SELECT 1 FROM events AS back WHERE back.id = gone.id)
      AND NOT EXISTS (SELECT 1 FROM change_log AS later
                      WHERE later.op = 'delete' AND later.stream = 'events' AND later.id = gone.id AND later.seq > gone.seq)
) AS r;
