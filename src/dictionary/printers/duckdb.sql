-- {stream}

CREATE TABLE IF NOT EXISTS "{stream}_changes" (
    {definitions},
    PRIMARY KEY ("_seq")
);

SET VARIABLE "{stream}_files" = (
    SELECT list("path" ORDER BY "first_seq")
    FROM read_json('manifest.ndjson', format = 'newline_delimited', ignore_errors = true,
                   columns = {'stream': 'VARCHAR', 'format': 'VARCHAR', 'path': 'VARCHAR', 'first_seq': 'BIGINT'})
    WHERE "stream" = '{stream}' AND "format" = 'csv'
);

INSERT OR IGNORE INTO "{stream}_changes" ({columns})
SELECT {columns}
FROM read_csv(getvariable('{stream}_files'), auto_detect = false, header = true, delim = ',', quote = '"', escape = '"',
              nullstr = '', allow_quoted_nulls = false, parallel = false, max_line_size = 16777216,
              columns = {{kinds_by_name}});

CREATE OR REPLACE VIEW "{stream}" AS
SELECT {record}
FROM (SELECT *, row_number() OVER (PARTITION BY "id" ORDER BY "_seq" DESC) AS "_age" FROM "{stream}_changes") AS "changes"
WHERE "_age" = 1 AND "_op" NOT IN ('delete', 'erase');

COMMENT ON VIEW "{stream}" IS '{about}';
{comments}
