-- Version 8: instead of a copy of each manifest's lines, the mirror keeps how far the manifest reached when it last wrote
-- it. The manifest is the truth about what was exported.

CREATE TABLE export_folders (
    folder  TEXT NOT NULL,                 -- the export folder's absolute path; '' = an older version exported there and
                                           -- noted no folder
    kind    TEXT NOT NULL,                 -- 'changes': of the folder's manifest; 'snapshots': of the one in its folder
                                           -- snapshots
    reached TEXT NOT NULL,                 -- JSON. end: how far the manifest reached (bytes, lines, last_from = where its
                                           -- last line begins, last_line = the SHA-256 of that line), null where an older
                                           -- version exported; files: the newest file of each stream and format; fronts:
                                           -- what pruning removed at its front (last_line = the SHA-256 of the last line
                                           -- that was removed; through: up to which change of each stream and format)
    planned TEXT,                          -- the same for the manifest that is to take its place, while a pruning or a
                                           -- repair puts it there; NULL: none
    PRIMARY KEY (folder, kind)
) STRICT;

-- What older versions knew: the newest files, and what was pruned.
WITH newest AS (
    SELECT folder, json_object('stream', stream, 'format', format, 'first_seq', max(first_seq), 'last_seq', last_seq,
                               'path', path, 'rows', rows, 'bytes', bytes, 'sha256', sha256, 'created_at', created_at)
                       AS file
    FROM export_files GROUP BY folder, stream, format
), pruned AS (
    SELECT CASE WHEN one.value ->> 'snapshots' THEN 'snapshots' ELSE 'changes' END AS kind,
           CASE WHEN one.value ->> 'snapshots' AND one.value ->> 'dir' LIKE '%/snapshots'
                THEN substr(one.value ->> 'dir', 1, length(one.value ->> 'dir') - length('/snapshots'))
                ELSE one.value ->> 'dir' END AS folder,
           json_object('last_line', one.value ->> 'digest', 'through', json(one.value -> 'through')) AS front
    FROM meta, json_each(meta.value) AS one WHERE meta.key = 'export_pruned'
), known AS (
    SELECT folder, 'changes' AS kind FROM newest UNION SELECT folder, kind FROM pruned
)
INSERT INTO export_folders (folder, kind, reached)
SELECT folder, kind, json_object(
    'end', NULL,
    'files', json((SELECT json_group_array(json(file)) FROM newest
                   WHERE newest.folder = known.folder AND known.kind = 'changes')),
    'fronts', json((SELECT json_group_array(json(front)) FROM pruned
                    WHERE pruned.folder = known.folder AND pruned.kind = known.kind)))
FROM known;

DROP TABLE export_files;
DELETE FROM meta WHERE key = 'export_pruned';
