-- {stream}

CREATE TABLE IF NOT EXISTS "{stream}_changes" (
    {definitions},
    PRIMARY KEY ("_seq"),
    CHECK ("_op" IN ('insert', 'update', 'delete', 'erase'))
);
CREATE INDEX IF NOT EXISTS "{stream}_changes_newest" ON "{stream}_changes" ("id", "_seq" DESC);

BEGIN;
CREATE TEMPORARY TABLE "{stream}_lines" ("line" json) ON COMMIT DROP;
\copy "{stream}_lines" FROM PROGRAM 'grep ''"stream":"{stream}","format":"ndjson"'' manifest.ndjson | cut -d ''"'' -f 12 | while read -r file; do case $file in *.gz) gzip -dc $file ;; *.zst) zstd -dc $file ;; *) cat $file ;; esac || exit 1; done' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02', ENCODING 'UTF8')
INSERT INTO "{stream}_changes" ({columns})
SELECT {columns_of_change}
FROM "{stream}_lines", json_populate_record(NULL::"{stream}_changes", "line") AS "change"
ON CONFLICT ("_seq") DO NOTHING;
COMMIT;

CREATE OR REPLACE VIEW "{stream}" AS
SELECT {record}
FROM (SELECT DISTINCT ON ("id") * FROM "{stream}_changes" ORDER BY "id", "_seq" DESC) AS "newest"
WHERE "_op" NOT IN ('delete', 'erase');

COMMENT ON VIEW "{stream}" IS '{about}';
{comments}
