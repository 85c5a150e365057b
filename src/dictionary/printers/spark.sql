-- {stream}

CREATE TABLE IF NOT EXISTS `{stream}_changes` (
    {definitions}
) USING parquet;

CREATE OR REPLACE TEMPORARY VIEW `{stream}_files` (
    {typed}
) USING json OPTIONS (path '{stream}', pathGlobFilter '*.{ndjson,ndjson.gz,ndjson.zst}', mode 'FAILFAST');

INSERT INTO `{stream}_changes`
SELECT {columns}
FROM `{stream}_files` AS `new` LEFT ANTI JOIN `{stream}_changes` AS `known` ON `known`.`_seq` = `new`.`_seq`;

CREATE OR REPLACE VIEW `{stream}` AS
SELECT {record}
FROM (SELECT *, row_number() OVER (PARTITION BY `id` ORDER BY `_seq` DESC) AS `_age` FROM `{stream}_changes`) AS `changes`
WHERE `_age` = 1 AND `_op` NOT IN ('delete', 'erase');
