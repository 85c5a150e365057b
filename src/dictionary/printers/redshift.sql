-- {stream}

CREATE TABLE IF NOT EXISTS "{stream}_changes" (
    {definitions},
    PRIMARY KEY ("_seq")
) DISTKEY ("id") SORTKEY ("id", "_seq");

BEGIN;
CREATE TEMPORARY TABLE "{stream}_files" (LIKE "{stream}_changes");
COPY "{stream}_files" FROM 's3://BUCKET/{stream}.manifest' IAM_ROLE default MANIFEST FORMAT JSON 'auto' TIMEFORMAT 'auto';
INSERT INTO "{stream}_changes" ({columns})
SELECT {columns}
FROM (SELECT *, row_number() OVER (PARTITION BY "_seq" ORDER BY "_observed_at") AS "_copy" FROM "{stream}_files") AS "new"
WHERE "_copy" = 1 AND NOT EXISTS (SELECT 1 FROM "{stream}_changes" AS "known" WHERE "known"."_seq" = "new"."_seq");
DROP TABLE "{stream}_files";
COMMIT;

CREATE OR REPLACE VIEW "{stream}" AS
SELECT {record}
FROM (SELECT *, row_number() OVER (PARTITION BY "id" ORDER BY "_seq" DESC) AS "_age" FROM "{stream}_changes") AS "changes"
WHERE "_age" = 1 AND "_op" NOT IN ('delete', 'erase');

{comments}
