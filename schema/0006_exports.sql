-- Version 6: a deleted event's line of the change log names its customer, and the list of export files knows folders.

-- Whose event it was: only on lines of deleted events, so that an export of the deletion carries the event's keys. NULL on
-- all other lines, and on those of events that were deleted before this version.
ALTER TABLE changes ADD COLUMN customer_id TEXT;

-- The export files that were published, as the manifests of their folders have them.
CREATE TABLE export_files_by_folder (
    folder     TEXT NOT NULL,              -- the export folder's absolute path; '' = published before this version, and
                                           -- not yet met again in a folder's manifest
    stream     TEXT NOT NULL,
    format     TEXT NOT NULL,
    first_seq  INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL,
    path       TEXT NOT NULL,              -- below the export folder
    rows       INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (folder, stream, format, first_seq)
) STRICT;
INSERT INTO export_files_by_folder
    SELECT '', stream, format, first_seq, last_seq, path, rows, bytes, sha256, created_at FROM export_files;
DROP TABLE export_files;
ALTER TABLE export_files_by_folder RENAME TO export_files;

-- What consumers have acknowledged stands in a file of each export folder from now on.
DELETE FROM meta WHERE key = 'export_acknowledged';
