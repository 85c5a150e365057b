-- Version 3: page tokens of the customer list, remembered from the last walk that came to its end, so that the next one
-- can read the list from many places at once. They are of use only where a token names a place in the list as it is
-- when asked: api_behaviour's point `token_names` says what was found out about that. Without them a walk is slower, and
-- otherwise the same.

-- Every so many pages' request, the first one's among them; 256 or a few more, however long the list is.
CREATE TABLE list_marks (
    page        INTEGER PRIMARY KEY NOT NULL, -- so many pages stood before it
    cursor      TEXT NOT NULL,                -- JSON: the request for the page behind those, as in checkpoints
    last_record INTEGER NOT NULL,             -- a hash of the record that stood last before it
    base_url    TEXT NOT NULL                 -- the API that gave it
) STRICT;
