-- Version 14: what webhooks have told. A delivery is a hint, never data: it makes a customer due, and a run brings the truth.

-- The customers that deliveries have hinted at and that no run has looked at since. A look takes the row away.
CREATE TABLE webhook_hints (
    customer_id TEXT PRIMARY KEY NOT NULL, -- as the delivery named it; the mirror or the API may not know it
    first_at    TEXT NOT NULL,             -- when the oldest hint came that no look has followed
    newest_at   TEXT NOT NULL,             -- when the newest one came
    times       INTEGER NOT NULL,          -- how many came
    number      INTEGER NOT NULL           -- of the newest one; a look takes away what came before it began, by this
) STRICT;

-- Deliveries that named an order and nothing else that the mirror knows. The next run looks for these orders among the newest
-- events, for all of them at once, and takes them away.
CREATE TABLE webhook_orders (
    delivery  INTEGER PRIMARY KEY,
    order_ids TEXT NOT NULL,               -- JSON: an array of texts
    paths     TEXT NOT NULL,               -- where the delivery's values stood, as in webhook_unmatched
    at        TEXT NOT NULL                -- when it came
) STRICT;

-- Deliveries that told of no customer: what they looked like, without any of their values.
CREATE TABLE webhook_unmatched (
    paths    TEXT PRIMARY KEY NOT NULL,    -- JSON: where the body's values stood, such as ["order.number"]; beyond 100 such
                                           -- rows, the rest is counted under ["(other)"]
    times    INTEGER NOT NULL,
    first_at TEXT NOT NULL,
    last_at  TEXT NOT NULL
) STRICT;

-- The number of the newest hint. It only grows, so that a row that goes never leaves its number to another one.
INSERT INTO meta (key, value) VALUES ('webhook_hint_number', '0');
