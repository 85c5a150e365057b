-- {stream}

CREATE TABLE IF NOT EXISTS `malomo`.`{stream}_changes` (
    {definitions}
) CLUSTER BY `id`;

LOAD DATA OVERWRITE `malomo`.`{stream}_files` (
    {typed}
) FROM FILES (
    format = 'NEWLINE_DELIMITED_JSON',
    uris = ['gs://BUCKET/{stream}/*']
);

MERGE `malomo`.`{stream}_changes` AS `known`
USING (
    SELECT * FROM `malomo`.`{stream}_files` WHERE true QUALIFY row_number() OVER (PARTITION BY `_seq` ORDER BY `_observed_at`) = 1
) AS `new`
ON `known`.`_seq` = `new`.`_seq`
WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({columns});

CREATE OR REPLACE VIEW `malomo`.`{stream}` AS
SELECT {record}
FROM (
    SELECT *, row_number() OVER (PARTITION BY `id` ORDER BY `_seq` DESC) AS `_age` FROM `malomo`.`{stream}_changes`
) AS `changes`
WHERE `_age` = 1 AND `_op` NOT IN ('delete', 'erase');
