-- {stream}

CREATE TABLE IF NOT EXISTS "{stream}_changes" (
    {definitions}
);

CREATE OR REPLACE TEMPORARY TABLE "{stream}_files" (
    {typed}
);

COPY INTO "{stream}_files"
FROM @"malomo_exports"/{stream}/
PATTERN = '.*[.]csv([.]gz|[.]zst)?'
FILE_FORMAT = (FORMAT_NAME = '"malomo_csv"')
ON_ERROR = ABORT_STATEMENT;

MERGE INTO "{stream}_changes" AS "known"
USING (
    SELECT * FROM "{stream}_files" QUALIFY row_number() OVER (PARTITION BY "_seq" ORDER BY "_observed_at") = 1
) AS "new"
ON "known"."_seq" = "new"."_seq"
WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({columns_of_new});

CREATE OR REPLACE VIEW "{stream}" AS
SELECT {record}
FROM (SELECT *, row_number() OVER (PARTITION BY "id" ORDER BY "_seq" DESC) AS "_age" FROM "{stream}_changes") AS "changes"
WHERE "_age" = 1 AND "_op" NOT IN ('delete', 'erase');
